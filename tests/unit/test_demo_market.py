"""Candles, prices and funding of the demo market."""

import hashlib

import numpy as np
import pytest

from auto_trading.aggregation import aggregate
from benchmarks.demo_market import gate_reasons
from crypto_trader_pro.domain.enums import GateReason
from crypto_trader_pro.domain.errors import InputError
from crypto_trader_pro.domain.market import Bar
from crypto_trader_pro.simulation.demo_coins import COINS
from crypto_trader_pro.simulation.demo_market import (
    EARLIEST_MS,
    FUNDING_LIMIT,
    FUNDING_MS,
    ZERO_MS,
    DemoMarket,
)
from crypto_trader_pro.simulation.demo_paths import Regime
from crypto_trader_pro.simulation.instruments import INSTRUMENTS, instrument
from tests.builders import an_instrument

MINUTE, FIVE, HOUR, DAY = 60_000, 300_000, 3_600_000, 86_400_000
WEEK = 7 * DAY
LINEAR, SPOT = "BTC/USDT:USDT", "BTC/USDT"
EVERY = tuple(INSTRUMENTS.values())


def market(*symbols: str, seed: int = 7) -> DemoMarket:
    return DemoMarket([instrument(symbol) for symbol in symbols], seed=seed)


def test_seed_seven_is_the_same_market_everywhere() -> None:
    # fixed numbers: a change of the recipe changes every stored demo session
    demo = market(SPOT, "ETH/USDT:USDT")
    assert demo.bar(SPOT, FIVE, 0) == Bar(
        ZERO_MS, 4_228_400, 4_230_609, 4_227_659, 4_229_485, 64_200_976
    )
    series = demo.candles("ETH/USDT:USDT", HOUR, ZERO_MS - 30 * DAY, ZERO_MS)
    digest = hashlib.sha256()
    for column in (series.open, series.high, series.low, series.close):
        digest.update(column.astype("<i8").tobytes())
    assert digest.hexdigest()[:16] == "b8951d3e5fcb422a"


def test_every_coin_stands_near_its_start_price_at_time_zero() -> None:
    demo = DemoMarket(EVERY, seed=3)
    for each in EVERY:
        price = each.price(demo.bar(each.symbol, FIVE, 0).open)
        assert abs(price - COINS[each.base].price) <= each.tick / 2


def test_a_candle_opens_where_the_one_before_closed_weeks_included() -> None:
    series = market(LINEAR).candles(LINEAR, FIVE, ZERO_MS - 2 * WEEK, ZERO_MS + 2 * WEEK)
    assert len(series) == 4 * 2016
    assert (series.open[1:] == series.close[:-1]).all()


@pytest.mark.parametrize("frame", [3 * MINUTE, FIVE, 15 * MINUTE, HOUR, 8 * HOUR, DAY])
def test_coarse_candles_are_sums_of_minutes(frame: int) -> None:
    for symbol in (LINEAR, SPOT):
        demo = market(symbol)
        begin, end = ZERO_MS - WEEK - DAY, ZERO_MS + DAY
        summed = aggregate(demo.candles(symbol, MINUTE, begin, end), frame)
        coarse = demo.candles(symbol, frame, begin, end)
        assert coarse.bars() == summed.bars()
        assert len(coarse) == 9 * DAY // frame


def test_perpetual_and_spot_of_a_coin_are_one_price_on_two_grids() -> None:
    demo = market(LINEAR, SPOT)
    for k in range(50):
        linear, spot = demo.bar(LINEAR, FIVE, k), demo.bar(SPOT, FIVE, k)
        assert abs(linear.close - spot.close) <= 5  # both in 0.01; the ticks are 0.1 and 0.01
    assert demo.candles(SPOT, HOUR, ZERO_MS, ZERO_MS + DAY).symbol == SPOT


def test_history_ends_in_2021_and_is_cut_there() -> None:
    demo = market(LINEAR)
    series = demo.candles(LINEAR, DAY, EARLIEST_MS - 5 * DAY, EARLIEST_MS + 2 * DAY)
    assert series.open_ms.tolist() == [EARLIEST_MS, EARLIEST_MS + DAY]
    assert len(demo.candles(LINEAR, DAY, EARLIEST_MS - 5 * DAY, EARLIEST_MS)) == 0


def test_a_window_off_the_grid_holds_what_opens_inside() -> None:
    demo = market(LINEAR)
    series = demo.candles(LINEAR, HOUR, ZERO_MS + 1, ZERO_MS + 3 * HOUR + 1)
    assert series.open_ms.tolist() == [ZERO_MS + HOUR, ZERO_MS + 2 * HOUR, ZERO_MS + 3 * HOUR]
    assert len(demo.candles(LINEAR, HOUR, ZERO_MS + HOUR, ZERO_MS)) == 0


def test_a_two_percent_position_fills_in_one_candle_everywhere() -> None:
    # 2,000 USDT against a volume share of 10 %: a candle must trade 20,000 USDT
    demo = DemoMarket(EVERY, seed=7)
    for each in EVERY:
        series = demo.candles(each.symbol, FIVE, ZERO_MS, ZERO_MS + WEEK)
        traded = series.volume * series.close.astype(np.float64) * each.tv / 1e8
        assert traded.min() > 20_000, each.symbol


def test_coins_move_together() -> None:
    demo = market(LINEAR, "ETH/USDT:USDT", "ORDI/USDT:USDT")
    moves = [
        np.diff(np.log(demo.candles(symbol, HOUR, ZERO_MS, ZERO_MS + 30 * WEEK).close))
        for symbol in (LINEAR, "ETH/USDT:USDT", "ORDI/USDT:USDT")
    ]
    found = np.corrcoef(moves)
    # shares of the market in the variance .64, .585, .395: sqrt(.64 x .585) = .61, .50, .48
    assert found[0, 1] == pytest.approx(0.61, abs=0.07)
    assert found[0, 2] == pytest.approx(0.50, abs=0.07)
    assert found[1, 2] == pytest.approx(0.48, abs=0.07)


def test_volatility_is_what_the_coin_says() -> None:
    for symbol, sigma in ((LINEAR, 0.0015), ("ORDI/USDT:USDT", 0.0035)):
        series = market(symbol).candles(symbol, FIVE, ZERO_MS, ZERO_MS + 26 * WEEK)
        assert float(np.diff(np.log(series.close)).std()) == pytest.approx(sigma, rel=0.06)


def test_ranges_agree_with_moves() -> None:
    # of a Brownian motion the mean square range is 4 ln 2 times the variance (Parkinson 1980)
    series = market(LINEAR).candles(LINEAR, FIVE, ZERO_MS, ZERO_MS + 52 * WEEK)
    spread = np.log(series.high / series.low)
    moves = np.log(series.close / series.open)
    found = float(np.mean(spread**2) / np.mean(moves**2))
    assert found == pytest.approx(4 * np.log(2), rel=0.05)


@pytest.mark.parametrize("frame", [MINUTE, FIVE, HOUR])
def test_the_data_gate_takes_nearly_every_candle(frame: int) -> None:
    bars = flagged = 0
    for symbol in ("BTC/USDT", "ORDI/USDT:USDT", "AXS/USDT"):
        series = market(symbol).candles(symbol, frame, ZERO_MS - 3 * WEEK, ZERO_MS + 3 * WEEK)
        reasons = gate_reasons(series.bars(), frame)
        assert set(reasons) <= {GateReason.OK, GateReason.OUTLIER}
        bars += len(series)
        flagged += reasons.get(GateReason.OUTLIER, 0)
    assert flagged / bars < 0.001


def test_prices_stay_within_reach_of_their_start_for_years() -> None:
    for base in ("BTC", "VET", "ORDI"):
        symbol = f"{base}/USDT:USDT"
        for seed in range(2):
            series = market(symbol, seed=seed).candles(
                symbol, DAY, EARLIEST_MS, ZERO_MS + 4 * DAY * 365
            )
            start = float(COINS[base].price / instrument(symbol).price_unit)
            assert series.high.max() / start < 12
            assert series.low.min() / start > 1 / 12


def test_ticks_are_those_of_the_candle() -> None:
    demo = market(LINEAR)
    bar = demo.bar(LINEAR, FIVE, -5)
    prices = demo.ticks(LINEAR, FIVE, -5, 8)
    assert (min(prices), max(prices), len(prices)) == (bar.low, bar.high, 8)
    assert prices == market(LINEAR).ticks(LINEAR, FIVE, -5, 8)
    assert prices != market(LINEAR, seed=8).ticks(LINEAR, FIVE, -5, 8)


def test_funding_is_settled_each_eight_hours_on_perpetuals_only() -> None:
    demo = market(LINEAR, SPOT)
    rows = list(demo.fundings(LINEAR, ZERO_MS - WEEK, ZERO_MS + WEEK))
    assert [at_ms for at_ms, _ in rows] == [ZERO_MS + k * FUNDING_MS for k in range(-21, 21)]
    rates = [rate for _, rate in rows]
    assert max(map(abs, rates)) <= FUNDING_LIMIT
    assert len(set(rates)) > 35
    assert min(rates) < 0 < max(rates)
    assert demo.funding_rate(LINEAR, ZERO_MS + FUNDING_MS - 1) == rates[21]
    assert demo.funding_rate(LINEAR, ZERO_MS - 1) == rates[20]
    assert list(demo.fundings(SPOT, ZERO_MS, ZERO_MS + WEEK)) == []
    assert demo.funding_rate(SPOT, ZERO_MS) is None
    assert [at_ms for at_ms, _ in demo.fundings(LINEAR, ZERO_MS + 1, ZERO_MS + FUNDING_MS + 1)] == [
        ZERO_MS + FUNDING_MS
    ]


def test_longs_pay_after_a_rise() -> None:
    demo = market(LINEAR)
    rows = list(demo.fundings(LINEAR, ZERO_MS, ZERO_MS + 52 * WEEK))
    moves = [
        bar.close / bar.open - 1
        for bar in (demo.bar(LINEAR, FUNDING_MS, k - 1) for k in range(len(rows)))
    ]
    assert np.corrcoef(moves, [rate for _, rate in rows])[0, 1] > 0.7


def test_regimes_can_be_asked_for() -> None:
    demo = market(LINEAR)
    assert demo.regime(LINEAR, ZERO_MS) is Regime.UP
    assert demo.regime(None, ZERO_MS - 1) is Regime.DOWN
    assert demo.regime(None, ZERO_MS - 36 * FIVE) is Regime.DOWN


def test_preparing_changes_nothing() -> None:
    demo = market(LINEAR)
    demo.prepare(LINEAR, FIVE, 4_000)
    assert demo.bar(LINEAR, FIVE, 4_000) == market(LINEAR).bar(LINEAR, FIVE, 4_000)


def test_a_coin_the_market_does_not_have_is_refused() -> None:
    for symbol in ("ABC/USDT", "BTC/EUR"):
        with pytest.raises(InputError, match=f"the demo market has no '{symbol}', it has AAVE"):
            DemoMarket([an_instrument(symbol, tick="0.1", lot="0.001")], seed=7)


def test_a_symbol_that_was_not_asked_for_is_refused() -> None:
    demo = market(LINEAR)
    for ask in (
        lambda: demo.bar(SPOT, FIVE, 0),
        lambda: demo.ticks(SPOT, FIVE, 0, 4),
        lambda: demo.candles(SPOT, FIVE, ZERO_MS, ZERO_MS + DAY),
        lambda: demo.funding_rate(SPOT, ZERO_MS),
        lambda: demo.regime(SPOT, ZERO_MS),
    ):
        with pytest.raises(InputError, match="symbol was 'BTC/USDT', allowed in this demo market"):
            ask()


@pytest.mark.parametrize("frame", [0, -FIVE, 1_000, 90_000, 7 * MINUTE, WEEK])
def test_a_timeframe_that_is_no_part_of_a_day_is_refused(frame: int) -> None:
    with pytest.raises(InputError, match=f"timeframe was {frame} ms"):
        market(LINEAR).bar(LINEAR, frame, 0)
