"""Closed positions of a period taken together: all, by strategy, by symbol, by hour of the day.

Sums are of whole numbers, so that the groups of any kind add up to the total exactly.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np

from auto_trading_dashboard.queries.performance import Bools, Window
from auto_trading_dashboard.queries.performance_book import Account, money
from crypto_trader_pro.backtest import account_metrics, metrics
from crypto_trader_pro.domain.market import Ints
from crypto_trader_pro.domain.timeframes import to_datetime

_OFFSET_MS: Final = 900_000  # zones differ by whole quarters of an hour


@dataclass(frozen=True, slots=True)
class Group:
    """Closed positions taken together; profit after fees.

    Args:
        gains, losses: sums of those that ended above and below zero, both >= 0.
    """

    name: str
    trades: int
    wins: int
    net: Decimal
    gains: Decimal
    losses: Decimal
    fees: Decimal
    slippage: Decimal

    @property
    def is_few(self) -> bool:
        """Too few for a rate, a factor or a mean to mean anything."""
        return self.trades < account_metrics.MIN_CLOSED_TRADES

    @property
    def win_rate(self) -> float | None:
        return None if self.is_few else metrics.win_rate(self.wins, self.trades)

    @property
    def profit_factor(self) -> float | None:
        return None if self.is_few else account_metrics.profit_factor(self.gains, self.losses)

    @property
    def expectancy(self) -> Decimal | None:
        return None if self.is_few else account_metrics.expectancy(self.net, self.trades)


def total(account: Account, found: Window) -> Group:
    """Return all closed positions of a period as one group."""
    whole = np.zeros(len(found.chosen), np.int64)
    groups = _grouped(account, found.chosen, whole, ("",))
    return groups[0] if groups else Group("", 0, 0, *(Decimal(0),) * 5)


def by_kind(account: Account, found: Window, field: str) -> list[Group]:
    """Return a period's closed positions by strategy, symbol, side or reason, best first."""
    kinds = account.closed.kinds[field]
    groups = _grouped(account, found.chosen, kinds.of, kinds.names)
    return sorted(groups, key=lambda g: (-g.net, g.name))


def by_hour(account: Account, found: Window, zone: ZoneInfo) -> list[Group]:
    """Return a period's closed positions by the hour of the day at which they were opened."""
    quarter, place = np.unique(account.closed.opened_ms // _OFFSET_MS, return_inverse=True)
    hours = [to_datetime(int(q) * _OFFSET_MS).astimezone(zone).hour for q in quarter]
    of = np.array(hours, np.int64)[place] if hours else place.astype(np.int64)
    names = tuple(f"{hour:02d}" for hour in range(24))
    return _grouped(account, found.chosen, of, names)


def _grouped(account: Account, chosen: Bools, of: Ints, names: Iterable[str]) -> list[Group]:
    closed, kinds = account.closed, tuple(names)
    place, profit = of[chosen], closed.profit[chosen]

    def summed(values: Ints) -> list[Decimal]:
        sums = np.zeros(len(kinds), np.int64)
        np.add.at(sums, place, values)  # whole numbers: exact
        return [money(int(value)) for value in sums]

    counts = np.bincount(place, minlength=len(kinds))
    wins = np.bincount(place[profit > 0], minlength=len(kinds))
    columns = (
        summed(profit), summed(np.maximum(profit, 0)), summed(np.maximum(-profit, 0)),
        summed(closed.fees[chosen]), summed(closed.slippage[chosen]),
    )  # fmt: skip
    return [
        Group(name, int(counts[n]), int(wins[n]), *(column[n] for column in columns))
        for n, name in enumerate(kinds)
        if counts[n]
    ]
