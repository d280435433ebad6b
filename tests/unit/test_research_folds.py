"""The windows of a walk-forward, by dates that can be counted on a calendar."""

from datetime import UTC, datetime

import pytest

from auto_trading.research.folds import Fold, Plan, folds
from crypto_trader_pro.backtest.equity_curve import DAY_MS
from crypto_trader_pro.domain.errors import InputError
from crypto_trader_pro.domain.timeframes import to_ms

HOUR = 3_600_000
START = to_ms(datetime(2025, 3, 1, 6, tzinfo=UTC))  # the first midnight is 2025-03-02
END = to_ms(datetime(2025, 3, 20, tzinfo=UTC))


def at(day: int, hour: int = 0) -> int:
    return to_ms(datetime(2025, 3, day, hour, tzinfo=UTC))


def test_rolling_windows_move_by_a_test() -> None:
    assert folds(START, END, HOUR, Plan(False, 7, 4)) == [
        Fold(at(2), at(9), at(9), at(13)),
        Fold(at(6), at(13), at(13), at(17)),
    ]  # a third test would end on the 21st


def test_anchored_windows_begin_with_the_first_candle() -> None:
    assert folds(START, END, HOUR, Plan(True, 7, 4)) == [
        Fold(at(1, 6), at(9), at(9), at(13)),
        Fold(at(1, 6), at(13), at(13), at(17)),
    ]


def test_purge_and_embargo_part_the_windows() -> None:
    found = folds(START, END, HOUR, Plan(False, 7, 4, purge=3, embargo=5))
    assert found[0] == Fold(at(2), at(8, 21), at(9, 5), at(13))
    assert found[1] == Fold(at(6), at(12, 21), at(13, 5), at(17))


def test_no_train_window_reaches_into_its_test() -> None:
    for anchored in (False, True):
        for fold in folds(START, START + 400 * DAY_MS, HOUR, Plan(anchored, 60, 20, 2, 1)):
            assert fold.train_from < fold.train_to < fold.test_from < fold.test_to
            assert fold.test_from - fold.train_to == 3 * HOUR


@pytest.mark.parametrize(
    ("plan", "line"),
    [
        (Plan(False, 15, 4), ("the range has 18 whole days, a fold of 15 days to train and 4 to"
         " test needs 19")),
        (Plan(False, 0, 4), "train days were 0, allowed: 1 or more"),
        (Plan(False, 7, 4, purge=-1), "purge was -1 candles, allowed: 0 or more"),
        (Plan(False, 7, 4, purge=168), "a purge of 168 candles leaves nothing of the train window"),
        (Plan(False, 7, 4, embargo=96), ("an embargo of 96 candles leaves nothing of the test"
         " window")),
    ],
)  # fmt: skip
def test_windows_that_do_not_fit(plan: Plan, line: str) -> None:
    with pytest.raises(InputError) as raised:
        folds(START, END, HOUR, plan)
    assert str(raised.value) == line
