"""Samples: joined and pooled without loss or leak. Also the synthetic samples of other tests."""

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache

import numpy as np
import pytest

from crypto_trader_pro.ai import features, labels, samples, training
from crypto_trader_pro.ai.config import AiConfig
from crypto_trader_pro.ai.model import Model
from crypto_trader_pro.ai.samples import History, Samples
from crypto_trader_pro.domain.errors import InputError
from crypto_trader_pro.domain.market import CandleSeries, Floats, Ints
from crypto_trader_pro.domain.timeframes import to_ms
from tests.unit.test_ai_features import payments, real, same_bits
from tests.unit.test_ai_prefix_invariance import market

HOUR = 3_600_000
START = 1_609_459_200_000  # 2021-01-01 00:00 UTC
CUTOFF = 1_646_092_800_000  # 2022-03-01, 14 months later
SMALL = AiConfig(
    train_months=12,
    min_months=9,
    first_months=6,
    max_fit_rows=5_000,
    rounds=40,
    min_data_in_leaf=100,
    leaves=4,
)
STOP_BP = 150.0


def synthetic(
    edge: float, *, seed: int = 11, months: int = 17, symbols: int = 2, stop_bp: float = STOP_BP
) -> Samples:
    """Return hourly decisions of which feature 0 tells the side with strength `edge`.

    A trade wins two stop distances or loses one, before 14 bp. At edge 0 a third wins: nothing is
    to be earned before costs and there is nothing to learn.
    """
    rng = np.random.default_rng(seed)
    hours = months * 720
    n = hours * symbols
    close_ms = np.repeat(START + np.arange(hours, dtype=np.int64) * HOUR, symbols)
    values = rng.normal(size=(n, features.COUNT))
    values[:, 30] = np.nan  # no funding, ever
    values[rng.random(n) < 0.3, 35] = np.nan

    def side(sign: int) -> tuple[Floats, Ints]:
        chance = 1 / (1 + np.exp(np.log(2) - sign * edge * values[:, 0]))
        won = rng.random(n) < chance
        held = rng.integers(1, SMALL.horizon + 1, n) * HOUR
        return np.where(won, 2 * stop_bp, -stop_bp) - SMALL.cost_bp, close_ms + held

    (long_net, long_exit), (short_net, short_exit) = side(1), side(-1)
    return Samples(
        tuple(f"S{i}/USDT:USDT" for i in range(symbols)),
        np.tile(np.arange(symbols, dtype=np.int64), hours),
        close_ms,
        close_ms + SMALL.horizon_ms,
        values,
        np.full(n, stop_bp),
        long_net,
        long_exit,
        short_net,
        short_exit,
    )


@lru_cache
def planted() -> Samples:
    return synthetic(0.8)


@lru_cache
def trained() -> Model:
    return training.fit(planted(), CUTOFF, SMALL)


@lru_cache
def btc_samples() -> Samples:
    series = real("BTC").slice(0, 3_000)
    return samples.build([History(series)], AiConfig(), btc=series)


def test_a_row_joins_features_and_both_trades_of_its_close() -> None:
    series, cfg = real("BTC").slice(0, 3_000), AiConfig()
    s = btc_samples()
    frame = features.compute(series, btc=series)
    long = labels.outcomes(series, frame.atr, 1, cfg)
    short = labels.outcomes(series, frame.atr, -1, cfg)
    # ready from candle 720 on; the last 25 candles have no whole trade ahead
    assert len(s) == 3_000 - 720 - 25
    rows = slice(720, 3_000 - 25)
    assert (s.close_ms == frame.close_ms[rows]).all()
    assert (s.end_ms == frame.close_ms[rows] + 24 * HOUR).all()
    assert same_bits(s.values, frame.values[rows])
    assert (s.long_net_bp == long.net_bp[rows]).all()
    assert (s.short_net_bp == short.net_bp[rows]).all()
    assert (s.long_exit_ms == long.exit_ms[rows]).all()
    assert (s.long_exit_ms <= s.end_ms).all()
    assert (s.short_exit_ms <= s.end_ms).all()
    assert (s.stop_bp == long.stop_bp[rows]).all()


def test_symbols_are_pooled_in_time_order() -> None:
    one, two = market(900, seed=1), market(900, seed=2)
    two = replace(two, symbol="ETH/USDT:USDT")
    s = samples.build([History(one), History(two)], AiConfig())
    assert s.symbols == ("BTC/USDT:USDT", "ETH/USDT:USDT")
    assert (np.diff(s.close_ms) >= 0).all()
    assert s.symbol.tolist() == [0, 1] * (900 - 720 - 25)
    alone = samples.build([History(two)], AiConfig())
    assert same_bits(s.where(s.symbol == 1).values, alone.values)


def test_the_funding_of_a_symbol_reaches_its_rows_and_no_other_symbols() -> None:
    one, two = market(900, seed=1), replace(market(900, seed=2), symbol="ETH/USDT:USDT")
    paid = payments(int(one.open_ms[0]), 120)
    s = samples.build([History(one, paid), History(two)], AiConfig())
    funding = s.values[:, features.NAMES.index("funding_3d")]
    assert not np.isnan(funding[s.symbol == 0]).any()
    assert np.isnan(funding[s.symbol == 1]).all()


def test_the_tick_of_a_symbol_reaches_its_trades() -> None:
    series = market(900)
    fine = samples.build([History(series)], AiConfig())
    coarse = samples.build([History(series, tick_units=50)], AiConfig())
    assert (coarse.long_net_bp != fine.long_net_bp).mean() > 0.5
    assert same_bits(coarse.values, fine.values)


def build_twice(series: CandleSeries) -> None:
    samples.build([History(series), History(series)], AiConfig())


def build_none(_: CandleSeries) -> None:
    samples.build([], AiConfig())


def build_at_4h(series: CandleSeries) -> None:
    samples.build([History(series)], AiConfig(timeframe_ms=4 * HOUR))


@pytest.mark.parametrize(
    ("build", "line"),
    [
        (build_twice, "symbols were BTC/USDT:USDT, BTC/USDT:USDT, allowed: each one once"),
        (build_none, "symbols were none"),
        (build_at_4h, "BTC/USDT:USDT: timeframe was 3600000 ms, allowed: 14400000 ms"),
    ],
)
def test_unusable_histories_are_refused(build: Callable[[CandleSeries], None], line: str) -> None:
    with pytest.raises(InputError) as refused:
        build(market(900))
    assert str(refused.value).startswith(line)


def test_the_synthetic_market_is_fair_before_costs() -> None:
    s = synthetic(0.0)
    error = 1.5 * STOP_BP / len(s) ** 0.5  # a result's standard deviation is about 1.41 stops
    assert abs(s.long_net_bp.mean() + 14) < 3 * error
    assert to_ms_of("2022-03-01") == CUTOFF


def to_ms_of(day: str) -> int:
    from datetime import datetime

    return to_ms(datetime.fromisoformat(day + "T00:00:00+00:00"))
