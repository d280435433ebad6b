"""A trading thread that fails, commands that make no sense, an end while something hangs."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from crypto_trader_pro.domain.enums import CommandKind
from tests.databases import Server
from tests.engine_process import CROWDED, Hang, Site, a_site, until
from tests.faults.test_hanging_engine import on_postgresql, paused_backends
from tests.oracle_session import audit_session
from tests.processes import finish, locked


@pytest.fixture
def crowded(tmp_path: Path) -> Iterator[Site]:
    with a_site(tmp_path, CROWDED) as made:
        yield made


@pytest.mark.slow
def test_an_engine_whose_cycle_fails_goes_on_from_its_checkpoint(
    crowded: Site, tmp_path: Path
) -> None:
    hang = Hang(tmp_path / "hang", "cycle", raises=True)
    process = crowded.trading(prepare=hang.planted())
    hang.arm(2)
    until(lambda: hang.times == 2, "two failures", 20)
    before = len(crowded.rows("decisions"))
    until(lambda: len(crowded.rows("decisions")) > before, "it to go on", 10)
    assert process.poll() is None
    until(lambda: "ZeroDivisionError" in str(crowded.lease()["last_error"]), "the word", 3)
    crowded.prove(process)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGUSR1, signal.SIGUSR2])
def test_a_stop_between_two_trading_threads_is_not_lost(
    crowded: Site, tmp_path: Path, number: signal.Signals
) -> None:
    """After a failure the engine waits before it tries again; a stop may come just then."""
    hang = Hang(tmp_path / "hang", "cycle", raises=True)
    process = crowded.trading(5, prepare=hang.planted())
    hang.arm(3)  # so that the wait gets long enough: 0.4, 0.8, 1.6 s
    until(lambda: hang.times == 3, "three failures", 20)
    time.sleep(0.3)
    os.kill(process.pid, number)
    wanted = "stopped" if number == signal.SIGUSR1 else "emergency"
    until(lambda: crowded.lease()["desired_state"] == wanted, "the wish to be stored", 6)
    assert not crowded.is_enabled()
    if number == signal.SIGUSR2:
        until(lambda: not crowded.positions(), "flat positions", 5)


NONSENSE = [
    pytest.param(CommandKind.ROLLBACK_CONFIG, {"config_id": "x"}, id="no number"),
    pytest.param(CommandKind.ROLLBACK_CONFIG, {"config_id": 999}, id="no such configuration"),
    pytest.param(CommandKind.ACKNOWLEDGE_ALERT, {"alert_ids": ["x"]}, id="no number of an alert"),
    pytest.param(CommandKind.ACKNOWLEDGE_ALERT, {"alert_ids": [999]}, id="no such alert"),
    pytest.param(CommandKind.RUN_JOB, {"job": "x"}, id="no such job"),
    pytest.param(CommandKind.APPLY_CONFIG, {"changes": "x"}, id="no changes"),
    pytest.param(CommandKind.APPLY_CONFIG, {"changes": {"no.such": 1}}, id="no such key"),
    pytest.param(CommandKind.CANCEL_ORDER, {"client_order_id": None}, id="no order"),
    pytest.param(CommandKind.CLOSE_POSITION, {"symbol": ["x"]}, id="no symbol"),
    pytest.param(CommandKind.REARM, {"confirm": 7}, id="no word"),
]


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """An engine that is up and does not trade."""
    with a_site(tmp_path_factory.mktemp("stopped")) as made:
        made.up()
        yield made


@pytest.mark.parametrize(("kind", "payload"), NONSENSE)
def test_nonsense_is_refused_and_hurts_nobody(
    stopped: Site, kind: CommandKind, payload: dict[str, Any]
) -> None:
    answer = stopped.ask(kind, payload, seconds=2)
    assert answer.status == "refused"
    assert stopped.ask(CommandKind.STOP, seconds=2).status == "done"
    assert stopped.lease()["last_error"] is None


@pytest.mark.slow
def test_an_emergency_stop_for_no_known_reason_stops_all_the_same(crowded: Site) -> None:
    crowded.trading(5)
    answer = crowded.ask(CommandKind.EMERGENCY_STOP, {"trigger": "NONSENSE"}, seconds=3)
    assert answer.status == "done"
    until(lambda: not crowded.positions(), "flat positions", 5)


# --- the end ------------------------------------------------------------------------------------


@pytest.mark.slow
def test_sigterm_ends_an_engine_whose_cycle_hangs(crowded: Site, tmp_path: Path) -> None:
    hang = Hang(tmp_path / "hang", "cycle")
    process = crowded.trading(prepare=hang.planted())
    hang.arm()
    until(hang.is_on, "the hang", 20)
    began = time.monotonic()
    assert crowded.end(process).code == 0
    assert time.monotonic() - began < 5
    assert crowded.lease()["owner"] == ""
    process = crowded.up()
    crowded.kill(process)
    assert audit_session(crowded.session()) == {}


@pytest.mark.slow
def test_sigterm_ends_an_engine_whose_database_is_locked(crowded: Site) -> None:
    process = crowded.trading()
    with locked(crowded.platform.database):
        time.sleep(0.5)
        began = time.monotonic()
        os.kill(process.pid, signal.SIGTERM)
        ended = finish(process)
        assert time.monotonic() - began < 8
    assert ended.code == 0
    assert crowded.file() is None
    process = crowded.up()  # at once: whoever held the lease is dead
    crowded.kill(process)
    assert audit_session(crowded.session()) == {}


@pytest.mark.slow
def test_sigterm_ends_an_engine_whose_database_says_nothing(
    postgresql: Server, tmp_path: Path
) -> None:
    with on_postgresql(postgresql, tmp_path) as (site, name):
        process = site.trading()
        with paused_backends(postgresql.url_of("postgres"), name):
            time.sleep(1.2)
            os.kill(process.pid, signal.SIGTERM)
            began = time.monotonic()
            assert finish(process).code == 0
            assert time.monotonic() - began < 15
