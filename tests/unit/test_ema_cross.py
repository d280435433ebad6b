"""`ema_cross`: crosses by hand, warm-up, spot, state, and that the future never leaks."""

import json
import random
from itertools import pairwise
from typing import Any

import pytest

from auto_trading.gateways.candle_files import read_candles
from crypto_trader_pro.domain.enums import SignalType
from crypto_trader_pro.domain.instruments import Instrument
from crypto_trader_pro.domain.market import Bar
from crypto_trader_pro.domain.signals import Signal
from crypto_trader_pro.simulation.instruments import instrument
from crypto_trader_pro.strategies.base import batch
from crypto_trader_pro.strategies.trend_following import EmaCross
from tests.builders import HOUR, PERPETUAL, SPOT, a_bar, a_round_instrument
from tests.market_data import candle_file

# alpha 2/2 = 1 and 2/4 = 0.5: the fast average is the close itself, the slow one goes half way
TINY = EmaCross(fast=1, slow=3)


def signals(closes: list[int], strategy: EmaCross = TINY, symbol: str = PERPETUAL) -> list[Signal]:
    bars = [a_bar(k, close) for k, close in enumerate(closes)]
    return batch(strategy, a_round_instrument(symbol), bars)


def told(closes: list[int], strategy: EmaCross = TINY, symbol: str = PERPETUAL) -> list[str]:
    return [signal.reason for signal in signals(closes, strategy, symbol)]


WARM = ["warming_up"] * 3


def test_crosses_computed_by_hand() -> None:
    # close  100  90   90    90     100     100      90
    # slow   100  95   92.5  91.25  95.625  97.8125  93.90625
    # the close is above the slow average only at 100, 100
    assert told([100, 90, 90, 90, 100, 100, 90]) == [
        *WARM, "no_cross", "cross_up", "no_cross", "cross_down",
    ]  # fmt: skip


def test_a_cross_wants_a_position_with_a_stop_and_a_target() -> None:
    up = signals([10_000, 9_000, 9_000, 9_000, 10_001])[-1]
    # 1 % and 2 % of 10,001, rounded up
    assert up == Signal("ema_cross", 1, "cross_up", closes=True, stop_units=101, target_units=201)
    assert (up.kind, up.opens) == (SignalType.BUY, True)


def test_a_cross_down_is_a_short_on_a_perpetual() -> None:
    down = signals([9_000, 10_000, 10_000, 10_000, 8_999])[-1]
    assert down == Signal(
        "ema_cross", -1, "cross_down", closes=True, stop_units=90, target_units=180
    )
    assert down.kind is SignalType.SELL


def test_a_cross_down_merely_closes_on_spot() -> None:
    down = signals([9_000, 10_000, 10_000, 10_000, 8_999], symbol=SPOT)[-1]
    assert down == Signal("ema_cross", -1, "cross_down", closes=True, opens=False)
    up = signals([10_000, 9_000, 9_000, 9_000, 10_001], symbol=SPOT)[-1]
    assert up.opens
    assert up.stop_units == 101


def test_no_target_and_a_trailing_stop_are_handed_on() -> None:
    strategy = EmaCross(fast=1, slow=3, target_rate=0, trail_rate=500_000)
    up = signals([10_000, 9_000, 9_000, 9_000, 10_001], strategy)[-1]
    assert (up.stop_units, up.target_units, up.trail_rate) == (101, 0, 500_000)


@pytest.mark.parametrize("slow", [2, 3, 10, 26])
def test_the_first_possible_signal_comes_after_the_warm_up(slow: int) -> None:
    strategy = EmaCross(fast=1, slow=slow)
    zigzag = [100 if k % 2 else 90 for k in range(slow + 4)]
    reasons = told(zigzag, strategy)
    assert strategy.warmup == slow
    assert reasons[:slow] == ["warming_up"] * slow
    assert "warming_up" not in reasons[slow:]
    assert reasons[slow] in ("cross_up", "cross_down")


def test_a_cross_within_the_warm_up_is_not_told_later() -> None:
    assert told([100, 120, 130, 140, 150, 160]) == [*WARM, "no_cross", "no_cross", "no_cross"]


def test_a_flat_market_never_crosses() -> None:
    flat = signals([100] * 50)
    assert {signal.reason for signal in flat} == {"warming_up", "no_cross"}
    assert {signal.kind for signal in flat} == {SignalType.HOLD}


def test_a_fall_out_of_a_flat_start_is_a_cross_as_a_rise_is() -> None:
    flat = [10_000] * 10
    assert told([*flat, 10_100])[-1] == "cross_up"
    assert told([*flat, 9_900])[-1] == "cross_down"


def test_averages_that_merely_meet_have_not_crossed() -> None:
    """After a rise the price stands still: the slow average catches up and nothing has fallen."""
    strategy = EmaCross(fast=1, slow=2)
    flat = [281_783] * 3 + [1_193_708] * 60
    assert told(flat, strategy).count("cross_up") == 1
    assert told(flat, strategy).count("cross_down") == 0


def test_after_a_gap_the_stream_warms_up_again() -> None:
    stream = TINY.stream(a_round_instrument())
    for k, close in enumerate([100, 90, 90, 90, 100]):
        stream.step(a_bar(k, close))
    stream.reset()
    again = [stream.step(a_bar(k, close)) for k, close in enumerate([100, 90, 90, 90, 100])]
    assert again == signals([100, 90, 90, 90, 100])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"fast": 26, "slow": 26}, "fast 26 and slow 26: expected 1 <= fast < slow"),
        ({"fast": 0}, "fast 0 and slow 26"),
        ({"stop_rate": 0}, "stop_rate must be positive"),
        ({"target_rate": -1}, "target_rate and trail_rate not negative"),
        ({"trail_rate": -1}, "target_rate and trail_rate not negative"),
    ],
)
def test_parameters_that_make_no_sense_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        EmaCross(**arguments)


def test_the_default_is_12_26_with_1_and_2_percent() -> None:
    assert EmaCross() == EmaCross(12, 26, 1_000_000, 2_000_000, 0)
    assert EmaCross().name == "ema_cross"


# --- against a plain definition, on random and real candles -------------------------------------


def averages(closes: list[int], n: int) -> list[float]:
    """Return the exponential average by its textbook form, price by price."""
    out: list[float] = []
    for close in closes:
        out.append(float(close) if not out else 2 / (n + 1) * close + (1 - 2 / (n + 1)) * out[-1])
    return out


def random_bars(seed: int, n: int) -> list[Bar]:
    r = random.Random(seed)
    price, bars = 50_000, []
    for k in range(n):
        price = max(100, price + r.randint(-400, 400))
        bars.append(a_bar(k, price, price + 50, price - 50, price + r.randint(-50, 50)))
    return bars


def real_bars(n: int) -> tuple[Instrument, list[Bar]]:
    btc = instrument("BTC/USDT:USDT")
    series = read_candles(candle_file("binance-usdm_BTCUSDT_1h_20201023-20240616"), btc, HOUR)
    return btc, series.slice(0, n).bars()


def check(strategy: EmaCross, grid: Instrument, bars: list[Bar]) -> int:
    """Compare signals with their plain definition, prefixes and restarts; return the crosses."""
    whole = batch(strategy, grid, bars)
    closes = [bar.close for bar in bars]
    fast, slow = averages(closes, strategy.fast), averages(closes, strategy.slow)
    for k in range(strategy.warmup, len(bars)):
        gaps = (fast[k - 1] - slow[k - 1], fast[k] - slow[k])
        if min(map(abs, gaps)) > 1e-6 * closes[k]:  # too near to tell, but for the last bit
            crossed = (gaps[0] > 0) is not (gaps[1] > 0)
            assert (whole[k].direction != 0) is crossed, k
            assert not crossed or (whole[k].direction > 0) is (gaps[1] > 0)

    for cut in (1, strategy.warmup, strategy.warmup + 1, len(bars) // 3, len(bars) - 1):
        assert batch(strategy, grid, bars[:cut]) == whole[:cut]

    first, stepped = strategy.stream(grid), []
    for k, bar in enumerate(bars):
        if k % 97 == 5:  # a restart, through JSON, bit by bit
            state = json.loads(json.dumps(first.state()))
            first = strategy.stream(grid)
            first.restore(state)
            assert list(first.state()) == state
        stepped.append(first.step(bar))
    assert stepped == whole
    return sum(signal.direction != 0 for signal in whole)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("symbol", [PERPETUAL, SPOT])
def test_random_candles(seed: int, symbol: str) -> None:
    assert check(EmaCross(), a_round_instrument(symbol), random_bars(seed, 2_000)) > 20
    assert check(EmaCross(fast=3, slow=7), a_round_instrument(symbol), random_bars(seed, 500)) > 20


def test_real_candles() -> None:
    btc, bars = real_bars(10_000)
    crosses = check(EmaCross(), btc, bars)
    assert 200 < crosses < 800


def test_stop_and_target_of_real_signals_are_a_percent_of_the_close_or_a_unit_more() -> None:
    btc, bars = real_bars(3_000)
    wanted = [(s, b.close) for s, b in zip(batch(EmaCross(), btc, bars), bars, strict=True)
              if s.direction]  # fmt: skip
    assert wanted
    for signal, close in wanted:
        assert 0 <= signal.stop_units * 100 - close < 100
        assert 0 <= signal.target_units * 50 - close < 50


def test_directions_take_turns() -> None:
    btc, bars = real_bars(10_000)
    directions = [s.direction for s in batch(EmaCross(), btc, bars) if s.direction]
    assert all(a == -b for a, b in pairwise(directions))
