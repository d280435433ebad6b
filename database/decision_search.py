"""Finds decisions by any combination of symbol, strategy, outcome and rule, newest first.

Of a million rows most are holds. The others have an index for each of the four, and a search walks
the one that its most selective filter has. Holds have none but the unique index over time and
symbol, which a search that includes them walks backwards.
"""

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, Table, func, literal_column, select, text, tuple_
from sqlmodel import Session

from crypto_trader_pro.domain.enums import Outcome
from database.models import DecisionRow
from database.models_trading import NOT_HOLD

_rows: Table = DecisionRow.__table__  # type: ignore[attr-defined]
_not_hold: Final = text(NOT_HOLD)  # word for word, or the indexes of these rows are not seen


@dataclass(frozen=True, slots=True)
class DecisionFound:
    """A decision as a list shows it; `decisions.get` has the rest."""

    id: int
    at_ms: int  # candle close, trading time
    symbol: str
    outcome: str
    strategy: str | None
    direction: int
    confidence: int  # parts of 1e6
    gate_state: str
    trading_state: str
    rule: str | None  # the first that refused
    order_id: str | None


_COLUMNS: Final = (
    _rows.c.id, _rows.c.at_ms, _rows.c.symbol, _rows.c.outcome, _rows.c.strategy, _rows.c.direction,
    _rows.c.confidence, _rows.c.gate_state, _rows.c.trading_state, _rows.c.first_refusal,
    _rows.c.order_id,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to look for; None: any.

    Args:
        holds: include decisions that nothing was wanted. They have neither strategy nor rule, so
            one of these leaves them out; `outcome` "hold" includes them.
    """

    symbol: str | None = None
    strategy: str | None = None
    outcome: str | None = None
    rule: str | None = None
    holds: bool = False

    @property
    def has_holds(self) -> bool:
        if self.strategy is not None or self.rule is not None:
            return False
        return self.outcome == Outcome.HOLD or (self.holds and self.outcome is None)


ANY: Final = Wanted()


def find(
    session: Session, run_id: int, wanted: Wanted = ANY, *, limit: int = 50,
    before: DecisionFound | None = None, after: DecisionFound | None = None,
) -> list[DecisionFound]:  # fmt: skip
    """Return decisions of a run, newest first.

    Args:
        before: continue after the last one shown, to older ones.
        after: continue before the first one shown, to those that are next newer; not with `before`.
    """
    if wanted.outcome == Outcome.HOLD and not wanted.has_holds:
        return []  # no hold has a strategy or a rule
    page = _with_holds if wanted.has_holds else _but_holds
    query = page(wanted, before, after).where(_rows.c.run_id == run_id).limit(limit)
    found = [DecisionFound(*row) for row in session.connection().execute(query)]
    return found if after is None else found[::-1]


def _with_holds(
    wanted: Wanted, before: DecisionFound | None, after: DecisionFound | None
) -> Select[Any]:  # fmt: skip
    c = _rows.c
    key = (c.at_ms, c.symbol)
    query = select(*_COLUMNS).order_by(*(x.desc() if after is None else x.asc() for x in key))
    if before is not None:
        query = query.where(tuple_(*key) < (before.at_ms, before.symbol))
    if after is not None:
        query = query.where(tuple_(*key) > (after.at_ms, after.symbol))
    if wanted.symbol is not None:
        query = query.where(c.symbol == wanted.symbol)
    if wanted.outcome is not None:
        query = query.where(_aside(c.outcome) == wanted.outcome)
    return query


def _but_holds(
    wanted: Wanted, before: DecisionFound | None, after: DecisionFound | None
) -> Select[Any]:  # fmt: skip
    c = _rows.c
    order = c.id.desc() if after is None else c.id.asc()
    query = select(*_COLUMNS).where(_not_hold).order_by(order)
    if before is not None:
        query = query.where(c.id < before.id)
    if after is not None:
        query = query.where(c.id > after.id)
    filters = (  # the most selective first: its index is the one to walk
        (c.first_refusal, wanted.rule), (c.strategy, wanted.strategy), (c.symbol, wanted.symbol),
        (c.outcome, wanted.outcome),
    )  # fmt: skip
    given = [(column, value) for column, value in filters if value is not None]
    for n, (column, value) in enumerate(given):
        query = query.where((_aside(column) if n else column) == value)
    return query


def _aside(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """Return the column in a form that no index answers."""
    return func.coalesce(column, literal_column("''"))
