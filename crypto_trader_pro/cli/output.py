"""How commands print: one JSON object, or a table a person can read."""

import json
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from crypto_trader_pro.domain.errors import InputError
from crypto_trader_pro.domain.instruments import plain_text
from crypto_trader_pro.domain.timeframes import to_ms
from crypto_trader_pro.explain.units import time_text

if TYPE_CHECKING:
    from rich.console import Console

_SHOWN_DECIMALS: Final = 6

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]


def print_json(value: Mapping[str, Any]) -> None:
    """Print one JSON object and nothing else; Decimals are plain strings."""
    typer.echo(json.dumps(value, default=_plain, ensure_ascii=False))


def print_pairs(value: Mapping[str, Any], title: str = "") -> None:
    """Print keys and values in two columns."""
    from rich.table import Table  # not for whoever asks for JSON

    table = Table(title=title or None, show_header=False, box=None, pad_edge=False)
    for key, item in value.items():
        table.add_row(key, _shown(item))
    console().print(table)


def print_rows(
    columns: Sequence[str], rows: Sequence[Sequence[Any]], title: str = "", *, zone: str = ""
) -> None:
    """Print a table; numbers stand to the right.

    Args:
        zone: that times are shown in, to the second; the table's foot names it.
    """
    from rich.table import Table

    foot = None
    if zone and any(isinstance(cell, datetime) for row in rows for cell in row):
        rows, foot = [[_local(cell, zone) for cell in row] for row in rows], _times_of(zone)
    table = Table(
        title=title or None, box=None, pad_edge=False, caption=foot, caption_justify="left"
    )
    for k, name in enumerate(columns):
        numeric = bool(rows) and all(isinstance(r[k], int | float | Decimal) for r in rows)
        table.add_column(name, justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*(_shown(cell) for cell in row))
    console().print(table)


def console() -> "Console":
    """Return the console on stdout; plain text of any width when it is no terminal."""
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else 160, soft_wrap=not sys.stdout.isatty())


def instant(text: str | None, name: str) -> int | None:
    """Read a date or time argument as UTC milliseconds.

    "2025-05", "2025-05-04" and "2025-05-04T12:30[+09:00]" are allowed; without a zone it is UTC.
    """
    if text is None:
        return None
    padded = f"{text}-01" if len(text) == len("2025-05") else text
    try:
        found = datetime.fromisoformat(padded)
    except ValueError:
        allowed = "2025-05, 2025-05-04 or 2025-05-04T12:30+09:00"
        raise InputError(f"{name} was {text!r}, allowed: {allowed}") from None
    return to_ms(found if found.tzinfo else found.replace(tzinfo=UTC))


def _times_of(zone: str) -> str:
    from crypto_trader_pro.cli.context import language
    from utils.texts import say

    return say(language(), "command.times", zone=zone)


def _local(value: Any, zone: str) -> Any:
    return time_text(value, zone, names_zone=False) if isinstance(value, datetime) else value


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return plain_text(value)
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, bytes):
        return value.hex()
    raise TypeError(f"{type(value).__name__} has no JSON form")


def _shown(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, Mapping):
        return ", ".join(f"{k}: {_shown(v)}" for k, v in value.items()) or "-"
    if isinstance(value, list | tuple):
        return ", ".join(_shown(v) for v in value) or "-"
    if isinstance(value, float):  # all digits are in --json
        return str(round(value, _SHOWN_DECIMALS))
    if isinstance(value, str | int):
        return str(value)
    return str(_plain(value))
