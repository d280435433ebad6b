"""Which run the console is about, on both databases."""

from sqlalchemy import Engine

from auto_trading_dashboard.queries import runs
from database.auto_trading_db import unit_of_work
from tests.console.shown import a_living_engine
from tests.rows import stored_run


def test_before_any_run_there_is_none(database: Engine) -> None:
    with unit_of_work(database) as session:
        assert runs.in_work(session) is None


def test_a_replay_beside_the_engine_is_newer_and_not_in_work(database: Engine) -> None:
    a_living_engine(database)
    with unit_of_work(database) as session:
        own = runs.in_work(session)
    replay = stored_run(database, kind="replay", source="replay")
    with unit_of_work(database) as session:
        assert runs.in_work(session) == own
        newest = [run.number for run in runs.newest(session)]
    assert own is not None
    assert newest == [replay, own.number]


def test_without_an_engine_the_newest_run_is_shown(database: Engine) -> None:
    stored_run(database)
    replay = stored_run(database, symbols=["ETH/USDT:USDT"])
    with unit_of_work(database) as session:
        found = runs.in_work(session)
    assert found is not None
    assert (found.number, found.public_id, found.asset) == (replay, f"r{replay}", "USDT")
