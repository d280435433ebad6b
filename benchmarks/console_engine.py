"""What watchers cost the engine: its decision cycles with and without them, in turns."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

import numpy as np
from playwright.sync_api import Browser

from auto_trading import control
from auto_trading_dashboard import navigation
from benchmarks.console_site import ROOT, Site, a_site, cpu_seconds, quantiles
from benchmarks.console_visits import Operator, browser
from crypto_trader_pro.domain.enums import CommandKind
from database.auto_trading_db import open_database
from tests.console_large import SYMBOLS
from utils.clocks import SystemClock

SPEED: Final = 3_000  # ten candles a second: as many cycles in a minute as else in ten
PAGES: Final = ("monitoring", "control", "decisions", "performance", "logs")
SETTINGS: Final = {
    "CTP_MARKET_DATA__SOURCE": "demo", "CTP_MARKET_DATA__DEMO_SPEED": str(SPEED),
    "CTP_STRATEGIES__AI_SIGNAL__ENABLED": "false",  # a training run beside would hide it all
    "CTP_STRATEGIES__EMA_CROSS__FAST": "5", "CTP_STRATEGIES__EMA_CROSS__SLOW": "13",
    "CTP_ENGINE__MAX_CONCURRENT_POSITIONS": "10",
    "CTP_SYMBOLS": "[" + ",".join(f'"{symbol}"' for symbol in SYMBOLS) + "]",
}  # fmt: skip
_SETTLING: Final = 2.0  # seconds after watchers have come or gone


def compare(
    folder: Path, data: Path, pairs: int, watchers: int, seconds: float, *, by: str
) -> None:
    """Print cycles alone and watched, and the ratio of their p99; stretches in the order ABBA.

    Args:
        by: "watchers" without browsers, "browsers", or "plain": load that knows nothing of us.
    """
    alone: list[list[float]] = []
    watched: list[list[float]] = []
    cpu_alone: list[float] = []
    cpu_watched: list[float] = []
    with a_site(folder, data, **SETTINGS) as site, ExitStack() as stack:
        engine = site.start("crypto_trader_pro", "engine", "run")
        _start_trading(site)
        processes = (engine.pid, site.console())
        chromium = stack.enter_context(browser()) if by == "browsers" else None
        with _watching(site, watchers, by, chromium) as watch:  # the console's first pages are slow
            watch(_SETTLING)
        for number in range(2 * pairs):
            count = watchers if number % 4 in (1, 2) else 0
            with _watching(site, count, by, chromium) as watch:
                watch(_SETTLING)
                since, cpu = site.mark(), [cpu_seconds(p) for p in processes]
                watch(seconds)
                records = site.records(since)
                used = [cpu_seconds(p) - c for p, c in zip(processes, cpu, strict=True)]
            cycles = [r["wall"] for r in records if r["kind"] == "cycle"]
            (watched if count else alone).append(cycles)
            own = [r["cpu"] * 1000 for r in records if r["kind"] == "cycle"]
            (cpu_watched if count else cpu_alone).extend(own)
            told = ", ".join(f"{share / seconds * 100:.0f} %" for share in used)
            refreshed = sum(1 for r in records if r["kind"] == "part") / seconds
            print(f"  {count} watching: {_cycles(cycles)}; {refreshed:.1f} live parts/s; engine and"
                  f" console use {told} of a core", flush=True)  # fmt: skip
    _tell(alone, watched)
    for q in (0.5, 0.99):
        before, beside = np.quantile(cpu_alone, q), np.quantile(cpu_watched, q)
        print(f"CPU of a cycle, steadier on a busy machine: p{q * 100:.0f} {before:.2f} ms alone,"
              f" {beside:.2f} ms watched, {beside / before:.3f}")  # fmt: skip


@contextmanager
def _watching(
    site: Site, count: int, by: str, chromium: Browser | None
) -> Iterator[Callable[[float], None]]:
    """Let `count` watchers look, and give what waits meanwhile."""
    entries = [e for name in PAGES for e in navigation.entries() if e.name == name]
    wanted = [entries[k % len(entries)] for k in range(count)]
    if not wanted:
        yield time.sleep
    elif chromium is None:
        words = ["benchmarks.console_watchers", site.address, *(e.path for e in wanted)]
        if by == "plain":
            words = ["benchmarks.plain_load"]
        process = subprocess.Popen(
            [sys.executable, "-m", *words], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == "ready\n"
            yield time.sleep
        finally:
            process.terminate()
            process.wait(20)
    else:
        operators = [Operator(chromium, site.address, entry) for entry in wanted]
        yield operators[0].watch
        for operator in operators:
            operator.close()


def _start_trading(site: Site) -> None:
    """Wait for the engine, let it trade, and give it some candles to warm up."""
    database = open_database(site.database_url)
    row = control.ask(database, CommandKind.START, {}, by="bench", now=SystemClock().now())
    answer = control.wait_for_answer(database, row.command_id, 120.0, time.sleep)
    database.dispose()
    assert answer is not None, "the engine does not answer"
    assert answer.status == "done", answer.answer
    time.sleep(8.0)


def _cycles(seconds: list[float]) -> str:
    p99 = np.quantile(seconds, 0.99) * 1000 if seconds else 0.0
    return f"cycle {quantiles(seconds)}, p99 {p99:.2f}"


def _tell(alone: list[list[float]], watched: list[list[float]]) -> None:
    before = [value for each in alone for value in each]
    beside = [value for each in watched for value in each]
    print(f"alone:    {_cycles(before)}")
    print(f"watched:  {_cycles(beside)}")
    for name, q in (("p50", 0.5), ("p99", 0.99)):
        ratio = np.quantile(beside, q) / np.quantile(before, q)
        each = [np.quantile(w, q) / np.quantile(a, q) for a, w in zip(alone, watched, strict=True)]
        print(f"{name} with watchers / without: {ratio:.3f}; each pair"
              f" {', '.join(f'{r:.2f}' for r in each)}")  # fmt: skip
    is_met = np.quantile(beside, 0.99) < 1.1 * np.quantile(before, 0.99)
    print(f"goal p99 < 1.10: {'met' if is_met else 'NOT met'}")
