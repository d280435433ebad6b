"""Which market source an engine reads; `auto` takes the exchange if it answers."""

import logging
from collections.abc import Callable, Sequence

from sqlalchemy import Engine as Database

from auto_trading.gateways.replay_source import ReplaySource
from auto_trading.gateways.venue_book import FundingEvent
from auto_trading.replay_market import IMPORTED
from auto_trading.session_store import Origin
from config.settings import Settings
from crypto_trader_pro.domain.errors import ConfigError
from crypto_trader_pro.domain.instruments import Instrument
from crypto_trader_pro.domain.market import CandleSeries
from crypto_trader_pro.domain.ports import MarketSource
from crypto_trader_pro.domain.timeframes import timeframe_ms
from database import candles
from database.auto_trading_db import unit_of_work

log = logging.getLogger(__name__)

WARM_CANDLES = 200  # that the strategies see before the first decision


def choose(
    settings: Settings, held: Origin | None, probe: Callable[[str, float], str]
) -> tuple[str, str]:
    """Return ("demo" or "exchange", why).

    Args:
        held: origin of the session that holds positions: `auto` never leaves it.
        probe: asks a venue for a sign of life within so many seconds; "" or what is wrong.
    """
    wanted = settings.market_data.source
    if wanted != "auto":
        return wanted, "configured"
    if held is not None:
        return held.source, "positions are open"
    venue = settings.market_data.venue
    wrong = probe(venue, float(settings.market_data.connect_seconds))
    if not wrong:
        return "exchange", f"{venue} answers"
    log.warning("%s: the demo market is used instead", wrong)
    return "demo", wrong


def open_source(
    name: str, settings: Settings, instruments: Sequence[Instrument], database: Database
) -> MarketSource:
    """Return the source, not started.

    Raises:
        ConfigError: a source that cannot feed a living engine.
    """
    length = timeframe_ms(settings.engine.timeframe)
    data = settings.market_data
    if name == "demo":
        from auto_trading.gateways.demo_source import DemoSource  # noqa: PLC0415

        return DemoSource(
            instruments, length, seed=data.demo_seed, speed=data.demo_speed,
            warm_bars=WARM_CANDLES,
        )  # fmt: skip
    if name == "exchange":
        # ccxt takes seconds to import
        from auto_trading.gateways.exchange_source import ExchangeSource  # noqa: PLC0415

        return ExchangeSource(
            data.venue, instruments, length, warm_bars=WARM_CANDLES,
            grace_seconds=settings.engine.candle_grace_seconds,
            silence_seconds=data.silence_seconds,
        )  # fmt: skip
    if name == "replay":
        return _replay(settings, instruments, database)
    raise ConfigError(f"market_data.source was {name!r}, allowed: auto, exchange, demo, replay")


def _replay(
    settings: Settings, instruments: Sequence[Instrument], database: Database
) -> MarketSource:
    length, data = timeframe_ms(settings.engine.timeframe), settings.market_data
    origin = candles.Origin(data.venue, IMPORTED)
    known = {i.symbol: i for i in instruments}

    def load(symbol: str, timeframe: int, from_ms: int, to_ms: int) -> CandleSeries:
        with unit_of_work(database, "the candles") as session:
            return candles.load(
                session, known[symbol], timeframe, origin, from_ms=from_ms, to_ms=to_ms
            )

    with unit_of_work(database, "the candles") as session:
        series = [candles.load(session, i, length, origin) for i in instruments]
        rates = {i.symbol: candles.load_funding(session, i.symbol, origin) for i in instruments}
    funding = {
        symbol: [FundingEvent(*pair) for pair in zip(*pairs, strict=True)]
        for symbol, pairs in rates.items()
    }
    return ReplaySource(
        instruments, series, venue=data.venue, speed=data.demo_speed, warm_bars=WARM_CANDLES,
        funding=funding, load=load,
    )  # fmt: skip


def probe_venue(venue: str, seconds: float) -> str:
    """Return "" if the venue answers a public call in time, else one line why not."""
    from auto_trading.gateways.venue_clients import probe  # noqa: PLC0415

    return probe(venue, seconds)
