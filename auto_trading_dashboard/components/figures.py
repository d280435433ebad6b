"""Numbers and states as people read them."""

from decimal import Decimal
from typing import Final

from crypto_trader_pro.domain.enums import DesiredState, ObservedState, TradingState

MISSING: Final = "–"
_TRADING: Final = {
    TradingState.ACTIVE: "green", TradingState.REDUCING: "orange", TradingState.HALTED: "red",
}  # fmt: skip
_OBSERVED: Final = {
    ObservedState.RUNNING: "green", ObservedState.STOPPED: "gray",
    ObservedState.FAULTED: "red",
}  # fmt: skip
_DESIRED: Final = {DesiredState.RUNNING: "green", DesiredState.EMERGENCY: "red"}
_STALE_SECONDS: Final = 5
_MARKDOWN: Final = frozenset("\\`*_{}[]()<>#+!|:$~")


def amount(value: Decimal | None) -> str:
    """Return money with two places and a true minus sign.

    >>> amount(Decimal("-1234.5"))
    '−1,234.50'
    """
    return MISSING if value is None else f"{value:,.2f}".replace("-", "−")


def whole(value: int) -> str:
    return f"{value:,}"


def trading_colour(state: TradingState) -> str:
    return _TRADING[state]


def observed_colour(state: ObservedState) -> str:
    return _OBSERVED.get(state, "orange")


def desired_colour(state: DesiredState) -> str:
    return _DESIRED.get(state, "gray")


def heartbeat_colour(seconds: float, *, alive: bool) -> str:
    """Return the colour of a heartbeat's age: a living engine that falls silent is alarming."""
    return "red" if alive and seconds > _STALE_SECONDS else "gray"


def coloured(value: str, colour: str) -> str:
    """Return Markdown of a word in a colour; grey words stay as they are."""
    return plain(value) if colour == "gray" else f":{colour}[{plain(value)}]"


def badge(value: str, colour: str) -> str:
    """Return Markdown of a badge."""
    return f":{colour}-badge[{plain(value)}]"


def plain(sentence: str) -> str:
    """Return text that Markdown takes as it stands."""
    return "".join(f"\\{c}" if c in _MARKDOWN else c for c in sentence)
