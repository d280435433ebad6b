"""Where a training run gets its candles from."""

from collections.abc import Sequence
from importlib import import_module
from typing import Final, Protocol, cast

from sqlalchemy import Engine as Database

from auto_trading.aggregation import aggregate
from auto_trading.replay_market import IMPORTED
from auto_trading.sources import open_source
from auto_trading.training_spec import TrainingSpec
from config.settings import Settings
from crypto_trader_pro.domain.errors import ConfigError
from crypto_trader_pro.domain.instruments import Instrument
from crypto_trader_pro.domain.market import CandleSeries
from crypto_trader_pro.domain.timeframes import timeframe_ms
from crypto_trader_pro.simulation.demo_market import DemoMarket
from database import candles
from database.auto_trading_db import unit_of_work
from database.candles import Origin

CHEAP: Final = ("demo", IMPORTED)  # there at once: their past is not stored a second time


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


class ImportedHistory:
    """Candles that were imported from files, put together from finer ones where it must be."""

    name = IMPORTED

    def __init__(
        self, database: Database, venue: str, instruments: Sequence[Instrument], base_ms: int
    ) -> None:
        self._database = database
        self.venue = venue
        self._instruments = {i.symbol: i for i in instruments}
        self._base_ms = base_ms

    def history(self, symbol: str, timeframe_ms: int, from_ms: int, to_ms: int) -> CandleSeries:
        """Return the candles that open in [from_ms, to_ms)."""
        fine = self._load(symbol, self._base_ms, from_ms, to_ms)
        if len(fine):
            return aggregate(fine, timeframe_ms)
        return self._load(symbol, timeframe_ms, from_ms, to_ms)

    def _load(self, symbol: str, length: int, from_ms: int, to_ms: int) -> CandleSeries:
        origin = Origin(self.venue, self.name)
        with unit_of_work(self._database, "the imported candles") as session:
            return candles.load(
                session, self._instruments[symbol], length, origin, from_ms=from_ms, to_ms=to_ms
            )


def history_source(
    spec: TrainingSpec, settings: Settings, instruments: Sequence[Instrument], database: Database
) -> HistorySource:
    """Return the source that a spec names, not started.

    Raises:
        ConfigError: there is no such source.
    """
    if spec.source == "demo":
        return DemoHistory(instruments, settings.market_data.demo_seed)
    if spec.source == "exchange":
        return open_source(spec.source, settings, instruments, database)
    if spec.source == IMPORTED:
        base_ms = timeframe_ms(settings.engine.timeframe)
        return ImportedHistory(database, settings.market_data.venue, instruments, base_ms)
    module, separator, function = spec.source.partition(":")
    if not separator:
        raise ConfigError(
            f"training source was {spec.source!r}, allowed: demo, exchange, replay, module:function"
        )
    return cast("HistorySource", getattr(import_module(module), function)(spec))
