"""`GET /metrics`: a collector of its own, which reads the database once a second at most."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import generate_latest
from prometheus_client.metrics_core import Metric as Family

from auto_trading.http.metric_names import METRICS
from auto_trading.http.metric_reader import MetricReader, Reading
from crypto_trader_pro.domain.enums import ObservedState, TradingState
from crypto_trader_pro.domain.errors import TradingError
from database import runs
from database.migrations import REVISIONS

READ_SECONDS: Final = 1.0
_MONEY: Final = {
    "ctp_equity": "equity", "ctp_cash": "cash", "ctp_unrealized_pnl": "unrealized",
    "ctp_day_start_equity": "day_start_equity", "ctp_exposure": "gross",
}  # fmt: skip
_PLAIN: Final = {
    "ctp_drawdown_ratio": "drawdown", "ctp_open_positions": "open_positions",
    "ctp_working_orders": "working_orders",
}  # fmt: skip

Sample = tuple[Sequence[str], float]


@dataclass(frozen=True, slots=True)
class Here:
    """What this process itself tells."""

    webhooks: Callable[[], Mapping[str, int]]
    queues: Callable[[], Mapping[str, int]]


class Collector:
    """Turns a reading into metrics. What is not known is absent, never 0."""

    def __init__(
        self, reader: MetricReader, now: Callable[[], datetime], here: Here,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self._reader = reader
        self._now = now
        self._here = here
        self._clock = clock
        self._lock = threading.Lock()
        self._reading: Reading | None = None
        self._read_at: float | None = None

    def describe(self) -> Sequence[Family]:
        """Nothing: registering must not read the database."""
        return ()

    def collect(self) -> Iterator[Family]:
        """Yield the metrics of now."""
        with self._lock:
            reading = self._fresh()
        yield from _gauges("ctp_build_info", [((_version(), REVISIONS[-1]), 1)])
        yield from _gauges("ctp_database_up", [((), reading is not None)])
        tally = self._here.webhooks()
        yield from _counters("ctp_webhooks_total", [((s,), n) for s, n in sorted(tally.items())])
        queues = dict(self._here.queues())
        if reading is None:
            yield from _gauges("ctp_queue_length", [((q,), n) for q, n in sorted(queues.items())])
            return
        queues["commands"] = reading.waiting_commands
        yield from _engine(reading)
        yield from _account(reading)
        yield from _vitals(reading, queues)
        yield from _counts(reading)
        yield from _model(reading)

    def _fresh(self) -> Reading | None:
        """Return the reading, made anew once a second; None where the database is silent."""
        if self._read_at is None or self._clock() - self._read_at >= READ_SECONDS:
            try:
                self._reading = self._reader.read(self._now())
            except TradingError:
                self._reading = None
            self._read_at = self._clock()
        return self._reading


class Exposition:
    """The text of /metrics."""

    def __init__(self, collector: Collector) -> None:
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(collector)

    def text(self) -> bytes:
        """Return all metrics in the text format of Prometheus."""
        return generate_latest(self._registry)


def _gauges(name: str, samples: Sequence[Sample]) -> Iterator[Family]:
    if samples:
        metric = METRICS[name]
        family = GaugeMetricFamily(name, metric.help, labels=list(metric.labels))
        for labels, value in samples:
            family.add_metric(list(labels), float(value))
        yield family


def _counters(name: str, samples: Sequence[Sample]) -> Iterator[Family]:
    if samples:
        metric = METRICS[name]
        family = CounterMetricFamily(name, metric.help, labels=list(metric.labels))
        for labels, value in samples:
            family.add_metric(list(labels), float(value))
        yield family


def _engine(reading: Reading) -> Iterator[Family]:
    engine = reading.engine
    yield from _gauges("ctp_engine_up", [((), engine is not None and engine.alive)])
    yield from _gauges("ctp_alerts_open", [((), reading.open_alerts)])
    if engine is None or not engine.epoch:
        return
    age = engine.heartbeat_age_seconds
    yield from _gauges("ctp_engine_heartbeat_age_seconds", [((), age)])
    states = [((state.value,), state is engine.observed) for state in ObservedState]
    yield from _gauges("ctp_engine_state", states)
    trading = [((state.value,), state is engine.trading) for state in TradingState]
    yield from _gauges("ctp_trading_state", trading)


def _account(reading: Reading) -> Iterator[Family]:
    view = reading.view
    asset = str(view.get("asset", ""))
    for name, key in _MONEY.items():
        yield from _gauges(name, _known(view.get(key), (asset,)))
    for name, key in _PLAIN.items():
        yield from _gauges(name, _known(view.get(key)))
    yield from _gauges("ctp_trading_enabled", _known(view.get("enabled")))
    if reading.day is not None:
        yield from _gauges("ctp_value_at_risk_daily", _known(reading.day.var_daily))
        yield from _gauges("ctp_sharpe_ratio", _known(reading.day.sharpe_ratio))


def _vitals(reading: Reading, queues: dict[str, int]) -> Iterator[Family]:
    vitals = _mapping(reading.view.get("vitals"))
    cycles = _mapping(vitals.get("cycles"))
    yield from _counters("ctp_cycles_total", _known(cycles.get("count")))
    yield from _counters("ctp_cycles_failed_total", _known(cycles.get("failed")))
    yield from _gauges("ctp_cycle_last_seconds", _seconds(cycles.get("last_ms")))
    yield from _gauges("ctp_cycle_slowest_seconds", _seconds(cycles.get("slowest_ms")))
    yield from _gauges("ctp_feed_age_seconds", _known(vitals.get("feed_age_seconds")))
    venues = {name: _mapping(told) for name, told in _mapping(vitals.get("venues")).items()}

    def by_venue(key: str, made: Callable[..., list[Sample]] = _known) -> list[Sample]:
        return [s for name, told in venues.items() for s in made(told.get(key), (name,))]

    yield from _gauges("ctp_venue_connected", by_venue("connected"))
    yield from _counters("ctp_venue_requests_total", by_venue("calls"))
    yield from _counters("ctp_venue_errors_total", by_venue("errors"))
    yield from _gauges("ctp_venue_latency_seconds", by_venue("latency_ms", _seconds))
    told = [s for name, n in _mapping(vitals.get("queues")).items() for s in _known(n, (name,))]
    own: list[Sample] = [((name,), number) for name, number in queues.items()]
    yield from _gauges("ctp_queue_length", [*told, *own])


def _counts(reading: Reading) -> Iterator[Family]:
    counts = reading.counts
    for name, counted in (
        ("ctp_decisions_total", counts.decisions), ("ctp_refusals_total", counts.refusals),
        ("ctp_outbox_sent_total", counts.sent),
    ):  # fmt: skip
        yield from _counters(name, [((label,), n) for label, n in sorted(counted.items())])
    yield from _counters("ctp_fills_total", sorted(counts.fills.items()))
    yield from _gauges("ctp_orders", [((s,), n) for s, n in sorted(counts.orders.items())])
    yield counts.slippage.family("ctp_slippage_ratio", METRICS["ctp_slippage_ratio"].help)
    yield from _gauges("ctp_outbox_messages", sorted(reading.outbox.items()))


def _model(reading: Reading) -> Iterator[Family]:
    told = _mapping(reading.view.get("model"))
    if told:
        yield from _gauges("ctp_model_gate", [((str(told.get("code", "")),), 1)])
        yield from _gauges("ctp_model_ready_symbols", _known(told.get("ready_symbols")))
        expires = told.get("expires_ms")
        yield from _gauges("ctp_model_expires_timestamp_seconds", _seconds(expires or None))
        proving = _mapping(told.get("proving"))
        yield from _gauges("ctp_model_proven", _known(proving.get("open")))
    if reading.model is not None:
        figures = _mapping(reading.model.metrics.get("model"))
        skills = [
            ((side,), value / 100)
            for side in ("long", "short")
            for _, value in _known(_mapping(figures.get(side)).get("brier_skill_pct"))
        ]
        yield from _gauges("ctp_model_brier_skill_ratio", skills)


def _known(value: Any, labels: Sequence[str] = ()) -> list[Sample]:
    """Return a sample, or none where nothing is known."""
    if value is None:
        return []
    try:
        number = float(Decimal(value) if isinstance(value, str) else value)
    except (InvalidOperation, TypeError, ValueError):  # of an engine of another version
        return []
    return [(labels, number)]


def _seconds(milliseconds: Any, labels: Sequence[str] = ()) -> list[Sample]:
    return [(own, value / 1000) for own, value in _known(milliseconds, labels)]


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _version() -> str:
    return runs.installed_version()
