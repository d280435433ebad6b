"""An alert in words: what happened. Pure: the reader's language and zone are arguments."""

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


def _values(numbers: Mapping[str, Any], language: Language, zone: str) -> dict[str, Any]:
    values = readable(numbers, None, zone)
    if "trigger" in values:
        values["trigger"] = word(language, "trigger", str(values["trigger"]))
    return values
