"""The history of the configuration as the settings page reads it, on both databases."""

import json
from datetime import timedelta
from typing import Any

from sqlalchemy import Engine

from auto_trading_dashboard.queries import settings as queries
from auto_trading_dashboard.queries.settings import Changed, Version
from config.loading import load
from config.settings import Settings
from database import config_history
from database.auto_trading_db import unit_of_work
from database.config_history import AppliedConfig
from tests.rows import T0

SHIPPED = load(environ={})


def applied(settings: Settings, *, is_enabled: bool = False, **other: Any) -> AppliedConfig:
    values: dict[str, Any] = {
        "is_enabled": is_enabled, "trading_mode": settings.engine.trading_mode.value,
        "max_daily_loss_pct": settings.risk_management.daily_loss_limit_pct, "max_positions": 5,
        "trading_interval": 300, "symbols": settings.symbols, "config_hash": settings.hash(),
        "content": settings.canonical_json(),
    }  # fmt: skip
    return AppliedConfig(**(values | other))


def record(database: Engine, config: AppliedConfig, by: str, minute: int) -> None:
    with unit_of_work(database) as session:
        config_history.record(session, config, by, T0 + timedelta(minutes=minute))


def versions(database: Engine, limit: int = 30) -> tuple[Version, ...]:
    with unit_of_work(database) as session:
        return queries.versions(session, limit)


def test_an_empty_history(database: Engine) -> None:
    assert versions(database) == ()
    with unit_of_work(database) as session:
        assert queries.newest(session) == 0
        assert queries.in_force(session) is None


def test_each_version_tells_what_changed_against_the_one_before(database: Engine) -> None:
    other = load(
        environ={}, overrides={"limits.max_leverage": "1.25", "symbols": ["BTC/USDT"]}
    )  # fmt: skip
    record(database, applied(SHIPPED), "start", 0)
    record(database, applied(SHIPPED, is_enabled=True), "kim", 1)
    record(database, applied(other, is_enabled=True), "lee", 2)
    last, switched, first = versions(database)
    assert last.changes == (
        Changed("limits.max_leverage", "1", "1.25"),
        Changed("symbols", ["BTC/USDT", "ETH/USDT"], ["BTC/USDT"]),
    )
    assert [v.by for v in (last, switched, first)] == ["lee", "kim", "start"]
    assert [v.in_force for v in (last, switched, first)] == [True, False, False]
    assert (switched.changes, switched.switched, switched.is_first) == ((), True, False)
    assert (first.changes, first.is_first, first.at) == ((), True, T0)
    assert last.settings == other
    with unit_of_work(database) as session:
        assert queries.in_force(session) == other
        assert queries.newest(session) == last.number


def test_the_last_one_shown_is_compared_with_one_that_is_not(database: Engine) -> None:
    for minute in range(4):
        settings = load(environ={}, overrides={"limits.cooldown_bars": minute})
        record(database, applied(settings), "kim", minute)
    shown = versions(database, limit=2)
    assert [v.changes for v in shown] == [
        (Changed("limits.cooldown_bars", 2, 3),), (Changed("limits.cooldown_bars", 1, 2),)
    ]  # fmt: skip
    assert not any(v.is_first for v in shown)


def test_a_version_of_another_platform_is_told_and_cannot_be_used(database: Engine) -> None:
    tree = json.loads(SHIPPED.canonical_json())
    del tree["paper"]["funding"]
    tree["paper"]["old_key"] = 5
    record(database, applied(SHIPPED, content=json.dumps(tree), config_hash="0" * 64), "old", 0)
    record(database, applied(SHIPPED), "start", 1)
    new, old = versions(database)
    assert old.settings is None
    assert new.settings == SHIPPED
    assert set(new.changes) == {
        Changed("paper.funding", None, True), Changed("paper.old_key", 5, None)
    }  # fmt: skip
