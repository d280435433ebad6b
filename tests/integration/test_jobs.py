"""The jobs over a real database, with trading time in the test's hand."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine
from sqlmodel import SQLModel, select

from auto_trading.job_tools import Difference, JobRun, JobTools, mode_tag
from auto_trading.jobs import Jobs
from auto_trading.precision_cache import PrecisionCache, precision_of
from config.job_schedule import SCHEDULE, Turn
from config.loading import load
from crypto_trader_pro.domain.calendar import TradingCalendar
from crypto_trader_pro.domain.enums import NotificationType, TradingState
from crypto_trader_pro.domain.errors import GatewayUnavailable, InputError
from crypto_trader_pro.domain.portfolio import AccountView
from crypto_trader_pro.domain.timeframes import to_ms
from database import commands, rollups, runs
from database.auto_trading_db import open_database, unit_of_work
from database.models import (
    CommandRow,
    DailyAccountSummaryRow,
    DecisionRow,
    EquityRow,
    JobRow,
    PerformanceMetricRow,
    PositionRow,
)
from tests.builders import USDT, an_instrument
from tests.rows import (
    T0,
    T0_MS,
    a_decision,
    a_position,
    after,
    an_entry,
    an_equity,
    stored,
    stored_run,
)
from utils.texts import Language, say

HOUR, DAY = 60, 1440  # minutes
MODE = "paper-demo"
Sent = tuple[NotificationType, str, str, Mapping[str, Any]]


class World:
    """Everything that jobs ask for, to be set by a test."""

    def __init__(self, url: str, database: Engine) -> None:
        self.url = url
        self.database = database
        self.run: JobRun | None = JobRun(stored_run(database, kind="paper", source="demo"), MODE)
        self.view: AccountView | None = None
        self.now = datetime(2026, 1, 1, tzinfo=UTC)
        self.sent: list[Sent] = []
        self.found: Callable[[], Sequence[Difference]] = lambda: ()
        self.trained: list[bool] = []
        self.wants_training = False
        self.seconds = 0.0
        self.precision = PrecisionCache(
            lambda symbol: precision_of(an_instrument(symbol)), seconds=lambda: self.seconds
        )

    @property
    def run_id(self) -> int:
        assert self.run is not None
        return self.run.run_id

    def at(self, minutes: int, equity: int = 100_000, *, store: bool = True) -> None:
        """Let the books reach a time of trading, with an equity, committed."""
        self.view = AccountView(
            at_ms=T0_MS + minutes * 60_000, asset="USDT", cash=equity * USDT, equity=equity * USDT,
            gross=0, realized=0, unrealized=0, fees=0, funding=0, open_positions=0,
            working_orders=0, peak=equity * USDT, drawdown_rate=0, day_start_equity=equity * USDT,
            trading_state=TradingState.ACTIVE,
        )  # fmt: skip
        if store:
            stored(self.database, an_equity(self.run_id, minutes, str(equity)))

    def train(self, asked: bool) -> bool:
        self.trained.append(asked)
        return asked or self.wants_training

    def notify(
        self, kind: NotificationType, severity: str, code: str, numbers: Mapping[str, Any], /
    ) -> None:
        self.sent.append((kind, severity, code, dict(numbers)))
        for language in Language:
            assert "{" not in say(language, f"risk.{code}", **numbers)

    def tools(self) -> JobTools:
        return JobTools(
            open_database=lambda: open_database(self.url, durable=False),
            run=lambda: self.run, account=lambda: self.view,
            prices=lambda: {"BTC/USDT:USDT": Decimal("42100.1")},
            calendar=TradingCalendar("Asia/Seoul"), now=lambda: self.now, notify=self.notify,
            differences=lambda: self.found(), precision=self.precision, train=self.train,
        )  # fmt: skip

    def jobs(self, **changes: Any) -> Jobs:
        schedule = changes.pop("schedule", SCHEDULE)
        return Jobs(self.tools(), load(environ={}, dotenv={}, **changes), schedule=schedule)

    def codes(self) -> list[str]:
        return [code for _, _, code, _ in self.sent]

    def rows(self, model: type[SQLModel]) -> list[Any]:
        with unit_of_work(self.database) as session:
            return list(session.exec(select(model)).all())

    def job(self, name: str) -> JobRow | None:
        return next((row for row in self.rows(JobRow) if row.name == name), None)


@pytest.fixture
def world(database_url: str, database: Engine) -> World:
    return World(database_url, database)


@pytest.fixture
def jobs(world: World) -> Iterator[Jobs]:
    made = world.jobs()
    yield made
    made.close()


# --- one job each -------------------------------------------------------------------------------


def test_every_job_works_before_there_is_a_session(world: World, jobs: Jobs) -> None:
    world.run = None
    assert all(jobs.run(name) for name in jobs.names)
    assert {row.name: row.status for row in world.rows(JobRow)} == dict.fromkeys(jobs.names, "ok")
    assert world.sent == []
    assert {name for turn in SCHEDULE.values() for name in turn.names} == set(jobs.names)
    assert mode_tag("paper", "demo") == MODE


def test_the_equity_is_stored_except_at_the_hours_the_engine_stores(
    world: World, jobs: Jobs
) -> None:
    world.at(HOUR, store=False)
    jobs.run("equity_snapshot")
    assert world.rows(EquityRow) == []
    world.at(HOUR + 5, 101, store=False)
    for _ in range(2):
        jobs.run("equity_snapshot")
    (row,) = world.rows(EquityRow)
    assert (row.run_id, row.at, row.equity) == (world.run_id, after(HOUR + 5), Decimal(101))


def test_open_positions_are_marked(world: World, jobs: Jobs) -> None:
    stored(world.database, a_position(world.run_id))
    assert jobs.run("unrealized_pnl")
    (row,) = world.rows(PositionRow)
    assert row.unrealized_pnl == 5  # 0.05 x (42,100.1 - 42,000.1)


def test_the_sums_of_the_session_and_of_runs_without_any_are_made(world: World, jobs: Jobs) -> None:
    ended = stored_run(world.database)
    stored(
        world.database, *(a_decision(run, 5 * k) for run in (world.run_id, ended) for k in range(3))
    )
    with unit_of_work(world.database) as session:
        runs.finish(session, ended, "finished", None, world.now)
    assert jobs.run("roll_up", quiet=True)
    with unit_of_work(world.database) as session:
        assert rollups.rolled_up_to(session, world.run_id) == T0_MS + 5 * 60_000  # one may grow
        assert rollups.rolled_up_to(session, ended) == T0_MS + 10 * 60_000
    row = world.job("roll_up")
    assert row is not None
    world.now += timedelta(seconds=30)
    jobs.run("roll_up", quiet=True)  # nothing to do
    assert world.job("roll_up") == row


def test_a_difference_is_told_once_until_it_is_resolved(world: World, jobs: Jobs) -> None:
    order = Difference("order r1o5", "working", "absent")
    found: list[Difference] = []
    world.found = lambda: found
    jobs.run("order_status")
    assert world.sent == []
    found.append(order)
    for _ in range(3):
        assert jobs.run("order_status")
    assert [sent[1:] for sent in world.sent] == [
        ("error", "books_differ", {"count": 1, "what": "order r1o5: working / absent"})
    ]
    found.append(Difference("cash", "1", "2"))  # another one
    for _ in range(2):
        jobs.run("order_status")
    assert world.sent[1:][0][3] == {"count": 2, "what": "cash: 1 / 2"}
    found.remove(order)
    jobs.run("order_status")
    assert world.codes() == ["books_differ"] * 2
    found.clear()
    for _ in range(2):
        jobs.run("order_status")
    assert world.codes() == ["books_differ", "books_differ", "books_agree"]
    found.append(order)  # it comes back: a new one
    jobs.run("order_status")
    assert world.codes()[3:] == ["books_differ"]


def test_retention_works_once_a_day(world: World, jobs: Jobs) -> None:
    for day in (1, 300):
        stored(world.database, a_decision(world.run_id, day * DAY))
    world.at(305 * DAY, store=False)  # kept: 7 days of the demo market
    assert jobs.run("retention", quiet=True)
    assert len(world.rows(DecisionRow)) == 1
    stored(world.database, a_decision(world.run_id, 2 * DAY))
    world.now += timedelta(hours=23)
    jobs.run("retention", quiet=True)
    assert len(world.rows(DecisionRow)) == 2
    jobs.run("retention", asked=True)  # a person does not wait for tomorrow
    assert len(world.rows(DecisionRow)) == 1


def test_retention_keeps_its_day_over_a_restart(world: World, jobs: Jobs) -> None:
    jobs.run("retention", quiet=True)
    row = world.job("retention")
    assert row is not None
    started = row.started_at
    world.now += timedelta(hours=2)
    again = world.jobs()
    again.start()
    again.run("retention", quiet=True)
    again.close()
    row = world.job("retention")
    assert row is not None
    assert row.started_at == started
    # where none runs, the rows of the session that may go on are left alone
    world.run, world.now = None, world.now + timedelta(days=900)
    stored(world.database, a_decision(1, DAY))
    jobs.run("retention", quiet=True)
    assert len(world.rows(DecisionRow)) == 1


def test_the_precision_cache_is_cleaned(world: World, jobs: Jobs) -> None:
    world.precision.get("BTC/USDT")
    world.seconds = 3600
    jobs.run("precision_cache")
    assert len(world.precision) == 0


def test_training_leaves_a_row_only_when_it_began(world: World, jobs: Jobs) -> None:
    jobs.run("train", quiet=True)
    assert (world.trained, world.job("train")) == ([False], None)
    world.wants_training = True
    jobs.run("train", quiet=True)
    row = world.job("train")
    assert row is not None
    assert row.status == "ok"


def test_commands_that_nobody_took_expire(world: World, jobs: Jobs) -> None:
    with unit_of_work(world.database) as session:
        commands.enqueue(
            session, command_id="c", kind="stop", payload={}, requested_by="kim", now=T0,
            expires_at=T0,
        )  # fmt: skip
    jobs.run("expire_commands")
    (row,) = world.rows(CommandRow)
    assert row.status == "expired"


# --- the trading day ----------------------------------------------------------------------------
# T0 is 2024-01-01 00:00 UTC, 09:00 in Seoul; the day ends there at 15:00 UTC, 21:00 is 12:00 UTC


def look(jobs: Jobs) -> None:
    """One look at the trading day, as the scheduler takes it."""
    jobs._take(SCHEDULE["trading_day"])


def open_account(world: World) -> None:
    stored(
        world.database,
        an_entry(world.run_id, "capital", "-100000", reference="capital", kind="capital"),
    )


def test_the_day_is_driven_by_trading_time(world: World, jobs: Jobs) -> None:
    open_account(world)
    world.at(HOUR, 100_500)
    look(jobs)
    world.at(11 * HOUR, 100_700)
    look(jobs)
    assert (world.sent, world.rows(JobRow)) == ([], [])  # looking leaves no trace
    world.at(12 * HOUR, 101_000)
    look(jobs)
    ((kind, severity, code, numbers),) = world.sent
    assert (kind, severity, code) == (NotificationType.DAILY_SUMMARY, "info", "daily_summary")
    assert numbers == {
        "date": "2024-01-01", "mode": MODE, "start": "100,000.00", "end": "101,000.00",
        "change": "+1,000.00", "realized": "0.00", "unrealized": "0.00", "fees": "0.00",
        "funding": "0.00", "drawdown_pct": "0", "trades": 0, "wins": 0, "losses": 0,
        "chart": {
            "kind": "equity", "run_id": world.run_id, "from": "2023-12-31T15:00:00+00:00",
            "to": "2024-01-01T12:00:00+00:00",
        },
    }  # fmt: skip
    world.at(13 * HOUR, 101_500)
    look(jobs)
    assert len(world.sent) == 1  # once a day
    assert world.rows(PerformanceMetricRow) == []  # the day goes on
    world.at(15 * HOUR, 102_000)
    world.at(15 * HOUR + 5, 101_900)
    look(jobs)
    (row,) = world.rows(PerformanceMetricRow)
    assert (row.date.isoformat(), row.mode, row.equity) == ("2024-01-01", MODE, Decimal(102_000))
    (summary,) = world.rows(DailyAccountSummaryRow)
    assert summary.ending_equity == 102_000
    world.at(36 * HOUR, 101_800)  # 21:00 of the next day
    look(jobs)
    assert [sent[3]["date"] for sent in world.sent] == ["2024-01-01", "2024-01-02"]
    assert {row.name for row in world.rows(JobRow)} == {"daily_metrics", "daily_summary"}


def test_a_restart_sends_no_second_summary(world: World, jobs: Jobs) -> None:
    world.at(11 * HOUR)
    world.at(12 * HOUR)
    look(jobs)
    again = world.jobs()
    world.at(13 * HOUR)
    look(again)
    again.close()
    assert world.codes() == ["daily_summary"]


def test_summaries_that_were_missed_are_sent_as_one(world: World, jobs: Jobs) -> None:
    """Down from 20:00 on the 1st until 02:00 on the 3rd: the 2nd's is sent, with its figures."""
    world.at(11 * HOUR, 100_000)
    world.at(38 * HOUR, 99_000)  # played over after the start: 23:00 on the 2nd
    world.at(41 * HOUR, 98_000)
    look(jobs)
    ((_, _, _, numbers),) = world.sent
    assert (numbers["date"], numbers["start"], numbers["end"]) == (
        "2024-01-02", "100,000.00", "99,000.00"
    )  # fmt: skip
    assert len(world.rows(PerformanceMetricRow)) == 2
    look(jobs)
    assert len(world.sent) == 1


def test_a_session_begun_after_the_summary_time_sends_none_today(world: World, jobs: Jobs) -> None:
    world.at(13 * HOUR)
    look(jobs)
    assert world.sent == []
    world.at(14 * HOUR)
    look(jobs)
    assert world.sent == []


def test_a_summary_at_midnight_is_that_of_the_day_that_ended(world: World) -> None:
    jobs = world.jobs(overrides={"daily_summary_time": "00:00"})
    world.at(HOUR, 100_000)
    world.at(15 * HOUR, 103_000)
    look(jobs)
    jobs.close()
    again = world.jobs(overrides={"daily_summary_time": "00:00"})
    world.at(16 * HOUR, 104_000)
    look(again)
    again.close()
    ((_, _, _, numbers),) = world.sent
    assert (numbers["date"], numbers["end"]) == ("2024-01-01", "103,000.00")


def test_a_summary_that_is_asked_for_does_not_replace_the_days(world: World, jobs: Jobs) -> None:
    world.at(HOUR)
    assert jobs.run("daily_summary", asked=True)
    assert (world.codes(), world.rows(DailyAccountSummaryRow)) == (["daily_summary"], [])
    world.at(12 * HOUR)
    look(jobs)
    assert world.codes() == ["daily_summary"] * 2


def test_a_new_session_has_its_own_days(world: World, jobs: Jobs) -> None:
    world.at(11 * HOUR)
    world.at(12 * HOUR)
    look(jobs)
    world.run = JobRun(stored_run(world.database, kind="paper", source="demo"), MODE)
    world.at(11 * HOUR, 500)
    world.at(12 * HOUR, 600)
    look(jobs)
    assert [sent[3]["end"] for sent in world.sent] == ["100,000.00", "600.00"]
    (row,) = world.rows(DailyAccountSummaryRow)
    assert row.run_id == world.run_id


# --- failures -----------------------------------------------------------------------------------


def failing() -> Sequence[Difference]:
    raise GatewayUnavailable("the venue is under maintenance")


def test_a_failing_job_tells_once_and_once_more_when_it_works(world: World, jobs: Jobs) -> None:
    world.found = failing
    for _ in range(3):
        assert not jobs.run("order_status")
    row = world.job("order_status")
    assert row is not None
    assert (row.status, row.failures, row.error) == ("failed", 3, "the venue is under maintenance")
    assert [sent[1:] for sent in world.sent] == [
        ("error", "job_failed", {"job": "order_status", "error": "the venue is under maintenance"})
    ]
    world.found = lambda: ()
    for _ in range(2):
        assert jobs.run("order_status")
    assert [sent[1:] for sent in world.sent[1:]] == [
        ("info", "job_recovered", {"job": "order_status", "failures": 3})
    ]


def test_a_bug_is_named_with_its_kind(world: World, jobs: Jobs) -> None:
    def broken() -> Sequence[Difference]:
        raise KeyError("x")

    world.found = broken
    assert not jobs.run("order_status")
    assert world.sent[0][3]["error"] == "KeyError: 'x'"


def test_a_restart_does_not_tell_of_the_same_failure_again(world: World, jobs: Jobs) -> None:
    world.found = failing
    jobs.run("order_status")
    again = world.jobs(schedule={})
    again.start()
    again.run("order_status")
    assert world.codes() == ["job_failed"]
    world.found = lambda: ()
    again.run("order_status")
    assert world.codes() == ["job_failed", "job_recovered"]
    again.close()


def test_a_quiet_job_that_failed_tells_that_it_works_again(world: World, jobs: Jobs) -> None:
    world.view = AccountView.__new__(AccountView)  # without any value
    assert not jobs.run("daily_metrics", quiet=True)
    world.view = None
    assert jobs.run("daily_metrics", quiet=True)
    assert world.codes() == ["job_failed", "job_recovered"]
    row = world.job("daily_metrics")
    assert row is not None
    assert (row.status, row.failures) == ("ok", 0)


def test_a_message_that_is_lost_stops_nothing(
    world: World, jobs: Jobs, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*args: Any) -> None:
        raise RuntimeError("queue gone")

    world.notify = broken  # type: ignore[method-assign]
    deaf = world.jobs()
    world.found = failing
    assert not deaf.run("order_status")
    assert "a message about jobs was lost" in caplog.text
    deaf.close()


def test_a_database_that_is_gone_is_a_failure_of_the_job(tmp_path: Path, world: World) -> None:
    world.url = f"sqlite:///{tmp_path / 'none.db'}"
    jobs = world.jobs(schedule={})
    jobs.start()  # goes on without knowing the last runs
    assert not jobs.run("precision_cache")  # its record cannot be kept
    assert not jobs.run("train", asked=True, quiet=True)
    assert not jobs.run("precision_cache")
    assert world.codes() == ["job_failed", "job_failed"]
    assert "lacks a table" in world.sent[0][3]["error"]
    jobs.close()


def test_a_job_that_hangs_is_told_once(
    world: World, jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("auto_trading.jobs.HANGING_SECONDS", 0.0)
    entered, leave = threading.Event(), threading.Event()

    def hang() -> Sequence[Difference]:
        entered.set()
        leave.wait(10)
        return ()

    world.found = hang
    thread = threading.Thread(target=jobs.run, args=("order_status",))
    thread.start()
    assert entered.wait(10)
    for _ in range(2):
        jobs._look_for_hanging()
    assert world.codes() == ["job_hangs"]
    leave.set()
    thread.join(10)
    assert world.codes() == ["job_hangs", "job_recovered"]


# --- the scheduler ------------------------------------------------------------------------------


def until(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_the_scheduler_takes_turns_and_ends_although_a_job_hangs(world: World) -> None:
    leave = threading.Event()
    calls: list[int] = []

    def hang() -> Sequence[Difference]:
        calls.append(1)
        leave.wait(20)
        return ()

    world.found = hang
    schedule = {"slow": Turn(0.05, ("order_status",)), "fast": Turn(0.05, ("precision_cache",))}
    jobs = world.jobs(schedule=schedule)
    jobs.start()

    def cleaned() -> int:
        row = world.job("precision_cache")
        return 0 if row is None or row.finished_at is None else 1

    until(lambda: bool(calls) and bool(cleaned()))
    time.sleep(0.3)
    assert calls == [1]  # not started again while it runs, and no other waits for it
    start = time.monotonic()
    jobs.close(seconds=0.2)
    assert time.monotonic() - start < 2
    (hung,) = [t for t in threading.enumerate() if t.name == "job-slow"]
    leave.set()
    hung.join(10)
    row = world.job("order_status")
    assert row is not None
    assert row.status == "running"  # what comes too late is not recorded; the next start says so
    assert not jobs.run("precision_cache")


def test_a_job_that_is_asked_for_runs_at_once_in_a_thread_of_its_own(world: World) -> None:
    jobs = world.jobs(schedule={"train": Turn(3600, ("train",), quiet=True)})
    jobs.start()
    jobs.run_now("train")
    until(lambda: world.trained == [True])
    jobs.run_now("train")
    until(lambda: world.trained == [True, True])
    jobs.close()
    with pytest.raises(InputError, match=r"^job was 'tidy', allowed: equity_snapshot, unreal"):
        jobs.run_now("tidy")


def test_asking_again_while_one_waits_is_asking_once(world: World) -> None:
    leave = threading.Event()
    calls: list[int] = []

    def hang() -> Sequence[Difference]:
        calls.append(1)
        leave.wait(20)
        return ()

    world.found = hang
    jobs = world.jobs(schedule={})
    jobs.start()
    jobs.run_now("order_status")
    until(lambda: calls == [1])
    for _ in range(5):
        jobs.run_now("order_status")  # they wait for the one that runs
    leave.set()
    until(lambda: calls == [1, 1])
    time.sleep(0.2)
    assert calls == [1, 1]
    jobs.close()


def test_closing_what_never_started_is_no_trouble(world: World, jobs: Jobs) -> None:
    jobs.close()
    jobs._take(SCHEDULE["equity_snapshot"])  # a turn that comes late does nothing
    assert world.rows(JobRow) == []
    assert to_ms(T0) == T0_MS
