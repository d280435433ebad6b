"""Settings into the core's whole numbers: percent, Decimal and names of the files end here."""

from collections.abc import Sequence
from typing import Final

from auto_trading.data_gate import SymbolGate
from config.fields import as_rate, bp_as_rate, multiple_as_rate
from config.settings import Settings
from crypto_trader_pro.ai.config import AiConfig
from crypto_trader_pro.domain.errors import ConfigError
from crypto_trader_pro.domain.instruments import Instrument, money_units
from crypto_trader_pro.domain.timeframes import timeframe_ms
from crypto_trader_pro.domain.units import RATE, rate_floor
from crypto_trader_pro.risk.config import RiskLimits
from crypto_trader_pro.simulation.venue_costs import VenueCosts
from crypto_trader_pro.strategies.base import CandleStrategy
from crypto_trader_pro.strategies.trend_following import EmaCross

CANDLE_STRATEGIES: Final = ("ema_cross",)
MODEL_STRATEGY: Final = "ai_signal"
STRATEGIES: Final = (*CANDLE_STRATEGIES, MODEL_STRATEGY)
_FIRST_MONTHS: Final = 6  # history before a first model; below min_months it is shadow only


def limits_of(settings: Settings) -> RiskLimits:
    """Return the limits in force: those of the files, scaled by the mode, capped by the profile."""
    day, limits, preset = settings.risk_management, settings.limits, settings.preset
    factor = as_rate(preset.size_factor_pct)
    daily = as_rate(day.daily_loss_limit_pct)
    cap = settings.caps.capital
    largest = limits.max_order_notional
    return RiskLimits(
        daily_warning_rate=rate_floor(daily, as_rate(limits.daily_warning_share_pct)),
        daily_loss_rate=daily,
        drawdown_reduce_rate=as_rate(limits.drawdown_reduce_pct),
        drawdown_recover_rate=as_rate(limits.drawdown_recover_pct),
        drawdown_kill_rate=as_rate(limits.drawdown_kill_pct),
        drawdown_reset_days=limits.drawdown_reset_days,
        size_rate=rate_floor(as_rate(day.position_size_pct), factor),
        risk_rate=rate_floor(as_rate(limits.risk_per_trade_pct), factor),
        leverage_rate=multiple_as_rate(settings.max_leverage),
        collar_rate=as_rate(limits.price_collar_pct),
        max_positions=settings.engine.max_concurrent_positions,
        cooldown_bars=limits.cooldown_bars,
        max_entries_per_day=limits.max_entries_per_day,
        max_entries_per_cycle=limits.max_entries_per_cycle,
        # thousandths of a basis point: 1 bp is 10_000 parts of 1e8
        edge_margin_mbp=bp_as_rate(preset.edge_margin_bp) // 10,
        volume_share=as_rate(settings.paper.volume_share_pct),
        capital_cap=money_units(cap) if cap is not None else 0,
        max_order_notional=money_units(largest) if largest is not None else 0,
        lock_after_stops=limits.lock_after_stops,
        max_volatility_rate=as_rate(settings.safety.max_volatility_pct),
        min_balance_rate=as_rate(settings.safety.min_balance_pct),
    )


def gate_of(length_ms: int, settings: Settings) -> SymbolGate:
    """Return a fresh data gate for one symbol."""
    data = settings.market_data
    return SymbolGate(
        length_ms, data.warm_bars,
        outlier_multiple=data.outlier_multiple, stale_timeframes=data.stale_timeframes,
    )  # fmt: skip


def costs_of(settings: Settings) -> VenueCosts:
    """Return what the simulated market takes; the margin of an odd leverage is rounded up."""
    paper = settings.paper
    isolated = paper.margin_mode == "isolated"
    return VenueCosts(
        slippage_rate=as_rate(paper.slippage_pct),
        volume_share=as_rate(paper.volume_share_pct),
        entry_ttl_bars=paper.entry_ttl_bars,
        half_spread_rate=as_rate(paper.half_spread_pct),
        impact_rate=as_rate(paper.impact_pct),
        range_share=as_rate(paper.range_share_pct),
        latency_bars=paper.latency_bars,
        isolated_rate=-(-RATE // paper.isolated_leverage) if isolated else 0,
    )


def candle_strategies(names: Sequence[str], settings: Settings) -> list[CandleStrategy]:
    """Return the named strategies that need nothing but candles, with their parameters.

    Raises:
        ConfigError: a name that no strategy has.
    """
    unknown = [name for name in names if name not in STRATEGIES]
    if unknown:
        raise ConfigError(f"strategy was {unknown[0]!r}, allowed: {', '.join(STRATEGIES)}")
    p = settings.strategies.ema_cross
    known = {
        "ema_cross": EmaCross(
            p.fast,
            p.slow,
            as_rate(p.stop_pct),
            as_rate(p.target_pct),
            as_rate(p.trailing_pct),
            p.long_only,
        )
    }
    return [known[name] for name in names if name in known]


def enabled_strategies(settings: Settings) -> list[str]:
    """Return the names of the strategies that the configuration runs, in its order."""
    return [name for name in STRATEGIES if getattr(settings.strategies, name).enabled]


def ai_config(settings: Settings, instruments: Sequence[Instrument]) -> AiConfig:
    """Return the model's settings; its labels pay the venue's taker fee and the paper slippage."""
    p = settings.strategies.ai_signal
    return AiConfig(
        timeframe_ms=timeframe_ms(p.timeframe),
        label=p.label,
        stop_atr=p.stop_atr,
        target_atr=p.target_atr,
        stop_rate=as_rate(settings.risk_management.stop_loss_pct),
        target_rate=as_rate(settings.risk_management.take_profit_pct),
        horizon=p.horizon_bars,
        fee_rate=max(i.taker_rate for i in instruments),
        slippage_rate=as_rate(settings.paper.slippage_pct),
        train_months=p.train_months,
        min_months=p.min_months,
        first_months=min(p.min_months, _FIRST_MONTHS),
        retrain_months=p.retrain_months,
        expire_months=p.expire_months,
    )
