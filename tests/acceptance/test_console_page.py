"""The first page in Streamlit's own test harness: every state of engine and database."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import streamlit as st
from sqlalchemy import Engine
from streamlit.testing.v1 import AppTest

from auto_trading.flags import Flags
from config.environment import Environment
from crypto_trader_pro.domain.enums import CommandKind, ObservedState, TradingState
from database import commands, lease
from database.auto_trading_db import open_database, prepare, unit_of_work
from database.commands import CommandStatus
from database.lease import Beat, Holder
from tests.fake_engine import ACCOUNT
from tests.market_data import ROOT
from tests.processes import locked
from tests.rows import a_fill, an_order, stored, stored_run
from utils.clocks import SystemClock
from utils.processes import own_process


@pytest.fixture(autouse=True)
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Environment]:
    """An installation of its own, and nothing cached of another test's."""
    for name in ("CTP_DATABASE_URL", "DATABASE_URL", "CTP_CONFIG_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CTP_VAR_DIR", str(tmp_path))
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    st.cache_resource.clear()
    st.cache_data.clear()
    yield Environment.current()
    st.cache_resource.clear()


@pytest.fixture
def database(places: Environment) -> Iterator[Engine]:
    engine = open_database(places.database_url)
    prepare(engine)
    yield engine
    engine.dispose()


def page() -> AppTest:
    shown = AppTest.from_file(str(ROOT / "main_platform.py"), default_timeout=30).run()
    assert not shown.exception
    return shown


def metrics(shown: AppTest) -> dict[str, str]:
    return {m.label: m.value for m in shown.metric}


def a_living_engine(database: Engine, **changes: object) -> int:
    """Take the lease for this process, with a session of two orders and a fill."""
    me, now = own_process(), SystemClock().now()
    run_id = stored_run(database, kind="paper", source="demo")
    stored(database, an_order(run_id, "a"), an_order(run_id, "b"), a_fill(run_id, "a", "t1"))
    values: dict[str, object] = {
        "observed": ObservedState.RUNNING, "trading": TradingState.ACTIVE, "mode": "paper",
        "source": "demo", "run_id": run_id, "last_error": None, "view": ACCOUNT,
    }  # fmt: skip
    with unit_of_work(database) as session:
        holder = Holder("o", me.host, me.pid, me.started, "b")
        epoch = lease.take(session, holder, now, is_gone=lambda _: False)
        assert epoch is not None
        lease.renew(session, epoch, Beat(**(values | changes)), now)  # type: ignore[arg-type]
    return epoch


def asked(database: Engine) -> list[tuple[str, str]]:
    with unit_of_work(database) as session:
        return [(row.kind, row.requested_by) for row in commands.newest(session)]


def test_the_page_is_there_before_anything_was_run(places: Environment) -> None:
    shown = page()
    assert shown.info[0].value == (
        "There is no database yet. The engine or the first request creates it."
    )
    assert metrics(shown)["Desired state"] == "–"
    assert metrics(shown)["Equity (–)"] == "–"
    assert not (places.var_dir / "crypto_trader_pro.db").exists()


def test_a_living_engine_is_shown_with_its_account(database: Engine) -> None:
    a_living_engine(database, last_error="candles are late")
    shown = page()
    assert shown.warning[0].value == "SIMULATED MARKET: results prove nothing."
    assert shown.error[0].value == "Last error: candles are late"
    assert metrics(shown) == {
        "Desired state": "stopped", "Observed state": ":green[running]",
        "Trading state": ":green[active]", "Heartbeat": metrics(shown)["Heartbeat"],
        "Equity (USDT)": "99,998.75", "Cash (USDT)": "95,996.36", "Open positions": "2",
        "Working orders": "4", "Orders": "2", "Fills": "1",
    }  # fmt: skip
    assert metrics(shown)["Heartbeat"].endswith(" s ago")


def test_a_page_in_korean(database: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CTP_ENGINE__LANGUAGE", "ko")
    a_living_engine(database)
    shown = page()
    assert [b.label for b in shown.button][:3] == ["긴급 중단", "자동매매 시작", "자동매매 중단"]
    assert "모의 시장" in shown.warning[0].value


def test_a_click_is_asked_until_the_engine_has_said_more(database: Engine) -> None:
    epoch = a_living_engine(database)
    shown = page()
    shown.button(key="control_start").click().run()
    assert not shown.exception
    assert asked(database) == [("start", "console")]
    assert any("start trading :gray-badge[asked]" in m.value for m in shown.markdown)
    with unit_of_work(database) as session:
        now = SystemClock().now()
        row = commands.claim_next(session, now)
        assert row is not None
        commands.finish(
            session, row.command_id, CommandStatus.DONE, {"code": "answer.started"}, now
        )
        assert epoch == 1
    shown.run()
    (line,) = [m.value for m in shown.markdown if m.value.startswith("start trading")]
    assert line == "start trading :green-badge[done] Trading was started."


@pytest.mark.parametrize(
    ("answer", "shown_as"),
    [({"code": "refused.unheard_of", "n": 5}, "refused.unheard\\_of n\\: 5"),
     ({"code": "refused.latched"}, "refused.latched")],
)  # fmt: skip
def test_an_answer_without_a_sentence_is_not_hidden(
    database: Engine, answer: dict[str, object], shown_as: str
) -> None:
    a_living_engine(database)
    shown = page()
    shown.button(key="control_start").click().run()
    with unit_of_work(database) as session:
        now = SystemClock().now()
        row = commands.claim_next(session, now)
        assert row is not None
        commands.finish(session, row.command_id, CommandStatus.REFUSED, answer, now)
    shown.run()
    (line,) = [m.value for m in shown.markdown if m.value.startswith("start trading")]
    assert line == f"start trading :red-badge[refused] {shown_as}"


def test_an_emergency_is_one_click(database: Engine, places: Environment) -> None:
    a_living_engine(database)
    shown = page()
    shown.button(key="control_emergency").click().run()
    assert not shown.exception
    assert asked(database) == [("emergency_stop", "console")]
    assert [flag.kind for flag in Flags(places.var_dir).up()] == [CommandKind.EMERGENCY_STOP]


def test_a_double_click_is_one_command(database: Engine) -> None:
    shown = page()
    shown.button(key="control_stop").click().run()
    shown.button(key="control_stop").click().run()
    assert asked(database) == [("stop", "console")]


def test_a_re_arm_takes_the_typed_word(database: Engine) -> None:
    shown = page()
    shown.text_input(key="control_rearm_word").input("please")
    shown.button(key="control_rearm").click().run()
    assert asked(database) == []
    assert any("the word was" in m.value for m in shown.markdown)
    shown.text_input(key="control_rearm_word").input("REARM")
    shown.button(key="control_rearm").click().run()
    assert asked(database) == [("rearm", "console")]


def test_a_first_click_makes_the_database(places: Environment) -> None:
    shown = page()
    shown.button(key="control_start").click().run()
    assert not shown.exception
    reader = open_database(places.database_url, read_only=True)
    assert asked(reader) == [("start", "console")]
    reader.dispose()
    (line,) = [m.value for m in shown.markdown if m.value.startswith("start trading")]
    assert line.endswith("no engine runs; it takes effect when one starts")


def test_a_locked_database_hides_nothing_and_takes_a_stop_by_flag(
    database: Engine, places: Environment
) -> None:
    a_living_engine(database)
    with locked(places.var_dir / "crypto_trader_pro.db"):
        shown = page()
        assert metrics(shown)["Equity (USDT)"] == "99,998.75"
        shown.button(key="control_stop").click().run()
        assert not shown.exception
        assert any("the flag file is up" in m.value for m in shown.markdown)
    assert [flag.kind for flag in Flags(places.var_dir).up()] == [CommandKind.STOP]


def test_a_database_that_does_not_answer_is_told(
    places: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CTP_DATABASE_URL", "postgresql://me:geheim@127.0.0.1:1/trading")
    shown = page()
    assert "PostgreSQL 127.0.0.1:1/trading" in shown.error[0].value
    assert "geheim" not in shown.error[0].value
    shown.button(key="control_start").click().run()
    assert any("was not stored" in m.value for m in shown.markdown)


def test_a_database_of_another_version_is_told(database: Engine, places: Environment) -> None:
    from sqlalchemy import text as sql

    with unit_of_work(database) as session:
        session.connection().execute(sql("UPDATE alembic_version SET version_num = '0001'"))
    assert "run init-db" in page().error[0].value


def test_the_last_run_is_shown_when_no_engine_lives(database: Engine) -> None:
    stored_run(database)
    shown = page()
    assert shown.info[0].value == "Recorded candles, simulated money."
    assert any("No engine runs" in c.value for c in shown.caption)
    assert "Equity (USDT)" in metrics(shown)


def test_a_broken_configuration_is_told_and_the_stop_is_still_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CTP_ENGINE__MODE", "dreaming")
    shown = page()
    assert "engine.mode was" in shown.error[0].value
    assert shown.button(key="control_emergency").label == "Emergency stop"
