"""How a message looks to a person: heading, text, and the line that says how grave, when and what.

Every message carries where it comes from: mode, and whether money and prices are simulated. A
message of a demo market must not be taken for one of real money.
"""

import unicodedata
from collections.abc import Callable
from datetime import datetime
from typing import Final, NamedTuple, Self
from zoneinfo import ZoneInfo

from config.notifications import Severity
from config.settings import Settings
from crypto_trader_pro.domain.enums import NotificationType
from utils.channels import Message
from utils.texts import Language, say

PRODUCT: Final = "Crypto Trader Pro"
ELLIPSIS: Final = "…"
# white on them is legible (4.5 : 1), and they stand out from light and dark (3 : 1)
COLOURS: Final[dict[Severity, str]] = {
    Severity.INFO: "#2f6fdb",
    Severity.WARNING: "#a8620b",
    Severity.ERROR: "#d13438",
    Severity.CRITICAL: "#c8202b",
}
# they turn the order of letters around, or are not seen: a name could pretend to be another
_INVISIBLE: Final = frozenset("\u200b\u200e\u200f\u2028\u2029\ufeff") | {
    chr(code) for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))
}


class Origin(NamedTuple):
    """Where messages come from."""

    mode: str  # paper or live
    source: str  # of prices: demo, replay, exchange; auto where it is not known yet
    zone: str  # of the trading day

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Return what the settings say."""
        engine = settings.engine
        return cls(engine.mode, settings.market_data.source, engine.trading_day_timezone)

    def mark(self, language: Language) -> str:
        """Return what tells real money from simulated, and real prices from made-up ones."""
        if self.mode == "live":
            return say(language, "channels.mark_live")
        code = self.source if self.source in ("demo", "replay") else "paper"
        return say(language, f"channels.mark_{code}")


class Shown(NamedTuple):
    """A message as people read it. Nothing in it is escaped or cut yet."""

    subject: str  # one line: severity and heading
    title: str  # one line
    text: str
    severity: str  # the word
    mark: str
    at: str  # in the zone of the trading day
    colour: str  # "#rrggbb"

    @property
    def footer(self) -> str:
        return f"{self.severity} · {self.mark} · {self.at}"


def shown(message: Message, origin: Origin) -> Shown:
    """Return `message` in its own language."""
    language, severity = message.language, Severity(message.severity)
    word = say(language, f"alerts.severity_{severity.value}")
    title = one_line(message.title)
    text = printable(message.text).strip() or title
    return Shown(
        f"[{word}] {title}", title, text, word, origin.mark(language),
        local_time(message.at, origin.zone), COLOURS[severity],
    )  # fmt: skip


def test_message(language: Language, now: datetime) -> Message:
    """Return what `notify test CHANNEL` and the button in Settings send; `now` is aware."""
    return Message(
        NotificationType.TEST_MESSAGE.value, Severity.INFO.value,
        say(language, "channels.test_title"), say(language, "channels.test_text"),
        None, language, now, 0,
    )  # fmt: skip


test_message.__test__ = False  # type: ignore[attr-defined]  # pytest takes it for a test


def local_time(at: datetime, zone: str) -> str:
    """Return an instant on the clocks of `zone`: "2026-11-22 06:52:43 KST"."""
    return f"{at.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M:%S %Z}"


def printable(text: str) -> str:
    """Return `text` without what no screen shows: control characters, half characters."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").replace("\t", "    ")
    return "".join(c for c in lines if c == "\n" or not _is_hidden(c))


def one_line(text: str) -> str:
    """Return `text` in one line: line breaks become spaces."""
    return " ".join(printable(text).split())


def fit(text: str, limit: int, escape: Callable[[str], str] = str) -> str:
    """Return `text` escaped and, where it is too long, cut with an ellipsis.

    Args:
        limit: UTF-16 units, as services count; never fewer than they count in characters.
        escape: of one character; an escaped character is never cut in two.
    """
    pieces = [escape(c) for c in text]
    lengths = [_units(piece) for piece in pieces]
    if sum(lengths) <= limit:
        return "".join(pieces)
    room, kept = limit - len(ELLIPSIS), 0
    for length in lengths:
        if length > room:
            break
        room, kept = room - length, kept + 1
    return "".join(pieces[:kept]).rstrip() + ELLIPSIS


def _units(text: str) -> int:
    return len(text) + sum(c > "\uffff" for c in text)


def _is_hidden(character: str) -> bool:
    return character in _INVISIBLE or unicodedata.category(character) in ("Cc", "Cs")
