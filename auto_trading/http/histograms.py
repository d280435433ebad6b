"""Histograms that are filled from rows rather than by calls."""

from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate

from prometheus_client.core import HistogramMetricFamily


class Distribution:
    """Counts values by upper bounds.

    Args:
        bounds: ascending, without infinity.
    """

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = tuple(bounds)
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0

    def add(self, value: float) -> None:
        """Count a value; a bound contains what is equal to it."""
        self._counts[bisect_left(self._bounds, value)] += 1
        self._sum += value

    def family(self, name: str, documentation: str) -> HistogramMetricFamily:
        """Return the metric as it stands."""
        names = [*map(str, self._bounds), "+Inf"]
        buckets = list(zip(names, accumulate(self._counts), strict=True))
        metric = HistogramMetricFamily(name, documentation)
        metric.add_metric([], [(b, float(n)) for b, n in buckets], self._sum)
        return metric
