"""Settings of the model signal."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from crypto_trader_pro.ai.config import AiConfig
from crypto_trader_pro.domain.errors import ConfigError


def test_the_defaults_cost_14_basis_points_a_round_trip() -> None:
    cfg = AiConfig()
    assert cfg.cost_bp == 14.0  # 2 x (0.05 % + 0.02 %)
    assert cfg.horizon_ms == 24 * 3_600_000
    assert (cfg.stop_atr_rate, cfg.target_atr_rate) == (150_000_000, 300_000_000)


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"timeframe_ms": 7}, "ai timeframe_ms was 7"),
        ({"label": "both"}, "ai label was both, allowed: atr, fixed"),
        ({"stop_atr": Decimal(0)}, "ai stop_atr was 0, allowed: above 0 to 20"),
        ({"target_atr": Decimal(51)}, "ai target_atr was 51, allowed: above 0 to 50"),
        ({"horizon": 0}, "ai horizon was 0, allowed: above 0"),
        ({"stop_rate": 100_000_000}, "ai stop_rate was 100000000"),
        ({"fee_rate": -1}, "ai fee_rate was -1, allowed: 0 to 10000000"),
        ({"first_months": 13}, "ai first_months was 13, allowed: at most min_months"),
        ({"min_months": 25}, "ai min_months was 25, allowed: at most train_months"),
        ({"retrain_months": 7}, "ai retrain_months was 7, allowed: at most expire_months"),
        ({"leaves": 1}, "ai leaves was 1, allowed: 2 to 1024"),
        ({"bins": 256}, "ai bins was 256, allowed: 2 to 255"),
        ({"l2": -1.0}, "ai l2 was -1.0, allowed: 0 or more"),
        ({"feature_fraction": 0.0}, "ai feature_fraction was 0.0, allowed: above 0 to 1"),
        ({"calibration_share": 0.6}, "ai calibration_share was 0.6, allowed: 0.05 to 0.5"),
        ({"novelty_share": 1.5}, "ai novelty_share was 1.5, allowed: 0 to 1"),
        ({"learning_rate": float("nan")}, "ai learning_rate was nan, allowed: above 0"),
    ],
)
def test_an_unusable_setting_is_named_with_what_is_allowed(
    changes: dict[str, Any], line: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        replace(AiConfig(), **changes)
    assert str(refused.value).startswith(line)
    assert "\n" not in str(refused.value)


def test_the_hash_follows_every_setting_and_nothing_else() -> None:
    assert AiConfig().hash() == AiConfig().hash()
    assert AiConfig().hash() != AiConfig(seed=2).hash()
    assert AiConfig().hash() != AiConfig(stop_atr=Decimal("1.6")).hash()
