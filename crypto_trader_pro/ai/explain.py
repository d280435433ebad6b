"""Which features one prediction used, and how much each moved it. Never a cause, never a ranking
of worth: over a whole record no group of features was worth more than another random seed."""

from typing import Literal, NamedTuple

import numpy as np

from crypto_trader_pro.ai.features import COUNT, NAMES
from crypto_trader_pro.ai.model import Model
from crypto_trader_pro.domain.errors import InputError
from crypto_trader_pro.domain.market import Floats


class Contribution(NamedTuple):
    """One feature used by the model for this prediction."""

    name: str
    value: float  # NaN: missing
    log_odds: float  # how far it moved the calibrated log odds of a profit from the average


def contributions(model: Model, side: Literal[1, -1], values_row: Floats) -> list[Contribution]:
    """Return the features used by the model, largest movement first; none if it ranks nothing.

    Args:
        model: a trained model.
        side: +1 long, -1 short.
        values_row: shape (36,), a ready row of a feature frame.

    Source: Lundberg et al., Consistent Individualized Feature Attribution for Tree Ensembles, 2018,
    as LightGBM's `pred_contrib`, times the slope of the calibration.

    Raises:
        InputError: another shape.
    """
    if values_row.shape != (COUNT,):
        raise InputError(f"values were {values_row.shape}, allowed: ({COUNT},)")
    part = model.direction(side)
    if not part.platt.ranks:
        return []
    raw = part.booster.contributions(values_row.reshape(1, -1))
    moved = (raw[0, :COUNT] * part.platt.slope).tolist()  # the last one is the average
    rows = zip(NAMES, values_row.tolist(), moved, strict=True)
    used = [Contribution(*row) for row in rows if row[2] != 0.0]
    return sorted(used, key=lambda c: (-abs(c.log_odds), c.name))


class Importance(NamedTuple):
    """How much one feature moved predictions on average, in calibrated log odds, without sign."""

    name: str
    long: float
    short: float


def importance(model: Model, values: Floats) -> list[Importance]:
    """Return every feature that moved a prediction, the most moving first.

    Args:
        values: shape (n, 36), ready rows; a few hundred do, each costs about a millisecond.

    Source: mean absolute SHAP value, as in Lundberg et al. (see `contributions`). It says what the
    model looks at, not what is worth looking at.
    """
    if not len(values):
        return []
    moved = []
    for part in (model.long, model.short):
        raw = np.abs(part.booster.contributions(values)[:, :COUNT]).mean(axis=0)
        moved.append(raw * part.platt.slope if part.platt.ranks else np.zeros(COUNT))
    rows = [Importance(*row) for row in zip(NAMES, *(m.tolist() for m in moved), strict=True)]
    used = [row for row in rows if row.long or row.short]
    return sorted(used, key=lambda row: (-(row.long + row.short), row.name))
