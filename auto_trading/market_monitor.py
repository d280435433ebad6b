"""What the market is, per symbol: data gate, last close, a fingerprint of all candles."""

import struct
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any, Final

from auto_trading.data_gate import SymbolGate
from crypto_trader_pro.domain.enums import GateState
from crypto_trader_pro.domain.instruments import Instrument
from crypto_trader_pro.domain.market import Bar
from crypto_trader_pro.domain.messages import MarketSlice

_PACK: Final = struct.Struct("<6q").pack
HASH_BYTES: Final = 16


def chained(previous: bytes, bar: Bar) -> bytes:
    """Return the fingerprint of a candle window that ends with `bar`.

    A chain, so that one value stands for every candle since the start of the run: the same hash
    means that the same candles were seen, in the same order.
    """
    return blake2b(previous + _PACK(*bar), digest_size=HASH_BYTES).digest()


class MarketMonitor:
    """Checks every candle once and remembers what the decision needs to know about it.

    Args:
        fingerprints: keep `window_hash`; without, nobody stores it and it stays as it is.
    """

    def __init__(
        self, instruments: Sequence[Instrument], gates: Sequence[SymbolGate], *,
        fingerprints: bool = True,
    ) -> None:  # fmt: skip
        n = len(instruments)
        self.instruments = tuple(instruments)
        self.gates = tuple(gates)
        self.bars: list[Bar | None] = [None] * n  # accepted in this slice
        self.reference = [0] * n  # the close before this candle's
        self.window_hash = [b"\0" * HASH_BYTES] * n
        self._close = [0] * n
        self._fingerprints = fingerprints

    def observe(self, market: MarketSlice, *, partial: bool = False) -> None:
        """Take one instant's candles; a refused or missing one leaves `bars[i]` at None.

        Args:
            partial: a symbol without a candle here is not missing one.
        """
        now_ms, bars, last = market.close_ms, self.bars, self._close
        for i, bar in enumerate(market.bars):
            gate = self.gates[i]
            if bar is None:
                if not partial:
                    gate.missing(now_ms)
                bars[i] = None
            elif gate.check(bar, now_ms):
                bars[i] = bar
                self.reference[i] = last[i] or bar.open
                last[i] = bar.close
                if self._fingerprints:
                    self.window_hash[i] = chained(self.window_hash[i], bar)
            else:
                bars[i] = None

    def get_real_time_prices(self) -> dict[str, int]:
        """Return the last accepted close of each symbol that has one, price units."""
        pairs = zip(self.instruments, self._close, strict=True)
        return {i.symbol: close for i, close in pairs if close}

    def detect_market_anomalies(self) -> dict[str, tuple[str, tuple[int, ...]]]:
        """Return the gate's reason and its numbers for each symbol that is not green."""
        pairs = zip(self.instruments, self.gates, strict=True)
        return {
            i.symbol: (gate.reason.value, tuple(gate.numbers))
            for i, gate in pairs
            if gate.state is not GateState.GREEN
        }

    def state(self) -> dict[str, Any]:
        return {
            "reference": list(self.reference),
            "close": list(self._close),
            "bars": [None if bar is None else list(bar) for bar in self.bars],
            "window_hash": [h.hex() for h in self.window_hash],
            "gates": [gate.state_dict() for gate in self.gates],
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        self.reference = list(state["reference"])
        self._close = list(state["close"])
        bars = state.get("bars", [None] * len(self._close))  # an earlier version's has none
        self.bars = [None if bar is None else Bar(*bar) for bar in bars]
        self.window_hash = [bytes.fromhex(h) for h in state["window_hash"]]
        for gate, stored in zip(self.gates, state["gates"], strict=True):
            gate.restore(stored)
