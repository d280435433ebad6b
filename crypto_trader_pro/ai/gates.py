"""The gates between a model's prediction and an order, in their order.

1. `data`      the features are ready
2. `model`     the model is not expired and has seen enough history for more than shadow trades
3. `novelty`   at most a fifth of the features outside what the training saw
4. `ranking`   the calibration found that a higher score is better
5. `skill`     the probabilities beat the base rate on the whole out-of-sample record
6. `margin`    the expected result after costs is above the margin of the trading mode
7. `proving`   realised results of shadow trades prove an edge

Every gate is evaluated and recorded with its numbers; the first closed one is the reason.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from crypto_trader_pro.ai.calendar import months_after
from crypto_trader_pro.ai.config import AiConfig
from crypto_trader_pro.ai.features import COUNT
from crypto_trader_pro.ai.predictions import Predictions, SidePredictions
from crypto_trader_pro.ai.proving import Proving
from crypto_trader_pro.domain.enums import TradingMode
from crypto_trader_pro.domain.signals import ModelView

ALL_OPEN: Final = "open"
GATES: Final = ("data", "model", "novelty", "ranking", "skill", "margin", "proving")
MARGINS_MBP: Final[Mapping[TradingMode, int]] = {
    TradingMode.CONSERVATIVE: 20_000,
    TradingMode.BALANCED: 10_000,
    TradingMode.AGGRESSIVE: 5_000,
}


@dataclass(frozen=True, slots=True)
class GateResult:
    """One gate: `code` is of the text catalogue, `numbers` fill its sentence."""

    gate: str  # of GATES
    code: str  # ALL_OPEN, or why it is closed
    numbers: Mapping[str, int | float]

    @property
    def open(self) -> bool:
        return self.code == ALL_OPEN


class Trained(NamedTuple):
    """What the model gate needs of a model's facts."""

    cutoff_ms: int
    months: int  # of history


@dataclass(frozen=True, slots=True)
class Row:
    """The prediction of one side for one decision, as plain whole numbers."""

    side: Literal[1, -1]
    ready: bool
    novel: int
    probability: int  # parts of 1e6
    edge_mbp: int
    baseline_probability: int
    baseline_edge_mbp: int
    break_even: int
    ranks: bool


def best_side(predictions: Predictions, index: int, *, ready: bool) -> Row:
    """Return the side with the larger edge at row `index`, long if equal; one that ranks first."""
    novel = int(predictions.novel[index])
    long = _row(1, predictions.long, index, novel, ready=ready)
    short = _row(-1, predictions.short, index, novel, ready=ready)
    return long if (long.ranks, long.edge_mbp) >= (short.ranks, short.edge_mbp) else short


def evaluate(
    row: Row,
    *,
    trained: Trained,
    now_ms: int,
    skill: float,
    mode: TradingMode,
    proving: Proving,
    cfg: AiConfig,
) -> tuple[GateResult, ...]:
    """Return all gates of one prediction in their order.

    Args:
        row: the prediction.
        trained: when and on how much history its model was trained.
        now_ms: the close at which is decided.
        skill: Brier skill of the row's side over the whole out-of-sample record; NaN without one.
        mode: sets the margin.
        proving: this week's verdict.
        cfg: limits of age, history and novelty.
    """
    return (
        data_gate(ready=row.ready),
        model_gate(trained, now_ms, cfg),
        novelty_gate(row.novel, cfg),
        ranking_gate(ranks=row.ranks),
        skill_gate(skill),
        margin_gate(row.edge_mbp, MARGINS_MBP[mode]),
        proving_gate(proving),
    )


def first_closed(results: Sequence[GateResult]) -> str:
    """Return the code of the first closed gate, or `ALL_OPEN`."""
    return next((result.code for result in results if not result.open), ALL_OPEN)


def model_view(
    model_id: str, row: Row, results: Sequence[GateResult], proving: Proving
) -> ModelView:
    """Return what a signal carries of its model."""
    return ModelView(
        model_id=model_id,
        probability=row.probability,
        break_even=row.break_even,
        edge_mbp=row.edge_mbp,
        baseline_probability=row.baseline_probability,
        gate=first_closed(results),
        proven=proving.open,
    )


def data_gate(*, ready: bool) -> GateResult:
    """Closed unless the last 721 candles are whole."""
    return GateResult("data", ALL_OPEN if ready else "features_not_ready", {})


def model_gate(trained: Trained, now_ms: int, cfg: AiConfig) -> GateResult:
    """Closed from `cfg.expire_months` after the cutoff on, and with less than `cfg.min_months`."""
    expires_ms = months_after(trained.cutoff_ms, cfg.expire_months)
    code = ALL_OPEN
    if now_ms >= expires_ms:
        code = "model_expired"
    elif trained.months < cfg.min_months:
        code = "short_history"
    numbers = {"expires_ms": expires_ms, "months": trained.months, "needed": cfg.min_months}
    return GateResult("model", code, numbers)


def novelty_gate(novel: int, cfg: AiConfig) -> GateResult:
    """Closed when more than `cfg.novelty_share` of the features are outside the training range."""
    closed = novel > cfg.novelty_share * COUNT
    numbers = {"novel": novel, "features": COUNT, "allowed": math.floor(cfg.novelty_share * COUNT)}
    return GateResult("novelty", "novel_market" if closed else ALL_OPEN, numbers)


def ranking_gate(*, ranks: bool) -> GateResult:
    """Closed when the model's scores were not in the order of the results in calibration."""
    return GateResult("ranking", ALL_OPEN if ranks else "model_ranks_nothing", {})


def skill_gate(skill: float) -> GateResult:
    """Closed unless the Brier skill over the base rate is above zero; NaN is no record."""
    code = "no_record" if math.isnan(skill) else ALL_OPEN if skill > 0.0 else "no_skill"
    return GateResult("skill", code, {"skill": skill})


def margin_gate(edge_mbp: int, margin_mbp: int) -> GateResult:
    """Closed unless the edge is above the margin."""
    code = ALL_OPEN if edge_mbp > margin_mbp else "edge_below_margin"
    return GateResult("margin", code, {"edge_mbp": edge_mbp, "margin_mbp": margin_mbp})


def proving_gate(proving: Proving) -> GateResult:
    """Closed until shadow trades prove an edge; no profit is shown before the record is long."""
    numbers: dict[str, int | float] = {
        "trades": proving.trades,
        "needed_trades": proving.needed_trades,
        "weeks": proving.weeks,
        "needed_weeks": proving.needed_weeks,
        "next_look_ms": proving.next_look_ms,
    }
    if proving.decided:
        numbers |= {
            "expected_bp": proving.expected_bp,
            "mean_bp": proving.mean_bp,
            "lower_bp": proving.lower_bp,
            "low_bp": proving.interval_bp[0],
            "high_bp": proving.interval_bp[1],
        }
    return GateResult("proving", ALL_OPEN if proving.open else proving.code, numbers)


def _row(
    side: Literal[1, -1], part: SidePredictions, index: int, novel: int, *, ready: bool
) -> Row:
    return Row(
        side=side,
        ready=ready,
        novel=novel,
        probability=int(part.probability[index]),
        edge_mbp=int(part.edge_mbp[index]),
        baseline_probability=int(part.baseline_probability[index]),
        baseline_edge_mbp=int(part.baseline_edge_mbp[index]),
        break_even=int(part.break_even[index]),
        ranks=part.ranks,
    )
