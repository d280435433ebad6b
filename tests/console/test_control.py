"""The control panel in Streamlit's own test harness: every state of engine and database."""

import json
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, update
from sqlalchemy import text as sql
from streamlit.testing.v1 import AppTest

from auto_trading.flags import Flags
from auto_trading_dashboard import own_commands
from config.environment import Environment
from config.loading import load
from crypto_trader_pro.domain.enums import (
    CommandKind,
    DesiredState,
    NotificationType,
    ObservedState,
    TradingState,
)
from database import alerts, commands, config_history, lease, wishes
from database.auto_trading_db import open_database, unit_of_work
from database.commands import CommandStatus
from database.config_history import AppliedConfig
from database.models import EmergencyStopRow, EngineLeaseRow
from tests.console.shown import a_living_engine, answer, asked, metrics, page, said
from tests.fake_engine import ACCOUNT
from tests.processes import locked
from tests.rows import stored, stored_run
from utils.clocks import SystemClock
from utils.processes import ProcessId, own_process

VIEW = ACCOUNT | {
    "gross": "4000", "realized": "-12.5", "unrealized": "11.25333991", "fees": "4",
    "drawdown": "0.0125", "day_start_equity": "100000", "halt_reason": "", "flattening": False,
    "daily_level": 0, "volatile": 0, "locks": {}, "safety": {},
}  # fmt: skip


def badges(shown: AppTest, name: str) -> str:
    """Return the line of the light with this name."""
    lines = [line for m in shown.markdown for line in str(m.value).split("\n")]
    (found,) = [line for line in lines if f"**{name}**" in line]
    return found


def sentence(shown: AppTest) -> str:
    """Return the one plain sentence on how the engine stands."""
    words = [str(m.value) for m in shown.markdown]
    (found,) = [w for w in words if ":material/" in w and "] **" in w and w.endswith("**")]
    return found.partition("] **")[2].removesuffix("**").replace("\\", "")


def wanted(database: Engine, desired: DesiredState) -> None:
    with unit_of_work(database) as session:
        lease.want(session, desired, SystemClock().now())


# --- nothing there yet --------------------------------------------------------------------------


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
    assert "limits.max\\_leverage was 99" in said(shown)


# --- how things are -----------------------------------------------------------------------------


def test_a_living_engine_is_shown_with_its_account(database: Engine) -> None:
    a_living_engine(database, view=VIEW, last_error="candles are late")
    wanted(database, DesiredState.RUNNING)
    shown = page()
    assert sentence(shown) == "The engine trades, as wanted."
    assert shown.error[0].value == "Last error: candles are late"
    heartbeat = metrics(shown)["Last heartbeat"]
    assert heartbeat.endswith(" s ago")
    assert metrics(shown) == {
        "Wanted": ":green[running]", "Actual": ":green[running]",
        "Trading state": ":green[active]", "Mode": "paper", "Last heartbeat": heartbeat,
        "Equity": "99,998.75", "Cash": "95,996.36", "Today's profit": ":red[▼ −1.25]",
        "Unrealized": ":green[▲ \\+11.25]", "Realized": ":red[▼ −12.50]", "Fees": "4.00",
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
    assert "모의 시장" in said(shown)


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
    assert ":gray-badge[:material/help: UNKNOWN]" in badges(shown, "Daily loss limit")
    assert "an engine goes on trading" in said(shown)  # before it is started by a click
    assert shown.button(key="control_start_engine").label == "Start the engine"


def test_an_engine_that_gave_up_says_why(database: Engine) -> None:
    epoch = a_living_engine(database, view=VIEW)
    with unit_of_work(database) as session:
        lease.release(session, epoch, SystemClock().now(), error="disk full")
    shown = page()
    assert sentence(shown).startswith("The engine ended with an error")
    assert shown.error[0].value == "Last error: disk full"
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
    assert ":orange-badge" in badges(shown, "Drawdown ladder")
    assert "trading goes on at once" in said(shown)
    assert not shown.button(key="control_start").disabled


# --- safety -------------------------------------------------------------------------------------


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
        assert ":green-badge[:material/check_circle: OK]" in badges(shown, name)
        assert words in badges(shown, name).replace("\\", "")


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
        assert ":red-badge[:material/cancel: FAIL]" in badges(shown, name)
        assert words in badges(shown, name).replace("\\", "")
    assert "BTC/USDT (01-02 15:00)" in badges(shown, "Locked symbols").replace("\\", "")


def test_the_trigger_that_halted_is_red(database: Engine) -> None:
    a_living_engine(
        database, trading=TradingState.HALTED, observed=ObservedState.STOPPED,
        view=VIEW | {"halt_reason": "VAR_BREACHES"},
    )  # fmt: skip
    shown = page()
    assert ":red-badge" in badges(shown, "value at risk exceeded too often")
    assert ":green-badge" in badges(shown, "drawdown limit")
    assert "Trading is halted (value at risk exceeded too often)" in sentence(shown)


# --- asking -------------------------------------------------------------------------------------


def test_a_click_is_asked_until_the_engine_has_said_more(database: Engine) -> None:
    a_living_engine(database, observed=ObservedState.STOPPED, view=VIEW)
    shown = page()
    shown.button(key="control_start").click().run()
    assert not shown.exception
    assert asked(database) == [("start", "console")]
    assert "start trading :gray-badge[asked]" in said(shown)
    assert sentence(shown).startswith("Start was asked ")
    assert "**start trading** :gray-badge[:material/schedule: asked] by console" in said(shown)
    answer(database, CommandStatus.DONE, {"code": "answer.started"})
    shown.run()
    assert "start trading :green-badge[done] Trading was started." in said(shown)
    assert "**start trading** :green-badge[:material/check: done] by console" in said(shown)


@pytest.mark.parametrize(
    ("words", "shown_as"),
    [({"code": "refused.unheard_of", "n": 5}, "refused.unheard\\_of n\\: 5"),
     ({"code": "refused.latched"}, "refused.latched")],
)  # fmt: skip
def test_an_answer_without_a_sentence_is_not_hidden(
    database: Engine, words: dict[str, object], shown_as: str
) -> None:
    a_living_engine(database, view=VIEW)
    shown = page()
    shown.button(key="control_start").click().run()
    answer(database, CommandStatus.REFUSED, words)
    shown.run()
    assert f"start trading :red-badge[refused] {shown_as}" in said(shown)


@pytest.mark.parametrize(
    ("trigger", "words"),
    [("MANUAL_STOP", "stopped by a person"), ("", "the loss ladder"), ("NEW_ONE", "NEW_ONE")],
)
def test_an_answer_names_the_trigger_in_words(database: Engine, trigger: str, words: str) -> None:
    a_living_engine(database, view=VIEW)
    wishes.wish(database, CommandKind.REARM, {"confirm": "REARM"}, by="a", now=SystemClock().now())
    answer(database, CommandStatus.DONE, {"code": "answer.rearmed", "trigger": trigger})
    assert f"Re-armed after {words}." in said(page()).replace("\\", "")


def test_requests_of_others_are_listed_with_what_became_of_them(database: Engine) -> None:
    a_living_engine(database, view=VIEW)
    now = SystemClock().now()
    for k in range(12):
        kind = CommandKind.RUN_JOB
        wishes.wish(database, kind, {"job": f"job{k}"}, by="cli:kim", now=now)
    with unit_of_work(database) as session:
        row = commands.claim_next(session, now + timedelta(seconds=0.25))
        assert row is not None
        words = {"code": "refused.input", "reason": "no such job"}
        commands.finish(
            session, row.command_id, CommandStatus.REFUSED, words, now + timedelta(seconds=3)
        )
    shown = page()
    (listed,) = [m.value for m in shown.markdown if m.value.startswith("- ")
                 and "cli" in m.value]  # fmt: skip
    assert listed.count("\n- ") == 9  # ten, the refused one is older
    assert "job11" in listed
    assert "job1 " not in listed
    assert "waiting for" in listed


def test_an_emergency_is_one_click(database: Engine, places: Environment) -> None:
    a_living_engine(database, view=VIEW)
    shown = page()
    shown.button(key="emergency_stop").click().run()
    assert not shown.exception
    assert asked(database) == [("emergency_stop", "console")]
    assert [flag.kind for flag in Flags(places.var_dir).up()] == [CommandKind.EMERGENCY_STOP]
    shown.run()
    assert sentence(shown).startswith("Emergency stop was asked ")


def an_emergency(database: Engine, run_id: int, status: str, **changes: object) -> None:
    now = SystemClock().now() - timedelta(seconds=4)
    steps = [
        {"step": "halted", "at": now.isoformat()},
        {"step": "flattening", "at": (now + timedelta(seconds=0.05)).isoformat(), "positions": 2},
        {"step": "unheard_of", "at": (now + timedelta(seconds=1.5)).isoformat()},
    ]
    values: dict[str, Any] = {
        "run_id": run_id, "trigger": "MANUAL_STOP", "requested_by": "kim", "status": status,
        "started_at": now, "finished_at": None, "positions": 2, "remaining": 1, "steps": steps,
    }  # fmt: skip
    if status != "flattening":
        values["finished_at"] = now + timedelta(seconds=1.5)
    stored(database, EmergencyStopRow(**(values | changes)))


def test_an_emergency_under_way_is_told_step_by_step(database: Engine) -> None:
    a_living_engine(
        database, observed=ObservedState.STOPPED, trading=TradingState.HALTED,
        view=VIEW | {"halt_reason": "MANUAL_STOP", "flattening": True},
    )  # fmt: skip
    wanted(database, DesiredState.EMERGENCY)
    an_emergency(database, 1, "flattening")
    shown = page()
    assert sentence(shown) == (
        "Emergency stop (stopped by a person): 2 positions are being closed."
    )
    words = said(shown).replace("\\", "")
    assert "closing: 1 of 2 positions left · 4." in words
    assert "+0.00 s  new risk halted" in words
    assert "+0.05 s  closing orders sent (2 positions)" in words
    assert "+1.5 s  unheard_of" in words
    assert shown.button(key="control_start").disabled
    assert "cannot start. Re-arm first" in words


def test_the_last_emergency_stays_to_be_read(database: Engine) -> None:
    a_living_engine(database, view=VIEW)
    an_emergency(database, 1, "flat", remaining=0)
    wishes.wish(database, CommandKind.STOP, by="a", now=SystemClock().now())
    words = said(page()).replace("\\", "")
    assert "flat after 1.5 s, 2 positions closed" in words
    assert "session r1, by kim (stopped by a person)" in words


def test_a_re_arm_takes_the_typed_word_and_only_where_it_lifts_something(
    database: Engine,
) -> None:
    a_living_engine(database, view=VIEW)
    assert not page().text_input
    wanted(database, DesiredState.EMERGENCY)
    shown = page()
    assert "trading stays stopped until you press Start" in said(shown)
    shown.text_input(key="control_rearm_word").input("rearm")
    shown.button(key="control_rearm").click().run()
    assert asked(database) == []
    assert 'The confirmation was "rearm", it must be REARM.' in said(shown).replace("\\", "")
    shown.text_input(key="control_rearm_word").input("REARM")
    shown.button(key="control_rearm").click().run()
    assert asked(database) == [("rearm", "console")]


def test_a_latched_emergency_without_an_engine_says_what_comes_first(database: Engine) -> None:
    a_living_engine(database, ProcessId(own_process().host, 2**22 - 7, 1), view=VIEW)
    wanted(database, DesiredState.EMERGENCY)
    assert "A re-arm lapses after a minute: start the engine first." in said(page())


def test_a_first_click_makes_the_database(places: Environment) -> None:
    shown = page()
    shown.button(key="control_start").click().run()
    assert not shown.exception
    reader = open_database(places.database_url, read_only=True)
    assert asked(reader) == [("start", "console")]
    reader.dispose()
    until(shown, "Start was asked ")
    assert "no engine runs; it takes effect when one starts" in said(shown)


# --- troubles -----------------------------------------------------------------------------------


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
    assert ":gray-badge[:material/help: UNKNOWN]" in badges(shown, "Daily loss limit")
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
    assert words in shown.error[0].value
    assert metrics(shown)["Actual"] == "–"


def test_a_database_that_does_not_answer_is_told(
    places: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CTP_DATABASE_URL", "postgresql://me:geheim@127.0.0.1:1/trading")
    shown = page()
    assert "PostgreSQL 127.0.0.1:1/trading" in shown.error[0].value
    assert "geheim" not in said(shown)
    shown.button(key="control_start").click().run()
    assert "was not stored" in said(shown)


def test_a_broken_configuration_is_told_and_the_stop_is_still_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CTP_ENGINE__MODE", "dreaming")
    shown = page()
    assert any("engine.mode was" in e.value for e in shown.error)
    assert shown.button(key="emergency_stop").label == "Emergency stop"
    assert not shown.button(key="control_stop").disabled


# --- configuration and preflight ----------------------------------------------------------------


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


def until(shown: AppTest, words: str) -> str:
    deadline = time.monotonic() + 30
    while words not in said(shown):
        assert time.monotonic() < deadline
        shown.run()
    return said(shown)


# --- the walk -----------------------------------------------------------------------------------


def test_the_walk_is_shown_in_both_languages() -> None:
    assert "Every candle close is one instant" in said(page("walk.py"))
    shown = page("walk.py", chosen_language="ko")
    assert "캔들이 마감될 때마다 한 번 판단합니다" in said(shown)
    assert [h.value for h in shown.header][:3] == ["안내", "한 주기", "무엇이 매매를 멈추나"]


def test_a_walk_that_cannot_be_read_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from auto_trading_dashboard.components import walk_text

    walk_text.sections.cache_clear()
    monkeypatch.setattr(walk_text, "project_root", lambda: tmp_path)
    shown = page("walk.py")
    assert "The walk cannot be read" in shown.error[0].value
