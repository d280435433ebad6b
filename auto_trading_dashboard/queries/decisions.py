"""Decisions as a list shows them: each with the one reason why it traded or did not."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final

from sqlmodel import Session, col, select

from crypto_trader_pro.domain.enums import Outcome
from crypto_trader_pro.domain.instruments import Instrument
from crypto_trader_pro.domain.timeframes import to_datetime, to_ms
from crypto_trader_pro.explain.story import RuleAnswer, first_refusal
from crypto_trader_pro.simulation.instruments import instrument
from database import decisions
from database.decision_search import DecisionFound, Wanted, find
from database.models import AiSignalRow, DecisionRow, OrderRow

PAGE: Final = 50  # decisions
_MILLION: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page of the list begins.

    Args:
        found: the decision beside it; it is not shown again.
        newer: the page holds what came after it; else what came before.
    """

    found: DecisionFound
    newer: bool = False


@dataclass(frozen=True, slots=True)
class Said:
    """What one strategy said at a decision.

    Args:
        kind: BUY, SELL, HOLD.
        probability, break_even: of profit after costs, 0 to 1; None: it has no model.
        model_gate: why the model may trade or may not; None as above.
    """

    strategy: str
    kind: str
    reason: str
    probability: float | None = None
    break_even: float | None = None
    model_gate: str | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """One line of the list.

    Args:
        found: as the search returned it; the next page continues from here.
        price: of the close; None: there was no candle.
        quantity: of the entry that was sent or refused; None: none was wished.
        refusal: the first rule that refused, with its numbers; None: none did.
        exit_reason: why it closed a position; "": it did not.
        said: of each strategy, in the order of the rows.
    """

    found: DecisionFound
    at: datetime
    instrument: Instrument
    price: Decimal | None
    quantity: Decimal | None
    gate_reason: str
    refusal: RuleAnswer | None
    exit_reason: str
    said: tuple[Said, ...]

    @property
    def own(self) -> Said | None:
        """What the deciding strategy said; where none wanted anything, what the model said."""
        strategy = self.found.strategy
        if strategy is not None:
            return next((s for s in self.said if s.strategy == strategy), None)
        return next((s for s in self.said if s.probability is not None), None)


@dataclass(frozen=True, slots=True)
class Page:
    """One page of the list, newest first.

    Args:
        has_newer, has_older: there are more decisions that match, in that direction.
    """

    decisions: tuple[Decision, ...]
    has_newer: bool
    has_older: bool


def page(
    session: Session, run_id: int, wanted: Wanted, place: Place | None = None, limit: int = PAGE
) -> Page:
    """Return a page of a run's decisions; None: the newest.

    One page newer than the newest whole page is the newest page itself, so that it is never short.
    """
    if place is None:
        found = find(session, run_id, wanted, limit=limit + 1)
        return Page(_lines(session, run_id, found[:limit]), False, len(found) > limit)
    if place.newer:
        found = find(session, run_id, wanted, limit=limit + 1, after=place.found)
        if len(found) <= limit:
            return page(session, run_id, wanted, limit=limit)
        return Page(_lines(session, run_id, found[-limit:]), True, True)
    found = find(session, run_id, wanted, limit=limit + 1, before=place.found)
    return Page(_lines(session, run_id, found[:limit]), True, len(found) > limit)


def place_at(session: Session, run_id: int, at_ms: int) -> Place | None:
    """Return the place whose page begins with the last decisions not after `at_ms`.

    None: the run decided nothing until then.
    """
    row = DecisionRow
    key = (col(row.at_ms), col(row.symbol))
    until = select(row).where(col(row.run_id) == run_id, col(row.at_ms) <= at_ms)
    last = session.exec(until.order_by(*(c.desc() for c in key)).limit(1)).first()
    if last is None:
        return None
    instant = select(col(row.id)).where(col(row.run_id) == run_id, col(row.at_ms) == last.at_ms)
    newest = max(number or 0 for number in session.exec(instant))
    return Place(
        DecisionFound(newest + 1, last.at_ms + 1, "", "", None, 0, 0, "", "", None, None)
    )  # fmt: skip


def decision_of(session: Session, run: int, symbol: str, decided_at: datetime) -> int | None:
    """Return the number of the decision that an order came from; None: it is no longer stored."""
    found = decisions.at(session, run, symbol, to_ms(decided_at))
    return None if found is None else found.id


def newest_ms(session: Session, run_id: int) -> int | None:
    """Return the trading time of a run's newest decision; None: it has decided nothing yet."""
    return _end(session, run_id, newest=True)


def oldest_ms(session: Session, run_id: int) -> int | None:
    """Return the trading time of a run's oldest decision that is stored; None: there is none."""
    return _end(session, run_id, newest=False)


def _end(session: Session, run_id: int, *, newest: bool) -> int | None:
    row = DecisionRow
    order = col(row.at_ms).desc() if newest else col(row.at_ms)
    query = select(col(row.at_ms)).where(col(row.run_id) == run_id).order_by(order).limit(1)
    return session.exec(query).first()


def _lines(
    session: Session, run_id: int, found: Sequence[DecisionFound]
) -> tuple[Decision, ...]:  # fmt: skip
    rows = session.exec(select(DecisionRow).where(col(DecisionRow.id).in_([f.id for f in found])))
    by_id = {row.id: row for row in rows}
    said = _said(session, run_id, {f.at_ms for f in found})
    exits = _exits(session, found)
    return tuple(
        _line(one, by_id[one.id], exits.get(one.order_id or "", ""),
              said.get((one.at_ms, one.symbol), ()))
        for one in found
        if one.id in by_id  # retention may have deleted it between the two reads
    )  # fmt: skip


def _exits(session: Session, found: Iterable[DecisionFound]) -> dict[str, str]:
    """Return why the orders of decisions that closed a position were sent, by order id."""
    row = OrderRow
    ids = [f.order_id for f in found if f.outcome == Outcome.CLOSED and f.order_id]
    query = select(col(row.client_order_id), col(row.reason))
    return dict(session.exec(query.where(col(row.client_order_id).in_(ids))).all())


def _line(
    found: DecisionFound, row: DecisionRow, exit_reason: str, said: Iterable[Said]
) -> Decision:  # fmt: skip
    item = instrument(found.symbol)
    return Decision(
        found, to_datetime(found.at_ms), item,
        None if found.outcome == Outcome.DARK else item.price(row.price),
        item.quantity(row.lots) if row.inputs else None,
        row.gate_reason, first_refusal(row), exit_reason, tuple(said),
    )  # fmt: skip


def _said(
    session: Session, run_id: int, instants: Iterable[int]
) -> Mapping[tuple[int, str], list[Said]]:  # fmt: skip
    """Return what the strategies said at these times, by time and symbol."""
    row = AiSignalRow
    at = {to_datetime(at_ms): at_ms for at_ms in instants}
    query = select(row).where(col(row.run_id) == run_id, col(row.created_at).in_(list(at)))
    found: dict[tuple[int, str], list[Said]] = {}
    for s in session.exec(query.order_by(col(row.id))):
        one = Said(
            s.strategy, s.signal_type, s.reason, _share(s.probability), _share(s.break_even),
            s.model_gate,
        )  # fmt: skip
        found.setdefault((at[s.created_at], s.symbol), []).append(one)
    return found


def _share(parts: int | None) -> float | None:
    return None if parts is None else parts / _MILLION
