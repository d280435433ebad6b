"""Numbers, times and states as people read them; what depends on the reader is an argument."""

import re
from datetime import datetime
from decimal import Decimal
from typing import Final
from zoneinfo import ZoneInfo

from crypto_trader_pro.domain.enums import DesiredState, ObservedState, TradingState
from crypto_trader_pro.domain.instruments import plain

MISSING: Final = "–"
MINUS: Final = "−"  # U+2212: as wide as a plus
STALE_SECONDS: Final = 5  # after which a heartbeat is late
_TRADING: Final = {
    TradingState.ACTIVE: "green", TradingState.REDUCING: "orange", TradingState.HALTED: "red",
}  # fmt: skip
_OBSERVED: Final = {
    ObservedState.RUNNING: "green", ObservedState.STOPPED: "gray",
    ObservedState.FAULTED: "red",
}  # fmt: skip
_DESIRED: Final = {DesiredState.RUNNING: "green", DesiredState.EMERGENCY: "red"}
_UP_DOWN: Final = {"kr": ("red", "blue"), "intl": ("green", "red")}
_UP_DOWN_HEX: Final = {"kr": ("#e5484d", "#3b82f6"), "intl": ("#17a06b", "#e5484d")}
_MARKDOWN: Final = frozenset("\\`*_{}[]()<>#+!|:$~&")
_BREAKS: Final = re.compile(r"[\r\n\t\v\f\u2028\u2029]+")
_BLOCK: Final = re.compile(r"^(\d*)([-=](?=[\s=-]|$)|\.(?=\s|$))")  # begins a list, underlines


def amount(value: Decimal | None) -> str:
    """Return money with two places and a true minus sign.

    >>> amount(Decimal("-1234.5"))
    '−1,234.50'
    """
    return MISSING if value is None else f"{value:,.2f}".replace("-", MINUS)


def signed(value: Decimal | None, places: int = 2) -> str:
    """Return a gain or a loss, always with its sign; zero has none.

    >>> signed(Decimal("12.345")), signed(Decimal("-0.001"))
    ('+12.35', '0.00')
    """
    if value is None:
        return MISSING
    shown = f"{abs(value):,.{places}f}"
    if not any(c in "123456789" for c in shown):
        return shown
    return f"{'+' if value > 0 else MINUS}{shown}"


def percent(fraction: Decimal | float | None, places: int = 2) -> str:
    """Return a fraction as percent, without a plus.

    >>> percent(Decimal("0.0123"))
    '1.23 %'
    """
    if fraction is None:
        return MISSING
    return f"{fraction * 100:,.{places}f} %".replace("-", MINUS)


def signed_percent(fraction: Decimal | float | None, places: int = 2) -> str:
    """Return a fraction as percent with its sign.

    >>> signed_percent(Decimal("-0.0123"))
    '−1.23 %'
    """
    return MISSING if fraction is None else f"{signed(Decimal(fraction) * 100, places)} %"


def exact(value: Decimal | None) -> str:
    """Return a price or a quantity with every digit it has, and no zeros behind them.

    >>> exact(Decimal("64171.7700"))
    '64,171.77'
    """
    return MISSING if value is None else f"{plain(value):,f}".replace("-", MINUS)


def whole(value: int | None) -> str:
    return MISSING if value is None else f"{value:,}".replace("-", MINUS)


def arrow(value: Decimal | float | None) -> str:
    """Return the direction of a gain or loss: never the colour alone tells it."""
    return "" if not value else "▲" if value > 0 else "▼"


def local(at: datetime | None, zone: ZoneInfo, form: str = "%Y-%m-%d %H:%M:%S") -> str:
    """Return a time in the reader's zone; a page names the zone once, see `zone_name`."""
    return MISSING if at is None else at.astimezone(zone).strftime(form)


def zone_name(at: datetime, zone: ZoneInfo) -> str:
    """Return the zone's name at a time: KST, UTC, +03."""
    return at.astimezone(zone).strftime("%Z")


def up_down(palette: str) -> tuple[str, str]:
    """Return Streamlit's colour names of gain and loss."""
    return _UP_DOWN[palette]


def up_down_hex(palette: str) -> tuple[str, str]:
    """Return the colours of gain and loss for charts: mid-tones, legible on light and dark."""
    return _UP_DOWN_HEX[palette]


def profit_colour(value: Decimal | float | None, palette: str) -> str:
    """Return Streamlit's colour name of a gain or loss; zero is grey."""
    if not value:
        return "gray"
    return _UP_DOWN[palette][0 if value > 0 else 1]


def trading_colour(state: TradingState) -> str:
    return _TRADING[state]


def observed_colour(state: ObservedState) -> str:
    return _OBSERVED.get(state, "orange")


def desired_colour(state: DesiredState) -> str:
    return _DESIRED.get(state, "gray")


def heartbeat_colour(seconds: float, *, alive: bool) -> str:
    """Return the colour of a heartbeat's age: a living engine that falls silent is alarming."""
    return "red" if alive and seconds > STALE_SECONDS else "gray"


def coloured(value: str, colour: str) -> str:
    """Return Markdown of a word in a colour; grey words stay as they are."""
    return escaped(value) if colour == "gray" else f":{colour}[{escaped(value)}]"


def badge(value: str, colour: str, icon: str = "") -> str:
    """Return Markdown of a badge.

    Args:
        icon: of the Material set, as "bolt".
    """
    mark = f":material/{icon}: " if icon else ""
    return f":{colour}-badge[{mark}{escaped(value)}]"


def escaped(sentence: str) -> str:
    """Return text that Markdown takes as it stands, in one line."""
    shown = "".join(f"\\{c}" if c in _MARKDOWN else c for c in _BREAKS.sub(" ", sentence))
    return _BLOCK.sub(r"\1\\\2", shown)
