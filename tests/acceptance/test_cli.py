"""The command line: help with an example, one JSON object, one line for what is wrong, exit codes.

Most commands run in this process, through the same exits as `main`; a few as real processes.
"""

import errno
import gzip
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from crypto_trader_pro.cli import setup_commands
from crypto_trader_pro.cli.exits import ERROR_LOG, Exit
from crypto_trader_pro.domain.errors import (
    ConfigError,
    HaltError,
    InputError,
    JournalUnavailable,
)
from database.auto_trading_db import open_database, prepare
from tests.engines import command
from tests.market_data import ROOT
from tests.processes import DATABASE, Platform, finish, stored_bars
from tests.rows import a_model, stored, stored_run
from tests.synthetic import BTC, START_MS, write_candles, write_funding

COMMANDS = (
    ("up",), ("down",), ("console",), ("engine", "run"), ("engine", "start"), ("start",),
    ("stop",), ("emergency-stop",), ("rearm",), ("status",), ("alerts",), ("ack",), ("close",),
    ("cancel",), ("lift-lock",), ("train",), ("job",), ("logs",), ("preflight",), ("why",),
    ("parity",), ("replay",), ("config", "apply"), ("config", "rollback"), ("config", "history"),
    ("halt-new-orders",), ("resume",), ("cancel-pending-orders",), ("close-positions",),
    ("shutdown",), ("positions",), ("orders",), ("trades",), ("accounts",), ("strategies",),
    ("jobs", "run"), ("notify", "test"), ("notify", "list"), ("notify", "retry"),
    ("report", "daily"), ("report", "weekly"), ("tokens", "create"), ("tokens", "list"),
    ("tokens", "revoke"), *(("webhooks", what) for what in (
        "list", "show", "replay", "create", "rotate", "disable", "enable", "message",
    )),
    ("init-db",), ("validate-config",), ("data", "import"), ("data", "list"),
    ("data", "quality"), ("models", "list"), ("models", "show"),
    ("data", "download"), ("data", "export"), ("backtest",), ("compare",), ("lab", "run"),
    ("lab", "start"), *(("research", kind) for kind in (
        "sweep", "optimize", "walk-forward", "monte-carlo", "costs", "capacity", "look-ahead",
        "overfitting",
    )),
)  # fmt: skip
SECRET = "s3cr3t-w0rd"  # noqa: S105


@pytest.fixture(autouse=True)
def var_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installation of its own; nothing of the caller's gets through."""
    for name in ("CTP_DATABASE_URL", "DATABASE_URL", "CTP_CONFIG_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CTP_VAR_DIR", str(tmp_path / "var"))
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    monkeypatch.setenv("COLUMNS", "200")
    return tmp_path / "var"


@pytest.fixture
def candles(tmp_path: Path) -> Path:
    return write_candles(tmp_path / "btc.csv.gz", BTC, seed=5, bars=120)


def imported(file: Path, *more: object) -> Any:
    asked = ("--symbol", BTC.symbol, "--timeframe", "1m", "--json", *more)
    return command("data", "import", file, *asked).result()


# --- help and usage -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", COMMANDS, ids=" ".join)
def test_every_command_has_help_with_an_example(name: tuple[str, ...]) -> None:
    shown = command(*name, "--help")
    assert (shown.code, shown.stderr) == (0, "")
    text = " ".join(shown.stdout.split())
    assert f"Example: python -m crypto_trader_pro {' '.join(name)}" in text
    assert "--help" in text


def test_the_help_lists_every_command_and_the_list_here_is_whole() -> None:
    from typer.main import get_command

    from crypto_trader_pro.cli.app import app

    def leaves(group: Any, before: tuple[str, ...] = ()) -> set[tuple[str, ...]]:
        if not hasattr(group, "commands"):
            return {before}
        return {leaf for name, c in group.commands.items() for leaf in leaves(c, (*before, name))}

    assert leaves(get_command(app)) == set(COMMANDS)
    shown = command("--help").stdout
    assert all(name[0] in shown for name in COMMANDS)


@pytest.mark.parametrize(
    "arguments",
    [("--nonsense",), ("nonsense",), ("status", "--nonsense"), ("data", "nonsense"),
     ("data", "import"), ("models", "show"), ("replay", "--interval", "often")],
    ids=" ".join,
)  # fmt: skip
def test_a_wrong_usage_ends_with_two_and_says_why(arguments: tuple[str, ...]) -> None:
    asked = command(*arguments)
    assert asked.code == Exit.USAGE
    assert asked.stdout == ""
    assert "Error: " in asked.stderr
    assert "Traceback" not in asked.stderr


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("paper.initial_equity", "KEY=VALUE"),
        ("=5", "KEY=VALUE"),
        ("paper.initial_equity=none", "paper.initial_equity"),
        ("paper.initial_equty=5", "nearest is paper.initial_equity"),
    ],
)
def test_an_unusable_setting_of_a_replay_is_one_line(candles: Path, text: str, told: str) -> None:
    asked = command(
        "replay", "--candles", candles, "--symbol", BTC.symbol, "--timeframe", "1m", "--set", text
    )
    assert asked.code == Exit.USAGE
    assert told in asked.complaint()


def test_a_setting_given_twice_is_refused(candles: Path) -> None:
    asked = command(
        "replay", "--candles", candles, "--symbol", BTC.symbol, "--timeframe", "1m",
        "--set", "paper.initial_equity=5", "--set", "paper.initial_equity=6",
    )  # fmt: skip
    assert (asked.code, "given twice" in asked.complaint()) == (Exit.USAGE, True)


# --- init-db, validate-config, status -----------------------------------------------------------


def test_init_db_can_be_repeated(var_dir: Path) -> None:
    first = command("init-db", "--json").result()
    assert first["schema"] == "current"
    assert first["database"].endswith(f"var/{DATABASE}")
    content = (var_dir / DATABASE).read_bytes()
    assert command("init-db", "--json").result() == first
    assert (var_dir / DATABASE).read_bytes() == content
    shown = command("init-db")
    assert (shown.code, shown.stderr) == (0, "")
    assert "current" in shown.stdout


def test_the_shipped_configuration_is_valid() -> None:
    answer = command("validate-config", "--json").result()
    assert (answer["valid"], answer["faults"]) == (True, [])
    shown = command("validate-config")
    assert (shown.code, shown.stderr) == (0, "")
    assert shown.stdout.endswith(": valid\n")


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    """A copy of the shipped files with two faults in one and one in another."""
    folder = tmp_path / "broken"
    folder.mkdir()
    for file in (ROOT / "config").glob("*.json"):
        shutil.copy(file, folder)
    main = folder / "auto_trading_config.json"
    content = json.loads(main.read_text())
    content["risk_management"]["position_size_pct"] = -1
    content["engine"]["trading_intervall"] = 300
    main.write_text(json.dumps(content))
    risk = folder / "risk_config.json"
    risk.write_text(risk.read_text().replace('"cooldown_bars": 0', '"cooldown_bars": "many"'))
    return folder


def test_every_fault_of_a_broken_configuration_is_one_line(broken: Path) -> None:
    shown = command("validate-config", "--config", broken)
    assert (shown.code, shown.stdout) == (Exit.NEGATIVE, "")
    lines = shown.stderr.splitlines()
    assert len(lines) == 3
    for name in ("position_size_pct was -1", "trading_intervall", "cooldown_bars"):
        assert sum(name in line for line in lines) == 1
    assert all("allowed: " in line for line in lines)


def test_the_json_of_a_broken_configuration_has_the_same_lines(broken: Path) -> None:
    answer = command("validate-config", "--config", broken, "--json")
    assert (answer.code, answer.stderr) == (Exit.NEGATIVE, "")
    assert answer.stdout.count("\n") == 1
    found = json.loads(answer.stdout)
    shown = command("validate-config", "--config", broken).stderr.splitlines()
    assert (found["valid"], found["faults"]) == (False, shown)


def test_one_file_alone_can_be_validated(broken: Path) -> None:
    good, bad = broken / "notification_config.json", broken / "risk_config.json"
    assert command("validate-config", "--config", good).code == Exit.OK
    assert command("validate-config", "--config", bad).code == Exit.NEGATIVE


def test_a_folder_that_is_not_there_is_a_fault(tmp_path: Path) -> None:
    shown = command("validate-config", "--config", tmp_path / "nowhere")
    assert shown.code == Exit.NEGATIVE
    assert "nowhere" in shown.complaint()


def test_a_command_that_needs_the_configuration_refuses_a_broken_one(
    broken: Path, candles: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CTP_CONFIG_DIR", str(broken))
    asked = command("replay", "--candles", candles, "--symbol", BTC.symbol, "--timeframe", "1m")
    assert (asked.code, asked.stdout) == (Exit.USAGE, "")
    assert len(asked.stderr.splitlines()) == 3


def test_status_answers_before_anything_was_run(var_dir: Path) -> None:
    answer = command("status", "--json").result()
    assert (answer["observed_state"], answer["last_run_id"]) == ("stopped", None)
    assert (answer["orders_total"], answer["equity"], answer["last_error"]) == (0, None, None)
    assert not (var_dir / DATABASE).exists()  # asking creates nothing
    assert command("status").code == 0


def test_status_tells_of_the_last_run(candles: Path) -> None:
    played = command(
        "replay", "--candles", candles, "--symbol", BTC.symbol, "--timeframe", "1m",
        "--strategy", "ema_cross", "--json",
    ).result()  # fmt: skip
    answer = command("status", "--json").result()
    assert (answer["last_run_id"], answer["last_run_status"]) == ("r1", "finished")
    assert (answer["mode"], answer["data_source"]) == ("backtest", "replay")
    for figure, name in (("decisions_total", "decisions"), ("fills_total", "fills"),
                         ("equity", "equity"), ("open_positions", "open_positions")):  # fmt: skip
        assert answer[figure] == played[name]
    shown = command("status")
    assert "finished" in shown.stdout


def test_status_of_an_account_without_any_cash(candles: Path, var_dir: Path) -> None:
    command(
        "replay", "--candles", candles, "--symbol", BTC.symbol, "--timeframe", "1m",
        "--strategy", "ema_cross", "--json",
    ).result()  # fmt: skip
    with closing(sqlite3.connect(var_dir / DATABASE)) as connection, connection:
        (text,) = connection.execute("SELECT state FROM checkpoints").fetchone()
        state = json.loads(text)
        balances = state["positions"]["ledger"]
        state["positions"]["ledger"] = [b for b in balances if b[0] != "cash"]  # zero is not kept
        connection.execute("UPDATE checkpoints SET state = ?", (json.dumps(state),))
    assert command("status", "--json").result()["cash"] == "0"


# --- data ---------------------------------------------------------------------------------------


def test_candles_are_imported_once(candles: Path) -> None:
    first = imported(candles)
    assert first["rows"] == first["stored"] > 100
    again = imported(candles)
    assert (again["rows"], again["stored"]) == (first["rows"], 0)


def test_a_longer_file_adds_what_is_new(tmp_path: Path) -> None:
    shorter = imported(write_candles(tmp_path / "a.csv.gz", BTC, seed=5, bars=60))
    longer = imported(write_candles(tmp_path / "b.csv.gz", BTC, seed=5, bars=90))
    assert longer["stored"] == longer["rows"] - shorter["rows"] > 0


def test_a_candle_that_changed_is_refused_and_nothing_is_stored(
    candles: Path, tmp_path: Path
) -> None:
    stored_rows = imported(candles)["rows"]
    lines = gzip.decompress(candles.read_bytes()).decode().splitlines()
    fields = lines[50].split(",")
    lines[50] = ",".join([*fields[:5], "123.456"])
    lines.append(
        lines[-1].replace(lines[-1].split(",")[0], str(START_MS + 10**9 // 60_000 * 60_000))
    )
    other = tmp_path / "other.csv"
    other.write_text("\n".join(lines) + "\n")
    asked = command("data", "import", other, "--symbol", BTC.symbol, "--timeframe", "1m")
    assert asked.code == Exit.USAGE
    assert "123.456" in asked.complaint()
    (series,) = command("data", "list", "--json").result()["series"]
    assert series["rows"] == stored_rows


def test_funding_is_imported_and_listed(tmp_path: Path, candles: Path) -> None:
    rates = write_funding(tmp_path / "funding.csv.gz", [BTC.symbol], seed=1, hours=10)
    asked = ("data", "import", rates, "--symbol", BTC.symbol, "--kind", "funding", "--json")
    assert command(*asked).result()["stored"] == 10
    assert command(*asked).result()["stored"] == 0
    imported(candles)
    listed = command("data", "list", "--json").result()["series"]
    assert [s["timeframe"] for s in listed] == ["1m", "funding"]
    only = command("data", "list", "--symbol", "ETH/USDT", "--json").result()
    assert only == {"series": []}


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--symbol", "BTC/USDT:USDT"), "--timeframe is needed"),
        (("--symbol", "BTC/USDT:USDT", "--timeframe", "2m"), "'2m', allowed: 1m, 3m"),
        (("--symbol", "BTCUSDT", "--timeframe", "1m"), "BTCUSDT"),
        (("--symbol", "BTC/USDT:USDT", "--timeframe", "1m", "--kind", "trades"), "'trades'"),
        (("--symbol", "BTC/USDT", "--kind", "funding"), "a perpetual"),
    ],
)
def test_an_unusable_import_is_one_line(
    candles: Path, arguments: tuple[str, ...], told: str
) -> None:
    asked = command("data", "import", candles, *arguments)
    assert asked.code == Exit.USAGE
    assert told in asked.complaint()


def test_an_empty_database_says_how_to_fill_it() -> None:
    shown = command("data", "list")
    assert shown.code == 0
    assert "data import" in shown.stdout
    assert command("data", "list", "--json").result() == {"series": []}


@pytest.fixture
def gapped(tmp_path: Path) -> Path:
    """Twenty candles of which three in a row and one more are missing, and three lie flat."""
    lines = ["timestamp,open,high,low,close,volume"]
    for k in range(20):
        if k in (5, 6, 7, 12):
            continue
        flat = k in (15, 16, 17)
        numbers = "100,100,100,100,0" if flat else f"100,{101 + k},99,100,{1 + k}"
        lines.append(f"{START_MS + k * 60_000},{numbers}")
    file = tmp_path / "gapped.csv"
    file.write_text("\n".join(lines) + "\n")
    return file


@pytest.mark.parametrize("from_file", [True, False])
def test_quality_names_every_gap(gapped: Path, from_file: bool) -> None:
    asked: tuple[object, ...] = ("--symbol", BTC.symbol, "--timeframe", "1m")
    if from_file:
        asked = (*asked, "--file", gapped)
    else:
        imported(gapped)
    answer = command("data", "quality", *asked, "--json").result()
    assert (answer["rows"], answer["expected_rows"], answer["missing_bars"]) == (16, 20, 4)
    assert answer["gaps"] == [
        {"from": "2025-03-01T00:05:00+00:00", "to": "2025-03-01T00:08:00+00:00", "candles": 3},
        {"from": "2025-03-01T00:12:00+00:00", "to": "2025-03-01T00:13:00+00:00", "candles": 1},
    ]
    assert [f["candles"] for f in answer["flat_runs"]] == [3]
    assert len(answer["zero_volume"]) == 3
    shown = command("data", "quality", *asked)
    assert shown.code == 0
    assert "2025-03-01T00:05:00+00:00" in shown.stdout


def test_the_quality_of_nothing_is_refused() -> None:
    asked = command("data", "quality", "--symbol", BTC.symbol, "--timeframe", "1m")
    assert asked.code == Exit.USAGE
    assert "no 1m candles of BTC/USDT:USDT are stored" in asked.complaint()


# --- models -------------------------------------------------------------------------------------


@pytest.fixture
def trained(var_dir: Path) -> None:
    """Three models of two runs."""
    database = open_database(f"sqlite:///{var_dir / DATABASE}")
    prepare(database)
    first, second = stored_run(database), stored_run(database)
    stored(
        database, a_model("aa11", 0, run_id=first), a_model("aa22", 60, run_id=second),
        a_model("bb33", 120, run_id=second),
    )  # fmt: skip
    database.dispose()


def test_no_model_is_an_answer_too() -> None:
    assert command("models", "list", "--json").result() == {"models": []}
    assert "No model has been trained yet" in command("models", "list").stdout


@pytest.mark.usefixtures("trained")
def test_models_are_listed_newest_first_and_by_run() -> None:
    def listed(*more: str) -> list[str]:
        answer = command("models", "list", "--json", *more).result()
        return [m["model_id"] for m in answer["models"]]

    assert listed() == ["bb33", "aa22", "aa11"]
    assert listed("--run", "r1") == ["aa11"]
    assert listed("--run", "last") == ["bb33", "aa22"]
    assert "aa22" in command("models", "list").stdout
    asked = command("models", "list", "--run", "r9")
    assert (asked.code, asked.complaint()) == (Exit.USAGE, "there is no run r9")


@pytest.mark.usefixtures("trained")
def test_a_model_is_shown_by_the_beginning_of_its_id() -> None:
    answer = command("models", "show", "b", "--json").result()
    assert answer["model_id"] == "bb33"
    assert answer["metrics"] == {"brier_skill": "0.01"}
    assert command("models", "show", "aa1", "--json").result()["model_id"] == "aa11"
    for text, found in (("aa", 2), ("x", 0)):
        asked = command("models", "show", text)
        assert asked.code == Exit.USAGE
        assert f"{found} models begin so" in asked.complaint()


# --- what goes wrong ----------------------------------------------------------------------------


def raising(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(setup_commands, "status_view", fail)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (InputError("no such thing"), Exit.USAGE),
        (ConfigError("no such\n key"), Exit.USAGE),
        (JournalUnavailable("the disk is full"), Exit.UNAVAILABLE),
        (HaltError("our book and the venue's differ"), Exit.STOPPED),
    ],
)
def test_every_error_of_ours_is_its_line_and_its_code(
    monkeypatch: pytest.MonkeyPatch, error: Exception, code: Exit
) -> None:
    raising(monkeypatch, error)
    asked = command("status")
    assert asked.code == code
    assert asked.complaint() == " ".join(str(error).split())


def test_a_bug_is_one_line_and_the_rest_is_in_the_log(
    monkeypatch: pytest.MonkeyPatch, var_dir: Path
) -> None:
    raising(monkeypatch, RuntimeError("it broke\nin two lines"))
    for _ in range(2):
        asked = command("status")
        assert asked.code == Exit.INTERNAL
        log = var_dir / "logs" / ERROR_LOG
        assert asked.complaint() == (
            rf"internal error: RuntimeError('it broke\nin two lines'); details in {log}"
        )
    text = log.read_text()
    assert text.count("Traceback (most recent call last)") == 2
    assert text.count("RuntimeError: it broke") == 2


def test_a_full_disk_is_no_bug_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    raising(monkeypatch, OSError(errno.ENOSPC, "No space left on device", "/data/kernel.nbc"))
    asked = command("status")
    assert asked.code == Exit.UNAVAILABLE
    assert asked.complaint() == "/data/kernel.nbc cannot be written: No space left on device"


def test_a_bug_whose_log_cannot_be_written_is_still_one_line(
    monkeypatch: pytest.MonkeyPatch, var_dir: Path
) -> None:
    raising(monkeypatch, RuntimeError("it broke"))
    var_dir.mkdir()
    (var_dir / "logs").write_text("not a folder")
    asked = command("status")
    assert asked.code == Exit.INTERNAL
    assert "it broke" in asked.complaint()
    assert "no log could be written" in asked.complaint()


def test_an_interruption_is_one_line_that_says_what_is_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    raising(monkeypatch, KeyboardInterrupt())
    asked = command("status")
    assert asked.code == Exit.INTERRUPTED
    assert asked.complaint() == "interrupted; what was stored is kept"


@pytest.mark.parametrize("name", ["init-db", "status"])
def test_a_var_folder_that_cannot_be_made_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("CTP_VAR_DIR", str(tmp_path / "file" / "var"))
    asked = command(name)
    assert asked.code == Exit.USAGE
    assert f"CTP_VAR_DIR was {tmp_path / 'file' / 'var'}" in asked.complaint()


def test_a_var_folder_that_is_a_file_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("CTP_VAR_DIR", str(tmp_path / "file"))
    asked = command("init-db")
    assert asked.code == Exit.USAGE
    assert "allowed: a folder" in asked.complaint()


def test_a_lock_folder_that_cannot_be_made_is_no_bug(var_dir: Path, candles: Path) -> None:
    var_dir.mkdir()
    (var_dir / "locks").write_text("not a folder")
    asked = command(
        "replay", "--candles", candles, "--symbol", BTC.symbol, "--timeframe", "1m",
        "--strategy", "ema_cross",
    )  # fmt: skip
    assert asked.code == Exit.USAGE
    assert "locks" in asked.complaint()


@pytest.mark.parametrize(
    ("url", "code"),
    [
        (f"postgresql://me:{SECRET}@127.0.0.1:1/trading", Exit.UNAVAILABLE),
        (f"postgresql://me:{SECRET}%40x@127.0.0.1:1/trading", Exit.UNAVAILABLE),
        (f"postgresql://me:{SECRET}@nowhere.invalid/trading", Exit.UNAVAILABLE),
        (f"postgresql://me:{SECRET}@127.0.0.1:port/trading", Exit.USAGE),
        (f"postgresql://127.0.0.1:1/trading?password={SECRET}", Exit.UNAVAILABLE),
        (f"postgresql://me:{SECRET}@127.0.0.1:1/trading?sslmode={SECRET}", Exit.UNAVAILABLE),
        (f"mysql://me:{SECRET}@127.0.0.1/trading", Exit.USAGE),
        (f"me:{SECRET}@127.0.0.1/trading", Exit.USAGE),
        (f"sqlite:///:memory:?x={SECRET}", Exit.USAGE),
        ("sqlite:////proc/nowhere/trading.db", Exit.USAGE),
    ],
)
def test_a_database_that_does_not_serve_is_one_line_without_the_password(
    monkeypatch: pytest.MonkeyPatch, url: str, code: Exit, var_dir: Path
) -> None:
    monkeypatch.setenv("CTP_DATABASE_URL", url)
    asked = command("init-db")
    assert asked.code == code, asked.stderr
    assert SECRET not in asked.complaint()
    status = command("status", "--json")
    assert SECRET not in status.stdout + status.stderr
    logs = [p for p in var_dir.rglob("*") if p.is_file()] if var_dir.exists() else []
    assert not any(SECRET in p.read_text(errors="replace") for p in logs)


def test_a_file_that_is_no_database_is_named(var_dir: Path) -> None:
    var_dir.mkdir()
    (var_dir / DATABASE).write_text("this is not a database, it is a letter to the editor" * 40)
    asked = command("init-db")
    assert asked.code == Exit.USAGE
    assert "is not an SQLite database" in asked.complaint()
    status = command("status", "--json").result()
    assert "is not an SQLite database" in status["last_error"]


# --- real processes -----------------------------------------------------------------------------


def test_the_module_is_the_command_line(var_dir: Path) -> None:
    platform = Platform(var_dir)
    shown = platform.run("--help")
    assert (shown.code, shown.stderr) == (0, "")
    assert "validate-config" in shown.stdout
    assert platform.run("status", "--json").result()["last_run_id"] is None
    asked = platform.run("why", "--decision", "1")
    assert (asked.code, asked.complaint()) == (Exit.USAGE, "there is no decision 1")


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_an_interrupted_replay_ends_with_130_and_can_be_resumed(
    var_dir: Path, candles: Path
) -> None:
    platform = Platform(var_dir)
    asked = ("--symbol", BTC.symbol, "--timeframe", "1m", "--strategy", "ema_cross")
    process = platform.start("replay", "--candles", candles, *asked, "--speed", "100", "--json")
    until(lambda: stored_bars(platform.database) >= 0)
    time.sleep(0.2)
    os.kill(process.pid, signal.SIGINT)
    ended = finish(process)
    assert (ended.code, ended.stdout) == (Exit.INTERRUPTED, "")
    assert "Traceback" not in ended.stderr
    resumed = platform.run("replay", "--resume", "last", "--json").result()
    whole = platform.run("replay", "--candles", candles, *asked, "--json").result()
    assert resumed["run_id"] == "r1"
    assert resumed["fills_sha256"] == whole["fills_sha256"]
    assert resumed["decisions"] == whole["decisions"]


def test_a_reader_that_leaves_is_no_bug(var_dir: Path, candles: Path) -> None:
    platform = Platform(var_dir)
    imported(candles)
    process = subprocess.Popen(
        [sys.executable, "-m", "crypto_trader_pro", "data", "list", "--json"],
        cwd=ROOT, env=platform._environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    error = process.stderr.read().decode()
    process.stderr.close()
    assert process.wait(timeout=60) in (0, 1)
    assert error == ""
    assert not (var_dir / "logs").exists()
