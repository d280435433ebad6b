"""`$CTP_VAR_DIR/reach.json`: which process sends messages here, told without the database."""

import json
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from utils.processes import ProcessId, is_gone


@dataclass(frozen=True, slots=True)
class ReachFile:
    """The process as of its last sign of life."""

    host: str
    pid: int
    pid_started: int
    port: int  # of its HTTP server
    at: str  # system time, ISO 8601

    @property
    def process(self) -> ProcessId:
        return ProcessId(self.host, self.pid, self.pid_started)

    @property
    def is_alive(self) -> bool:
        """True unless the process has provably ended."""
        return not is_gone(self.process)


def write(var_dir: Path, content: ReachFile) -> None:
    """Store it, whole or not at all.

    Raises:
        OSError: the file cannot be written.
    """
    path = _path(var_dir)
    waiting = path.with_suffix(".json.tmp")
    waiting.write_text(json.dumps(asdict(content)), encoding="utf-8")
    waiting.replace(path)


def read(var_dir: Path) -> ReachFile | None:
    """Return what the last such process of this folder wrote; None before the first."""
    with suppress(OSError, ValueError, TypeError, RecursionError):
        found = ReachFile(**json.loads(_path(var_dir).read_text(encoding="utf-8")))
        if all(type(getattr(found, f.name)) is f.type for f in fields(found)):
            return found
    return None


def living(var_dir: Path) -> ProcessId | None:
    """Return the process that sends messages of this folder; None where none does."""
    found = read(var_dir)
    return found.process if found is not None and found.is_alive and found.pid > 0 else None


def remove(var_dir: Path, process: ProcessId) -> None:
    """Remove the file, unless it is of a process that came after this one."""
    found = read(var_dir)
    if found is not None and found.process == process:
        _path(var_dir).unlink(missing_ok=True)


def _path(var_dir: Path) -> Path:
    return var_dir / "reach.json"
