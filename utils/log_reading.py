"""Reads the engine's JSON log, `engine.jsonl` and the files put aside, without the database."""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from crypto_trader_pro.domain.enums import Component
from crypto_trader_pro.domain.errors import InputError

LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
FILE: Final = "engine.jsonl"
_LOOK_SECONDS: Final = 0.2

Entry = dict[str, Any]


@dataclass(frozen=True, slots=True)
class LogFilter:
    """Which lines are wanted.

    Raises:
        InputError: an unknown level or component.
    """

    level: str | None = None  # this one and those above
    component: str | None = None

    def __post_init__(self) -> None:
        if self.level is not None and self.level not in LEVELS:
            raise InputError(f"level was {self.level!r}, allowed: {', '.join(LEVELS)}")
        if self.component is not None and self.component not in Component.__members__:
            allowed = ", ".join(Component.__members__)
            raise InputError(f"component was {self.component!r}, allowed: {allowed}")

    def wants(self, entry: Entry) -> bool:
        if self.component is not None and entry.get("component") != self.component:
            return False
        if self.level is None:
            return True
        found = entry.get("level")
        return found in LEVELS and LEVELS.index(found) >= LEVELS.index(self.level)


def newest(folder: Path, wanted: LogFilter, lines: int) -> list[Entry]:
    """Return the last `lines` wanted entries, oldest first; files put aside are read as needed."""
    found: list[Entry] = []
    for file in _files(folder):
        if len(found) >= lines:
            break
        earlier = [e for e in _entries(_text(file)) if wanted.wants(e)]
        found = earlier[-(lines - len(found)) :] + found
    return found


def follow(
    folder: Path, wanted: LogFilter, is_over: Callable[[], bool] = lambda: False,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[Entry]:  # fmt: skip
    """Yield wanted entries as they are written, from now on, until `is_over`."""
    file = folder / FILE
    position, identity = _size(file), _identity(file)
    rest = b""
    while not is_over():
        if _identity(file) != identity:  # put aside, a new one was begun
            position, identity, rest = 0, _identity(file), b""
        if _size(file) > position:
            with file.open("rb") as content:
                content.seek(position)
                new = content.read()
            position += len(new)
            whole, _, rest = (rest + new).rpartition(b"\n")
            yield from (e for e in _entries(whole.decode(errors="replace")) if wanted.wants(e))
        else:
            sleep(_LOOK_SECONDS)


def text_of(entry: Entry) -> str:
    """Return an entry as one line that moves no cursor and breaks no line."""
    parts = [str(entry.get(name, "-")) for name in ("at", "level", "component", "message")]
    if entry.get("data"):
        parts.append(json.dumps(entry["data"], ensure_ascii=False, separators=(",", ":")))
    if entry.get("correlation_id"):
        parts.append(f"[{entry['correlation_id']}]")
    line = " ".join(parts)
    if entry.get("exception"):
        line += " | " + str(entry["exception"]).strip().splitlines()[-1]
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in line)


def _files(folder: Path) -> Iterator[Path]:
    """Yield the log and those put aside, newest first."""
    yield folder / FILE
    number = 1
    while (file := folder / f"{FILE}.{number}").exists():
        yield file
        number += 1


def _entries(text: str) -> Iterator[Entry]:
    for line in text.split("\n"):
        try:
            entry = json.loads(line)
        except ValueError:
            continue  # the last line of a killed process
        if isinstance(entry, dict):
            yield entry


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return ""


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except FileNotFoundError:
        return 0


def _identity(file: Path) -> int:
    try:
        return file.stat().st_ino
    except FileNotFoundError:
        return 0
