"""Follows a shadow trade candle by candle, to the end that `labels.outcomes` gives it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from crypto_trader_pro.ai import labels
from crypto_trader_pro.ai.config import AiConfig
from crypto_trader_pro.ai.proving import ShadowTrade
from crypto_trader_pro.domain.market import Bar
from crypto_trader_pro.simulation.costs import slipped
from crypto_trader_pro.simulation.matching import bracket, stop_price, target_price

_STOP, _TARGET = 1, 2  # of `bracket`


class End(NamedTuple):
    """How a shadow trade ended; `reason` as in `labels`."""

    trade: ShadowTrade
    reason: int


@dataclass(slots=True)
class Shadow:
    """A shadow trade on its way. Prices and distances in price units, 0 before the entry."""

    decided_ms: int
    side: int  # +1 long, -1 short
    expected_mbp: int
    stop_units: int
    target_units: int
    entry: int = 0
    stop: int = 0
    target: int = 0
    candles: int = 0  # seen since the decision

    def follow(self, bar: Bar, cfg: AiConfig, tick_units: int) -> End | None:
        """Take the next candle; return the end if this is it.

        The candle after the horizon ends it by time, at its open.
        """
        self.candles += 1
        slippage = cfg.slippage_rate
        if self.candles == 1:
            self.entry = slipped(bar.open, self.side, slippage, tick_units)
            self.stop = stop_price(self.side, self.entry, self.stop_units, tick_units)
            self.target = target_price(self.side, self.entry, self.target_units, tick_units)
        if self.candles > cfg.horizon:
            out = slipped(bar.open, -self.side, slippage, tick_units)
            return self._ended(out, bar.open_ms, labels.TIMED_OUT, cfg)
        reason, price = bracket(self.side, bar.open, bar.high, bar.low, self.stop, self.target)
        closed_ms = bar.open_ms + cfg.timeframe_ms
        if reason == _STOP:
            out = slipped(price, -self.side, slippage, tick_units)
            return self._ended(out, closed_ms, labels.STOPPED, cfg)
        if reason == _TARGET:
            return self._ended(price, closed_ms, labels.TARGET_HIT, cfg)
        return None

    def _ended(self, out: int, closed_ms: int, reason: int, cfg: AiConfig) -> End:
        # arrays, so that the division is the one of `labels.outcomes` to the last bit
        entry, exit_ = (np.array([x], dtype=np.int64) for x in (self.entry, out))
        net = labels.net_result_bp(self.side, entry, exit_, cfg.fee_rate)
        realized = round(float(net[0]) * 1000)
        trade = ShadowTrade(self.decided_ms, closed_ms, self.expected_mbp, realized)
        return End(trade, reason)

    def state(self) -> list[int]:
        return [
            self.decided_ms, self.side, self.expected_mbp, self.stop_units, self.target_units,
            self.entry, self.stop, self.target, self.candles,
        ]  # fmt: skip

    @classmethod
    def of(cls, state: Sequence[int]) -> "Shadow":
        """Return what `state` gave."""
        return cls(*state)
