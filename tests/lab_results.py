"""An installation whose lab has done one job of each kind, over a few hundred synthetic candles."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Engine

from auto_trading.gateways.candle_files import read_candles
from auto_trading.lab.tasks import Desk, work
from config.environment import Environment
from crypto_trader_pro.backtest.lab_request import (
    OF_A_GRID,
    LabKind,
    LabRequest,
    Shaking,
    stored_market,
)
from crypto_trader_pro.simulation.instruments import instrument
from database import backtest_jobs, candles
from database.auto_trading_db import open_database, prepare, unit_of_work
from database.backtest_jobs import Worker
from tests.synthetic import BTC, Coin, write_candles

HOUR: Final = 3_600_000
BARS: Final = 700  # of an hour: 29 days
NOW: Final = datetime(2025, 6, 1, tzinfo=UTC)
ORIGIN: Final = candles.Origin("binance", "replay")
FAST, SLOW = "strategies.ema_cross.fast", "strategies.ema_cross.slow"
STUDIES: Final = tuple(kind for kind in LabKind if kind is not LabKind.BACKTEST)
DONE_BY: Final = Worker("nowhere", 1, 1)


def store_candles(
    database: Engine, folder: Path, coin: Coin = BTC, *, bars: int = BARS, step_ms: int = HOUR
) -> None:
    """Store synthetic candles as an import would."""
    item = instrument(coin.symbol)
    file = write_candles(folder / "candles.csv.gz", coin, seed=3, bars=bars, step_ms=step_ms)
    with unit_of_work(database) as session:
        candles.store(session, read_candles(file, item, step_ms), item, ORIGIN)


def a_request(kind: LabKind = LabKind.BACKTEST, **changes: Any) -> LabRequest:
    market = stored_market([BTC.symbol], "1h", ["ema_cross"])
    given: dict[str, Any] = {
        "engine": "reference", "changes": {FAST: "5", SLOW: "13"}, "train_days": 10,
        "test_days": 5, "shaking": Shaking.BLOCKS, "runs": 50, "tries": 3, "windows": 2,
    }  # fmt: skip
    if kind in OF_A_GRID:
        given["grid"] = {FAST: ["4", "6"], SLOW: ["12", "20"]}
    return LabRequest(kind, market, **(given | changes))


def done(
    database: Engine, environment: Environment, request: LabRequest, name: str = ""
) -> int:  # fmt: skip
    """Do a job in this process and store its result; return the result's number."""
    with unit_of_work(database) as session:
        job_id = backtest_jobs.enqueue(
            session, kind=request.kind.value, request=request.as_json(), by="test", now=NOW,
            name=name,
        )  # fmt: skip
        backtest_jobs.claim_next(session, DONE_BY, NOW)
    desk = Desk(
        database, environment, _ignored, lambda _: None,
        lambda session, number: backtest_jobs.stored(session, job_id, number), lambda: NOW,
    )  # fmt: skip
    number = work(request, name, desk)
    with unit_of_work(database) as session:
        backtest_jobs.finish(session, job_id, number, NOW)
    return number


def one_of_each(database: Engine, environment: Environment, folder: Path) -> Mapping[str, int]:
    """Store candles, two backtests and one study of each kind; return name -> number."""
    store_candles(database, folder)
    other = a_request(changes={FAST: "9", SLOW: "21"})
    return {
        "first": done(database, environment, a_request(), "first"),
        "other": done(database, environment, other, "other"),
        **{kind.value: done(database, environment, a_request(kind)) for kind in STUDIES},
    }


def fill(environment: Environment, folder: Path) -> None:
    """Let the lab of an installation have done one of each, and a backtest at last.

    Args:
        folder: for the file of candles.
    """
    database = open_database(environment.database_url)
    try:
        prepare(database)
        one_of_each(database, environment, folder)
        done(database, environment, a_request(changes={FAST: "9", SLOW: "26"}), "night")
    finally:
        database.dispose()


def _ignored(finished: int, total: int, step: str) -> None:
    """Take how far a job is."""
