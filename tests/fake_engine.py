"""A process that behaves like an engine towards its lease, its file, its flags and its commands.

    python -m tests.fake_engine [deaf] [hung-database]

It trades nothing. "deaf" ignores flags and SIGTERM; everything else answers at once. The real
engine's own tests show that it does the same.
"""

import signal
import sys
import time
import uuid
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import Engine

from auto_trading import engine_file
from auto_trading.flags import Flags
from config.environment import Environment
from crypto_trader_pro.domain.enums import CommandKind, DesiredState, ObservedState, TradingState
from crypto_trader_pro.domain.errors import JournalUnavailable
from database import commands, lease, runs
from database.auto_trading_db import open_database, prepare, unit_of_work
from database.commands import CommandStatus
from database.lease import Beat, Holder
from utils.processes import ProcessId, is_gone, own_process

ACCOUNT: Final = {
    "at": "2026-01-01T00:00:00+00:00", "asset": "USDT", "cash": "95996.36288421",
    "equity": "99998.75333991", "open_positions": 2, "working_orders": 4,
    "trading_state": "active",
}  # fmt: skip


class FakeEngine:
    """Beats, and obeys."""

    def __init__(self, environment: Environment, *, deaf: bool) -> None:
        self._environment = environment
        self._deaf = deaf
        self._ending = False
        self._observed = ObservedState.STOPPED
        self._trading = TradingState.ACTIVE
        self._epoch = 0
        self._run_id = 0

    def run(self) -> int:
        if self._deaf:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        else:
            signal.signal(signal.SIGTERM, self._end)
        database = open_database(self._environment.database_url, busy_seconds=1.0)
        prepare(database)
        me = own_process()
        holder = Holder(uuid.uuid4().hex, me.host, me.pid, me.started, "fake")
        with unit_of_work(database) as session:
            epoch = lease.take(session, holder, _now(), is_gone=_ended)
            if epoch is None:
                print("another engine has the account", file=sys.stderr)
                return 2
            self._epoch = epoch
            self._run_id = runs.create(
                session, kind="paper", source="demo", timeframe="5m", symbols=["BTC/USDT"],
                strategies=["ema_cross"], inputs={}, config_hash="c0ffee", config="{}", now=_now(),
            )  # fmt: skip
        while not self._ending:
            with suppress(JournalUnavailable):  # somebody else writes: the next round does it
                self._round(database, me)
            time.sleep(0.05)
        with unit_of_work(database) as session:
            lease.release(session, self._epoch, _now())
        engine_file.remove(self._environment.var_dir)
        return 0

    def _end(self, *_: Any) -> None:
        self._ending = True

    def _round(self, database: Engine, me: ProcessId) -> None:
        flags = Flags(self._environment.var_dir)
        for flag in [] if self._deaf else flags.up():
            self._obey(flag.kind)
            flags.take_down(flag.kind)
        with unit_of_work(database) as session:
            self._write_file(me)
            beat = Beat(self._observed, self._trading, "paper", "demo", self._run_id, None, ACCOUNT)
            wanted = lease.renew(session, self._epoch, beat, _now())
            if wanted is DesiredState.RUNNING and self._observed is ObservedState.STOPPED:
                self._observed = ObservedState.RUNNING
            while (row := commands.claim_next(session, _now())) is not None:
                answer = self._obey(CommandKind(row.kind))
                if row.kind == CommandKind.REARM:
                    lease.unlatch(session, _now())
                commands.finish(session, row.command_id, CommandStatus.DONE, answer, _now())

    def _obey(self, kind: CommandKind) -> dict[str, Any]:
        if kind is CommandKind.SHUTDOWN:
            self._ending = True
        elif kind is CommandKind.START:
            self._observed = ObservedState.RUNNING
            return {"code": "answer.started"}
        elif kind is CommandKind.STOP:
            self._observed = ObservedState.STOPPED
            return {"code": "answer.stopped", "open_positions": 2}
        elif kind is CommandKind.EMERGENCY_STOP:
            self._observed, self._trading = ObservedState.STOPPED, TradingState.HALTED
            return {"code": "answer.halted", "positions": 2, "closing": 2}
        elif kind is CommandKind.REARM:
            self._trading = TradingState.ACTIVE
            return {"code": "answer.rearmed", "trigger": "MANUAL_STOP"}
        return {"code": "answer.nothing"}

    def _write_file(self, me: ProcessId) -> None:
        entries = "allowed" if self._observed is ObservedState.RUNNING else "trading_stopped"
        content = engine_file.EngineFile(
            me.host, me.pid, me.started, self._epoch, self._observed.value, self._trading.value,
            entries, _now().isoformat(),
        )  # fmt: skip
        engine_file.write(self._environment.var_dir, content)


def _now() -> datetime:
    from utils.clocks import SystemClock

    return SystemClock().now().astimezone(UTC)


def _ended(row: Any) -> bool:
    return is_gone(ProcessId(row.host, row.pid, row.pid_started))


if __name__ == "__main__":
    sys.exit(FakeEngine(Environment.current(), deaf="deaf" in sys.argv).run())
