"""Where a training run gets its candles from."""

from collections.abc import Sequence
from importlib import import_module
from typing import Final, Protocol, cast

from auto_trading.sources import open_source
from auto_trading.training_spec import TrainingSpec
from config.settings import Settings
from crypto_trader_pro.domain.errors import ConfigError
from crypto_trader_pro.domain.instruments import Instrument
from crypto_trader_pro.domain.market import CandleSeries
from crypto_trader_pro.simulation.demo_market import DemoMarket

CHEAP: Final = ("demo",)  # computed anew in no time: their past is not stored


class HistorySource(Protocol):
    """As much of a `MarketSource` as training needs."""

    @property
    def name(self) -> str: ...

    @property
    def venue(self) -> str: ...

    def history(self, symbol: str, timeframe_ms: int, from_ms: int, to_ms: int) -> CandleSeries:
        """Return closed candles that open in [from_ms, to_ms).

        Raises:
            GatewayUnavailable, RateLimited: try again later.
        """
        ...


class DemoHistory:
    """The past of the demo market; unlike `DemoSource` without a clock of its own to end at."""

    name = "demo"

    def __init__(self, instruments: Sequence[Instrument], seed: int) -> None:
        self._market = DemoMarket(instruments, seed=seed)
        self.venue = f"demo-{seed}"

    def history(self, symbol: str, timeframe_ms: int, from_ms: int, to_ms: int) -> CandleSeries:
        """Return the candles that open in [from_ms, to_ms): the caller asks for no future."""
        return self._market.candles(symbol, timeframe_ms, from_ms, to_ms)


def history_source(
    spec: TrainingSpec, settings: Settings, instruments: Sequence[Instrument]
) -> HistorySource:
    """Return the source that a spec names, not started.

    Raises:
        ConfigError: there is no such source.
    """
    if spec.source == "demo":
        return DemoHistory(instruments, settings.market_data.demo_seed)
    if spec.source == "exchange":
        return open_source(spec.source, settings, instruments)
    module, separator, function = spec.source.partition(":")
    if not separator:
        raise ConfigError(
            f"training source was {spec.source!r}, allowed: demo, exchange, module:function"
        )
    return cast("HistorySource", getattr(import_module(module), function)(spec))
