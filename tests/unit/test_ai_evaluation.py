"""Scores against scikit-learn and by hand; trades one at a time; intervals over blocks."""

import math
from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import brier_score_loss, log_loss, roc_auc_score

from crypto_trader_pro.ai import evaluation as ev
from crypto_trader_pro.ai.record import Record, SideRecord
from crypto_trader_pro.domain.errors import InputError

HOUR = 3_600_000
DAY = 24 * HOUR
MONDAY = 1_717_977_600_000  # 2024-06-10


def side(
    edges: list[float], nets: list[float], exits: list[int], *, ranks: bool = True
) -> SideRecord:
    n = len(edges)
    return SideRecord(
        probability=np.linspace(300_000, 400_000, n).astype(np.int64),
        edge_mbp=np.array([round(1_000 * e) for e in edges], dtype=np.int64),
        baseline_probability=np.full(n, 350_000, dtype=np.int64),
        baseline_edge_mbp=np.full(n, -1_000, dtype=np.int64),
        base_rate=np.full(n, 0.35),
        ranks=np.full(n, ranks),
        baseline_ranks=np.full(n, True),
        net_bp=np.array(nets, dtype=np.float64),
        exit_ms=MONDAY + np.array(exits, dtype=np.int64) * HOUR,
    )


def record(long: SideRecord, short: SideRecord, hours: list[int], symbol: list[int]) -> Record:
    n = len(hours)
    return Record(
        ("A/USDT:USDT", "B/USDT:USDT"),
        14.0,
        np.array(symbol, dtype=np.int64),
        MONDAY + np.array(hours, dtype=np.int64) * HOUR,
        np.zeros(n, dtype=np.int64),
        np.zeros(n, dtype=np.int64),
        long,
        short,
    )


def example() -> Record:
    """Five decisions of A at 0, 1, 2, 3, 4 h and one of B at 1 h."""
    hours, symbol = [0, 1, 1, 2, 3, 4], [0, 0, 1, 0, 0, 0]
    return record(
        side([5, 9, 2, 1, -3, 3], [10, 20, 30, 40, 50, 60], [3, 4, 9, 5, 6, 7]),
        side([4, 2, 8, 2, -1, 3], [-1, -2, -3, -4, -5, -6], [2, 3, 9, 4, 5, 6]),
        hours,
        symbol,
    )


def test_scores_are_those_of_scikit_learn() -> None:
    rng = np.random.default_rng(5)
    p = np.round(rng.uniform(0.05, 0.95, 3_000), 2)  # with ties
    won = rng.random(3_000) < p
    base = np.full(3_000, 0.4)
    s = ev.probability_scores(p, won, base)
    assert s.auc == pytest.approx(roc_auc_score(won, p))
    assert s.brier == pytest.approx(brier_score_loss(won, p))
    assert s.base_brier == pytest.approx(brier_score_loss(won, base))
    assert s.log_loss == pytest.approx(log_loss(won, p))
    assert s.base_log_loss == pytest.approx(log_loss(won, base))
    assert s.skill == pytest.approx(1 - s.brier / s.base_brier)
    assert s.rows == sum(d.rows for d in s.deciles) == 3_000
    assert [d.predicted for d in s.deciles] == sorted(d.predicted for d in s.deciles)


def test_the_calibration_error_by_hand() -> None:
    # ten tenths of two: predicted .1 of which none won, ... the last two .9 of which one won
    p = np.repeat([0.1] * 9 + [0.9], 2)
    won = np.array([False] * 18 + [True, False])
    s = ev.probability_scores(p, won, np.full(20, 0.5))
    # 9 tenths are off by .1, one by .4: 0.9 * 0.1 + 0.1 * 0.4
    assert s.calibration_error == pytest.approx(0.13)
    assert s.deciles[-1] == ev.Decile(2, 0.9, 0.5)


def test_an_auc_needs_both_kinds() -> None:
    assert math.isnan(ev.auc(np.array([1.0, 2.0]), np.array([True, True])))
    assert math.isnan(ev.auc(np.array([1.0, 2.0]), np.array([False, False])))
    assert ev.auc(np.array([1.0, 2.0]), np.array([False, True])) == 1.0
    assert ev.auc(np.array([2.0, 1.0]), np.array([False, True])) == 0.0
    assert ev.auc(np.array([1.0, 1.0]), np.array([False, True])) == 0.5


def test_few_rows_make_fewer_tenths_and_a_perfect_base_rate_no_skill() -> None:
    s = ev.probability_scores(np.array([0.2, 0.8]), np.array([False, True]), np.array([0.0, 1.0]))
    assert [d.rows for d in s.deciles] == [1, 1]
    assert math.isnan(s.skill)
    assert s.base_log_loss < 1e-8


def test_one_position_per_symbol_at_a_time_and_the_larger_edge_is_taken() -> None:
    t = ev.gated(example(), 0.0)
    # A at 0 h: long 5 > short 4, until 3 h; 1 h and 2 h are skipped; 3 h has no edge;
    # 4 h: 3 = 3, long. B at 1 h: short 8 > long 2.
    assert t.row.tolist() == [0, 5, 2]
    assert t.side.tolist() == [1, 1, -1]
    assert t.expected_bp.tolist() == [5.0, 3.0, 8.0]
    assert t.net_bp.tolist() == [10.0, 60.0, -3.0]
    assert (t.opened_ms - MONDAY).tolist() == [0, 4 * HOUR, HOUR]
    assert (t.closed_ms - MONDAY).tolist() == [3 * HOUR, 7 * HOUR, 9 * HOUR]


def test_a_position_may_open_at_the_close_at_which_the_last_one_ended() -> None:
    r = example()
    sooner = replace(r, long=replace(r.long, exit_ms=r.long.exit_ms - 2 * HOUR))
    # A: 0..1 h, then long 9 at 1 h until 2 h, then short 2 at 2 h until 4 h, then long 3 at 4 h
    assert ev.gated(sooner, 0.0).row.tolist() == [0, 1, 3, 5, 2]


def test_the_margin_is_to_be_exceeded() -> None:
    assert ev.gated(example(), 5.0).row.tolist() == [1, 2]
    assert ev.gated(example(), 4.999).row.tolist() == [0, 2]
    assert ev.gated(example(), 8.999).row.tolist() == [1]


def test_a_side_that_ranks_nothing_gives_no_trade() -> None:
    r = example()
    silent = replace(r, long=replace(r.long, ranks=np.full(6, False)))
    t = ev.gated(silent, 0.0)
    assert set(t.side.tolist()) == {-1}
    assert t.row.tolist() == [0, 3, 5, 2]
    mute = replace(silent, short=replace(r.short, ranks=np.full(6, False)))
    assert len(ev.gated(mute, -1e6).row) == 0
    assert ev.evaluate(mute).model.trades.trades == 0
    # what it would have promised still has a direction
    better = replace(mute, long=replace(mute.long, net_bp=np.array([9.0, 9, -9, -9, 9, 9])))
    # edge differences 1, 7, -6, -1, -2, 0; long does better in all but the third and fourth:
    # of 8 pairs the won row is above in (1, 7, -2, 0 over -6) 4 and (1, 7, 0 over -1) 3: 7 / 8
    assert ev.evaluate(better).model.directional_auc == 7 / 8


def test_the_baseline_has_its_own_trades() -> None:
    metrics = ev.evaluate(example())
    assert metrics.baseline.trades.trades == 0  # its edge is -1 bp throughout
    assert all(math.isnan(x) for x in metrics.baseline.trades.net_bp)
    assert math.isnan(metrics.baseline.trades.intervals[1].low)
    assert metrics.model.trades.trades == 3
    # (10 + 60 - 3) / 3 at 14 bp; 6 bp less at 20 bp
    assert metrics.model.trades.net_bp == pytest.approx((67 / 3, 67 / 3 - 6))
    assert metrics.model.trades.expected_bp == pytest.approx(16 / 3)


def test_always_long_takes_every_free_moment() -> None:
    t = ev.always_long(example())
    # A: 0 h until 3 h, 3 h until 6 h; B: 1 h
    assert t.row.tolist() == [0, 4, 2]
    assert set(t.side.tolist()) == {1}


def test_the_directional_part_compares_the_two_sides() -> None:
    nets = [10.0, -10.0, 5.0, 5.0]
    others = [-10.0, 10.0, 5.0, -5.0]  # the third is undecided and left out
    hours, symbol = [0, 1, 2, 3], [0, 0, 0, 0]
    for edges, expected in (([4, -4, 0, 2], 1.0), ([-4, 4, 0, -2], 0.0), ([1, 1, 0, 1], 0.5)):
        r = record(side([float(e) for e in edges], nets, hours),
                   side([0.0] * 4, others, hours), hours, symbol)  # fmt: skip
        assert ev.evaluate(r).model.directional_auc == expected


def test_trades_of_a_fortnight_are_one_draw() -> None:
    rng = np.random.default_rng(6)
    opened = MONDAY + np.arange(40, dtype=np.int64) * 14 * DAY
    net = rng.normal(5, 50, 40)
    alone = ev.block_bootstrap(opened, net)
    # every trade five times within its fortnight: no more is known than before
    copies = ev.block_bootstrap(np.repeat(opened, 5) + np.tile(np.arange(5) * DAY, 40),
                                np.repeat(net, 5))  # fmt: skip
    assert (copies.low, copies.high) == pytest.approx((alone.low, alone.high))
    assert alone.low < net.mean() < alone.high
    # and about what the normal distribution says
    assert alone.high - alone.low == pytest.approx(2 * 1.96 * net.std() / 40**0.5, rel=0.1)


def test_trades_of_a_single_fortnight_have_no_spread() -> None:
    at = np.array([MONDAY, MONDAY + DAY])
    got = ev.block_bootstrap(at, np.array([1.0, 3.0]))
    assert (got.low, got.high) == (2.0, 2.0)


def test_the_interval_is_the_same_each_time() -> None:
    assert ev.evaluate(example()).model.trades == ev.evaluate(example()).model.trades
    t = ev.gated(example(), 0.0)
    assert ev.block_bootstrap(t.opened_ms, t.net_bp) == ev.block_bootstrap(t.opened_ms, t.net_bp)


def test_an_empty_record_is_refused() -> None:
    with pytest.raises(InputError, match="record has no decisions"):
        ev.evaluate(example().where(np.zeros(6, dtype=np.bool_)))


def test_a_record_knows_its_sides() -> None:
    r = example()
    assert r.side(1) is r.long
    assert r.side(-1) is r.short
    assert len(r) == 6


def test_each_model_is_measured_on_its_own_part_of_the_record() -> None:
    whole = replace(example(), model=np.array([4, 4, 4, 5, 5, 5], dtype=np.int64))
    first, second = ev.by_model(whole)
    assert (first.index, first.rows, first.from_ms, first.to_ms) == (
        4, 3, MONDAY, MONDAY + HOUR,
    )  # fmt: skip
    assert (second.index, second.rows) == (5, 3)
    # A at 0 h long until 3 h, B at 1 h short: 10 and -3; then A at 2 h short until 4, at 4 h long
    assert (first.trades, first.net_bp) == (2, (10 - 3) / 2)
    assert (second.trades, second.net_bp) == (2, (-4 + 60) / 2)
    alone = ev.evaluate(whole.where(whole.model == 5))
    assert second.long.deciles == alone.model.long.deciles
    assert second.short.brier == alone.model.short.brier
    assert second.directional_auc == pytest.approx(alone.model.directional_auc, nan_ok=True)


def test_a_fold_without_a_trade_brings_nothing_that_could_be_shown() -> None:
    (fold,) = ev.by_model(example(), margin_bp=100.0)
    assert fold.trades == 0
    assert math.isnan(fold.net_bp)
