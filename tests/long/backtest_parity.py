"""Both engines on a thousand random markets and on all real candles: `python -m
tests.long.backtest_parity [--markets 1000] [--real] [--bugs]`.

Prints how often each rule, size bound, fill reason, ladder event and end of an order was seen, and
fails where one stayed below its floor, where a market differs by a single unit, or where a planted
bug is not caught. Without an option everything is done.
"""

import argparse
import logging
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from time import perf_counter
from typing import Any, Final, NamedTuple

from auto_trading.backtesting.backtester import Backtester
from auto_trading.backtesting.compiled import machine_code
from auto_trading.backtesting.request import BacktestRequest
from auto_trading.replay_market import ReplayRequest
from config.loading import load
from crypto_trader_pro.backtest.compiler import PLAIN
from crypto_trader_pro.backtest.kernel_run import KernelRefused
from crypto_trader_pro.domain.timeframes import timeframe_ms
from tests.backtest_parity import (
    Seen,
    by_kernel,
    by_reference,
    count_into,
    differences,
    random_case,
    short_of,
)
from tests.kernel_bugs import BUGS, planted
from tests.market_data import DATA

# of a thousand markets; what happens to whole accounts is rarer than what happens to orders
FLOORS: Final[Mapping[str, int]] = {
    **dict.fromkeys((
        "rule trading_state", "rule data_gate", "rule position_open", "rule daily_loss",
        "rule drawdown", "rule max_positions", "rule cooldown", "rule message_rate",
        "rule direction", "rule expected_edge", "rule stop_undefined", "rule price_collar",
        "rule position_size", "rule min_notional", "rule balance", "rule locked", "rule safety",
        "bound SIZE", "bound RISK", "bound LEVERAGE", "bound VOLUME", "bound MAX_LOTS",
        "fill entry", "fill exit", "fill stop", "fill target", "fill trailing",
        "fill liquidation", "ladder daily_loss_warning", "ladder daily_loss_exceeded",
        "ladder drawdown_reducing", "end entry_ended", "end liquidation", "end position_closed",
        "end position_not_flat", "end stop_came_first", "end time_out", "end time_to_live",
        "end trailing", "funding", "detail",
    ), 100),
    "ladder drawdown_kill": 50, "ladder drawdown_peak_reset": 50, "fill flatten": 30,
    "end insufficient_funds": 20, "ladder drawdown_recovered": 10, "end DRAWDOWN_EXCEEDED": 10,
    "end DAILY_LOSS_EXCEEDED": 10, "end asked": 5, "end replaced": 5,
}  # fmt: skip
# one strategy enters a symbol once per candle at most, whatever the rule says
NEVER: Final = ("rule duplicate_bar",)
CONFIGURATIONS: Final[tuple[Mapping[str, Any], ...]] = (
    {},
    {
        "limits.max_leverage": "5", "risk_management.position_size_pct": "40",
        "limits.risk_per_trade_pct": "1", "paper.impact_pct": "1", "paper.range_share_pct": "5",
        "strategies.ema_cross.trailing_pct": "2", "paper.latency_bars": 1,
        "limits.lock_after_stops": 3, "limits.cooldown_bars": 2,
    },
    {
        "paper.margin_mode": "isolated", "paper.isolated_leverage": 10,
        "paper.volume_share_pct": "1", "risk_management.position_size_pct": "100",
        "limits.max_leverage": "3", "limits.drawdown_kill_pct": "40",
        "limits.drawdown_reduce_pct": "30", "limits.drawdown_recover_pct": "20",
    },
)  # fmt: skip


class Market(NamedTuple):
    symbols: tuple[str, ...]
    paths: tuple[Path, ...]
    timeframe: str


def real_markets() -> Iterator[Market]:
    """Yield every candle file alone, and the files of one span and timeframe as portfolios."""
    groups: dict[tuple[str, str], list[tuple[str, Path]]] = {}
    for path in sorted((DATA / "candles").glob("binance-*_*_*_*.csv.gz")):
        venue, pair, timeframe, span = path.name.removesuffix(".csv.gz").split("_")
        symbol = f"{pair.removesuffix('USDT')}/USDT{':USDT' if venue.endswith('usdm') else ''}"
        yield Market((symbol,), (path,), timeframe)
        groups.setdefault((timeframe, span), []).append((symbol, path))
    for (timeframe, _), found in groups.items():
        if len({symbol for symbol, _ in found}) > 1:
            symbols, paths = zip(*found, strict=True)
            yield Market(symbols, paths, timeframe)


def play_real(folder: Path) -> int:
    """Play all real candles by both engines; return how many runs differ."""
    wrong = 0
    for market in real_markets():
        length = timeframe_ms(market.timeframe) // 1000
        request = ReplayRequest(
            market.symbols, market.paths, market.timeframe, length, ("ema_cross",)
        )
        both = Backtester.load(BacktestRequest(request), None, folder)
        for number, values in enumerate(CONFIGURATIONS):
            settings = load(overrides=values)
            fast = both.run(settings, keeps_masks=True)
            slow = both.run(settings, engine="reference", keeps_masks=True)
            found = differences(fast.result, slow.result)
            wrong += bool(found) or fast.engine != "compiled"
            print(
                f"{'+'.join(market.symbols)} {market.timeframe} configuration {number}:"
                f" {fast.result.bars} bars, {len(fast.result.fills)} fills, {fast.engine}"
                f" {fast.refused} {found or 'no difference'}", flush=True,
            )  # fmt: skip
    return wrong


def play_random(count: int, folder: Path) -> tuple[int, Seen]:
    """Play random markets by both engines; return how many differ, and what was seen."""
    code, seen, wrong = machine_code(folder), Seen(), 0
    for seed in range(count):
        case = random_case(seed)
        try:
            played = by_kernel(case, code)
        except KernelRefused:
            seen["refused by the kernel"] = seen.get("refused by the kernel", 0) + 1
            continue
        found = differences(played.result, by_reference(case, folder))
        if found:
            wrong += 1
            print(f"seed {seed}: {found}", flush=True)
        count_into(seen, played, case)
        for what, n in (("bars", played.result.bars), ("fills", len(played.result.fills))):
            seen[what] = seen.get(what, 0) + n
    return wrong, seen


def find_bugs(folder: Path) -> list[str]:
    """Return the planted bugs that the market named beside them does not show."""
    missed = []
    for name, bug in BUGS.items():
        case = random_case(bug.seed)
        reference = by_reference(case, folder)
        clean = differences(by_kernel(case, PLAIN).result, reference)
        if clean or not differences(by_kernel(case, planted(bug)).result, reference):
            missed.append(name)
    return missed


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--markets", type=int, default=1_000)
    parser.add_argument("--real", action="store_true")
    parser.add_argument("--bugs", action="store_true")
    asked = parser.parse_args()
    logging.disable(logging.CRITICAL)
    failed = False
    with tempfile.TemporaryDirectory() as name:
        folder, began = Path(name), perf_counter()
        if asked.bugs or not asked.real:
            missed = find_bugs(folder)
            print(f"{len(BUGS) - len(missed)} of {len(BUGS)} planted bugs caught {missed}")
            failed |= bool(missed)
        if not (asked.real or asked.bugs):
            wrong, seen = play_random(asked.markets, folder)
            for what, n in sorted(seen.items()):
                print(f"  {what}: {n}")
            floors = {what: n * asked.markets // 1_000 for what, n in FLOORS.items()}
            low = [*short_of(seen, floors), *(f"{n} seen" for n in NEVER if seen.get(n, 0))]
            print(f"{asked.markets} markets, {wrong} differ, below their floor: {low or 'none'}")
            failed |= wrong > 0 or bool(low)
        if asked.real or not asked.bugs:
            wrong = play_real(folder)
            print(f"{wrong} runs over real candles differ")
            failed |= wrong > 0
        print(f"{perf_counter() - began:.0f} s")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
