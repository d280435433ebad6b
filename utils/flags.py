"""Stopping without the database: a file in `$CTP_VAR_DIR/control` is enough.

The engine looks every few hundredths of a second. A file stays until the engine has stored what
it did, so that a crash in between loses no stop.
"""

import os
from pathlib import Path
from typing import Final

from crypto_trader_pro.domain.enums import CommandKind
from crypto_trader_pro.domain.errors import ConfigError

FLAGS: Final = (CommandKind.EMERGENCY_STOP, CommandKind.STOP, CommandKind.SHUTDOWN)


class Flags:
    """The flag files of one var folder, most urgent first."""

    def __init__(self, var_dir: Path) -> None:
        self._folder = var_dir / "control"

    def path(self, kind: CommandKind) -> Path:
        return self._folder / kind.value

    def put(self, kind: CommandKind, by: str) -> None:
        """Put up a flag; putting it up again changes nothing.

        Raises:
            ConfigError: the file cannot be written.
        """
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            waiting = self._folder / f".{kind.value}.{os.getpid()}"
            waiting.write_text(by, encoding="utf-8")
            waiting.replace(self.path(kind))
        except OSError as e:
            raise ConfigError(f"flag {self.path(kind)} cannot be written: {e.strerror}") from e

    def up(self) -> list[tuple[CommandKind, str]]:
        """Return the flags that are up and who put them, most urgent first."""
        found = []
        for kind in FLAGS:
            try:
                found.append((kind, self.path(kind).read_text(encoding="utf-8")[:64] or "file"))
            except FileNotFoundError:
                continue
            except (OSError, UnicodeDecodeError):
                found.append((kind, "file"))  # it is there: that is what counts
        return found

    def take_down(self, kind: CommandKind) -> None:
        self.path(kind).unlink(missing_ok=True)
