"""The running log: its files, its thread, and sinks that fail."""

import io
import json
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from crypto_trader_pro.domain.errors import ConfigError, JournalBusy
from crypto_trader_pro.domain.ports import LogEntry
from tests.builders import HOUR, START_MS
from utils import log_files
from utils.clocks import SimulatedClock, SystemClock
from utils.correlation import correlation
from utils.log_files import DailyFile
from utils.logging import LoggingHandle, setup_logging

CANARY = "c4n4ry-in-the-mine"
LOG = logging.getLogger("auto_trading.engine")
DAY = 24 * HOUR


class Table:
    """A log table in memory; waits while `gate` is shut, raises what is in `errors` first."""

    def __init__(self) -> None:
        self.entries: list[LogEntry] = []
        self.errors: list[Exception] = []
        self.gate = threading.Event()
        self.gate.set()

    def write(self, entries: Sequence[LogEntry]) -> None:
        self.gate.wait()
        if self.errors:
            raise self.errors.pop(0)
        self.entries += entries


Starter = Callable[..., LoggingHandle]


@pytest.fixture
def clock() -> SimulatedClock:
    return SimulatedClock(START_MS)


@pytest.fixture
def table() -> Table:
    return Table()


@pytest.fixture
def started(tmp_path: Path, clock: SimulatedClock, table: Table) -> Iterator[Starter]:
    handles: list[LoggingHandle] = []

    def start(**changes: Any) -> LoggingHandle:
        options: dict[str, Any] = {
            "level": logging.INFO, "console": False, "table_sink": table, "clock": clock,
            "secrets": [CANARY],
        }  # fmt: skip
        handles.append(setup_logging(tmp_path / "logs", **(options | changes)))
        return handles[-1]

    yield start
    table.gate.set()
    for handle in handles:
        handle.close(2)


def text(tmp_path: Path, name: str = "trading_bot.log") -> str:
    return (tmp_path / "logs" / name).read_text(encoding="utf-8")


def objects(tmp_path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text(tmp_path, "engine.jsonl").splitlines()]


# --- sinks ----------------------------------------------------------------------------------------


def test_a_record_reaches_every_sink(
    tmp_path: Path, started: Starter, table: Table, capsys: pytest.CaptureFixture[str]
) -> None:
    handle = started(console=True)
    handle.run_id = 12
    assert handle.run_id == 12
    with correlation("r12:BTC/USDT:1"):
        LOG.info("filled", extra={"data": {"price": 5}})
        LOG.error("refused")
    assert handle.flush()
    line = "2024-01-01T00:00:00.000Z - auto_trading.engine - {} [r12:BTC/USDT:1]"
    expected = [line.format('INFO - filled {"price":5}'), line.format("ERROR - refused")]
    assert text(tmp_path).splitlines() == expected
    assert text(tmp_path, "errors.log").splitlines() == expected[1:]
    printed = capsys.readouterr()
    assert (printed.out, printed.err.splitlines()) == ("", expected)
    assert [o["message"] for o in objects(tmp_path)] == ["filled", "refused"]
    assert {o["run_id"] for o in objects(tmp_path)} == {12}
    stored = [(e.level, e.message, e.correlation_id, e.run_id) for e in table.entries]
    assert stored == [
        ("INFO", "filled", "r12:BTC/USDT:1", 12), ("ERROR", "refused", "r12:BTC/USDT:1", 12),
    ]  # fmt: skip


def test_there_may_be_no_table_and_no_console(tmp_path: Path, started: Starter) -> None:
    handle = started(table_sink=None)
    LOG.info("alone")
    assert handle.flush()
    handle.close()
    assert "alone" in text(tmp_path)


def test_debug_is_for_files_in_development_only(
    tmp_path: Path, started: Starter, table: Table
) -> None:
    handle = started(level=logging.DEBUG)
    LOG.debug("a detail")
    logging.getLogger("auto_trading.jobs").debug("equity snapshot done")
    logging.getLogger("ccxt.base.exchange").debug("headers")
    handle.close()
    assert [o["message"] for o in objects(tmp_path)] == ["a detail", "equity snapshot done"]
    assert table.entries == []


def test_in_production_background_work_says_only_what_is_wrong(
    tmp_path: Path, started: Starter
) -> None:
    handle = started()
    jobs = logging.getLogger("auto_trading.jobs")
    jobs.debug("done")
    jobs.info("begun")
    jobs.warning("late")
    logging.getLogger("apscheduler.scheduler").info("added job")
    LOG.debug("a detail")
    LOG.info("started by kim")
    handle.close()
    assert [o["message"] for o in objects(tmp_path)] == ["late", "started by kim"]


def test_closing_leaves_logging_as_it_was(started: Starter) -> None:
    root = logging.getLogger()
    hook = threading.excepthook
    before = (root.level, list(root.handlers), logging.getLogger("ccxt").level)
    handle = started(level=logging.DEBUG)
    assert root.level == logging.DEBUG
    handle.close()
    handle.close()  # once more does nothing
    assert (root.level, list(root.handlers), logging.getLogger("ccxt").level) == before
    assert threading.excepthook is hook


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path, clock: SimulatedClock) -> None:
    options: dict[str, Any] = {
        "level": logging.INFO, "console": False, "table_sink": None, "clock": clock,
    }  # fmt: skip
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=r"^log folder .*/file cannot be written: File exists$"):
        setup_logging(tmp_path / "file", **options)
    (tmp_path / "logs" / "errors.log").mkdir(parents=True)
    with pytest.raises(ConfigError, match=r"/logs cannot be written: Is a directory$"):
        setup_logging(tmp_path / "logs", **options)


# --- rotation -------------------------------------------------------------------------------------


def test_the_file_begins_anew_at_midnight(
    tmp_path: Path, started: Starter, clock: SimulatedClock
) -> None:
    handle = started()
    clock.advance_to(START_MS + DAY - 1)
    LOG.info("first day")
    clock.advance_to(START_MS + DAY)
    LOG.info("second day")
    clock.advance_to(START_MS + 3 * DAY)
    LOG.info("fourth day")
    handle.close()
    logs = tmp_path / "logs"
    names = {p.name for p in logs.glob("trading_bot.log*")}
    assert names == {"trading_bot.log", "trading_bot.log.2024-01-01", "trading_bot.log.2024-01-02"}
    assert "first day" in text(tmp_path, "trading_bot.log.2024-01-01")
    assert "second day" in text(tmp_path, "trading_bot.log.2024-01-02")
    assert text(tmp_path).splitlines()[0].endswith("fourth day")


def test_a_file_of_an_earlier_day_is_put_aside_at_the_start(
    tmp_path: Path, started: Starter, clock: SimulatedClock
) -> None:
    file = tmp_path / "logs" / "trading_bot.log"
    file.parent.mkdir()
    file.write_text("from the day before\n")
    os.utime(file, (START_MS / 1000 - 60,) * 2)
    handle = started()
    LOG.info("today")
    handle.close()
    assert text(tmp_path, "trading_bot.log.2023-12-31") == "from the day before\n"
    assert "today" in text(tmp_path)


def a_line(at_ms: int, message: str) -> logging.LogRecord:
    record = logging.LogRecord("x", logging.INFO, "f.py", 1, message, None, None)
    record.created = at_ms / 1000
    return record


def test_thirty_days_are_kept(tmp_path: Path) -> None:
    file = DailyFile(tmp_path / "bot.log")
    for day in range(40):
        file.emit(a_line(START_MS + day * DAY, f"day {day}"))
    file.close()
    past = sorted(tmp_path.glob("bot.log.*"))
    assert len(past) == 30
    assert (past[0].read_text(), past[-1].read_text()) == ("day 9\n", "day 38\n")
    assert (tmp_path / "bot.log").read_text() == "day 39\n"


def test_a_second_process_does_not_move_a_file_over_the_first_ones(tmp_path: Path) -> None:
    """Both rotate at midnight; the later one only opens the new file."""
    first, second = DailyFile(tmp_path / "bot.log"), DailyFile(tmp_path / "bot.log")
    for file in (first, second):
        file.emit(a_line(START_MS, "old"))
    for file in (first, second):
        file.emit(a_line(START_MS + DAY, "new"))
        file.close()
    assert (tmp_path / "bot.log.2024-01-01").read_text() == "old\nold\n"
    assert (tmp_path / "bot.log").read_text() == "new\nnew\n"


def test_a_clock_that_is_set_back_does_not_rotate(tmp_path: Path) -> None:
    file = DailyFile(tmp_path / "bot.log")
    file.emit(a_line(START_MS, "a"))
    file.emit(a_line(START_MS - 1, "b"))
    file.close()
    assert (tmp_path / "bot.log").read_text() == "a\nb\n"


def test_errors_and_json_lines_are_put_aside_by_size(
    tmp_path: Path, started: Starter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_files, "MEGABYTES", 0.001)  # 1,048 bytes
    handle = started()
    for _ in range(80):
        LOG.error("x" * 400)
    handle.close()
    counts = {n: len(list((tmp_path / "logs").glob(f"{n}*"))) for n in ("errors.log", "engine.js")}
    assert counts == {"errors.log": 1 + 5, "engine.js": 1 + 10}


def test_the_sizes_are_those_of_the_document() -> None:
    assert (log_files.MEGABYTES, log_files.ERRORS_KEPT, log_files.DAYS_KEPT) == (10, 5, 30)


# --- secrets --------------------------------------------------------------------------------------


def test_the_canary_is_in_no_sink(
    tmp_path: Path, started: Starter, table: Table, capsys: pytest.CaptureFixture[str]
) -> None:
    handle = started(console=True)
    try:
        raise RuntimeError(f"GET /order?signature={CANARY}x failed with {CANARY}")
    except RuntimeError:
        LOG.exception("call with %s failed", CANARY, extra={"data": {"headers": {"a": CANARY}}})
    LOG.error("as %s", {"Authorization": f"Bearer {CANARY}"}, stack_info=True)
    LOG.warning(CANARY, extra={"correlation_id": "c", "data": [CANARY]})
    died = threading.Thread(target=lambda: int(CANARY), name="worker")
    died.start()
    died.join()
    assert handle.flush()
    handle.close()
    seen = [p.read_text() for p in (tmp_path / "logs").iterdir()]
    seen += [repr(table.entries), capsys.readouterr().err]
    assert len(seen) == 5
    for sink in seen:
        assert "***" in sink
        assert CANARY not in sink
    assert "thread worker died" in text(tmp_path, "errors.log")
    assert text(tmp_path, "errors.log").count("Traceback") == 2
    assert "ValueError: invalid literal for int()" in text(tmp_path, "errors.log")


def test_a_thread_that_ends_itself_has_not_died(tmp_path: Path, started: Starter) -> None:
    handle = started()

    def end() -> None:
        raise SystemExit

    thread = threading.Thread(target=end)
    thread.start()
    thread.join()
    handle.close()
    assert text(tmp_path) == ""


# --- trouble --------------------------------------------------------------------------------------


class Stuck(io.StringIO):
    """A terminal that takes nothing until `gate` opens, as after Ctrl-S."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = threading.Event()

    def write(self, text: str) -> int:
        self.gate.wait()
        return super().write(text)


def test_a_terminal_that_hangs_holds_up_nobody(
    tmp_path: Path, started: Starter, monkeypatch: pytest.MonkeyPatch, table: Table
) -> None:
    stuck = Stuck()
    monkeypatch.setattr("sys.stderr", stuck)
    handle = started(console=True)
    LOG.info("one")
    LOG.info("two")
    assert not handle.flush(1)  # the terminal's part is missing
    assert [e.message for e in table.entries] == ["one", "two"]
    assert len(text(tmp_path).splitlines()) == 2
    stuck.gate.set()
    assert handle.flush()
    assert [line.rpartition(" - ")[2] for line in stuck.getvalue().splitlines()] == ["one", "two"]


def test_who_logs_never_waits_and_drops_are_counted_and_said_once(
    tmp_path: Path, started: Starter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that hangs: the writer of the files stands still."""
    handle = started(capacity=10, table_sink=None)
    gate = threading.Event()
    file = handle._sinks["trading_bot.log"]
    whole = file.emit
    monkeypatch.setattr(file, "emit", lambda record: (gate.wait(), whole(record)))
    seconds: list[float] = []
    for k in range(100):
        before = time.monotonic()
        LOG.info("%d", k)
        seconds.append(time.monotonic() - before)
    assert sorted(seconds)[-3] < 0.05  # a shared machine may pause now and then
    assert max(seconds) < 0.5
    dropped = handle.dropped
    assert 89 <= dropped <= 90  # ten wait, and the writer may hold one
    assert not handle.flush(0.05)
    gate.set()
    assert handle.flush()
    LOG.info("after")
    handle.close()
    lines = text(tmp_path).splitlines()
    (said,) = [line for line in lines if "dropped" in line]
    assert f"{dropped} log records were dropped" in said
    assert len(lines) == 100 - dropped + 2
    assert handle.dropped == dropped


def test_closing_does_not_wait_for_a_disk_that_hangs(
    started: Starter, monkeypatch: pytest.MonkeyPatch
) -> None:
    handle = started(table_sink=None)
    gate = threading.Event()
    monkeypatch.setattr(handle._sinks["trading_bot.log"], "emit", lambda record: gate.wait())
    LOG.info("one")
    before = time.monotonic()
    handle.close(0.1)
    assert time.monotonic() - before < 2
    gate.set()
    handle._thread.join(5)
    assert not handle._thread.is_alive()


def test_a_sink_that_fails_is_said_once_and_the_others_go_on(
    tmp_path: Path, started: Starter, monkeypatch: pytest.MonkeyPatch, table: Table
) -> None:
    handle = started(console=False)
    broken = handle._sinks["engine.jsonl"]
    monkeypatch.setattr(broken, "format", lambda record: 1 / 0)
    stderr = io.StringIO()
    monkeypatch.setattr("sys.stderr", stderr)
    for k in range(3):
        LOG.info("line %d", k)
    assert handle.flush()
    assert handle.flush()  # what the failure itself had to say
    monkeypatch.undo()
    LOG.info("whole again")
    assert handle.flush()
    handle.close()
    lines = [line.split(" - ", 3)[3] for line in text(tmp_path).splitlines()]
    assert [line for line in lines if line.startswith("line")] == ["line 0", "line 1", "line 2"]
    (said,) = [line for line in lines if "cannot be written" in line]
    assert said.startswith("log file engine.jsonl cannot be written: ZeroDivisionError")
    (again,) = [line for line in lines if "works again" in line]
    assert again.startswith(
        "log file engine.jsonl works again; failed 4 times"
    )  # three and the report
    assert stderr.getvalue().startswith(
        "log file engine.jsonl cannot be written: ZeroDivisionError"
    )
    assert len(table.entries) == 6
    assert objects(tmp_path)[0]["message"] == "whole again"


def test_a_closed_terminal_stops_nothing(
    tmp_path: Path, started: Starter, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = io.StringIO()
    monkeypatch.setattr("sys.stderr", terminal)
    handle = started(console=True)
    terminal.close()
    LOG.info("still here")
    assert handle.flush()
    handle.close()
    assert "still here" in text(tmp_path)


def test_a_table_that_fails_is_said_once_and_gets_all_lines_later(
    tmp_path: Path, started: Starter, table: Table
) -> None:
    table.errors = [JournalBusy("the log table: x.db is locked")] * 3
    handle = started()
    for k in range(20):
        LOG.info("%d", k)
    assert handle.flush(10)
    assert "19" in text(tmp_path)
    handle.close()
    messages = [e.message for e in table.entries]
    assert messages[:20] == [str(k) for k in range(20)]
    said = [m for m in messages if "auto_trading_logs" in m]
    assert said[0] == "auto_trading_logs cannot be written: the log table: x.db is locked"
    assert said[1].startswith("auto_trading_logs works again; failed 3 times")
    assert len(said) == 2


def test_closing_does_not_wait_for_a_table_that_hangs(
    tmp_path: Path, started: Starter, table: Table
) -> None:
    table.gate.clear()
    handle = started()
    LOG.info("one")
    LOG.info("two")
    before = time.monotonic()
    handle.close(0.3)
    assert time.monotonic() - before < 3
    assert "log table: 2 lines were not written; the files have them" in text(tmp_path)


def test_a_record_that_cannot_be_kept_does_not_stop_who_logs_it(started: Starter) -> None:
    class Broken(dict[str, int]):
        def items(self) -> Any:
            raise RuntimeError("no")

    handle = started()
    LOG.info("x", extra={"data": Broken(a=1)})
    assert handle.dropped == 1


def test_a_process_beside_the_engine_has_files_of_its_own(tmp_path: Path) -> None:
    """Two processes that put one file aside at midnight would lose lines."""
    handle = setup_logging(
        tmp_path, level=logging.INFO, console=False, table_sink=None, clock=SystemClock(),
        own="reach",
    )  # fmt: skip
    logging.getLogger("auto_trading.reach.lane").error("down")
    handle.close()
    assert {file.name for file in tmp_path.iterdir()} == {"reach.log", "reach.jsonl"}
    assert '"component":"NOTIFIER"' in (tmp_path / "reach.jsonl").read_text()
