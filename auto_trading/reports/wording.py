"""Figures of reports as words, and columns that stand under each other in a mail or a chat."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Final
from unicodedata import east_asian_width

from utils.texts import Language, say

NOTHING: Final = "-"
_CENT: Final = Decimal("0.01")
_TENTH: Final = Decimal("0.1")
_GAP: Final = "  "


def amount(value: Decimal) -> str:
    """Return money with two places.

    >>> amount(Decimal("-1234.5"))
    '-1,234.50'
    """
    return f"{_rounded(value):,}"


def signed(value: Decimal) -> str:
    """Return a gain or a loss with its sign; zero has none.

    >>> signed(Decimal("12.345")), signed(Decimal("-0.001"))
    ('+12.34', '0.00')
    """
    shown = _rounded(value)
    return f"{shown:+,}" if shown else f"{shown:,}"


def percent(fraction: Decimal | float | None) -> str:
    """Return a fraction as percent with its sign.

    >>> percent(Decimal("-0.0123")), percent(None)
    ('-1.23 %', '-')
    """
    return NOTHING if fraction is None else f"{signed(Decimal(fraction) * 100)} %"


def share(fraction: Decimal | float | None) -> str:
    """Return a share of a whole in percent.

    >>> share(0.6)
    '60.0 %'
    """
    if fraction is None:
        return NOTHING
    return f"{(Decimal(fraction) * 100).quantize(_TENTH)} %"


def fall(fraction: Decimal) -> str:
    """Return a drawdown in percent; it has no sign.

    >>> fall(Decimal("0.01234"))
    '1.23 %'
    """
    return f"{amount(fraction * 100)} %"


def hours(seconds: int, language: Language) -> str:
    """Return a length of time in hours and minutes."""
    minutes = round(seconds / 60)
    return say(language, "report.hours", hours=minutes // 60, minutes=f"{minutes % 60:02d}")


def weekday(day: date, language: Language) -> str:
    """Return the short name of a day of the week."""
    return say(language, f"report.weekday_{day.weekday()}")


def table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return lines whose columns stand under each other; the first column begins at the left.

    A Korean letter is as wide as two others where letters have one width.

    >>> table([["합계", "1"], ["a", "20"]])
    ['합계   1', 'a     20']
    """
    widths = [max(_width(row[k]) for row in rows) for k in range(len(rows[0]))] if rows else []
    return [
        _GAP.join(
            _padded(cell, widths[k], left=not k) for k, cell in enumerate(row)
        ).rstrip()
        for row in rows
    ]  # fmt: skip


def _padded(cell: str, width: int, *, left: bool) -> str:
    room = " " * (width - _width(cell))
    return cell + room if left else room + cell


def _width(text: str) -> int:
    return sum(2 if east_asian_width(c) in "WF" else 1 for c in text)


def _rounded(value: Decimal) -> Decimal:
    return value.quantize(_CENT) + 0  # no minus before zero
