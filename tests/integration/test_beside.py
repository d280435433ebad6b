"""Store, jobs and training beside a session, without a process of their own."""

import logging
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any, Final, cast

import pytest
from sqlalchemy import text

from auto_trading import modelling
from auto_trading.beside import Beside
from auto_trading.bootstrap import RunSpec
from auto_trading.flags import Flags
from auto_trading.job_tools import Difference, JobRun
from auto_trading.operations import Answer
from auto_trading.shared import Databases, Shared
from auto_trading.switchboard import Switchboard
from auto_trading.training import Trainer
from auto_trading.worker import Seen, Worker
from config.environment import Environment
from crypto_trader_pro.domain.enums import CommandKind, NotificationType
from crypto_trader_pro.domain.errors import InputError
from crypto_trader_pro.domain.messages import MarketFacts, MarketSlice
from crypto_trader_pro.domain.ports import Notice
from crypto_trader_pro.simulation.instruments import instrument
from tests.builders import START_MS, USDT, a_bar, a_round_instrument, finished
from tests.control_plane import FIVE_MINUTES, NOW, Market, until
from tests.engines import Plan, Script, wish
from tests.integration.test_modelling import a_status
from tests.rhythm import BTC, ETH, model_settings
from tests.rows import stored_run
from tests.sessions import Life, a_life, closed, tick
from utils.clocks import SystemClock
from utils.failure_log import FailureLog
from utils.logging import LoggingHandle, _QueueHandler
from utils.notifications import NotificationManager
from utils.redaction import Redactor

log = logging.getLogger("test")
SETTINGS: Final = model_settings(engine__language="en")
ITEMS: Final = (instrument(BTC), instrument(ETH))


class Outbox:
    def __init__(self) -> None:
        self.notices: list[Notice] = []

    def add(self, notices: Sequence[Notice]) -> None:
        self.notices.extend(notices)


class Hand:
    """As much of a worker as is asked for from beside."""

    def __init__(self, life: Life) -> None:
        self.life = life
        self.seen: Seen | None = None
        self.waited: list[float] = []

    def show(self, model_id: str | None = None) -> None:
        facts = {"model_id": model_id, "trained_at": START_MS, "expires_at": START_MS * 2}
        status = a_status(None if model_id is None else facts)
        self.seen = Seen(self.life.session.engine.account(), {}, False, status)

    def look(self, look: Callable[[Any], Any], timeout: float) -> Any:
        self.waited.append(timeout)
        return finished(look(self.life.session))


class World:
    """A `Beside` with everything it shares, on an SQLite file."""

    def __init__(self, folder: Path, file: Path, stack: ExitStack) -> None:
        (folder / "database.db").write_bytes(file.read_bytes())
        url = f"sqlite:///{folder / 'database.db'}"
        environment = Environment.read({"CTP_VAR_DIR": str(folder), "CTP_DATABASE_URL": url})
        databases = Databases.open(url, stack)
        self.database = databases.background
        self.outbox = Outbox()
        notifications = NotificationManager(SETTINGS, self.outbox, SystemClock())
        stack.callback(notifications.close, 1.5)
        self.source = Market()
        self.run_id = stored_run(self.database, symbols=[BTC, ETH])
        self.worker: Hand | None = None
        self.stack = stack.enter_context(ExitStack())
        spec = RunSpec(self.run_id, ITEMS, ("ai_signal",), FIVE_MINUTES, 300_000, SETTINGS, folder)
        self.shared = Shared(
            environment, SETTINGS, databases, 1, Flags(folder), Switchboard(), notifications,
            cast("LoggingHandle", None), now=lambda: NOW,
        )  # fmt: skip
        self.beside = Beside(
            self.shared, self.source, spec, lambda: cast("Worker | None", self.worker), self.stack
        )

    def a_worker(self) -> Hand:
        """Let there be a worker whose session bought 10 BTC at 100."""
        says = Script({(BTC, 1): wish(1, stop=20)})
        plan = Plan([says], (a_round_instrument(BTC),), cash=100_000 * USDT)
        life = a_life(plan, self.database)
        life.ask(CommandKind.START)
        life.take(closed(0, 100), closed(1, 100), tick(2, 5, 100))
        self.worker = Hand(life)
        return self.worker

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with self.database.connect() as c:
            return [tuple(row) for row in c.execute(text(query))]

    def notices(self) -> list[tuple[NotificationType, str, str]]:
        self.shared.notifications.close(1.5)
        return [(n.kind, n.severity, n.message) for n in self.outbox.notices]


@pytest.fixture
def world(tmp_path: Path, migrated_file: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    command = (sys.executable, "-S", "-c", "import time; time.sleep(600)")
    monkeypatch.setattr(modelling, "Trainer", partial(Trainer, command=command))
    with ExitStack() as stack:
        yield World(tmp_path, migrated_file, stack)


# --- store --------------------------------------------------------------------------------------


def test_a_heartbeat_tells_of_source_and_queues(world: World) -> None:
    logs = LoggingHandle(_QueueHandler(10, SystemClock()), {}, Redactor(()), FailureLog(log))
    world.shared.logs = logs
    world.source.age = 2.34567
    assert world.beside.view() == {
        "feed_age_seconds": 2.346,
        "venues": {
            "demo-7": {"connected": False, "calls": 0, "errors": 0, "latency_ms": None}
        },
        "queues": {"notifications": 0, "logs": 0, "market_store": 0},
    }  # fmt: skip
    logs._intake.emit(log.makeRecord(log.name, 20, "file", 1, "said", (), None))
    for k in range(3):
        world.beside.candles(MarketSlice(START_MS + k * FIVE_MINUTES, (None, None)))
    assert world.beside.view()["queues"] == {"notifications": 0, "logs": 1, "market_store": 3}


def test_candles_and_prices_are_in_the_database_when_all_is_closed(world: World) -> None:
    world.source.rates = [MarketFacts(BTC, START_MS, 300_000, 10_000, None)]
    bars = (a_bar(0, 300_000, volume=5, bar_ms=FIVE_MINUTES), None)
    world.beside.candles(MarketSlice(START_MS + FIVE_MINUTES, bars))
    began = time.monotonic()
    world.stack.close()
    assert time.monotonic() - began < 5.0
    query = "SELECT venue, source, symbol, timeframe, close FROM market_data"
    found = [(*names, Decimal(price)) for *names, price in world.rows(query)]
    price = 300_000 * ITEMS[0].price_unit
    assert found == [("demo-7", "demo", BTC, "5m", price)]
    newest = world.rows("SELECT symbol, price FROM latest_prices")
    assert [(symbol, Decimal(at)) for symbol, at in newest] == [(BTC, price)]


# --- models -------------------------------------------------------------------------------------


def facts(model_id: str) -> dict[str, Any]:
    return {"model_id": model_id}


def test_a_finished_model_is_offered_once(world: World) -> None:
    assert world.beside.next_model() is None
    world.beside._models._trainer._ready.put(facts("m1"))
    assert world.beside.next_model() == facts("m1")
    assert world.beside.next_model() is None


def test_it_is_offered_again_to_a_worker_that_began_without_it(world: World) -> None:
    beside, hand = world.beside, world.a_worker()
    hand.show()
    assert hand.seen is not None
    beside.begun(hand.seen.model)  # nothing has been trained yet
    assert beside.next_model() is None
    beside._models._trainer._ready.put(facts("m2"))
    assert beside.next_model() == facts("m2")
    beside.begun(None)  # the strategy does not run
    assert beside.next_model() is None
    hand.show("m1")  # its checkpoint is from before the model came
    beside.begun(hand.seen.model)
    assert beside.next_model() == facts("m2")
    assert beside.next_model() is None
    hand.show("m2")
    beside.begun(hand.seen.model)
    assert beside.next_model() is None


def test_training_is_refused_without_the_strategy_and_while_it_is_under_way(
    world: World,
) -> None:
    beside = world.beside
    assert beside.train_now() == Answer.refused("training")
    hand = world.a_worker()
    assert beside.train_now() == Answer.refused("training")  # nothing was seen yet
    assert beside.model_status() is None
    hand.show()
    assert beside.train_now() == Answer.done("training")
    assert beside.train_now() == Answer.refused("training")
    shown = beside.model_status()
    assert shown is not None
    assert (shown["code"], shown["training"]) == ("no_model", "asked")


def test_training_begins_by_itself_when_the_session_wants_it(world: World) -> None:
    world.beside.look()
    hand = world.a_worker()
    world.beside.look()
    assert world.beside._models._trainer.state.running == ""
    hand.show()
    world.beside.look()
    assert world.beside._models._trainer.state.running == "no_model"


def test_a_failed_training_is_told(world: World) -> None:
    world.beside._training_failed("training: no candles")
    error = NotificationType.SYSTEM_ERROR
    told = "Training a model has failed; the one in use goes on: training: no candles"
    assert world.notices() == [(error, "error", told)]


# --- jobs ---------------------------------------------------------------------------------------


def test_an_unknown_job_is_refused_in_one_line(world: World) -> None:
    with pytest.raises(InputError, match=r"job was 'nonsense', allowed: .*equity_snapshot"):
        world.beside.run_job("nonsense")


def test_a_job_that_is_asked_for_runs(world: World) -> None:
    answer = world.beside.run_job("expire_commands")
    assert answer == Answer.done("job_asked", job="expire_commands")
    query = "SELECT status FROM jobs WHERE name = 'expire_commands'"
    until(lambda: world.rows(query) == [("ok",)], what="the job")


def test_jobs_see_the_session_its_account_and_prices(world: World) -> None:
    tools = world.beside._job_tools()
    speed = SETTINGS.market_data.demo_speed
    assert tools.run() == JobRun(world.run_id, "paper-demo", speed)
    assert tools.account() is None
    assert tools.differences() == []
    hand = world.a_worker()
    assert tools.account() is None
    hand.show()
    view = tools.account()
    assert view is not None
    assert view.equity == 99_999 * USDT  # 100,000 less the fee of 0.1 % of 1,000
    world.source.rates = [
        MarketFacts(BTC, START_MS, 420_001, None, None), MarketFacts("XRP/USDT", 0, 1, None, None)
    ]  # fmt: skip
    assert tools.prices() == {BTC: 420_001 * ITEMS[0].price_unit}


def test_differences_are_looked_for_in_the_trading_thread(world: World) -> None:
    hand = world.a_worker()
    assert world.beside._differences() == []
    hand.life.venue.cash -= 5 * USDT
    # 100,000 - 1,000 - 1 = 98,999
    assert world.beside._differences() == [Difference("cash", "98999", "98994")]
    assert hand.waited == [5.0, 5.0]


def test_a_session_on_a_real_market_has_the_speed_of_time(world: World) -> None:
    world.source.name = "exchange"
    assert world.beside._job_run() == JobRun(world.run_id, "paper-exchange", 1)


def test_what_jobs_say_is_worded(world: World) -> None:
    numbers = {"job": "retention", "error": "the disk is full"}
    world.beside._notify(NotificationType.SYSTEM_ERROR, "error", "job_failed", numbers)
    ((kind, severity, message),) = world.notices()
    assert (kind, severity) == (NotificationType.SYSTEM_ERROR, "error")
    assert message == "Job retention failed: the disk is full"
    assert world.outbox.notices[0].data == numbers
