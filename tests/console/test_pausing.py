"""Pause and resume on the control panel and in the head; closing and canceling everything."""

from typing import Any

import pytest
from sqlalchemy import Engine
from sqlmodel import Session

from crypto_trader_pro.domain.enums import DesiredState, TradingState
from database import commands
from tests.console.control_view import VIEW, sentence, wanted
from tests.console.shown import a_living_engine, asked, metrics, page, said
from tests.rows import a_position, an_order, stored

PAUSED = {**VIEW, "paused": True, "trading_state": "reducing"}


def newest(database: Engine) -> tuple[str, dict[str, Any]]:
    with Session(database) as session:
        row = commands.newest(session, limit=1)[0]
        return row.kind, row.payload


def test_one_click_pauses(database: Engine) -> None:
    a_living_engine(database, view=VIEW)
    shown = page()
    assert ":orange-badge[:material/pause: Paused]" not in said(shown)
    shown.button(key="control_pause").click().run()
    assert asked(database) == [("pause", "console")]
    assert "pause :gray-badge[asked]" in said(shown)


def test_a_pause_is_seen_everywhere_and_a_typed_word_ends_it(database: Engine) -> None:
    wanted(database, DesiredState.RUNNING)
    a_living_engine(database, view=PAUSED, trading=TradingState.REDUCING)
    shown = page()
    assert ":orange-badge[:material/pause: Paused]" in said(shown)
    assert sentence(shown) == "Trading is paused: no new positions until you resume."
    assert metrics(shown)["Trading state"] == ":orange[Paused]"
    assert not [f for f in shown.button if f.key == "control_rearm"]  # it ends no pause
    shown.button(key="control_resume").click().run()
    shown.text_input(key="control_resuming_word").input("resume")
    shown.button(key="control_resuming_typed").click().run()
    assert asked(database) == []
    assert 'The confirmation was "resume", it must be RESUME.' in said(shown)
    shown.text_input(key="control_resuming_word").input("RESUME")
    shown.button(key="control_resuming_typed").click().run()
    assert asked(database) == [("resume", "console")]
    assert ":orange-badge[:material/pause: Paused]" in said(page("jobs_view.py"))


def test_a_halt_under_a_pause_is_still_re_armed(database: Engine) -> None:
    a_living_engine(database, view=PAUSED, trading=TradingState.HALTED)
    shown = page()
    assert [f for f in shown.button if f.key == "control_rearm"]
    assert "red[halted]" in metrics(shown)["Trading state"]


@pytest.mark.parametrize("minutes", [None, 30])
def test_everything_is_closed_after_a_question_with_the_count(
    database: Engine, minutes: int | None
) -> None:
    a_living_engine(database, view=VIEW)
    stored(database, a_position(1), a_position(1, symbol="ETH/USDT:USDT"))
    shown = page("monitoring.py")
    shown.button(key="monitoring_close_all").click().run()
    assert "Close all 2 positions?" in said(shown)
    if minutes is not None:
        shown.session_state["monitoring_close_all_how"] = "slowly"
        shown.run()
        shown.number_input(key="monitoring_close_all_minutes").set_value(minutes).run()
    assert asked(database) == []
    shown.button(key="monitoring_close_all_yes").click().run()
    payload = {} if minutes is None else {"over_seconds": 1800}  # 30 minutes
    assert newest(database) == ("close_all", payload)
    assert "Close all 2 positions?" not in said(shown)


def test_one_click_cancels_the_entries(database: Engine) -> None:
    a_living_engine(database, view=VIEW)
    stored(database, an_order(1, "c", status="working"))
    shown = page("monitoring.py")
    shown.button(key="monitoring_cancel_entries").click().run()
    assert newest(database) == ("cancel_entries", {})
