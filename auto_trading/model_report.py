"""What is told of models: the row of their table, their figures, and the state of the gates."""

from collections.abc import Mapping
from typing import Any, Final

from crypto_trader_pro.ai import evaluation
from crypto_trader_pro.ai.evaluation import Metrics
from crypto_trader_pro.ai.explain import importance
from crypto_trader_pro.ai.model import Model
from crypto_trader_pro.ai.proving import Proving
from crypto_trader_pro.ai.record import Record
from crypto_trader_pro.domain.market import Floats
from crypto_trader_pro.domain.timeframes import timeframe_name

_LOOKED_ROWS: Final = 256  # on which is measured what a model looks at


def model_facts(
    strategy: str, model: Model, expires_ms: int, metrics: Mapping[str, Any], seconds: float
) -> dict[str, Any]:
    """Return the row of the table of models; instants in milliseconds."""
    f = model.facts
    return {
        "model_id": model.id,
        "strategy": strategy,
        "timeframe": timeframe_name(f.timeframe_ms),
        "trained_at": f.cutoff_ms,
        "expires_at": expires_ms,
        "data_from": f.from_ms,
        "data_to": f.to_ms,
        "rows": f.fit_rows + f.calibration_rows,
        "symbols": list(f.symbols),
        "schema_hash": f.schema_hash,
        "config_hash": f.config_hash,
        "metrics": {**metrics, "months": f.months, "shadow_only": f.shadow_only},
        "training_seconds": round(seconds, 3),
    }


def gates_report(skill: Mapping[int, float], proving: Proving) -> dict[str, Any]:
    """Return the state of the two gates that look at the record."""
    return {
        "brier_skill_gate_pct": {
            "long": rounded(skill[1] * 100, 3),
            "short": rounded(skill[-1] * 100, 3),
        },
        "proving": proving_report(proving),
    }


def proving_report(p: Proving) -> dict[str, Any]:
    """Return what the shadow trades prove; before enough of them, never a preliminary profit."""
    shown = p.decided
    return {
        "open": p.open,
        "code": p.code,
        "shadow_trades": p.trades,
        "needed_trades": p.needed_trades,
        "weeks": p.weeks,
        "expected_bp": rounded(p.expected_bp, 2) if shown else None,
        "realized_bp": rounded(p.mean_bp, 2) if shown else None,
        "interval_bp": [rounded(x, 2) for x in p.interval_bp] if shown else None,
        "lower_bp": rounded(p.lower_bp, 2) if shown else None,
    }


def looked_at(model: Model, values: Floats) -> list[list[Any]]:
    """Return what the model looks at: [feature, long, short], the most moving first.

    Args:
        values: shape (n, 36), rows in time order; the newest `_LOOKED_ROWS` are used.
    """
    found = importance(model, values[-_LOOKED_ROWS:])
    return [[row.name, rounded(row.long, 5), rounded(row.short, 5)] for row in found]


def measures(record: Record | None) -> dict[str, Any]:
    """Return the figures of a record as plain values, the model beside its baselines, by fold."""
    if record is None or not len(record):
        return {}
    metrics: Metrics = evaluation.evaluate(record)
    return {
        "folds": [_fold(fold) for fold in evaluation.by_model(record)],
        "model": _model_measures(metrics.model),
        "logistic_regression": _model_measures(metrics.baseline),
        "always_long": _trade_measures(metrics.always_long),
        "costs_bp": list(metrics.costs_bp),
    }


def _model_measures(m: evaluation.ModelMetrics) -> dict[str, Any]:
    sides = {"long": m.long, "short": m.short}
    return {
        "rows": m.long.rows,
        "directional_auc": rounded(m.directional_auc, 4),
        **{
            name: {
                "auc": rounded(s.auc, 4),
                "brier_skill_pct": rounded(s.skill * 100, 3),
                "log_loss": rounded(s.log_loss, 5),
                "base_log_loss": rounded(s.base_log_loss, 5),
                "calibration_error": rounded(s.calibration_error, 4),
                "reliability": [[d.rows, rounded(d.predicted, 4), rounded(d.seen, 4)]
                                for d in s.deciles],
            }
            for name, s in sides.items()
        },
        "trades": _trade_measures(m.trades),
    }  # fmt: skip


def _fold(f: evaluation.Fold) -> dict[str, Any]:
    sides = {"long": f.long, "short": f.short}
    return {
        "from_ms": f.from_ms,
        "to_ms": f.to_ms,
        "rows": f.rows,
        "directional_auc": rounded(f.directional_auc, 4),
        **{
            name: {
                "auc": rounded(s.auc, 4),
                "brier_skill_pct": rounded(s.skill * 100, 3),
                "calibration_error": rounded(s.calibration_error, 4),
            }
            for name, s in sides.items()
        },
        "trades": f.trades,
        "net_bp": rounded(f.net_bp, 2),
    }


def _trade_measures(t: evaluation.TradeResult) -> dict[str, Any]:
    return {
        "trades": t.trades,
        "expected_bp": rounded(t.expected_bp, 2),
        "net_bp": [rounded(x, 2) for x in t.net_bp],
        "interval_bp": [[rounded(i.low, 2), rounded(i.high, 2)] for i in t.intervals],
    }


def rounded(x: float, digits: int) -> float | None:
    """Return `x` with so many digits, None where it is not a number."""
    return None if x != x else round(x, digits)
