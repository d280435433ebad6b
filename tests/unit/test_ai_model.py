"""Predictions: one row or many the same bits, and expected values by their formula."""

import math
from dataclasses import replace

import numpy as np
import pytest

from crypto_trader_pro.ai import explain
from crypto_trader_pro.ai.features import NAMES
from crypto_trader_pro.ai.model import Direction, Linear, Platt
from crypto_trader_pro.ai.predictions import SidePredictions
from crypto_trader_pro.domain.errors import InputError
from crypto_trader_pro.domain.market import Floats
from tests.unit.test_ai_samples import planted, trained


def columns(part: SidePredictions) -> list[list[int]]:
    return [
        getattr(part, name).tolist()
        for name in ("probability", "edge_mbp", "baseline_probability", "baseline_edge_mbp",
                     "break_even")
    ]  # fmt: skip


def test_one_row_alone_is_predicted_as_among_many() -> None:
    s = planted()
    rows = slice(0, 1_000)
    values, stop_bp = s.values[rows], s.stop_bp[rows] + np.arange(1_000)
    many = trained().predict(values, stop_bp)
    for i in (*range(40), 500, 999):
        one = trained().predict(values[i : i + 1], stop_bp[i : i + 1])
        for single, batch in ((one.long, many.long), (one.short, many.short)):
            assert [c[0] for c in columns(single)] == [c[i] for c in columns(batch)]
        assert one.novel[0] == many.novel[i]
    # nor does the layout in memory matter
    other = trained().predict(np.asfortranarray(values), stop_bp)
    assert columns(other.long) == columns(many.long)


def test_the_expected_value_subtracts_costs_once() -> None:
    model = trained()
    p = model.predict(planted().values[:200], np.full(200, 200.0))
    for i in range(200):
        chance = int(p.long.probability[i]) / 1e6
        # wins bring 2 stops, losses cost 1, of 200 bp; 14 bp go to costs
        expected = 200.0 * (chance * 2.0 - (1 - chance) * 1.0) - 14.0
        assert p.long.edge_mbp[i] == pytest.approx(1_000 * expected, abs=1.0)


def test_at_the_break_even_probability_the_edge_is_zero() -> None:
    model = trained()
    p = model.predict(planted().values[:1], np.array([150.0]))
    # 2 q - (1 - q) = 14 / 150, so q = (1 + 14 / 150) / 3 = 0.364444
    assert p.long.break_even[0] == 364_444
    wider = model.predict(planted().values[:1], np.array([1_500.0]))
    assert wider.long.break_even[0] == 336_444  # (1 + 14 / 1500) / 3
    tight = model.predict(planted().values[:1], np.array([5.0]))
    assert tight.long.break_even[0] > 1_000_000  # (1 + 14 / 5) / 3: no probability is enough


def test_calibration_is_platts_formula() -> None:
    model = trained()
    part = replace(
        model.long,
        linear=Linear((0.0,) * 36, 1.0, Platt(2.0, -0.5)),
    )
    p = replace(model, long=part).predict(planted().values[:1], np.array([150.0]))
    # the score is the intercept 1: 1 / (1 + exp(-(2 * 1 - 0.5)))
    assert p.long.baseline_probability[0] == round(1e6 / (1 + math.exp(-1.5)))


def test_an_extreme_score_is_a_probability_all_the_same() -> None:
    model = trained()
    for slope, expected in ((1e9, 1_000_000),):
        part = replace(model.long, linear=Linear((0.0,) * 36, 1.0, Platt(slope, 0.0)))
        p = replace(model, long=part).predict(planted().values[:1], np.array([150.0]))
        assert p.long.baseline_probability[0] == expected
    part = replace(model.long, linear=Linear((0.0,) * 36, -1.0, Platt(1e9, 0.0)))
    p = replace(model, long=part).predict(planted().values[:1], np.array([150.0]))
    assert p.long.baseline_probability[0] == 0


def test_novelty_counts_features_outside_the_training_range() -> None:
    model = trained()
    ordinary = np.zeros(36)
    ordinary[30] = np.nan  # funding was always missing: usual
    ordinary[35] = np.nan  # BTC was missing in a third of the rows: usual

    def novel(**changes: float) -> int:
        row = ordinary.copy()
        for name, value in changes.items():
            row[NAMES.index(name)] = value
        return int(model.predict(row.reshape(1, -1), np.array([150.0])).novel[0])

    assert novel() == 0
    assert novel(ret_1=9.0) == 1
    assert novel(ret_1=-9.0, rsi_14=9.0) == 2
    assert novel(ret_1=float("nan")) == 1  # it was never missing
    assert novel(funding_3d=1.0) == 1  # it was never seen
    edge = model.ranges.high[0]
    assert novel(ret_1=edge) == 0
    assert novel(ret_1=math.nextafter(edge, math.inf)) == 1


@pytest.mark.parametrize(
    ("values", "stop_bp", "line"),
    [
        (np.zeros((2, 35)), np.ones(2), "values were (2, 35) and stop_bp (2,), allowed: (n, 36)"),
        (np.zeros(36), np.ones(1), "values were (36,) and stop_bp (1,)"),
        (np.zeros((2, 36)), np.ones(3), "values were (2, 36) and stop_bp (3,)"),
        (np.zeros((1, 36)), np.zeros(1), "stop_bp was 0.0, allowed: above 0"),
        (np.zeros((1, 36)), np.array([np.nan]), "stop_bp was nan, allowed: above 0"),
    ],
)
def test_unusable_rows_are_refused(values: Floats, stop_bp: Floats, line: str) -> None:
    with pytest.raises(InputError) as refused:
        trained().predict(values, stop_bp)
    assert str(refused.value).startswith(line)


def test_no_rows_give_no_predictions() -> None:
    p = trained().predict(np.zeros((0, 36)), np.zeros(0))
    assert len(p.long.probability) == len(p.novel) == 0


def test_unreadable_trees_are_refused_in_one_line() -> None:
    part = trained().long
    with pytest.raises(InputError, match="model text is not readable") as refused:
        Direction("not a model", part.platt, part.linear, 0.3, 2.0, -1.0)
    assert "\n" not in str(refused.value)


def test_contributions_name_what_the_model_used_largest_first() -> None:
    row = planted().values[planted().values[:, 0] > 1.5][0]
    used = explain.contributions(trained(), 1, row)
    assert used[0].name == "ret_1"  # the planted one
    assert used[0].value == row[0]
    assert used[0].log_odds > 0.2
    sizes = [abs(c.log_odds) for c in used]
    assert sizes == sorted(sizes, reverse=True)
    assert all(size > 0 for size in sizes)
    opposite = explain.contributions(trained(), -1, row)
    assert opposite[0].name == "ret_1"
    assert opposite[0].log_odds < -0.2


def test_importance_is_the_mean_movement_of_the_contributions() -> None:
    model, values = trained(), planted().values[:5]
    expected: dict[str, list[float]] = {}
    for k, side in enumerate((1, -1)):
        for row in values:
            for c in explain.contributions(model, 1 if side > 0 else -1, row):
                expected.setdefault(c.name, [0.0, 0.0])[k] += abs(c.log_odds) / 5
    found = explain.importance(model, values)
    assert {f.name for f in found} == expected.keys()
    for f in found:
        assert [f.long, f.short] == pytest.approx(expected[f.name])
    sums = [f.long + f.short for f in found]
    assert sums == sorted(sums, reverse=True)
    assert explain.importance(model, values[:0]) == []


def test_contributions_add_up_to_the_calibrated_score() -> None:
    model, row = trained(), planted().values[7]
    p = int(model.predict(row.reshape(1, -1), np.array([150.0])).long.probability[0]) / 1e6
    raw = model.long.booster.contributions(row.reshape(1, -1))[0]
    average = raw[-1] * model.long.platt.slope + model.long.platt.intercept
    total = sum(c.log_odds for c in explain.contributions(model, 1, row)) + average
    assert total == pytest.approx(math.log(p / (1 - p)), abs=1e-4)


def test_a_model_that_ranks_nothing_used_nothing() -> None:
    model = trained()
    silent = replace(model, long=replace(model.long, platt=Platt(-0.1, 0.0)))
    assert explain.contributions(silent, 1, planted().values[0]) == []
    assert explain.contributions(silent, -1, planted().values[0]) != []


def test_contributions_of_another_shape_are_refused() -> None:
    with pytest.raises(InputError, match=r"values were \(1, 36\), allowed: \(36,\)"):
        explain.contributions(trained(), 1, planted().values[:1])
