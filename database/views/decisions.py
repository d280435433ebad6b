"""What was decided last, and what kept it from trading."""

from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session

from crypto_trader_pro.domain.errors import InputError
from crypto_trader_pro.domain.timeframes import to_datetime
from database import decisions
from database.decision_search import DecisionFound, Wanted, find
from database.models import DecisionRow
from database.views.json_values import View


@dataclass(frozen=True, slots=True)
class DecisionMade(View):
    """One decision about one symbol; `why` tells the whole story of one.

    Args:
        at: candle close, trading time.
        outcome: hold, ordered, closed, refused, shadow, dark.
        direction: 1 long, -1 short, 0 none.
        confidence: parts of a million.
        rule: the first that refused; None: none did.
    """

    id: int
    at: datetime
    symbol: str
    outcome: str
    strategy: str | None
    direction: int
    confidence: int
    gate_state: str
    trading_state: str
    rule: str | None
    order_id: str | None


def recent_decisions(
    session: Session, run_id: int, limit: int = 50, *, symbol: str | None = None,
    outcome: str | None = None, with_holds: bool = False, before_id: int | None = None,
) -> list[DecisionMade]:  # fmt: skip
    """Return decisions of a run, newest first.

    Args:
        with_holds: those too that nothing was wanted in, which are most.
        before_id: continue after the one with this `id`.

    Raises:
        InputError: this run has no decision `before_id`.
    """
    wanted = Wanted(symbol=symbol, outcome=outcome, holds=with_holds)
    before = None
    if before_id is not None:
        row = decisions.get(session, before_id)
        if row.run_id != run_id:
            raise InputError(f"run r{run_id} has no decision {before_id}")
        before = _found(row)
    return [
        DecisionMade(
            d.id, to_datetime(d.at_ms), d.symbol, d.outcome, d.strategy, d.direction, d.confidence,
            d.gate_state, d.trading_state, d.rule, d.order_id,
        )
        for d in find(session, run_id, wanted, limit=limit, before=before)
    ]  # fmt: skip


def _found(row: DecisionRow) -> DecisionFound:
    return DecisionFound(
        row.id or 0, row.at_ms, row.symbol, row.outcome, row.strategy, row.direction,
        row.confidence, row.gate_state, row.trading_state, row.first_refusal, row.order_id,
    )  # fmt: skip
