"""The same candles trade the same, wherever they come from and however fast they are played."""

import gzip
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from time import perf_counter
from typing import Any

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.feather as pa_feather
import pyarrow.parquet as pa_parquet
import pytest

from tests.engines import command, read
from tests.synthetic import BTC, ETH, START_MS, write_candles, write_funding

MINUTE = 60_000
FIVE = 5 * MINUTE
BARS = 700
QUICK = ("--set", "strategies.ema_cross.fast=3", "--set", "strategies.ema_cross.slow=8")
FORMATS = ("csv", "csv.gz", "parquet", "feather", "decimals.parquet", "times.feather")


@pytest.fixture(autouse=True)
def installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installation of its own, with the shipped configuration."""
    for name in ("CTP_DATABASE_URL", "DATABASE_URL", "CTP_CONFIG_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CTP_VAR_DIR", str(tmp_path / "var"))
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    return tmp_path / "var"


@pytest.fixture
def btc(tmp_path: Path) -> Path:
    return write_candles(tmp_path / "btc.csv.gz", BTC, seed=5, bars=BARS)


@pytest.fixture
def eth(tmp_path: Path) -> Path:
    """Its candles begin 150 minutes after those of BTC."""
    start_ms = START_MS + 150 * MINUTE
    return write_candles(tmp_path / "eth.csv.gz", ETH, seed=6, bars=BARS, start_ms=start_ms)


def replayed(
    *more: object, timeframe: str = "1m", strategies: Sequence[str] = ("ema_cross",)
) -> Any:
    """Replay and return the result."""
    named = [a for s in strategies for a in ("--strategy", s)]
    return command("replay", "--timeframe", timeframe, *named, *QUICK, "--json", *more).result()


def from_files(*pairs: tuple[str, Path]) -> list[object]:
    return [a for symbol, path in pairs for a in ("--candles", path, "--symbol", symbol)]


def imported(path: Path, symbol: str, *more: object, timeframe: str = "1m") -> Any:
    asked = ("--symbol", symbol, "--timeframe", timeframe, "--json", *more)
    return command("data", "import", path, *asked).result()


def as_format(source: Path, kind: str) -> Path:
    """Write the candles of a CSV.gz in another format and return the new file."""
    target = source.parent / f"copy.{kind}"
    content = gzip.decompress(source.read_bytes())
    if kind.startswith("csv"):
        target.write_bytes(gzip.compress(content) if kind.endswith("gz") else content)
        return target
    table = pa_csv.read_csv(pa.BufferReader(content))  # prices and volumes are doubles
    if kind.startswith("decimals"):
        exact = [[Decimal(str(x)) for x in table.column(name).to_pylist()]
                 for name in table.column_names[1:]]  # fmt: skip
        columns = [pa.array(x, pa.decimal128(20, 8)) for x in exact]
        table = pa.table([table.column(0), *columns], table.column_names)
    if kind.startswith("times"):
        at = table.column(0).cast(pa.timestamp("ms", tz="UTC"))
        table = table.set_column(0, "timestamp", at)
    if kind.endswith("parquet"):
        pa_parquet.write_table(table, target)
    else:
        pa_feather.write_feather(table, target)
    return target


# --- files --------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", FORMATS)
def test_every_file_format_trades_the_same(btc: Path, kind: str) -> None:
    first = replayed(*from_files((BTC.symbol, btc)))
    again = replayed(*from_files((BTC.symbol, as_format(btc, kind))))
    assert first["fills"] > 20  # a market in which nothing is traded proves nothing
    for figure in ("fills_sha256", "equity", "decisions", "outcomes", "refusals", "max_drawdown"):
        assert again[figure] == first[figure]
    assert again["run_id"] != first["run_id"]


def test_other_candles_have_another_hash(btc: Path, tmp_path: Path) -> None:
    other = write_candles(tmp_path / "other.csv.gz", BTC, seed=7, bars=BARS)
    hashes = {replayed(*from_files((BTC.symbol, f)))["fills_sha256"] for f in (btc, other)}
    assert len(hashes) == 2


def test_candles_are_decided_on_as_long_as_they_are(tmp_path: Path) -> None:
    five = write_candles(tmp_path / "five.csv.gz", BTC, seed=5, bars=300, step_ms=FIVE)
    result = replayed(*from_files((BTC.symbol, five)), timeframe="5m")
    rows = gzip.decompress(five.read_bytes()).count(b"\n") - 1
    assert (result["timeframe"], result["bars"], result["decisions"]) == ("5m", rows, rows)
    assert result["fills"] > 0


def test_minute_candles_are_not_taken_for_longer_ones(btc: Path) -> None:
    asked = ("replay", *from_files((BTC.symbol, btc)), "--timeframe", "5m", "--json")
    refused = command(*asked)
    assert refused.code == 2
    assert "off the grid" in refused.complaint()


def test_longer_candles_are_not_played_as_minutes(tmp_path: Path) -> None:
    five = write_candles(tmp_path / "five.csv.gz", BTC, seed=5, bars=300, step_ms=FIVE)
    refused = command("replay", *from_files((BTC.symbol, five)), "--timeframe", "1m", "--json")
    assert refused.code == 2
    assert "timeframe was 60 s, but no two candles are closer than 300 s" in refused.complaint()


def test_a_part_of_a_file_is_what_a_shorter_file_is(btc: Path, tmp_path: Path) -> None:
    lines = gzip.decompress(btc.read_bytes()).decode().splitlines()
    inside = [
        x for x in lines[1:] if START_MS + 6_000_000 <= int(x.split(",")[0]) < START_MS + 24_000_000
    ]
    shorter = tmp_path / "shorter.csv"
    shorter.write_text("\n".join([lines[0], *inside]) + "\n")
    part = replayed(
        *from_files((BTC.symbol, btc)), "--from", "2025-03-01T01:40", "--to", "2025-03-01T06:40"
    )
    whole = replayed(*from_files((BTC.symbol, shorter)))
    assert part["fills"] > 5
    assert (part["bars"], part["fills_sha256"]) == (whole["bars"], whole["fills_sha256"])


# --- the database -------------------------------------------------------------------------------


def test_imported_candles_trade_as_their_file(btc: Path) -> None:
    stored = imported(btc, BTC.symbol)
    assert stored["stored"] == stored["rows"] > BARS // 2
    from_file = replayed(*from_files((BTC.symbol, btc)))
    from_database = replayed("--symbol", BTC.symbol)
    assert from_database["fills"] > 20
    assert from_database["fills_sha256"] == from_file["fills_sha256"]
    assert from_database["equity"] == from_file["equity"]


def test_funding_is_the_same_from_a_file_and_from_the_database(btc: Path, tmp_path: Path) -> None:
    rates = write_funding(tmp_path / "funding.csv.gz", [BTC.symbol], seed=3, hours=12)
    imported(btc, BTC.symbol)
    imported(rates, BTC.symbol, "--kind", "funding")
    from_file = replayed(*from_files((BTC.symbol, btc)), "--funding", rates)
    from_database = replayed("--symbol", BTC.symbol)
    without = replayed("--symbol", BTC.symbol, "--set", "paper.funding=false")
    assert Decimal(from_file["funding"]) != 0
    assert from_database["funding"] == from_file["funding"]
    assert from_database["equity"] == from_file["equity"]
    assert from_database["fills_sha256"] == from_file["fills_sha256"]
    assert without["funding"] == "0"


def test_a_portfolio_whose_symbols_begin_at_different_times(
    btc: Path, eth: Path, installation: Path
) -> None:
    pairs = ((BTC.symbol, btc), (ETH.symbol, eth))
    from_file = replayed(*from_files(*pairs))
    for symbol, path in pairs:
        imported(path, symbol)
    from_database = replayed("--symbol", BTC.symbol, "--symbol", ETH.symbol)
    assert from_database["fills_sha256"] == from_file["fills_sha256"]
    rows = [r for r in read(installation / "crypto_trader_pro.db", "decisions") if r["run_id"] == 1]
    by_time: dict[int, list[str]] = {}
    for row in rows:
        by_time.setdefault(row["at_ms"], []).append(row["symbol"])
    assert all(symbols == [BTC.symbol, ETH.symbol] for symbols in by_time.values())
    early = [r for r in rows if r["symbol"] == ETH.symbol and r["at_ms"] <= START_MS + 150 * MINUTE]
    assert len(early) > 100
    assert {(r["outcome"], r["gate_reason"]) for r in early} == {("dark", "missing")}
    traded = {f["symbol"] for f in read(installation / "crypto_trader_pro.db", "fills")}
    assert traded == {BTC.symbol, ETH.symbol}


def test_each_symbol_of_a_portfolio_sees_its_own_candles_only(
    btc: Path, eth: Path, installation: Path
) -> None:
    pairs = ((BTC.symbol, btc), (ETH.symbol, eth))
    replayed(*from_files(*pairs))
    said = signals_of(installation, 1)
    for run_id, pair in enumerate(pairs, 2):
        replayed(*from_files(pair))
        alone = signals_of(installation, run_id)
        assert alone == [row for row in said if row[0] == pair[0]]


def signals_of(installation: Path, run_id: int) -> list[tuple[str, ...]]:
    rows = read(installation / "crypto_trader_pro.db", "ai_signals_log")
    told = ("symbol", "created_at", "signal_type", "reason", "stop_loss", "take_profit")
    return [tuple(row[k] for k in told) for row in rows if row["run_id"] == run_id]


# --- strategies and pace ------------------------------------------------------------------------


def test_a_second_strategy_that_has_nothing_to_say_changes_no_fill(btc: Path) -> None:
    alone = replayed(*from_files((BTC.symbol, btc)))
    both = replayed(*from_files((BTC.symbol, btc)), strategies=("ema_cross", "ai_signal"))
    assert both["fills_sha256"] == alone["fills_sha256"]
    assert both["model"]["models"] == 0
    assert "model" not in alone


def test_the_enabled_strategies_run_when_none_is_named(btc: Path) -> None:
    named = replayed(*from_files((BTC.symbol, btc)), strategies=("ema_cross", "ai_signal"))
    by_default = replayed(*from_files((BTC.symbol, btc)), strategies=())
    assert by_default["fills_sha256"] == named["fills_sha256"]
    assert "model" in by_default


def test_a_slower_pace_trades_the_same(btc: Path) -> None:
    until = ("--to", "2025-03-01T01:40")  # a hundred minutes
    fast = replayed(*from_files((BTC.symbol, btc)), *until)
    started = perf_counter()
    slow = replayed(*from_files((BTC.symbol, btc)), *until, "--speed", "250")
    seconds = perf_counter() - started
    assert fast["fills"] > 0
    assert slow["fills_sha256"] == fast["fills_sha256"]
    assert seconds > fast["bars"] / 250  # 0.4 s


def test_a_replay_leaves_the_sums_of_its_decisions(btc: Path, installation: Path) -> None:
    result = replayed(*from_files((BTC.symbol, btc)))
    sums = read(installation / "crypto_trader_pro.db", "decision_counts")
    hours = [row["decisions"] for row in sums if row["width_ms"] == 3_600_000]
    assert sum(hours) == result["decisions"] > 0


def test_a_finished_run_that_is_resumed_gives_its_result_again(btc: Path) -> None:
    result = replayed(*from_files((BTC.symbol, btc)))
    btc.unlink()  # it has been played
    for reference in ("last", "r1", "1"):
        assert command("replay", "--resume", reference, "--json").result() == result
    refused = command("replay", "--resume", "r2", "--json")
    assert (refused.code, refused.complaint()) == (2, "there is no run r2")


@pytest.mark.parametrize("speed", ["0", "-1", "nan", "fast", "1e9"])
def test_an_impossible_pace_is_refused(btc: Path, speed: str) -> None:
    asked = command("replay", *from_files((BTC.symbol, btc)), "--timeframe", "1m", "--speed", speed)
    assert asked.code == 2
    assert "--speed" in asked.complaint()


@pytest.mark.parametrize("seconds", ["0", "-60", "90"])
def test_an_interval_that_is_no_multiple_of_the_candles_is_refused(btc: Path, seconds: str) -> None:
    asked = command(
        "replay", *from_files((BTC.symbol, btc)), "--timeframe", "1m", "--interval", seconds
    )
    assert asked.code == 2
    assert "multiple of 1m" in asked.complaint()


def test_what_cannot_be_played_leaves_no_run(btc: Path, installation: Path) -> None:
    wrong = [
        ("--timeframe", "1m", "--strategy", "ema_crosss"),
        ("--timeframe", "1m", "--strategy", "ema_cross", "--strategy", "ema_cross"),
        ("--timeframe", "1m", "--from", "2031"),
        ("--timeframe", "1m", "--symbol", BTC.symbol),
    ]
    for arguments in wrong:
        assert command("replay", *from_files((BTC.symbol, btc)), *arguments).code == 2, arguments
    coarse = write_candles(installation / "day.csv.gz", BTC, seed=1, bars=40, step_ms=86_400_000,
                           start_ms=START_MS)  # fmt: skip
    asked = ("--timeframe", "1d", "--strategy", "ai_signal")  # whose candles are of one hour
    assert command("replay", *from_files((BTC.symbol, coarse)), *asked).code == 2
    assert read(installation / "crypto_trader_pro.db", "runs") == []
