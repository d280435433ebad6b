"""Training in a child process: what it brings, and that nothing it does can hold the engine up."""

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest

from auto_trading import training_process
from auto_trading.aggregation import aggregate
from auto_trading.history_sources import HistorySource, history_source
from auto_trading.live_status import ModelStatus
from auto_trading.model_shelf import ModelShelf
from auto_trading.model_store import ModelFolder
from auto_trading.training import Request, Trainer
from auto_trading.training_history import TrainingHistory, Wanted
from auto_trading.training_spec import (
    RESULT,
    TrainingSpec,
    read_result,
    read_windows,
    write_json,
    write_windows,
)
from auto_trading.translation import ai_config
from config.settings import Settings
from crypto_trader_pro.ai import proving
from crypto_trader_pro.ai.candle_features import WINDOW
from crypto_trader_pro.ai.config import AiConfig
from crypto_trader_pro.ai.live_record import SkillSums
from crypto_trader_pro.domain.errors import ConfigError, GatewayUnavailable, InputError
from crypto_trader_pro.domain.market import CandleSeries
from crypto_trader_pro.simulation.demo_market import ZERO_MS
from crypto_trader_pro.simulation.instruments import instrument
from database import candles
from database.auto_trading_db import open_database, prepare, unit_of_work
from tests.builders import HOUR
from tests.living import Living, Replayed, feed
from tests.market_data import ROOT
from tests.rhythm import SYMBOLS, a_folder, halved, market, model_settings
from tests.training_sources import Rhythm

SETTINGS: Final = model_settings()
CFG: Final[AiConfig] = ai_config(SETTINGS, [instrument(s) for s in SYMBOLS])
FIRST_MS: Final = 1_709_168_400_000  # 2024-02-29 01:00 UTC: when a replay trains its first model
LENGTH: Final = WINDOW + CFG.horizon


def a_spec(folder: Path, source: str = "tests.training_sources:rhythm") -> TrainingSpec:
    """Return a spec whose database is there, as a running engine's is."""
    database = open_database(f"sqlite:///{folder / 'candles.db'}", durable=False)
    prepare(database)
    database.dispose()
    return TrainingSpec(
        source, SETTINGS.canonical_json(), SYMBOLS, FIRST_MS, str(folder),
        f"sqlite:///{folder / 'candles.db'}", 300.0,
    )  # fmt: skip


def a_request(folder: Path, reason: str = "no_model", **changes: Any) -> Request:
    return Request(replace(a_spec(folder), **changes), reason, HOUR, CFG.hash())


class Watched:
    """A trainer whose failures are kept, with a clock that a test can move."""

    def __init__(self, folder: Path, **tools: Any) -> None:
        self.folder = folder
        self.failures: list[str] = []
        self.shelf = ModelShelf(ModelFolder(folder / "models"))
        self.ahead = 0.0
        self.trainer = Trainer(
            folder / "training", self.shelf, self.failures.append,
            monotonic=lambda: time.monotonic() + self.ahead, **tools,
        )  # fmt: skip

    def ended(self, seconds: float = 120.0) -> dict[str, Any] | None:
        """Wait for the run's end; return the facts if it brought any."""
        deadline = time.monotonic() + seconds
        while self.trainer.state.running:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        return self.trainer.take()


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Callable[..., Watched]]:
    made: list[Watched] = []

    def make(program: str | None = None, **tools: Any) -> Watched:
        if program is not None:
            tools["command"] = (sys.executable, "-c", program)
        made.append(Watched(tmp_path, **tools))
        return made[-1]

    yield make
    for each in made:
        each.trainer.close()


@cache
def brought() -> tuple[Path, dict[str, Any], ModelShelf]:
    """A real run in a real child: its folder, its facts, and the shelf its model stands on."""
    folder = a_folder()
    run = Watched(folder)
    # beside other tests the lowest priority would be none at all
    assert run.trainer.train_now(a_request(folder, gives_way=False))
    assert not run.trainer.train_now(a_request(folder))  # one at a time
    facts = run.ended()
    state = run.trainer.state
    run.trainer.close()
    assert run.failures == []
    assert facts is not None
    assert (state.running, state.failures, state.failure) == ("", 0, "")
    return folder, facts, run.shelf


@cache
def replayed() -> Replayed:
    return Replayed(market(), CFG, a_folder())


# --- what a run brings --------------------------------------------------------------------------


def test_the_child_trains_the_very_model_of_a_replay() -> None:
    _, facts, shelf = brought()
    row = replayed().trained[FIRST_MS]
    assert facts["model_id"] == row["model_id"]
    assert {k: facts[k] for k in row if k not in ("metrics", "training_seconds")} == {
        k: row[k] for k in row if k not in ("metrics", "training_seconds")
    }
    assert shelf.model(facts["model_id"]).id == facts["model_id"]
    assert json.loads(json.dumps(facts)) == facts
    assert not list((brought()[0] / "training").iterdir())  # its files are gone


def living(facts: dict[str, Any], shelf: ModelShelf, folder: Path) -> Living:
    """A living model that has seen nothing yet and has just been given its first model."""
    made = Living(SYMBOLS, CFG, folder / "models", bar_ms=HOUR)
    made.store.came = {facts["model_id"]: shelf.windows(facts["model_id"]) or ()}
    assert made.model.install(facts)
    return made


def test_with_its_candles_a_fresh_session_says_at_once_what_a_replay_says() -> None:
    folder, facts, shelf = brought()
    fresh = living(facts, shelf, folder)
    wished = 0
    for close_ms, bars in feed(market())[(FIRST_MS - market()[0].open_ms[0]) // HOUR :][:200]:
        said = fresh.take(int(close_ms), bars)
        expected = replayed().said[int(close_ms)]
        # a replay has no record at its first model; this one has none either: a month is too short
        assert said == expected
        wished += sum(s.direction != 0 for s in said)
    assert wished > 50
    assert fresh.model.status.ready == 2
    assert fresh.book.trained == [facts]


def stored(folder: Path, from_ms: int, to_ms: int) -> list[CandleSeries]:
    database = open_database(f"sqlite:///{folder / 'candles.db'}", read_only=True)
    try:
        with unit_of_work(database) as session:
            origin = candles.Origin("tests", "rhythm")
            return [candles.load(session, instrument(s), HOUR, origin, from_ms=from_ms, to_ms=to_ms)
                    for s in SYMBOLS]  # fmt: skip
    finally:
        database.dispose()


def test_a_repeated_session_takes_the_candles_from_the_store() -> None:
    folder, facts, _ = brought()
    again = Living(SYMBOLS, CFG, folder / "models", bar_ms=HOUR)
    asked = []

    def reload(from_ms: int, to_ms: int) -> list[CandleSeries]:
        asked.append((to_ms - from_ms) // HOUR)
        return stored(folder, from_ms, to_ms)

    again.store.reload = reload  # type: ignore[method-assign]
    again.model = again.made()
    assert again.model.install(facts)
    assert asked == [LENGTH]
    close_ms, bars = feed(market())[(FIRST_MS - market()[0].open_ms[0]) // HOUR]
    assert again.take(int(close_ms), bars) == replayed().said[int(close_ms)]
    # other candles than those that came with the model are refused
    other = Living(SYMBOLS, CFG, folder / "models", bar_ms=HOUR)
    other.store.reload = lambda a, b: stored(folder, a, b - HOUR)  # type: ignore
    other.model = other.made()
    with pytest.raises(InputError, match=r"BTC/USDT:USDT: the stored candles before 1709168400000"):
        other.model.install(facts)


def test_a_model_of_other_settings_is_not_used() -> None:
    folder, facts, _ = brought()
    other = Living(SYMBOLS, replace(CFG, horizon=12), folder / "models", bar_ms=HOUR)
    assert not other.model.install(facts)
    assert other.book.trained == []
    assert other.model.status.code == "no_model"


def test_with_enough_history_the_skill_gate_has_a_record(tmp_path: Path) -> None:
    """In this process: models of 29 February and 31 March, trained at the end of April."""
    spec = replace(a_spec(tmp_path), cutoff_ms=int(market()[0].open_ms[-1]) + HOUR)
    (tmp_path / "run").mkdir()
    facts = training_process.trained(spec, tmp_path / "run")
    long = SkillSums.of(facts["record"]["long"])
    assert long.rows > 1_000
    assert long.skill * 100 == pytest.approx(facts["metrics"]["model"]["long"]["brier_skill_pct"],
                                             abs=0.001)  # fmt: skip
    fresh = Living(SYMBOLS, CFG, tmp_path / "models", bar_ms=HOUR)
    windows = read_windows(tmp_path / "run", SYMBOLS, HOUR)
    fresh.store.came = {facts["model_id"]: windows}
    assert fresh.model.install(facts)
    shown = fresh.model.report()["brier_skill_gate_pct"]
    assert shown["long"] == pytest.approx(long.skill * 100, abs=0.001)
    assert [len(w) for w in windows] == [LENGTH, LENGTH]


# --- history ------------------------------------------------------------------------------------


def a_history(folder: Path, sleep: Callable[[float], None] = time.sleep) -> TrainingHistory:
    database = open_database(f"sqlite:///{folder / 'candles.db'}", durable=False)
    prepare(database)
    return TrainingHistory(database, Rhythm(a_spec(folder)), sleep)


def asked(folder: Path) -> list[tuple[int, int]]:
    lines = (folder / "asked").read_text().splitlines()
    return [(int(a), int(b)) for _, a, b in (line.split() for line in lines)]


def test_only_what_is_not_stored_is_asked_for(tmp_path: Path) -> None:
    btc, start = instrument(SYMBOLS[0]), int(market()[0].open_ms[0])
    history = a_history(tmp_path)
    first = history.load(btc, Wanted(HOUR, start, start, start + 100 * HOUR))
    assert len(first) == 100
    again = history.load(btc, Wanted(HOUR, start, start, start + 130 * HOUR))
    assert len(again) == 130
    assert asked(tmp_path) == [(start, start + 100 * HOUR),
                               (start + 100 * HOUR, start + 130 * HOUR)]  # fmt: skip
    assert again.close.tolist() == market()[0].close[:130].tolist()
    # a hole is asked for again
    later = start + 200 * HOUR
    history.load(btc, Wanted(HOUR, later, later, later + 10 * HOUR))
    whole = history.load(btc, Wanted(HOUR, start, start, later + 10 * HOUR))
    assert asked(tmp_path)[-1] == (start + 130 * HOUR, later)
    assert len(whole) == 210


def test_what_is_stored_wins(tmp_path: Path) -> None:
    btc, start = instrument(SYMBOLS[0]), int(market()[0].open_ms[0])
    history = a_history(tmp_path)
    cut = market()[0].slice(0, 5)
    seen = CandleSeries(cut.symbol, HOUR, cut.open_ms, cut.open, cut.high, cut.low, cut.close,
                        cut.volume + 1)  # fmt: skip
    with unit_of_work(history._database) as session:
        candles.store(session, seen, btc, candles.Origin("tests", "rhythm"))
    found = history.load(btc, Wanted(HOUR, start, start, start + 8 * HOUR))
    assert found.volume[:5].tolist() == seen.volume.tolist()
    assert found.volume[5:].tolist() == market()[0].volume[5:8].tolist()


def test_of_a_source_that_is_computed_only_the_window_is_stored(tmp_path: Path) -> None:
    history = a_history(tmp_path)
    history._keeps_all = False
    btc, start = instrument(SYMBOLS[0]), int(market()[0].open_ms[0])
    wanted = Wanted(HOUR, start, start + 60 * HOUR, start + 100 * HOUR)
    assert len(history.load(btc, wanted)) == 100
    assert [len(s) for s in stored(tmp_path, 0, 2**42)] == [40, 0]
    assert len(history.load(btc, wanted)) == 100  # the same again


def test_a_source_that_is_down_is_asked_a_few_times(tmp_path: Path) -> None:
    pauses: list[float] = []
    history = a_history(tmp_path, pauses.append)
    history._source = history_source(
        a_spec(tmp_path, "tests.training_sources:dead"), SETTINGS, [], history._database
    )
    with pytest.raises(GatewayUnavailable, match="the venue is down"):
        history.load(instrument(SYMBOLS[0]), Wanted(HOUR, 0, 0, HOUR))
    assert pauses == [2.0, 4.0, 8.0]


def a_source(folder: Path, name: str, settings: Settings = SETTINGS) -> HistorySource:
    items = [instrument(s) for s in SYMBOLS]
    database = open_database(f"sqlite:///{folder / 'candles.db'}", durable=False)
    return history_source(a_spec(folder, name), settings, items, database)


def test_the_demo_market_has_a_past_that_adds_up(tmp_path: Path) -> None:
    demo = a_source(tmp_path, "demo")
    assert (demo.name, demo.venue) == ("demo", f"demo-{SETTINGS.market_data.demo_seed}")
    past = demo.history(SYMBOLS[0], HOUR, ZERO_MS - 9 * HOUR, ZERO_MS + HOUR)
    assert len(past) == 10
    # what a session puts together from finer candles is what training was given
    fine = demo.history(SYMBOLS[0], HOUR // 12, ZERO_MS - 9 * HOUR, ZERO_MS + HOUR)
    assert aggregate(fine, HOUR).bars() == past.bars()


def test_imported_candles_are_put_together_where_they_are_finer(tmp_path: Path) -> None:
    settings = model_settings(engine__timeframe="30m", engine__trading_interval=1800)
    source = a_source(tmp_path, "replay", settings)
    origin = candles.Origin(settings.market_data.venue, "replay")
    database = open_database(f"sqlite:///{tmp_path / 'candles.db'}", durable=False)
    halves, whole = halved(market()[0].slice(0, 10)), market()[1].slice(0, 10)
    with unit_of_work(database) as session:
        candles.store(session, halves, instrument(SYMBOLS[0]), origin)
        candles.store(session, whole, instrument(SYMBOLS[1]), origin)
    start = int(whole.open_ms[0])
    for i in (0, 1):
        found = source.history(SYMBOLS[i], HOUR, start + HOUR, start + 8 * HOUR)
        assert found.bars() == market()[i].slice(1, 8).bars()
    assert (source.name, source.venue) == ("replay", settings.market_data.venue)


def test_the_exchange_is_not_asked_before_it_must_and_an_unknown_source_is_refused(
    tmp_path: Path,
) -> None:
    assert a_source(tmp_path, "exchange").name == "exchange"
    with pytest.raises(ConfigError, match=r"training source was 'moon', allowed: demo, exchange"):
        a_source(tmp_path, "moon")


# --- children that go wrong ---------------------------------------------------------------------

_RESULT: Final = (
    "import json,pathlib,sys; f=pathlib.Path(sys.argv[1]).parent;"
    " (f/'RESULT.json').write_text({text})"
)


@pytest.mark.parametrize(
    ("program", "said"),
    [
        ("import os; os.kill(os.getpid(), 9)", r"no result .*exit code -9\): it printed nothing"),
        ("raise SystemExit('out of memory')", r"no result .*exit code 1\): out of memory"),
        ("pass", r"training left no result that can be read: .*exit code 0"),
        (_RESULT.format(text="'{\"facts\": '"), "no result that can be read: Expecting value"),
        (_RESULT.format(text="'[]'"), "training left a result without facts"),
        (_RESULT.format(text="'{\"facts\": {}}'"), r"facts that cannot be used: KeyError"),
        (_RESULT.format(text="'{\"facts\": 7}'"), r"facts that cannot be used: TypeError"),
        (_RESULT.format(text='\'{"failure": "2 months"}\''), "^training: 2 months$"),
    ],
)
def test_a_child_that_goes_wrong_costs_one_line(
    watched: Callable[..., Watched], tmp_path: Path, program: str, said: str
) -> None:
    run = watched(program)
    assert run.trainer.train_now(a_request(tmp_path))
    assert run.ended() is None
    (line,) = run.failures
    assert pytest.raises(AssertionError, match=said).matches(AssertionError(line)), line
    assert run.trainer.state.failure == line


def with_facts(changes: dict[str, Any]) -> str:
    """Return a program that leaves the real run's facts with some of them changed."""
    facts = brought()[1]
    nested = {k: {**facts[k], **v} if isinstance(v, dict) else v for k, v in changes.items()}
    return _RESULT.format(text=repr(json.dumps({"facts": {**facts, **nested}})))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"config_hash": "0" * 64}, "is of settings 000000000000, needed: "),
        ({"record": {"long": [-1, 0, 0.0]}}, "the record of long was"),
        ({"expires_at": "soon"}, "expires_at was 'soon', allowed: milliseconds"),
        ({}, "candles that came with the model cannot be read"),
    ],
)
def test_facts_that_cannot_be_used_never_reach_the_engine(
    watched: Callable[..., Watched], tmp_path: Path, changes: dict[str, Any], said: str
) -> None:
    run = watched(with_facts(changes))
    assert run.trainer.train_now(a_request(tmp_path))
    assert run.ended() is None
    assert said in run.failures[0]


def test_candles_that_are_not_those_of_the_facts_are_refused(
    watched: Callable[..., Watched], tmp_path: Path
) -> None:
    """The files of a run whose candles were changed after its facts were written."""
    folder, facts, shelf = brought()
    (tmp_path / "run").mkdir()
    write_json(tmp_path / "run" / RESULT, {"facts": facts})
    windows = [w.slice(0, len(w) - 1) for w in shelf.windows(facts["model_id"]) or ()]
    write_windows(tmp_path / "run", windows)
    with pytest.raises(InputError, match="that came with the model are not those it says"):
        watched("pass").trainer._loaded(a_request(folder), tmp_path / "run", 0)


def test_a_hung_child_is_ended_and_the_loop_beside_it_never_waits(
    watched: Callable[..., Watched], tmp_path: Path
) -> None:
    run = watched("import time; time.sleep(600)", deadline_seconds=0.6)
    took: list[float] = []
    assert run.trainer.train_now(a_request(tmp_path))
    while run.trainer.state.running:
        began = time.perf_counter()
        assert run.trainer.take() is None
        assert not run.trainer.consider(a_status("no_model"), lambda _: a_request(tmp_path))
        took.append(time.perf_counter() - began)
        time.sleep(0.001)
    assert run.failures == ["training took longer than 0.6 s: ended"]
    assert len(took) > 50
    assert statistics.median(took) < 0.001


def test_closing_ends_the_child(watched: Callable[..., Watched], tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    program = f"import os,time; open({str(pid_file)!r},'w').write(str(os.getpid()));time.sleep(600)"
    run = watched(program)
    assert run.trainer.train_now(a_request(tmp_path))
    deadline = time.monotonic() + 20
    while not pid_file.exists() or not pid_file.read_text():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    run.trainer.close()
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid_file.read_text()), 0)
    assert run.failures == []
    assert not run.trainer.train_now(a_request(tmp_path))


def test_a_folder_that_cannot_be_written_costs_one_line(
    watched: Callable[..., Watched], tmp_path: Path
) -> None:
    run = watched("pass")
    (tmp_path / "training").write_text("a file, no folder")
    assert run.trainer.train_now(a_request(tmp_path))
    assert run.ended() is None
    assert "Not a directory" in run.failures[0] or "File exists" in run.failures[0]


def test_an_error_nobody_thought_of_leaves_the_trainer_alive(
    watched: Callable[..., Watched], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = watched("pass")

    def broken(*_: object) -> None:
        raise RuntimeError("odd")

    monkeypatch.setattr(run.trainer, "_child", broken)
    for _ in range(2):
        assert run.trainer.train_now(a_request(tmp_path))
        assert run.ended() is None
    assert run.failures == ["training failed: RuntimeError('odd')"] * 2


# --- the schedule -------------------------------------------------------------------------------


def a_status(wants: str) -> ModelStatus:
    verdict = proving.verdict([], 0, CFG)
    return ModelStatus("no_model", "", 0, 0, 0, 2, 0, (), "", (), verdict, wants)


def test_after_a_failure_the_next_try_waits_ever_longer(
    watched: Callable[..., Watched], tmp_path: Path
) -> None:
    run = watched("raise SystemExit('no')")
    waits = []
    for _ in range(4):
        waited = 0
        while not run.trainer.consider(a_status("no_model"), lambda r: a_request(tmp_path, r)):
            run.ahead += 10.0
            waited += 10
        waits.append(waited)
        run.ended()
    assert waits == [0, 30, 60, 120]
    assert not run.trainer.consider(a_status(""), lambda r: a_request(tmp_path, r))
    run.ahead += 10_000.0
    assert not run.trainer.consider(a_status(""), lambda r: a_request(tmp_path, r))
    assert len(run.failures) == 4


def test_gaps_are_filled_every_ten_minutes_at_most(
    watched: Callable[..., Watched], tmp_path: Path
) -> None:
    run = watched("raise SystemExit('no')")
    assert run.trainer.consider(a_status("gap"), lambda r: a_request(tmp_path, r))
    run.ended()
    run.ahead += 590.0
    assert not run.trainer.consider(a_status("gap"), lambda r: a_request(tmp_path, r))
    run.ahead += 10.0
    assert run.trainer.consider(a_status("gap"), lambda r: a_request(tmp_path, r))


# --- the child itself ---------------------------------------------------------------------------


def test_the_child_gives_way_and_leaves_a_failure_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = a_spec(tmp_path, "tests.training_sources:dead")
    monkeypatch.setenv("CTP_DATABASE_URL", spec.database_url)  # as the trainer does
    folder = tmp_path / "run"
    folder.mkdir()
    path = replace(spec, cutoff_ms=int(market()[0].open_ms[0])).write(folder)
    program = (
        "import os, sys, time; from pathlib import Path; time.sleep = lambda _: None;"
        " from auto_trading import training_process as t;"
        " code = t.main(Path(sys.argv[1])); print(code, os.nice(0), os.sched_getscheduler(0))"
    )
    said = subprocess.run(
        [sys.executable, "-c", program, str(path)], cwd=ROOT, capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    assert said.stdout.split() == ["1", "19", str(os.SCHED_IDLE)]
    assert read_result(folder) == {"failure": "the venue is down"}
    assert (folder / RESULT).exists()
    assert TrainingSpec.read(path).symbols == SYMBOLS
    assert spec.database_url not in path.read_text()  # it may hold a password


def test_the_child_in_this_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the child does at its beginning and end, without lowering this process."""
    alarms: list[int] = []
    monkeypatch.setattr("signal.alarm", alarms.append)
    monkeypatch.setattr(training_process, "give_way", lambda: None)
    monkeypatch.setattr(training_process, "trained", lambda spec, folder: {"model_id": spec.source})
    monkeypatch.setenv("CTP_DATABASE_URL", "sqlite:///candles.db")
    assert training_process.main(a_spec(tmp_path).write(tmp_path)) == 0
    assert read_result(tmp_path) == {"facts": {"model_id": "tests.training_sources:rhythm"}}
    assert alarms == [300]
