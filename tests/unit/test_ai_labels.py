"""Labels against a plain loop that trades candle by candle with the venue's own functions."""

from dataclasses import replace
from decimal import Decimal
from typing import Any, Literal

import numpy as np
import pytest

from crypto_trader_pro.ai import features, labels
from crypto_trader_pro.ai.config import AiConfig
from crypto_trader_pro.domain.market import Bar, CandleSeries, series_of
from crypto_trader_pro.domain.units import RATE, rate_ceil
from crypto_trader_pro.simulation.costs import slipped
from crypto_trader_pro.simulation.instruments import INSTRUMENTS
from crypto_trader_pro.simulation.matching import bracket, stop_price, target_price
from tests.unit.test_ai_features import real

HOUR = 3_600_000
FREE = AiConfig(fee_rate=0, slippage_rate=0, horizon=3, stop_atr=Decimal(1), target_atr=Decimal(2))


def candles(*prices: tuple[int, int, int, int], missing: int | None = None) -> CandleSeries:
    """Return hourly candles of (open, high, low, close); candle `missing` is left out."""
    bars = [Bar(i * HOUR, *p, 10) for i, p in enumerate(prices) if i != missing]
    return series_of("BTC/USDT:USDT", HOUR, bars)


def trade(bars: list[Bar], atr: int, row: int, side: int, cfg: AiConfig, tick: int) -> Any:
    """Trade one decision step by step: (reason, entry, exit, exit index, exit time, net)."""
    decided = bars[row]
    if cfg.label == "atr":
        stop_distance = rate_ceil(atr, int(cfg.stop_atr * RATE))
        target_distance = rate_ceil(atr, int(cfg.target_atr * RATE))
    else:
        stop_distance = rate_ceil(decided.close, cfg.stop_rate)
        target_distance = rate_ceil(decided.close, cfg.target_rate)
    if stop_distance == 0:
        return None
    entry = stop = target = 0
    for k in range(1, cfg.horizon + 2):
        if row + k >= len(bars) or bars[row + k].open_ms != decided.open_ms + k * HOUR:
            return None
        bar = bars[row + k]
        if k == 1:
            entry = slipped(bar.open, side, cfg.slippage_rate, tick)
            stop = stop_price(side, entry, stop_distance, tick)
            target = target_price(side, entry, target_distance, tick)
        if k == cfg.horizon + 1:
            out = slipped(bar.open, -side, cfg.slippage_rate, tick)
            return labels.TIMED_OUT, entry, out, row + k, bar.open_ms
        reason, price = bracket(side, bar.open, bar.high, bar.low, stop, target)
        if reason == 1:
            out = slipped(price, -side, cfg.slippage_rate, tick)
            return labels.STOPPED, entry, out, row + k, bar.open_ms + HOUR
        if reason == 2:
            return labels.TARGET_HIT, entry, price, row + k, bar.open_ms + HOUR
    raise AssertionError("a trade ends within its horizon")


def net_bp(side: int, entry: int, out: int, fee_rate: int) -> float:
    gain = Decimal(side * (out - entry)) / entry
    fees = Decimal(fee_rate) / RATE * (entry + out) / entry
    return float((gain - fees) * 10_000)


@pytest.mark.parametrize("side", [1, -1])
@pytest.mark.parametrize("label", ["atr", "fixed"])
@pytest.mark.parametrize(("base", "tick"), [("BTC", 1), ("BTC", 10), ("DOGE", 1), ("ETH", 1)])
def test_every_row_of_real_candles_ends_as_a_step_by_step_trade(
    base: str, tick: int, label: Literal["atr", "fixed"], side: Literal[1, -1]
) -> None:
    series = real(base).slice(4_200, 7_200)  # spring 2021, with the crash of 19 May
    atr = features.compute(series).atr
    cfg = AiConfig(label=label)
    got = labels.outcomes(series, atr, side, cfg, tick_units=tick)
    bars, units = series.bars(), atr.tolist()
    reasons = set()
    for row in range(len(series)):
        expected = trade(bars, units[row], row, side, cfg, tick)
        if expected is None:
            assert not got.known[row]
            continue
        reason, entry, out, index, ended = expected
        assert got.known[row]
        assert (got.reason[row], got.entry[row], got.exit[row]) == (reason, entry, out)
        assert (got.exit_index[row], got.exit_ms[row]) == (index, ended)
        assert got.net_bp[row] == pytest.approx(net_bp(side, entry, out, cfg.fee_rate), abs=1e-9)
        reasons.add(reason)
    assert reasons >= {labels.STOPPED, labels.TARGET_HIT}
    assert label == "fixed" or labels.TIMED_OUT in reasons


def test_the_ticks_used_above_are_those_of_the_paper_table() -> None:
    assert INSTRUMENTS["BTC/USDT:USDT"].tick_units == 10


def test_a_long_trade_that_reaches_its_target_by_hand() -> None:
    series = candles((100, 100, 100, 100), (1000, 1010, 990, 1005), (1005, 1100, 1000, 1050))
    cfg = replace(FREE, fee_rate=100_000, slippage_rate=1_000_000)  # 0.1 % and 1 %
    got = labels.outcomes(series, np.array([40, 0, 0]), 1, cfg)
    # entry 1000 + 1 % = 1010, stop 970, target 1090: touched by the high of 1100 in candle 2
    assert (got.entry[0], got.exit[0], got.exit_index[0]) == (1010, 1090, 2)
    assert got.reason[0] == labels.TARGET_HIT
    assert got.exit_ms[0] == 3 * HOUR  # the close of candle 2
    # 80 - 0.1 % of (1010 + 1090) = 77.9 of 1010
    assert got.net_bp[0] == pytest.approx(77.9 / 1010 * 10_000)
    assert got.stop_units[0] == 40
    assert got.stop_bp[0] == pytest.approx(40 / 100 * 10_000)  # of the decision's close


def test_a_short_trade_that_is_stopped_by_a_gap_by_hand() -> None:
    series = candles(
        (1000, 1000, 1000, 1000), (1000, 1010, 990, 1000), (1100, 1120, 1090, 1100)
    )  # fmt: skip
    cfg = replace(FREE, slippage_rate=1_000_000)
    got = labels.outcomes(series, np.array([50, 0, 0]), -1, cfg)
    # entry 1000 - 1 % = 990, stop 1040; candle 2 opens at 1100, worse: 1100 + 1 % = 1111
    assert (got.entry[0], got.exit[0], got.reason[0]) == (990, 1111, labels.STOPPED)
    assert got.net_bp[0] == pytest.approx((990 - 1111) / 990 * 10_000)


def test_the_stop_counts_when_one_candle_touches_both() -> None:
    series = candles((100, 100, 100, 100), (100, 130, 80, 100))
    for side in (1, -1):
        got = labels.outcomes(series, np.array([10, 0]), side, FREE)
        assert got.reason[0] == labels.STOPPED
        assert got.exit[0] == 100 - side * 10


def test_the_bracket_works_in_the_candle_of_the_entry() -> None:
    series = candles((100, 100, 100, 100), (100, 121, 100, 100), (100, 100, 100, 100))
    got = labels.outcomes(series, np.array([10, 10, 10]), 1, FREE)
    assert (got.exit[0], got.exit_index[0]) == (120, 1)


def test_a_trade_that_touches_nothing_ends_at_the_open_after_the_horizon() -> None:
    quiet = (100, 101, 99, 100)
    series = candles(quiet, quiet, quiet, quiet, (105, 105, 95, 95))
    got = labels.outcomes(series, np.full(5, 10), 1, FREE)
    # horizon 3: candles 1..3 are watched; candle 4 opens at 105, its low no longer counts
    assert (got.reason[0], got.exit[0], got.exit_index[0]) == (labels.TIMED_OUT, 105, 4)
    assert got.exit_ms[0] == 4 * HOUR  # the open of candle 4
    assert got.net_bp[0] == pytest.approx(500.0)


def test_an_outcome_in_the_future_or_behind_a_gap_is_not_known() -> None:
    quiet = (100, 101, 99, 100)
    whole = candles(*[quiet] * 8)
    got = labels.outcomes(whole, np.full(8, 10), 1, FREE)
    # a decision at candle t needs candle t + 4
    assert got.known.tolist() == [True] * 4 + [False] * 4
    assert got.exit_index.tolist()[4:] == [-1] * 4
    assert got.exit_ms.tolist()[4:] == [0] * 4
    assert np.isnan(got.net_bp[4:]).all()
    holed = candles(*[quiet] * 10, missing=5)
    got = labels.outcomes(holed, np.full(9, 10), 1, FREE)
    # candles 1..4 would need candle 5; candle 0 ends at candle 4; candle 6 (index 5) at 10: absent
    assert got.known.tolist() == [True] + [False] * 8


def test_a_trade_that_ended_before_a_gap_is_known_and_still_no_fair_sample() -> None:
    quiet, crash = (100, 101, 99, 100), (100, 100, 80, 85)
    holed = candles(quiet, crash, quiet, quiet, quiet, quiet, missing=3)
    got = labels.outcomes(holed, np.full(5, 10), 1, FREE)
    assert got.known[0]
    assert got.reason[0] == labels.STOPPED
    assert not labels.whole_horizon(holed, FREE).any()
    assert labels.whole_horizon(candles(*[quiet] * 8), FREE).tolist() == [True] * 4 + [False] * 4
    assert not labels.whole_horizon(candles(quiet), FREE).any()


def test_a_trade_through_an_impossible_candle_is_not_known() -> None:
    quiet = (100, 101, 99, 100)
    series = candles(*[quiet] * 8)
    low = series.low.copy()
    low[2] = 0
    got = labels.outcomes(replace(series, low=low), np.full(8, 10), 1, FREE)
    assert got.known.tolist() == [False, False, True, True] + [False] * 4


def test_without_a_stop_distance_there_is_no_trade() -> None:
    quiet = (100, 101, 99, 100)
    got = labels.outcomes(candles(*[quiet] * 8), np.zeros(8, dtype=np.int64), 1, FREE)
    assert not got.known.any()


def test_a_short_target_never_goes_below_one_tick() -> None:
    series = candles(*[(100, 101, 99, 100)] * 2)
    got = labels.outcomes(series, np.array([90, 0]), -1, FREE, tick_units=5)
    assert not got.known[0]  # 100 - 180 is held at 5, which no candle touches


def test_fixed_distances_are_shares_of_the_close_rounded_up() -> None:
    cfg = replace(FREE, label="fixed", stop_rate=1_000_000, target_rate=2_000_000)
    stop, target = labels.distances(np.array([1_000, 1_001]), np.zeros(2, dtype=np.int64), cfg)
    assert stop.tolist() == [10, 11]  # 1 % of 1001 is 10.01
    assert target.tolist() == [20, 21]


def test_the_sign_of_a_result_is_exact() -> None:
    # 7 bp a side: a long from 10,000,000 breaks even near 10,014,010
    entry, fee = np.array([10_000_000]), 70_000
    for out in range(10_013_950, 10_014_100):
        exact = (out - 10_000_000) * RATE - fee * (10_000_000 + out)
        got = labels.net_result_bp(1, entry, np.array([out]), fee)[0]
        assert (got > 0) == (exact > 0)
        assert (got < 0) == (exact < 0)
