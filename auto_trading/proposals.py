"""What an outside strategy may wish of a session, read and checked: the payload of a `SIGNAL`."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from crypto_trader_pro.domain.errors import InputError
from crypto_trader_pro.domain.signals import OUTSIDE

ACTIONS: Final = ("buy", "sell", "close", "close_all", "cancel")
VALID_SECONDS: Final = 3_600  # of market time, for a limit order that does not say it
_MOST_SECONDS: Final = 30 * 86_400
_NAMES: Final = re.compile(r"[\w.-][\w. -]{0,41}")  # with the prefix 50 characters, as the columns
_FIELDS: Final = frozenset({
    "strategy", "action", "symbol", "order_type", "price", "quantity", "size_pct", "stop_pct",
    "target_pct", "valid_seconds", "capital", "alert_id",
})  # fmt: skip
_SHOWN: Final = 64
_MOST: Final = Decimal(10) ** 12
_DIGITS: Final = Decimal("1e-12")


@dataclass(frozen=True, slots=True)
class Proposal:
    """One alert of an outside strategy. Percent as people write it: 1.5 is 1.5 %.

    Args:
        strategy: with `OUTSIDE` before it, as rows and positions have it.
        symbol: None only for `close_all` and `cancel`, which then mean every symbol.
        price: of a limit order, quote per base; None is an order to the market.
        quantity: most that is wished, base.
        size_pct: most that is wished, share of `capital`, or of the account's equity without it.
        stop_pct, target_pct: distances from the entry; None is what the settings say.
        capital: what the strategy may have at work in all, quote; None is no such bound.
        alert_id: the sender's name of the alert, kept with the decision.
    """

    strategy: str
    action: str
    symbol: str | None
    price: Decimal | None
    quantity: Decimal | None
    size_pct: Decimal | None
    stop_pct: Decimal | None
    target_pct: Decimal | None
    valid_seconds: int
    capital: Decimal | None
    alert_id: str

    @property
    def side(self) -> int:
        """+1 for a buy, -1 for a sell, 0 otherwise."""
        return {"buy": 1, "sell": -1}.get(self.action, 0)

    @classmethod
    def read(cls, payload: Mapping[str, Any]) -> "Proposal":
        """Read a payload.

        Raises:
            InputError: a field is unknown, missing, or not what it may be.
        """
        unknown = sorted(str(name)[:_SHOWN] for name in payload if name not in _FIELDS)
        if unknown:
            allowed = ", ".join(sorted(_FIELDS))
            raise InputError(f"field was {unknown[0]!r}, allowed: {allowed}")
        action = _choice(payload, "action", ACTIONS)
        symbol = payload.get("symbol")
        if symbol is None and action in ("close_all", "cancel"):
            symbol = None
        elif not isinstance(symbol, str) or not symbol:
            raise _wrong("symbol", symbol, "a text")
        is_limit = _choice(payload, "order_type", ("market", "limit"), "market") == "limit"
        price = _number(payload, "price", _MOST)
        if is_limit and price is None and action in ("buy", "sell"):
            raise _wrong("price", None, "a number above 0 for a limit order")
        alert_id = payload.get("alert_id")
        if not isinstance(alert_id, str | None):
            raise _wrong("alert_id", alert_id, "a text")
        return cls(
            strategy=OUTSIDE + _name(payload.get("strategy")),
            action=action,
            symbol=symbol,
            price=price if is_limit else None,  # what the chart showed is no limit
            quantity=_number(payload, "quantity", _MOST),
            size_pct=_number(payload, "size_pct", Decimal(100)),
            stop_pct=_number(payload, "stop_pct", Decimal(99)),
            target_pct=_number(payload, "target_pct", Decimal(1000)),
            valid_seconds=_seconds(payload.get("valid_seconds")),
            capital=_capital(payload),
            alert_id=(alert_id or "")[:_SHOWN],
        )


def _wrong(name: str, value: Any, allowed: str) -> InputError:
    return InputError(f"{name} was {str(value)[:_SHOWN]!r}, allowed: {allowed}")


def _name(value: Any) -> str:
    if not isinstance(value, str) or not _NAMES.fullmatch(value):
        raise _wrong("strategy", value, "1 to 42 letters, digits, and . _ - or blanks within")
    return value


def _choice(
    payload: Mapping[str, Any], name: str, choices: tuple[str, ...], usual: str | None = None
) -> str:
    value = payload.get(name)
    if value is None and usual is not None:
        return usual
    if value not in choices:
        raise _wrong(name, value, ", ".join(choices))
    return str(value)


def _number(payload: Mapping[str, Any], name: str, most: Decimal) -> Decimal | None:
    """Return a field that is a number above 0, at most `most`; None where it is not given."""
    value = payload.get(name)
    if value is None:
        return None
    allowed = f"a number above 0 and at most {most:f} with up to 12 decimals, as text"
    if type(value) not in (str, int):  # a float is not what the sender wrote
        raise _wrong(name, value, allowed)
    try:
        number = Decimal(value)
    except InvalidOperation as e:
        raise _wrong(name, value, allowed) from e
    if not number.is_finite() or not 0 < number <= most or number % _DIGITS:
        raise _wrong(name, value, allowed)
    return number


def _capital(payload: Mapping[str, Any]) -> Decimal | None:
    """Return the capital; a strategy that has none left may still close what it holds."""
    value = payload.get("capital")
    if value == "0" or (type(value) is int and value == 0):
        return Decimal(0)
    return _number(payload, "capital", _MOST)


def _seconds(value: Any) -> int:
    if value is None:
        return VALID_SECONDS
    if type(value) is not int or not 1 <= value <= _MOST_SECONDS:
        raise _wrong("valid_seconds", value, f"a whole number from 1 to {_MOST_SECONDS}")
    return value
