"""What a change of each key does: when it takes effect, and whether it raises risk."""

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Final

import pytest
from pydantic import ValidationError

from config.catalogue import choices_of, item_of, keys, kind_of
from config.effects import RISKS, Effect, changed, effect_of, risk_of, structure
from config.faults import dotted
from config.key_units import unit_of, units
from config.loading import load
from config.settings import Settings
from utils.texts import Language, catalogue

SHIPPED: Final = load(environ={})
# alone they contradict another key
NOT_ALONE: Final = {
    "engine.enable_paper_trading", "channels.email.enabled", "channels.telegram.enabled",
}  # fmt: skip
KEYS: Final = [path for path in keys() if dotted(path) not in NOT_ALONE]


def with_(values: dict[str, Any], settings: Settings = SHIPPED) -> Settings:
    tree = json.loads(settings.canonical_json())
    for key, value in values.items():
        *parents, name = key.split(".")
        node = tree
        for parent in parents:
            node = node[parent]
        node[name] = value
    return Settings.model_validate_json(json.dumps(tree), strict=False)


def candidates(path: tuple[str, ...]) -> Iterator[Any]:
    annotation = keys()[path].annotation
    kind = kind_of(annotation)
    old: Any = json.loads(SHIPPED.canonical_json())
    for name in path:
        old = old[name]
    if kind is bool:
        yield not old
    elif choices_of(annotation):
        yield from choices_of(annotation)
    elif item_of(annotation) is not None:
        yield from (["email"], ["MANUAL_STOP"], ["BTC/USDT"], ["a@b.c"], [5], ["10.0.0.0/8"])
    elif kind is str:
        yield from ("22:15", "a@b.c", "other", "tcp://host:8786", "10.0.0.1")
    else:
        number = Decimal(old if old is not None else 10)
        yield from (str(number * Decimal("0.9")), int(number) + 1, int(number) * 2, "1.5")


def another(path: tuple[str, ...]) -> Settings | None:
    """Return the shipped settings with another value of one key, where one stands alone."""
    for value in candidates(path):
        try:
            found = with_({dotted(path): value})
        except ValidationError:
            continue
        if changed(SHIPPED, found) == (path,):
            return found
    return None


def test_the_keys_that_cannot_change_alone_are_known() -> None:
    assert {dotted(p) for p in keys() if another(p) is None} == NOT_ALONE


@pytest.mark.parametrize("path", KEYS, ids=dotted)
def test_a_new_session_is_told_exactly_where_the_engine_begins_one(path: tuple[str, ...]) -> None:
    after = another(path)
    assert after is not None
    begins = structure(after) != structure(SHIPPED)
    assert (effect_of(path, SHIPPED, after) is Effect.NEW_SESSION) == begins


@pytest.mark.parametrize(
    ("key", "value", "effect"),
    [
        ("symbols", ["BTC/USDT"], Effect.NEW_SESSION),
        ("engine.profile", "paper", Effect.NEW_SESSION),  # another capital
        ("risk_management.position_size_pct", "1.5", Effect.CYCLE),
        ("strategies.ema_cross.fast", 5, Effect.STRATEGY),
        ("market_data.demo_speed", 600, Effect.RESTART),
        ("kill_switch.var_breach_count", 2, Effect.RESTART),
        ("retention.logs_days", 60, Effect.RESTART),
        ("research.workers", 2, Effect.RESTART),
        ("quiet_hours.enabled", True, Effect.MESSAGES),
        ("digest.enabled", True, Effect.MESSAGES),
        ("rate_limits.email_per_minute", 5, Effect.MESSAGES),
        ("escalation.max_times", 1, Effect.MESSAGES),
        ("weekly_report_day", "never", Effect.MESSAGES),
        ("reach.silent_after_seconds", 60, Effect.MESSAGES),
        ("reach.host", "10.0.0.1", Effect.RESTART),
        ("modes.BALANCED.size_factor_pct", "120", Effect.DORMANT),
        ("modes.CONSERVATIVE.size_factor_pct", "90", Effect.CYCLE),
        ("profiles.production.max_leverage", "5", Effect.DORMANT),
    ],
)
def test_when_a_change_takes_effect(key: str, value: object, effect: Effect) -> None:
    after = with_({key: value})
    assert effect_of(tuple(key.split(".")), SHIPPED, after) is effect


@pytest.mark.parametrize(
    ("key", "raising", "lowering", "reason"),
    [
        ("risk_management.position_size_pct", "2.000001", "1.999999", "larger_size"),
        ("limits.max_leverage", "1.5", "0.5", "more_leverage"),
        ("engine.max_concurrent_positions", 6, 4, "more_positions"),
        ("limits.cooldown_bars", None, 1, None),
        ("safety.min_balance_pct", "4", "6", "weaker_check"),
        ("market_data.stale_timeframes", 3, 1, "older_data"),
        ("strategies.ema_cross.stop_pct", "1.1", "0.9", "wider_stop"),
        ("emergency_stop.flatten", False, None, "stays_open"),
        ("emergency_stop.flatten_on", ["MANUAL_STOP"], None, "stays_open"),
        ("symbols", ["BTC/USDT", "SOL/USDT"], ["BTC/USDT"], "more_symbols"),
        ("paper.trade_unproven", None, False, "unproven"),
        ("engine.trading_mode", "AGGRESSIVE", None, "bolder_mode"),
        ("engine.mode", "backtest", None, "other_mode"),
        ("market_data.source", "demo", None, "other_market"),
        ("modes.AGGRESSIVE.edge_margin_bp", "4", "6", "smaller_edge"),
        ("notifications.error_notifications", False, None, "fewer_messages"),
        ("escalation.enabled", False, None, "fewer_messages"),
        ("escalation.channels", ["email"], None, "fewer_messages"),
        ("reach.silent_after_seconds", 31, 29, "fewer_messages"),
        ("limits.max_order_notional", None, "1000", None),
    ],
)
def test_which_way_raises_risk(
    key: str, raising: object, lowering: object, reason: str | None
) -> None:
    path = tuple(key.split("."))
    if raising is not None:
        assert risk_of(path, SHIPPED, with_({key: raising})) == reason
    if lowering is not None:
        assert risk_of(path, SHIPPED, with_({key: lowering})) is None


def test_no_limit_is_the_largest_and_never_is_the_loosest() -> None:
    bound = with_({"limits.max_order_notional": "1000", "limits.lock_after_stops": 3})
    notional, lock = ("limits", "max_order_notional"), ("limits", "lock_after_stops")
    assert risk_of(notional, bound, SHIPPED) == "larger_size"
    assert risk_of(lock, bound, SHIPPED) == "more_entries"
    assert risk_of(lock, SHIPPED, bound) is None
    assert risk_of(lock, bound, with_({"limits.lock_after_stops": 2}, bound)) is None
    assert risk_of(lock, bound, with_({"limits.lock_after_stops": 4}, bound)) == "more_entries"


def test_a_milder_mode_raises_nothing() -> None:
    bold = with_({"engine.trading_mode": "AGGRESSIVE"})
    assert risk_of(("engine", "trading_mode"), bold, SHIPPED) is None


def test_every_key_of_the_table_is_a_key() -> None:
    assert {tuple(key.split(".")) for key in RISKS} <= keys().keys()


@pytest.mark.parametrize("language", list(Language))
def test_everything_has_its_words(language: Language) -> None:
    said = catalogue(language)
    wanted = {f"settings.effect.{effect}" for effect in Effect}
    wanted |= {f"settings.risk.{reason}" for _, reason in RISKS.values()}
    wanted |= {f"settings.unit.{unit}" for unit in units()}
    wanted |= {f"settings_fields.{dotted(p)}.{part}" for p in keys() for part in ("label", "help")}
    wanted |= {f"settings.section.{dotted(p[:-1] or p)}" for p in keys()}
    wanted |= {f"settings.section.{p[0]}" for p in keys()}
    wanted |= {f"settings.file.{key.file.partition('.')[0]}" for key in keys().values()}
    assert wanted - said.keys() == set()
    ours = {c for c in said if c.startswith("settings_fields.")}
    assert ours == {c for c in wanted if c.startswith("settings_fields.")}  # none is left over


def test_every_figure_has_a_unit_or_counts_what_its_name_says() -> None:
    plain = {
        dotted(p) for p, k in keys().items()
        if kind_of(k.annotation) in (int, Decimal) and not unit_of(p)
    }  # fmt: skip
    assert plain == {
        "engine.max_concurrent_positions", "limits.max_entries_per_day",
        "limits.max_entries_per_cycle", "limits.lock_after_stops",
        "kill_switch.var_breach_count", "market_data.demo_seed", "channels.email.port",
        "research.workers",
    }  # fmt: skip
    assert unit_of(("risk_management", "stop_loss_pct")) == "percent"
    assert unit_of(("engine", "mode")) == ""
