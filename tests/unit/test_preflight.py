"""Preflight: every finding with its level and numbers, worded in both languages."""

import os
import socket
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from auto_trading import preflight as module
from auto_trading.preflight import Check, Level, preflight
from auto_trading.replay_market import IMPORTED
from config.environment import Environment
from config.faults import SettingsError
from config.loading import load
from config.settings import Settings
from crypto_trader_pro.domain.enums import ObservedState, TradingState
from crypto_trader_pro.domain.market import CandleSeries
from crypto_trader_pro.simulation.instruments import instrument
from database import candles, lease
from database.auto_trading_db import open_database, prepare, unit_of_work
from database.lease import Beat, Holder
from tests.market_data import ROOT
from tests.processes import a_port
from utils import consoles
from utils.clocks import SystemClock
from utils.processes import own_process
from utils.texts import Language, say

BTC = instrument("BTC/USDT:USDT")


def places(folder: Path, **environ: str) -> Environment:
    own = {"CTP_CONSOLE_PORT": str(a_port()), "CTP_HTTP_PORT": str(a_port())}
    return Environment.read({**own, "CTP_VAR_DIR": str(folder), **environ})


def settings(**environ: str) -> Settings:
    return load(ROOT / "config", environ={f"CTP_{k}": v for k, v in environ.items()})


def answers(_: str, __: float) -> str:
    return ""


def silent(venue: str, _: float) -> str:
    return f"{venue}: Name or service not known"


def a_series(count: int) -> CandleSeries:
    """Return five-minute candles that do not move."""
    at = np.arange(count, dtype=np.int64) * 300_000
    price, volume = np.full(count, 100, np.int64), np.full(count, 5, np.int64)
    return CandleSeries(BTC.symbol, 300_000, at, price, price, price, price, volume)


def checks(found: list[Check], name: str) -> list[tuple[str, Level]]:
    return [(c.code, c.level) for c in found if c.name == name]


def test_everything_is_looked_at_and_worded_in_both_languages(tmp_path: Path) -> None:
    found = preflight(places(tmp_path), settings(), probe=answers)
    assert [c.name for c in found] == [
        "configuration", "folder", "database", "clock", "disk", "memory", "port", "port", "mode",
        "source", "capital", "notifications",
    ]  # fmt: skip
    assert {c.level for c in found} <= {Level.OK, Level.WARN}
    for check in found:
        for language in Language:
            assert "{" not in say(language, f"preflight.{check.code}", **check.numbers)


def test_a_configuration_that_cannot_be_used_fails_with_its_lines(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as wrong:
        settings(ENGINE__MODE="dreaming", PAPER__INITIAL_EQUITY="none")
    found = preflight(places(tmp_path), wrong.value, probe=answers)
    lines = [c.numbers["line"] for c in found if c.code == "configuration.fault"]
    assert len(lines) == 2
    assert all(c.level is Level.FAIL for c in found if c.name == "configuration")
    assert checks(found, "folder") == [("folder.ok", Level.OK)]  # the rest is looked at too


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, ("mode.ok", Level.OK)),
        ({"ENGINE__MODE": "live", "ENGINE__ENABLE_PAPER_TRADING": "false"},
         ("mode.live", Level.FAIL)),
        ({"ENGINE__MODE": "backtest"}, ("mode.backtest", Level.FAIL)),
    ],
)  # fmt: skip
def test_live_is_refused(
    tmp_path: Path, environ: dict[str, str], expected: tuple[str, Level]
) -> None:
    found = preflight(places(tmp_path), settings(**environ), probe=answers)
    assert checks(found, "mode") == [expected]


def test_what_is_refused_of_live_is_said(tmp_path: Path) -> None:
    said = say(Language.ENGLISH, "preflight.mode.live", mode="live")
    assert "refused" in said
    assert "does not exist yet" in said
    assert "거부" in say(Language.KOREAN, "preflight.mode.live", mode="live")


@pytest.mark.parametrize(
    ("source", "probe", "expected"),
    [
        ("demo", silent, ("source.demo", Level.WARN)),
        ("auto", answers, ("source.ok", Level.OK)),
        ("auto", silent, ("source.falls_back", Level.WARN)),
        ("exchange", answers, ("source.ok", Level.OK)),
        ("exchange", silent, ("source.unreachable", Level.FAIL)),
        ("replay", answers, ("source.replay_short", Level.FAIL)),
    ],
)
def test_a_source_that_does_not_answer(
    tmp_path: Path, source: str, probe: module.Probe, expected: tuple[str, Level]
) -> None:
    found = preflight(places(tmp_path), settings(MARKET_DATA__SOURCE=source), probe=probe)
    assert checks(found, "source") == [expected]


def test_a_replay_needs_more_candles_than_the_warm_up(tmp_path: Path) -> None:
    there = places(tmp_path)
    wanted = settings(MARKET_DATA__SOURCE="replay", SYMBOLS="BTC/USDT:USDT")
    for count, expected in ((200, "source.replay_short"), (201, "source.replay")):
        engine = open_database(there.database_url)
        prepare(engine)
        with unit_of_work(engine) as session:
            series = a_series(count)
            candles.store(session, series, BTC, candles.Origin("binance", IMPORTED))
        engine.dispose()
        (check,) = [c for c in preflight(there, wanted, probe=answers) if c.name == "source"]
        assert check.code == expected
        if count == 200:
            assert check.numbers["symbols"] == "BTC/USDT:USDT 200"


def test_the_real_probe_is_asked_where_none_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("auto_trading.gateways.venue_clients.probe", silent)
    found = preflight(places(tmp_path), settings(MARKET_DATA__SOURCE="exchange"))
    (check,) = [c for c in found if c.name == "source"]
    assert check.numbers["why"] == "binance: Name or service not known"


@pytest.mark.parametrize(
    ("environ", "level", "numbers"),
    [
        # 2 % of 100,000 is 2,000; BTC/USDT takes 5
        ({}, Level.OK, {"order": "2000", "smallest": "5"}),
        # 2 % of 100 is 2, less than 5; 5 / 2 % = 250
        ({"ENGINE__PROFILE": "paper"}, Level.WARN,
         {"order": "2", "symbols": "BTC/USDT 5, ETH/USDT 5", "needed": "250"}),
        # 2 % of 7,700 is 154: enough for a perpetual of BTC (100)
        ({"ENGINE__PROFILE": "production", "SYMBOLS": "BTC/USDT:USDT"}, Level.OK,
         {"order": "154", "smallest": "100"}),
        # 2 % of 230 is 4.6
        ({"ENGINE__PROFILE": "staging", "SYMBOLS": "BTC/USDT:USDT"}, Level.WARN,
         {"order": "4.6", "symbols": "BTC/USDT:USDT 100", "needed": "5000"}),
        # 3 % of 230 is 6.9: enough for spot
        ({"ENGINE__PROFILE": "staging", "RISK_MANAGEMENT__POSITION_SIZE_PCT": "3"}, Level.OK,
         {"order": "6.9", "share": "3"}),
    ],
)  # fmt: skip
def test_a_capital_that_cannot_place_the_smallest_order(
    tmp_path: Path, environ: dict[str, str], level: Level, numbers: dict[str, Any]
) -> None:
    found = preflight(places(tmp_path), settings(**environ), probe=answers)
    (check,) = [c for c in found if c.name == "capital"]
    assert check.level is level
    assert {k: check.numbers[k] for k in numbers} == numbers


def test_a_symbol_that_is_not_in_the_table_fails(tmp_path: Path) -> None:
    found = preflight(places(tmp_path), settings(SYMBOLS="BTC/USDT,PIZZA/USDT"), probe=answers)
    assert checks(found, "symbol") == [("symbol.unknown", Level.FAIL)]


def test_channels_that_lack_their_secret(tmp_path: Path) -> None:
    environ = {"CHANNELS__TELEGRAM__ENABLED": "true", "CHANNELS__TELEGRAM__CHAT_IDS": "5",
               "NOTIFICATIONS__CHANNELS": "dashboard,telegram"}  # fmt: skip
    found = preflight(places(tmp_path), settings(**environ), probe=answers)
    assert checks(found, "notifications") == [
        ("notifications.no_secret", Level.FAIL), ("notifications.ok", Level.OK),
    ]  # fmt: skip
    there = places(tmp_path, CTP_TELEGRAM_BOT_TOKEN="7:x")  # noqa: S106
    found = preflight(there, settings(**environ), probe=answers)
    assert checks(found, "notifications") == [("notifications.ok", Level.OK)]


def test_a_channel_that_is_enabled_and_not_in_use(tmp_path: Path) -> None:
    environ = {"CHANNELS__TELEGRAM__ENABLED": "true", "CHANNELS__TELEGRAM__CHAT_IDS": "5"}
    found = preflight(places(tmp_path), settings(**environ), probe=answers)
    assert checks(found, "notifications") == [
        ("notifications.unused", Level.WARN), ("notifications.none", Level.WARN),
    ]  # fmt: skip


def test_without_a_channel_nobody_is_told(tmp_path: Path) -> None:
    found = preflight(places(tmp_path), settings(NOTIFICATIONS__ENABLED="false"), probe=answers)
    assert checks(found, "notifications") == [("notifications.none", Level.WARN)]


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    found = preflight(places(tmp_path / "file" / "var"), settings(), probe=answers)
    assert checks(found, "folder") == [("folder.unwritable", Level.FAIL)]


def test_a_database_that_does_not_answer(tmp_path: Path) -> None:
    there = places(tmp_path, CTP_DATABASE_URL="postgresql://me:geheim@127.0.0.1:1/trading")
    found = preflight(there, settings(), probe=answers)
    (check,) = [c for c in found if c.name == "database"]
    assert (check.code, check.level) == ("database.unavailable", Level.FAIL)
    assert "geheim" not in str(check.numbers)


def test_a_database_with_its_schema(tmp_path: Path) -> None:
    engine = open_database(places(tmp_path).database_url)
    prepare(engine)
    found = preflight(places(tmp_path), settings(), probe=answers)
    assert checks(found, "database") == [("database.current", Level.OK)]
    assert checks(found, "clock") == [("clock.ok", Level.OK)]
    # a heartbeat of an hour from now
    later = SystemClock().now() + timedelta(hours=1)
    beat = Beat(ObservedState.RUNNING, TradingState.ACTIVE, "paper", "demo", None, None, None)
    with unit_of_work(engine) as session:
        epoch = lease.take(
            session, Holder("o", "elsewhere", 1, 1, "b"), later, is_gone=lambda _: False
        )
        assert epoch is not None
        lease.renew(session, epoch, beat, later)
    engine.dispose()
    (check,) = [
        c for c in preflight(places(tmp_path), settings(), probe=answers) if c.name == "clock"
    ]
    assert (check.code, check.level) == ("clock.behind", Level.FAIL)
    assert 3_590 < check.numbers["seconds"] <= 3_600


def test_a_clock_from_before_this_version() -> None:
    long_ago = SystemClock().now().replace(year=1999)
    (check,) = module._clock(long_ago, None)
    assert (check.code, check.level) == ("clock.past", Level.FAIL)


@pytest.mark.parametrize(
    ("kilobytes", "expected"),
    [(299 * 1024, ("memory.short", Level.FAIL)), (300 * 1024, ("memory.short", Level.WARN)),
     (999 * 1024, ("memory.short", Level.WARN)), (1000 * 1024, ("memory.ok", Level.OK))],
)  # fmt: skip
def test_memory_by_what_the_kernel_says(
    tmp_path: Path, kilobytes: int, expected: tuple[str, Level]
) -> None:
    file = tmp_path / "meminfo"
    file.write_text(f"MemTotal: 99999999 kB\nMemAvailable: {kilobytes} kB\n")
    (check,) = module._memory(file)
    assert (check.code, check.level) == expected


def test_memory_that_is_not_known(tmp_path: Path) -> None:
    (check,) = module._memory(tmp_path / "nowhere")
    assert (check.code, check.level) == ("memory.unknown", Level.WARN)


def test_a_disk_that_is_nearly_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = os.statvfs(tmp_path)
    assert usage.f_bavail > 0
    for free, level in ((199, Level.FAIL), (200, Level.WARN), (2_000, Level.OK)):
        monkeypatch.setattr(
            "shutil.disk_usage",
            lambda _, free=free: type("Usage", (), {"free": free * 2**20})(),
        )
        found = preflight(places(tmp_path), settings(), probe=answers)
        assert [c.level for c in found if c.name == "disk"] == [level]


def test_a_port_that_another_program_has(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        there = places(tmp_path, CTP_CONSOLE_PORT=str(taken))
        found = preflight(there, settings(), probe=answers)
        assert checks(found, "port") == [("port.taken", Level.FAIL), ("port.ok", Level.OK)]
        consoles.register(tmp_path, own_process(), taken)  # it is our console
        found = preflight(there, settings(), probe=answers)
        assert checks(found, "port") == [("port.ours", Level.OK), ("port.ok", Level.OK)]
