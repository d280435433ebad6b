"""`risk_config.json`: limits, kill switch, rollback, emergency stop, presets and profile caps.

No rule can be switched off: there is a figure for each, and every figure has bounds.
"""

from collections.abc import Iterator
from decimal import Decimal
from typing import Annotated

from pydantic import Field

from config.fields import Contradiction, Distinct, Lax, Money, Number, Percent, Section
from crypto_trader_pro.domain.enums import EmergencyTrigger

MAX_LEVERAGE = 20


class Limits(Section):
    """Section `limits`: the ladder of losses, and what bounds a single order."""

    daily_warning_share_pct: Percent = Field(
        default=Decimal(80),
        gt=0,
        lt=100,
        description="Part of the daily loss limit at which a warning is sent, percent.",
    )
    drawdown_reduce_pct: Percent = Field(
        default=Decimal(5),
        gt=0,
        le=50,
        description="Fall from the equity peak, percent, from which orders may only reduce.",
    )
    drawdown_recover_pct: Percent = Field(
        default=Decimal(4),
        gt=0,
        le=50,
        description="Fall from the peak, percent, below which reducing ends by itself.",
    )
    drawdown_kill_pct: Percent = Field(
        default=Decimal(10),
        gt=0,
        le=50,
        description="Fall from the peak, percent, that trips the kill switch.",
    )
    drawdown_reset_days: int = Field(
        default=7,
        ge=1,
        le=365,
        description="Trading days without a position after which the peak is set anew.",
    )
    risk_per_trade_pct: Percent = Field(
        default=Decimal("0.02"),
        gt=0,
        le=10,
        description="Largest loss of one trade if its stop is hit, percent of equity.",
    )
    max_leverage: Number = Field(
        default=Decimal("1.0"),
        gt=0,
        le=MAX_LEVERAGE,
        description="Largest sum of all positions' notional, multiple of equity.",
    )
    price_collar_pct: Percent = Field(
        default=Decimal(5),
        gt=0,
        le=50,
        description="Largest distance of an order's price from the last price, percent.",
    )
    cooldown_bars: int = Field(
        default=0, ge=0, le=10_000, description="Candles to wait after an exit; 0 is none."
    )
    max_entries_per_day: int = Field(
        default=200, ge=1, le=10_000, description="Most entries of one trading day."
    )
    max_entries_per_cycle: int = Field(
        default=20, ge=1, le=100, description="Most entries of one decision cycle."
    )
    lock_after_stops: int = Field(
        default=0,
        ge=0,
        le=100,
        description="Stops in a row that lock a symbol until the next trading day; 0 is never.",
    )
    max_order_notional: Money | None = Field(
        default=None,
        gt=0,
        le=1_000_000_000,
        description="Largest notional of one order in the quote currency; null is no such limit.",
    )

    def contradictions(self) -> Iterator[Contradiction]:
        if self.drawdown_recover_pct >= self.drawdown_reduce_pct:
            allowed = f"less than drawdown_reduce_pct, which is {self.drawdown_reduce_pct}"
            yield Contradiction("drawdown_recover_pct", self.drawdown_recover_pct, allowed)
        if self.drawdown_reduce_pct >= self.drawdown_kill_pct:
            allowed = f"less than drawdown_kill_pct, which is {self.drawdown_kill_pct}"
            yield Contradiction("drawdown_reduce_pct", self.drawdown_reduce_pct, allowed)
        if self.max_entries_per_cycle > self.max_entries_per_day:
            allowed = f"at most max_entries_per_day, which is {self.max_entries_per_day}"
            yield Contradiction("max_entries_per_cycle", self.max_entries_per_cycle, allowed)


class KillSwitch(Section):
    """Section `kill_switch`: its triggers beside `limits.drawdown_kill_pct`."""

    var_breach_count: int = Field(
        default=3,
        ge=1,
        le=1000,
        description="More breaches of the value at risk than this trip the kill switch.",
    )
    api_error_rate_pct: Percent = Field(
        default=Decimal(10),
        gt=0,
        le=100,
        description="A larger share of failed exchange calls trips the kill switch, percent.",
    )
    window_minutes: int = Field(
        default=60,
        ge=1,
        le=10_080,
        description="Minutes over which breaches and failed calls are counted.",
    )


class Rollback(Section):
    """Section `rollback`: figures at which a new deployment is taken back."""

    error_rate_pct: Percent = Field(
        default=Decimal(5),
        gt=0,
        le=100,
        description="A larger share of failed cycles takes the deployment back, percent.",
    )
    latency_p99_ms: int = Field(
        default=1000,
        ge=1,
        le=600_000,
        description="A slower 99th percentile of a decision takes the deployment back, ms.",
    )
    drawdown_pct: Percent = Field(
        default=Decimal(5),
        gt=0,
        le=50,
        description="A deeper fall since the deployment takes it back, percent.",
    )


class Safety(Section):
    """Section `safety`: checked before each cycle; a failed check allows no entry."""

    connection_lost_seconds: int = Field(
        default=30,
        ge=1,
        le=3600,
        description="Seconds without a word from the market after which nothing is entered.",
    )
    connection_emergency_seconds: int = Field(
        default=600,
        ge=10,
        le=86_400,
        description="Seconds of that after which API_CONNECTION_LOST halts trading.",
    )
    max_volatility_pct: Percent = Field(
        default=Decimal(3),
        gt=0,
        le=100,
        description="Mean absolute move of a candle, percent, above which a symbol is not entered.",
    )
    min_balance_pct: Percent = Field(
        default=Decimal(5),
        ge=0,
        le=100,
        description="Cash not bound in spot holdings, percent of equity, below which none enter.",
    )

    def contradictions(self) -> Iterator[Contradiction]:
        if self.connection_emergency_seconds <= self.connection_lost_seconds:
            allowed = f"more than connection_lost_seconds, which is {self.connection_lost_seconds}"
            value = self.connection_emergency_seconds
            yield Contradiction("connection_emergency_seconds", value, allowed)


class EmergencyStop(Section):
    """Section `emergency_stop`: whether a stop also closes positions."""

    flatten: bool = Field(
        default=True, description="Close positions on the triggers listed in flatten_on."
    )
    flatten_on: Annotated[tuple[Annotated[EmergencyTrigger, Lax], ...], Lax, Distinct] = Field(
        default=(
            EmergencyTrigger.MANUAL_STOP,
            EmergencyTrigger.DRAWDOWN_EXCEEDED,
            EmergencyTrigger.VAR_BREACHES,
            EmergencyTrigger.API_ERROR_RATE,
        ),
        description="Triggers that close positions; on all others they keep their stops.",
    )

    def flattens(self, trigger: EmergencyTrigger) -> bool:
        """True when an emergency stop for `trigger` closes the positions."""
        return self.flatten and trigger in self.flatten_on


class ModePreset(Section):
    """What one trading mode asks of a signal and does to a size. No key has a default here."""

    edge_margin_bp: Number = Field(
        ge=0, le=1000, description="Expected profit after costs a model signal needs, basis points."
    )
    size_factor_pct: Percent = Field(
        gt=0,
        le=500,
        description="Percent of the configured position size and risk per trade that is used.",
    )


class Modes(Section):
    """Section `modes`: one preset per trading mode."""

    CONSERVATIVE: ModePreset = Field(description="The default: largest margin, plain size.")
    BALANCED: ModePreset = Field(description="Between the two.")
    AGGRESSIVE: ModePreset = Field(description="Smallest margin, largest size.")


class ProfileCaps(Section):
    """Caps of one deployment. No key has a default: a deleted cap must not mean no cap."""

    capital: Money | None = Field(
        gt=0,
        le=1_000_000_000,
        description="Most equity this deployment trades with, quote currency; null is no cap.",
    )
    max_leverage: Number | None = Field(
        gt=0,
        le=MAX_LEVERAGE,
        description="Cap on limits.max_leverage, multiple of equity; null is no cap.",
    )


class Profiles(Section):
    """Section `profiles`: caps per deployment, chosen by engine.profile."""

    default: ProfileCaps = Field(description="No caps beyond the limits.")
    paper: ProfileCaps = Field(description="A test network account.")
    staging: ProfileCaps = Field(description="A small real account.")
    production: ProfileCaps = Field(description="The full account.")
