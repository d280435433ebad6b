"""What each job does. A task returns whether there was anything to do.

`asked` is True when a person asked for the run: then it works even where it is not due.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Final
from zoneinfo import ZoneInfo

from sqlalchemy import Engine

from auto_trading.daily_books import DailyBooks
from auto_trading.job_tools import Difference, JobRun, JobTools
from auto_trading.reports.chart_data import CHART, equity_data
from config.settings import Settings
from crypto_trader_pro.domain.calendar import TradingDay
from crypto_trader_pro.domain.enums import NotificationType
from crypto_trader_pro.domain.instruments import plain_text
from crypto_trader_pro.domain.timeframes import to_datetime, to_ms
from database import commands, daily, marking
from database.auto_trading_db import unit_of_work
from database.daily import DaySummary
from database.retention import Present, prune
from database.rollups import catch_up, never_rolled_up

Task = Callable[[bool], bool]

ENGINE_SNAPSHOT_MS: Final = 3_600_000  # the engine itself writes the equity of each full hour
_PAUSE_SECONDS: Final = 0.02  # between two batches, so that writers get their turn
_RETENTION_EVERY: Final = timedelta(days=1)
_SUMMARY: Final = "daily summary"
_CENT: Final = Decimal("0.01")
_SHOWN: Final = 3  # differences named in one alert


class Tasks:
    """The tasks of one process. Each is run by one thread at a time."""

    def __init__(
        self, tools: JobTools, settings: Settings, database: Engine, reader: Engine
    ) -> None:
        self._tools = tools
        self._database = database
        self._reader = reader
        self._retention = settings.retention
        self._zone = ZoneInfo(settings.engine.trading_day_timezone)
        self._summary_time = time.fromisoformat(settings.daily_summary_time)
        self._books: DailyBooks | None = None
        self._books_lock = threading.Lock()  # two jobs use them
        self._told: tuple[int, str] | None = None  # run and day of the last summary
        self._known: set[Difference] = set()
        self.last_retention: datetime | None = None
        self.stopping = threading.Event()

    def all(self) -> Mapping[str, Task]:
        """Return every job by its name."""
        return {
            "equity_snapshot": self.equity_snapshot,
            "unrealized_pnl": self.unrealized_pnl,
            "order_status": self.order_status,
            "daily_metrics": self.daily_metrics,
            "daily_summary": self.daily_summary,
            "retention": self.retention,
            "precision_cache": self.precision_cache,
            "train": self.train,
            "expire_commands": self.expire_commands,
            "roll_up": self.roll_up,
        }

    # --- the account ------------------------------------------------------------------------

    def equity_snapshot(self, asked: bool) -> bool:
        """Store the account at trading time.

        Full hours are the engine's own, in the transaction of its checkpoint: a row of ours at the
        same instant would make that fail.
        """
        run, account = self._tools.run(), self._tools.account()
        if run is None or account is None or account.at_ms % ENGINE_SNAPSHOT_MS == 0:
            return False
        with unit_of_work(self._database, "equity snapshot") as session:
            return marking.add_equity(session, run.run_id, account)

    def unrealized_pnl(self, asked: bool) -> bool:
        """Mark the open positions to the newest prices."""
        run = self._tools.run()
        if run is None:
            return False
        prices = self._tools.prices()
        with unit_of_work(self._database, "unrealized profit") as session:
            marking.mark_positions(session, run.run_id, prices)
        return True

    def order_status(self, asked: bool) -> bool:
        """Compare our books with the venue's; tell of a difference once, and when all are gone."""
        if self._tools.run() is None:
            return False
        found = set(self._tools.differences())
        new = found - self._known
        if new:
            self._tell("error", "books_differ", _named(sorted(new), len(found)))
        elif self._known and not found:
            self._tell("info", "books_agree", {"count": len(self._known)})
        self._known = found
        return True

    def _tell(self, severity: str, code: str, numbers: Mapping[str, Any]) -> None:
        self._tools.notify(NotificationType.SYSTEM_ERROR, severity, code, numbers)

    # --- the trading day --------------------------------------------------------------------

    def daily_metrics(self, asked: bool) -> bool:
        """Write the trading days that have ended; those that were missed too."""
        run, account = self._tools.run(), self._tools.account()
        if run is None or account is None:
            return False
        with self._books_lock:
            books = self._books_of(run)
            if not (asked or books.is_due(account.at_ms)):
                return False
            written = self._write_finished(books, account.at_ms)
        return bool(written)

    def daily_summary(self, asked: bool) -> bool:
        """Send the figures of the day at the configured time of the trading day.

        A summary that was missed is sent when the engine is back, one for all. The day's row is
        stored first: it is the mark that says the summary was sent, also after a restart.
        """
        run, account = self._tools.run(), self._tools.account()
        if run is None or account is None:
            return False
        day, due_ms = self._last_due(account.at_ms)
        if asked:
            summary = self._figures_until(run, account.at_ms)
        elif (run.run_id, day.name) == self._told:
            return False
        else:
            summary = self._summary_due(run, day, due_ms, account.at_ms)
            self._told = (run.run_id, day.name)
        if summary is None:
            return False
        numbers = _figures(summary, run.mode)
        numbers[CHART] = equity_data(
            run.run_id, to_datetime(summary.day.start_ms), to_datetime(summary.day.end_ms)
        )
        self._tools.notify(NotificationType.DAILY_SUMMARY, "info", "daily_summary", numbers)
        return True

    def _last_due(self, at_ms: int) -> tuple[TradingDay, int]:
        """Return the newest day whose summary time has passed, and that time in ms.

        At 00:00 the day that has just ended is summed up.
        """
        today = date.fromisoformat(self._tools.calendar.day_of(at_ms).name)
        due_ms = self._due_ms(today)
        if due_ms > at_ms:
            due_ms = self._due_ms(today - timedelta(days=1))
        return self._tools.calendar.day_of(due_ms - 1), due_ms

    def _due_ms(self, day: date) -> int:
        return to_ms(datetime.combine(day, self._summary_time, tzinfo=self._zone))

    def _summary_due(
        self, run: JobRun, day: TradingDay, due_ms: int, at_ms: int
    ) -> DaySummary | None:
        """Store and return the figures to send; None if they were sent, or no session was then."""
        with self._books_lock:
            # a row of this day says that the days before it are written
            books = self._books_of(run)
            self._write_finished(books, day.start_ms + 1)
            with unit_of_work(self._reader, _SUMMARY) as session:
                stored = daily.summary_of(session, date.fromisoformat(day.name), run.mode)
                if stored is not None and stored.run_id == run.run_id:
                    return None
                if daily.last_point(session, run.run_id, to_datetime(due_ms)) is None:
                    return None
                summary = books.until(session, min(at_ms, day.end_ms))
            if summary is not None:
                with unit_of_work(self._database, _SUMMARY) as session:
                    now = self._tools.now()
                    daily.upsert_summary(session, run.run_id, run.mode, summary, now)
        return summary

    def _write_finished(self, books: DailyBooks, books_ms: int) -> list[DaySummary]:
        return books.write_finished(self._database, books_ms, self._tools.now(), self._reader)

    def _figures_until(self, run: JobRun, at_ms: int) -> DaySummary | None:
        """Return the figures of the day so far; stored, they would count as sent."""
        with self._books_lock, unit_of_work(self._reader, _SUMMARY) as session:
            return self._books_of(run).until(session, at_ms)

    def _books_of(self, run: JobRun) -> DailyBooks:
        books = self._books
        if books is None or (books.run_id, books.mode) != (run.run_id, run.mode):
            books = self._books = DailyBooks(run.run_id, run.mode, self._tools.calendar)
        return books

    # --- housekeeping -----------------------------------------------------------------------

    def retention(self, asked: bool) -> bool:
        """Delete once a day what need not be kept; in pieces, and between them others write."""
        now = self._tools.now()
        last = self.last_retention
        if not asked and last is not None and now - last < _RETENTION_EVERY:
            return False
        prune(self._database, self._retention, self._present(now), self._pause)
        self.last_retention = now
        return True

    def _present(self, now: datetime) -> Present:
        run, account = self._tools.run(), self._tools.account()
        if run is None or account is None:
            return Present(now, run.run_id if run else None)
        return Present(now, run.run_id, account.at_ms, run.speed)

    def _pause(self) -> bool:
        return self.stopping.wait(_PAUSE_SECONDS)

    def roll_up(self, asked: bool) -> bool:
        """Bring the sums that the console reads up to date; those of a run without any, too."""
        run = self._tools.run()
        rows = 0 if run is None else catch_up(self._database, run.run_id, self._pause)
        with unit_of_work(self._reader, "roll-ups") as session:
            waiting = never_rolled_up(session)
        for run_id in waiting:
            if self.stopping.is_set():
                break
            rows += catch_up(self._database, run_id, self._pause, whole=True)
        return bool(rows)

    def precision_cache(self, asked: bool) -> bool:
        """Forget the instruments' precision that is older than an hour."""
        if self._tools.precision is not None:
            self._tools.precision.clean()
        return True

    def train(self, asked: bool) -> bool:
        """Let the model part start a training run if it wants one."""
        return self._tools.train is not None and self._tools.train(asked)

    def expire_commands(self, asked: bool) -> bool:
        """Mark commands that nobody took in time."""
        with unit_of_work(self._database, "commands") as session:
            commands.expire(session, self._tools.now())
        return True


def _named(differences: Sequence[Difference], count: int) -> dict[str, Any]:
    shown = "; ".join(f"{d.what}: {d.ours} / {d.venue}" for d in differences[:_SHOWN])
    return {"count": count, "what": shown}


def _figures(summary: DaySummary, mode: str) -> dict[str, Any]:
    """Return the figures of a day as they are shown: money with two decimals."""

    def amount(value: Decimal) -> str:
        return f"{value.quantize(_CENT):,}"

    return {
        "date": summary.day.name,
        "mode": mode,
        "start": amount(summary.starting_equity),
        "end": amount(summary.ending_equity),
        "change": f"{(summary.ending_equity - summary.starting_equity).quantize(_CENT):+,}",
        "realized": amount(summary.realized_pnl),
        "unrealized": amount(summary.unrealized_pnl),
        "fees": amount(summary.fees),
        "funding": amount(summary.funding),
        "drawdown_pct": plain_text((summary.max_drawdown * 100).quantize(_CENT)),
        "trades": summary.trade_count,
        "wins": summary.win_count,
        "losses": summary.loss_count,
    }
