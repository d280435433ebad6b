"""The shipped values, what is derived from them, their hash and their schema."""

import hashlib
import json
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import ValidationError

import config
from config import as_rate, bp_as_rate, multiple_as_rate
from config.catalogue import keys, sections
from config.environment import SHIPPED, project_root
from config.fields import Timeframe, time_zones
from config.notifications import Channel, Severity, TypeRoutes
from config.settings import Settings
from crypto_trader_pro.domain.enums import EmergencyTrigger, NotificationType, TradingMode
from crypto_trader_pro.domain.errors import InputError
from crypto_trader_pro.domain.timeframes import KNOWN
from tests.unit.test_config_support import AUTO, NOTIFICATION, RISK, folder, load, shipped_trees


def test_the_documents_values_are_shipped() -> None:
    # 004's example, but for enable_paper_trading, which ships true
    document = {
        "risk_management": {
            "daily_loss_limit_pct": 3,
            "position_size_pct": 2,
            "stop_loss_pct": 1,
            "take_profit_pct": 2,
        },
        "symbols": ["BTC/USDT", "ETH/USDT"],
        "notifications": {
            "enabled": True,
            "channels": ["dashboard", "email"],
            "trade_notifications": True,
            "error_notifications": True,
        },
    }
    tree = shipped_trees()[AUTO]
    assert {key: tree[key] for key in document} == document
    engine = {"trading_interval": 300, "max_concurrent_positions": 5, "enable_paper_trading": True}
    assert engine.items() <= tree["engine"].items()


def test_the_documents_caps_and_triggers_are_shipped() -> None:
    # 002, section 10.2
    tree = shipped_trees()[RISK]
    caps = {
        name: (caps["capital"], caps["max_leverage"]) for name, caps in tree["profiles"].items()
    }
    assert caps == {
        "default": (None, None),
        "paper": (100, 2),
        "staging": (230, 3),
        "production": (7700, 10),
    }
    assert tree["rollback"] == {"error_rate_pct": 5, "latency_p99_ms": 1000, "drawdown_pct": 5}
    kill = tree["kill_switch"] | {"drawdown": tree["limits"]["drawdown_kill_pct"]}
    kill.pop("window_minutes")
    assert kill == {"var_breach_count": 3, "api_error_rate_pct": 10, "drawdown": 10}


def test_what_the_living_engine_needs_is_shipped() -> None:
    trees = shipped_trees()
    assert trees[AUTO]["retention"] == {
        "decisions_days": 730,  # 002, section 1: two years
        "demo_days": 7,
        "market_data_days": 730,
        "logs_days": 30,
    }
    market = {"demo_seed": 7, "demo_speed": 300, "connect_seconds": 5, "silence_seconds": 20}
    assert market.items() <= trees[AUTO]["market_data"].items()
    assert trees[RISK]["safety"] == {
        "connection_lost_seconds": 30,
        "connection_emergency_seconds": 600,
        "max_volatility_pct": 3,
        "min_balance_pct": 5,
    }
    assert trees[RISK]["limits"]["lock_after_stops"] == 0  # never, until a person wants it
    routes = trees[NOTIFICATION]["routing"]["by_type"]
    assert (routes["CONFIG_CHANGED"], routes["DAILY_SUMMARY"]) == (None, None)


def test_the_new_settings_come_by_variables_too() -> None:
    environ = {
        "CTP_MARKET_DATA__DEMO_SEED": "11",
        "CTP_RETENTION__LOGS_DAYS": "90",
        "CTP_SAFETY__MAX_VOLATILITY_PCT": "2.5",
        "CTP_LIMITS__LOCK_AFTER_STOPS": "3",
        "CTP_ROUTING__BY_TYPE__DAILY_SUMMARY": "dashboard,telegram",
    }
    settings = config.load(environ=environ)
    assert settings.market_data.demo_seed == 11
    assert settings.retention.logs_days == 90
    assert settings.safety.max_volatility_pct == Decimal("2.5")
    assert settings.limits.lock_after_stops == 3
    route = settings.routing.route(NotificationType.DAILY_SUMMARY, Severity.INFO)
    assert route == (Channel.DASHBOARD, Channel.TELEGRAM)


def test_the_shipped_files_hold_every_key_and_nothing_but_defaults() -> None:
    trees = shipped_trees()
    for key in keys().values():
        value: Any = trees[key.file]
        for name in key.path:
            assert name in value, f"{'.'.join(key.path)} is not in {key.file}"
            value = value[name]
    bare = config.load(environ={})
    for path, model in sections().items():
        section: Any = bare
        for name in path:
            section = getattr(section, name)
        for name, field in model.model_fields.items():
            if not field.is_required():
                default = field.get_default(call_default_factory=True)
                assert getattr(section, name) == default, (*path, name)


def test_only_what_has_no_safe_default_must_be_written() -> None:
    required = {
        path
        for path in keys()
        if path[0] not in ("modes", "profiles")
        and path[:-1] in sections()
        and sections()[path[:-1]].model_fields[path[-1]].is_required()
    }
    assert required == set()


def test_closed_sets_are_those_of_the_domain() -> None:
    assert get_args(Timeframe) == KNOWN
    assert set(TypeRoutes.model_fields) == {kind.value for kind in NotificationType}
    assert set(sections()["modes",].model_fields) == {mode.value for mode in TradingMode}
    assert "Asia/Seoul" in time_zones()
    assert len(time_zones()) > 500


def test_settings_cannot_be_changed_in_place() -> None:
    settings = config.load(environ={})
    with pytest.raises(ValidationError, match="frozen"):
        setattr(settings.engine, "mode", "live")  # noqa: B010  mypy knows it is read-only
    with pytest.raises(ValidationError, match="frozen"):
        setattr(settings, "symbols", ())  # noqa: B010


def test_a_model_refuses_unknown_keys_and_contradictions_without_the_loader() -> None:
    tree = {name: value for file in shipped_trees().values() for name, value in file.items()}
    assert Settings.model_validate(tree) == config.load(environ={})
    with pytest.raises(ValidationError, match="Extra inputs"):
        Settings.model_validate(tree | {"extra": 1})
    live = tree["engine"] | {"mode": "live"}
    with pytest.raises(ValidationError, match="enable_paper_trading was True, allowed: false"):
        Settings.model_validate(tree | {"engine": live})


def test_the_preset_is_that_of_the_trading_mode(tmp_path: Path) -> None:
    figures = {}
    for mode in TradingMode:
        preset = load(folder(tmp_path, {"engine.trading_mode": mode.value})).preset
        figures[mode.value] = (int(preset.edge_margin_bp), int(preset.size_factor_pct))
    assert figures == {"CONSERVATIVE": (20, 100), "BALANCED": (10, 150), "AGGRESSIVE": (5, 200)}


@pytest.mark.parametrize(
    ("profile", "limit", "leverage", "equity"),
    [
        ("default", 15, 15, 100_000),
        ("paper", 15, 2, 100),
        ("staging", 1, 1, 230),  # the limit is below the cap of 3
        ("production", 15, 10, 7700),
    ],
)
def test_a_profile_caps_leverage_and_equity(
    tmp_path: Path, profile: str, limit: int, leverage: int, equity: int
) -> None:
    settings = load(folder(tmp_path, {"engine.profile": profile, "limits.max_leverage": limit}))
    assert settings.max_leverage == leverage
    assert settings.paper_equity == equity


def test_a_channel_is_active_when_it_is_in_use_and_switched_on(tmp_path: Path) -> None:
    assert config.load(environ={}).active_channels == (Channel.DASHBOARD,)
    changes = {"channels.discord.enabled": True, "notifications.channels": ["discord", "email"]}
    assert load(folder(tmp_path, changes)).active_channels == (Channel.DISCORD,)
    changes["notifications.enabled"] = False
    assert load(folder(tmp_path, changes)).active_channels == ()


def test_a_route_of_the_type_goes_before_that_of_the_severity(tmp_path: Path) -> None:
    changes = {
        "routing.by_type.MODEL_TRAINED": [],
        "routing.by_type.TRADE_EXECUTED": ["telegram"],
    }
    routing = load(folder(tmp_path, changes)).routing
    routes = {kind: routing.route(kind, Severity.WARNING) for kind in NotificationType}
    assert routes.pop(NotificationType.MODEL_TRAINED) == ()
    assert routes.pop(NotificationType.TRADE_EXECUTED) == (Channel.TELEGRAM,)
    assert set(routes.values()) == {(Channel.DASHBOARD, Channel.EMAIL)}
    assert routing.route(NotificationType.EMERGENCY_STOP, Severity.CRITICAL) == tuple(Channel)


@pytest.mark.parametrize("kind", NotificationType)
def test_every_type_can_have_a_route_of_its_own(tmp_path: Path, kind: NotificationType) -> None:
    routing = load(folder(tmp_path, {f"routing.by_type.{kind.value}": ["discord"]})).routing
    own = {other for other in NotificationType if routing.route(other, Severity.INFO) == (
        Channel.DISCORD,
    )}  # fmt: skip
    assert own == {kind}


@pytest.mark.parametrize("trigger", EmergencyTrigger)
def test_every_trigger_can_flatten_alone(tmp_path: Path, trigger: EmergencyTrigger) -> None:
    stop = load(folder(tmp_path, {"emergency_stop.flatten_on": [trigger.value]})).emergency_stop
    assert {other for other in EmergencyTrigger if stop.flattens(other)} == {trigger}


def test_a_stop_flattens_only_on_its_triggers(tmp_path: Path) -> None:
    stop = config.load(environ={}).emergency_stop
    assert {trigger for trigger in EmergencyTrigger if stop.flattens(trigger)} == {
        EmergencyTrigger.MANUAL_STOP,
        EmergencyTrigger.DRAWDOWN_EXCEEDED,
        EmergencyTrigger.VAR_BREACHES,
        EmergencyTrigger.API_ERROR_RATE,
    }
    off = load(folder(tmp_path, {"emergency_stop.flatten": False})).emergency_stop
    assert not any(off.flattens(trigger) for trigger in EmergencyTrigger)


def test_the_hash_is_that_of_the_canonical_text(tmp_path: Path) -> None:
    settings = config.load(environ={})
    text = settings.canonical_json()
    assert settings.hash() == hashlib.sha256(text.encode()).hexdigest()
    assert json.loads(text)["limits"]["risk_per_trade_pct"] == "0.02"
    assert json.loads(text)["paper"]["initial_equity"] == "100000"  # plain, not 1E+5
    assert text == json.dumps(
        json.loads(text), sort_keys=True, separators=(",", ":"), ensure_ascii=False
    )
    other = load(folder(tmp_path, {"limits.risk_per_trade_pct": Decimal("0.020001")}))
    assert other.hash() != settings.hash()


def test_places_and_secrets_are_no_part_of_the_hash(tmp_path: Path) -> None:
    environ = {"CTP_VAR_DIR": str(tmp_path), "BINANCE_API_SECRET": "x", "CTP_HTTP_PORT": "1"}
    assert config.load(environ=environ).hash() == config.load(environ={}).hash()


def test_a_file_is_found_by_its_keys() -> None:
    assert config.file_of("engine.mode") == AUTO
    assert config.file_of("limits") == RISK
    assert config.file_of("nothing.here") is None


@pytest.mark.parametrize(
    ("percent", "rate"),
    [
        ("3.0", 3_000_000),  # 3 / 100 * 1e8
        ("100", 100_000_000),
        ("0.000001", 1),
        ("0.02", 20_000),
        ("-0.5", -500_000),
        ("0", 0),
        ("1E+2", 100_000_000),
        ("0E-20", 0),
        ("9999999999999.000001", 9_999_999_999_999_000_001),
    ],
)
def test_percent_becomes_parts_of_1e8_exactly(percent: str, rate: int) -> None:
    assert as_rate(Decimal(percent)) == rate


@pytest.mark.parametrize(
    "percent",
    ["0.0000001", "3.00000000000000000000000000000001", "1E-999999", "NaN", "sNaN", "Infinity",
     "1E+13", "1E+999999"],
)  # fmt: skip
def test_percent_finer_than_a_part_or_absurd_is_refused(percent: str) -> None:
    with pytest.raises(InputError, match=r"percentage was .*, allowed: "):
        as_rate(Decimal(percent))


def test_basis_points_and_multiples_become_parts_of_1e8() -> None:
    assert bp_as_rate(Decimal(20)) == 200_000  # 0.2 % of 1e8
    assert bp_as_rate(Decimal("0.0001")) == 1
    assert multiple_as_rate(Decimal("1.5")) == 150_000_000
    assert multiple_as_rate(Decimal("0.00000001")) == 1
    with pytest.raises(InputError, match="at most 4 decimals"):
        bp_as_rate(Decimal("0.00001"))
    with pytest.raises(InputError, match="at most 8 decimals"):
        multiple_as_rate(Decimal("0.000000001"))


def leaves(schema: dict[str, Any], path: tuple[str, ...] = ()) -> dict[tuple[str, ...], Any]:
    found: dict[tuple[str, ...], Any] = {}
    for name, node in schema["properties"].items():
        if "properties" in node:
            found |= leaves(node, (*path, name))
        else:
            found[*path, name] = node
    return found


def test_the_schema_describes_every_key_of_every_file() -> None:
    schemas = config.schema()
    assert list(schemas) == list(config.FILES)
    found = {path: node for schema in schemas.values() for path, node in leaves(schema).items()}
    assert set(found) == set(keys())
    for path, node in found.items():
        assert 10 < len(node["description"]) < 100, path
        assert node["description"].endswith("."), path
    assert "$ref" not in json.dumps(schemas)
    assert json.loads(json.dumps(schemas)) == schemas


def test_the_schema_has_bounds_and_defaults_as_plain_numbers() -> None:
    found = leaves(config.schema()[AUTO]) | leaves(config.schema()[RISK])
    size = found["risk_management", "position_size_pct"]
    assert (size["type"], size["exclusiveMinimum"], size["maximum"]) == ("number", 0, 100)
    assert size["default"] == 2
    assert found["paper", "slippage_pct"]["default"] == 0.02
    assert found["engine", "mode"]["enum"] == ["backtest", "paper", "live"]
    assert found["limits", "max_order_notional"]["anyOf"] == [
        {"type": "number", "exclusiveMinimum": 0, "maximum": 10**9},
        {"type": "null"},
    ]
    assert found["symbols",]["items"] == {"type": "string"}


def test_the_schemas_numbers_are_the_settings_numbers() -> None:
    settings = json.loads(config.load(environ={}).canonical_json())
    for schema in config.schema().values():
        for path, node in leaves(schema).items():
            value = settings
            for name in path:
                value = value[name]
            if "default" in node and isinstance(value, str) and node.get("type") == "number":
                assert Decimal(str(node["default"])) == Decimal(value), path


def test_import_is_cheap() -> None:
    code = "import config, sys; print(*sys.modules)"
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=project_root(), capture_output=True, text=True, check=True
    )
    loaded = set(run.stdout.split())
    assert "config.settings" in loaded
    assert not loaded & {"pandas", "numpy", "sqlalchemy", "streamlit", "ccxt", "logging.config"}


def test_the_shipped_folder_is_valid() -> None:
    assert config.validate(SHIPPED) == []
