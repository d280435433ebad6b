"""Files to take away: they open in a spreadsheet, keep every digit and execute nothing."""

import csv
import io
import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auto_trading_dashboard.components.downloads import Cell, csv_bytes, json_lines


def read(content: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""), strict=True))


def test_a_spreadsheet_knows_that_it_is_utf_8_and_where_lines_end() -> None:
    content = csv_bytes(["종목", "price"], [["BTC/USDT", 1]])
    assert content == "\ufeff종목,price\r\nBTC/USDT,1\r\n".encode()


def test_a_file_without_rows_has_its_headings() -> None:
    assert read(csv_bytes(["a", "b"], [])) == [["a", "b"]]


def test_numbers_keep_every_digit_and_are_never_written_with_an_exponent() -> None:
    values: list[Cell] = [
        Decimal("0.00000001"),
        Decimal("1E+3"),
        Decimal("-12.3400"),
        -5,
        0.25,
        True,
        None,
    ]
    (_, cells) = read(csv_bytes(["n"] * 7, [values]))
    assert cells == ["0.00000001", "1000", "-12.3400", "-5", "0.25", "true", ""]


def test_a_time_has_its_zone() -> None:
    at = datetime(2026, 3, 1, 9, 30, 0, 5000, tzinfo=UTC)
    assert read(csv_bytes(["at"], [[at]]))[1] == ["2026-03-01T09:30:00.005000+00:00"]


@pytest.mark.parametrize(
    "text",
    [
        '=HYPERLINK("http://x","y")', "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1+1",
        "=cmd|' /C calc'!A0", "-",
    ],
)  # fmt: skip
def test_words_that_would_be_a_formula_are_words(text: str) -> None:
    headings, cells = read(csv_bytes([text], [[text]]))
    assert headings == cells == [f"'{text}"]


@pytest.mark.parametrize("text", ["", "plain", "1=1", " =1", "'=1", '"', "a,b", "a\r\nb", "−1"])
def test_other_words_are_unchanged(text: str) -> None:
    assert read(csv_bytes(["t", "u"], [[text, "x"]]))[1] == [text, "x"]


@given(st.lists(st.lists(st.text(st.characters(codec="utf-8")), min_size=2, max_size=2)))
def test_whatever_the_words_are_rows_stay_rows_and_no_cell_begins_a_formula(
    rows: list[list[str]],
) -> None:
    found = read(csv_bytes(["a", "b"], rows))[1:]
    assert [[c.removeprefix("'") for c in r] for r in found] == [
        [c.removeprefix("'") for c in r] for r in rows
    ]
    assert not any(cell.startswith(tuple("=+-@\t\r")) for row in found for cell in row)


def test_half_of_a_letter_does_not_stop_a_download() -> None:
    assert read(csv_bytes(["t"], [["a\ud800"]]))[1] == ["a\\ud800"]
    assert json.loads(json_lines([{"t": "a\ud800"}])) == {"t": "a\ud800"}


def test_lines_of_json_are_one_object_each() -> None:
    at = datetime(2026, 3, 1, tzinfo=UTC)
    content = json_lines([{"m": "줄\n바꿈", "at": at}, {"m": None, "x": Decimal("1.50")}])
    assert [json.loads(line) for line in content.decode().splitlines()] == [
        {"m": "줄\n바꿈", "at": "2026-03-01T00:00:00+00:00"},
        {"m": None, "x": "1.50"},
    ]
    assert json_lines([]) == b""
