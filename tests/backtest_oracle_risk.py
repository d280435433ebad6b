"""The rules of the oracle of backtests: trading day, ladders, and what an entry may be.

Everything is compared as exact fractions: where the product rounds a line to whole money units,
equity is one of them, so that the comparison comes out the same.
"""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from math import floor
from typing import Final, NamedTuple

from tests.backtest_oracle_books import ZERO, Book
from tests.backtest_oracle_market import Candle, Limits, Seen, day_end_ms, down

STATES: Final = ("active", "reducing", "halted")
# in the order in which they are named: the first that refuses is the one that is counted
RULES: Final = (
    "trading_state", "data_gate", "position_open", "duplicate_bar", "daily_loss", "drawdown",
    "max_positions", "cooldown", "message_rate", "direction", "expected_edge", "stop_undefined",
    "price_collar", "position_size", "min_notional", "balance", "locked", "safety",
)  # fmt: skip


class Wish(NamedTuple):
    """What a strategy said of a symbol at a close; distances in quote, edge in basis points."""

    strategy: int
    side: int
    closes: bool
    opens: bool
    stop: Fraction
    target: Fraction
    trail: Fraction
    hold_ms: int
    edge: Fraction | None  # None: no model
    reason: str


class Event(NamedTuple):
    at_ms: int
    code: str
    equity: Fraction


class Ladders:
    """The day, the peak, the levels of loss, and for how long each state has lasted."""

    def __init__(self, limits: Limits, opening: Fraction, start_ms: int) -> None:
        self.limits = limits
        self.equity = self.peak = self.day_start = self.high = opening
        self.daily = self.drawdown = 0
        self.is_killed = False
        self.entries_today = self.entries_now = 0
        self.events: list[Event] = []
        self.lasted = dict.fromkeys(STATES, 0)
        self.deepest = ZERO
        self._now_ms = start_ms
        self._day_end_ms = day_end_ms(start_ms + 1, limits.zone)
        self._has_held = False
        self._flat_days = 0

    @property
    def state(self) -> str:
        if self.is_killed or self.daily == 2 or self.drawdown == 2:
            return "halted"
        return "reducing" if self.drawdown else "active"

    def close(self, at_ms: int, equity: Fraction, held: int) -> list[str]:
        """Take the equity at a close; return the codes of what happened."""
        self.lasted[self.state] += at_ms - self._now_ms
        self._now_ms = at_ms
        self.entries_now = 0
        known = len(self.events)
        if at_ms > self._day_end_ms:
            self._begin_day(at_ms)
        self._has_held = self._has_held or held > 0
        self.equity = equity
        self.peak, self.high = max(self.peak, equity), max(self.high, equity)
        self.deepest = max(self.deepest, (self.high - equity) / self.high)
        self._climb()
        return [event.code for event in self.events[known:]]

    def _begin_day(self, at_ms: int) -> None:
        """The day starts with the equity of the last close of the one before."""
        if self.drawdown == 1 and not self._has_held:
            self._flat_days += 1
            if self._flat_days >= self.limits.reset_days:
                self._tell("drawdown_peak_reset")
                self.peak, self.drawdown, self._flat_days = self.equity, 0, 0
        else:
            self._flat_days = 0
        self._day_end_ms = day_end_ms(at_ms, self.limits.zone)
        self.day_start = self.equity
        self.daily = self.entries_today = 0
        self._has_held = False

    def _climb(self) -> None:
        x = self.limits
        lost = self.day_start - self.equity
        daily = 2 if lost >= self.day_start * x.daily else int(lost >= self.day_start * x.warning)
        if daily > self.daily:
            self.daily = daily
            self._tell("daily_loss_exceeded" if daily == 2 else "daily_loss_warning")
        fall = self.peak - self.equity
        level = 2 if fall >= self.peak * x.kill else int(fall >= self.peak * x.reduce)
        if level > self.drawdown:
            self.drawdown = level
            self._tell("drawdown_kill" if level == 2 else "drawdown_reducing")
            self.is_killed = self.is_killed or level == 2
        elif self.drawdown == 1 and fall < self.peak * x.recover:
            self.drawdown = 0
            self._tell("drawdown_recovered")

    def _tell(self, code: str) -> None:
        self.events.append(Event(self._now_ms, code, self.equity))


class Size(NamedTuple):
    """The lots that each bound allows; an entry has the fewest of them."""

    equity: int
    risk: int
    room: int
    volume: int
    venue: int

    @property
    def lots(self) -> int:
        return min(self)

    def __str__(self) -> str:
        return ", ".join(f"{name} {n}" for name, n in self._asdict().items())


class Gate:
    """Says of a wish how large it may be and which rules refuse it."""

    def __init__(self, limits: Limits, ladders: Ladders, step_ms: int) -> None:
        self.limits = limits
        self.ladders = ladders
        self._step_ms = step_ms

    def room(self, book: Book, books: Sequence[Book]) -> Fraction:
        """Return the value, fee included, that leverage and free balance leave for an entry.

        A position that is leaving at the same open leaves its room; an entry under way keeps what
        was reserved for it until it has ended.
        """
        stay = (b for b in books if b.position and (b is not book or b.leaving is None))
        taken = sum((abs(b.worth) for b in stay), ZERO)
        taken += sum((b.entry.reserved for b in books if b.entry is not None), ZERO)
        equity = self._equity
        whole = down(equity * self.limits.leverage)
        room = (min(whole, equity) if book.coin.is_spot else whole) - taken
        cap = self.limits.order_value
        return room if cap is None else min(room, cap)

    @property
    def _equity(self) -> Fraction:
        cap = self.limits.capital
        return self.ladders.equity if cap is None else min(cap, self.ladders.equity)

    def size(self, wish: Wish, book: Book, c: Candle, room: Fraction) -> Size:
        """Return what each bound allows at the close of the decision."""
        coin, x, equity = book.coin, self.limits, self._equity
        if equity <= 0 or wish.stop <= 0:
            return Size(0, 0, 0, 0, 0)
        one = coin.value(1, c.close)
        return Size(
            floor(equity * x.size / one),
            floor(equity * x.risk / coin.value(1, wish.stop)),
            max(0, floor(room / (one + coin.fee(one, coin.taker)))),
            floor(c.volume * x.volume_share),
            coin.most,
        )

    def refusals(
        self, wish: Wish, book: Book, books: Sequence[Book], c: Candle, seen: Seen, cash: Fraction,
        lots: int, room: Fraction, now_ms: int,
    ) -> Mapping[str, bool]:  # fmt: skip
        """Return for each rule whether it refuses."""
        x, ladders, coin = self.limits, self.ladders, book.coin
        taken = sum(1 for b in books if b.position) + sum(1 for b in books if b.entry is not None)
        taken -= 1 if book.leaving is not None and book.position else 0
        waited = None if book.left_ms is None else (now_ms - book.left_ms) // self._step_ms
        value = coin.value(lots, c.close)
        poor = coin.is_spot and cash < down(ladders.equity * x.balance)
        stays = bool(book.position) and book.leaving is None
        return {
            "trading_state": ladders.is_killed,
            "data_gate": not seen.is_green,
            "position_open": book.entry is not None or stays,
            "duplicate_bar": book.entered.get((wish.strategy, wish.side), 0) >= now_ms,
            "daily_loss": ladders.daily == 2,
            "drawdown": ladders.drawdown > 0,
            "max_positions": taken >= x.positions,
            "cooldown": waited is not None and waited < x.cooldown,
            "message_rate": ladders.entries_now >= x.per_cycle
            or ladders.entries_today >= x.per_day,
            "direction": wish.side < 0 and coin.is_spot,
            "expected_edge": wish.edge is not None and wish.edge <= x.edge,
            "stop_undefined": wish.stop <= 0 or (wish.side > 0 and c.close <= wish.stop),
            "price_collar": abs(c.close - seen.reference) > seen.reference * x.collar,
            "position_size": lots < 1 or value > self._equity * x.size,
            "min_notional": value < coin.smallest,
            "balance": value + coin.fee(value, coin.taker) > room,
            "locked": book.locked_ms >= now_ms,
            "safety": seen.volatility > x.volatility or poor,
        }
