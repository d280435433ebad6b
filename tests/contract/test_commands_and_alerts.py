"""Commands, alerts and the history of the configuration."""

import threading
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Engine, text
from sqlmodel import Session

from crypto_trader_pro.domain.enums import NotificationType
from crypto_trader_pro.domain.errors import InputError
from database import alerts, commands, config_history
from database.auto_trading_db import unit_of_work
from database.commands import CommandStatus
from database.config_history import AppliedConfig
from database.models import CommandRow
from database.status import snapshot
from tests.databases import Opener
from tests.rows import T0, after


def ask(session: Session, command_id: str = "c1", **changes: Any) -> CommandRow:
    values: dict[str, Any] = {
        "command_id": command_id, "kind": "stop", "payload": {"why": "lunch"},
        "requested_by": "kim", "now": T0,
    }  # fmt: skip
    return commands.enqueue(session, **(values | changes))


def claimed(database: Engine, now: datetime = T0) -> str | None:
    with unit_of_work(database) as session:
        row = commands.claim_next(session, now)
        return row.command_id if row else None


# --- commands -------------------------------------------------------------------------------


def test_a_command_is_asked_taken_and_done(database: Engine) -> None:
    with unit_of_work(database) as session:
        ask(session)
        assert snapshot(session).waiting_commands == 1
    with unit_of_work(database) as session:
        row = commands.claim_next(session, after(1))
        assert row is not None
        assert (row.command_id, row.status, row.claimed_at) == ("c1", "taken", after(1))
        assert row.payload == {"why": "lunch"}
    with unit_of_work(database) as session:
        commands.finish(session, "c1", CommandStatus.DONE, {"state": "stopped"}, after(2))
    with unit_of_work(database) as session:
        row = commands.find(session, "c1")
        assert row is not None
        assert (row.status, row.answer, row.finished_at) == ("done", {"state": "stopped"}, after(2))
        assert snapshot(session).waiting_commands == 0


def test_commands_are_taken_in_the_order_they_were_asked(database: Engine) -> None:
    with unit_of_work(database) as session:
        for name in ("c1", "c2", "c3"):
            ask(session, name)
    assert [claimed(database) for _ in range(4)] == ["c1", "c2", "c3", None]


def test_asking_twice_is_asking_once(database: Engine) -> None:
    with unit_of_work(database) as session:
        first = ask(session)
        assert ask(session, now=after(5)).id == first.id
    assert [claimed(database), claimed(database)] == ["c1", None]
    with unit_of_work(database) as session:
        assert ask(session).status == "taken"  # it stands as it is


def test_an_id_of_another_command_is_refused(database: Engine) -> None:
    with unit_of_work(database) as session:
        ask(session)
        with pytest.raises(InputError, match=r"^command id 'c1' belongs to another command$"):
            ask(session, kind="start")
        ask(session, "c2")  # the transaction goes on
    assert [claimed(database), claimed(database)] == ["c1", "c2"]


def test_two_engines_never_take_the_same_command(
    database: Engine, database_url: str, opened: Opener
) -> None:
    names = [f"c{k:02d}" for k in range(20)]
    with unit_of_work(database) as session:
        for name in names:
            ask(session, name)
    taken: list[str] = []
    engines = [opened(database_url) for _ in range(2)]

    def work(engine: Engine) -> None:
        while (name := claimed(engine)) is not None:
            taken.append(name)

    threads = [threading.Thread(target=work, args=(engine,)) for engine in engines]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == names


def test_a_claim_that_loses_the_race_goes_on_to_the_next(
    database: Engine, database_url: str, opened: Opener
) -> None:
    """PostgreSQL lets both read the same row; the loser's UPDATE matches none."""
    with unit_of_work(database) as session:
        ask(session, "c1")
        ask(session, "c2")
    loser: list[str | None] = []
    other = opened(database_url)
    with unit_of_work(database) as session:
        assert commands.claim_next(session, T0) is not None
        thread = threading.Thread(target=lambda: loser.append(claimed(other)))
        thread.start()
        thread.join(0.3)  # it waits for our lock
        assert loser == []
    thread.join()
    assert loser == ["c2"]


def test_an_expired_command_is_not_taken(database: Engine) -> None:
    with unit_of_work(database) as session:
        ask(session, "late", expires_at=after(5))
        ask(session, "patient")
    assert claimed(database, after(5)) == "patient"
    with unit_of_work(database) as session:
        assert commands.expire(session, after(5)) == 1
        assert commands.expire(session, after(5)) == 0
        late = commands.find(session, "late")
        assert late is not None
        assert (late.status, late.finished_at) == ("expired", after(5))


@pytest.mark.parametrize("command_id", ["waiting", "nobody"])
def test_only_a_taken_command_is_finished(database: Engine, command_id: str) -> None:
    with unit_of_work(database) as session:
        ask(session, "waiting")
        with pytest.raises(InputError, match=rf"^command '{command_id}' is not being worked on$"):
            commands.finish(session, command_id, CommandStatus.DONE, {}, T0)


def test_a_command_is_finished_once(database: Engine) -> None:
    with unit_of_work(database) as session:
        ask(session)
        commands.claim_next(session, T0)
        commands.finish(session, "c1", CommandStatus.REFUSED, {"code": "halted"}, T0)
        with pytest.raises(InputError, match="is not being worked on"):
            commands.finish(session, "c1", CommandStatus.DONE, {}, T0)
        row = commands.find(session, "c1")
        assert row is not None
        session.refresh(row)
        assert (row.status, row.answer) == ("refused", {"code": "halted"})


def test_commands_are_listed_newest_first_page_by_page(database: Engine) -> None:
    with unit_of_work(database) as session:
        for name in ("c1", "c2", "c3"):
            ask(session, name)
        page = commands.newest(session, limit=2)
        rest = commands.newest(session, limit=2, before_id=page[-1].id)
    assert [row.command_id for row in (*page, *rest)] == ["c3", "c2", "c1"]


# --- alerts ---------------------------------------------------------------------------------


def an_alert(session: Session, code: str) -> int:
    row = alerts.raise_alert(
        session, NotificationType.DAILY_LOSS_WARNING, "warning", code,
        {"loss_pct": Decimal("2.40")}, at=T0, now=after(1),
    )  # fmt: skip
    return row.id or 0


def test_an_alert_is_open_until_somebody_has_seen_it(database: Engine) -> None:
    with unit_of_work(database) as session:
        first, second = an_alert(session, "a"), an_alert(session, "b")
    with unit_of_work(database) as session:
        assert [row.code for row in alerts.open_alerts(session)] == ["b", "a"]
        assert [row.code for row in alerts.open_alerts(session, before_id=second)] == ["a"]
        alerts.acknowledge(session, first, "kim", after(2))
    with unit_of_work(database) as session:
        (row,) = alerts.open_alerts(session)
        assert (row.code, row.numbers, row.at, row.raised_at) == (
            "b", {"loss_pct": "2.4"}, T0, after(1),
        )  # fmt: skip


def test_the_first_who_has_seen_an_alert_stays(database: Engine) -> None:
    with unit_of_work(database) as session:
        alert_id = an_alert(session, "a")
        alerts.acknowledge(session, alert_id, "kim", after(2))
        row = alerts.acknowledge(session, alert_id, "lee", after(3))
        assert (row.acknowledged_by, row.acknowledged_at) == ("kim", after(2))


@pytest.mark.parametrize("number", [7, 0, 2**31, 10**30])
def test_an_unknown_alert_is_refused(database: Engine, number: int) -> None:
    with unit_of_work(database) as session, pytest.raises(InputError, match=rf"no alert {number}$"):
        alerts.acknowledge(session, number, "kim", T0)


# --- configuration --------------------------------------------------------------------------


def a_config(config_hash: str = "h1", *, is_enabled: bool = False) -> AppliedConfig:
    return AppliedConfig(
        is_enabled=is_enabled, trading_mode="CONSERVATIVE", max_daily_loss_pct=Decimal("3.0"),
        max_positions=5, trading_interval=300, symbols=("BTC/USDT:USDT",), config_hash=config_hash,
        content='{"engine":{}}',
    )  # fmt: skip


def test_the_newest_configuration_is_in_force(database: Engine) -> None:
    with unit_of_work(database) as session:
        assert config_history.latest(session) is None
        config_history.record(session, a_config("h1"), "kim", T0)
        config_history.record(session, a_config("h2"), "lee", after(1))
    with unit_of_work(database) as session:
        row = config_history.latest(session)
        assert row is not None
        assert (row.config_hash, row.applied_by, row.created_at) == ("h2", "lee", after(1))
        assert str(row.max_daily_loss_pct) == "3"
        assert (row.symbols, row.user_id) == (["BTC/USDT:USDT"], 1)
        older = config_history.history(session, before_id=row.id)
        assert [old.config_hash for old in older] == ["h1"]


def test_applying_what_is_in_force_adds_no_row(database: Engine) -> None:
    with unit_of_work(database) as session:
        first = config_history.record(session, a_config(), "kim", T0)
        again = config_history.record(session, a_config(), "lee", after(1))
        assert again.id == first.id
        started = config_history.record(session, a_config(is_enabled=True), "lee", after(2))
        back = config_history.record(session, a_config(), "lee", after(3))
        assert first.id != started.id != back.id != first.id
        assert len(config_history.history(session)) == 3


def test_a_missing_answer_is_null_and_not_json(database: Engine) -> None:
    with unit_of_work(database) as session:
        ask(session)
    with database.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM commands WHERE answer IS NULL")) == 1
