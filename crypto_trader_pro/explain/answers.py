"""The engine's answer to a wish in words, the same on every face."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

from utils.texts import Language, catalogue, say

_CLOSES: Final = ("answer.closing_all", "answer.closing_gradually")


def answer_text(answer: Mapping[str, Any] | None, language: Language) -> str:
    """Return an answer as a sentence; one of another version as it stands, "-" without one."""
    numbers = dict(answer or {})
    code = str(numbers.pop("code", ""))
    words = catalogue(language)
    if code in _CLOSES and not numbers.get("positions"):
        code = "answer.nothing_to_close"
    if "trigger" in numbers:  # none: a ladder was lifted, no emergency
        trigger = f"trigger.{numbers['trigger']}" if numbers["trigger"] else "control.ladders"
        numbers["trigger"] = words.get(trigger, numbers["trigger"])
    if code in words:
        with suppress(KeyError):  # an engine of another version; what it did is done
            return say(language, code, **numbers)
    told = ", ".join(f"{name}: {value}" for name, value in numbers.items())
    return f"{code} {told}".strip() or "-"
