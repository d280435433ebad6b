"""The same inputs give the same session: straight, through restarts and failed commits, replayed.

Random markets, prices, commands (nonsense too), funding, lost connections and late candles over one
to three symbols. Small volumes, so that many fills are partial.
"""

import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine as Database

from auto_trading.session_inputs import Command, Connection, Funding, Held, Input
from crypto_trader_pro.domain.enums import CommandKind, EmergencyTrigger
from crypto_trader_pro.domain.errors import JournalUnavailable
from crypto_trader_pro.domain.market import Bar
from crypto_trader_pro.domain.messages import Backfill, MarketSlice, Missed, Prices
from crypto_trader_pro.domain.signals import Signal
from database.auto_trading_db import open_database, prepare
from tests.builders import MINUTE, START_MS, a_round_instrument, finished
from tests.engines import COSTS, WIDE, Plan, Script, wish
from tests.sessions import Life, a_command, a_life, configured, repeated

SYMBOLS: Final = ("BTC/USDT:USDT", "ETH/USDT", "SOL/USDT:USDT")
MARKS: Final = (10, 30, 50)  # seconds of a candle at which prices come
NONSENSE: Final[tuple[dict[str, Any], ...]] = (
    {}, {"symbol": 7}, {"symbol": "DOGE"}, {"symbol": None}, {"client_order_id": ""},
    {"client_order_id": ["r1o"]}, {"config": "{"}, {"config": {}}, {"config": "{}"},
    {"trigger": "PANIC"}, {"confirm": 1},
)  # fmt: skip
KINDS: Final = tuple(CommandKind)


class Asked(NamedTuple):
    """A command; what it names is looked up when it is taken."""

    kind: CommandKind
    symbol: int
    order: int  # place among the orders that are open then
    nonsense: int  # place in NONSENSE, or none
    cooldown: int
    trigger: EmergencyTrigger


class Candle(NamedTuple):
    """What happens in one candle."""

    moves: tuple[tuple[int, ...], ...]  # per symbol: a change at each mark
    comes: tuple[bool, ...]  # per symbol: whether its candle comes in time
    volume: int
    missed: bool
    funded: int
    lost: int  # 0 nothing, 1 the connection is lost, 2 it is back
    commands: tuple[tuple[int, Asked], ...]  # before which of the inputs
    fails: tuple[tuple[int, int, bool], ...]  # (input, commit of it that fails, dies of it)


class World(NamedTuple):
    symbols: int
    says: dict[tuple[str, int], Signal]
    candles: list[Candle]
    locks: int
    drops: int  # limits: 0 wide, 1 tight ladders
    fills: bool  # orders fill from candles


commands = st.builds(
    Asked,
    st.sampled_from(
        (*KINDS, *[CommandKind.START] * 8, *[CommandKind.CLOSE_POSITION] * 2,
         *[CommandKind.CANCEL_ORDER] * 2, *[CommandKind.REARM] * 2, *[CommandKind.SIGNAL] * 8,
         *[CommandKind.CLOSE_ALL] * 2, *[CommandKind.RESUME] * 2)
    ),
    st.integers(0, 2), st.integers(0, 20),
    st.sampled_from((-1,) * 30 + tuple(range(len(NONSENSE)))),
    st.integers(0, 3), st.sampled_from(EmergencyTrigger),
)  # fmt: skip


def candles(symbols: int) -> st.SearchStrategy[Candle]:
    moves = st.tuples(*[st.sampled_from((-6, -2, -1, -1, 0, 0, 1, 1, 2, 6))] * len(MARKS))
    return st.builds(
        Candle,
        st.tuples(*[moves] * symbols),
        st.tuples(*[st.sampled_from((True,) * 9 + (False,))] * symbols),
        st.sampled_from((0, 30, 100, 400, 1_000_000, 1_000_000)),
        st.sampled_from((False,) * 12 + (True,)),
        st.sampled_from((0, 0, 0, 50_000, -50_000)),
        st.sampled_from((0,) * 8 + (1, 2, 2)),
        st.one_of(
            st.just(()), st.just(()),
            st.lists(st.tuples(st.integers(0, 4), commands), max_size=2).map(tuple),
        ),
        st.lists(
            st.tuples(st.integers(0, 6), st.integers(1, 2), st.booleans()), max_size=1
        ).map(tuple),
    )  # fmt: skip


signals = st.builds(
    lambda side, stop, target, trail, bars: wish(
        side, stop=stop, target=target, trail=trail, max_bars=bars
    ),
    st.sampled_from((1, -1)), st.integers(1, 8), st.sampled_from((0, 3)),
    st.sampled_from((0, 0, 3_000_000)), st.sampled_from((0, 2)),
)  # fmt: skip


@st.composite
def worlds(draw: st.DrawFn) -> World:
    symbols = draw(st.integers(1, 3))
    length = draw(st.integers(6, 14))
    places = st.tuples(st.sampled_from(SYMBOLS[:symbols]), st.integers(0, length - 2))
    return World(
        symbols, draw(st.dictionaries(places, signals, min_size=6, max_size=20)),
        draw(st.lists(candles(symbols), min_size=length, max_size=length)),
        draw(st.sampled_from((0, 1))), draw(st.sampled_from((0, 1))),
        draw(st.sampled_from((False, False, True))),
    )  # fmt: skip


def plan_of(world: World) -> Plan:
    limits = WIDE._replace(size_rate=5_000_000, lock_after_stops=world.locks)
    if world.drops:  # 200 lots at 100 are a fifth of 100,000: a fall of 2 costs 0.4 %
        limits = limits._replace(
            size_rate=20_000_000, daily_warning_rate=300_000, daily_loss_rate=800_000,
            drawdown_reduce_rate=500_000, drawdown_recover_rate=400_000,
            drawdown_kill_rate=1_500_000,
        )  # fmt: skip
    items = tuple(a_round_instrument(s) for s in SYMBOLS[: world.symbols])
    flatten_on = (EmergencyTrigger.MANUAL_STOP, EmergencyTrigger.DRAWDOWN_EXCEEDED)
    return Plan([Script(world.says)], items, limits, COSTS, flatten_on=flatten_on)


class Step(NamedTuple):
    item: Input | Asked
    commit: int = 0  # the commit that fails
    dies: bool = False


def steps(world: World) -> list[Step]:
    """Return the inputs in order, each with what goes wrong in it."""
    price = [100] * world.symbols
    found: list[Step] = [Step(Asked(CommandKind.START, 0, 0, -1, 0, EmergencyTrigger.MANUAL_STOP))]
    for k, candle in enumerate(world.candles):
        items: list[Input | Asked] = list(_inputs(k, candle, price))
        if world.fills:
            items = [item for item in items if not isinstance(item, Prices)]
        for place, asked in candle.commands:
            items.insert(min(place, len(items)), asked)
        wrong = {min(at, len(items) - 1): (commit, dies) for at, commit, dies in candle.fails}
        found += [Step(item, *wrong.get(n, (0, False))) for n, item in enumerate(items)]
    return found


def _inputs(k: int, candle: Candle, price: list[int]) -> Iterator[Input]:
    open_ms = START_MS + k * MINUTE
    seen = [[p] for p in price]
    for mark, second in enumerate(MARKS):
        for i, moves in enumerate(candle.moves):
            price[i] = max(20, price[i] + moves[mark])
            seen[i].append(price[i])
        if not candle.missed:
            yield Prices(open_ms + second * 1000, tuple(enumerate(price)))
    bars = [Bar(open_ms, s[0], max(s), min(s), s[-1], candle.volume) for s in seen]
    close_ms = open_ms + MINUTE
    if candle.missed:
        yield Missed(MarketSlice(close_ms, tuple(bars)))
        return
    in_time = tuple(b if c else None for b, c in zip(bars, candle.comes, strict=True))
    yield MarketSlice(close_ms, in_time)
    if not all(candle.comes):
        late = tuple(None if c else b for b, c in zip(bars, candle.comes, strict=True))
        yield Backfill(MarketSlice(close_ms, late))
    if candle.funded:
        yield Funding(close_ms, tuple((i, candle.funded) for i in range(len(price))))
    if candle.lost:
        yield Connection(close_ms, candle.lost == 1)


def alert(asked: Asked) -> dict[str, Any]:
    """Return what one of two strategies outside wishes."""
    actions = ("buy", "sell", "buy", "sell", "close", "close_all", "cancel")
    limit = {"order_type": "limit", "price": str(97 + asked.order % 7), "valid_seconds": 100}
    return {
        "strategy": ("alice", "bob")[asked.order % 2], "action": actions[asked.order % 7],
        "symbol": SYMBOLS[asked.symbol], "stop_pct": "3", "capital": "3000",
        **({"quantity": str(asked.order)} if asked.cooldown == 1 and asked.order else {}),
        **(limit if asked.cooldown > 1 else {}),
    }  # fmt: skip


def named(asked: Asked, life: Life, number: int) -> Command:
    """Return a command that names what the session has."""
    orders = list(life.parts.executor.orders)
    payload: dict[str, Any] = {
        "symbol": SYMBOLS[asked.symbol],
        "client_order_id": orders[asked.order % len(orders)] if orders else "none",
        "config": configured(cooldown_bars=asked.cooldown),
        "trigger": asked.trigger.value,
        "confirm": "REARM",
    }
    if asked.kind is CommandKind.CLOSE_ALL:
        payload = {"over_seconds": asked.order * 10, "slices": 1 + asked.cooldown}
    elif asked.kind is CommandKind.SIGNAL:
        payload = alert(asked)
    if asked.nonsense >= 0:
        payload = NONSENSE[asked.nonsense]
    at_ms = life.session.engine.now_ms
    return a_command(asked.kind, payload, at_ms=at_ms, command_id=f"c{number}")


class Failing:
    """Lets one commit of a step fail."""

    def __init__(self, life: Life, number: int) -> None:
        self._journal, self._number, self._tried = life.journal, number, 0
        self._real = life.journal.commit

    def __enter__(self) -> None:
        if self._number:
            self._journal.commit = self._commit  # type: ignore[method-assign]

    def __exit__(self, *_: object) -> None:
        self._journal.commit = self._real  # type: ignore[method-assign]

    def _commit(self, at_ms: int, state: str) -> None:
        self._tried += 1
        if self._tried == self._number:
            raise JournalUnavailable("the disk is full")
        self._real(at_ms, state)


def item_of(step: Step, life: Life, number: int) -> Input:
    return named(step.item, life, number) if isinstance(step.item, Asked) else step.item


def protected(life: Life) -> None:
    """A position's stop covers exactly the position, unless its way out is under way."""
    for book in life.venue._books:
        if book.position and not book.exits:
            assert book.stop is not None
            assert book.stop.lots == abs(book.position)
            orders = life.parts.executor.orders
            assert orders[book.stop.client_order_id].open_lots == abs(book.position)
        if not book.position:
            assert book.stop is None
            assert book.target is None
    finished(life.session.engine.compare_books())


def played(world: World, database: Database) -> Life:
    life = a_life(plan_of(world), database, candles_fill=world.fills)
    for n, step in enumerate(steps(world)):
        life.take(item_of(step, life, n))
        protected(life)
    return life


@cache
def a_database() -> Database:
    folder = tempfile.TemporaryDirectory(prefix="ctp-sessions-")
    _kept.append(folder)
    database = open_database(f"sqlite:///{Path(folder.name) / 'database.db'}", durable=False)
    prepare(database)
    return database


_kept: list[tempfile.TemporaryDirectory[str]] = []


@settings(max_examples=30, deadline=None)
@given(worlds())
def test_a_record_repeats_the_session(world: World) -> None:
    life = played(world, a_database())
    outcome = life.outcome()
    assert repeated(life, candles_fill=world.fills).outcome() == outcome


@settings(max_examples=30, deadline=None)
@given(worlds())
def test_crashes_and_failed_commits_change_nothing(world: World) -> None:
    """What was not stored is lost with everything it did; told once more, it does the same."""
    expected = played(world, a_database()).outcome()
    life = a_life(plan_of(world), a_database(), candles_fill=world.fills)
    todo, n = steps(world), 0
    taken = [life.journal.taken]  # inputs recorded before each step
    failed: set[int] = set()
    while n < len(todo):
        step = todo[n]._replace(commit=0) if n in failed else todo[n]
        died = False
        try:
            with Failing(life, step.commit):
                life.take(item_of(step, life, n))
        except JournalUnavailable:
            failed.add(n)
            died = step.dies
            if not died:
                finished(life.session.settle())
        if died:
            stored = life.hashes()
            again = repeated(life, candles_fill=world.fills)
            finished(again.session.settle())
            assert again.hashes() == stored  # as `replay --session` finds what a crash left
            life = life.reborn(candles_fill=world.fills)
            protected(life)
            n = max(i for i, before in enumerate(taken) if before <= life.journal.taken)
            del taken[n + 1 :]
            if life.journal.taken > taken[n]:  # stored by the first of its commits
                n += 1
                taken.append(life.journal.taken)
            continue
        protected(life)
        n += 1
        taken.append(life.journal.taken)
    assert life.outcome() == expected
    assert repeated(life, candles_fill=world.fills).outcome() == expected


@settings(max_examples=30, deadline=None)
@given(worlds())
def test_commands_that_come_while_the_database_fails_are_repeated_too(world: World) -> None:
    """The market waits then, commands do not; entries that were not sent are let go."""
    life = a_life(plan_of(world), a_database(), candles_fill=world.fills)
    waits = False
    for n, step in enumerate(steps(world)):
        is_command = isinstance(step.item, Asked)
        if waits and not is_command:
            finished(life.session.settle())
            waits = False
        try:
            with Failing(life, 1 if waits else step.commit):
                life.take(item_of(step, life, n))
        except JournalUnavailable:
            waits = True
    outcome = life.outcome()
    assert repeated(life, candles_fill=world.fills).outcome() == outcome
    held = [i for i in life.record() if isinstance(i, Held)]
    assert all(h.reason == "journal_unavailable" for h in held)
