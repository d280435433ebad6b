"""One figure of a backtest: what it counts, from how many, and how far it can be trusted."""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from math import sqrt
from typing import Final

from crypto_trader_pro.backtest.account_metrics import CONFIDENCE_95

LEVEL: Final = 0.95  # of every interval here


class Unit(StrEnum):
    FRACTION = "fraction"  # 0.01 is 1 %
    RATIO = "ratio"
    MONEY = "money"  # of the quote asset
    DAYS = "days"
    TIMES = "times"
    COUNT = "count"


class Counts(StrEnum):
    """What the sample of a metric consists of."""

    DAYS = "days"  # daily returns, UTC
    CLOSES = "closes"  # candle closes
    TRADES = "trades"  # closed trades, flat to flat
    FILLS = "fills"
    PAYMENTS = "payments"  # of funding


class Missing(StrEnum):
    """Why a metric has no value."""

    TOO_FEW = "too_few"
    NO_VARIATION = "no_variation"  # every return is the same
    NO_LOSS = "no_loss"  # nothing to divide by
    NOTHING_LEFT = "nothing_left"  # equity was not above zero at the end of a day


class Method(StrEnum):
    """Where an interval comes from."""

    LO = "lo"  # A. W. Lo, "The Statistics of Sharpe Ratios" (2002): independent normal returns
    WILSON = "wilson"  # E. B. Wilson, JASA 22 (1927): a share of independent yes and no
    NORMAL = "normal"  # mean +- 1.96 s / sqrt(n), central limit theorem
    BOOTSTRAP = "stationary_bootstrap"  # percentiles; Politis and Romano (1994)


Value = float | int | Decimal


@dataclass(frozen=True, slots=True)
class ConfidenceInterval:
    """A range with its level; in the unit of the metric."""

    low: float
    high: float
    method: Method
    level: float = LEVEL


@dataclass(frozen=True, slots=True)
class Metric:
    """One figure.

    Args:
        value: None with a reason in `missing`.
        sample: how many of `counts` it was computed from.
        interval: None where no honest one is known, or was not asked for.
    """

    code: str
    value: Value | None
    unit: Unit
    sample: int
    counts: Counts
    interval: ConfidenceInterval | None = None
    missing: Missing | None = None


def wilson(successes: int, n: int) -> ConfidenceInterval | None:
    """Return the score interval of a share; None of nothing.

    Source: E. B. Wilson, "Probable Inference, the Law of Succession, and Statistical Inference",
    Journal of the American Statistical Association 22 (1927).
    """
    if not n:
        return None
    z2 = CONFIDENCE_95 * CONFIDENCE_95
    share = successes / n
    middle = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = CONFIDENCE_95 * sqrt(share * (1 - share) / n + z2 / (4 * n * n)) / (1 + z2 / n)
    return ConfidenceInterval(max(0.0, middle - half), min(1.0, middle + half), Method.WILSON)


def around(value: float, error: float, method: Method) -> ConfidenceInterval:
    """Return value +- 1.96 standard errors."""
    return ConfidenceInterval(value - CONFIDENCE_95 * error, value + CONFIDENCE_95 * error, method)
