"""The process that talks to the outside: puts its parts together, runs them, ends in time.

It survives an engine that was killed, so that it can tell of it; `down` and an orderly end of the
engine end it. It trades nothing and holds no key of an exchange.
"""

import asyncio
import logging
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Any, Final

from sqlalchemy import Engine as Database

from auto_trading import ending
from auto_trading.reach.services import SERVICES, keep_all
from auto_trading.reach.settings_in_force import LOOK_SECONDS, SettingsInForce
from auto_trading.reach.tools import ReachTools
from config.environment import Environment
from crypto_trader_pro.domain.enums import CommandKind, NotificationType
from crypto_trader_pro.domain.errors import (
    ConfigError,
    InputError,
    JournalUnavailable,
    TradingError,
)
from crypto_trader_pro.explain.units import worded
from database import wishes
from database.auto_trading_db import open_database
from database.log_rows import LogTable
from database.outbox import DatabaseOutbox
from utils import reach_file
from utils.clocks import SystemClock
from utils.flags import put_flag
from utils.hurry import within
from utils.locks import exclusive
from utils.logging import setup_logging
from utils.notifications import NotificationManager
from utils.processes import own_process
from utils.reach_file import ReachFile
from utils.redaction import Redactor, secrets_of
from utils.texts import Language, language_of

log = logging.getLogger(__name__)

EXIT_SECONDS: Final = 1.8  # from the signal to the end, whatever hangs
_SERVICES_SECONDS: Final = 1.2  # of these, for the services
_CLOSE_SECONDS: Final = 0.2  # for the last messages and log lines
_TURN_SECONDS: Final = 5.0  # that the process before this one gets to end
_PULSE_SECONDS: Final = 1.0
_BUSY_SECONDS: Final = 1.0
_HURRY_SECONDS: Final = 1.5  # that a stop waits for the database
_NICE: Final = 5  # the engine goes first
_FLAGGED: Final = frozenset({CommandKind.STOP, CommandKind.EMERGENCY_STOP})


def main() -> int:
    """Run until told to end; return the exit code. Whatever hangs then is left behind."""
    with suppress(OSError):  # it may be lower already
        os.nice(_NICE)
    try:
        run_reach(Environment.current())
    except TradingError as e:
        log.error("%s", e)
        return 2
    except Exception:  # noqa: BLE001  the process's outermost level; reach.out is read by people
        told = Redactor(secrets_of(Environment.current())).text(traceback.format_exc())
        sys.stderr.write(told)
        return 70
    return 0


def run_reach(environment: Environment, services: Mapping[str, str] = SERVICES) -> None:
    """Take the place of the process before this one and serve until told to end.

    Raises:
        ConfigError: the folder, the settings or the database cannot be used, or the process before
            this one does not end.
    """
    secrets = secrets_of(environment)
    environment = replace(environment, binance_api_key=None, binance_api_secret=None)
    with ExitStack() as stack:
        ending_now, clock = _Ending(stack), SystemClock()
        table = LogTable.open(environment.database_url)
        stack.callback(table.close)
        logs = setup_logging(
            environment.var_dir / "logs", level=logging.INFO, console=False, table_sink=table,
            clock=clock, secrets=secrets, own="reach",
        )  # fmt: skip
        stack.callback(logs.close, _CLOSE_SECONDS)
        _take_turn(environment, stack)
        home = _number_of(environment.var_dir)
        _show_life(environment)  # whoever ended for us sees why
        reader = _opened(environment, stack, read_only=True)
        writer = _opened(environment, stack)
        settings = SettingsInForce(reader)
        outbox = DatabaseOutbox.open(environment.database_url)
        stack.callback(outbox.close)
        messages = NotificationManager(settings(), outbox, clock, secrets=secrets)
        stack.callback(messages.close, _CLOSE_SECONDS)
        made = _Making(environment, settings, reader, writer, messages, home)
        log.info("process %d sends messages now", os.getpid())
        loop = asyncio.new_event_loop()  # not asyncio.run: it would wait for threads that hang
        stack.callback(loop.close)
        loop.run_until_complete(_served(made.tools(Redactor(secrets)), made, ending_now, services))
        log.info("process %d ends", os.getpid())


class _Ending:
    """Turns signals into an orderly end, and makes sure that there is one."""

    def __init__(self, stack: ExitStack) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._asked = asyncio.Event()
        self._is_asked = False
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                stack.callback(signal.signal, number, signal.signal(number, self._note))

    def _note(self, _: int, __: FrameType | None) -> None:
        if self._is_asked:
            return
        timer = threading.Timer(EXIT_SECONDS, os._exit, args=(0,))
        timer.daemon = True
        timer.start()
        self.ask()

    def ask(self) -> None:
        """End the loop, running or not yet."""
        self._is_asked = True
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._asked.set)

    async def wait(self) -> None:
        self._loop = asyncio.get_running_loop()
        if not self._is_asked:
            await self._asked.wait()


class _Making:
    """What is told and asked by the services."""

    def __init__(
        self, environment: Environment, settings: SettingsInForce, reader: Database,
        writer: Database, messages: NotificationManager, home: int,
    ) -> None:  # fmt: skip
        self.home = home  # number of the var folder
        self.environment = environment
        self._settings = settings
        self._reader = reader
        self._writer = writer
        self._messages = messages

    def tools(self, redactor: Redactor) -> ReachTools:
        return ReachTools(
            self.environment, self._settings, self._reader, self._writer, SystemClock().now,
            self._notify, self._ask, self._language, redactor,
        )  # fmt: skip

    def follow(self) -> None:
        """Go by what the engine has recorded since."""
        if self._settings.look():
            self._messages.apply(self._settings())
            log.info("settings in force: version %.8s", self._settings().hash())

    def _language(self) -> Language:
        return language_of(self._settings().engine.language, os.environ)

    def _notify(
        self, kind: NotificationType, severity: str, code: str, numbers: Mapping[str, Any], /
    ) -> None:
        message = worded(f"risk.{code}", numbers, self._language())
        self._messages.send_notification(kind, message, severity=severity, data=dict(numbers))

    def _ask(
        self, kind: CommandKind, payload: Mapping[str, Any], by: str,
        command_id: str | None = None, /,
    ) -> str:  # fmt: skip
        def stored() -> str:
            now = SystemClock().now()
            row = wishes.wish(self._writer, kind, payload, by=by, now=now, command_id=command_id)
            return row.command_id

        if kind not in _FLAGGED:
            return stored()
        try:
            return within(_HURRY_SECONDS, stored)
        except (JournalUnavailable, TimeoutError):
            put_flag(self.environment.var_dir, kind, by)
            return command_id or ""


async def _served(
    tools: ReachTools, made: _Making, asked: _Ending, services: Mapping[str, str]
) -> None:
    tasks = [
        asyncio.create_task(_pulse(tools.environment, made.home, asked), name="pulse"),
        asyncio.create_task(_following(made), name="settings"),
        asyncio.create_task(keep_all(tools, services), name="services"),
    ]
    await asyncio.wait([asyncio.create_task(asked.wait()), *tasks], return_when="FIRST_COMPLETED")
    for task in tasks:
        if task.done() and not task.cancelled() and task.exception() is not None:
            log.critical("task %s has ended", task.get_name(), exc_info=task.exception())
        task.cancel()
    await asyncio.wait(tasks, timeout=_SERVICES_SECONDS)
    reach_file.remove(tools.environment.var_dir, own_process())


async def _pulse(environment: Environment, home: int, asked: _Ending) -> None:
    """Show that the process lives; without its folder there is nothing to live for."""
    trouble = ""
    while True:
        if _number_of(environment.var_dir) != home:
            log.warning("%s is gone", environment.var_dir)
            asked.ask()
            return
        try:
            _show_life(environment)
            trouble = ""
        except OSError as e:
            if str(e) != trouble:
                log.warning("reach.json cannot be written: %s", e.strerror)
            trouble = str(e)
        await asyncio.sleep(_PULSE_SECONDS)


def _number_of(folder: Path) -> int:
    """Return what tells a folder from a later one of its name; 0 where there is none."""
    try:
        return folder.stat().st_ino
    except OSError:
        return 0


def _show_life(environment: Environment) -> None:
    me, at = own_process(), SystemClock().now().isoformat()
    content = ReachFile(me.host, me.pid, me.started, environment.http_port, at)
    reach_file.write(environment.var_dir, content)


async def _following(made: _Making) -> None:
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        await asyncio.to_thread(made.follow)


def _opened(environment: Environment, stack: ExitStack, *, read_only: bool = False) -> Database:
    # durable: a signal that was answered, and a chat command that is acted on, outlive the power
    opened = open_database(
        environment.database_url, read_only=read_only, busy_seconds=_BUSY_SECONDS
    )
    stack.callback(opened.dispose)
    return opened


def _take_turn(environment: Environment, stack: ExitStack) -> None:
    """Hold the right to send messages of this folder; who holds it now is asked to end.

    Raises:
        ConfigError: it does not, or the lock cannot be made.
    """
    path = environment.var_dir / "locks" / "reach"
    deadline = time.monotonic() + 2 * _TURN_SECONDS
    while True:
        try:
            stack.enter_context(exclusive(path, "the process for messages"))
            return
        except ConfigError:
            raise
        except InputError:
            if time.monotonic() > deadline:
                line = f"another process sends messages for {environment.var_dir}, and does not end"
                raise ConfigError(line) from None
        before = reach_file.living(environment.var_dir)
        if before is not None and before != own_process():
            log.info("process %d is asked to end, this one takes over", before.pid)
            ending.end_process(before, _TURN_SECONDS)
        time.sleep(0.05)
