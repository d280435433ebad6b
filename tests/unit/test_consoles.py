"""The files of running consoles."""

import subprocess
import sys
from pathlib import Path

import pytest

from crypto_trader_pro.domain.errors import ConfigError
from utils import consoles
from utils.processes import ProcessId, own_process, start_ticks


def test_a_running_console_is_found_until_it_ends(tmp_path: Path) -> None:
    assert consoles.running(tmp_path) == []
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        process = ProcessId(own_process().host, child.pid, start_ticks(child.pid) or 0)
        for _ in range(2):  # twice is once
            consoles.register(tmp_path, process, 8501)
        consoles.register(tmp_path, own_process(), 8502)
        assert sorted(consoles.running(tmp_path), key=lambda e: e[1]) == [
            (process, 8501), (own_process(), 8502),
        ]  # fmt: skip
        child.kill()
    assert consoles.running(tmp_path) == [(own_process(), 8502)]
    assert len(list((tmp_path / "consoles").iterdir())) == 1  # the other's file is gone


def test_a_number_that_another_process_has_now_is_no_console(tmp_path: Path) -> None:
    me = own_process()
    consoles.register(tmp_path, me._replace(started=me.started + 1), 8501)
    assert consoles.running(tmp_path) == []


@pytest.mark.parametrize("content", ["", "{", "[]", '{"process": [1]}', '{"process": "x"}'])
def test_half_a_file_is_cleared_away(tmp_path: Path, content: str) -> None:
    folder = tmp_path / "consoles"
    folder.mkdir()
    (folder / "7.json").write_text(content)
    assert consoles.running(tmp_path) == []
    assert list(folder.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "consoles").write_text("not a folder")
    with pytest.raises(ConfigError, match="cannot be written"):
        consoles.register(tmp_path, own_process(), 8501)
