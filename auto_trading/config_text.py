"""Changes single values in the text of a JSON file; every other byte stays as a person wrote it."""

import json
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Final, NamedTuple

from config.faults import Unusable

_DECODER: Final = json.JSONDecoder()
_SPACES: Final = " \t\r\n"


class _Member(NamedTuple):
    """Where one key of an object stands in the text."""

    name: str
    key_at: int
    value_at: int
    end: int  # after the value


def with_value(text: str, path: Sequence[str], value: Any) -> str:
    """Return `text`, one JSON object, with `value` at `path`; missing keys are added at the end.

    Raises:
        ValueError: not JSON, or something on the path is no object.
    """
    at = _skip(text, 0)
    for depth, name in enumerate(path):
        if text[at : at + 1] != "{":
            raise ValueError(f"{'.'.join(path[:depth])} is no object")
        members = _members(text, at)
        found = next((m for m in members if m.name == name), None)
        if found is None:
            return _added(text, at, members, path[depth:], value)
        if depth == len(path) - 1:
            return text[: found.value_at] + written(value) + text[found.end :]
        at = found.value_at
    raise ValueError("a key is expected")


def written(value: Any) -> str:
    """Return `value` as JSON on one line; a Decimal keeps every digit."""
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, Unusable):  # whoever reads it says what is allowed
        return value.text
    if isinstance(value, list | tuple):
        return f"[{', '.join(written(item) for item in value)}]"
    if isinstance(value, dict):
        pairs = (f"{written(str(name))}: {written(item)}" for name, item in value.items())
        return f"{{{', '.join(pairs)}}}"
    return json.dumps(value, ensure_ascii=False)


def _members(text: str, at: int) -> list[_Member]:
    """Return the keys of the object whose brace opens at `at`."""
    found = []
    at = _skip(text, at + 1)
    while text[at] != "}":
        name, end = _DECODER.raw_decode(text, at)
        value_at = _skip(text, _skip(text, end) + 1)  # behind the colon
        _, after = _DECODER.raw_decode(text, value_at)
        found.append(_Member(name, at, value_at, after))
        at = _skip(text, after)
        if text[at] == ",":
            at = _skip(text, at + 1)
    return found


def _added(
    text: str, at: int, members: Sequence[_Member], path: Sequence[str], value: Any
) -> str:  # fmt: skip
    for name in reversed(path[1:]):
        value = {name: value}
    pair = f"{written(path[0])}: {written(value)}"
    if not members:
        return f"{text[: at + 1]}{pair}{text[_skip(text, at + 1) :]}"
    last = members[-1]
    before = text[_line_start(text, last.key_at) : last.key_at]
    gap = f"\n{before}" if not before.strip(_SPACES) else " "  # its own line, as its neighbours
    return f"{text[: last.end]},{gap}{pair}{text[last.end :]}"


def _line_start(text: str, at: int) -> int:
    return text.rfind("\n", 0, at) + 1


def _skip(text: str, at: int) -> int:
    while at < len(text) and text[at] in _SPACES:
        at += 1
    return at
