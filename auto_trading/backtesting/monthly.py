"""What became of the account in each month."""

from typing import NamedTuple

import numpy as np

from crypto_trader_pro.backtest.equity_curve import EquityCurve


class Month(NamedTuple):
    """One UTC month. Money units; the first and the last can be parts of a month.

    Args:
        before: equity at its begin.
        after: equity at its last close.
    """

    year: int
    month: int
    before: int
    after: int

    @property
    def change(self) -> float | None:
        """The return of the month, a fraction; None where nothing was left before it."""
        return self.after / self.before - 1.0 if self.before > 0 else None


def monthly(curve: EquityCurve) -> list[Month]:
    """Return each month with a close, oldest first.

    A close at midnight belongs to the month that it ends. A month without a candle is left out.
    """
    if not len(curve.close_ms):
        return []
    months = (curve.close_ms - 1).astype("datetime64[ms]").astype("datetime64[M]").astype(np.int64)
    last = np.flatnonzero(np.append(np.diff(months) > 0, True))
    found, before = [], curve.opening
    for place in last.tolist():
        year, month = divmod(int(months[place]), 12)  # months since 1970
        after = int(curve.equity[place])
        found.append(Month(1970 + year, 1 + month, before, after))
        before = after
    return found
