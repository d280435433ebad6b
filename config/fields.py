"""The building blocks of the settings: exact numbers, closed words, and the base of a section."""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from importlib.resources import files
from typing import Annotated, Any, Final, Literal, NamedTuple, Self, TypeVar, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, Strict, model_validator
from pydantic_core import PydanticCustomError

from crypto_trader_pro.domain.errors import InputError
from crypto_trader_pro.domain.units import MONEY_EXP

CONTRADICTION: Final = "contradiction"  # pydantic error type that carries `Contradiction`s
_SYMBOL: Final = re.compile(r"[A-Z0-9]{1,20}/([A-Z0-9]{1,10})(?::([A-Z0-9]{1,10}))?")
_PERCENT_PLACES: Final = 6  # 1e-6 % is one part of 1e8
_NUMBER_PLACES: Final = 4
_Item = TypeVar("_Item")


class Contradiction(NamedTuple):
    """A value that is allowed alone and not beside another.

    `key` is dotted and relative to the section that found it; a number in it is a list's index.
    """

    key: str
    value: Any
    allowed: str


@dataclass(frozen=True, slots=True)
class Allowed:
    """Field metadata: what a fault says is allowed, where type and bounds do not say it.

    `words` gives the closed set to look for the nearest word in, where there is a large one;
    `code` names the sentence in the catalogue of texts: settings.allowed.<code>.
    """

    text: str
    words: Callable[[], Iterable[str]] | None = None
    code: str = ""


class Section(BaseModel):
    """One JSON object of the configuration: strict, frozen, and without unknown keys."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    def contradictions(self) -> Iterator[Contradiction]:
        """Yield every value that cannot hold beside another; sections with such pairs override."""
        return iter(())

    @model_validator(mode="before")
    @classmethod
    def _whole_numbers_are_numbers(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        exact = _decimal_fields(cls)
        return {k: Decimal(v) if type(v) is int and k in exact else v for k, v in values.items()}

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Self:
        refuse(tuple(self.contradictions()))
        return self


def refuse(found: tuple[Contradiction, ...]) -> None:
    """Raise the pydantic error that carries `found`; nothing is raised when it is empty."""
    if found:
        text = "; ".join(f"{c.key} was {c.value!r}, allowed: {c.allowed}" for c in found)
        raise PydanticCustomError(CONTRADICTION, "{text}", {"text": text, "found": found})


def as_rate(percent: Decimal) -> int:
    """Return a percentage in parts of 1e8, exactly.

    Raises:
        InputError: not finite, 1e13 or more, or finer than 1e-6 %.

    >>> as_rate(Decimal("3.0"))
    3000000
    """
    return _whole(percent, _PERCENT_PLACES, "percentage")


def bp_as_rate(basis_points: Decimal) -> int:
    """Return basis points in parts of 1e8, exactly: 1 bp is 10,000 parts.

    Raises:
        InputError: not finite, 1e13 or more, or finer than 1e-4 bp.
    """
    return _whole(basis_points, 4, "number of basis points")


def multiple_as_rate(multiple: Decimal) -> int:
    """Return a multiple (a leverage of 1.5, say) in parts of 1e8, exactly.

    Raises:
        InputError: not finite, 1e13 or more, or finer than 1e-8.
    """
    return _whole(multiple, 8, "multiple")


def _whole(value: Decimal, places: int, what: str) -> int:
    # by digits: Decimal arithmetic would round to its context's precision without a word
    sign, digits, exponent = value.as_tuple()
    if not isinstance(exponent, int) or value.adjusted() > 12:
        raise InputError(f"{what} was {value}, allowed: a finite number below 1e13")
    number, shift = int("".join(map(str, digits))), exponent + places
    if shift >= 0:
        number *= 10**shift
    else:
        # past the last digit the quotient is 0; 10**-shift is then never computed
        number, rest = divmod(number, 10**-shift) if -shift <= len(digits) else (0, number)
        if rest:
            raise InputError(f"{what} was {value}, allowed: at most {places} decimals")
    return -number if sign else number


@cache
def time_zones() -> frozenset[str]:
    """Return every IANA zone name, those of the tzdata package: the same on every machine."""
    return frozenset((files("tzdata") / "zones").read_text(encoding="ascii").split())


@cache
def _decimal_fields(section: type[BaseModel]) -> frozenset[str]:
    fields = section.model_fields.items()
    return frozenset(name for name, field in fields if _mentions_decimal(field.annotation))


def _mentions_decimal(annotation: Any) -> bool:
    return annotation is Decimal or any(_mentions_decimal(part) for part in get_args(annotation))


def _distinct(items: tuple[_Item, ...]) -> tuple[_Item, ...]:
    again = dict.fromkeys(item for k, item in enumerate(items) if item in items[:k])
    refuse(tuple(Contradiction("", item, "each entry once") for item in again))
    return items


def _known_symbol(symbol: str) -> str:
    match = _SYMBOL.fullmatch(symbol)
    if not match or (match[2] or match[1]) != match[1]:
        raise ValueError("malformed symbol")
    return symbol


def _known_zone(zone: str) -> str:
    if zone not in time_zones():
        raise ValueError("unknown time zone")
    return zone


Lax: Final = Strict(strict=False)  # enums and tuples come from JSON as strings and lists
Distinct: Final = AfterValidator(_distinct)

Percent = Annotated[Decimal, Field(decimal_places=_PERCENT_PLACES)]
Number = Annotated[Decimal, Field(decimal_places=_NUMBER_PLACES)]
Money = Annotated[Decimal, Field(decimal_places=MONEY_EXP)]

Timeframe = Literal[
    "1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "8h", "12h", "1d"
]  # fmt: skip
Symbol = Annotated[
    str,
    AfterValidator(_known_symbol),
    Allowed(
        "BASE/QUOTE, or BASE/QUOTE:QUOTE for a perpetual, in capitals, as BTC/USDT", code="symbol"
    ),
]
Zone = Annotated[
    str,
    AfterValidator(_known_zone),
    Allowed("an IANA time zone, as Asia/Seoul or UTC", time_zones, code="zone"),
]
TimeOfDay = Annotated[
    str,
    Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$"),
    Allowed("HH:MM from 00:00 to 23:59", code="time_of_day"),
]
Host = Annotated[
    str,
    Field(pattern=r"^[A-Za-z0-9.-]{0,253}$"),
    Allowed("a host name or address without scheme and port, or empty", code="host"),
]
Mailbox = Annotated[
    str,
    Field(pattern=r"^[!-?A-~]{1,64}@[A-Za-z0-9.-]{1,253}$"),
    Allowed("a mail address, as name@example.com", code="mailbox"),
]
Text = Annotated[
    str,
    Field(pattern=r"^\P{C}*$", max_length=100),
    Allowed("up to 100 printable characters", code="text"),
]
