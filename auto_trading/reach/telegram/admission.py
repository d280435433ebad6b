"""Who is obeyed, and what was said. Pure: settings and time are arguments.

An update is read field by field, as it came: whatever is in it, the answer is an `Incoming`.
Source of the fields: https://core.telegram.org/bots/api#message.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from config.notifications import TelegramChannel
from database.chat import Outcome
from database.types import MAX_BIG_ID

TEXT: Final = 256  # characters of a command that are kept
# fields of a message that somebody else wrote, or that came from elsewhere
_FORWARDED: Final = (
    "forward_origin", "forward_date", "forward_from", "forward_from_chat", "forward_sender_name",
    "is_automatic_forward",
)  # fmt: skip
_EDITED: Final = ("edited_message", "edited_channel_post")
_AHEAD: Final = timedelta(seconds=60)  # that the server's clock may be ahead of ours
_LATEST: Final = 253_402_300_799  # seconds: the year 9999


@dataclass(frozen=True, slots=True)
class Incoming:
    """One update.

    Args:
        chat_id, user_id: 0 where there is none; who is obeyed has both.
        sent_at: as the server says; None for the press of a button, which has no time.
        text: what was said, for the audit.
        words: the command without its slash in lower case, then what follows it.
        press: number of the pressed button's query, to be answered; "" for a message.
        message_id: the message that the pressed button belongs to.
        refusal: why it is not obeyed; None: it is.
    """

    update_id: int
    chat_id: int = 0
    user_id: int = 0
    sent_at: datetime | None = None
    text: str = ""
    words: tuple[str, ...] = ()
    press: str = ""
    message_id: int | None = None
    refusal: Outcome | None = None

    @property
    def is_stranger(self) -> bool:
        """True for whoever gets no answer at all."""
        return self.refusal in _UNKNOWN

    @property
    def shown(self) -> str:
        """What was said, as people know it: a pressed button by the command that it stands for."""
        if not self.press:
            return self.text[:64]
        return f"/{self.words[1]}" if self.words[0] in ("a", "v") and self.words[1:] else "…"

    @property
    def command(self) -> str:
        return self.words[0] if self.words else ""


_UNKNOWN: Final = (Outcome.CHAT, Outcome.USER, Outcome.CHANNEL, Outcome.UNREADABLE)


@dataclass(frozen=True, slots=True)
class Rules:
    """What an update is judged by.

    Args:
        channel: the lists of those who are obeyed; an empty one obeys nobody.
        username: of the bot: in a group a command may name another one.
        now: system time.
        fresh: oldest message that is obeyed.
        presses_are_fresh: no press of a button can have waited at the server for longer.
    """

    channel: TelegramChannel
    username: str
    now: datetime
    fresh: timedelta
    presses_are_fresh: bool


def read(update: Mapping[str, Any], rules: Rules) -> Incoming:
    """Return what an update says, and whether it is obeyed."""
    number: int = update["update_id"]
    press = _object(update, "callback_query")
    if press:
        return _press(number, press, rules)
    for field in ("message", *_EDITED, "channel_post"):
        if message := _object(update, field):
            return _message(number, field, message, rules)
    return Incoming(number, refusal=Outcome.UNREADABLE)


def _message(number: int, field: str, message: Mapping[str, Any], rules: Rules) -> Incoming:
    chat, user = _id(_object(message, "chat")), _id(_object(message, "from"))
    text = message.get("text")
    said = text if isinstance(text, str) else ""
    sent_at = _time(message.get("date"))
    words, is_ours = _words(said, rules.username)
    refusal = _refused(field, message, chat, user, rules)
    if refusal is None:
        refusal = _untimely(sent_at, rules)
    if refusal is None and not is_ours:
        refusal = Outcome.OTHER_BOT
    if refusal is None and not words:
        refusal = Outcome.NO_COMMAND
    return Incoming(number, chat, user, sent_at, said[:TEXT], words, refusal=refusal)


def _press(number: int, press: Mapping[str, Any], rules: Rules) -> Incoming:
    message = _object(press, "message")
    chat, user = _id(_object(message, "chat")), _id(_object(press, "from"))
    payload, query, below = press.get("data"), press.get("id"), message.get("message_id")
    said = payload if isinstance(payload, str) else ""
    refusal = _who(chat, user, rules.channel)
    if refusal is None and (not said or not isinstance(query, str) or type(below) is not int):
        refusal = Outcome.UNREADABLE
    if refusal is None and not rules.presses_are_fresh:
        refusal = Outcome.STALE
    return Incoming(
        number, chat, user, None, said[:TEXT], tuple(said.split(":")),
        query if isinstance(query, str) else "", below if type(below) is int else None, refusal,
    )  # fmt: skip


def _refused(
    field: str, message: Mapping[str, Any], chat: int, user: int, rules: Rules
) -> Outcome | None:
    """Return why a message is not obeyed, whenever it was written."""
    if field in ("channel_post", "edited_channel_post") or "sender_chat" in message:
        return Outcome.CHANNEL  # whoever writes in the name of a chat is no person
    if (unknown := _who(chat, user, rules.channel)) is not None:
        return unknown
    if any(name in message for name in _FORWARDED):
        return Outcome.FORWARDED
    if "via_bot" in message or _object(message, "from").get("is_bot") is not False:
        return Outcome.VIA_BOT
    if field in _EDITED or "edit_date" in message:
        return Outcome.EDITED
    return None


def _who(chat: int, user: int, channel: TelegramChannel) -> Outcome | None:
    if not chat or not user:
        return Outcome.UNREADABLE
    if chat not in channel.chat_ids:
        return Outcome.CHAT
    return None if user in channel.user_ids else Outcome.USER


def _untimely(sent_at: datetime | None, rules: Rules) -> Outcome | None:
    """Refuse what is old, and what comes from a time that has not come yet."""
    if sent_at is None:
        return Outcome.UNREADABLE
    fresh = rules.now - rules.fresh <= sent_at <= rules.now + _AHEAD
    return None if fresh else Outcome.STALE


def _words(text: str, username: str) -> tuple[tuple[str, ...], bool]:
    """Return the words of a command, and whether this bot is meant; no words: it is none."""
    parts = text.split()
    if not parts or not parts[0].startswith("/") or len(parts[0]) < 2:
        return (), True
    name, _, bot = parts[0][1:].partition("@")
    if bot and bot.lower() != username.lower():
        return (), False
    return (name.lower(), *parts[1:]), True


def _object(holder: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = holder.get(name)
    return found if isinstance(found, dict) else {}


def _id(about: Mapping[str, Any]) -> int:
    number = about.get("id")
    return number if type(number) is int and -MAX_BIG_ID <= number <= MAX_BIG_ID else 0


def _time(seconds: object) -> datetime | None:
    if type(seconds) is not int or not 0 < seconds <= _LATEST:
        return None
    return datetime.fromtimestamp(seconds, UTC)
