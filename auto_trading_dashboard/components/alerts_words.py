"""Alerts in words: what happened, and what to do about it. Pure: the reader is an argument."""

from collections.abc import Mapping
from typing import Any, Final

from crypto_trader_pro.explain.units import readable, word
from database.outbox import MESSAGE_CODE
from utils.texts import Language, catalogue, say

_PREFIXES: Final = ("risk.", "alert.", "")
# what numbers of another version can do to a sentence of ours
_OTHER_VERSION: Final = (KeyError, IndexError, ValueError, TypeError, ArithmeticError)


def sentence(code: str, numbers: Mapping[str, Any], language: Language, zone: str) -> str:
    """Return what an alert says; one of another version is shown as it is stored.

    Args:
        zone: of the times in it.
    """
    if code == MESSAGE_CODE and "message" in numbers:
        return str(numbers["message"])
    for prefix in _PREFIXES:
        if f"{prefix}{code}" in catalogue(language):
            try:
                return say(language, f"{prefix}{code}", **_values(numbers, language, zone))
            except _OTHER_VERSION:
                break
    told = ", ".join(f"{name}: {value}" for name, value in numbers.items())
    return f"{code} {told}".strip()


def advice(code: str, kind: str, language: Language) -> str:
    """Return what to do about an alert, "" for a kind of another version.

    Args:
        kind: a NotificationType, for an alert whose code has no advice of its own.
    """
    known = catalogue(language)
    return known.get(f"alert_advice.{code}") or known.get(f"alert_advice.{kind}", "")


def _values(numbers: Mapping[str, Any], language: Language, zone: str) -> dict[str, Any]:
    values = readable(numbers, None, zone)
    if "trigger" in values:
        values["trigger"] = word(language, "trigger", str(values["trigger"]))
    return values
