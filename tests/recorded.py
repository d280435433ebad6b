"""A living session recorded by hand, in an installation of its own, to be repeated and told.

BTC at 60,000, five-minute candles, averages over 2 and 3 candles, and no model. Candles 0 to 4 are
warm-up, all at one price; the account opens at the close of candle 4, and trading starts there.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Engine as Database
from sqlmodel import select

from auto_trading.bootstrap import LivingTools, RunSpec, build_living
from auto_trading.session import TradingSession
from auto_trading.session_inputs import Input
from auto_trading.session_store import Origin, find_or_begin
from auto_trading.translation import enabled_strategies
from config.settings import Settings
from crypto_trader_pro.domain.enums import CommandKind
from crypto_trader_pro.domain.market import Bar
from crypto_trader_pro.domain.messages import MarketSlice, Missed, Prices
from crypto_trader_pro.domain.orders import Order
from crypto_trader_pro.simulation.instruments import instrument
from database.auto_trading_db import open_database, unit_of_work
from database.models_engine import SessionEventRow
from database.session_record import packed, unpacked
from tests.builders import START_MS, a_bar, finished
from tests.control_plane import FIVE_MINUTES, NOW, SYMBOL, settings
from tests.processes import DATABASE
from tests.sessions import a_command

FLAT: Final = 6_000_000  # 60,000 in cents
WARM: Final = 5
BEGIN: Final = START_MS + WARM * FIVE_MINUTES
Records = list[list[Any]]


def quick(**changes: Any) -> Settings:
    """Return settings under which two candles up are a cross."""
    averages = {"strategies__ema_cross__fast": 2, "strategies__ema_cross__slow": 3}
    return settings(market_data__warm_bars=3, **(averages | changes))


def close_of(k: int) -> int:
    return START_MS + (k + 1) * FIVE_MINUTES


def candle(k: int, price: int) -> Bar:
    """Return candle `k`, flat at a price in cents."""
    return a_bar(k, price, bar_ms=FIVE_MINUTES)


def closed(k: int, price: int | None) -> MarketSlice:
    return MarketSlice(close_of(k), (None if price is None else candle(k, price),))


def tick(k: int, price: int) -> Prices:
    """Return a price one minute into candle `k`."""
    return Prices(START_MS + k * FIVE_MINUTES + 60_000, ((0, price),))


class Recording:
    """A session that trades what it is given, and the file in which it is written down."""

    def __init__(
        self, var_dir: Path, database: Database, wanted: Settings, source: str,
        may_enter: Callable[[Order], str] | None,
    ) -> None:  # fmt: skip
        self.var_dir, self.database = var_dir, database
        self._may_enter = may_enter
        found = find_or_begin(database, wanted, Origin(source, "binance"), NOW)
        self.run_id = found.run_id
        self.session = self._built(wanted, source)
        self.session.open(BEGIN)
        self.take(*(Missed(closed(k, FLAT)) for k in range(WARM)))

    def _built(self, wanted: Settings, source: str) -> TradingSession:
        spec = RunSpec(
            self.run_id, (instrument(SYMBOL),), tuple(enabled_strategies(wanted)),
            FIVE_MINUTES, wanted.engine.trading_interval * 1000, wanted, self.var_dir,
        )  # fmt: skip
        tools = LivingTools(
            self.database, lambda: NOW, may_enter=self._may_enter, candles_fill=source == "replay"
        )
        return build_living(spec, tools)

    def take(self, *items: Input) -> None:
        for item in items:
            finished(self.session.take(item))

    def ask(self, kind: CommandKind, **payload: Any) -> str:
        """Let a person ask for something; return how it was answered."""
        answer = finished(
            self.session.take(a_command(kind, payload, at_ms=self.session.engine.now_ms))
        )
        assert answer is not None
        return answer.status.value

    def changed(self, change: Callable[[Records], None]) -> None:
        """Change the record, all of it in one piece, behind the session's back."""
        row = SessionEventRow
        with unit_of_work(self.database) as session:
            rows = session.exec(select(row).where(row.run_id == self.run_id)).all()
            rows = sorted(rows, key=lambda r: r.seq)
            inputs: Records = [item for r in rows for item in unpacked(r.body)]
            change(inputs)
            rows[0].body = packed(inputs)
            for r in rows[1:]:
                session.delete(r)


def bought_and_stopped(recording: Recording) -> None:
    """Buy at the close of candle 6, 1 % up; lose at the stop within candle 8."""
    recording.ask(CommandKind.START)
    recording.take(
        closed(5, FLAT), closed(6, 6_060_000), tick(7, 6_060_000), closed(7, 6_060_000),
        tick(8, 5_990_000), closed(8, 5_990_000),
    )  # fmt: skip


def other_price(inputs: Records) -> None:
    """Let the price at which the entry filled have been a dollar higher."""
    of_kind(inputs, "prices")[0][2] = [[0, 6_060_100]]


def of_kind(inputs: Records, kind: str) -> Sequence[list[Any]]:
    return [item for item in inputs if item[0] == kind]


@contextmanager
def recording_in(
    var_dir: Path, migrated: Path, wanted: Settings | None = None, *, source: str = "demo",
    may_enter: Callable[[Order], str] | None = None,
) -> Iterator[Recording]:  # fmt: skip
    """A recorded session up to its opening; its database is that of the installation."""
    var_dir.mkdir(parents=True, exist_ok=True)
    (var_dir / DATABASE).write_bytes(migrated.read_bytes())
    database = open_database(f"sqlite:///{var_dir / DATABASE}", durable=False)
    try:
        yield Recording(var_dir, database, wanted or quick(), source, may_enter)
    finally:
        database.dispose()
