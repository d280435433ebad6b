"""The delivery of messages below the alerts, tests of channels, and alerts that were told again."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine
from sqlmodel import Session, select

from crypto_trader_pro.domain.enums import NotificationType
from database import alerts, job_rows, outbox
from database.auto_trading_db import unit_of_work
from database.models import OutboxRow
from tests.console.shown import a_living_engine, page, said
from utils.clocks import SystemClock

FILE = "alerts_view.py"


def message(database: Engine, channel: str, status: str, **changes: Any) -> int:
    now = SystemClock().now()
    values: dict[str, Any] = {
        "kind": "SYSTEM_ERROR", "severity": "error", "message": "the disk is *full*",
        "created_at": now - timedelta(minutes=3), "next_try_at": now + timedelta(hours=1),
    }  # fmt: skip
    row = OutboxRow(channel=channel, status=status, **(values | changes))
    with unit_of_work(database) as session:
        session.add(row)
        session.flush()
        return row.id or 0


def stored(database: Engine) -> list[OutboxRow]:
    with Session(database) as session:
        return list(session.exec(select(OutboxRow).order_by(OutboxRow.id)))  # type: ignore[arg-type]


@pytest.mark.parametrize("language", ["ko", "en"])
def test_before_the_first_message_the_page_says_what_will_come(
    database: Engine, language: str
) -> None:
    told = said(page(FILE, chosen_language=language))
    assert ("are counted here once a channel" if language == "en" else "여기에 집계됩니다") in told
    assert (
        "No channel is switched on" if language == "en" else "켜진 전송 채널이 없습니다"
    ) in told


def test_messages_are_counted_by_channel_and_the_console_is_none(database: Engine) -> None:
    for status in ("sent", "sent", "waiting", "failed"):
        message(database, "email", status)
    message(database, "dashboard", "sent")
    counts = page(FILE).dataframe[0].value
    assert counts["Channel"].tolist() == ["Mail"]
    line = [counts[name].tolist() for name in ("waiting", "sent", "given up", "Oldest waiting")]
    assert line == [["1"], ["2"], ["1"], ["3 min"]]


def test_what_failed_is_tried_again_at_once(database: Engine) -> None:
    message(database, "email", "waiting", attempts=3, last_error="421 later")
    message(database, "discord", "waiting", attempts=0)
    shown = page(FILE)
    assert "does not run" in said(shown)  # nothing sends here
    before = SystemClock().now()
    shown.button(key="outbox_retry_email").click().run()
    tried, waits = stored(database)
    assert tried.next_try_at <= SystemClock().now() < waits.next_try_at
    assert tried.next_try_at >= before
    assert not [b for b in shown.button if b.key == "outbox_retry_discord"]


def test_what_was_given_up_is_sent_again_one_or_all_of_a_channel(database: Engine) -> None:
    message(database, "email", "failed", attempts=32, last_error="535 no")
    message(database, "email", "failed", attempts=32, last_error="535 no")
    message(database, "slack", "failed", attempts=32, last_error="gone")
    shown = page(FILE)
    assert shown.dataframe[1].value["Reason"].tolist() == ["gone", "535 no", "535 no"]
    shown.button(key="outbox_again_email").click().run()
    assert [(row.status, row.attempts) for row in stored(database)] == [
        ("waiting", 0), ("waiting", 0), ("failed", 32),
    ]  # fmt: skip
    assert not [b for b in shown.button if b.key == "outbox_again_email"]


@pytest.mark.parametrize("file", [FILE, "settings_page.py"])
def test_a_channel_is_tested_and_what_became_of_it_is_told(
    database: Engine, monkeypatch: pytest.MonkeyPatch, file: str
) -> None:
    monkeypatch.setenv("CTP_CHANNELS__DISCORD__ENABLED", "true")
    monkeypatch.setenv("CTP_CHANNELS__SLACK__ENABLED", "true")
    state = {"settings_search": "channels discord"} if file == "settings_page.py" else {}
    shown = page(file, **state)
    shown.button(key="channel_test_discord").click().run()
    shown.button(key="channel_test_slack").click().run()
    first, second = stored(database)
    assert (first.channel, first.kind, second.channel) == ("discord", "TEST_MESSAGE", "slack")
    assert "Discord: waits to be sent" in said(shown)
    with unit_of_work(database) as session:
        outbox.sent(session, first.id or 0, SystemClock().now())
        outbox.failed(session, second.id or 0, "404 *no*", SystemClock().now(), permanent=True)
    shown.run()
    assert "Discord: sent at 20" in said(shown)
    assert "Slack: failed: 404 *no*" in said(shown)


def test_an_alert_that_was_told_again_says_so(database: Engine) -> None:
    now = SystemClock().now()
    with unit_of_work(database) as session:
        row = alerts.raise_alert(
            session, NotificationType.SYSTEM_ERROR, "critical", "message", {"message": "m"},
            at=now, now=now,
        )  # fmt: skip
        row.escalated_at, row.escalations = now, 3
    assert "3 times in all: nobody had acknowledged it" in said(page(FILE))


def test_a_job_that_was_asked_for_waits_and_is_not_asked_twice(database: Engine) -> None:
    a_living_engine(database)
    with unit_of_work(database) as session:
        job_rows.ask(session, "digest", SystemClock().now())
    shown = page("jobs_view.py")
    assert "it runs as soon as it can" in said(shown)
    assert shown.button(key="job_run_digest").disabled
    assert not shown.button(key="job_run_escalation").disabled
