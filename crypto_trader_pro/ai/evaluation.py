"""What a record of predictions is worth: probabilities, direction, and trades after costs.

Statistics only: nothing here decides a trade. Nothing may be claimed from one figure alone: an AUC
stands beside its directional part, an expected result beside the realised one, LightGBM beside
logistic regression and beside always being long.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from crypto_trader_pro.ai.calendar import WEEK_MS, week_start_ms
from crypto_trader_pro.ai.record import Record, SideRecord
from crypto_trader_pro.domain.errors import InputError
from crypto_trader_pro.domain.market import Floats, Ints
from crypto_trader_pro.domain.signals import CONFIDENCE_UNIT

COSTS_BP: Final = (14.0, 20.0)  # round trips at which results are shown
_BINS: Final = 10
_DRAWS: Final = 2_000
_SEED: Final = 20_240_616
_BLOCK_MS: Final = 2 * WEEK_MS
_FINITE: Final = 1e-9  # a base rate of 0 or 1 would make the log loss endless
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Decile:
    """One tenth of the predictions, in the order of the probability."""

    rows: int
    predicted: float
    seen: float


@dataclass(frozen=True, slots=True)
class Scores:
    """How good the probabilities of one side were. `skill`: 1 - Brier / Brier of the base rate."""

    rows: int
    auc: float  # 0.5: no order; NaN where every trade ended alike
    brier: float
    base_brier: float  # of the base rate known at the time
    skill: float
    log_loss: float
    base_log_loss: float
    calibration_error: float  # mean |predicted - seen| over the deciles, weighted by rows
    deciles: tuple[Decile, ...]


@dataclass(frozen=True, slots=True)
class Interval:
    """95 % interval of a mean, bootstrapped over two-week blocks of all symbols together."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class TradeResult:
    """Simulated trades, one position per symbol at a time. Basis points per trade; NaN if none."""

    trades: int
    expected_bp: float  # what the model promised
    net_bp: tuple[float, ...]  # at each of `COSTS_BP`
    intervals: tuple[Interval, ...]


@dataclass(frozen=True, slots=True)
class ModelMetrics:
    long: Scores
    short: Scores
    directional_auc: float  # edge long - edge short against which side did better
    trades: TradeResult


@dataclass(frozen=True, slots=True)
class Fold:
    """How one model of a walk-forward did until the next took over; too short for an interval."""

    index: int  # of the model
    from_ms: int  # first and last decision
    to_ms: int
    rows: int
    long: Scores
    short: Scores
    directional_auc: float
    trades: int
    net_bp: float  # mean of a trade after the record's costs; NaN without one


@dataclass(frozen=True, slots=True)
class Metrics:
    """The whole of what may be shown of a record."""

    model: ModelMetrics  # LightGBM
    baseline: ModelMetrics  # logistic regression
    always_long: TradeResult
    costs_bp: tuple[float, ...] = COSTS_BP


@dataclass(frozen=True, slots=True, eq=False)
class Trades:
    """Simulated trades, arrays of shape (k,), by symbol, then in time order."""

    row: Ints  # of the record
    side: Ints  # +1 long, -1 short
    opened_ms: Ints
    closed_ms: Ints
    expected_bp: Floats
    net_bp: Floats


def evaluate(record: Record, *, margin_bp: float = 0.0) -> Metrics:
    """Return every measure of `record`; a signal needs an edge above `margin_bp`.

    Raises:
        InputError: the record is empty.
    """
    if len(record) == 0:
        raise InputError("record has no decisions, at least 1 is needed")
    return Metrics(
        _model_metrics(record, margin_bp, baseline=False),
        _model_metrics(record, margin_bp, baseline=True),
        trade_result(record, always_long(record)),
    )


def by_model(record: Record, *, margin_bp: float = 0.0) -> tuple[Fold, ...]:
    """Return the measures of each model's own part of `record`, oldest model first."""
    return tuple(
        _fold(record.where(record.model == index), index, margin_bp)
        for index in np.unique(record.model).tolist()
    )


def _fold(part: Record, index: int, margin_bp: float) -> Fold:
    trades = gated(part, margin_bp)
    return Fold(
        index,
        int(part.close_ms.min()),
        int(part.close_ms.max()),
        len(part),
        _side_scores(part.long, baseline=False),
        _side_scores(part.short, baseline=False),
        _directional_auc(part, baseline=False),
        len(trades.row),
        float(trades.net_bp.mean()) if len(trades.row) else float("nan"),
    )


def probability_scores(probability: Floats, won: Bools, base_rate: Floats) -> Scores:
    """Return the scores of probabilities (fractions) of a profit, shape (n,), against `won`."""
    y = won.astype(np.float64)
    brier = float(np.mean((probability - y) ** 2))
    base = float(np.mean((base_rate - y) ** 2))
    deciles = reliability(probability, won)
    return Scores(
        rows=len(y),
        auc=auc(probability, won),
        brier=brier,
        base_brier=base,
        skill=1.0 - brier / base if base > 0.0 else float("nan"),
        log_loss=_log_loss(probability, y),
        base_log_loss=_log_loss(base_rate, y),
        calibration_error=sum(d.rows * abs(d.predicted - d.seen) for d in deciles) / len(y),
        deciles=deciles,
    )


def auc(score: Floats, won: Bools) -> float:
    """Return the area under the ROC curve, NaN where `won` is the same throughout.

    It is the share of (won, lost) pairs in which the won one has the higher score, ties half.
    Source: Hanley and McNeil, Radiology, 1982 (equal to the Mann-Whitney statistic).
    """
    winners = int(won.sum())
    losers = len(won) - winners
    if winners == 0 or losers == 0:
        return float("nan")
    _, place, counts = np.unique(score, return_inverse=True, return_counts=True)
    rank = np.cumsum(counts) - (counts - 1) / 2.0
    wins = float(rank[place][won].sum()) - winners * (winners + 1) / 2.0
    return wins / (winners * losers)


def reliability(probability: Floats, won: Bools) -> tuple[Decile, ...]:
    """Return mean predicted and seen share of profits in tenths of equal size, lowest first."""
    order = np.argsort(probability, kind="stable")
    return tuple(
        Decile(len(part), float(probability[part].mean()), float(won[part].mean()))
        for part in np.array_split(order, _BINS)
        if len(part)
    )


def gated(record: Record, margin_bp: float, *, baseline: bool = False) -> Trades:
    """Return the trades that an edge above `margin_bp` would have made.

    The side with the larger edge is taken, long if equal. A symbol is free again at its exit.
    """
    long, short = (_signal_edge(side, baseline=baseline) for side in (record.long, record.short))
    side = np.where(long >= short, 1, -1)
    return _one_at_a_time(record, side, np.maximum(long, short) > margin_bp * 1000, long, short)


def always_long(record: Record) -> Trades:
    """Return the trades of always being long, with the same exits; they promise nothing."""
    n = len(record)
    nothing = np.zeros(n, dtype=np.int64)
    return _one_at_a_time(
        record, np.ones(n, dtype=np.int64), np.ones(n, dtype=np.bool_), nothing, nothing
    )


def trade_result(record: Record, trades: Trades) -> TradeResult:
    """Return means and intervals of trades at the costs of `COSTS_BP`."""
    if len(trades.row) == 0:
        nothing = float("nan")
        count = len(COSTS_BP)
        return TradeResult(0, nothing, (nothing,) * count, (Interval(nothing, nothing),) * count)
    mean = float(trades.net_bp.mean())
    drawn = block_bootstrap(trades.opened_ms, trades.net_bp)
    extra = [cost - record.cost_bp for cost in COSTS_BP]
    return TradeResult(
        len(trades.row),
        float(trades.expected_bp.mean()),
        tuple(mean - more for more in extra),
        tuple(Interval(drawn.low - more, drawn.high - more) for more in extra),
    )


def block_bootstrap(opened_ms: Ints, net_bp: Floats) -> Interval:
    """Return the 95 % interval of the mean, drawing two-week blocks with replacement.

    Trades of one fortnight, of whatever symbol, are not independent and stay together.

    Source: percentile bootstrap over clusters; Efron and Tibshirani, An Introduction to the
    Bootstrap, 1993, chapters 8 and 13.
    """
    _, block = np.unique((opened_ms - week_start_ms(0)) // _BLOCK_MS, return_inverse=True)
    counts = np.bincount(block).astype(np.float64)
    sums = np.bincount(block, weights=net_bp)
    picks = np.random.default_rng(_SEED).integers(0, len(counts), (_DRAWS, len(counts)))
    means = sums[picks].sum(axis=1) / counts[picks].sum(axis=1)
    low, high = np.quantile(means, (0.025, 0.975)).tolist()
    return Interval(low, high)


def _model_metrics(record: Record, margin_bp: float, *, baseline: bool) -> ModelMetrics:
    return ModelMetrics(
        _side_scores(record.long, baseline=baseline),
        _side_scores(record.short, baseline=baseline),
        _directional_auc(record, baseline=baseline),
        trade_result(record, gated(record, margin_bp, baseline=baseline)),
    )


def _directional_auc(record: Record, *, baseline: bool) -> float:
    long_edge, short_edge = (_edge(s, baseline=baseline) for s in (record.long, record.short))
    better = record.long.net_bp - record.short.net_bp
    decided = better != 0.0
    return auc((long_edge - short_edge)[decided].astype(np.float64), better[decided] > 0.0)


def _side_scores(side: SideRecord, *, baseline: bool) -> Scores:
    parts = side.baseline_probability if baseline else side.probability
    return probability_scores(parts / CONFIDENCE_UNIT, side.net_bp > 0.0, side.base_rate)


def _edge(side: SideRecord, *, baseline: bool) -> Ints:
    return side.baseline_edge_mbp if baseline else side.edge_mbp


def _signal_edge(side: SideRecord, *, baseline: bool) -> Ints:
    ranks = side.baseline_ranks if baseline else side.ranks
    return np.where(ranks, _edge(side, baseline=baseline), np.iinfo(np.int64).min)  # no signal


def _one_at_a_time(
    record: Record, side: Ints, wanted: Bools, long_edge: Ints, short_edge: Ints
) -> Trades:
    exit_ms = np.where(side > 0, record.long.exit_ms, record.short.exit_ms)
    taken: list[int] = []
    for index in range(len(record.symbols)):
        rows = np.flatnonzero((record.symbol == index) & wanted)
        free_ms = 0
        times = zip(
            rows.tolist(), record.close_ms[rows].tolist(), exit_ms[rows].tolist(), strict=True
        )
        for row, close_ms, ends_ms in times:
            if close_ms >= free_ms:
                taken.append(row)
                free_ms = ends_ms
    row_ = np.array(taken, dtype=np.int64)
    long = side[row_] > 0
    return Trades(
        row_,
        side[row_],
        record.close_ms[row_],
        exit_ms[row_],
        np.where(long, long_edge[row_], short_edge[row_]) / 1000.0,
        np.where(long, record.long.net_bp[row_], record.short.net_bp[row_]),
    )


def _log_loss(probability: Floats, y: Floats) -> float:
    p = np.clip(probability, _FINITE, 1.0 - _FINITE)
    return float(-np.mean(y * np.log(p) + (1.0 - y) * np.log(1.0 - p)))
