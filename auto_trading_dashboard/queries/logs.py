"""Log lines by level, component, text, time and correlation id; each read is bounded.

A million lines are stored. Level alone and component alone are read from their indexes, one read
for each value. What no index answers - words of a message, level and component together - is
looked for in `WINDOW` lines at a time, and the page says how far back it has looked.
"""

import heapq
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Any, Final

from sqlalchemy import ColumnElement, Text, cast, func, or_
from sqlmodel import Session, col, select

from database.models import AutoTradingLogRow as Row

LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
PAGE: Final = 200  # lines
WINDOW: Final = 100_000  # lines that one search reads at most
STORY: Final = 1000  # lines of one correlation id that are shown
# two processes and many threads write: a line may be stored this much after a later one
_LATE: Final = timedelta(seconds=60)
_LATE_LINES: Final = 1000  # that following looks at again
_SHOWN: Final = 400  # characters of a message in the list


@dataclass(frozen=True, slots=True)
class Wanted:
    """What lines a person wants to see.

    Args:
        level: this and above.
        components: any of these; none: all.
        words: in the message, the data or the correlation id; letters' case does not matter.
        since, until: of the line's own time, system time; None is open.
    """

    level: str = LEVELS[0]
    components: tuple[str, ...] = ()
    words: str = ""
    since: datetime | None = None
    until: datetime | None = None

    @property
    def levels(self) -> tuple[str, ...]:
        """The wanted levels; none: all, also those of other programs."""
        return LEVELS[LEVELS.index(self.level) :] if self.level != LEVELS[0] else ()

    @property
    def is_searched(self) -> bool:
        """True when no index answers it."""
        return bool(self.words) or bool(self.components and self.levels)


@dataclass(frozen=True, slots=True)
class Line:
    """A line as the list shows it; `message` may be cut."""

    id: int
    at: datetime
    level: str
    component: str
    message: str
    correlation_id: str


@dataclass(frozen=True, slots=True)
class Whole:
    """One line with all it says."""

    line: Line
    data: dict[str, Any] | None
    run_id: int | None


@dataclass(frozen=True, slots=True)
class Page:
    """Lines, newest first.

    Args:
        newest: number of the newest stored line when this was read; 0: none is stored.
        older: where the page before this one ends; None: there is none.
        searched_to: time of the oldest line that was looked at; None where an index answered.
    """

    lines: tuple[Line, ...]
    newest: int
    older: int | None
    searched_to: datetime | None = None


def page(session: Session, wanted: Wanted, before: int | None = None, limit: int = PAGE) -> Page:
    """Return the newest wanted lines, or those before line number `before`."""
    first, newest = _ends(session)
    low, high = _bounds(session, wanted, first, newest)
    high = high if before is None else min(high, before)
    floor = max(low, high - WINDOW) if wanted.is_searched else low
    found = _lines(session, wanted, floor, high, limit + 1)
    older = found[limit - 1].id if len(found) > limit else floor if floor > low else None
    searched = _time_of(session, floor) if wanted.is_searched and newest else None
    return Page(tuple(found[:limit]), newest, older, searched)


def newer(session: Session, wanted: Wanted, shown: Page, limit: int = PAGE) -> Page:
    """Return the newest page again, of which `shown` is known: only what came since is read."""
    first, newest = _ends(session)
    if newest == shown.newest:
        return shown
    low, high = _bounds(session, wanted, max(first, shown.newest - _LATE_LINES), newest)
    found = _lines(session, wanted, low, high, limit + 1)
    known = {line.id for line in found}
    merged = sorted(
        [*found, *(line for line in shown.lines if line.id not in known)],
        key=attrgetter("id"), reverse=True,
    )  # fmt: skip
    older = merged[limit - 1].id if len(merged) > limit else shown.older
    return replace(shown, lines=tuple(merged[:limit]), newest=newest, older=older)


def whole(session: Session, number: int) -> Whole | None:
    """Return a line with all it says; None where it is no longer kept."""
    row = session.get(Row, number)
    return None if row is None else _whole(row)


def story(session: Session, correlation_id: str, limit: int = STORY) -> list[Line]:
    """Return what was logged under one id, oldest first, `limit` lines at most."""
    query = select(*_columns()).where(col(Row.correlation_id) == correlation_id)
    query = query.order_by(col(Row.id)).limit(limit)
    return [_line(*values) for values in session.connection().execute(query)]


def chunk(
    session: Session, wanted: Wanted, before: int | None, numbers: int
) -> tuple[list[Whole], int | None]:
    """Return whole lines, newest first, and where to go on; None: that was all.

    Args:
        numbers: how many line numbers are looked at, wanted or not.
    """
    first, newest = _ends(session)
    low, high = _bounds(session, wanted, first, newest)
    high = high if before is None else min(high, before)
    floor = max(low, high - numbers)
    columns = (*_columns(len_of_message=None), col(Row.data), col(Row.run_id))
    query = select(*columns).where(
        col(Row.id) >= floor, col(Row.id) < high, *_conditions(session, wanted, every=True)
    )
    found = session.connection().execute(query.order_by(col(Row.id).desc()))
    wholes = [Whole(_line(*values), data, run_id) for *values, data, run_id in found]
    return wholes, floor if floor > low else None


def _ends(session: Session) -> tuple[int, int]:
    """Return the numbers of the oldest and the newest line; (1, 0) where none is stored."""
    first = session.exec(select(func.min(Row.id))).one()  # two reads: together they scan
    newest = session.exec(select(func.max(Row.id))).one()
    return (1, 0) if newest is None else (first or 1, newest)


def _bounds(session: Session, wanted: Wanted, first: int, newest: int) -> tuple[int, int]:
    """Return the numbers between which the wanted time lies: the first, and one past the last."""
    low, high = first, newest + 1
    if wanted.since is not None:
        low = _first_at(session, wanted.since - _LATE, low, high)
    if wanted.until is not None:
        high = _first_at(session, wanted.until + _LATE, low, high)
    return low, high


def _first_at(session: Session, at: datetime, low: int, high: int) -> int:
    """Return the number of the first line at or after a time, by halving: time has no index."""
    while low < high:
        middle = (low + high) // 2
        query = select(Row.id, Row.timestamp).where(col(Row.id) >= middle)
        found = session.exec(query.order_by(col(Row.id)).limit(1)).first()
        if found is None or found[1] >= at:
            high = middle
        else:
            low = (found[0] or middle) + 1
    return low


def _time_of(session: Session, number: int) -> datetime | None:
    query = select(Row.timestamp).where(col(Row.id) >= number).order_by(col(Row.id)).limit(1)
    return session.exec(query).first()


def _lines(session: Session, wanted: Wanted, low: int, high: int, limit: int) -> list[Line]:
    """Return the newest wanted lines with numbers in [low, high)."""
    between = [col(Row.id) >= low, col(Row.id) < high, *_conditions(session, wanted)]
    query = select(*_columns()).where(*between).order_by(col(Row.id).desc()).limit(limit)
    groups = [[]] if wanted.is_searched else list(_groups(wanted))
    found = [
        [_line(*values) for values in session.connection().execute(query.where(*group))]
        for group in groups
    ]
    return list(heapq.merge(*found, key=attrgetter("id"), reverse=True))[:limit]


def _groups(wanted: Wanted) -> Iterator[list[ColumnElement[bool]]]:
    """Yield conditions that one index each answers, in its order."""
    if not wanted.levels and not wanted.components:
        yield []
    for level in wanted.levels:
        yield [col(Row.log_level) == level]
    for component in wanted.components:
        yield [col(Row.component) == component]


def _conditions(
    session: Session, wanted: Wanted, *, every: bool = False
) -> Iterator[ColumnElement[bool]]:
    """Yield what the read itself must look for; `every`: also what indexes could answer."""
    if wanted.since is not None:
        yield col(Row.timestamp) >= wanted.since
    if wanted.until is not None:
        yield col(Row.timestamp) < wanted.until
    if not (wanted.is_searched or every):
        return
    if wanted.levels:
        yield col(Row.log_level).in_(wanted.levels)
    if wanted.components:
        yield col(Row.component).in_(wanted.components)
    if wanted.words:
        yield _contains(session, wanted.words)


def _contains(session: Session, words: str) -> ColumnElement[bool]:
    # SQLite's LIKE takes a and A for the same and is faster than lower() of both
    name = "like" if session.get_bind().dialect.name == "sqlite" else "ilike"
    plain, stored = _pattern(words), _pattern(json.dumps(words, ensure_ascii=False)[1:-1])
    places: tuple[tuple[Any, str], ...] = (
        (col(Row.message), plain), (cast(col(Row.data), Text), stored),
        (col(Row.correlation_id), plain),
    )  # fmt: skip
    return or_(*(getattr(place, name)(pattern, escape="\\") for place, pattern in places))


def _pattern(words: str) -> str:
    for special in "\\%_":
        words = words.replace(special, f"\\{special}")
    return f"%{words}%"


def _columns(len_of_message: int | None = _SHOWN) -> tuple[Any, ...]:
    message = col(Row.message)
    return (
        col(Row.id), col(Row.timestamp), col(Row.log_level), col(Row.component),
        message if len_of_message is None else func.substr(message, 1, len_of_message),
        col(Row.correlation_id),
    )  # fmt: skip


def _line(
    number: int, at: datetime, level: str, component: str, message: str, key: str | None
) -> Line:
    return Line(number, at, level, component, message, key or "")


def _whole(row: Row) -> Whole:
    line = _line(
        row.id or 0, row.timestamp, row.log_level, row.component, row.message, row.correlation_id
    )
    return Whole(line, row.data, row.run_id)
