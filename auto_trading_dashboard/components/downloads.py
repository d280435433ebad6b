"""Files to take away: CSV that a spreadsheet opens and does not execute, and lines of JSON."""

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, TypeAlias

Cell: TypeAlias = str | int | float | Decimal | datetime | bool | None

_MARK: Final = "\ufeff"  # without it Excel takes UTF-8 for the machine's old code page
# what a spreadsheet takes for a formula; the wide ones are made narrow by some of them
_FORMULA: Final = tuple("=+-@\t\r\n＝＋－＠")


def csv_bytes(headings: Sequence[str], rows: Iterable[Sequence[Cell]]) -> bytes:
    """Return CSV of RFC 4180 in UTF-8 with a byte order mark.

    Words that a spreadsheet would take for a formula get an apostrophe before them; numbers are
    written as they are, a Decimal with all its digits and no exponent, times in ISO 8601 with
    their zone. None is an empty cell.
    """
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow([_cell(name) for name in headings])
    writer.writerows([_cell(value) for value in row] for row in rows)
    return (_MARK + out.getvalue()).encode("utf-8", errors="backslashreplace")


def json_lines(records: Iterable[Mapping[str, Any]]) -> bytes:
    """Return one JSON object per line in UTF-8, without a byte order mark: programs read it.

    A Decimal is its plain text, a time ISO 8601; other values must be JSON's own.
    """
    lines = (json.dumps(dict(r), ensure_ascii=False, default=_plain) + "\n" for r in records)
    return "".join(lines).encode("utf-8", errors="backslashreplace")


def _cell(value: Cell) -> str:
    if isinstance(value, str):
        return f"'{value}" if value.startswith(_FORMULA) else value
    return "" if value is None else _plain(value)


def _plain(value: int | float | Decimal | datetime | bool) -> str:
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value).lower() if isinstance(value, bool) else str(value)
