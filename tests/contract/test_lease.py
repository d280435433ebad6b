"""The right to trade an account, on both databases."""

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

import pytest
from sqlalchemy import Engine

from crypto_trader_pro.domain.enums import CommandKind, DesiredState, ObservedState, TradingState
from database import commands, lease
from database.auto_trading_db import unit_of_work
from database.lease import LEASE_SECONDS, Beat, Holder
from database.models import EngineLeaseRow
from tests.children import a_child
from tests.databases import Opener
from tests.rows import T0
from utils.processes import ProcessId, is_gone, own_process

ME: Final = Holder("first", "here", 100, 5_000, "0.1.0 schema 0003")
OTHER: Final = replace(ME, owner="second", pid=200)
BEAT: Final = Beat(
    ObservedState.RUNNING, TradingState.REDUCING, "paper", "demo", None, "a line", {"cash": "5"}
)


def seconds(count: float) -> datetime:
    return T0 + timedelta(seconds=count)


def take(database: Engine, holder: Holder = ME, at: float = 0, *, gone: bool = False) -> int | None:
    with unit_of_work(database) as session:
        return lease.take(session, holder, seconds(at), is_gone=lambda _: gone)


def renew(database: Engine, epoch: int, at: float = 0) -> DesiredState | None:
    with unit_of_work(database) as session:
        return lease.renew(session, epoch, BEAT, seconds(at))


def row(database: Engine) -> EngineLeaseRow:
    with unit_of_work(database) as session:
        found = lease.read(session)
        assert found is not None
        return found


def want(database: Engine, desired: DesiredState) -> DesiredState:
    with unit_of_work(database) as session:
        return lease.want(session, desired, T0)


def test_the_first_taker_gets_epoch_one_and_its_facts_are_stored(database: Engine) -> None:
    with unit_of_work(database) as session:
        assert lease.read(session) is None
    assert take(database) == 1
    found = row(database)
    assert (found.owner, found.host, found.pid, found.pid_started) == ("first", "here", 100, 5_000)
    assert (found.epoch, found.observed_state, found.desired_state) == (1, "starting", "stopped")
    assert found.expires_at == seconds(LEASE_SECONDS)
    assert (found.started_at, found.heartbeat_at) == (T0, T0)


def test_one_holder_until_its_time_is_over(database: Engine) -> None:
    assert take(database) == 1
    assert take(database, OTHER, LEASE_SECONDS - 0.001) is None
    assert row(database).owner == "first"  # a taker that fails changes nothing
    assert take(database, OTHER, LEASE_SECONDS) == 2  # it holds to that moment, not through it
    assert renew(database, 1, LEASE_SECONDS) is None


def test_a_renewed_lease_holds_longer(database: Engine) -> None:
    assert take(database) == 1
    assert renew(database, 1, 8) is DesiredState.STOPPED
    assert take(database, OTHER, 17.9) is None
    assert take(database, OTHER, 18) == 2


def test_a_dead_holder_loses_it_at_once(database: Engine) -> None:
    assert take(database) == 1
    assert take(database, OTHER, 0.1, gone=True) == 2


def test_the_same_owner_takes_it_again_with_a_higher_epoch(database: Engine) -> None:
    assert [take(database), take(database)] == [1, 2]


def test_a_process_is_told_from_a_later_one_with_its_pid(database: Engine) -> None:
    me = own_process()

    def gone(held: EngineLeaseRow) -> bool:
        return is_gone(ProcessId(held.host, held.pid, held.pid_started))

    def taken(owner: str, started: int, host: str = me.host) -> int | None:
        with unit_of_work(database) as session:
            holder = Holder(owner, host, me.pid, started, "")
            return lease.take(session, holder, T0, is_gone=gone)

    assert taken("a", me.started) == 1
    assert taken("b", me.started + 1) is None  # that process lives: it is this one
    with unit_of_work(database) as session:
        held = lease.read(session)
        assert held is not None
        held.pid_started = me.started - 1  # its pid is used again
        session.add(held)
    assert taken("c", me.started, "elsewhere") == 2
    assert taken("d", me.started) is None  # of another host nothing is proven


def test_a_heartbeat_tells_how_things_are(database: Engine) -> None:
    assert take(database) == 1
    assert want(database, DesiredState.RUNNING) is DesiredState.RUNNING
    assert renew(database, 1, 3) is DesiredState.RUNNING
    found = row(database)
    assert (found.observed_state, found.trading_state, found.mode, found.source) == (
        "running", "reducing", "paper", "demo",
    )  # fmt: skip
    assert (found.last_error, found.view, found.heartbeat_at) == (
        "a line", {"cash": "5"}, seconds(3),
    )  # fmt: skip


def test_who_lost_it_renews_nothing_and_releases_nothing(database: Engine) -> None:
    assert take(database) == 1
    assert take(database, OTHER, gone=True) == 2
    assert renew(database, 1, 5) is None
    with unit_of_work(database) as session:
        lease.release(session, 1, seconds(5))
        assert not lease.is_held(session, 1)
        assert lease.is_held(session, 2)
    found = row(database)
    assert (found.owner, found.expires_at, found.observed_state) == (
        "second", seconds(LEASE_SECONDS), "starting",
    )  # fmt: skip


def test_a_released_lease_is_free_and_its_epoch_stays(database: Engine) -> None:
    assert take(database) == 1
    with unit_of_work(database) as session:
        lease.release(session, 1, seconds(1))
    found = row(database)
    assert (found.owner, found.observed_state, found.view, found.epoch) == ("", "stopped", None, 1)
    assert take(database, OTHER, 1) == 2


def test_an_emergency_is_latched_until_a_person_lifts_it(database: Engine) -> None:
    assert want(database, DesiredState.RUNNING) is DesiredState.RUNNING  # before any engine
    assert want(database, DesiredState.EMERGENCY) is DesiredState.EMERGENCY
    assert want(database, DesiredState.RUNNING) is DesiredState.EMERGENCY
    assert want(database, DesiredState.STOPPED) is DesiredState.EMERGENCY
    assert take(database) == 1
    assert renew(database, 1) is DesiredState.EMERGENCY  # a new engine does not lift it
    with unit_of_work(database) as session:
        lease.unlatch(session, T0)
    assert renew(database, 1) is DesiredState.STOPPED
    assert want(database, DesiredState.RUNNING) is DesiredState.RUNNING


def test_accounts_do_not_know_of_each_other(database: Engine) -> None:
    with unit_of_work(database) as session:
        for account in ("one", "two"):
            assert lease.take(session, ME, T0, is_gone=lambda _: False, account=account) == 1


# --- races ----------------------------------------------------------------------------------


def together(*acts: Callable[[], Any]) -> list[Any]:
    """Run all at the same moment; return what they returned or raised."""
    barrier, results = threading.Barrier(len(acts)), [None] * len(acts)

    def run(number: int) -> None:
        barrier.wait()
        try:
            results[number] = acts[number]()
        except BaseException as e:  # noqa: BLE001  the test looks at it
            results[number] = e  # type: ignore[call-overload]

    threads = [threading.Thread(target=run, args=(k,)) for k in range(len(acts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


@pytest.mark.parametrize("first", [True, False])
def test_of_takers_at_one_moment_one_gets_it(
    database_url: str, opened: Opener, *, first: bool
) -> None:
    """On PostgreSQL both may find no row yet and insert it."""
    databases = [opened(database_url) for _ in range(4)]
    for turn in range(8):
        account = f"{first}{turn}"
        if not first:
            with unit_of_work(databases[0]) as session:
                assert lease.take(session, ME, T0, is_gone=lambda _: False, account=account) == 1
                lease.release(session, 1, T0, account=account)

        def attempt(number: int, account: str = account) -> int | None:
            holder = replace(ME, owner=f"taker {number}")
            with unit_of_work(databases[number]) as session:
                return lease.take(session, holder, T0, is_gone=lambda _: False, account=account)

        found = together(*(lambda n=n: attempt(n) for n in range(4)))
        assert sorted(found, key=str) == [1 if first else 2, None, None, None]


def test_wishing_and_taking_at_one_moment_lose_nothing(database_url: str, opened: Opener) -> None:
    one, two = opened(database_url), opened(database_url)
    found = together(lambda: take(one, ME), lambda: want(two, DesiredState.RUNNING))
    assert found == [1, DesiredState.RUNNING]
    assert (row(one).epoch, row(one).desired_state) == (1, "running")


RACE: Final = """
import sys
from datetime import UTC, datetime
from database import lease
from database.auto_trading_db import open_database, unit_of_work
database = open_database(sys.argv[1], durable=False)
holder = lease.Holder(sys.argv[2], "here", 1, 1, "")
at = datetime(2024, 1, 1, tzinfo=UTC)
with unit_of_work(database) as session:
    lease.read(session)
print('ready', flush=True); sys.stdin.readline()
for _ in range(12):
    with unit_of_work(database) as session:
        print(lease.take(session, holder, at, is_gone=lambda _: True))
database.dispose()
"""


def test_processes_never_get_the_same_epoch(database_url: str) -> None:
    with a_child(RACE, database_url, "one") as one, a_child(RACE, database_url, "two") as two:
        one.go()
        two.go()
        found = [[int(line) for line in child.printed().split()] for child in (one, two)]
    assert sorted(found[0] + found[1]) == list(range(1, 25))
    for epochs in found:
        assert epochs == sorted(epochs)


# --- what an engine finds of the one before it ----------------------------------------------


def ask(database: Engine, command_id: str, kind: CommandKind = CommandKind.STOP) -> None:
    with unit_of_work(database) as session:
        commands.enqueue(
            session, command_id=command_id, kind=kind.value, payload={}, requested_by="kim", now=T0
        )


def statuses(database: Engine) -> dict[str, str]:
    with unit_of_work(database) as session:
        return {row.command_id: row.status for row in commands.newest(session)}


def test_commands_taken_and_not_finished_wait_again_in_their_order(database: Engine) -> None:
    for name in ("a", "b", "c"):
        ask(database, name)
    with unit_of_work(database) as session:
        assert commands.is_any_waiting(session)
        for _ in range(3):
            commands.claim_next(session, T0)
        assert not commands.is_any_waiting(session)
        commands.finish(session, "b", commands.CommandStatus.DONE, {}, T0)
    with unit_of_work(database) as session:
        assert commands.take_back(session, T0) == 2
        assert commands.is_any_waiting(session)
    with unit_of_work(database) as session:
        again = [commands.claim_next(session, T0) for _ in range(3)]
    assert [r and r.command_id for r in again] == ["a", "c", None]


@pytest.mark.parametrize("taken", [True, False])
def test_a_shutdown_is_not_meant_for_the_next_engine(database: Engine, *, taken: bool) -> None:
    ask(database, "bye", CommandKind.SHUTDOWN)
    if taken:
        with unit_of_work(database) as session:
            commands.claim_next(session, T0)
    with unit_of_work(database) as session:
        assert commands.take_back(session, T0) == 0
    assert statuses(database) == {"bye": "expired"}
