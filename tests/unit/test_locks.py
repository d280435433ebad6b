"""A lock holds against everybody, names its holder, and ends with the process that held it."""

import os
from pathlib import Path

import pytest

from crypto_trader_pro.domain.errors import InputError
from tests.children import READY, a_child
from utils.locks import exclusive

HOLD = f"""
import sys
from pathlib import Path
from utils.locks import exclusive
with exclusive(Path(sys.argv[1]), "run r1"):
    {READY}
"""


def test_a_lock_is_free_again_after_its_block(tmp_path: Path) -> None:
    for _ in range(2):
        with exclusive(tmp_path / "a.lock", "run r1"):
            assert (tmp_path / "a.lock").read_text() == str(os.getpid())


def test_a_lock_is_free_again_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), exclusive(tmp_path / "a.lock", "run r1"):
        raise ZeroDivisionError
    with exclusive(tmp_path / "a.lock", "run r1"):
        pass


def test_the_same_process_does_not_get_it_twice(tmp_path: Path) -> None:
    with (
        exclusive(tmp_path / "a.lock", "run r1"),
        pytest.raises(InputError, match=f"run r1 is being played by process {os.getpid()};"),
        exclusive(tmp_path / "a.lock", "run r1"),
    ):
        raise AssertionError("two holders")


def test_two_names_do_not_disturb_each_other(tmp_path: Path) -> None:
    with exclusive(tmp_path / "a.lock", "run r1"), exclusive(tmp_path / "b.lock", "run r2"):
        held = {(tmp_path / name).read_text() for name in ("a.lock", "b.lock")}
    assert held == {str(os.getpid())}


def test_another_process_holds_it_until_it_dies_however_it_dies(tmp_path: Path) -> None:
    file = tmp_path / "locks" / "a.lock"  # the folder is made
    with a_child(HOLD, str(file)) as child:
        holder = file.read_text()
        assert holder == str(child._process.pid)
        with (
            pytest.raises(InputError, match=f"process {holder}"),
            exclusive(file, "run r1"),
        ):
            raise AssertionError("two holders")
        child._process.kill()
        child._process.wait()
        with exclusive(file, "run r1"):  # the kernel has freed it
            assert file.read_text() == str(os.getpid())


def test_a_long_pid_of_a_former_holder_leaves_nothing_behind(tmp_path: Path) -> None:
    file = tmp_path / "a.lock"
    file.write_text("9" * 30)
    with exclusive(file, "run r1"):
        assert file.read_text() == str(os.getpid())


def test_a_holder_that_has_not_written_its_pid_yet_is_unknown(tmp_path: Path) -> None:
    file = tmp_path / "a.lock"
    with exclusive(file, "run r1"):
        file.write_text("")
        with pytest.raises(InputError, match="process unknown"), exclusive(file, "run r1"):
            raise AssertionError("two holders")
