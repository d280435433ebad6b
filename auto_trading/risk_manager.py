"""The gate before every order, and the owner of the trading state.

Rules and ladders are the pure functions of `crypto_trader_pro/risk`; this class feeds them with the
account's numbers and remembers what the day and the peak were.
"""

from collections.abc import Mapping, Sequence
from copy import copy
from typing import Any, Final, NamedTuple

from crypto_trader_pro.domain.calendar import TradingCalendar
from crypto_trader_pro.domain.enums import GateState, NotificationType, TradingState
from crypto_trader_pro.domain.instruments import Instrument
from crypto_trader_pro.domain.market import Bar
from crypto_trader_pro.domain.signals import Signal
from crypto_trader_pro.domain.units import rate_floor
from crypto_trader_pro.risk.config import RiskLimits
from crypto_trader_pro.risk.limits import drawdown_rate, limit_line, loss_level
from crypto_trader_pro.risk.room import entry_room, safety_bits, sizing_equity
from crypto_trader_pro.risk.rules import RiskInputs, Verdict, evaluate

_STATE: Final = {TradingState.ACTIVE: 0, TradingState.REDUCING: 1, TradingState.HALTED: 2}
_GATE: Final = {GateState.GREEN: 0, GateState.EXIT_ONLY: 1, GateState.DARK: 2}


class RiskEvent(NamedTuple):
    """Something the ladders did, for alerts and the log; a code with numbers."""

    kind: NotificationType
    severity: str  # info, warning, critical
    code: str
    numbers: dict[str, int]


class Violation(NamedTuple):
    """One limit that is broken right now."""

    code: str
    numbers: dict[str, int]


class RiskManager:
    """Limits, ladders and the trading state of one account."""

    def __init__(
        self, limits: RiskLimits, calendar: TradingCalendar, symbols: int, bar_ms: int
    ) -> None:
        self.limits = limits
        self._calendar = calendar
        self._bar_ms = bar_ms
        self.equity = 0
        self.peak = 0
        self.day = ""
        self.day_start_equity = 0
        self.daily_level = 0
        self.drawdown_level = 0
        self.high = 0  # highest equity of the run; unlike `peak` it is never set anew
        self._low = 0  # lowest equity since `high`
        self.max_drawdown_rate = 0  # largest fall from `high`, parts of 1e8
        self.halt_reason = ""  # an emergency, latched until a person re-arms
        self.paused = False  # by a person, until a person resumes
        self.time_in_state = {state.value: 0 for state in TradingState}  # ms
        self.entries_today = 0
        self._entries_now = 0
        self._reserved = 0  # notional of entries decided and not yet filled, money units
        self._day_end_ms = 0
        self._now_ms = 0
        self._flat_days = 0
        self._held = False  # a position at some close of this trading day
        self._last_exit = [0] * symbols
        self._stops_in_row = [0] * symbols
        self._locked_until = [0] * symbols
        self.disconnected = False  # the market has been silent for too long
        self._last_entry: dict[str, int] = {}
        self._lines = (0, 0, 0, 0, 0)
        self._calm = 0
        self._be(TradingState.ACTIVE)

    # --- the day, the ladders and the state -------------------------------------------------

    @property
    def trading_state(self) -> TradingState:
        """What may be sent right now, ladders included."""
        return self._state

    def open_account(self, equity: int, at_ms: int) -> None:
        """Start the day and the peak at the opening balance."""
        self.equity = self.peak = self.high = self._low = equity
        self._now_ms = at_ms
        self._start_day(at_ms)

    def mark(self, at_ms: int, equity: int, open_positions: int) -> Sequence[RiskEvent]:
        """Take the equity at a candle close; return what the ladders did because of it."""
        self.time_in_state[self._state_text] += at_ms - self._now_ms
        self._now_ms = at_ms
        self._entries_now = 0
        if at_ms <= self._day_end_ms and self._is_quiet(equity):
            self.equity = equity
            self._held = self._held or open_positions > 0
            return ()
        events: list[RiskEvent] = []
        if at_ms > self._day_end_ms:  # the candle that closes at the day's end still belongs to it
            self._roll_day(at_ms - 1, events)
        self._held = self._held or open_positions > 0
        self.equity = equity
        if equity > self.peak:
            self.peak = equity
            self._draw_lines()
        if equity > self.high:
            self.high = self._low = equity
        elif equity < self._low:
            self._low = equity
            fall = drawdown_rate(equity, self.high)
            self.max_drawdown_rate = max(self.max_drawdown_rate, fall)
        self._climb(equity, events)
        self._be(self._effective_state())
        return events

    def _is_quiet(self, equity: int) -> bool:
        """True when `equity` reaches no line, no peak and no low: it changes nothing but itself."""
        if equity == self.equity:
            return True
        return self._calm < equity <= self.peak and equity >= self._low and self.drawdown_level != 1

    def _roll_day(self, at_ms: int, events: list[RiskEvent]) -> None:
        waiting = self.drawdown_level == 1 and not self._held
        self._flat_days = self._flat_days + 1 if waiting else 0
        if waiting and self._flat_days >= self.limits.drawdown_reset_days:
            numbers = {"old_peak": self.peak, "peak": self.equity, "days": self._flat_days}
            events.append(_event(NotificationType.DRAWDOWN_WARNING, "drawdown_peak_reset", numbers))
            self.peak = self.equity
            self.drawdown_level = self._flat_days = 0
        self._start_day(at_ms)

    def _start_day(self, at_ms: int) -> None:
        day = self._calendar.day_of(at_ms)
        self.day, self._day_end_ms = day.name, day.end_ms
        self.day_start_equity = self.equity
        self.daily_level = 0
        self.entries_today = 0
        self._held = False
        self._draw_lines()

    def _draw_lines(self) -> None:
        x = self.limits
        self._lines = (
            limit_line(self.day_start_equity, x.daily_warning_rate),
            limit_line(self.day_start_equity, x.daily_loss_rate),
            limit_line(self.peak, x.drawdown_reduce_rate),
            limit_line(self.peak, x.drawdown_kill_rate),
            limit_line(self.peak, x.drawdown_recover_rate),
        )
        self._calm = max(self._lines[:4])  # above it no ladder moves up

    def _climb(self, equity: int, events: list[RiskEvent]) -> None:
        warn, loss, reduce_, kill, recover = self._lines
        level = loss_level(equity, warn, loss)
        if level > self.daily_level:
            self.daily_level = level
            numbers = {"equity": equity, "day_start": self.day_start_equity, "line": loss}
            code = "daily_loss_exceeded" if level == 2 else "daily_loss_warning"
            events.append(_event(NotificationType.DAILY_LOSS_WARNING, code, numbers))
        level = loss_level(equity, reduce_, kill)
        if level > self.drawdown_level:
            self.drawdown_level = level
            code = "drawdown_kill" if level == 2 else "drawdown_reducing"
            kind = (
                NotificationType.EMERGENCY_STOP if level == 2 else NotificationType.DRAWDOWN_WARNING
            )
            events.append(_event(kind, code, self._fall()))
        elif self.drawdown_level == 1 and equity > recover:
            self.drawdown_level = 0
            kind = NotificationType.DRAWDOWN_WARNING
            events.append(_event(kind, "drawdown_recovered", self._fall()))

    def _fall(self) -> dict[str, int]:
        fall = drawdown_rate(self.equity, self.peak)
        return {"equity": self.equity, "peak": self.peak, "drawdown_rate": fall}

    def _effective_state(self) -> TradingState:
        if self.halt_reason or self.daily_level == 2 or self.drawdown_level == 2:
            return TradingState.HALTED
        is_reducing = self.paused or self.drawdown_level == 1
        return TradingState.REDUCING if is_reducing else TradingState.ACTIVE

    def _be(self, state: TradingState) -> None:
        self._state = state
        self._state_text = state.value  # reading it of the enum at every candle would cost more

    def halt(self, reason: str) -> None:
        """Latch an emergency; only `rearm` lifts it."""
        self.halt_reason = reason
        self._be(self._effective_state())

    def pause(self, *, on: bool) -> None:
        """Allow no new risk until a person resumes; neither recovery nor a re-arm lifts it."""
        self.paused = on
        self._be(self._effective_state())

    @property
    def can_rearm(self) -> bool:
        """True while something holds trading back that a re-arm lifts; a pause is none of it."""
        return bool(self.halt_reason) or self.daily_level == 2 or self.drawdown_level > 0

    def rearm(self) -> None:
        """Lift the emergency and the ladders: the day and the peak start anew at today's equity.

        A pause stays.
        """
        self.halt_reason = ""
        self.daily_level = self.drawdown_level = self._flat_days = 0
        self.day_start_equity = self.peak = self.equity
        self._draw_lines()
        self._be(self._effective_state())

    def check_all_limits(self, open_positions: int) -> list[Violation]:
        """Return every limit that stands against new risk right now, not merely the first."""
        found = []
        if self.halt_reason:
            found.append(Violation("trading_state", {"state": 2}))
        elif self.paused:
            found.append(Violation("trading_state", {"state": 1}))
        if self.daily_level == 2:
            found.append(Violation("daily_loss", {"level": 2, "line": self._lines[1]}))
        if self.drawdown_level:
            found.append(Violation("drawdown", {"level": self.drawdown_level, "peak": self.peak}))
        if open_positions >= self.limits.max_positions:
            numbers = {"open": open_positions, "limit": self.limits.max_positions}
            found.append(Violation("max_positions", numbers))
        if self.entries_today >= self.limits.max_entries_per_day:
            numbers = {"today": self.entries_today, "per_day": self.limits.max_entries_per_day}
            found.append(Violation("message_rate", numbers))
        return found

    # --- before an entry --------------------------------------------------------------------

    def inputs(
        self, i: int, instrument: Instrument, signal: Signal, bar: Bar, close_ms: int, *,
        gate: GateState, reference: int, busy: bool, open_positions: int, gross: int,
        volatility: int = 0, cash: int | None = None,
    ) -> RiskInputs:  # fmt: skip
        """Gather the numbers that decide about an entry of symbol `i` at this close.

        Args:
            volatility: mean absolute move of a candle of this symbol, parts of 1e8.
            cash: of the account, money units; None is not looked at.
        """
        x = self.limits
        exited = self._last_exit[i]
        equity = sizing_equity(self.equity, x.capital_cap)
        model = signal.model
        return RiskInputs(
            trading_state=2 if self.halt_reason else int(self.paused),
            gate_state=_GATE[gate],
            busy=int(busy),
            last_entry_ms=self._last_entry.get(_entry_key(i, signal), 0),
            bar_ms=close_ms,
            daily_level=self.daily_level,
            drawdown_level=self.drawdown_level,
            open_positions=open_positions,
            max_positions=x.max_positions,
            # between two candles an exit may be newer than the close: -1 would say "never"
            bars_since_exit=max(0, close_ms - exited) // self._bar_ms if exited else -1,
            cooldown_bars=x.cooldown_bars,
            entries_today=self.entries_today,
            max_entries_per_day=x.max_entries_per_day,
            entries_now=self._entries_now,
            max_entries_per_cycle=x.max_entries_per_cycle,
            side=signal.direction,
            can_short=int(instrument.can_short),
            has_model=int(model is not None),
            edge_mbp=model.edge_mbp if model else 0,
            edge_margin_mbp=x.edge_margin_mbp,
            price=bar.close,
            reference=reference,
            stop_units=signal.stop_units,
            tv=instrument.tv,
            equity=equity,
            size_rate=x.size_rate,
            risk_rate=x.risk_rate,
            room=entry_room(
                equity,
                x.leverage_rate,
                int(instrument.can_short),
                gross + self._reserved,
                x.max_order_notional,
            ),
            taker_rate=instrument.taker_rate,
            volume=bar.volume,
            share=x.volume_share,
            max_lots=instrument.max_lots,
            min_notional=instrument.min_notional_units,
            collar_rate=x.collar_rate,
            day_start=self.day_start_equity,
            peak=self.peak,
            account_equity=self.equity,
            locked_until_ms=self._locked_until[i],
            stops_in_row=self._stops_in_row[i],
            safety=self._safety(volatility, cash),
        )

    def _safety(self, volatility: int, cash: int | None) -> int:
        """Return one bit per failed check, as `SAFETY_CHECKS` names them."""
        x = self.limits
        poor = cash is not None and cash < rate_floor(self.equity, x.min_balance_rate)
        return safety_bits(int(self.disconnected), volatility, x.max_volatility_rate, int(poor))

    def check_entry(self, inputs: RiskInputs) -> Verdict:
        """Size the entry and ask every rule; a rule that raises refuses."""
        return evaluate(inputs)

    def may_close(self) -> bool:
        """True: no limit ever blocks a reducing order.

        After an emergency the flatten path owns the positions, and a strategy's exit stays out of
        its way.
        """
        return not self.halt_reason

    @staticmethod
    def reduces(position_lots: int, side: int, lots: int) -> bool:
        """True when an order can only shrink the position; computed here, never believed."""
        return position_lots * side < 0 and lots <= abs(position_lots)

    # --- what was sent ----------------------------------------------------------------------

    def entered(self, i: int, signal: Signal, close_ms: int, reserved: int) -> None:
        """Count an entry that was decided; `reserved` is its notional and fee, money units."""
        self.entries_today += 1
        self._entries_now += 1
        self._reserved += reserved
        self._last_entry[_entry_key(i, signal)] = close_ms

    def released(self, reserved: int) -> None:
        """Give back the reservation of an entry that filled or ended."""
        self._reserved -= reserved

    def exited(self, i: int, at_ms: int, *, stopped: bool = False) -> None:
        """Start the cooldown of symbol `i`: its position was closed in the candle at `at_ms`.

        Stops in a row lock the symbol until the trading day ends.
        """
        self._last_exit[i] = at_ms
        self._stops_in_row[i] = self._stops_in_row[i] + 1 if stopped else 0
        limit = self.limits.lock_after_stops
        if limit and self._stops_in_row[i] >= limit:
            # a price may be the first of a new day, which `mark` has not begun yet
            day_end_ms = self._calendar.day_of(at_ms - 1).end_ms
            self._locked_until[i] = max(self._day_end_ms, day_end_ms)

    def locks(self) -> dict[int, int]:
        """Return symbol -> end of its lock, ms, of those that are locked."""
        now = self._now_ms
        return {i: until for i, until in enumerate(self._locked_until) if until >= now and until}

    def lift_lock(self, i: int) -> bool:
        """Unlock symbol `i`; False if it was not locked."""
        was_locked = i in self.locks()
        self._locked_until[i] = self._stops_in_row[i] = 0
        return was_locked

    # --- checkpoint -------------------------------------------------------------------------

    _FIELDS: Final = (
        "equity", "peak", "high", "_low", "day", "day_start_equity", "daily_level",
        "drawdown_level", "max_drawdown_rate", "halt_reason", "time_in_state", "entries_today",
        "_entries_now", "_reserved", "_day_end_ms", "_now_ms", "_flat_days", "_held",
        "_last_exit", "_last_entry", "_stops_in_row", "_locked_until", "disconnected", "paused",
    )  # fmt: skip

    def state(self) -> dict[str, Any]:
        return {name: copy(getattr(self, name)) for name in self._FIELDS}

    def restore(self, state: Mapping[str, Any]) -> None:
        for name in self._FIELDS:
            if name in state:  # a checkpoint of an earlier version lacks what was added since
                setattr(self, name, copy(state[name]))
        self._draw_lines()
        self._be(self._effective_state())


def _entry_key(i: int, signal: Signal) -> str:
    return f"{i}:{signal.strategy}:{signal.direction}"


_SEVERITY: Final = {
    "daily_loss_exceeded": "critical",
    "drawdown_kill": "critical",
    "drawdown_recovered": "info",
}


def _event(kind: NotificationType, code: str, numbers: dict[str, int]) -> RiskEvent:
    return RiskEvent(kind, _SEVERITY.get(code, "warning"), code, numbers)
