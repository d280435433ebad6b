"""Ending the engine, in good order if wanted: nothing new, nothing waiting, nothing in flight."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from auto_trading.asking import Asked, ask_engine, living_engine
from auto_trading.ending import How, end_engines
from auto_trading.status import process_is_gone
from config.environment import Environment
from crypto_trader_pro.domain.enums import CommandKind, OrderRole, OrderStatus
from database.auto_trading_db import open_database, unit_of_work
from database.commands import CommandStatus
from database.views.json_values import json_value
from database.views.orders import WorkingOrder, working_orders
from database.views.positions import OpenPosition, open_positions
from database.views.runs import current_run
from utils.clocks import SystemClock

End = Literal["ended", "nothing", "unsettled", "refused", "left"]

_LOOK_SECONDS: Final = 0.2
_GRACEFUL: Final = (CommandKind.PAUSE, CommandKind.CANCEL_ENTRIES)
# at rest: an order in any other state may become a position at any moment
_RESTING: Final = (OrderStatus.WORKING, OrderStatus.PARTIAL)


@dataclass(frozen=True, slots=True)
class ShutDown:
    """What became of it.

    Args:
        end: `ended`; `nothing`: no engine ran; `unsettled`: orders are under way, and it runs on;
            `refused`: a step before was not done, and it runs on; `left`: it did not end in time.
        steps: what was asked of the engine before, and its answers.
        in_flight: our ids of orders that have not settled.
        positions: open now; they keep what protects them.
        knows_positions: the database told them.
    """

    end: End
    steps: tuple[Asked, ...] = ()
    in_flight: tuple[str, ...] = ()
    positions: tuple[OpenPosition, ...] = ()
    knows_positions: bool = field(default=False)

    @property
    def has_ended(self) -> bool:
        return self.end in ("ended", "nothing")

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {
            "end": self.end,
            "steps": [
                {"kind": s.kind.value, "status": s.status, "answer": json_value(s.answer)}
                for s in self.steps
            ],
            "in_flight": list(self.in_flight),
            "open_positions": json_value(self.positions),
        }


def shut_down(
    environment: Environment, by: str, *, graceful: bool, seconds: float,
    sleep: Callable[[float], None] = time.sleep,
) -> ShutDown:  # fmt: skip
    """End the engine of this folder's account. Positions keep their protective orders.

    Args:
        graceful: first take no new risk, cancel entries, and wait for what was sent. What does not
            settle within `seconds` keeps the engine running.
        seconds: for orders to settle, and then for the engine to end.

    Raises:
        JournalUnavailable: graceful, and the database does not serve.
    """
    if graceful:
        if living_engine(environment) is None:
            return ShutDown("nothing")
        steps, flight, positions = _settled(environment, by, seconds, sleep)
        if any(step.status != CommandStatus.DONE for step in steps):
            return ShutDown("refused", steps)
        end: End = "unsettled" if flight else _ended(environment, by, seconds, sleep)
        return ShutDown(end, steps, flight, positions, knows_positions=True)
    return ShutDown(_ended(environment, by, seconds, sleep))


def _settled(
    environment: Environment, by: str, seconds: float, sleep: Callable[[float], None]
) -> tuple[tuple[Asked, ...], tuple[str, ...], tuple[OpenPosition, ...]]:
    """Halt, cancel entries and wait; return the answers, what is in flight, what is open."""
    steps: list[Asked] = []
    for kind in _GRACEFUL:
        steps.append(ask_engine(environment, kind, by=by))
        if steps[-1].status != CommandStatus.DONE:
            return tuple(steps), (), ()
    deadline = time.monotonic() + seconds
    reader = open_database(environment.database_url, read_only=True, busy_seconds=1.0)
    try:
        while True:
            with unit_of_work(reader, "the orders") as session:
                run = current_run(session, SystemClock().now(), process_is_gone)
                flight = () if run is None else _in_flight(working_orders(session, run.id))
                held = [] if run is None else open_positions(session, run.id)
            if not flight or time.monotonic() > deadline:
                return tuple(steps), flight, tuple(held)
            sleep(_LOOK_SECONDS)
    finally:
        reader.dispose()


def _in_flight(orders: list[WorkingOrder]) -> tuple[str, ...]:
    """Return the orders that do not merely rest to protect a position."""
    return tuple(
        o.client_order_id
        for o in orders
        if not OrderRole(o.role).protects or o.status not in _RESTING
    )


def _ended(
    environment: Environment, by: str, seconds: float, sleep: Callable[[float], None]
) -> End:
    """End the engine; the flag file carries it where the database does not."""
    ended = end_engines(environment, by, flag_seconds=seconds)
    if ended:
        return "left" if any(one.how is How.LEFT for one in ended) else "ended"
    return _ended_elsewhere(environment, by, seconds, sleep)


def _ended_elsewhere(
    environment: Environment, by: str, seconds: float, sleep: Callable[[float], None]
) -> End:
    """End an engine of another folder or host that has the account: only a command reaches it."""
    if living_engine(environment) is None:
        return "nothing"
    asked = ask_engine(environment, CommandKind.SHUTDOWN, by=by)
    if asked.status == CommandStatus.REFUSED:
        return "refused"
    deadline = time.monotonic() + seconds
    while living_engine(environment) is not None:
        if time.monotonic() > deadline:
            return "left"
        sleep(_LOOK_SECONDS)
    return "ended"
