"""`$CTP_VAR_DIR/consoles`: one small file per console process, so that `down` finds them all."""

import json
from contextlib import suppress
from pathlib import Path
from typing import Final

from crypto_trader_pro.domain.errors import ConfigError
from utils.processes import ProcessId, is_gone

_FOLDER: Final = "consoles"


def register(var_dir: Path, process: ProcessId, port: int) -> None:
    """Note that `process` serves a console of this folder. Doing it again changes nothing.

    Raises:
        ConfigError: the file cannot be written.
    """
    file = var_dir / _FOLDER / f"{process.pid}.json"
    content = json.dumps({"process": list(process), "port": port})
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        waiting = file.with_suffix(".tmp")
        waiting.write_text(content, encoding="utf-8")
        waiting.replace(file)
    except OSError as e:
        raise ConfigError(f"{file} cannot be written: {e.strerror}") from e


def running(var_dir: Path) -> list[tuple[ProcessId, int]]:
    """Return the consoles that may still run, with their ports; files of ended ones are removed."""
    found = []
    for file in sorted((var_dir / _FOLDER).glob("*.json")):
        entry = _read(file)
        if entry is None or is_gone(entry[0]):
            with suppress(OSError):
                file.unlink(missing_ok=True)
        else:
            found.append(entry)
    return found


def _read(file: Path) -> tuple[ProcessId, int] | None:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        host, pid, started = content["process"]
        return ProcessId(str(host), int(pid), int(started)), int(content["port"])
    except (OSError, ValueError, KeyError, TypeError):
        return None  # half a file of a full disk: there is nobody to be found by it
