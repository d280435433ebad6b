"""`$CTP_VAR_DIR/engine.json`: which engine process works here, told without the database."""

import json
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from utils.processes import ProcessId, is_gone


@dataclass(frozen=True, slots=True)
class EngineFile:
    """The engine of this var folder as of its last heartbeat."""

    host: str
    pid: int
    pid_started: int
    epoch: int
    observed_state: str
    trading_state: str
    entries: str  # "allowed", or what forbids new risk right now
    at: str  # system time, ISO 8601

    @property
    def process(self) -> ProcessId:
        return ProcessId(self.host, self.pid, self.pid_started)

    @property
    def is_alive(self) -> bool:
        """True unless the process has provably ended."""
        return not is_gone(self.process)


def write(var_dir: Path, content: EngineFile) -> bool:
    """Store it, whole or not at all; False where a later engine's file stands and was left alone.

    Raises:
        OSError: the file cannot be written.
    """
    found = read(var_dir)
    if found is not None and found.epoch > content.epoch and not _is_free(found, content.process):
        return False  # this process has slept and does not know yet that it lost the account
    path = _path(var_dir)
    waiting = path.with_suffix(".tmp")
    waiting.write_text(json.dumps(asdict(content)), encoding="utf-8")
    waiting.replace(path)
    return True


def read(var_dir: Path) -> EngineFile | None:
    """Return what the last engine of this folder wrote; None before the first."""
    with suppress(OSError, ValueError, TypeError, RecursionError):
        found = EngineFile(**json.loads(_path(var_dir).read_text(encoding="utf-8")))
        if all(type(getattr(found, f.name)) is f.type for f in fields(found)):
            return found
    return None


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
