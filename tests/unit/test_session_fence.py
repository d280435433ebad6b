"""A worker that was given up: nothing it stores or sends counts, however late it wakes."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine as Database

from crypto_trader_pro.domain.enums import CommandKind
from crypto_trader_pro.domain.errors import Fenced
from database.auto_trading_db import open_database, prepare
from database.fence import OPEN, Fence
from tests.builders import USDT, a_round_instrument, finished
from tests.engines import WIDE, Plan, Script, wish
from tests.sessions import Life, a_life, closed, tick

BTC = "BTC/USDT:USDT"
SECONDS = 5.0  # that no thread here should need


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    made = open_database(f"sqlite:///{tmp_path / 'database.db'}", durable=False)
    prepare(made)
    yield made
    made.dispose()


def a_worker(database: Database, fence: Fence) -> Life:
    plan = Plan([Script({(BTC, 1): wish(1)})], (a_round_instrument(BTC),), WIDE, cash=10_000 * USDT)
    life = a_life(plan, database, fence=fence)
    life.ask(CommandKind.START)
    life.take(closed(0, 100))
    return life


def test_a_closed_fence_lets_nothing_be_stored(database: Database) -> None:
    fence = Fence()
    life = a_worker(database, fence)
    stored = life.checkpoint()
    assert fence.close(SECONDS)
    with pytest.raises(Fenced, match="this worker was given up"):
        life.take(closed(1, 100))
    assert life.checkpoint() == stored
    assert life.venue._books[0].entries == []


def test_a_closed_fence_lets_nothing_be_sent_that_was_stored_before(database: Database) -> None:
    fence = Fence()
    life = a_worker(database, fence)
    real = life.journal.commit

    def commit(at_ms: int, state: str) -> None:
        real(at_ms, state)
        fence.close(SECONDS)  # between the commit and the sending

    life.journal.commit = commit  # type: ignore[method-assign]
    with pytest.raises(Fenced):
        life.take(closed(1, 100))
    assert life.venue._books[0].entries == []
    next_life = life.reborn()  # sends it: the intent was stored
    next_life.take(tick(2, 5, 100))
    assert next_life.lots == [1]


class Slow:
    """Holds a commit in the middle of its transaction until it is let go."""

    def __init__(self, life: Life) -> None:
        self.entered, self.go = threading.Event(), threading.Event()
        self._real = life.journal._clear_stored
        life.journal._clear_stored = self._wait  # type: ignore[method-assign]

    def _wait(self) -> None:
        self.entered.set()
        assert self.go.wait(SECONDS)
        self._real()


def test_a_commit_that_is_under_way_is_waited_for_and_counts(database: Database) -> None:
    fence = Fence()
    life = a_worker(database, fence)
    slow, errors = Slow(life), []

    def work() -> None:
        try:
            life.take(closed(1, 100))
        except Fenced as e:
            errors.append(e)

    thread = threading.Thread(target=work)
    thread.start()
    assert slow.entered.wait(SECONDS)
    assert fence.is_held
    assert not fence.close(0.02)  # not while it lasts
    closer: list[bool] = []
    waiting = threading.Thread(target=lambda: closer.append(fence.close(SECONDS)))
    waiting.start()
    slow.go.set()
    waiting.join(SECONDS)
    thread.join(SECONDS)
    assert closer == [True]
    checkpoint = life.checkpoint()
    assert checkpoint is not None
    assert checkpoint["engine"]["slices"] == 2
    assert fence.committed is not None
    # stored before the fence closed or not at all; afterwards nothing was stored or sent
    assert len(errors) == 1 or life.venue._books[0].entries


@pytest.mark.parametrize("round_", range(20))
def test_what_is_stored_is_what_the_fence_knows_whenever_it_closes(
    database: Database, round_: int
) -> None:
    fence = Fence()
    life = a_worker(database, fence)

    def work() -> None:
        for k in range(1, 200):
            try:
                life.take(closed(k, 100))
            except Fenced:
                return

    thread = threading.Thread(target=work)
    thread.start()
    threading.Event().wait(0.002 * round_)
    assert fence.close(SECONDS)
    committed, stored = fence.committed, life.checkpoint()
    thread.join(SECONDS)
    assert life.checkpoint() == stored
    assert fence.committed == committed
    next_life = life.reborn()
    finished(next_life.session.engine.compare_books())
    assert stored is not None
    assert next_life.session.engine.slices == stored["engine"]["slices"]


def test_the_fence_of_a_run_that_nobody_supervises_is_always_open() -> None:
    with OPEN.held(), OPEN.held():
        OPEN.check()
    assert not OPEN.is_held
    assert OPEN.committed is None
