"""What became of a wish, as one sentence."""

from typing import Any

from auto_trading.asking import ANSWER_SECONDS, Asked
from crypto_trader_pro.domain.enums import CommandKind
from crypto_trader_pro.explain.answers import answer_text
from database.commands import CommandStatus
from utils.texts import Language, say


def as_mapping(found: Asked) -> dict[str, Any]:
    return {
        "kind": found.kind.value,
        "status": found.status,
        "command_id": found.command_id,
        "engine_alive": found.engine_alive,
        "answer": None if found.answer is None else dict(found.answer),
        "entries": found.entries,
        "trouble": found.trouble,
    }


def is_settled(found: Asked) -> bool:
    """True when it was done, or will be as soon as an engine is there."""
    if found.status == "flag":
        return found.entries is not None or not found.engine_alive
    return found.status == CommandStatus.DONE or (
        found.status == CommandStatus.ASKED and not found.engine_alive
    )


def sentence(found: Asked, language: Language) -> str:
    """Return what happened, in the operator's language."""
    # elsewhere it is called a pause; here it is named as the command
    is_halt = found.kind is CommandKind.PAUSE
    what = say(language, "command.halt" if is_halt else f"ask.{found.kind.value}")
    if found.status == "flag":
        return _flagged(found, what, language)
    if found.status == CommandStatus.ASKED:
        if found.engine_alive:
            return say(language, "operate.waiting", what=what, seconds=f"{ANSWER_SECONDS:g}")
        code = "operate.no_engine_lapses" if found.lapses else "operate.no_engine"
        return say(language, code, what=what)
    return say(
        language, f"operate.{found.status}", what=what, answer=answer_text(found.answer, language)
    )


def _flagged(found: Asked, what: str, language: Language) -> str:
    if not found.engine_alive:
        return say(language, "operate.flag_no_engine", what=what, trouble=found.trouble)
    if found.entries is None:
        return say(language, "operate.flag_unseen", what=what, trouble=found.trouble)
    return say(language, "operate.flag_seen", what=what, trouble=found.trouble)
