"""The equity curve in few points."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

import numpy as np
from sqlmodel import Session, col, select

from crypto_trader_pro.backtest.thinning import kept
from database.equity_spans import equity_series
from database.models import EquityRow
from database.views.json_values import View

_MOST = 20_000  # snapshots of a span that are read before they are thinned: two years of hours


@dataclass(frozen=True, slots=True)
class EquityPoint(View):
    """The account at one instant of trading time; `drawdown` is a fraction of the peak."""

    at: datetime
    equity: Decimal
    drawdown: Decimal


def equity_curve(
    session: Session, run_id: int, points: int = 500, since: datetime | None = None
) -> list[EquityPoint]:  # fmt: skip
    """Return real snapshots of a run, oldest first, thinned to about `points`: every low stays.

    Args:
        since: only those after it, trading time; the newest `_MOST` of them at most.
    """
    if since is None:
        whole = equity_series(session, run_id, points)
        return [EquityPoint(s.at, s.equity, s.drawdown) for s in whole]
    row = EquityRow
    query = select(col(row.at), col(row.equity), col(row.drawdown)).where(
        col(row.run_id) == run_id, col(row.at) > since
    )
    rows = session.exec(query.order_by(col(row.at).desc()).limit(_MOST)).all()[::-1]
    # floats choose the points only; what is shown is what is stored
    places = kept(np.array([float(value) for _, value, _ in rows], np.float64), points)
    return [EquityPoint(*rows[place]) for place in places.tolist()]
