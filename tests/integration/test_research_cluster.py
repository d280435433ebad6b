"""Workers that are killed, here and on a real Dask cluster: no finished result is lost."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from auto_trading.research import studies, sweep
from auto_trading.research.parallel import Failed, Finished, Task, finished
from auto_trading.research.workplace import Workplace
from crypto_trader_pro.domain.errors import ConfigError
from tests import research_works as works
from tests.market_data import ROOT
from tests.research_studies import FAST, GRID, SLOW, Lab, lab_in

TASKS = [Task(str(i), i) for i in range(12)]


def pids(folder: Path) -> list[int]:
    """Return the processes that have computed something."""
    return [int(path.name[4:]) for path in folder.glob("pid-*")]


def kill_later(found: Callable[[], list[int]], count: int = 1) -> threading.Thread:
    """Kill `count` workers as soon as there are so many; return the thread to join."""

    def hunt() -> None:
        deadline = time.monotonic() + 30
        while len(found()) < max(2, count) and time.monotonic() < deadline:
            time.sleep(0.05)
        for pid in found()[:count]:
            os.kill(pid, signal.SIGKILL)

    thread = threading.Thread(target=hunt)
    thread.start()
    return thread


def test_a_local_worker_that_is_killed_loses_nothing(tmp_path: Path) -> None:
    hunter = kill_later(lambda: pids(tmp_path))
    answers = list(finished(works.slow, str(tmp_path), TASKS, Workplace(workers=2)))
    hunter.join()
    assert len(pids(tmp_path)) >= 3  # another process took the place of the dead one
    assert sorted(a.value["x"] for a in answers if isinstance(a, Finished)) == list(range(12))
    assert len(answers) == 12


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    distributed: Any = pytest.importorskip("distributed")
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = str(ROOT)  # of the workers
    try:
        with distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None,
            host="127.0.0.1", silence_logs=50,
        ) as made:  # fmt: skip
            yield made
    finally:
        os.environ.pop("PYTHONPATH")
        if before is not None:
            os.environ["PYTHONPATH"] = before


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of the cluster's own sockets and threads
def test_a_cluster_computes_what_this_machine_would(cluster: Any, tmp_path: Path) -> None:
    with lab_in(tmp_path) as lab:
        options = sweep.options(GRID, "return")
        here = lab.study("sweep", options)
        files = lab.begin("sweep", options)
        there = studies.carry_on(files, lab.tools(Workplace(cluster.scheduler_address)))
    assert there["rows"] == here["rows"]
    assert there["failed"] == {}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("killed", [1, 2])
def test_dask_workers_that_are_killed_lose_nothing(
    cluster: Any, tmp_path: Path, killed: int
) -> None:
    place = Workplace(cluster.scheduler_address)
    hunter = kill_later(lambda: pids(tmp_path), killed)
    answers = list(finished(works.slow, str(tmp_path), TASKS, place))
    hunter.join()
    assert len(pids(tmp_path)) >= 3
    assert sorted(a.value["x"] for a in answers if isinstance(a, Finished)) == list(range(12))
    assert len(answers) == 12


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_task_that_kills_dask_workers_is_named(cluster: Any) -> None:
    place = Workplace(cluster.scheduler_address)
    answers = {a.key: a for a in finished(works.killer, 4, TASKS[:6], place)}
    assert answers.pop("4") == Failed("4", "its worker died 3 times")
    assert answers == {str(i): Finished(str(i), i) for i in range(6) if i != 4}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_cluster_that_is_not_there_is_one_line() -> None:
    pytest.importorskip("distributed")
    with pytest.raises(ConfigError) as raised:
        list(finished(works.square, 1, TASKS, Workplace("tcp://127.0.0.1:1")))
    assert str(raised.value) == "research.cluster was tcp://127.0.0.1:1, it does not answer"


@pytest.mark.slow
def test_ctrl_c_keeps_what_is_finished_and_says_how_to_go_on(tmp_path: Path) -> None:
    with lab_in(tmp_path, bars=8_000) as lab:
        interrupted(lab)


def interrupted(lab: Lab) -> None:
    var = lab.folder / "var"
    environ = {
        **os.environ, "CTP_VAR_DIR": str(var), "CTP_DATABASE_URL": f"sqlite:///{var}/x.db",
    }  # fmt: skip
    command = [sys.executable, "-m", "crypto_trader_pro", "research", "sweep"]
    market = lab.request.market
    asked = [
        "--candles", str(market.paths[0]), "--symbol", market.symbols[0], "--timeframe", "15m",
        "--strategy", "ema_cross", "--engine", "reference", "--workers", "2",
        "--param", f"{FAST}=5:14:1", "--param", f"{SLOW}=20:29:3", "--json",
    ]  # fmt: skip
    process = subprocess.Popen(
        [*command, *asked], cwd=ROOT, env=environ, text=True, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    results = var / "research" / "sweep-1" / "results.jsonl"
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and (not results.exists() or not results.read_bytes()):
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: the workers get it too
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, "")
    assert err == (
        "interrupted; what is finished is kept, go on with: research sweep --resume sweep-1\n"
    )
    kept = results.read_text().splitlines()
    assert 0 < len(kept) < 40
    again = subprocess.run(
        [*command, "--resume", "sweep-1", "--workers", "2", "--json"], cwd=ROOT, env=environ,
        capture_output=True, text=True, timeout=200, check=False,
    )  # fmt: skip
    assert (again.returncode, again.stderr) == (0, "")
    assert results.read_text().splitlines()[: len(kept)] == kept
    assert len(results.read_text().splitlines()) == 40
