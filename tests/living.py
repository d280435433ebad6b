"""Living models for tests: fed candle by candle, beside a replay that knows them all."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from auto_trading.live_model import LiveModel
from auto_trading.market_monitor import MarketMonitor
from auto_trading.model_judge import Permissions
from auto_trading.model_signals import ReplayModel
from auto_trading.model_store import ModelFolder
from auto_trading.model_window import fingerprint
from auto_trading.model_world import ModelWorld, on_timeframe
from crypto_trader_pro.ai.config import AiConfig
from crypto_trader_pro.ai.model import Model
from crypto_trader_pro.domain.enums import TradingMode
from crypto_trader_pro.domain.instruments import Instrument
from crypto_trader_pro.domain.market import Bar, CandleSeries, series_of
from crypto_trader_pro.domain.signals import Signal
from crypto_trader_pro.simulation.instruments import instrument

NO_RECORD: Final = {"long": [0, 0, 0.0], "short": [0, 0, 0.0]}
NO_WINDOWS: Final = {"from_ms": 0, "to_ms": 0, "sums": {}}


class Book:
    """What a model had recorded."""

    def __init__(self) -> None:
        self.opened: list[tuple[Any, ...]] = []
        self.closed: list[tuple[Any, ...]] = []
        self.trained: list[Mapping[str, Any]] = []

    def shadow_opened(self, *row: Any) -> None:
        self.opened.append(row)

    def shadow_closed(self, *row: Any) -> None:
        self.closed.append(row)

    def model_trained(self, facts: Mapping[str, Any]) -> None:
        self.trained.append(facts)


class Store:
    """Loaded models, and the candles that a living model asked to keep."""

    def __init__(self, folder: ModelFolder, symbols: Sequence[str], timeframe_ms: int) -> None:
        self._folder = folder
        self._symbols = symbols
        self._timeframe_ms = timeframe_ms
        self.kept: list[dict[int, Bar]] = [{} for _ in symbols]
        self.came: dict[str, Sequence[CandleSeries]] = {}

    def model(self, model_id: str) -> Model:
        return self._folder.load(model_id)

    def windows(self, model_id: str) -> Sequence[CandleSeries] | None:
        return self.came.get(model_id)

    def keep(self, i: int, bar: Bar) -> None:
        self.kept[i].setdefault(bar.open_ms, bar)

    def reload(self, from_ms: int, to_ms: int) -> list[CandleSeries]:
        return [
            series_of(
                symbol,
                self._timeframe_ms,
                [bar for at, bar in sorted(bars.items()) if from_ms <= at < to_ms],
            )
            for symbol, bars in zip(self._symbols, self.kept, strict=True)
        ]


class Monitor:
    """As much of the market monitor as a model looks at."""

    def __init__(self) -> None:
        self.bars: list[Bar | None] = []

    def show(self, bars: Sequence[Bar | None]) -> MarketMonitor:
        self.bars = list(bars)
        return self  # type: ignore[return-value]


def feed(series: Sequence[CandleSeries]) -> list[tuple[int, list[Bar | None]]]:
    """Return (close, each symbol's candle) of every instant at which one of them closes."""
    length = series[0].timeframe_ms
    by_time = [{bar.open_ms: bar for bar in s.bars()} for s in series]
    times = sorted(set().union(*by_time))
    return [(at + length, [bars.get(at) for bars in by_time]) for at in times]


class Living:
    """A living model with its book and store; made anew from its state at will."""

    def __init__(
        self, symbols: Sequence[str], cfg: AiConfig, folder: Path, *, bar_ms: int,
        trade_unproven: bool = True,
    ) -> None:  # fmt: skip
        self.instruments: list[Instrument] = [instrument(s) for s in symbols]
        self.cfg = cfg
        self.book = Book()
        self.store = Store(ModelFolder(folder), symbols, cfg.timeframe_ms)
        self._may = Permissions(TradingMode.CONSERVATIVE, trade_unproven, bar_ms)
        self.model = self.made()
        self._monitor = Monitor()

    def made(self, cfg: AiConfig | None = None) -> LiveModel:
        return LiveModel(
            self.instruments, cfg or self.cfg, self.book, self.store, self._may,
            reload=self.store.reload, keep=self.store.keep,
        )  # fmt: skip

    def reborn(self, state: Mapping[str, Any]) -> None:
        self.model = self.made()
        self.model.restore(state)

    def take(self, close_ms: int, bars: Sequence[Bar | None]) -> list[Signal]:
        self.model.observe(close_ms, self._monitor.show(bars))
        return [self.model.signal(i) for i in range(len(self.instruments))]


def installable(facts: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """Return a model's row as the facts that come from training, without candles or record."""
    return {**facts, "record": NO_RECORD, "windows": NO_WINDOWS, **more}


def windows_of(series: Sequence[CandleSeries], from_ms: int, to_ms: int) -> dict[str, Any]:
    """Return what facts say of candles that come with a model."""
    cut = [s.between(from_ms, to_ms) for s in series]
    sums = {s.symbol: fingerprint(s) for s in cut}
    return {"from_ms": from_ms, "to_ms": to_ms, "sums": sums}


class Replayed:
    """A `ReplayModel` by itself: what it said at each close, and what it had recorded."""

    def __init__(
        self, series: Sequence[CandleSeries], cfg: AiConfig, folder: Path, *,
        trade_unproven: bool = True,
    ) -> None:  # fmt: skip
        self.book = Book()
        instruments = [instrument(s.symbol) for s in series]
        coarse = [on_timeframe(s, cfg.timeframe_ms) for s in series]
        self.model = ReplayModel(
            ModelWorld.build(instruments, coarse, {}, cfg), cfg, self.book, ModelFolder(folder),
            mode=TradingMode.CONSERVATIVE, trade_unproven=trade_unproven,
            bar_ms=series[0].timeframe_ms, earlier=list,
        )  # fmt: skip
        self.said: dict[int, list[Signal]] = {}
        self.trained: dict[int, Mapping[str, Any]] = {}
        length = series[0].timeframe_ms
        times = np.unique(np.concatenate([s.open_ms for s in series])) + length
        for close_ms in times.tolist():
            self.model.observe(close_ms, Monitor().show([]))
            if len(self.book.trained) > len(self.trained):
                self.trained[close_ms] = self.book.trained[-1]
            self.said[close_ms] = [self.model.signal(i) for i in range(len(series))]
