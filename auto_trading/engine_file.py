"""`$CTP_VAR_DIR/engine.json`: which engine process works here, told without the database."""

import json
from contextlib import suppress
from dataclasses import asdict, dataclass
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


def write(var_dir: Path, content: EngineFile) -> None:
    """Store it, whole or not at all."""
    path = _path(var_dir)
    waiting = path.with_suffix(".tmp")
    waiting.write_text(json.dumps(asdict(content)), encoding="utf-8")
    waiting.replace(path)


def read(var_dir: Path) -> EngineFile | None:
    """Return what the last engine of this folder wrote; None before the first."""
    with suppress(OSError, ValueError, TypeError):
        return EngineFile(**json.loads(_path(var_dir).read_text(encoding="utf-8")))
    return None


def remove(var_dir: Path) -> None:
    _path(var_dir).unlink(missing_ok=True)


def _path(var_dir: Path) -> Path:
    return var_dir / "engine.json"
