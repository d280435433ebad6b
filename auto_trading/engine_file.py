"""`$CTP_VAR_DIR/engine.json`: which engine process works here, told without the database."""

from dataclasses import dataclass
from pathlib import Path

from utils import process_files
from utils.process_files import ProcessFile
from utils.processes import ProcessId


@dataclass(frozen=True, slots=True)
class EngineFile(ProcessFile):
    """The engine of this var folder as of its last heartbeat."""

    epoch: int
    observed_state: str
    trading_state: str
    entries: str  # "allowed", or what forbids new risk right now
    at: str  # system time, ISO 8601


def write(var_dir: Path, content: EngineFile) -> bool:
    """Store it, whole or not at all; False where a later engine's file stands and was left alone.

    Raises:
        OSError: the file cannot be written.
    """
    found = read(var_dir)
    if found is not None and found.epoch > content.epoch and not _is_free(found, content.process):
        return False  # this process has slept and does not know yet that it lost the account
    process_files.store(_path(var_dir), content)
    return True


def read(var_dir: Path) -> EngineFile | None:
    """Return what the last engine of this folder wrote; None before the first."""
    return process_files.load(_path(var_dir), EngineFile)


def remove(var_dir: Path, process: ProcessId | None = None) -> None:
    """Remove the file.

    Args:
        process: only if the file is of this one: an engine that lost the account leaves the file
            of the one that has it.
    """
    found = read(var_dir)
    if process is None or found is None or found.process == process:
        _path(var_dir).unlink(missing_ok=True)


def _is_free(found: EngineFile, me: ProcessId) -> bool:
    return found.process == me or not found.is_alive


def _path(var_dir: Path) -> Path:
    return var_dir / "engine.json"
