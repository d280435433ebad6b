"""Defaults < files < .env < environment < arguments, and faults of what is set outside files."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import config
from config import SettingsError
from config.catalogue import keys, variables
from config.environment import SHIPPED, project_root
from config.variables import text_value
from tests.unit.test_config_support import AUTO, GONE, RISK, folder, lines, load, replaced

LIMIT = "CTP_RISK_MANAGEMENT__DAILY_LOSS_LIMIT_PCT"


def limit_of(where: Path, **layers: Any) -> Decimal:
    return load(where, **layers).risk_management.daily_loss_limit_pct


def test_each_source_goes_before_the_one_below(tmp_path: Path) -> None:
    key = "risk_management.daily_loss_limit_pct"
    assert limit_of(folder(tmp_path, {key: GONE})) == 3
    assert limit_of(folder(tmp_path, {key: 4})) == 4
    layers: dict[str, Any] = {"dotenv": {LIMIT: "5"}}
    assert limit_of(tmp_path, **layers) == 5
    layers["environ"] = {LIMIT: "6.5"}
    assert limit_of(tmp_path, **layers) == Decimal("6.5")
    layers["overrides"] = {key: 7}
    assert limit_of(tmp_path, **layers) == 7


def test_a_deleted_key_has_its_default(tmp_path: Path) -> None:
    assert load(folder(tmp_path, {"paper.slippage_pct": GONE})) == config.load(environ={})


@pytest.mark.parametrize(
    ("name", "text", "key", "value"),
    [
        ("CTP_MARKET_DATA__SOURCE", "demo", "market_data.source", "demo"),
        ("CTP_SYMBOLS", "BTC/USDT, SOL/USDT", "symbols", ("BTC/USDT", "SOL/USDT")),
        ("CTP_SYMBOLS", '["BTC/USDT"]', "symbols", ("BTC/USDT",)),
        ("CTP_DAILY_SUMMARY_TIME", "08:30", "daily_summary_time", "08:30"),
        ("CTP_STRATEGIES__EMA_CROSS__FAST", "5", "strategies.ema_cross.fast", 5),
        ("CTP_STRATEGIES__EMA_CROSS__ENABLED", "False", "strategies.ema_cross.enabled", False),
        ("CTP_PAPER__FUNDING", "0", "paper.funding", False),
        ("CTP_MODES__BALANCED__EDGE_MARGIN_BP", "12.5", "modes.BALANCED.edge_margin_bp", 12.5),
        ("CTP_PROFILES__PAPER__CAPITAL", "null", "profiles.paper.capital", None),
        ("CTP_CHANNELS__TELEGRAM__CHAT_IDS", "-100,7", "channels.telegram.chat_ids", (-100, 7)),
        ("CTP_ROUTING__BY_TYPE__EMERGENCY_STOP", "email", "routing.by_type.EMERGENCY_STOP",
         ("email",)),
        ("CTP_EMERGENCY_STOP__FLATTEN_ON", "[]", "emergency_stop.flatten_on", ()),
    ],
)  # fmt: skip
def test_a_variable_sets_any_key(
    tmp_path: Path, name: str, text: str, key: str, value: object
) -> None:
    found: Any = load(folder(tmp_path), environ={name: text})
    for part in key.split("."):
        found = getattr(found, part)
    assert found == value


def test_every_key_has_a_variable_of_its_own() -> None:
    assert len(variables()) == len(keys())
    assert all(name.startswith("CTP_") for name in variables())


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        (LIMIT, "abc", 'was "abc", allowed: a number above 0 and at most 50, of at'),
        (LIMIT, "", 'was "", allowed: a number above 0'),
        (LIMIT, "nan", 'was "nan", allowed: a number above 0'),
        (LIMIT, "1e999", "was 1e999, allowed: a number above 0"),
        (LIMIT, "3,5", 'was "3,5", allowed: a number above 0'),
        (LIMIT, "0x3", 'was "0x3", allowed: a number above 0'),
        (LIMIT, "٣", 'was "٣", allowed: a number above 0'),
        ("CTP_ENGINE__TRADING_INTERVAL", "300.0", "was 300.0, allowed: a whole number from 60"),
        ("CTP_ENGINE__TRADING_INTERVAL", "007", 'was "007", allowed: a whole number from 60'),
        ("CTP_ENGINE__ENABLE_PAPER_TRADING", "yes", 'was "yes", allowed: true or false'),
        ("CTP_ENGINE__MODE", "null", 'was "null", allowed: backtest, paper, live'),
        ("CTP_MARKET_DATA__SOURCE", "demmo", ('was "demmo", allowed: auto, exchange, replay, demo;'
         " nearest is demo")),
        ("CTP_SYMBOLS", "", 'was "", allowed: a list of 1 to 100'),
        ("CTP_SYMBOLS", '["BTC/USDT"', 'was "[\\"BTC/USDT\\"", allowed: a list of 1 to 100'),
    ],
)  # fmt: skip
def test_a_bad_value_names_its_variable_and_its_key(
    tmp_path: Path, name: str, text: str, told: str
) -> None:
    key = ".".join(variables()[name].path)
    (line,) = lines(folder(tmp_path), environ={name: text})
    assert line.startswith(f"environment {name}: {key} {told}")
    (line,) = lines(folder(tmp_path), dotenv={name: text})
    assert line.startswith(f".env {name}: {key} {told}")


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("CTP_ENGINE__MOD", "CTP_ENGINE__MODE"),
        ("CTP_RISK__DAILY_LOSS_LIMIT_PCT", LIMIT),
        ("CTP_ENGINE", "CTP_ENGINE__MODE"),
        ("CTP_DATABSE_URL", "CTP_DATABASE_URL"),
        ("CTP_HTTP__PORT", "CTP_HTTP_PORT"),
        ("ctp_engine__mode", "CTP_ENGINE__MODE"),
        ("CTP_", "CTP_SYMBOLS"),
    ],
)
def test_a_variable_that_sets_nothing_is_refused_with_the_nearest(
    tmp_path: Path, name: str, near: str
) -> None:
    (line,) = lines(folder(tmp_path), environ={name: "7"})
    told = "(hidden)" if "URL" in name else '"7"'
    assert line == (
        f"environment: {name} is not a known key, was {told}, "
        f"allowed: CTP_SECTION__KEY of a known key; nearest is {near}"
    )


def test_variables_of_others_and_of_the_tests_are_left_alone(tmp_path: Path) -> None:
    others = {"PATH": "/bin", "CTP_TEST_DATA": "/data", "CTPX": "1", "HTTP_PORT": "x"}
    assert load(folder(tmp_path), environ=others) == load(tmp_path)


def test_environment_names_the_profile(tmp_path: Path) -> None:
    folder(tmp_path)
    own = "CTP_ENGINE__PROFILE"
    assert load(tmp_path, environ={"ENVIRONMENT": "staging"}).engine.profile == "staging"
    assert load(tmp_path, environ={"ENVIRONMENT": ""}).engine.profile == "default"
    both = {"ENVIRONMENT": "staging", own: "production"}
    assert load(tmp_path, environ=both).engine.profile == "production"
    layers = load(tmp_path, dotenv={own: "production"}, environ={"ENVIRONMENT": "staging"})
    assert layers.engine.profile == "staging"
    assert lines(tmp_path, environ={"ENVIRONMENT": "prod"}) == [
        (
            'environment ENVIRONMENT: engine.profile was "prod", '
            "allowed: default, paper, staging, production; nearest is production"
        )
    ]


def test_a_bad_value_in_a_file_stays_a_fault_under_an_override(tmp_path: Path) -> None:
    folder(tmp_path, {"engine.mode": "papr"})
    assert lines(tmp_path, environ={"CTP_ENGINE__MODE": "paper"}) == [
        f'{AUTO}: engine.mode was "papr", allowed: backtest, paper, live; nearest is paper'
    ]


def test_a_contradiction_of_a_file_may_be_resolved_from_outside(tmp_path: Path) -> None:
    folder(tmp_path, {"engine.mode": "live"})
    assert load(tmp_path, environ={"CTP_ENGINE__ENABLE_PAPER_TRADING": "false"}).engine.mode == (
        "live"
    )


def test_a_contradiction_names_the_source_of_its_value(tmp_path: Path) -> None:
    assert lines(folder(tmp_path), environ={"CTP_STRATEGIES__EMA_CROSS__FAST": "26"}) == [
        (
            "environment CTP_STRATEGIES__EMA_CROSS__FAST: strategies.ema_cross.fast was 26, "
            "allowed: less than slow, which is 26"
        )
    ]
    assert lines(tmp_path, overrides={"risk_management.daily_loss_limit_pct": Decimal("0.01")}) == [
        (
            f"{RISK}: limits.risk_per_trade_pct was 0.02, "
            "allowed: at most risk_management.daily_loss_limit_pct, which is 0.01"
        )
    ]


def test_faults_of_every_source_come_together(tmp_path: Path) -> None:
    folder(tmp_path, {"engine.mode": "papr"})
    found = lines(
        tmp_path,
        overrides={"engine.profile": "x"},
        environ={"CTP_HTTP_PORT": "0", "CTP_NOT__KNOWN": "1"},
        dotenv={LIMIT: "51"},
    )
    assert [line.split(" was ")[0] for line in found] == [
        "environment: CTP_HTTP_PORT",
        "environment: CTP_NOT__KNOWN is not a known key,",
        f"{AUTO}: engine.mode",
        "argument: engine.profile",
        f".env {LIMIT}: risk_management.daily_loss_limit_pct",
    ]


def test_outside_values_are_judged_even_beside_an_unreadable_file(tmp_path: Path) -> None:
    folder(tmp_path)
    (tmp_path / AUTO).unlink()
    environ = {"CTP_ENGINE__MODE": "papr", "CTP_ENGINE__TRADING_INTERVAL": "400"}
    found = lines(tmp_path, environ=environ)
    assert [line.split(",")[0] for line in found] == [
        f"{AUTO}: is missing",
        'environment CTP_ENGINE__MODE: engine.mode was "papr"',
    ]


def test_no_contradiction_is_told_with_values_nobody_could_read(tmp_path: Path) -> None:
    folder(tmp_path)
    (tmp_path / AUTO).unlink()
    environ = {"CTP_ENGINE__MODE": "live", "CTP_ENGINE__TRADING_INTERVAL": "400"}
    (line,) = lines(tmp_path, environ=environ)
    assert line.startswith(f"{AUTO}: is missing")


def test_a_given_environment_leaves_the_projects_dotenv_unread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("config.loading.project_root", lambda: tmp_path)
    (tmp_path / ".env").write_text("CTP_PAPER__ENTRY_TTL_BARS=7\n")
    assert config.load(SHIPPED, environ={}).paper.entry_ttl_bars == 3


def test_a_variable_does_not_stand_in_for_a_missing_section(tmp_path: Path) -> None:
    folder(tmp_path, {"kill_switch": GONE})
    (line,) = lines(tmp_path, environ={"CTP_KILL_SWITCH__WINDOW_MINUTES": "5"})
    assert line.startswith(f"{RISK}: kill_switch is missing")


def test_a_variable_does_not_hide_a_section_that_is_no_object(tmp_path: Path) -> None:
    folder(tmp_path, {"kill_switch": 5})
    (line,) = lines(tmp_path, environ={"CTP_KILL_SWITCH__WINDOW_MINUTES": "5"})
    assert line.startswith(f"{RISK}: kill_switch was 5, allowed: an object with ")


def test_arguments_are_dotted_nested_or_both(tmp_path: Path) -> None:
    overrides = {
        "engine.timeframe": "1h",
        "engine": {"trading_interval": 3600},
        "strategies": {"ema_cross": {"fast": 3}, "ai_signal.label": "fixed"},
        "symbols": ["SOL/USDT"],
    }
    settings = load(folder(tmp_path), overrides=overrides)
    assert (settings.engine.timeframe, settings.engine.trading_interval) == ("1h", 3600)
    assert (settings.strategies.ema_cross.fast, settings.strategies.ai_signal.label) == (3, "fixed")
    assert settings.symbols == ("SOL/USDT",)


def test_text_in_an_argument_is_read_as_in_a_variable(tmp_path: Path) -> None:
    overrides = {
        "paper.initial_equity": "5000",
        "engine": {"max_concurrent_positions": "3"},
        "paper.funding": "false",
        "symbols": "BTC/USDT,SOL/USDT",
        "limits.max_order_notional": "null",
        "engine.mode": "backtest",
    }
    settings = load(folder(tmp_path, {"limits.max_order_notional": 7}), overrides=overrides)
    assert settings.paper.initial_equity == 5000
    assert settings.engine.max_concurrent_positions == 3
    assert settings.paper.funding is False
    assert settings.symbols == ("BTC/USDT", "SOL/USDT")
    assert settings.limits.max_order_notional is None
    assert settings.engine.mode == "backtest"


@pytest.mark.parametrize(
    ("overrides", "line"),
    [
        (
            {"engine.timefram": "1h"},
            (
                "engine.timefram is not a known key, "
                'was "1h", allowed: a known key; nearest is engine.timeframe'
            ),
        ),
        (
            {"engin": {"mode": "live"}},
            (
                "engin is not a known key, was an object of 1, "
                "allowed: a known key; nearest is engine.mode"
            ),
        ),
        (
            {"kill_switch": 3},
            (
                "kill_switch was 3, allowed: an object with "
                "var_breach_count, api_error_rate_pct, window_minutes"
            ),
        ),
        (
            {"paper.slippage_pct": "half"},
            (
                'paper.slippage_pct was "half", '
                "allowed: a number from 0 to 10, of at most 6 decimals"
            ),
        ),
        (
            {"paper.slippage_pct": 0.5},
            (
                "paper.slippage_pct was 0.5 (float), "
                "allowed: a number from 0 to 10, of at most 6 decimals"
            ),
        ),
        (
            {"paper.slippage_pct": Decimal("sNaN")},
            "paper.slippage_pct was sNaN, allowed: a number from 0 to 10, of at most 6 decimals",
        ),
    ],
)
def test_a_bad_argument_is_one_line(tmp_path: Path, overrides: dict[str, Any], line: str) -> None:
    assert lines(folder(tmp_path), overrides=overrides) == [f"argument: {line}"]


def test_the_folder_is_the_argument_then_the_variable_then_the_shipped_one(tmp_path: Path) -> None:
    ours = tmp_path / "ours"
    ours.mkdir()
    folder(ours, {"paper.entry_ttl_bars": 4})
    theirs = {"CTP_CONFIG_DIR": str(ours)}
    assert config.load(environ={}) == config.load(SHIPPED, environ={})
    assert config.load(environ=theirs).paper.entry_ttl_bars == 4
    assert config.load(environ={}, dotenv=theirs).paper.entry_ttl_bars == 4
    assert config.load(SHIPPED, environ=theirs).paper.entry_ttl_bars == 3


def test_load_reads_this_process_and_the_projects_dotenv(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("config.loading.project_root", lambda: tmp_path)
    monkeypatch.setenv("CTP_PAPER__ENTRY_TTL_BARS", "8")
    (tmp_path / ".env").write_text("CTP_PAPER__ENTRY_TTL_BARS=7\nCTP_PAPER__FUNDING=false\n")
    settings = config.load(SHIPPED)
    assert (settings.paper.entry_ttl_bars, settings.paper.funding) == (8, False)
    (tmp_path / ".env").write_text("no setting\n")
    with pytest.raises(SettingsError, match=r"\.env line 1: is no setting, allowed: NAME=VALUE"):
        config.load(SHIPPED)
    assert (project_root() / "pyproject.toml").is_file()


def test_text_that_means_nothing_is_left_as_it_is() -> None:
    annotation = keys()["paper", "slippage_pct"].annotation
    assert text_value(annotation, " 0.5 ") == Decimal("0.5")
    assert text_value(annotation, "half") == "half"


def test_a_text_edit_of_the_shipped_file_is_seen(tmp_path: Path) -> None:
    assert limit_of(replaced(tmp_path, AUTO, "3.0", "2.75")) == Decimal("2.75")
