"""`why` tells the story of any decision in two languages, and decides again.

What was changed behind its back - a row, a candle, a model's file - it names.
"""

import gzip
import json
import re
import shutil
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import pytest

from auto_trading.replay import Replay, ReplayTools
from auto_trading.replay_market import ReplayRequest
from auto_trading.why import Explained as Story
from auto_trading.why import sentences, tell
from crypto_trader_pro.domain.enums import (
    EmergencyTrigger,
    FillReason,
    GateState,
    OrderRole,
    OrderStatus,
    OrderType,
    Side,
    TradingState,
)
from crypto_trader_pro.domain.market import CandleSeries
from crypto_trader_pro.domain.timeframes import to_datetime
from crypto_trader_pro.risk.rules import CODES
from crypto_trader_pro.simulation.instruments import instrument
from database.auto_trading_db import open_database, prepare
from tests.engines import SYSTEM_TIME, Row, command, read
from tests.processes import DATABASE
from tests.rhythm import SYMBOLS, hours, model_settings
from tests.synthetic import BTC, BTC_SPOT, ETH, START_MS, write_candles
from utils.texts import Language

SEOUL: Final = "Asia/Seoul"
KINDS: Final = ("hold", "ordered", "refused", "closed", "dark", "shadow")
QUICK: Final = ("--set", "strategies.ema_cross.fast=3", "--set", "strategies.ema_cross.slow=8")


# --- runs in which every kind of decision occurs ------------------------------------------------


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CTP_DATABASE_URL", "DATABASE_URL", "CTP_CONFIG_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LC_ALL", "C.UTF-8")


_kept: list[TemporaryDirectory[str]] = []


def a_folder() -> Path:
    folder = TemporaryDirectory(prefix="ctp-why-")
    _kept.append(folder)
    return Path(folder.name)


def replay(var_dir: Path, *arguments: object) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CTP_VAR_DIR", str(var_dir))
        command("replay", "--timeframe", "1m", "--strategy", "ema_cross", *QUICK, "--json",
                *arguments).result()  # fmt: skip


@cache
def candle_runs() -> Path:
    """r1: two perpetuals, the second begins late, a pause of 20 candles after an exit; r2: spot;
    r3: decisions every three candles.
    """
    folder = a_folder()
    btc = write_candles(folder / "btc.csv.gz", BTC, seed=5, bars=400)
    late = START_MS + 50 * 60_000
    eth = write_candles(folder / "eth.csv.gz", ETH, seed=6, bars=350, start_ms=late)
    coin = write_candles(folder / "coin.csv.gz", BTC_SPOT, seed=5, bars=300)
    replay(
        folder / "var", "--candles", btc, "--symbol", BTC.symbol, "--candles", eth, "--symbol",
        ETH.symbol, "--set", "limits.cooldown_bars=20",
    )  # fmt: skip
    replay(folder / "var", "--candles", coin, "--symbol", BTC_SPOT.symbol)
    replay(folder / "var", "--candles", btc, "--symbol", BTC.symbol, "--interval", 180)
    return folder / "var"


@cache
def model_run() -> Path:
    """A replay of `ai_signal` from files, with orders only for what is proven: nothing is yet."""
    folder = a_folder()
    paths = tuple(
        written(folder / f"{seed}.csv", hours(symbol, seed, days=66))
        for seed, symbol in enumerate(SYMBOLS, 11)
    )
    var_dir = folder / "var"
    database = open_database(f"sqlite:///{var_dir / DATABASE}", durable=False)
    try:
        prepare(database)
        request = ReplayRequest(SYMBOLS, paths, "1h", 3600, ("ai_signal",))
        settings = model_settings(paper__trade_unproven=False)
        Replay(ReplayTools(database, var_dir, lambda: SYSTEM_TIME)).start(request, settings)
    finally:
        database.dispose()
    return var_dir


def written(path: Path, series: CandleSeries) -> Path:
    item = instrument(series.symbol)
    lines = ["timestamp,open,high,low,close,volume"]
    for bar in series.bars():
        prices = [f"{item.price(units):f}" for units in bar[1:5]]
        lines.append(",".join([str(bar.open_ms), *prices, f"{item.quantity(bar.volume):f}"]))
    path.write_text("\n".join(lines) + "\n")
    return path


def decisions(var_dir: Path, outcome: str = "") -> list[Row]:
    rows = read(var_dir / DATABASE, "decisions")
    return [r for r in rows if r["outcome"] == outcome] if outcome else rows


def told(var_dir: Path, decision_id: int) -> Story:
    database = open_database(f"sqlite:///{var_dir / DATABASE}", read_only=True)
    try:
        return tell(database, var_dir, decision_id=decision_id)
    finally:
        database.dispose()


def some(outcome: str, count: int = 4) -> list[Story]:
    """Return the stories of a few decisions of one kind, spread over the run."""
    var_dir = model_run() if outcome == "shadow" else candle_runs()
    rows = decisions(var_dir, outcome)
    assert rows, f"no decision was {outcome}"
    return [told(var_dir, r["id"]) for r in rows[:: max(1, len(rows) // count)][:count]]


# --- the story ----------------------------------------------------------------------------------


@pytest.mark.parametrize("outcome", KINDS)
def test_a_decision_of_every_kind_is_told_and_decided_again_the_same(outcome: str) -> None:
    for story in some(outcome):
        assert story.rerun.status == "same", story.rerun
        for language in Language:
            lines = sentences(story, language, SEOUL)
            assert len(lines) >= 5
            for line in lines:
                assert line.strip() == line != ""
                assert not re.search(r"[{}]|None", line), line
            text = "\n".join(lines)
            assert story.decision.symbol in text
            assert "KST" in lines[0]  # the zone is named


@pytest.mark.parametrize("outcome", KINDS)
def test_the_json_of_every_kind_is_plain_and_whole(
    outcome: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    var_dir = model_run() if outcome == "shadow" else candle_runs()
    monkeypatch.setenv("CTP_VAR_DIR", str(var_dir))
    row = decisions(var_dir, outcome)[0]
    answer = command("why", "--decision", row["id"], "--json").result()
    assert answer["outcome"] == outcome
    assert answer["rerun"]["status"] == "same"
    assert [r["code"] for r in answer["rules"]] == (list(CODES) if row["inputs"] else [])
    assert len(answer["signals"]) == (0 if outcome == "dark" else 1)
    assert bool(answer["orders"]) is (outcome in ("ordered", "closed"))
    assert answer["window_hash"] == row["window_hash"].hex()
    asked = ("why", "--run", answer["run_id"], "--symbol", row["symbol"], "--at", answer["at"])
    assert command(*asked, "--json").result() == answer


def test_decisions_that_are_rarer_than_candles_are_decided_again_the_same() -> None:
    rows = [r for r in decisions(candle_runs()) if r["run_id"] == 3]
    assert len({r["outcome"] for r in rows}) > 2
    for row in rows[::7]:
        assert told(candle_runs(), row["id"]).rerun.status == "same", row


def test_the_story_of_an_order_has_its_fills_and_protection() -> None:
    (story, *_) = some("ordered")
    roles = [o.role for o in story.orders]
    assert roles == ["entry", "stop", "target"]
    assert {f.client_order_id for f in story.fills} <= {o.client_order_id for o in story.orders}
    text = "\n".join(sentences(story, Language.ENGLISH, SEOUL))
    for order in story.orders:
        assert order.client_order_id in text
    for fill in story.fills:
        assert f"{fill.price}" in text


def test_the_story_of_a_refusal_names_the_rule_and_its_numbers() -> None:
    stories = {s.decision.first_refusal: s for s in some("refused", 30)}
    assert "cooldown" in stories
    story = stories["cooldown"]
    (rule,) = [r for r in story.rules if r.code == "cooldown"]
    assert (rule.refused, rule.numbers["limit"]) == (True, 20)
    assert 0 <= rule.numbers["bars"] < 20
    english = "\n".join(sentences(story, Language.ENGLISH, SEOUL))
    assert f"{rule.numbers['bars']} candles since the last exit, 20 needed" in english
    assert "No order was sent." in english or story.orders


def test_the_story_of_a_shadow_has_the_model_and_what_moved_it() -> None:
    for story in some("shadow"):
        (signal,) = story.signals
        assert signal.model_id is not None
        assert story.rerun.contributions
        english = "\n".join(sentences(story, Language.ENGLISH, SEOUL))
        assert signal.model_id[:12] in english
        assert story.rerun.contributions[0][0] in english
        assert "shadow trade" in english


# Latin words that a Korean sentence may hold: names of strategies, coins, features, units, zones
_ENUMS: Final = (
    OrderStatus, OrderRole, OrderType, Side, TradingState, GateState, FillReason, EmergencyTrigger,
)  # fmt: skip
_CODES: Final = {*(member.value for enum in _ENUMS for member in enum), *CODES}


@pytest.mark.parametrize("outcome", KINDS)
def test_a_korean_story_shows_no_code_of_the_program(outcome: str) -> None:
    for story in some(outcome, 12):
        text = "\n".join(sentences(story, Language.KOREAN, SEOUL))
        words = set(re.findall(r"[A-Za-z][A-Za-z_]*", text))
        assert words & _CODES == set(), text


@pytest.mark.parametrize("outcome", KINDS)
def test_an_english_story_shows_no_code_of_the_program(outcome: str) -> None:
    names = {"ema_cross", "ai_signal"}
    for story in some(outcome, 12):
        shown = {name for name, _, _ in story.rerun.contributions}
        text = "\n".join(sentences(story, Language.ENGLISH, SEOUL))
        words = set(re.findall(r"[A-Za-z]+(?:_[A-Za-z0-9]+)+|\b[A-Z]{3,4}\b", text))
        known = {"BTC", "ETH", "USDT", "KST"}
        assert words - names - shown - known == set(), text


@pytest.mark.parametrize("language", Language)
def test_what_differs_is_told_without_codes_too(copy: "Copy", language: Language) -> None:
    others = [{"strategy": "ai_signal", "direction": 1, "mask": 1 << CODES.index("cooldown")}]
    copy.change("decisions", "detail", json.dumps({"others": others}))
    copy.change("decisions", "mask", 1 << CODES.index("price_collar"))
    at = f"run_id = 1 AND symbol = '{copy.row['symbol']}' AND created_at = '{when(copy.row)}'"
    copy.change("ai_signals_log", "reason", "no_cross", at)
    text = "\n".join(sentences(copy.story(), language, SEOUL))
    assert "ai_signal" in text
    assert not re.search(r"cooldown|price_collar|no_cross|cross_up|cross_down", text), text


# --- asking -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "told_by"),
    [
        ((), "--decision"),
        (("--decision", "1", "--symbol", BTC.symbol, "--at", "2025-03-01T01:00"), "--decision"),
        (("--symbol", BTC.symbol), "--at"),
        (("--decision", "999999"), "there is no decision 999999"),
        (("--decision", "0"), "there is no decision 0"),
        (("--symbol", BTC.symbol, "--at", "yesterday"), "'yesterday'"),
        (("--symbol", BTC.symbol, "--at", "2025-03-01T01:00", "--run", "r9"), "no run r9"),
        (("--symbol", BTC.symbol, "--at", "2025-03-01T01:00", "--run", "x"), "'x'"),
        (("--symbol", "DOGE/USDT", "--at", "2025-03-01T01:00"), "decided nothing about DOGE"),
        (("--run", "r1", "--symbol", BTC.symbol, "--at", "2025-03-01T01:00:30"), "1m"),
    ],
)
def test_an_impossible_question_gets_one_line(
    arguments: tuple[str, ...], told_by: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CTP_VAR_DIR", str(candle_runs()))
    asked = command("why", *arguments)
    assert asked.code == 2
    assert told_by in asked.complaint()


@pytest.mark.parametrize(("locale", "word"), [("ko_KR.UTF-8", "종가"), ("en_US.UTF-8", "Close")])
def test_the_language_is_that_of_the_shell(
    locale: str, word: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CTP_VAR_DIR", str(candle_runs()))
    monkeypatch.setenv("LC_ALL", locale)
    asked = command("why", "--decision", decisions(candle_runs(), "ordered")[0]["id"])
    assert (asked.code, asked.stderr) == (0, "")
    assert word in asked.stdout


# --- tampering ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Copy:
    """An installation that a test may spoil, and one decision of it."""

    var_dir: Path
    row: Row

    def change(self, table: str, column: str, value: Any, where: str = "") -> None:
        clause = where or f"id = {self.row['id']}"
        with closing(sqlite3.connect(self.var_dir / DATABASE)) as connection, connection:
            changed = connection.execute(
                f"UPDATE {table} SET {column} = ? WHERE {clause}",  # noqa: S608
                (value,),
            )
            assert changed.rowcount == 1

    def story(self) -> Story:
        return told(self.var_dir, self.row["id"])

    def found(self) -> list[tuple[str, dict[str, Any]]]:
        """Return what differs and what could not be checked."""
        rerun = self.story().rerun
        return [(f.code, dict(f.values)) for f in (*rerun.differs, *rerun.unchecked)]

    def text(self, language: Language = Language.ENGLISH) -> str:
        return sentences(self.story(), language, SEOUL)[-1]

    def exit_code(self) -> int:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("CTP_VAR_DIR", str(self.var_dir))
            asked = command("why", "--decision", self.row["id"])
            as_json = command("why", "--decision", self.row["id"], "--json")
        assert asked.code == as_json.code
        assert asked.stderr == ""
        return asked.code


@pytest.fixture
def copy(tmp_path: Path) -> Copy:
    """A decision to enter, of a run over candles."""
    var_dir = tmp_path / "var"
    shutil.copytree(candle_runs(), var_dir)
    return Copy(var_dir, decisions(var_dir, "ordered")[3])


@pytest.fixture
def model_copy(tmp_path: Path) -> Copy:
    """A model's decision."""
    var_dir = tmp_path / "var"
    shutil.copytree(model_run(), var_dir)
    return Copy(var_dir, decisions(var_dir, "shadow")[5])


def test_a_changed_verdict_is_named(copy: Copy) -> None:
    copy.change("decisions", "mask", 1 << CODES.index("cooldown"))
    assert copy.found() == [("why.differs.mask", {"now": "-", "then": "cooldown"})]
    assert copy.exit_code() == 1
    assert copy.text().startswith("Decided again, it differs: the rules now refuse")


def test_a_changed_size_is_named(copy: Copy) -> None:
    lots = copy.row["lots"]
    copy.change("decisions", "lots", lots + 7)
    assert copy.found() == [("why.differs.size", {"now": lots, "then": lots + 7})]
    assert copy.text() == (
        f"Decided again, it differs: the size is now {lots} lots, then {lots + 7}"
    )
    assert copy.exit_code() == 1


def test_changed_inputs_are_named_by_what_follows_from_them(copy: Copy) -> None:
    inputs = json.loads(copy.row["inputs"])
    inputs[6] = 2  # the drawdown level of the kill switch
    inputs[24] //= 2  # and half of the equity
    copy.change("decisions", "inputs", json.dumps(inputs))
    found = dict(copy.found())
    assert found["why.differs.mask"] == {"now": "drawdown", "then": "-"}
    assert found["why.differs.size"]["now"] < copy.row["lots"]
    assert copy.exit_code() == 1


@pytest.mark.parametrize("inputs", ["[1, 2]", "not json", '{"a": 1}'])
def test_inputs_that_cannot_be_read_are_no_bug_of_the_program(copy: Copy, inputs: str) -> None:
    copy.change("decisions", "inputs", inputs)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CTP_VAR_DIR", str(copy.var_dir))
        asked = command("why", "--decision", copy.row["id"])
    assert asked.code in (1, 2), asked.stderr  # and not 70, an internal error


def test_a_changed_fingerprint_is_named(copy: Copy) -> None:
    copy.change("decisions", "window_hash", bytes(16))
    ((code, values),) = copy.found()
    assert (code, values["then"]) == ("why.differs.hash", "000000000000")
    assert values["now"] == copy.row["window_hash"].hex()[:12]
    assert copy.exit_code() == 1


@pytest.mark.parametrize(("column", "value"), [("signal_type", "HOLD"), ("reason", "no_cross")])
def test_a_changed_signal_is_named(copy: Copy, column: str, value: str) -> None:
    at = f"run_id = 1 AND symbol = '{copy.row['symbol']}' AND created_at = '{when(copy.row)}'"
    copy.change("ai_signals_log", column, value, at)
    ((code, values),) = copy.found()
    assert (code, values["strategy"]) == ("why.differs.signal", "ema_cross")
    assert value in values["then"]
    assert copy.exit_code() == 1


def when(row: Row) -> str:
    return f"{to_datetime(row['at_ms']):%Y-%m-%d %H:%M:%S.%f}"


@pytest.fixture
def own_run(tmp_path: Path) -> tuple[Copy, Path]:
    """A run over a file of its own, as plain text that can be spoiled."""
    folder = tmp_path / "own"
    folder.mkdir()
    packed = write_candles(folder / "btc.csv.gz", BTC, seed=5, bars=200)
    file = folder / "btc.csv"
    file.write_bytes(gzip.decompress(packed.read_bytes()))
    replay(folder / "var", "--candles", file, "--symbol", BTC.symbol)
    return Copy(folder / "var", decisions(folder / "var", "ordered")[1]), file


def test_a_changed_price_in_the_candle_file_is_seen_and_a_restored_one_is_fine(
    own_run: tuple[Copy, Path],
) -> None:
    copy, file = own_run
    good = file.read_text()
    lines = good.splitlines()
    fields = lines[10].split(",")
    digit = "1" if fields[4][-1] != "1" else "2"
    fields[4] = fields[4][:-1] + digit  # the last digit of a close: the size stays the same
    lines[10] = ",".join(fields)
    file.write_text("\n".join(lines) + "\n")
    assert len(file.read_text()) == len(good)
    story = copy.story()
    assert (story.rerun.status, [f.code for f in story.rerun.unchecked]) == (
        "partly", ["why.unchecked.file"],
    )  # fmt: skip
    assert str(file) in copy.text()
    assert str(file) in copy.text(Language.KOREAN)
    file.write_text(good)
    assert copy.story().rerun.status == "same"
    assert copy.exit_code() == 0


def test_a_lost_candle_file_is_named_and_the_rules_are_decided_again_all_the_same(
    own_run: tuple[Copy, Path],
) -> None:
    copy, file = own_run
    file.unlink()
    assert copy.story().rerun.status == "partly"
    assert str(file) in copy.text()
    copy.change("decisions", "lots", 1)
    assert copy.story().rerun.status == "differs"
    assert copy.exit_code() == 1


def test_what_became_of_a_file_is_said_in_one_whole_sentence(own_run: tuple[Copy, Path]) -> None:
    copy, file = own_run
    file.write_text(file.read_text() + "\n".join(["1740900000000,1,1,1,1,1"]) + "\n")
    # one subject and one verb: the path, and that it is gone or has changed
    assert copy.text().endswith(f"{file} is gone or has changed")


def test_imported_candles_that_were_changed_are_named(tmp_path: Path) -> None:
    file = write_candles(tmp_path / "btc.csv.gz", BTC, seed=5, bars=200)
    var_dir = tmp_path / "var"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CTP_VAR_DIR", str(var_dir))
        asked = ("--symbol", BTC.symbol, "--timeframe", "1m", "--json")
        command("data", "import", file, *asked).result()
    replay(var_dir, "--symbol", BTC.symbol)
    copy = Copy(var_dir, decisions(var_dir, "ordered")[1])
    assert copy.story().rerun.status == "same"
    copy.change("market_data", "volume", "77", "id = 20")
    assert copy.story().rerun.status == "partly"
    assert "database" in copy.text()


def test_a_models_edited_file_is_named(model_copy: Copy) -> None:
    (folder,) = (model_copy.var_dir / "models").iterdir()
    trees = folder / "model_long.txt"
    trees.write_text(trees.read_text().replace("leaf_value=", "leaf_value=0", 1))
    ((code, values),) = model_copy.found()
    assert (code, values["model"]) == ("why.unchecked.model", folder.name[:12])
    assert folder.name[:12] in model_copy.text()
    assert model_copy.exit_code() == 0


def test_a_model_that_is_gone_is_named_and_the_candles_count_as_checked(model_copy: Copy) -> None:
    shutil.rmtree(model_copy.var_dir / "models")
    ((code, _),) = model_copy.found()
    assert code == "why.unchecked.model"
    assert "candles could not be checked" not in model_copy.text()  # they were, and are the same


@pytest.mark.parametrize("column", ["probability", "edge_mbp", "baseline_probability"])
def test_a_changed_prediction_is_named(model_copy: Copy, column: str) -> None:
    row = model_copy.row
    at = f"run_id = 1 AND symbol = '{row['symbol']}' AND created_at = '{when(row)}'"
    model_copy.change("ai_signals_log", column, 123_456, at)
    ((code, values),) = model_copy.found()
    assert code == "why.differs.model"
    assert 123_456 in values["then"]
    assert 123_456 not in values["now"]
    assert model_copy.exit_code() == 1
