"""How much of a Sharpe ratio is left when it is known how it was found.

A Sharpe ratio here is per return (daily returns: not annualized), kurtosis is 3 for a normal
distribution, and a probability is a float 0..1. The probability of backtest overfitting is in
`cross_validation`.
"""

from dataclasses import dataclass
from math import e, sqrt
from statistics import NormalDist
from typing import Final

import numpy as np

from crypto_trader_pro.backtest.metrics import DAYS_PER_YEAR, sharpe_ratio
from crypto_trader_pro.domain.errors import InputError
from crypto_trader_pro.domain.market import Floats

EULER: Final = 0.5772156649015329  # the Euler-Mascheroni constant
_NORMAL: Final = NormalDist()


@dataclass(frozen=True, slots=True)
class SharpeSample:
    """A Sharpe ratio per return, and what of the returns decides its error."""

    ratio: float
    returns: int
    skew: float = 0.0
    kurtosis: float = 3.0

    @property
    def spread(self) -> float:
        """Variance of the estimate times (returns - 1): 1 - skew * S + (kurtosis - 1) / 4 * S^2.

        Source: E. Mertens, "Comments on Variance of the IID Estimator in Lo (2002)" (2002).
        """
        return 1.0 - self.skew * self.ratio + (self.kurtosis - 1.0) / 4.0 * self.ratio**2


def sharpe_sample(returns: Floats) -> SharpeSample | None:
    """Return the sample of daily returns; None where there is no Sharpe ratio.

    Skew and kurtosis are the moments of the sample, without correction for its size, as in the
    papers.
    """
    ratio = sharpe_ratio(returns)
    if ratio is None:
        return None
    away = returns - returns.mean()
    variance = float(np.square(away).mean())
    return SharpeSample(
        ratio / sqrt(DAYS_PER_YEAR),
        len(returns),
        float((away**3).mean()) / variance**1.5,
        float((away**4).mean()) / variance**2,
    )


def probabilistic_sharpe(sample: SharpeSample, benchmark: float = 0.0) -> float:
    """Return the probability that the true Sharpe ratio is above `benchmark` (per return).

    Raises:
        InputError: fewer than 2 returns, or moments that no returns have.

    Source: D. H. Bailey and M. Lopez de Prado, "The Sharpe Ratio Efficient Frontier", Journal of
    Risk 15 (2012), equation 11.
    """
    if sample.returns < 2:
        raise InputError(
            f"a probabilistic Sharpe ratio needs 2 returns, there are {sample.returns}"
        )
    return _NORMAL.cdf(
        (sample.ratio - benchmark) * sqrt(sample.returns - 1) / sqrt(_spread(sample))
    )


def expected_maximum_sharpe(trials: int, variance: float) -> float:
    """Return the largest Sharpe ratio to expect of `trials` strategies without any skill.

    Args:
        trials: how many were tried, independent of each other; 1 expects 0.
        variance: of their Sharpe ratios, in the unit of the answer squared.

    Raises:
        InputError: no trial, or a negative variance.

    Source: D. H. Bailey and M. Lopez de Prado, "The Deflated Sharpe Ratio", Journal of Portfolio
    Management 40 (2014), equation 1.
    """
    if trials < 1:
        raise InputError(f"trials was {trials}, must be at least 1")
    if not variance >= 0:
        raise InputError(f"the variance of the Sharpe ratios was {variance}, must be at least 0")
    if trials == 1:
        return 0.0
    return sqrt(variance) * (
        (1.0 - EULER) * _NORMAL.inv_cdf(1.0 - 1.0 / trials)
        + EULER * _NORMAL.inv_cdf(1.0 - 1.0 / (trials * e))
    )


def deflated_sharpe(sample: SharpeSample, trials: int, variance: float) -> float:
    """Return the probability that the best of `trials` has a true Sharpe ratio above luck.

    The probabilistic Sharpe ratio against the one that the best of as many strategies without
    skill would show. Above 0.95 is usually asked.

    Args:
        sample: of the strategy that was chosen.
        trials: all that were tried on this data, not only the last sweep.
        variance: of the Sharpe ratios of the trials, per return.

    Source: Bailey and Lopez de Prado (2014), equation 2.
    """
    return probabilistic_sharpe(sample, expected_maximum_sharpe(trials, variance))


def minimum_track_record(
    sample: SharpeSample, benchmark: float = 0.0, confidence: float = 0.95
) -> float | None:
    """Return how many returns it takes to know that the Sharpe ratio is above `benchmark`.

    None where the ratio is not above it: no record is long enough.

    Raises:
        InputError: confidence outside 0..1, or moments that no returns have.

    Source: Bailey and Lopez de Prado (2012), equation 13.
    """
    if not 0.0 < confidence < 1.0:
        raise InputError(f"confidence was {confidence}, must be between 0 and 1")
    if sample.ratio <= benchmark:
        return None
    needed = _NORMAL.inv_cdf(confidence) / (sample.ratio - benchmark)
    return 1.0 + _spread(sample) * needed * needed


def _spread(sample: SharpeSample) -> float:
    """Return the spread; kurtosis >= 1 + skew^2 of any returns keeps it above zero."""
    if not sample.spread > 0:
        raise InputError(
            f"skew {sample.skew} with kurtosis {sample.kurtosis} belongs to no returns: "
            f"kurtosis must be at least 1 + skew * skew"
        )
    return sample.spread
