"""From candles to signals: every strategy on every symbol, once per closed candle."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from auto_trading.market_monitor import MarketMonitor
from crypto_trader_pro.domain.instruments import Instrument
from crypto_trader_pro.domain.signals import Signal
from crypto_trader_pro.strategies.base import CandleStrategy, SignalStream


class ModelSignals(Protocol):
    """The model strategy: it looks at all symbols together and keeps its own candles."""

    def observe(self, close_ms: int, monitor: MarketMonitor) -> None:
        """Take this instant's accepted candles; train or load a model when one is due."""
        ...

    def signal(self, i: int) -> Signal:
        """Return what the model says about symbol `i` at the instant just observed."""
        ...

    @property
    def training_seconds(self) -> float: ...

    def report(self) -> Mapping[str, Any]:
        """Return the out-of-sample figures and the state of the gates."""
        ...

    def state(self) -> Mapping[str, Any]: ...

    def restore(self, state: Mapping[str, Any]) -> None: ...


class AISignalGenerator:
    """All strategies of a run. A gap resets a stream: no signal comes from a gapped window."""

    def __init__(
        self, instruments: Sequence[Instrument], strategies: Sequence[CandleStrategy],
        model: ModelSignals | None, *, interval_is_timeframe: bool,
    ) -> None:  # fmt: skip
        self._streams: list[list[SignalStream]] = [
            [strategy.stream(i) for strategy in strategies] for i in instruments
        ]
        self._model = model
        self._latch = not interval_is_timeframe
        self._signals: list[list[Signal]] = [[] for _ in instruments]

    def observe(self, close_ms: int, monitor: MarketMonitor) -> None:
        """Step every stream by this instant's accepted candles."""
        gates = monitor.gates
        for i, bar in enumerate(monitor.bars):
            if bar is None:
                if not self._latch:
                    self._signals[i] = []
                continue
            streams = self._streams[i]
            if gates[i].clean == 1:
                for stream in streams:
                    stream.reset()
            fresh = [stream.step(bar) for stream in streams]
            self._signals[i] = self._kept(self._signals[i], fresh) if self._latch else fresh
        if self._model is not None:
            self._model.observe(close_ms, monitor)

    @staticmethod
    def _kept(old: list[Signal], fresh: list[Signal]) -> list[Signal]:
        """Between two decisions an event is kept until a newer one of the strategy replaces it."""
        if len(old) != len(fresh):
            return fresh
        return [f if f.direction or not o.direction else o for o, f in zip(old, fresh, strict=True)]

    def generate_signals(self, i: int) -> list[Signal]:
        """Return every strategy's signal for symbol `i` at this decision, in configured order."""
        signals = self._signals[i]
        if self._latch:
            self._signals[i] = []
        if self._model is None:
            return signals
        return [*signals, self._model.signal(i)]

    @property
    def training_seconds(self) -> float:
        """Seconds that model training took in this process."""
        return 0.0 if self._model is None else self._model.training_seconds

    def report(self) -> Mapping[str, Any] | None:
        """Return what the model says about itself; None without one."""
        return None if self._model is None else self._model.report()

    def state(self) -> dict[str, Any]:
        if self._latch and any(any(s.direction for s in kept) for kept in self._signals):
            latched = [[list(s[:10]) for s in kept] for kept in self._signals]
        else:
            latched = []
        return {
            "streams": [[list(s.state()) for s in streams] for streams in self._streams],
            "latched": latched,
            "model": self._model.state() if self._model is not None else None,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        for streams, stored in zip(self._streams, state["streams"], strict=True):
            for stream, values in zip(streams, stored, strict=True):
                stream.restore(values)
        if state["latched"]:
            self._signals = [[Signal(*row) for row in kept] for kept in state["latched"]]
        if self._model is not None:
            self._model.restore(state["model"])
