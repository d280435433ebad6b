"""`$CTP_VAR_DIR/reach.json`: which process sends messages here, told without the database."""

from dataclasses import dataclass
from pathlib import Path

from utils import process_files
from utils.process_files import ProcessFile
from utils.processes import ProcessId


@dataclass(frozen=True, slots=True)
class ReachFile(ProcessFile):
    """The process as of its last sign of life."""

    port: int  # of its HTTP server
    at: str  # system time, ISO 8601


def write(var_dir: Path, content: ReachFile) -> None:
    """Store it, whole or not at all.

    Raises:
        OSError: the file cannot be written.
    """
    process_files.store(_path(var_dir), content)


def read(var_dir: Path) -> ReachFile | None:
    """Return what the last such process of this folder wrote; None before the first."""
    return process_files.load(_path(var_dir), ReachFile)


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
