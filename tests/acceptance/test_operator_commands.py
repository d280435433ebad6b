"""What an operator asks of a living engine on the demo market, and what is said then."""

import json
import os
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from auto_trading import asking, engine_file
from auto_trading.asking import Asked, ask_engine
from auto_trading.flags import Flags
from config.environment import Environment
from crypto_trader_pro.cli.asked_text import is_settled, sentence
from crypto_trader_pro.cli.exits import Exit
from crypto_trader_pro.domain.enums import CommandKind
from crypto_trader_pro.domain.errors import InputError
from database import config_history
from database.auto_trading_db import open_database, prepare, unit_of_work
from database.config_history import AppliedConfig
from database.models import CheckpointRow
from tests.engines import command
from tests.processes import DATABASE, a_port, locked, pause
from tests.rows import an_alert, an_equity, stored, stored_run
from utils.clocks import SystemClock
from utils.processes import own_process
from utils.texts import Language

STOP, EMERGENCY = CommandKind.STOP, CommandKind.EMERGENCY_STOP


def an_installation(monkeypatch: pytest.MonkeyPatch, folder: Path) -> Environment:
    for name in ("CTP_DATABASE_URL", "DATABASE_URL", "CTP_CONFIG_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CTP_VAR_DIR", str(folder))
    monkeypatch.setenv("CTP_MARKET_DATA__SOURCE", "demo")
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    monkeypatch.setenv("COLUMNS", "200")
    return Environment.current()


@pytest.fixture(scope="module")
def living(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Environment]:
    """An installation with a living engine, shared by this file."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        places = an_installation(monkeypatch, tmp_path_factory.mktemp("living"))
        started = command("engine", "start")
        assert started.code == 0, started.stderr
        yield places
        assert command("down").code == 0


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Environment:
    """An installation in which nothing runs."""
    return an_installation(monkeypatch, tmp_path / "var")


def status() -> dict[str, Any]:
    return command("status", "--json").result()


def until(true: Callable[[], Any], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def rows(places: Environment, query: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(places.var_dir / DATABASE)) as connection:
        return connection.execute(query).fetchall()


# --- a living engine ----------------------------------------------------------------------------


def test_start_stop_and_start_again_are_done_and_said(living: Environment) -> None:
    assert command("start").stdout == "start trading: done. Trading was started.\n"
    until(lambda: status()["observed_state"] == "running")
    stopped = command("stop", "--json").result()
    assert (stopped["status"], stopped["engine_alive"]) == ("done", True)
    assert stopped["answer"]["code"] == "answer.stopped"
    until(lambda: status()["observed_state"] == "stopped")
    found = status()
    assert (found["desired_state"], found["trading_state"]) == ("stopped", "active")
    assert (found["mode"], found["data_source"]) == ("paper", "demo")
    assert found["heartbeat_age_seconds"] < 5
    assert (found["equity"], found["cash"]) != (None, None)
    ((by,),) = rows(living, "SELECT DISTINCT requested_by FROM commands")
    assert by.startswith("cli:")


def test_an_emergency_is_latched_until_it_is_re_armed(living: Environment) -> None:
    assert command("emergency-stop").code == 0
    until(lambda: status()["trading_state"] == "halted")
    assert status()["desired_state"] == "emergency"
    until(lambda: Flags(living.var_dir).up() == [])  # it went up first of all
    refused = command("start")
    assert (refused.code, "start trading: refused." in refused.stdout) == (Exit.NEGATIVE, True)
    wrong = command("rearm", "--confirm", "please")
    assert (wrong.code, wrong.complaint()) == (
        Exit.USAGE, "--confirm was 'please', allowed: REARM",
    )  # fmt: skip
    until(lambda: command("rearm", "--confirm", "REARM").code == 0)
    until(lambda: status()["trading_state"] == "active")
    assert status()["desired_state"] == "stopped"  # armed is not started


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("close", "BTC/USDT"), "refused.no_position"),
        (("close", "PIZZA/USDT"), "refused.input"),
        (("cancel", "r1o9999999"), "refused.no_order"),
        (("lift-lock", "BTC/USDT"), "refused.no_lock"),
        (("ack", 999_999), "refused.input"),
        (("job", "wash-up"), "refused.input"),
        (("config", "rollback", 999_999), "refused.input"),
        (("config", "apply", "paper.initial_equty=5"), "refused.input"),
    ],
    ids=lambda value: value if isinstance(value, str) else " ".join(map(str, value)),
)
def test_what_cannot_be_done_is_refused_with_its_reason(
    living: Environment, words: tuple[str, ...], code: str
) -> None:
    found = command(*words, "--json")
    assert found.code == Exit.NEGATIVE
    answer = json.loads(found.stdout)
    assert (answer["status"], answer["answer"]["code"]) == ("refused", code)
    said = command(*words)
    assert (said.code, said.stderr) == (Exit.NEGATIVE, "")
    assert ": refused. " in said.stdout


def test_a_job_is_run_and_a_training_begins_unless_one_is_under_way(living: Environment) -> None:
    found = command("job", "equity_snapshot")
    assert (found.code, found.stderr) == (0, ""), found.stdout
    assert ": done. " in found.stdout
    assert json.loads(command("train", "--json").stdout)["status"] in ("done", "refused")


def test_the_log_of_the_engine_can_be_read(living: Environment) -> None:
    until(lambda: "took the account" in command("logs", "--lines", 500).stdout)
    lines = command("logs", "--lines", 500, "--json").stdout.splitlines()
    assert {json.loads(line)["level"] for line in lines} >= {"INFO"}
    serious = command("logs", "--level", "critical", "--json").stdout.splitlines()
    assert {json.loads(line)["level"] for line in serious} <= {"CRITICAL"}
    for words, told in (
        (("--level", "loud"), "level was 'LOUD'"),
        (("--component", "kitchen"), "component was 'KITCHEN'"),
        (("--lines", -1), "--lines was -1"),
    ):
        assert told in command("logs", *words).complaint()


@pytest.mark.parametrize("kind", [STOP, EMERGENCY])
def test_a_stop_works_while_the_database_is_locked(living: Environment, kind: CommandKind) -> None:
    """The flag is up at once, the engine sends no entries; the rest follows the lock."""
    if kind is STOP:
        assert command("start").code == 0
        until(lambda: _file(living).entries == "allowed")
    with locked(living.var_dir / DATABASE):
        begun = SystemClock().now()
        found = ask_engine(living, kind, by="test")
        flag = Flags(living.var_dir).path(kind)  # it stays until the engine has stored what it did
        assert flag.stat().st_mtime - begun.timestamp() < 0.6
        assert (found.status, found.engine_alive) == ("flag", True)
        assert found.entries not in (None, "allowed")
        assert is_settled(found)
        assert "the flag file did it" in sentence(found, Language.ENGLISH)
        shown = status()  # readers are not blocked
        assert shown["engine_pid"] == _file(living).pid
    wanted = "stopped" if kind is STOP else "emergency"
    until(lambda: status()["desired_state"] == wanted)
    until(lambda: Flags(living.var_dir).up() == [])
    if kind is EMERGENCY:
        until(lambda: command("rearm", "--confirm", "REARM").code == 0)


@pytest.mark.parametrize("carried", ["asked", "flag"])
def test_an_engine_that_does_not_react_is_not_said_to_have_stopped(
    living: Environment, monkeypatch: pytest.MonkeyPatch, carried: str
) -> None:
    """Neither where the database took the wish nor where only the flag carries it."""
    assert command("start").code == 0
    until(lambda: _file(living).entries == "allowed")
    pid = _file(living).pid
    pause(pid, living.var_dir / DATABASE)
    try:
        if carried == "asked":
            monkeypatch.setattr(asking, "HURRY_SECONDS", 60.0)  # the machine may be slow
            found = ask_engine(living, STOP, by="test", seconds=0.3)
        else:
            with locked(living.var_dir / DATABASE):
                found = ask_engine(living, STOP, by="test", seconds=0.3)
        assert (found.status, found.engine_alive, is_settled(found)) == (carried, True, False)
        said = "not answered within" if carried == "asked" else "has not followed it yet"
        assert said in sentence(found, Language.ENGLISH)
    finally:
        os.kill(pid, signal.SIGCONT)
    until(lambda: _file(living).entries != "allowed")
    until(lambda: status()["desired_state"] == "stopped")
    until(lambda: Flags(living.var_dir).up() == [])


def _file(places: Environment) -> engine_file.EngineFile:
    found = engine_file.read(places.var_dir)
    assert found is not None
    return found


def test_new_orders_are_halted_and_let_go_on(living: Environment) -> None:
    halted = command("halt-new-orders", "--json").result()
    assert (halted["status"], halted["answer"]["code"]) == ("done", "answer.paused")
    until(lambda: status()["paused"] is True)
    assert command("cancel-pending-orders").stdout.startswith("cancel all entries: done.")
    until(lambda: command("resume", "--confirm", "RESUME").code == 0)
    again = command("resume", "--confirm", "RESUME", "--json")
    assert again.code == Exit.NEGATIVE
    assert json.loads(again.stdout)["answer"]["code"] == "refused.not_paused"


def test_positions_are_closed_gradually_or_at_once(living: Environment) -> None:
    gradual = command("close-positions", "--gradual", "--over", "10m", "--yes", "--json").result()
    assert gradual["answer"]["code"] == "answer.closing_gradually"
    assert gradual["answer"]["over_seconds"] == 600
    at_once = command("close-positions", "--yes", "--json").result()
    assert at_once["answer"]["code"] == "answer.closing_all"
    assert command("resume", "--confirm", "RESUME").code == 0  # it has paused, and others follow


def test_the_account_is_listed_while_the_engine_lives(living: Environment) -> None:
    (account,) = command("accounts", "--json").result()["accounts"]
    assert (account["is_live"], account["source"]) == (True, "demo")
    assert (account["balance"]["is_live"], account["balance"]["currency"]) == (True, "USDT")
    jobs = command("jobs", "--json").result()
    assert jobs["alive"] is True
    assert ": done. " in command("jobs", "run", "equity_snapshot").stdout


def test_a_graceful_shutdown_halts_settles_and_ends(empty: Environment) -> None:
    assert command("engine", "start").code == 0  # its own: others of this file may come later
    found = command("shutdown", "--graceful", "--json")
    assert found.code == 0, found.stdout
    told = json.loads(found.stdout)
    assert (told["end"], told["in_flight"]) == ("ended", [])
    assert [(s["kind"], s["status"]) for s in told["steps"]] == [
        ("pause", "done"), ("cancel_entries", "done"),
    ]  # fmt: skip
    assert status()["engine_pid"] is None
    assert command("shutdown").stdout == "No engine runs.\n"


# --- nothing runs -------------------------------------------------------------------------------


def test_a_start_without_an_engine_is_kept_for_the_next_one(empty: Environment) -> None:
    found = command("start")
    assert (found.code, found.stdout) == (
        0, "start trading: asked. No engine runs; it takes effect when one starts.\n",
    )  # fmt: skip
    shown = status()
    assert (shown["desired_state"], shown["observed_state"]) == ("running", "stopped")
    assert (shown["waiting_commands"], shown["epoch"]) == (1, None)


def test_what_does_not_last_says_that_it_lapses(empty: Environment) -> None:
    found = command("close", "BTC/USDT")
    assert "it lapses unless one starts within a minute" in found.stdout


def test_an_emergency_without_an_engine_is_wanted_and_flagged(empty: Environment) -> None:
    assert command("emergency-stop").code == 0
    assert status()["desired_state"] == "emergency"
    assert [flag.kind for flag in Flags(empty.var_dir).up()] == [EMERGENCY]


@pytest.mark.parametrize("words", ["stop", "emergency-stop"])
def test_a_stop_without_engine_and_database_is_a_flag(
    empty: Environment, monkeypatch: pytest.MonkeyPatch, words: str
) -> None:
    monkeypatch.setenv("CTP_DATABASE_URL", "postgresql://me@127.0.0.1:1/trading")
    found = command(words)
    assert (found.code, "no engine runs" in found.stdout) == (0, True)
    assert [flag.kind.value for flag in Flags(empty.var_dir).up()] == [words.replace("-", "_")]
    asked = command("start")
    assert (asked.code, "PostgreSQL 127.0.0.1:1/trading" in asked.complaint()) == (
        Exit.UNAVAILABLE, True,
    )  # fmt: skip


def test_alerts_are_worded(empty: Environment) -> None:
    engine = open_database(empty.database_url)
    prepare(engine)
    stored(
        engine,
        an_alert(code="daily_loss_exceeded", numbers={"equity": 97, "day_start": 100}),
        an_alert(code="books_agree", numbers={"count": 3}),
        an_alert(code="books_differ", numbers={"count": 2}),
        an_alert(code="unheard_of", numbers={"n": 5}),
    )
    engine.dispose()
    shown = command("alerts")
    assert (shown.code, shown.stderr) == (0, "")
    assert "agree again (3 differences before)" in shown.stdout
    assert "books_differ count: 2" in shown.stdout  # a row that lacks what the sentence wants
    assert shown.stdout.endswith("Times: Asia/Seoul\n")
    assert "unheard_of n: 5" in shown.stdout  # a code without a sentence is not hidden
    assert [a["code"] for a in command("alerts", "--json").result()["alerts"]] == [
        "unheard_of", "books_differ", "books_agree", "daily_loss_exceeded",
    ]  # fmt: skip


def test_applied_configurations_are_listed(empty: Environment) -> None:
    engine = open_database(empty.database_url)
    prepare(engine)
    applied = AppliedConfig(
        True, "CONSERVATIVE", Decimal(3), 5, 300, ["BTC/USDT"], "c0ffee" * 10, "{}"
    )
    with unit_of_work(engine) as session:
        config_history.record(session, applied, "cli:me", SystemClock().now())
    engine.dispose()
    assert "c0ffeec0ffee" in command("config", "history").stdout
    (row,) = command("config", "history", "--json").result()["configurations"]
    assert (row["applied_by"], row["config_hash"]) == ("cli:me", "c0ffee" * 10)


def test_following_the_log_ends_with_ctrl_c(
    empty: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    def followed(*_: object) -> Iterator[dict[str, str]]:
        yield {"at": "t", "level": "INFO", "component": "RISK", "message": "m"}
        raise KeyboardInterrupt

    monkeypatch.setattr("crypto_trader_pro.cli.logs_command.follow", followed)
    shown = command("logs", "--follow", "--lines", 0)
    assert (shown.code, shown.stdout, shown.stderr) == (0, "t INFO RISK m\n", "")


@pytest.mark.parametrize(
    ("observed", "is_alive", "expected"),
    [("running", True, "running"), ("running", False, "faulted"), ("stopped", False, "stopped")],
)
def test_status_without_the_database_goes_by_the_engine_file(
    empty: Environment, monkeypatch: pytest.MonkeyPatch, observed: str, is_alive: bool,
    expected: str,
) -> None:  # fmt: skip
    me = own_process()
    empty.var_dir.mkdir()
    content = engine_file.EngineFile(
        me.host, me.pid, me.started - (not is_alive), 7, observed, "halted", "allowed",
        SystemClock().now().isoformat(),
    )  # fmt: skip
    engine_file.write(empty.var_dir, content)
    monkeypatch.setenv("CTP_DATABASE_URL", "postgresql://me@127.0.0.1:1/trading")
    found = status()
    assert (found["observed_state"], found["trading_state"], found["epoch"]) == (
        expected, "halted", 7,
    )  # fmt: skip
    assert found["engine_pid"] == (me.pid if is_alive else None)
    # these stand in the database
    assert (found["desired_state"], found["paused"]) == (None, None)
    assert found["heartbeat_age_seconds"] < 60
    assert "PostgreSQL 127.0.0.1:1/trading" in found["last_error"]


def test_status_of_an_older_schema_says_what_to_do(empty: Environment) -> None:
    engine = open_database(empty.database_url)
    prepare(engine)
    with unit_of_work(engine) as session:
        session.connection().execute(text("UPDATE alembic_version SET version_num = '0001'"))
    engine.dispose()
    assert 'run "init-db"' in status()["last_error"]


def test_an_equity_tells_of_a_session_whose_engine_is_gone(empty: Environment) -> None:
    engine = open_database(empty.database_url)
    prepare(engine)
    run_id = stored_run(engine, kind="paper", source="demo")
    books = {  # of its last commit, in money units of 1e-8
        "positions": {"ledger": [["cash", "USDT", 60 * 10**8], ["cash", "USDT", -10 * 10**8]]},
        "risk": {"equity": 990_005 * 10**7},
    }
    stored(
        engine, an_equity(run_id, equity="99999", cash=Decimal(7)),  # of the last full hour
        CheckpointRow(run_id=run_id, at_ms=1, state=json.dumps(books)),
    )  # fmt: skip
    engine.dispose()
    found = status()
    assert (found["equity"], found["cash"], found["mode"]) == ("99000.5", "50", "paper")


def test_the_lists_are_empty_at_first(empty: Environment) -> None:
    assert command("alerts").stdout == "No alert waits.\n"
    assert command("alerts", "--json").result() == {"alerts": []}
    assert command("config", "history", "--json").result() == {"configurations": []}
    assert "--lines was 0" in command("alerts", "--lines", 0).complaint()
    assert command("logs").stdout == ""


def test_a_change_is_key_and_value(empty: Environment) -> None:
    assert "change was 'fast', allowed: KEY=VALUE" in command("config", "apply", "fast").complaint()


def test_preflight_says_what_it_found(empty: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CTP_CONSOLE_PORT", "CTP_HTTP_PORT"):  # the usual ones may be in use here
        monkeypatch.setenv(name, str(a_port()))
    found = command("preflight", "--json").result()
    assert found["level"] == "warn"
    assert {c["check"] for c in found["checks"]} >= {"configuration", "database", "mode"}
    monkeypatch.setenv("CTP_ENGINE__MODE", "live")
    monkeypatch.setenv("CTP_ENGINE__ENABLE_PAPER_TRADING", "false")
    monkeypatch.setenv("CTP_MARKET_DATA__SOURCE", "exchange")
    monkeypatch.setattr("auto_trading.gateways.venue_clients.probe", lambda *_: "")
    shown = command("preflight")
    assert shown.code == Exit.NEGATIVE
    assert "fail  Mode live is refused" in shown.stdout
    monkeypatch.setenv("CTP_ENGINE__MODE", "dreaming")
    assert "fail  Configuration: " in command("preflight").stdout


# --- words --------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize(
    ("found", "settled"),
    [
        (Asked(STOP, "asked", "c"), True),
        (Asked(STOP, "asked", "c", lapses=True), True),
        (Asked(STOP, "asked", "c", engine_alive=True), False),
        (Asked(STOP, "done", "c", True, {"code": "answer.started"}), True),
        (Asked(STOP, "refused", "c", True, {"code": "refused.unheard_of", "n": 5}), False),
        (Asked(STOP, "refused", "c", True, {"code": "refused.latched"}), False),
        (Asked(STOP, "expired", "c", True, {}), False),
        (Asked(STOP, "flag", trouble="locked"), True),
        (Asked(STOP, "flag", trouble="locked", engine_alive=True), False),
        (Asked(STOP, "flag", trouble="locked", engine_alive=True, entries="stopped"), True),
    ],
)
def test_every_end_has_its_sentence(found: Asked, settled: bool, language: Language) -> None:
    said = sentence(found, language)
    assert "{" not in said
    if found.answer and found.status == "refused":  # a code without a sentence is not hidden
        assert ("refused.unheard_of n: 5" in said) or ("refused.latched" in said)
    assert is_settled(found) is settled


@pytest.mark.parametrize("code", ["closing_all", "closing_gradually"])
def test_closing_nothing_says_so(code: str) -> None:
    numbers = {"code": f"answer.{code}", "positions": 0, "slices": 0, "over_seconds": 90}
    said = sentence(Asked(CommandKind.CLOSE_ALL, "done", "c", True, numbers), Language.ENGLISH)
    assert said == (
        "close all positions: done. "
        "Paused, entries canceled. No position is open: there is nothing to close."
    )


def test_who_asks_is_known_even_where_the_system_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown() -> str:
        raise KeyError("uid")

    monkeypatch.setattr("getpass.getuser", unknown)
    assert asking.operator("cli") == "cli:unknown"


def test_an_unusable_stop_is_refused_not_flagged(
    empty: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise InputError("no")

    monkeypatch.setattr("auto_trading.control.ask", refuse)
    with pytest.raises(InputError, match="no"):
        ask_engine(empty, STOP, by="test")
    assert Flags(empty.var_dir).up() == []
