"""A made-up run: its decisions and signals candle by candle, its trades through the book."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from crypto_trader_pro.domain.enums import OrderRole
from crypto_trader_pro.risk.rules import RiskInputs, evaluate, first_refusal
from database.journal_sql import DECISION_COLUMNS
from tests.console_book import Book
from tests.console_bulk import Bulk, Row
from tests.console_market import Market
from tests.console_plan import REFUSALS, STILL_OPEN, Life, lives

OPENING: Final = 1_000_000 * 10**8  # money units
_DARK, _SHADOW, _REFUSED = 0.005, 0.013, 0.080  # upper ends of the shares of what is left
_REFUSED_HELD: Final = 0.060  # with a position most refusals are the same one
_STATES: Final = ("active", "reducing", "halted")
_GATES: Final = (("green", "ok"), ("exit_only", "gap"), ("dark", "missing"))
_DARK_REASONS: Final = ("missing", "stale", "outlier", "impossible")
_CHUNK: Final = 4_000  # instants whose rows are kept in memory


@dataclass(slots=True)
class History:
    """Plays one run over `market` and writes it through `bulk`.

    Attributes:
        book: its money, when it has been played.
    """

    run_id: int
    market: Market
    positions: int
    rng: np.random.Generator
    bulk: Bulk
    config_hash: str
    model_id: str
    still_open: int = STILL_OPEN
    book: Book = field(init=False)
    _decisions: list[Row] = field(default_factory=list)
    _signals: list[Row] = field(default_factory=list)
    _symbols: list[str] = field(default_factory=list)
    _next: list[Iterator[Life]] = field(default_factory=list)
    _due: list[Life | None] = field(default_factory=list)

    def play(self) -> None:
        plan = lives(self.market, self.positions, self.rng, still_open=self.still_open)
        self.book = Book(self.run_id, self.market, self.bulk, self.config_hash, OPENING)
        self._symbols = [i.symbol for i in self.market.instruments]
        self._next = [iter(own) for own in plan]
        self._due = [next(own, None) for own in self._next]
        for begin in range(0, len(self.market), _CHUNK):
            self._play(begin, min(begin + _CHUNK, len(self.market)))
            self.bulk.add("decisions", DECISION_COLUMNS, self._decisions)
            self.bulk.add("ai_signals_log", SIGNALS, self._signals)
            self._decisions.clear()
            self._signals.clear()
            self.book.flush()
        self.book.end()

    def _play(self, begin: int, end: int) -> None:
        symbols = range(len(self._symbols))
        rolls = self.rng.random((end - begin, len(self._symbols))).tolist()
        hashes = self.rng.bytes(16 * len(self._symbols) * (end - begin))
        closes = self.market.close[begin:end].tolist()
        place = 0
        for k in range(begin, end):
            prices, roll = closes[k - begin], rolls[k - begin]
            at_ms = self.market.close_ms(k)
            self.book.candle(k, at_ms, prices)
            for i in symbols:
                self._decide(k, at_ms, i, prices[i], roll[i], hashes[place : place + 16])
                place += 16

    def _decide(
        self, k: int, at_ms: int, i: int, price: int, roll: float, window: bytes
    ) -> None:  # fmt: skip
        due, held = self._due[i], self.book.held[i]
        if due is not None and due.entry == k:
            self._due[i] = next(self._next[i], None)
            self._order(k, at_ms, i, price, due, window)
        elif held is not None and held.life.role is OrderRole.EXIT and held.life.exit == k:
            order = self.book.leave(i, k, price)
            self._add(at_ms, i, "closed", price, window, order=order)
        elif roll >= (_REFUSED if held is None else _REFUSED_HELD):
            self._decisions.append(
                (self.run_id, at_ms, self._symbols[i], "hold", None, 0, 0, "green", "ok", "active",
                 0, None, 0, 0, price, self.book.equity, window, None, None, None)
            )  # fmt: skip
        elif roll < _DARK:
            reason = _DARK_REASONS[int(roll * 1e6) % len(_DARK_REASONS)]
            self._add(at_ms, i, "dark", price, window, gate=("dark", reason))
        elif roll < _SHADOW:
            self._shadow(k, at_ms, i, price, window)
        else:
            self._refuse(k, at_ms, i, price, window)

    def _order(
        self, k: int, at_ms: int, i: int, price: int, life: Life, window: bytes
    ) -> None:  # fmt: skip
        model = {"has_model": 1, "edge_mbp": 45_000, "edge_margin_mbp": 20_000}
        changes = model if life.strategy == "ai_signal" else {}
        inputs = self._inputs(
            k, at_ms, i, price, side=life.direction, stop_units=life.stop_units, **changes
        )  # fmt: skip
        verdict = evaluate(inputs)
        assert verdict.allowed, (verdict.first, inputs)
        text = _text(inputs)
        order = self.book.enter(i, k, price, life, verdict.lots, text)
        self._add(
            at_ms, i, "ordered", price, window, strategy=life.strategy, direction=life.direction,
            lots=verdict.lots, bound=int(verdict.bound), order=order, inputs=text,
        )  # fmt: skip
        self._say(at_ms, i, life.strategy, life.direction, price, life.stop_units, executed=True)

    def _shadow(self, k: int, at_ms: int, i: int, price: int, window: bytes) -> None:
        direction = 1 if k % 3 else -1
        self._add(
            at_ms, i, "shadow", price, window, strategy="ai_signal", direction=direction
        )  # fmt: skip
        self._say(at_ms, i, "ai_signal", direction, price, self._stop_units(i, price))

    def _refuse(self, k: int, at_ms: int, i: int, price: int, window: bytes) -> None:
        busy = self.book.held[i] is not None
        changes: dict[str, Any] = {"busy": int(busy)}
        if not busy or k % 2:
            changes |= REFUSALS[_PICKS[self.rng.integers(len(_PICKS))]][1]
            named = {"now": at_ms, "tomorrow": self.book.days[-1].day.end_ms,
                     "far": price * 94 // 100}  # fmt: skip
            changes = {name: named.get(value, value) for name, value in changes.items()}
        strategy = "ai_signal" if changes.get("has_model") or k % 3 == 0 else "ema_cross"
        direction = 1 if k % 5 < 3 else -1
        stop_units = self._stop_units(i, price)
        inputs = self._inputs(
            k, at_ms, i, price, side=direction, stop_units=stop_units, **changes
        )  # fmt: skip
        verdict = evaluate(inputs)
        assert verdict.mask, inputs
        self._add(
            at_ms, i, "refused", price, window, strategy=strategy, direction=direction,
            gate=_GATES[inputs.gate_state], state=_STATES[inputs.trading_state],
            mask=verdict.mask, lots=verdict.lots, bound=int(verdict.bound), inputs=_text(inputs),
        )  # fmt: skip
        self._say(at_ms, i, strategy, direction, price, stop_units)

    def _stop_units(self, i: int, price: int) -> int:
        tick = self.market.instruments[i].tick_units
        return max(1, round(price * 0.006 / tick)) * tick

    def _inputs(
        self, k: int, at_ms: int, i: int, price: int, *, side: int, stop_units: int, **changes: Any
    ) -> RiskInputs:
        item, book = self.market.instruments[i], self.book
        inputs = RiskInputs(
            0, 0, 0, 0, at_ms, 0, 0, book.open_count, 10, book.bars_since_exit(i, k), 0,
            book.entries_today, 1_000, 0, 20, side, 1, 0, 0, 20_000, price,
            int(self.market.close[max(0, k - 1), i]), stop_units, item.tv, book.equity, 200_000,
            200_000, book.equity, item.taker_rate, int(self.market.volume[k, i]), 10_000_000,
            item.max_lots, item.min_notional_units, 5_000_000, book.day_start, book.peak,
            book.equity, 0, 0, 0,
        )  # fmt: skip
        return inputs._replace(**changes)

    def _add(
        self, at_ms: int, i: int, outcome: str, price: int, window: bytes, *,
        strategy: str | None = None, direction: int = 0, gate: tuple[str, str] = ("green", "ok"),
        state: str = "active", mask: int = 0, lots: int = 0, bound: int = 0,
        order: str | None = None, inputs: str | None = None,
    ) -> None:  # fmt: skip
        confidence = 300_000 + at_ms // 1000 % 600_000 if direction else 0
        self._decisions.append(
            (self.run_id, at_ms, self._symbols[i], outcome, strategy, direction, confidence, *gate,
             state, mask, first_refusal(mask) or None, lots, bound, price, self.book.equity,
             window, order, inputs, None)
        )  # fmt: skip

    def _say(
        self, at_ms: int, i: int, strategy: str, direction: int, price: int, stop_units: int, *,
        executed: bool = False,
    ) -> None:  # fmt: skip
        """Add what the strategy said, and the other one that said nothing."""
        time, grid = self.bulk.values.time(at_ms), self.book.grids[i]
        confidence = (300_000 + at_ms // 1000 % 600_000) // 10_000
        model: tuple[Any, ...] = (None,) * 6
        if strategy == "ai_signal":
            probability = 400_000 + at_ms // 1000 % 200_000
            edge = (probability - 420_000) // 2
            model = (self.model_id, probability, 420_000, edge, probability - 9_000,
                     "open" if executed else "edge_below_margin")  # fmt: skip
        prices = (
            grid.price(price), grid.price(price - direction * stop_units),
            grid.price(price + direction * 2 * stop_units),
        )  # fmt: skip
        filled = self.bulk.values.time(at_ms + 1000) if executed else None
        reason = "model_signal" if executed else "model_shadow"
        if strategy == "ema_cross":
            reason = "cross_up" if direction > 0 else "cross_down"
        symbol = self._symbols[i]
        self._signals.append(
            (1, self.run_id, symbol, strategy, "BUY" if direction > 0 else "SELL", confidence,
             reason, *prices, executed, time, *model,
             prices[0] if executed else None, filled)
        )  # fmt: skip
        other, quiet = ("ai_signal", "not_due")
        if strategy == "ai_signal":
            other, quiet = ("ema_cross", "no_cross")
        self._signals.append(
            (1, self.run_id, symbol, other, "HOLD", 0, quiet, None, None, None, False, time,
             None, None, None, None, None, None, None, None)
        )  # fmt: skip


SIGNALS: Final = (
    "user_id", "run_id", "symbol", "strategy", "signal_type", "confidence_score", "reason",
    "entry_price", "stop_loss", "take_profit", "executed", "created_at", "model_id", "probability",
    "break_even", "edge_mbp", "baseline_probability", "model_gate", "execution_price",
    "executed_at",
)  # fmt: skip
_PICKS: Final = [place for place, (weight, _) in enumerate(REFUSALS) for _ in range(weight)]


def _text(inputs: Sequence[int]) -> str:
    return f"[{','.join(map(str, inputs))}]"
