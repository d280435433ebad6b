"""Which run a starting engine goes on with, and which market it reads."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from sqlalchemy import Engine as Database

from auto_trading.bootstrap import LivingTools, RunSpec, build_living
from auto_trading.gateways.demo_source import DemoSource
from auto_trading.risk_manager import RiskManager
from auto_trading.session_store import CARRIED, Found, Origin, find_or_begin, unfinished
from auto_trading.sources import choose, open_source
from auto_trading.translation import enabled_strategies, limits_of
from config.effects import structure
from config.settings import Settings
from crypto_trader_pro.domain.calendar import TradingCalendar
from crypto_trader_pro.domain.enums import TradingState
from crypto_trader_pro.domain.errors import ConfigError
from crypto_trader_pro.domain.orders import Order
from crypto_trader_pro.simulation.instruments import instrument
from database import runs
from database.auto_trading_db import open_database, unit_of_work
from database.models import CheckpointRow, RunRow
from tests.builders import START_MS, USDT, an_order
from tests.control_plane import FIVE_MINUTES, NOW, SYMBOL, settings

DEMO: Final = Origin("demo", "demo-7")
LIVE: Final = Origin("exchange", "binance")
TWO: Final = {"symbols": [SYMBOL, "ETH/USDT:USDT"]}


@pytest.fixture
def database(tmp_path: Path, migrated_file: Path) -> Iterator[Database]:
    file = tmp_path / "store.db"
    shutil.copy(migrated_file, file)
    made = open_database(f"sqlite:///{file}")
    yield made
    made.dispose()


def begin(database: Database, wanted: Settings | None = None, origin: Origin = DEMO) -> Found:
    return find_or_begin(database, wanted or settings(), origin, NOW)


def opened(database: Database, found: Found, tmp_path: Path) -> dict[str, Any]:
    """Open the account of a session and return its checkpoint."""
    own = found.settings
    spec = RunSpec(
        found.run_id, tuple(instrument(s) for s in own.symbols), tuple(enabled_strategies(own)),
        FIVE_MINUTES, FIVE_MINUTES, own, tmp_path, 0, found.opening_cash,
    )  # fmt: skip
    build_living(spec, LivingTools(database, lambda: NOW)).open(START_MS)
    return stored(database, found.run_id)


def stored(database: Database, run_id: int) -> dict[str, Any]:
    with unit_of_work(database) as session:
        text = runs.checkpoint(session, run_id)
        assert text is not None
        found: dict[str, Any] = json.loads(text)
        return found


def change(database: Database, run_id: int, state: dict[str, Any]) -> None:
    with unit_of_work(database) as session:
        row = session.get(CheckpointRow, run_id)
        assert row is not None
        row.state = json.dumps(state)
        session.add(row)


def run(database: Database, run_id: int) -> RunRow:
    with unit_of_work(database) as session:
        row = session.get(RunRow, run_id)
        assert row is not None
        return row


def lossy(state: dict[str, Any]) -> dict[str, Any]:
    """Return a checkpoint after a bad day: 4 % lost of 100,000, halted for the day."""
    state["venue"]["cash"] = 96_000 * USDT
    state["risk"] |= {
        "equity": 96_000 * USDT, "daily_level": 2, "drawdown_level": 1, "entries_today": 17,
        "halt_reason": "MANUAL_STOP",
    }  # fmt: skip
    return state


# --- going on -------------------------------------------------------------------------------


def test_a_session_goes_on_with_its_first_settings_and_last_state(
    database: Database, tmp_path: Path
) -> None:
    assert unfinished(database) is None
    first = begin(database)
    assert (first.state, first.opening_cash, first.carried) == (None, 0, None)
    state = opened(database, first, tmp_path)
    changed = settings(limits__max_leverage=2)  # no part of the structure
    again = begin(database, changed)
    assert again.run_id == first.run_id
    assert again.settings == first.settings
    assert again.state is not None
    assert json.loads(again.state) == state
    assert unfinished(database) == (DEMO, 0)


@pytest.mark.parametrize(
    "changes",
    [
        TWO,
        {"engine__timeframe": "15m", "engine__trading_interval": 900},
        {"engine__trading_interval": 600},
        {"paper__initial_equity": 5000},
        {"engine__profile": "paper"},
    ],
)
def test_another_structure_begins_a_new_session_when_flat(
    database: Database, tmp_path: Path, changes: dict[str, Any]
) -> None:
    first = begin(database)
    opened(database, first, tmp_path)
    wanted = settings(**changes)
    second = begin(database, wanted)
    assert second.run_id == first.run_id + 1
    assert (second.settings, second.state) == (wanted, None)
    ended = run(database, first.run_id)
    assert (ended.status, ended.finished_at) == ("finished", NOW)
    money = changes.keys() & {"paper__initial_equity", "engine__profile"}
    assert second.opening_cash == (0 if money else 100_000 * USDT)
    assert (second.carried is None) == bool(money)


def test_open_positions_and_orders_refuse_another_structure(
    database: Database, tmp_path: Path
) -> None:
    first = begin(database)
    state = opened(database, first, tmp_path)
    order = an_order("r1o7", symbol=SYMBOL)
    plain = [getattr(order, name) for name in Order.__slots__]
    change(database, first.run_id, {**state, "executor": {**state["executor"], "orders": [plain]}})
    assert unfinished(database) == (DEMO, 1)
    with pytest.raises(ConfigError, match=r"^symbols was .* not while r1 holds order r1o7; close"):
        begin(database, settings(**TWO))
    state["positions"]["positions"][0][0] = 5
    change(database, first.run_id, state)
    with pytest.raises(ConfigError) as raised:
        begin(database, settings(**TWO), LIVE)
    assert str(raised.value) == (
        "source was demo, is now exchange; venue was demo-7, is now binance;"
        f" symbols was ['{SYMBOL}'], is now {TWO['symbols']}: not while r1 holds {SYMBOL};"
        " close the positions and orders first, or set it back"
    )
    assert run(database, first.run_id).finished_at is None
    assert begin(database).run_id == first.run_id  # set back


def test_a_row_of_an_earlier_version_lacks_a_name(database: Database, tmp_path: Path) -> None:
    first = begin(database)
    opened(database, first, tmp_path)
    with unit_of_work(database) as session:
        row = session.get(RunRow, first.run_id)
        assert row is not None
        row.inputs = {k: v for k, v in row.inputs.items() if k != "trading_interval"}
        session.add(row)
    assert begin(database).run_id == first.run_id + 1


# --- what is carried over -------------------------------------------------------------------


def test_another_symbol_list_forgives_no_loss_and_lifts_no_halt(
    database: Database, tmp_path: Path
) -> None:
    first = begin(database)
    state = lossy(opened(database, first, tmp_path))
    change(database, first.run_id, state)
    second = begin(database, settings(**TWO))
    assert second.opening_cash == 96_000 * USDT
    assert second.carried == {name: state["risk"][name] for name in CARRIED}

    # as the new session opens its account
    calendar = TradingCalendar(second.settings.engine.trading_day_timezone)
    risk = RiskManager(limits_of(second.settings), calendar, 2, FIVE_MINUTES)
    risk.open_account(second.opening_cash, START_MS + FIVE_MINUTES)
    risk.restore({**risk.state(), **second.carried})
    assert risk.trading_state is TradingState.HALTED
    assert risk.day_start_equity == risk.peak == 100_000 * USDT
    assert (risk.daily_level, risk.drawdown_level, risk.entries_today) == (2, 1, 17)
    assert len(risk.state()["_last_exit"]) == 2  # by symbol: not carried


def test_what_is_carried_survives_a_crash_before_the_first_commit(
    database: Database, tmp_path: Path
) -> None:
    first = begin(database)
    change(database, first.run_id, lossy(opened(database, first, tmp_path)))
    second = begin(database, settings(**TWO))
    assert begin(database, settings(**TWO)) == second  # killed before its account was open
    third = begin(database)  # and changed once more
    assert third.run_id == second.run_id + 1
    assert (third.opening_cash, third.carried) == (second.opening_cash, second.carried)


def test_what_an_earlier_version_did_not_know_is_not_carried(
    database: Database, tmp_path: Path
) -> None:
    first = begin(database)
    state = opened(database, first, tmp_path)
    older = {name: value for name, value in state["risk"].items() if name != "paused"}
    change(database, first.run_id, {**state, "risk": older})
    second = begin(database, settings(**TWO))
    assert second.carried == {name: older[name] for name in CARRIED if name != "paused"}


def test_another_market_begins_anew(database: Database, tmp_path: Path) -> None:
    first = begin(database)
    change(database, first.run_id, lossy(opened(database, first, tmp_path)))
    second = begin(database, origin=LIVE)
    assert (second.run_id, second.opening_cash, second.carried) == (first.run_id + 1, 0, None)


def test_the_structure_names_what_a_session_is_made_of() -> None:
    assert structure(settings()) == structure(settings(limits__max_leverage=2))
    assert structure(settings())["paper equity"] == "100000"


# --- the market -----------------------------------------------------------------------------


def answers(_: str, __: float) -> str:
    return ""


def silent(venue: str, seconds: float) -> str:
    return f"{venue} did not answer in {seconds:g} s"


def never(_: str, __: float) -> str:
    raise AssertionError("nobody is to be asked")


@pytest.mark.parametrize("source", ["demo", "exchange"])
def test_a_source_that_was_chosen_is_used_unasked(source: str) -> None:
    wanted = settings(market_data__source=source)
    assert choose(wanted, LIVE, never) == (source, "configured")


def test_auto_takes_the_exchange_if_it_answers() -> None:
    assert choose(settings(), None, answers) == ("exchange", "binance answers")
    assert choose(settings(), None, silent) == ("demo", "binance did not answer in 5 s")


@pytest.mark.parametrize("held", [DEMO, LIVE])
def test_auto_never_leaves_the_market_of_a_session_with_positions(held: Origin) -> None:
    assert choose(settings(), held, never) == (held.source, "positions are open")


def test_the_demo_market_is_opened_and_an_unknown_one_refused(database: Database) -> None:
    wanted = settings()
    source = open_source("demo", wanted, [instrument(SYMBOL)], database)
    assert isinstance(source, DemoSource)
    assert (source.name, source.venue) == ("demo", "demo-7")
    source.close()
    with pytest.raises(ConfigError, match=r"^market_data.source was 'moon', allowed: "):
        open_source("moon", wanted, [instrument(SYMBOL)], database)
