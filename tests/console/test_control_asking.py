"""The control panel's buttons, what becomes of a request, emergency stop and re-arm."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine

from auto_trading.flags import Flags
from config.environment import Environment
from crypto_trader_pro.domain.enums import (
    CommandKind,
    DesiredState,
    ObservedState,
    TradingState,
)
from database import commands, wishes
from database.auto_trading_db import open_database, unit_of_work
from database.commands import CommandStatus
from database.models import EmergencyStopRow
from tests.console.control_view import VIEW, sentence, until, wanted
from tests.console.shown import a_living_engine, answer, asked, page, said
from tests.rows import stored
from utils.clocks import SystemClock
from utils.processes import ProcessId, own_process


def test_a_click_is_asked_until_the_engine_has_said_more(database: Engine) -> None:
    a_living_engine(database, observed=ObservedState.STOPPED, view=VIEW)
    shown = page()
    shown.button(key="control_start").click().run()
    assert not shown.exception
    assert asked(database) == [("start", "console")]
    assert "start trading :gray-badge[asked]" in said(shown)
    assert sentence(shown).startswith("Start was asked ")
    assert "**start trading** :gray-badge[:material/schedule: asked] by console" in said(shown)
    answer(database, CommandStatus.DONE, {"code": "answer.started"})
    shown.run()
    assert "start trading :green-badge[done] Trading was started." in said(shown)
    assert "**start trading** :green-badge[:material/check: done] by console" in said(shown)


@pytest.mark.parametrize(
    ("words", "shown_as"),
    [({"code": "refused.unheard_of", "n": 5}, "refused.unheard_of n: 5"),
     ({"code": "refused.latched"}, "refused.latched")],
)  # fmt: skip
def test_an_answer_without_a_sentence_is_not_hidden(
    database: Engine, words: dict[str, object], shown_as: str
) -> None:
    a_living_engine(database, view=VIEW)
    shown = page()
    shown.button(key="control_start").click().run()
    answer(database, CommandStatus.REFUSED, words)
    shown.run()
    assert f"start trading :red-badge[refused] {shown_as}" in said(shown)


@pytest.mark.parametrize(
    ("trigger", "words"),
    [("MANUAL_STOP", "stopped by a person"), ("", "the loss ladder"), ("NEW_ONE", "NEW_ONE")],
)
def test_an_answer_names_the_trigger_in_words(database: Engine, trigger: str, words: str) -> None:
    a_living_engine(database, view=VIEW)
    wishes.wish(database, CommandKind.REARM, {"confirm": "REARM"}, by="a", now=SystemClock().now())
    answer(database, CommandStatus.DONE, {"code": "answer.rearmed", "trigger": trigger})
    assert f"Re-armed ({words})." in said(page()).replace("\\", "")


def test_requests_of_others_are_listed_with_what_became_of_them(database: Engine) -> None:
    a_living_engine(database, view=VIEW)
    now = SystemClock().now()
    for k in range(12):
        kind = CommandKind.RUN_JOB
        wishes.wish(database, kind, {"job": f"job{k}"}, by="cli:kim", now=now)
    with unit_of_work(database) as session:
        row = commands.claim_next(session, now + timedelta(seconds=0.25))
        assert row is not None
        words = {"code": "refused.input", "reason": "no such job"}
        commands.finish(
            session, row.command_id, CommandStatus.REFUSED, words, now + timedelta(seconds=3)
        )
    shown = page()
    (listed,) = [m.value for m in shown.markdown if m.value.startswith("- ")
                 and "cli" in m.value]  # fmt: skip
    assert listed.count("\n- ") == 9  # ten, the refused one is older
    assert "job11" in listed
    assert "job1 " not in listed
    assert "waiting for" in listed


def test_an_emergency_is_one_click(database: Engine, places: Environment) -> None:
    a_living_engine(database, view=VIEW)
    shown = page()
    shown.button(key="emergency_stop").click().run()
    assert not shown.exception
    assert asked(database) == [("emergency_stop", "console")]
    assert [flag.kind for flag in Flags(places.var_dir).up()] == [CommandKind.EMERGENCY_STOP]
    shown.run()
    assert sentence(shown).startswith("Emergency stop was asked ")


def an_emergency(database: Engine, run_id: int, status: str, **changes: object) -> None:
    now = SystemClock().now() - timedelta(seconds=4)
    steps = [
        {"step": "halted", "at": now.isoformat()},
        {"step": "flattening", "at": (now + timedelta(seconds=0.05)).isoformat(), "positions": 2},
        {"step": "unheard_of", "at": (now + timedelta(seconds=1.5)).isoformat()},
    ]
    values: dict[str, Any] = {
        "run_id": run_id, "trigger": "MANUAL_STOP", "requested_by": "kim", "status": status,
        "started_at": now, "finished_at": None, "positions": 2, "remaining": 1, "steps": steps,
    }  # fmt: skip
    if status != "flattening":
        values["finished_at"] = now + timedelta(seconds=1.5)
    stored(database, EmergencyStopRow(**(values | changes)))


def test_an_emergency_under_way_is_told_step_by_step(database: Engine) -> None:
    a_living_engine(
        database, observed=ObservedState.STOPPED, trading=TradingState.HALTED,
        view=VIEW | {"halt_reason": "MANUAL_STOP", "flattening": True},
    )  # fmt: skip
    wanted(database, DesiredState.EMERGENCY)
    an_emergency(database, 1, "flattening")
    shown = page()
    assert sentence(shown) == (
        "Emergency stop (stopped by a person): 2 positions are being closed."
    )
    words = said(shown).replace("\\", "")
    assert "closing: 1 of 2 positions left · 4." in words
    assert "+0.00 s  new risk halted" in words
    assert "+0.05 s  closing orders sent (2 positions)" in words
    assert "+1.5 s  unheard_of" in words
    assert shown.button(key="control_start").disabled
    assert "cannot start. Re-arm first" in words


def test_the_last_emergency_stays_to_be_read(database: Engine) -> None:
    a_living_engine(database, view=VIEW)
    an_emergency(database, 1, "flat", remaining=0)
    wishes.wish(database, CommandKind.STOP, by="a", now=SystemClock().now())
    words = said(page()).replace("\\", "")
    assert "flat after 1.5 s, 2 positions closed" in words
    assert "session r1, by kim (stopped by a person)" in words


def test_a_re_arm_takes_the_typed_word_and_only_where_it_lifts_something(
    database: Engine,
) -> None:
    a_living_engine(database, view=VIEW)
    assert not page().text_input
    wanted(database, DesiredState.EMERGENCY)
    shown = page()
    assert "trading stays stopped until you press Start" in said(shown)
    shown.text_input(key="control_rearm_word").input("rearm")
    shown.button(key="control_rearm").click().run()
    assert asked(database) == []
    assert 'The confirmation was "rearm", it must be REARM.' in said(shown).replace("\\", "")
    shown.text_input(key="control_rearm_word").input("REARM")
    shown.button(key="control_rearm").click().run()
    assert asked(database) == [("rearm", "console")]


def test_a_latched_emergency_without_an_engine_says_what_comes_first(database: Engine) -> None:
    a_living_engine(database, ProcessId(own_process().host, 2**22 - 7, 1), view=VIEW)
    wanted(database, DesiredState.EMERGENCY)
    assert "A re-arm lapses after a minute: start the engine first." in said(page())


def test_a_first_click_makes_the_database(places: Environment) -> None:
    shown = page()
    shown.button(key="control_start").click().run()
    assert not shown.exception
    reader = open_database(places.database_url, read_only=True)
    assert asked(reader) == [("start", "console")]
    reader.dispose()
    until(shown, "Start was asked ")
    assert "no engine runs; it takes effect when one starts" in said(shown)
