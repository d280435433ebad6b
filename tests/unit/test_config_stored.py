"""Configurations stored with runs: from before the living engine, and with all it brought."""

import hashlib
import json
from decimal import Decimal
from pathlib import Path

import pytest

import config
from config import Settings
from crypto_trader_pro.domain.enums import EmergencyTrigger
from tests.unit.test_config_support import GONE, folder, load, put

# what came with the living engine; a configuration stored before it has none of these
LATER = (
    "retention",
    "safety",
    "limits.lock_after_stops",
    "market_data.demo_seed",
    "market_data.demo_speed",
    "market_data.connect_seconds",
    "market_data.silence_seconds",
    "paper.half_spread_pct",  # and these with the research engine
    "paper.impact_pct",
    "paper.range_share_pct",
    "paper.latency_bars",
    "paper.margin_mode",
    "paper.isolated_leverage",
    "strategies.ema_cross.long_only",
    "routing.by_type.CONFIG_CHANGED",
    "routing.by_type.DAILY_SUMMARY",
    "research",
    "channels.slack",  # and these with what reaches outside
    "channels.webhook",
    "routing.by_type.WEEKLY_REPORT",
    "routing.by_type.ENGINE_SILENT",
    "routing.by_type.SIGNAL_RECEIVED",
    "routing.by_type.REMOTE_COMMAND",
    "routing.by_type.DIGEST",
    "routing.by_type.TEST_MESSAGE",
    "weekly_report_day",
    "digest",
    "rate_limits",
    "escalation",
    "reach",
)
CHANNELS = ["dashboard", "email", "discord", "telegram"]  # there were then
HASH_BEFORE = "d2c0ac43617ecb9703ff7b94f8401cd7ebe1dbef2fc1ae180ee092d07b1b1877"


def stored_before(settings: Settings) -> str:
    """Return the canonical text that `settings` had before the keys of `LATER` existed."""
    tree = json.loads(settings.canonical_json())
    for key in LATER:
        put(tree, key.split("."), GONE)
    flattens = tree["emergency_stop"]["flatten_on"]  # two triggers came with the kill switch
    flattens[:] = [t for t in flattens if t not in ("VAR_BREACHES", "API_ERROR_RATE")]
    for severity in ("error", "critical"):
        tree["routing"]["by_severity"][severity] = CHANNELS
    return json.dumps(tree, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def test_a_configuration_stored_before_the_living_engine_still_loads(tmp_path: Path) -> None:
    text = stored_before(config.load(environ={}))
    # the hash that runs of the shipped configuration were stored with then: the text is theirs
    assert hashlib.sha256(text.encode()).hexdigest() == HASH_BEFORE
    two = (EmergencyTrigger.MANUAL_STOP, EmergencyTrigger.DRAWDOWN_EXCEEDED)
    routes = {f"routing.by_severity.{grade}": CHANNELS for grade in ("error", "critical")}
    as_then = load(folder(tmp_path, {"emergency_stop.flatten_on": list(two), **routes}))
    assert Settings.model_validate_json(text, strict=False) == as_then
    # what such a configuration did say is kept
    changes = {"engine.mode": "backtest", "limits.cooldown_bars": 4, "market_data.warm_bars": 9}
    changed = load(folder(tmp_path, changes))
    assert (
        Settings.model_validate_json(stored_before(changed), strict=False).limits == changed.limits
    )


@pytest.mark.parametrize("key", LATER)
def test_each_later_key_may_be_absent_alone(key: str) -> None:
    settings = config.load(environ={})
    tree = json.loads(settings.canonical_json())
    put(tree, key.split("."), GONE)
    assert Settings.model_validate_json(json.dumps(tree), strict=False) == settings


def test_a_stored_configuration_keeps_later_values_that_are_no_defaults(tmp_path: Path) -> None:
    changes = {
        "retention.demo_days": 1,
        "safety.min_balance_pct": Decimal("0.5"),
        "limits.lock_after_stops": 2,
        "market_data.demo_speed": 1,
        "routing.by_type.CONFIG_CHANGED": ["email"],
    }
    settings = load(folder(tmp_path, changes))
    again = Settings.model_validate_json(settings.canonical_json(), strict=False)
    assert again == settings
    assert again.hash() == settings.hash() != config.load(environ={}).hash()
