"""A recorded session repeated: identical, unless the record or what it led to was changed.

The session of `tests/recorded.py`: 13 inputs are the opening, five candles of warm-up, the start,
four candles and two prices. It decides at four closes, two of which order: the first entry fills
and is stopped out, the second waits for its first price.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Engine as Database

from auto_trading.session_replay import repeat
from crypto_trader_pro.domain.enums import CommandKind
from crypto_trader_pro.domain.errors import InputError
from database import runs
from database.auto_trading_db import unit_of_work
from tests.control_plane import NOW
from tests.engines import Row, command, read
from tests.processes import DATABASE
from tests.recorded import (
    Recording,
    Records,
    bought_and_stopped,
    closed,
    of_kind,
    other_price,
    quick,
    recording_in,
    tick,
)
from tests.rows import stored_run

BOOKS = ("decisions", "orders", "fills")


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


def rows(recording: Recording, table: str, run_id: int = 1) -> list[Row]:
    return [r for r in read(recording.var_dir / DATABASE, table) if r.get("run_id") == run_id]


def differing(recording: Recording) -> list[str]:
    """Repeat the session and return which of its books came out otherwise."""
    answer = repeat(recording.database, "last", recording.var_dir, lambda: NOW)
    recorded, repeated = answer["recorded_sha256"], answer["repeated_sha256"]
    assert list(recorded) == list(repeated) == list(BOOKS)
    found = [name for name in BOOKS if recorded[name] != repeated[name]]
    assert answer["identical"] is (not found)
    return found


def execute(recording: Recording, statement: str) -> None:
    with closing(sqlite3.connect(recording.var_dir / DATABASE)) as connection, connection:
        assert connection.execute(statement).rowcount > 0


# --- the same again -----------------------------------------------------------------------------


def test_the_session_traded_what_its_inputs_say(recording: Recording) -> None:
    """60,600 and 0.02 % are 60,612.12, up to the tick; 59,900 less 0.02 % are 59,888.02, down."""
    fills = [(r["reason"], r["size"], r["price"]) for r in rows(recording, "fills")]
    assert fills == [("entry", "0.033", "60612.2"), ("stop", "0.033", "59888")]


def test_a_repeated_session_is_identical(recording: Recording) -> None:
    answer = repeat(recording.database, "r1", recording.var_dir, lambda: NOW)
    hashes = answer["recorded_sha256"]
    assert answer == {
        "session": "r1", "run_id": "r2", "identical": True, "inputs": 13, "decisions": 4,
        "orders": 2, "fills": 2, "recorded_sha256": hashes, "repeated_sha256": hashes,
    }  # fmt: skip
    assert len({len(h) for h in hashes.values()} | {64}) == 1
    mine, theirs = ([r["price"] for r in rows(recording, "fills", n)] for n in (1, 2))
    assert mine == theirs == ["60612.2", "59888"]


def test_it_is_repeated_on_either_database(database: Database, tmp_path: Path) -> None:
    recording = Recording(tmp_path, database, quick(), "demo", None)
    bought_and_stopped(recording)
    assert differing(recording) == []
    recording.changed(other_price)
    assert "fills" in differing(recording)


def test_the_repeated_run_is_a_run_of_its_own(recording: Recording) -> None:
    answer = repeat(recording.database, "last", recording.var_dir, lambda: NOW)
    with unit_of_work(recording.database) as session:
        first, second = runs.find(session, "r1"), runs.find(session, "r2")
        assert (second.kind, second.status, second.result) == ("replay", "finished", answer)
        assert (second.inputs, second.finished_at) == ({"session": "r1"}, NOW)
        assert (second.symbols, second.config, second.source) == (
            first.symbols, first.config, "demo"
        )  # fmt: skip
        assert (first.status, first.finished_at) == ("running", None)
    assert rows(recording, "session_events", 2) == []  # a repetition is not recorded once more


def test_a_command_names_the_order_of_the_repeated_run(recording: Recording) -> None:
    """The second entry is order 4: one entry with a stop and a target came before it."""
    assert recording.ask(CommandKind.CANCEL_ORDER, client_order_id="r1o0000004") == "done"
    recording.take(tick(9, 5_990_000), closed(9, 5_990_000))
    assert len(rows(recording, "fills")) == 2
    assert differing(recording) == []
    status = {r["client_order_id"]: r["status"] for r in rows(recording, "orders", 2)}
    assert status["r2o0000004"] == "canceled"


def test_a_session_over_candles_alone_is_filled_from_them_again(
    var_dir: Path, migrated_file: Path
) -> None:
    """The entry fills at the open of candle 7, the stop where candle 8 opens, below it."""
    with recording_in(var_dir, migrated_file, source="replay") as recording:
        recording.ask(CommandKind.START)
        recording.take(*(closed(k, 6_000_000 + 60_000 * (k in (6, 7))) for k in range(5, 9)))
        fills = [(r["reason"], r["price"]) for r in rows(recording, "fills")]
        # 60,000 less 0.02 % are 59,988
        assert fills == [("entry", "60612.2"), ("stop", "59988")]
        assert differing(recording) == []


def test_what_a_stop_held_back_is_held_back_again(var_dir: Path, migrated_file: Path) -> None:
    with recording_in(var_dir, migrated_file, may_enter=lambda _: "stopping") as recording:
        bought_and_stopped(recording)
        assert rows(recording, "fills") == []
        assert differing(recording) == []

        def forgotten(inputs: Records) -> None:
            for item in of_kind(inputs, "held"):
                inputs.remove(item)

        recording.changed(forgotten)
        assert "orders" in differing(recording)


# --- what was changed behind its back -----------------------------------------------------------


def test_another_recorded_price_makes_it_differ(recording: Recording) -> None:
    recording.changed(lambda _: None)
    assert differing(recording) == []  # rewritten, and the same
    recording.changed(other_price)
    assert "fills" in differing(recording)
    # 60,601 and 0.02 % are 60,613.12, up to the tick
    assert [r["price"] for r in rows(recording, "fills", 3)] == ["60613.2", "59888"]


@pytest.mark.parametrize(
    ("table", "change"),
    [
        ("fills", "price = '60612.3' WHERE reason = 'entry'"),
        ("orders", "status = 'canceled' WHERE role = 'stop' AND status = 'filled'"),
        ("decisions", "lots = 34 WHERE lots = 33"),
    ],
)
def test_another_row_of_its_books_makes_it_differ(
    recording: Recording, table: str, change: str
) -> None:
    execute(recording, f"UPDATE {table} SET {change}")  # noqa: S608  words of this test
    assert differing(recording) == [table]


# --- what cannot be repeated --------------------------------------------------------------------


def refusal(recording: Recording, reference: str) -> str:
    with pytest.raises(InputError) as refused:
        repeat(recording.database, reference, recording.var_dir, lambda: NOW)
    with unit_of_work(recording.database) as session:
        last = runs.last(session, kind="replay")
        assert last is None or last.inputs == {"paths": ["a.csv"]}  # nothing was begun
    return str(refused.value)


def test_a_session_without_a_record_is_refused(recording: Recording) -> None:
    execute(recording, "DELETE FROM session_events")
    assert refusal(recording, "r1") == "nothing of session r1 was recorded"


def test_only_sessions_are_repeated(recording: Recording) -> None:
    stored_run(recording.database)
    assert refusal(recording, "r2") == "run r2 is a replay run, expected a paper run"
    assert refusal(recording, "r3") == "there is no run r3"
    assert refusal(recording, "x") == "run was 'x', allowed: r and its number, or last"


def test_a_session_that_has_only_begun_is_repeated(var_dir: Path, migrated_file: Path) -> None:
    """One that never stored a checkpoint has nothing that waits either."""
    with recording_in(var_dir, migrated_file, quick()) as recording:
        recording.take(closed(5, 6_000_000))
        execute(recording, "DELETE FROM checkpoints")
        assert differing(recording) == []


# --- the command --------------------------------------------------------------------------------


def test_the_command_says_identical(recording: Recording) -> None:
    result = command("replay", "--session", "last", "--json").result()
    assert (result["session"], result["run_id"], result["identical"]) == ("r1", "r2", True)
    shown = command("replay", "--session", "r1")
    assert shown.code == 0
    assert shown.stdout.split()[:6] == ["session", "r1", "run_id", "r3", "identical", "True"]
    assert recording.run_id == 1


def test_the_command_exits_with_1_when_it_differs(recording: Recording) -> None:
    recording.changed(other_price)
    ended = command("replay", "--session", "r1", "--json")
    assert (ended.code, ended.stderr) == (1, "")
    assert '"identical":false' in ended.stdout.replace(" ", "")


@pytest.mark.parametrize(
    "more",
    [
        ("--candles", "a.csv"), ("--symbol", "BTC/USDT"), ("--strategy", "ema_cross"),
        ("--from", "2025-05"), ("--to", "2025-06"), ("--interval", "300"),
        ("--funding", "f.csv"), ("--set", "paper.initial_equity=5"), ("--resume", "last"),
    ],
)  # fmt: skip
def test_the_command_refuses_what_does_not_go_with_a_record(more: tuple[str, ...]) -> None:
    ended = command("replay", "--session", "r1", *more)
    assert ended.code == 2
    assert "--session repeats what was recorded; only --json goes with it" in ended.complaint()


def test_the_command_refuses_a_session_that_is_not_there(var_dir: Path) -> None:
    ended = command("replay", "--session", "last")
    assert ended.code == 2
    assert "there is no paper run yet" in ended.complaint()
