"""Walk-forward: each decision scored once, by a model that could not know it."""

from dataclasses import replace
from functools import lru_cache

import numpy as np
import pytest

from crypto_trader_pro.ai import evaluation, training, walk_forward
from crypto_trader_pro.ai.calendar import months_after
from crypto_trader_pro.ai.gates import skill_gate
from crypto_trader_pro.ai.proving import ShadowTrade, verdict
from crypto_trader_pro.ai.record import Record, joined
from crypto_trader_pro.ai.walk_forward import Run
from crypto_trader_pro.domain.errors import InputError
from tests.unit.test_ai_samples import HOUR, SMALL, START, planted, synthetic


@lru_cache
def planted_run() -> Run:
    return walk_forward.run(planted(), SMALL)


@lru_cache
def noise_run(seed: int) -> Run:
    return walk_forward.run(synthetic(0.0, seed=seed, stop_bp=1_500.0), SMALL)


def shadow_trades(record: Record, margin_bp: float = 0.0) -> list[ShadowTrade]:
    t = evaluation.gated(record, margin_bp)
    return [
        ShadowTrade(opened, closed, round(1_000 * expected), round(1_000 * net))
        for opened, closed, expected, net in zip(
            t.opened_ms.tolist(), t.closed_ms.tolist(), t.expected_bp.tolist(),
            t.net_bp.tolist(), strict=True,
        )
    ]  # fmt: skip


def test_models_are_due_after_the_needed_history_and_then_every_three_months() -> None:
    # 17 x 30 days from 2021-01-01 end on 2022-05-26
    expected = [months_after(START, m) for m in (9, 12, 15)]
    assert walk_forward.cutoffs(planted(), SMALL) == expected
    assert walk_forward.cutoffs(planted().where(planted().close_ms < START), SMALL) == []


def test_every_decision_after_an_embargo_is_scored_once_by_the_newest_model() -> None:
    s, run = planted(), planted_run()
    times = walk_forward.cutoffs(s, SMALL)
    expected = np.zeros(len(s), dtype=np.bool_)
    for cutoff, end in zip(times, [*times[1:], s.close_ms[-1] + 1], strict=True):
        expected |= (s.close_ms >= cutoff + SMALL.horizon_ms) & (s.close_ms < end)
    assert run.record.close_ms.tolist() == s.close_ms[expected].tolist()
    assert run.record.long.net_bp.tolist() == s.long_net_bp[expected].tolist()
    assert run.record.short.exit_ms.tolist() == s.short_exit_ms[expected].tolist()
    for k, model in enumerate(run.models):
        scored = run.record.close_ms[run.record.model == k]
        assert scored.min() - model.facts.cutoff_ms == SMALL.horizon_ms
        # purge and embargo: the last used trade ended before the cutoff, a horizon before the test
        assert model.facts.to_ms + SMALL.horizon_ms < model.facts.cutoff_ms


def test_its_models_are_those_that_training_alone_makes() -> None:
    s, run = planted(), planted_run()
    for cutoff, model in zip(walk_forward.cutoffs(s, SMALL), run.models, strict=True):
        assert training.fit(s, cutoff, SMALL).id == model.id
    rows = run.record.model == 1
    tested = s.where(np.isin(s.close_ms, run.record.close_ms[rows]))
    p = run.models[1].predict(tested.values, tested.stop_bp)
    assert run.record.long.probability[rows].tolist() == p.long.probability.tolist()
    assert run.record.short.edge_mbp[rows].tolist() == p.short.edge_mbp.tolist()
    base = set(run.record.long.base_rate[rows].tolist())
    assert base == {run.models[1].long.base_rate}


def test_a_later_part_of_the_data_changes_no_earlier_score() -> None:
    s = planted()
    times = walk_forward.cutoffs(s, SMALL)
    shorter = walk_forward.run(s.where(s.close_ms < times[2]), SMALL)
    whole = planted_run().record.where(planted_run().record.model < 2)
    assert shorter.record.long.probability.tolist() == whole.long.probability.tolist()


def test_progress_is_told_after_each_model() -> None:
    seen: list[tuple[int, int]] = []
    s = planted().where(planted().close_ms < months_after(START, 13))
    walk_forward.run(s, SMALL, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(1, 2), (2, 2)]


def test_too_little_history_is_refused() -> None:
    s = planted().where(planted().close_ms < months_after(START, 9))
    with pytest.raises(InputError, match="more than 9 months are needed"):
        walk_forward.run(s, SMALL)


def test_records_of_other_symbols_or_costs_are_not_joined() -> None:
    record = planted_run().record
    with pytest.raises(InputError, match="symbols or costs"):
        joined([record, replace(record, cost_bp=20.0)])
    with pytest.raises(InputError, match="symbols or costs"):
        joined([record, replace(record, symbols=("A/B:B",))])
    with pytest.raises(InputError, match="records were 0"):
        joined([])


def test_a_planted_edge_is_found_out_of_sample_and_proven() -> None:
    record = planted_run().record
    metrics = evaluation.evaluate(record)
    assert metrics.model.long.auc > 0.65
    assert metrics.model.directional_auc > 0.65
    assert metrics.model.long.skill > 0.05
    assert metrics.model.long.calibration_error < 0.03
    assert metrics.model.trades.intervals[0].low > 0
    assert metrics.baseline.trades.intervals[0].low > 0
    proven = verdict(shadow_trades(record), int(record.close_ms[-1]) + 14 * 24 * HOUR, SMALL)
    assert proven.open
    assert skill_gate(metrics.model.long.skill).open


@pytest.mark.parametrize("seed", [21, 22, 23])
def test_the_gates_find_no_edge_in_noise(seed: int) -> None:
    record = noise_run(seed).record
    metrics = evaluation.evaluate(record)
    assert metrics.model.long.auc == pytest.approx(0.5, abs=0.03)
    assert metrics.model.directional_auc == pytest.approx(0.5, abs=0.03)
    assert metrics.model.long.skill < 0.002
    # a stop of 15 % makes costs small, so that luck alone brings signals enough to be judged
    shadow = shadow_trades(record)
    assert len(shadow) > 150
    start, end = int(record.close_ms[0]), int(record.close_ms[-1])
    for now in range(start, end + 14 * 24 * HOUR, 7 * 24 * HOUR):
        assert not verdict(shadow, now, SMALL).open
