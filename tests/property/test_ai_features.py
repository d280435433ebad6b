"""Whatever the candles: one live window equals the history, and nothing reads ahead."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from crypto_trader_pro.ai import features as fe
from crypto_trader_pro.ai.prefix_invariance import first_difference
from crypto_trader_pro.domain.market import CandleSeries, Floats

HOUR = 3_600_000
SEEDS = st.integers(0, 2**32 - 1)


def market(seed: int, n: int = 900) -> CandleSeries:
    """Return candles of many kinds: cheap or dear, dead or wild, with gaps and zero volume."""
    rng = np.random.default_rng(seed)
    level = int(10 ** rng.uniform(0.5, 8))
    step = max(1.0, level * 10 ** rng.uniform(-5, -1))
    moves = rng.normal(0, step, n) * rng.choice([0.0, 1.0, 8.0], n, p=[0.1, 0.85, 0.05])
    close = np.maximum(level + np.cumsum(moves), 1).astype(np.int64)
    open_ = np.concatenate((close[:1], close[:-1]))
    wick = rng.exponential(step, (2, n)).astype(np.int64)
    high = np.maximum(open_, close) + wick[0]
    low = np.maximum(np.minimum(open_, close) - wick[1], 1)
    volume = rng.integers(0, 10**9, n) * (rng.random(n) > 0.05)
    skipped = np.cumsum(rng.random(n) < rng.choice([0.0, 0.002]))
    open_ms = (np.arange(n) + 450_000 + skipped) * HOUR
    return CandleSeries("A/USDT:USDT", HOUR, open_ms, open_, high, low, close, volume)


def bits(x: Floats) -> list[int]:
    codes: list[int] = np.where(np.isnan(x), 0.5, x).view(np.int64).tolist()
    return codes


@settings(max_examples=25, deadline=None)
@given(seed=SEEDS, back=st.integers(0, 179))
def test_a_live_window_gives_the_bits_of_the_history(seed: int, back: int) -> None:
    series, btc = market(seed), market(seed + 1)
    row = len(series) - 1 - back
    whole = fe.compute(series, btc=btc)
    window = series.slice(row - 720, row + 1)
    known = btc.between(None, int(series.open_ms[row]) + HOUR)
    live = fe.compute_rows([window], btc=known)
    assert bool(live.ready[0]) == bool(whole.ready[row])
    assert bits(live.values[0]) == bits(whole.values[row])
    assert live.atr[0] == whole.atr[row]


@settings(max_examples=15, deadline=None)
@given(seed=SEEDS, cut=st.integers(720, 898))
def test_no_row_depends_on_later_candles(seed: int, cut: int) -> None:
    def rows(s: CandleSeries) -> Floats:
        f = fe.compute(s, btc=s)
        return np.column_stack((f.values, f.atr, f.ready))

    assert first_difference(market(seed), rows, [cut]) is None


@settings(max_examples=25, deadline=None)
@given(seed=SEEDS)
def test_features_are_bounded_or_missing_and_never_endless(seed: int) -> None:
    f = fe.compute(market(seed))
    assert not np.isinf(f.values).any()
    for name, low, high in (
        ("rsi_14", 0, 100), ("adx_14", 0, 100), ("pos_48", 0, 1), ("pos_30d", 0, 1),
        ("eff_24", 0, 1), ("svol_24", -1, 1), ("atr_pct", 0, np.inf), ("dist_lo_96", 0, np.inf),
    ):  # fmt: skip
        column = f.values[:, fe.NAMES.index(name)]
        seen = column[~np.isnan(column)]
        assert ((seen >= low - 1e-9) & (seen <= high + 1e-9)).all(), name
