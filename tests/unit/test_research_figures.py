"""The arithmetic of studies: break-even, candles of fills, cut results, luck, order of results."""

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from auto_trading.research.capacity_estimate import volumes_of
from auto_trading.research.cost_sensitivity import break_even
from auto_trading.research.look_ahead import differences
from auto_trading.research.monte_carlo import candle_bands
from auto_trading.research.playing import _curve_from
from auto_trading.research.ranking import best, check_metric, ranked
from auto_trading.research.trials import daily_returns_of, luck, window_of
from crypto_trader_pro.backtest.equity_curve import EquityCurve
from crypto_trader_pro.backtest.result import FILL_REASONS, ROLES, BacktestResult, LadderEvent
from crypto_trader_pro.domain.errors import InputError
from crypto_trader_pro.domain.market import Bar, series_of
from crypto_trader_pro.domain.units import MONEY
from database.backtests import Trials

MINUTE = 60_000
T = int(datetime(2025, 3, 1, tzinfo=UTC).timestamp() * 1000)


@pytest.mark.parametrize(
    ("diagonal", "found"),
    [
        ([(0.0, 0.03), (1.0, 0.01), (3.0, -0.03)], 1.5),  # 1 + 2 * 0.01 / 0.04
        ([(0.0, 0.02), (1.0, 0.0)], 1.0),
        ([(0.0, 0.03), (3.0, 0.01)], None),  # bears more than was tested
        ([(0.0, -0.01), (1.0, -0.02)], None),  # had nothing to lose
    ],
)
def test_break_even(diagonal: list[tuple[float, float]], found: float | None) -> None:
    assert break_even(diagonal) == found


def test_a_curve_that_counts_from_later_opens_with_the_equity_of_that_moment() -> None:
    closes = np.array([T + k * MINUTE for k in (1, 2, 3)], np.int64)
    curve = EquityCurve(100, T, closes, np.array([110, 120, 90], np.int64))
    for at_ms, opening, left in (
        (T + 2 * MINUTE, 120, [90]),  # the candle that closes at that moment is before it
        (T + 2 * MINUTE - 1, 110, [120, 90]),
        (T, 100, [110, 120, 90]),
    ):
        found = _curve_from(curve, at_ms)
        assert (found.opening, found.start_ms, found.equity.tolist()) == (opening, at_ms, left)


def a_fill(at_ms: int, reason: str, maker: int = 0) -> list[int]:
    return [1, 0, 1, 5, 100, 0, maker, FILL_REASONS.index(reason), at_ms]


def test_a_fill_belongs_to_the_candle_it_was_in() -> None:
    candles = series_of("X/Y", MINUTE, [Bar(T + k * MINUTE, 9, 9, 9, 9, 100 + k) for k in range(3)])
    rows = [
        a_fill(T + MINUTE, "entry"),  # at the open of candle 1
        a_fill(T + MINUTE, "target", 1),  # inside candle 0, told at its close
        a_fill(T + 2 * MINUTE, "stop"),
        a_fill(T + 3 * MINUTE, "entry", 1),  # a limit inside the last one
        a_fill(T, "exit"),
    ]
    result = cast(BacktestResult, SimpleNamespace(fills=np.array(rows, np.int64)))
    assert volumes_of(result, (candles,)).tolist() == [101, 100, 101, 102, 100]


def a_result(**changed: Any) -> BacktestResult:
    entry, stop = ROLES.index("entry"), ROLES.index("stop")
    made: dict[str, Any] = {
        "orders": [[1, 0, 1, entry, 0, T, 5, 5, 7, 2, 0], [2, 0, -1, stop, 0, T, 5, 0, 0, 1, 0]],
        "fills": [a_fill(T, "entry"), a_fill(T + MINUTE, "stop")],
        "funding": [[T, 0, -3]],
        "masks": [[T, 0, 0], [T + MINUTE, 0, 4]],
        "close_ms": [T, T + MINUTE],
        "equity": [1000, 990],
        "events": (LadderEvent(T + MINUTE, "kill", 990),),
        **changed,
    }
    columns = {"orders": 11, "fills": 9, "funding": 3, "masks": 3}
    for name in columns:
        made[name] = np.array(made[name], np.int64).reshape(-1, columns[name])
    for name in ("close_ms", "equity"):
        made[name] = np.array(made[name], np.int64)
    return cast(BacktestResult, SimpleNamespace(**made))


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({}, []),
        # after the cut everything may differ, and how an order ended
        ({"equity": [1000, 5], "fills": [a_fill(T, "entry")], "events": ()}, []),
        ({"orders": [[1, 0, 1, 0, 0, T, 5, 2, 3, 1, 0], [2, 0, -1, 2, 0, T, 1, 0, 0, 1, 0]]}, []),
        ({"equity": [999, 990]}, ["equity 1"]),
        ({"funding": [[T, 0, -4]]}, ["payment 1"]),
        ({"funding": []}, ["payment 1"]),
        ({"masks": [[T, 0, 1], [T + MINUTE, 0, 4]]}, ["verdict 1"]),
        ({"fills": []}, ["fill 1"]),
        ({"orders": [[1, 0, -1, 0, 0, T, 5, 5, 7, 2, 0], [2, 0, -1, 2, 0, T, 5, 0, 0, 1, 0]]},
         ["order 1"]),
        ({"orders": [[1, 0, 1, 0, 0, T, 6, 6, 7, 2, 0], [2, 0, -1, 2, 0, T, 5, 0, 0, 1, 0]]},
         ["order 1"]),
        ({"events": (LadderEvent(T, "kill", 990),)}, ["event 1"]),
        ({"events": (LadderEvent(T + MINUTE, "daily", 990),)}, []),
    ],
)  # fmt: skip
def test_only_what_came_before_the_cut_must_be_the_same(
    changed: dict[str, Any], told: list[str]
) -> None:
    found = differences(a_result(), a_result(**changed), T)
    assert [" ".join(line.split()[:2]) for line in found] == told


def test_a_difference_says_where_and_what() -> None:
    (line,) = differences(a_result(), a_result(equity=[999, 990]), T)
    assert line == (
        f"equity 1 at 2025-03-01T00:00:00+00:00: {T} 1000 in the whole run, {T} 999 in the cut one"
    )


def test_bands_of_whole_backtests() -> None:
    days = [[100, 110, 99], [100, 90, 120], [100, 100, 80]]
    bands = candle_bands([{"daily_equity": [v * MONEY for v in row]} for row in days])
    assert bands.final_equity[2] == 99.0
    assert bands.loss == 2 / 3
    assert bands.steps.tolist() == [0, 1, 2]
    assert bands.fan[2].tolist() == [100.0, 100.0, 99.0]
    assert bands.max_drawdown[2] == pytest.approx(0.1)  # of 0.1, 0.1 and 0.2


def test_results_without_the_metric_come_last() -> None:
    values = {name: {"metrics": {"sharpe": s, "max_drawdown": d}}
              for name, s, d in (("a", 1.0, 0.3), ("b", None, 0.1), ("c", 2.0, 0.2))}  # fmt: skip
    assert ranked(values, "sharpe") == ["c", "a", "b"]
    assert ranked(values, "max_drawdown") == ["b", "c", "a"]  # the smaller the better
    assert best(values, "sharpe") == "c"
    assert best({"b": values["b"]}, "sharpe") is None
    with pytest.raises(InputError, match="metric was 'luck', allowed: sharpe, "):
        check_metric("luck")


def test_more_trials_leave_less_of_a_sharpe_ratio() -> None:
    returns = np.random.default_rng(1).normal(0.001, 0.01, 400)
    few = luck(returns, Trials(2, (0.05, 0.1)))
    many = luck(returns, Trials(200, (0.05, 0.1)))
    assert few["psr"] == many["psr"] > few["deflated"] > many["deflated"] > 0
    assert many["expected_best"] > few["expected_best"] > 0
    alone = luck(returns, Trials(1, (0.1,)))
    assert alone["deflated"] == alone["psr"]  # one trial: no luck in choosing
    unknown = luck(returns, Trials(5, (0.1,)))
    assert (unknown["trials"], unknown["deflated"]) == (5, None)  # no variance can be told
    assert luck(returns[:3], Trials(1, ()))["psr"] is None


def test_an_emptied_account_has_no_returns() -> None:
    assert daily_returns_of({"daily_equity": [100, 110]}).tolist() == pytest.approx([0.1])
    with pytest.raises(InputError, match="emptied"):
        daily_returns_of({"daily_equity": [100, 0]})


def test_a_part_of_a_window_is_another_window() -> None:
    assert window_of("abc", None, None) == "abc"
    assert window_of("abc", 5, None) == "abc:5:"
    assert window_of("abc", 5, 9) == "abc:5:9"
    assert len(window_of("f" * 64, T, T)) <= 160
