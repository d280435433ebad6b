"""What a stored run plays, found again."""

from pathlib import Path

from sqlalchemy import Engine as Database

from auto_trading.candle_market import Market, ReplayRequest
from auto_trading.imported_candles import IMPORTED
from crypto_trader_pro.domain.errors import InputError
from database.models import RunRow

__all__ = ["IMPORTED", "Market", "ReplayRequest", "played"]


def played(run: RunRow, database: Database) -> tuple[ReplayRequest, Market]:
    """Return what a stored run plays.

    Raises:
        InputError: its candles are gone or are no longer the same.
    """
    inputs = run.inputs
    request = ReplayRequest(
        tuple(run.symbols),
        tuple(Path(p) for p in inputs["paths"]),
        run.timeframe,
        inputs["interval_seconds"],
        tuple(run.strategies),
        inputs["from_ms"],
        inputs["to_ms"],
        Path(inputs["funding"]) if inputs["funding"] else None,
        inputs["venue"],
    )
    market = Market.load(request, database)
    if market.sha256() != inputs["sha256"]:
        where = ", ".join(inputs["paths"]) or "the database"
        raise InputError(f"the candles of run r{run.id} in {where} are not those it began with")
    return request, market
