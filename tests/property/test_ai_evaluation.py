"""Whatever the record: simulated trades never overlap, and scores stay in their bounds."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from crypto_trader_pro.ai import evaluation as ev
from crypto_trader_pro.ai.record import Record, SideRecord

HOUR = 3_600_000


def random_record(seed: int, n: int) -> Record:
    rng = np.random.default_rng(seed)
    symbol = rng.integers(0, 3, n)
    close_ms = np.sort(1_700_000 + rng.integers(0, 2_000, n)) * HOUR

    def side() -> SideRecord:
        return SideRecord(
            probability=rng.integers(0, 1_000_001, n),
            edge_mbp=rng.integers(-30_000, 30_000, n),
            baseline_probability=rng.integers(0, 1_000_001, n),
            baseline_edge_mbp=rng.integers(-30_000, 30_000, n),
            base_rate=np.full(n, 0.35),
            ranks=rng.random(n) < 0.9,
            baseline_ranks=rng.random(n) < 0.9,
            net_bp=rng.normal(-14, 200, n),
            exit_ms=close_ms + rng.integers(1, 25, n) * HOUR,
        )

    zeros = np.zeros(n, dtype=np.int64)
    return Record(
        ("A", "B", "C"), 14.0, symbol, close_ms, zeros, zeros, side(), side()
    )  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(1, 400), margin=st.floats(-20, 20))
def test_positions_of_a_symbol_never_overlap_and_every_signal_is_taken_when_free(
    seed: int, n: int, margin: float
) -> None:
    record = random_record(seed, n)
    trades = ev.gated(record, margin)
    assert (trades.expected_bp > margin).all()
    for symbol in range(3):
        own = record.symbol[trades.row] == symbol
        opened, closed = trades.opened_ms[own], trades.closed_ms[own]
        assert (opened[1:] >= closed[:-1]).all()
        taken = set(trades.row[own].tolist())
        for row in np.flatnonzero(record.symbol == symbol).tolist():
            edges = [
                part.edge_mbp[row]
                for part in (record.long, record.short)
                if part.ranks[row] and part.edge_mbp[row] > margin * 1000
            ]
            at = record.close_ms[row]
            earlier = [i for i in taken if i < row]
            busy = any(trades.closed_ms[np.flatnonzero(trades.row == i)[0]] > at for i in earlier)
            assert (row in taken) == (bool(edges) and not busy)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(2, 400))
def test_scores_stay_in_their_bounds(seed: int, n: int) -> None:
    metrics = ev.evaluate(random_record(seed, n))
    for part in (metrics.model, metrics.baseline):
        for scores in (part.long, part.short):
            assert np.isnan(scores.auc) or 0 <= scores.auc <= 1
            assert 0 <= scores.brier <= 1
            assert 0 <= scores.calibration_error <= 1
            assert scores.rows == n
        low, high = part.trades.intervals[0].low, part.trades.intervals[0].high
        assert part.trades.trades == 0 or low <= high
