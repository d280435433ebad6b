"""What a strategy is: candles in, signals out, never an order."""

from collections.abc import Sequence
from typing import Any, Protocol

from crypto_trader_pro.domain.instruments import Instrument
from crypto_trader_pro.domain.market import Bar
from crypto_trader_pro.domain.signals import Signal


class SignalStream(Protocol):
    """One strategy on one symbol. Pure: the same candles give the same signals.

    A batch of signals is this stream stepped through the candles, so live and research can never
    compute different ones.
    """

    def step(self, bar: Bar) -> Signal:
        """Take one closed candle and return what the strategy says at its close."""
        ...

    def reset(self) -> None:
        """Forget all candles: the next one comes after a gap."""
        ...

    def state(self) -> Sequence[Any]:
        """Return plain values from which `restore` goes on bit by bit."""
        ...

    def restore(self, state: Sequence[Any]) -> None: ...


class CandleStrategy(Protocol):
    """A strategy that needs nothing but the candles of the symbol itself."""

    @property
    def name(self) -> str: ...

    @property
    def warmup(self) -> int:
        """Candles before the first possible signal."""
        ...

    def stream(self, instrument: Instrument) -> SignalStream: ...


def batch(strategy: CandleStrategy, instrument: Instrument, bars: Sequence[Bar]) -> list[Signal]:
    """Return the signal at each candle's close; `bars` has no gap."""
    step = strategy.stream(instrument).step
    return [step(bar) for bar in bars]
