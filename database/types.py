"""Column types that keep money exact and time aware on SQLite and PostgreSQL alike."""

import json
from datetime import UTC, datetime
from decimal import Context, Decimal
from typing import Any, Final

from sqlalchemy import BigInteger, DateTime, Dialect, Integer, Numeric, String
from sqlalchemy.types import TypeDecorator, TypeEngine

PLACES: Final = 18
DIGITS: Final = 38

MAX_ID: Final = 2**31 - 1  # what PostgreSQL accepts to be compared with an INTEGER
MAX_BIG_ID: Final = 2**63 - 1
BIG_ID: Final = BigInteger().with_variant(Integer(), "sqlite")  # only INTEGER is a rowid there
_EXACT: Final = Context(prec=DIGITS + PLACES)  # the default context keeps only 28 digits
_STEP: Final = Decimal(1).scaleb(-PLACES)
_ONE: Final = Decimal(1)


class ExactDecimal(TypeDecorator[Decimal]):
    """NUMERIC on PostgreSQL; text on SQLite, which has no exact decimal.

    Never order by it or sum it in SQL: on SQLite that goes through text or float.

    Raises:
        ValueError: not finite, or finer than 18 places, on both databases.
    """

    impl = Numeric
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        kind = String(64) if dialect.name == "sqlite" else Numeric(DIGITS, PLACES)
        return dialect.type_descriptor(kind)

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> Any:
        if value is None:
            return None
        return exact_text(value) if dialect.name == "sqlite" else exact(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> Decimal | None:
        if value is None:
            return None
        return canonical(Decimal(value))


def exact(value: Decimal) -> Decimal:
    """Return `value`, or raise ValueError if the column could not hold it exactly."""
    exponent = value.as_tuple().exponent
    if not isinstance(exponent, int):
        raise ValueError(f"not a finite number: {value}")
    if not value:
        return Decimal(0)
    if value.adjusted() >= DIGITS - PLACES:
        raise ValueError(f"{value} has more than {DIGITS - PLACES} digits before the point")
    if exponent < -PLACES and value != value.quantize(_STEP, context=_EXACT):
        raise ValueError(f"{value} has more than {PLACES} decimal places")
    return value


def canonical(value: Decimal) -> Decimal:
    """Return `value` without padding, exponent or negative zero; PostgreSQL pads to 18 places."""
    if not value:
        return Decimal(0)
    number = value.normalize(_EXACT)
    exponent = number.as_tuple().exponent
    if isinstance(exponent, int) and exponent > 0:
        return number.quantize(_ONE, context=_EXACT)
    return number


def exact_text(value: Decimal) -> str:
    """Return the text that SQLite stores for `value`: plain, no exponent."""
    return format(exact(value), "f")


class UtcDateTime(TypeDecorator[datetime]):
    """Aware in, aware UTC out.

    Raises:
        ValueError: a naive datetime.
    """

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"naive datetime: {value!r}")
        return value.astimezone(UTC)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        moment: datetime = value
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def json_text(value: Any) -> str:
    """Return the text of a JSON column. A Decimal becomes a plain string, never a float.

    Raises:
        ValueError: NaN or infinite, which JSON does not have.
        TypeError: a value that JSON cannot hold.
    """
    return json.dumps(
        value, separators=(",", ":"), ensure_ascii=False, allow_nan=False, default=_plain
    )


def _plain(value: Any) -> str:
    if isinstance(value, Decimal):
        return format(canonical(exact(value)), "f")
    raise TypeError(f"a JSON column cannot hold {type(value).__name__}")
