"""A click on Emergency stop becomes a flag, by the page or without it."""

import time
from pathlib import Path

import pytest
import streamlit as st

from auto_trading_dashboard import actions, emergency, services
from auto_trading_dashboard.components import asking
from auto_trading_dashboard.emergency import Watch
from crypto_trader_pro.domain.enums import CommandKind


def flag_of(var_dir: Path) -> Path:
    return var_dir / "control" / CommandKind.EMERGENCY_STOP.value


def test_a_click_that_nobody_runs_puts_the_flag_up_within_a_second(tmp_path: Path) -> None:
    began = time.monotonic()
    Watch().clicked(tmp_path)
    while not flag_of(tmp_path).exists():
        assert time.monotonic() - began < 1
        time.sleep(0.01)
    assert flag_of(tmp_path).read_text(encoding="utf-8") == "console"


def test_a_click_that_was_run_is_not_run_again(tmp_path: Path) -> None:
    watch = Watch()
    watch.clicked(tmp_path)
    watch.asked()
    time.sleep(0.6)
    assert not flag_of(tmp_path).exists()


def test_an_earlier_stop_does_not_count(tmp_path: Path) -> None:
    watch = Watch()
    watch.asked()
    watch.clicked(tmp_path)
    time.sleep(0.6)
    assert flag_of(tmp_path).exists()


def test_a_flag_that_cannot_be_written_is_in_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "control").write_text("a file in its place", encoding="utf-8")
    Watch().clicked(tmp_path)
    time.sleep(0.6)
    assert "could not be flagged" in caplog.text


def test_both_halves_of_a_double_click_count_as_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch, stored = Watch(), []
    monkeypatch.setattr(emergency, "WATCH", watch)
    monkeypatch.setattr(st, "session_state", {})
    monkeypatch.setattr(services, "var_dir", lambda: tmp_path)

    def ask(_: object, kind: CommandKind, __: object, *, command_id: str, **___: object) -> object:
        stored.append(command_id)
        return actions.Told(kind, command_id)

    monkeypatch.setattr(actions, "ask", ask)
    for _ in range(2):
        watch.clicked(tmp_path)
        asking.ask(CommandKind.EMERGENCY_STOP)
    time.sleep(0.6)
    assert len(stored) == 1
    assert not flag_of(tmp_path).exists()  # the stand-in for `ask` puts none up
