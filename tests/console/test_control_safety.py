"""The control panel's lights, the configuration that runs, preflight."""

import json

import pytest
from sqlalchemy import Engine

from auto_trading_dashboard import own_commands
from config.environment import Environment
from config.loading import load
from crypto_trader_pro.domain.enums import (
    ObservedState,
    TradingState,
)
from database import config_history
from database.auto_trading_db import unit_of_work
from database.config_history import AppliedConfig
from tests.console.control_view import VIEW, light, sentence, until
from tests.console.shown import a_living_engine, page, said
from utils.clocks import SystemClock

# --- safety ---------------------------------------------------------------------------------------


def test_checks_that_pass_are_green_with_number_and_limit(database: Engine) -> None:
    a_living_engine(database, view=VIEW)
    shown = page()
    for name, words in {
        "Daily loss limit": "Today 0.00 %, limit −3 %",
        "Position limit": "2 positions open, limit 5.",
        "Market connection": "After 30 s of silence",
        "Market volatility": "0 of 2 symbols move more than 3 %",
        "Account balance": "Cash 95,996.36 USDT, at least 5 % of equity needed.",
        "Locked symbols": "No symbol is locked.",
        "drawdown limit": "Drawdown 1.25 % from the peak, halts at 10 %.",
    }.items():
        assert ":green-badge[:material/check_circle: OK]" in light(shown, name)
        assert words in light(shown, name).replace("\\", "")


def test_checks_that_fail_are_red_with_number_and_limit(database: Engine) -> None:
    failing = {
        "daily_loss_limit": {"equity": 9_650_000_000_000, "day_start": 10_000_000_000_000},
        "position_limits": {"open": 5, "limit": 5},
        "api_connectivity": {"seconds": 41, "limit": 30},
        "market_volatility": {"volatile": 2, "symbols": 2},
        "account_balance": {
            "room": 100_000_000, "equity": 9_650_000_000_000, "minimum": 482_500_000_000,
        },
    }  # fmt: skip
    view = VIEW | {"safety": failing, "locks": {"BTC/USDT": "2026-01-02T15:00:00+00:00"}}
    a_living_engine(database, view=view)
    shown = page()
    for name, words in {
        "Daily loss limit": "Equity 96,500.00 USDT, the day began at 100,000.00",
        "Position limit": "5 positions open, the limit is 5",
        "Market connection": "No word from the market for 41 s (limit 30 s). At 600 s",
        "Market volatility": "2 of 2 symbols",
        "Account balance": "1.00 USDT free, at least 4,825.00 needed (equity 96,500.00).",
    }.items():
        assert ":red-badge[:material/cancel: FAIL]" in light(shown, name)
        assert words in light(shown, name).replace("\\", "")
    assert "BTC/USDT (01-02 15:00)" in light(shown, "Locked symbols").replace("\\", "")


def test_the_trigger_that_halted_is_red(database: Engine) -> None:
    a_living_engine(
        database, trading=TradingState.HALTED, observed=ObservedState.STOPPED,
        view=VIEW | {"halt_reason": "VAR_BREACHES"},
    )  # fmt: skip
    shown = page()
    assert ":red-badge" in light(shown, "value at risk exceeded too often")
    assert ":green-badge" in light(shown, "drawdown limit")
    assert "Trading is halted (value at risk exceeded too often)" in sentence(shown)


# --- configuration and preflight ------------------------------------------------------------------


def test_the_configuration_that_runs_is_told_and_where_the_files_differ(
    database: Engine,
) -> None:
    a_living_engine(database, view=VIEW)
    settings = load(
        overrides={"engine.trading_mode": "AGGRESSIVE", "risk_management.position_size_pct": "1.5"}
    )
    applied = AppliedConfig(
        True, "AGGRESSIVE", settings.risk_management.daily_loss_limit_pct, 5, 300,
        settings.symbols, settings.hash(), settings.canonical_json(),
    )  # fmt: skip
    with unit_of_work(database) as session:
        config_history.record(session, applied, "kim", SystemClock().now())
    words = said(page()).replace("\\", "")
    assert "applied by kim" in words
    assert "AGGRESSIVE: at least 5 bp expected after costs, size × 200 %" in words
    assert "3 % of equity (1.5 % × 200 %)" in words
    assert (
        "differ from what runs in 2 places: engine.trading_mode, risk_management.position_size_pct."
    ) in words


def test_preflight_runs_by_itself_and_again_when_asked(
    places: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = places.var_dir / "answer.json"
    checks = [
        {"check": "memory", "level": "ok", "code": "memory.ok", "numbers": {"free": 900},
         "sentence": "of the child"},
        {"check": "port", "level": "fail", "code": "port.taken",
         "numbers": {"name": "X", "port": 1, "why": "in use"}, "sentence": "of the child"},
        {"check": "new", "level": "warn", "code": "new.check", "numbers": {},
         "sentence": "a newer version says"},
    ]  # fmt: skip
    answers.write_text(json.dumps({"level": "fail", "checks": checks}))
    script = f"cat {answers}; exit 1"
    monkeypatch.setattr(own_commands, "PROGRAM", ("/bin/sh", "-c", script))
    shown = page(chosen_language="ko")
    words = until(shown, "점검 (").replace("\\", "")
    lines = [line for line in words.split("\n") if "badge[:material/" in line]
    told = [
        line
        for line in lines
        if "사용 가능한 메모리" in line or "포트 1" in line or "newer" in line
    ]
    assert [line.partition("-badge")[0] for line in told] == [":red", ":orange", ":green"]
    answers.write_text("half a")
    shown.button(key="control_preflight_again").click().run()
    assert "said half a" in until(shown, "점검하지 못했습니다")
