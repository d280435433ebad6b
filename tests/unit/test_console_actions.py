"""What a click becomes: one command, or a flag where the database is silent."""

import time
from pathlib import Path

import pytest
from sqlalchemy import Engine

from auto_trading.flags import Flags
from auto_trading_dashboard import actions
from auto_trading_dashboard.actions import Clicks, Told, ask, rearm_payload
from auto_trading_dashboard.components import figures
from crypto_trader_pro.domain.enums import CommandKind, DesiredState, ObservedState, TradingState
from crypto_trader_pro.domain.errors import ConfigError, InputError, JournalUnavailable
from database import commands, lease, wishes
from database.auto_trading_db import open_database, prepare, unit_of_work
from tests.processes import locked
from tests.rows import T0

START, STOP, EMERGENCY = CommandKind.START, CommandKind.STOP, CommandKind.EMERGENCY_STOP


@pytest.fixture
def file(tmp_path: Path) -> Path:
    engine = open_database(f"sqlite:///{tmp_path / 'database.db'}")
    prepare(engine)
    engine.dispose()
    return tmp_path / "database.db"


def click(file: Path, kind: CommandKind, command_id: str = "c1", busy: float = 0.2) -> Told:
    engine = open_database(f"sqlite:///{file}", busy_seconds=busy)
    try:
        return ask(
            lambda _: engine, kind, command_id=command_id, by="console", now=T0,
            var_dir=file.parent,
        )  # fmt: skip
    finally:
        engine.dispose()


def test_a_click_is_one_command_and_a_wish(file: Path) -> None:
    for _ in range(2):
        assert click(file, START) == Told(START, "c1", at=T0)
    engine = open_database(f"sqlite:///{file}", read_only=True)
    with unit_of_work(engine) as session:
        (row,) = commands.newest(session)
        assert (row.command_id, row.kind, row.requested_by) == ("c1", "start", "console")
        state = lease.read(session)
        assert state is not None
        assert state.desired_state == "running"
    engine.dispose()
    assert Flags(file.parent).up() == []


def test_an_emergency_also_puts_up_its_flag(file: Path) -> None:
    assert click(file, EMERGENCY) == Told(EMERGENCY, "c1", at=T0)
    ((kind, by, _),) = Flags(file.parent).up()  # as the engine reads it
    assert (kind, by) == (EMERGENCY, "console")


@pytest.mark.parametrize("kind", [STOP, EMERGENCY])
def test_a_stop_while_the_database_is_locked_is_a_flag_at_once(
    file: Path, kind: CommandKind
) -> None:
    with locked(file):
        begun = time.monotonic()
        told = click(file, kind, busy=5.0)  # however long the database would wait
        assert time.monotonic() - begun < 0.8
    assert (told.command_id, told.flagged) == (None, True)
    assert told.trouble != ""
    assert [flag.kind for flag in Flags(file.parent).up()] == [kind]


def test_a_start_while_the_database_is_locked_is_not_stored_and_says_so(file: Path) -> None:
    with locked(file):
        told = click(file, START)
    assert (told.command_id, told.flagged) == (None, False)
    assert "is locked by another process" in told.trouble
    assert Flags(file.parent).up() == []


@pytest.mark.parametrize(
    ("error", "flagged"), [(JournalUnavailable("full"), True), (ConfigError("no file"), True),
                           (InputError("no"), False)],
)  # fmt: skip
def test_a_stop_that_is_not_stored(tmp_path: Path, error: Exception, flagged: bool) -> None:
    def writer(_: CommandKind) -> Engine:
        raise error

    told = ask(writer, STOP, command_id="c", by="console", now=T0, var_dir=tmp_path)
    assert told == Told(STOP, flagged=flagged, trouble=str(error), at=T0)
    assert bool(Flags(tmp_path).up()) is flagged


def test_a_double_click_is_one_click() -> None:
    now = [0.0]
    clicks = Clicks(lambda: now[0])
    first = clicks.command_id(STOP)
    now[0] = actions.DOUBLE_CLICK_SECONDS - 0.01
    assert clicks.command_id(STOP) == first
    now[0] = actions.DOUBLE_CLICK_SECONDS
    second = clicks.command_id(STOP)
    assert second != first
    assert clicks.command_id(START) != second  # another button
    assert clicks.command_id(STOP) not in (first, second)  # stop, start, stop are three wishes


def test_a_re_arm_takes_its_word() -> None:
    assert rearm_payload(" REARM ") == {"confirm": "REARM"}
    for word in ("", "rearm", "x" * 500):
        with pytest.raises(InputError, match="allowed: REARM"):
            rearm_payload(word)


def test_a_wish_without_its_fields_is_refused(file: Path) -> None:
    engine = open_database(f"sqlite:///{file}")
    with pytest.raises(InputError, match="command close_position lacks symbol"):
        wishes.wish(engine, CommandKind.CLOSE_POSITION, by="x", now=T0)
    row = wishes.wish(engine, CommandKind.CLOSE_POSITION, {"symbol": "X"}, by="x", now=T0)
    assert row.expires_at is not None
    with unit_of_work(engine) as session:
        assert [r.command_id for r in wishes.found(session, [row.command_id, "?"])] == [
            row.command_id
        ]
    engine.dispose()


def test_figures_as_people_read_them() -> None:
    from decimal import Decimal

    assert figures.amount(Decimal("-1234.5")) == "−1,234.50"
    assert (figures.amount(None), figures.whole(12_345)) == ("–", "12,345")
    assert {figures.desired_colour(s) for s in DesiredState} == {"green", "gray", "red"}
    assert {figures.observed_colour(s) for s in ObservedState} == {"green", "gray", "red", "orange"}
    assert {figures.trading_colour(s) for s in TradingState} == {"green", "orange", "red"}
    assert figures.heartbeat_colour(6, alive=True) == "red"
    assert figures.heartbeat_colour(6, alive=False) == figures.heartbeat_colour(5, alive=True)
    assert figures.coloured("a_b", "red") == r":red[a\_b]"
    assert figures.coloured("a_b", "gray") == r"a\_b"
    assert figures.badge("[x]", "red") == r":red-badge[\[x\]]"
