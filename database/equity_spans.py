"""The equity curve in few points, and how long trading was in which state.

What is kept of an hour or a UTC day follows from its snapshots alone, in whatever order they came:
a span that gets a late one is made anew. Snapshots are never changed nor deleted, so a read takes
the kept spans but for those that have rows above the mark, and makes these from the rows.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import groupby
from typing import Any, Final

from sqlalchemy import Table, select
from sqlmodel import Session

from crypto_trader_pro.domain.enums import TradingState
from crypto_trader_pro.domain.timeframes import to_datetime, to_ms
from database.models import EquityRow, EquitySpanRow
from database.rollup_marks import (
    DAY_MS,
    EQUITY,
    HOUR_MS,
    insert_into,
    mark_of,
    move_mark,
    settled_equity,
    taken_mark,
)

_rows: Table = EquityRow.__table__  # type: ignore[attr-defined]
_spans: Table = EquitySpanRow.__table__  # type: ignore[attr-defined]
_KEPT: Final = 5  # points of a span: first, lowest, highest, deepest, last
_FINE: Final = 10_000  # snapshots or hours that a curve is made of before it takes the coarser
_IN: Final = 500  # instants looked up at once


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The account at one instant of trading time; amounts in the quote asset."""

    at: datetime
    equity: Decimal
    cash: Decimal
    unrealized: Decimal
    realized: Decimal
    drawdown: Decimal  # fraction of the run's peak
    trading_state: str


@dataclass(frozen=True, slots=True)
class StateTime:
    """Milliseconds of trading time between the first and the last snapshot, by trading state.

    The time between two snapshots, an hour or less, goes to the state of the earlier one.
    """

    active_ms: int
    reducing_ms: int
    halted_ms: int


@dataclass(frozen=True, slots=True)
class Span:
    """The columns of `equity_spans` after its key, for any number of snapshots in a row."""

    snapshots: int
    first_ms: int
    last_ms: int
    last_state: str
    lowest_ms: int
    lowest: Decimal
    highest_ms: int
    highest: Decimal
    deepest_ms: int
    drawdown: Decimal
    active_ms: int = 0
    reducing_ms: int = 0
    halted_ms: int = 0

    @property
    def kept_ms(self) -> tuple[int, ...]:
        return self.first_ms, self.lowest_ms, self.highest_ms, self.deepest_ms, self.last_ms


_COLUMNS: Final = tuple(_spans.c[name] for name in Span.__slots__)


def joined(spans: Iterable[Span]) -> Span:
    """Return one span for several, which are ordered by time; the earlier of equal ones counts."""
    parts = list(spans)
    first, last = parts[0], parts[-1]
    lowest = min(parts, key=lambda s: s.lowest)
    highest = max(parts, key=lambda s: s.highest)
    deepest = max(parts, key=lambda s: s.drawdown)
    time = dict.fromkeys(TradingState, 0)
    for n, s in enumerate(parts):
        time[TradingState.ACTIVE] += s.active_ms
        time[TradingState.REDUCING] += s.reducing_ms
        time[TradingState.HALTED] += s.halted_ms
        if n + 1 < len(parts):
            time[TradingState(s.last_state)] += parts[n + 1].first_ms - s.last_ms
    return Span(
        sum(s.snapshots for s in parts), first.first_ms, last.last_ms, last.last_state,
        lowest.lowest_ms, lowest.lowest, highest.highest_ms, highest.highest,
        deepest.deepest_ms, deepest.drawdown,
        time[TradingState.ACTIVE], time[TradingState.REDUCING], time[TradingState.HALTED],
    )  # fmt: skip


# --- reads ----------------------------------------------------------------------------------------


def equity_series(session: Session, run_id: int, points: int = 1_000) -> list[Snapshot]:
    """Return the equity curve of a run in at most about `points` snapshots, oldest first.

    Where there are more, the run is cut into pieces, and of each the first, the lowest, the
    highest, the one with the deepest drawdown and the last are kept: real snapshots all.
    """
    spans = _days(session, run_id)
    if not spans:
        return []
    count = sum(s.snapshots for s in spans)
    if count <= max(points, _FINE):
        spans = [span for _, span in _snapshots(session, run_id)]
    elif (spans[-1].last_ms - spans[0].first_ms) // HOUR_MS <= _FINE:
        hours = _hours(session, run_id)
        spans = [hours[start] for start in sorted(hours)]
    if count <= points:
        return _at(session, run_id, [s.first_ms for s in spans])
    size = -(-len(spans) // max(1, points // _KEPT))
    pieces = (joined(spans[n : n + size]) for n in range(0, len(spans), size))
    return _at(session, run_id, sorted({at for piece in pieces for at in piece.kept_ms}))


def state_time(session: Session, run_id: int) -> StateTime:
    """Return how long trading was active, reducing and halted, by the snapshots of a run."""
    days = _days(session, run_id)
    if not days:
        return StateTime(0, 0, 0)
    whole = joined(days)
    return StateTime(whole.active_ms, whole.reducing_ms, whole.halted_ms)


def _at(session: Session, run_id: int, instants: Sequence[int]) -> list[Snapshot]:
    c = _rows.c
    columns = (
        c.at,
        c.equity,
        c.cash,
        c.unrealized_pnl,
        c.realized_pnl,
        c.drawdown,
        c.trading_state,
    )
    found: list[Snapshot] = []
    for n in range(0, len(instants), _IN):
        wanted = [to_datetime(at) for at in instants[n : n + _IN]]
        query = select(*columns).where(c.run_id == run_id, c.at.in_(wanted)).order_by(c.at)
        found += [Snapshot(*row) for row in session.connection().execute(query)]
    return found


def _days(session: Session, run_id: int) -> list[Span]:
    """Return the days of a run, oldest first."""
    newer = _newer(session, run_id)
    days = _stored(session, run_id, DAY_MS)
    touched = {start // DAY_MS * DAY_MS for start in newer}
    if touched:
        days.update(_made_days(session, run_id, touched, newer))
    return [days[start] for start in sorted(days)]


def _hours(session: Session, run_id: int) -> dict[int, Span]:
    newer = _newer(session, run_id)
    return _stored(session, run_id, HOUR_MS) | newer


def _newer(session: Session, run_id: int) -> dict[int, Span]:
    """Return the hours that have snapshots above the mark. Read first: what is rolled up meanwhile
    is then in both, and the same."""
    c, mark = _rows.c, mark_of(session, run_id, EQUITY)
    query = select(c.at).where(c.run_id == run_id, c.id > mark).order_by(c.id)
    found = session.connection().execute(query)
    return _made_hours(session, run_id, {_start(at, HOUR_MS) for (at,) in found})


def _stored(
    session: Session, run_id: int, width_ms: int, since: int = 0, until: int | None = None
) -> dict[int, Span]:
    c = _spans.c
    query = select(c.start_ms, *_COLUMNS).where(
        c.run_id == run_id, c.width_ms == width_ms, c.start_ms >= since
    )
    if until is not None:
        query = query.where(c.start_ms < until)
    return {start: Span(*row) for start, *row in session.connection().execute(query)}


# --- making spans ---------------------------------------------------------------------------------


def _snapshots(
    session: Session, run_id: int, since: int | None = None, until: int = 0
) -> Iterator[tuple[datetime, Span]]:
    """Yield the snapshots of a run in [since, until), oldest first, each as a span of its own."""
    c = _rows.c
    query = select(c.at, c.equity, c.drawdown, c.trading_state).where(c.run_id == run_id)
    if since is not None:
        query = query.where(c.at >= to_datetime(since), c.at < to_datetime(until))
    for at, equity, drawdown, state in session.connection().execute(query.order_by(c.at)):
        ms = to_ms(at)
        yield at, Span(1, ms, ms, state, ms, equity, ms, equity, ms, drawdown)


def _made_hours(session: Session, run_id: int, starts: set[int]) -> dict[int, Span]:
    """Return hours as their snapshots say now."""
    if not starts:
        return {}
    found = _snapshots(session, run_id, min(starts), max(starts) + HOUR_MS)
    hours = groupby(found, lambda pair: _start(pair[0], HOUR_MS))
    return {start: joined(span for _, span in pairs) for start, pairs in hours if start in starts}


def _made_days(
    session: Session, run_id: int, starts: set[int], newer: dict[int, Span]
) -> dict[int, Span]:
    """Return days from their stored hours and from `newer` ones, which replace them."""
    hours = _stored(session, run_id, HOUR_MS, min(starts), max(starts) + DAY_MS) | newer
    days: dict[int, list[Span]] = {start: [] for start in starts}
    for start in sorted(hours):
        day = start // DAY_MS * DAY_MS
        if day in days:
            days[day].append(hours[start])
    return {start: joined(spans) for start, spans in days.items()}


def _start(at: datetime, width_ms: int) -> int:
    return to_ms(at) // width_ms * width_ms


def roll_up_equity(session: Session, run_id: int, limit: int) -> int:
    """Make the spans of the next `limit` snapshots; return how many, 0: none left, or one is on
    its way and the next time is early enough."""
    mark = taken_mark(session, run_id, EQUITY)
    end = settled_equity(session)
    if end is None:
        return 0
    c = _rows.c
    query = select(c.id, c.at).where(c.run_id == run_id, c.id > mark, c.id <= end)
    new = session.connection().execute(query.order_by(c.id).limit(limit)).all()
    if not new:
        return 0
    hours = _made_hours(session, run_id, {_start(row.at, HOUR_MS) for row in new})
    _store(session, run_id, HOUR_MS, hours)
    touched = {start // DAY_MS * DAY_MS for start in hours}
    _store(session, run_id, DAY_MS, _made_days(session, run_id, touched, {}))
    move_mark(session, run_id, EQUITY, new[-1].id)
    return len(new)


def _store(session: Session, run_id: int, width_ms: int, spans: dict[int, Span]) -> None:
    names = Span.__slots__
    rows: list[dict[str, Any]] = [
        {"run_id": run_id, "width_ms": width_ms, "start_ms": start}
        | {name: getattr(span, name) for name in names}
        for start, span in spans.items()
    ]
    new = insert_into(session.connection(), EquitySpanRow)
    changed = {name: new.excluded[name] for name in names}
    key = _spans.primary_key.columns
    session.connection().execute(new.on_conflict_do_update(index_elements=key, set_=changed), rows)
