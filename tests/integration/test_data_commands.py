"""`data download`, `data export` and `data quality` as a person runs them, beside a local venue."""

import gzip
import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from auto_trading.data_pages import CandlePages
from auto_trading.gateways.candle_files import file_sha256, read_candles
from auto_trading.gateways.funding_files import read_funding
from crypto_trader_pro.cli.exits import Exit
from crypto_trader_pro.domain.market import Bar, CandleSeries
from crypto_trader_pro.simulation.instruments import instrument
from tests.builders import MINUTE, START_MS
from tests.engines import command
from tests.market_data import ROOT, candle_file
from tests.venues.faults import Fault
from tests.venues.living import NOW_MS, HastyClients
from tests.venues.market import FUNDING_MS, ScriptedClock, ScriptedMarket
from tests.venues.server import VenueServer

PERP = instrument("BTC/USDT:USDT")  # price unit 0.01, lot 0.001
SPOT = instrument("BTC/USDT")  # price unit 0.01, lot 0.00001
ASKED = ("--symbol", PERP.symbol, "--timeframe", "1m")
DAY = "2024-01-01"  # START_MS


@pytest.fixture(autouse=True)
def var_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("CTP_DATABASE_URL", "DATABASE_URL", "CTP_CONFIG_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CTP_VAR_DIR", str(tmp_path / "var"))
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    monkeypatch.setenv("COLUMNS", "200")
    return tmp_path / "var"


@pytest.fixture
def venue(monkeypatch: pytest.MonkeyPatch) -> Iterator[VenueServer]:
    """All three venues, on which a hundred candles have closed, instead of the real ones."""
    clock = ScriptedClock(NOW_MS)
    with VenueServer(ScriptedMarket((SPOT, PERP), MINUTE, clock, START_MS)) as server:
        clients = HastyClients(server.base_url, timeout_seconds=2.0)
        monkeypatch.setattr("auto_trading.data_download.VenueClients", lambda: clients)
        monkeypatch.setattr("auto_trading.data_download.SystemClock", lambda: clock)
        monkeypatch.setattr("auto_trading.data_download._PAUSES", ())
        monkeypatch.setattr("auto_trading.gateways.exchange_rest._FIRST_PAUSE", 0.01)
        yield server


def perp_bar(k: int) -> Bar:
    """Candle k opens at 2000 + k, in cents; high +6, low -5, close +1; volume 10 + k."""
    start = (2000 + k) * 100
    return Bar(START_MS + k * MINUTE, start, start + 600, start - 500, start + 100, (10 + k) * 1000)


def test_a_download_is_stored_written_and_played(venue: VenueServer, tmp_path: Path) -> None:
    out = tmp_path / "btc.parquet"
    venue.market.gaps.add((PERP.symbol, START_MS + 50 * MINUTE))
    asked = ("data", "download", *ASKED, "--from", DAY, "--out", out, "--json")
    answer = command(*asked).result()
    candle_part, rates = answer["parts"]
    assert (candle_part["stored"], candle_part["complete"], answer["complete"]) == (99, True, True)
    hole = {"from": "2024-01-01T00:50:00+00:00", "to": "2024-01-01T00:51:00+00:00"}
    assert candle_part["holes"] == [hole]
    assert (rates["series"], rates["stored"]) == ("funding", 1)  # the one of midnight
    wanted = [perp_bar(k) for k in range(100) if k != 50]
    assert read_candles(out, PERP, MINUTE).bars() == wanted
    told = {"file": str(out), "rows": 99, "sha256": file_sha256(out), "missing": 1}
    assert answer["out"] == told
    # replay finds them in the database
    played = command("replay", *ASKED, "--strategy", "ema_cross", "--json").result()
    assert played["bars"] == 99
    again = command(*asked, "--force").result()
    assert [p["stored"] for p in again["parts"]] == [0, 0]
    assert again["out"] == told
    quality = command("data", "quality", *ASKED, "--json").result()
    assert (quality["missing_bars"], quality["missing_at_the_venue"]) == (1, 1)
    assert quality["usable"] is True
    text = command("data", "download", *ASKED, "--from", DAY)
    assert "binance has nothing from 2024-01-01T00:50:00+00:00" in " ".join(text.stdout.split())
    assert text.stderr == ""


def test_a_venue_that_fails_is_one_line_and_a_code(venue: VenueServer) -> None:
    venue.faults.rest("klines", Fault(status=500, body="<html>\nno\n</html>"))
    asked = ("data", "download", *ASKED, "--from", DAY, "--no-funding", "--json")
    refused = command(*asked)
    assert refused.code == Exit.UNAVAILABLE
    told = refused.complaint()
    assert told.startswith("binance: ")
    assert "BTC/USDT:USDT 1m: 0 stored, complete until 2024-01-01T00:00:00+00:00" in told
    assert told.endswith("the same command goes on from there")


def test_a_range_without_any_candle_is_an_answer_of_no(venue: VenueServer) -> None:
    asked = ("--from", "2023-12-31T23:00", "--to", DAY, "--no-funding")
    empty = command("data", "download", *ASKED, *asked)
    assert empty.code == Exit.NEGATIVE
    assert "did not come, nor anything later from 2023-12-31T23:00" in empty.stdout


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((*ASKED, "--from", "2031"), "--from was '2031', allowed: 2025-05"),
        ((*ASKED, "--from", "2031-01"), "the range is empty: no 1m candle opens"),
        ((*ASKED, "--from", DAY, "--to", DAY), "the range is empty: no 1m candle opens"),
        ((*ASKED, "--from", DAY, "--venue", "kraken"), "venue was 'kraken', allowed: binance"),
        ((*ASKED[:3], "2m", "--from", DAY), "'2m', allowed: 1m, 3m"),
        ((*ASKED, "--symbol", PERP.symbol, "--from", DAY), "each may come once"),
        ((*ASKED, "--symbol", SPOT.symbol, "--from", DAY, "--out", "x.csv"), "--out takes one"),
        ((*ASKED, "--from", DAY, "--out", "x.xlsx"), "allowed: .parquet, .csv, .csv.gz"),
        ((*ASKED, "--from", DAY, "--out", "/nowhere/x.csv"), "there is no folder /nowhere"),
        (("--symbol", "BTCUSDT", *ASKED[2:], "--from", DAY), "symbol was 'BTCUSDT'"),
    ],
)
@pytest.mark.usefixtures("venue")
def test_an_unusable_download_is_one_line(arguments: tuple[str, ...], told: str) -> None:
    refused = command("data", "download", *arguments)
    assert refused.code == Exit.USAGE
    assert told in refused.complaint()


def test_an_interrupted_download_says_how_far_it_came(
    venue: VenueServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("auto_trading.gateways.exchange_rest.PAGE", {"binance": 30})
    whole, pages = CandlePages.page, iter(range(9))

    async def page(self: CandlePages, *asked: Any) -> Any:
        if next(pages) == 2:
            raise KeyboardInterrupt
        return await whole(self, *asked)

    monkeypatch.setattr(CandlePages, "page", page)
    asked = ("data", "download", *ASKED, "--from", DAY, "--no-funding")
    ended = command(*asked)
    assert ended.code == Exit.INTERRUPTED
    assert ended.stdout == (
        "BTC/USDT:USDT 1m: 60 stored, complete until 2024-01-01T01:00:00+00:00;"
        " the same command goes on from there\n"
    )
    assert ended.stderr == "interrupted; what was stored is kept\n"
    (part,) = command(*asked, "--json").result()["parts"]
    assert (part["present"], part["stored"]) == (60, 40)


INTERRUPTIBLE = """
import sys
import auto_trading.data_download as downloading
import auto_trading.gateways.exchange_rest as rest
from auto_trading.gateways.venue_clients import VenueClients
from crypto_trader_pro.cli.entry import main
downloading.VenueClients = lambda: VenueClients(BASE)
rest.PAGE = {"binance": 500}
sys.argv[0] = "crypto_trader_pro"
main()
"""


@pytest.mark.slow
def test_ctrl_c_keeps_finished_pages_and_says_how_far(tmp_path: Path) -> None:
    market = ScriptedMarket((SPOT, PERP), MINUTE, ScriptedClock(NOW_MS + 10**8), START_MS)
    with VenueServer(market) as server:
        server.faults.rest("klines", Fault(), times=2)  # two pages come, the third hangs
        server.faults.rest("klines", Fault(seconds=60))
        arguments = ("data", "download", *ASKED, "--from", DAY, "--to", "2024-01-02")
        code = INTERRUPTIBLE.replace("BASE", repr(server.base_url))
        with subprocess.Popen(
            [sys.executable, "-c", code, *arguments, "--no-funding"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT,
        ) as process:  # fmt: skip
            deadline = time.monotonic() + 60
            while sum("klines" in path for path in begun(server)) < 2:
                assert process.poll() is None, process.communicate()
                assert time.monotonic() < deadline
                time.sleep(0.01)
            time.sleep(0.5)  # the second page is stored and the third is asked for
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=30)
        assert (process.returncode, err) == (
            Exit.INTERRUPTED, "interrupted; what was stored is kept\n",
        )  # fmt: skip
        assert out == (
            "BTC/USDT:USDT 1m: 1000 stored, complete until 2024-01-01T16:40:00+00:00;"
            " the same command goes on from there\n"
        )
    listed = command("data", "list", "--json").result()["series"]
    assert [s["rows"] for s in listed] == [1000]


def begun(server: VenueServer) -> list[str]:
    return [one.path for one in list(server.asked)]


# --- export ---------------------------------------------------------------------------------------


def same(one: CandleSeries, other: CandleSeries) -> bool:
    return one.bars() == other.bars()


@pytest.mark.parametrize("name", ["a.parquet", "a.csv", "a.csv.gz"])
def test_an_export_reads_back_to_the_very_same_units(tmp_path: Path, name: str) -> None:
    source = candle_file("binance-usdm_BTCUSDT_1h_20201023-20240616")
    first, second = tmp_path / name, tmp_path / f"again-{name}"
    asked = ("--symbol", PERP.symbol, "--timeframe", "1h", "--json")
    answer = command("data", "export", first, *asked, "--file", source).result()
    assert answer == {
        "file": str(first), "rows": 31_973, "sha256": file_sha256(first), "missing": 0,
    }  # fmt: skip
    assert same(read_candles(first, PERP, 3_600_000), read_candles(source, PERP, 3_600_000))
    again = command("data", "export", second, *asked, "--file", first).result()
    assert again["sha256"] == answer["sha256"]  # the same candles make the same bytes


def test_a_part_of_what_is_stored_is_exported(tmp_path: Path) -> None:
    source = candle_file("binance-usdm_BTCUSDT_1h_20250101-20260731")
    asked = ("--symbol", PERP.symbol, "--timeframe", "1h", "--json")
    command("data", "import", source, *asked).result()
    out = tmp_path / "part.parquet"
    limits = ("--from", "2025-02", "--to", "2025-03")
    assert command("data", "export", out, *asked, *limits).result()["rows"] == 28 * 24
    february = (1_738_368_000_000, 1_740_787_200_000)  # 2025-02-01 and 2025-03-01 UTC
    whole = read_candles(source, PERP, 3_600_000)
    assert same(read_candles(out, PERP, 3_600_000), whole.between(*february))


def test_rates_are_exported_too(venue: VenueServer, tmp_path: Path) -> None:
    clock = venue.market.clock
    clock.set(START_MS + 3 * FUNDING_MS)
    asked = ("--symbol", PERP.symbol, "--timeframe", "1m", "--from", DAY, "--json")
    command("data", "download", *asked).result()
    paid = [START_MS + k * FUNDING_MS for k in range(3)]
    # payment 59,169 and on: n % 100 parts of a million, in parts of 1e8
    wanted = (paid, [6_900, 7_000, 7_100])
    for name in ("f.parquet", "f.csv"):
        out = tmp_path / name
        answer = command(
            "data", "export", out, "--symbol", PERP.symbol, "--kind", "funding", "--json"
        ).result()
        assert answer == {"file": str(out), "rows": 3, "sha256": file_sha256(out)}
        assert read_funding(out, PERP.symbol) == wanted
    text = (tmp_path / "f.csv").read_text().splitlines()
    assert text[:2] == [
        "timestamp,symbol,funding_rate", f"{START_MS},BTC/USDT:USDT,0.00006900",
    ]  # fmt: skip


def test_an_export_replaces_nothing_unasked(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text(f"timestamp,open,high,low,close,volume\n{START_MS},1,1,1,1,1\n")
    out = tmp_path / "b.csv"
    out.write_text("mine")
    asked = ("--file", file, *ASKED)
    refused = command("data", "export", out, *asked)
    assert (refused.code, out.read_text()) == (Exit.USAGE, "mine")
    assert refused.complaint() == f"{out}: is there already, allowed: a new name, or --force"
    assert command("data", "export", out, *asked, "--force").code == 0
    assert out.read_text() == (
        f"timestamp,open,high,low,close,volume\n{START_MS},1.00,1.00,1.00,1.00,1.000\n"
    )
    itself = command("data", "export", file, *asked, "--force")
    assert itself.complaint() == f"{file}: is the file to read, allowed: another name"
    nothing = command("data", "export", tmp_path / "c.csv", *ASKED)
    assert nothing.complaint() == "BTC/USDT:USDT: no candles to write, allowed: at least one"
    assert sorted(p.name for p in tmp_path.glob("*.csv*")) == ["a.csv", "b.csv"]


# --- quality --------------------------------------------------------------------------------------


def quality(file: Path, *more: object) -> tuple[int, dict[str, Any]]:
    told = command("data", "quality", *ASKED, "--file", file, "--json", *more)
    return told.code, json.loads(told.stdout)


@pytest.fixture
def faulty(tmp_path: Path) -> Path:
    """Ten good minutes, among them one row of each fault, the last three still."""
    rows = {k: f"{START_MS + k * MINUTE},10,11,9,10,1" for k in range(10)}
    for k in (7, 8, 9):
        rows[k] = f"{START_MS + k * MINUTE},10,10,10,10,0"
    bad = [
        f"{START_MS + 20 * MINUTE},10,11,nan,10,1", f"{START_MS + 21 * MINUTE},10,x,9,10,1",
        f"{START_MS + 22 * MINUTE},10.001,11,9,10,1", f"{START_MS + 23 * MINUTE + 1},10,11,9,10,1",
        f"{START_MS + 24 * MINUTE},10,11,0,10,1", f"{START_MS + 25 * MINUTE},10,9,9,10,1",
        f"{START_MS + 26 * MINUTE},10,11,9,10,-1", f"{START_MS + 2 * MINUTE},10,11,9,10,1",
    ]  # fmt: skip
    lines = [rows[0], rows[1], rows[2], rows[4], rows[3], *bad, *(rows[k] for k in range(5, 10))]
    file = tmp_path / "faulty.csv.gz"
    text = "\n".join(["timestamp,open,high,low,close,volume", *lines]) + "\n"
    file.write_bytes(gzip.compress(text.encode(), mtime=0))
    return file


def test_quality_counts_every_fault_of_a_file(faulty: Path) -> None:
    code, answer = quality(faulty)
    assert code == Exit.NEGATIVE
    counts = {name: fault["rows"] for name, fault in answer["faults"].items()}
    assert counts == {
        "not_a_number": 2, "off_grid_price": 1, "off_grid_time": 1, "not_positive": 1,
        "impossible": 1, "negative_volume": 1, "duplicate": 1, "backward": 1,
    }  # fmt: skip
    first = answer["faults"]["not_a_number"]["first"]
    assert first == f"{faulty}: row 8: high was 'x', allowed: a number"
    assert f"{faulty}: row 6: timestamp was" in answer["faults"]["backward"]["first"]
    assert answer["problems"] == [*counts, "stale_tail"]
    assert (answer["rows"], answer["missing_bars"], answer["stale_tail"]) == (10, 0, 3)
    text = command("data", "quality", *ASKED, "--file", faulty)
    assert text.code == Exit.NEGATIVE
    assert len(text.stdout.splitlines()) < 40
    last = text.stdout.splitlines()[-1]
    assert last.startswith("not usable as it is: not_a_number, off_grid_price, ")


def test_quality_of_a_sound_file_and_of_a_range(tmp_path: Path) -> None:
    file = tmp_path / "c.csv"
    lines = [f"{START_MS + k * MINUTE},10,11,9,10,1" for k in range(60) if not 20 <= k < 55]
    file.write_text("\n".join(["timestamp,open,high,low,close,volume", *lines]) + "\n")
    code, answer = quality(file)
    assert (code, answer["problems"], answer["missing_bars"]) == (1, ["mostly_missing"], 35)
    code, answer = quality(file, "--to", "2024-01-01T00:20")
    assert (code, answer["usable"], answer["rows"]) == (0, True, 20)
    asked = ("data", "quality", *ASKED, "--file", file)
    assert command(*asked, "--from", "2025").complaint().startswith("--from was '2025'")
    empty = command(*asked, "--from", "2025-01").complaint()
    assert empty == "no 1m candles of BTC/USDT:USDT in the asked range"
    file.write_text("timestamp,open,high,low,close,volume\n1704067200000,1,1,1,1,nan\n")
    assert command(*asked).complaint() == (
        f"none of 1 rows can be used; {file}: row 2: volume was 'nan', allowed: a number"
    )
