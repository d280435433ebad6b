"""No strategy looks ahead: what it says at a close does not depend on later candles."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auto_trading.gateways.candle_files import read_candles
from auto_trading.translation import CANDLE_STRATEGIES, candle_strategies
from config.loading import load
from crypto_trader_pro.ai.prefix_invariance import Difference, Rows, first_difference
from crypto_trader_pro.domain.instruments import Instrument
from crypto_trader_pro.domain.market import Bar, CandleSeries
from crypto_trader_pro.domain.signals import Signal
from crypto_trader_pro.simulation.instruments import instrument
from crypto_trader_pro.strategies.base import CandleStrategy, batch
from crypto_trader_pro.strategies.trend_following import EmaCross
from tests.market_data import candle_file

MINUTE = 60_000
BTC, COIN = instrument("BTC/USDT:USDT"), instrument("BTC/USDT")
SHIPPED = candle_strategies(CANDLE_STRATEGIES, load(environ={}, dotenv={}))


def a_market(seed: int, n: int = 300) -> CandleSeries:
    """Return random possible candles without a gap."""
    rng = np.random.default_rng(seed)
    close = 6_000_000 + np.cumsum(rng.integers(-4_000, 4_001, n))
    open_ = np.concatenate(([6_000_000], close[:-1]))
    high = np.maximum(open_, close) + rng.integers(0, 2_000, n)
    low = np.minimum(open_, close) - rng.integers(0, 2_000, n)
    times = (np.arange(n) + 27_000_000) * MINUTE
    return CandleSeries(
        BTC.symbol, MINUTE, times, open_, high, low, close, rng.integers(0, 900, n)
    )  # fmt: skip


def says(strategy: CandleStrategy, item: Instrument) -> Callable[[CandleSeries], Rows]:
    """Return what a strategy says at every close, as rows that can be compared."""

    def compute(series: CandleSeries) -> Sequence[Any]:
        return batch(strategy, item, series.bars())

    return compute


def events(strategy: CandleStrategy, series: CandleSeries, item: Instrument) -> int:
    return sum(signal.direction != 0 for signal in batch(strategy, item, series.bars()))


@pytest.mark.parametrize("item", [BTC, COIN], ids=["perpetual", "spot"])
@pytest.mark.parametrize("strategy", SHIPPED, ids=lambda s: s.name)
def test_every_shipped_strategy_knows_only_the_past(
    strategy: CandleStrategy, item: Instrument
) -> None:
    series = a_market(3)
    assert events(strategy, series, item) > 5  # a strategy that says nothing proves nothing
    cuts = [*range(0, 298, 7), strategy.warmup - 1, strategy.warmup, strategy.warmup + 1]
    assert first_difference(series, says(strategy, item), cuts) is None


@given(
    seed=st.integers(0, 2**32 - 1),
    fast=st.integers(1, 12),
    wider=st.integers(1, 20),
    cuts=st.lists(st.integers(0, 118), min_size=1, max_size=4),
)
@settings(max_examples=40, deadline=None)
def test_ema_cross_knows_only_the_past_whatever_its_parameters(
    seed: int, fast: int, wider: int, cuts: list[int]
) -> None:
    strategy = EmaCross(fast, fast + wider)
    assert first_difference(a_market(seed, 120), says(strategy, BTC), cuts) is None


@pytest.mark.parametrize("strategy", SHIPPED, ids=lambda s: s.name)
def test_on_real_candles_too(strategy: CandleStrategy) -> None:
    path = candle_file("binance-usdm_BTCUSDT_1h_20250101-20260731")
    series = read_candles(path, BTC, 60 * MINUTE).slice(0, 3_000)
    assert events(strategy, series, BTC) > 50
    cuts = (25, 26, 27, 500, 1_234, 2_998)
    assert first_difference(series, says(strategy, BTC), cuts) is None


@given(seed=st.integers(0, 2**32 - 1), cut=st.integers(1, 118))
@settings(max_examples=20, deadline=None)
def test_a_stream_goes_on_from_its_state_as_if_it_had_never_stopped(seed: int, cut: int) -> None:
    bars = a_market(seed, 120).bars()
    for strategy in SHIPPED:
        whole = batch(strategy, BTC, bars)
        first, second = strategy.stream(BTC), strategy.stream(BTC)
        said = [first.step(bar) for bar in bars[:cut]]
        second.restore(list(first.state()))
        said += [second.step(bar) for bar in bars[cut:]]
        assert said == whole
        second.reset()
        assert [second.step(bar) for bar in bars] == whole


# --- the harness finds what it is for -----------------------------------------------------------


class Peeking:
    """A strategy with a planted look-ahead: it was given the candles that it will be tested on."""

    name, warmup = "peeking", 0

    def __init__(self, known: Sequence[Bar], ahead: int) -> None:
        self._close = {bar.open_ms: bar.close for bar in known}
        self._ahead = ahead * MINUTE

    def stream(self, item: Instrument) -> "Peeking":
        return self

    def step(self, bar: Bar) -> Signal:
        later = self._close.get(bar.open_ms + self._ahead, bar.close)
        return Signal(self.name, 1 if later > bar.close else -1, "peeked")

    def reset(self) -> None:
        pass

    def state(self) -> Sequence[Any]:
        return []

    def restore(self, state: Sequence[Any]) -> None:
        pass


def peeked(ahead: int) -> Difference | None:
    def compute(series: CandleSeries) -> Sequence[Signal]:
        bars = series.bars()
        return batch(Peeking(bars, ahead), BTC, bars)

    return first_difference(a_market(3), compute, range(5, 290, 5))


@pytest.mark.parametrize("ahead", [1, 5, 20])
def test_a_strategy_that_looks_ahead_is_found(ahead: int) -> None:
    found = peeked(ahead)
    assert found is not None
    assert found.cut - ahead < found.row <= found.cut
    assert "look-ahead" in str(found)


def test_the_same_strategy_without_the_look_ahead_passes() -> None:
    assert peeked(0) is None


def above_the_mean(series: CandleSeries) -> Sequence[Signal]:
    """Compare with the mean of the whole series: a usual mistake."""
    mean = int(series.close.mean())
    return [Signal("mean", 1 if bar.close > mean else -1, "above") for bar in series.bars()]


def test_a_mean_of_all_candles_is_found() -> None:
    assert first_difference(a_market(3), above_the_mean, (50, 150, 250)) is not None
