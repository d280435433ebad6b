"""Runs the kernel over prepared arrays and makes a `BacktestResult` of what it wrote."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from crypto_trader_pro.backtest import kernel_state as k
from crypto_trader_pro.backtest.compiler import Compiled
from crypto_trader_pro.backtest.kernel_state import Events, Market, Out, Rules
from crypto_trader_pro.backtest.result import (
    FILL_COLUMNS,
    FUNDING_COLUMNS,
    ORDER_COLUMNS,
    BacktestResult,
    LadderEvent,
)
from crypto_trader_pro.domain.enums import Bound, Outcome, TradingState
from crypto_trader_pro.domain.instruments import Instrument
from crypto_trader_pro.domain.market import Ints
from crypto_trader_pro.risk.limits import drawdown_rate
from crypto_trader_pro.risk.rules import CODES

REFUSALS = {
    k.TWO_RESTS: "two triggered stops of one symbol wait for volume at the same time",
    k.TOO_LARGE: "the account grows beyond what 64 bits can count",
}
_PART: Final = 1 << 16  # closes that are looked at at once
_DOUBT: Final = 1e-12  # by which floats may be wrong about the deepest fall
_STATES = (TradingState.ACTIVE, TradingState.REDUCING, TradingState.HALTED)


class KernelRefused(Exception):  # noqa: N818  reads as what happened
    """The kernel cannot play this; the reference engine can."""


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """Everything of a run but the events and the rules: shared by all runs over these candles."""

    instruments: tuple[Instrument, ...]
    strategies: tuple[str, ...]
    market: Market
    bars: int


@dataclass(slots=True, eq=False)
class Workspace:
    """State and outputs of a run; used again by the next one of the same candles."""

    state: Ints
    out: Out

    @classmethod
    def of(cls, market: Market, strategies: int, orders: int) -> "Workspace":
        symbols = len(market.instruments)
        decisions = len(market.ends) if len(market.ends) else len(market.rows)
        columns = max(k.ACCOUNT_PLACES, k.LAST_ENTRY + 2 * strategies)
        out = Out(
            np.empty(decisions, np.int64),
            np.empty((orders, FILL_COLUMNS), np.int64),
            np.empty((orders, ORDER_COLUMNS), np.int64),
            np.empty((len(market.funding), FUNDING_COLUMNS), np.int64),
            np.empty((orders, 3), np.int64),
        )
        return cls(np.zeros((symbols + 1, columns), np.int64), out)


def workspace(prepared: Prepared, events: Events) -> Workspace:
    """Return room for a run of these events: an entry has two protections, and may be refused."""
    symbols = len(prepared.instruments)
    orders = 4 * len(events.table) + 64 * symbols + 64
    return Workspace.of(prepared.market, len(prepared.strategies), orders)


def load_code(compiled: Compiled, rules: Rules) -> None:
    """Load the machine code, or compile it, by playing no candle: that is not the time of a run."""
    none = np.empty((0, 6), np.int64)
    days, instruments = np.zeros((1, 2), np.int64), np.zeros((1, k.IN_COLUMNS), np.int64)
    market = Market(none, np.empty(0, np.int64), days, instruments, none, none)
    room = Workspace.of(market, 1, 64)
    events = Events(np.empty((0, k.EV_COLUMNS), np.int64))
    compiled.play(market, events, rules, room.state, room.out)


def play(
    compiled: Compiled, prepared: Prepared, events: Events, rules: Rules, room: Workspace
) -> Workspace:
    """Run the kernel; return the workspace that holds the run, larger than `room` if it had to be.

    Raises:
        KernelRefused: with the reason; nothing of the run counts.
    """
    while True:
        code = compiled.play(prepared.market, events, rules, room.state, room.out)
        if code == k.DONE:
            return room
        if code != k.FULL:
            raise KernelRefused(REFUSALS[code])
        orders = 2 * len(room.out.orders)
        room = Workspace.of(prepared.market, len(prepared.strategies), orders)


def result_of(
    prepared: Prepared, rules: Rules, room: Workspace, reasons: Sequence[str]
) -> BacktestResult:
    """Return what the workspace holds; the equity is its own, other arrays are copied."""
    a, out, m = room.state[-1], room.out, prepared.market
    equity = out.equity
    log = out.log[: a[k.LOGGED]]
    ladder = log[log[:, 1] >= k.LADDER]
    events = tuple(
        LadderEvent(at, k.EVENT_CODES[code - k.LADDER], worth)
        for at, code, worth in ladder.tolist()
    )
    ends = m.ends if len(m.ends) else slice(None)
    refusals = a[k.COUNT_RULE : k.COUNT_RULE + len(CODES)].tolist()
    return BacktestResult(
        instruments=prepared.instruments,
        strategies=prepared.strategies,
        timeframe_ms=rules.terms.decision_ms,
        opening=rules.terms.opening,
        start_ms=rules.terms.start_ms,
        close_ms=m.rows[ends, k.OPEN_MS] + rules.terms.bar_ms,
        equity=equity,
        fills=out.fills[: a[k.FILLS]].copy(),
        orders=out.orders[: a[k.ORDERS]].copy(),
        reasons=tuple(reasons),
        funding=out.funding[: a[k.FUNDED]].copy(),
        events=events,
        refusals={code: n for code, n in zip(CODES, refusals, strict=True) if n},
        outcomes=_outcomes(m, rules, a),
        time_in_state_ms={
            state.value: int(a[k.COUNT_STATE + i]) for i, state in enumerate(_STATES)
        },
        trading_state=_STATES[a[k.TRADING_STATE]].value,
        max_drawdown_rate=largest_fall(rules.terms.opening, equity),
        bars=prepared.bars,
        cash=int(a[k.CASH]),
        positions=tuple(room.state[:-1, k.POSITION].tolist()),
        last=_last(m),
        masks=log[log[:, 1] < k.LADDER],
    )


def bounds_of(room: Workspace) -> dict[str, int]:
    """Return how many entries each sizing bound has limited."""
    counts = room.state[-1, k.COUNT_BOUND : k.COUNT_BOUND + len(Bound)].tolist()
    return {bound.name: n for bound, n in zip(Bound, counts, strict=True)}


def _outcomes(m: Market, rules: Rules, counts: Ints) -> dict[str, int]:
    ends = m.ends if len(m.ends) else slice(None)
    present = m.rows[ends, k.VOLUME :: 5] >= 0
    if rules.terms.interval_ms != rules.terms.decision_ms:
        closes = m.rows[ends, k.OPEN_MS] + rules.terms.bar_ms
        present = present[closes % rules.terms.interval_ms == 0]
    found = {
        Outcome.ORDERED: int(counts[k.COUNT_ORDERED]),
        Outcome.CLOSED: int(counts[k.COUNT_CLOSED]),
        Outcome.REFUSED: int(counts[k.COUNT_REFUSED]),
        Outcome.SHADOW: int(counts[k.COUNT_SHADOW]),
        Outcome.DARK: int(present.size - np.count_nonzero(present)),
    }
    found[Outcome.HOLD] = int(present.size) - sum(found.values())
    return {outcome.value: n for outcome, n in found.items() if n}


def _last(m: Market) -> tuple[int, ...]:
    last = []
    for s in range(len(m.instruments)):
        backward = m.rows[::-1, 5 * s : 5 * s + 6]
        present = backward[:, k.VOLUME] >= 0
        last.append(int(backward[present.argmax(), k.CLOSE]) if present.any() else 0)
    return tuple(last)


def largest_fall(opening: int, equity: Ints) -> int:
    """Return the largest fall from the highest equity before it, parts of 1e8, rounded up.

    Floats find the candidates, whole numbers decide. Part by part: arrays of the whole length
    would be the most memory that a run takes.
    """
    peak, deepest = opening, 0.0
    pairs: set[tuple[int, int]] = set()
    for start in range(0, len(equity), _PART):
        part = equity[start : start + _PART]
        peaks = np.maximum(np.maximum.accumulate(part), peak)
        peak = int(peaks[-1])
        shares = (peaks - part) / peaks
        deepest = max(deepest, float(shares.max()))
        if deepest > 0:
            near = np.flatnonzero(shares >= deepest - _DOUBT)
            pairs.update(zip(part[near].tolist(), peaks[near].tolist(), strict=True))
    return max((drawdown_rate(worth, highest) for worth, highest in pairs), default=0)
