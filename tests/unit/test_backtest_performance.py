"""The table of figures: against numbers by hand and against an independent library."""

import subprocess
import sys
from decimal import Decimal
from math import sqrt

import numpy as np
import pytest

from crypto_trader_pro.backtest.curve_metrics import (
    expected_shortfall,
    tail_ratio,
    volatility,
)
from crypto_trader_pro.backtest.equity_curve import EquityCurve, daily_equity
from crypto_trader_pro.backtest.metric import Counts, Method, Metric, Missing, wilson
from crypto_trader_pro.backtest.metrics import historical_var
from crypto_trader_pro.backtest.performance import performance
from crypto_trader_pro.backtest.result import BacktestResult
from crypto_trader_pro.domain.enums import FillReason
from crypto_trader_pro.domain.market import Floats
from tests.backtest_results import DAY, a_fill_row, a_result
from tests.builders import HOUR, START_MS, USDT

T = START_MS


def days_of(returns: Floats) -> BacktestResult:
    """Return a result of daily candles with these returns, to the rounding of a money unit."""
    equity = np.rint(1_000 * USDT * np.cumprod(1.0 + returns)).astype(np.int64)
    return a_result(equity=equity.tolist(), timeframe_ms=DAY)


def traded(profits: list[int]) -> BacktestResult:
    """Return a result of trades of one hour that made these whole USDT, one every second hour."""
    fills = []
    for k, profit in enumerate(profits):
        at = T + 2 * k * HOUR
        fills += [
            a_fill_row(2 * k + 1, 1, 1, 100, at_ms=at),
            a_fill_row(2 * k + 2, -1, 1, 100 + profit, reason=FillReason.EXIT, at_ms=at + HOUR),
        ]
    return a_result(fills=fills, equity=[1_000 * USDT] * max(1, 2 * len(profits)))


# --- days -----------------------------------------------------------------------------------


def test_a_close_at_midnight_ends_its_day_and_a_day_without_candles_keeps_the_equity() -> None:
    curve = EquityCurve(
        1_000, T,
        np.array([T + 12 * HOUR, T + DAY, T + DAY + HOUR, T + 3 * DAY + 1]),
        np.array([1_100, 1_200, 1_300, 1_400]),
    )  # fmt: skip
    daily = daily_equity(curve)
    assert daily.day_ms.tolist() == [T, T + DAY, T + 2 * DAY, T + 3 * DAY]
    assert daily.equity.tolist() == [1_000, 1_200, 1_300, 1_300, 1_400]
    assert daily.returns.tolist() == pytest.approx([0.2, 1 / 12, 0.0, 1 / 13])


def test_days_before_the_first_close_keep_the_opening() -> None:
    curve = EquityCurve(1_000, T, np.array([T + 2 * DAY + HOUR]), np.array([900]))
    assert daily_equity(curve).equity.tolist() == [1_000, 1_000, 1_000, 900]


def test_a_curve_without_a_close_has_no_day() -> None:
    nothing = np.empty(0, np.int64)
    daily = daily_equity(EquityCurve(1_000, T, nothing, nothing))
    assert (daily.day_ms.tolist(), daily.equity.tolist()) == ([], [1_000])


# --- the curve ------------------------------------------------------------------------------


def test_a_year_by_hand() -> None:
    # 1,000 -> 1,200 on the first day, 900 on the 100th, 1,200 on the 300th, 1,100 at the end
    equity = [1_200] * 99 + [900] * 200 + [1_200] * 1 + [1_100] * 65
    table = performance(a_result(equity=[value * USDT for value in equity], timeframe_ms=DAY))
    assert table["days"].value == 365
    assert table["return"].value == pytest.approx(0.1)
    assert table["cagr"].value == pytest.approx(0.1)
    assert table["max_drawdown"].value == 0.25  # 300 of 1,200
    # left the peak after day 99, was there again at the end of day 300
    assert table["max_drawdown_days"].value == 201
    assert table["calmar"].value == pytest.approx(0.4)  # 10 % over 25 %
    assert table["sharpe"].sample == 365
    assert table["sharpe"].counts is Counts.DAYS


def test_a_drawdown_that_lasts_counts_to_the_end() -> None:
    table = performance(
        a_result(equity=[1_100 * USDT, 1_000 * USDT, 1_050 * USDT], timeframe_ms=DAY)
    )
    assert table["max_drawdown_days"].value == 2


def test_the_drawdown_sees_every_close_and_not_only_midnights() -> None:
    equity = [1_000 * USDT, 500 * USDT, *[1_000 * USDT] * 22]
    assert performance(a_result(equity=equity))["max_drawdown"].value == 0.5


def test_the_ratios_are_those_of_empyrical() -> None:
    import empyrical

    returns = np.random.default_rng(1).standard_t(4, 400) * 0.02 + 0.001
    result = days_of(returns)
    table = performance(result)
    exact = daily_equity(EquityCurve(result.opening, T, result.close_ms, result.equity)).returns
    expected = {
        "return": empyrical.cum_returns_final(exact),
        "cagr": empyrical.annual_return(exact, annualization=365),
        "volatility": empyrical.annual_volatility(exact, annualization=365),
        "sharpe": empyrical.sharpe_ratio(exact, annualization=365),
        "sortino": empyrical.sortino_ratio(exact, annualization=365),
        "max_drawdown": -empyrical.max_drawdown(exact),
        "calmar": empyrical.calmar_ratio(exact, annualization=365),
        "tail_ratio": empyrical.tail_ratio(exact),
    }
    for code, value in expected.items():
        assert table[code].value == pytest.approx(float(value), rel=1e-9), code


def test_value_at_risk_and_shortfall_by_hand() -> None:
    # -1 % .. -40 %: 5 % of 40 are two, the second worst is 39 %, the mean of both 39.5 %
    returns = -np.arange(1, 41) / 100
    assert historical_var(returns) == pytest.approx(0.39)
    assert expected_shortfall(returns) == pytest.approx(0.395)
    # of 41 the tail has three: (41 + 40 + 39) / 3
    assert expected_shortfall(-np.arange(1, 42) / 100) == pytest.approx(0.40)
    assert expected_shortfall(np.full(20, 0.01)) == 0.0
    assert expected_shortfall(returns[:19]) is None


def test_volatility_and_tail_ratio_by_hand() -> None:
    # deviations of +-1 % around 0, seven of them without the middle: variance 6 / 6 of 1 %
    assert volatility(np.array([0.01, -0.01] * 3 + [0.0])) == pytest.approx(0.01 * sqrt(365))
    assert volatility(np.array([0.01] * 6)) is None
    # 21 returns -10 % .. +10 %: the 5th percentile is the second, -9 %; the 95th +9 %
    assert tail_ratio(np.arange(-10, 11) / 100) == pytest.approx(1.0)
    assert tail_ratio(np.arange(-5, 16) / 100) == pytest.approx(14 / 4)
    assert tail_ratio(np.arange(1, 22) / 100) is None
    assert tail_ratio(np.arange(-9, 10) / 100) is None


def test_what_is_too_short_says_so_and_is_no_number() -> None:
    table = performance(days_of(np.array([0.01, -0.02, 0.01])))
    few = {code for code, metric in table.items() if metric.missing is Missing.TOO_FEW}
    assert few == {
        "cagr", "volatility", "sharpe", "sortino", "var_95", "es_95", "tail_ratio", "calmar",
        "win_rate", "profit_factor", "expectancy", "sqn",
    }  # fmt: skip
    assert all(table[code].value is None for code in few)
    assert table["return"].value == pytest.approx(1.01 * 0.98 * 1.01 - 1)


def test_a_curve_that_only_rises_or_stands_names_what_is_missing() -> None:
    rising = performance(days_of(np.linspace(0.001, 0.002, 40)))
    assert {rising[code].missing for code in ("sortino", "tail_ratio", "calmar")} == {
        Missing.NO_LOSS
    }
    standing = performance(days_of(np.zeros(40)))
    assert standing["sharpe"].missing is Missing.NO_VARIATION
    assert standing["volatility"].value == 0


def test_an_account_that_lost_everything_has_no_returns() -> None:
    table = performance(a_result(equity=[-USDT] * 40, timeframe_ms=DAY))
    assert table["return"].value == pytest.approx(-1.001)
    codes = ("cagr", "calmar", "volatility", "sharpe", "sortino", "var_95", "es_95", "tail_ratio")
    assert {table[code].missing for code in codes} == {Missing.NOTHING_LEFT}
    assert table["turnover"].missing is Missing.NOTHING_LEFT


# --- trades and costs -----------------------------------------------------------------------


def test_ten_trades_by_hand() -> None:
    # six gains of 10, four losses of 5: +60 - 20
    table = performance(traded([10, 10, 10, -5, -5, 10, 10, -5, -5, 10]))
    assert table["trades"].value == 10
    assert table["win_rate"].value == 0.6
    assert table["profit_factor"].value == 3.0
    assert table["expectancy"].value == Decimal(4)
    assert table["expectancy"].interval is None  # ten are not normal
    assert table["sqn"].missing is Missing.TOO_FEW
    assert table["win_rate"].sample == 10
    # an hour in, an hour out
    assert table["exposure"].value == 0.5
    # ten bought at 100, six sold at 110, four at 95, over 1,000
    assert table["turnover"].value == pytest.approx((1_000 + 660 + 380) / 1_000)


def test_thirty_trades_have_a_quality_and_an_interval() -> None:
    table = performance(traded([10, -5] * 15))
    # mean 2.5; every profit is 7.5 away: deviation 7.5 * sqrt(30 / 29)
    deviation = 7.5 * sqrt(30 / 29)
    assert table["sqn"].value == pytest.approx(sqrt(30) * 2.5 / deviation)
    interval = table["expectancy"].interval
    assert interval is not None
    assert interval.method is Method.NORMAL
    assert interval.high - 2.5 == pytest.approx(1.959964 * deviation / sqrt(30))
    assert interval.low + interval.high == pytest.approx(5.0)


def test_trades_without_a_loss_have_no_factor_and_equal_ones_no_quality() -> None:
    table = performance(traded([10] * 30))
    assert table["profit_factor"].missing is Missing.NO_LOSS
    assert table["sqn"].missing is Missing.NO_VARIATION


def test_overlapping_positions_are_exposed_once_and_open_ones_to_the_end() -> None:
    fills = [
        a_fill_row(1, 1, 1, 100, at_ms=T),
        a_fill_row(2, -1, 1, 100, reason=FillReason.EXIT, at_ms=T + 4 * HOUR),
        a_fill_row(3, 1, 1, 100, at_ms=T + 8 * HOUR),
    ]
    from tests.builders import a_round_instrument

    other = [a_fill_row(4, 1, 1, 100, symbol=1, at_ms=T + 3 * HOUR)]
    other += [a_fill_row(5, -1, 1, 100, symbol=1, reason=FillReason.EXIT, at_ms=T + 5 * HOUR)]
    result = a_result(
        fills=[*fills, *other], equity=[1_000 * USDT] * 10,
        instruments=(a_round_instrument(), a_round_instrument("ETH/USDT:USDT")),
    )  # fmt: skip
    # 0..5 and 8..10 of ten hours
    assert performance(result)["exposure"].value == pytest.approx(0.7)


def test_fees_and_funding_are_money() -> None:
    result = a_result(
        fills=[a_fill_row(1, fee=USDT // 3), a_fill_row(1, fee=1)],
        funding=[(T + HOUR, 0, -USDT // 4)],
        equity=[1_000 * USDT] * 2,
    )
    table = performance(result)
    assert table["fees"].value == Decimal("0.33333334")
    assert table["funding"].value == Decimal("-0.25")
    assert (table["fees"].sample, table["funding"].sample) == (2, 1)


def test_the_interval_of_a_win_rate_is_wilsons() -> None:
    from scipy import stats

    for wins, n in ((0, 10), (6, 10), (10, 10), (37, 200)):
        found = wilson(wins, n)
        assert found is not None
        expected = stats.binomtest(wins, n).proportion_ci(0.95, method="wilson")
        assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-6)
    assert wilson(0, 0) is None


# --- intervals ------------------------------------------------------------------------------


def test_intervals_come_on_request_and_are_the_same_again() -> None:
    returns = np.random.default_rng(2).normal(0.001, 0.02, 250)
    result = days_of(returns)
    plain, full, again = (
        performance(result),
        performance(result, intervals=True, seed=5),
        performance(result, intervals=True, seed=5),
    )
    assert full == again
    assert {code: metric.value for code, metric in full.items()} == {
        code: metric.value for code, metric in plain.items()
    }
    drawn = {
        code
        for code, metric in full.items()
        if metric.interval is not None and metric.interval.method is Method.BOOTSTRAP
    }
    assert drawn == {
        "return", "cagr", "volatility", "sharpe", "sortino", "var_95", "es_95", "tail_ratio",
    }  # fmt: skip
    assert plain["sharpe"].interval is not None
    assert plain["sharpe"].interval.method is Method.LO
    _near(full["sharpe"], plain["sharpe"])
    other = performance(result, intervals=True, seed=6)
    assert other["sharpe"].interval != full["sharpe"].interval


def _near(drawn: Metric, known: Metric) -> None:
    """Independent normal returns are what Lo's error is right for: as wide within a fifth."""
    assert drawn.interval is not None
    assert known.interval is not None
    wide = drawn.interval.high - drawn.interval.low
    assert wide == pytest.approx(known.interval.high - known.interval.low, rel=0.2)


def test_the_interval_of_trades_holds_their_mean() -> None:
    profits = np.random.default_rng(3).integers(-8, 12, 60).tolist()
    table = performance(traded(profits), intervals=True)
    for code in ("expectancy", "profit_factor", "sqn"):
        metric = table[code]
        assert metric.interval is not None
        assert metric.value is not None
        assert metric.interval.method is Method.BOOTSTRAP
        assert metric.interval.low < float(metric.value) < metric.interval.high


def test_what_does_not_vary_has_no_bootstrap() -> None:
    table = performance(traded([10] * 30), intervals=True)
    assert table["expectancy"].interval is not None
    assert table["expectancy"].interval.method is Method.NORMAL
    assert table["return"].interval is None


def test_the_plain_table_loads_nothing_heavy() -> None:
    code = (
        "import sys\n"
        "from tests.backtest_results import a_result\n"
        "from crypto_trader_pro.backtest.performance import performance\n"
        "performance(a_result(equity=list(range(1000, 1100)), opening=1000,"
        " timeframe_ms=86_400_000))\n"
        "heavy = {'pandas', 'scipy', 'arch', 'statsmodels', 'numba', 'numpy.ma'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
