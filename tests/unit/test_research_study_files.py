"""A study's folder: finished results survive any death, and nothing else is taken for one."""

import json
import os
from pathlib import Path

import pytest

from auto_trading.research.study_files import StudyFiles
from crypto_trader_pro.domain.errors import ConfigError, InputError


def test_each_study_has_the_next_number_of_its_kind(tmp_path: Path) -> None:
    made = [
        StudyFiles.new(tmp_path, kind, {"kind": kind}).id for kind in ("sweep", "sweep", "costs")
    ]
    assert made == ["sweep-1", "sweep-2", "costs-1"]
    assert StudyFiles.find(tmp_path, "sweep-2").spec == {"kind": "sweep"}


@pytest.mark.parametrize("given", ["sweep-3", "../sweep-1", "sweep", ""])
def test_an_unknown_study_names_the_known(tmp_path: Path, given: str) -> None:
    StudyFiles.new(tmp_path, "sweep", {})
    with pytest.raises(InputError) as raised:
        StudyFiles.find(tmp_path, given)
    assert str(raised.value) == f"there is no study {given!r}; known: sweep-1"


def test_results_are_there_again_and_a_torn_line_is_not(tmp_path: Path) -> None:
    files = StudyFiles.new(tmp_path, "sweep", {})
    with files.results() as results:
        assert results.add("a", {"x": 10**17 + 1}) == {"x": 10**17 + 1}  # whole numbers stay whole
        results.add("b", [1.5, None])
    path = files.folder / "results.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"key": "c", "val')  # killed in the middle of a line
    with files.results() as results:
        assert len(results) == 2
        assert results["a"] == {"x": 10**17 + 1}
        assert "c" not in results
        results.add("c", 3)
    assert path.read_bytes() == whole + b'{"key": "c", "value": 3}\n'


def test_a_line_is_in_the_file_before_the_next_is_computed(tmp_path: Path) -> None:
    files = StudyFiles.new(tmp_path, "sweep", {})
    with files.results() as results:
        results.add("a", 1)
        assert (files.folder / "results.jsonl").read_text() == '{"key": "a", "value": 1}\n'


def test_what_is_written_is_forced_to_the_disk_in_batches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forced: list[int] = []
    files = StudyFiles.new(tmp_path, "sweep", {})
    monkeypatch.setattr(os, "fsync", forced.append)
    with files.results() as results:
        for i in range(130):
            results.add(str(i), i)
    assert len(forced) == 3  # 64 + 64 + the rest at the end, all within a second


def test_a_broken_line_in_the_middle_is_refused_by_its_number(tmp_path: Path) -> None:
    files = StudyFiles.new(tmp_path, "sweep", {})
    path = files.folder / "results.jsonl"
    path.write_text('{"key": "a", "value": 1}\nnonsense\n{"key": "b", "value": 2}\n')
    with pytest.raises(InputError) as raised, files.results():
        pass
    assert str(raised.value) == f"{path}: line 2 is no result; remove it and go on"


def test_two_processes_do_not_work_on_one_study(tmp_path: Path) -> None:
    files = StudyFiles.new(tmp_path, "sweep", {})
    with (
        files.results(),
        pytest.raises(InputError, match=f"research sweep-1 .* process {os.getpid()}"),
        files.results(),
    ):
        pass


def test_a_number_that_json_does_not_have_is_no_result(tmp_path: Path) -> None:
    files = StudyFiles.new(tmp_path, "sweep", {})
    with files.results() as results, pytest.raises(ValueError, match="JSON"):
        results.add("a", float("nan"))
    assert (files.folder / "results.jsonl").read_text() == ""


def test_a_summary_is_whole_or_not_there(tmp_path: Path) -> None:
    files = StudyFiles.new(tmp_path, "sweep", {})
    path = files.finish({"best": "fast=5"})
    assert json.loads(path.read_text()) == {"best": "fast=5"}
    with pytest.raises(ValueError, match="JSON"):
        files.finish({"best": float("inf")})
    assert json.loads(path.read_text()) == {"best": "fast=5"}


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "research").write_text("in the way")
    with pytest.raises(ConfigError, match="cannot be written: File exists"):
        StudyFiles.new(tmp_path, "sweep", {})
