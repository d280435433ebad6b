"""The engine's whole numbers as a person reads them: money, prices, percent, times of a zone."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Final
from zoneinfo import ZoneInfo

from crypto_trader_pro.domain.instruments import Instrument, money, plain
from crypto_trader_pro.domain.timeframes import to_datetime
from utils.texts import Language, catalogue, say

_MONEY: Final = frozenset(
    {"notional", "equity", "minimum", "room", "line", "peak", "old_peak", "day_start"}
)
_PRICES: Final = frozenset({"price", "reference", "stop_units"})
_NAMED: Final = {
    "state": ("active", "reducing", "halted"),
    "gate": ("green", "exit_only", "dark"),
}


def worded(
    code: str, numbers: Mapping[str, Any], language: Language, instrument: Instrument | None = None
) -> str:
    """Return the sentence of a rule or a risk event, its whole numbers turned into units."""
    return say(language, code, **readable(numbers, instrument, "UTC"))


def word(language: Language, kind: str, stored: str) -> str:
    """Return a stored word ("filled" of the kind "status"); of another version, as it is stored."""
    return catalogue(language).get(f"{kind}.{stored}", stored)


def readable(
    numbers: Mapping[str, Any], instrument: Instrument | None, zone: str
) -> dict[str, Any]:
    """Turn whole numbers into units by their names; without an instrument, prices stay as are."""
    return {
        name: _listed(value) if isinstance(value, Mapping) else _one(name, value, instrument, zone)
        for name, value in numbers.items()
    }


def _listed(changes: Mapping[str, Any]) -> str:
    """Return changed keys with their values; "-" where a version came back as a whole."""
    return ", ".join(f"{key} = {value}" for key, value in changes.items()) or "-"


def _one(name: str, value: Any, instrument: Instrument | None, zone: str) -> Any:
    if name in _NAMED:
        return _NAMED[name][value]
    if name in _PRICES and instrument is not None:
        return instrument.price(value)
    if name.endswith("_ms"):
        at = to_datetime(value).astimezone(ZoneInfo(zone))
        return at.strftime("%Y-%m-%d %H:%M %Z") if value else "-"
    if name.endswith("_rate"):
        return plain(Decimal(value).scaleb(-6).quantize(Decimal("0.01")))
    if name.endswith("_mbp"):
        return thousandths(value)
    return money_text(value) if name in _MONEY else value


def time_text(at: datetime, zone: str, *, names_zone: bool = True) -> str:
    """Return a time to the second in `zone`; unnamed where a table names it once."""
    form = "%Y-%m-%d %H:%M:%S %Z" if names_zone else "%Y-%m-%d %H:%M:%S"
    return at.astimezone(ZoneInfo(zone)).strftime(form)


def money_text(units: int) -> str:
    """Return money units as an amount of the quote currency, two places."""
    return f"{money(units):,.2f}"


def percent(parts: int | None) -> str:
    """Return parts of a million in percent, without the sign of percent."""
    return "-" if parts is None else f"{parts / 10_000:.1f}"


def thousandths(parts: int | None) -> str:
    """Return thousandths of a basis point in basis points, signed."""
    return "-" if parts is None else f"{parts / 1000:+.1f}"


def change_text(now: int, then: int) -> str:
    """Return by how many percent `now` is off `then`, signed; "-" when there is no `then`."""
    if then <= 0:
        return "-"
    moved = round(Decimal(now - then) * 100 / then, 2)
    return f"{moved:+.2f}" if moved else "0.00"
