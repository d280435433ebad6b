"""Every key's bounds and types, and the pairs of values that cannot hold together."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from config.catalogue import keys
from config.settings import Settings, file_of
from tests.unit.test_config_support import AUTO, NOTIFICATION, RISK, folder, lines, load, replaced

D = Decimal

# smallest and largest good value, then one bad value beyond each; None where no bad one exists
NUMBERS: dict[str, tuple[Any, Any, Any, Any]] = {
    "risk_management.daily_loss_limit_pct": (D("0.02"), 50, 0, D("50.000001")),
    "risk_management.position_size_pct": (D("0.02"), 100, 0, D("100.1")),
    "risk_management.stop_loss_pct": (D("0.01"), D("99.9"), 0, 100),
    "risk_management.take_profit_pct": (D("0.01"), 1000, 0, 1001),
    "engine.max_concurrent_positions": (1, 100, 0, 101),
    "engine.candle_grace_seconds": (1, 299, 0, 601),
    "market_data.stale_timeframes": (1, 20, 0, 21),
    "market_data.outlier_multiple": (2, 1000, 1, 1001),
    "market_data.warm_bars": (1, 5000, 0, 5001),
    "market_data.demo_seed": (0, 999_999, -1, 1_000_000),
    "market_data.demo_speed": (1, 100_000, 0, 100_001),
    "market_data.connect_seconds": (1, 60, 0, 61),
    "market_data.silence_seconds": (5, 600, 4, 601),
    "retention.decisions_days": (1, 36_500, 0, 36_501),
    "retention.demo_days": (1, 36_500, 0, 36_501),
    "retention.market_data_days": (1, 36_500, 0, 36_501),
    "retention.logs_days": (1, 36_500, 0, 36_501),
    "research.workers": (0, 1024, -1, 1025),
    "reach.webhook_max_age_seconds": (5, 300, 4, 301),
    "reach.webhook_retention_days": (1, 3650, 0, 3651),
    "reach.silent_after_seconds": (5, 3600, 4, 3601),
    "digest.after_minutes": (1, 1440, 0, 1441),
    "rate_limits.email_per_minute": (1, 600, 0, 601),
    "rate_limits.discord_per_minute": (1, 600, 0, 601),
    "rate_limits.telegram_per_minute": (1, 600, 0, 601),
    "rate_limits.slack_per_minute": (1, 600, 0, 601),
    "rate_limits.webhook_per_minute": (1, 600, 0, 601),
    "escalation.after_minutes": (1, 1440, 0, 1441),
    "escalation.max_times": (1, 20, 0, 21),
    "paper.initial_equity": (D("0.00000001"), 10**9, 0, 10**9 + 1),
    "paper.slippage_pct": (0, 10, D("-0.01"), D("10.1")),
    "paper.half_spread_pct": (0, 10, D("-0.01"), D("10.1")),
    "paper.impact_pct": (0, 100, D("-0.01"), D("100.1")),
    "paper.range_share_pct": (0, 100, D("-0.01"), D("100.1")),
    "paper.latency_bars": (0, 100, -1, 101),
    "paper.isolated_leverage": (1, 125, 0, 126),
    "paper.volume_share_pct": (D("0.1"), 100, 0, 101),
    "paper.entry_ttl_bars": (1, 1000, 0, 1001),
    "strategies.ema_cross.fast": (2, 25, 1, 1001),
    "strategies.ema_cross.slow": (13, 2000, 2, 2001),
    "strategies.ema_cross.stop_pct": (D("0.01"), D("99.9"), 0, 100),
    "strategies.ema_cross.target_pct": (D("0.01"), 1000, 0, 1001),
    "strategies.ema_cross.trailing_pct": (0, D("99.9"), -1, 100),
    "strategies.ai_signal.stop_atr": (D("0.1"), 20, 0, 21),
    "strategies.ai_signal.target_atr": (D("0.1"), 50, 0, 51),
    "strategies.ai_signal.horizon_bars": (1, 1000, 0, 1001),
    "strategies.ai_signal.train_months": (12, 120, 0, 121),
    "strategies.ai_signal.min_months": (1, 24, 0, 121),
    "strategies.ai_signal.retrain_months": (1, 6, 0, 25),
    "strategies.ai_signal.expire_months": (3, 36, 0, 37),
    "limits.daily_warning_share_pct": (1, D("99.9"), 0, 100),
    "limits.drawdown_reduce_pct": (D("4.000001"), D("9.999999"), 0, 51),
    "limits.drawdown_recover_pct": (D("0.1"), D("4.999999"), 0, 51),
    "limits.drawdown_kill_pct": (D("5.000001"), 50, 0, D("50.1")),
    "limits.drawdown_reset_days": (1, 365, 0, 366),
    "limits.risk_per_trade_pct": (D("0.000001"), 3, 0, D("10.1")),
    "limits.max_leverage": (D("0.1"), 20, 0, D("20.0001")),
    "limits.price_collar_pct": (D("0.1"), 50, 0, 51),
    "limits.cooldown_bars": (0, 10_000, -1, 10_001),
    "limits.max_entries_per_day": (20, 10_000, 0, 10_001),
    "limits.max_entries_per_cycle": (1, 100, 0, 101),
    "limits.lock_after_stops": (0, 100, -1, 101),
    "limits.max_order_notional": (D("0.00000001"), 10**9, 0, 10**9 + 1),
    "kill_switch.var_breach_count": (1, 1000, 0, 1001),
    "kill_switch.api_error_rate_pct": (D("0.1"), 100, 0, 101),
    "kill_switch.window_minutes": (1, 10_080, 0, 10_081),
    "rollback.error_rate_pct": (D("0.1"), 100, 0, 101),
    "rollback.latency_p99_ms": (1, 600_000, 0, 600_001),
    "rollback.drawdown_pct": (D("0.1"), 50, 0, 51),
    "safety.connection_lost_seconds": (1, 599, 0, 3601),
    "safety.connection_emergency_seconds": (31, 86_400, 9, 86_401),
    "safety.max_volatility_pct": (D("0.000001"), 100, 0, D("100.1")),
    "safety.min_balance_pct": (0, 100, D("-0.01"), D("100.1")),
    "modes.CONSERVATIVE.edge_margin_bp": (0, 1000, -1, 1001),
    "modes.CONSERVATIVE.size_factor_pct": (D("0.1"), 500, 0, 501),
    "profiles.staging.capital": (D("0.00000001"), 10**9, 0, 10**9 + 1),
    "profiles.staging.max_leverage": (D("0.1"), 20, 0, 21),
    "channels.email.port": (1, 65_535, 0, 65_536),
}


def value_at(settings: Settings, key: str) -> Any:
    found: Any = settings
    for name in key.split("."):
        found = getattr(found, name)
    return found


@pytest.mark.parametrize("key", NUMBERS)
def test_a_number_is_taken_within_its_bounds_only(tmp_path: Path, key: str) -> None:
    least, most, below, above = NUMBERS[key]
    for good in (least, most):
        assert value_at(load(folder(tmp_path, {key: good})), key) == good
    for bad in (below, above):
        (line,) = lines(folder(tmp_path, {key: bad}))
        assert line.startswith(f"{file_of(key)}: {key} was {bad}, allowed: a ")


def test_no_number_is_without_a_line_in_the_table() -> None:
    same = ("modes.", "profiles.")  # one class each, tested once
    numeric = {
        ".".join(key.path)
        for key in keys().values()
        if key.allowed.startswith(("a number", "a whole number"))
    }
    left = {key for key in numeric - NUMBERS.keys() if not key.startswith(same)}
    assert left == {"engine.trading_interval"}  # tested with the timeframe


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ('"3"', '"3"'),
        ("true", "true"),
        ("null", "null"),
        ("[3.0]", "a list of 1"),
        ("{}", "an object of 0"),
        ("NaN", "NaN"),
        ("Infinity", "Infinity"),
        ("-Infinity", "-Infinity"),
        ("1e999", "1e999"),
        ("1e-999", "1e-999"),
        ("1e99999999999999999999", "1e99999999999999999999"),
        ("-3.0", "-3.0"),
        ("3.0000001", "3.0000001"),  # finer than one part of 1e8
        ("1" * 200, "1" * 80 + "... (200 long)"),
        ("0e99", "0"),
        ("-0.0", "0"),
    ],
)
def test_what_is_not_a_usable_number_is_refused(tmp_path: Path, written: str, told: str) -> None:
    replaced(tmp_path, AUTO, "3.0", written)
    assert lines(tmp_path) == [
        (
            f"{AUTO}: risk_management.daily_loss_limit_pct was {told}, "
            "allowed: a number above 0 and at most 50, of at most 6 decimals"
        )
    ]


@pytest.mark.parametrize("written", ["3", "3.0", "3.000000000000", "30e-1", "0.3e1"])
def test_a_number_is_exact_however_it_is_written(tmp_path: Path, written: str) -> None:
    settings = load(replaced(tmp_path, AUTO, "3.0", written))
    limit = settings.risk_management.daily_loss_limit_pct
    assert isinstance(limit, Decimal)
    assert limit == 3
    assert settings.hash() == load(folder(tmp_path)).hash()


@pytest.mark.parametrize("written", ["true", "5.0", "5.5", '"5"', "null", "1e1", "NaN"])
def test_a_whole_number_is_nothing_else(tmp_path: Path, written: str) -> None:
    where = replaced(
        tmp_path, AUTO, '"max_concurrent_positions": 5', f'"max_concurrent_positions": {written}'
    )
    (line,) = lines(where)
    told = {"1e1": "1E+1"}.get(written, written)
    assert line == (
        f"{AUTO}: engine.max_concurrent_positions was {told}, allowed: a whole number from 1 to 100"
    )


@pytest.mark.parametrize(
    ("key", "bad", "told"),
    [
        ("engine.enable_paper_trading", 1, "was 1, allowed: true or false"),
        ("engine.enable_paper_trading", "true", 'was "true", allowed: true or false'),
        ("engine.mode", "Paper", 'was "Paper", allowed: backtest, paper, live; nearest is paper'),
        ("engine.mode", ["paper"], "was a list of 1, allowed: backtest, paper, live"),
        ("engine.trading_mode", "", ('was "", allowed: CONSERVATIVE, BALANCED, AGGRESSIVE; '
         "nearest is CONSERVATIVE")),
        ("engine.profile", "prod", ('was "prod", allowed: default, paper, staging, production; '
         "nearest is production")),
        ("engine.timeframe", "7m", ('was "7m", allowed: 1m, 3m, 5m, 15m, 30m, 1h, 2h, 4h, 6h, 8h, '
         "12h, 1d; nearest is 1m")),
        ("engine.language", None, "was null, allowed: auto, ko, en"),
        ("market_data.source", "demmo", ('was "demmo", allowed: auto, exchange, replay, demo; '
         "nearest is demo")),
        ("market_data.venue", "bitmex", ('was "bitmex", allowed: binance, bybit, okx; '
         "nearest is bybit")),
        ("strategies.ai_signal.label", "ATR", 'was "ATR", allowed: atr, fixed; nearest is atr'),
        ("engine.trading_day_timezone", "Asia/Seul", ('was "Asia/Seul", allowed: an IANA time zone,'
         " as Asia/Seoul or UTC; nearest is Asia/Seoul")),
        ("engine.trading_day_timezone", "Asia", ('was "Asia", allowed: an IANA time zone,'
         " as Asia/Seoul or UTC; nearest is Asia/Aden")),
        ("engine.trading_day_timezone", "../../etc/passwd", ('was "../../etc/passwd", allowed: an '
         "IANA time zone, as Asia/Seoul or UTC; nearest is ")),
    ],
)  # fmt: skip
def test_a_word_outside_its_set_is_refused_with_the_nearest(
    tmp_path: Path, key: str, bad: Any, told: str
) -> None:
    (line,) = lines(folder(tmp_path, {key: bad}))
    assert line.startswith(f"{AUTO}: {key} {told}")


@pytest.mark.parametrize(
    ("symbol", "good"),
    [
        ("BTC/USDT", True),
        ("1000PEPE/USDT:USDT", True),
        ("btc/usdt", False),
        ("BTCUSDT", False),
        ("BTC/USDT:BTC", False),  # inverse contracts are not supported
        ("BTC/USDT:", False),
        ("BTC/", False),
        (" BTC/USDT", False),
        ("BTC/USDT\n", False),
        ("", False),
        (7, False),
    ],
)
def test_a_symbol_has_the_unified_form(tmp_path: Path, symbol: Any, good: bool) -> None:
    folder(tmp_path, {"symbols": [symbol]})
    if good:
        assert load(tmp_path).symbols == (symbol,)
    else:
        (line,) = lines(tmp_path)
        assert line.startswith(f"{AUTO}: symbols[0] was ")
        assert line.endswith(
            "allowed: BASE/QUOTE, or BASE/QUOTE:QUOTE for a perpetual, in capitals, as BTC/USDT"
        )


def test_symbols_are_at_least_one_and_each_once(tmp_path: Path) -> None:
    (line,) = lines(folder(tmp_path, {"symbols": []}))
    assert line.startswith(f"{AUTO}: symbols was a list of 0, allowed: a list of 1 to 100, each ")
    assert lines(folder(tmp_path, {"symbols": ["BTC/USDT", "ETH/USDT", "BTC/USDT"]})) == [
        f'{AUTO}: symbols was "BTC/USDT", allowed: each entry once'
    ]
    spot_and_perpetual = ["BTC/USDT", "BTC/USDT:USDT"]
    assert load(folder(tmp_path, {"symbols": spot_and_perpetual})).symbols == tuple(
        spot_and_perpetual
    )


@pytest.mark.parametrize(
    ("key", "bad"),
    [
        ("channels.email.host", "https://smtp.example.com"),
        ("channels.email.host", "smtp.example.com\nX"),
        ("channels.email.sender", "nobody"),
        ("channels.email.sender", "a@b@c"),
        ("channels.email.username", "a\x00b"),
        ("channels.email.username", "x" * 101),
        ("channels.email.recipients", ["me@example.com\nBcc: you@example.com"]),
        ("channels.telegram.chat_ids", ["12"]),
        ("channels.telegram.chat_ids", [True]),
        ("routing.by_severity.info", ["dashbord"]),
        ("routing.by_severity.info", ["email", "email"]),
        ("routing.by_type.TRADE_EXECUTED", "email"),
        ("routing.by_type.CONFIG_CHANGED", ["sms"]),
        ("routing.by_type.DAILY_SUMMARY", "dashboard"),
        ("quiet_hours.start", "7:00"),
        ("quiet_hours.start", "23:60"),
        ("daily_summary_time", "\u0662\u0661:00"),  # digits, but not ASCII
        ("daily_summary_time", "21:00\n"),
        ("quiet_hours.min_severity", "fatal"),
    ],
)
def test_notification_fields_take_their_own_form_only(tmp_path: Path, key: str, bad: Any) -> None:
    (line,) = lines(folder(tmp_path, {key: bad}))
    assert line.startswith(f"{NOTIFICATION}: {key}")
    assert ", allowed: " in line
    assert line.isprintable()


def test_a_secret_in_a_file_is_refused_and_not_repeated(tmp_path: Path) -> None:
    replaced(
        tmp_path,
        NOTIFICATION,
        '"telegram": {',
        '"telegram": {"token": "123:abc", "more": {"password": "hunter2"}, ',
    )
    found = lines(tmp_path)
    assert [line.split(", allowed")[0] for line in found] == [
        f"{NOTIFICATION}: channels.telegram.token is not a known key, was (hidden)",
        f"{NOTIFICATION}: channels.telegram.more is not a known key, was an object of 1",
    ]


def test_a_key_cannot_move_the_cursor_or_break_the_line(tmp_path: Path) -> None:
    replaced(tmp_path, RISK, '"limits"', '"\\u001b[2J\\n\\u202e\\ud800": 1, "limits"')
    (line,) = lines(tmp_path)
    assert line.startswith(f"{RISK}: \\x1b[2J\\n\\u202e\\ud800 is not a known key, was 1")
