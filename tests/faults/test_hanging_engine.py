"""A stop works whatever hangs: the cycle, a call to the exchange, the database, or two of them.

Safety deadlines are asserted here: a command takes effect within a second.
"""

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg
import pytest

from crypto_trader_pro.domain.enums import CommandKind
from tests.databases import Server
from tests.engine_process import CROWDED, Answered, Hang, Site, a_site, until
from tests.oracle_session import audit_session
from tests.processes import Running, locked

SECOND = 1.0
FLAT_SECONDS = 2.0
HANGS = [
    pytest.param("cycle", False, id="the cycle blocks"),
    pytest.param("cycle", True, id="the cycle waits for ever", marks=pytest.mark.slow),
    pytest.param("decide", False, id="a decision blocks", marks=pytest.mark.slow),
    pytest.param("submit", False, id="the exchange call blocks", marks=pytest.mark.slow),
    pytest.param("submit", True, id="the exchange call waits for ever"),
]


@pytest.fixture
def crowded(tmp_path: Path) -> Iterator[Site]:
    with a_site(tmp_path, CROWDED) as made:
        yield made


def nothing_entered_since(site: Site, answer: Answered) -> None:
    """Assert that no entry was journaled, or filled, after the answer was stored."""
    time.sleep(0.4)  # four candles
    stored = site.command(answer.command_id)["finished_at"]
    late = [o for o in site.entry_orders() if o["journaled_at"] > stored]
    assert late == []
    open_entries = [o for o in site.entry_orders() if o["status"] in ("working", "partial")]
    assert open_entries == []


# --- the cycle, the exchange --------------------------------------------------------------------


@pytest.mark.parametrize(("place", "waits"), HANGS)
def test_stop_start_and_emergency_stop_work_while_something_hangs(
    crowded: Site, tmp_path: Path, place: str, waits: bool
) -> None:
    hang = Hang(tmp_path / "hang", place, waits)
    process = crowded.trading(prepare=hang.planted())

    hang.arm()
    until(lambda: hang.times == 1, "the first hang", 20)
    stopped = crowded.ask(CommandKind.STOP)
    assert (stopped.code, stopped.seconds < SECOND) == ("answer.stopped", True), stopped
    nothing_entered_since(crowded, stopped)

    if place == "cycle":
        hang.arm()
    elif place == "submit":  # only an order of ours gets there now
        positions = until(crowded.positions, "a position", 5)
        hang.arm()
        with suppress(AssertionError):
            crowded.ask(CommandKind.CLOSE_POSITION, {"symbol": positions[0]["symbol"]}, seconds=0.1)
    if place != "decide":
        until(lambda: hang.times == 2, "the second hang", 20)
    started = crowded.ask(CommandKind.START)
    assert (started.code, started.seconds < SECOND) == ("answer.started", True), started
    until(crowded.positions, "a position", 30)

    hang.arm()
    before = hang.times
    until(lambda: hang.times > before, "the third hang", 20)
    began = time.monotonic()
    halted = crowded.ask(CommandKind.EMERGENCY_STOP)
    assert (halted.code, halted.seconds < SECOND) == ("answer.halted", True), halted
    until(lambda: not crowded.positions(), "flat positions", 10)
    assert time.monotonic() - began < FLAT_SECONDS
    nothing_entered_since(crowded, halted)
    until(lambda: crowded.lease()["trading_state"] == "halted", "the heartbeat", 2)
    until(lambda: crowded.told_state() == "halted", "the sign of life", 2)

    crowded.prove(process)


@pytest.mark.slow
def test_a_stop_works_when_the_one_that_takes_over_hangs_too(crowded: Site, tmp_path: Path) -> None:
    hang = Hang(tmp_path / "hang", "cycle+restore")
    process = crowded.trading(prepare=hang.planted())
    hang.arm()
    until(lambda: hang.times == 1, "the hang", 20)
    hang.arm()  # one more waits for whoever takes over
    stopped = crowded.ask(CommandKind.STOP)
    assert hang.times == 2
    print(f"stopped after {stopped.seconds:.2f} s")
    assert stopped.code == "answer.stopped"
    assert stopped.seconds < SECOND + 0.5  # no entry was possible from the first tenth on
    nothing_entered_since(crowded, stopped)
    crowded.kill(process)
    assert audit_session(crowded.session()) == {}


@pytest.mark.slow
@pytest.mark.parametrize("kind", [CommandKind.STOP, CommandKind.EMERGENCY_STOP])
def test_a_stop_works_while_a_start_hangs(crowded: Site, tmp_path: Path, kind: CommandKind) -> None:
    """It hangs on its way back from the checkpoint: where a live venue is asked about orders."""
    process = crowded.trading(5)
    crowded.kill(process)
    hang = Hang(tmp_path / "hang", "restore")
    hang.arm()
    process = crowded.start(prepare=hang.planted())
    until(hang.is_on, "the hang", 20)
    answer = crowded.ask(kind, seconds=5)
    assert answer.status == "done"
    assert answer.seconds < SECOND
    nothing_entered_since(crowded, answer)


@pytest.mark.slow
def test_an_operation_is_answered_once_though_its_sending_hung(
    crowded: Site, tmp_path: Path
) -> None:
    """The answer was stored before the exchange was called: whoever takes over does not redo it."""
    hang = Hang(tmp_path / "hang", "submit")
    crowded.trading(5, prepare=hang.planted())
    crowded.ask(CommandKind.STOP)
    symbol = until(crowded.positions, "a position", 5)[0]["symbol"]
    hang.arm()
    closing = crowded.ask(CommandKind.CLOSE_POSITION, {"symbol": symbol})
    assert (closing.status, closing.code) == ("done", "answer.closing")
    until(hang.is_on, "the hang", 5)
    crowded.ask(CommandKind.STOP)  # makes the supervisor look
    time.sleep(0.3)
    row = crowded.command(closing.command_id)
    assert (row["status"], row["answer"]["code"]) == ("done", "answer.closing")
    assert len(crowded.rows("orders", "WHERE reason = 'operator'")) == 1


# --- training -----------------------------------------------------------------------------------


def training_child(engine: int) -> int:
    """Return the pid of the training process of an engine, 0 while there is none."""
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            is_training = b"auto_trading.training_process" in (folder / "cmdline").read_bytes()
            if is_training and f"PPid:\t{engine}\n" in (folder / "status").read_text():
                return int(folder.name)
    return 0


@pytest.mark.slow
def test_nobody_waits_for_a_training_run_that_hangs(tmp_path: Path) -> None:
    with a_site(tmp_path, {"CTP_STRATEGIES__AI_SIGNAL__ENABLED": "true"}) as site:
        process = site.up()
        child = until(lambda: training_child(process.pid), "a training run", 30)
        os.kill(child, signal.SIGSTOP)
        started = site.ask(CommandKind.START)
        assert (started.code, started.seconds < SECOND) == ("answer.started", True)
        site.goes_on()
        assert site.ask(CommandKind.TRAIN_NOW).code == "refused.training"  # one is under way
        stopped = site.ask(CommandKind.STOP)
        assert (stopped.code, stopped.seconds < SECOND) == ("answer.stopped", True)
        halted = site.ask(CommandKind.EMERGENCY_STOP)
        assert (halted.code, halted.seconds < SECOND) == ("answer.halted", True)
        began = time.monotonic()
        assert site.end(process).code == 0
        assert time.monotonic() - began < 10
        assert not Path(f"/proc/{child}").exists()  # it does not stay behind


# --- the database -------------------------------------------------------------------------------


def by_flag(kind: CommandKind) -> Callable[[Site, Running], None]:
    return lambda site, _: site.flags.put(kind, "test")


def by_signal(number: signal.Signals) -> Callable[[Site, Running], None]:
    return lambda _, process: os.kill(process.pid, number)


WAYS = [
    pytest.param(by_flag(CommandKind.STOP), False, id="stop by flag"),
    pytest.param(by_signal(signal.SIGUSR1), False, id="stop by signal", marks=pytest.mark.slow),
    pytest.param(
        by_flag(CommandKind.EMERGENCY_STOP), True, id="emergency by flag", marks=pytest.mark.slow
    ),
    pytest.param(by_signal(signal.SIGUSR2), True, id="emergency by signal"),
]
LOCKED = 1.6  # seconds, longer than any busy timeout of the engine


@pytest.mark.parametrize(("give", "flattens"), WAYS)
def test_stops_work_while_the_database_hangs(
    crowded: Site, give: Callable[[Site, Running], None], flattens: bool
) -> None:
    process = crowded.trading(5)
    with locked(crowded.platform.database):
        entries = len(crowded.entry_orders())
        began = time.monotonic()
        give(crowded, process)
        until(lambda: crowded.entries() != "allowed", "entries to be forbidden", 5)
        assert time.monotonic() - began < SECOND
        time.sleep(LOCKED)
        released = time.monotonic()
    if flattens:
        until(lambda: not crowded.positions(), "flat positions", 10)
        assert time.monotonic() - released < FLAT_SECONDS
        until(lambda: crowded.rows("emergency_stops", "WHERE status = 'flat'"), "the report", 3)
    wanted = "emergency" if flattens else "stopped"
    until(lambda: crowded.lease()["desired_state"] == wanted, "the wish to be stored", 5)
    until(lambda: not crowded.flags.up(), "the flag to be taken down", 5)
    assert not crowded.is_enabled()
    # one that was decided in the moment of the stop may be journaled; it is never sent
    for order in crowded.entry_orders()[entries:]:
        assert (order["status"], order["filled_size"]) == ("canceled", 0), order
    time.sleep(0.4)
    assert len(crowded.entry_orders()) <= entries + 40  # of that one moment
    crowded.prove(process)


def test_the_flag_goes_only_when_what_it_asked_for_is_stored_for_good(crowded: Site) -> None:
    process = crowded.trading(5)
    crowded.flags.put(CommandKind.STOP, "test")
    until(lambda: not crowded.flags.up(), "the flag to be taken down", 5)
    crowded.kill(process)
    assert not crowded.is_enabled()
    crowded.up()
    time.sleep(0.5)
    assert not crowded.is_enabled()  # nobody has started it again


@pytest.mark.parametrize(
    "kind",
    [pytest.param(CommandKind.STOP, marks=pytest.mark.slow), CommandKind.EMERGENCY_STOP],
)
def test_a_flag_outlives_a_kill_while_the_database_hangs(crowded: Site, kind: CommandKind) -> None:
    process = crowded.trading(5)
    with locked(crowded.platform.database):
        crowded.flags.put(kind, "test")
        until(lambda: crowded.entries() != "allowed", "entries to be forbidden", 5)
        crowded.kill(process)
        assert [(flag.kind, flag.by) for flag in crowded.flags.up()] == [(kind, "test")]
    before = crowded.entry_orders()
    crowded.up()
    until(lambda: not crowded.flags.up(), "the flag to be taken down", 5)
    until(lambda: not crowded.is_enabled(), "the stop to be stored", 3)
    if kind is CommandKind.EMERGENCY_STOP:
        until(lambda: not crowded.positions(), "flat positions", 5)
        assert crowded.ask(CommandKind.START).code == "refused.latched"
    time.sleep(0.4)
    fresh = crowded.entry_orders()[len(before) :]
    assert all(o["status"] == "canceled" and not o["filled_size"] for o in fresh), fresh


@pytest.mark.slow
def test_a_stop_works_when_the_exchange_hangs_right_after_the_database(
    crowded: Site, tmp_path: Path
) -> None:
    hang = Hang(tmp_path / "hang", "submit")
    process = crowded.trading(1, prepare=hang.planted())
    for _ in range(5):
        with locked(crowded.platform.database):
            hang.arm()
            time.sleep(LOCKED)
        with suppress(AssertionError):
            until(hang.is_on, "the hang", 1)
            break
    stopped = crowded.ask(CommandKind.STOP, seconds=5)
    assert stopped.seconds < SECOND
    crowded.kill(process)
    assert audit_session(crowded.session()) == {}


# --- the database, PostgreSQL -------------------------------------------------------------------


@contextmanager
def on_postgresql(server: Server, folder: Path) -> Iterator[tuple[Site, str]]:
    name = server.create()
    try:
        url = server.url_of(name)
        with a_site(folder, {**CROWDED, "CTP_DATABASE_URL": url}) as site:
            yield site, name
    finally:
        server.drop(name)


@pytest.mark.slow
@pytest.mark.parametrize("kind", [CommandKind.STOP, CommandKind.EMERGENCY_STOP])
def test_stops_work_while_every_table_of_postgresql_is_locked(
    postgresql: Server, tmp_path: Path, kind: CommandKind
) -> None:
    with on_postgresql(postgresql, tmp_path) as (site, _):
        process = site.trading(5)
        with psycopg.connect(str(site.where)) as holder:
            tables = "engine_lease, commands, checkpoints, orders, fills, decisions"
            holder.execute(f"LOCK TABLE {tables} IN ACCESS EXCLUSIVE MODE".encode())
            began = time.monotonic()
            site.flags.put(kind, "test")
            until(lambda: site.entries() != "allowed", "entries to be forbidden", 5)
            assert time.monotonic() - began < SECOND
            time.sleep(LOCKED)
            holder.rollback()
        until(lambda: not site.flags.up(), "the flag to be taken down", 5)
        if kind is CommandKind.EMERGENCY_STOP:
            until(lambda: not site.positions(), "flat positions", 5)
        until(lambda: not site.is_enabled(), "the stop to be stored", 3)
        site.kill(process)
        assert audit_session(site.session()) == {}


@contextmanager
def paused_backends(server_url: str, name: str) -> Iterator[None]:
    """Let every server process that works for this database stand still, as on a dead disk."""
    with psycopg.connect(server_url, autocommit=True) as connection:
        query = "SELECT pid FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()"
        pids = [row[0] for row in connection.execute(query, (name,)).fetchall()]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


@pytest.mark.slow
@pytest.mark.parametrize("kind", [CommandKind.STOP, CommandKind.EMERGENCY_STOP])
def test_stops_work_while_postgresql_says_nothing_at_all(
    postgresql: Server, tmp_path: Path, kind: CommandKind
) -> None:
    with on_postgresql(postgresql, tmp_path) as (site, name):
        site.trading(5)
        with paused_backends(postgresql.url_of("postgres"), name):
            time.sleep(1.2)  # the heartbeat is in it
            began = time.monotonic()
            site.flags.put(kind, "test")
            until(lambda: site.entries() != "allowed", "entries to be forbidden", 5)
            assert time.monotonic() - began < SECOND
        until(lambda: not site.flags.up(), "the flag to be taken down", 5)
        until(lambda: not site.is_enabled(), "the stop to be stored", 3)
