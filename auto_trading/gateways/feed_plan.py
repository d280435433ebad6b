"""What an exchange source is to bring, and how patiently it waits for it."""

from dataclasses import dataclass

from auto_trading.gateways.venue_clients import VenueClients
from crypto_trader_pro.domain.instruments import Instrument
from crypto_trader_pro.domain.ports import Clock


@dataclass(frozen=True, slots=True)
class FeedPlan:
    """Settings of one source; times in ms of the market, or in real seconds where said so."""

    venue: str
    instruments: tuple[Instrument, ...]
    timeframe_ms: int
    warm_bars: int
    grace_ms: int
    silence_seconds: float
    price_interval_ms: int
    facts_seconds: float
    clients: VenueClients
    clock: Clock
