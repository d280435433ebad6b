"""What the bot says: HTML of Telegram's kind, buttons, pictures."""

import html
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from crypto_trader_pro.domain.instruments import plain
from database.chat import Outcome
from utils.channels.formatting import printable

MISSING: Final = "–"
MINUS: Final = "−"
TEXT: Final = 4096  # characters of one message: https://core.telegram.org/bots/api#sendmessage
_BLOCK: Final = 3000  # leaves room for heading and foot, and for what escaping adds
_WIDE: Final = frozenset("WF")
_CUT: Final = "…"


class Button(NamedTuple):
    """A button below a message; `payload` comes back when it is pressed, 64 bytes at most."""

    label: str
    payload: str


Buttons = Sequence[Sequence[Button]]


@dataclass(frozen=True, slots=True)
class Answer:
    """What is said to one command.

    Args:
        text: HTML.
        image: a PNG, sent with `text` as its caption.
    """

    text: str
    buttons: Buttons = ()
    image: bytes | None = None
    outcome: Outcome = Outcome.DONE


def escaped(text: str) -> str:
    """Return plain text as HTML that shows it as it stands."""
    return html.escape(printable(text), quote=False)


def bold(text: str) -> str:
    return f"<b>{escaped(text)}</b>"


def block(lines: Iterable[str]) -> str:
    """Return lines in letters of one width; what is too long for a message is cut at a line."""
    kept: list[str] = []
    room = _BLOCK
    for line in lines:
        shown = escaped(line)
        room -= len(shown) + 1
        if room < 0:
            kept.append(_CUT)
            break
        kept.append(shown)
    return "<pre>" + "\n".join(kept) + "</pre>"


def pairs(rows: Sequence[tuple[str, str]]) -> str:
    """Return names and values below each other, aligned."""
    width = max((columns(name) for name, _ in rows), default=0)
    return block(f"{name}{' ' * (width - columns(name))}  {value}" for name, value in rows)


def table(rows: Sequence[Sequence[str]]) -> str:
    """Return rows of columns: the first to the left, all others to the right."""
    widths = [max(columns(row[k]) for row in rows) for k in range(len(rows[0]))] if rows else []
    return block(
        "  ".join(_padded(cell, widths[k], left=k == 0) for k, cell in enumerate(row)).rstrip()
        for row in rows
    )


def columns(text: str) -> int:
    """Return how many columns a text takes: Korean letters take two.

    >>> columns("BTC"), columns("주문")
    (3, 4)
    """
    return sum(2 if unicodedata.east_asian_width(c) in _WIDE else 1 for c in text)


def money(value: Decimal | None, asset: str = "") -> str:
    """Return an amount with two places and its unit.

    >>> money(Decimal("-1234.5"), "USDT")
    '−1,234.50 USDT'
    """
    if value is None:
        return MISSING
    return f"{value:,.2f} {asset}".strip().replace("-", MINUS)


def gain(value: Decimal | None, asset: str = "") -> str:
    """Return a gain or loss with its sign and unit; zero has no sign."""
    if value is None:
        return MISSING
    shown = f"{abs(value):,.2f}"
    sign = "" if not any(c in "123456789" for c in shown) else "+" if value > 0 else MINUS
    return f"{sign}{shown} {asset}".strip()


def percent(fraction: Decimal | float | None, *, signed: bool = False) -> str:
    """Return a fraction in percent with two places.

    >>> percent(Decimal("-0.0123"))
    '−1.23 %'
    """
    if fraction is None:
        return MISSING
    value = Decimal(str(fraction)) * 100
    return f"{gain(value) if signed else money(value)} %"


def exact(value: Decimal | None) -> str:
    """Return a price or a quantity with the digits that it has."""
    return MISSING if value is None else f"{plain(value):,f}".replace("-", MINUS)


def local(at: datetime | None, zone: str) -> str:
    """Return a time to the minute in `zone`, which is named."""
    if at is None:
        return MISSING
    return at.astimezone(ZoneInfo(zone)).strftime("%m-%d %H:%M %Z")


def _padded(cell: str, width: int, *, left: bool) -> str:
    gap = " " * (width - columns(cell))
    return cell + gap if left else gap + cell
