"""Small JSON files that tell which process works in a folder, without the database."""

import json
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TypeVar

from utils.processes import ProcessId, is_gone


@dataclass(frozen=True, slots=True)
class ProcessFile:
    """A process as of its last sign of life."""

    host: str
    pid: int
    pid_started: int

    @property
    def process(self) -> ProcessId:
        return ProcessId(self.host, self.pid, self.pid_started)

    @property
    def is_alive(self) -> bool:
        """True unless the process has provably ended."""
        return not is_gone(self.process)


_File = TypeVar("_File", bound=ProcessFile)


def store(path: Path, content: ProcessFile) -> None:
    """Store it, whole or not at all.

    Raises:
        OSError: the file cannot be written.
    """
    waiting = path.with_suffix(".tmp")
    waiting.write_text(json.dumps(asdict(content)), encoding="utf-8")
    waiting.replace(path)


def load(path: Path, kind: type[_File]) -> _File | None:
    """Return what a process wrote last; None where there is no such file, or another."""
    with suppress(OSError, ValueError, TypeError, RecursionError):
        found = kind(**json.loads(path.read_text(encoding="utf-8")))
        if all(type(getattr(found, f.name)) is f.type for f in fields(found)):
            return found
    return None
