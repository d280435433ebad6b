"""Files that the log is written to. A sink that fails raises; who calls it decides what then."""

import logging
from datetime import timedelta
from logging.handlers import BaseRotatingHandler, RotatingFileHandler
from pathlib import Path
from typing import Final

from crypto_trader_pro.domain.errors import ConfigError
from crypto_trader_pro.domain.timeframes import to_datetime
from utils.log_records import JsonFormatter, TextFormatter

DAYS_KEPT: Final = 30
MEGABYTES: Final = 10
ERRORS_KEPT: Final = 5
JSON_KEPT: Final = 10
_ERRORS: Final = "backslashreplace"  # a lone surrogate must not cost a line


class _Raises(logging.Handler):
    """A handler that lets its error out instead of printing it."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  logging's name
        raise  # `emit` calls this inside its except clause


class DailyFile(_Raises, BaseRotatingHandler):
    """One file a day (UTC); the past ones are `NAME.2024-01-31`, the newest `kept` of them.

    The day is that of the records, so a clock other than the machine's works too. Where the past
    day's file is there already (a second process, a clock set back), nothing is moved over it.
    """

    def __init__(self, file: Path, kept: int = DAYS_KEPT) -> None:
        self._file = file
        self._kept = kept
        has_lines = file.exists() and file.stat().st_size > 0
        self._day = _day(file.stat().st_mtime) if has_lines else ""  # of what is in the file
        self._coming = ""  # of the record that is about to be written
        super().__init__(file, "a", encoding="utf-8", errors=_ERRORS)

    def shouldRollover(self, record: logging.LogRecord) -> bool:  # noqa: N802
        self._coming = _day(record.created)
        if not self._day:
            self._day = self._coming
        return self._coming > self._day

    def doRollover(self) -> None:  # noqa: N802
        if self.stream:
            self.stream.close()
        past = self._file.with_name(f"{self._file.name}.{self._day}")
        if not past.exists() and self._file.exists():
            self._file.rename(past)
        self.stream = self._open()
        self._day = self._coming
        for old in sorted(self._file.parent.glob(f"{self._file.name}.????-??-??"))[: -self._kept]:
            old.unlink()


class SizedFile(_Raises, RotatingFileHandler):
    """A file that is put aside when it is full."""

    def __init__(self, file: Path, kept: int) -> None:
        size = MEGABYTES * 2**20
        super().__init__(
            file, "a", maxBytes=size, backupCount=kept, encoding="utf-8", errors=_ERRORS
        )


def open_files(folder: Path, own: str = "") -> dict[str, logging.Handler]:
    """Return the three files of `folder`, by name; two of another process's, called `own`.

    Raises:
        ConfigError: the folder or a file cannot be written.
    """
    opened: dict[str, logging.Handler] = {}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lines, objects = f"{own or 'trading_bot'}.log", f"{own or 'engine'}.jsonl"
        opened[lines] = DailyFile(folder / lines)
        if not own:
            opened["errors.log"] = SizedFile(folder / "errors.log", ERRORS_KEPT)
            opened["errors.log"].setLevel(logging.ERROR)
        opened[objects] = SizedFile(folder / objects, JSON_KEPT)
    except OSError as e:
        for handler in opened.values():
            handler.close()
        raise ConfigError(f"log folder {folder} cannot be written: {e.strerror}") from e
    for name, handler in opened.items():
        handler.setFormatter(JsonFormatter() if name.endswith(".jsonl") else TextFormatter())
    return opened


def _day(seconds: float) -> str:
    return (to_datetime(0) + timedelta(seconds=seconds)).date().isoformat()
