"""The lease inside the commit: who lost the account stores nothing, on both databases."""

import threading
from contextlib import suppress
from datetime import timedelta

import pytest
from sqlalchemy import Engine as Database
from sqlalchemy import text

from crypto_trader_pro.domain.enums import CommandKind
from crypto_trader_pro.domain.errors import JournalUnavailable, LeaseLost
from database import lease
from database.auto_trading_db import unit_of_work
from database.lease import ACCOUNT, LEASE_SECONDS, Holder
from tests.builders import USDT, a_round_instrument
from tests.databases import Opener
from tests.engines import SYSTEM_TIME, WIDE, Plan, Script, wish
from tests.sessions import Life, a_life, closed, tick

BTC = "BTC/USDT:USDT"
TABLES = ("checkpoints", "decisions", "orders", "fills", "session_events", "commands", "alerts")


def take_lease(database: Database, owner: str, *, later: int = 0) -> int:
    holder = Holder(owner, "host", 1, 1, "build")
    now = SYSTEM_TIME + timedelta(seconds=later)
    with unit_of_work(database) as session:
        epoch = lease.take(session, holder, now, is_gone=lambda _: False)
    assert epoch is not None
    return epoch


def trading(database: Database, epoch: int) -> Life:
    plan = Plan([Script({(BTC, 1): wish(1)})], (a_round_instrument(BTC),), WIDE, cash=10_000 * USDT)
    life = a_life(plan, database, account=ACCOUNT, epoch=epoch)
    life.ask(CommandKind.START)
    life.take(closed(0, 100))
    return life


def rows(database: Database) -> dict[str, list[tuple[object, ...]]]:
    with database.connect() as c:
        return {t: [tuple(r) for r in c.execute(text(f"SELECT * FROM {t}"))] for t in TABLES}  # noqa: S608


def test_who_holds_the_lease_stores_under_its_epoch(database: Database) -> None:
    life = trading(database, take_lease(database, "first"))
    life.take(closed(1, 100), tick(2, 5, 100))
    assert life.lots == [1]
    with database.connect() as c:
        assert set(c.execute(text("SELECT epoch FROM orders")).scalars()) == {1}


def test_who_lost_the_lease_stores_and_sends_nothing(database: Database) -> None:
    life = trading(database, take_lease(database, "first"))
    take_lease(database, "second", later=LEASE_SECONDS + 1)
    before = rows(database)
    with pytest.raises(LeaseLost, match=f"account {ACCOUNT}: another engine trades it now"):
        life.take(closed(1, 100))
    assert rows(database) == before
    assert life.venue._books[0].entries == []
    with pytest.raises(LeaseLost):  # it does not come back by trying
        life.ask(CommandKind.STOP)
    assert rows(database) == before


def test_without_any_lease_nothing_is_stored(database: Database) -> None:
    with pytest.raises(LeaseLost):
        trading(database, 1)
    assert all(not found for found in rows(database).values())


def test_a_run_that_is_only_repeated_needs_no_lease(database: Database) -> None:
    plan = Plan([Script({})], (a_round_instrument(BTC),), WIDE)
    life = a_life(plan, database)
    life.take(closed(0, 100))
    assert life.checkpoint() is not None


def test_a_takeover_waits_for_a_commit_that_is_under_way(
    database: Database, database_url: str, opened: Opener
) -> None:
    """The older engine's commit is whole before the newer epoch exists, never after it."""
    epoch = take_lease(database, "first")
    life = trading(database, epoch)
    other = opened(database_url, busy_seconds=5)
    inside, go, order = threading.Event(), threading.Event(), []
    real = life.journal._check_lease

    def slowly(cursor: object, statements: object) -> None:
        real(cursor, statements)  # type: ignore[arg-type]
        inside.set()
        assert go.wait(5)
        order.append("commit")

    life.journal._check_lease = slowly  # type: ignore[method-assign]

    def trades() -> None:
        with suppress(LeaseLost):  # what follows its commit may come too late
            life.take(closed(1, 100))

    def takes_over() -> None:
        take_lease(other, "second", later=LEASE_SECONDS + 1)
        order.append("takeover")

    trader = threading.Thread(target=trades)
    trader.start()
    assert inside.wait(5)
    life.journal._check_lease = real  # type: ignore[method-assign]
    newer = threading.Thread(target=takes_over)
    newer.start()
    newer.join(0.2)
    assert newer.is_alive()
    go.set()
    newer.join(5)
    assert order == ["commit", "takeover"]
    trader.join(5)
    with pytest.raises((LeaseLost, JournalUnavailable)):
        life.take(closed(2, 100))
