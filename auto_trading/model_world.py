"""What the model sees of a replay: features, trades and samples of every symbol, computed once.

Features are pure functions of past candles and training only takes trades that had ended, so that
computing all rows beforehand gives what computing them one by one would (tested).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from auto_trading.aggregation import aggregate
from auto_trading.gateways.venue_book import FundingEvent
from crypto_trader_pro.ai import features, labels, samples
from crypto_trader_pro.ai.config import AiConfig
from crypto_trader_pro.ai.features import FeatureFrame, FundingSeries
from crypto_trader_pro.ai.labels import Outcomes
from crypto_trader_pro.ai.samples import History, Samples
from crypto_trader_pro.domain.errors import ConfigError
from crypto_trader_pro.domain.instruments import Instrument
from crypto_trader_pro.domain.market import CandleSeries
from crypto_trader_pro.domain.timeframes import timeframe_name


@dataclass(frozen=True, slots=True, eq=False)
class SymbolWorld:
    """One symbol on the model's timeframe: rows of features and what either trade became."""

    series: CandleSeries
    frame: FeatureFrame
    long: Outcomes
    short: Outcomes

    def row(self, close_ms: int) -> int | None:
        """Return the row whose candle closes at `close_ms`, or None."""
        k = int(np.searchsorted(self.frame.close_ms, close_ms))
        found = k < len(self.frame) and int(self.frame.close_ms[k]) == close_ms
        return k if found else None

    def outcomes(self, side: int) -> Outcomes:
        return self.long if side > 0 else self.short


@dataclass(frozen=True, slots=True, eq=False)
class ModelWorld:
    symbols: tuple[SymbolWorld, ...]
    samples: Samples

    @classmethod
    def build(
        cls, instruments: Sequence[Instrument], series: Sequence[CandleSeries],
        funding: Mapping[str, Sequence[FundingEvent]], cfg: AiConfig,
    ) -> "ModelWorld":  # fmt: skip
        """Compute everything for a replay.

        Raises:
            ConfigError: the candles are coarser than the model's timeframe.
        """
        coarse = [on_timeframe(s, cfg.timeframe_ms) for s in series]
        btc = next((s for i, s in zip(instruments, coarse, strict=True) if i.base == "BTC"), None)
        histories = [
            History(s, _funding(i.symbol, funding), i.tick_units)
            for i, s in zip(instruments, coarse, strict=True)
        ]
        worlds = tuple(_symbol_world(h, btc, cfg) for h in histories)
        return cls(worlds, samples.build(histories, cfg, btc=btc))


def _symbol_world(history: History, btc: CandleSeries | None, cfg: AiConfig) -> SymbolWorld:
    frame = features.compute(history.series, btc=btc, funding=history.funding)
    tick = history.tick_units
    long = labels.outcomes(history.series, frame.atr, 1, cfg, tick_units=tick)
    short = labels.outcomes(history.series, frame.atr, -1, cfg, tick_units=tick)
    return SymbolWorld(history.series, frame, long, short)


def on_timeframe(series: CandleSeries, target_ms: int) -> CandleSeries:
    """Return `series` on the coarser or equal timeframe of the model.

    Raises:
        ConfigError: the candles are coarser than that.
    """
    if series.timeframe_ms == target_ms:
        return series
    if series.timeframe_ms > target_ms:
        raise ConfigError(
            f"ai_signal decides on {timeframe_name(target_ms)} candles, the run has"
            f" {timeframe_name(series.timeframe_ms)}; allowed: that or finer"
        )
    return aggregate(series, target_ms)


def _funding(symbol: str, funding: Mapping[str, Sequence[FundingEvent]]) -> FundingSeries | None:
    events = funding.get(symbol)
    if not events:
        return None
    table = np.array(events, dtype=np.int64)
    return FundingSeries(symbol, table[:, 0].copy(), table[:, 1].copy())
