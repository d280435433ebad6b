"""Training: one function, the same for walk-forward, backtest and the live retraining.

The window before the cutoff is split in time: a fit part, a gap of two horizons (the trades of the
fit part end, then as long an embargo), and a calibration part whose trades end before the cutoff.

The fit part is thinned to `max_fit_rows`: with a horizon of 24 candles five neighbours hold hardly
more than one. Base rate and mean results are those of every row of both parts.
"""

from dataclasses import dataclass, replace
from typing import Any, Final

import lightgbm as lgb
import numpy as np
import sklearn
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from crypto_trader_pro.ai.calendar import months_before, whole_months
from crypto_trader_pro.ai.config import AiConfig
from crypto_trader_pro.ai.features import NAMES, SCHEMA_HASH
from crypto_trader_pro.ai.model import (
    Direction,
    Facts,
    Linear,
    Model,
    Platt,
    Ranges,
    Standard,
    raw_scores,
)
from crypto_trader_pro.ai.samples import Samples
from crypto_trader_pro.domain.errors import InputError
from crypto_trader_pro.domain.market import Floats

_NOVELTY_QUANTILES: Final = (0.005, 0.995)
_DIGITS: Final = 10  # beyond them a matrix product depends on the number of its threads
_VERSIONS: Final = (
    ("lightgbm", lgb.__version__),
    ("numpy", np.__version__),
    ("scikit-learn", sklearn.__version__),
)
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Parts:
    """Row masks of one training window, shape (n,)."""

    fit: Bools
    calibration: Bools


def fit(samples: Samples, cutoff_ms: int, cfg: AiConfig) -> Model:
    """Train on what was known before `cutoff_ms`: trades that cannot end at or after it.

    Raises:
        InputError: less than `cfg.first_months` of history, too few rows, or a part in which no
            trade or every trade closed with a profit.
    """
    parts = split(samples, cutoff_ms, cfg)
    used = samples.where(parts.fit | parts.calibration)
    fitted, calibrated = _thinned(samples.where(parts.fit), cfg), samples.where(parts.calibration)
    standard = _standard(fitted.values)
    long, short = (
        _direction(name, fitted, calibrated, used, standard, cfg) for name in ("long", "short")
    )
    months = whole_months(_first_ms(samples, cutoff_ms, cfg), cutoff_ms)
    facts = Facts(
        cutoff_ms=cutoff_ms,
        from_ms=int(used.close_ms[0]),
        to_ms=int(used.close_ms[-1]),
        months=months,
        shadow_only=months < cfg.min_months,
        fit_rows=len(fitted),
        calibration_rows=len(calibrated),
        symbols=tuple(s for i, s in enumerate(samples.symbols) if (used.symbol == i).any()),
        timeframe_ms=cfg.timeframe_ms,
        horizon=cfg.horizon,
        cost_bp=cfg.cost_bp,
        seed=cfg.seed,
        config_hash=cfg.hash(),
        schema_hash=SCHEMA_HASH,
        versions=_VERSIONS,
    )
    return Model(long, short, standard, _ranges(used.values), facts)


def split(samples: Samples, cutoff_ms: int, cfg: AiConfig) -> Parts:
    """Return which rows a model of `cutoff_ms` is fitted on and which it is calibrated on.

    Raises:
        InputError: less than `cfg.first_months` of history, or too few rows.
    """
    from_ms = _first_ms(samples, cutoff_ms, cfg)
    months = whole_months(from_ms, cutoff_ms)
    if months < cfg.first_months:
        raise InputError(
            f"history before the cutoff was {months} months, at least {cfg.first_months} are needed"
        )
    window = (samples.close_ms >= from_ms) & (samples.end_ms < cutoff_ms)
    times = samples.close_ms[window]
    enough = 2 * cfg.min_data_in_leaf
    if len(times) == 0:
        raise InputError(f"training rows were 0, at least {enough} are needed")
    split_ms = int(times[int(len(times) * (1.0 - cfg.calibration_share))])
    parts = Parts(
        window & (samples.end_ms < split_ms),
        window & (samples.close_ms >= split_ms + cfg.horizon_ms),
    )
    if int(parts.fit.sum()) < enough:
        raise InputError(f"training rows were {int(parts.fit.sum())}, at least {enough} are needed")
    return parts


def _first_ms(samples: Samples, cutoff_ms: int, cfg: AiConfig) -> int:
    if len(samples) == 0 or int(samples.close_ms[0]) >= cutoff_ms:
        raise InputError(f"no decision before the cutoff {cutoff_ms} to train on")
    return max(int(samples.close_ms[0]), months_before(cutoff_ms, cfg.train_months))


def _thinned(fitted: Samples, cfg: AiConfig) -> Samples:
    # by time, so that all symbols keep the same instants
    step = -(-len(fitted) // cfg.max_fit_rows)
    return fitted.where(fitted.close_ms // cfg.timeframe_ms % step == 0)


def _direction(
    name: str,
    fitted: Samples,
    calibrated: Samples,
    used: Samples,
    standard: Standard,
    cfg: AiConfig,
) -> Direction:
    won_fit, won_calibration, won = (
        getattr(s, f"{name}_net_bp") > 0.0 for s in (fitted, calibrated, used)
    )
    for part, wins in (("fit", won_fit), ("calibration", won_calibration)):
        if wins.all() or not wins.any():
            raise InputError(
                f"{name}: {int(wins.sum())} of {len(wins)} trades of the {part} part closed with a "
                "profit, at least one of each kind is needed"
            )
    # result before costs in units of the stop; costs are subtracted again at prediction
    result = (getattr(used, f"{name}_net_bp") + cfg.cost_bp) / used.stop_bp
    raw = Direction(
        trees=_trees(fitted.values, won_fit, cfg),
        platt=Platt(1.0, 0.0),
        linear=_linear(fitted.values, won_fit, calibrated.values, won_calibration, standard),
        base_rate=float(won.mean()),
        mean_win=float(result[won].mean()),
        mean_loss=float(result[~won].mean()),
    )
    return replace(raw, platt=_platt(raw_scores(raw, calibrated.values), won_calibration))


def _trees(values: Floats, won: Bools, cfg: AiConfig) -> str:
    # Source: https://lightgbm.readthedocs.io/en/latest/Parameters.html (deterministic, seed)
    parameters = {
        "objective": "binary",
        "num_leaves": cfg.leaves,
        "learning_rate": cfg.learning_rate,
        "min_data_in_leaf": cfg.min_data_in_leaf,
        "lambda_l2": cfg.l2,
        "max_bin": cfg.bins,
        "feature_fraction": cfg.feature_fraction,
        "bagging_fraction": cfg.bagging_fraction,
        "bagging_freq": 1,
        "seed": cfg.seed,
        "num_threads": 1,
        "deterministic": True,
        "force_row_wise": True,
        "verbosity": -1,
    }
    data = lgb.Dataset(values, label=won.astype(np.float64), feature_name=list(NAMES))
    booster = lgb.train(parameters, data, num_boost_round=cfg.rounds)
    text: str = booster.model_to_string()
    return text


def _linear(
    values: Floats, won: Bools, calibration_values: Floats, calibration_won: Bools, s: Standard
) -> Linear:
    regression = _logistic(s.apply(values), won, penalty=1.0)
    scores = regression.decision_function(s.apply(calibration_values))
    return Linear(
        tuple(_rounded(w) for w in regression.coef_[0].tolist()),
        _rounded(float(regression.intercept_[0])),
        _platt(scores, calibration_won),
    )


def _platt(scores: Floats, won: Bools) -> Platt:
    if float(scores.max()) == float(scores.min()):  # every row alike: nothing is ranked
        return Platt(0.0, 0.0)
    regression = _logistic(scores.reshape(-1, 1), won, penalty=0.0)
    return Platt(_rounded(float(regression.coef_[0, 0])), _rounded(float(regression.intercept_[0])))


def _logistic(x: Floats, won: Bools, *, penalty: float) -> Any:
    regression = LogisticRegression(
        C=1.0 / penalty if penalty else np.inf, solver="newton-cholesky", tol=1e-8, max_iter=100
    )
    return regression.fit(x, won.astype(np.int64))


def _standard(values: Floats) -> Standard:
    columns: list[tuple[float, float, float]] = []
    for column in values.T:
        seen = column[~np.isnan(column)]
        if len(seen) == 0:  # never seen: every row is 0, the weight stays 0
            columns.append((0.0, 0.0, 1.0))
            continue
        median = float(np.median(seen))
        filled = np.where(np.isnan(column), median, column)
        spread = float(filled.std())
        columns.append((median, float(filled.mean()), spread if spread > 0.0 else 1.0))
    median_, mean, scale = zip(*columns, strict=True)
    return Standard(median_, mean, scale)


def _ranges(values: Floats) -> Ranges:
    low, high, missing = [], [], []
    for column in values.T:
        seen = column[~np.isnan(column)]
        bounds = np.quantile(seen, _NOVELTY_QUANTILES) if len(seen) else (np.nan, np.nan)
        low.append(float(bounds[0]))
        high.append(float(bounds[1]))
        missing.append(1.0 - len(seen) / len(column))
    return Ranges(tuple(low), tuple(high), tuple(missing))


def _rounded(x: float) -> float:
    return float(f"{x:.{_DIGITS}g}")
