"""What the reach process watches and keeps going: the engine's silence, its own services, jobs."""

import asyncio
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

import pytest
from sqlalchemy import Engine
from sqlmodel import select

from auto_trading import engine_file
from auto_trading.engine_file import EngineFile
from auto_trading.reach import escalation, jobs, services, silence
from auto_trading.reach.jobs import JobsService
from auto_trading.reach.services import Keeper, Rhythm
from auto_trading.reach.settings_in_force import SettingsInForce
from auto_trading.reach.silence import SilenceWatch, judge
from config.job_schedule import REACH_SCHEDULE, Turn
from config.loading import load
from config.notifications import Channel
from config.settings import Settings
from crypto_trader_pro.domain.enums import ObservedState, TradingState
from crypto_trader_pro.domain.errors import JournalUnavailable
from database import alerts, config_history, job_rows, lease
from database.auto_trading_db import open_database, unit_of_work
from database.config_history import AppliedConfig
from database.lease import Beat, Holder
from database.models import (
    AlertRow,
    ChatCommandRow,
    EngineLeaseRow,
    JobRow,
    StrategyRow,
    WebhookLogRow,
)
from tests.channel_peers import Answer, HttpPeer
from tests.reach_world import World
from tests.rows import an_alert, stored
from utils.processes import own_process

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
LIMIT = timedelta(seconds=30)


@pytest.fixture
def peer() -> Iterator[HttpPeer]:
    with HttpPeer(Answer(200, b"ok")) as found:
        yield found


@pytest.fixture
def world(migrated_file: Path, tmp_path: Path, peer: HttpPeer) -> Iterator[World]:
    file = tmp_path / "database.db"
    shutil.copy(migrated_file, file)
    database = open_database(f"sqlite:///{file}", durable=False, busy_seconds=0.2)
    made = World(database, tmp_path, peer.url)
    yield made
    made.close()
    database.dispose()


# --- the engine's silence -----------------------------------------------------------------------


def engine(database: Engine, at: datetime) -> int:
    """Let an engine of this process take the account and beat once; return its epoch."""
    me = own_process()
    holder = Holder(f"o{at}", me.host, me.pid, me.started, "build")
    with unit_of_work(database) as session:
        epoch = lease.take(session, holder, at, is_gone=lambda _: True)
        assert epoch is not None
    beat(database, epoch, at)
    return epoch


def beat(database: Engine, epoch: int, at: datetime) -> None:
    told = Beat(ObservedState.RUNNING, TradingState.ACTIVE, "paper", "demo", None, None, None)
    with unit_of_work(database) as session:
        assert lease.renew(session, epoch, told, at) is not None


def row_of(**changes: Any) -> EngineLeaseRow:
    usual: dict[str, Any] = {
        "account": "default", "owner": "o", "pid": 7, "pid_started": 1, "host": "box#1",
        "epoch": 3, "expires_at": NOW, "heartbeat_at": NOW, "observed_state": "running",
    }  # fmt: skip
    return EngineLeaseRow(**(usual | changes))


@pytest.mark.parametrize(
    ("row", "code"),
    [
        (None, None),
        (row_of(epoch=0, owner=""), None),  # none was ever started
        (row_of(), None),
        (row_of(heartbeat_at=NOW - LIMIT), None),
        (row_of(heartbeat_at=NOW - LIMIT - timedelta(seconds=1)), "engine_silent"),
        (row_of(owner="", observed_state="stopped", heartbeat_at=NOW - 9 * LIMIT), None),
        (row_of(owner="", observed_state="faulted", last_error="disk\nfull"), "engine_ended"),
    ],
)
def test_who_is_missed(row: EngineLeaseRow | None, code: str | None) -> None:
    found = judge(row, NOW, LIMIT)
    assert (None if found is None else found.code) == code
    if found is not None and code == "engine_silent":
        assert found.numbers == {"seconds": 31, "pid": 7, "host": "box"}
    if found is not None and code == "engine_ended":
        assert found.numbers == {"error": "disk full"}


def told(world: World) -> list[tuple[str, str]]:
    return [(row.severity, row.message) for row in world.rows()]


def test_a_silence_is_told_once_through_the_channels_and_so_is_its_end(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(silence, "SEEN_SECONDS", 0.0)
    epoch = engine(world.database, world.now())
    watch = SilenceWatch(world.tools)
    assert not watch.look()
    world.ahead = timedelta(seconds=40)
    assert watch.look()
    assert not watch.look()
    assert not SilenceWatch(world.tools).look()  # another process after a restart
    pid, host = own_process().pid, own_process().host.split("#")[0]
    ((severity, text),) = told(world)
    assert severity == "critical"
    assert text.startswith(f"The engine has been silent for 40 s (process {pid} on {host}). Trad")
    world.ahead = timedelta(seconds=95)
    beat(world.database, epoch, world.now())
    assert watch.look()
    assert not watch.look()
    assert told(world)[1:] == [("warning", "The engine is back after 95 s.")]
    assert [severity for severity, _ in world.alerts()] == ["critical", "warning"]
    with unit_of_work(world.database) as session:  # what is over must not be told again
        assert [a.severity for a in alerts.open_alerts(session)] == ["warning"]
    world.ahead = timedelta(seconds=300)
    assert watch.look()  # another silence is another word
    with unit_of_work(world.database) as session:
        lease.release(session, epoch, world.now())
    assert not watch.look()  # ended in order: neither silent nor back
    assert len(told(world)) == 3


def test_a_machine_that_was_asleep_is_given_a_moment(world: World) -> None:
    engine(world.database, world.now())
    world.ahead = timedelta(seconds=40)
    watch = SilenceWatch(world.tools)
    assert not watch.look()  # it is new to us that the heartbeat stands still
    assert told(world) == []
    assert watch.look(asked=True)  # a person wants to know now


def test_an_engine_that_ended_by_an_error_is_told(world: World) -> None:
    epoch = engine(world.database, world.now())
    with unit_of_work(world.database) as session:
        lease.release(session, epoch, world.now(), error="the disk is full")
    watch = SilenceWatch(world.tools)
    assert watch.look()
    assert not watch.look()
    assert told(world) == [("critical", "The engine has ended by an error: the disk is full")]


def sign_of_life(world: World) -> None:
    me = own_process()
    content = EngineFile(
        me.host, me.pid, me.started, 1, "running", "active", "allowed", world.now().isoformat()
    )
    assert engine_file.write(world.environment.var_dir, content)


def test_a_living_engine_whose_heartbeat_is_not_stored_is_not_called_silent(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(silence, "SEEN_SECONDS", 0.0)
    engine(world.database, world.now())
    world.ahead = timedelta(seconds=40)
    sign_of_life(world)
    with pytest.raises(JournalUnavailable, match=r"^the engine lives, and its heartbeat is not"):
        SilenceWatch(world.tools).look()
    assert told(world) == []


def test_a_database_that_does_not_serve_is_told_directly_once(
    world: World, peer: HttpPeer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(silence, "LOOK_SECONDS", 0.02)
    world.settings = world.settings.model_copy(
        update={"reach": world.settings.reach.model_copy(update={"silent_after_seconds": 0})}
    )
    sign_of_life(world)
    real, tables = lease.read, [False]

    def read(*given: Any, **more: Any) -> EngineLeaseRow | None:
        if not tables[0]:
            raise JournalUnavailable("the database does not answer")
        return real(*given, **more)

    monkeypatch.setattr(lease, "read", read)

    def back() -> bool:
        tables[0] = True
        return True

    def more_looks() -> bool:
        looks.append(1)
        return len(looks) > 20

    looks: list[int] = []
    world.play(
        SilenceWatch(world.tools), lambda: peer.asked != [], more_looks, back,
        lambda: world.told != [],
    )  # fmt: skip
    (asked,) = peer.asked
    assert asked.json()["type"] == "ENGINE_SILENT"
    assert asked.json()["text"].startswith("The database has not served for 0 s (the database")
    assert [code for _, code, _ in world.told] == ["database_back"]


# --- alerts that nobody acknowledges ------------------------------------------------------------


def test_an_alert_is_told_again_until_somebody_has_seen_it(world: World) -> None:
    grave = an_alert(
        kind="EMERGENCY_STOP", severity="critical", code="message", numbers={"message": "stopped"},
        raised_at=world.now(),
    )  # fmt: skip
    old = an_alert(severity="critical", raised_at=world.now() - timedelta(days=4))
    stored(world.database, grave, an_alert(severity="error", raised_at=world.now()), old)
    assert not escalation.tell_again(world.tools)
    for minutes in (15, 29, 30, 45, 60, 90):  # after 15 minutes, three times at most
        world.ahead = timedelta(minutes=minutes, seconds=1)
        escalation.tell_again(world.tools)
    assert [row.message for row in world.rows()] == [
        f"[not acknowledged for {minutes} min] stopped" for minutes in (15, 30, 45)
    ]
    assert {(row.kind, row.severity, row.alert_id) for row in world.rows()} == {
        ("EMERGENCY_STOP", "critical", 1)
    }
    assert world.rows(Channel.DASHBOARD) == []  # it is there already


def test_one_that_was_seen_is_not_told_again_and_many_are_told_as_one(world: World) -> None:
    stored(
        world.database,
        *(an_alert(severity="critical", code="message", numbers={"message": f"n{k}"},
                   raised_at=world.now()) for k in range(5)),
    )  # fmt: skip
    with unit_of_work(world.database) as session:
        alerts.acknowledge(session, 2, "kim", world.now())
    world.ahead = timedelta(minutes=16)
    assert escalation.tell_again(world.tools)
    (row,) = world.rows()
    assert row.message == "[not acknowledged for 16 min] 4 alerts: n0 / n2 / n3 / n4"
    with unit_of_work(world.database) as session:
        found = [session.get_one(AlertRow, number).escalations for number in range(1, 6)]
    assert found == [1, 0, 1, 1, 1]


# --- services -----------------------------------------------------------------------------------


class Shaky:
    """A service that fails a few times, each in another way, then serves."""

    name = "shaky"
    faults: ClassVar[list[BaseException | None]] = []
    lives = 0

    def __init__(self, tools: Any) -> None:
        Shaky.lives += 1

    async def run(self) -> None:
        if Shaky.faults:
            fault = Shaky.faults.pop(0)
            if fault is None:
                return
            raise fault
        await asyncio.Event().wait()


def test_a_service_that_fails_is_told_once_and_begun_again(world: World) -> None:
    Shaky.faults = [ValueError("the\nlibrary"), SystemExit(1), None]
    Shaky.lives = 0
    keeper = Keeper("shaky", Shaky, world.tools, Rhythm(0.01, 0.02, steady=0.1))
    world.play(keeper, lambda: len(world.told) == 2)
    assert Shaky.lives == 4
    assert world.told == [
        ("error", "service_failed", {"service": "shaky", "error": "ValueError: the library"}),
        ("info", "service_recovered", {"service": "shaky", "failures": 3}),
    ]


def test_one_whose_library_is_broken_stops_no_other(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    Shaky.faults, Shaky.lives = [], 0
    table = {"broken": "auto_trading.reach.no_such:Service", "shaky": f"{__name__}:Shaky"}

    class Both:
        async def run(self) -> None:
            await services.keep_all(world.tools, table)

    world.play(Both(), lambda: Shaky.lives == 1 and len(world.told) == 1)
    ((_, code, numbers),) = world.told
    assert (code, numbers["service"]) == ("service_failed", "broken")
    assert "No module named" in numbers["error"]


# --- jobs ---------------------------------------------------------------------------------------


def test_a_job_runs_when_a_person_asks_and_says_how_it_went(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "LOOK_SECONDS", 0.02)
    service = JobsService(world.tools, schedule={})
    with unit_of_work(world.database) as session:
        for name in ("outbox_drain", "webhook_retention"):
            job_rows.ask(session, name, world.now())

    def ran(name: str) -> Callable[[], bool]:
        def look() -> bool:
            with unit_of_work(world.reader) as session:
                row = session.get(JobRow, name)
                return row is not None and row.status == "ok" and row.asked_at is None

        return look

    world.play(service, ran("outbox_drain"), ran("webhook_retention"))
    assert world.told == []


def test_every_job_of_the_schedule_can_be_run(world: World) -> None:
    names = [name for turn in REACH_SCHEDULE.values() for name in turn.names]
    runner = JobsService(world.tools, schedule={"x": Turn(999, ())})._runner
    assert set(runner.names) == set(names)
    assert all(runner.run(name, asked=True) for name in names)
    assert world.told == []


def test_journals_of_what_came_from_outside_are_kept_as_long_as_it_is_set(world: World) -> None:
    def signal(days: int) -> WebhookLogRow:
        return WebhookLogRow(
            strategy_id=1, strategy="s", received_at=world.now() - timedelta(days=days),
            remote="127.0.0.1", form="json", alert_id=str(days), body="{}", status="refused",
        )  # fmt: skip

    def chat(days: int) -> ChatCommandRow:
        return ChatCommandRow(
            bot="1", update_id=days, received_at=world.now() - timedelta(days=days), text="/status",
            outcome="done",
        )  # fmt: skip

    _strategy(world.database)
    stored(world.database, *(signal(days) for days in (1, 89, 91)), chat(2), chat(95))
    runner = JobsService(world.tools, schedule={})._runner
    assert runner.run("webhook_retention", quiet=True)
    with unit_of_work(world.reader) as session:
        kept = list(session.exec(select(WebhookLogRow.alert_id)))
        chats = list(session.exec(select(ChatCommandRow.update_id)))
    assert (kept, chats) == (["1", "89"], [2])


def _strategy(database: Engine) -> None:
    row = StrategyRow(
        name="s", key_hash="h", key_hint="x", key_made_at=NOW, allowed_ips=[], symbols=[],
        created_at=NOW, created_by="kim", updated_at=NOW,
    )  # fmt: skip
    stored(database, row)


# --- the settings in force ----------------------------------------------------------------------


def applied(settings: Settings) -> AppliedConfig:
    return AppliedConfig(
        True, "CONSERVATIVE", settings.risk_management.daily_loss_limit_pct, 5, 300,
        settings.symbols, settings.hash(), settings.canonical_json(),
    )  # fmt: skip


def test_the_settings_follow_what_the_engine_records(world: World) -> None:
    def record(seconds: int, **changes: Any) -> Settings:
        settings = load(overrides={k.replace("__", "."): v for k, v in changes.items()})
        with unit_of_work(world.database) as session:
            at = world.now() + timedelta(seconds=seconds)
            config_history.record(session, applied(settings), "kim", at)
        return settings

    files = load()
    record(-100, engine__language="ko")  # of an earlier engine: the files may be others by now
    engine(world.database, world.now())
    follows = SettingsInForce(world.reader)
    assert follows() == files
    assert not follows.look()
    changed = record(1, engine__language="en")
    assert follows.look()
    assert follows() == changed
    assert not follows.look()
    assert SettingsInForce(world.reader)() == changed
    with unit_of_work(world.database) as session:
        config_history.record(session, replace(applied(files), content="{}"), "kim", world.now())
    assert not follows.look()  # nobody can read it
    assert follows() == changed
