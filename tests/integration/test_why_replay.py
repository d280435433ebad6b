"""`why --replay`: the engine makes a decision once more, and what was altered shows."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from auto_trading.reexecution import COLUMNS, Reexecution, reexecuted
from auto_trading.session_replay import repeat
from crypto_trader_pro.domain.enums import CommandKind
from crypto_trader_pro.domain.errors import InputError
from crypto_trader_pro.risk.rules import RiskInputs
from database.auto_trading_db import open_database
from tests.control_plane import NOW
from tests.engines import Row, command, read
from tests.processes import DATABASE
from tests.recorded import Recording, Records, bought_and_stopped, of_kind, recording_in
from tests.synthetic import BTC, BTC_SPOT, Coin, write_candles


@pytest.fixture(autouse=True)
def var_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("CTP_DATABASE_URL", "DATABASE_URL", "CTP_CONFIG_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CTP_VAR_DIR", str(tmp_path / "var"))
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    return tmp_path / "var"


@pytest.fixture
def recording(var_dir: Path, migrated_file: Path) -> Iterator[Recording]:
    with recording_in(var_dir, migrated_file) as made:
        bought_and_stopped(made)
        yield made


def replayed(var_dir: Path, *more: object, item: Coin = BTC) -> None:
    """Replay 150 synthetic candles; averages of 3 and 8 cross often."""
    candles = write_candles(var_dir.parent / "btc.csv.gz", item, seed=5, bars=150)
    command(
        "replay", "--timeframe", "1m", "--strategy", "ema_cross", "--candles", candles, "--symbol",
        item.symbol, "--set", "strategies.ema_cross.fast=3", "--set", "strategies.ema_cross.slow=8",
        "--json", *more,
    ).result()  # fmt: skip


def decisions(var_dir: Path) -> list[Row]:
    return read(var_dir / DATABASE, "decisions")


def numbers(var_dir: Path, outcome: str) -> list[int]:
    return [row["id"] for row in decisions(var_dir) if row["outcome"] == outcome]


def made_again(var_dir: Path, decision_id: int) -> Reexecution:
    database = open_database(f"sqlite:///{var_dir / DATABASE}", read_only=True)
    try:
        return reexecuted(database, var_dir, decision_id)
    finally:
        database.dispose()


def execute(var_dir: Path, statement: str, *values: object) -> None:
    with closing(sqlite3.connect(var_dir / DATABASE)) as connection, connection:
        assert connection.execute(statement, values).rowcount > 0


def differing(found: Reexecution) -> list[str]:
    everything = (*found.columns, *found.inputs, *found.signals)
    return [one.name for one in everything if not one.is_same]


# --- real ones are the same -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("item", "outcomes"),
    [(BTC, ("hold", "ordered", "refused")), (BTC_SPOT, ("hold", "ordered", "closed"))],
)
def test_a_replays_decisions_are_made_again_the_same(
    var_dir: Path, item: Coin, outcomes: tuple[str, ...]
) -> None:
    replayed(var_dir, "--set", "limits.cooldown_bars=20", item=item)
    for outcome in outcomes:
        found = numbers(var_dir, outcome)
        assert found, outcome
        again = made_again(var_dir, found[-1])
        assert differing(again) == []
        assert [one.name for one in again.columns] == list(COLUMNS)
        asked = outcome in ("ordered", "refused")
        assert len(again.inputs) == (len(RiskInputs._fields) if asked else 0)


def test_a_sessions_decisions_are_made_again_the_same(recording: Recording) -> None:
    """The one at candle 8 comes after an entry and its stop: state, orders and equity count."""
    rows = decisions(recording.var_dir)
    assert [row["outcome"] for row in rows] == ["hold", "ordered", "hold", "ordered"]
    for row in rows:
        again = made_again(recording.var_dir, row["id"])
        assert differing(again) == []
        assert {one.name: one.now for one in again.columns}["equity"] == row["equity"]


def test_so_are_those_of_a_repeated_session(recording: Recording) -> None:
    repeat(recording.database, "r1", recording.var_dir, lambda: NOW)
    last = decisions(recording.var_dir)[-1]
    assert last["run_id"] == 2
    assert differing(made_again(recording.var_dir, last["id"])) == []


# --- altered ones differ --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("outcome", "refused"), ("lots", 32), ("mask", 4), ("first_refusal", "cooldown"),
        ("equity", 1), ("price", 1), ("confidence", 7), ("gate_reason", "gap"), ("bound", 2),
        ("trading_state", "halted"), ("direction", -1), ("strategy", "ai_signal"),
        ("order_id", "r1o0000009"), ("detail", '{"closing":"r1o0000001"}'),
        ("window_hash", b"12345678"),
    ],
)  # fmt: skip
def test_an_altered_column_is_shown(recording: Recording, column: str, value: object) -> None:
    execute(recording.var_dir, f"UPDATE decisions SET {column} = ? WHERE id = 2", value)  # noqa: S608
    assert differing(made_again(recording.var_dir, 2)) == [column]


def test_an_altered_input_is_named(recording: Recording) -> None:
    (row,) = [r for r in decisions(recording.var_dir) if r["id"] == 2]
    place = RiskInputs._fields.index("cooldown_bars")
    values = row["inputs"].strip("[]").split(",")
    values[place] = "77"
    execute(recording.var_dir, "UPDATE decisions SET inputs = ? WHERE id = 2",
            f"[{','.join(values)}]")  # fmt: skip
    again = made_again(recording.var_dir, 2)
    assert differing(again) == ["inputs", "cooldown_bars"]
    (changed,) = [one for one in again.inputs if not one.is_same]
    assert (changed.stored, changed.now) == (77, int(row["inputs"].strip("[]").split(",")[place]))
    execute(recording.var_dir, "UPDATE decisions SET inputs = 'none' WHERE id = 2")
    assert len(differing(made_again(recording.var_dir, 2))) == 1 + len(RiskInputs._fields)


def test_an_altered_signal_is_named(recording: Recording) -> None:
    execute(
        recording.var_dir,
        "UPDATE ai_signals_log SET stop_loss = '1' WHERE run_id = 1 AND signal_type = 'BUY'",
    )
    assert differing(made_again(recording.var_dir, 2)) == ["ema_cross.stop_loss"]


def test_another_record_gives_another_decision(recording: Recording) -> None:
    """Had trading not been started, nothing would have been decided."""

    def never_started(inputs: Records) -> None:
        (start,) = of_kind(inputs, "command")
        assert start[3] == CommandKind.START.value
        inputs.remove(start)

    recording.changed(never_started)
    again = made_again(recording.var_dir, 2)
    assert {one.now for one in again.columns} == {None}
    assert not again.is_same


# --- what cannot be made again --------------------------------------------------------------------


def refusal(var_dir: Path, decision_id: int) -> str:
    with pytest.raises(InputError) as refused:
        made_again(var_dir, decision_id)
    return str(refused.value)


def test_what_is_gone_is_one_clear_line(recording: Recording) -> None:
    assert refusal(recording.var_dir, 99) == "there is no decision 99"
    execute(recording.var_dir, "DELETE FROM session_events")
    assert refusal(recording.var_dir, 2) == "nothing of session r1 was recorded"


def test_candles_that_changed_are_one_clear_line(var_dir: Path) -> None:
    replayed(var_dir)
    write_candles(var_dir.parent / "btc.csv.gz", BTC, seed=6, bars=150)
    assert "are not those it began with" in refusal(var_dir, 1)


# --- the command ----------------------------------------------------------------------------------


def told(*arguments: object) -> dict[str, Any]:
    return command("why", "--replay", *arguments, "--json").result()


def test_the_command_says_same(recording: Recording) -> None:
    found = told(2)
    assert (found["status"], found["run_id"], found["decision"]) == ("same", "r1", 2)
    assert all(one["same"] and one["stored"] == one["now"] for one in found["columns"])
    shown = command("why", "--replay", 2)
    assert shown.code == 0
    assert "The same: decision 2 of r1 about BTC/USDT:USDT" in shown.stdout
    (line,) = [line for line in shown.stdout.splitlines() if line.startswith("outcome")]
    assert line.split() == ["outcome", "ordered", "ordered", "same"]


def test_the_command_ends_with_1_and_shows_both_values(recording: Recording) -> None:
    execute(recording.var_dir, "UPDATE decisions SET lots = 32 WHERE id = 2")
    ended = command("why", "--replay", 2)
    assert (ended.code, ended.stderr) == (1, "")
    (line,) = [line for line in ended.stdout.splitlines() if "differs" in line and "lots" in line]
    assert line.split() == ["lots", "32", "33", "differs"]


def test_the_command_takes_one_way_to_name_a_decision(recording: Recording) -> None:
    assert recording.run_id == 1
    ended = command("why", "--replay", 2, "--decision", 2)
    assert ended.code == 2
    assert ended.complaint() == "--replay names its decision; only --json goes with it"
