"""The database stops serving while a replay runs: one line, nothing half written, and it goes on.

Fault catalogue: D1 (another process holds the lock), D3 (disk full, read-only). After each fault
the oracle looks at what is stored: no order without its row, no fill lost.
"""

import ctypes
import os
import resource
import shutil
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path

import pytest

from auto_trading.replay import Replay, ReplayTools
from auto_trading.replay_market import ReplayRequest
from config.loading import load
from crypto_trader_pro.domain.errors import JournalUnavailable
from database import lease
from database.auto_trading_db import open_database, unit_of_work
from tests.oracle import audit
from tests.processes import DATABASE, Ended, Moment, Platform, finish, kill, locked, play
from tests.stored import Played, Stored, count_runs, differences, read_run
from tests.synthetic import BTC, write_candles
from utils.clocks import SystemClock

BARS = 1_500
RESUME = ("replay", "--resume", "last", "--json")
SLOWLY = ("--speed", 1_500)
ROOM = 800_000  # bytes that a file may have: a part of the run fits, the whole does not
_CAPABILITIES = (1, 2)  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH: why root may write everywhere
_DROP_FROM_BOUNDING_SET = 24  # PR_CAPBSET_DROP


@dataclass(frozen=True, slots=True)
class Whole:
    """What to play, and the run that nobody disturbed."""

    played: Played
    stored: Stored

    @property
    def command(self) -> Sequence[object]:
        return play(self.played.candles)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Whole:
    folder = tmp_path_factory.mktemp("whole")
    file = write_candles(folder / "btc.csv.gz", BTC, seed=5, bars=BARS)
    platform = Platform(folder / "var", warm=True)
    played = Played({BTC.symbol: file})
    result = platform.run(*play(played.candles)).result()
    stored = read_run(platform.where)
    assert audit(stored, played, result) == {}
    assert result["fills"] > 30
    return Whole(played, stored)


def request_of(whole: Whole) -> ReplayRequest:
    """Return what `whole.command` asks for, to be played in this process."""
    files = whole.played.candles
    return ReplayRequest(tuple(files), tuple(files.values()), "1m", 60, ("ema_cross",))


def prepared(folder: Path, migrated_file: Path) -> Platform:
    """Return an installation with its schema in place."""
    platform = Platform(folder, warm=True)
    folder.mkdir(exist_ok=True)
    shutil.copy(migrated_file, platform.database)
    return platform


def assert_sound(platform: Platform, whole: Whole) -> None:
    """What is stored is whole, and is a part of the run only."""
    with closing(sqlite3.connect(platform.database)) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    stored = read_run(platform.where)
    assert audit(stored, whole.played) == {}
    assert stored.run["status"] == "running"
    assert len(stored["decisions"]) < BARS


def assert_completes(platform: Platform, whole: Whole) -> None:
    """The run goes on to the very same end."""
    ended = platform.run(*RESUME)
    assert ended.code == 0, ended.stderr
    assert differences(read_run(platform.where), whole.stored) == []


def assert_unavailable(ended: Ended, *words: object) -> None:
    """The process gave up because of the database, in one line that names it."""
    line = ended.complaint()
    assert ended.code == 3, line
    for word in words:
        assert str(word) in line


# --- locked -------------------------------------------------------------------------------------


def test_a_lock_of_ten_seconds_is_waited_for(whole: Whole, tmp_path: Path) -> None:
    platform = Platform(tmp_path, warm=True)
    process = platform.start(*whole.command, *SLOWLY)
    try:
        Moment(300).wait(platform.where, process)
        with locked(platform.database):
            until = time.monotonic() + 10
            assert_sound(platform, whole)  # reading does not wait
            status = platform.run("status", "--json").result()
            assert (status["last_run_status"], status["last_error"]) == ("running", None)
            late = platform.run(*whole.command)  # one that cannot even begin
            assert_unavailable(late, platform.database, "locked by another process")
            time.sleep(max(0.0, until - time.monotonic()))
            assert process.poll() is None
        ended = finish(process)
    finally:
        kill(process)
    assert ended.result()["run_id"] == "r1"
    assert count_runs(platform.database) == 1
    assert differences(read_run(platform.where), whole.stored) == []


def _struck(
    whole: Whole, folder: Path, strike: Callable[[int], bool], migrated_file: Path
) -> tuple[Platform, Exception]:
    """Play in this process; after the first commit that `strike` picks the lock is taken away.

    `strike` gets the number of instants that are stored. Returns what the replay raised.
    """
    platform = prepared(folder / "var", migrated_file)
    database = open_database(f"sqlite:///{platform.database}", busy_seconds=0.02)
    holder = sqlite3.connect(platform.database, isolation_level=None)

    def stored(instants: int, _: int) -> None:
        if strike(instants) and not holder.in_transaction:
            holder.execute("BEGIN IMMEDIATE")

    tools = ReplayTools(database, platform.var_dir, SystemClock().now, progress=stored)
    try:
        with pytest.raises(JournalUnavailable) as raised:
            Replay(tools).start(request_of(whole), load(environ={}))
    finally:
        holder.close()
        # the lock kept the lease from being given back; the end of a process does it too
        with unit_of_work(database) as session:
            lease.release(session, 1, SystemClock().now(), account="run-r1")
        database.dispose()
    return platform, raised.value


@pytest.mark.parametrize("instants", [0, 700], ids=["from the start", "in the middle"])
def test_a_lock_that_does_not_end_is_given_up_on(
    whole: Whole, tmp_path: Path, migrated_file: Path, instants: int
) -> None:
    platform, error = _struck(whole, tmp_path, lambda n: n >= instants, migrated_file)
    assert f"{platform.database} is locked by another process" in str(error)
    assert_sound(platform, whole)
    assert_completes(platform, whole)


def test_a_lock_that_comes_when_all_is_played_is_named_as_well(
    whole: Whole, tmp_path: Path, migrated_file: Path
) -> None:
    last = len(whole.played.read()[BTC.symbol])
    platform, error = _struck(whole, tmp_path, lambda n: n == last, migrated_file)
    assert f"{platform.database} is locked by another process" in str(error)
    stored = read_run(platform.where)
    assert (stored.run["status"], len(stored["decisions"])) == ("running", BARS)
    assert_completes(platform, whole)


# --- dying between a commit and what follows it ------------------------------------------------


class Death(BaseException):
    """The end of a process, which nothing in it can catch."""


def test_a_death_after_any_commit_changes_nothing(
    whole: Whole, tmp_path: Path, migrated_file: Path
) -> None:
    platform = prepared(tmp_path / "var", migrated_file)
    database = open_database(f"sqlite:///{platform.database}", durable=False)
    deaths = 0
    ended = False
    while not ended:
        commits = count(1)

        def stored(*_: int, commits: Iterator[int] = commits) -> None:
            if next(commits) == 2:
                raise Death

        tools = ReplayTools(database, platform.var_dir, SystemClock().now, progress=stored)
        with suppress(Death):
            if deaths:
                Replay(tools).resume("last")
            else:
                Replay(tools).start(request_of(whole), load(environ={}))
            ended = True
        deaths += not ended
        assert audit(read_run(platform.where), whole.played) == {}
    database.dispose()
    assert deaths > 8
    assert differences(read_run(platform.where), whole.stored) == []


# --- full ---------------------------------------------------------------------------------------


def _limit_files(room: int) -> None:
    """Let every write beyond `room` bytes of a file fail. Python ignores SIGXFSZ."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))


def test_a_disk_that_takes_no_more_is_one_line_and_the_run_goes_on_later(
    whole: Whole, tmp_path: Path, migrated_file: Path
) -> None:
    platform = prepared(tmp_path / "var", migrated_file)
    limited = Platform(platform.var_dir, prepare=partial(_limit_files, ROOM), warm=True)
    assert_unavailable(limited.run(*whole.command), platform.database, "disk")
    assert len(read_run(platform.where)["fills"]) > 0  # a part was stored
    assert_sound(platform, whole)
    assert_unavailable(limited.run(*RESUME), platform.database, "disk")
    assert_sound(platform, whole)
    assert_completes(platform, whole)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own with room for a part of the run; needs the right to mount."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={ROOM}", "tmpfs", str(folder)]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"no right to mount a small disk: {done.stderr.splitlines()[0]}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_is_one_line_and_the_run_goes_on_when_there_is_room(
    whole: Whole, small_disk: Path, migrated_file: Path
) -> None:
    platform = prepared(small_disk / "var", migrated_file)
    assert_unavailable(platform.run(*whole.command), platform.database, "the disk is full")
    assert len(read_run(platform.where)["fills"]) > 0
    assert_sound(platform, whole)
    _fill(small_disk)
    assert_unavailable(platform.run(*RESUME), "full")
    room = ["mount", "-o", "remount,size=64m", str(small_disk)]
    subprocess.run(room, check=True)
    assert_sound(platform, whole)
    assert_completes(platform, whole)


def _fill(folder: Path) -> None:
    """Take what room is left."""
    with (folder / "other").open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"x" * 512)
        except OSError:
            return


# --- read-only ----------------------------------------------------------------------------------


def _obey_modes() -> None:
    """Give up what lets root write whatever a file's mode says; takes effect with the command."""
    if os.geteuid() == 0:
        libc = ctypes.CDLL(None, use_errno=True)
        for capability in _CAPABILITIES:
            if libc.prctl(_DROP_FROM_BOUNDING_SET, capability, 0, 0, 0):
                raise OSError(ctypes.get_errno(), "prctl")


@pytest.fixture
def modes() -> Iterator[Callable[[Path, int], None]]:
    """chmod that is undone when the test ends."""
    before: dict[Path, int] = {}

    def change(path: Path, mode: int) -> None:
        before.setdefault(path, path.stat().st_mode)
        path.chmod(mode)

    yield change
    for path, mode in before.items():
        path.chmod(mode)


@pytest.mark.parametrize("what", ["file", "folder"])
def test_a_database_that_may_only_be_read_is_named_and_the_run_goes_on_later(
    whole: Whole, tmp_path: Path, modes: Callable[[Path, int], None], what: str
) -> None:
    platform = Platform(tmp_path / "var", warm=True)
    platform.killed(Moment(400), *whole.command, *SLOWLY)
    if what == "file":
        for file in platform.var_dir.glob(f"{DATABASE}*"):
            modes(file, 0o444)
    else:
        with closing(sqlite3.connect(platform.database)) as last:
            last.execute("SELECT 1 FROM runs")  # closing puts the write-ahead log away
        modes(platform.var_dir, 0o555)
    restricted = Platform(platform.var_dir, prepare=_obey_modes)
    assert_unavailable(restricted.run(*RESUME), platform.database, "read-only")
    for file in platform.var_dir.glob(f"{DATABASE}*"):
        file.chmod(0o644)
    platform.var_dir.chmod(0o755)
    assert_sound(platform, whole)
    assert_completes(platform, whole)


def test_a_var_folder_that_may_only_be_read_is_one_line(
    whole: Whole, tmp_path: Path, migrated_file: Path, modes: Callable[[Path, int], None]
) -> None:
    elsewhere = tmp_path / "elsewhere.db"
    shutil.copy(migrated_file, elsewhere)
    var_dir = tmp_path / "var"
    var_dir.mkdir()
    modes(var_dir, 0o555)
    settings = {"CTP_DATABASE_URL": f"sqlite:///{elsewhere}"}
    ended = Platform(var_dir, settings, prepare=_obey_modes).run(*whole.command)
    line = ended.complaint()
    assert str(var_dir) in line
    assert ended.code in (2, 3), line
