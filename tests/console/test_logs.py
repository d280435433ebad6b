"""The page of the log in Streamlit's own harness: empty, filtered, turned, one line, one story."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import Engine
from streamlit.testing.v1 import AppTest

from crypto_trader_pro.domain.enums import Component
from crypto_trader_pro.domain.ports import LogEntry
from database.log_rows import LogTable
from tests.console.shown import page, said
from utils.clocks import SystemClock

FILE = "logs_viewer.py"
C = Component


def entry(message: str, seconds_ago: float = 0, **changes: object) -> LogEntry:
    at = SystemClock().now() - timedelta(seconds=seconds_ago)
    return LogEntry(at, "INFO", C.ENGINE, message, None, None, None)._replace(**changes)  # type: ignore[arg-type]


def write(database: Engine, *entries: LogEntry) -> None:
    LogTable(database).write(entries)


def messages(shown: AppTest) -> list[str]:
    return [] if not shown.dataframe else list(shown.dataframe[0].value["Message"])


@pytest.fixture
def mixed(database: Engine) -> Engine:
    write(
        database,
        entry("old", 7200),
        entry("asked", 30, correlation_id="k1"),
        entry("quiet", 20, level="DEBUG"),
        entry("refused", 10, level="ERROR", component=C.RISK, data={"lots": 5}),
        entry("done", 5, correlation_id="k1"),
    )
    return database


@pytest.mark.parametrize("language", ["ko", "en"])
def test_before_the_first_line_the_page_says_what_will_come(
    database: Engine, language: str
) -> None:
    shown = page(FILE, chosen_language=language)
    assert not shown.dataframe
    assert ("Nothing has been logged yet" if language == "en" else "아직 기록이 없습니다") in said(
        shown
    )


def test_there_is_a_page_before_there_is_a_database() -> None:
    assert "Nothing has been logged yet" in said(page(FILE))


def test_the_newest_lines_are_shown_with_their_level_as_a_word(mixed: Engine) -> None:
    shown = page(FILE)
    assert messages(shown) == ["done", "refused", "asked", "old"]
    assert [list(v) for v in shown.dataframe[0].value["Level"]] == [
        ["INFO"], ["ERROR"], ["INFO"], ["INFO"],
    ]  # fmt: skip
    assert "Lines are kept for 30 days" in said(shown)


def test_a_new_line_is_there_at_the_next_look(mixed: Engine) -> None:
    shown = page(FILE)
    write(mixed, entry("fresh"))
    assert messages(shown.run()) == ["fresh", "done", "refused", "asked", "old"]


def test_without_following_the_list_stays_until_it_is_asked_for(mixed: Engine) -> None:
    shown = page(FILE)
    shown.toggle(key="logs_follow").set_value(False).run()
    write(mixed, entry("fresh"))
    assert messages(shown.run())[0] == "done"
    shown.button(key="logs_newest").click().run()
    assert messages(shown)[0] == "fresh"


@pytest.mark.parametrize(
    ("choose", "expected"),
    [
        (lambda a: a.selectbox(key="logs_level").select("ERROR"), ["refused"]),
        (
            lambda a: a.selectbox(key="logs_level").select("DEBUG"),
            ["done", "refused", "quiet", "asked", "old"],
        ),
        (lambda a: a.text_input(key="logs_words").input(" LOTS "), ["refused"]),
        (lambda a: a.session_state.__setitem__("logs_components", ["RISK"]), ["refused"]),
        (
            lambda a: a.session_state.__setitem__("logs_span", "h1"),
            ["done", "refused", "asked"],
        ),
    ],
    ids=["level", "all levels", "words", "component", "span"],
)
def test_the_choices_are_followed(mixed: Engine, choose: object, expected: list[str]) -> None:
    shown = page(FILE)
    choose(shown)  # type: ignore[operator]
    shown.run()
    assert not shown.exception
    assert messages(shown) == expected


def test_what_fits_nothing_is_said(mixed: Engine) -> None:
    shown = page(FILE)
    shown.text_input(key="logs_words").input("unheard of").run()
    assert "No line fits the filter here" in said(shown)


def test_pages_are_turned_and_following_pauses_on_older_ones(database: Engine) -> None:
    write(database, *(entry(f"m{k}", 500 - k) for k in range(450)))
    shown = page(FILE)
    assert (len(messages(shown)), messages(shown)[0]) == (200, "m449")
    shown.button(key="logs_older").click().run()
    assert messages(shown)[0] == "m249"
    assert "Following pauses on older pages" in said(shown)
    write(database, entry("fresh"))
    assert messages(shown.run())[0] == "m249"
    shown.button(key="logs_older").click().run()
    assert messages(shown) == [f"m{k}" for k in reversed(range(50))]
    assert shown.button(key="logs_older").disabled
    shown.button(key="logs_newer").click().run()
    assert messages(shown)[0] == "m249"
    shown.button(key="logs_newest").click().run()
    assert messages(shown)[0] == "fresh"
    assert shown.button(key="logs_newer").disabled


def test_an_address_names_one_story_and_the_way_back(mixed: Engine) -> None:
    shown = page()
    shown.query_params["correlation"] = "k1"
    shown.switch_page(f"auto_trading_dashboard/{FILE}").run()
    assert messages(shown) == ["asked", "done"]
    assert "2 lines under k1, in order" in said(shown)
    shown.button(key="logs_all_lines").click().run()
    assert messages(shown)[0] == "done"
    assert len(messages(shown)) == 4


def test_a_story_that_is_not_there_is_said(mixed: Engine) -> None:
    shown = page(FILE)
    shown.text_input(key="correlation").input("r9:BTC/USDT:1").run()
    assert "Nothing is logged under r9:BTC/USDT:1" in said(shown)


def test_an_address_names_a_moment(mixed: Engine) -> None:
    shown = page()
    moment = SystemClock().now() - timedelta(seconds=7200)
    shown.query_params["at"] = moment.isoformat()
    shown.switch_page(f"auto_trading_dashboard/{FILE}").run()
    assert not shown.exception
    assert messages(shown) == ["old"]
    assert "at" not in shown.query_params


def test_an_address_with_nonsense_is_told_in_one_line(mixed: Engine) -> None:
    shown = page()
    shown.query_params["at"] = "yesterday"
    shown.switch_page(f"auto_trading_dashboard/{FILE}").run()
    assert "The address named the moment yesterday, allowed: ISO 8601" in said(shown)
    assert len(messages(shown)) == 4


def test_a_span_that_ends_before_it_begins_is_told(mixed: Engine) -> None:
    shown = page(FILE)
    shown.session_state["logs_span"] = "own"
    shown.session_state["logs_since"] = datetime(2026, 5, 2, 12)  # noqa: DTZ001  as a person types it
    shown.session_state["logs_until"] = datetime(2026, 5, 2, 11)  # noqa: DTZ001
    shown.run()
    assert "From was 2026-05-02 12:00, allowed: before the end at 11:00" in said(shown)
