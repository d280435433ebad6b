"""A pause by a person, as the risk manager keeps it."""

import json

import pytest

from auto_trading.risk_manager import RiskManager
from auto_trading.session_store import CARRIED
from crypto_trader_pro.domain.calendar import TradingCalendar
from crypto_trader_pro.domain.enums import GateState, TradingState
from crypto_trader_pro.risk.config import RiskLimits
from tests.builders import HOUR, PERPETUAL, START_MS, USDT, a_bar, a_round_instrument, a_signal

EQUITY = 100_000 * USDT


def a_manager(**limits: int) -> RiskManager:
    risk = RiskManager(RiskLimits(**limits), TradingCalendar("UTC"), 1, HOUR)
    risk.open_account(EQUITY, START_MS)
    return risk


def state_number(risk: RiskManager) -> int:
    found = risk.inputs(
        0, a_round_instrument(PERPETUAL), a_signal(stop_units=10, target_units=0), a_bar(),
        START_MS + HOUR, gate=GateState.GREEN, reference=100, busy=False, open_positions=0, gross=0,
    )  # fmt: skip
    return found.trading_state


def test_a_pause_reduces_until_it_is_lifted() -> None:
    risk = a_manager()
    risk.pause(on=True)
    assert (risk.trading_state, state_number(risk)) == (TradingState.REDUCING, 1)
    assert risk.check_all_limits(0) == [("trading_state", {"state": 1})]
    assert risk.may_close()  # what reduces goes on
    risk.mark(START_MS + HOUR, EQUITY + USDT, 0)  # a new peak: the state is found anew
    assert risk.trading_state is TradingState.REDUCING
    risk.pause(on=False)
    assert (risk.trading_state, state_number(risk)) == (TradingState.ACTIVE, 0)
    assert risk.check_all_limits(0) == []


def test_recovery_from_a_drawdown_does_not_lift_it() -> None:
    """5 % down reduces, 4 % down ends that; the pause stays."""
    risk = a_manager(daily_loss_rate=50_000_000)
    risk.pause(on=True)
    risk.mark(START_MS + HOUR, EQUITY * 94 // 100, 1)
    assert risk.drawdown_level == 1
    risk.mark(START_MS + 2 * HOUR, EQUITY * 97 // 100, 1)
    assert (risk.drawdown_level, risk.trading_state) == (0, TradingState.REDUCING)


def test_an_emergency_counts_more_and_a_rearm_leaves_the_pause() -> None:
    risk = a_manager()
    risk.pause(on=True)
    before = risk.can_rearm
    risk.halt("MANUAL_STOP")
    assert (risk.trading_state, state_number(risk)) == (TradingState.HALTED, 2)
    assert risk.check_all_limits(0) == [("trading_state", {"state": 2})]
    assert (before, risk.can_rearm) == (False, True)
    risk.rearm()
    assert (risk.paused, risk.trading_state) == (True, TradingState.REDUCING)


def test_time_paused_counts_as_reducing() -> None:
    risk = a_manager()
    risk.pause(on=True)
    risk.mark(START_MS + HOUR, EQUITY, 0)
    assert risk.time_in_state == {"active": 0, "reducing": HOUR, "halted": 0}


@pytest.mark.parametrize("paused", [True, False])
def test_a_restart_and_the_next_session_know_of_it(paused: bool) -> None:
    risk = a_manager()
    risk.pause(on=paused)
    state = json.loads(json.dumps(risk.state()))
    again, following = a_manager(), a_manager()
    again.restore(state)
    following.restore({**following.state(), **{name: state[name] for name in CARRIED}})
    wanted = TradingState.REDUCING if paused else TradingState.ACTIVE
    assert again.trading_state is following.trading_state is wanted


def test_a_checkpoint_of_an_earlier_version_has_no_pause() -> None:
    state = a_manager().state()
    del state["paused"]
    risk = a_manager()
    risk.restore(state)
    assert (risk.paused, risk.equity) == (False, EQUITY)


def test_an_exit_newer_than_the_candle_starts_the_cooldown() -> None:
    """Between candles the exit may be newer than the close that is decided on: not "never"."""
    risk = a_manager(cooldown_bars=1)
    risk.exited(0, START_MS + HOUR + 1)
    found = risk.inputs(
        0, a_round_instrument(PERPETUAL), a_signal(stop_units=10, target_units=0), a_bar(),
        START_MS + HOUR, gate=GateState.GREEN, reference=100, busy=False, open_positions=0, gross=0,
    )  # fmt: skip
    assert found.bars_since_exit == 0
    assert risk.check_entry(found).first == "cooldown"
