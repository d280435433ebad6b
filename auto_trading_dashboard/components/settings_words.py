"""The configuration in words: labels, units, what is allowed, what is wrong, what a change does."""

import re
from typing import Any, Final

from auto_trading_dashboard.components import settings_draft as drafts
from auto_trading_dashboard.preferences import text
from config.catalogue import (
    Key,
    Path,
    choices_of,
    item_of,
    keys,
    kind_of,
    lengths_of,
    limits_of,
    marked_as,
    takes_null,
)
from config.faults import Fault, FaultCode
from config.key_units import unit_of

ARROW: Final = "→"
_MANY: Final = 12  # words that are not told one by one
# what a contradiction allows is composed where it is found; here it is said in both languages
_FIXED: Final = {
    "false while engine.mode is live": "not_paper",
    "true while engine.mode is paper": "paper",
    "exchange or auto while engine.mode is live": "market",
    "a host name while email is enabled": "host",
    "a mail address while email is enabled": "sender",
    "at least one address while email is enabled": "recipients",
    "at least one chat while telegram is enabled": "chat",
    "each entry once": "once",
    "info, warning or error while digest is enabled": "digest",
}
_COMPOSED: Final = (
    ("multiple", re.compile(r"a multiple of (?P<key>\S+) (?P<value>\S+) \((?P<seconds>\d+) s\)")),
    ("shorter", re.compile(r"less than (?P<key>\S+) (?P<value>\S+) \((?P<seconds>\d+) s\)")),
    ("at_most", re.compile(r"at most (?P<key>\S+), which is (?P<value>\S+)")),
    ("less", re.compile(r"less than (?P<key>\S+), which is (?P<value>\S+)")),
    ("more", re.compile(r"more than (?P<key>\S+), which is (?P<value>\S+)")),
    ("other", re.compile(r"another time than (?P<key>\S+), which is (?P<value>\S+)")),
    ("currency", re.compile(r"a symbol in (?P<key>\S+), as (?P<value>\S+): .*")),
)


def label(path: Path) -> str:
    """Return the name of a key with its unit."""
    name = text(f"settings_fields.{'.'.join(path)}.label")
    unit = unit_text(path)
    return f"{name} ({unit})" if unit else name


def place(path: Path) -> str:
    """Return the section of a key in words; a key at the top is its own section."""
    return text(f"settings.section.{'.'.join(path[:-1] or path)}")


def help_of(path: Path) -> str:
    return text(f"settings_fields.{'.'.join(path)}.help")


def unit_text(path: Path) -> str:
    unit = unit_of(path)
    return text(f"settings.unit.{unit}") if unit else ""


def allowed(annotation: Any) -> str:
    """Return what a value may be, in one phrase."""
    found = _allowed(annotation)
    return text("settings.allowed.or_empty", what=found) if takes_null(annotation) else found


def value(path: Path, given: Any) -> str:
    """Return a value as people read it, with its unit."""
    given = drafts.plainly(given)
    if given is None:
        return text("settings.value.none")
    if isinstance(given, bool):
        return text("settings.value.on" if given else "settings.value.off")
    if isinstance(given, list):
        return ", ".join(drafts.as_text(item) for item in given) or text("settings.value.empty")
    if given == "":
        return text("settings.value.empty")
    unit = unit_text(path) if path in keys() else ""
    return f"{drafts.as_text(given)} {unit}".strip()


def default(key: Key) -> str:
    """Return "default ...", or that there is none."""
    has, found = drafts.default_of(key)
    if not has:
        return text("settings.no_default")
    return text("settings.default", value=value(key.path, found))


def fault(found: Fault) -> str:
    """Return one line: the key, its value, what is allowed."""
    key = keys().get(drafts.path_of(found.key)) if found.key else None
    if key is None or found.code not in (FaultCode.VALUE, FaultCode.CONTRADICTION):
        return found.line
    if found.code is FaultCode.CONTRADICTION:
        what = contradiction(found.allowed) or found.allowed
    else:
        inner = item_of(key.annotation) if found.key.endswith("]") else key.annotation
        what = allowed(inner)
    near = text("settings.fault.nearest", word=found.nearest) if found.nearest else ""
    line = text("settings.fault.value", key=found.key, value=found.value, allowed=what)
    return f"{line} {near}".strip()


def contradiction(said: str) -> str:
    """Return what a contradiction allows, in words; "" for a sentence nobody has translated."""
    if said in _FIXED:
        return text(f"settings.contradiction.{_FIXED[said]}")
    for code, form in _COMPOSED:
        if match := form.fullmatch(said):
            return text(f"settings.contradiction.{code}", **match.groupdict())
    return ""


def source(found: str) -> str:
    """Return the variable that sets a key; one of `.env` says so."""
    layer, _, name = found.rpartition(" ")
    return f"{name} (.env)" if layer == ".env" else name


def change(path: Path, old: Any, new: Any) -> str:
    """Return "key: old → new"."""
    return f"{label(path)}: {value(path, old)} {ARROW} {value(path, new)}"


def _allowed(annotation: Any) -> str:
    if code := marked_as(annotation):
        return text(f"settings.allowed.{code}")
    if words := choices_of(annotation):
        return ", ".join(words[:_MANY]) + (" …" if len(words) > _MANY else "")
    if kind_of(annotation) is bool:
        return text("settings.allowed.bool")
    if (item := item_of(annotation)) is not None:
        lengths = lengths_of(annotation)
        size = "" if lengths is None else f"{lengths[0]} … {lengths[1]}"
        code = "list" if lengths is None else "list_of"
        given = {} if lengths is None else {"size": size}
        return text(f"settings.allowed.{code}", item=allowed(item), **given)
    return _number(annotation)


def _number(annotation: Any) -> str:
    limits = limits_of(annotation)
    low = next(
        (f"{limits[n]} {sign} " for n, sign in (("ge", "≤"), ("gt", "<")) if n in limits), ""
    )
    high = next(
        (f" {sign} {limits[n]}" for n, sign in (("le", "≤"), ("lt", "<")) if n in limits), ""
    )
    places = limits.get("decimal_places")
    if not places:
        return text("settings.allowed.whole", range=f"{low}n{high}")
    return text("settings.allowed.number", range=f"{low}x{high}", places=places)
