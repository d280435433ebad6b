"""The data gate: what a candle is good for, and the numbers that say why."""

import json

import pytest

from auto_trading.data_gate import SymbolGate
from crypto_trader_pro.domain.enums import GateReason, GateState
from crypto_trader_pro.domain.market import Bar

TF = 60_000
T0 = 1_672_531_200_000


def bar(k: int, close: int = 10_000, **other: int) -> Bar:
    """Return candle k: range of 20 around a close, volume 5."""
    fields = {"open": close, "high": close + 10, "low": close - 10, "close": close, "volume": 5}
    return Bar(T0 + k * TF, **{**fields, **other})


def feed(gate: SymbolGate, candle: Bar) -> bool:
    return gate.check(candle, candle.open_ms + TF)


def warm_gate(bars: int = 10, warm_bars: int = 3) -> SymbolGate:
    gate = SymbolGate(TF, warm_bars)
    for k in range(bars):
        assert feed(gate, bar(k))
    return gate


def verdict(gate: SymbolGate) -> tuple[GateState, GateReason, tuple[int, ...]]:
    return gate.state, gate.reason, gate.numbers


def test_a_gate_is_dark_before_its_first_candle() -> None:
    gate = SymbolGate(TF, 3)
    assert verdict(gate) == (GateState.DARK, GateReason.MISSING, ())
    assert gate.age(T0) is GateState.DARK
    assert verdict(gate) == (GateState.DARK, GateReason.MISSING, ())


def test_the_first_candles_warm_up_and_then_the_gate_is_green() -> None:
    gate = SymbolGate(TF, 3)
    seen = []
    for k in range(4):
        assert feed(gate, bar(k))
        seen.append((gate.state, gate.reason, gate.numbers, gate.clean))
    assert seen == [
        (GateState.EXIT_ONLY, GateReason.WARMUP, (1, 3), 1),
        (GateState.EXIT_ONLY, GateReason.WARMUP, (2, 3), 2),
        (GateState.GREEN, GateReason.OK, (), 3),
        (GateState.GREEN, GateReason.OK, (), 4),
    ]


@pytest.mark.parametrize("missing", [1, 10, 200])
def test_a_gap_closes_the_gate_until_it_is_warm_again(missing: int) -> None:
    gate = warm_gate()
    assert feed(gate, bar(10 + missing))
    gap = (missing, T0 + 10 * TF, T0 + (10 + missing) * TF)
    assert verdict(gate) == (GateState.EXIT_ONLY, GateReason.GAP, gap)
    assert gate.clean == 1
    feed(gate, bar(11 + missing))
    assert verdict(gate) == (GateState.EXIT_ONLY, GateReason.WARMUP, (2, 3))
    feed(gate, bar(12 + missing))
    assert gate.state is GateState.GREEN


def test_a_gap_closes_the_gate_for_its_candle_even_without_a_warm_up() -> None:
    gate = warm_gate(warm_bars=1)
    feed(gate, bar(11))
    assert gate.reason is GateReason.GAP
    feed(gate, bar(12))
    assert gate.state is GateState.GREEN


@pytest.mark.parametrize(
    ("candle", "reason", "numbers"),
    [
        (bar(9), GateReason.DUPLICATE, (T0 + 9 * TF, T0 + 9 * TF)),
        (bar(9, close=10_001), GateReason.DUPLICATE, (T0 + 9 * TF, T0 + 9 * TF)),
        (bar(4), GateReason.BACKWARD, (T0 + 4 * TF, T0 + 9 * TF)),
        (bar(10, low=0), GateReason.IMPOSSIBLE, (T0 + 10 * TF, 10_000, 10_010, 0, 10_000, 5)),
        (bar(10, low=-1), GateReason.IMPOSSIBLE, (T0 + 10 * TF, 10_000, 10_010, -1, 10_000, 5)),
        (bar(10, high=9), GateReason.IMPOSSIBLE, (T0 + 10 * TF, 10_000, 9, 9_990, 10_000, 5)),
        (
            bar(10, open=9_989),
            GateReason.IMPOSSIBLE,
            (T0 + 10 * TF, 9_989, 10_010, 9_990, 10_000, 5),
        ),
        (bar(10, open=10_011), GateReason.IMPOSSIBLE, tuple(bar(10, open=10_011))),
        (bar(10, volume=-1), GateReason.IMPOSSIBLE, tuple(bar(10, volume=-1))),
        (
            bar(10)._replace(open_ms=T0 + 10 * TF + 1),
            GateReason.IMPOSSIBLE,
            (T0 + 10 * TF + 1, 10_000, 10_010, 9_990, 10_000, 5),
        ),
    ],
)
def test_an_unusable_candle_is_rejected_counted_and_forgotten(
    candle: Bar, reason: GateReason, numbers: tuple[int, ...]
) -> None:
    gate = warm_gate()
    assert not feed(gate, candle)
    assert verdict(gate) == (GateState.DARK, reason, numbers)
    assert gate.rejected == {reason: 1}
    assert gate.clean == 10
    assert not feed(gate, candle)
    assert gate.rejected == {reason: 2}
    assert feed(gate, bar(10))  # the series goes on as if it had not been there
    assert gate.state is GateState.GREEN


def test_a_close_outside_the_range_is_impossible_on_either_side() -> None:
    for close in (9_989, 10_011):
        gate = warm_gate()
        assert not feed(gate, bar(10)._replace(close=close))
        assert gate.reason is GateReason.IMPOSSIBLE


def test_an_unclosed_candle_is_rejected_until_it_has_closed() -> None:
    gate = warm_gate()
    close_ms = T0 + 11 * TF
    assert not gate.check(bar(10), close_ms - 1)
    assert verdict(gate) == (GateState.DARK, GateReason.UNCLOSED, (close_ms, close_ms - 1))
    assert gate.check(bar(10), close_ms)
    assert gate.state is GateState.GREEN


def test_a_slice_without_a_candle_is_dark_and_the_next_one_shows_the_gap() -> None:
    gate = warm_gate()
    gate.missing(T0 + 11 * TF)
    expected = (T0 + 10 * TF, T0 + 11 * TF)
    assert verdict(gate) == (GateState.DARK, GateReason.MISSING, expected)
    assert gate.age(T0 + 11 * TF) is GateState.DARK  # age never improves a state
    feed(gate, bar(11))
    assert gate.reason is GateReason.GAP


def test_a_candle_that_comes_late_after_all_leaves_no_gap() -> None:
    gate = warm_gate()
    gate.missing(T0 + 11 * TF)
    assert gate.check(bar(10), T0 + 11 * TF + 500)
    assert gate.state is GateState.GREEN


@pytest.mark.parametrize(
    ("age", "state"),
    [
        (2 * TF, GateState.GREEN),
        (2 * TF + 1, GateState.EXIT_ONLY),
        (3 * TF, GateState.EXIT_ONLY),
        (3 * TF + 1, GateState.DARK),
    ],
)
def test_old_data_stops_entries_and_then_everything(age: int, state: GateState) -> None:
    gate = warm_gate()
    assert gate.age(T0 + 10 * TF + age) is state
    if state is not GateState.GREEN:
        assert (gate.reason, gate.numbers) == (GateReason.STALE, (0, age))
    late = warm_gate()
    assert late.check(bar(10), T0 + 11 * TF + age)  # a candle delivered late is as old as it is
    assert late.state is state


def test_a_backfilled_candle_counts_but_is_dark() -> None:
    gate = SymbolGate(TF, 2)
    long_after = T0 + 1000 * TF
    for k, age in ((0, 999), (1, 998), (5, 994)):  # a start, a green one, one after a gap
        assert gate.check(bar(k), long_after)
        assert verdict(gate) == (GateState.DARK, GateReason.STALE, (0, age * TF))
    assert gate.clean == 1
    assert gate.check(bar(6), T0 + 7 * TF)
    assert gate.state is GateState.GREEN


@pytest.mark.parametrize("change", [{"high": 20_000}, {"high": 10_000, "low": 10_000, "volume": 0}])
def test_a_backfilled_outlier_or_frozen_candle_is_dark_too(change: dict[str, int]) -> None:
    gate = warm_gate()
    for k in (10, 11, 12):
        assert gate.check(bar(k, **change), T0 + 100 * TF)
    assert (gate.state, gate.reason) == (GateState.DARK, GateReason.STALE)


def test_age_keeps_the_reason_of_a_gate_that_is_closed_already() -> None:
    gate = SymbolGate(TF, 2)
    feed(gate, bar(0))
    assert gate.age(T0 + TF + 3 * TF) is GateState.EXIT_ONLY
    assert gate.reason is GateReason.WARMUP


def test_age_does_not_lift_a_rejection() -> None:
    gate = warm_gate()
    feed(gate, bar(3))
    assert gate.age(T0 + 10 * TF + 2 * TF + 1) is GateState.DARK
    assert gate.reason is GateReason.BACKWARD


def test_zero_volume_flat_candles_close_the_gate_from_the_third_on() -> None:
    gate = warm_gate()
    states = []
    for k in range(10, 15):
        assert feed(gate, bar(k, high=10_000, low=10_000, volume=0))
        states.append((gate.state, gate.reason, gate.numbers))
    green = (GateState.GREEN, GateReason.OK, ())
    stale = [(GateState.EXIT_ONLY, GateReason.STALE, (run, 0)) for run in (3, 4, 5)]
    assert states == [green, green, *stale]
    feed(gate, bar(15))
    assert gate.state is GateState.GREEN


@pytest.mark.parametrize("change", [{"high": 10_000, "low": 10_000, "volume": 1}, {"volume": 0}])
def test_flat_candles_with_volume_and_moving_ones_without_are_no_run(
    change: dict[str, int],
) -> None:
    gate = warm_gate()
    for k in range(10, 15):
        feed(gate, bar(k, **change))
        assert gate.state is GateState.GREEN


def test_a_gap_ends_a_run_of_flat_candles() -> None:
    gate = warm_gate(warm_bars=1)
    still = {"high": 10_000, "low": 10_000, "volume": 0}
    for k in (10, 11, 13, 14):
        feed(gate, bar(k, **still))
        assert gate.reason is not GateReason.STALE
    feed(gate, bar(15, **still))
    assert gate.reason is GateReason.STALE


@pytest.mark.parametrize(
    ("change", "size"),
    [
        ({"high": 10_201}, 2_010_000),  # 201 / 10,000 = 2.01 %
        ({"low": 9_799}, 2_010_000),
        ({"close": 10_300, "high": 10_300}, 3_000_000),
        ({"open": 9_700, "low": 9_700}, 3_000_000),
    ],
)
def test_a_move_over_two_percent_out_of_a_quiet_market_is_an_outlier(
    change: dict[str, int], size: int
) -> None:
    gate = warm_gate()
    assert feed(gate, bar(10)._replace(**change))
    # nothing moved so far: mean 0, so the limit is the floor of 2 % = 2,000,000
    numbers = (size, 2_000_000, 0)
    assert verdict(gate) == (GateState.EXIT_ONLY, GateReason.OUTLIER, numbers)
    assert gate.clean == 11


def test_exactly_two_percent_is_no_outlier() -> None:
    gate = warm_gate()
    feed(gate, bar(10, high=10_200, low=9_800))
    assert gate.state is GateState.GREEN


def swinging_gate() -> SymbolGate:
    """Return a gate after 200 candles that go 1 % up and back: 10,000, 10,100, 10,000, ..."""
    gate = SymbolGate(TF, 3)
    for k in range(200):
        feed(gate, bar(k, close=10_000 + 100 * (k % 2)))
    return gate


def test_a_wilder_market_allows_wider_moves() -> None:
    gate = swinging_gate()
    feed(gate, bar(200, high=11_100))  # from 10,100: 1,000 / 10,100 = 9.9 %
    assert gate.state is GateState.GREEN
    # the mean lies between the two returns of 100 / 10,100 = 0.990 % and 100 / 10,000 = 1 %, so
    # the limit lies between 11.88 % and 12 % of the previous close
    feed(gate, bar(201, close=10_100, high=11_188))  # from 10,000: 1,188 / 10,000 = 11.88 %
    assert gate.state is GateState.GREEN
    feed(gate, bar(202, high=11_313))  # from 10,100: 1,213 / 10,100 = 12.0099 %
    assert gate.reason is GateReason.OUTLIER
    reach, limit, mean = gate.numbers
    assert reach == 12_009_900
    assert limit == 12 * mean
    assert 990_000 < mean < 1_000_000


def test_an_outlier_hardly_moves_the_mean_it_is_measured_by() -> None:
    gate = swinging_gate()
    before = gate.state_dict()["mean"]
    feed(gate, bar(200, close=20_000))  # doubled; counts as half the limit, 6 means
    after = gate.state_dict()["mean"]
    # (6 - 1) / 64 = 7.8 % more; uncapped it would be (98 - 0.995) / 64 = 1.5 points, 2.5 times
    assert after == before + (6 * before - before) // 64


def test_a_return_across_a_gap_does_not_count() -> None:
    gate = warm_gate()
    feed(gate, bar(20, close=10_150))
    feed(gate, bar(21, close=10_150))
    assert gate.state_dict()["mean"] == 0


def test_a_gate_restored_from_json_goes_on_the_same_way() -> None:
    gate = swinging_gate()
    for k in (200, 201):
        feed(gate, bar(k, high=10_000, low=10_000, volume=0))
    feed(gate, bar(3))
    restored = SymbolGate(TF, 3)
    restored.restore(json.loads(json.dumps(gate.state_dict())))
    assert restored.state_dict() == gate.state_dict()
    assert verdict(restored) == verdict(gate)
    assert restored.rejected == {GateReason.BACKWARD: 1}
    third = bar(202, high=10_000, low=10_000, volume=0)
    for candle in (third, bar(203), bar(205), bar(206)):
        assert feed(gate, candle) == feed(restored, candle)
        assert restored.state_dict() == gate.state_dict()


@pytest.mark.parametrize(("timeframe_ms", "warm_bars"), [(0, 1), (TF, 0)])
def test_a_gate_needs_a_timeframe_and_a_warm_up(timeframe_ms: int, warm_bars: int) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        SymbolGate(timeframe_ms, warm_bars)
