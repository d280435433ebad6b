"""Closing positions little by little: equal steps over a span of market time.

Part of a session: what it does follows from the inputs alone, is kept in the checkpoint and is
repeated by `replay --session`. It looks at each market input, so a step comes with the first price
or candle at or after its time; a demo market's time runs faster than the wall's, and so do the
steps.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from auto_trading.engine import Parts
from crypto_trader_pro.domain.enums import OrderRole

SLICES: Final = 10  # steps unless another number is asked for
MOST_SLICES: Final = 100
MOST_SECONDS: Final = 86_400


class _Plan(NamedTuple):
    """How one position is to leave. Instants are ms of market time."""

    opened_ms: int  # whose life this is: another position of the symbol is left alone
    start_ms: int
    over_ms: int
    slices: int
    done: int = 0

    @property
    def end_ms(self) -> int:
        return self.start_ms + self.over_ms

    def due(self, at_ms: int) -> int:
        """Return how many steps are due: the first at the start, the last at the end."""
        if self.slices == 1 or at_ms >= self.end_ms:
            return self.slices
        return 1 + max(0, at_ms - self.start_ms) * (self.slices - 1) // self.over_ms


class GradualClose:
    """The positions that are leaving step by step.

    A plan ends with its position, with a stop-out and with an emergency; a stop of trading and a
    resume leave it alone. Each step is a reducing market order for an equal part of what is left.
    """

    def __init__(self) -> None:
        self._plans: dict[str, _Plan] = {}

    @property
    def symbols(self) -> Sequence[str]:
        """The symbols whose positions are leaving."""
        return tuple(self._plans)

    def begin(self, parts: Parts, i: int, at_ms: int, over_ms: int, slices: int) -> int:
        """Plan the steps of position `i`; return their number.

        No step is smaller than a lot or than the venue's smallest order. Where a plan is in force,
        the sooner end counts, so that asking twice is asking once.
        """
        position = parts.positions.positions[i]
        known = self._plans.get(position.symbol)
        is_same = known is not None and known.opened_ms == position.opened_ms
        if known is not None and is_same and known.end_ms <= at_ms + over_ms:
            return known.slices
        smallest = max(1, position.instrument.min_notional_units)
        by_value = abs(position.value(parts.positions.last[i])) // smallest
        count = max(1, min(slices, abs(position.lots), by_value))
        self._plans[position.symbol] = _Plan(position.opened_ms, at_ms, over_ms, count)
        return count

    def follow(self, parts: Parts, at_ms: int) -> None:
        """Make the orders of the steps that are due at this instant."""
        if parts.risk.halt_reason:  # the emergency owns the positions now
            self._plans.clear()
        for symbol, plan in list(self._plans.items()):
            i = parts.positions.index[symbol]
            position = parts.positions.positions[i]
            is_over = not position.lots or position.opened_ms != plan.opened_ms
            if is_over or _has_stopped_out(parts, symbol):
                del self._plans[symbol]
            elif not parts.executor.closing(i):
                self._step(parts, i, plan, at_ms)

    def _step(self, parts: Parts, i: int, plan: _Plan, at_ms: int) -> None:
        due = plan.due(at_ms)
        left = parts.executor.closable(i)
        lots = left
        if due < plan.slices:
            lots = left * (due - plan.done) // (plan.slices - plan.done)
        if lots > 0:
            parts.executor.reduce(i, lots, at_ms)
        symbol = parts.positions.instruments[i].symbol
        self._plans[symbol] = plan._replace(done=due)

    # --- checkpoint -------------------------------------------------------------------------

    def state(self) -> dict[str, list[int]]:
        return {symbol: list(plan) for symbol, plan in self._plans.items()}

    def restore(self, state: Mapping[str, Sequence[Any]]) -> None:
        self._plans = {symbol: _Plan(*row) for symbol, row in state.items()}


def _has_stopped_out(parts: Parts, symbol: str) -> bool:
    """True once the position's stop has begun to close it: the rest goes to the market anyway."""
    return any(
        order.role is OrderRole.STOP and order.symbol == symbol and order.filled_lots > 0
        for order in parts.executor.orders.values()
    )
