"""Figures of reports as words; columns that stay under each other, in a mail too."""

import re
from datetime import UTC, date, datetime
from decimal import Decimal
from html import unescape

import pytest

from auto_trading.reports import wording
from utils.channels import Message
from utils.channels.formatting import Origin, shown
from utils.channels.mail_body import html_of
from utils.texts import Language

KOREAN, ENGLISH = Language.KOREAN, Language.ENGLISH


def test_a_korean_letter_is_as_wide_as_two() -> None:
    lines = wording.table([["날짜", "순손익"], ["01-01 월", "+100.00"], ["x", "-5.00"]])
    assert lines == [
        "날짜       순손익",  # 4 wide and 8; 6 wide and 7: five blanks and one, beside the gap
        "01-01 월  +100.00",
        "x           -5.00",
    ]
    assert wording.table([]) == []


@pytest.mark.parametrize(
    ("value", "amount", "signed"),
    [
        ("1234.5", "1,234.50", "+1,234.50"),
        ("-1234.5", "-1,234.50", "-1,234.50"),
        ("-0.004", "0.00", "0.00"),
        ("0", "0.00", "0.00"),
    ],
)
def test_money(value: str, amount: str, signed: str) -> None:
    assert wording.amount(Decimal(value)) == amount
    assert wording.signed(Decimal(value)) == signed


def test_shares_and_times() -> None:
    assert wording.percent(Decimal("-0.01234")) == "-1.23 %"
    assert (wording.percent(None), wording.share(None)) == ("-", "-")
    assert (wording.share(1 / 3), wording.fall(Decimal("0.00034"))) == ("33.3 %", "0.03 %")
    assert wording.hours(9 * 3600 + 29, ENGLISH) == "9 h 00 min"
    assert wording.hours(3599, KOREAN) == "1시간 00분"  # rounded to the minute
    assert wording.weekday(date(2024, 1, 1), KOREAN) == "월"


def test_columns_keep_their_blanks_in_a_mail() -> None:
    lines = wording.table([["symbol", "net"], ["A<B", "+1.00"]])
    at = datetime(2024, 1, 1, tzinfo=UTC)
    text = "\n".join(["One sentence.", *lines])
    message = Message("WEEKLY_REPORT", "info", "Week", text, None, ENGLISH, at, 1)
    page = html_of(shown(message, Origin("paper", "demo", "UTC")), ENGLISH, ())
    cells = re.findall(r"<span style=\"font-family:[^\"]*monospace[^\"]*\">(.*?)</span>", page)
    assert [unescape(cell).replace("\xa0", " ") for cell in cells] == lines
    assert all(" " not in cell for cell in cells)  # a plain one would be joined with the next
    assert "One sentence.<br>" in page
