"""Recorded sessions set beside their backtests: sums for the head, and readers of the report."""

import sqlite3
from contextlib import closing
from decimal import Decimal
from typing import Any

from auto_trading.parity.comparing import compare
from auto_trading.parity.report import report
from crypto_trader_pro.backtest.parity import Part
from crypto_trader_pro.domain.enums import CommandKind
from crypto_trader_pro.domain.market import Bar, series_of
from crypto_trader_pro.domain.messages import MarketSlice
from crypto_trader_pro.simulation.instruments import instrument
from database import candles
from database.auto_trading_db import unit_of_work
from database.candles import Origin
from tests.builders import START_MS
from tests.control_plane import FIVE_MINUTES, SYMBOL
from tests.processes import DATABASE
from tests.recorded import FLAT, Recording, candle, close_of, closed, tick

UP = 6_060_000
ENTRY_FEE = Decimal("1.0001013")
HELD_PROFIT = Decimal("-0.4026") - ENTRY_FEE  # bought at 60,612.2, still held at 60,600


def told(recording: Recording) -> dict[str, Any]:
    return report(compare(recording.database, "last", recording.var_dir))


def parts(found: dict[str, Any]) -> dict[str, Decimal]:
    """Return the parts that are not zero; whatever they are, they sum to the gap."""
    assert sum(part["amount"] for part in found["parts"]) == found["gap"]
    assert found["gap"] == found["session_profit"] - found["backtest_profit"]
    assert [part["part"] for part in found["parts"]] == [part.value for part in Part]
    return {part["part"]: part["amount"] for part in found["parts"] if part["amount"]}


def whys(found: dict[str, Any], name: str) -> list[str]:
    return [t["why"] for part in found["parts"] if part["part"] == name for t in part["trades"]]


def bar(
    k: int, open_: int, high: int, low: int, close: int, volume: int = 1_000_000
) -> MarketSlice:  # fmt: skip
    open_ms = START_MS + k * FIVE_MINUTES
    return MarketSlice(close_of(k), (Bar(open_ms, open_, high, low, close, volume),))


def bought(recording: Recording) -> None:
    """Buy at the close of candle 6 and be filled at 60,600 in candle 7."""
    recording.ask(CommandKind.START)
    recording.take(closed(5, FLAT), closed(6, UP), tick(7, UP), closed(7, UP))


def execute(recording: Recording, statement: str) -> None:
    with closing(sqlite3.connect(recording.var_dir / DATABASE)) as connection, connection:
        assert connection.execute(statement).rowcount > 0


def store(recording: Recording, prices: dict[int, int]) -> None:
    """Store the candles of a session as its source would have, at these prices."""
    series = series_of(SYMBOL, FIVE_MINUTES, [candle(k, p) for k, p in sorted(prices.items())])
    with unit_of_work(recording.database) as session:
        candles.store(session, series, instrument(SYMBOL), Origin("binance", "demo"))
