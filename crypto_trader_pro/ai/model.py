"""A trained model: two directions, each LightGBM beside logistic regression, calibrated.

Predictions of many rows and of one are the same bits. Probabilities and expected values leave here
as whole numbers, so that every later comparison is one of integers.
"""

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final, Literal

import numpy as np

from crypto_trader_pro.ai.booster import Booster
from crypto_trader_pro.ai.features import COUNT
from crypto_trader_pro.ai.predictions import Predictions, SidePredictions
from crypto_trader_pro.domain.errors import InputError
from crypto_trader_pro.domain.market import Floats, Ints
from crypto_trader_pro.domain.signals import CONFIDENCE_UNIT

RARE_NAN: Final = 0.005  # a missing value is novel where fewer of the training rows lacked it
_MILLI: Final = 1000
_FURTHEST: Final = 700.0  # exp of more is beyond a double


@dataclass(frozen=True, slots=True)
class Platt:
    """Calibration: probability = 1 / (1 + exp(-(slope * score + intercept))).

    Source: J. Platt, Probabilistic Outputs for Support Vector Machines, 1999; without its smoothing
    of the targets, which thousands of rows do not need.
    """

    slope: float
    intercept: float

    @property
    def ranks(self) -> bool:
        """False: a higher score was no better in the calibration part; the model ranks nothing."""
        return self.slope > 0.0


@dataclass(frozen=True, slots=True)
class Linear:
    """Logistic regression on standardised features: score = intercept + sum(weight * z)."""

    weights: tuple[float, ...]
    intercept: float
    platt: Platt


@dataclass(frozen=True, slots=True)
class Standard:
    """A missing feature becomes the training median, then z = (x - mean) / scale."""

    median: tuple[float, ...]
    mean: tuple[float, ...]
    scale: tuple[float, ...]

    def apply(self, values: Floats) -> Floats:
        """Return the standardised values, shape (n, 36) as given."""
        filled = np.where(np.isnan(values), np.array(self.median), values)
        scaled: Floats = (filled - np.array(self.mean)) / np.array(self.scale)
        return scaled


@dataclass(frozen=True, slots=True)
class Ranges:
    """Where the training data lay: 0.5 and 99.5 % quantiles (NaN if never seen), share missing."""

    low: tuple[float, ...]
    high: tuple[float, ...]
    missing: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Facts:
    """What the model was made of, for the record."""

    cutoff_ms: int  # no outcome at or after it was used
    from_ms: int  # first and last decision used
    to_ms: int
    months: int  # whole months of history
    shadow_only: bool  # less history than is needed to trade on it
    fit_rows: int
    calibration_rows: int
    symbols: tuple[str, ...]
    timeframe_ms: int
    horizon: int
    cost_bp: float
    seed: int
    config_hash: str
    schema_hash: str
    versions: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Direction:
    """One side. `mean_win` and `mean_loss` are the mean results before costs, in stop distances, of
    the training trades that closed with a profit after costs and of those that did not.
    """

    trees: str  # LightGBM's text
    platt: Platt
    linear: Linear
    base_rate: float  # share of training trades with a profit after costs
    mean_win: float
    mean_loss: float
    booster: Booster = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "booster", Booster(self.trees))  # frozen; derived once


@dataclass(frozen=True, slots=True)
class Model:
    """Both directions and what they share. `id` is a hash of all content."""

    long: Direction
    short: Direction
    standard: Standard
    ranges: Ranges
    facts: Facts

    @property
    def id(self) -> str:
        return content_id(numbers(self), self.long.trees, self.short.trees)

    def direction(self, side: Literal[1, -1]) -> Direction:
        """Return the part for +1 (long) or -1 (short)."""
        return self.long if side > 0 else self.short

    def predict(self, values: Floats, stop_bp: Floats) -> Predictions:
        """Return what the model expects of a trade decided now.

        Expected value = stop_bp * (p * mean_win + (1 - p) * mean_loss) - cost_bp: costs are
        subtracted here, once; the two means are before costs.

        Args:
            values: shape (n, 36), ready rows of a feature frame.
            stop_bp: shape (n,), distance of the stop in basis points of the close, above 0.

        Raises:
            InputError: wrong shape, or a distance that is not above 0.
        """
        if values.ndim != 2 or values.shape[1] != COUNT or stop_bp.shape != values.shape[:1]:
            raise InputError(
                f"values were {values.shape} and stop_bp {stop_bp.shape}, allowed: (n, {COUNT}) "
                "and (n,)"
            )
        if not bool((stop_bp > 0).all()):
            raise InputError(f"stop_bp was {stop_bp.min()}, allowed: above 0")
        scaled = self.standard.apply(values)
        return Predictions(
            self._side(self.long, values, scaled, stop_bp),
            self._side(self.short, values, scaled, stop_bp),
            self._novel(values),
        )

    def _side(
        self, part: Direction, values: Floats, scaled: Floats, stop_bp: Floats
    ) -> SidePredictions:
        linear = part.linear
        score = np.full(len(values), linear.intercept)
        for column, weight in enumerate(linear.weights):  # in one order, unlike a matrix product
            score = score + weight * scaled[:, column]
        probability = _calibrated(raw_scores(part, values), part.platt, part.base_rate)
        baseline = _calibrated(score, linear.platt, part.base_rate)
        return SidePredictions(
            probability,
            self._edge(part, probability, stop_bp),
            baseline,
            self._edge(part, baseline, stop_bp),
            self._break_even(part, stop_bp),
            part.platt.ranks,
            linear.platt.ranks,
        )

    def _edge(self, part: Direction, probability: Ints, stop_bp: Floats) -> Ints:
        p = probability / CONFIDENCE_UNIT
        result = stop_bp * (p * part.mean_win + (1.0 - p) * part.mean_loss)
        return _whole((result - self.facts.cost_bp) * _MILLI)

    def _break_even(self, part: Direction, stop_bp: Floats) -> Ints:
        spread = part.mean_win - part.mean_loss
        return _whole((self.facts.cost_bp / stop_bp - part.mean_loss) / spread * CONFIDENCE_UNIT)

    def _novel(self, values: Floats) -> Ints:
        low, high = np.array(self.ranges.low), np.array(self.ranges.high)
        missing = np.isnan(values)
        inside = (values >= low) & (values <= high)
        usual_gap = missing & (np.array(self.ranges.missing) >= RARE_NAN)
        count: Ints = (~(inside | usual_gap)).sum(axis=1, dtype=np.int64)
        return count


def raw_scores(part: Direction, values: Floats) -> Floats:
    """Return LightGBM's log odds before calibration, shape (n,)."""
    return part.booster.raw_scores(values)


def numbers(model: Model) -> dict[str, Any]:
    """Return everything but the trees as plain values for JSON; NaN is None."""

    def side(part: Direction) -> dict[str, Any]:
        return {
            "platt": asdict(part.platt),
            "linear": asdict(part.linear),
            "base_rate": part.base_rate,
            "mean_win": part.mean_win,
            "mean_loss": part.mean_loss,
        }

    return {
        "long": side(model.long),
        "short": side(model.short),
        "standard": asdict(model.standard),
        "ranges": {name: _nullable(xs) for name, xs in asdict(model.ranges).items()},
        "facts": asdict(model.facts),
    }


def content_id(content: dict[str, Any], long_trees: str, short_trees: str) -> str:
    """Return the hash that names a model of this content."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    digest = hashlib.sha256()
    for part in (text, long_trees, short_trees):
        encoded = part.encode()
        digest.update(len(encoded).to_bytes(8, "big") + encoded)
    return digest.hexdigest()


def _nullable(values: Sequence[float]) -> list[float | None]:
    return [None if math.isnan(value) else value for value in values]


def _calibrated(score: Floats, platt: Platt, base_rate: float) -> Ints:
    if not platt.ranks:
        return np.full(len(score), round(base_rate * CONFIDENCE_UNIT), dtype=np.int64)
    odds = platt.slope * score + platt.intercept
    # math.exp: the vector form may differ between a long array and a single row
    chances = [1.0 / (1.0 + math.exp(-_within(z))) for z in odds.tolist()]
    return _whole(np.array(chances) * CONFIDENCE_UNIT)


def _within(z: float) -> float:
    return min(max(z, -_FURTHEST), _FURTHEST)


def _whole(x: Floats) -> Ints:
    return np.rint(x).astype(np.int64)
