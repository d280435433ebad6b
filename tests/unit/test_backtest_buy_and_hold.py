"""Buy and hold: by hand, with one price unit of one lot being one USDT and a taker fee of 0.1 %."""

import numpy as np
import pytest

from crypto_trader_pro.backtest.buy_and_hold import buy_and_hold, excess
from crypto_trader_pro.backtest.equity_curve import EquityCurve
from crypto_trader_pro.domain.errors import InputError
from crypto_trader_pro.domain.market import Bar, CandleSeries, series_of
from tests.backtest_results import DAY
from tests.builders import HOUR, START_MS, USDT, a_round_instrument

BTC = a_round_instrument()
ETH = a_round_instrument("ETH/USDT:USDT")
OPENING = 2_000 * USDT


def hourly(symbol: str, closes: list[int], first: int = 0) -> CandleSeries:
    return series_of(
        symbol, HOUR,
        [
            Bar(START_MS + (first + k) * HOUR, close, close, close, close, 1)
            for k, close in enumerate(closes)
        ],
    )  # fmt: skip


def closes_of(n: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return START_MS + HOUR * np.arange(1, n + 1, dtype=np.int64)


def test_two_symbols_share_the_money() -> None:
    found = buy_and_hold(
        (BTC, ETH), (hourly(BTC.symbol, [100, 110, 120]), hourly(ETH.symbol, [300, 300, 270])),
        OPENING, START_MS, closes_of(3),
    )  # fmt: skip
    # 1,000 each: nine at 100.1 and three at 300.3; entry fees 0.9 + 0.9
    assert found.lots == (9, 3)
    # exit fees: 1,080 and 810 at 0.1 %
    assert found.fees == round((0.9 + 0.9 + 1.08 + 0.81) * USDT)
    expected = [2_000 - 1.8, 2_000 + 90 - 1.8, 2_000 + 180 - 90 - 3.69]
    assert found.curve.equity.tolist() == [round(value * USDT) for value in expected]
    assert found.metrics["return"].value == pytest.approx(expected[-1] / 2_000 - 1)


def test_a_symbol_that_begins_later_waits_as_cash_and_one_that_ends_is_sold() -> None:
    found = buy_and_hold(
        (BTC, ETH), (hourly(BTC.symbol, [100, 150]), hourly(ETH.symbol, [300, 330], first=2)),
        OPENING, START_MS, closes_of(4),
    )  # fmt: skip
    # 9 * 50 - 0.9 - 1.35 = 447.75 from the second close on; 3 * 30 - 0.9 - 0.99 = 88.11
    expected = [1_999.1, 2_447.75, 2_446.85, 2_535.86]
    assert found.curve.equity.tolist() == [round(value * USDT) for value in expected]


def test_candles_outside_of_the_interval_are_not_looked_at() -> None:
    series = hourly(BTC.symbol, [1, 100, 110, 9_999])
    found = buy_and_hold((BTC,), (series,), OPENING, START_MS + HOUR, closes_of(3)[1:])
    # 19 at 100.1: 19 * 10 - 1.9 - 2.09
    assert found.curve.final == OPENING + round(186.01 * USDT)


def test_money_for_no_lot_stays_cash_and_is_seen() -> None:
    found = buy_and_hold(
        (BTC,), (hourly(BTC.symbol, [5_000, 9_000]),), OPENING, START_MS, closes_of(2)
    )
    assert (found.lots, found.fees, found.curve.final) == ((0,), 0, OPENING)


def test_bad_input_is_named() -> None:
    with pytest.raises(InputError, match="needs a symbol"):
        buy_and_hold((), (), OPENING, START_MS, closes_of(1))
    with pytest.raises(InputError, match="no candle between"):
        buy_and_hold((BTC,), (hourly(BTC.symbol, [1], first=9),), OPENING, START_MS, closes_of(2))
    with pytest.raises(InputError, match="beyond 64 bits"):
        buy_and_hold(
            (BTC,), (hourly(BTC.symbol, [1, 10**9]),), 10**12 * USDT // 1000, START_MS, closes_of(2)
        )


def curve(*equity: int) -> EquityCurve:
    at_ms = START_MS + DAY * np.arange(1, len(equity) + 1, dtype=np.int64)
    return EquityCurve(1_000, START_MS, at_ms, np.array(equity))


def test_the_excess_is_the_difference() -> None:
    up = curve(1_010, 1_000, 1_020, 1_015, 1_030, 1_020, 1_040, 1_100)
    found = excess(up, curve(1_000, 1_010, 1_000, 1_010, 1_000, 1_010, 1_000, 1_050))
    assert found.change == pytest.approx(0.05)
    returns = np.diff([1_000, 1_010, 1_000, 1_020, 1_015, 1_030, 1_020, 1_040, 1_100]) / np.array(
        [1_000, 1_010, 1_000, 1_020, 1_015, 1_030, 1_020, 1_040]
    )
    others = np.diff([1_000, 1_000, 1_010, 1_000, 1_010, 1_000, 1_010, 1_000, 1_050]) / np.array(
        [1_000, 1_000, 1_010, 1_000, 1_010, 1_000, 1_010, 1_000]
    )
    away = returns - others
    assert found.information_ratio == pytest.approx(away.mean() / away.std(ddof=1) * np.sqrt(365))
    assert found.correlation == pytest.approx(np.corrcoef(returns, others)[0, 1])


def test_the_same_curve_has_no_excess_and_a_lost_one_no_ratio() -> None:
    up = curve(*range(1_010, 1_110, 10))
    same = excess(up, up)
    assert (same.change, same.information_ratio, same.correlation) == (0.0, None, None)
    lost = excess(curve(*[0] * 10), up)
    assert (lost.information_ratio, lost.correlation) == (None, None)
    assert lost.change == pytest.approx(-1.1)


def test_curves_of_other_days_cannot_be_compared() -> None:
    with pytest.raises(ValueError, match="the same days"):
        excess(curve(1_000, 1_000), curve(1_000))
