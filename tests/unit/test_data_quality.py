"""What an import report says about a series."""

import dataclasses
import json

import pytest

from auto_trading.data_quality import Outlier, QualityReport, Span, report
from crypto_trader_pro.domain.errors import InputError
from crypto_trader_pro.domain.market import Bar, CandleSeries, series_of

HOUR = 3_600_000
T0 = 1_672_531_200_000


def at(k: int) -> int:
    return T0 + k * HOUR


def bar(k: int, high: int = 10_010, low: int = 9_990, volume: int = 5) -> Bar:
    return Bar(at(k), 10_000, high, low, 10_000, volume)


def still(k: int) -> Bar:
    return bar(k, high=10_000, low=10_000, volume=0)


def series(*bars: Bar) -> CandleSeries:
    return series_of("X/USDT", HOUR, bars)


def test_a_clean_series_has_nothing_to_report() -> None:
    assert report(series(*map(bar, range(5)))) == QualityReport(
        symbol="X/USDT", timeframe_ms=HOUR, rows=5, first_ms=at(0), last_ms=at(4), expected_rows=5,
        missing_bars=0, gaps=(), zero_volume_ms=(), flat_runs=(), outliers=(), lowest=9_990,
        highest=10_010,
    )  # fmt: skip


def test_every_gap_is_named_with_its_length() -> None:
    found = report(series(bar(0), bar(1), bar(4), bar(5), bar(7)))
    assert (found.rows, found.expected_rows, found.missing_bars) == (5, 8, 3)
    assert found.gaps == (Span(at(2), at(4), 2), Span(at(6), at(7), 1))


def test_candles_without_volume_are_listed() -> None:
    found = report(series(bar(0), bar(1, volume=0), bar(2), still(3)))
    assert found.zero_volume_ms == (at(1), at(3))
    assert found.flat_runs == ()


def test_runs_of_three_flat_candles_are_listed_up_to_both_ends() -> None:
    bars = [still(0), still(1), still(2), bar(3), still(4), still(5), bar(6)]
    bars += [still(7), still(8), still(9), still(10)]
    found = report(series(*bars))
    assert found.flat_runs == (Span(at(0), at(3), 3), Span(at(7), at(11), 4))


def test_a_gap_parts_a_flat_run() -> None:
    found = report(series(still(0), still(1), still(3), still(4), still(5)))
    assert found.flat_runs == (Span(at(3), at(6), 3),)


def test_flat_candles_with_volume_are_no_flat_run() -> None:
    bars = [bar(k, high=10_000, low=10_000, volume=1) for k in range(5)]
    assert report(series(*bars)).flat_runs == ()


def test_outliers_are_those_of_the_gate() -> None:
    found = report(series(bar(0), bar(1), bar(2, high=10_500), bar(3)))
    # 500 / 10,000 = 5 % = 5,000,000 parts, over the floor of 2 %
    assert found.outliers == (Outlier(at(2), 5_000_000, 2_000_000),)
    assert found.highest == 10_500


def test_a_series_that_ends_still_is_not_usable() -> None:
    ending = report(series(*map(bar, range(4)), still(4), still(5), still(6)))
    assert ending.stale_tail == Span(at(4), at(7), 3)
    assert ending.problems == ("stale_tail",)
    going_on = report(series(*map(bar, range(3)), still(3), still(4), still(5), bar(6)))
    assert (going_on.stale_tail, going_on.problems) == (None, ())
    two = report(series(*map(bar, range(4)), still(4), still(5)))
    assert (two.stale_tail, two.problems) == (None, ())


def test_a_series_with_more_holes_than_candles_is_not_usable() -> None:
    half = report(series(bar(0), bar(1), bar(5)))  # three of six are missing
    assert (half.missing_bars, half.problems) == (3, ())
    less = report(series(bar(0), bar(1), bar(6)))
    assert (less.missing_bars, less.problems) == (4, ("mostly_missing",))


def test_a_single_candle_is_a_series() -> None:
    found = report(series(bar(0)))
    assert (found.rows, found.expected_rows, found.gaps) == (1, 1, ())


def test_an_empty_series_is_refused() -> None:
    with pytest.raises(InputError, match="X/USDT: no candles"):
        report(series())


def test_a_report_is_plain_json() -> None:
    found = report(series(bar(0), still(2), still(3), still(4), bar(5, high=20_000)))
    assert json.loads(json.dumps(dataclasses.asdict(found)))["gaps"] == [
        {"from_ms": at(1), "to_ms": at(2), "bars": 1}
    ]
