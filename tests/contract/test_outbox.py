"""The outbox on both databases: written once, sent later, tried again, given up at last."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine
from sqlmodel import Session, col, select

from config.notifications import Channel
from crypto_trader_pro.domain.enums import NotificationType
from crypto_trader_pro.domain.errors import InputError, JournalUnavailable
from crypto_trader_pro.domain.ports import Delivery, Notice, Outbox
from database import outbox as messages
from database.alerts import open_alerts
from database.auto_trading_db import unit_of_work
from database.models import AlertRow, OutboxRow
from database.outbox import MAX_ATTEMPTS, DatabaseOutbox, pause_after
from tests.databases import Opener
from tests.rows import T0, after

SHOWN = Delivery("dashboard", T0, True)
MAIL = Delivery("email", T0, False)


def a_notice(*deliveries: Delivery, **changes: Any) -> Notice:
    notice = Notice(
        NotificationType.SYSTEM_ERROR, "error", "it broke", {"n": 1}, None, None, T0, deliveries
    )
    return notice._replace(**changes)


@pytest.fixture
def outbox(database: Engine) -> Outbox:
    return DatabaseOutbox(database)


def rows(database: Engine) -> list[OutboxRow]:
    with unit_of_work(database) as session:
        return list(session.exec(select(OutboxRow).order_by(col(OutboxRow.id))))


def ids(database: Engine, channel: str, now: datetime, **options: Any) -> list[int | None]:
    with unit_of_work(database) as session:
        return [row.id for row in messages.due(session, channel, now, **options)]


def a_stored_mail(database: Engine, outbox: Outbox) -> int:
    outbox.add([a_notice(MAIL)])
    found = rows(database)[-1].id
    assert found is not None
    return found


# --- written --------------------------------------------------------------------------------------


def test_each_channel_has_its_row_and_the_display_is_delivered(
    database: Engine, outbox: Outbox
) -> None:
    held = Delivery("telegram", after(60), False)
    outbox.add([a_notice(SHOWN, MAIL, held, alert_id=7), a_notice(MAIL, message="둘", data=None)])
    found = [(r.channel, r.status, r.next_try_at, r.sent_at, r.alert_id) for r in rows(database)]
    assert found == [
        ("dashboard", "sent", T0, T0, 7),
        ("email", "waiting", T0, None, 7),
        ("telegram", "held", after(60), None, 7),
        ("email", "waiting", T0, None, None),
    ]
    first, *_, last = rows(database)
    assert (first.kind, first.severity, first.message, first.data) == (
        "SYSTEM_ERROR", "error", "it broke", {"n": 1},
    )  # fmt: skip
    assert (first.created_at, first.attempts, first.last_error) == (T0, 0, None)
    assert (last.message, last.data) == ("둘", None)


def alerts(database: Engine) -> list[AlertRow]:
    with unit_of_work(database) as session:
        return list(session.exec(select(AlertRow).order_by(col(AlertRow.id))))


def test_a_message_that_no_alert_says_becomes_one(database: Engine, outbox: Outbox) -> None:
    outbox.add([a_notice(MAIL, SHOWN, run_id=12)])
    (alert,) = alerts(database)
    assert (alert.kind, alert.severity, alert.code) == ("SYSTEM_ERROR", "error", "message")
    assert alert.numbers == {"n": 1, "message": "it broke"}
    assert (alert.run_id, alert.at, alert.raised_at) == (12, T0, T0)
    assert {row.alert_id for row in rows(database)} == {alert.id}


@pytest.mark.parametrize(
    ("notice", "alert_id"),
    [
        (a_notice(SHOWN, alert_id=7), 7),
        (a_notice(SHOWN, alert_id=0), None),  # there is one, of a number that is not known
        (a_notice(MAIL), None),
    ],
)
def test_no_alert_is_made_where_there_is_one_or_no_display(
    notice: Notice, alert_id: int | None, database: Engine, outbox: Outbox
) -> None:
    outbox.add([notice])
    assert alerts(database) == []
    assert [row.alert_id for row in rows(database)] == [alert_id]


def test_information_is_shown_and_nobody_has_to_acknowledge_it(
    database: Engine, outbox: Outbox
) -> None:
    outbox.add([a_notice(SHOWN, severity=s) for s in ("info", "warning", "error", "critical")])
    with unit_of_work(database) as session:
        still_open = [row.severity for row in open_alerts(session)]
    assert still_open == ["critical", "error", "warning"]
    information = alerts(database)[0]
    assert (information.severity, information.acknowledged_at) == ("info", T0)
    assert information.acknowledged_by == "engine"


def test_a_batch_is_stored_whole_or_not_at_all(database: Engine, outbox: Outbox) -> None:
    with pytest.raises(Exception, match="a JSON column cannot hold object"):
        outbox.add([a_notice(MAIL), a_notice(MAIL, data={"x": object()})])
    assert rows(database) == []


def test_it_opens_its_own_connection(database_url: str, opened: Opener) -> None:
    outbox = DatabaseOutbox.open(database_url)
    outbox.add([a_notice(MAIL)])
    outbox.close()
    assert len(rows(opened(database_url))) == 1


def test_a_table_that_is_not_there_is_said_in_one_line(empty_url: str) -> None:
    outbox = DatabaseOutbox.open(empty_url)
    with pytest.raises(JournalUnavailable, match=r"^the outbox: .* lacks a table or column"):
        outbox.add([a_notice(MAIL)])
    outbox.close()


def test_a_notice_that_is_added_again_is_there_once(database: Engine, outbox: Outbox) -> None:
    """Who cannot see whether a commit went through adds once more."""
    first = a_notice(SHOWN, MAIL, key="k1", image=b"png")
    outbox.add([first])
    outbox.add([first, a_notice(MAIL, key="k2"), a_notice(MAIL, key="k2")])
    found = [(row.channel, row.key, row.image) for row in rows(database)]
    assert found == [("dashboard", "k1", None), ("email", "k1", b"png"), ("email", "k2", None)]
    assert len(alerts(database)) == 1
    outbox.add([a_notice(MAIL), a_notice(MAIL)])  # without a key they are two
    assert len(rows(database)) == 5


# --- sent -----------------------------------------------------------------------------------------


def test_due_is_what_waits_for_the_channel_and_whose_time_has_come(
    database: Engine, outbox: Outbox
) -> None:
    held = Delivery("email", after(60), False)
    outbox.add([a_notice(SHOWN, held), a_notice(MAIL), a_notice(MAIL), a_notice(MAIL)])
    first_held, *waiting = [row.id for row in rows(database) if row.channel == "email"]
    assert ids(database, "email", T0 - timedelta(seconds=1)) == []
    assert ids(database, "email", T0) == waiting
    assert ids(database, "email", T0, limit=2) == waiting[:2]
    assert ids(database, "email", after(60)) == [first_held, *waiting]
    assert ids(database, "dashboard", after(60)) == []
    assert ids(database, "discord", after(60)) == []


def test_critical_messages_and_tests_come_first_and_a_digest_leaves_the_milder_ones(
    database: Engine, outbox: Outbox
) -> None:
    grave = a_notice(MAIL, severity="critical")
    outbox.add([a_notice(MAIL), a_notice(MAIL, severity="info"), grave])
    outbox.add([a_notice(MAIL, severity="info", kind=NotificationType.DAILY_SUMMARY)])
    error, info, critical, summary = (row.id for row in rows(database))
    with unit_of_work(database) as session:
        tested = messages.enqueue_test(session, Channel.EMAIL, T0).id
    assert ids(database, "email", T0) == [critical, tested, error, info, summary]
    assert ids(database, "email", T0, urgent_only=True) == [critical, tested]
    mild = ("info", "warning")
    assert ids(database, "email", T0, collected=mild) == [critical, tested, error, summary]
    with unit_of_work(database) as session:
        assert [r.id for r in messages.collectable(session, "email", T0, mild, 9)] == [info]
        assert messages.channels_waiting(session, T0) == {"email"}
        assert messages.channels_waiting(session, T0 - timedelta(seconds=1)) == set()


def test_several_messages_become_one_that_they_point_to(database: Engine, outbox: Outbox) -> None:
    outbox.add([a_notice(MAIL, message="a"), a_notice(MAIL, message="b")])
    with unit_of_work(database) as session:
        two = messages.due(session, "email", T0)
    with unit_of_work(database) as session:  # rows of another transaction
        whole = messages.merge(session, two, "a, b", "error", after(1))
    *merged, last = rows(database)
    assert {(row.status, row.digest_id) for row in merged} == {("digested", whole.id)}
    assert (last.kind, last.message, last.status, last.data) == (
        "DIGEST", "a, b", "waiting", {"count": 2},
    )  # fmt: skip
    assert ids(database, "email", after(1)) == [last.id]


def test_what_failed_is_tried_at_once_and_what_was_given_up_once_more(
    database: Engine, outbox: Outbox
) -> None:
    row_id = a_stored_mail(database, outbox)
    with unit_of_work(database) as session:
        messages.failed(session, row_id, "down", T0, retry_after=timedelta(hours=1))
        assert messages.retry_now(session, after(1), "slack") == 0
        assert messages.retry_now(session, after(1), "email") == 1
    assert ids(database, "email", after(1)) == [row_id]
    with unit_of_work(database) as session:
        with pytest.raises(InputError, match=f"message {row_id} is waiting, allowed: one that has"):
            messages.send_again(session, row_id, after(2))
        assert messages.give_up(session, "email", "switched off", T0 - timedelta(seconds=1)) == 0
        assert messages.give_up(session, "email", "switched off", T0) == 1
    assert (rows(database)[0].status, rows(database)[0].last_error) == ("failed", "switched off")
    with unit_of_work(database) as session:
        row = messages.send_again(session, row_id, after(3))
        assert (row.status, row.attempts, row.next_try_at) == ("waiting", 0, after(3))


def test_a_test_message_is_for_a_channel_that_sends(database: Engine) -> None:
    with unit_of_work(database) as session:
        row = messages.enqueue_test(session, Channel.SLACK, T0)
        assert (row.channel, row.kind, row.status) == ("slack", "TEST_MESSAGE", "waiting")
        with pytest.raises(InputError, match=r"^channel was 'dashboard', allowed: email, discord"):
            messages.enqueue_test(session, Channel.DASHBOARD, T0)


def test_work_is_what_was_sent_or_tried_since(database: Engine, outbox: Outbox) -> None:
    row_id = a_stored_mail(database, outbox)
    outbox.add([a_notice(SHOWN)])

    def worked(since: datetime) -> bool:
        with unit_of_work(database) as session:
            return messages.worked_since(session, since)

    assert not worked(T0)
    with unit_of_work(database) as session:
        messages.failed(session, row_id, "down", after(1))
    assert worked(after(1))
    with unit_of_work(database) as session:
        messages.sent(session, row_id, after(2))
    assert (worked(after(2)), worked(after(3))) == (True, False)


def test_what_was_sent_is_sent_once(database: Engine, outbox: Outbox) -> None:
    row_id = a_stored_mail(database, outbox)
    for minutes in (1, 2):
        with unit_of_work(database) as session:
            messages.sent(session, row_id, after(minutes))
    (row,) = rows(database)
    assert (row.status, row.attempts, row.sent_at, row.last_error) == ("sent", 1, after(1), None)
    assert ids(database, "email", after(99)) == []
    with unit_of_work(database) as session:
        messages.failed(session, row_id, "late news", after(3))
    assert rows(database)[0].status == "sent"


def test_a_failure_is_tried_again_after_a_growing_pause(database: Engine, outbox: Outbox) -> None:
    row_id = a_stored_mail(database, outbox)
    now = T0
    for attempt, seconds in enumerate((5, 10, 20, 40), 1):
        with unit_of_work(database) as session:
            row = messages.failed(session, row_id, f"refused {attempt}", now)
            assert (row.status, row.attempts) == ("waiting", attempt)
        later = now + timedelta(seconds=seconds)
        assert ids(database, "email", later - timedelta(seconds=1)) == []
        assert ids(database, "email", later) == [row_id]
        now = later
    with unit_of_work(database) as session:
        row = messages.sent(session, row_id, now)
    assert (row.status, row.attempts, row.last_error) == ("sent", 5, None)


def test_a_channel_may_ask_for_a_longer_pause_and_not_for_a_shorter(
    database: Engine, outbox: Outbox
) -> None:
    row_id = a_stored_mail(database, outbox)
    with unit_of_work(database) as session:
        row = messages.failed(session, row_id, "429", T0, retry_after=timedelta(minutes=3))
        assert row.next_try_at == after(3)
        row = messages.failed(session, row_id, "429", T0, retry_after=timedelta(seconds=1))
        assert row.next_try_at == T0 + timedelta(seconds=10)


def test_a_held_message_that_failed_just_waits(database: Engine, outbox: Outbox) -> None:
    outbox.add([a_notice(Delivery("email", after(60), False))])
    row_id = rows(database)[0].id
    assert row_id is not None
    with unit_of_work(database) as session:
        assert messages.failed(session, row_id, "x", after(61)).status == "waiting"


def test_what_is_of_no_use_is_given_up_at_once(database: Engine, outbox: Outbox) -> None:
    row_id = a_stored_mail(database, outbox)
    with unit_of_work(database) as session:
        row = messages.failed(session, row_id, "no such chat", T0, permanent=True)
    assert (row.status, row.attempts, row.last_error) == ("failed", 1, "no such chat")
    assert ids(database, "email", after(10_000)) == []


def test_at_last_a_message_is_given_up(database: Engine, outbox: Outbox) -> None:
    row_id = a_stored_mail(database, outbox)
    with unit_of_work(database) as session:
        states = [messages.failed(session, row_id, "x", T0).status for _ in range(MAX_ATTEMPTS)]
    assert states == ["waiting"] * 31 + ["failed"]


def test_the_pauses_last_22_hours() -> None:
    # 5 + 10 + ... + 2560 is 5 x (2^10 - 1) = 5115 s, then 21 times an hour
    total = sum((pause_after(k) for k in range(1, MAX_ATTEMPTS)), timedelta(0))
    assert total == timedelta(seconds=5115, hours=21)
    assert pause_after(10**9) == timedelta(hours=1)


def test_a_message_that_is_not_there_is_named(database: Engine) -> None:
    with Session(database) as session:
        with pytest.raises(InputError, match=r"^there is no message 5 in the outbox$"):
            messages.sent(session, 5, T0)
        with pytest.raises(InputError, match=r"^there is no message 5 in the outbox$"):
            messages.failed(session, 5, "x", T0)
