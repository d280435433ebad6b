"""Stopping without the database: a file in `$CTP_VAR_DIR/control` is enough.

The engine looks every few hundredths of a second. A file stays until the engine has stored what
it did, so that a crash in between loses no stop.
"""

import logging
import os
from pathlib import Path
from typing import Final, NamedTuple

from crypto_trader_pro.domain.enums import CommandKind
from utils.flags import put_flag

log = logging.getLogger(__name__)

FLAGS: Final = (CommandKind.EMERGENCY_STOP, CommandKind.STOP, CommandKind.SHUTDOWN)
_LONGEST: Final = 64  # characters of who put it up, as the tables take it


class Flag(NamedTuple):
    """A flag that is up."""

    kind: CommandKind
    by: str
    mark: tuple[int, int]  # of the file: the same kind put up once more has another


class Flags:
    """The flag files of one var folder, most urgent first."""

    def __init__(self, var_dir: Path) -> None:
        self._folder = var_dir / "control"

    def path(self, kind: CommandKind) -> Path:
        """Return the file that asks for `kind`."""
        return self._folder / kind.value

    def put(self, kind: CommandKind, by: str) -> None:
        """Put up a flag, whole or not at all.

        Raises:
            ConfigError: the file cannot be written.
        """
        put_flag(self._folder.parent, kind, by)

    def up(self) -> list[Flag]:
        """Return the flags that are up, most urgent first. What is in a file does not matter."""
        found = []
        for kind in FLAGS:
            path = self.path(kind)
            try:
                about = path.lstat()
            except OSError:  # not there, or the folder is none
                continue
            found.append(Flag(kind, _author(path), (about.st_ino, about.st_mtime_ns)))
        return found

    def take_down(self, kind: CommandKind) -> None:
        """Remove a flag; one that cannot be removed is obeyed again at the next start."""
        try:
            self.path(kind).unlink(missing_ok=True)
        except OSError as e:
            log.warning("flag %s cannot be removed: %s", self.path(kind), e.strerror)


def _author(path: Path) -> str:
    """Return who put a flag up, as far as its content says so in print."""
    try:
        # a pipe instead of a file must not hold the reader up
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        try:
            text = os.read(handle, 4 * _LONGEST).decode("utf-8", errors="replace")
        finally:
            os.close(handle)
    except OSError:
        return "file"
    return "".join(c for c in text.strip() if c.isprintable())[:_LONGEST] or "file"
