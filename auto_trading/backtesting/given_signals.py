"""Signals computed beforehand, for an engine that is to spend its time on everything else."""

from collections.abc import Mapping, Sequence

from auto_trading.market_monitor import MarketMonitor
from auto_trading.signal_generator import AISignalGenerator
from crypto_trader_pro.backtest import kernel_state as k
from crypto_trader_pro.domain.instruments import Instrument
from crypto_trader_pro.domain.market import Ints
from crypto_trader_pro.domain.signals import ModelView, Signal


class GivenSignals(AISignalGenerator):
    """Says what a table of events says, each at the candle at whose close it is decided.

    Args:
        table: (n, EV_COLUMNS), rows counted from the first of `open_ms`.
        open_ms: open times of the decision candles.
        bar_ms: their length.
        strategies, reasons: names and texts that the table points to.
    """

    def __init__(
        self, instruments: Sequence[Instrument], table: Ints, open_ms: Ints, bar_ms: int,
        strategies: Sequence[str], reasons: Sequence[str],
    ) -> None:  # fmt: skip
        super().__init__(instruments, (), None, interval_is_timeframe=True)
        self._said: dict[int, dict[int, list[Signal]]] = {}  # by time and symbol
        self._now: Mapping[int, list[Signal]] = {}
        times = open_ms.tolist()
        for v in table.tolist():
            at = self._said.setdefault(times[v[k.EV_ROW]] + bar_ms, {})
            signal = _signal(v, strategies[v[k.EV_STRATEGY]], reasons[v[k.EV_REASON]], bar_ms)
            at.setdefault(v[k.EV_SYMBOL], []).append(signal)
        self._nobody: Mapping[int, list[Signal]] = {}
        self._nothing: list[Signal] = []

    def observe(self, close_ms: int, monitor: MarketMonitor) -> None:
        self._now = self._said.get(close_ms, self._nobody)

    def generate_signals(self, i: int) -> list[Signal]:
        return self._now.get(i, self._nothing)


def _signal(v: Sequence[int], strategy: str, reason: str, bar_ms: int) -> Signal:
    model = None
    if v[k.EV_MODEL]:
        model = ModelView("given", 0, 0, v[k.EV_EDGE], 0, "open", proven=True)
    return Signal(
        strategy, v[k.EV_DIRECTION], reason,
        closes=bool(v[k.EV_CLOSES]), opens=bool(v[k.EV_OPENS]), stop_units=v[k.EV_STOP],
        target_units=v[k.EV_TARGET], trail_rate=v[k.EV_TRAIL], max_bars=v[k.EV_HOLD] // bar_ms,
        model=model,
    )  # fmt: skip
