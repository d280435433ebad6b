"""Candles and funding rates come back from both databases exactly as they were stored."""

import time

from sqlalchemy import Engine

from auto_trading.gateways.candle_files import read_candles
from crypto_trader_pro.simulation.instruments import instrument
from database import candles
from database.auto_trading_db import unit_of_work
from tests.market_data import candle_file


def test_x(database: Engine) -> None:
    i = instrument("BTC/USDT:USDT")
    s = read_candles(candle_file("binance-usdm_BTCUSDT_5m_20230101-20240514"), i, 300000)
    o = candles.Origin("binance", "file")
    t = time.perf_counter()
    with unit_of_work(database) as session:
        print(len(s), candles.store(session, s, i, o))
    a = time.perf_counter()
    with unit_of_work(database) as session:
        print(candles.store(session, s, i, o))
    b = time.perf_counter()
    with unit_of_work(database) as session:
        l = candles.load(session, i, 300000, o)
    c = time.perf_counter()
    with unit_of_work(database) as session:
        print(candles.coverage(session))
    print(a - t, b - a, c - b, time.perf_counter() - c)
    assert (l.close == s.close).all()
