"""Asking a model about every symbol at one close, in one batch."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from auto_trading.model_window import CLOSE, HIGH, ModelWindow
from crypto_trader_pro.ai import gates, labels
from crypto_trader_pro.ai.candle_features import WINDOW
from crypto_trader_pro.ai.config import AiConfig
from crypto_trader_pro.ai.last_row import LEAD_WINDOW, Candles, last_rows
from crypto_trader_pro.ai.model import Model
from crypto_trader_pro.ai.predictions import Predictions
from crypto_trader_pro.domain.market import Ints

Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Installed:
    """A model and from when on it answers: at closes after `after_ms`."""

    after_ms: int
    facts: Mapping[str, Any]
    model: Model
    trained: gates.Trained

    @property
    def expires_ms(self) -> int:
        return int(self.facts["expires_at"])


@dataclass(frozen=True, slots=True, eq=False)
class Predicted:
    """What a model said at one close, for the symbols that were ready. Arrays of shape (n,)."""

    installed: Installed
    ready: Bools
    place: Ints  # of a symbol among the predictions
    predictions: Predictions
    stop_units: Ints
    target_units: Ints


def predict(
    window: ModelWindow, installed: Installed, close_ms: int, cfg: AiConfig, lead: int | None,
    only: Bools | None = None,
) -> Predicted:  # fmt: skip
    """Return what a model says at a close inside the window.

    Args:
        lead: which of the symbols is BTC, None without it.
        only: symbols that may be asked about at all; None is every one.

    Raises:
        ValueError: the close is outside the window.
    """
    row = window.row(close_ms)
    if row is None:
        raise ValueError(f"close {close_ms} is outside the window that ends {window.end_ms}")
    ready = window.whole(row, WINDOW)
    if only is not None:
        ready &= only
    lead_ready = lead is not None and bool(window.whole(row, LEAD_WINDOW)[lead])
    if ready.any():
        numbers = window.numbers(row, WINDOW)[:, HIGH:].transpose(1, 0, 2)
        candles = Candles(*np.array(numbers, dtype=np.float64, order="C"))
    else:  # the table may not reach back so far
        candles = Candles(*np.zeros((4, WINDOW, len(ready))))
    frame = last_rows(candles, close_ms, ready, lead=lead, lead_ready=lead_ready)
    close = window.numbers(row, 1)[0, CLOSE]
    stop, target = labels.distances(close, frame.atr, cfg)
    ready &= stop > 0  # a price that never moves has no trade
    asked = np.flatnonzero(ready)
    stop_bp = stop[asked] / close[asked] * 10_000.0
    predictions = installed.model.predict(frame.values[asked], stop_bp)
    return Predicted(installed, ready, np.cumsum(ready) - 1, predictions, stop, target)


def masked(ready: Bools) -> str:
    """Return flags as text."""
    return np.packbits(ready).tobytes().hex()


def unmasked(mask: str, count: int) -> Bools:
    """Return the `count` flags of `masked`."""
    bits = np.unpackbits(np.frombuffer(bytes.fromhex(mask), dtype=np.uint8), count=count)
    return bits.astype(np.bool_)
