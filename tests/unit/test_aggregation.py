"""Coarser candles from finer ones."""

import json

import pytest

from auto_trading.aggregation import Aggregator, aggregate
from crypto_trader_pro.domain.errors import InputError
from crypto_trader_pro.domain.market import Bar, series_of

MINUTE = 60_000
QUARTER = 15 * MINUTE
T0 = 1_672_531_200_000  # midnight, so on every grid


def minute(k: int) -> Bar:
    return Bar(T0 + k * MINUTE, 100 + k, 110 + k, 90 - k, 105 + k, k)


def push_all(aggregator: Aggregator, minutes: range | list[int]) -> dict[int, Bar]:
    """Return what came out, by the minute that brought it out."""
    out = {k: aggregator.push(minute(k)) for k in minutes}
    return {k: made for k, made in out.items() if made is not None}


def test_a_coarse_candle_comes_out_with_its_last_base_candle() -> None:
    made = push_all(Aggregator(MINUTE, QUARTER), range(31))
    assert list(made) == [14, 29]
    # open of minute 0, high 110 + 14, low 90 - 14, close 105 + 14, volume 0 + 1 + ... + 14 = 105
    assert made[14] == Bar(T0, 100, 124, 76, 119, 105)
    # 15 + ... + 29 = 330
    assert made[29] == Bar(T0 + QUARTER, 115, 139, 61, 134, 330)


def test_extremes_in_the_middle_of_a_bucket_are_kept() -> None:
    aggregator = Aggregator(MINUTE, 3 * MINUTE)
    aggregator.push(Bar(T0, 10, 12, 9, 11, 1))
    aggregator.push(Bar(T0 + MINUTE, 11, 50, 2, 11, 1))
    assert aggregator.push(Bar(T0 + 2 * MINUTE, 11, 13, 8, 12, 1)) == Bar(T0, 10, 50, 2, 12, 3)


@pytest.mark.parametrize("lost", [0, 7, 14])
def test_a_bucket_with_a_missing_candle_is_never_emitted_and_counted(lost: int) -> None:
    aggregator = Aggregator(MINUTE, QUARTER)
    made = push_all(aggregator, [k for k in range(45) if k != 15 + lost])
    assert list(made) == [14, 44]
    assert aggregator.incomplete == 1


def test_buckets_that_are_missing_altogether_are_counted() -> None:
    aggregator = Aggregator(MINUTE, QUARTER)
    push_all(aggregator, [*range(15), *range(60, 75)])  # buckets 1, 2, 3 never came
    assert aggregator.incomplete == 3


def test_a_start_in_the_middle_of_a_bucket_does_not_emit_it() -> None:
    aggregator = Aggregator(MINUTE, QUARTER)
    assert list(push_all(aggregator, range(4, 30))) == [29]
    assert aggregator.incomplete == 1


def test_the_same_timeframe_passes_through() -> None:
    aggregator = Aggregator(MINUTE, MINUTE)
    assert [aggregator.push(minute(k)) for k in (0, 1, 3)] == [minute(0), minute(1), minute(3)]
    assert aggregator.incomplete == 1


@pytest.mark.parametrize(
    ("base", "target"), [(2 * MINUTE, 3 * MINUTE), (QUARTER, MINUTE), (MINUTE, 0), (0, MINUTE)]
)
def test_a_target_that_is_no_multiple_is_refused_with_both_named(base: int, target: int) -> None:
    with pytest.raises(InputError, match=f"target timeframe was {target} ms, .* {base} ms"):
        Aggregator(base, target)


def test_a_series_refuses_a_target_that_is_no_multiple() -> None:
    with pytest.raises(InputError, match=r"was 90000 ms, .* 60000 ms"):
        aggregate(series_of("X/USDT", MINUTE, [minute(0)]), 90_000)


@pytest.mark.parametrize(("offset", "message"), [(0, "does not follow"), (1, "off the grid")])
def test_a_candle_out_of_place_is_refused_and_changes_nothing(offset: int, message: str) -> None:
    aggregator = Aggregator(MINUTE, QUARTER)
    push_all(aggregator, range(3))
    before = aggregator.state_dict()
    with pytest.raises(ValueError, match=message):
        aggregator.push(minute(2)._replace(open_ms=T0 + 2 * MINUTE + offset))
    assert aggregator.state_dict() == before


def test_an_aggregator_restored_from_json_goes_on_the_same_way() -> None:
    aggregator = Aggregator(MINUTE, QUARTER)
    push_all(aggregator, [*range(15), *range(30, 40)])
    restored = Aggregator(MINUTE, QUARTER)
    restored.restore(json.loads(json.dumps(aggregator.state_dict())))
    assert restored.state_dict() == aggregator.state_dict()
    assert push_all(restored, range(40, 50)) == push_all(aggregator, range(40, 50)) != {}


def test_a_series_is_aggregated_with_its_gap_left_open() -> None:
    series = series_of("X/USDT", MINUTE, [minute(k) for k in range(4, 70) if k != 31])
    coarse = aggregate(series, QUARTER)
    assert coarse.timeframe_ms == QUARTER
    assert coarse.symbol == "X/USDT"
    # bucket 0 starts at minute 4, bucket 2 lacks minute 31, bucket 4 ends at minute 69
    assert coarse.open_ms.tolist() == [T0 + QUARTER, T0 + 3 * QUARTER]
    assert coarse.bars()[0] == Bar(T0 + QUARTER, 115, 139, 61, 134, 330)


def test_a_series_without_a_complete_bucket_becomes_an_empty_one() -> None:
    assert len(aggregate(series_of("X/USDT", MINUTE, [minute(0)]), QUARTER)) == 0
    assert len(aggregate(series_of("X/USDT", MINUTE, []), QUARTER)) == 0
