"""One session of the engine process: its market, its worker, and what goes on beside them."""

import json
import logging
import os
import uuid
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Any, Final, Protocol

from auto_trading.beside import Beside
from auto_trading.bootstrap import LivingTools, RunSpec, build_living
from auto_trading.checks import check_playable
from auto_trading.config_manager import Change, ConfigChangedError, ConfigManager
from auto_trading.operations import Answer
from auto_trading.session import TradingSession
from auto_trading.session_inputs import SWITCHED, Command
from auto_trading.session_store import Origin, find_or_begin, unfinished
from auto_trading.shared import Shared
from auto_trading.sources import choose, open_source, probe_venue
from auto_trading.supervisor import Supervisor, SupervisorTools
from auto_trading.translation import enabled_strategies
from auto_trading.watch import Watch, WatchTools
from auto_trading.worker import Worker, WorkerTools, cycles_view
from config.settings import Settings
from crypto_trader_pro.domain.enums import CommandKind, DesiredState, NotificationType
from crypto_trader_pro.domain.errors import InputError, JournalUnavailable
from crypto_trader_pro.domain.orders import Order
from crypto_trader_pro.domain.ports import MarketSource
from crypto_trader_pro.domain.timeframes import timeframe_ms
from crypto_trader_pro.explain.units import worded
from crypto_trader_pro.simulation.instruments import instrument
from database import alerts, commands, lease, runs
from database.auto_trading_db import unit_of_work
from database.fence import Fence
from database.journal import News
from utils.texts import Language, language_of

log = logging.getLogger(__name__)

_STARTS_OR_STOPS: Final = (CommandKind.START, CommandKind.STOP, CommandKind.EMERGENCY_STOP)
_CONFIG: Final = (CommandKind.APPLY_CONFIG, CommandKind.ROLLBACK_CONFIG)
_STORED: Final = 0  # alert id of a message whose alert the journal has stored already


class Owner(Protocol):
    """The process that this session lives in."""

    @property
    def desired(self) -> DesiredState: ...

    def answer(self, command_id: str, answer: Answer) -> None: ...

    def sign_of_life(self) -> None: ...


class LivingSession:
    """Everything of one run id in this process. `run` serves it until it ends."""

    def __init__(self, shared: Shared, owner: Owner, stack: ExitStack) -> None:
        self._shared = shared
        self._owner = owner
        self._configs = ConfigManager(shared.environment.config_dir, shared.databases.background)
        settings = shared.settings
        self._instruments = tuple(instrument(s) for s in settings.symbols)
        strategies = enabled_strategies(settings)
        check_playable(self._instruments, strategies, settings.engine.timeframe, settings)
        self._source = self._open_source(settings, stack)
        origin = Origin(self._source.name, self._source.venue)
        found = find_or_begin(shared.databases.journal, settings, origin, shared.now())
        self._found = found
        self._state = found.state  # of the last commit, kept for the next worker
        self._fences: list[Fence] = []
        self._spec = RunSpec(
            found.run_id, self._instruments, tuple(enabled_strategies(found.settings)),
            timeframe_ms(found.settings.engine.timeframe),
            found.settings.engine.trading_interval * 1000, found.settings,
            shared.environment.var_dir, shared.epoch, found.opening_cash,
        )  # fmt: skip
        self._change: Change | None = None
        self._is_caught_up = False
        self._changed_by = "start"  # who started or stopped trading last
        self._recorded: tuple[str, bool] | None = None
        self._beside = Beside(shared, self._source, self._spec, self._current_worker, stack)
        self._watch = Watch(
            WatchTools(
                worker=self._current_worker, source=self._source,
                settings=lambda: shared.settings, now=shared.now,
                period_ms=self._spec.timeframe_ms, submit=self._submit,
                roll_back=self._roll_back, beside=self._look, tell=self._say,
            )
        )  # fmt: skip
        shared.logs.run_id = shared.notifications.run_id = found.run_id
        self.supervisor = Supervisor(
            SupervisorTools(
                self._make_worker,
                shared.flags,
                shared.switchboard,
                shared.signals,
                shared.now,
                self._faulted,
                lambda: None,
                owner.sign_of_life,
                self._refused,
            )
        )

    def _open_source(self, settings: Settings, stack: ExitStack) -> MarketSource:
        held = unfinished(self._shared.databases.journal)
        holds = held[0] if held is not None and held[1] else None
        name, why = choose(settings, holds, probe_venue)
        log.info("market source: %s (%s)", name, why)
        source = open_source(name, settings, self._instruments, self._shared.databases.journal)
        source.start()
        stack.callback(source.close)
        return source

    @property
    def run_id(self) -> int:
        return self._found.run_id

    @property
    def source_name(self) -> str:
        return self._source.name

    @property
    def session(self) -> TradingSession | None:
        worker = self.supervisor.worker
        return None if worker is None else worker.session

    def _current_worker(self) -> Worker | None:
        return self.supervisor.worker

    def run(self) -> None:
        """Trade until a shutdown, a change of session, or the loss of the account."""
        self._watch.start()
        try:
            self.supervisor.run()
        finally:
            self._watch.close()
        if self._change is not None:
            self._shared.settings = self._change.settings

    def view(self) -> dict[str, Any] | None:
        """Return the account for the screen; None before the session stands."""
        worker = self.supervisor.worker
        if worker is None or worker.seen is None:
            return None
        return {
            **worker.seen.report,
            "model": self._beside.model_status(),
            "safety": self._watch.failing,
            "vitals": {"cycles": cycles_view(worker.rhythm()), **self._beside.view()},
        }

    # --- the worker -------------------------------------------------------------------------

    def _make_worker(self) -> Worker:
        tools = WorkerTools(
            begin=self._begin, source=self._source, answered=self._answered,
            stored=self._beside.candles, models=self._beside.next_model,
            funding=self._shared.settings.paper.funding,
            lost_after=float(self._shared.settings.safety.connection_lost_seconds),
        )  # fmt: skip
        return Worker(tools)

    async def _begin(self, fence: Fence) -> TradingSession:
        """Build the session and bring it to its last commit: of this process, or of any before."""
        for earlier in self._fences:
            self._state = earlier.committed or self._state
        self._state = self._stored_state() or self._state
        self._fences = [fence]
        shared = self._shared
        session = build_living(
            self._spec,
            LivingTools(
                shared.databases.journal,
                shared.now,
                fence=fence,
                carried=self._found.carried,
                account=lease.ACCOUNT,
                tell=self._tell,
                model=self._beside.model,
                candles_fill=self._source.name == "replay",
                may_enter=self._may_enter,
            ),
        )
        if self._state is None:
            session.open(self._source.clock().now_ms())
        else:
            await session.restore(json.loads(self._state))
        self._beside.begun(session.model_status)
        if not self._is_caught_up:  # a worker that takes over has its predecessor's commands
            self._is_caught_up = True
            self._catch_up(session)
        return session

    def _stored_state(self) -> str | None:
        """Return the checkpoint as the database has it, or None while it does not answer.

        It may know of a commit whose confirmation was lost with the connection.
        """
        try:
            with unit_of_work(self._shared.databases.reader, "the checkpoint") as session:
                return runs.checkpoint(session, self._found.run_id)
        except JournalUnavailable as e:
            log.warning("%s: going on from memory", e)
            return None

    def _catch_up(self, session: TradingSession) -> None:
        """Ask for what changed while nobody traded: the configuration, and what people want."""
        worker = self.supervisor.worker
        if worker is None:
            return
        settings, now, by = self._shared.settings, self._shared.now(), "start"
        number = f"{self._shared.epoch}-{now:%H%M%S%f}"
        if settings.hash() != session.settings.hash():
            payload = {"config": settings.canonical_json()}
            kind = CommandKind.APPLY_CONFIG
            worker.post(Command(f"config-{number}", kind, payload, by, now))
        wanted = self._owner.desired
        latched = bool(session.engine.risk.halt_reason)
        if wanted is DesiredState.EMERGENCY and not latched:
            kind = CommandKind.EMERGENCY_STOP
        elif wanted is DesiredState.RUNNING and not session.enabled and not latched:
            kind = CommandKind.START
        elif wanted is DesiredState.STOPPED and session.enabled:
            kind = CommandKind.STOP
        else:
            return
        worker.post(Command(f"{kind.value}-{number}"[:36], kind, {}, by, now))

    def _may_enter(self, order: Order) -> str:
        """Look a last time, right before an entry is sent."""
        reason = self._shared.switchboard.may_enter(order)
        if reason:
            return reason
        age_ms = self._source.clock().now_ms() - order.decided_ms
        return "too_late" if age_ms > self._spec.interval_ms else ""

    def _answered(self, command: Command) -> None:
        """Note that a command is done and stored, what is wanted with it."""
        log.info("%s answered", command.kind.value, extra={"correlation_id": command.command_id})
        if command.is_switched:
            self._shared.flags.take_down(command.kind)
        if command.kind in _STARTS_OR_STOPS:
            self._changed_by = command.by

    def _tell(self, news: Sequence[News]) -> None:
        """Tell people what was stored; the manager's queue takes it and returns at once."""
        language = _language(self._shared.settings)
        for item in news:
            self._shared.notifications.send_notification(
                item.kind, worded(item.code, item.numbers, language),
                severity=item.severity, data=item.numbers,
                alert_id=_STORED if item.is_alert else None,
            )  # fmt: skip

    def _submit(self, command: Command) -> None:
        self.supervisor.submit(command)

    def _look(self) -> None:
        """Once a second: training that is due, and the history of what was in force."""
        self._beside.look()
        worker = self.supervisor.worker
        if worker is None or worker.seen is None:
            return
        settings, is_enabled = self._shared.settings, bool(worker.seen.report["enabled"])
        now = (settings.hash(), is_enabled)
        if now != self._recorded:
            self._configs.record(
                settings, is_enabled=is_enabled, by=self._changed_by, now=self._shared.now()
            )
            self._recorded = now

    def _roll_back(self, why: str) -> bool:
        """Ask for the configuration before this one; False where there is none."""
        shared = self._shared
        row = self._configs.previous(shared.settings)
        if row is None:
            return False
        payload = {"config_id": row.id, "why": why}
        with unit_of_work(shared.databases.background, "the roll-back") as session:
            commands.enqueue(
                session, command_id=uuid.uuid4().hex, kind=CommandKind.ROLLBACK_CONFIG.value,
                payload=payload, requested_by="rollback", now=shared.now(),
            )  # fmt: skip
        return True

    def _say(
        self, kind: NotificationType, severity: str, code: str, numbers: Mapping[str, int]
    ) -> None:
        message = worded(code, numbers, _language(self._shared.settings))
        self._shared.notifications.send_notification(
            kind, message, severity=severity, data=dict(numbers)
        )

    def _refused(self, command: Command, why: str) -> None:
        """Answer a command that no worker could carry out."""
        if not command.command_id.startswith(SWITCHED):
            self._owner.answer(command.command_id, Answer.refused("input", reason=why))

    def _faulted(self, line: str) -> None:
        self._shared.last_error = line
        self._shared.tell_of("error", "engine_fault", {"error": line})

    # --- commands ---------------------------------------------------------------------------

    def handle(self, command: Command) -> Answer | None:
        """Do what a command asks, or hand it to the session; called in the inbox's thread.

        Raises:
            InputError: it cannot be done as it was asked.
        """
        kind = command.kind
        if kind in _CONFIG:
            return self._configure(command)
        if kind is CommandKind.ACKNOWLEDGE_ALERT:
            return self._acknowledge(command)
        if kind is CommandKind.TRAIN_NOW:
            return self._beside.train_now()
        if kind is CommandKind.RUN_JOB:
            return self._beside.run_job(str(command.payload["job"]))
        if kind is CommandKind.SHUTDOWN:
            self.supervisor.end()
            return Answer.done("ending")
        self.supervisor.submit(command)
        return None

    def _acknowledge(self, command: Command) -> Answer:
        given = command.payload["alert_ids"]
        if not isinstance(given, list) or not all(type(number) is int for number in given):
            told = repr(given)[:80]
            raise InputError(f"alert_ids was {told}, allowed: a list of whole numbers")
        with unit_of_work(self._shared.databases.inbox, "the alerts") as session:
            alerts.acknowledge_all(session, given, command.by, self._shared.now())
        if len(given) == 1:
            return Answer.done("acknowledged", alert_id=given[0])
        return Answer.done("acknowledged_all", count=len(set(given)))

    def _configure(self, command: Command) -> Answer | None:
        """Write a change of the configuration, then let the session go on with it."""
        session = self.session
        in_force = self._shared.settings
        worker = self.supervisor.worker
        is_flat = worker is not None and worker.seen is not None and worker.seen.is_flat
        try:
            self._configs.check_base(command.payload.get("base"))
        except ConfigChangedError:
            return Answer.refused("config_changed")
        if command.kind is CommandKind.APPLY_CONFIG:
            change = self._configs.apply(command.payload["changes"], in_force, is_flat=is_flat)
        else:
            number = int(command.payload["config_id"])
            change = self._configs.roll_back(number, in_force, is_flat=is_flat)
        is_enabled = session is not None and session.enabled
        self._configs.record(
            change.settings, is_enabled=is_enabled, by=command.by, now=self._shared.now()
        )
        self._shared.settings = change.settings
        self._shared.notifications.apply(change.settings)
        if change.needs_new_session:
            self._change = change
            self.supervisor.begin_anew()
            return Answer.done("new_session", config_hash=change.settings.hash())
        payload = {**command.payload, "config": change.settings.canonical_json()}
        self.supervisor.submit(
            Command(command.command_id, command.kind, payload, command.by, command.asked)
        )
        return None


def _language(settings: Settings) -> Language:
    return language_of(settings.engine.language, os.environ)
