"""What must hold of closed positions taken together, whatever they were."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from auto_trading_dashboard.queries import performance_groups
from auto_trading_dashboard.queries.performance import Window
from auto_trading_dashboard.queries.performance_book import (
    FIELDS,
    Account,
    Closed,
    Curve,
    Kinds,
    money,
)
from crypto_trader_pro.domain.calendar import TradingCalendar
from crypto_trader_pro.domain.timeframes import to_ms

EMPTY = np.empty(0, np.int64)
NAMES = ("a", "b", "c")
BEGIN = to_ms(datetime(2024, 3, 1, tzinfo=UTC))  # with a change of clocks in it


class Drawn(NamedTuple):
    profit: int  # money units
    fee: int
    kind: int
    opened: int  # minutes
    is_chosen: bool


positions = st.lists(
    st.builds(
        Drawn, st.integers(-(10**15), 10**15), st.integers(0, 10**12), st.integers(0, 2),
        st.integers(0, 90 * 1440), st.booleans(),
    ),
    max_size=40,
)  # fmt: skip


def books(drawn: list[Drawn]) -> tuple[Account, Window]:
    """Return an account with these closed positions, and a period with those that are chosen."""

    def column(values: list[int]) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        return np.array(values, np.int64)

    opened = column([BEGIN + 60_000 * d.opened for d in drawn])
    fees = column([d.fee for d in drawn])
    kinds = Kinds(NAMES, column([d.kind for d in drawn]))
    closed = Closed(
        (), opened, opened, column([d.profit for d in drawn]), fees, fees,
        dict.fromkeys(FIELDS, kinds),
    )  # fmt: skip
    curve = Curve(EMPTY, EMPTY, EMPTY, EMPTY)
    account = Account(1, (1,), None, TradingCalendar("UTC"), "UTC", 1, curve, closed, EMPTY, EMPTY)
    chosen = np.array([d.is_chosen for d in drawn], np.bool_)
    return account, Window(0, 1, EMPTY, EMPTY, (), (), 0, chosen, Decimal(0), 0)


@given(positions, st.sampled_from(["UTC", "Asia/Seoul", "America/New_York", "Asia/Kathmandu"]))
def test_groups_of_any_kind_add_up_to_the_total(drawn: list[Drawn], zone: str) -> None:
    account, period = books(drawn)
    total = performance_groups.total(account, period)
    # by its definition, one by one
    profits = [money(d.profit) for d in drawn if d.is_chosen]
    assert total.net == sum(profits)
    assert total.gains - total.losses == total.net
    assert (total.trades, total.wins) == (len(profits), sum(p > 0 for p in profits))
    for groups in (
        performance_groups.by_kind(account, period, "strategy"),
        performance_groups.by_hour(account, period, ZoneInfo(zone)),
    ):
        for name in ("trades", "wins", "net", "gains", "losses", "fees"):
            assert sum(getattr(g, name) for g in groups) == getattr(total, name)
        assert all(g.trades for g in groups)


@given(positions, st.sampled_from(["UTC", "America/New_York", "Asia/Kathmandu"]))
def test_the_hour_of_each_position_is_that_of_the_zone(drawn: list[Drawn], zone: str) -> None:
    account, period = books(drawn)
    groups = performance_groups.by_hour(account, period, ZoneInfo(zone))
    found = {g.name: g.trades for g in groups}
    hours = [
        datetime.fromtimestamp((BEGIN + 60_000 * d.opened) / 1000, ZoneInfo(zone)).strftime("%H")
        for d in drawn
        if d.is_chosen
    ]
    assert found == {hour: hours.count(hour) for hour in set(hours)}
