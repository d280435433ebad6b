"""How a message looks to a person."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.loading import load
from config.notifications import Severity
from tests.channels import AT, a_message
from tests.unit.test_contrast import GRAPHICS, TEXT, contrast
from utils.channels.formatting import (
    COLOURS,
    Origin,
    fit,
    local_time,
    one_line,
    printable,
    shown,
)
from utils.channels.formatting import test_message as a_test_message
from utils.texts import Language

PAPER = Origin("paper", "exchange", "Asia/Seoul")


@pytest.mark.parametrize(
    ("origin", "mark", "korean"),
    [
        (PAPER, "Paper: simulated money", "모의 매매: 가상 자금"),
        (PAPER._replace(source="auto"), "Paper: simulated money", "모의 매매: 가상 자금"),
        (PAPER._replace(source="demo"), "Demo market: prices and money are made up",
         "데모 시장: 시세와 자금 모두 가상입니다"),
        (PAPER._replace(source="replay"), "Recorded prices, simulated money",
         "기록된 시세, 가상 자금"),
        (PAPER._replace(mode="live"), "Live: real money", "실거래: 실제 자금"),
    ],
)  # fmt: skip
def test_a_message_says_whose_money_it_is_about(origin: Origin, mark: str, korean: str) -> None:
    assert shown(a_message(), origin).mark == mark
    assert shown(a_message(language=Language.KOREAN), origin).mark == korean


def test_the_settings_say_where_messages_come_from() -> None:
    settings = load(environ={}, overrides={"market_data.source": "demo"})
    assert Origin.of(settings) == ("paper", "demo", "Asia/Seoul")


def test_every_severity_has_a_word_and_a_colour() -> None:
    found = [shown(a_message(severity=s.value), PAPER) for s in Severity]
    assert [seen.severity for seen in found] == ["notice", "warning", "error", "critical"]
    assert len({seen.colour for seen in found}) == 4
    assert found[3].subject == "[critical] Trade executed"


@pytest.mark.parametrize("colour", COLOURS.values())
def test_a_colour_can_be_written_on_and_stands_out(colour: str) -> None:
    assert contrast("#ffffff", colour) >= TEXT
    for ground in ("#ffffff", "#171c23"):  # of the mail, light and dark
        assert contrast(ground, colour) >= GRAPHICS


@pytest.mark.parametrize(
    ("at", "zone", "said"),
    [
        (AT, "Asia/Seoul", "2026-11-22 06:52:43 KST"),  # UTC + 9
        (AT, "America/New_York", "2026-11-21 16:52:43 EST"),  # UTC - 5
        (datetime(2026, 7, 1, 12, 0, tzinfo=UTC), "Europe/Berlin", "2026-07-01 14:00:00 CEST"),
        (AT, "UTC", "2026-11-21 21:52:43 UTC"),
    ],
)
def test_time_is_that_of_the_trading_day(at: datetime, zone: str, said: str) -> None:
    assert local_time(at, zone) == said


@pytest.mark.parametrize("language", Language)
def test_a_test_message_says_that_it_is_one(language: Language) -> None:
    message = a_test_message(language, AT)
    assert (message.kind, message.severity, message.at) == ("TEST_MESSAGE", "info", AT)
    assert message.key == "ctp-test-message-20261121215243000000"
    assert "테스트" in message.text or "시험" in message.text or "test" in message.text


def test_the_key_is_that_of_the_outbox() -> None:
    assert a_message(number=12).key == "ctp-12-20261121215243000000"


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("a\r\nb\rc\td", "a\nb\nc    d"),
        ("\x1b[31mred\x00\x7f\x9b", "[31mred"),
        ("safe\u202etxt.exe\u2066\ufeff", "safetxt.exe"),
        ("half \ud800 of a pair", "half  of a pair"),
        ("가나다 🚀", "가나다 🚀"),
    ],
)
def test_what_no_screen_shows_is_left_out(text: str, seen: str) -> None:
    assert printable(text) == seen


def test_one_line_is_one() -> None:
    assert one_line(" a\n\n b\u2028c\v d ") == "a bc d"


def test_a_message_without_a_text_shows_its_title() -> None:
    assert shown(a_message(" \n"), PAPER).text == "Trade executed"


@pytest.mark.parametrize(
    ("text", "limit", "kept"),
    [
        ("abcdef", 6, "abcdef"),
        ("abcdefg", 6, "abcde…"),
        ("abcd efg", 6, "abcd…"),
        ("🚀🚀🚀", 6, "🚀🚀🚀"),  # two units each
        ("🚀🚀🚀🚀", 6, "🚀🚀…"),  # 2 x 2 + 1 = 5; a third would make 7
        ("", 6, ""),
    ],
)
def test_a_text_is_cut_with_an_ellipsis(text: str, limit: int, kept: str) -> None:
    assert fit(text, limit) == kept


@given(st.text(), st.integers(5, 40))
def test_no_cut_text_is_too_long_or_cut_within_an_escape(text: str, limit: int) -> None:
    def escape(character: str) -> str:
        return f"&{character};" if character in "<>" else character

    cut = fit(text, limit, escape)
    assert len(cut.encode("utf-16-le", "surrogatepass")) // 2 <= limit
    escaped = [escape(character) for character in text]
    starts = {"".join(escaped[:k]).rstrip() + "…" for k in range(len(escaped))}
    assert cut == "".join(escaped) or cut in starts
