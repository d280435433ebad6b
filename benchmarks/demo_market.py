"""How fast the demo market is made, and what is in it.

Prints the time for 24 months of hourly candles of 50 symbols and for one live candle; per coin the
volatility, tails, autocorrelation of returns and of their size, and what `ema_cross` on 5m earns a
trade after costs (perpetual: 14 bp, both ways; spot: 24 bp, long only), pooled with a 95 % interval
over weeks; the share of candles that the data gate flags; and over many seeds how many candles pass
until the first entry of a fresh start.

    python -m benchmarks.demo_market [--seed 7] [--weeks 104] [--seeds 200]
"""

import argparse
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from time import perf_counter
from typing import NamedTuple

import numpy as np

from auto_trading.data_gate import SymbolGate
from crypto_trader_pro.domain.enums import GateReason
from crypto_trader_pro.domain.instruments import Instrument
from crypto_trader_pro.domain.market import Bar, Floats
from crypto_trader_pro.simulation.demo_market import ZERO_MS, DemoMarket
from crypto_trader_pro.simulation.instruments import INSTRUMENTS
from crypto_trader_pro.strategies.trend_following import EmaCross

FIVE_MINUTES = 300_000
HOUR = 3_600_000
DAY = 86_400_000
WEEK = 7 * DAY
COINS = ("BTC", "ETH", "XRP", "SOL", "LINK", "ORDI")
PERPETUAL_COSTS = 0.0014  # two takers at 5 bp and twice 2 bp of slippage
SPOT_COSTS = 0.0024
WARM_BARS = 200


class Trade(NamedTuple):
    entered_ms: int
    net: float  # return after costs


class Mean(NamedTuple):
    value: float
    half_width: float  # of the 95 % interval
    trades: int


def trades(bars: Sequence[Bar], instrument: Instrument, costs: float) -> Iterator[Trade]:
    """Trade `ema_cross` as it ships: entry at the next open, stop 1 %, target 2 %, stop first."""
    stream = EmaCross().stream(instrument)
    side = wanted = 0
    entry = entered_ms = stop = target = 0
    for bar in bars:
        if wanted:
            if side == -wanted:
                yield Trade(entered_ms, side * (bar.open / entry - 1) - costs)
                side = 0
            if side == 0 and (wanted > 0 or instrument.can_short):
                side, entry, entered_ms = wanted, bar.open, bar.open_ms
                stop, target = entry - side * entry // 100, entry + side * entry // 50
            wanted = 0
        if side:
            adverse, kind = (bar.low, bar.high) if side > 0 else (bar.high, bar.low)
            price = 0
            if (adverse - stop) * side <= 0:
                price = min(stop, bar.open) if side > 0 else max(stop, bar.open)
            elif (kind - target) * side >= 0:
                price = target
            if price:
                yield Trade(entered_ms, side * (price / entry - 1) - costs)
                side = 0
        wanted = stream.step(bar).direction


def mean_by_week(found: Sequence[Trade]) -> Mean:
    """Return the mean per trade; trades of one week, of whatever coin, may hang together."""
    weeks: dict[int, list[float]] = {}
    for trade in found:
        weeks.setdefault(trade.entered_ms // WEEK, []).append(trade.net)
    mean = sum(trade.net for trade in found) / len(found)
    square = sum(sum(net - mean for net in nets) ** 2 for nets in weeks.values())
    return Mean(mean, 1.96 * float(square**0.5) / len(found), len(found))


def first_entry(
    market: DemoMarket, instruments: Sequence[Instrument], most: int, warm_bars: int = WARM_BARS
) -> int:
    """Return how many candles pass from time zero to the first entry, at most `most`."""
    nearest = most
    for instrument in instruments:
        begin = ZERO_MS - warm_bars * FIVE_MINUTES
        end = ZERO_MS + nearest * FIVE_MINUTES
        stream = EmaCross().stream(instrument)
        for bar in market.candles(instrument.symbol, FIVE_MINUTES, begin, end).bars():
            signal = stream.step(bar)
            if bar.open_ms + FIVE_MINUTES >= ZERO_MS and signal.direction and signal.opens:
                nearest = min(nearest, (bar.open_ms - ZERO_MS) // FIVE_MINUTES + 1)
                break
    return nearest


def gate_reasons(bars: Sequence[Bar], timeframe_ms: int) -> Mapping[GateReason, int]:
    gate = SymbolGate(timeframe_ms, 1)
    reasons: Counter[GateReason] = Counter()
    for bar in bars:
        gate.check(bar, bar.open_ms + timeframe_ms)
        reasons[gate.reason] += 1
    return reasons


def autocorrelation(x: Floats, lag: int) -> float:
    return float(np.corrcoef(x[lag:], x[:-lag])[0, 1])


def _speed(seed: int) -> None:
    perpetuals = [each for each in INSTRUMENTS.values() if each.can_short]
    market = DemoMarket(perpetuals, seed=seed)
    started = perf_counter()
    for each in perpetuals:
        market.candles(each.symbol, HOUR, ZERO_MS - 730 * DAY, ZERO_MS)
    print(f"24 months of 1h, {len(perpetuals)} symbols: {perf_counter() - started:.2f} s")
    candles = 4032
    started = perf_counter()
    for k in range(candles):
        for each in perpetuals:
            market.bar(each.symbol, FIVE_MINUTES, k)
    took = (perf_counter() - started) / candles
    print(f"one 5m candle of {len(perpetuals)} symbols, over two weeks: {took * 1e3:.3f} ms")
    for count in (4, 60):
        started = perf_counter()
        for k in range(100):
            for each in perpetuals:
                market.ticks(each.symbol, FIVE_MINUTES, k, count)
        took = (perf_counter() - started) / 100
        print(f"{count} prices inside it: {took * 1e3:.3f} ms")


def _structure(seed: int, weeks: int) -> None:
    names = ("coin", "sd bp", "kurtosis", "ac 1", "ac |r| 1", "ac |r| 48", "flagged", "perpetual")
    print("".join(f"{name:>11}" for name in names) + "       spot")
    every: list[Trade] = []
    every_spot: list[Trade] = []
    end = ZERO_MS + weeks * WEEK
    for base in COINS:
        pair = [INSTRUMENTS[f"{base}/USDT:USDT"], INSTRUMENTS[f"{base}/USDT"]]
        market = DemoMarket(pair, seed=seed)
        series = market.candles(pair[0].symbol, FIVE_MINUTES, ZERO_MS, end)
        bars = series.bars()
        returns = np.diff(np.log(series.close))
        size = np.abs(returns)
        reasons = gate_reasons(bars, FIVE_MINUTES)
        linear = list(trades(bars, pair[0], PERPETUAL_COSTS))
        spot_bars = market.candles(pair[1].symbol, FIVE_MINUTES, ZERO_MS, end).bars()
        spot = list(trades(spot_bars, pair[1], SPOT_COSTS))
        every += linear
        every_spot += spot
        figures = (
            returns.std() * 1e4, ((returns / returns.std()) ** 4).mean(),
            autocorrelation(returns, 1), autocorrelation(size, 1), autocorrelation(size, 48),
            1 - reasons[GateReason.OK] / len(bars),
        )  # fmt: skip
        print(
            f"{base:>11}" + "".join(f"{figure:11.4g}" for figure in figures)
            + f"{mean_by_week(linear).value * 1e4:11.2f}{mean_by_week(spot).value * 1e4:11.2f}"
        )  # fmt: skip
    for name, found in (("perpetual", every), ("spot", every_spot)):
        mean = mean_by_week(found)
        print(
            f"ema_cross on {name}, net: {mean.value * 1e4:.2f} +- {mean.half_width * 1e4:.2f} bp"
            f" a trade ({mean.trades} trades)"
        )


def _openings(seed: int, seeds: int) -> None:
    two_spot = [INSTRUMENTS["BTC/USDT"], INSTRUMENTS["ETH/USDT"]]
    two_linear = [INSTRUMENTS["BTC/USDT:USDT"], INSTRUMENTS["ETH/USDT:USDT"]]
    fifty = [each for each in INSTRUMENTS.values() if each.can_short]
    for name, chosen, runs in (
        ("2 spot", two_spot, seeds), ("2 perpetuals", two_linear, seeds),
        ("50 perpetuals", fifty, seeds // 10),
    ):  # fmt: skip
        own = first_entry(DemoMarket(chosen, seed=seed), chosen, 2016)
        found = np.array(
            [first_entry(DemoMarket(chosen, seed=each), chosen, 2016) for each in range(runs)]
        )
        p50, p90, p99 = np.percentile(found, (50, 90, 99))
        print(
            f"first entry after time zero, {name}: seed {seed} {own} candles; {runs} seeds:"
            f" p50 {p50:.0f}, p90 {p90:.0f}, p99 {p99:.0f},"
            f" within 40: {(found <= 40).mean():.1%}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--weeks", type=int, default=104)
    parser.add_argument("--seeds", type=int, default=200)
    arguments = parser.parse_args()
    _speed(arguments.seed)
    _structure(arguments.seed, arguments.weeks)
    _openings(arguments.seed, arguments.seeds)


if __name__ == "__main__":
    main()
