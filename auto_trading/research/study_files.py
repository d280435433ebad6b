"""The folder of a study: what was asked, every finished result, and what came of it.

    var/research/<id>/spec.json      what was asked, enough to go on with
                      results.jsonl  one line per finished task, written when it finished
                      summary.json   what came of it

A study whose process was killed goes on from its folder: a line that was cut off is dropped, every
whole one is kept.
"""

import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import IO, Any, Final

from crypto_trader_pro.domain.errors import ConfigError, InputError
from utils.locks import exclusive

FOLDER: Final = "research"
_ID: Final = re.compile(r"([a-z][a-z-]*)-([1-9][0-9]{0,8})")
_SYNC_LINES: Final = 64  # lines, or
_SYNC_SECONDS: Final = 1.0  # seconds, after which what was written is forced to the disk


class StudyFiles:
    """The files of one study."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def id(self) -> str:
        return self.folder.name

    @classmethod
    def new(cls, var_dir: Path, kind: str, spec: Mapping[str, Any]) -> "StudyFiles":
        """Make the folder of a new study; it gets the next free number.

        Raises:
            ConfigError: the folder cannot be made.
        """
        parent = var_dir / FOLDER
        try:
            parent.mkdir(parents=True, exist_ok=True)
            number = 1 + max((n for k, n in _ids(parent) if k == kind), default=0)
            while True:
                files = cls(parent / f"{kind}-{number}")
                try:
                    files.folder.mkdir()
                    break
                except FileExistsError:  # another process was quicker
                    number += 1
            _replace(files.folder / "spec.json", spec)
        except OSError as e:
            raise ConfigError(f"{parent} cannot be written: {e.strerror}") from e
        return files

    @classmethod
    def find(cls, var_dir: Path, study_id: str) -> "StudyFiles":
        """Return the study of an id.

        Raises:
            InputError: there is none.
        """
        files = cls(var_dir / FOLDER / study_id)
        if not _ID.fullmatch(study_id) or not (files.folder / "spec.json").is_file():
            known = ", ".join(f"{k}-{n}" for k, n in sorted(_ids(var_dir / FOLDER))[-5:])
            raise InputError(f"there is no study {study_id!r}; known: {known or 'none'}")
        return files

    @property
    def spec(self) -> dict[str, Any]:
        """What was asked.

        Raises:
            InputError: it cannot be read.
        """
        path = self.folder / "spec.json"
        try:
            found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as e:
            raise InputError(f"{path} cannot be read: {e}") from None
        return found

    def finish(self, summary: Mapping[str, Any]) -> Path:
        """Store what came of it and return the file."""
        path = self.folder / "summary.json"
        _replace(path, summary)
        return path

    @contextmanager
    def results(self) -> Iterator["Results"]:
        """Open the results, for this process alone.

        Raises:
            InputError: another process works on this study, or a result cannot be read.
        """
        with exclusive(self.folder / "lock", f"research {self.id}"):
            path = self.folder / "results.jsonl"
            known = _stored(path)
            with path.open("a", encoding="utf-8") as file:
                results = Results(known, file)
                try:
                    yield results
                finally:
                    results.sync()


class Results:
    """Finished results by key; what is added is in the file at once."""

    def __init__(self, known: dict[str, Any], file: IO[str]) -> None:
        self._known = known
        self._file = file
        self._unsynced = 0
        self._synced_at = monotonic()

    def __contains__(self, key: object) -> bool:
        return key in self._known

    def __getitem__(self, key: str) -> Any:
        return self._known[key]

    def __len__(self) -> int:
        return len(self._known)

    def add(self, key: str, value: Any) -> Any:
        """Store a result; return it as it will be read again."""
        text = json.dumps({"key": key, "value": value}, ensure_ascii=False, allow_nan=False)
        # flushed, it outlives this process; what follows is for the machine's own death
        self._file.write(text + "\n")
        self._file.flush()
        self._known[key] = json.loads(text)["value"]
        self._unsynced += 1
        if self._unsynced >= _SYNC_LINES or monotonic() - self._synced_at > _SYNC_SECONDS:
            self.sync()
        return self._known[key]

    def sync(self) -> None:
        """Wait until everything is on the disk."""
        if self._unsynced:
            os.fsync(self._file.fileno())
        self._unsynced, self._synced_at = 0, monotonic()


def _stored(path: Path) -> dict[str, Any]:
    """Return the results in a file, and cut off a line that was not finished."""
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        return {}
    whole = raw[: raw.rfind(b"\n") + 1]
    if len(whole) < len(raw):
        os.truncate(path, len(whole))
    known = {}
    for number, line in enumerate(whole.splitlines(), 1):
        try:
            record = json.loads(line)
            known[record["key"]] = record["value"]
        except (ValueError, KeyError, TypeError):
            raise InputError(f"{path}: line {number} is no result; remove it and go on") from None
    return known


def _ids(parent: Path) -> Iterator[tuple[str, int]]:
    if not parent.is_dir():
        return
    for folder in parent.iterdir():
        if match := _ID.fullmatch(folder.name):
            yield match[1], int(match[2])


def _replace(path: Path, value: Mapping[str, Any]) -> None:
    """Write a JSON file whole or not at all."""
    draft = path.with_suffix(".draft")
    with draft.open("w", encoding="utf-8") as file:
        json.dump(value, file, ensure_ascii=False, allow_nan=False, indent=1)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
