"""`backtest` and `compare` as a person runs them: real processes, their output, their files."""

import csv
import gzip
import json
import os
import signal
import time
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path

import pytest

from tests.processes import Ended, Platform, finish, play
from tests.stored import read_rows
from tests.synthetic import BTC, ETH, write_candles, write_funding

BARS = 1_500
# of the run itself: when, how fast, under which id, what it is called
OWN = {"run_id", "source", "seconds", "training_seconds", "bars_per_second"}
MORE = {
    "engine", "engine_refused", "strategy", "params", "assumptions", "data_sha256", "trials",
    "metrics", "buy_and_hold",
}  # fmt: skip


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("candles")
    return {
        coin.symbol: write_candles(folder / f"{k}.csv.gz", coin, seed=7, bars=BARS)
        for k, coin in enumerate((BTC, ETH))
    }


@pytest.fixture(scope="module")
def funding(files: Mapping[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_funding(
        tmp_path_factory.mktemp("funding") / "f.csv.gz", list(files), seed=7, hours=27
    )


def asked(
    files: Mapping[str, Path], *more: object, engine: str = "reference", strategy: str = "ema_cross"
) -> list[object]:
    """Return the arguments of a `backtest` over symbol -> file."""
    _, *rest = play(files, *more, strategy=strategy)
    return ["backtest", *rest, "--engine", engine]


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Platform:
    return Platform(tmp_path_factory.mktemp("var"), {"LC_ALL": "C.UTF-8"})


@pytest.fixture(scope="module")
def runs(
    platform: Platform, files: Mapping[str, Path], funding: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, Ended]:  # fmt: skip
    """A replay and a backtest of the same, a stored variant, and a folder of everything."""
    out = tmp_path_factory.mktemp("written") / "everything"
    both = ("--funding", funding)
    return {
        "replay": platform.run(*play(files, *both)),
        "first": platform.fork(*asked(files, *both, "--name", "plain")),
        "variant": platform.fork(
            *asked(files, *both, "--param", "fast=8", "--set", "paper.slippage_pct=0.05")
        ),
        "folder": platform.fork(*asked(files, *both, "--no-store", "--out", out)),
        "out": Ended(0, str(out), ""),
    }


def test_a_backtest_prints_what_a_replay_of_the_same_prints(runs: Mapping[str, Ended]) -> None:
    replay, found = runs["replay"].result(), runs["first"].result()
    assert set(found) >= set(replay) | MORE
    assert {k: v for k, v in found.items() if k in replay.keys() - OWN} == {
        k: v for k, v in replay.items() if k not in OWN
    }
    assert found["fills"] > 30
    assert found["run_id"] == "b1"
    assert (found["engine"], found["strategy"]) == ("reference", ["ema_cross"])


def test_what_is_stored_is_whole(runs: Mapping[str, Ended], platform: Platform) -> None:
    found = runs["first"].result()
    rows = read_rows(platform.database, "backtests", "ORDER BY id")
    assert [(row["id"], row["name"], row["folder"]) for row in rows] == [
        (1, "plain", "backtests/b1"), (2, "", "backtests/b2"),
    ]  # fmt: skip
    assert json.loads(str(rows[0]["summary"])) == found
    assert json.loads(str(rows[1]["params"])) == {
        "strategies.ema_cross.fast": "8", "paper.slippage_pct": "0.05",
    }  # fmt: skip
    folder = platform.var_dir / "backtests" / "b1"
    assert json.loads((folder / "summary.json").read_text(encoding="utf-8")) == found
    with (folder / "fills.csv").open(encoding="utf-8-sig", newline="") as file:
        fills = list(csv.DictReader(file))
    assert len(fills) == found["fills"]
    assert sum(Decimal(fill["fee"]) for fill in fills) == Decimal(found["fees"])
    assert sorted(p.name for p in (platform.var_dir / "backtests").iterdir()) == ["b1", "b2"]


def test_every_set_of_parameters_is_counted_once(runs: Mapping[str, Ended]) -> None:
    assert runs["first"].result()["trials"] == 1
    assert runs["variant"].result()["trials"] == 2
    assert runs["folder"].result()["trials"] is None  # --no-store counts nothing


def test_out_writes_everything_and_stores_nothing(runs: Mapping[str, Ended]) -> None:
    out, found = Path(runs["out"].stdout), runs["folder"].result()
    assert found["run_id"] is None
    assert {p.name for p in out.iterdir()} == {
        "summary.json", "everything.json", "report.html", "fills.csv", "orders.csv", "trades.csv",
        "equity.csv", "months.csv",
    }  # fmt: skip
    assert found["fills_sha256"] == runs["first"].result()["fills_sha256"]
    assert found["fills_sha256"] in (out / "report.html").read_text(encoding="utf-8")


def test_compare_lists_what_differs_first(runs: Mapping[str, Ended], platform: Platform) -> None:
    out = Path(runs["out"].stdout) / "summary.json"
    told = platform.fork("compare", "b1", "b2", "r1", out, "--json").result()
    assert {d["key"] for d in told["differing"]} >= {"ema_cross.fast", "slippage.slippage_pct"}
    figures = {row["code"]: row for row in told["figures"]}
    b1, b2 = (Decimal(runs[name].result()["equity"]) for name in ("first", "variant"))
    assert Decimal(figures["equity"]["differences"]["b2"]) == b2 - b1
    assert figures["equity"]["differences"]["r1"] == "0"
    assert figures["fees"]["differences"][str(out)] == "0"
    assert told["same_data"] is None  # a replay does not say which candles it played
    words = platform.fork("compare", "b1", "b2")
    assert words.code == 0
    assert words.stdout.startswith("All on the same candles.")
    assert words.stdout.index("ema_cross.fast") < words.stdout.index("Equity at the end")


def test_a_person_reads_figures_samples_and_assumptions(
    platform: Platform, files: Mapping[str, Path], tmp_path: Path
) -> None:
    words = [w for w in asked(files, "--no-store", "--html", tmp_path / "r.html") if w != "--json"]
    ended = platform.fork(*words)
    assert (ended.code, ended.stderr) == (0, "")
    for part in (
        "Closed trades", "Buy and hold", "95 % interval",
        "No funding rates of BTC/USDT:USDT were given: none was charged.",
        "Where one 1m candle touches stop and target, the stop counts.",
        "Not stored (--no-store)", f"Written: {tmp_path / 'r.html'}",
    ):  # fmt: skip
        assert part in ended.stdout
    assert (tmp_path / "r.html").stat().st_size > 1_000_000


# --- bad input ----------------------------------------------------------------------------------


def spoilt(source: Path, target: Path, change: Mapping[int, Sequence[str] | None]) -> Path:
    """Copy candles with some lines replaced; the header is line 0."""
    lines = gzip.decompress(source.read_bytes()).decode().splitlines()
    for number, fields in change.items():
        kept = lines[number].split(",")
        lines[number] = (
            lines[number - 1] if fields is None else ",".join([*fields, *kept[len(fields) :]])
        )
    target.write_text("\n".join(lines) + "\n")
    return target


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--strategy", "ema_crass"], "strategy was 'ema_crass', allowed: ema_cross, ai_signal"),
        (["--param", "fst=3"], "--param fst: ema_cross has only fast, slow"),
        (["--param", "fast=1"], "strategies.ema_cross.fast"),
        (["--param", "fast=50"], "less than slow"),
        (["--param", "fast=3", "--set", "strategies.ema_cross.fast=4"], "by --param and by --set"),
        (["--engine", "fast"], "--engine was 'fast', allowed: compiled, reference"),
        (["--from", "2030"], "--from was '2030'"),
        (["--from", "2030-01"], "no 1m candle in the asked range"),
        (["--from", "2025-03-02", "--to", "2025-03-01"], "allowed: before its end, 2025-03-01"),
        (
            ["--to", "2025-03-01T00:20"],
            "20 candles of 1m in this range; the warm-up of ema_cross takes 30",
        ),
        (["--detail-timeframe", "5m"], "detail timeframe was 5m"),
        (["--language", "fr"], "--language was 'fr', allowed: ko, en"),
        (["--interval", "90"], "interval was 90 s"),
        (["--symbol", "ETH/USDT:USDT"], "1 --candles and 2 --symbol were given"),
    ],
)
def test_bad_input_is_one_clear_line(
    more: list[str], message: str, platform: Platform, files: Mapping[str, Path], tmp_path: Path
) -> None:
    fresh = Platform(tmp_path)
    words = asked({BTC.symbol: files[BTC.symbol]}, "--no-store")
    if "--strategy" in more:
        words[words.index("--strategy") + 1] = more[1]
        more = []
    ended = fresh.fork(*words, *more)
    assert ended.code == 2
    assert message in ended.complaint()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({40: None}, "a duplicate"),  # line 39 again: overlapping
        ({40: ["1740787200000"]}, "not sorted"),
        ({40: ["1740789540000", "nan"]}, "open was 'nan'"),
        ({40: ["1740789540000", "60000", "1"]}, "high"),
    ],
)
def test_unusable_candles_are_one_clear_line(
    change: Mapping[int, Sequence[str] | None], message: str, files: Mapping[str, Path],
    tmp_path: Path,
) -> None:  # fmt: skip
    file = spoilt(files[BTC.symbol], tmp_path / "bad.csv", change)
    ended = Platform(tmp_path / "var").fork(*asked({BTC.symbol: file}, "--no-store"))
    assert ended.code == 2
    assert message in ended.complaint()


def test_places_that_are_taken_are_refused_before_anything_runs(
    files: Mapping[str, Path], tmp_path: Path
) -> None:
    (tmp_path / "mine.txt").write_text("x")
    for words in (("--out", tmp_path), ("--csv", tmp_path), ("--html", tmp_path)):
        ended = Platform(tmp_path / "var").fork(*asked(files, "--no-store", *words))
        assert ended.code == 2
        assert f"{words[0]} {tmp_path} is" in ended.complaint()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["b1"], "two or more different"),
        (["b1", "b99"], "there is no backtest b99"),
        (["b1", "x9"], "backtest was 'x9', allowed: b and its number, or last"),
        (["b1", "none.json"], "none.json: No such file"),
    ],
)
def test_a_comparison_with_nothing_is_one_clear_line(
    words: list[str], message: str, platform: Platform, runs: Mapping[str, Ended]
) -> None:
    assert runs["first"].code == 0
    ended = platform.fork("compare", *words)
    assert ended.code == 2
    assert message in ended.complaint()


def test_ctrl_c_ends_it_at_once_with_one_line_and_nothing_half_done(tmp_path: Path) -> None:
    long = write_candles(tmp_path / "long.csv.gz", BTC, seed=3, bars=150_000)  # plays for seconds
    platform = Platform(tmp_path / "var")
    process = platform.start(*asked({BTC.symbol: long}))
    deadline = time.monotonic() + 60
    while process.poll() is None and not platform.database.exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    time.sleep(2.0)  # it plays
    asked_at = time.monotonic()
    os.kill(process.pid, signal.SIGINT)
    ended = finish(process)
    assert (ended.code, ended.stdout) == (130, ""), ended.stderr
    assert time.monotonic() - asked_at < 2.5
    assert ended.stderr.splitlines() == ["interrupted; what was stored is kept"]
    assert read_rows(platform.database, "backtests") == []
    assert not list(platform.var_dir.glob("backtests/*"))


def test_a_stored_backtest_that_cannot_be_written_leaves_no_row(
    files: Mapping[str, Path], tmp_path: Path
) -> None:
    platform = Platform(tmp_path)
    (tmp_path / "backtests").write_text("in the way")
    ended = platform.fork(*asked(files))
    assert ended.code == 2
    assert "cannot be written" in ended.complaint()
    assert read_rows(platform.database, "backtests") == []
