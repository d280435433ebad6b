"""Commands on the books, on messages, keys and tokens, and the stop procedure without an engine."""

import csv
import io
import json
import os
import runpy
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine
from sqlmodel import col, select

from auto_trading import shutting_down
from auto_trading.asking import Asked
from auto_trading.ending import Ended, How
from auto_trading.http.signal_forms import TRADINGVIEW, read_body
from auto_trading.reports.chart_data import equity_data
from config.notifications import Channel
from crypto_trader_pro.cli.exits import Exit
from crypto_trader_pro.domain.errors import InputError
from database import api_tokens, commands, strategies
from database.auto_trading_db import open_database, prepare, unit_of_work
from database.lease import ACCOUNT
from database.models import CommandRow, DailyAccountSummaryRow, OutboxRow
from database.webhooks import Arrival, accept, refuse
from tests.channel_peers import Answer
from tests.channels import bench
from tests.engines import command
from tests.market_data import ROOT
from tests.performance_rows import a_round_trip
from tests.processes import DATABASE
from tests.rows import SYMBOL, T0, a_position, after, an_entry, an_equity, an_order, stored
from tests.rows import stored_run as a_stored_run
from utils.clocks import SystemClock
from utils.signal_messages import tradingview_message


@pytest.fixture(autouse=True)
def var_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installation of its own."""
    for name in ("CTP_DATABASE_URL", "DATABASE_URL", "CTP_CONFIG_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CTP_VAR_DIR", str(tmp_path / "var"))
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    monkeypatch.setenv("COLUMNS", "200")
    return tmp_path / "var"


@pytest.fixture
def database(var_dir: Path) -> Iterator[Engine]:
    var_dir.mkdir()
    engine = open_database(f"sqlite:///{var_dir / DATABASE}")
    prepare(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def run(database: Engine) -> int:
    """A paper session with one open position, its stop, and two that were closed."""
    number = a_stored_run(database, kind="paper", source="demo", symbols=[SYMBOL])
    stored(
        database, an_entry(number, "capital", "-100", reference="capital"),
        *a_round_trip(number, 1, 0, "8"), *a_round_trip(number, 2, 60, "-12"),
        a_position(number, 120, stop_price=Decimal(41_000)),
        an_order(number, "stop1", 120, role="stop", side="SELL", status="working",
                 order_type="stop_market", price=Decimal(41_000), filled_size=Decimal(0)),
        an_equity(number, 130, "96"),
    )  # fmt: skip
    return number


class Terminal(io.StringIO):
    """What a person types."""

    def isatty(self) -> bool:
        return True


def asked(database: Engine) -> list[tuple[str, Any]]:
    """Return the commands that were asked of the engine."""
    with unit_of_work(database) as session:
        rows = session.exec(select(CommandRow).order_by(col(CommandRow.id)))
        return [(row.kind, row.payload) for row in rows]


# --- the books ----------------------------------------------------------------------------------


def test_positions_and_orders_are_listed(run: int) -> None:
    (position,) = command("positions", "--json").result()["positions"]
    assert (position["quantity"], position["entry_price"]) == ("0.05", "42000.1")
    assert position["protection"] == {"code": "covered", "covered": "0.05", "status": ""}
    found = command("orders", "--json").result()
    assert (found["run"], [o["client_order_id"] for o in found["orders"]]) == (
        f"r{run}", ["stop1"],
    )  # fmt: skip
    shown = command("positions").stdout
    assert SYMBOL in shown
    assert "covered" in shown
    assert "2024-01-01 11:00:00" in shown  # 02:00 UTC, two hours after T0
    assert shown.count("Times: Asia/Seoul") == 1
    orders = command("orders", "--run", "last").stdout
    assert "stop_market" in orders
    assert "2024-01-01 11:00:00" in orders
    assert "there is no run r99" in command("orders", "--run", "r99").complaint()


def test_trades_are_listed_by_order_and_by_position(run: int) -> None:
    orders = command("trades", "--json").result()["trades"]
    assert [t["executed_at"] for t in orders] == [after(m).isoformat() for m in (90, 60, 30, 0)]
    closed = command("trades", "--closed", "--json").result()["trades"]
    assert [(t["realized_pnl"], t["exit_price"]) for t in closed] == [("-12", "90"), ("8", "110")]
    late = command("trades", "--since", after(60).isoformat(), "--json").result()["trades"]
    early = command("trades", "--until", after(60).isoformat(), "--json").result()["trades"]
    assert (len(late), len(early)) == (2, 2)
    assert command("trades", "--symbol", "ETH/USDT:USDT").stdout == "No trade matches.\n"
    assert "--since was 'soon'" in command("trades", "--since", "soon").complaint()
    assert "--lines was 0" in command("trades", "--lines", 0).complaint()
    told = command("trades", "--closed").stdout
    assert "liquidation" not in told
    assert ("2024-01-01 10:30:00" in told, "Times: Asia/Seoul" in told) == (True, True)


def test_trades_go_to_a_file_for_a_spreadsheet(run: int, tmp_path: Path) -> None:
    file = tmp_path / "trades.csv"
    said = command("trades", "--csv", file).stdout
    assert said == f"4 rows were written to {file}.\n"
    rows = list(csv.DictReader(io.StringIO(file.read_bytes().decode("utf-8-sig"))))
    assert [(r["order_id"], r["price"]) for r in rows][::3] == [(f"r{run}o5", "90"),
                                                               (f"r{run}o2", "100")]  # fmt: skip
    missing = command("trades", "--csv", tmp_path / "no" / "t.csv")
    assert (missing.code, "cannot be written" in missing.complaint()) == (Exit.USAGE, True)
    assert "--csv and --json" in command("trades", "--csv", "x", "--json").complaint()


def test_accounts_and_strategies_tell_what_there_is(database: Engine) -> None:
    assert command("accounts").stdout == "No account is known: no engine has run yet.\n"
    with unit_of_work(database) as session:
        row = strategies.create(session, "trend", "me", T0).row
        strategies.set_capital(session, row.id or 0, Decimal("1500.50"), "me", T0)
    (account,) = command("accounts", "--json").result()["accounts"]
    assert (account["account"], account["balance"]) == (ACCOUNT, None)
    assert account["strategies"] == [{"name": "trend", "is_active": True, "capital": "1500.5"}]
    found = command("strategies", "--json").result()
    assert [s["name"] for s in found["own"]] == ["ema_cross", "ai_signal"]
    assert found["own"][0]["parameters"]["fast"] == 12
    assert [s["name"] for s in found["outside"]] == ["trend"]
    shown = command("strategies").stdout
    assert "default: 1500.5" in shown
    assert "fast: 12" in shown


def test_an_empty_platform_has_lists_too() -> None:
    assert command("positions").stdout == "No position is open.\n"
    assert command("orders", "--json").result() == {"run": None, "orders": []}
    assert command("trades").stdout == "No trade matches.\n"
    jobs = command("jobs", "--json").result()
    assert {j["state"] for j in jobs["jobs"]} == {"never"}
    assert "retention" in command("jobs").stdout
    shown = command("jobs", "--help").stdout
    assert "Example: python -m crypto_trader_pro jobs" in " ".join(shown.split())


def test_a_report_needs_a_session_and_a_date(run: int) -> None:
    assert "--date was 'soon', allowed" in command("report", "daily", "--date", "soon").complaint()
    found = command("report", "daily", "--json").result()
    assert found["channels"] == []
    assert found["title"] in command("report", "daily").stdout
    assert command("report", "weekly").code == Exit.USAGE  # no day was summed up


def test_a_report_that_is_sent_has_its_picture(
    database: Engine, run: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CTP_NOTIFICATIONS__ENABLED", "true")
    monkeypatch.setenv("CTP_NOTIFICATIONS__CHANNELS", "slack")
    monkeypatch.setenv("CTP_CHANNELS__SLACK__ENABLED", "true")
    monkeypatch.setenv("CTP_ROUTING__BY_SEVERITY__INFO", "slack")
    assert command("report", "daily", "--send").code == 0
    books = DailyAccountSummaryRow(
        date=T0.date(), mode="paper-demo", run_id=run, starting_equity=Decimal(100),
        ending_equity=Decimal(96), realized_pnl=Decimal(-4), unrealized_pnl=Decimal(0),
        fees=Decimal(0), funding=Decimal(0), max_drawdown=Decimal(0), trade_count=2, win_count=1,
        loss_count=1, created_at=T0, updated_at=T0,
    )  # fmt: skip
    stored(database, books)
    assert command("report", "weekly", "--send").code == 0
    with unit_of_work(database) as session:
        rows = session.exec(select(OutboxRow).order_by(col(OutboxRow.id))).all()
        daily = next(row for row in rows if row.kind == "DAILY_SUMMARY")
        weekly = next(row for row in rows if row.kind == "WEEKLY_REPORT")
    # the trading day began at 15:00 UTC; its newest figure is of 02:10
    chart = equity_data(run, after(-9 * 60), after(130))
    assert daily.data == {"date": "2024-01-01", "mode": "paper-demo", "chart": chart}
    assert (weekly.image or b"").startswith(b"\x89PNG")


# --- the stop procedure -------------------------------------------------------------------------


def test_each_step_asks_the_engine(database: Engine) -> None:
    said = command("halt-new-orders").stdout
    assert said.startswith("halt new orders: asked. No engine runs")
    assert command("cancel-pending-orders").code == 0
    assert command("cancel-pending-orders", "--symbol", "BTC/USDT").code == 0
    assert command("close-positions", "--yes").code == 0
    assert command("close-positions", "--gradual", "--yes").code == 0
    assert command("close-positions", "--gradual", "--over", "90s", "--yes").code == 0
    assert command("resume", "--confirm", "RESUME").code == 0
    assert asked(database) == [
        ("pause", {}), ("cancel_entries", {}), ("cancel_entries", {"symbol": "BTC/USDT"}),
        ("close_all", {}), ("close_all", {"over_seconds": 600}),
        ("close_all", {"over_seconds": 90}), ("resume", {}),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("close-positions",), "there is no terminal, allowed: --yes"),
        (("resume",), "there is no terminal, allowed: --confirm RESUME"),
        (("resume", "--confirm", "yes"), "--confirm was 'yes', allowed: RESUME"),
        (("close-positions", "--over", "10m", "--yes"), "--over was given without --gradual"),
        (
            ("close-positions", "--gradual", "--over", "10", "--yes"),
            "--over was '10', allowed: 30s",
        ),
        (("close-positions", "--gradual", "--over", "25h", "--yes"), "up to 24h"),
        (("shutdown", "--wait", "0s"), "--wait was '0s'"),
        (("webhooks", "replay", "1"), "allowed: --yes"),
        (("webhooks", "rotate", "trend"), "allowed: --yes"),
        (("tokens", "revoke", "1"), "allowed: --yes"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_nothing_dangerous_is_done_unasked(
    database: Engine, words: tuple[str, ...], told: str
) -> None:
    refused = command(*words)
    assert (refused.code, refused.stdout) == (Exit.USAGE, "")
    assert told in refused.complaint()
    assert asked(database) == []


@pytest.mark.parametrize(("typed", "code"), [("y\n", Exit.OK), ("n\n", Exit.NEGATIVE)])
def test_a_person_at_a_terminal_is_asked(
    database: Engine, run: int, monkeypatch: pytest.MonkeyPatch, typed: str, code: Exit
) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal(typed))
    found = command("close-positions", "--gradual", "--over", "30m")
    assert (found.code, "over 30 minutes?" in found.stderr) == (code, True)
    assert len(asked(database)) == (code is Exit.OK)


def test_without_a_position_only_the_rest_is_asked(
    database: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal("y\n"))
    found = command("close-positions")
    assert "there is nothing to close. Take no new risk and cancel all entries" in found.stderr
    assert asked(database) == [("close_all", {})]


@pytest.mark.parametrize("words", [(), ("--graceful",)])
def test_a_shutdown_without_an_engine_leaves_nothing_for_the_next(
    database: Engine, words: tuple[str, ...]
) -> None:
    found = command("shutdown", *words)
    assert (found.code, found.stdout) == (0, "No engine runs.\n")
    assert asked(database) == []
    assert command("shutdown", *words, "--json").result()["end"] == "nothing"


def an_engine_that(monkeypatch: pytest.MonkeyPatch, status: str) -> list[float]:
    """Let an engine be there that answers each step so; return the seconds of each end."""
    ended: list[float] = []

    def end(_: object, __: str, *, flag_seconds: float) -> list[Ended]:
        ended.append(flag_seconds)
        return [Ended("engine", 7, How.FLAG)]

    monkeypatch.setattr(shutting_down, "living_engine", lambda _: 7)
    monkeypatch.setattr(
        shutting_down, "ask_engine",
        lambda _, kind, by: Asked(kind, status, "c", True, {"code": "refused.input", "reason": by}),
    )  # fmt: skip
    monkeypatch.setattr(shutting_down, "end_engines", end)
    return ended


@pytest.mark.parametrize(
    ("role", "status", "end"),
    [
        ("entry", "working", "unsettled"), ("exit", "sending", "unsettled"),
        ("target", "unknown", "unsettled"), ("target", "partial", "ended"),
    ],
)  # fmt: skip
def test_a_graceful_shutdown_ends_nothing_while_an_order_is_under_way(
    database: Engine, run: int, monkeypatch: pytest.MonkeyPatch, role: str, status: str, end: str
) -> None:
    stored(database, an_order(run, "o9", 130, role=role, status=status, filled_size=Decimal(0)))
    ended = an_engine_that(monkeypatch, "done")
    found = command("shutdown", "--graceful", "--wait", "1s")
    settled = end == "ended"
    assert (found.code, len(ended)) == (Exit.OK if settled else Exit.NEGATIVE, settled)
    assert ("Still under way: o9." in found.stdout) is not settled
    assert f"{SYMBOL}: LONG 0.05 stays open, protected by its stop." in found.stdout


def test_a_position_that_stays_without_protection_is_told(
    database: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = a_stored_run(database, kind="paper", source="demo", symbols=[SYMBOL])
    stored(database, a_position(number))
    an_engine_that(monkeypatch, "done")
    shown = command("shutdown", "--graceful").stdout
    assert f"{SYMBOL}: LONG 0.05 stays open and is NOT fully protected." in shown
    assert shown.endswith("The engine has ended.\n")


def test_a_step_that_is_refused_keeps_the_engine(
    database: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = an_engine_that(monkeypatch, "refused")
    found = command("shutdown", "--graceful", "--json")
    assert (found.code, ended) == (Exit.NEGATIVE, [])
    told = json.loads(found.stdout)
    assert (told["end"], [s["kind"] for s in told["steps"]]) == ("refused", ["pause"])


# --- messages -----------------------------------------------------------------------------------


def a_message(number: int, status: str) -> OutboxRow:
    return OutboxRow(
        channel="email", kind="SYSTEM_ERROR", severity="error", message=f"m{number}",
        status=status, attempts=3, created_at=T0, next_try_at=T0, last_error="no route",
    )  # fmt: skip


def test_messages_that_were_given_up_are_sent_again(database: Engine) -> None:
    assert command("notify", "list").stdout == "The outbox is empty.\n"
    stored(database, *(a_message(n, "failed") for n in range(3)), a_message(3, "sent"))
    late = a_message(4, "waiting")
    late.next_try_at = SystemClock().now() + timedelta(hours=1)
    stored(database, late)
    found = command("notify", "list", "--json").result()
    assert [m["id"] for m in found["dead_letters"]] == [3, 2, 1]
    shown = command("notify", "list").stdout
    assert "no route" in shown
    assert "2024-01-01 09:00:00" in shown  # T0 in Seoul
    assert command("notify", "retry", 2).stdout == "1 messages will be sent again.\n"
    assert "message 4 is sent" in command("notify", "retry", 4).complaint()
    assert "allowed: one of them" in command("notify", "retry").complaint()
    assert command("notify", "retry", "--all", "--json").result() == {"messages": 3}  # 1, 3, 5
    assert command("notify", "list", "--json").result()["dead_letters"] == []


def test_a_channel_that_cannot_be_tried_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    off = command("notify", "test", "slack")
    assert (off.code, "channels.slack.enabled is false" in off.stdout) == (Exit.NEGATIVE, True)
    monkeypatch.setenv("CTP_CHANNELS__SLACK__ENABLED", "true")
    monkeypatch.delenv("CTP_SLACK_WEBHOOK_URL", raising=False)
    answer = command("notify", "test", "slack", "--json")
    assert answer.code == Exit.NEGATIVE
    assert json.loads(answer.stdout)["trouble"] == "CTP_SLACK_WEBHOOK_URL is not set"
    assert "channel was 'pigeon', allowed: email" in command("notify", "test", "pigeon").complaint()


def test_a_test_message_is_sent_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    with bench(Channel.SLACK) as slack:
        monkeypatch.setenv("CTP_CHANNELS__SLACK__ENABLED", "true")
        monkeypatch.setenv("CTP_SLACK_WEBHOOK_URL", f"{slack.address}/services/s3cr3t")
        found = command("notify", "test", "slack")
        assert (found.code, found.stdout) == (0, "slack: delivered.\n")
        slack.answer(Answer(503, b"later"))
        failed = command("notify", "test", "slack")
        assert failed.code == Exit.NEGATIVE
        assert failed.stdout.startswith("Not delivered. slack: answered 503")
        assert "s3cr3t" not in failed.stdout + failed.stderr
        assert slack.taken == 2


# --- signals from outside -----------------------------------------------------------------------


def test_a_key_is_shown_once_and_changed_at_once(
    database: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("--symbol", "BTC/USDT", "--ip", "10.0.0.1", "--capital", "1000", "--hmac")
    assert "CTP_WEBHOOK_HMAC_SECRET" in command("webhooks", "create", "trend", *words).complaint()
    unknown = command("webhooks", "create", "trend", "--symbol", "NOPE/USDT")
    assert "--symbol was 'NOPE/USDT', allowed: BTC/USDT" in unknown.complaint()
    monkeypatch.setenv("CTP_WEBHOOK_HMAC_SECRET", "of all strategies")
    made = command("webhooks", "create", "trend", *words, "--json").result()
    with unit_of_work(database) as session:
        row = strategies.by_name(session, "trend")
        assert made["signing_secret"] == strategies.signing_secret("of all strategies", row)
        assert row.key_hash == strategies.key_hash(made["key"])
        assert (row.symbols, row.allowed_ips, row.hmac_required) == (
            ["BTC/USDT"], ["10.0.0.1/32"], True,
        )  # fmt: skip
        assert strategies.capital(session, row.id or 0) == Decimal(1000)
        assert made["key"] not in repr(row)
    rotated = command("webhooks", "rotate", "trend", "--yes")
    key = rotated.stdout.strip()
    assert key != made["key"]
    assert "shown once" in rotated.stderr
    with unit_of_work(database) as session:
        assert strategies.by_key_hash(session, strategies.key_hash(made["key"])) is None
        assert strategies.by_key_hash(session, strategies.key_hash(key)) is not None
    assert (
        command("webhooks", "disable", "trend").stdout == "trend is off: its key opens nothing.\n"
    )
    with unit_of_work(database) as session:
        assert strategies.by_key_hash(session, strategies.key_hash(key)) is None
    assert command("webhooks", "enable", "trend", "--json").result()["active"] is True
    assert "is there already" in command("webhooks", "create", "trend").complaint()
    assert "allowed: trend" in command("webhooks", "disable", "wind").complaint()
    assert "--capital was 'much'" in command(
        "webhooks", "create", "b", "--capital", "much"
    ).complaint()  # fmt: skip


def test_the_message_to_copy_is_one_that_is_taken(database: Engine) -> None:
    command("webhooks", "create", "trend")
    found = command("webhooks", "message", "trend")
    assert "http://127.0.0.1:8502/webhook/" in found.stderr
    assert found.stdout.strip() == tradingview_message()
    with pytest.raises(InputError, match="has not filled it in"):
        read_body(found.stdout, 1)
    filled = found.stdout
    for name, value in (
        ("ticker", "BTCUSDT.P"), ("strategy.order.action", "buy"), ("close", "64000.5"),
        ("strategy.market_position", "long"), ("strategy.order.id", "Long"),
        ("timenow", "2026-11-21T22:00:00Z"),
    ):  # fmt: skip
        filled = filled.replace("{{" + name + "}}", value)
    read = read_body(filled, 1)
    assert (read.form, read.signal.action, read.signal.quantity) == (TRADINGVIEW, "buy", None)


def test_signals_are_listed_shown_and_repeated(database: Engine) -> None:
    with unit_of_work(database) as session:
        row = strategies.create(session, "trend", "me", T0).row
        arrival = Arrival(row.id or 0, "trend", SystemClock().now(), "10.0.0.1", "json", "a1", "{}")
        accept(session, arrival, {"strategy": "trend", "action": "buy", "symbol": SYMBOL})
        refuse(session, arrival, "too old")
    found = command("webhooks", "list", "--json").result()["signals"]
    assert [(s["id"], s["status"]) for s in found] == [(2, "refused"), (1, "accepted")]
    refused = command("webhooks", "list", "--status", "refused").stdout
    assert ("too old" in refused, "Times: Asia/Seoul" in refused) == (True, True)
    assert (
        command("webhooks", "list", "--strategy", "trend", "--lines", 1).stdout.count("trend") == 1
    )
    assert "--status was 'odd'" in command("webhooks", "list", "--status", "odd").complaint()
    with unit_of_work(database) as session:  # as the engine does
        wish = commands.claim_next(session, SystemClock().now(), None)
        assert wish is not None
        commands.finish(
            session, wish.command_id, commands.CommandStatus.REFUSED,
            {"code": "refused.paused", "symbol": SYMBOL, "at": "2024-01-01T06:08:00+00:00"}, T0,
        )  # fmt: skip
    shown = command("webhooks", "show", 1, "--json").result()
    assert (shown["body"], shown["action"], shown["symbol"]) == ("{}", "buy", SYMBOL)
    assert (shown["engine"], shown["decided_at"]) == ("refused", "2024-01-01T06:08:00+00:00")
    assert "there is no entry 9" in command("webhooks", "show", 9).complaint()
    assert "was refused (too old)" in command("webhooks", "replay", 2, "--yes").complaint()
    again = command("webhooks", "replay", 1, "--yes", "--json").result()
    assert (again["id"], again["replay_of"]) == (3, 1)
    assert [kind for kind, _ in asked(database)] == ["signal", "signal"]


def test_a_token_is_made_used_and_ended(database: Engine) -> None:
    assert command("tokens", "list").stdout == "There is no token.\n"
    token = command("tokens", "create", "grafana").stdout.strip()
    with unit_of_work(database) as session:
        assert api_tokens.verify(session, token, T0) is not None
    assert token not in command("tokens", "list", "--json").stdout
    assert "grafana" in command("tokens", "list").stdout
    assert (
        "there is no token graf, allowed" in command("tokens", "revoke", "graf", "-y").complaint()
    )
    for reference in ("grafana", 1):  # the second time nothing changes
        assert command("tokens", "revoke", reference, "-y").stdout == "Token grafana has ended.\n"
    with unit_of_work(database) as session:
        assert api_tokens.verify(session, token, T0) is None


# --- scripts and completion ---------------------------------------------------------------------

SCRIPTS = {
    "init_db": "init-db", "validate_config": "validate-config", "pre_operation_check": "preflight",
    "halt_new_orders": "halt-new-orders", "cancel_pending_orders": "cancel-pending-orders",
    "close_positions": "close-positions", "shutdown": "shutdown",
}  # fmt: skip


def test_every_script_is_a_door_to_its_command() -> None:
    found = {file.stem: file.read_text() for file in (ROOT / "scripts").glob("*.py")}
    assert found.keys() == {*SCRIPTS, "door"}
    assert all(f'run("{name}")' in found[script] for script, name in SCRIPTS.items())


def test_a_script_works_from_any_folder(tmp_path: Path, database: Engine) -> None:
    script = ROOT / "scripts" / "shutdown.py"
    done = subprocess.run(
        [sys.executable, script, "--graceful", "--json"], cwd=tmp_path, capture_output=True,
        text=True, timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["end"] == "nothing"


def test_what_a_script_starts_finds_the_platform_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine that is started from any folder is a process of its own."""
    door = runpy.run_path(str(ROOT / "scripts" / "door.py"))
    seen: list[tuple[list[str], str]] = []
    monkeypatch.setattr(
        "crypto_trader_pro.cli.entry.main",
        lambda: seen.append((list(sys.argv), os.environ["PYTHONPATH"])),
    )
    monkeypatch.setattr(sys, "path", ["/nowhere", *sys.path])
    monkeypatch.setattr(sys, "argv", ["halt_new_orders.py", "--json"])
    monkeypatch.setenv("PYTHONPATH", "/own")
    door["run"]("halt-new-orders")
    assert seen == [(["halt_new_orders.py", "halt-new-orders", "--json"], f"{ROOT}:/own")]
    assert sys.path[0] == str(ROOT)


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("crypto_trader_pro close", ["close", "close-positions"]),
        ("crypto_trader_pro close-positions --g", ["--gradual"]),
        ("crypto_trader_pro notify ", ["test", "list", "retry"]),
    ],
)
def test_a_shell_completes_commands_and_options(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], typed: str,
    found: list[str],
) -> None:  # fmt: skip
    from crypto_trader_pro.cli.entry import main

    monkeypatch.setattr(sys, "argv", ["crypto_trader_pro"])
    monkeypatch.setenv("_CRYPTO_TRADER_PRO_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", typed)
    monkeypatch.setenv("COMP_CWORD", str(typed.count(" ")))
    with pytest.raises(SystemExit):
        main()
    assert sorted(capsys.readouterr().out.split()) == sorted(found)
