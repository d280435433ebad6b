"""CSV that a spreadsheet opens and does not execute."""

import csv
import io
from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final, TypeAlias

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
    return _written(headings, ([_cell(value) for value in row] for row in rows))


def csv_columns(columns: Sequence[tuple[str, Sequence[str]]]) -> bytes:
    """Return such CSV of (heading, cells) columns whose cells are plain text already.

    For long tables: nothing is looked at cell by cell, so words must be `guarded` beforehand.

    Raises:
        ValueError: the columns are not of one length.
    """
    rows = zip(*(cells for _, cells in columns), strict=True)
    return _written([heading for heading, _ in columns], rows)


def guarded(word: str) -> str:
    """Return a word as a cell that no spreadsheet takes for a formula."""
    return f"'{word}" if word.startswith(_FORMULA) else word


def plain_cell(value: int | float | Decimal | datetime | bool) -> str:
    """Return a value that is no word as text."""
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value).lower() if isinstance(value, bool) else str(value)


def _written(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> bytes:
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow([guarded(name) for name in headings])
    writer.writerows(rows)
    return (_MARK + out.getvalue()).encode("utf-8", errors="backslashreplace")


def _cell(value: Cell) -> str:
    if isinstance(value, str):
        return guarded(value)
    return "" if value is None else plain_cell(value)
