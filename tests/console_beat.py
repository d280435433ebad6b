"""An engine that a console believes: it has the lease, beats, and its market goes on.

    python -m tests.console_beat [DATABASE_URL] [--seconds 60] [--var-dir DIR]

It decides nothing and trades nothing. Once a second it writes what an engine writes while nothing
is bought: prices, a candle where one closes, "hold" decisions, equity, a log line, its heartbeat;
and it answers requests. On the demo market a candle closes with every beat.
"""

import argparse
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import numpy as np
from sqlmodel import Session, col, select

from auto_trading import engine_file
from auto_trading.engine_file import EngineFile
from config.environment import Environment
from crypto_trader_pro.domain.enums import CommandKind, Component, DesiredState, ObservedState
from crypto_trader_pro.domain.instruments import Instrument
from crypto_trader_pro.domain.market import Bar, series_of
from crypto_trader_pro.domain.ports import LogEntry
from crypto_trader_pro.domain.timeframes import timeframe_ms, to_datetime, to_ms
from crypto_trader_pro.simulation.instruments import instrument
from database import alerts, candles, commands, lease, marking, prices, runs
from database.auto_trading_db import open_database, unit_of_work
from database.candles import Origin
from database.commands import CommandStatus
from database.log_rows import LogTable
from database.models import DecisionRow, EquityRow, PositionRow, RunRow
from database.prices import LatestPrice
from tests.console_lease import beat, take_lease
from utils.clocks import SystemClock
from utils.processes import own_process

DEMO_SPEED: Final = 300  # market seconds in one second
_STEP: Final = 0.0008  # of the price, each beat


class Beating:
    """The engine of the newest run; `beat` is one second of its life."""

    def __init__(self, database_url: str, var_dir: Path | None = None, *, seed: int = 7) -> None:
        self.database = open_database(database_url, durable=False)
        self.beats = 0
        self._var_dir, self._rng = var_dir, np.random.default_rng(seed)
        now = SystemClock().now()
        with unit_of_work(self.database) as session:
            self._run = _newest_run(session)
            self.run_id = runs.number(self._run)
            self._items = {s: instrument(s) for s in self._run.symbols}
            self._origin = Origin(str(self._run.inputs["venue"]), self._run.source)
            self._equity = _newest_equity(session, self.run_id)
            self._units = _newest_prices(session, self._items, self._origin)
            row = lease.read(session)
            self.view = dict(row.view) if row is not None and row.view else _view(self._equity)
        self._length = timeframe_ms(self._run.timeframe)
        is_demo = self._origin.source == "demo"
        self._speed = DEMO_SPEED if is_demo else 1
        self._at_ms = to_ms(self._equity.at) if is_demo else to_ms(now)
        self._forming: dict[str, list[int]] = {}
        self.epoch = take_lease(
            self.database, self.run_id, self.view, now, source=self._origin.source
        )
        self._logs = LogTable(self.database)
        self._wanted: DesiredState | None = DesiredState.RUNNING

    def beat(self, seconds: float = 1.0) -> bool:
        """Live for `seconds` of system time at once; False when another engine has the account."""
        now = SystemClock().now()
        before = self._at_ms
        self._at_ms += round(seconds * 1000 * self._speed)
        self._move()
        closes = self._at_ms // self._length * self._length
        with unit_of_work(self.database, "the beat") as session:
            self._mark(session, now)
            if closes > before:
                self._close_candles(session, closes)
            self._answer(session, now)
            self._wanted = beat(
                session, self.epoch, self.run_id, self.view, now, source=self._origin.source
            )
        self._say(now)
        self._write_file(now)
        self.beats += 1
        return self._wanted is not None

    def close(self) -> None:
        """Give the lease back."""
        with unit_of_work(self.database) as session:
            lease.release(session, self.epoch, SystemClock().now())
        self.database.dispose()

    # --- market and account -----------------------------------------------------------------

    def _move(self) -> None:
        for symbol, item in self._items.items():
            old = self._units[symbol]
            moved = old * (1 + self._rng.normal(0.0, _STEP)) / item.tick_units
            price = max(1, round(moved)) * item.tick_units
            self._units[symbol] = price
            self._forming.setdefault(symbol, [old]).append(price)

    def _mark(self, session: Session, now: datetime) -> None:
        """Store prices, the positions' profits by them, and the account."""
        at = to_datetime(self._at_ms)
        found = {s: item.price(self._units[s]) for s, item in self._items.items()}
        rows = [LatestPrice(symbol, price, at) for symbol, price in found.items()]
        prices.store_latest(session, rows, self._origin, now)
        marking.mark_positions(session, self.run_id, found)
        open_ones = select(PositionRow).where(
            PositionRow.run_id == self.run_id, PositionRow.status == "OPEN"
        )
        unrealized = sum(
            (p.unrealized_pnl or Decimal(0) for p in session.exec(open_ones)), Decimal(0)
        )
        last = self._equity
        equity = last.equity - last.unrealized_pnl + unrealized
        peak = max(equity, last.equity / (1 - last.drawdown))
        values = last.model_dump(exclude={"id"}) | {
            "at": at, "equity": equity, "unrealized_pnl": unrealized,
            "drawdown": (1 - equity / peak).quantize(Decimal("1e-8")),
        }  # fmt: skip
        self._equity = EquityRow(**values)
        session.add(EquityRow(**values))
        self.view |= {
            "at": at.isoformat(), "equity": f"{equity:f}", "unrealized": f"{unrealized:f}",
            "drawdown": f"{values['drawdown']:f}",
        }  # fmt: skip

    def _close_candles(self, session: Session, closes_ms: int) -> None:
        for symbol, item in self._items.items():
            seen = self._forming.pop(symbol)
            bar = Bar(
                closes_ms - self._length, seen[0], max(seen), min(seen), seen[-1],
                int(self._rng.integers(1_000, 90_000)),
            )  # fmt: skip
            series = series_of(symbol, self._length, [bar])
            candles.store(session, series, item, self._origin)
            session.add(self._decision(symbol, closes_ms, bar.close))

    def _decision(self, symbol: str, at_ms: int, price: int) -> DecisionRow:
        return DecisionRow(
            run_id=self.run_id, at_ms=at_ms, symbol=symbol, outcome="hold", direction=0,
            confidence=0, gate_state="green", gate_reason="ok", trading_state="active", mask=0,
            lots=0, bound=0, price=price, equity=int(self._equity.equity.scaleb(8)),
            window_hash=self._rng.bytes(16),
        )  # fmt: skip

    # --- the process ------------------------------------------------------------------------

    def _answer(self, session: Session, now: datetime) -> None:
        commands.expire(session, now)
        while (row := commands.claim_next(session, now)) is not None:
            answer = self._obey(session, CommandKind(row.kind), row.payload, row.requested_by, now)
            commands.finish(session, row.command_id, CommandStatus.DONE, answer, now)

    def _obey(
        self, session: Session, kind: CommandKind, payload: Mapping[str, Any], by: str,
        now: datetime,
    ) -> dict[str, Any]:  # fmt: skip
        if kind is CommandKind.START:
            self.view["enabled"] = True
            return {"code": "answer.started"}
        if kind is CommandKind.STOP:
            self.view["enabled"] = False
            return {"code": "answer.stopped", "open_positions": self.view["open_positions"]}
        if kind is CommandKind.EMERGENCY_STOP:
            self.view |= {"enabled": False, "trading_state": "halted", "halt_reason": "MANUAL_STOP"}
            return {"code": "answer.halted", "positions": 0, "closing": 0}
        if kind is CommandKind.REARM:
            self.view |= {"trading_state": "active", "halt_reason": ""}
            lease.unlatch(session, now)
            return {"code": "answer.rearmed", "trigger": "MANUAL_STOP"}
        if kind is CommandKind.ACKNOWLEDGE_ALERT:
            number = int(payload["alert_id"])
            alerts.acknowledge(session, number, by, now)
            return {"code": "answer.acknowledged", "alert_id": number}
        return {"code": "answer.nothing"}

    def _say(self, now: datetime) -> None:
        line = LogEntry(
            now, "INFO", Component.MONITOR, f"beat {self.beats + 1}", None, None, self.run_id
        )
        self._logs.write([line])

    def _write_file(self, now: datetime) -> None:
        if self._var_dir is None:
            return
        me, is_on = own_process(), bool(self.view["enabled"])
        told = EngineFile(
            me.host, me.pid, me.started, self.epoch, ObservedState.RUNNING.value,
            str(self.view["trading_state"]), "allowed" if is_on else "trading_stopped",
            now.isoformat(),
        )  # fmt: skip
        engine_file.write(self._var_dir, told)


def _newest_run(session: Session) -> RunRow:
    row = runs.last(session, kind="paper")
    assert row is not None, "there is no paper run"
    return row


def _newest_equity(session: Session, run_id: int) -> EquityRow:
    query = select(EquityRow).where(EquityRow.run_id == run_id).order_by(col(EquityRow.at).desc())
    return session.exec(query.limit(1)).one()


def _newest_prices(
    session: Session, items: Mapping[str, Instrument], origin: Origin
) -> dict[str, int]:
    found = {row.symbol: row.price for row in prices.latest(session, origin)}
    return {symbol: int(found[symbol] / item.price_unit) for symbol, item in items.items()}


def _view(equity: EquityRow) -> dict[str, Any]:
    """Return what an engine shows of an account of which only the equity is known."""
    text = {k: f"{getattr(equity, k):f}" for k in ("cash", "equity", "drawdown")}
    return {
        "at": equity.at.isoformat(), "asset": "USDT", **text, "gross": "0",
        "realized": f"{equity.realized_pnl:f}", "unrealized": f"{equity.unrealized_pnl:f}",
        "fees": "0", "funding": "0", "open_positions": equity.open_positions,
        "working_orders": 2 * equity.open_positions, "day_start_equity": text["equity"],
        "trading_state": equity.trading_state, "halt_reason": "", "flattening": False,
        "enabled": True, "locks": {}, "connection_lost": False, "daily_level": 0, "volatile": 0,
        "pays_in_full": False, "model": None, "safety": [],
    }  # fmt: skip


@contextmanager
def beating(
    database_url: str, var_dir: Path | None = None, *, every: float = 1.0
) -> Iterator[Beating]:
    """Let an engine live in a thread of its own, one beat each `every` seconds.

    What goes wrong in the thread is raised when the block ends.
    """
    engine = Beating(database_url, var_dir)
    ended, faults = threading.Event(), list[Exception]()

    def live() -> None:
        try:
            while engine.beat() and not ended.wait(every):
                pass
        except Exception as fault:  # noqa: BLE001  raised where the block ends
            faults.append(fault)

    thread = threading.Thread(target=live, name="console-beat", daemon=True)
    thread.start()
    try:
        yield engine
    finally:
        ended.set()
        thread.join(timeout=30)
        engine.close()
    if faults:
        raise faults[0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    environment = Environment.current()
    parser.add_argument("database_url", nargs="?", default=environment.database_url)
    parser.add_argument("--var-dir", type=Path, default=environment.var_dir)
    parser.add_argument("--seconds", type=float, default=1e9, help="how long to live")
    args = parser.parse_args()
    until = time.monotonic() + args.seconds
    with beating(args.database_url, args.var_dir) as engine:
        print(f"epoch {engine.epoch}, run r{engine.run_id}; end it with Ctrl-C", flush=True)
        try:
            while time.monotonic() < until:
                time.sleep(min(1.0, max(0.0, until - time.monotonic())))
        except KeyboardInterrupt:
            pass


if __name__ == "__main__":
    main()
