"""What the kernel works on: arrays of whole numbers, their columns, and what they are bundled in.

Everything is one signature: int64 (flags int8), C order, so that the kernel is compiled once.
"""

from collections.abc import Callable
from typing import Any, Final, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from crypto_trader_pro.domain.market import Ints
from crypto_trader_pro.risk.config import RiskLimits
from crypto_trader_pro.simulation.venue_costs import VenueCosts

Flags = NDArray[np.int8]
_Function = TypeVar("_Function", bound=Callable[..., Any])

KERNEL: Final[list[Callable[..., Any]]] = []  # in the order of compilation: callees first
INLINED: Final[set[Callable[..., Any]]] = set()


def kernel(function: _Function) -> _Function:
    """Register a function of the kernel and return it unchanged, as plain Python it runs too."""
    KERNEL.append(function)
    return function


def inlined(function: _Function) -> _Function:
    """Register a function of the kernel that is called in one place: passing the arrays of a run
    to it costs more than what it does."""
    INLINED.add(function)
    return kernel(function)


# --- one symbol: columns of its row of the state ---------------------------------------------

POSITION: Final = 0  # lots, signed
COST: Final = 1  # of the open lots, money units, signed as the position
FUNDING_NEXT: Final = 2  # place of the next funding event
OWNER: Final = 3  # strategy of the position
DEADLINE: Final = 4  # ms, 0 = none
LAST_EXIT: Final = 5  # ms, 0 = never
STOPS_IN_ROW: Final = 6
LOCKED_UNTIL: Final = 7
# the one entry under way: order number, 0 = none
ENTRY: Final = 8
ENTRY_SIDE: Final = 9
ENTRY_LOTS: Final = 10
ENTRY_STOP_UNITS: Final = 11
ENTRY_TARGET_UNITS: Final = 12
ENTRY_TRAIL: Final = 13
ENTRY_BARS: Final = 14
ENTRY_DELAY: Final = 15
ENTRY_STARTED: Final = 16
ENTRY_RESERVED: Final = 17
ENTRY_HOLD: Final = 18
ENTRY_STRATEGY: Final = 19
WAITING_STOP: Final = 20  # protection that rests when the entry fills: order numbers
WAITING_TARGET: Final = 21
# resting protection
STOP: Final = 22
STOP_LOTS: Final = 23
STOP_PRICE: Final = 24
STOP_TRAIL: Final = 25
STOP_TRAILED: Final = 26
TARGET: Final = 27
TARGET_LOTS: Final = 28
TARGET_PRICE: Final = 29
# the market exit under way, and what is left of a triggered stop
EXIT: Final = 30
EXIT_SIDE: Final = 31
EXIT_LOTS: Final = 32
EXIT_DELAY: Final = 33
EXIT_ROLE: Final = 34  # fill reason: EXIT or FLATTEN
REST: Final = 35
REST_SIDE: Final = 36
REST_LOTS: Final = 37
REST_TRAILED: Final = 38
REST_FIRST: Final = 39  # 1: it came before the market exit
LAST_ENTRY: Final = 40  # two places per strategy: candle close of its last long, short entry

# --- the account: places in the last row of the state -----------------------------------------

CASH: Final = 0
EQUITY: Final = 1
PEAK: Final = 2
DAY_START: Final = 3
DAY: Final = 4  # place of the trading day in `Market.day_end_ms`
DAILY_LEVEL: Final = 5
DRAWDOWN_LEVEL: Final = 6
FLAT_DAYS: Final = 7
HELD: Final = 8
HALTED: Final = 9
FLATTENING: Final = 10
ENTRIES_TODAY: Final = 11
ENTRIES_NOW: Final = 12
RESERVED: Final = 13
ENTRIES: Final = 14  # entries under way
HOLDINGS: Final = 15  # open positions
NOW_MS: Final = 16
TRADING_STATE: Final = 17  # 0 active, 1 reducing, 2 halted
ORDERS: Final = 18  # made so far
FILLS: Final = 19
FUNDED: Final = 20
LOGGED: Final = 21
FAULT: Final = 22
LINE_WARN: Final = 23
LINE_LOSS: Final = 24
LINE_REDUCE: Final = 25
LINE_KILL: Final = 26
LINE_RECOVER: Final = 27
DEADLINES: Final = 28  # positions that have one

# --- counters, after the account's places -----------------------------------------------------

COUNT_ORDERED: Final = 31
COUNT_CLOSED: Final = 32
COUNT_REFUSED: Final = 33
COUNT_SHADOW: Final = 34
COUNT_STATE: Final = 35  # three places: ms spent active, reducing, halted
COUNT_BOUND: Final = 38  # five places: entries by the bound that was smallest
COUNT_RULE: Final = 43  # 18 places: refusals by first rule
COUNT_BROKEN: Final = 61  # 18 places: refusals by any rule
COUNT_TRADES: Final = 79  # positions that were closed
ACCOUNT_PLACES: Final = 80

# --- reasons that the kernel itself gives: places in BacktestResult.reasons -------------------

KERNEL_REASONS: Final = (
    "", "asked", "nothing_to_reduce", "position_not_flat", "insufficient_funds", "time_to_live",
    "stop_came_first", "position_closed", "entry_ended", "liquidation", "replaced", "trailing",
    "time_out", "DAILY_LOSS_EXCEEDED", "DRAWDOWN_EXCEEDED",
)  # fmt: skip
ASKED: Final = 1
NOTHING_TO_REDUCE: Final = 2
POSITION_NOT_FLAT: Final = 3
INSUFFICIENT_FUNDS: Final = 4
TIME_TO_LIVE: Final = 5
STOP_CAME_FIRST: Final = 6
POSITION_CLOSED: Final = 7
ENTRY_ENDED: Final = 8
LIQUIDATED: Final = 9
REPLACED: Final = 10
TRAILED: Final = 11
TIME_OUT: Final = 12
DAILY_LOSS: Final = 13
DRAWDOWN: Final = 14

# --- ladder events: codes in `Out.log` -----------------------------------------------------

EVENT_CODES: Final = (
    "daily_loss_warning", "daily_loss_exceeded", "drawdown_reducing", "drawdown_kill",
    "drawdown_recovered", "drawdown_peak_reset",
)  # fmt: skip

LADDER: Final = 1 << 20  # beyond every symbol's place

# --- what the kernel answers ------------------------------------------------------------------

DONE: Final = 0
FULL: Final = 1  # an output array has no room: run again with a larger one
TWO_RESTS: Final = 2  # two triggered stops of one symbol wait for volume at the same time
TOO_LARGE: Final = 3  # the account has grown beyond what 64 bits can count

LARGEST_LIMIT: Final = 1 << 30  # of the data gate, parts of 1e8; times a price it fits 64 bits

# columns of `Events.table`
EV_ROW: Final = 0  # decision candle
EV_SYMBOL: Final = 1
EV_STRATEGY: Final = 2
EV_DIRECTION: Final = 3
EV_CLOSES: Final = 4
EV_OPENS: Final = 5
EV_STOP: Final = 6  # price units
EV_TARGET: Final = 7
EV_TRAIL: Final = 8  # parts of 1e8
EV_HOLD: Final = 9  # ms; 0 = no time-out
EV_MODEL: Final = 10
EV_EDGE: Final = 11
EV_REASON: Final = 12  # place in the reasons of the run
# what an entry is judged by, of the decision candle
EV_PRICE: Final = 13  # its close
EV_VOLUME: Final = 14
EV_REFERENCE: Final = 15  # the close before it, its open if it is the first
EV_GATE: Final = 16  # 0 green, 1 exit only
EV_VOLATILITY: Final = 17  # mean absolute move, parts of 1e8
EV_COLUMNS: Final = 18

# columns of `Market.rows`, of symbol s after 5 * s; the first is the open time
OPEN_MS: Final = 0
OPEN: Final = 1
HIGH: Final = 2
LOW: Final = 3
CLOSE: Final = 4
VOLUME: Final = 5  # -1: the symbol has no candle here

# columns of `Market.instruments`
IN_TV: Final = 0
IN_TICK: Final = 1
IN_SHORT: Final = 2
IN_MAKER: Final = 3
IN_TAKER: Final = 4
IN_MINIMUM: Final = 5
IN_MAX_LOTS: Final = 6
IN_FUNDING: Final = 7  # its events begin here in `Market.funding`
IN_FUNDING_END: Final = 8
IN_COLUMNS: Final = 9


class Market(NamedTuple):
    """Candles on one grid, and what does not change in a run. Few arrays: each call passes them.

    Args:
        rows: (rows, 1 + 5 * symbols): what the venue plays.
        ends: the row that ends each decision candle; empty where each row is one.
        days: (days, 2): end of each trading day from the first candle on, one beyond the last, and
            the first decision candle that closes after it.
        instruments: (symbols, IN_COLUMNS).
        tiers: (symbols, 3 * n) as `Instrument.tiers`.
        funding: (events, 2) of (at_ms, rate), all symbols one after another.
    """

    rows: Ints
    ends: Ints
    days: Ints
    instruments: Ints
    tiers: Ints
    funding: Ints


class Events(NamedTuple):
    """What the strategies said, where they said something: rows by time, symbol, strategy."""

    table: Ints  # (n, EV_COLUMNS)


class Terms(NamedTuple):
    """What a run is played by, beside the limits and the costs."""

    bar_ms: int  # of a row
    decision_ms: int  # of a decision candle
    interval_ms: int
    opening: int  # money units
    start_ms: int
    flattens_daily: int
    flattens_drawdown: int
    highest_equity: int  # beyond it 64 bits may not be enough
    strategies: int
    keeps_masks: int


class Out(NamedTuple):
    """What a run writes; all but `equity` and `funding` may prove too short."""

    equity: Ints  # (decisions,)
    fills: Ints
    orders: Ints
    funding: Ints
    log: (
        Ints  # (n, 3): time, what, number; a ladder event (LADDER + code, equity) or (symbol, mask)
    )


class Rules(NamedTuple):
    """Limits and costs, as the engine has them."""

    limits: RiskLimits
    costs: VenueCosts
    terms: Terms
