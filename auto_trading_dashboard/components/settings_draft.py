"""A draft of changes, checked as the engine will check it. Draws nothing.

A draft holds values as a command carries them: numbers with decimals as text, so that none ever
passes through a float.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any, Final, Literal

from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from config.catalogue import Key, item_of, keys, kind_of, takes_null
from config.catalogue import Path as KeyPath
from config.documents import read_document
from config.effects import Effect, changed, effect_of, risk_of, value_at
from config.faults import Fault, SettingsError
from config.loading import load, overridden
from config.settings import FILES, Settings
from config.variables import text_value
from config.versions import fingerprint
from crypto_trader_pro.domain.instruments import plain

Draft = Mapping[str, Any]  # dotted key -> value as a command carries it
_WHOLE: Final = re.compile(r"-?[0-9]{1,18}")


@dataclass(frozen=True, slots=True)
class Files:
    """What the three files and the environment of this process say now.

    Args:
        settings: None: they cannot be used, see `faults`.
        outside: keys that a variable sets, and what sets each.
        written: keys that a file has; the others have their default.
        base: fingerprint of the files.
    """

    settings: Settings | None
    faults: tuple[Fault, ...]
    outside: Mapping[KeyPath, str]
    written: frozenset[KeyPath]
    base: str

    def origin_of(self, path: KeyPath) -> Literal["outside", "file", "default"]:
        """Return where the value in force comes from."""
        if path in self.outside:
            return "outside"
        return "file" if path in self.written else "default"


@dataclass(frozen=True, slots=True)
class Step:
    """One key that will change, with what it does."""

    path: KeyPath
    old: Any
    new: Any
    effect: Effect
    risk: str | None


@dataclass(frozen=True, slots=True)
class Checked:
    """A draft laid over the files.

    Args:
        settings: None: it cannot be used, see `faults`.
    """

    settings: Settings | None
    faults: tuple[Fault, ...]

    def of(self, path: KeyPath) -> list[Fault]:
        """Return the faults of one key."""
        return [fault for fault in self.faults if path_of(fault.key) == path]


def files_now(folder: Path) -> Files:
    """Read the files; a broken one is a fault, never an error."""
    base = fingerprint(folder)
    try:
        outside: Mapping[KeyPath, str] = overridden()
        settings: Settings | None = load(folder)
        faults: tuple[Fault, ...] = ()
    except SettingsError as e:
        outside, settings, faults = {}, None, e.faults
    trees = {name: read_document(folder / name).tree or {} for name in FILES}
    written = frozenset(p for p, key in keys().items() if _has(trees[key.file], p))
    return Files(settings, faults, outside, written, base)


def checked(folder: Path, draft: Draft) -> Checked:
    """Check a draft as the engine does: each value, and the whole."""
    try:
        return Checked(load(folder, overrides=draft), ())
    except SettingsError as e:
        return Checked(None, e.faults)


def steps(before: Settings, after: Settings) -> tuple[Step, ...]:
    """Return each key that differs, when it takes effect and why it raises risk."""
    return tuple(
        Step(
            path, value_at(before, path), value_at(after, path),
            effect_of(path, before, after), risk_of(path, before, after),
        )
        for path in changed(before, after)
    )  # fmt: skip


def path_of(key: str) -> KeyPath:
    """Return the path of a dotted key, without the index of a list's item."""
    return tuple(key.partition("[")[0].split("."))


def as_given(key: Key, raw: Any) -> Any:
    """Return what a control holds as a command carries it.

    >>> as_given(keys()[("limits", "max_order_notional")], " ")
    >>> as_given(keys()[("limits", "max_leverage")], "1.50")
    '1.50'
    """
    item = item_of(key.annotation)
    if item is not None and isinstance(raw, str):  # one item per line
        items = [line.strip() for line in raw.splitlines() if line.strip()]
        return [_item(item, text) for text in items]
    if isinstance(raw, str):
        text = raw.strip()
        return None if not text and takes_null(key.annotation) else text
    return list(raw) if isinstance(raw, list | tuple) else raw


def is_same(key: Key, given: Any, value: Any) -> bool:
    """True when what a command would carry is the value in force."""
    meant = text_value(key.annotation, given) if isinstance(given, str) else given
    return bool(type(meant) is not bool or isinstance(value, bool)) and meant == plainly(value)


def plainly(value: Any) -> Any:
    """Return a setting as its file has it: words, numbers, lists."""
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, tuple | list):
        return [plainly(item) for item in value]
    return value


def as_text(value: Any) -> str:
    """Return a value as a text control shows it; a list has one item per line."""
    value = plainly(value)
    if value is None:
        return ""
    if isinstance(value, list):
        return "\n".join(as_text(item) for item in value)
    return f"{plain(value):f}" if isinstance(value, Decimal) else str(value)


def carried(settings: Settings, paths: Sequence[KeyPath]) -> dict[str, Any]:
    """Return the values of keys as a command carries them."""
    found = {".".join(path): plainly(value_at(settings, path)) for path in paths}
    return {k: as_text(v) if isinstance(v, Decimal) else v for k, v in found.items()}


def default_of(key: Key) -> tuple[bool, Any]:
    """Return whether a key has a default, and the default."""
    marks = getattr(key.annotation, "__metadata__", ())
    field = next(mark for mark in marks if isinstance(mark, FieldInfo))
    return field.default is not PydanticUndefined, field.default


def _item(annotation: Any, text: str) -> Any:
    return int(text) if kind_of(annotation) is int and _WHOLE.fullmatch(text) else text


def _has(tree: Any, path: KeyPath) -> bool:
    for name in path:
        if not isinstance(tree, dict) or name not in tree:
            return False
        tree = tree[name]
    return True
