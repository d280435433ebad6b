"""A view as a JSON object: numbers as plain strings, times in UTC."""

from collections.abc import Mapping
from dataclasses import fields
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from typing import Any

from crypto_trader_pro.domain.instruments import plain_text


class View:
    """Base of the read models, which are frozen dataclasses."""

    __slots__ = ()

    def as_json(self) -> dict[str, Any]:
        """Return the fields as JSON values, in their order."""
        return {f.name: json_value(getattr(self, f.name)) for f in fields(self)}  # type: ignore[arg-type]


def json_value(value: Any) -> Any:
    """Return what JSON can hold: a Decimal is a plain string, a time is ISO in UTC.

    >>> json_value((Decimal("1.50"), None))
    ['1.5', None]
    """
    if isinstance(value, View):
        return value.as_json()
    if isinstance(value, Mapping):
        return {str(name): json_value(item) for name, item in value.items()}
    if isinstance(value, tuple | list):
        return [json_value(item) for item in value]
    return _plain(value)


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return plain_text(value)
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, date):
        return value.isoformat()
    return value.value if isinstance(value, Enum) else value
