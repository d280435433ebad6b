"""The latest price of a symbol is replaced, never doubled, on both databases."""

from datetime import timedelta
from decimal import Decimal

from sqlalchemy import Engine

from database import prices
from database.auto_trading_db import unit_of_work
from database.candles import Origin
from database.models import LatestPriceRow
from database.prices import LatestPrice
from tests.rows import T0

LIVE = Origin("binance", "exchange")
BTC = LatestPrice("BTC/USDT:USDT", Decimal("42000.15"), T0, Decimal("0.0001"), Decimal("1234.5"))
ETH = LatestPrice("ETH/USDT", Decimal("0.00000001"), T0)


def put(database: Engine, *rows: LatestPrice, origin: Origin = LIVE, seconds: int = 0) -> None:
    with unit_of_work(database) as session:
        prices.store_latest(session, rows, origin, T0 + timedelta(seconds=seconds))


def got(database: Engine, origin: Origin | None = None) -> list[LatestPriceRow]:
    with unit_of_work(database) as session:
        return prices.latest(session, origin)


def test_prices_come_back_as_they_were(database: Engine) -> None:
    put(database, ETH, BTC)
    btc, eth = got(database)
    assert (btc.venue, btc.source, btc.symbol) == ("binance", "exchange", BTC.symbol)
    assert (btc.price, btc.funding_rate, btc.open_interest) == (
        Decimal("42000.15"), Decimal("0.0001"), Decimal("1234.5"),
    )  # fmt: skip
    assert (btc.at, btc.received_at) == (T0, T0)
    assert (eth.symbol, eth.price) == ("ETH/USDT", Decimal("0.00000001"))
    assert (eth.funding_rate, eth.open_interest) == (None, None)


def test_a_newer_price_replaces_the_older_and_a_figure_that_is_gone_goes(database: Engine) -> None:
    put(database, BTC, ETH)
    later = LatestPrice(BTC.symbol, Decimal(43_000), T0 + timedelta(seconds=4))
    put(database, later, seconds=5)
    btc, eth = got(database)
    assert (btc.price, btc.at, btc.funding_rate) == (Decimal(43_000), later.at, None)
    assert btc.received_at == T0 + timedelta(seconds=5)
    assert eth.received_at == T0


def test_a_row_that_was_received_later_stays(database: Engine) -> None:
    put(database, BTC, seconds=5)
    put(database, LatestPrice(BTC.symbol, Decimal(1), T0), seconds=4)
    assert got(database)[0].price == Decimal("42000.15")


def test_sources_and_venues_are_kept_apart(database: Engine) -> None:
    demo = Origin("demo-7", "demo")
    put(database, BTC)
    put(database, LatestPrice(BTC.symbol, Decimal(7), T0), origin=demo)
    assert [(row.venue, row.price) for row in got(database)] == [
        ("binance", Decimal("42000.15")),
        ("demo-7", Decimal(7)),
    ]
    assert [row.price for row in got(database, demo)] == [Decimal(7)]


def test_nothing_is_stored_of_nothing(database: Engine) -> None:
    put(database)
    assert got(database) == []
