"""Column types that keep money exact and time aware on SQLite and PostgreSQL alike."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import DateTime, Dialect, Numeric, String
from sqlalchemy.types import TypeDecorator, TypeEngine

PLACES: Final = 18
DIGITS: Final = 38


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
        number = Decimal(value)
        # one canonical form from both databases: PostgreSQL pads to 18 places
        return number.normalize() + 0 if number else Decimal(0)


def exact(value: Decimal) -> Decimal:
    """Return `value`, or raise ValueError if the column could not hold it exactly."""
    exponent = value.as_tuple().exponent
    if not isinstance(exponent, int):
        raise ValueError(f"not a finite number: {value}")
    if exponent < -PLACES and value != round(value, PLACES):
        raise ValueError(f"{value} has more than {PLACES} decimal places")
    if value.adjusted() >= DIGITS - PLACES:
        raise ValueError(f"{value} has more than {DIGITS - PLACES} digits before the point")
    return value


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
