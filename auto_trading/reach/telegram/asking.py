"""What is asked of the engine by chat: which wish a command means, and what it would do."""

from decimal import Decimal
from typing import Final

from auto_trading.gradual_close import MOST_SECONDS
from auto_trading.reach.telegram.answers import Answer, bold, escaped, exact, gain, money
from auto_trading.reach.telegram.confirming import Wish
from auto_trading.reach.telegram.desk import Desk, Question
from auto_trading.reach.telegram.symbols import chosen
from crypto_trader_pro.domain.enums import CommandKind, DesiredState
from crypto_trader_pro.domain.errors import InputError
from database.types import MAX_ID
from database.views.positions import OpenPosition, open_positions
from utils.texts import Language, say

# done at once, without asking again and without reading anything first
URGENT: Final = {
    "stop": CommandKind.STOP,
    "emergency": CommandKind.EMERGENCY_STOP,
    "pause": CommandKind.PAUSE,
}


def urgent_wish(name: str, language: Language) -> Wish:
    """Return the wish of a command that waits for nothing."""
    kind = URGENT[name]
    return Wish(kind, {}, say(language, f"ask.{kind.value}"))


def resume(desk: Desk) -> Answer | Question:
    """Start trading, or lift a pause, once it was confirmed: both raise risk."""
    account = None if desk.engine is None else desk.engine.account
    # a pause of this second is not in the account yet: what is running already cannot be started
    wanted = None if desk.engine is None else desk.engine.desired
    paused = wanted is DesiredState.RUNNING or bool(account and account.get("paused"))
    kind = CommandKind.RESUME if paused else CommandKind.START
    what = desk.say(f"ask.{kind.value}")
    code = "confirm_resume" if paused else "confirm_start"
    return Question(Wish(kind, {}, what), _question(desk, what, desk.say(f"telegram.{code}")))


def close(desk: Desk) -> Answer | Question:
    """Close one position, once it was confirmed.

    Raises:
        InputError: no symbol is named, or none that a position is open in.
    """
    held = {p.symbol: p for p in open_positions(desk.session, desk.run.id)}
    if not held:
        return desk.framed(
            desk.say("telegram.title_positions"), escaped(desk.say("telegram.no_positions"))
        )
    if not desk.words:
        allowed = ", ".join(held)
        raise InputError(desk.say("telegram.close_which", allowed=allowed))
    position = held[chosen(desk, desk.words[0], held)]
    kind = CommandKind.CLOSE_POSITION
    wish = Wish(kind, {"symbol": position.symbol}, desk.say("ask.close_position"), position.symbol)
    text = desk.say(
        "telegram.confirm_close", symbol=position.symbol, side=position.side,
        quantity=exact(position.quantity), value=money(position.value, desk.asset),
        profit=gain(position.unrealized_pnl, desk.asset),
    )  # fmt: skip
    return Question(wish, _question(desk, wish.what, text))


def close_all(desk: Desk) -> Answer | Question:
    """Close every position, at once or over some minutes, once it was confirmed.

    Raises:
        InputError: the word is no number of minutes.
    """
    minutes = _minutes(desk)
    held = open_positions(desk.session, desk.run.id)
    what = desk.say("ask.close_all")
    about = "" if not minutes else desk.say("telegram.over_minutes", minutes=minutes)
    wish = Wish(CommandKind.CLOSE_ALL, {"over_seconds": 60 * minutes}, what, about)
    code = "confirm_close_all" if held else "confirm_close_nothing"
    text = desk.say(
        f"telegram.{code}", count=len(held), value=money(_value(held), desk.asset),
        profit=gain(_profit(held), desk.asset),
        how=about or desk.say("telegram.at_once"),
    )  # fmt: skip
    return Question(wish, _question(desk, what, text))


def acknowledgement(numbers: str, language: Language) -> Wish | None:
    """Return the wish behind a button of /alerts; None for one that is none of ours."""
    parts = numbers.split(",")
    if not all(p.isascii() and p.isdecimal() and 0 < int(p) <= MAX_ID for p in parts):
        return None
    kind = CommandKind.ACKNOWLEDGE_ALERT
    shown = ", ".join(f"#{p}" for p in parts)
    return Wish(kind, {"alert_ids": [int(p) for p in parts]}, say(language, f"ask.{kind}"), shown)


def _question(desk: Desk, what: str, text: str) -> str:
    head = bold(what[:1].upper() + what[1:])
    limit = escaped(desk.say("telegram.confirm_within"))
    return f"{head}\n{escaped(desk.mark())}\n{escaped(text)}\n<i>{limit}</i>"


def _minutes(desk: Desk) -> int:
    if not desk.words:
        return 0
    word, most = desk.words[0].removesuffix("m"), MOST_SECONDS // 60
    if not (word.isascii() and word.isdecimal() and len(word) < 6 and int(word) <= most):
        allowed = desk.say("telegram.allowed_minutes", most=most)
        raise InputError(
            desk.say("telegram.bad_argument", given=desk.words[0][:32], allowed=allowed)
        )
    return int(word)


def _value(held: list[OpenPosition]) -> Decimal:
    return sum((p.value for p in held), Decimal(0))


def _profit(held: list[OpenPosition]) -> Decimal:
    return sum((p.unrealized_pnl or Decimal(0) for p in held), Decimal(0))
