"""The commands of `research`: one JSON object, one line for bad input, and the way to go on."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from crypto_trader_pro.cli.exits import Exit
from tests.engines import command
from tests.research_studies import Lab, lab_in

GRID = ("--param", "fast=5,8", "--param", "slow=20:30:10")


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    monkeypatch.setenv("CTP_VAR_DIR", str(tmp_path / "var"))
    monkeypatch.setenv("CTP_DATABASE_URL", f"sqlite:///{tmp_path}/commands.db")
    with lab_in(tmp_path) as made:
        yield made


def market(lab: Lab) -> tuple[str, ...]:
    asked = lab.request.market
    return (
        "--candles", str(asked.paths[0]), "--symbol", asked.symbols[0], "--timeframe", "15m",
        "--strategy", "ema_cross", "--engine", "reference", "--workers", "1",
    )  # fmt: skip


def answer(*arguments: str) -> dict[str, Any]:
    ended = command("research", *arguments, "--json")
    assert (ended.code, ended.stderr) == (0, "")
    found: dict[str, Any] = json.loads(ended.stdout)
    return found


def test_every_kind_of_study_answers_with_one_object(lab: Lab) -> None:
    asked = market(lab)
    kinds: dict[str, tuple[str, ...]] = {
        "sweep": GRID,
        "optimize": (*GRID, "--trials", "3", "--windows", "2", "--metric", "return"),
        "walk-forward": (*GRID, "--metric", "return", "--train-days", "10", "--test-days", "7"),
        "monte-carlo": ("--way", "trades", "--runs", "20"),
        "costs": ("--times", "0,1"),
        "capacity": ("--impact-pct", "5"),
        "look-ahead": ("--cuts", "2"),
        "overfitting": (*GRID, "--blocks", "4"),
    }
    for kind, options in kinds.items():
        found = answer(kind, *asked, *options)
        assert (found["study"], found["kind"], found["failed"]) == (f"{kind}-1", kind, {})
        assert found["symbols"] == ["BTC/USDT:USDT"]
        assert found["buy_and_hold"]["return"] is not None
        assert answer(kind, "--resume", f"{kind}-1") == found
        for counted in ("sweep", "optimize", "overfitting", "walk-forward"):
            assert kind != counted or found["luck"]["trials"] >= 1


def test_a_person_gets_a_table(lab: Lab) -> None:
    ended = command("research", "sweep", *market(lab), *GRID, "--top", "2")
    assert (ended.code, ended.stderr) == (0, "")
    assert "trials" in ended.stdout
    assert ended.stdout.count("slow=") == 3  # the best and two rows
    assert not re.search(r"\.\d{7}", ended.stdout)  # all digits are in --json


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("--param", "fats=5"), "parameter was 'fats', no setting has this name; nearest is fast"),
        (("--param", "fast=5", "--metric", "luck"), "metric was 'luck', allowed: sharpe, return,"),
        (("--param", "fast=5", "--engine", "fast"), "--engine was 'fast', allowed: compiled"),
        (("--param", "fast=5", "--strategy", "luck"), "strategy was 'luck', allowed: ema_cross"),
        (("--param", "fast=5", "--cluster", "host"), "argument: research.cluster was \"host\", "),
        (("--param", "fast=5", "--workers", "-1"), "argument: research.workers was -1, allowed: "),
        (("--param", "fast=5", "--from", "2031"), "--from was '2031', allowed: 2025-05"),
        (("--param", "fast=5", "--from", "2031-01"), "BTC/USDT:USDT: no 15m candle in"),
        (("--param", "fast=0"), "argument: strategies.ema_cross.fast was 0, allowed: a whole"),
        (("--resume", "sweep-9"), "--resume goes on with what the study began with;"),
    ],
)  # fmt: skip
def test_bad_input_is_one_line_and_leaves_nothing(
    lab: Lab, arguments: tuple[str, ...], line: str
) -> None:
    ended = command("research", "sweep", *market(lab), *arguments)
    assert (ended.code, ended.stdout) == (Exit.USAGE, "")
    assert ended.stderr.startswith(line)
    assert ended.stderr.count("\n") == 1
    assert not (lab.folder / "var" / "research").exists()


def test_a_study_is_gone_on_with_as_what_it_is(lab: Lab) -> None:
    answer("sweep", *market(lab), *GRID)
    ended = command("research", "costs", "--resume", "sweep-1")
    assert (ended.code, ended.stderr) == (Exit.USAGE, "sweep-1 is of kind sweep, not costs\n")
    ended = command("research", "sweep", "--resume", "sweep-2")
    assert (ended.code, ended.stderr) == (
        Exit.USAGE, "there is no study 'sweep-2'; known: sweep-1\n",
    )  # fmt: skip


def test_a_run_that_peeks_ends_with_exit_code_1(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    told = ["equity 1 at ...: 1 in the whole run, 2 in the cut one"]
    monkeypatch.setattr("auto_trading.research.look_ahead.differences", lambda *_: told)
    ended = command("research", "look-ahead", *market(lab), "--cuts", "2", "--json")
    assert ended.code == Exit.NEGATIVE
    found = json.loads(ended.stdout)
    assert not found["passed"]
    assert [cut["differs"] for cut in found["cuts"]] == [told, told]


def test_one_combination_only_where_one_is_run(lab: Lab) -> None:
    ended = command("research", "costs", *market(lab), "--param", "fast=5,8")
    assert ended.stderr == "parameter strategies.ema_cross.fast has 2 values, allowed: one\n"
