"""Single keys that are set outside the files: by environment variables and by arguments."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from config.catalogue import (
    Key,
    Path,
    item_of,
    keys,
    kind_of,
    names_in,
    nearest,
    sections,
    takes_null,
    variables,
)
from config.documents import exact_number, parse_json
from config.environment import OWN_NAMES, TEST_PREFIX
from config.faults import Fault, FaultCode, dotted, shown

ARGUMENT: Final = "argument"
PROFILE_ALIAS: Final = "ENVIRONMENT"
_PROFILE: Final = ("engine", "profile")
_NUMBER: Final = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_BOOLEANS: Final = {"true": True, "1": True, "false": False, "0": False}


@dataclass(frozen=True, slots=True)
class Assignment:
    """A value for one key and the name of where it comes from. It is not checked yet."""

    key: Key
    value: Any
    source: str


def from_variables(values: Mapping[str, str], layer: str) -> tuple[list[Assignment], list[Fault]]:
    """Return the keys that `CTP_SECTION__KEY` variables set, and a fault per unknown `CTP_` name.

    Args:
        layer: how the source is called, "environment" or ".env".
    """
    found, faults = [], []
    alias = values.get(PROFILE_ALIAS, "").strip()
    if alias:  # before the platform's own name, which wins
        found.append(Assignment(keys()[_PROFILE], alias, f"{layer} {PROFILE_ALIAS}"))
    for name in sorted(values):
        if not name.upper().startswith("CTP_") or name in OWN_NAMES or name.startswith(TEST_PREFIX):
            continue
        key = variables().get(name)
        if key is None:
            faults.append(_unknown_variable(layer, name, values[name]))
        else:
            found.append(
                Assignment(key, text_value(key.annotation, values[name]), f"{layer} {name}")
            )
    return found, faults


def from_arguments(
    overrides: Mapping[str, Any], parent: Path = ()
) -> tuple[list[Assignment], list[Fault]]:
    """Return the keys that `overrides` sets: dotted names, nested mappings, or both.

    Text means what it would in a variable: it comes from a command line (`--set KEY=VALUE`).
    """
    found: list[Assignment] = []
    faults: list[Fault] = []
    for name, value in overrides.items():
        path = (*parent, *str(name).split("."))
        if path in keys():
            key = keys()[path]
            meant = text_value(key.annotation, value) if isinstance(value, str) else value
            found.append(Assignment(key, meant, ARGUMENT))
        elif path in sections() and isinstance(value, Mapping):
            inner, wrong = from_arguments(value, path)
            found += inner
            faults += wrong
        else:
            faults.append(_unusable_argument(path, value))
    return found, faults


def text_value(annotation: Any, text: str) -> Any:
    """Return what `text` means for a key, or `text` itself where it means nothing to it."""
    text = text.strip()
    kind = kind_of(annotation)
    if takes_null(annotation) and text.lower() == "null":
        return None
    if kind is bool:
        return _BOOLEANS.get(text.lower(), text)
    if kind in (int, Decimal):
        return exact_number(text) if _NUMBER.fullmatch(text) else text
    return _items(item_of(annotation), text) if kind is tuple else text


def _items(item: Any, text: str) -> Any:
    if text.startswith("["):
        try:
            return parse_json(text)
        except (json.JSONDecodeError, RecursionError):
            return text
    return [text_value(item, part) for part in text.split(",")] if text else text


def _unknown_variable(layer: str, name: str, value: str) -> Fault:
    known = nearest(name, [*variables(), *OWN_NAMES])
    allowed = "CTP_SECTION__KEY of a known key"
    return Fault(layer, name, FaultCode.UNKNOWN, shown(value, name), allowed, known)


def _unusable_argument(path: Path, value: Any) -> Fault:
    key = dotted(path)
    if path in sections():
        allowed = f"an object with {', '.join(names_in(path))}"
        return Fault(ARGUMENT, key, FaultCode.VALUE, shown(value, key), allowed)
    near = nearest(key, map(dotted, keys()))
    return Fault(ARGUMENT, key, FaultCode.UNKNOWN, shown(value, key), "a known key", near)
