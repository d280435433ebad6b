"""Which of several backtests is the better one: the metrics that can be chosen, and their order."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from crypto_trader_pro.domain.errors import InputError

OF_TRADES: Final = frozenset({"profit_factor", "expectancy", "win_rate", "sqn"})
# metric -> +1 the larger the better, -1 the smaller
METRICS: Final = {
    "sharpe": 1, "return": 1, "cagr": 1, "sortino": 1, "calmar": 1, "max_drawdown": -1,
    "volatility": -1, **dict.fromkeys(sorted(OF_TRADES), 1),
}  # fmt: skip
DEFAULT_METRIC: Final = "sharpe"


def check_metric(name: str) -> None:
    """Refuse what cannot be chosen by.

    Raises:
        InputError: not one of `METRICS`.
    """
    if name not in METRICS:
        raise InputError(f"metric was {name!r}, allowed: {', '.join(METRICS)}")


def score(value: Mapping[str, Any], metric: str) -> float | None:
    """Return how good a result is, larger is better; None where it has no such metric."""
    found = value["metrics"][metric]
    return None if found is None else METRICS[metric] * float(found)


def ranked(values: Mapping[str, Any], metric: str) -> list[str]:
    """Return the keys, best first; those without the metric last, equals in the order asked for."""

    def place(key: str) -> tuple[bool, float]:
        found = score(values[key], metric)
        return found is None, -(found or 0.0)

    return sorted(values, key=place)


def best(values: Mapping[str, Any], metric: str) -> str | None:
    """Return the key of the best; None where none has the metric."""
    order: Sequence[str] = ranked(values, metric)
    return order[0] if order and score(values[order[0]], metric) is not None else None
