"""A living session over scripted strategies, on a database of its own; made anew at will.

Prices are made for sums in the head: one price unit of one lot is one USDT, no slippage, taker
0.1 %, maker 0.05 %, a tenth of a candle's volume may be ours.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from sqlalchemy import Engine as Database
from sqlmodel import Session, select

import config
from auto_trading.engine import AutoTradingEngine, Ports
from auto_trading.gateways.replay_feed import NoFeed
from auto_trading.gateways.simulated_venue import SimulatedVenue
from auto_trading.live_status import ModelStatus
from auto_trading.operations import Answer
from auto_trading.session import TradingSession
from auto_trading.session_inputs import Command, Held, Input, decoded
from auto_trading.session_replay import renamed, unsent_in
from config.settings import Settings
from crypto_trader_pro.domain.enums import CommandKind
from crypto_trader_pro.domain.messages import MarketSlice, Prices
from crypto_trader_pro.domain.orders import Order
from database import run_results, session_record
from database.fence import OPEN, Fence
from database.models import CheckpointRow
from tests.builders import MINUTE, START_MS, a_bar, finished
from tests.engines import SYSTEM_TIME, Plan, WatchedJournal, _parts
from tests.rows import stored_run
from utils.clocks import SimulatedClock

SETTINGS: Final = config.load(environ={})


def never(_: Order) -> str:
    return ""


@dataclass(frozen=True, slots=True)
class ScriptedCore:
    engine: AutoTradingEngine
    venue: SimulatedVenue
    status: ModelStatus | None = None

    def install(self, facts: Mapping[str, Any]) -> None:
        """Scripts need no model."""


@dataclass(frozen=True, slots=True)
class _Own:
    session: TradingSession

    def state(self) -> Mapping[str, Any]:
        return self.session.state()

    def restore(self, state: Mapping[str, Any]) -> None:
        self.session.restore_own(state)


class Life:
    """One process's session of a run: from its opening, or from the run's checkpoint."""

    def __init__(
        self, plan: Plan, database: Database, run_id: int, *, records: bool = True,
        candles_fill: bool = False, may_enter: Callable[[Order], str] = never, fence: Fence = OPEN,
        account: str | None = None, epoch: int = 0,
    ) -> None:  # fmt: skip
        self.plan, self.database, self.run_id = plan, database, run_id
        self.journal = WatchedJournal(
            database, run_id, plan.instruments, epoch=epoch, config_hash=SETTINGS.hash(),
            now=lambda: SYSTEM_TIME, batch=1, account=account, fence=fence,
        )  # fmt: skip
        self.journal.told = []

        def make(settings: Settings, session: TradingSession) -> ScriptedCore:
            venue = SimulatedVenue(plan.instruments, plan.cash, plan.costs, ticks=not candles_fill)
            limits = plan.limits._replace(cooldown_bars=settings.limits.cooldown_bars)
            parts = _parts(replace(plan, limits=limits), venue, self.journal)
            parts.executor.may_enter = may_enter
            engine = AutoTradingEngine(
                Ports(SimulatedClock(), NoFeed(), venue), parts, opening_cash=plan.cash,
                interval_ms=plan.interval * MINUTE,
                stateful={"venue": venue, "session": _Own(session)},
            )  # fmt: skip
            return ScriptedCore(engine, venue)

        self.session = TradingSession(
            make, self.journal, SETTINGS, records=records, candles_fill=candles_fill
        )

    def begin(self) -> "Life":
        """Open the account, or go on from the last checkpoint."""
        state = self.checkpoint()
        if state is None:
            self.session.open(START_MS)
        else:
            finished(self.session.restore(state))
        return self

    def reborn(self, **changes: Any) -> "Life":
        """Die, and be started again."""
        return Life(self.plan, self.database, self.run_id, **changes).begin()

    def take(self, *items: Input) -> Answer | None:
        answer = None
        for item in items:
            answer = finished(self.session.take(item))
        return answer

    def ask(
        self, kind: CommandKind, payload: Mapping[str, Any] | None = None, **more: Any
    ) -> Answer:
        answer = self.take(a_command(kind, payload, at_ms=self.session.engine.now_ms, **more))
        assert answer is not None
        return answer

    @property
    def venue(self) -> SimulatedVenue:
        venue = self.session._core.venue
        assert isinstance(venue, SimulatedVenue)
        return venue

    @property
    def parts(self) -> Any:
        return self.session.engine.parts

    @property
    def lots(self) -> list[int]:
        return [p.lots for p in self.parts.positions.positions]

    # --- what is stored ---------------------------------------------------------------------

    def checkpoint(self) -> dict[str, Any] | None:
        with Session(self.database) as session:
            query = select(CheckpointRow).where(CheckpointRow.run_id == self.run_id)
            row = session.exec(query).first()
        return None if row is None else json.loads(row.state)

    def record(self) -> list[Input]:
        with Session(self.database) as session:
            return [decoded(row) for row in session_record.inputs(session, self.run_id)]

    def hashes(self) -> dict[str, str]:
        with self.database.connect() as c:
            return {
                "decisions": run_results.decisions_sha256(c, self.run_id),
                "orders": run_results.orders_sha256(c, self.run_id),
                "fills": run_results.fills_sha256(c, self.run_id),
            }

    def outcome(self) -> dict[str, Any]:
        """Return all that two equal sessions agree on; what waits is stored first."""
        finished(self.session.settle())
        state = json.loads(json.dumps(self.session.engine.state()).replace(f"r{self.run_id}o", ""))
        state["positions"]["ledger"].sort()
        del state["session"]["taken"]
        cash = self.parts.positions.cash
        return {**self.hashes(), "cash": cash, "lots": self.lots, "state": state}


def a_life(plan: Plan, database: Database, **options: Any) -> Life:
    """Return the first life of a new run, its account open."""
    run_id = stored_run(database, symbols=[i.symbol for i in plan.instruments])
    return Life(plan, database, run_id, **options).begin()


def repeated(life: Life, **options: Any) -> Life:
    """Play the record of a run again under another run id, as `replay --session` does."""
    inputs = life.record()
    held = {n: i.reason for i in inputs if isinstance(i, Held) for n in i.orders}
    run_id = stored_run(life.database, symbols=[i.symbol for i in life.plan.instruments])

    def may_enter(order: Order) -> str:
        return held.get(int(order.client_order_id.removeprefix(f"r{run_id}o")), "")

    again = Life(
        life.plan, life.database, run_id, records=False, may_enter=may_enter, **options
    )  # fmt: skip
    for n, item in enumerate(inputs):
        if n == len(inputs) - 1:
            again.parts.executor.kept = unsent_in(
                json.dumps(life.checkpoint()), f"r{life.run_id}o"
            )  # fmt: skip
        again.take(renamed(item, f"r{life.run_id}o", f"r{run_id}o"))
    return again


_numbers = iter(range(1, 1 << 30))


def a_command(
    kind: CommandKind, payload: Mapping[str, Any] | None = None, *, at_ms: int = START_MS,
    command_id: str = "", by: str = "test",
) -> Command:  # fmt: skip
    return Command(
        command_id or f"test-{next(_numbers)}", kind, payload or {}, by, SYSTEM_TIME, at_ms
    )


def configured(**limits: Any) -> str:
    """Return the base configuration with other `limits`, as a command carries it."""
    tree = json.loads(SETTINGS.canonical_json())
    tree["limits"].update(limits)
    return json.dumps(tree)


def tick(k: int, second: int, *prices: int | None) -> Prices:
    """Return the prices at a second of candle `k`: one per symbol, None where there is none."""
    pairs = tuple((i, price) for i, price in enumerate(prices) if price is not None)
    return Prices(START_MS + k * MINUTE + second * 1000, pairs)


def closed(k: int, *prices: int | None, volume: int = 1_000_000) -> MarketSlice:
    """Return candle `k` of each symbol, flat at a price; None where none came."""
    bars = tuple(None if p is None else a_bar(k, p, volume=volume) for p in prices)
    return MarketSlice(START_MS + (k + 1) * MINUTE, bars)
