"""`auto_trading_config.json`: what the engine trades, how often, with which data and money."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field

from config.fields import (
    Contradiction,
    Distinct,
    Lax,
    Money,
    Percent,
    Section,
    Symbol,
    Timeframe,
    Zone,
)
from config.notifications import Channel
from crypto_trader_pro.domain.enums import Mode, TradingMode
from crypto_trader_pro.domain.timeframes import timeframe_ms

ProfileName = Literal["default", "paper", "staging", "production"]
SourceName = Literal["auto", "exchange", "replay", "demo"]

Symbols = Annotated[tuple[Symbol, ...], Lax, Field(min_length=1, max_length=100), Distinct]


class Engine(Section):
    """Section `engine`: the decision period, the mode, and whose day and language count."""

    trading_interval: int = Field(
        default=300,
        ge=60,
        le=86_400,
        description="Seconds of market time between two decisions; a multiple of the timeframe.",
    )
    timeframe: Timeframe = Field(
        default="5m", description="Candles that the strategies decide on, unless one has its own."
    )
    max_concurrent_positions: int = Field(
        default=5, ge=1, le=100, description="Most positions open at the same time."
    )
    enable_paper_trading: bool = Field(
        default=True,
        description="True keeps real money out of reach; live trading needs false and mode live.",
    )
    mode: Annotated[Mode, Lax] = Field(
        default=Mode.PAPER,
        description="backtest plays stored candles, paper trades simulated money, live real money.",
    )
    trading_mode: Annotated[TradingMode, Lax] = Field(
        default=TradingMode.CONSERVATIVE,
        description="Preset of `modes` that sets the required edge and scales the size.",
    )
    profile: ProfileName = Field(
        default="default",
        description="Caps of `profiles` on capital and leverage that apply to this deployment.",
    )
    trading_day_timezone: Zone = Field(
        default="Asia/Seoul",
        description="Zone in which a trading day begins: daily loss, today, daily summary.",
    )
    language: Literal["auto", "ko", "en"] = Field(
        default="auto", description="Language of messages; auto follows the browser or the shell."
    )
    candle_grace_seconds: int = Field(
        default=10,
        ge=1,
        le=600,
        description="Seconds to wait for a closed candle before its symbol is decided as dark.",
    )

    def contradictions(self) -> Iterator[Contradiction]:
        period = timeframe_ms(self.timeframe) // 1000
        if self.trading_interval % period:
            allowed = f"a multiple of engine.timeframe {self.timeframe} ({period} s)"
            yield Contradiction("trading_interval", self.trading_interval, allowed)
        if self.candle_grace_seconds >= period:
            allowed = f"less than engine.timeframe {self.timeframe} ({period} s)"
            yield Contradiction("candle_grace_seconds", self.candle_grace_seconds, allowed)
        if self.mode is Mode.LIVE and self.enable_paper_trading:
            yield Contradiction("enable_paper_trading", True, "false while engine.mode is live")
        if self.mode is Mode.PAPER and not self.enable_paper_trading:
            yield Contradiction("enable_paper_trading", False, "true while engine.mode is paper")


class RiskManagement(Section):
    """Section `risk_management`: the four figures every trade starts from."""

    daily_loss_limit_pct: Percent = Field(
        default=Decimal("3.0"),
        gt=0,
        le=50,
        description="Loss of a trading day, percent of its first equity, that halts new risk.",
    )
    position_size_pct: Percent = Field(
        default=Decimal("2.0"),
        gt=0,
        le=100,
        description="Notional of a new position, percent of equity.",
    )
    stop_loss_pct: Percent = Field(
        default=Decimal("1.0"),
        gt=0,
        lt=100,
        description="Distance of the stop, percent of the entry price, if a strategy sets none.",
    )
    take_profit_pct: Percent = Field(
        default=Decimal("2.0"),
        gt=0,
        le=1000,
        description="Distance of the target, percent of the entry price, if a strategy sets none.",
    )


class Notifications(Section):
    """Section `notifications`: whether messages go out, and through which channels."""

    enabled: bool = Field(default=True, description="Send messages at all.")
    channels: Annotated[tuple[Annotated[Channel, Lax], ...], Lax, Distinct] = Field(
        default=(Channel.DASHBOARD, Channel.EMAIL),
        description="Channels in use; each must also be enabled under `channels`.",
    )
    trade_notifications: bool = Field(
        default=True, description="Tell of executed trades, stops and targets."
    )
    error_notifications: bool = Field(
        default=True, description="Tell of system errors and lost connections."
    )


class MarketData(Section):
    """Section `market_data`: where candles come from and when they are good enough."""

    source: SourceName = Field(
        default="auto",
        description="auto takes the exchange if it answers, else (never in live) the demo market.",
    )
    venue: Literal["binance", "bybit", "okx"] = Field(
        default="binance", description="Exchange that candles are read from and orders go to."
    )
    stale_timeframes: int = Field(
        default=2,
        ge=1,
        le=20,
        description="Age of the newest candle, in timeframes, beyond which no entry is allowed.",
    )
    outlier_multiple: int = Field(
        default=12,
        ge=2,
        le=1000,
        description="A candle that moves more than this many mean absolute moves is an outlier.",
    )
    warm_bars: int = Field(
        default=30,
        ge=1,
        le=5000,
        description="Candles without a gap that a symbol needs before it may enter.",
    )
    demo_seed: int = Field(
        default=7,
        ge=0,
        le=999_999,
        description="Which demo market: the same seed, the same prices.",
    )
    demo_speed: int = Field(
        default=300,
        ge=1,
        le=100_000,
        description="Seconds of demo market that pass in one second; 300 is a 5m candle a second.",
    )
    connect_seconds: int = Field(
        default=5, ge=1, le=60, description="How long auto waits for the exchange to answer."
    )
    silence_seconds: int = Field(
        default=20,
        ge=5,
        le=600,
        description="Silence of an exchange stream after which it is opened anew.",
    )


class Retention(Section):
    """Section `retention`: how long rows are kept, days. Orders, fills and the ledger stay."""

    decisions_days: int = Field(
        default=730, ge=1, le=36_500, description="Decisions, signals and session records."
    )
    demo_days: int = Field(
        default=7, ge=1, le=36_500, description="The same of sessions on the demo market."
    )
    market_data_days: int = Field(default=730, ge=1, le=36_500, description="Stored candles.")
    logs_days: int = Field(
        default=30, ge=1, le=36_500, description="Log rows, answered commands, delivered messages."
    )


class Paper(Section):
    """Section `paper`: the simulated account and how its orders fill."""

    initial_equity: Money = Field(
        default=Decimal(100_000),
        gt=0,
        le=1_000_000_000,
        description="Money the paper account starts with, in the quote currency.",
    )
    slippage_pct: Percent = Field(
        default=Decimal("0.02"),
        ge=0,
        le=10,
        description="Percent by which a market order fills worse than the next price.",
    )
    half_spread_pct: Percent = Field(
        default=Decimal(0),
        ge=0,
        le=10,
        description="Half of the gap between bid and ask, percent of the price; added to slippage.",
    )
    impact_pct: Percent = Field(
        default=Decimal(0),
        ge=0,
        le=100,
        description="Slippage added to a fill of a candle's whole volume, percent; "
        "half of it adds a quarter.",
    )
    range_share_pct: Percent = Field(
        default=Decimal(0),
        ge=0,
        le=100,
        description="Added slippage as a part of the range of the candle before, percent.",
    )
    latency_bars: int = Field(
        default=0,
        ge=0,
        le=100,
        description="Candles that a market order misses before it fills; 0 fills at the next open.",
    )
    volume_share_pct: Percent = Field(
        default=Decimal(10),
        gt=0,
        le=100,
        description="Largest part of a candle's volume that our fills may take, percent.",
    )
    entry_ttl_bars: int = Field(
        default=3,
        ge=1,
        le=1000,
        description="Candles for which the unfilled rest of an entry keeps working.",
    )
    margin_mode: Literal["cross", "isolated"] = Field(
        default="cross",
        description="cross: the account carries every perpetual; isolated: each only its margin.",
    )
    isolated_leverage: int = Field(
        default=5,
        ge=1,
        le=125,
        description="Cost of a position divided by its own margin, while margin_mode is isolated.",
    )
    funding: bool = Field(default=True, description="Charge and pay funding on perpetuals.")
    trade_unproven: bool = Field(
        default=True,
        description="Let unproven model signals trade, marked as such; never in live.",
    )
