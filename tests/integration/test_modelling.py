"""The models of a living session: built for it, asked for beside it, shown on the screen."""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Final

import pytest
from sqlalchemy import Engine as Database
from sqlalchemy import text

from auto_trading import modelling
from auto_trading.bootstrap import RunSpec
from auto_trading.live_model import LiveModel
from auto_trading.live_status import ModelStatus, status_of
from auto_trading.model_shelf import ModelShelf
from auto_trading.model_store import ModelFolder
from auto_trading.modelling import Modelling, model_maker
from auto_trading.training import Trainer
from auto_trading.translation import ai_config
from config.settings import Settings
from crypto_trader_pro.ai.proving import verdict
from crypto_trader_pro.domain.market import Bar
from crypto_trader_pro.simulation.instruments import instrument
from database.candles import Origin
from database.journal import Journal
from tests.builders import HOUR, MINUTE, START_MS, a_bar
from tests.control_plane import FIVE_MINUTES, Market, settings, until
from tests.databases import Opener
from tests.living import Monitor
from tests.rhythm import BTC, ETH, model_settings
from tests.rows import stored_run
from utils.clocks import SimulatedClock

NOW: Final = datetime(2030, 1, 1, tzinfo=UTC)
SETTINGS: Final = model_settings()
ITEMS: Final = (instrument(BTC), instrument(ETH))
CFG: Final = ai_config(SETTINGS, ITEMS)
ORIGIN: Final = Origin("demo-7", "demo")
HANGS: Final = "import time; time.sleep(600)"


class Source(Market):
    """A market at 01:30 of its first day."""

    def clock(self) -> SimulatedClock:
        return SimulatedClock(START_MS + 90 * MINUTE)


@pytest.fixture
def database(migrated_file: Path, tmp_path: Path, opened: Opener) -> Database:
    file = tmp_path / "database.db"
    file.write_bytes(migrated_file.read_bytes())
    return opened(f"sqlite:///{file}", durable=False)


def a_spec(folder: Path) -> RunSpec:
    return RunSpec(1, ITEMS, ("ai_signal",), FIVE_MINUTES, 300_000, SETTINGS, folder)


def a_status(facts: dict[str, Any] | None = None) -> ModelStatus:
    """Return the status at 00:00 of the first day; without facts a model is wanted."""
    proving = verdict([], START_MS, CFG)
    return status_of(
        facts, START_MS, CFG, proving, symbols=2, ready=1, short=(), can_be_filled=False,
        lost_model="", lost_windows=(),
    )  # fmt: skip


# --- the model of a session ---------------------------------------------------------------------


def a_journal(database: Database) -> Journal:
    run_id = stored_run(database, symbols=[BTC, ETH])
    return Journal(database, run_id, ITEMS, epoch=0, config_hash="c0ffee", now=lambda: NOW, batch=1)


def a_model(database: Database, folder: Path, *, keeps: bool = True) -> tuple[LiveModel, Journal]:
    journal = a_journal(database)
    shelf = ModelShelf(ModelFolder(folder / "models"))
    made = model_maker(database, ORIGIN, shelf, keeps=keeps)(a_spec(folder), journal)
    assert isinstance(made, LiveModel)
    return made, journal


def five_minutes(k: int, price: int) -> Bar:
    return a_bar(k, price, volume=10, bar_ms=FIVE_MINUTES)


def play_an_hour(model: LiveModel, prices: Sequence[int], hour: int = 0) -> None:
    """Let BTC close twelve candles of five minutes; ETH has none."""
    monitor = Monitor()
    for k, price in enumerate(prices, 12 * hour):
        bars = [five_minutes(k, price), None]
        model.observe(START_MS + (k + 1) * FIVE_MINUTES, monitor.show(bars))


def test_a_whole_hour_is_kept_with_the_commit_and_read_back(
    database: Database, tmp_path: Path
) -> None:
    model, journal = a_model(database, tmp_path)
    play_an_hour(model, [1000, 1200, *[1100] * 8, 900, 1050])
    assert [len(s) for s in model._reload(START_MS, START_MS + HOUR)] == [0, 0]
    journal.commit(START_MS + HOUR, "{}")
    btc, eth = model._reload(START_MS, START_MS + HOUR)
    # opens at 1000, highest 1200, lowest 900, closes at 1050, 12 x 10 lots
    assert list(btc.bars()) == [Bar(START_MS, 1000, 1200, 900, 1050, 120)]
    assert (btc.symbol, btc.timeframe_ms, eth.symbol, len(eth)) == (BTC, HOUR, ETH, 0)
    with database.connect() as c:
        rows = c.execute(text("SELECT venue, source, symbol, timeframe FROM market_data")).all()
    assert [tuple(row) for row in rows] == [("demo-7", "demo", BTC, "1h")]


def test_the_window_is_read_back_from_and_to_where_it_is_asked(
    database: Database, tmp_path: Path
) -> None:
    model, journal = a_model(database, tmp_path)
    for hour in range(3):
        play_an_hour(model, [1000 + hour] * 12, hour)
    journal.commit(START_MS + 3 * HOUR, "{}")
    btc, _ = model._reload(START_MS + HOUR, START_MS + 2 * HOUR)
    assert btc.open.tolist() == [1001]


def test_candles_that_are_stored_already_are_not_kept_again(
    database: Database, tmp_path: Path
) -> None:
    model, journal = a_model(database, tmp_path, keeps=False)
    play_an_hour(model, [1000] * 12)
    journal.commit(START_MS + HOUR, "{}")
    assert [len(s) for s in model._reload(0, START_MS + HOUR)] == [0, 0]


def test_a_session_keeps_its_hours_under_the_venue_and_the_name_of_its_source(
    database: Database, beside: Callable[[str], "Beside"]
) -> None:
    one = beside(HANGS)
    journal = a_journal(database)
    model = one.models.make(a_spec(one.folder), journal)
    assert isinstance(model, LiveModel)
    play_an_hour(model, [1000] * 12)
    journal.commit(START_MS + HOUR, "{}")
    with database.connect() as c:
        rows = c.execute(text("SELECT venue, source FROM market_data")).all()
    assert [tuple(row) for row in rows] == [("demo-7", "demo")]


# --- training beside it -------------------------------------------------------------------------


class Beside:
    """A modelling whose child does what a test says."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.folder = folder
        self.settings: Settings = SETTINGS
        self.failures: list[str] = []
        self.models = Modelling(
            a_spec(folder), Source(), database, "sqlite:///of-the-child", lambda: self.settings,
            self.failures.append,
        )  # fmt: skip

    def shown(self) -> dict[str, Any]:
        view = self.models.view(a_status())
        assert view is not None
        return dict(view)


@pytest.fixture
def beside(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[str], Beside]]:
    made: list[Beside] = []

    def make(program: str) -> Beside:
        command = (sys.executable, "-S", "-c", program)
        monkeypatch.setattr(modelling, "Trainer", partial(Trainer, command=command))
        made.append(Beside(database, tmp_path))
        return made[-1]

    yield make
    for each in made:
        each.models.close()


def test_a_request_says_what_is_traded_now_up_to_the_last_whole_hour(
    beside: Callable[[str], Beside],
) -> None:
    one = beside(HANGS)
    one.settings = settings(strategies__ai_signal__horizon_bars=30)  # changed since the start
    request = one.models._request("due")
    cfg = ai_config(one.settings, ITEMS)
    assert (request.reason, request.timeframe_ms, request.config_hash) == ("due", HOUR, cfg.hash())
    assert request.config_hash != CFG.hash()
    spec = request.spec
    assert spec.cutoff_ms == START_MS + HOUR  # 01:30, of which 01:00 is whole
    assert (spec.source, spec.symbols) == ("demo", (BTC, ETH))
    assert spec.settings == one.settings.canonical_json()
    assert (spec.var_dir, spec.database_url) == (str(one.folder), "sqlite:///of-the-child")
    assert spec.deadline_seconds == 1800.0


def test_a_person_can_ask_for_one_run_at_a_time(beside: Callable[[str], Beside]) -> None:
    one = beside(HANGS)
    assert one.shown()["training"] == ""
    assert one.models.train_now()
    assert not one.models.train_now()
    one.models.consider(a_status())  # it wants one, and one is under way
    assert one.shown()["training"] == "asked"
    assert one.models.take() is None
    began = time.monotonic()
    one.models.close()
    assert time.monotonic() - began < 5.0
    assert not one.models.train_now()
    assert one.failures == []


def test_a_run_begins_when_the_model_wants_one_and_only_then(
    beside: Callable[[str], Beside], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    one = beside(HANGS)
    one.models.consider(None)
    month = 31 * 24 * HOUR
    facts = {
        "model_id": "m1", "trained_at": START_MS, "expires_at": START_MS + month,
    }  # fmt: skip
    one.models.consider(a_status(facts))  # trained this very moment
    assert one.shown()["training"] == ""
    one.models.consider(a_status())
    assert one.shown()["training"] == "no_model"
    assert "training begins: no_model" in caplog.text


def test_a_run_that_fails_is_told_and_shown(beside: Callable[[str], Beside]) -> None:
    one = beside("import sys; print('no memory'); sys.exit(3)")
    assert one.models.train_now()
    until(lambda: one.failures, what="the failure")
    (line,) = one.failures
    assert line.endswith("(exit code 3): no memory")
    shown = one.shown()
    assert (shown["training"], shown["training_seconds"], shown["failure"]) == ("", 0.0, line)


def test_the_screen_shows_the_model_in_use(beside: Callable[[str], Beside]) -> None:
    one = beside(HANGS)
    assert one.models.view(None) is None
    facts = {
        "model_id": "m1", "trained_at": START_MS, "expires_at": START_MS + 60 * 24 * HOUR,
    }  # fmt: skip
    assert one.models.view(a_status(facts)) == {
        "code": "few_trades", "model_id": "m1", "trained_ms": START_MS,
        "due_ms": START_MS + 31 * 24 * HOUR,  # a month later: 2024-02-01
        "expires_ms": START_MS + 60 * 24 * HOUR, "ready_symbols": 1, "symbols": 2,
        "training": "", "training_seconds": 0.0, "training_done": 0, "training_models": 0,
        "failure": "",
        "proving": {
            "open": False, "code": "few_trades", "shadow_trades": 0, "needed_trades": 200,
            "weeks": 0, "expected_bp": None, "realized_bp": None, "interval_bp": None,
            "lower_bp": None,
        },
    }  # fmt: skip


def test_the_screen_shows_how_far_a_run_has_come(beside: Callable[[str], Beside]) -> None:
    one = beside(
        "import pathlib, sys, time; f = pathlib.Path(sys.argv[1]).parent;"
        """ (f/'PROGRESS.json').write_text('{"done": 3, "models": 7}'); time.sleep(60)"""
    )
    assert one.models.train_now()
    until(lambda: one.shown()["training_models"] == 7, what="the progress")
    assert one.shown()["training_done"] == 3
