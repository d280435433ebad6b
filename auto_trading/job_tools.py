"""What jobs get from the engine: callables that answer at once and never touch its state."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple, Protocol

from sqlalchemy import Engine

from auto_trading.precision_cache import PrecisionCache
from crypto_trader_pro.domain.calendar import TradingCalendar
from crypto_trader_pro.domain.enums import NotificationType
from crypto_trader_pro.domain.portfolio import AccountView


class JobRun(NamedTuple):
    """The session that jobs work for."""

    run_id: int
    mode: str  # tag of its figures, by `mode_tag`
    speed: int = 1  # seconds of its market in one second of system time


def mode_tag(mode: str, source: str) -> str:
    """Return the tag that keeps results of different sources apart: "paper-demo"."""
    return f"{mode}-{source}"


class Difference(NamedTuple):
    """One thing that the venue and our books say differently, in words of the journal."""

    what: str  # "order r1o5", "position BTC/USDT", "cash"
    ours: str
    venue: str


class Notify(Protocol):
    """Takes a message without ever waiting; the catalogue words it."""

    def __call__(
        self, kind: NotificationType, severity: str, code: str, numbers: Mapping[str, Any], /
    ) -> None: ...


@dataclass(frozen=True, slots=True)
class JobTools:
    """Everything is called from the jobs' own threads.

    Args:
        open_database: makes the jobs' own engine; disposed of when they close.
        run: the session, None before there is one.
        account: the newest view *after* its rows were committed: a trading day counts as complete
            once this view has passed its end. None before the first.
        prices: newest price by symbol, quote per base.
        now: system time.
        notify: puts a message into a bounded queue.
        differences: compares working orders, positions and cash with the venue's, after all of the
            venue's waiting events were taken. May take as long as a network does.
        train: starts a training run if one is due, in a process of its own, and returns whether it
            did. `asked`: a person wants it now.
    """

    open_database: Callable[[], Engine]
    run: Callable[[], JobRun | None]
    account: Callable[[], AccountView | None]
    prices: Callable[[], Mapping[str, Decimal]]
    calendar: TradingCalendar
    now: Callable[[], datetime]
    notify: Notify
    differences: Callable[[], Sequence[Difference]]
    precision: PrecisionCache | None = None
    train: Callable[[bool], bool] | None = None
