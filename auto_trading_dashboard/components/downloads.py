"""Files to take away: CSV that a spreadsheet opens and does not execute, and lines of JSON."""

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from utils.spreadsheets import Cell, csv_bytes, plain_cell

__all__ = ["Cell", "csv_bytes", "json_lines"]


def json_lines(records: Iterable[Mapping[str, Any]]) -> bytes:
    """Return one JSON object per line in UTF-8, without a byte order mark: programs read it.

    A Decimal is its plain text, a time ISO 8601; other values must be JSON's own.
    """
    lines = (json.dumps(dict(r), ensure_ascii=False, default=_plain) + "\n" for r in records)
    return "".join(lines).encode("utf-8", errors="backslashreplace")


def _plain(value: int | float | Decimal | datetime | bool) -> str:
    return plain_cell(value)
