"""Is what a backtest found true? Every row of a `BacktestResult` compared, to the last unit, with
an account that is kept beside it from candles, settings and what the strategies said.

Shares no arithmetic with the product: both engines call the same functions, so that comparing them
is blind to a fault of those. `audit` returns the differences; nothing is the proof.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from fractions import Fraction
from math import ceil

import numpy as np

from auto_trading.backtesting.candles import Candles
from config.settings import Settings
from crypto_trader_pro.backtest import kernel_state as k
from crypto_trader_pro.backtest.result import (
    ORDER_FEES,
    ORDER_FILLED,
    ORDER_LOTS,
    ORDER_NUMBER,
    ORDER_REASON,
    ORDER_STATUS,
    STATUSES,
    BacktestResult,
)
from crypto_trader_pro.domain.market import Ints
from tests.backtest_oracle_books import Book, Lost, Order, Told
from tests.backtest_oracle_facts import impossible
from tests.backtest_oracle_market import (
    PART,
    Candle,
    Coin,
    Costs,
    Limits,
    Seen,
    candles_of,
    seen,
)
from tests.backtest_oracle_risk import RULES, Gate, Ladders, Wish
from tests.backtest_oracle_venue import Venue

Wishes = Mapping[tuple[int, int], Sequence[Wish]]  # by (close of the decision, symbol)


def audit(
    result: BacktestResult, candles: Candles, settings: Settings, wishes: Wishes, interval_ms: int
) -> list[str]:
    """Return what differs, each line beginning with the name of its check."""
    run = _Run(result, candles, settings, wishes, interval_ms)
    try:
        run.play()
    except Lost:
        pass  # noted; the rest has nothing to be compared with
    else:
        run.end()
    return run.told.faults + impossible(result, candles, settings)


class _Run:
    """One pass over the candles, beside the result."""

    def __init__(
        self, result: BacktestResult, candles: Candles, settings: Settings, wishes: Wishes,
        interval_ms: int,
    ) -> None:  # fmt: skip
        self.told = Told(result)
        self.result = result
        self.wishes = wishes
        self.interval_ms = interval_ms
        self.step_ms = candles.series[0].timeframe_ms
        self.coins = [Coin.of(n, i) for n, i in enumerate(candles.instruments)]
        limits, costs = Limits.of(settings), Costs.of(settings)
        self.opening = Fraction(settings.paper.initial_equity)
        if limits.capital is not None:
            self.opening = min(self.opening, limits.capital)
        paid = candles.funding if settings.paper.funding else {}
        funding = {name: [(e.at_ms, e.rate * PART) for e in rows] for name, rows in paid.items()}
        self.venue = Venue(
            self.coins, costs, self.opening, self.told, funding, limits.zone, limits.lock_after
        )
        self.decided = [candles_of(s, c) for s, c in zip(candles.series, self.coins, strict=True)]
        fine = candles.detail or candles.series
        self.fine_ms = fine[0].timeframe_ms
        self.played = [candles_of(s, c) for s, c in zip(fine, self.coins, strict=True)]
        data = settings.market_data
        self.seen: list[dict[int, Seen]] = []
        for own in self.decided:
            judged = seen(list(own.values()), self.step_ms, data.warm_bars, data.outlier_multiple)
            self.seen.append(dict(zip(own, judged, strict=True)))
        self.start_ms = min(min(own) for own in self.decided)
        self.ladders = Ladders(limits, self.opening, self.start_ms)
        self.gate = Gate(limits, self.ladders, self.step_ms)
        self.is_flattening = False
        self.outcomes = Counter[str]()
        self.refused = Counter[str]()
        self.masks: list[tuple[int, int, int]] = []
        self.closes: list[int] = []

    # --- the pass ---------------------------------------------------------------------------

    def play(self) -> None:
        inside: dict[int, list[int]] = defaultdict(list)
        for at_ms in sorted({at for own in self.played for at in own}):
            inside[at_ms - at_ms % self.step_ms].append(at_ms)
        for begin_ms, instants in inside.items():
            for at_ms in instants:
                candles = {n: own[at_ms] for n, own in enumerate(self.played) if at_ms in own}
                is_last = at_ms == instants[-1]
                self.venue.play(candles, at_ms + self.fine_ms, is_last=is_last)
            now_ms = begin_ms + self.step_ms
            self._mark(now_ms)
            if now_ms % self.interval_ms == 0:
                for place in range(len(self.coins)):
                    self._decide(place, begin_ms, now_ms)

    def _mark(self, now_ms: int) -> None:
        """Compare the equity of this close, and do what the ladders ask for."""
        n, venue = len(self.closes), self.venue
        self.closes.append(now_ms)
        if n < len(self.result.equity):
            self.told.same("close time", f"close {n}", int(self.result.close_ms[n]), now_ms)
            told = int(self.result.equity[n]) * PART
            self.told.same("equity", f"close {n} at {now_ms}", told, venue.equity)
        codes = self.ladders.close(now_ms, venue.equity, venue.held)
        x = self.gate.limits
        if "daily_loss_exceeded" in codes:
            self._cancel_entries()
            if x.flattens_daily:
                self._close_all("DAILY_LOSS_EXCEEDED", now_ms)
        if "drawdown_kill" in codes:
            self._cancel_entries()
            self.is_flattening = x.flattens_kill
        self.is_flattening = self.is_flattening and venue.held > 0
        if self.is_flattening:
            self._close_all("DRAWDOWN_EXCEEDED", now_ms)

    def _cancel_entries(self) -> None:
        for book in self.venue.books:
            self.venue.end_entry(book, "asked")

    def _close_all(self, reason: str, now_ms: int) -> None:
        for book in self.venue.books:
            self._exit(book, "flatten", reason, now_ms)

    def _exit(self, book: Book, role: str, reason: str, now_ms: int) -> bool:
        """A market order for the whole position, if none is under way."""
        if not book.position or book.leaving is not None:
            return False
        order = Order(
            0, book.coin.place, -book.side, role, book.owner, now_ms, abs(book.position),
            "working", reason, left=abs(book.position), delay=self.venue.costs.latency,
        )  # fmt: skip
        book.exits.append(self.venue.new(order, book.coin, "of the whole position"))
        return True

    # --- decisions --------------------------------------------------------------------------

    def _decide(self, place: int, begin_ms: int, now_ms: int) -> None:
        c = self.decided[place].get(begin_ms)
        if c is None:
            self.outcomes["dark"] += 1
            return
        book = self.venue.books[place]
        said = self.wishes.get((now_ms, place), ())
        has_exit = self._close_if_wished(book, said, now_ms)
        first: dict[str, bool] = {}
        for wish in (w for w in said if w.side and w.opens):
            room = self.gate.room(book, self.venue.books)
            size = self.gate.size(wish, book, c, room)
            refusals = self.gate.refusals(
                wish, book, self.venue.books, c, self.seen[place][begin_ms], self.venue.cash,
                size.lots, room, now_ms,
            )  # fmt: skip
            if not any(refusals.values()):
                self._enter(book, wish, size.lots, str(size), c, now_ms)
                self.outcomes["ordered"] += 1
                return
            first = first or dict(refusals)
        if self.told.peek() == (now_ms, place, "entry"):
            forbids = [name for name, refuses in first.items() if refuses] or ["no wish"]
            name = book.coin.name
            raise self.told.lost("forbidden", f"entry of {name} at {now_ms}: {', '.join(forbids)}")
        self._count(place, now_ms, said, first, has_exit=has_exit)

    def _count(
        self, place: int, now_ms: int, said: Sequence[Wish], first: Mapping[str, bool], *,
        has_exit: bool,
    ) -> None:  # fmt: skip
        if first:
            self.outcomes["refused"] += 1
            self.refused[next(rule for rule in RULES if first[rule])] += 1
            mask = sum(1 << bit for bit, rule in enumerate(RULES) if first[rule])
            self.masks.append((now_ms, place, mask))
        elif has_exit:
            self.outcomes["closed"] += 1
        elif any(w.edge is not None and w.side for w in said):
            self.outcomes["shadow"] += 1
        else:
            self.outcomes["hold"] += 1

    def _close_if_wished(self, book: Book, said: Sequence[Wish], now_ms: int) -> bool:
        """The position's own strategy closes it, or its time; not while an emergency does."""
        if not book.position or self.ladders.is_killed:
            return False
        if book.deadline_ms and now_ms >= book.deadline_ms:
            return self._exit(book, "exit", "time_out", now_ms)
        for wish in said:
            if wish.closes and wish.side == -book.side and wish.strategy == book.owner:
                return self._exit(book, "exit", wish.reason, now_ms)
        return False

    def _enter(
        self, book: Book, wish: Wish, lots: int, bounds: str, c: Candle, now_ms: int
    ) -> None:
        coin, venue = book.coin, self.venue
        value = coin.value(lots, c.close)
        entry = Order(
            0, coin.place, wish.side, "entry", wish.strategy, now_ms, lots, "working", left=lots,
            delay=venue.costs.latency, life=venue.costs.life, stop=wish.stop, target=wish.target,
            hold_ms=wish.hold_ms, reserved=value + coin.fee(value, coin.taker),
        )  # fmt: skip
        venue.new(entry, coin, f"by {bounds}")
        for role in ("stop", "target") if wish.target else ("stop",):
            child = Order(
                0, coin.place, -wish.side, role, wish.strategy, now_ms, entry.lots, "acknowledged",
                left=entry.lots, trail=wish.trail if role == "stop" else Fraction(0),
            )  # fmt: skip
            entry.waiting.append(venue.new(child, coin))
        book.entry = entry
        book.entered[wish.strategy, wish.side] = now_ms
        self.ladders.entries_now += 1
        self.ladders.entries_today += 1

    # --- the end ----------------------------------------------------------------------------

    def end(self) -> None:
        told, result, ladders = self.told, self.result, self.ladders
        told.rest()
        for order, row in zip(self.venue.orders, result.orders.tolist(), strict=False):
            found = (
                row[ORDER_NUMBER], row[ORDER_LOTS], row[ORDER_FILLED], row[ORDER_FEES] * PART,
                STATUSES[row[ORDER_STATUS]], result.reasons[row[ORDER_REASON]],
            )  # fmt: skip
            due = (order.number, order.lots, order.filled, order.fees, order.status, order.reason)
            told.same("order end", f"{order.role} {order.number}", found, due)
        events = [(e.at_ms, e.code, e.equity * PART) for e in result.events]
        for event, due_event in zip(events, ladders.events, strict=False):
            told.same("ladder", f"event at {due_event.at_ms}", event, tuple(due_event))
        told.same("ladder", "number of events", len(events), len(ladders.events))
        figures = {
            "closes": (len(result.equity), len(self.closes)),
            "opening": (result.opening * PART, self.opening),
            "start": (result.start_ms, self.start_ms),
            "timeframe": (result.timeframe_ms, self.step_ms),
            "cash": (result.cash * PART, self.venue.cash),
            "positions": (result.positions, tuple(b.position for b in self.venue.books)),
            "last": ([n * c.unit for n, c in zip(result.last, self.coins, strict=True)],
                     [b.close for b in self.venue.books]),
            "bars": (result.bars, sum(map(len, self.decided))),
            "decisions": (result.decisions, self.outcomes.total()),
            "outcomes": (dict(result.outcomes), {x: n for x, n in self.outcomes.items() if n}),
            "refusals": (dict(result.refusals), dict(self.refused)),
            "trading state": (result.trading_state, ladders.state),
            "time in state": (dict(result.time_in_state_ms), ladders.lasted),
            "drawdown": (result.max_drawdown_rate, ceil(ladders.deepest / PART)),
        }  # fmt: skip
        for what, (told_figure, figure) in figures.items():
            told.same(what, "it", told_figure, figure)
        if len(result.masks):
            masks = [tuple(row) for row in result.masks.tolist()]
            for mask, due_mask in zip(masks, self.masks, strict=False):
                told.same("mask", f"at {due_mask[0]}", mask, due_mask)


def wishes_of(table: Ints, reasons: Sequence[str], candles: Candles) -> Wishes:
    """Return what a table of events says, in human units."""
    opens = np.unique(np.concatenate([s.open_ms for s in candles.series])).tolist()
    wishes: dict[tuple[int, int], list[Wish]] = defaultdict(list)
    for v in table.tolist():
        unit = Fraction(candles.instruments[v[k.EV_SYMBOL]].price_unit)
        at = (opens[v[k.EV_ROW]] + candles.timeframe_ms, v[k.EV_SYMBOL])
        wishes[at].append(
            Wish(
                v[k.EV_STRATEGY], v[k.EV_DIRECTION], bool(v[k.EV_CLOSES]), bool(v[k.EV_OPENS]),
                v[k.EV_STOP] * unit, v[k.EV_TARGET] * unit, v[k.EV_TRAIL] * PART, v[k.EV_HOLD],
                Fraction(v[k.EV_EDGE], 1000) if v[k.EV_MODEL] else None, reasons[v[k.EV_REASON]],
            )
        )  # fmt: skip
    return wishes
