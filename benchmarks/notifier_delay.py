"""How much a channel that fails costs the trading loop: nothing that can be measured, it should be.

    python -m benchmarks.notifier_delay [--cycles 500]

A loop as the engine's: each cycle works for a few milliseconds, tells people of a trade
(`send_notification`, a queue put; a thread of this process stores it), and commits a row to the
journal's database (synchronous=FULL). Beside it a real reach process sends what was told through

* no channel at all,
* one whose server takes every message,
* one where nobody listens, one that never answers, one that is misconfigured.

Printed for each, in rounds that take turns so that the machine's moods hit all alike: p50, p99 and
the longest of what telling itself takes, the same of the whole cycle beside the first case, and
how long an engine process takes from its start to its first heartbeat.
"""

import argparse
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from sqlalchemy import Engine as Database

from auto_trading.engine_file import read as engine_file
from config.loading import load
from config.settings import Settings
from crypto_trader_pro.domain.enums import NotificationType
from database.auto_trading_db import open_database, prepare, unit_of_work
from database.models import AlertRow
from database.outbox import DatabaseOutbox
from utils import reach_file
from utils.clocks import SystemClock
from utils.notifications import NotificationManager

WORK_SECONDS: Final = 0.002
PACE_SECONDS: Final = 0.03  # between two cycles: 30 messages a second, far more than there are
ROUNDS: Final = 5
GOAL_MS: Final = 1.0
KIND: Final = NotificationType.TRADE_EXECUTED
SECRET: Final = "0123456789abcdef"  # noqa: S105


class Case(NamedTuple):
    name: str
    url: str  # of the webhook; "": it is switched off


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cycles", type=int, default=500, help="of each case")
    args = parser.parse_args()
    with ExitStack() as stack:
        cases = _cases(stack)
        benches = [stack.enter_context(_bench(case)) for case in cases]
        for _ in range(ROUNDS):
            for bench in benches:
                bench.play(args.cycles // ROUNDS)
        plain = benches[0]
        for bench in benches:
            bench.report(plain)
    _starts(cases)


def _cases(stack: ExitStack) -> list[Case]:
    """Return the cases, with servers that take, and that never answer."""
    taking = stack.enter_context(_server())
    hanging = socket.socket()
    hanging.bind(("127.0.0.1", 0))
    hanging.listen(50)  # connections are made, nobody reads
    stack.enter_context(closing(hanging))
    return [
        Case("no channel", ""),
        Case("taken", f"http://127.0.0.1:{taking}/"),
        Case("down", "http://127.0.0.1:9/"),
        Case("hangs", f"http://127.0.0.1:{hanging.getsockname()[1]}/"),
        Case("misconfigured", "no address at all"),
    ]


@contextmanager
def _server() -> Iterator[int]:
    """Run an HTTP server that answers 200 to everything, in a process of its own."""
    code = (
        "import http.server as h\n"
        "class H(h.BaseHTTPRequestHandler):\n"
        " def do_POST(self):\n"
        "  self.rfile.read(int(self.headers['Content-Length']))\n"
        "  self.send_response(200); self.send_header('Content-Length', '0'); self.end_headers()\n"
        " def log_message(self, *a): pass\n"
        "s = h.ThreadingHTTPServer(('127.0.0.1', 0), H)\n"
        "print(s.server_port, flush=True); s.serve_forever()\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    yield int(process.stdout.readline())
    process.kill()
    process.wait()


def _environment(folder: Path, case: Case, port: int) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("CTP_", "DATABASE_URL"))}
    return {
        **kept, "CTP_VAR_DIR": str(folder), "CTP_HTTP_PORT": str(port),
        "CTP_MARKET_DATA__SOURCE": "demo", "CTP_STRATEGIES__AI_SIGNAL__ENABLED": "false",
        "CTP_NOTIFICATIONS__CHANNELS": '["dashboard", "webhook"]',
        "CTP_CHANNELS__WEBHOOK__ENABLED": "true" if case.url else "false",
        "CTP_ROUTING__BY_TYPE__TRADE_EXECUTED": '["dashboard", "webhook"]',
        "CTP_RATE_LIMITS__WEBHOOK_PER_MINUTE": "600",
        "CTP_WEBHOOK_OUT_URL": case.url, "CTP_WEBHOOK_OUT_SECRET": SECRET,
    }  # fmt: skip


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


class Bench:
    """One case: its database, its messages, its reach process."""

    def __init__(self, case: Case, database: Database, messages: NotificationManager) -> None:
        self.case = case
        self._database = database
        self._messages = messages
        self._told: list[float] = []
        self._cycles: list[float] = []

    def play(self, cycles: int) -> None:
        for _ in range(cycles):
            began = time.perf_counter()
            while time.perf_counter() - began < WORK_SECONDS:
                pass  # what deciding takes
            before = time.perf_counter()
            self._messages.send_notification(KIND, "Bought 0.1 BTC/USDT at 60,000", severity="info")
            after = time.perf_counter()
            self._commit()
            self._told.append(after - before)
            self._cycles.append(time.perf_counter() - began)
            time.sleep(PACE_SECONDS)

    def _commit(self) -> None:
        now = datetime.now(UTC)
        with unit_of_work(self._database) as session:
            session.add(
                AlertRow(kind=KIND, severity="info", code="bench", numbers={}, at=now,
                         raised_at=now)
            )  # fmt: skip

    def report(self, plain: "Bench") -> None:
        told, cycle, of_plain = self._told, self._cycles, plain._cycles  # noqa: SLF001
        delays = [
            (float(np.quantile(cycle, q)) - float(np.quantile(of_plain, q))) * 1000
            for q in (0.5, 0.99, 1.0)
        ]
        verdict = "" if delays[0] < GOAL_MS else f"  NOT within {GOAL_MS:g} ms"
        print(f"{self.case.name}: telling {_figures(told)}; cycle {_figures(cycle)}; "
              f"more than {plain.case.name}: p50 {delays[0]:+.3f}, p99 {delays[1]:+.3f}, "
              f"worst {delays[2]:+.3f} ms{verdict}")  # fmt: skip


def _figures(seconds: list[float]) -> str:
    p50, p99, worst = (float(np.quantile(seconds, q)) * 1000 for q in (0.5, 0.99, 1.0))
    return f"p50 {p50:.3f}, p99 {p99:.3f}, worst {worst:.3f} ms"


@contextmanager
def _bench(case: Case) -> Iterator[Bench]:
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        url = f"sqlite:///{folder / 'crypto_trader_pro.db'}"
        database = open_database(url, busy_seconds=1.0)
        stack.callback(database.dispose)
        prepare(database)
        environment = _environment(folder, case, _free_port())
        process = subprocess.Popen([sys.executable, "-m", "auto_trading.reach"], env=environment)
        stack.callback(process.wait)
        stack.callback(process.terminate)
        while reach_file.living(folder) is None:
            time.sleep(0.05)
        settings = _settings(environment)
        messages = NotificationManager(settings, DatabaseOutbox.open(url), SystemClock())
        stack.callback(messages.close)
        time.sleep(2)  # it imports what it needs
        yield Bench(case, database, messages)


def _settings(environment: dict[str, str]) -> Settings:
    return load(environ={k: v for k, v in environment.items() if k.startswith("CTP_")})


def _starts(cases: list[Case]) -> None:
    """Print how long an engine takes to its first heartbeat, with each case and with no process."""
    silent = "without the process"
    found: dict[str, list[float]] = {name: [] for name in (silent, *(c.name for c in cases))}
    with tempfile.TemporaryDirectory() as name:
        for turn in range(ROUNDS):
            for case in (None, *cases):
                folder = Path(name) / f"{turn}-{case.name if case else silent}"
                environment = _environment(folder, case or cases[0], _free_port())
                environment["CTP_REACH__ENABLED"] = "true" if case else "false"
                found[case.name if case else silent].append(_first_heartbeat(folder, environment))
    for what, seconds in found.items():
        print(f"engine start to first heartbeat, {what}: median {np.median(seconds):.2f} s, "
              f"worst {max(seconds):.2f} s")  # fmt: skip


def _first_heartbeat(folder: Path, environment: dict[str, str]) -> float:
    command = [sys.executable, "-m", "crypto_trader_pro", "engine", "run"]
    began = time.perf_counter()
    process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
    while (seen := engine_file(folder)) is None or seen.pid != process.pid:
        time.sleep(0.005)
    seconds = time.perf_counter() - began
    process.terminate()
    process.wait()
    return seconds


if __name__ == "__main__":
    main()
