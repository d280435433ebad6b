"""Pairs of values that are allowed alone and cannot hold together."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.unit.test_config_support import AUTO, NOTIFICATION, RISK, folder, lines, load

D = Decimal


@pytest.mark.parametrize(
    ("timeframe", "interval", "good"),
    [
        ("5m", 300, True),
        ("5m", 600, True),
        ("5m", 60, False),  # a divisor is no multiple
        ("5m", 400, False),
        ("1m", 60, True),
        ("1m", 59, False),
        ("1m", 0, False),
        ("1d", 86_400, True),
        ("1m", 86_460, False),  # a multiple, but longer than a day
    ],
)
def test_the_decision_period_is_a_multiple_of_the_timeframe(
    tmp_path: Path, timeframe: str, interval: int, good: bool
) -> None:
    changes = {"engine.timeframe": timeframe, "engine.trading_interval": interval}
    if good:
        assert load(folder(tmp_path, changes)).engine.trading_interval == interval
    else:
        (line,) = lines(folder(tmp_path, changes))
        assert line.startswith(f"{AUTO}: engine.trading_interval was {interval}, allowed: a ")


CONTRADICTIONS: list[tuple[dict[str, Any], str]] = [
    (
        {"engine.trading_interval": 400},
        (
            f"{AUTO}: engine.trading_interval was 400, "
            "allowed: a multiple of engine.timeframe 5m (300 s)"
        ),
    ),
    (
        {"engine.candle_grace_seconds": 300},
        (
            f"{AUTO}: engine.candle_grace_seconds was 300, "
            "allowed: less than engine.timeframe 5m (300 s)"
        ),
    ),
    (
        {"engine.mode": "live"},
        f"{AUTO}: engine.enable_paper_trading was true, allowed: false while engine.mode is live",
    ),
    (
        {"engine.enable_paper_trading": False},
        f"{AUTO}: engine.enable_paper_trading was false, allowed: true while engine.mode is paper",
    ),
    (
        {
            "engine.mode": "live",
            "engine.enable_paper_trading": False,
            "market_data.source": "demo",
        },
        (
            f'{AUTO}: market_data.source was "demo", '
            "allowed: exchange or auto while engine.mode is live"
        ),
    ),
    (
        {"symbols": ["BTC/USDT", "ETH/BTC"]},
        (
            f'{AUTO}: symbols[1] was "ETH/BTC", '
            "allowed: a symbol in USDT, as BTC/USDT: an account has one currency"
        ),
    ),
    (
        {"strategies.ema_cross.fast": 26},
        f"{AUTO}: strategies.ema_cross.fast was 26, allowed: less than slow, which is 26",
    ),
    (
        {"strategies.ai_signal.min_months": 25},
        (
            f"{AUTO}: strategies.ai_signal.min_months was 25, "
            "allowed: at most train_months, which is 24"
        ),
    ),
    (
        {"strategies.ai_signal.retrain_months": 7},
        (
            f"{AUTO}: strategies.ai_signal.retrain_months was 7, "
            "allowed: at most expire_months, which is 6"
        ),
    ),
    (
        {"limits.drawdown_recover_pct": 5},
        (
            f"{RISK}: limits.drawdown_recover_pct was 5, "
            "allowed: less than drawdown_reduce_pct, which is 5"
        ),
    ),
    (
        {"limits.drawdown_reduce_pct": 10},
        (
            f"{RISK}: limits.drawdown_reduce_pct was 10, "
            "allowed: less than drawdown_kill_pct, which is 10"
        ),
    ),
    (
        {"limits.max_entries_per_day": 19},
        (
            f"{RISK}: limits.max_entries_per_cycle was 20, "
            "allowed: at most max_entries_per_day, which is 19"
        ),
    ),
    (
        {"limits.risk_per_trade_pct": D("3.1")},
        (
            f"{RISK}: limits.risk_per_trade_pct was 3.1, "
            "allowed: at most risk_management.daily_loss_limit_pct, which is 3.0"
        ),
    ),
    (
        {"safety.connection_emergency_seconds": 30},  # as long as connection_lost_seconds
        (
            f"{RISK}: safety.connection_emergency_seconds was 30, "
            "allowed: more than connection_lost_seconds, which is 30"
        ),
    ),
    (
        {"safety.connection_lost_seconds": 3600},  # the partner keeps its 600
        (
            f"{RISK}: safety.connection_emergency_seconds was 600, "
            "allowed: more than connection_lost_seconds, which is 3600"
        ),
    ),
    (
        {"channels.telegram.enabled": True},
        (
            f"{NOTIFICATION}: channels.telegram.chat_ids was a list of 0, "
            "allowed: at least one chat while telegram is enabled"
        ),
    ),
    (
        {"quiet_hours.enabled": True, "quiet_hours.end": "23:00"},
        (
            f'{NOTIFICATION}: quiet_hours.end was "23:00", '
            "allowed: another time than start, which is 23:00"
        ),
    ),
]


@pytest.mark.parametrize(("changes", "line"), CONTRADICTIONS)
def test_values_that_contradict_each_other_are_one_line(
    tmp_path: Path, changes: dict[str, Any], line: str
) -> None:
    assert lines(folder(tmp_path, changes)) == [line]


@pytest.mark.parametrize(("lost", "emergency"), [(1, 10), (9, 10), (30, 31), (3600, 3601)])
def test_a_lost_connection_is_an_emergency_only_later(
    tmp_path: Path, lost: int, emergency: int
) -> None:
    changes = {
        "safety.connection_lost_seconds": lost,
        "safety.connection_emergency_seconds": emergency,
    }
    safety = load(folder(tmp_path, changes)).safety
    assert (safety.connection_lost_seconds, safety.connection_emergency_seconds) == (
        lost,
        emergency,
    )


def test_contradictions_of_several_sections_come_together(tmp_path: Path) -> None:
    folder(tmp_path, {"engine.mode": "live", "strategies.ema_cross.fast": 30})
    assert len(lines(tmp_path)) == 2


def test_mail_needs_a_server_a_sender_and_a_recipient(tmp_path: Path) -> None:
    found = lines(folder(tmp_path, {"channels.email.enabled": True}))
    assert [line.split(" was ")[0] for line in found] == [
        f"{NOTIFICATION}: channels.email.{key}" for key in ("host", "sender", "recipients")
    ]
    complete = {
        "channels.email.enabled": True,
        "channels.email.host": "smtp.example.com",
        "channels.email.sender": "bot@example.com",
        "channels.email.recipients": ["me@example.com"],
    }
    assert load(folder(tmp_path, complete)).channels.email.recipients == ("me@example.com",)


def test_live_is_accepted_when_everything_agrees(tmp_path: Path) -> None:
    changes = {"engine.mode": "live", "engine.enable_paper_trading": False}
    assert load(folder(tmp_path, changes)).engine.mode == "live"


def test_backtest_does_not_mind_the_paper_switch(tmp_path: Path) -> None:
    changes = {"engine.mode": "backtest", "engine.enable_paper_trading": False}
    assert load(folder(tmp_path, changes)).engine.mode == "backtest"
