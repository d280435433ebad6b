"""The look-ahead detector finds planted look-ahead, and only that."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from crypto_trader_pro.ai.prefix_invariance import Difference, Rows, first_difference
from crypto_trader_pro.domain.errors import InputError
from crypto_trader_pro.domain.market import CandleSeries, Floats

HOUR = 3_600_000
CUTS = (40, 120, 150, 198)


def market(n: int = 200, seed: int = 3) -> CandleSeries:
    """Return random possible hourly candles."""
    rng = np.random.default_rng(seed)
    close = 50_000 + np.cumsum(rng.integers(-90, 91, n))
    open_ = np.concatenate(([50_000], close[:-1]))
    high = np.maximum(open_, close) + rng.integers(0, 50, n)
    low = np.minimum(open_, close) - rng.integers(0, 50, n)
    times = (np.arange(n) + 450_000) * HOUR
    return CandleSeries(
        "BTC/USDT:USDT", HOUR, times, open_, high, low, close, rng.integers(1, 900, n)
    )


def trailing_mean(s: CandleSeries) -> Floats:
    out = np.full(len(s), np.nan)
    for i in range(9, len(s)):
        out[i] = s.close[i - 9 : i + 1].mean()
    return out


def centred_mean(s: CandleSeries) -> Floats:
    out = np.full(len(s), np.nan)
    for i in range(5, len(s) - 5):
        out[i] = s.close[i - 5 : i + 6].mean()
    return out


def next_close(s: CandleSeries) -> Floats:
    """shift(-1)."""
    return np.concatenate((s.close[1:], s.close[-1:])).astype(np.float64)


def whole_mean(s: CandleSeries) -> Floats:
    out: Floats = s.close / s.close.mean()
    return out


def back_filled(s: CandleSeries) -> Floats:
    """bfill: the close of the next candle on a new hour of the day."""
    seen = np.where(s.open_ms // HOUR % 24 == 0, s.close, -1)
    out = np.full(len(s), np.nan)
    value = np.nan
    for i in range(len(s) - 1, -1, -1):
        if seen[i] >= 0:
            value = float(seen[i])
        out[i] = value
    return out


def test_a_trailing_function_passes() -> None:
    assert first_difference(market(), trailing_mean, CUTS) is None


@pytest.mark.parametrize("planted", [centred_mean, next_close, whole_mean, back_filled])
def test_planted_look_ahead_is_found(planted: Callable[[CandleSeries], Floats]) -> None:
    found = first_difference(market(), planted, CUTS)
    assert found is not None
    assert found.row <= found.cut


def test_the_first_row_and_column_that_differ_are_named() -> None:
    def two_columns(s: CandleSeries) -> Floats:
        return np.column_stack((trailing_mean(s), centred_mean(s)))

    found = first_difference(market(), two_columns, [100])
    assert found is not None
    # the mean about row 96 reaches to row 101, the first one after the cut
    assert (found.alteration, found.row, found.column) == ("truncated", 96, 1)
    assert str(found).startswith("look-ahead: row 96, column 1 was ")
    assert str(found).endswith("with the candles after row 100 truncated")


def test_look_ahead_at_the_value_of_one_later_candle_is_found() -> None:
    # the same length and no gap: only the corrupted run can show it
    def peeks(s: CandleSeries) -> Floats:
        peeked = s.high[151] if len(s) == 200 else 0
        return np.full(len(s), float(peeked)) if len(s) == 200 else truth

    truth = np.full(200, float(market().high[151]))
    found = first_difference(market(), peeks, [150])
    assert found is not None
    assert found.alteration == "corrupted"


def test_look_ahead_at_later_times_is_found() -> None:
    def gap_ahead(s: CandleSeries) -> Floats:
        steps = np.diff(s.open_ms, append=s.open_ms[-1] + HOUR)
        return (steps > HOUR).astype(np.float64)

    found = first_difference(market(), gap_ahead, [60])
    assert found == Difference("removed", 60, 60, 0, 0.0, 1.0)


def test_a_difference_in_the_sign_of_zero_or_in_missing_counts() -> None:
    def signed(s: CandleSeries) -> Floats:
        return np.full(len(s), 0.0 if len(s) == 200 else -0.0)

    def missing(s: CandleSeries) -> Floats:
        return np.full(len(s), np.nan if len(s) == 200 else 0.0)

    assert first_difference(market(), signed, [50]) is not None
    assert first_difference(market(), missing, [50]) is not None


def test_tuples_of_any_kind_are_compared_too() -> None:
    def signals(s: CandleSeries) -> Sequence[tuple[int, str, None]]:
        up = np.diff(s.close, prepend=s.close[0]) > 0
        return [(1 if u else -1, "up" if u else "down", None) for u in up.tolist()]

    def ahead(s: CandleSeries) -> Sequence[tuple[int, str, None]]:
        return [*signals(s)[1:], (0, "end", None)]

    assert first_difference(market(), signals, CUTS) is None
    found = first_difference(market(), ahead, CUTS)
    assert found is not None
    assert found.row == 40


def test_values_that_are_single_numbers_in_a_list_are_compared_too() -> None:
    assert first_difference(market(), lambda s: trailing_mean(s).tolist(), CUTS) is None
    assert first_difference(market(), lambda s: s.close, CUTS) is None
    assert first_difference(market(), lambda s: next_close(s).tolist(), CUTS) is not None


def test_the_corrupted_candles_are_possible_ones() -> None:
    seen: list[CandleSeries] = []

    def record(s: CandleSeries) -> NDArray[np.int64]:
        seen.append(s)
        return s.close

    assert first_difference(market(), record, [100]) is None
    corrupted = next(s for s in seen[1:] if len(s) == 200)
    assert (corrupted.low <= np.minimum(corrupted.open, corrupted.close)).all()
    assert (corrupted.high >= np.maximum(corrupted.open, corrupted.close)).all()
    for name in ("open", "high", "low", "close", "volume"):
        before, after = getattr(market(), name), getattr(corrupted, name)
        assert (before[:101] == after[:101]).all()
        assert (before[101:] != after[101:]).mean() > 0.8


@pytest.mark.parametrize("cut", [-1, 199])
def test_a_cut_outside_is_refused(cut: int) -> None:
    with pytest.raises(InputError, match=f"cut was {cut}, allowed: 0 to 198"):
        first_difference(market(), trailing_mean, [cut])


def test_missing_rows_or_columns_are_refused() -> None:
    with pytest.raises(InputError, match="returned 199 rows for 200 candles"):
        first_difference(market(), lambda s: s.close[1:], [10])

    def wider(s: CandleSeries) -> Rows:
        rows: NDArray[Any] = np.ones((len(s), 1 if len(s) == 200 else 2))
        return rows

    with pytest.raises(InputError, match="returned 1 columns, then 2"):
        first_difference(market(), wider, [10])
