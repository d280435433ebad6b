"""How long a signal from outside takes to be stored and answered while an engine trades beside.

    python -m benchmarks.webhook_latency [--rate 200] [--seconds 30] [--copies 0.0]
        [--per-minute 60000]

Starts `engine run` on the demo market with everything that ships (two processes: the engine, and
the one that serves HTTP), starts trading, and sends valid, different signals at a fixed rate. A
request's time counts from the instant at which it was due, so that a server that stalls cannot hide
it. Prints p50, p99 and the largest, the answers by status, and the engine's cycle times without and
with the signals. Run it on a quiet machine; the goal is a p99 below 50 ms.
"""

import argparse
import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from sqlalchemy import Engine as Database

from crypto_trader_pro.domain.enums import CommandKind
from database import lease, strategies
from database.auto_trading_db import open_database, unit_of_work
from database.strategies import Changes
from database.wishes import wish
from utils.clocks import SystemClock

CONNECTIONS = 16
GOAL_MS = 50.0


@dataclass
class Measured:
    """Milliseconds of each request, and what was answered."""

    latencies: list[float] = field(default_factory=list)
    answers: Counter[str] = field(default_factory=Counter)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rate", type=int, default=200, help="requests a second")
    parser.add_argument("--seconds", type=int, default=30)
    parser.add_argument("--copies", type=float, default=0.0, help="share of repeated signals")
    parser.add_argument("--action", default="buy", help="what the signals wish")
    parser.add_argument("--per-minute", type=int, default=60_000, help="signals that are taken")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ctp-webhooks-") as folder:
        port = _free_port()
        with _engine(Path(folder), port) as database:
            key = _prepared(database, port, asked.per_minute)
            alone = _cycles(database, 10)
            measured, beside = asyncio.run(_with_cycles(_sent((port, key), asked), database))
    _report(measured, asked, alone, beside)
    return 0 if float(np.percentile(measured.latencies, 99)) < GOAL_MS else 1


async def _with_cycles(work: Any, database: Database) -> tuple[Measured, list[float]]:
    watching = asyncio.create_task(_watched(database))
    measured = await work
    watching.cancel()
    with suppress(asyncio.CancelledError):
        await watching
    return measured, _SEEN


_SEEN: list[float] = []


async def _watched(database: Database) -> None:
    """Note the newest cycle's time each half second, by way of the heartbeat."""
    while True:
        found = await asyncio.to_thread(_last_cycle, database)
        if found is not None:
            _SEEN.append(found)
        await asyncio.sleep(0.5)


async def _sent(place: tuple[int, str], asked: argparse.Namespace) -> Measured:
    """Send at a fixed rate over connections that stay open, as a proxy in front of us would.

    Bare streams: a client library takes more of the machine than the server does.
    """
    measured = Measured()
    due: asyncio.Queue[tuple[float, dict[str, Any]]] = asyncio.Queue()
    workers = [asyncio.create_task(_worker(place, due, measured)) for _ in range(CONNECTIONS)]
    began = time.perf_counter()
    for number, body in enumerate(_bodies(asked)):
        at = began + number / asked.rate
        await asyncio.sleep(max(0.0, at - time.perf_counter()))
        due.put_nowait((at, body))
    await due.join()
    for worker in workers:
        worker.cancel()
    return measured


async def _worker(
    place: tuple[int, str], due: "asyncio.Queue[tuple[float, dict[str, Any]]]", measured: Measured
) -> None:
    port, key = place
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while True:
        at, body = await due.get()
        content = json.dumps({**body, "timestamp": SystemClock().now().isoformat()}).encode()
        head = (
            f"POST /webhook/{key} HTTP/1.1\r\nHost: localhost\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
        )
        try:
            told = await _answered(reader, writer, head.encode() + content)
        except (ConnectionError, asyncio.IncompleteReadError):  # it was idle for too long
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            told = await _answered(reader, writer, head.encode() + content)
        measured.latencies.append((time.perf_counter() - at) * 1000)
        measured.answers[told] += 1
        due.task_done()


async def _answered(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes
) -> str:
    writer.write(request)
    answer = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
    length = int(answer.split("content-length: ")[1].split("\r\n")[0])
    told = json.loads(await reader.readexactly(length))
    return f"{answer.split()[1]} {told['status']}"


def _bodies(asked: argparse.Namespace) -> Iterator[dict[str, Any]]:
    every = round(1 / asked.copies) if asked.copies else 0
    for number in range(asked.rate * asked.seconds):
        is_copy = bool(every) and number % every == 1
        name = number - 1 if is_copy else number
        body = {"action": asked.action, "symbol": "BTC/USDT:USDT", "alert_id": f"b{name}"}
        if asked.action in ("buy", "sell"):
            body["stop_pct"] = "1.5"
        yield body


@contextmanager
def _engine(folder: Path, port: int) -> Iterator[Database]:
    environment = {
        **os.environ, "CTP_VAR_DIR": str(folder), "CTP_HTTP_PORT": str(port),
        "CTP_REACH__ENABLED": "true", "CTP_MARKET_DATA__SOURCE": "demo",
        "CTP_STRATEGIES__AI_SIGNAL__ENABLED": "false",
    }  # fmt: skip
    environment.pop("CTP_DATABASE_URL", None)
    command = [sys.executable, "-m", "crypto_trader_pro", "engine", "run"]
    with (folder / "out.txt").open("w") as out:
        process = subprocess.Popen(command, env=environment, stdout=out, stderr=out)
    database = open_database(f"sqlite:///{folder / 'crypto_trader_pro.db'}", durable=False)
    try:
        yield database
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)
        database.dispose()


def _prepared(database: Database, port: int, per_minute: int) -> str:
    """Wait for engine and server, start trading, and return the key of a strategy."""
    deadline = time.monotonic() + 60
    while not _is_up(port):
        assert time.monotonic() < deadline, "nothing serves"
        time.sleep(0.2)
    now = SystemClock().now()
    wish(database, CommandKind.START, by="benchmark", now=now)
    with unit_of_work(database) as session:
        many = Changes(per_minute=per_minute)
        return strategies.create(session, "benchmark", "benchmark", now, changes=many).key


def _is_up(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/health", timeout=6).status_code == 200
    except httpx.TransportError:
        return False


def _cycles(database: Database, seconds: int) -> list[float]:
    found = []
    for _ in range(seconds * 2):
        time.sleep(0.5)
        last = _last_cycle(database)
        if last is not None:
            found.append(last)
    return found


def _last_cycle(database: Database) -> float | None:
    with unit_of_work(database, "the heartbeat") as session:
        row = lease.read(session)
        view = None if row is None else row.view
    told = (view or {}).get("vitals", {}).get("cycles", {}).get("last_ms")
    return None if told is None else float(told)


def _report(
    measured: Measured, asked: argparse.Namespace, alone: Sequence[float], beside: Sequence[float]
) -> None:
    took = np.array(measured.latencies)
    p50, p99 = np.percentile(took, [50, 99])
    print(f"{len(took):,} requests at {asked.rate}/s, {asked.action}: {dict(measured.answers)}")
    print(f"stored and answered in ms: p50 {p50:.1f}, p99 {p99:.1f}, max {took.max():.1f}")
    for name, cycles in (("without signals", alone), ("with signals", beside)):
        if cycles:
            print(
                f"engine's cycles {name}, ms: median {np.median(cycles):.1f}, max {max(cycles):.1f}"
            )
    print("goal p99 < 50 ms:", "reached" if p99 < GOAL_MS else "missed")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    sys.exit(main())
