"""Candles and funding rates come back from both databases exactly as they were stored."""

from decimal import Decimal

import numpy as np
import pytest
from sqlalchemy import Engine, text

from auto_trading.gateways.candle_files import read_candles
from crypto_trader_pro.domain.errors import InputError
from crypto_trader_pro.domain.market import Bar, CandleSeries, series_of
from crypto_trader_pro.domain.timeframes import to_datetime
from crypto_trader_pro.simulation.instruments import instrument
from database import candles
from database.auto_trading_db import unit_of_work
from database.candles import Coverage, Origin
from tests.builders import an_instrument
from tests.market_data import candle_file
from tests.rows import T0, T0_MS, a_market_row, after, stored

FIVE = 300_000
FILE = Origin("binance", "file")
BTC = an_instrument(tick="0.1", price_unit="0.01", lot="0.001")  # tv is 1000
COLUMNS = ("open_ms", "open", "high", "low", "close", "volume")


def five_minutes(*closes: int, first: int = 0) -> CandleSeries:
    """Return candles that open at `first`, `first` + 1, ... times five minutes after T0."""
    bars = [
        Bar(T0_MS + (first + k) * FIVE, close, close + 5, close - 5, close, 1_500)
        for k, close in enumerate(closes)
    ]
    return series_of(BTC.symbol, FIVE, bars)


def put(database: Engine, series: CandleSeries, origin: Origin = FILE) -> int:
    with unit_of_work(database) as session:
        return candles.store(session, series, BTC, origin)


def got(database: Engine, origin: Origin = FILE, **limits: int) -> CandleSeries:
    with unit_of_work(database) as session:
        return candles.load(session, BTC, FIVE, origin, **limits)


def same(one: CandleSeries, other: CandleSeries) -> bool:
    return one.timeframe_ms == other.timeframe_ms and all(
        np.array_equal(getattr(one, name), getattr(other, name)) for name in COLUMNS
    )


def test_candles_come_back_as_they_were(database: Engine) -> None:
    series = five_minutes(4_200_010, 4_200_015, 7)
    assert put(database, series) == 3
    assert same(got(database), series)


def test_the_table_holds_the_decimals_that_a_person_expects(database: Engine) -> None:
    put(database, five_minutes(4_200_010))  # in units of 0.01; the volume in lots of 0.001
    with database.connect() as connection:
        row = connection.execute(text("SELECT open, high, volume FROM market_data")).one()
    assert [Decimal(value) for value in row] == [
        Decimal("42000.1"),
        Decimal("42000.15"),
        Decimal("1.5"),
    ]


def test_real_candles_come_back_as_they_were(database: Engine) -> None:
    btc = instrument("BTC/USDT:USDT")
    series = read_candles(candle_file("binance-usdm_BTCUSDT_5m_20230101-20240514"), btc, FIVE)
    whole = series.slice(0, 10_000)
    with unit_of_work(database) as session:
        assert candles.store(session, whole, btc, FILE) == 10_000
        assert candles.store(session, whole, btc, FILE) == 0
        assert same(candles.load(session, btc, FIVE, FILE), whole)


def test_only_new_candles_are_added(database: Engine) -> None:
    put(database, five_minutes(100, 200, 300))
    assert put(database, five_minutes(200, 300, 400, first=1)) == 1
    assert got(database).close.tolist() == [100, 200, 300, 400]


def test_a_candle_that_differs_is_refused_and_nothing_is_stored(database: Engine) -> None:
    put(database, five_minutes(100, 200))
    with pytest.raises(InputError) as refused:
        put(database, five_minutes(201, 300, first=1))
    assert str(refused.value) == (
        "BTC/USDT:USDT 5m of 2024-01-01T00:05:00+00:00:"
        " was 2.01 2.06 1.96 2.01 1.500, stored is 2.00 2.05 1.95 2.00 1.500"
    )
    assert got(database).close.tolist() == [100, 200]


def test_an_empty_series_is_stored_and_loaded(database: Engine) -> None:
    assert put(database, five_minutes()) == 0
    assert len(got(database)) == 0


def test_a_range_is_from_the_first_open_up_to_the_last(database: Engine) -> None:
    put(database, five_minutes(100, 200, 300, 400))
    part = got(database, from_ms=T0_MS + FIVE, to_ms=T0_MS + 3 * FIVE)
    assert part.close.tolist() == [200, 300]


def test_origins_are_never_mixed(database: Engine) -> None:
    put(database, five_minutes(100))
    put(database, five_minutes(900), Origin("binance", "demo"))
    put(database, five_minutes(800), Origin("bybit", "file"))
    assert got(database).close.tolist() == [100]
    assert got(database, Origin("binance", "demo")).close.tolist() == [900]


def test_a_stored_price_off_the_grid_is_refused(database: Engine) -> None:
    numbers = dict.fromkeys(("open", "high", "low", "close", "volume"), Decimal("1.005"))
    stored(database, a_market_row(**numbers))
    with pytest.raises(InputError, match=r"5m: stored 1\.005 is not a multiple of 0\.01$"):
        got(database)


def test_funding_rates_come_back_as_they_were(database: Engine) -> None:
    times = [T0_MS, T0_MS + 8 * 3_600_000]
    with unit_of_work(database) as session:
        assert candles.store_funding(session, BTC.symbol, times, [10_000, -333], FILE) == 2
        assert candles.store_funding(session, BTC.symbol, times, [10_000, -333], FILE) == 0
        assert candles.load_funding(session, BTC.symbol, FILE) == (times, [10_000, -333])
        late = candles.load_funding(session, BTC.symbol, FILE, from_ms=T0_MS + 1)
    assert late == (times[1:], [-333])


def test_a_funding_rate_that_differs_is_refused(database: Engine) -> None:
    with unit_of_work(database) as session:
        candles.store_funding(session, BTC.symbol, [T0_MS], [10_000], FILE)
        with pytest.raises(InputError, match=r"was 0\.00010001, stored is 0\.00010000$"):
            candles.store_funding(session, BTC.symbol, [T0_MS], [10_001], FILE)


def test_the_coverage_names_what_is_stored(database: Engine) -> None:
    put(database, five_minutes(100, 200, 300))
    put(database, five_minutes(100), Origin("binance", "demo"))
    with unit_of_work(database) as session:
        candles.store_funding(session, BTC.symbol, [T0_MS], [1], FILE)
        found = candles.coverage(session)
        assert candles.coverage(session, symbol="ETH/USDT") == []
    five, funding = ("binance", BTC.symbol, "5m"), ("binance", BTC.symbol, "funding")
    assert found == [
        Coverage(*five, "demo", T0, T0, 1),
        Coverage(*five, "file", T0, after(10), 3),
        Coverage(*funding, "file", T0, T0, 1),
    ]
    assert found[1].last == to_datetime(T0_MS + 2 * FIVE)
