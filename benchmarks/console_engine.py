"""What watchers cost the engine: its decision cycles with and without them, in turns."""

import time
from pathlib import Path
from typing import Final

import numpy as np

from auto_trading import control
from auto_trading_dashboard import navigation
from benchmarks.console_site import Site, a_site, cpu_seconds, quantiles
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


def compare(folder: Path, data: Path, pairs: int, watchers: int, seconds: float) -> None:
    """Print cycles alone and watched, and the ratio of their p99; stretches in the order ABBA."""
    with a_site(folder, data, **SETTINGS) as site:
        engine = site.start("crypto_trader_pro", "engine", "run")
        _start_trading(site)
        server = site.console()
        alone: list[list[float]] = []
        watched: list[list[float]] = []
        with browser() as chromium:
            for number in range(2 * pairs):
                is_watched = number % 4 in (1, 2)
                operators = []
                if is_watched:
                    wanted = [e for n in PAGES for e in navigation.entries() if e.name == n]
                    operators = [
                        Operator(chromium, site.address, wanted[k % len(wanted)])
                        for k in range(watchers)
                    ]
                time.sleep(2.0)
                cpu, since = (cpu_seconds(engine.pid), cpu_seconds(server)), site.mark()
                if operators:
                    operators[0].watch(seconds * 1)
                else:
                    time.sleep(seconds)
                cycles = [r["wall"] for r in site.records(since) if r["kind"] == "cycle"]
                (watched if is_watched else alone).append(cycles)
                shares = (cpu_seconds(engine.pid) - cpu[0], cpu_seconds(server) - cpu[1])
                told = ", ".join(f"{share / seconds * 100:.0f} %" for share in shares)
                name = f"{len(operators)} watching" if operators else "alone"
                print(f"  {name:<12} {_cycles(cycles)}; engine and console use {told} of a core")
                for operator in operators:
                    operator.close()
    _tell(alone, watched)


def _start_trading(site: Site) -> None:
    """Wait for the engine, let it trade, and give it some candles to warm up."""
    database = open_database(site.database_url)
    deadline = time.monotonic() + 60
    row = control.ask(database, CommandKind.START, {}, by="bench", now=SystemClock().now())
    answer = control.wait_for_answer(
        database, row.command_id, deadline - time.monotonic(), time.sleep
    )
    database.dispose()
    assert answer is not None, "the engine does not answer"
    assert answer.status == "done", answer.answer
    time.sleep(8.0)


def _cycles(seconds: list[float]) -> str:
    p99 = np.quantile(seconds, 0.99) * 1000 if seconds else 0.0
    return f"cycle {quantiles(seconds)}, p99 {p99:.2f}"


def _tell(alone: list[list[float]], watched: list[list[float]]) -> None:
    before, beside = sum(alone, []), sum(watched, [])  # noqa: RUF017  a handful of lists
    print(f"alone:    {_cycles(before)}")
    print(f"watched:  {_cycles(beside)}")
    for name, q in (("p50", 0.5), ("p99", 0.99)):
        ratio = np.quantile(beside, q) / np.quantile(before, q)
        each = [np.quantile(w, q) / np.quantile(a, q) for a, w in zip(alone, watched, strict=True)]
        print(f"{name} with watchers / without: {ratio:.3f}; each pair"
              f" {', '.join(f'{r:.2f}' for r in each)}")  # fmt: skip
    ratio = float(np.quantile(beside, 0.99) / np.quantile(before, 0.99))
    print(f"goal p99 < 1.10: {'met' if ratio < 1.1 else 'NOT met'}")
