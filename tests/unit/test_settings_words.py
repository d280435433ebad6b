"""What is wrong with a value is said in both languages, wherever the schema says it."""

from typing import Any

import pytest

from auto_trading_dashboard.components import settings_draft as drafts
from auto_trading_dashboard.components import settings_words as words
from config.catalogue import keys
from config.faults import FaultCode, SettingsError, dotted
from config.loading import load
from utils.texts import Language, say


@pytest.fixture(params=list(Language))
def language(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Language:
    chosen: Language = request.param
    monkeypatch.setattr(words, "text", lambda code, **values: say(chosen, code, **values))
    return chosen


@pytest.mark.parametrize(
    "changes",
    [
        {"engine.trading_interval": 301},
        {"engine.candle_grace_seconds": 300},
        {"engine.mode": "live"},
        {"engine.enable_paper_trading": False},
        {"engine.mode": "live", "engine.enable_paper_trading": False, "market_data.source": "demo"},
        {"symbols": ["BTC/USDT", "ETH/BTC"]},
        {"symbols": ["BTC/USDT", "BTC/USDT"]},
        {"limits.drawdown_recover_pct": "6"},
        {"limits.drawdown_reduce_pct": "12"},
        {"limits.max_entries_per_cycle": 50, "limits.max_entries_per_day": 40},
        {"limits.risk_per_trade_pct": "5"},
        {"safety.connection_emergency_seconds": 10},
        {"channels.email.enabled": True},
        {"channels.telegram.enabled": True},
        {"quiet_hours.enabled": True, "quiet_hours.end": "23:00"},
        {"digest.enabled": True, "digest.max_severity": "critical"},
        {"strategies.ema_cross.fast": 30},
        {"strategies.ai_signal.min_months": 36},
        {"strategies.ai_signal.retrain_months": 12},
    ],
    ids=lambda changes: ",".join(changes),
)
def test_every_contradiction_has_its_words(changes: dict[str, Any], language: Language) -> None:
    with pytest.raises(SettingsError) as raised:
        load(environ={}, overrides=changes)
    found = [f for f in raised.value.faults if f.code is FaultCode.CONTRADICTION]
    assert found
    for fault in found:
        said = words.contradiction(fault.allowed)
        assert said, fault.allowed
        assert (said == fault.allowed) is False or language is Language.ENGLISH
        assert said in words.fault(fault)
        assert fault.key in words.fault(fault)


@pytest.mark.parametrize("path", list(keys()), ids=dotted)
def test_every_key_says_what_it_allows(path: tuple[str, ...], language: Language) -> None:
    key = keys()[path]
    assert words.allowed(key.annotation)
    assert words.default(key)
    assert words.label(path)
    assert words.help_of(path)


def test_values_are_exact_and_have_their_unit(
    monkeypatch: pytest.MonkeyPatch, language: Language
) -> None:
    shipped = load(environ={}, overrides={"limits.risk_per_trade_pct": "0.000001"})
    risk = ("limits", "risk_per_trade_pct")
    assert words.value(risk, shipped.limits.risk_per_trade_pct) == "0.000001 %"
    assert drafts.as_text(shipped.limits.risk_per_trade_pct) == "0.000001"
    assert drafts.carried(shipped, [risk]) == {"limits.risk_per_trade_pct": "0.000001"}


@pytest.mark.parametrize(
    ("key", "raw", "given"),
    [
        ("limits.max_leverage", " 1.50 ", "1.50"),
        ("limits.max_order_notional", "", None),
        ("limits.max_leverage", "", ""),
        ("symbols", "BTC/USDT\n\n  ETH/USDT ", ["BTC/USDT", "ETH/USDT"]),
        ("channels.telegram.chat_ids", "-100\nx", [-100, "x"]),
        ("channels.email.sender", " ", None),
        ("engine.max_concurrent_positions", 7, 7),
        ("notifications.channels", ["email"], ["email"]),
    ],
)
def test_a_control_gives_what_a_command_carries(key: str, raw: object, given: object) -> None:
    assert drafts.as_given(keys()[drafts.path_of(key)], raw) == given


def test_the_same_number_written_otherwise_is_no_change() -> None:
    shipped = load(environ={})
    leverage, flatten = keys()[("limits", "max_leverage")], keys()[("emergency_stop", "flatten")]
    assert drafts.is_same(leverage, "1.000", shipped.limits.max_leverage)
    assert not drafts.is_same(leverage, "1.001", shipped.limits.max_leverage)
    assert drafts.is_same(flatten, True, shipped.emergency_stop.flatten)
    assert not drafts.is_same(leverage, True, shipped.limits.max_leverage)
