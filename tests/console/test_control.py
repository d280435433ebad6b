"""The control panel in every state of the engine and the database."""

import time
from datetime import timedelta

import pytest
from sqlalchemy import Engine, update
from sqlalchemy import text as sql

from auto_trading.flags import Flags
from auto_trading_dashboard import own_commands
from config.environment import Environment
from crypto_trader_pro.domain.enums import (
    CommandKind,
    DesiredState,
    NotificationType,
    ObservedState,
    TradingState,
)
from database import alerts, lease
from database.auto_trading_db import unit_of_work
from database.models import EngineLeaseRow
from tests.console.control_view import VIEW, light, sentence, wanted
from tests.console.shown import a_living_engine, metrics, page, plain, said
from tests.processes import locked
from tests.rows import stored_run
from utils.clocks import SystemClock
from utils.processes import ProcessId, own_process

# --- nothing there yet ----------------------------------------------------------------------------


def test_an_empty_system_says_what_to_do_next(places: Environment) -> None:
    shown = page()
    assert any("no database yet" in i.value for i in shown.info)
    assert sentence(shown) == "No engine has run yet."
    assert metrics(shown) == dict.fromkeys(
        ["Wanted", "Actual", "Trading state", "Mode", "Last heartbeat"], "–"
    )
    assert "Three steps to the first fill" in said(shown)
    assert "**Start the engine**" in said(shown)  # the one next step
    assert any("appear here with the first session" in i.value for i in shown.info)
    assert shown.button(key="control_start_engine").label == "Start the engine"
    assert "engine start" in shown.code[0].value
    assert not (places.var_dir / "crypto_trader_pro.db").exists()


def test_steps_are_ticked_as_they_are_reached(database: Engine) -> None:
    me, now = own_process(), SystemClock().now()
    run_id = stored_run(database, kind="paper", source="demo")
    with unit_of_work(database) as session:
        holder = lease.Holder("o", me.host, me.pid, me.started, "b")
        epoch = lease.take(session, holder, now, is_gone=lambda _: False)
        assert epoch is not None
        beat = lease.Beat(
            ObservedState.STOPPED, TradingState.ACTIVE, "paper", "demo", run_id, None, VIEW
        )
        lease.renew(session, epoch, beat, now)
    shown = page()
    assert ":green[:material/check_circle:] Start the engine" in said(shown)
    assert "**Press Start trading above**" in said(shown)
    wanted(database, DesiredState.RUNNING)
    shown.run()
    assert "**Wait for the first fill**" in said(shown)
    a_living_engine(database, view=VIEW)  # with a fill
    shown.run()
    assert "first fill" not in said(shown)


def test_a_missing_engine_is_started_by_a_click(
    places: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = places.var_dir / "told"
    monkeypatch.setattr(own_commands, "PROGRAM", ("/bin/sh", "-c", f'echo "$@" >> {told}', "sh"))
    shown = page()
    shown.button(key="control_start_engine").click().run()
    assert not shown.exception
    deadline = time.monotonic() + 30
    while not told.exists() or "engine start" not in told.read_text():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_start_that_fails_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    words = "echo 'limits.max_leverage was 99' >&2; exit 2"
    monkeypatch.setattr(own_commands, "PROGRAM", ("/bin/sh", "-c", words))
    shown = page()
    shown.button(key="control_start_engine").click().run()
    deadline = time.monotonic() + 30
    while "could not be started" not in said(shown.run()):
        assert time.monotonic() < deadline
    assert "limits.max_leverage was 99" in said(shown)


# --- how things are -------------------------------------------------------------------------------


def test_a_living_engine_is_shown_with_its_account(database: Engine) -> None:
    a_living_engine(database, view=VIEW, last_error="candles are late")
    wanted(database, DesiredState.RUNNING)
    shown = page()
    assert sentence(shown) == "The engine trades, as wanted."
    assert plain(shown.error[0].value) == "Last error: candles are late"
    heartbeat = metrics(shown)["Last heartbeat"]
    assert heartbeat.endswith(" s ago")
    assert metrics(shown) == {
        "Wanted": ":green[running]", "Actual": ":green[running]",
        "Trading state": ":green[active]", "Mode": "paper", "Last heartbeat": heartbeat,
        "Equity": "99,998.75", "Cash": "95,996.36", "Today's profit": ":red[▼ −1.25]",
        "Unrealized": ":green[▲ \\+11.25]", "Realized, after fees": ":red[▼ −12.50]",
        "Fees in all": "4.00",
        "Exposure / of equity": "4,000.00", "Drawdown": "1.25 %",
        "Open positions / limit": "2 / 5", "Working orders": "4",
    }  # fmt: skip
    assert "Account (USDT)" in said(shown)


def test_profit_in_korean_is_red_and_loss_is_blue(database: Engine) -> None:
    a_living_engine(database, view=VIEW)
    shown = page(chosen_language="ko")
    assert metrics(shown)["오늘 수익"] == ":blue[▼ −1.25]"
    labels = [b.label for b in shown.button]
    assert [x for x in labels if x in ("긴급 중단", "자동매매 시작", "자동매매 중단")] == [
        "긴급 중단", "자동매매 시작", "자동매매 중단",
    ]  # fmt: skip
    assert "데모 시장" in said(shown)


@pytest.mark.parametrize("source", ["demo", "exchange", "replay"])
def test_whose_prices_these_are_is_said(database: Engine, source: str) -> None:
    a_living_engine(database, source=source, view=VIEW)
    words = {
        "demo": "SIMULATED MARKET", "exchange": "Live exchange prices",
        "replay": "Recorded candles",
    }  # fmt: skip
    assert words[source] in said(page())


def test_a_killed_engine_is_told_with_the_last_figures(database: Engine) -> None:
    me = own_process()
    a_living_engine(database, ProcessId(me.host, 2**22 - 7, 1), view=VIEW)
    wanted(database, DesiredState.RUNNING)
    shown = page()
    assert sentence(shown).startswith("The engine vanished without a word")
    assert metrics(shown)["Actual"] == ":red[faulted]"
    assert metrics(shown)["Trading state"] == "–"
    assert "No engine tells: the last stored figures" in said(shown)
    assert ":gray-badge[:material/help: UNKNOWN]" in light(shown, "Daily loss limit")
    assert "an engine goes on trading" in said(shown)  # before it is started by a click
    assert shown.button(key="control_start_engine").label == "Start the engine"


def test_an_engine_that_gave_up_says_why(database: Engine) -> None:
    epoch = a_living_engine(database, view=VIEW)
    with unit_of_work(database) as session:
        lease.release(session, epoch, SystemClock().now(), error="disk full")
    shown = page()
    assert sentence(shown).startswith("The engine ended with an error")
    assert plain(shown.error[0].value) == "Last error: disk full"
    assert shown.button(key="control_start_engine").label == "Start the engine"


@pytest.mark.parametrize(
    ("seconds", "words", "heartbeat"),
    [(-7, "The engine has said nothing for 7 s", ":red[7 s ago]"),
     (90, "set the clock", ":red[1 min in the future]")],
)  # fmt: skip
def test_a_heartbeat_that_is_late_or_ahead(
    database: Engine, seconds: int, words: str, heartbeat: str
) -> None:
    a_living_engine(database, view=VIEW)
    at = SystemClock().now() + timedelta(seconds=seconds)
    with unit_of_work(database) as session:
        later = at + timedelta(seconds=60)
        session.connection().execute(
            update(EngineLeaseRow).values(heartbeat_at=at, expires_at=later)
        )
    shown = page()
    assert words in sentence(shown)
    assert metrics(shown)["Last heartbeat"] in (heartbeat, ":red[8 s ago]", ":red[9 s ago]")


def test_reducing_says_since_when_and_offers_the_re_arm(database: Engine) -> None:
    a_living_engine(database, trading=TradingState.REDUCING, view=VIEW | {"drawdown": "0.061"})
    wanted(database, DesiredState.RUNNING)
    now = SystemClock().now()
    with unit_of_work(database) as session:
        kind = NotificationType.DRAWDOWN_WARNING
        alerts.raise_alert(
            session, kind, "warning", "drawdown_reducing", {}, at=now, now=now, run_id=1
        )
    shown = page()
    assert sentence(shown) == (
        "Because of the drawdown only orders that reduce positions are sent. "
        f"Since {now:%Y-%m-%d %H:%M:%S} UTC."
    )
    assert ":orange-badge" in light(shown, "Drawdown ladder")
    assert "trading goes on at once" in said(shown)
    assert not shown.button(key="control_start").disabled


# --- troubles -------------------------------------------------------------------------------------


def test_a_locked_database_hides_nothing_and_takes_a_stop_by_flag(
    database: Engine, places: Environment
) -> None:
    a_living_engine(database, view=VIEW)
    with locked(places.var_dir / "crypto_trader_pro.db"):
        shown = page()
        assert metrics(shown)["Equity"] == "99,998.75"
        shown.button(key="control_stop").click().run()
        assert not shown.exception
        assert "the flag file is up" in said(shown)
    assert [flag.kind for flag in Flags(places.var_dir).up()] == [CommandKind.STOP]


def test_a_database_that_falls_silent_leaves_the_figures_greyed(
    database: Engine, places: Environment
) -> None:
    a_living_engine(database, view=VIEW)
    shown = page()
    file = places.var_dir / "crypto_trader_pro.db"
    content = file.read_bytes()
    database.dispose()
    for name in (file, *places.var_dir.glob("crypto_trader_pro.db-*")):
        name.write_bytes(b"no database at all" * 400)
    time.sleep(1.1)  # a fresh answer is believed in for a moment
    shown.run()
    assert not shown.exception
    assert metrics(shown)["Equity"] == "99,998.75"
    assert any("could not be read anew" in c.value for c in shown.caption)
    assert ":gray-badge[:material/help: UNKNOWN]" in light(shown, "Daily loss limit")
    assert shown.error
    file.write_bytes(content)


@pytest.mark.parametrize("version", ["0001", "9999"])
def test_a_schema_of_another_version_is_told(database: Engine, version: str) -> None:
    with unit_of_work(database) as session:
        session.connection().execute(
            sql("UPDATE alembic_version SET version_num = :version"), {"version": version}
        )
    shown = page()
    words = {"0001": "run init-db", "9999": "newer"}[version]
    assert words in plain(shown.error[0].value)
    assert metrics(shown)["Actual"] == "–"


def test_a_database_that_does_not_answer_is_told(
    places: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CTP_DATABASE_URL", "postgresql://me:geheim@127.0.0.1:1/trading")
    shown = page()
    assert "PostgreSQL 127.0.0.1:1/trading" in plain(shown.error[0].value)
    assert "geheim" not in said(shown)
    shown.button(key="control_start").click().run()
    assert "was not stored" in said(shown)


def test_a_broken_configuration_is_told_and_the_stop_is_still_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CTP_ENGINE__MODE", "dreaming")
    shown = page()
    assert any("engine.mode was" in e.value for e in shown.error)
    assert "The files cannot be used" in said(shown)
    assert shown.button(key="emergency_stop").label == "Emergency stop"
    assert not shown.button(key="control_stop").disabled
