"""Samples: features joined with what the trade of either side became, pooled over symbols."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from crypto_trader_pro.ai import features, labels
from crypto_trader_pro.ai.config import AiConfig
from crypto_trader_pro.ai.features import FundingSeries
from crypto_trader_pro.domain.errors import InputError
from crypto_trader_pro.domain.market import CandleSeries, Floats, Ints


@dataclass(frozen=True, slots=True, eq=False)
class History:
    """The candles of one symbol, its funding where known, and price units in its tick."""

    series: CandleSeries
    funding: FundingSeries | None = None
    tick_units: int = 1


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """n decisions in time order, pooled over symbols; arrays of shape (n,), `values` (n, 36).

    `end_ms` is the latest time at which the trade of a row can end. It does not depend on how the
    trade ended, so a purge by it favours neither short nor long trades.
    """

    symbols: tuple[str, ...]
    symbol: Ints  # index into `symbols`
    close_ms: Ints
    end_ms: Ints
    values: Floats
    stop_bp: Floats
    long_net_bp: Floats
    long_exit_ms: Ints
    short_net_bp: Floats
    short_exit_ms: Ints

    def __len__(self) -> int:
        return len(self.close_ms)

    def where(self, rows: NDArray[np.bool_]) -> "Samples":
        """Return the rows of a mask."""
        columns = {f.name: getattr(self, f.name)[rows] for f in fields(self) if f.name != "symbols"}
        return replace(self, **columns)


def build(
    histories: Sequence[History], cfg: AiConfig, *, btc: CandleSeries | None = None
) -> Samples:
    """Return every decision whose features are ready and whose whole trade is in the data.

    Args:
        histories: one per symbol.
        cfg: says what the trade is.
        btc: candles of BTC for `btc_12`.

    Raises:
        InputError: no history, a symbol twice, or candles of another timeframe.
    """
    symbols = tuple(h.series.symbol for h in histories)
    if not symbols or len(set(symbols)) != len(symbols):
        raise InputError(f"symbols were {', '.join(symbols) or 'none'}, allowed: each one once")
    parts = [_of_symbol(i, symbols, h, cfg, btc) for i, h in enumerate(histories)]
    columns = {
        f.name: np.concatenate([getattr(part, f.name) for part in parts])
        for f in fields(Samples)
        if f.name != "symbols"
    }
    order = np.lexsort((columns["symbol"], columns["close_ms"]))
    return Samples(symbols, **{name: column[order] for name, column in columns.items()})


def _of_symbol(
    index: int,
    symbols: tuple[str, ...],
    history: History,
    cfg: AiConfig,
    btc: CandleSeries | None,
) -> Samples:
    series = history.series
    if series.timeframe_ms != cfg.timeframe_ms:
        raise InputError(
            f"{series.symbol}: timeframe was {series.timeframe_ms} ms, allowed: "
            f"{cfg.timeframe_ms} ms"
        )
    frame = features.compute(series, btc=btc, funding=history.funding)
    tick = history.tick_units
    long = labels.outcomes(series, frame.atr, 1, cfg, tick_units=tick)
    short = labels.outcomes(series, frame.atr, -1, cfg, tick_units=tick)
    rows = frame.ready & long.known & short.known & labels.whole_horizon(series, cfg)
    close_ms = frame.close_ms[rows]
    return Samples(
        symbols,
        np.full(len(close_ms), index, dtype=np.int64),
        close_ms,
        close_ms + cfg.horizon_ms,
        frame.values[rows],
        long.stop_bp[rows],
        long.net_bp[rows],
        long.exit_ms[rows],
        short.net_bp[rows],
        short.exit_ms[rows],
    )
