"""The jobs of the reach process, on the runner that the engine's jobs have."""

import asyncio
import threading
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import delete
from sqlmodel import Session, col, select

from auto_trading.job_tasks import Task
from auto_trading.jobs import JobRunner, RunnerTools
from auto_trading.reach import digests, escalation, silence
from auto_trading.reach.silence import SilenceWatch
from auto_trading.reach.tools import ReachTools
from auto_trading.reports.weekly_sending import weekly_report_due
from config.job_schedule import REACH_SCHEDULE, Turn
from crypto_trader_pro.domain.errors import TradingError
from database import job_rows, outbox
from database.auto_trading_db import unit_of_work
from database.models import ChatCommandRow, ReachStateRow, WebhookLogRow

LOOK_SECONDS: Final = 1.0
_BATCH: Final = 500  # rows of one transaction: a few milliseconds of the writers' queue
_PAUSE_SECONDS: Final = 0.02
_CLOSE_SECONDS: Final = 0.3


class JobsService:
    """Runs what is due, and what a person has asked for."""

    name: Final = "jobs"

    def __init__(self, tools: ReachTools, *, schedule: Mapping[str, Turn] = REACH_SCHEDULE) -> None:
        self._tools = tools
        self._stopping = threading.Event()
        self._tasks = ReachTasks(tools, self._stopping).all()
        own = RunnerTools(tools.writer, tools.now, tools.notify, self._stopping)
        self._runner = JobRunner(self._tasks, schedule, own)

    async def run(self) -> None:
        """Serve until cancelled."""
        await asyncio.to_thread(self._runner.start)
        try:
            while True:
                await asyncio.sleep(LOOK_SECONDS)
                for name in await asyncio.to_thread(self._asked):
                    self._runner.run_now(name)
        finally:
            self._runner.close(_CLOSE_SECONDS)

    def _asked(self) -> list[str]:
        """Return what a person wants to run, once; nothing while the database does not serve."""
        try:
            with unit_of_work(self._tools.reader, "jobs") as session:
                if not job_rows.is_any_asked(session, self._runner.names):
                    return []
            with unit_of_work(self._tools.writer, "jobs") as session:
                return job_rows.take_asked(session, self._runner.names)
        except TradingError:
            return []  # the runner tells of a database that does not serve


class ReachTasks:
    """What each job does. Each is run by one thread at a time."""

    def __init__(self, tools: ReachTools, stopping: threading.Event) -> None:
        self._tools = tools
        self._stopping = stopping
        self._drained = self._watched = tools.now()  # up to when work has been recorded

    def all(self) -> Mapping[str, Task]:
        """Return every job by its name."""
        return {
            "outbox_drain": self.outbox_drain,
            "digest": self.digest,
            "escalation": self.escalation,
            "engine_silence": self.engine_silence,
            "weekly_report": self.weekly_report,
            "webhook_retention": self.webhook_retention,
        }

    def outbox_drain(self, asked: bool) -> bool:
        """Record that messages were sent or tried; asked: try those again at once that failed."""
        since, self._drained = self._drained, self._tools.now()
        if asked:
            with unit_of_work(self._tools.writer, "the outbox") as session:
                outbox.retry_now(session, self._tools.now())
        with unit_of_work(self._tools.reader, "the outbox") as session:
            return outbox.worked_since(session, since)

    def digest(self, asked: bool) -> bool:
        """Put collected messages together."""
        return digests.send_digests(self._tools, asked)

    def escalation(self, asked: bool) -> bool:
        """Tell again what nobody has acknowledged."""
        return escalation.tell_again(self._tools)

    def engine_silence(self, asked: bool) -> bool:
        """Record that the watch has told something; asked: look now."""
        since, self._watched = self._watched, self._tools.now()
        if asked:
            return SilenceWatch(self._tools).look(asked=True)
        with unit_of_work(self._tools.reader, "the engine's silence") as session:
            row = session.get(ReachStateRow, silence.STATE)
        return row is not None and row.updated_at >= since

    def weekly_report(self, asked: bool) -> bool:
        """Put the report of the week that has ended into the outbox, once."""
        tools = self._tools
        return weekly_report_due(tools.reader, tools.writer, tools.settings(), tools.now())

    def webhook_retention(self, asked: bool) -> bool:
        """Delete journals of what came from outside that need not be kept any longer."""
        days = self._tools.settings().reach.webhook_retention_days
        before = self._tools.now() - timedelta(days=days)
        return True in [self._pruned(table, before) for table in (WebhookLogRow, ChatCommandRow)]

    def _pruned(self, model: Any, before: datetime) -> bool:
        removed, rows = 0, _BATCH
        while rows == _BATCH and not self._stopping.wait(_PAUSE_SECONDS):
            with unit_of_work(self._tools.writer, "retention") as session:
                rows = _delete(session, model, before)
            removed += rows
        return removed > 0


def _delete(session: Session, model: Any, before: datetime) -> int:
    """Delete the oldest rows, a batch of them; return how many there were."""
    old = select(model.id).where(col(model.received_at) < before).order_by(col(model.id))
    gone = delete(model).where(col(model.id).in_(old.limit(_BATCH)))
    return int(session.connection().execute(gone).rowcount)
