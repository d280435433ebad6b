"""Compiles the kernel once for all tests: `python -m tests.compiled`, before a run of many.

In a process of its own: the compiler is ten times slower where coverage looks on.
"""

import subprocess
import sys
from pathlib import Path

from auto_trading.backtesting.backtester import Backtester
from auto_trading.backtesting.candles import Candles
from auto_trading.backtesting.compiled import is_compiled
from auto_trading.backtesting.request import BacktestRequest
from auto_trading.backtesting.sweeping import Sweeper
from auto_trading.replay_market import ReplayRequest
from config.loading import load
from crypto_trader_pro.domain.market import Bar, series_of
from crypto_trader_pro.simulation.instruments import instrument
from tests.builders import MINUTE, START_MS
from tests.market_data import ROOT

SYMBOL = "BTC/USDT:USDT"
VAR = ROOT / ".pytest_cache"


def compile_once() -> None:
    """Let a child compile what is not compiled yet."""
    if not is_compiled(VAR):
        subprocess.run([sys.executable, "-m", "tests.compiled"], cwd=ROOT, check=True)


def main() -> None:
    """Run everything that is called from outside the compiled code once."""
    bars = [Bar(START_MS + n * MINUTE, 9_000, 9_100, 8_900, 9_050 - n % 7, 50) for n in range(60)]
    candles = Candles((instrument(SYMBOL),), (series_of(SYMBOL, MINUTE, bars),), None, {}, "")
    market = ReplayRequest((SYMBOL,), (Path("none"),), "1m", 60, ("ema_cross",))
    settings = load(environ={}, dotenv={})
    Backtester(BacktestRequest(market), candles, VAR).run(settings)
    Sweeper(candles, ("ema_cross",), MINUTE, settings, VAR).run([settings], 1)


if __name__ == "__main__":
    main()
