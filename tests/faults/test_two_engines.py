"""One account, one engine: the second refuses or waits, one that was paused does nothing more."""

import os
import signal
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from crypto_trader_pro.domain.enums import CommandKind
from tests.engine_process import CROWDED, Site, a_site, short_lease, until
from tests.processes import Running, finish, pause

WAIT = "--wait-for-lease"


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with a_site(tmp_path) as made:
        yield made


@pytest.fixture
def crowded(tmp_path: Path) -> Iterator[Site]:
    with a_site(tmp_path, CROWDED) as made:
        yield made


def holds(site: Site, process: Running) -> bool:
    return bool(site.lease()["pid"] == process.pid)


def test_a_second_engine_refuses_in_one_clear_line(site: Site) -> None:
    first = site.trading()
    began = time.monotonic()
    second = finish(site.start())
    assert time.monotonic() - began < 5
    assert second.code == 2
    assert second.complaint() == (
        f"process {first.pid} on {site.lease()['host'].partition('#')[0]} trades this account;"
        " stop it first, or wait until it ends"
    )
    assert holds(site, first)
    assert site.lease()["epoch"] == 1
    found = site.file()
    assert found is not None
    assert found.pid == first.pid  # the first one's sign of life was left alone
    before = len(site.rows("decisions"))
    until(lambda: len(site.rows("decisions")) > before, "the first to go on", 5)


@pytest.mark.slow
def test_a_second_engine_with_a_var_folder_of_its_own_refuses_too(
    site: Site, tmp_path: Path
) -> None:
    first = site.up()
    elsewhere = {**site.settings, "CTP_DATABASE_URL": f"sqlite:///{site.platform.database}"}
    other = replace(site.platform, var_dir=tmp_path / "other", settings={
        **site.platform.settings, **elsewhere,
    })  # fmt: skip
    refused = finish(other.start("engine", "run"))
    assert refused.code == 2
    assert str(first.pid) in refused.complaint()


@pytest.mark.slow
def test_two_engines_started_at_one_moment_do_not_both_trade(site: Site) -> None:
    racers = [site.start(), site.start(), site.start()]
    until(lambda: sum(r.poll() is not None for r in racers) == 2, "two to give up", 30)
    (winner,) = [r for r in racers if r.poll() is None]
    assert all(finish(r).code == 2 for r in racers if r is not winner)
    site.await_ready(winner)
    assert len(site.rows("runs")) == 1


@pytest.mark.slow
def test_one_that_waits_takes_over_at_once_from_a_dead_one(crowded: Site) -> None:
    first = crowded.trading(5)
    second = crowded.start(WAIT)
    time.sleep(2.5)
    assert second.poll() is None
    assert holds(crowded, first)
    crowded.kill(first)
    began = time.monotonic()
    until(lambda: holds(crowded, second), "the takeover", 10)
    # it looks every one to two seconds; the lease of the dead one would last ten
    assert time.monotonic() - began < 4
    crowded.await_ready(second)
    assert len(crowded.rows("runs")) == 1
    before = len(crowded.rows("decisions"))
    until(lambda: len(crowded.rows("decisions")) > before, "it to go on", 10)
    crowded.prove(second)


@pytest.mark.slow
def test_one_that_waits_takes_over_from_one_that_ends_in_order(site: Site) -> None:
    first = site.up()
    second = site.start(WAIT)
    assert site.end(first).code == 0
    until(lambda: holds(site, second), "the takeover", 10)
    site.await_ready(second)


@pytest.mark.slow
def test_one_that_waits_ends_when_told_to(site: Site) -> None:
    first = site.up()
    second = site.start(WAIT)
    time.sleep(1.0)
    ended = site.end(second)
    assert (ended.code, ended.stderr) == (0, "")
    assert holds(site, first)


def zombie(crowded: Site, first: Running) -> tuple[Running, int]:
    """Pause `first` past its lease while another takes over; return it and when that was, in ms."""
    pause(first.pid, crowded.platform.database)
    epoch = crowded.lease()["epoch"]
    second = crowded.start(WAIT, prepare=short_lease)
    began = time.monotonic()
    until(lambda: crowded.lease()["epoch"] > epoch, "the lease to end", 20)
    assert time.monotonic() - began > 1  # not before its time: a paused process is not dead
    crowded.await_ready(second)
    entries = len(crowded.entry_orders())
    until(lambda: len(crowded.entry_orders()) > entries, "the second to trade", 20)
    return second, int(crowded.lease()["started_at"])


def test_a_paused_engine_that_wakes_writes_and_sends_nothing(crowded: Site) -> None:
    first = crowded.trading(5, prepare=short_lease)
    second, taken_at = zombie(crowded, first)
    os.kill(first.pid, signal.SIGCONT)
    ended = finish(first)
    assert ended.code == 4
    # whoever notices first says it: the heartbeat, or the commit
    assert "another engine" in ended.complaint()
    time.sleep(0.5)
    assert holds(crowded, second)
    late = crowded.rows("orders", "WHERE epoch = 1")
    assert [o for o in late if o["journaled_at"] > taken_at] == []
    assert {o["epoch"] for o in crowded.rows("orders")} == {1, 2}
    assert len(crowded.rows("runs")) == 1
    crowded.prove(second)


@pytest.mark.slow
def test_a_woken_zombie_leaves_the_sign_of_life_of_the_other_alone(crowded: Site) -> None:
    first = crowded.trading(1, prepare=short_lease)
    second, _ = zombie(crowded, first)
    os.kill(first.pid, signal.SIGCONT)
    gone = []
    while first.poll() is None:
        found = crowded.file()
        gone.append(found is None or found.pid != second.pid)
        time.sleep(0.002)
    for _ in range(100):
        found = crowded.file()
        gone.append(found is None or found.pid != second.pid)
        time.sleep(0.002)
    assert not any(gone)


@pytest.mark.slow
def test_a_stop_for_the_account_is_obeyed_by_whoever_holds_it(crowded: Site) -> None:
    """Asked while the first is paused: the second does it, the woken first does nothing."""
    first = crowded.trading(5, prepare=short_lease)
    second, _ = zombie(crowded, first)
    assert crowded.ask(CommandKind.STOP).code == "answer.stopped"
    entries = len(crowded.entry_orders())
    os.kill(first.pid, signal.SIGCONT)
    assert finish(first).code == 4
    time.sleep(0.5)
    assert len(crowded.entry_orders()) == entries
    assert not crowded.is_enabled()
    assert holds(crowded, second)
