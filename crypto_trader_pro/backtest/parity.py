"""Why a session earned something else than its backtest, to the last unit.

Trades are aligned by symbol, strategy, side and candle close of the decision to enter. Then one
ingredient after another is exchanged, from the backtest's to the session's, and the difference is
taken each time; the parts therefore sum to the gap whatever the trades are, and nothing can be left
unexplained. The order:

1. data revision: the backtest over the candles as they are stored now -> over those that the
   session saw. Everything below compares the session with the latter.
2. signal, risk: trades that only one side has, with their whole profit. Signal: the strategy
   wanted something else at that candle close. Risk: it wanted the same, and state, rules or people
   (a stop, an emergency, a session that was not trading) decided otherwise. An entry that both
   decided and that filled on one side alone is a partial fill of nothing; if it was given up by the
   engine or a person it is risk, if it only had no time left it is timing.
3. risk: of a trade that both have, the size that was decided, at the backtest's profit per lot.
4. partial fill: the quantity that was filled of it, at the backtest's profit per lot.
5. timing: the market's prices, before slippage, at the session's instants instead of the
   backtest's; a stop that only the candle touched, or that a price jumped over, is this. Where the
   exit itself was decided otherwise, its prices count as signal (the strategy said something else)
   or as risk (a person, a ladder, an emergency or a liquidation closed it).
6. price: slippage at that instant. 7. fee. 8. funding.

Shares of a trade's profit are rounded down to whole money units; the next step takes the rest.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple

from crypto_trader_pro.backtest.parity_trips import Books, Trip, Way, round_trips
from crypto_trader_pro.domain.enums import OrderStatus
from crypto_trader_pro.domain.orders import OPEN

_OPEN: Final = frozenset(status.value for status in OPEN)
_NEVER: Final = 1 << 62  # ms: later than anything


class Part(StrEnum):
    """What a difference is due to, in the order in which it is taken."""

    DATA_REVISION = "data_revision"
    SIGNAL = "signal"
    RISK = "risk"
    PARTIAL_FILL = "partial_fill"
    TIMING = "timing"
    PRICE = "price"
    FEE = "fee"
    FUNDING = "funding"


class Share(NamedTuple):
    """One trade's part of the gap.

    Args:
        amount: money units, > 0: the session earned more.
        ours, theirs: the trip of the session and of the backtest; None where it has none.
        why: a code of the catalogue.
    """

    part: Part
    amount: int
    ours: Trip | None
    theirs: Trip | None
    why: str


class Pair(NamedTuple):
    """A trade of both sides, or of one alone."""

    ours: Trip | None
    theirs: Trip | None


@dataclass(frozen=True, slots=True)
class Parity:
    """The gap of a session to its backtest; amounts in money units.

    Args:
        pairs: the session's trades beside those of the backtest over the candles it saw.
    """

    session: int
    backtest: int
    pairs: tuple[Pair, ...]
    shares: tuple[Share, ...]

    @property
    def gap(self) -> int:
        """What the session earned more than the backtest."""
        return self.session - self.backtest

    def part(self, part: Part) -> int:
        return sum(share.amount for share in self.shares if share.part is part)

    @property
    def matched(self) -> int:
        return sum(1 for pair in self.pairs if pair.ours and pair.theirs)

    @property
    def only_session(self) -> int:
        return sum(1 for pair in self.pairs if pair.theirs is None)

    @property
    def only_backtest(self) -> int:
        return sum(1 for pair in self.pairs if pair.ours is None)


def compared(session: Books, seen: Books, stored: Books | None = None) -> Parity:
    """Split the gap between a session and its backtest.

    Args:
        seen: the backtest over the candles that the session saw.
        stored: the backtest over the candles that are stored now; None: they are the same.

    Raises:
        InputError: the books do not begin without positions.
    """
    ours, our_loose = round_trips(session)
    theirs, their_loose = round_trips(seen)
    pairs = tuple(aligned(ours, theirs))
    shares = [share for pair in pairs for share in _shares(pair, session, seen)]
    shares.append(Share(Part.FUNDING, our_loose - their_loose, None, None, "funding"))
    base, base_loose = theirs, their_loose
    if stored is not None:
        base, base_loose = round_trips(stored)
        shares += _revised(theirs, base, their_loose - base_loose)
    kept = tuple(share for share in shares if share.amount)
    return Parity(
        sum(t.profit for t in ours) + our_loose, sum(t.profit for t in base) + base_loose,
        pairs, kept,
    )  # fmt: skip


def aligned(ours: Sequence[Trip], theirs: Sequence[Trip]) -> Iterator[Pair]:
    """Yield the trades of both, of the session alone and of the backtest alone, oldest first.

    A decision that led to several trips is paired in their order.
    """
    waiting: dict[tuple[str, str, int, int], list[Trip]] = defaultdict(list)
    for trip in theirs:
        waiting[trip.key].append(trip)
    pairs = []
    for trip in ours:
        same = waiting[trip.key]
        pairs.append(Pair(trip, same.pop(0) if same else None))
    pairs += [Pair(None, trip) for left in waiting.values() for trip in left]
    yield from sorted(pairs, key=_when)


def _when(pair: Pair) -> tuple[int, str, str]:
    trip = _one(pair)
    return (trip.decided_ms, trip.symbol, trip.strategy)


def _one(pair: Pair) -> Trip:
    trip = pair.ours or pair.theirs
    if trip is None:
        raise ValueError("a pair of nothing")
    return trip


def _revised(seen: Sequence[Trip], stored: Sequence[Trip], loose: int) -> Iterator[Share]:
    for pair in aligned(seen, stored):
        before = pair.theirs.profit if pair.theirs else 0
        after = pair.ours.profit if pair.ours else 0
        yield Share(Part.DATA_REVISION, after - before, pair.ours, pair.theirs, "revised")
    yield Share(Part.DATA_REVISION, loose, None, None, "revised")


def _shares(pair: Pair, session: Books, seen: Books) -> Iterator[Share]:
    ours, theirs = pair
    if ours is not None and theirs is not None:
        yield from _of_both(ours, theirs, session, seen)
    elif ours is not None:
        part, why = _missing(ours, session, seen)
        yield Share(part, ours.profit, ours, None, why)
    elif theirs is not None:
        part, why = _missing(theirs, seen, session)
        yield Share(part, -theirs.profit, None, theirs, why)


# --- trades of one side alone -------------------------------------------------------------------


def _missing(trip: Trip, own: Books, other: Books) -> tuple[Part, str]:
    """Return why the other side has no such trade."""
    order = other.entries.get(trip.key)
    if order is not None:
        if order.status in _OPEN or order.status == OrderStatus.FILLED:
            return Part.TIMING, "not_yet_filled"
        if order.status == OrderStatus.EXPIRED:
            return Part.PARTIAL_FILL, "never_filled"
        return Part.RISK, "given_up"
    if (trip.symbol, trip.decided_ms) not in other.wishes:
        return Part.RISK, "not_decided"
    if not _wished_alike(trip, own, other, trip.decided_ms):
        return Part.SIGNAL, "other_signal"
    refusal = other.refusals.get((trip.symbol, trip.decided_ms))
    return Part.RISK, f"refused.{refusal}" if refusal else "other_state"


def _wished_alike(trip: Trip, own: Books, other: Books, at_ms: int) -> bool:
    mine = own.wish(trip.symbol, at_ms, trip.strategy)
    return mine == other.wish(trip.symbol, at_ms, trip.strategy)


# --- trades of both -----------------------------------------------------------------------------


class _Scaled(NamedTuple):
    """A trip's ingredients at another quantity, in whole money units."""

    entered: int  # signed by the side, as the two below
    left: int
    slipped: int
    fees: int
    funding: int

    @property
    def profit(self) -> int:
        return self.left - self.entered - self.slipped - self.fees + self.funding


def _scaled(trip: Trip, part: int, whole: int) -> _Scaled:
    values = (
        trip.side * trip.entered, trip.side * trip.left, trip.slipped, trip.fees, trip.funding
    )  # fmt: skip
    return _Scaled(*(value * part // whole for value in values))


def _of_both(ours: Trip, theirs: Trip, session: Books, seen: Books) -> Iterator[Share]:
    """Exchange one ingredient after another; the differences sum to that of the profits."""
    sized = _scaled(theirs, ours.decided_lots, theirs.decided_lots)
    filled = _scaled(theirs, ours.lots, theirs.lots)
    mine = _scaled(ours, 1, 1)
    way_out, why = _exit_part(ours, theirs, session, seen)
    steps = (
        (Part.RISK, sized.profit - theirs.profit, "other_size"),
        (Part.PARTIAL_FILL, filled.profit - sized.profit, "other_quantity"),
        (Part.TIMING, filled.entered - mine.entered, "entry_instant"),
        (way_out, mine.left - filled.left, why),
        (Part.PRICE, filled.slipped - mine.slipped, "slippage"),
        (Part.FEE, filled.fees - mine.fees, "fee"),
        (Part.FUNDING, mine.funding - filled.funding, "funding"),
    )
    for part, amount, code in steps:
        yield Share(part, amount, ours, theirs, code)


def _exit_part(ours: Trip, theirs: Trip, session: Books, seen: Books) -> tuple[Part, str]:
    """Return what other prices of the exit are due to: the earlier of the ways that differ."""
    for k in range(max(len(ours.ways), len(theirs.ways))):
        mine, other = _nth(ours, k), _nth(theirs, k)
        if mine is not None and other is not None and mine.cause == other.cause:
            continue
        if _at(mine) <= _at(other) and mine is not None:
            return _way_part(mine, ours, session, seen)
        if other is not None:
            return _way_part(other, theirs, seen, session)
    return Part.TIMING, "exit_instant"


def _way_part(way: Way, trip: Trip, own: Books, other: Books) -> tuple[Part, str]:
    """Return why the other side did not leave this way."""
    if way.kind == "resting":
        return Part.TIMING, f"exit_{way.detail}"
    if way.kind != "decided":
        return Part.RISK, f"exit_{way.kind}"
    if (trip.symbol, way.decided_ms) not in other.wishes:
        return Part.RISK, "exit_not_decided"
    if not _wished_alike(trip, own, other, way.decided_ms):
        return Part.SIGNAL, "exit_other_signal"
    is_ordered = (trip.symbol, way.decided_ms) in other.exits
    return (Part.TIMING, "exit_instant") if is_ordered else (Part.RISK, "exit_other_state")


def _nth(trip: Trip, k: int) -> Way | None:
    return trip.ways[k] if k < len(trip.ways) else None


def _at(way: Way | None) -> int:
    return _NEVER if way is None else way.at_ms
