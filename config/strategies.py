"""`auto_trading_config.json`, section `strategies`: one object per strategy, by its name."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Literal

from pydantic import Field

from config.fields import Contradiction, Number, Percent, Section, Timeframe


class EmaCross(Section):
    """`ema_cross`: enters where two exponential averages cross, exits by stop, target or cross."""

    enabled: bool = Field(default=True, description="Run this strategy.")
    fast: int = Field(default=12, ge=2, le=1000, description="Span of the fast average, candles.")
    slow: int = Field(default=26, ge=3, le=2000, description="Span of the slow average, candles.")
    stop_pct: Percent = Field(
        default=Decimal("1.0"),
        gt=0,
        lt=100,
        description="Distance of the stop, percent of the entry price.",
    )
    target_pct: Percent = Field(
        default=Decimal("2.0"),
        gt=0,
        le=1000,
        description="Distance of the target, percent of the entry price.",
    )
    trailing_pct: Percent = Field(
        default=Decimal(0),
        ge=0,
        lt=100,
        description="Distance at which the stop follows the price, percent; 0 is off.",
    )
    long_only: bool = Field(
        default=False, description="Never sell short: the cross down merely closes."
    )

    def contradictions(self) -> Iterator[Contradiction]:
        if self.fast >= self.slow:
            yield Contradiction("fast", self.fast, f"less than slow, which is {self.slow}")


class AiSignal(Section):
    """`ai_signal`: the model that says how probable a profit after costs is, and how it is trained.

    Fees and slippage are not here: labels take those of the venue and of `paper`.
    """

    enabled: bool = Field(default=True, description="Run this strategy.")
    timeframe: Timeframe = Field(default="1h", description="Candles the model is trained on.")
    label: Literal["atr", "fixed"] = Field(
        default="atr",
        description="atr: stop and target in average true ranges; fixed: those of risk_management.",
    )
    stop_atr: Number = Field(
        default=Decimal("1.5"), gt=0, le=20, description="Distance of the stop, true ranges."
    )
    target_atr: Number = Field(
        default=Decimal("3.0"), gt=0, le=50, description="Distance of the target, true ranges."
    )
    horizon_bars: int = Field(
        default=24, ge=1, le=1000, description="Candles after which a trade is closed by time."
    )
    train_months: int = Field(
        default=24, ge=1, le=120, description="Months of history a model is trained on."
    )
    min_months: int = Field(
        default=12,
        ge=1,
        le=120,
        description="With less history than this many months the model stays in shadow.",
    )
    retrain_months: int = Field(
        default=3, ge=1, le=24, description="Months after which a new model is trained."
    )
    expire_months: int = Field(
        default=6, ge=1, le=36, description="Months after which an old model gives no signal."
    )

    def contradictions(self) -> Iterator[Contradiction]:
        if self.min_months > self.train_months:
            allowed = f"at most train_months, which is {self.train_months}"
            yield Contradiction("min_months", self.min_months, allowed)
        if self.retrain_months > self.expire_months:
            allowed = f"at most expire_months, which is {self.expire_months}"
            yield Contradiction("retrain_months", self.retrain_months, allowed)


class Strategies(Section):
    """Section `strategies`."""

    ema_cross: EmaCross = Field(description="Crossing of two exponential moving averages.")
    ai_signal: AiSignal = Field(description="Calibrated model with its proving gate.")
