"""Which sentence the control panel says of the engine, for every way wish and state can stand."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from auto_trading_dashboard.components.control_words import Said, situation, trigger_of
from auto_trading_dashboard.queries.control import Books, Panel, Safety
from auto_trading_dashboard.queries.requests import Asked
from crypto_trader_pro.domain.enums import CommandKind, DesiredState, ObservedState, TradingState
from database.commands import CommandStatus
from database.engine_state import EngineState
from utils.texts import Language, catalogue

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
D, S, T = DesiredState, ObservedState, TradingState
BOOKS = Books("r1", "USDT", NOW, Decimal(100), Decimal(60), 2, 4)


def a_panel(
    desired: DesiredState, observed: ObservedState, trading: TradingState = T.ACTIVE, *,
    silent: float = 1, alive: bool = True, error: str | None = None,
    safety: Safety | None = None, wish: CommandKind | None = None,
) -> Panel:  # fmt: skip
    """Return a panel whose wish, if any, was asked three seconds ago."""
    engine = EngineState(
        desired, observed, alive, trading, 1, 1, NOW - timedelta(seconds=silent), silent, "paper",
        "demo", 1, error, NOW, {},
    )  # fmt: skip
    asked = None
    if wish is not None:
        at = NOW - timedelta(seconds=3)
        asked = Asked("c", wish.value, "", "me", CommandStatus.ASKED, at, None, None, {})
    return Panel(engine, BOOKS, safety or Safety(), asked, None)


def said(*states: Any, **more: Any) -> Said:
    found = situation(a_panel(*states, **more), NOW)
    for language in Language:  # and it can be said
        catalogue(language)[f"control.now.{found.code}"].format(**found.values)
    return found


def test_before_any_engine() -> None:
    assert situation(Panel(None, None, None, None, None), NOW).code == "never"


@pytest.mark.parametrize(
    ("desired", "observed", "trading", "code"),
    [
        (D.RUNNING, S.RUNNING, T.ACTIVE, "running"),
        (D.STOPPED, S.STOPPED, T.ACTIVE, "stopped"),
        (D.STOPPED, S.STARTING, T.ACTIVE, "starting"),
        (D.RUNNING, S.RUNNING, T.REDUCING, "reducing"),
        (D.RUNNING, S.FAULTED, T.ACTIVE, "faulted"),
        (D.RUNNING, S.RUNNING, T.HALTED, "drawdown"),
    ],
)
def test_a_living_engine(
    desired: DesiredState, observed: ObservedState, trading: TradingState, code: str
) -> None:
    assert said(desired, observed, trading).code == code


@pytest.mark.parametrize(
    ("desired", "observed", "wish", "code"),
    [
        (D.RUNNING, S.STOPPED, CommandKind.START, "start_asked"),
        (D.STOPPED, S.STOPPING, CommandKind.STOP, "stop_asked"),
        (D.STOPPED, S.RUNNING, CommandKind.STOP, "stop_asked"),
        (D.EMERGENCY, S.RUNNING, CommandKind.EMERGENCY_STOP, "emergency_asked"),
    ],
)
def test_while_wish_and_state_differ_it_says_since_when(
    desired: DesiredState, observed: ObservedState, wish: CommandKind, code: str
) -> None:
    found = said(desired, observed, wish=wish)
    assert (found.code, found.values) == (code, {"age": "3 s"})
    assert said(desired, observed).values == {"age": "–"}  # nobody knows who wished it


def test_a_daily_loss_is_told_apart_from_a_drawdown() -> None:
    found = said(D.RUNNING, S.RUNNING, T.HALTED, safety=Safety(daily_level=2))
    assert found.code == "daily_loss"


def test_an_emergency_names_its_trigger_and_what_is_left() -> None:
    kill = Safety(halt_reason="VAR_BREACHES", flattening=True)
    under_way = said(D.RUNNING, S.STOPPED, T.HALTED, safety=kill)
    assert (under_way.code, under_way.values) == (
        "flattening", {"trigger": "VAR_BREACHES", "positions": 2},
    )  # fmt: skip
    assert said(D.EMERGENCY, S.STOPPED, T.HALTED).values["trigger"] == "MANUAL_STOP"
    assert said(D.EMERGENCY, S.STOPPED, T.HALTED).code == "latched"
    assert trigger_of(a_panel(D.RUNNING, S.RUNNING)) == ""


@pytest.mark.parametrize(
    ("silent", "code", "values"),
    [(5.5, "late", {"age": "5 s"}), (-90, "clock", {"ahead": "1 min"}), (-1.5, "running", {})],
)
def test_a_heartbeat_that_is_no_news(silent: float, code: str, values: dict[str, str]) -> None:
    found = said(D.RUNNING, S.RUNNING, silent=silent)
    assert (found.code, found.values) == (code, values)


@pytest.mark.parametrize(
    ("desired", "observed", "error", "code"),
    [
        (D.RUNNING, S.FAULTED, None, "died"),
        (D.RUNNING, S.FAULTED, "disk full", "faulted_gone"),
        (D.EMERGENCY, S.STOPPED, None, "no_engine_latched"),
        (D.RUNNING, S.STOPPED, None, "no_engine_start"),
        (D.STOPPED, S.STOPPED, None, "no_engine"),
    ],
)
def test_without_a_living_engine(
    desired: DesiredState, observed: ObservedState, error: str | None, code: str
) -> None:
    assert said(desired, observed, alive=False, error=error).code == code


def test_a_re_arm_is_offered_only_where_it_lifts_something() -> None:
    assert not a_panel(D.RUNNING, S.RUNNING).can_rearm
    assert a_panel(D.RUNNING, S.RUNNING, T.REDUCING).can_rearm
    assert not a_panel(D.RUNNING, S.STOPPED, T.REDUCING, alive=False).can_rearm
    assert a_panel(D.EMERGENCY, S.STOPPED, alive=False).can_rearm
    assert a_panel(D.STOPPED, S.STOPPED, safety=Safety(halt_reason="MANUAL_STOP")).is_latched
