"""Logging of the engine: nobody who logs ever waits, and no sink can stop another.

    handle = setup_logging(folder, level=logging.INFO, console=False, table_sink=sink, clock=clock)
    ...
    handle.close()

A record goes into a bounded queue; one thread takes the secrets out and writes the files, others
the log table and the terminal, which may hang. `trading_bot.log` begins anew at midnight (UTC),
`errors.log` has ERROR and above, `engine.jsonl` one JSON object a line. Modules log as ever:

    log = logging.getLogger(__name__)
    log.info("filled %s", symbol, extra={"data": {"price": price}})
"""

import logging
import sys
import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from typing import Final, Generic, TextIO, TypeVar

from crypto_trader_pro.domain.ports import Clock, LogSink
from utils.batch_writer import BatchWriter
from utils.failure_log import FailureLog
from utils.log_files import open_files
from utils.log_records import TextFormatter, entry_of, frozen, redact
from utils.redaction import Redactor

log = logging.getLogger(__name__)

CAPACITY: Final = 10_000
_TABLE: Final = "auto_trading_logs"
_TABLE_LINGER: Final = 0.5  # seconds; each batch takes the database's one write lock for a moment
# they work in the background: in production only what is wrong, in development everything
_BACKGROUND: Final = ("apscheduler", "auto_trading.jobs")
# they would tell each statement and each request, headers included
_LIBRARIES: Final = (
    "PIL", "aiohttp", "aiosmtplib", "asyncio", "ccxt", "httpcore", "httpx", "mail.log",
    "matplotlib", "sqlalchemy", "telegram", "urllib3", "uvicorn", "websockets",
)  # fmt: skip

_Sinks = dict[str, logging.Handler]
_Item = TypeVar("_Item")


class _QueueHandler(logging.Handler):
    """Takes records in; drops and counts them when the queue is full."""

    def __init__(self, capacity: int, clock: Clock) -> None:
        super().__init__()
        # not queue.Queue: its lock would hang a signal handler that logs while its thread logs
        self.queue: SimpleQueue[logging.LogRecord | threading.Event | None] = SimpleQueue()
        self._capacity = capacity
        self._clock = clock
        self.run_id: int | None = None
        self.dropped = 0

    @property
    def has_room(self) -> bool:
        """True when at least half of the queue is free."""
        return 2 * self.queue.qsize() <= self._capacity

    def stamped(self, record: logging.LogRecord) -> logging.LogRecord:
        """Return the record as it goes to the sinks, with the time that it is now."""
        return frozen(record, self._clock.now_ms(), self.run_id)

    def emit(self, record: logging.LogRecord) -> None:
        if self.queue.qsize() >= self._capacity:
            self.dropped += 1
            return
        try:
            self.queue.put(self.stamped(record))
        except Exception:  # noqa: BLE001  whatever is wrong with a record, who logs it goes on
            self.dropped += 1


class _Slow(logging.Handler, Generic[_Item]):
    """Hands records on to a sink that has a thread of its own, because it may hang."""

    def __init__(
        self, writer: BatchWriter[_Item], form: Callable[[logging.LogRecord], _Item], level: int = 0
    ) -> None:
        super().__init__(level)
        self.writer = writer
        self._form = form

    def emit(self, record: logging.LogRecord) -> None:
        self.writer.put(self._form(record))


class LoggingHandle:
    """The running log. Made by `setup_logging`."""

    def __init__(
        self, intake: _QueueHandler, sinks: _Sinks, redactor: Redactor, trouble: FailureLog
    ) -> None:
        self._intake = intake
        self._sinks = sinks
        self._slow = {n: s.writer for n, s in sinks.items() if isinstance(s, _Slow)}
        self._redactor = redactor
        self._trouble = trouble
        self._reported = 0
        self._levels: dict[str, int] = {}
        self._thread_hook = threading.excepthook
        self._thread = threading.Thread(target=self._listen, name="log writer", daemon=True)
        self._is_open = False

    def start(self, level: int) -> None:
        """Take over the root logger. Called once, by `setup_logging`."""
        root = logging.getLogger()
        production = level > logging.DEBUG
        wanted = {"": level} | dict.fromkeys(_LIBRARIES, max(level, logging.WARNING))
        if production:
            wanted |= dict.fromkeys(_BACKGROUND, max(level, logging.WARNING))
        for name, new in wanted.items():
            logger = logging.getLogger(name)
            self._levels[name] = logger.level
            logger.setLevel(new)
        root.addHandler(self._intake)
        threading.excepthook = _log_death
        self._is_open = True
        self._thread.start()

    @property
    def run_id(self) -> int | None:
        """The run that records belong to, where they do not say another."""
        return self._intake.run_id

    @run_id.setter
    def run_id(self, run_id: int | None) -> None:
        self._intake.run_id = run_id

    @property
    def waiting(self) -> int:
        """Records that nothing has been written of yet."""
        return self._intake.queue.qsize()

    @property
    def dropped(self) -> int:
        """Records that no file has, because the queue was full."""
        return self._intake.dropped

    def flush(self, timeout: float = 5.0) -> bool:
        """Wait until all that was logged is written; False when `timeout` seconds did not do."""
        if not self._handed_on(timeout):
            return False
        return False not in [writer.flush(timeout) for writer in self._slow.values()]

    def close(self, timeout: float = 5.0) -> None:
        """Write what there is, at most `timeout` seconds for each thread, and let go of all."""
        if not self._is_open:
            return
        self._handed_on(timeout)
        for name, writer in self._slow.items():
            left = writer.close(timeout)
            if left:
                log.warning("log %s: %d lines were not written; the files have them", name, left)
        self._is_open = False
        logging.getLogger().removeHandler(self._intake)
        if threading.excepthook is _log_death:
            threading.excepthook = self._thread_hook
        for name, level in self._levels.items():
            logging.getLogger(name).setLevel(level)
        self._intake.queue.put(None)
        self._thread.join(timeout)

    def _handed_on(self, timeout: float) -> bool:
        """Wait until all that was logged is in the files and with the sinks' own threads."""
        reached = threading.Event()
        self._intake.queue.put(reached)
        return reached.wait(timeout)

    def _listen(self) -> None:
        queue = self._intake.queue
        while (item := queue.get()) is not None:
            if isinstance(item, threading.Event):
                item.set()
                continue
            self._write(item)
            if self._intake.has_room:
                self._report_drops()
        self._report_drops()
        for sink in self._sinks.values():
            with suppress(OSError):  # a full disk is no reason not to end
                sink.close()

    def _write(self, record: logging.LogRecord) -> None:
        redact(record, self._redactor)
        for name, sink in self._sinks.items():
            if record.levelno < sink.level:
                continue
            try:
                sink.handle(record)
            except Exception as e:  # noqa: BLE001  whatever it is, the other sinks go on
                self._say(name, f"log file {name} cannot be written: {type(e).__name__}: {e}")
            else:
                self._trouble.recovered(f"log file {name}")

    def _say(self, name: str, text: str) -> None:
        is_news = self._trouble.failed(f"log file {name}", text)
        if is_news and "console" not in self._sinks and sys.stderr is not None:
            with suppress(OSError, ValueError):  # it may be closed: then nobody is listening
                sys.stderr.write(f"{self._redactor.text(text)}\n")

    def _report_drops(self) -> None:
        """Say once for a whole flood how many records it cost."""
        dropped = self._intake.dropped - self._reported
        if dropped:
            self._reported += dropped
            text = "%d log records were dropped: more came than could be written"
            record = log.makeRecord(
                log.name, logging.WARNING, __file__, 0, text, (dropped,), None,
                extra={"data": {"dropped": dropped}},
            )  # fmt: skip
            self._write(self._intake.stamped(record))


def setup_logging(
    folder: Path, *, level: int, console: bool, table_sink: LogSink | None, clock: Clock,
    secrets: Iterable[str] = (), capacity: int = CAPACITY, own: str = "",
) -> LoggingHandle:  # fmt: skip
    """Send everything that is logged in this process to the sinks; the caller closes the handle.

    Args:
        level: logging.INFO in production: actions of people at INFO, background work and
            libraries from WARNING on. logging.DEBUG in development.
        console: also write to stderr; stdout belongs to a command's answer.
        table_sink: the log table, from INFO on; it has a thread of its own.
        clock: system time.
        secrets: values that no sink may show; known shapes of secrets are hidden anyway.
        capacity: records that may wait to be written, and lines that may wait for the table.
        own: of a process beside the engine: the name of its files, `NAME.log` and `NAME.jsonl`.

    Raises:
        ConfigError: the folder cannot be written.
    """
    sinks = open_files(folder, own)
    trouble = FailureLog(log)
    if console:
        printer = BatchWriter("console", partial(_print, sys.stderr), trouble, capacity=capacity)
        sinks["console"] = _Slow(printer, TextFormatter().format)
    if table_sink is not None:
        table = BatchWriter(
            _TABLE, table_sink.write, trouble, capacity=capacity, linger_seconds=_TABLE_LINGER
        )
        sinks["table"] = _Slow(table, entry_of, logging.INFO)
    handle = LoggingHandle(_QueueHandler(capacity, clock), sinks, Redactor(secrets), trouble)
    handle.start(level)
    return handle


def _print(terminal: TextIO, lines: Sequence[str]) -> None:
    terminal.write("".join(f"{line}\n" for line in lines))
    terminal.flush()


def _log_death(arguments: threading.ExceptHookArgs) -> None:
    """Log the exception that ended a thread, instead of printing it with all it may show."""
    if arguments.exc_value is None or isinstance(arguments.exc_value, SystemExit):
        return
    name = arguments.thread.name if arguments.thread else "unknown"
    log.critical("thread %s died", name, exc_info=arguments.exc_value)
