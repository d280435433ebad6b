"""Settings become the core's whole numbers, exactly and all of them."""

from decimal import Decimal
from typing import Any

import pytest

from auto_trading.translation import (
    CANDLE_STRATEGIES,
    MODEL_STRATEGY,
    STRATEGIES,
    ai_config,
    candle_strategies,
    costs_of,
    enabled_strategies,
    limits_of,
)
from config.loading import load
from config.settings import Settings
from config.strategies import Strategies
from crypto_trader_pro.domain.errors import ConfigError
from crypto_trader_pro.risk.config import RiskLimits
from crypto_trader_pro.simulation.instruments import instrument
from crypto_trader_pro.simulation.venue_costs import VenueCosts
from crypto_trader_pro.strategies.trend_following import EmaCross
from tests.builders import USDT

BTC = instrument("BTC/USDT:USDT")
COIN = instrument("BTC/USDT")


def settings(**changes: Any) -> Settings:
    """Return the shipped settings with changes: `risk_management__position_size_pct=5`."""
    overrides = {key.replace("__", "."): value for key, value in changes.items()}
    return load(overrides=overrides, environ={}, dotenv={})


# --- limits -------------------------------------------------------------------------------------


def test_the_shipped_limits_are_the_documents() -> None:
    assert limits_of(settings()) == RiskLimits(
        daily_warning_rate=2_400_000,  # 80 % of 3 %
        daily_loss_rate=3_000_000,
        drawdown_reduce_rate=5_000_000,
        drawdown_recover_rate=4_000_000,
        drawdown_kill_rate=10_000_000,
        drawdown_reset_days=7,
        size_rate=2_000_000,
        risk_rate=20_000,
        leverage_rate=100_000_000,
        collar_rate=5_000_000,
        max_positions=5,
        cooldown_bars=0,
        max_entries_per_day=200,
        max_entries_per_cycle=20,
        edge_margin_mbp=20_000,  # 20 bp
        volume_share=10_000_000,
        capital_cap=0,
        max_order_notional=0,
        lock_after_stops=0,
        max_volatility_rate=3_000_000,
        min_balance_rate=5_000_000,
    )


@pytest.mark.parametrize(
    ("key", "value", "field", "units"),
    [
        ("risk_management__daily_loss_limit_pct", "4", "daily_loss_rate", 4_000_000),
        ("limits__daily_warning_share_pct", "50", "daily_warning_rate", 1_500_000),
        ("limits__drawdown_reduce_pct", "6.5", "drawdown_reduce_rate", 6_500_000),
        ("limits__drawdown_recover_pct", "3.25", "drawdown_recover_rate", 3_250_000),
        ("limits__drawdown_kill_pct", "12", "drawdown_kill_rate", 12_000_000),
        ("limits__drawdown_reset_days", 3, "drawdown_reset_days", 3),
        ("risk_management__position_size_pct", "0.000001", "size_rate", 1),
        ("limits__risk_per_trade_pct", "0.5", "risk_rate", 500_000),
        ("limits__lock_after_stops", 3, "lock_after_stops", 3),
        ("safety__max_volatility_pct", "2.5", "max_volatility_rate", 2_500_000),
        ("safety__min_balance_pct", "0.000001", "min_balance_rate", 1),
        ("limits__max_leverage", "2.5", "leverage_rate", 250_000_000),
        ("limits__price_collar_pct", "1", "collar_rate", 1_000_000),
        ("engine__max_concurrent_positions", 9, "max_positions", 9),
        ("limits__cooldown_bars", 12, "cooldown_bars", 12),
        ("limits__max_entries_per_day", 30, "max_entries_per_day", 30),
        ("limits__max_entries_per_cycle", 2, "max_entries_per_cycle", 2),
        ("limits__max_order_notional", "1234.5", "max_order_notional", 123_450_000_000),
        ("paper__volume_share_pct", "7", "volume_share", 7_000_000),
    ],
)
def test_each_setting_reaches_its_limit(key: str, value: Any, field: str, units: int) -> None:
    changed, shipped = limits_of(settings(**{key: value})), limits_of(settings())
    assert getattr(changed, field) == units != getattr(shipped, field)


@pytest.mark.parametrize(
    ("mode", "size", "risk", "margin"),
    [
        ("CONSERVATIVE", 2_000_000, 20_000, 20_000),
        ("BALANCED", 3_000_000, 30_000, 10_000),
        ("AGGRESSIVE", 4_000_000, 40_000, 5_000),
    ],
)
def test_the_trading_mode_scales_size_and_margin(
    mode: str, size: int, risk: int, margin: int
) -> None:
    limits = limits_of(settings(engine__trading_mode=mode))
    assert (limits.size_rate, limits.risk_rate, limits.edge_margin_mbp) == (size, risk, margin)


def test_a_profile_caps_capital_and_leverage() -> None:
    capped = limits_of(settings(engine__profile="staging", limits__max_leverage="10"))
    # staging: 230 USDT, 3x
    assert (capped.capital_cap, capped.leverage_rate) == (230 * USDT, 300_000_000)
    under = limits_of(settings(engine__profile="production", limits__max_leverage="1.5"))
    assert (under.capital_cap, under.leverage_rate) == (7_700 * USDT, 150_000_000)


# --- costs, strategies, model -------------------------------------------------------------------


def test_costs_are_those_of_the_paper_section() -> None:
    assert costs_of(settings()) == VenueCosts(
        slippage_rate=20_000, volume_share=10_000_000, entry_ttl_bars=3, liquidation_rate=500_000
    )
    changed = settings(
        paper__slippage_pct="0.1", paper__volume_share_pct="25", paper__entry_ttl_bars=7
    )
    assert costs_of(changed)[:3] == (100_000, 25_000_000, 7)


def test_the_finer_costs_of_the_paper_section_reach_the_venue() -> None:
    changed = settings(
        paper__half_spread_pct="0.005", paper__impact_pct="2", paper__range_share_pct="1.5",
        paper__latency_bars=3,
    )  # fmt: skip
    assert costs_of(changed) == VenueCosts(
        half_spread_rate=5_000, impact_rate=2_000_000, range_share=1_500_000, latency_bars=3
    )


@pytest.mark.parametrize(
    ("mode", "leverage", "rate"),
    [
        ("cross", 5, 0),
        ("isolated", 5, 20_000_000),  # a fifth of 1e8
        ("isolated", 1, 100_000_000),
        ("isolated", 3, 33_333_334),  # a third, rounded up
        ("isolated", 125, 800_000),
    ],
)
def test_the_leverage_counts_only_while_margin_is_isolated(
    mode: str, leverage: int, rate: int
) -> None:
    changed = settings(paper__margin_mode=mode, paper__isolated_leverage=leverage)
    assert costs_of(changed).isolated_rate == rate


def test_ema_cross_has_its_parameters() -> None:
    assert candle_strategies(["ema_cross"], settings()) == [EmaCross(12, 26, 1_000_000, 2_000_000)]
    changed = settings(
        strategies__ema_cross__fast=5, strategies__ema_cross__slow=9,
        strategies__ema_cross__stop_pct="0.5", strategies__ema_cross__target_pct="3",
        strategies__ema_cross__trailing_pct="0.75",
    )  # fmt: skip
    assert candle_strategies(["ema_cross"], changed) == [
        EmaCross(5, 9, 500_000, 3_000_000, 750_000)
    ]


def test_every_strategy_of_the_configuration_is_known_and_the_model_needs_no_candles() -> None:
    assert set(STRATEGIES) == set(Strategies.model_fields)
    assert [s.name for s in candle_strategies(STRATEGIES, settings())] == list(CANDLE_STRATEGIES)
    assert candle_strategies([MODEL_STRATEGY], settings()) == []


def test_an_unknown_strategy_is_named_with_those_that_exist() -> None:
    with pytest.raises(ConfigError, match="'emacross', allowed: ema_cross, ai_signal"):
        candle_strategies(["ema_cross", "emacross"], settings())


@pytest.mark.parametrize(
    ("ema", "ai", "expected"),
    [
        (True, True, ["ema_cross", "ai_signal"]),
        (True, False, ["ema_cross"]),
        (False, True, ["ai_signal"]),
        (False, False, []),
    ],
)
def test_the_enabled_strategies_run(ema: bool, ai: bool, expected: list[str]) -> None:
    changed = settings(strategies__ema_cross__enabled=ema, strategies__ai_signal__enabled=ai)
    assert enabled_strategies(changed) == expected


def test_the_models_label_pays_the_dearest_fee_and_the_paper_slippage() -> None:
    cfg = ai_config(settings(paper__slippage_pct="0.03"), [BTC])
    assert (cfg.fee_rate, cfg.slippage_rate) == (50_000, 30_000)  # 0.05 %
    assert ai_config(settings(), [BTC, COIN]).fee_rate == 100_000  # spot: 0.1 %


def test_the_models_settings_reach_it() -> None:
    changed = settings(
        strategies__ai_signal__timeframe="4h", strategies__ai_signal__label="fixed",
        strategies__ai_signal__stop_atr="2", strategies__ai_signal__target_atr="5",
        strategies__ai_signal__horizon_bars=12, strategies__ai_signal__train_months=18,
        strategies__ai_signal__min_months=9, strategies__ai_signal__retrain_months=2,
        strategies__ai_signal__expire_months=4, risk_management__stop_loss_pct="1.5",
        risk_management__take_profit_pct="2.5",
    )  # fmt: skip
    cfg = ai_config(changed, [BTC])
    assert (cfg.timeframe_ms, cfg.label, cfg.horizon) == (14_400_000, "fixed", 12)
    assert (cfg.stop_atr, cfg.target_atr) == (Decimal(2), Decimal(5))
    assert (cfg.stop_rate, cfg.target_rate) == (1_500_000, 2_500_000)
    assert (cfg.train_months, cfg.min_months) == (18, 9)
    assert (cfg.retrain_months, cfg.expire_months) == (2, 4)


@pytest.mark.parametrize(("minimum", "first"), [(3, 3), (6, 6), (12, 6)])
def test_a_first_model_needs_six_months_at_most(minimum: int, first: int) -> None:
    assert (
        ai_config(settings(strategies__ai_signal__min_months=minimum), [BTC]).first_months == first
    )
