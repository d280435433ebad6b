"""`replay` as a person runs it: real processes, their output, their exit codes."""

import gzip
import shutil
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.oracle import audit
from tests.processes import DATABASE, Ended, Moment, Platform, finish, play
from tests.stored import Played, count_runs, read_run
from tests.synthetic import BTC, ETH, MINUTE, START_MS, write_candles, write_funding

BARS = 1_500
REQUIRED = {
    "run_id", "bars", "decisions", "refusals", "orders", "fills", "fees", "realized_pnl", "equity",
    "max_drawdown", "seconds", "training_seconds", "bars_per_second", "fills_sha256",
}  # fmt: skip


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Symbol -> candles."""
    folder = tmp_path_factory.mktemp("candles")
    return {
        coin.symbol: write_candles(folder / f"{k}.csv.gz", coin, seed=7, bars=BARS)
        for k, coin in enumerate((BTC, ETH))
    }


@pytest.fixture(scope="module")
def btc(files: Mapping[str, Path]) -> dict[str, Path]:
    return {BTC.symbol: files[BTC.symbol]}


@pytest.fixture(scope="module")
def runs(
    files: Mapping[str, Path], btc: Mapping[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, tuple[Platform, Ended]]:
    """Two installations at work at the same time, each with two commands, one after the other."""
    funding = tmp_path_factory.mktemp("funding") / "f.csv.gz"
    write_funding(funding, list(files), seed=7, hours=BARS // 60 + 2)
    left, right = (Platform(tmp_path_factory.mktemp(name)) for name in ("left", "right"))
    both = play(files, "--funding", funding)
    rounds = (
        {"first": (left, play(btc)), "beside": (right, play(btc))},
        {"again": (left, play(btc)), "both": (right, both)},
    )
    done: dict[str, tuple[Platform, Ended]] = {}
    for commands in rounds:
        started = {name: (p, p.start(*arguments)) for name, (p, arguments) in commands.items()}
        done |= {name: (p, finish(process)) for name, (p, process) in started.items()}
    return done


def test_json_is_one_object_and_nothing_else(runs: Mapping[str, tuple[Platform, Ended]]) -> None:
    for _, ended in runs.values():
        assert set(ended.result()) >= REQUIRED
        assert ended.stderr == ""


def test_money_is_printed_as_plain_strings(runs: Mapping[str, tuple[Platform, Ended]]) -> None:
    result = runs["both"][1].result()
    for key in ("fees", "funding", "realized_pnl", "unrealized_pnl", "equity", "max_drawdown"):
        assert isinstance(result[key], str)
        assert set(result[key]) <= set("-.0123456789")


def test_what_is_printed_and_stored_is_what_the_books_say(
    runs: Mapping[str, tuple[Platform, Ended]], files: Mapping[str, Path], btc: Mapping[str, Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:  # fmt: skip
    platform, ended = runs["first"]
    assert audit(read_run(platform.database, 1), Played(btc), ended.result()) == {}
    platform, ended = runs["both"]
    stored = read_run(platform.database, 2)
    funding = Path(stored.run["inputs"]["funding"])
    assert audit(stored, Played(files, funding=funding), ended.result()) == {}


def test_the_same_command_trades_the_same_under_another_run_id(
    runs: Mapping[str, tuple[Platform, Ended]],
) -> None:
    first, again = runs["first"][1].result(), runs["again"][1].result()
    assert (first["run_id"], again["run_id"]) == ("r1", "r2")
    assert first["fills"] > 20
    assert _lasting(first) == _lasting(again)


def test_two_installations_side_by_side_do_not_touch(
    runs: Mapping[str, tuple[Platform, Ended]],
) -> None:
    left, right = runs["first"][1].result(), runs["beside"][1].result()
    assert left["run_id"] == right["run_id"] == "r1"
    assert _lasting(left) == _lasting(right)
    assert count_runs(runs["first"][0].database) == count_runs(runs["beside"][0].database) == 2


def _lasting(result: Mapping[str, Any]) -> dict[str, Any]:
    """Return what two runs of the same command have in common."""
    own = ("run_id", "seconds", "bars_per_second")
    return {key: value for key, value in result.items() if key not in own}


def test_every_symbol_is_decided_at_every_instant(
    runs: Mapping[str, tuple[Platform, Ended]], files: Mapping[str, Path]
) -> None:
    result = runs["both"][1].result()
    candles = Played(files).read()
    instants = {at for series in candles.values() for at in series}
    bars = sum(len(series) for series in candles.values())
    # a symbol without a candle at an instant at which another has one is decided as dark
    assert result["decisions"] == 2 * len(instants) > bars == result["bars"]
    assert result["outcomes"]["dark"] == 2 * len(instants) - bars
    assert runs["first"][1].result()["decisions"] == BARS


# --- from, to, status, resume of a finished run -------------------------------------------------


def _instant(minutes: int) -> str:
    at = datetime.fromtimestamp((START_MS + minutes * MINUTE) / 1000, UTC)
    return at.strftime("%Y-%m-%dT%H:%M")


def test_a_range_is_played_and_no_more(btc: Mapping[str, Path], tmp_path: Path) -> None:
    platform = Platform(tmp_path)
    arguments = play(btc, "--from", _instant(120), "--to", _instant(900))
    result = platform.fork(*arguments).result()
    played = Played(
        btc, from_ms=START_MS + 120 * MINUTE, to_ms=START_MS + 900 * MINUTE
    )  # opens at or after the first, closes at or before the second
    assert result["bars"] == len(played.read()[BTC.symbol]) < 780
    assert audit(read_run(platform.database), played, result) == {}


def test_status_answers_before_there_is_anything(tmp_path: Path) -> None:
    ended = Platform(tmp_path / "var").run("status", "--json")
    answer = ended.result()
    assert ended.stderr == ""
    counts = {k for k in answer if k.endswith("_total") or k.startswith("open_")}
    counts |= {"working_orders", "waiting_commands"}
    assert {answer[key] for key in counts} == {0}
    states = {"desired_state": "stopped", "observed_state": "stopped"}
    assert {k: v for k, v in answer.items() if k not in counts} == {
        **dict.fromkeys(set(answer) - counts), **states,
    }  # fmt: skip


def test_status_tells_of_the_last_run(runs: Mapping[str, tuple[Platform, Ended]]) -> None:
    platform, ended = runs["both"]
    result, answer = ended.result(), platform.fork("status", "--json").result()
    stored = read_run(platform.database)
    working = [o for o in stored["orders"] if o["status"] in ("working", "partial", "journaled")]
    assert answer["last_run_id"] == result["run_id"] == "r2"
    assert answer["last_run_status"] == "finished"
    assert answer["equity"] == result["equity"]
    assert answer["open_positions"] == result["open_positions"]
    assert answer["fills_total"] == result["fills"]
    assert answer["decisions_total"] == result["decisions"]
    assert answer["orders_total"] == len(stored["orders"])
    assert answer["working_orders"] == len(working)


@pytest.mark.parametrize("reference", ["last", "r2", "2"])
def test_resuming_a_finished_run_prints_its_result_again(
    runs: Mapping[str, tuple[Platform, Ended]], reference: str
) -> None:
    platform, ended = runs["again"]
    assert platform.fork("replay", "--resume", reference, "--json").stdout == ended.stdout


# --- candles that are no longer those the run began with ----------------------------------------


def test_a_run_does_not_go_on_with_other_candles(tmp_path: Path) -> None:
    file = write_candles(tmp_path / "btc.csv.gz", BTC, seed=7, bars=BARS)
    kept = file.read_bytes()
    platform = Platform(tmp_path / "var")
    platform.killed(Moment(bars=300), *play({BTC.symbol: file}, "--speed", "1500"))
    before = read_run(platform.database)
    write_candles(file, BTC, seed=8, bars=BARS)
    changed = platform.fork("replay", "--resume", "last", "--json")
    assert changed.code == 2
    assert "r1" in changed.complaint()
    assert str(file) in changed.complaint()
    file.unlink()
    gone = platform.fork("replay", "--resume", "last", "--json")
    assert gone.code == 2
    assert str(file) in gone.complaint()
    assert read_run(platform.database) == before
    file.write_bytes(kept)
    result = platform.run("replay", "--resume", "last", "--json").result()
    assert audit(read_run(platform.database), Played({BTC.symbol: file}), result) == {}


# --- what cannot be used ------------------------------------------------------------------------

Bad = Callable[[Path, Path], Sequence[object]]  # candles, an empty folder -> arguments


def _with(*more: object) -> Bad:
    return lambda candles, _: play({BTC.symbol: candles}, *more)


def _candles(text: str, *more: object) -> Bad:
    """Play a file of these lines."""

    def arguments(_: Path, folder: Path) -> Sequence[object]:
        file = folder / "candles.csv.gz"
        header = "timestamp,open,high,low,close,volume\n"
        file.write_bytes(gzip.compress((header + text).encode()))
        return play({BTC.symbol: file}, *more)

    return arguments


def _cut_off(candles: Path, folder: Path) -> Sequence[object]:
    file = folder / "half.csv.gz"
    file.write_bytes(candles.read_bytes()[:2_000])
    return play({BTC.symbol: file})


def _folder(_: Path, folder: Path) -> Sequence[object]:
    (folder / "a.csv.gz").mkdir()
    return play({BTC.symbol: folder / "a.csv.gz"})


T = START_MS
GOOD = f"{T},100,101,99,100,1\n"
# what is wrong -> arguments, and what the one line must name
BAD: dict[str, tuple[Bad, tuple[str, ...]]] = {
    "an unknown symbol": (
        lambda c, _: play({"BTC/EUR:EUR": c}),
        ("symbol", "'BTC/EUR:EUR'", "BTC/USDT:USDT"),
    ),
    "a symbol twice": (
        lambda c, _: [*play({BTC.symbol: c}), "--candles", c, "--symbol", BTC.symbol],
        ("BTC/USDT:USDT", "once"),
    ),
    "a missing file": (
        lambda _, f: play({BTC.symbol: f / "none.csv.gz"}),
        ("none.csv.gz", "no such file"),
    ),
    "a folder for a file": (_folder, ("a.csv.gz",)),
    "an unknown format": (lambda _, f: play({BTC.symbol: f / "a.xlsx"}), ("a.xlsx", ".parquet")),
    "more files than symbols": (_with("--candles", "second.csv"), ("2 --candles", "1 --symbol")),
    "more symbols than files": (_with("--symbol", ETH.symbol), ("1 --candles", "2 --symbol")),
    "a file that is cut off": (_cut_off, ("half.csv.gz", "gzip")),
    "a price that is no number": (
        _candles(f"{GOOD}{T + MINUTE},100,abc,99,100,1\n"),
        ("row 3", "high", "'abc'"),
    ),
    "a high below the close": (
        _candles(f"{GOOD}{T + MINUTE},100,101,99,102,1\n"),
        ("row 3", "high", "101"),
    ),
    "a time twice": (_candles(GOOD + GOOD), ("row 3", "timestamp", "duplicate")),
    "candles of another timeframe": (
        lambda c, _: play({BTC.symbol: c}, timeframe="5m"),
        ("timestamp", "off the grid"),
    ),
    "a range without a candle": (_with("--from", "2030-01"), (BTC.symbol, "no 1m candle")),
    "a range that ends before it begins": (
        _with("--from", "2025-03-02", "--to", "2025-03-01"),
        ("the range began 2025-03-02T00:00:00+00:00", "before its end, 2025-03-01"),
    ),
    "a date that is none": (_with("--to", "yesterday"), ("--to", "'yesterday'", "2025-05-04")),
    "an unknown strategy": (
        lambda c, _: play({BTC.symbol: c}, strategy="nonesuch"),
        ("strategy", "'nonesuch'", "ema_cross"),
    ),
    "a setting that is none": (
        _with("--set", "paper.equity=5"),
        ("paper.equity", "paper.initial_equity"),
    ),
    "a setting without a value": (_with("--set", "paper.initial_equity"), ("--set", "KEY=VALUE")),
    "a setting out of bounds": (
        _with("--set", "strategies.ema_cross.stop_pct=0"),
        ("strategies.ema_cross.stop_pct", "above 0"),
    ),
    "a setting against another": (
        _with("--set", "strategies.ema_cross.fast=30"),
        ("strategies.ema_cross.fast", "slow, which is 26"),
    ),
    "a timeframe that is none": (
        lambda c, _: play({BTC.symbol: c}, timeframe="7m"),
        ("timeframe", "'7m'", "5m"),
    ),
    "a timeframe that is none, with an interval": (
        lambda c, _: play({BTC.symbol: c}, "--interval", 420, timeframe="7m"),
        ("timeframe", "'7m'", "5m"),
    ),
    "an interval between candles": (_with("--interval", 90), ("interval", "90", "1m")),
    "no interval": (_with("--interval", 0), ("interval", "0", "1m")),
    "a speed that is none": (_with("--speed", "-1"), ("--speed", "'-1'", "max")),
    "a missing funding file": (_with("--funding", "none.csv"), ("none.csv", "no such file")),
    "a run that is none": (
        lambda *_: ["replay", "--resume", "r99", "--json"],
        ("r99",),
    ),
    "no run to resume": (lambda *_: ["replay", "--resume", "last", "--json"], ("no replay run",)),
    "a reference that is none": (
        lambda *_: ["replay", "--resume", "the last", "--json"],
        ("'the last'", "last"),
    ),
}


@pytest.fixture(scope="module")
def refused(
    btc: Mapping[str, Path], tmp_path_factory: pytest.TempPathFactory, migrated_file: Path
) -> dict[str, tuple[Platform, Ended]]:
    """Every case of `BAD` in an installation of its own."""
    done = {}
    for name, (make, _) in BAD.items():
        folder = tmp_path_factory.mktemp("bad")
        platform = Platform(folder / "var")
        platform.var_dir.mkdir()
        shutil.copy(migrated_file, platform.var_dir / DATABASE)
        done[name] = (platform, platform.fork(*make(btc[BTC.symbol], folder)))
    return done


@pytest.mark.parametrize("what", BAD)
def test_bad_input_is_one_line_and_exit_code_2(
    refused: Mapping[str, tuple[Platform, Ended]], what: str
) -> None:
    ended = refused[what][1]
    line = ended.complaint()
    assert ended.code == 2, line
    for word in BAD[what][1]:
        assert word in line


@pytest.mark.parametrize("what", BAD)
def test_bad_input_leaves_no_run_behind(
    refused: Mapping[str, tuple[Platform, Ended]], what: str
) -> None:
    assert count_runs(refused[what][0].database) == 0
