"""The page of the alerts in Streamlit's own harness: worded, advised, acknowledged, filtered."""

from typing import Any

import pytest
from sqlalchemy import Engine
from sqlmodel import Session

from crypto_trader_pro.domain.enums import CommandKind, NotificationType
from database import alerts, commands
from database.auto_trading_db import unit_of_work
from database.models import AlertRow
from tests.console.shown import a_living_engine, page, said
from tests.rows import T0
from utils.clocks import SystemClock

FILE = "alerts_view.py"
K = NotificationType


def raised(
    database: Engine, code: str = "message", severity: str = "error", kind: K = K.SYSTEM_ERROR,
    **numbers: Any,
) -> int:  # fmt: skip
    with unit_of_work(database) as session:
        now = SystemClock().now()
        row = alerts.raise_alert(session, kind, severity, code, numbers, at=now, now=now, run_id=4)
        return row.id or 0


def requests(database: Engine) -> list[tuple[str, dict[str, Any]]]:
    with Session(database) as session:
        return [(row.kind, row.payload) for row in commands.newest(session)]


@pytest.mark.parametrize("language", ["ko", "en"])
def test_before_the_first_alert_the_page_says_what_will_come(
    database: Engine, language: str
) -> None:
    shown = page(FILE, chosen_language=language)
    told = "There has been no alert yet" if language == "en" else "아직 알림이 없습니다"
    assert told in said(shown)


def test_there_is_a_page_before_there_is_a_database() -> None:
    assert "There has been no alert yet" in said(page(FILE))


def test_an_alert_is_worded_with_its_severity_and_what_to_do(database: Engine) -> None:
    raised(database, message="the disk is [full] *now*")
    raised(
        database, "emergency_stop", "critical", K.EMERGENCY_STOP, by="kim", trigger="MANUAL_STOP",
        positions=2, closing=2,
    )  # fmt: skip
    told = said(page(FILE))
    assert ":violet-badge[:material/crisis_alert: critical]" in told
    assert "Emergency stop by kim (stopped by a person): 2 positions open, 2 being" in told
    assert "Check on the monitoring page that no position is left" in told
    assert ":red-badge[:material/error: error]" in told
    assert "the disk is [full] *now*" in told
    assert "Read the log lines of that moment" in told


def test_an_alert_of_another_version_is_shown_as_it_is_stored(database: Engine) -> None:
    raised(database, "unheard_of", "loud", n=5)
    raised(database, "drawdown_kill", "critical", K.EMERGENCY_STOP, drawdown_rate="x")
    with unit_of_work(database) as session:
        session.add(
            AlertRow(kind="NEW_KIND", severity="info", code="x", numbers={}, at=T0, raised_at=T0)
        )
    told = said(page(FILE))
    assert "unheard_of n: 5" in told
    assert "drawdown_kill drawdown_rate: x" in told
    assert "NEW_KIND" in told


def test_a_market_whose_time_is_another_is_told(database: Engine) -> None:
    now = SystemClock().now()
    with unit_of_work(database) as session:
        alerts.raise_alert(session, K.SYSTEM_ERROR, "error", "x", {}, at=T0, now=now)
    assert "market time 2024-01-01" in said(page(FILE))


def test_one_click_acknowledges_one(database: Engine) -> None:
    a_living_engine(database)
    first, second = raised(database, message="a"), raised(database, message="b")
    shown = page(FILE)
    shown.button(key=f"alert_seen_{first}").click().run()
    assert requests(database) == [("acknowledge_alert", {"alert_ids": [first]})]
    assert shown.button(key=f"alert_seen_{first}").disabled
    assert "Acknowledgement asked; the engine carries it out" in said(shown)
    shown.button(key="alerts_all").click().run()  # not again what was asked already
    assert requests(database)[0] == ("acknowledge_alert", {"alert_ids": [second]})


def test_one_click_acknowledges_all_that_are_shown(database: Engine) -> None:
    numbers = [raised(database, message=f"m{k}") for k in range(25)]
    shown = page(FILE)
    assert shown.button(key="alerts_all").label == "Acknowledge all shown (20)"
    shown.button(key="alerts_all").click().run()
    assert requests(database) == [
        (CommandKind.ACKNOWLEDGE_ALERT.value, {"alert_ids": numbers[:4:-1]})
    ]
    assert shown.button(key="alerts_all").disabled
    shown.button(key="alerts_older").click().run()
    assert shown.button(key="alerts_all").label == "Acknowledge all shown (5)"
    shown.button(key="alerts_newer").click().run()
    assert shown.button(key="alerts_newer").disabled


def test_without_an_engine_the_page_says_when_it_takes_effect(database: Engine) -> None:
    raised(database, message="a")
    assert "takes effect when one starts" in said(page(FILE))
    a_living_engine(database)
    assert "takes effect when one starts" not in said(page(FILE))


def test_what_was_acknowledged_is_under_all_with_who_and_when(database: Engine) -> None:
    number = raised(database, message="gone by")
    with unit_of_work(database) as session:
        alerts.acknowledge(session, number, "kim", SystemClock().now())
    shown = page(FILE)
    assert "everything was acknowledged" in said(shown)
    shown.session_state["alerts_which"] = "all"
    shown.run()
    assert "gone by" in said(shown)
    assert "Acknowledged by kim" in said(shown)
    assert not [b for b in shown.button if b.key == f"alert_seen_{number}"]


@pytest.mark.parametrize(
    ("choice", "value", "expected"),
    [("alerts_severities", ["warning"], "warned"), ("alerts_kinds", ["DAILY_SUMMARY"], "")],
)
def test_the_choices_are_followed(
    database: Engine, choice: str, value: list[str], expected: str
) -> None:
    raised(database, message="broke")
    raised(database, severity="warning", message="warned")
    shown = page(FILE)
    shown.session_state[choice] = value
    shown.run()
    told = said(shown)
    assert "broke" not in told
    assert (expected or "No alert fits the filter") in told
