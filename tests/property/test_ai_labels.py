"""Whatever the candles: a label is the trade that the venue's own functions make."""

from decimal import Decimal
from typing import Literal

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from crypto_trader_pro.ai import labels
from crypto_trader_pro.ai.config import AiConfig
from tests.property.test_ai_features import SEEDS, market
from tests.unit.test_ai_labels import net_bp, trade


@settings(max_examples=40, deadline=None)
@given(
    seed=SEEDS,
    side=st.sampled_from([1, -1]),
    label=st.sampled_from(["atr", "fixed"]),
    horizon=st.integers(1, 30),
    multiples=st.tuples(st.integers(1, 50), st.integers(1, 100)),
    rates=st.tuples(st.integers(1, 20_000_000), st.integers(1, 40_000_000)),
    costs=st.tuples(st.integers(0, 500_000), st.integers(0, 2_000_000)),
    tick=st.sampled_from([1, 5, 10]),
)
def test_every_row_ends_as_a_step_by_step_trade(
    seed: int,
    side: Literal[1, -1],
    label: Literal["atr", "fixed"],
    horizon: int,
    multiples: tuple[int, int],
    rates: tuple[int, int],
    costs: tuple[int, int],
    tick: int,
) -> None:
    cfg = AiConfig(
        label=label,
        horizon=horizon,
        stop_atr=Decimal(multiples[0]) / 10,
        target_atr=Decimal(multiples[1]) / 10,
        stop_rate=rates[0],
        target_rate=rates[1],
        fee_rate=costs[0],
        slippage_rate=costs[1],
    )
    series = market(seed, 150)
    atr = np.random.default_rng(seed).integers(0, max(2, int(series.close[0]) // 50), 150)
    got = labels.outcomes(series, atr, side, cfg, tick_units=tick)
    bars, units = series.bars(), atr.tolist()
    for row in range(len(series)):
        expected = trade(bars, units[row], row, side, cfg, tick)
        assert bool(got.known[row]) == (expected is not None)
        if expected is None:
            continue
        reason, entry, out, index, ended = expected
        found = (got.reason[row], got.entry[row], got.exit[row], got.exit_index[row])
        assert found == (reason, entry, out, index)
        assert got.exit_ms[row] == ended
        assert abs(got.net_bp[row] - net_bp(side, entry, out, cfg.fee_rate)) < 1e-6
