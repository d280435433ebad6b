"""What goes on beside a trading session: the store, the jobs, the training of models.

Each has threads or a process of its own. None of them can hold up or stop the session.
"""

import logging
import os
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import Engine as Database

from auto_trading.bootstrap import RunSpec
from auto_trading.job_tools import Difference, JobRun, JobTools, mode_tag
from auto_trading.jobs import Jobs
from auto_trading.live_status import ModelStatus
from auto_trading.market_store import MarketStore
from auto_trading.modelling import Modelling
from auto_trading.operations import Answer
from auto_trading.precision_cache import PrecisionCache, precision_of
from auto_trading.reconciliation import differences
from auto_trading.shared import Shared
from auto_trading.worker import Worker
from config.job_schedule import REACH_JOBS
from crypto_trader_pro.domain.calendar import TradingCalendar
from crypto_trader_pro.domain.enums import NotificationType
from crypto_trader_pro.domain.messages import MarketSlice
from crypto_trader_pro.domain.portfolio import AccountView
from crypto_trader_pro.domain.ports import MarketSource
from crypto_trader_pro.explain.units import worded
from crypto_trader_pro.simulation.instruments import instrument
from database import job_rows
from database.auto_trading_db import open_database, unit_of_work
from database.candles import Origin
from utils.texts import language_of

log = logging.getLogger(__name__)

_LOOK_SECONDS: Final = 5.0
_CLOSE_SECONDS: Final = 2.0


class Beside:
    """Store, jobs and training of one session; `stack` ends them."""

    def __init__(
        self, shared: Shared, source: MarketSource, spec: RunSpec,
        worker: Callable[[], Worker | None], stack: ExitStack,
    ) -> None:  # fmt: skip
        self._shared = shared
        self._source = source
        self._spec = spec
        self._worker = worker
        self._instruments = {i.symbol: i for i in spec.instruments}
        self._newest: dict[str, Any] | None = None  # facts of the newest trained model
        self._again: dict[str, Any] | None = None  # to be offered once more
        self._models = Modelling(
            spec, source, shared.databases.background, shared.environment.database_url,
            lambda: shared.settings, self._training_failed,
        )  # fmt: skip
        self.model = self._models.make
        self._store = MarketStore(
            shared.environment.database_url, spec.instruments, spec.timeframe_ms,
            Origin(source.venue, source.name), facts=source.facts,
        )  # fmt: skip
        self._jobs = Jobs(self._job_tools(), shared.settings)
        stack.callback(self._close)
        self._jobs.start()

    def _close(self) -> None:
        """End all of it together; a database that hangs holds nobody up for long."""
        closing = (self._store.close, self._models.close, self._jobs.close)
        threads = [threading.Thread(target=close, daemon=True) for close in closing]
        for thread in threads:
            thread.start()
        deadline = time.monotonic() + _CLOSE_SECONDS
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    # --- store ------------------------------------------------------------------------------

    def candles(self, market: MarketSlice) -> None:
        """Take candles that were traded on; returns at once."""
        self._store.put(market)

    def view(self) -> dict[str, Any]:
        """Return what a heartbeat tells of market source and queues."""
        health = self._source.health()
        age = health.last_event_age_seconds
        return {
            "feed_age_seconds": None if age is None else round(age, 3),
            "venues": {
                self._source.venue: {
                    "connected": health.connected, "calls": health.calls, "errors": health.errors,
                    "latency_ms": health.latency_ms,
                }
            },
            "queues": {
                "notifications": self._shared.notifications.waiting,
                "logs": self._shared.logs.waiting,
                "market_store": self._store.waiting,
            },
        }  # fmt: skip

    # --- models -----------------------------------------------------------------------------

    def next_model(self) -> dict[str, Any] | None:
        """Return the facts of a model that has become ready, or None."""
        again, self._again = self._again, None
        if again is not None:
            return again
        facts = self._models.take()
        self._newest = facts or self._newest
        return facts

    def begun(self, status: ModelStatus | None) -> None:
        """Offer the newest model again where a worker ended before it had stored it."""
        newest = self._newest
        if status is not None and newest is not None and status.model_id != newest["model_id"]:
            self._again = newest

    def look(self) -> None:
        """Start a training run if the model strategy wants one; called every second."""
        self._models.consider(self._status())

    def model_status(self) -> Mapping[str, Any] | None:
        """Return what a screen shows of the model; None where the strategy does not run."""
        return self._models.view(self._status())

    def train_now(self) -> Answer:
        """Train a model now."""
        if self._status() is None or not self._models.train_now():
            return Answer.refused("training")
        return Answer.done("training")

    def _status(self) -> ModelStatus | None:
        worker = self._worker()
        return None if worker is None or worker.seen is None else worker.seen.model

    def _training_failed(self, line: str) -> None:
        self._shared.tell_of("error", "training_failed", {"error": line})

    # --- jobs -------------------------------------------------------------------------------

    def run_job(self, name: str) -> Answer:
        """Run a job now.

        Raises:
            InputError: there is no such job.
        """
        if name in REACH_JOBS:  # that process looks for it
            with unit_of_work(self._shared.databases.background, "the jobs") as session:
                job_rows.ask(session, name, self._shared.now())
        else:
            self._jobs.run_now(name)
        return Answer.done("job_asked", job=name)

    def _job_tools(self) -> JobTools:
        settings, url = self._shared.settings, self._shared.environment.database_url

        def opened() -> Database:
            return open_database(url, durable=False)

        return JobTools(
            open_database=opened, run=self._job_run, account=self._account, prices=self._prices,
            calendar=TradingCalendar(settings.engine.trading_day_timezone), now=self._shared.now,
            notify=self._notify, differences=self._differences,
            precision=PrecisionCache(lambda symbol: precision_of(instrument(symbol))),
        )  # fmt: skip

    def _job_run(self) -> JobRun:
        mode = mode_tag(self._shared.settings.engine.mode.value, self._source.name)
        speed = self._shared.settings.market_data.demo_speed if self._source.name == "demo" else 1
        return JobRun(self._spec.run_id, mode, speed)

    def _account(self) -> AccountView | None:
        worker = self._worker()
        return None if worker is None or worker.seen is None else worker.seen.account

    def _prices(self) -> Mapping[str, Decimal]:
        return {
            fact.symbol: self._instruments[fact.symbol].price(fact.price)
            for fact in self._source.facts()
            if fact.symbol in self._instruments
        }

    def _differences(self) -> list[Difference]:
        worker = self._worker()
        if worker is None:
            return []
        found: list[Difference] = worker.look(differences, _LOOK_SECONDS)
        return found

    def _notify(
        self, kind: NotificationType, severity: str, code: str, numbers: Mapping[str, Any], /
    ) -> None:
        language = language_of(self._shared.settings.engine.language, os.environ)
        message = worded(f"risk.{code}", numbers, language)
        self._shared.notifications.send_notification(
            kind, message, severity=severity, data=dict(numbers)
        )
