"""The supervisor and its workers: real threads, a real session, a real database file."""

import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from auto_trading import supervisor, worker
from auto_trading.session_inputs import Command, Connection, Funding, Input, ModelReady
from crypto_trader_pro.domain.enums import CommandKind, ObservedState
from crypto_trader_pro.domain.errors import ConfigError, Fenced, LeaseLost, StateMismatch
from crypto_trader_pro.domain.market import Bar
from crypto_trader_pro.domain.messages import MarketFacts, MarketSlice, Missed
from database import commands
from database.auto_trading_db import unit_of_work
from tests.builders import START_MS
from tests.control_plane import (
    FIVE_MINUTES,
    SYMBOL,
    Stage,
    a_stage,
    command,
    only,
    only_slices,
    until,
)
from tests.processes import locked

START, STOP, EMERGENCY = CommandKind.START, CommandKind.STOP, CommandKind.EMERGENCY_STOP
LIFT = CommandKind.LIFT_LOCK


@pytest.fixture
def stage(tmp_path: Path, migrated_file: Path) -> Iterator[Stage]:
    with a_stage(tmp_path, migrated_file) as made:
        yield made


def a_slice(number: int) -> MarketSlice:
    close_ms = START_MS + number * FIVE_MINUTES
    return MarketSlice(close_ms, (Bar(close_ms - FIVE_MINUTES, 100, 101, 99, 100, 10),))


def status(stage: Stage, command_id: str) -> str | None:
    with unit_of_work(stage.database) as session:
        row = commands.find(session, command_id)
        return None if row is None else row.status


def enabled(stage: Stage) -> bool:
    found = stage.supervisor.worker
    return found is not None and found.session is not None and found.session.enabled


# --- the ordinary life ----------------------------------------------------------------------


def test_a_command_posted_before_the_loop_runs_is_served(stage: Stage) -> None:
    made = stage.worker()
    made.post(command(START))
    made.start()
    until(lambda: stage.answered == ["start"])
    assert made.session is not None
    assert made.session.enabled
    assert status(stage, "start") == "done"
    assert made.close(5.0)
    assert made.error is None


def test_commands_are_done_in_order_and_before_the_market(stage: Stage) -> None:
    stage.market.put(*(a_slice(k) for k in range(1, 4)))
    made = stage.worker()
    for name in ("a", "b", "c"):
        made.post(command(START, name))
    made.start()
    until(lambda: len(stage.stored) == 3)
    assert stage.answered == ["a", "b", "c"]
    assert [type(item).__name__ for _, item in stage.taken[:3]] == ["Command"] * 3


def test_a_worker_tells_how_long_its_cycles_take(stage: Stage) -> None:
    made = stage.worker()
    assert worker.cycles_view(made.rhythm()) == {
        "count": 0, "failed": 0, "last_ms": None, "slowest_ms": None,
    }  # fmt: skip
    naps = iter([_nap])

    async def first_naps(item: Input) -> None:
        for nap in naps:
            await nap(item)

    stage.on_take = only_slices(first_naps)  # the first takes 50 ms
    stage.market.put(*(a_slice(k) for k in range(1, 4)))
    made.start()
    until(lambda: made.rhythm().cycles == 3)
    rhythm = made.rhythm()
    assert rhythm.failed == 0
    assert rhythm.last is not None
    assert rhythm.slowest is not None
    assert 0 < rhythm.last < 0.05 <= rhythm.slowest
    shown = worker.cycles_view(rhythm._replace(last=0.00126, slowest=0.0512))
    assert shown == {"count": 3, "failed": 0, "last_ms": 1.3, "slowest_ms": 51.2}
    assert made.close(5.0)


def test_entries_are_forbidden_from_a_pause_until_it_is_stored(stage: Stage) -> None:
    """The session refuses them from then on; nothing of the switchboard has to be lifted."""
    with stage.supervised():
        stage.supervisor.submit(command(START))
        until(lambda: stage.switchboard.reason() == "")
        stage.on_take = only(CommandKind.PAUSE, _nap, times=1)
        stage.supervisor.submit(command(CommandKind.PAUSE))
        while "pause" not in stage.answered:
            assert stage.switchboard.reason() == "trading_stopped"
        until(lambda: stage.switchboard.reason() == "")
        found = stage.supervisor.worker
        assert found is not None
        assert found.seen is not None
        assert found.seen.report["trading_state"] == "reducing"


def test_closing_does_what_waits_first(stage: Stage) -> None:
    """Emergency stop and then SIGTERM: the stop is not lost with the process."""
    made = stage.worker()
    made.start()
    until(lambda: made.session is not None)
    stage.on_take = only(START, _nap, times=1)
    made.post(command(START))
    made.post(command(EMERGENCY))
    assert made.close(5.0)
    assert stage.answered == ["start", "emergency_stop"]


async def _nap(_: Input) -> None:
    time.sleep(0.05)  # noqa: ASYNC251  it keeps the thread busy on purpose


def test_a_worker_that_was_never_started_is_closed_at_once(stage: Stage) -> None:
    assert stage.worker().close(0.1)


def test_posting_to_a_worker_that_has_ended_is_no_error(stage: Stage) -> None:
    made = stage.worker()
    made.start()
    until(lambda: made.session is not None)
    assert made.close(5.0)
    made.post(command(START))
    assert [c.command_id for c in made.commands.hand_over().waiting] == ["start"]


def test_models_funding_and_a_lost_connection_come_in_as_inputs(stage: Stage) -> None:
    stage.lost_after, stage.funding = 1.0, True
    stage.models.append({"model_id": "m1"})
    stage.market.rates = [MarketFacts(SYMBOL, START_MS, 100, 10_000, None)]
    eight_hours = worker.FUNDING_MS
    stage.market.put(a_slice(1), MarketSlice(START_MS + eight_hours, (None,)))
    made = stage.worker()
    made.start()
    until(lambda: any(isinstance(item, Funding) for _, item in stage.taken))
    stage.market.age = 5.0
    until(lambda: any(isinstance(i, Connection) and i.is_lost for _, i in stage.taken))
    stage.market.age = 0.0
    until(lambda: any(isinstance(i, Connection) and not i.is_lost for _, i in stage.taken))
    funding = [item for _, item in stage.taken if isinstance(item, Funding)]
    assert funding == [Funding(START_MS + eight_hours, ((0, 10_000),))]
    assert any(isinstance(item, ModelReady) for _, item in stage.taken)


def test_a_look_sees_the_session_and_gets_its_errors(stage: Stage) -> None:
    made = stage.worker()
    made.start()

    async def cash(session: object) -> int:
        return 7

    async def fails(session: object) -> None:
        raise LookupError("nothing there")

    assert made.look(cash, 5.0) == 7
    with pytest.raises(LookupError, match="nothing there"):
        made.look(fails, 5.0)


def test_a_listener_that_fails_does_not_stop_trading(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Broken(list[str]):
        def append(self, _: str) -> None:
            raise OSError("disk")

    stage.answered = Broken()
    with stage.supervised():
        stage.supervisor.submit(command(START))
        until(lambda: enabled(stage))
        stage.supervisor.submit(command(STOP))
        until(lambda: not enabled(stage))
    assert len(stage.workers) == 1


def test_entries_are_forbidden_from_a_stop_to_the_next_start(stage: Stage) -> None:
    """A start that is done after a stop was asked for does not open the door in between."""
    with stage.supervised():
        until(lambda: stage.switchboard.reason() == "trading_stopped")  # nobody has started it
        stage.supervisor.submit(command(START))
        until(lambda: stage.switchboard.reason() == "")
        stage.on_take = only(START, _nap, times=1)
        stage.supervisor.submit(command(START, "s2"))
        stage.supervisor.submit(command(STOP))
        while "stop" not in stage.answered:
            assert stage.switchboard.reason() == "trading_stopped"
        time.sleep(0.1)
        assert stage.switchboard.reason() == "trading_stopped"
        stage.supervisor.submit(command(START, "s3"))
        until(lambda: stage.switchboard.reason() == "")


# --- a worker that hangs --------------------------------------------------------------------


@pytest.mark.parametrize("how", ["hang", "wait_for_ever"])
def test_a_hung_worker_is_replaced_and_the_command_is_done(stage: Stage, how: str) -> None:
    with stage.supervised():
        stage.supervisor.submit(command(START))
        until(lambda: enabled(stage))
        stage.on_take = only_slices(getattr(stage, how))
        stage.market.put(a_slice(1))
        until(lambda: isinstance(stage.taken[-1][1], MarketSlice))
        stage.on_take = None
        stage.supervisor.submit(command(STOP))
        began = time.monotonic()
        assert stage.switchboard.reason() == "trading_stopped"  # at once
        until(lambda: "stop" in stage.answered)
        assert time.monotonic() - began < 1.0
        assert len(stage.workers) == 2
        assert not enabled(stage)
        assert status(stage, "stop") == "done"
        zombie = stage.workers[0]
        stored = stage.state, zombie.fence.committed
        stage.released.set()
        until(lambda: not zombie.is_alive, what="the end of the zombie")
        assert zombie.fence.committed == stored[1]
        assert stage.commands_taken == [(0, "start"), (1, "stop")]
    assert len(stage.faults) == 1
    assert "hung" in stage.faults[0]


def test_the_one_given_up_can_never_commit(stage: Stage) -> None:
    """It hangs right before its commit and wakes when another trades."""
    with stage.supervised():
        stage.on_take = only(START, stage.hang, times=1)
        stage.supervisor.submit(command(START))
        until(lambda: len(stage.workers) == 2 and "start" in stage.answered)
        before = status(stage, "start")
        zombie = stage.workers[0]
        stage.released.set()
        until(lambda: not zombie.is_alive)
        with pytest.raises(Fenced):
            zombie.fence.check()
        assert zombie.fence.committed is None or before == "done"
        assert stage.answered == ["start"]


def test_a_command_that_was_stored_before_the_hang_is_not_done_twice(stage: Stage) -> None:
    """The commit came, the exchange call after it hangs: done once, told once."""
    stage.after_take = only(LIFT, stage.wait_for_ever)
    with stage.supervised():
        stage.supervisor.submit(command(LIFT, "c1", symbol=SYMBOL))
        stage.supervisor.submit(command(START))
        until(lambda: "start" in stage.answered)
    assert stage.commands_taken == [(0, "c1"), (1, "start")]
    assert stage.answered == ["c1", "start"]
    assert status(stage, "c1") == "refused"  # there was no lock; by the first worker


def test_a_blocked_reader_is_a_hang_too(stage: Stage) -> None:
    """It blocks the loop while no step is under way."""

    class Blocking(list[object]):
        def __bool__(self) -> bool:
            if len(stage.workers) == 1:
                stage.released.wait(30)
            return False

    with stage.supervised():
        stage.market.waiting = Blocking()  # type: ignore[assignment]
        time.sleep(0.05)
        stage.supervisor.submit(command(START))
        until(lambda: "start" in stage.answered)
        assert len(stage.workers) == 2


def test_a_look_that_hangs_is_noticed(stage: Stage) -> None:
    async def never(_: object) -> None:
        await stage.wait_for_ever(Missed(a_slice(1)))

    with stage.supervised():
        first = stage.workers[0]
        with pytest.raises(TimeoutError):
            first.look(never, 0.01)
        stage.supervisor.submit(command(START))
        until(lambda: "start" in stage.answered)
        assert len(stage.workers) == 2


def test_a_takeover_keeps_the_order_of_the_commands(stage: Stage) -> None:
    stage.on_take = only(LIFT, stage.hang, times=1)
    names = ["a", "b", "c", "d"]
    with stage.supervised():
        for name in names:
            stage.supervisor.submit(command(LIFT, name, symbol=SYMBOL))
        until(lambda: len(stage.answered) == 4)
    assert stage.answered == names
    assert stage.commands_taken == [(0, "a"), *((1, n) for n in names)]


def test_a_session_that_takes_long_to_begin_is_no_hang(stage: Stage) -> None:
    stage.on_begin = lambda _: time.sleep(0.8)
    with stage.supervised(wait=False):
        until(lambda: len(stage.workers) == 1)
        stage.supervisor.submit(command(STOP))
        until(lambda: "stop" in stage.answered)
        assert (
            len(stage.workers) == 2
        )  # a stop hurries it once; the next one is given twice the time


def test_a_session_that_takes_long_to_begin_is_given_its_time(stage: Stage) -> None:
    stage.on_begin = lambda _: time.sleep(0.8)
    with stage.supervised(wait=False):
        stage.supervisor.submit(command(START))
        until(lambda: "start" in stage.answered)
        assert len(stage.workers) == 1


def test_a_step_with_nobody_waiting_may_take_long(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "HANG_SECONDS", 0.3)
    with stage.supervised():
        stage.on_take = only_slices(stage.hang)
        stage.market.put(a_slice(1))
        until(lambda: len(stage.workers) == 2)
        stage.on_take = None
    assert "hung" in stage.faults[0]


# --- a command that is poison ---------------------------------------------------------------


@pytest.mark.parametrize("how", ["hang", "wait_for_ever", "raise"])
def test_a_command_that_costs_two_workers_is_refused(stage: Stage, how: str) -> None:
    async def fail(_: Input) -> None:
        raise KeyError("train_now")

    act = fail if how == "raise" else getattr(stage, how)
    stage.on_take = only(LIFT, act)
    with stage.supervised():
        stage.supervisor.submit(command(LIFT, "poison", symbol=SYMBOL))
        stage.supervisor.submit(command(STOP))
        until(lambda: stage.refused and "stop" in stage.answered)
        time.sleep(0.2)
        assert [n for n, name in stage.commands_taken if name == "poison"] == [0, 1]
    assert stage.refused == [("poison", "lift_lock failed twice and is not tried again")]


def test_a_stop_that_fails_is_tried_again_without_spinning(stage: Stage) -> None:
    async def fail(_: Input) -> None:
        raise RuntimeError("venue")

    stage.on_take = only(STOP, fail, times=3)
    with stage.supervised():
        stage.supervisor.submit(command(STOP))
        began = time.monotonic()
        until(lambda: stage.answered == ["stop"])
        # 0.2 s doubled for each fault: 0.4 + 0.8 + 1.6
        assert 2.6 < time.monotonic() - began < 6
        assert len(stage.workers) == 4
        assert not stage.refused


# --- a worker that dies ---------------------------------------------------------------------


def test_a_worker_that_dies_is_restarted_from_its_checkpoint(stage: Stage) -> None:
    async def die(_: Input) -> None:
        raise ZeroDivisionError("a bug")

    with stage.supervised():
        stage.supervisor.submit(command(START))
        until(lambda: enabled(stage))
        stage.on_take = only_slices(die)
        stage.market.put(a_slice(1))
        began = time.monotonic()
        until(lambda: len(stage.workers) == 2 and stage.runs())
        assert time.monotonic() - began > 0.35  # 0.2 doubled once
        assert enabled(stage)  # as before
        assert stage.supervisor.observed() is ObservedState.RUNNING
    assert stage.faults == ["the trading thread ended: ZeroDivisionError('a bug')"]
    assert stage.supervisor.last_error == stage.faults[0]


def test_a_command_during_the_pause_is_kept_and_a_stop_ends_the_pause(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "_FIRST_WAIT", 30.0)
    with stage.supervised():
        stage.market.fails = ConnectionError("gone")
        until(lambda: stage.supervisor.worker is None)
        stage.market.fails = None
        stage.supervisor.submit(command(LIFT, symbol=SYMBOL))
        time.sleep(0.1)
        assert stage.supervisor.worker is None
        began = time.monotonic()
        stage.supervisor.submit(command(EMERGENCY))
        until(lambda: "emergency_stop" in stage.answered)
        assert time.monotonic() - began < 1.0
    assert stage.answered == ["lift_lock", "emergency_stop"]


def test_a_lost_lease_ends_it(stage: Stage) -> None:
    with stage.supervised() as raised:
        stage.lease("another engine")
        stage.supervisor.submit(command(START))
        until(lambda: raised)
    assert isinstance(raised[0], LeaseLost)
    assert status(stage, "start") is None


def test_a_thread_that_cannot_be_made_is_tried_again(stage: Stage) -> None:
    with stage.supervised():
        make, left = stage.worker, [1]

        def fails() -> worker.Worker:
            if left:
                left.pop()
                raise RuntimeError("can't start new thread")
            return make()

        object.__setattr__(stage.supervisor._tools, "make_worker", fails)
        stage.market.fails = ConnectionError("gone")
        until(lambda: stage.supervisor.worker is None)
        stage.market.fails = None
        until(lambda: len(stage.workers) == 2 and stage.runs())
    assert stage.faults[1].startswith("no trading thread can be made")


# --- faulted --------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [StateMismatch("books"), ConfigError("symbols")])
def test_a_halt_stands_still_and_answers(stage: Stage, error: Exception) -> None:
    async def die(_: Input) -> None:
        raise error

    with stage.supervised():
        stage.on_take = only_slices(die)
        stage.market.put(a_slice(1))
        until(lambda: stage.supervisor.observed() is ObservedState.FAULTED)
        assert stage.switchboard.reason() == "halted"
        assert stage.supervisor.is_ready
        time.sleep(0.3)
        assert len(stage.workers) == 1  # it does not try by itself

        def again(_: int) -> None:
            raise error

        stage.on_begin = again
        stage.supervisor.submit(command(STOP, "s1"))
        until(lambda: stage.refused)
        assert stage.refused == [("s1", f"the engine stands still: {error}")]
        assert stage.switchboard.reason() == "halted"
        assert stage.supervisor.observed() is ObservedState.FAULTED

        stage.on_begin = None  # a person has repaired it
        stage.supervisor.submit(command(STOP, "s2"))
        until(lambda: stage.answered == ["s2"])
        assert stage.supervisor.observed() is ObservedState.FAULTED  # a stop is no permission
        assert stage.switchboard.reason() == "halted"
        stage.supervisor.submit(command(START))
        until(lambda: stage.supervisor.observed() is ObservedState.RUNNING)
        until(lambda: stage.switchboard.reason() == "")


def test_many_takeovers_are_a_fault_that_passes(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "FAULTS", 2)
    monkeypatch.setattr(supervisor, "FAULT_WINDOW", 2.0)
    stage.supervisor._takeovers = type(stage.supervisor._takeovers)(maxlen=2)
    with stage.supervised():
        stage.on_take = only(LIFT, stage.hang, times=2)
        stage.supervisor.submit(command(LIFT, "a", symbol=SYMBOL))
        until(lambda: stage.supervisor.observed() is ObservedState.FAULTED)
        until(lambda: stage.switchboard.reason() == "halted")
        began = time.monotonic()
        stage.supervisor.submit(command(STOP))
        until(lambda: "stop" in stage.answered)
        assert time.monotonic() - began < 1.0
        until(lambda: stage.supervisor.observed() is ObservedState.STOPPED)
        until(lambda: stage.switchboard.reason() == "trading_stopped")


def test_a_start_by_a_person_ends_a_fault(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "FAULTS", 1)
    stage.supervisor._takeovers = type(stage.supervisor._takeovers)(maxlen=1)
    with stage.supervised():
        stage.on_take = only(STOP, stage.hang, times=1)
        stage.supervisor.submit(command(STOP))
        until(lambda: stage.answered == ["stop"])
        assert stage.supervisor.observed() is ObservedState.FAULTED
        stage.supervisor.submit(command(START))
        until(lambda: stage.supervisor.observed() is ObservedState.RUNNING)
        until(lambda: stage.switchboard.reason() == "")


# --- the database does not answer -----------------------------------------------------------


def test_a_locked_database_waits_and_everything_is_stored_later(stage: Stage) -> None:
    with stage.supervised():
        stage.supervisor.submit(command(START))
        until(lambda: enabled(stage))
        first = stage.workers[0]
        with locked(stage.folder / "stage.db"):
            stage.supervisor.submit(command(STOP, "s1"))
            until(lambda: not enabled(stage))  # in memory
            until(lambda: bool(first.journal_error))
            stage.supervisor.submit(command(LIFT, "l1", symbol=SYMBOL))
            until(lambda: (0, "l1") in stage.commands_taken)
            stage.market.put(a_slice(1), a_slice(2))
            time.sleep(0.5)
            assert stage.stored == []  # the market waits
            assert stage.answered == ["start"]  # nobody is told what is not stored
            assert stage.switchboard.reason() == "trading_stopped"
        until(lambda: len(stage.stored) == 2)
        assert stage.switchboard.reason() == "trading_stopped"
        assert first.journal_error == ""
        assert len(stage.workers) == 1
    assert stage.answered == ["start", "s1", "l1"]
    assert [status(stage, c) for c in ("s1", "l1")] == ["done", "refused"]


def test_what_was_done_in_memory_alone_is_done_again_by_the_next_worker(stage: Stage) -> None:
    with stage.supervised():
        with locked(stage.folder / "stage.db"):
            stage.supervisor.submit(command(START, "s1"))
            until(lambda: enabled(stage))
            until(lambda: bool(stage.workers[0].journal_error))

            async def die(_: Input) -> None:
                raise ZeroDivisionError

            stage.on_take = only(LIFT, die, times=1)
            stage.supervisor.submit(command(LIFT, "l1", symbol=SYMBOL))
            until(lambda: len(stage.workers) == 2)
        until(lambda: len(stage.answered) == 2)
        assert enabled(stage)
    assert stage.answered == ["s1", "l1"]
    assert stage.commands_taken == [(0, "s1"), (0, "l1"), (1, "s1"), (1, "l1")]


def test_a_session_begins_when_the_database_answers(stage: Stage) -> None:
    with locked(stage.folder / "stage.db"), stage.supervised(wait=False):
        until(lambda: stage.workers and bool(stage.workers[0].journal_error))
        assert stage.supervisor.observed() is ObservedState.STARTING
        # told to end meanwhile, it ends
    assert not stage.workers[0].is_alive
    assert stage.faults == []


def test_a_database_that_is_locked_at_the_begin_costs_no_worker(stage: Stage) -> None:
    with locked(stage.folder / "stage.db"):
        context = stage.supervised(wait=False)
        context.__enter__()
        until(lambda: stage.workers and bool(stage.workers[0].journal_error))
    until(stage.runs)
    assert stage.workers[0].journal_error == ""
    context.__exit__(None, None, None)
    assert len(stage.workers) == 1


def test_closing_keeps_its_deadline_while_the_database_hangs(stage: Stage) -> None:
    made = stage.worker()
    made.start()
    until(lambda: made.session is not None)
    with locked(stage.folder / "stage.db"):
        made.post(command(START))
        until(lambda: bool(made.journal_error))
        began = time.monotonic()
        assert made.close(2.0)
        assert time.monotonic() - began < 2.0


# --- switches, beats, the end ---------------------------------------------------------------


def test_signals_and_flags_need_no_database(stage: Stage) -> None:
    with stage.supervised():
        with locked(stage.folder / "stage.db"):
            stage.flags.put(STOP, "kim")
            until(lambda: stage.switchboard.reason() == "trading_stopped")
            stage.signals.append(EMERGENCY)
            until(lambda: len(stage.commands_taken) == 2)
            time.sleep(0.1)
        until(lambda: len(stage.answered) == 2)
        assert len(stage.commands_taken) == 2  # a flag that stays up is one command
        time.sleep(0.002)
        stage.flags.put(STOP, "kim")  # again, by the same person, before it was taken down
        until(lambda: len(stage.answered) == 3)
    kinds = [i.kind for _, i in stage.taken if isinstance(i, Command)]
    assert kinds == [STOP, EMERGENCY, STOP]


@pytest.mark.parametrize("how", ["flag", "signal"])
def test_a_shutdown_ends_it(stage: Stage, how: str) -> None:
    with stage.supervised():
        if how == "flag":
            stage.flags.put(CommandKind.SHUTDOWN, "kim")
        else:
            stage.signals.append(CommandKind.SHUTDOWN)
        until(lambda: stage.supervisor.observed() is ObservedState.STOPPING)
    assert stage.flags.up() == []
    assert not stage.supervisor.wants_restart


def test_it_beats_each_second_and_at_each_change_while_the_database_hangs(stage: Stage) -> None:
    with stage.supervised():
        until(lambda: stage.beats[-1][1] == "stopped")
        with locked(stage.folder / "stage.db"):
            stage.supervisor.submit(command(START))
            time.sleep(1.9)
    times = [at for at, _ in stage.beats]
    assert max(b - a for a, b in pairwise(times)) < 1.0
    states = [state for _, state in stage.beats]
    assert list(dict.fromkeys(states)) == ["starting", "stopped", "running", "stopping"]


def test_a_beat_that_fails_does_not_end_it(stage: Stage) -> None:
    def fails() -> None:
        raise OSError("disk full")

    object.__setattr__(stage.supervisor._tools, "beat", fails)
    with stage.supervised():
        stage.supervisor.submit(command(START))
        until(lambda: enabled(stage))


def test_a_bug_in_the_supervisor_does_not_end_it(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    with stage.supervised():
        stage.supervisor._switches._flags = None  # type: ignore[assignment]
        time.sleep(0.2)
        stage.supervisor.submit(command(START))
        until(lambda: enabled(stage))
    met = [r for r in caplog.records if "met a bug" in r.message]
    assert len(met) == 1


def test_what_nobody_took_is_left_for_the_next_session(stage: Stage) -> None:
    with stage.supervised():
        stage.supervisor.begin_anew()
        until(lambda: stage.supervisor.worker is None)
        stage.supervisor.submit(command(START))
    assert stage.supervisor.wants_restart
    assert [c.command_id for c in stage.supervisor.left_over()] == ["start"]
    assert stage.supervisor.left_over() == []


def test_the_end_does_not_wait_for_a_hung_worker(stage: Stage) -> None:
    with stage.supervised():
        stage.on_take = only_slices(stage.hang)
        stage.market.put(a_slice(1))
        until(lambda: bool(stage.taken))
        stage.supervisor.submit(command(START))
        began = time.monotonic()
        stage.supervisor.end()
        until(lambda: stage.supervisor.worker is None)
        assert time.monotonic() - began < 3.0
        assert [c.command_id for c in stage.supervisor.left_over()] == ["start"]
