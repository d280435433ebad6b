"""How decisions ended, and which rules refused when: exact sums, from the roll-ups with their tail.

What is counted stays counted when retention deletes the decisions themselves.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from sqlmodel import Session, col, select

from auto_trading_dashboard.queries import decisions
from crypto_trader_pro.domain.enums import Outcome
from database.models import DecisionCountRow
from database.rollups import DAY_MS, HOUR_MS, RefusalCount, outcomes, refusals_by_hour

HOURLY_DAYS: Final = 7  # up to this span a bar is an hour, beyond it a day
# a strategy wished an entry, and it was decided whether it may
_DECIDED: Final = frozenset({Outcome.ORDERED, Outcome.REFUSED, Outcome.SHADOW})


@dataclass(frozen=True, slots=True)
class Outcomes:
    """How all decisions of a run ended.

    Args:
        counts: outcome -> decisions; outcomes of 0 are absent.
        first_ms, last_ms: trading time of the first and the last of them; where the first ones are
            deleted, the beginning of their UTC day.
    """

    counts: Mapping[str, int]
    first_ms: int
    last_ms: int

    @property
    def total(self) -> int:
        return sum(self.counts.values())


@dataclass(frozen=True, slots=True)
class Bar:
    """How often a rule was the first to refuse in one hour or UTC day."""

    start_ms: int
    rule: str
    decisions: int


@dataclass(frozen=True, slots=True)
class Total:
    """How often a rule was the first to refuse, and its share of all decided signals (0 to 1)."""

    rule: str
    decisions: int
    share: float


@dataclass(frozen=True, slots=True)
class Refusals:
    """Refusals of a span.

    Args:
        since_ms, until_ms: trading time; the beginning of an hour or UTC day, the newest decision.
        width_ms: of a bar.
        signals: entries that strategies wished in the span: sent, refused or followed on paper.
    """

    bars: tuple[Bar, ...]
    totals: tuple[Total, ...]
    signals: int
    since_ms: int
    until_ms: int
    width_ms: int

    @property
    def is_hourly(self) -> bool:
        return self.width_ms == HOUR_MS


def run_outcomes(session: Session, run_id: int) -> Outcomes | None:
    """Return how the decisions of a run ended; None: it has decided nothing yet."""
    last = decisions.newest_ms(session, run_id)
    first = _first(session, run_id)
    if last is None or first is None:
        return None
    counts: Counter[str] = Counter()
    for one in outcomes(session, run_id):
        counts[one.outcome] += one.decisions
    return Outcomes(dict(counts), first, last)


def refusals(session: Session, run_id: int, days: int = 0) -> Refusals | None:
    """Return the refusals of the last `days` before a run's newest decision; 0: all of them.

    None: the run has decided nothing yet.
    """
    last = decisions.newest_ms(session, run_id)
    first = _first(session, run_id)
    if last is None or first is None:
        return None
    since = first if not days else max(first, last - days * DAY_MS)
    width = HOUR_MS if last - since <= HOURLY_DAYS * DAY_MS else DAY_MS
    since = since // width * width
    found = refusals_by_hour(session, run_id, since, width_ms=width)
    ended = outcomes(session, run_id, since, width_ms=width)
    signals = sum(one.decisions for one in ended if one.outcome in _DECIDED)
    return Refusals(
        tuple(Bar(x.start_ms, x.rule, x.decisions) for x in found),
        _totals(found, signals), signals, since, last, width,
    )  # fmt: skip


def _totals(found: list[RefusalCount], signals: int) -> tuple[Total, ...]:
    sums: Counter[str] = Counter()
    for x in found:
        sums[x.rule] += x.decisions
    return tuple(
        Total(rule, n, n / signals) for rule, n in sorted(sums.items(), key=lambda x: (-x[1], x[0]))
    )


def _first(session: Session, run_id: int) -> int | None:
    """Return when a run's first decision was: of the sums where the row itself is gone."""
    row = DecisionCountRow
    query = select(col(row.start_ms)).where(
        col(row.run_id) == run_id, col(row.width_ms) == DAY_MS
    )  # fmt: skip
    day = session.exec(query.order_by(col(row.start_ms)).limit(1)).first()
    oldest = decisions.oldest_ms(session, run_id)
    if day is not None and (oldest is None or day + DAY_MS <= oldest):
        return day
    return oldest
