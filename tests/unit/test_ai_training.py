"""Training: identical twice, blind to the future, calibrated, and honest about nothing to find."""

from dataclasses import fields, replace

import numpy as np
import pytest
from numpy.typing import NDArray

from crypto_trader_pro.ai import samples, training
from crypto_trader_pro.ai.calendar import months_after, months_before
from crypto_trader_pro.ai.config import AiConfig
from crypto_trader_pro.ai.evaluation import auc, probability_scores
from crypto_trader_pro.ai.model import raw_scores
from crypto_trader_pro.ai.samples import History, Samples
from crypto_trader_pro.domain.errors import InputError
from crypto_trader_pro.domain.market import CandleSeries
from tests.unit.test_ai_features import real
from tests.unit.test_ai_samples import CUTOFF, HOUR, SMALL, START, planted, synthetic, trained

MIX = np.random.default_rng(99)


def altered(s: Samples, rows: NDArray[np.bool_]) -> Samples:
    """Return samples whose features and results are garbage in `rows`."""
    columns = {}
    for name in ("values", "stop_bp", "long_net_bp", "short_net_bp"):
        column = getattr(s, name).copy()
        column[rows] = MIX.normal(size=column[rows].shape) * 1e3 + 5e3
        columns[name] = column
    return replace(s, **columns)


def test_a_model_trained_twice_is_identical() -> None:
    again = training.fit(synthetic(0.8), CUTOFF, SMALL)
    assert again == trained()
    assert again.id == trained().id


def test_the_seed_and_the_data_make_another_model() -> None:
    assert training.fit(planted(), CUTOFF, replace(SMALL, seed=2)).id != trained().id
    assert training.fit(synthetic(0.8, seed=12), CUTOFF, SMALL).id != trained().id


def test_data_after_the_cutoff_changes_nothing() -> None:
    s = planted()
    garbage = altered(s, s.end_ms >= CUTOFF)
    assert training.fit(garbage, CUTOFF, SMALL).id == trained().id
    assert training.fit(s.where(s.end_ms < CUTOFF), CUTOFF, SMALL).id == trained().id


def test_a_trade_that_can_end_at_the_cutoff_is_not_used_and_one_that_ends_before_is() -> None:
    s = planted()
    at_cutoff = s.end_ms == CUTOFF
    before = s.end_ms == CUTOFF - HOUR
    assert at_cutoff.any()
    assert before.any()
    assert training.fit(altered(s, at_cutoff), CUTOFF, SMALL).id == trained().id
    assert training.fit(altered(s, before), CUTOFF, SMALL).id != trained().id


def test_data_before_the_window_changes_nothing() -> None:
    s = planted()
    old = s.close_ms < months_before(CUTOFF, SMALL.train_months)
    assert old.any()
    assert training.fit(altered(s, old), CUTOFF, SMALL).id == trained().id


def test_candles_after_the_cutoff_change_no_model() -> None:
    series = real("BTC").slice(0, 6_000)
    cfg = replace(SMALL, first_months=6, min_months=6)
    cutoff = months_after(int(series.open_ms[720]) + HOUR, 6)
    later = series.open_ms >= cutoff
    assert later.sum() > 500
    moved = [np.where(later, getattr(series, n) * 3, getattr(series, n))
             for n in ("open", "high", "low", "close", "volume")]  # fmt: skip
    broken = CandleSeries(series.symbol, HOUR, series.open_ms, *moved)
    models = [
        training.fit(samples.build([History(s)], cfg, btc=s), cutoff, cfg) for s in (series, broken)
    ]
    assert models[0].id == models[1].id
    # and a day earlier it does matter
    moved = [
        np.where(series.open_ms >= cutoff - 24 * HOUR, getattr(series, n) * 3, getattr(series, n))
        for n in ("open", "high", "low", "close", "volume")
    ]
    broken = CandleSeries(series.symbol, HOUR, series.open_ms, *moved)
    leaked = training.fit(samples.build([History(broken)], cfg, btc=series), cutoff, cfg)
    assert leaked.id != models[0].id


def test_fit_and_calibration_are_apart_by_a_horizon_of_trades_and_one_of_embargo() -> None:
    s = planted()
    parts = training.split(s, CUTOFF, SMALL)
    assert not (parts.fit & parts.calibration).any()
    fit_ends, starts = s.end_ms[parts.fit].max(), s.close_ms[parts.calibration].min()
    # the last fitted trade ends one candle before the split, then one horizon passes
    assert starts - fit_ends == SMALL.horizon_ms + HOUR
    assert s.end_ms[parts.calibration].max() == CUTOFF - HOUR
    assert s.close_ms[parts.fit].min() == months_before(CUTOFF, 12)
    share = parts.calibration.sum() / (parts.fit | parts.calibration).sum()
    assert share == pytest.approx(0.2, abs=0.01)


def test_all_symbols_are_thinned_at_the_same_instants() -> None:
    cfg = replace(SMALL, max_fit_rows=3_000)
    model = training.fit(planted(), CUTOFF, cfg)
    parts = training.split(planted(), CUTOFF, cfg)
    rows = int(parts.fit.sum())  # about 13,900: every fifth instant of both symbols is kept
    assert model.facts.fit_rows == pytest.approx(rows / 5, abs=2)
    assert model.facts.fit_rows % 2 == 0
    assert model.facts.calibration_rows == int(parts.calibration.sum())
    # base rate and mean results are still those of every row
    assert model.long.base_rate == trained().long.base_rate
    assert model.long.mean_win == trained().long.mean_win


def test_the_planted_signal_is_found_and_its_probability_is_calibrated() -> None:
    s = planted()
    unseen = s.where(s.close_ms > CUTOFF)
    p = trained().predict(unseen.values, unseen.stop_bp)
    for part, net in ((p.long, unseen.long_net_bp), (p.short, unseen.short_net_bp)):
        assert part.ranks
        scores = probability_scores(
            part.probability / 1e6, net > 0, np.full(len(net), trained().long.base_rate)
        )
        assert scores.auc > 0.65
        assert scores.skill > 0.05
        assert scores.calibration_error < 0.03
        assert auc(part.baseline_probability / 1e6, net > 0) > 0.65


def test_calibration_repairs_a_model_that_is_too_sure() -> None:
    wild = replace(SMALL, leaves=31, rounds=150, min_data_in_leaf=5, l2=0.0)
    s = synthetic(0.4)
    model = training.fit(s, CUTOFF, wild)
    unseen = s.where(s.close_ms > CUTOFF)
    won = unseen.long_net_bp > 0
    raw = 1 / (1 + np.exp(-raw_scores(model.long, unseen.values)))
    calibrated = model.predict(unseen.values, unseen.stop_bp).long.probability / 1e6
    base = np.full(len(won), model.long.base_rate)
    before, after = (probability_scores(p, won, base) for p in (raw, calibrated))
    assert model.long.platt.slope < 0.7
    assert after.brier < before.brier
    assert after.log_loss < before.log_loss
    assert after.calibration_error < before.calibration_error
    assert after.skill > 0


def test_a_signal_that_reverses_before_the_cutoff_ranks_nothing_and_becomes_the_base_rate() -> None:
    s = planted()
    parts = training.split(s, CUTOFF, SMALL)
    values = s.values.copy()
    values[parts.calibration, 0] *= -1
    turned = replace(s, values=values)
    model = training.fit(turned, CUTOFF, SMALL)
    assert model.long.platt.slope < 0
    p = model.predict(s.values[:50], s.stop_bp[:50])
    assert not p.long.ranks
    assert not p.long.baseline_ranks
    assert set(p.long.probability.tolist()) == {round(model.long.base_rate * 1e6)}


def test_mean_results_are_in_stop_distances_before_costs() -> None:
    # a win is +2 stops, a loss -1 stop: costs of 14 bp are inside the results and added back
    assert trained().long.mean_win == pytest.approx(2.0)
    assert trained().long.mean_loss == pytest.approx(-1.0)
    assert trained().short.mean_win == pytest.approx(2.0)
    s = planted()
    parts = training.split(s, CUTOFF, SMALL)
    used = parts.fit | parts.calibration
    assert trained().long.base_rate == pytest.approx((s.long_net_bp[used] > 0).mean())


def test_the_facts_say_what_the_model_was_made_of() -> None:
    facts = trained().facts
    s = planted()
    used = s.where((s.close_ms >= months_before(CUTOFF, 12)) & (s.end_ms < CUTOFF))
    assert (facts.from_ms, facts.to_ms) == (used.close_ms[0], used.close_ms[-1])
    assert (facts.months, facts.shadow_only) == (12, False)
    assert facts.symbols == ("S0/USDT:USDT", "S1/USDT:USDT")
    assert facts.config_hash == SMALL.hash()
    assert {name for name, _ in facts.versions} == {"lightgbm", "numpy", "scikit-learn"}
    assert len({f.name for f in fields(facts)}) == 15


def test_ranges_are_the_half_percent_quantiles_of_the_training_data() -> None:
    s = planted()
    parts = training.split(s, CUTOFF, SMALL)
    used = s.values[parts.fit | parts.calibration]
    low, high = np.quantile(used[:, 3], (0.005, 0.995))
    assert (trained().ranges.low[3], trained().ranges.high[3]) == (low, high)
    assert trained().ranges.missing[30] == 1.0
    assert trained().ranges.missing[35] == pytest.approx(0.3, abs=0.01)
    assert np.isnan(trained().ranges.low[30])


@pytest.mark.parametrize(("months", "shadow"), [(6, True), (8, True), (9, False)])
def test_with_less_than_the_needed_history_a_model_is_for_shadow_only(
    months: int, shadow: bool
) -> None:
    model = training.fit(planted(), months_after(START, months), SMALL)
    assert (model.facts.months, model.facts.shadow_only) == (months, shadow)


@pytest.mark.parametrize(
    ("cutoff", "line"),
    [
        (months_after(START, 6) - 1, "history before the cutoff was 5 months, at least 6"),
        (START, f"no decision before the cutoff {START} to train on"),
    ],
)
def test_without_enough_history_no_model_is_trained(cutoff: int, line: str) -> None:
    with pytest.raises(InputError) as refused:
        training.fit(planted(), cutoff, SMALL)
    assert str(refused.value).startswith(line)


def test_too_few_rows_are_refused() -> None:
    s = planted()
    thin = s.where((s.close_ms - START) % (96 * HOUR) == 0)
    with pytest.raises(InputError, match="training rows were 144, at least 200 are needed"):
        training.fit(thin, CUTOFF, SMALL)
    gone = s.where((s.close_ms < START + HOUR) | (s.close_ms >= CUTOFF))
    with pytest.raises(InputError, match="training rows were 0, at least 200 are needed"):
        training.fit(gone, CUTOFF, SMALL)


@pytest.mark.parametrize("result", [100.0, -100.0])
def test_trades_that_all_end_alike_are_refused(result: float) -> None:
    s = planted()
    alike = replace(s, short_net_bp=np.full(len(s), result))
    with pytest.raises(InputError, match=r"short: .* trades of the fit part closed with a profit"):
        training.fit(alike, CUTOFF, SMALL)


def test_features_without_any_variation_teach_nothing() -> None:
    s = planted()
    blank = replace(s, values=np.full_like(s.values, 1.0))
    model = training.fit(blank, CUTOFF, SMALL)
    assert model.long.platt.slope == 0.0
    assert not model.predict(s.values[:3], s.stop_bp[:3]).long.ranks


def test_the_default_settings_are_those_of_the_study() -> None:
    cfg = AiConfig()
    assert (cfg.leaves, cfg.rounds, cfg.learning_rate, cfg.min_data_in_leaf) == (7, 100, 0.05, 200)
    assert (cfg.l2, cfg.bins, cfg.feature_fraction, cfg.bagging_fraction) == (10.0, 63, 0.6, 0.6)
    assert (cfg.train_months, cfg.min_months, cfg.first_months) == (24, 12, 6)
    assert (cfg.retrain_months, cfg.expire_months) == (3, 6)
