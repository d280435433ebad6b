"""The 36 features against a plain loop, one live window against the whole history, and joins."""

import math
import subprocess
import sys
from dataclasses import replace
from functools import lru_cache
from itertools import pairwise

import numpy as np
import pytest

from auto_trading.gateways.candle_files import read_candles
from crypto_trader_pro.ai import features as fe
from crypto_trader_pro.ai.prefix_invariance import first_difference
from crypto_trader_pro.domain.errors import InputError
from crypto_trader_pro.domain.market import CandleSeries, Floats
from crypto_trader_pro.simulation.instruments import INSTRUMENTS
from tests.market_data import candle_file
from tests.unit.test_ai_prefix_invariance import market

HOUR = 3_600_000
DAY = 24 * HOUR


@lru_cache
def real(base: str, source: str = "usdm") -> CandleSeries:
    span = "20201023-20240616" if source == "usdm" else "20170817-20230802"
    symbol = f"{base}/USDT:USDT" if source == "usdm" else f"{base}/USDT"
    path = candle_file(f"binance-{source}_{base}USDT_1h_{span}")
    return read_candles(path, INSTRUMENTS[symbol], HOUR)


@lru_cache
def frame(base: str) -> fe.FeatureFrame:
    return fe.compute(real(base), btc=real("BTC"))


def same_bits(a: Floats, b: Floats) -> bool:
    both_missing = np.isnan(a) & np.isnan(b)
    return bool(((a.view(np.int64) == b.view(np.int64)) | both_missing).all())


def column(f: fe.FeatureFrame, name: str) -> Floats:
    return f.values[:, fe.NAMES.index(name)]


def average(x: list[float], decay: float, count: int) -> float:
    weights = [decay**j for j in range(count)]
    values = x[::-1][:count]
    return math.fsum(w * v for w, v in zip(weights, values, strict=True)) / math.fsum(weights)


def averages(x: list[float], decay: float, count: int) -> list[float]:
    return [average(x[: i + 1], decay, count) for i in range(count - 1, len(x))]


def by_hand(s: CandleSeries) -> dict[str, float]:
    """All candle features of the last row as plain sums over the last 721 candles."""
    high, low, close = ([float(v) for v in x[-721:]] for x in (s.high, s.low, s.close))
    volume = [float(v) for v in s.volume[-721:]]
    c = close[-1]
    r = [b / a - 1 for a, b in pairwise(close)]

    def vol(k: int) -> float:
        return math.sqrt(math.fsum(x * x for x in r[-k:]) / k)

    true = [
        max(h, before) - min(l_, before)
        for h, l_, before in zip(high[1:], low[1:], close, strict=False)
    ]
    wilder, v96 = 13 / 14, vol(96)
    atr = average(true, wilder, 256)
    move = [b - a for a, b in pairwise(close)]
    gain = average([max(m, 0.0) for m in move], wilder, 256)
    loss = average([max(-m, 0.0) for m in move], wilder, 256)
    up = [b - a for a, b in pairwise(high)]
    down = [a - b for a, b in pairwise(low)]
    plus = averages([u if u > d and u > 0 else 0.0 for u, d in zip(up, down, strict=True)],
                    wilder, 256)  # fmt: skip
    minus = averages([d if d > u and d > 0 else 0.0 for u, d in zip(up, down, strict=True)],
                     wilder, 256)  # fmt: skip
    index = [100 * abs(p - m) / (p + m) for p, m in zip(plus, minus, strict=True)]
    macd = [
        f - s_
        for f, s_ in zip(averages(close, 11 / 13, 256), averages(close, 25 / 27, 256), strict=True)
    ]
    spread = [(h - l_) / ((h + l_) / 2) for h, l_ in zip(high[-96:], low[-96:], strict=True)]
    parkinson = math.sqrt(math.fsum(x * x for x in spread) / 96 / (4 * math.log(2)))
    signed = [v if m > 0 else -v if m < 0 else 0.0 for v, m in zip(volume[1:], move, strict=True)]

    def place(k: int) -> float:
        return (c - min(low[-k:])) / (max(high[-k:]) - min(low[-k:]))

    return {
        **{f"ret_{k}": (c / close[-1 - k] - 1) / (v96 * math.sqrt(k))
           for k in (1, 6, 12, 24, 48, 96)},
        "vol_12": vol(12), "vol_96": v96, "vol_7d": vol(168), "vol_ratio": vol(12) / v96,
        "atr_pct": atr / c, "atr_ratio": atr / (math.fsum(true[-96:]) / 96),
        "pk_ratio": parkinson / v96,
        "skew_96": math.fsum(x**3 for x in r[-96:]) / 96 / v96**3,
        "pos_48": place(48), "pos_288": place(288), "pos_30d": place(720),
        "dist_hi_96": (max(high[-96:]) - c) / atr, "dist_lo_96": (c - min(low[-96:])) / atr,
        "vr_1": volume[-1] / (math.fsum(volume[-96:]) / 96),
        "vr_24": math.fsum(volume[-24:]) / 24 / (math.fsum(volume[-168:]) / 168),
        "svol_24": math.fsum(signed[-24:]) / math.fsum(volume[-24:]),
        "rsi_14": 100 * gain / (gain + loss),
        "macd_h": (macd[-1] - average(macd, 0.8, 256)) / atr,
        "adx_14": average(index, wilder, 256),
        "ema_200": (c - average(close, 199 / 201, 720)) / atr,
        "eff_24": abs(c - close[-25]) / math.fsum(abs(m) for m in move[-24:]),
        "ac1_96": math.fsum(a * b for a, b in zip(r[-96:], r[-97:-1], strict=True))
        / math.fsum(x * x for x in r[-96:]),
        "d1": c / close[-25] - 1, "d7": c / close[-169] - 1,
    }  # fmt: skip


def test_there_are_36_features_and_the_schema_hash_is_theirs() -> None:
    assert len(fe.NAMES) == len(set(fe.NAMES)) == 36
    # a changed definition must change this line and DEFINITION_VERSION: old models are then refused
    assert fe.SCHEMA_HASH.startswith(SCHEMA)


@pytest.mark.parametrize("base", ["ETH", "DOGE"])
@pytest.mark.parametrize("row", [720, 5_000, 13_777, 31_972])
def test_every_candle_feature_is_what_a_plain_loop_makes_of_its_window(base: str, row: int) -> None:
    window = real(base).slice(row - 720, row + 1)
    expected = by_hand(window)
    got = dict(zip(fe.NAMES, frame(base).values[row].tolist(), strict=True))
    for name, value in expected.items():
        assert got[name] == pytest.approx(value, rel=1e-8, abs=1e-10), name
    others = {"hour_sin", "hour_cos", "weekday_sin", "weekday_cos", "funding_3d", "btc_12"}
    assert set(fe.NAMES) - set(expected) == others
    atr_units = expected["atr_pct"] * int(window.close[-1])
    assert frame(base).atr[row] == math.ceil(round(atr_units, 6))


def test_one_live_window_gives_the_bits_of_the_whole_history() -> None:
    series, btc, whole = real("SOL"), real("BTC"), frame("SOL")
    rng = np.random.default_rng(4)
    for row in [720, len(series) - 1, *rng.integers(720, len(series), 60).tolist()]:
        cut = slice(row - 720, row + 1)
        live = fe.compute(series.slice(cut.start, cut.stop), btc=btc.slice(cut.start, cut.stop))
        assert live.ready[-1]
        assert same_bits(live.values[-1], whole.values[row]), row
        assert live.atr[-1] == whole.atr[row]


def test_several_symbols_in_one_block_give_the_bits_of_each_history() -> None:
    row = 20_000
    bases = ("BTC", "ETH", "SOL", "XRP")
    windows = [real(b).slice(row - 1_000, row + 1) for b in bases]  # more than a window is fine
    windows.append(real("ADA").slice(row - 700, row + 1))  # too short
    live = fe.compute_rows(windows, btc=real("BTC").slice(row - 96, row + 1))
    assert live.ready.tolist() == [True] * 4 + [False]
    for i, base in enumerate(bases):
        assert same_bits(live.values[i], frame(base).values[row])
        assert live.atr[i] == frame(base).atr[row]
        assert live.close_ms[i] == real(base).open_ms[row] + HOUR
    assert np.isnan(live.values[4]).all()
    assert live.atr[4] == 0


def test_no_windows_give_no_rows() -> None:
    assert fe.compute_rows([]).values.shape == (0, 36)


def test_unusable_windows_are_refused() -> None:
    s = market(800)
    with pytest.raises(InputError, match="BTC/USDT:USDT: the window has no candle"):
        fe.compute_rows([s.slice(0, 0)])
    finer = CandleSeries(
        "ETH/USDT:USDT", 900_000, s.open_ms, s.open, s.high, s.low, s.close, s.volume
    )
    with pytest.raises(InputError, match="ETH/USDT:USDT: timeframe was 900000 ms"):
        fe.compute_rows([s, finer])
    with pytest.raises(InputError, match="timeframe was 900000 ms, allowed: 3600000 ms"):
        fe.compute(s, btc=finer)


def test_no_feature_reads_a_later_candle() -> None:
    series = real("ETH").slice(9_000, 11_000)
    btc = real("BTC").slice(9_000, 11_000)
    funding = payments(int(series.open_ms[0]), 400)

    def values(s: CandleSeries) -> Floats:
        f = fe.compute(s, btc=btc, funding=funding)
        return np.column_stack((f.values, f.atr, f.ready))

    def of_btc(b: CandleSeries) -> Floats:
        return fe.compute(series, btc=b).values

    assert first_difference(series, values, (720, 1_200, 1_997)) is None
    assert first_difference(btc, of_btc, (720, 1_200, 1_997)) is None


def test_later_funding_changes_no_earlier_row() -> None:
    series = market(1_000)
    funding = payments(int(series.open_ms[0]), 125)
    whole = fe.compute(series, funding=funding).values
    for kept in (90, 100, 124):
        cut = fe.FundingSeries(funding.symbol, funding.at_ms[:kept], funding.rate[:kept])
        known = series.open_ms + HOUR < funding.at_ms[kept]
        assert same_bits(fe.compute(series, funding=cut).values[known], whole[known])


def payments(from_ms: int, count: int) -> fe.FundingSeries:
    """Return a payment every 8 hours: 1, 2, 3, ... basis points."""
    at = from_ms + np.arange(count, dtype=np.int64) * 8 * HOUR
    return fe.FundingSeries("BTC/USDT:USDT", at, (np.arange(count, dtype=np.int64) + 1) * 10_000)


def test_funding_is_the_mean_of_what_was_paid_in_three_days_at_or_before_the_close() -> None:
    series = market(1_000)
    start = int(series.open_ms[0])
    f = fe.compute(series, funding=payments(start, 125))
    # candle 799 closes 800 h after the start = payment 100 (counted from 0, paid at that instant):
    # payments 92..100 are 93..101 bp, mean 97; an hour before it is 91..99, mean 96
    assert column(f, "funding_3d")[799] == 97.0
    assert column(f, "funding_3d")[798] == 96.0


def test_funding_paid_a_millisecond_after_the_close_is_not_known_at_it() -> None:
    series = market(1_000)
    on_time = payments(int(series.open_ms[0]), 125)
    late = fe.FundingSeries(on_time.symbol, on_time.at_ms + 1, on_time.rate)
    f = fe.compute(series, funding=late)
    # as above, but the payment of 800 h (101 bp) comes just after the close of candle 799, and
    # that of 728 h (92 bp), just inside the three days, still counts: 92..100, mean 96
    assert column(f, "funding_3d")[799] == 96.0
    assert column(f, "funding_3d")[800] == 97.0


def test_a_hole_in_the_funding_makes_it_missing_and_never_zero() -> None:
    series = market(1_000)
    whole = payments(int(series.open_ms[0]), 125)
    keep = np.ones(125, dtype=np.bool_)
    keep[96] = False
    holed = fe.FundingSeries(whole.symbol, whole.at_ms[keep], whole.rate[keep])
    got = column(fe.compute(series, funding=holed), "funding_3d")
    # Row k closes at k + 1 h. At 769 h the eight payments of 704..760 h are known: 89..96 bp. The
    # one due at 768 h may be nine hours after the last; three days after 776 - 9 h it is forgotten.
    assert got[768] == 92.5
    assert np.isnan(got[769:838]).all()
    assert not np.isnan(got[838:]).any()
    for none in (None, fe.FundingSeries("X/Y:Y", np.array([], np.int64), np.array([], np.int64))):
        got = column(fe.compute(series, funding=none), "funding_3d")
        assert np.isnan(got).all()


def test_funding_is_missing_until_three_days_are_known() -> None:
    series = market(1_000)
    late = payments(int(series.open_ms[0]) + 800 * HOUR, 25)
    got = column(fe.compute(series, funding=late), "funding_3d")
    # the first payment is at 800 h; three days before it leave nine hours: 800 + 72 - 9 = 863 h
    assert np.isnan(got[:862]).all()
    assert not np.isnan(got[862:]).any()


def test_funding_series_are_checked() -> None:
    with pytest.raises(ValueError, match="2 funding times, 1 rates"):
        fe.FundingSeries("A/B:B", np.array([1, 2]), np.array([1]))
    with pytest.raises(ValueError, match="must increase"):
        fe.FundingSeries("A/B:B", np.array([2, 2]), np.array([1, 1]))


def test_btc_is_joined_by_time_and_missing_where_it_has_no_candle() -> None:
    btc = market(1_000, seed=5)
    series = market(1_000, seed=6)
    own = column(fe.compute(btc, btc=btc), "btc_12")
    assert same_bits(own, column(fe.compute(btc), "ret_12"))
    got = column(fe.compute(series, btc=btc), "btc_12")
    assert same_bits(got, own)  # the same times, so the same values
    hole = np.delete(np.arange(1_000), 800)
    holed = CandleSeries(btc.symbol, HOUR, *(getattr(btc, n)[hole] for n in
                         ("open_ms", "open", "high", "low", "close", "volume")))  # fmt: skip
    got = column(fe.compute(series, btc=holed), "btc_12")
    assert not np.isnan(got[799])
    assert np.isnan(got[800:897]).all()  # no candle, then 96 windows of 97 candles with the gap
    assert same_bits(got[897:], own[897:])
    assert np.isnan(column(fe.compute(series), "btc_12")).all()
    assert np.isnan(column(fe.compute(series, btc=btc.slice(0, 50)), "btc_12")).all()


def test_time_features_are_those_of_the_close_in_utc() -> None:
    series = market(1_000)
    f = fe.compute(series)
    rows = np.flatnonzero(f.ready)
    for row in rows[:200].tolist():
        hour = f.close_ms[row] // HOUR % 24
        weekday = (f.close_ms[row] // DAY + 3) % 7  # 1970-01-01 was a Thursday, Monday is 0
        for name, turn in (("hour", hour / 24), ("weekday", weekday / 7)):
            angle = 2 * math.pi * turn
            assert column(f, f"{name}_sin")[row] == pytest.approx(math.sin(angle), abs=1e-15)
            assert column(f, f"{name}_cos")[row] == pytest.approx(math.cos(angle), abs=1e-15)


def test_a_gap_makes_the_next_720_rows_not_ready() -> None:
    series = real("BTC", "spot")  # has 28 gaps
    f = fe.compute(series)
    steps = np.diff(series.open_ms)
    gaps = np.flatnonzero(steps != HOUR) + 1  # first candle after each
    assert len(gaps) == 28
    expected = np.ones(len(series), dtype=np.bool_)
    expected[:720] = False
    for first in gaps.tolist():
        expected[first : first + 720] = False
    assert (f.ready == expected).all()
    assert np.isnan(f.values[~f.ready]).all()
    assert (f.atr[~f.ready] == 0).all()
    assert (f.atr[f.ready] > 0).all()


@pytest.mark.parametrize(
    ("name", "value"), [("low", 0), ("high", 1), ("volume", -1), ("open", 10**9), ("close", 1)]
)
def test_an_impossible_candle_makes_721_rows_not_ready_and_harms_no_other(
    name: str, value: int
) -> None:
    series = market(2_500)
    prices = getattr(series, name).copy()
    prices[1_000] = value
    broken = fe.compute(replace(series, **{name: prices}))
    whole = fe.compute(series)
    assert not broken.ready[1_000:1_721].any()
    assert broken.ready[720:1_000].all()
    assert broken.ready[1_721:].all()
    assert same_bits(broken.values[1_721:], whole.values[1_721:])
    assert same_bits(broken.values[:1_000], whole.values[:1_000])


def test_a_dead_market_has_missing_ratios_and_not_zeros() -> None:
    n = 800
    flat = np.full(n, 100, dtype=np.int64)
    series = CandleSeries(
        "DEAD/USDT:USDT", HOUR, np.arange(n) * HOUR, flat, flat, flat, flat, flat * 0
    )
    f = fe.compute(series)
    assert f.ready[-1]
    for name in ("ret_1", "vol_ratio", "atr_ratio", "pos_48", "vr_1", "svol_24", "ac1_96"):
        assert math.isnan(column(f, name)[-1]), name
    for name, value in (("vol_96", 0.0), ("rsi_14", 50.0), ("adx_14", 0.0), ("d1", 0.0)):
        assert column(f, name)[-1] == value
    assert f.atr[-1] == 0


def test_too_few_candles_give_rows_that_are_not_ready() -> None:
    f = fe.compute(market(720))
    assert not f.ready.any()
    assert np.isnan(f.values).all()
    assert fe.compute(market(721)).ready.tolist() == [False] * 720 + [True]


def test_features_load_neither_models_nor_pandas() -> None:
    code = (
        "import sys, crypto_trader_pro.ai.features, crypto_trader_pro.ai.evaluation, "
        "crypto_trader_pro.ai.gates, crypto_trader_pro.ai.labels, crypto_trader_pro.ai.samples\n"
        "print([m for m in ('lightgbm', 'sklearn', 'pandas', 'scipy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


SCHEMA = "1e74292dbd966c5d"
