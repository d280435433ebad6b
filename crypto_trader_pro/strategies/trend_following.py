"""`ema_cross`: the plain trend rule, with a stop and a target, that benchmarks and tests use."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from crypto_trader_pro.domain.instruments import Instrument
from crypto_trader_pro.domain.market import Bar
from crypto_trader_pro.domain.scalars import step
from crypto_trader_pro.domain.signals import Signal
from crypto_trader_pro.domain.units import rate_ceil

NAME: Final = "ema_cross"


@step
def ema_step(average: float, alpha: float, close: int) -> float:
    """Return the exponential average after one more close."""
    return average + alpha * (close - average)


@step
def cross_side(fast: float, slow: float, side: int) -> int:
    """Return +1 while `fast` is above `slow`, -1 below; equal averages leave `side` as it was."""
    if fast > slow:
        return 1
    return -1 if fast < slow else side


@dataclass(frozen=True, slots=True)
class EmaCross:
    """Enter when the fast average crosses the slow one; leave by stop, target or opposite cross.

    Long and short on perpetuals; on spot, and with `long_only`, the cross down merely closes. The
    averages are exponential with alpha = 2 / (n + 1), started at the first close.

    Raises:
        ValueError: not 1 <= fast < slow, or a rate that is not positive.
    """

    fast: int = 12
    slow: int = 26
    stop_rate: int = 1_000_000  # parts of 1e8 of the close
    target_rate: int = 2_000_000
    trail_rate: int = 0
    long_only: bool = False

    def __post_init__(self) -> None:
        if not 1 <= self.fast < self.slow:
            raise ValueError(f"fast {self.fast} and slow {self.slow}: expected 1 <= fast < slow")
        if self.stop_rate <= 0 or self.target_rate < 0 or self.trail_rate < 0:
            raise ValueError("stop_rate must be positive, target_rate and trail_rate not negative")

    @property
    def name(self) -> str:
        return NAME

    @property
    def warmup(self) -> int:
        return self.slow

    def stream(self, instrument: Instrument) -> "EmaCrossStream":
        return EmaCrossStream(self, can_short=self.shorts(instrument))

    def shorts(self, instrument: Instrument) -> bool:
        """True where a cross down opens a short position."""
        return instrument.can_short and not self.long_only


class EmaCrossStream:
    """The state of `EmaCross` on one symbol: two averages and how many candles they have seen."""

    __slots__ = ("_alpha_fast", "_alpha_slow", "_can_short", "_count", "_fast", "_params", "_side",
                 "_slow", "_warmup")  # fmt: skip

    WARMING: Final = Signal(NAME, 0, "warming_up")
    NONE: Final = Signal(NAME, 0, "no_cross")

    def __init__(self, params: EmaCross, *, can_short: bool) -> None:
        self._params = params
        self._can_short = can_short
        self._alpha_fast = 2.0 / (params.fast + 1)
        self._alpha_slow = 2.0 / (params.slow + 1)
        self._warmup = params.warmup
        self.reset()

    def reset(self) -> None:
        self._fast = self._slow = 0.0
        self._count = 0
        self._side = 0  # +1 while the fast average is above, -1 below, 0 before they first differ

    def step(self, bar: Bar) -> Signal:
        close = bar.close
        count = self._count = self._count + 1
        if count == 1:
            self._fast = self._slow = float(close)
            return self.WARMING
        fast = self._fast = ema_step(self._fast, self._alpha_fast, close)
        slow = self._slow = ema_step(self._slow, self._alpha_slow, close)
        side = cross_side(fast, slow, self._side)
        crossed = side != self._side
        self._side = side
        if count <= self._warmup:
            return self.WARMING
        return self._crossed(close, side > 0) if crossed else self.NONE

    def _crossed(self, close: int, above: bool) -> Signal:
        p = self._params
        if not above and not self._can_short:
            return Signal(NAME, -1, "cross_down", closes=True, opens=False)
        return Signal(
            NAME,
            1 if above else -1,
            "cross_up" if above else "cross_down",
            closes=True,
            stop_units=rate_ceil(close, p.stop_rate),
            target_units=rate_ceil(close, p.target_rate),
            trail_rate=p.trail_rate,
        )

    def state(self) -> Sequence[Any]:
        # float.hex keeps every bit through JSON
        return [self._fast.hex(), self._slow.hex(), self._count, self._side]

    def restore(self, state: Sequence[Any]) -> None:
        fast, slow, self._count, self._side = state
        self._fast, self._slow = float.fromhex(fast), float.fromhex(slow)
