"""Closed trades of backtests by the engine: nothing of its cash is lost or counted twice."""

from pathlib import Path

import pytest

from auto_trading.backtesting.candles import Candles
from auto_trading.backtesting.reference import run_reference
from auto_trading.backtesting.request import BacktestRequest
from auto_trading.replay_market import ReplayRequest
from config.loading import load
from crypto_trader_pro.backtest.closed_trades import round_trips
from crypto_trader_pro.backtest.performance import performance
from crypto_trader_pro.backtest.result import (
    FILL_FEE,
    FILL_LOTS,
    FILL_PRICE,
    FILL_SIDE,
    FILL_SYMBOL,
    BacktestResult,
)
from crypto_trader_pro.domain.enums import Side
from crypto_trader_pro.domain.instruments import money
from crypto_trader_pro.domain.positions import Position
from tests.builders import a_fill
from tests.synthetic import BTC, ETH, MINUTE, write_candles, write_funding

STRATEGY = ("ema_cross",)


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> BacktestResult:
    folder: Path = tmp_path_factory.mktemp("closed_trades")
    coins = (BTC, ETH)
    paths = tuple(
        write_candles(folder / f"{coin.symbol.split('/')[0]}.csv.gz", coin, seed=3, bars=3_000)
        for coin in coins
    )
    funding = write_funding(
        folder / "funding.csv.gz", [coin.symbol for coin in coins], seed=3, hours=60
    )
    market = ReplayRequest(
        tuple(coin.symbol for coin in coins), paths, "1m", 60, STRATEGY, funding=funding
    )
    candles = Candles.load(BacktestRequest(market), None)
    settings = load(environ={}, dotenv={})
    return run_reference(candles, STRATEGY, MINUTE, settings, folder).result


def test_realized_profit_is_the_cash_and_what_open_positions_cost(result: BacktestResult) -> None:
    found = round_trips(result)
    assert len(found.closed) > 50
    assert len({trip.reason for trip in found.closed}) >= 2
    positions = [Position(what) for what in result.instruments]
    for row in result.fills.tolist():
        place, side = row[FILL_SYMBOL], Side.of(row[FILL_SIDE])
        positions[place] = positions[place].apply(
            a_fill(
                side, row[FILL_LOTS], row[FILL_PRICE], row[FILL_FEE],
                symbol=positions[place].symbol,
            )
        )  # fmt: skip
    assert tuple(held.lots for held in positions) == result.positions
    tied_up = sum(held.cost for held in positions)
    assert result.opening + found.realized == result.cash + tied_up
    assert found.realized == sum(held.realized for held in positions) + result.funding_received


def test_every_payment_and_fee_belongs_to_a_trade(result: BacktestResult) -> None:
    found = round_trips(result)
    trips = (*found.closed, *found.open)
    assert len(result.funding) > 20
    assert sum(trip.funding for trip in trips) == result.funding_received
    assert sum(trip.fees for trip in trips) == result.fees
    # a trade that no full hour fell into paid nothing
    hour = 60 * MINUTE
    for trip in found.closed:
        if trip.closed_ms is not None and trip.opened_ms // hour == trip.closed_ms // hour:
            assert trip.funding == 0
    assert {trip.strategy for trip in trips} == {0}


def test_the_table_is_of_the_same_run(result: BacktestResult) -> None:
    table = performance(result)
    assert table["fees"].value == money(result.fees)
    assert table["funding"].value == money(result.funding_received)
    assert table["return"].value == pytest.approx(result.final_equity / result.opening - 1)
    assert table["trades"].value == len(round_trips(result).closed)
    # the engine's own account of its deepest fall, in parts of 1e8
    assert table["max_drawdown"].value == pytest.approx(result.max_drawdown_rate / 1e8, abs=1e-7)
