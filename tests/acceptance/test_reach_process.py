"""The process beside the engine as an operator has it: real processes, a real peer, kill -9."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from auto_trading.ending import How, end_everything
from config.environment import Environment
from tests.channel_peers import Answer, HttpPeer
from tests.engine_process import Site, a_site, until
from tests.market_data import ROOT
from tests.processes import a_port
from utils import reach_file
from utils.processes import ProcessId, is_gone


@pytest.fixture
def peer() -> Iterator[HttpPeer]:
    with HttpPeer(Answer(200, b"ok")) as found:
        yield found


@pytest.fixture
def site(tmp_path: Path, peer: HttpPeer) -> Iterator[Site]:
    settings = {
        "CTP_REACH__ENABLED": "true", "CTP_REACH__SILENT_AFTER_SECONDS": "5",
        "CTP_HTTP_PORT": str(a_port()), "CTP_CHANNELS__WEBHOOK__ENABLED": "true",
        "CTP_NOTIFICATIONS__CHANNELS": '["dashboard", "webhook"]',
        "CTP_WEBHOOK_OUT_URL": peer.url, "CTP_WEBHOOK_OUT_SECRET": "0123456789abcdef",
    }  # fmt: skip
    with a_site(tmp_path, settings) as found:
        yield found
        if (left := reach_file.living(found.var_dir)) is not None:
            os.kill(left.pid, signal.SIGKILL)


def reaching(site: Site, other_than: ProcessId | None = None) -> ProcessId:
    """Wait until a process sends messages, another one than that, and return it."""

    def found() -> ProcessId | None:
        living = reach_file.living(site.var_dir)
        return None if living == other_than else living

    process = until(found, "the process for messages", 30)
    assert process is not None
    return process


def said(peer: HttpPeer, beginning: str) -> bool:
    return any(str(asked.json()["text"]).startswith(beginning) for asked in peer.asked)


def test_it_tells_of_a_killed_engine_and_down_ends_it(site: Site, peer: HttpPeer) -> None:
    engine = site.up()
    process = reaching(site)
    site.kill(engine)
    killed_at = time.monotonic()
    until(lambda: said(peer, "The engine has been silent for "), "the silence", 20)
    assert time.monotonic() - killed_at < 5 + 6  # limit, and a few looks
    (ended,) = end_everything(Environment.read({"CTP_VAR_DIR": str(site.var_dir)}), "test")
    assert (ended.what, ended.pid, ended.how) == ("reach", process.pid, How.TERMINATED)
    assert is_gone(process)
    assert reach_file.read(site.var_dir) is None
    assert len(peer.asked) == 1


@pytest.mark.slow
def test_it_is_begun_again_makes_way_for_the_next_engine_and_ends_with_it(
    site: Site, peer: HttpPeer
) -> None:
    engine = site.up()
    first = reaching(site)
    os.kill(first.pid, signal.SIGKILL)
    second = reaching(site, other_than=first)
    until(lambda: said(peer, "The process that sends messages has ended (exit code -9)"),
          "the word about it", 20)  # fmt: skip
    site.kill(engine)
    until(lambda: said(peer, "The engine has been silent for "), "the silence", 20)
    assert not is_gone(second)

    engine = site.up()
    third = reaching(site, other_than=second)  # of this engine; the one before made way
    until(lambda: is_gone(second), "its end", 5)
    until(lambda: said(peer, "The engine is back after "), "the return", 20)
    began = time.monotonic()
    ended = site.end(engine)
    assert (ended.code, ended.stderr) == (0, "")
    assert time.monotonic() - began < 6
    assert is_gone(third)
    assert reach_file.read(site.var_dir) is None
    texts = [str(asked.json()["text"]) for asked in peer.asked]
    assert len([text for text in texts if text.startswith("The engine has been silent")]) == 1


@pytest.mark.slow
def test_without_its_folder_it_ends_itself(tmp_path: Path) -> None:
    (tmp_path / "var").mkdir()
    again = alone(tmp_path / "var")
    try:
        reaching(Site(tmp_path))
        (tmp_path / "var").rename(tmp_path / "elsewhere")
        assert again.wait(10) == 0
    finally:
        again.kill()
        again.wait(5)


def alone(var_dir: Path) -> "subprocess.Popen[bytes]":
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("CTP_", "DATABASE_URL"))}
    own = {"CTP_VAR_DIR": str(var_dir), "CTP_HTTP_PORT": str(a_port())}
    return subprocess.Popen([sys.executable, "-m", "auto_trading.reach"], cwd=ROOT,
                            env={**kept, **own})  # fmt: skip
