"""How many decisions ended how, by hour and by day, of a table with a row for every candle.

A run decides in the order of trading time, all symbols of an instant in one transaction, and no row
is changed later. So the time of a decision says whether it is in the sums, by the index that begins
with it, and only the newest instant has to be left to the next time: it alone may still grow.
"""

from collections import Counter
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Integer,
    String,
    Table,
    func,
    literal_column,
    select,
    union_all,
)
from sqlmodel import Session

from database.models import DecisionCountRow, DecisionRow, RollupMarkRow
from database.rollup_marks import (
    DAY_MS,
    DECISIONS,
    HOUR_MS,
    NOTHING,
    WIDTHS,
    insert_into,
    mark_of,
    move_mark,
    taken_mark,
)

_rows: Table = DecisionRow.__table__  # type: ignore[attr-defined]
_counts: Table = DecisionCountRow.__table__  # type: ignore[attr-defined]
_marks: Table = RollupMarkRow.__table__  # type: ignore[attr-defined]
# no value of the driver: PostgreSQL would take two of them for different groups
_none: Final = literal_column("''", String)
_strategy: Final = func.coalesce(_rows.c.strategy, _none)
_rule: Final = func.coalesce(_rows.c.first_refusal, _none)
_KINDS: Final = (_rows.c.symbol, _strategy, _rows.c.outcome, _rule)
_KIND_COLUMNS: Final = (
    _counts.c.symbol, _counts.c.strategy, _counts.c.outcome, _counts.c.first_refusal,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class OutcomeCount:
    """How many decisions about a symbol ended in one way."""

    symbol: str
    strategy: str | None  # None: none wanted anything
    outcome: str
    rule: str | None  # the first that refused
    decisions: int


@dataclass(frozen=True, slots=True)
class RefusalCount:
    """How many decisions of one hour or day a rule was the first to refuse."""

    start_ms: int  # trading time at which the hour or day begins
    rule: str
    decisions: int


# --- reads: exact at any time, the sums and the rows above the mark in one statement --------------


def outcomes(
    session: Session, run_id: int, since_ms: int = 0, *, width_ms: int = DAY_MS
) -> list[OutcomeCount]:
    """Return how the decisions of a run ended, counted by symbol, strategy, outcome and rule.

    Args:
        since_ms: trading time; the hour or day it lies in counts from its beginning.
        width_ms: `HOUR_MS` or `DAY_MS`: what `since_ms` lies in.
    """
    since = since_ms // width_ms * width_ms
    c = _counts.c
    summed = select(*_KIND_COLUMNS, c.decisions.label("n")).where(
        c.run_id == run_id, c.width_ms == width_ms, c.start_ms >= since
    )
    tail = select(*_KINDS, func.count().label("n")).where(*_above_mark(run_id))
    tail = tail.where(_rows.c.at_ms >= since).group_by(*_KINDS)
    both = union_all(summed, tail).subquery()
    symbol, strategy, outcome, rule, n = both.c
    query = select(symbol, strategy, outcome, rule, func.sum(n))
    query = query.group_by(symbol, strategy, outcome, rule)
    query = query.order_by(symbol, strategy, outcome, rule)
    return [
        OutcomeCount(symbol, strategy or None, outcome, rule or None, int(count))
        for symbol, strategy, outcome, rule, count in session.connection().execute(query)
    ]


def refusals_by_hour(
    session: Session, run_id: int, since_ms: int = 0, *, width_ms: int = HOUR_MS,
    symbol: str | None = None, strategy: str | None = None,
) -> list[RefusalCount]:  # fmt: skip
    """Return how often each rule was the first to refuse, oldest hour first; hours of 0 are absent.

    Args:
        since_ms: trading time; the hour or day it lies in counts from its beginning.
        width_ms: `HOUR_MS`, or `DAY_MS` for UTC days.
    """
    since = since_ms // width_ms * width_ms
    c = _counts.c
    summed = select(c.start_ms, c.first_refusal, c.decisions.label("n")).where(
        c.run_id == run_id, c.width_ms == width_ms, c.start_ms >= since, c.first_refusal != "",
        *_only(c, symbol, strategy),
    )  # fmt: skip
    start = _start(width_ms)
    tail = (
        select(start, _rows.c.first_refusal, func.count().label("n"))
        .where(*_above_mark(run_id), _rows.c.at_ms >= since, _rows.c.first_refusal.is_not(None))
        .where(*_only(_rows.c, symbol, strategy))
        .group_by(start, _rows.c.first_refusal)
    )
    both = union_all(summed, tail).subquery()
    at, rule, n = both.c
    query = select(at, rule, func.sum(n)).group_by(at, rule).order_by(at, rule)
    return [
        RefusalCount(at, rule, int(count))
        for at, rule, count in session.connection().execute(query)
    ]


def _only(columns: Any, symbol: str | None, strategy: str | None) -> list[ColumnElement[bool]]:
    wanted = ((columns.symbol, symbol), (columns.strategy, strategy))
    return [column == value for column, value in wanted if value is not None]


def _above_mark(run_id: int) -> tuple[ColumnElement[bool], ...]:
    mark = select(_marks.c.mark).where(_marks.c.run_id == run_id, _marks.c.source == DECISIONS)
    above = _rows.c.at_ms > func.coalesce(mark.scalar_subquery(), NOTHING)
    return _rows.c.run_id == run_id, above


def _start(width_ms: int) -> ColumnElement[int]:
    width = literal_column(str(width_ms), Integer)
    return (_rows.c.at_ms // width * width).label("start")


# --- the roll-up ----------------------------------------------------------------------------------


def roll_up_decisions(session: Session, run_id: int, limit: int, *, whole: bool) -> int:
    """Add the next rows to the sums, about `limit` of them; return how many, 0: none left.

    Args:
        whole: the run decides nothing more, so that its newest instant may go in, too.
    """
    mark = taken_mark(session, run_id, DECISIONS)
    through = _through(session, run_id, mark, limit, whole)
    if through is None:
        return 0
    hours = _hours(session, run_id, mark, through)
    for width_ms in WIDTHS:
        _add(session, run_id, width_ms, hours)
    move_mark(session, run_id, DECISIONS, through)
    return sum(hours.values())


def rolled_up_to(session: Session, run_id: int) -> int:
    """Return the trading time in ms up to which the sums hold the decisions; < 0: none."""
    return mark_of(session, run_id, DECISIONS)


def _through(session: Session, run_id: int, mark: int, limit: int, whole: bool) -> int | None:
    """Return the time up to which rows go into the sums now, or None where there are none."""
    at_ms, connection = _rows.c.at_ms, session.connection()
    of_run = _rows.c.run_id == run_id
    newest = connection.execute(select(func.max(at_ms)).where(of_run)).scalar()
    if newest is None:
        return None
    end = at_ms <= newest if whole else at_ms < newest
    waiting = select(at_ms).where(of_run, at_ms > mark, end)
    nth = waiting.order_by(at_ms, _rows.c.symbol).offset(limit - 1).limit(1)
    found = connection.execute(nth).scalar()
    if found is None:
        last = waiting.order_by(at_ms.desc(), _rows.c.symbol.desc()).limit(1)
        found = connection.execute(last).scalar()
    return None if found is None else int(found)


def _hours(session: Session, run_id: int, mark: int, through: int) -> Counter[tuple[Any, ...]]:
    """Return the decisions in (mark, through], counted by hour and kind."""
    start = _start(HOUR_MS)
    query = select(start, *_KINDS, func.count()).where(
        _rows.c.run_id == run_id, _rows.c.at_ms > mark, _rows.c.at_ms <= through
    )
    found = session.connection().execute(query.group_by(start, *_KINDS))
    return Counter({tuple(key): int(count) for *key, count in found})


def _add(
    session: Session, run_id: int, width_ms: int, hours: Counter[tuple[Any, ...]]
) -> None:  # fmt: skip
    groups: Counter[tuple[Any, ...]] = Counter()
    for (start, *kind), count in hours.items():
        groups[(start // width_ms * width_ms, *kind)] += count
    names = [column.name for column in _counts.columns]
    rows = [
        dict(zip(names, (run_id, width_ms, *key, count), strict=True))
        for key, count in groups.items()
    ]
    new = insert_into(session.connection(), DecisionCountRow)
    upsert = new.on_conflict_do_update(
        index_elements=_counts.primary_key.columns,
        set_={"decisions": _counts.c.decisions + new.excluded.decisions},
    )
    session.connection().execute(upsert, rows)
