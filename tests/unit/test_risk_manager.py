"""The ladders and what an entry is judged by, in hours of a Seoul day and USDT.

The account opens with 100,000 USDT at midnight in Seoul (15:00 UTC), day 0, "2024-01-02". Lines:
warning 97,600, daily loss 97,000, reducing 95,000 until above 96,000, kill 90,000.
"""

import json
from decimal import Decimal

import pytest

from auto_trading.risk_manager import RiskEvent, RiskManager
from crypto_trader_pro.domain.calendar import TradingCalendar
from crypto_trader_pro.domain.enums import GateState, NotificationType, TradingState
from crypto_trader_pro.domain.signals import ModelView
from crypto_trader_pro.risk.config import RiskLimits
from crypto_trader_pro.risk.rules import CODES, RULES, RiskInputs
from tests.builders import (
    HOUR,
    SPOT,
    START_MS,
    USDT,
    a_bar,
    a_round_instrument,
    a_signal,
)

MIDNIGHT = START_MS + 15 * HOUR
ACTIVE, REDUCING, HALTED = TradingState.ACTIVE, TradingState.REDUCING, TradingState.HALTED


def at(day: int, hour: int = 0) -> int:
    return MIDNIGHT + (24 * day + hour) * HOUR


def a_manager(**limits: int) -> RiskManager:
    risk = RiskManager(RiskLimits(**limits), TradingCalendar("Asia/Seoul"), 2, HOUR)
    risk.open_account(100_000 * USDT, MIDNIGHT)
    return risk


def mark(
    risk: RiskManager, day: int, hour: int, equity: str | int, positions: int = 1
) -> list[str]:
    """Mark to `equity` USDT at the close of the candle that ends at `hour`; return the codes."""
    return [e.code for e in marked(risk, day, hour, equity, positions)]


def marked(
    risk: RiskManager, day: int, hour: int, equity: str | int, positions: int = 1
) -> list[RiskEvent]:
    return list(risk.mark(at(day, hour), int(Decimal(equity) * USDT), positions))


@pytest.fixture
def risk() -> RiskManager:
    return a_manager()


# --- the day ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("equity", "codes", "state"),
    [
        ("97600.00000001", [], ACTIVE),
        ("97600", ["daily_loss_warning"], ACTIVE),  # 80 % of the limit; a warning stops nothing
        ("97000.00000001", ["daily_loss_warning"], ACTIVE),
        ("97000", ["daily_loss_exceeded"], HALTED),  # 3 %: exactly at the limit is over the limit
        ("95000.00000001", ["daily_loss_exceeded"], HALTED),
    ],
)
def test_the_daily_ladder(
    risk: RiskManager, equity: str, codes: list[str], state: TradingState
) -> None:
    assert mark(risk, 0, 1, equity) == codes
    assert risk.trading_state is state


def test_each_step_of_the_daily_ladder_is_told_once(risk: RiskManager) -> None:
    assert mark(risk, 0, 1, 97_500) == ["daily_loss_warning"]
    assert mark(risk, 0, 2, 98_000) == []
    assert mark(risk, 0, 3, 97_500) == []  # warned today already
    assert mark(risk, 0, 4, 97_000) == ["daily_loss_exceeded"]
    assert mark(risk, 0, 5, 96_500) == []


def test_a_day_is_lost_above_the_lowest_equity_so_far(risk: RiskManager) -> None:
    mark(risk, 0, 1, 98_000)
    mark(risk, 1, 1, 96_000)  # the low; reducing begins at 95,000
    mark(risk, 1, 24, 99_500)  # where day 2 starts: 97,112 warns, 96,515 halts
    assert mark(risk, 2, 1, 97_113) == []
    assert mark(risk, 2, 2, 96_900) == ["daily_loss_warning"]
    assert mark(risk, 2, 3, 96_500) == ["daily_loss_exceeded"]


def test_the_event_of_a_daily_loss_says_its_numbers(risk: RiskManager) -> None:
    (event,) = marked(risk, 0, 1, 96_900)
    assert event == RiskEvent(
        NotificationType.DAILY_LOSS_WARNING,
        "critical",
        "daily_loss_exceeded",
        {"equity": 96_900 * USDT, "day_start": 100_000 * USDT, "line": 97_000 * USDT},
    )


def test_a_daily_halt_lasts_through_a_recovery_until_the_next_trading_day(
    risk: RiskManager,
) -> None:
    mark(risk, 0, 1, 97_000)
    mark(risk, 0, 2, 100_000)
    assert risk.trading_state is HALTED
    mark(risk, 0, 24, 99_000)
    assert (risk.day, risk.trading_state) == ("2024-01-02", HALTED)
    mark(risk, 1, 1, 99_000)
    assert (risk.day, risk.trading_state) == ("2024-01-03", ACTIVE)


def test_the_candle_that_closes_at_midnight_belongs_to_the_old_day(risk: RiskManager) -> None:
    assert mark(risk, 0, 23, 98_000) == []
    assert mark(risk, 0, 24, 97_000) == ["daily_loss_exceeded"]
    assert (risk.day, risk.day_start_equity) == ("2024-01-02", 100_000 * USDT)
    # the new day starts from the old one's last equity: 97,000 * 0.976 = 94,672
    assert mark(risk, 1, 1, 96_900) == []
    assert (risk.day, risk.day_start_equity) == ("2024-01-03", 97_000 * USDT)


def test_each_day_has_its_own_lines(risk: RiskManager) -> None:
    mark(risk, 0, 24, 98_000)
    # 98,000 - 3 % = 95,060; - 2.4 % = 95,648
    assert mark(risk, 1, 1, "95648.00000001") == []
    assert mark(risk, 1, 2, 95_648) == ["daily_loss_warning"]
    assert mark(risk, 1, 3, "95060.00000001") == []
    assert mark(risk, 1, 4, 95_060) == ["daily_loss_exceeded"]


def test_a_profit_of_the_day_does_not_move_its_lines(risk: RiskManager) -> None:
    mark(risk, 0, 1, 101_000)
    assert mark(risk, 0, 2, 97_601) == []
    assert mark(risk, 0, 3, 97_600) == ["daily_loss_warning"]


def test_a_day_without_candles_is_skipped(risk: RiskManager) -> None:
    mark(risk, 0, 1, 99_000)
    assert mark(risk, 3, 5, 99_000) == []
    assert (risk.day, risk.day_start_equity) == ("2024-01-05", 99_000 * USDT)


def test_equity_below_zero_is_over_every_limit(risk: RiskManager) -> None:
    assert mark(risk, 0, 1, -5) == ["daily_loss_exceeded", "drawdown_kill"]
    assert mark(risk, 1, 1, -6) == ["daily_loss_exceeded"]  # a day that starts below zero
    assert risk.trading_state is HALTED


# --- the drawdown -------------------------------------------------------------------------------


def a_manager_in_drawdown(equity: str | int = 95_000, positions: int = 1) -> RiskManager:
    """Fall by less than the daily limit each day: 98,000, 96,500, then `equity` on day 2."""
    risk = a_manager()
    mark(risk, 0, 1, 98_000, positions)
    mark(risk, 1, 1, 96_500, positions)
    mark(risk, 2, 1, equity, positions)
    return risk


def a_killed_manager() -> RiskManager:
    risk = a_manager_in_drawdown()
    mark(risk, 3, 1, 93_000)
    mark(risk, 4, 1, 91_000)
    assert mark(risk, 5, 1, 90_000) == ["drawdown_kill"]
    return risk


@pytest.mark.parametrize(
    ("equity", "state"), [("95000.00000001", ACTIVE), ("95000", REDUCING), ("94999", REDUCING)]
)
def test_five_percent_below_the_peak_only_reduces(equity: str, state: TradingState) -> None:
    assert a_manager_in_drawdown(equity).trading_state is state


def test_reducing_ends_under_four_percent_and_not_before() -> None:
    risk = a_manager_in_drawdown()
    assert mark(risk, 2, 2, 95_500) == []  # between the lines nothing changes
    assert mark(risk, 2, 3, 96_000) == []  # exactly 4 % is not under 4 %
    assert risk.trading_state is REDUCING
    assert mark(risk, 2, 4, "96000.00000001") == ["drawdown_recovered"]
    assert risk.trading_state is ACTIVE
    assert mark(risk, 2, 5, 95_000) == ["drawdown_reducing"]  # and it may come again


def test_a_recovery_straight_to_a_new_peak_is_told_as_well() -> None:
    risk = a_manager_in_drawdown()
    assert mark(risk, 2, 2, 100_000) == ["drawdown_recovered"]
    assert risk.trading_state is ACTIVE


def test_a_new_peak_moves_the_lines(risk: RiskManager) -> None:
    mark(risk, 0, 1, 110_000)
    mark(risk, 1, 1, 107_500)
    # 110,000 - 5 % = 104,500; the day began at 107,500, of which that is 2.8 %
    assert mark(risk, 2, 1, "104500.00000001") == ["daily_loss_warning"]
    assert risk.drawdown_level == 0
    assert mark(risk, 2, 2, 104_500) == ["drawdown_reducing"]


def test_ten_percent_below_the_peak_is_the_kill_switch() -> None:
    risk = a_manager_in_drawdown()
    mark(risk, 3, 1, 93_000)
    mark(risk, 4, 1, 91_000)
    assert mark(risk, 5, 1, "90000.00000001") == []
    (event,) = marked(risk, 5, 2, 90_000)
    assert event == RiskEvent(
        NotificationType.EMERGENCY_STOP,
        "critical",
        "drawdown_kill",
        {"equity": 90_000 * USDT, "peak": 100_000 * USDT, "drawdown_rate": 10_000_000},
    )
    assert risk.trading_state is HALTED


def test_a_fall_through_both_lines_is_the_kill_switch_alone(risk: RiskManager) -> None:
    assert mark(risk, 0, 1, 89_000) == ["daily_loss_exceeded", "drawdown_kill"]


@pytest.mark.parametrize("equity", [95_000, 97_000, 99_999])
def test_the_kill_switch_is_latched_through_a_recovery(equity: int) -> None:
    risk = a_killed_manager()
    assert mark(risk, 6, 1, equity) == []
    assert mark(risk, 7, 1, equity) == []
    assert risk.trading_state is HALTED


def test_the_kill_switch_is_latched_through_a_new_peak() -> None:
    risk = a_killed_manager()
    assert mark(risk, 6, 1, 101_000) == []
    assert risk.trading_state is HALTED
    risk.rearm()
    assert risk.trading_state is ACTIVE


def test_the_deepest_drawdown_is_remembered() -> None:
    risk = a_manager_in_drawdown()
    mark(risk, 2, 2, 120_000)
    assert risk.max_drawdown_rate == 5_000_000


@pytest.mark.parametrize("again", ["rearm", "reset"])
def test_the_deepest_drawdown_is_measured_from_the_highest_equity_of_the_run(again: str) -> None:
    """A peak that a person or seven flat days set anew must not hide what was lost before."""
    risk = a_manager_in_drawdown(positions=0)
    if again == "rearm":
        risk.rearm()
    else:
        first_reset(risk, 3)
    assert (risk.peak, risk.high) == (95_000 * USDT, 100_000 * USDT)
    mark(risk, 30, 1, 93_000)
    assert risk.max_drawdown_rate == 7_000_000  # 93,000 of 100,000, not of 95,000


# --- the peak is set anew -----------------------------------------------------------------------


def first_reset(risk: RiskManager, from_day: int, equity: str | int = 95_000) -> int:
    """Mark a flat account three times a day; return the day at whose first candle the peak fell."""
    for day in range(from_day, from_day + 20):
        for hour in (1, 12, 24):
            if "drawdown_peak_reset" in mark(risk, day, hour, equity, 0):
                assert hour == 1
                return day
    raise AssertionError("the peak was never set anew")


def test_seven_flat_trading_days_set_the_peak_anew() -> None:
    risk = a_manager_in_drawdown(positions=0)
    # days 2 to 8 were flat
    for day in range(2, 9):
        assert mark(risk, day, 24, 95_000, 0) == []
        assert risk.trading_state is REDUCING
    (event,) = marked(risk, 9, 1, 95_000, 0)
    assert (event.code, event.severity) == ("drawdown_peak_reset", "warning")
    assert event.numbers == {"old_peak": 100_000 * USDT, "peak": 95_000 * USDT, "days": 7}
    assert (risk.trading_state, risk.peak) == (ACTIVE, 95_000 * USDT)
    # the new peak's lines: 95,000 - 5 % = 90,250
    mark(risk, 9, 2, "92625")
    mark(risk, 10, 1, "90250.00000001")
    assert risk.drawdown_level == 0
    mark(risk, 10, 2, "90250")
    assert risk.drawdown_level == 1


def test_a_day_with_a_position_starts_the_count_again() -> None:
    risk = a_manager_in_drawdown(positions=0)
    for day in (3, 4, 5):
        mark(risk, day, 1, 95_000, 0)
    for hour in (1, 24):
        mark(risk, 6, hour, 95_100, 1)
    mark(risk, 7, 1, 95_100, 1)
    for hour in (2, 24):
        mark(risk, 7, hour, 95_000, 1)
    # were the four flat days before still counted, it would be day 10 or 11
    assert first_reset(risk, 8) >= 14


def test_a_day_on_which_a_position_was_held_throughout_is_not_a_flat_day() -> None:
    risk = a_manager_in_drawdown()
    for day in (2, 3):
        for hour in (12, 24):
            mark(risk, day, hour, 95_100, 1)
    # closed in the first candle of day 4: days 4 to 10 are the seven flat ones, 3 is none of them
    assert first_reset(risk, 4) == 11


@pytest.mark.parametrize("equity", ["95000", "95000.5"])  # as at the mark before, and not
def test_a_position_at_any_close_of_a_day_makes_it_no_flat_day(equity: str) -> None:
    risk = a_manager_in_drawdown(positions=0)
    for hour, held in ((1, 0), (12, 1), (24, 0)):
        mark(risk, 3, hour, equity if held else 95_000, held)
    # days 4 to 10
    assert first_reset(risk, 4) == 11


def test_without_a_drawdown_the_peak_stays() -> None:
    risk = a_manager_in_drawdown(95_001, positions=0)
    for day in range(3, 20):
        assert mark(risk, day, 1, 95_001, 0) == []
    assert risk.peak == 100_000 * USDT


def test_the_kill_switch_is_not_waited_out() -> None:
    risk = a_killed_manager()
    for day in range(6, 30):
        assert mark(risk, day, 1, 90_000, 0) == []
    assert (risk.trading_state, risk.peak) == (HALTED, 100_000 * USDT)


# --- emergency and re-arm -----------------------------------------------------------------------


def test_an_emergency_is_latched_over_days_until_a_person_rearms(risk: RiskManager) -> None:
    risk.halt("MANUAL_STOP")
    assert risk.trading_state is HALTED
    mark(risk, 0, 1, 105_000)
    mark(risk, 3, 1, 105_000)
    assert (risk.trading_state, risk.halt_reason) == (HALTED, "MANUAL_STOP")
    risk.rearm()
    assert (risk.trading_state, risk.halt_reason) == (ACTIVE, "")


def test_a_rearm_starts_the_day_and_the_peak_at_todays_equity() -> None:
    risk = a_killed_manager()
    risk.rearm()
    assert (risk.peak, risk.day_start_equity) == (90_000 * USDT,) * 2
    assert (risk.daily_level, risk.drawdown_level, risk.trading_state) == (0, 0, ACTIVE)
    # 90,000 - 3 % = 87,300; it falls on the same day
    assert mark(risk, 5, 2, "87300.00000001") == ["daily_loss_warning"]
    assert mark(risk, 5, 3, "87300") == ["daily_loss_exceeded"]


def test_a_rearm_lifts_a_daily_halt(risk: RiskManager) -> None:
    mark(risk, 0, 1, 97_000)
    risk.rearm()
    assert risk.trading_state is ACTIVE
    assert mark(risk, 0, 2, 97_000) == []


def test_limits_never_stand_in_the_way_of_closing(risk: RiskManager) -> None:
    mark(risk, 0, 1, 89_000)
    assert risk.trading_state is HALTED
    assert risk.may_close()
    risk.halt("MANUAL_STOP")
    assert not risk.may_close()  # now the flatten path owns the positions


@pytest.mark.parametrize(
    ("position", "side", "lots", "reduces"),
    [
        (10, -1, 10, True),
        (10, -1, 1, True),
        (10, -1, 11, False),  # would flip
        (10, 1, 1, False),
        (-10, 1, 10, True),
        (-10, 1, 11, False),
        (-10, -1, 1, False),
        (0, 1, 1, False),
    ],
)
def test_whether_an_order_reduces_is_computed(
    position: int, side: int, lots: int, reduces: bool
) -> None:
    assert RiskManager.reduces(position, side, lots) is reduces


# --- time in each state -------------------------------------------------------------------------


def test_the_time_in_each_state_adds_up() -> None:
    risk = a_manager()
    mark(risk, 0, 10, 97_000)  # ten hours active
    mark(risk, 0, 24, 97_000)
    mark(risk, 1, 1, 95_000)  # 15 hours halted until this mark rolls the day
    mark(risk, 1, 4, 96_500)  # three hours reducing
    mark(risk, 1, 6, 96_500)  # two hours active
    assert risk.time_in_state == {
        "active": 12 * HOUR,
        "halted": 15 * HOUR,
        "reducing": 3 * HOUR,
    }


# --- what an entry is judged by -----------------------------------------------------------------


def inputs_of(
    risk: RiskManager,
    *,
    symbol: str = "BTC/USDT:USDT",
    close_ms: int = MIDNIGHT + HOUR,
    direction: int = 1,
    strategy: str = "ema_cross",
    gate: GateState = GateState.GREEN,
    busy: bool = False,
    open_positions: int = 0,
    gross: int = 0,
) -> RiskInputs:
    signal = a_signal(direction, strategy=strategy, stop_units=3)
    bar = a_bar(0, 100, 105, 95, 102, volume=777)
    return risk.inputs(
        0, a_round_instrument(symbol), signal, bar, close_ms, gate=gate, reference=99, busy=busy,
        open_positions=open_positions, gross=gross,
    )  # fmt: skip


def test_the_inputs_of_an_entry_are_the_accounts_numbers(risk: RiskManager) -> None:
    x = inputs_of(risk, gate=GateState.EXIT_ONLY, busy=True, open_positions=3, gross=7 * USDT)
    assert x == RiskInputs(
        trading_state=0,
        gate_state=1,
        busy=1,
        last_entry_ms=0,
        bar_ms=MIDNIGHT + HOUR,
        daily_level=0,
        drawdown_level=0,
        open_positions=3,
        max_positions=5,
        bars_since_exit=-1,
        cooldown_bars=0,
        entries_today=0,
        max_entries_per_day=200,
        entries_now=0,
        max_entries_per_cycle=20,
        side=1,
        can_short=1,
        has_model=0,
        edge_mbp=0,
        edge_margin_mbp=20_000,
        price=102,  # the close
        reference=99,  # the close before
        stop_units=3,
        tv=USDT,
        equity=100_000 * USDT,
        size_rate=2_000_000,
        risk_rate=20_000,
        room=99_993 * USDT,
        taker_rate=100_000,
        volume=777,
        share=10_000_000,
        max_lots=(1 << 46) - 1,
        min_notional=5 * USDT,
        collar_rate=5_000_000,
        account_equity=100_000 * USDT,
        day_start=100_000 * USDT,
        peak=100_000 * USDT,
    )
    assert inputs_of(risk, gate=GateState.DARK).gate_state == 2
    assert inputs_of(risk, direction=-1).side == -1


def test_the_ladders_reach_the_rules() -> None:
    risk = a_manager_in_drawdown()
    assert risk.check_entry(inputs_of(risk)).first == "drawdown"
    mark(risk, 2, 2, 92_000)
    assert inputs_of(risk).daily_level == 2
    assert risk.check_entry(inputs_of(risk)).first == "daily_loss"
    risk.halt("MANUAL_STOP")
    assert risk.check_entry(inputs_of(risk)).first == "trading_state"


def test_a_loss_is_told_in_numbers_of_the_account_and_not_of_the_profiles_cap() -> None:
    """230 USDT beside a day that began with 100,000 would say that all is lost."""
    risk = a_manager(capital_cap=230 * USDT)
    mark(risk, 0, 1, 89_000)
    x = inputs_of(risk)
    for code in ("daily_loss", "drawdown"):
        rule = RULES[CODES.index(code)]
        assert rule.refuses(x, 0) == 1
        assert rule.numbers(x, 0)["equity"] == 89_000 * USDT


def test_a_model_signal_brings_its_edge(risk: RiskManager) -> None:
    model = ModelView("m1", 600_000, 550_000, 12_345, 580_000, "open", proven=True)
    signal = a_signal(stop_units=3)._replace(model=model)
    x = risk.inputs(
        0, a_round_instrument(), signal, a_bar(), MIDNIGHT, gate=GateState.GREEN, reference=100,
        busy=False, open_positions=0, gross=0,
    )  # fmt: skip
    assert (x.has_model, x.edge_mbp) == (1, 12_345)


@pytest.mark.parametrize(
    ("limits", "symbol", "room"),
    [
        ({}, "BTC/USDT:USDT", 90_000),  # 1x of 100,000 less 10,000 held
        ({"leverage_rate": 300_000_000}, "BTC/USDT:USDT", 290_000),
        ({"leverage_rate": 50_000_000}, "BTC/USDT:USDT", 40_000),
        ({}, SPOT, 90_000),
        ({"leverage_rate": 300_000_000}, SPOT, 90_000),  # coins are paid in full
        ({"leverage_rate": 50_000_000}, SPOT, 40_000),  # and count towards the cap as well
        ({"capital_cap": 20_000 * USDT}, "BTC/USDT:USDT", 10_000),
        ({"capital_cap": 200_000 * USDT}, "BTC/USDT:USDT", 90_000),
        ({"max_order_notional": 500 * USDT}, "BTC/USDT:USDT", 500),
        ({"max_order_notional": 500_000 * USDT}, "BTC/USDT:USDT", 90_000),
    ],
)
def test_the_room_is_what_leverage_capital_and_positions_leave(
    limits: dict[str, int], symbol: str, room: int
) -> None:
    x = inputs_of(a_manager(**limits), symbol=symbol, gross=10_000 * USDT)
    assert x.room == room * USDT


def test_a_profile_cap_bounds_what_sizing_counts_on() -> None:
    assert inputs_of(a_manager(capital_cap=230 * USDT)).equity == 230 * USDT


def test_a_decided_entry_reserves_its_money_until_it_is_released(risk: RiskManager) -> None:
    risk.entered(0, a_signal(), MIDNIGHT + HOUR, 2_000 * USDT)
    assert inputs_of(risk).room == 98_000 * USDT
    risk.released(2_000 * USDT)
    assert inputs_of(risk).room == 100_000 * USDT


def test_entries_are_counted_by_cycle_and_by_day(risk: RiskManager) -> None:
    for _ in range(2):
        risk.entered(0, a_signal(), MIDNIGHT + HOUR, 0)
    x = inputs_of(risk)
    assert (x.entries_now, x.entries_today) == (2, 2)
    mark(risk, 0, 2, 100_000)
    x = inputs_of(risk)
    assert (x.entries_now, x.entries_today) == (0, 2)
    mark(risk, 1, 1, 100_000)
    assert inputs_of(risk).entries_today == 0


def test_the_same_strategy_symbol_and_side_enter_once_a_candle(risk: RiskManager) -> None:
    close_ms = MIDNIGHT + HOUR
    risk.entered(0, a_signal(), close_ms, 0)
    assert risk.check_entry(inputs_of(risk)).first == "duplicate_bar"
    assert inputs_of(risk, direction=-1).last_entry_ms == 0
    assert inputs_of(risk, strategy="other").last_entry_ms == 0
    assert risk.check_entry(inputs_of(risk, close_ms=close_ms + HOUR)).first != "duplicate_bar"


@pytest.mark.parametrize(
    ("exited_at", "bars"),
    [
        (2 * HOUR, 0),  # stopped at this close
        (HOUR, 1),  # sold at this candle's open: one candle has closed since
        (0, 2),
    ],
)
def test_the_cooldown_counts_candles_since_the_exit(exited_at: int, bars: int) -> None:
    risk = a_manager(cooldown_bars=2)
    risk.exited(0, MIDNIGHT + exited_at)
    x = inputs_of(risk, close_ms=MIDNIGHT + 2 * HOUR)
    assert x.bars_since_exit == bars
    assert (risk.check_entry(x).first == "cooldown") == (bars < 2)


# --- every limit at once ------------------------------------------------------------------------


def test_no_limit_stands_at_first(risk: RiskManager) -> None:
    assert risk.check_all_limits(0) == []
    assert risk.check_all_limits(4) == []


def test_every_broken_limit_is_named_and_not_merely_the_first() -> None:
    risk = a_manager(max_entries_per_day=1)
    mark(risk, 0, 1, 89_000)
    risk.halt("MANUAL_STOP")
    risk.entered(0, a_signal(), MIDNIGHT, 0)
    assert {v.code: v.numbers for v in risk.check_all_limits(5)} == {
        "trading_state": {"state": 2},
        "daily_loss": {"level": 2, "line": 97_000 * USDT},
        "drawdown": {"level": 2, "peak": 100_000 * USDT},
        "max_positions": {"open": 5, "limit": 5},
        "message_rate": {"today": 1, "per_day": 1},
    }


# --- checkpoint ---------------------------------------------------------------------------------


def test_a_restored_manager_is_the_same_and_goes_on_the_same() -> None:
    risk = a_manager_in_drawdown()
    risk.entered(0, a_signal(), at(2, 1), 500 * USDT)
    risk.exited(1, at(2, 1))
    other = RiskManager(RiskLimits(), TradingCalendar("Asia/Seoul"), 2, HOUR)
    other.restore(json.loads(json.dumps(risk.state())))
    assert other.trading_state is REDUCING
    for equity in (96_000, 96_001, 93_000, 89_000):
        assert marked(other, 3, equity % 24, equity) == marked(risk, 3, equity % 24, equity)
        assert inputs_of(other) == inputs_of(risk)
    assert json.dumps(other.state()) == json.dumps(risk.state())


def test_a_checkpoint_is_a_copy(risk: RiskManager) -> None:
    state = risk.state()
    stored = json.dumps(state)
    risk.exited(0, MIDNIGHT)
    risk.entered(0, a_signal(), MIDNIGHT, 1)
    mark(risk, 0, 1, 99_000)
    assert json.dumps(state) == stored
