"""Purged walk-forward over calendar time: what the models would have said at the time.

All symbols are cut at the same instant. A model is trained on what was known at its cutoff by the
same `training.fit` as live, and scored from one horizon after it (the embargo) to the next cutoff.

Source: M. Lopez de Prado, Advances in Financial Machine Learning, 2018, chapter 7 (purge, embargo).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from crypto_trader_pro.ai import training
from crypto_trader_pro.ai.calendar import months_after
from crypto_trader_pro.ai.config import AiConfig
from crypto_trader_pro.ai.model import Model
from crypto_trader_pro.ai.predictions import SidePredictions
from crypto_trader_pro.ai.record import Record, SideRecord, joined
from crypto_trader_pro.ai.samples import Samples
from crypto_trader_pro.domain.errors import InputError


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    record: Record
    models: tuple[Model, ...]


def cutoffs(samples: Samples, cfg: AiConfig) -> list[int]:
    """Return when a model is trained: first with `min_months` of history, then regularly.

    Counted in calendar months from the first decision, so no symbol's gaps move them.
    """
    if len(samples) == 0:
        return []
    start, last = int(samples.close_ms[0]), int(samples.close_ms[-1])
    times: list[int] = []
    months = cfg.min_months
    while months_after(start, months) + cfg.horizon_ms <= last:
        times.append(months_after(start, months))
        months += cfg.retrain_months
    return times


def run(
    samples: Samples, cfg: AiConfig, *, progress: Callable[[int, int], None] | None = None
) -> Run:
    """Train at every cutoff and score what follows.

    Args:
        samples: of all symbols, from `samples.build` with the same `cfg`.
        cfg: windows and model.
        progress: called with (models trained, models in all) after each.

    Raises:
        InputError: not enough history for one model and its test.
    """
    times = cutoffs(samples, cfg)
    if not times:
        raise InputError(
            f"history has {len(samples)} decisions, more than {cfg.min_months} months are needed"
        )
    models: list[Model] = []
    parts: list[Record] = []
    for k, cutoff in enumerate(times):
        model = training.fit(samples, cutoff, cfg)
        end = times[k + 1] if k + 1 < len(times) else int(samples.close_ms[-1]) + 1
        tested = (samples.close_ms >= cutoff + cfg.horizon_ms) & (samples.close_ms < end)
        parts.append(score(model, samples.where(tested), k))
        models.append(model)
        if progress is not None:
            progress(k + 1, len(times))
    return Run(joined(parts), tuple(models))


def score(model: Model, samples: Samples, index: int = 0) -> Record:
    """Return the predictions of one model joined with the outcomes of `samples`."""
    predictions = model.predict(samples.values, samples.stop_bp)
    n = len(samples)

    def side(name: str, part: SidePredictions) -> SideRecord:
        return SideRecord(
            part.probability,
            part.edge_mbp,
            part.baseline_probability,
            part.baseline_edge_mbp,
            np.full(n, getattr(model, name).base_rate),
            np.full(n, part.ranks),
            np.full(n, part.baseline_ranks),
            getattr(samples, f"{name}_net_bp"),
            getattr(samples, f"{name}_exit_ms"),
        )

    return Record(
        samples.symbols,
        model.facts.cost_bp,
        samples.symbol,
        samples.close_ms,
        np.full(n, index, dtype=np.int64),
        predictions.novel,
        side("long", predictions.long),
        side("short", predictions.short),
    )
