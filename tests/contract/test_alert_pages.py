"""What the page of the alerts reads, and what acknowledges them, on both databases."""

import pytest
from sqlalchemy import Engine
from sqlmodel import Session

from crypto_trader_pro.domain.enums import CommandKind, NotificationType
from crypto_trader_pro.domain.errors import InputError
from database import alerts, commands, wishes
from database.auto_trading_db import unit_of_work
from database.models import AlertRow
from database.views import alerts as pages
from database.views.alerts import Place, Wanted
from tests.rows import T0, after

K = NotificationType


def raised(
    database: Engine, code: str, severity: str = "warning", kind: K = K.SYSTEM_ERROR
) -> int:  # fmt: skip
    with unit_of_work(database) as session:
        row = alerts.raise_alert(
            session, kind, severity, code, {"n": 1}, at=T0, now=after(1), run_id=4
        )
        return row.id or 0


def seen(database: Engine, *numbers: int) -> None:
    with unit_of_work(database) as session:
        alerts.acknowledge_all(session, numbers, "kim", after(2))


def codes(database: Engine, wanted: Wanted, after_: Place | None = None) -> str:
    with Session(database) as session:
        return "".join(a.code for a in pages.page(session, wanted, after_).alerts)


@pytest.fixture
def mixed(database: Engine) -> Engine:
    raised(database, "a", "critical", K.EMERGENCY_STOP)
    second = raised(database, "b", "info")
    raised(database, "c", "error")
    fourth = raised(database, "d", "critical")
    raised(database, "e")
    seen(database, second, fourth)
    return database


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (Wanted(), "eca"),
        (Wanted(only_open=False), "ecadb"),
        (Wanted(severities=("critical",)), "a"),
        (Wanted(only_open=False, severities=("critical", "info")), "adb"),
        (Wanted(only_open=False, kinds=("EMERGENCY_STOP",)), "a"),
        (Wanted(kinds=("DAILY_SUMMARY",)), ""),
    ],
)
def test_open_alerts_come_first_the_newest_of_them_before_all(
    mixed: Engine, wanted: Wanted, expected: str
) -> None:
    assert codes(mixed, wanted) == expected


def test_an_alert_is_told_with_all_that_is_known(mixed: Engine) -> None:
    with Session(mixed) as session:
        found = pages.page(session, Wanted(only_open=False)).alerts
    first, last = found[0], found[-1]
    assert (first.run, first.kind, first.severity, first.numbers) == (
        "r4", "SYSTEM_ERROR", "warning", {"n": 1},
    )  # fmt: skip
    assert (first.at, first.raised_at, first.is_open, first.acknowledged_by) == (
        T0, after(1), True, "",
    )  # fmt: skip
    assert (last.is_open, last.acknowledged_at, last.acknowledged_by) == (False, after(2), "kim")


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 6])
def test_pages_follow_each_other_without_gap_or_repeat(mixed: Engine, size: int) -> None:
    told, place = "", None
    with Session(mixed) as session:
        for _ in range(6):
            found = pages.page(session, Wanted(only_open=False), place, limit=size)
            told += "".join(a.code for a in found.alerts)
            if (place := found.older) is None:
                break
    assert told == "ecadb"


def test_whether_there_ever_was_an_alert(database: Engine) -> None:
    with Session(database) as session:
        assert not pages.is_any(session)
    seen(database, raised(database, "a"))
    with Session(database) as session:
        assert pages.is_any(session)


def test_a_request_that_waits_is_seen_until_it_is_done(database: Engine) -> None:
    first, second = raised(database, "a"), raised(database, "b")
    for words in ([second], "nonsense"):
        wishes.wish(
            database, CommandKind.ACKNOWLEDGE_ALERT, {"alert_ids": words}, by="t", now=after(3)
        )

    def asked() -> dict[int, bool]:
        with Session(database) as session:
            return {a.id: a.is_asked for a in pages.page(session, Wanted()).alerts}

    assert asked() == {first: False, second: True}
    with unit_of_work(database) as session:
        row = commands.claim_next(session, after(3))
        assert row is not None
    assert asked() == {first: False, second: True}  # taken, and not done
    with unit_of_work(database) as session:
        commands.finish(session, row.command_id, commands.CommandStatus.REFUSED, {}, after(4))
    assert asked() == {first: False, second: False}


def test_a_request_to_acknowledge_waits_for_an_engine_as_long_as_it_takes(database: Engine) -> None:
    asked = wishes.wish(
        database, CommandKind.ACKNOWLEDGE_ALERT, {"alert_ids": [1]}, by="t", now=T0
    )  # fmt: skip
    assert asked.expires_at is None


def test_several_alerts_are_acknowledged_at_once(database: Engine) -> None:
    numbers = [raised(database, code) for code in "abc"]
    seen(database, numbers[0])
    with unit_of_work(database) as session:
        assert alerts.acknowledge_all(session, [*numbers, numbers[1]], "lee", after(5)) == 2
    with Session(database) as session:
        by = {n: session.get_one(AlertRow, n).acknowledged_by for n in numbers}
    assert list(by.values()) == ["kim", "lee", "lee"]  # the first to do so stays


@pytest.mark.parametrize(
    ("numbers", "line"),
    [
        ([], "0 alerts were named, allowed: 1 to 1000"),
        (list(range(1, 1002)), "1001 alerts were named, allowed: 1 to 1000"),
        ([1, 999], "there is no alert 999"),
        ([1, 2**70], f"there is no alert {2**70}"),
        ([-1, 1], "there is no alert -1"),
    ],
)
def test_alerts_are_acknowledged_all_or_none(
    database: Engine, numbers: list[int], line: str
) -> None:
    first = raised(database, "a")
    with (
        pytest.raises(InputError, match=f"^{line}$"),
        unit_of_work(database) as session,
    ):
        alerts.acknowledge_all(session, numbers, "kim", after(2))
    with Session(database) as session:
        assert session.get_one(AlertRow, first).acknowledged_at is None
