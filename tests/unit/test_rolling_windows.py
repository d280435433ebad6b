"""Windows over the recent past, with numbers computed by hand."""

import json
from typing import Any

import pytest

from auto_trading.rolling_windows import RollingQuantile, RollingRate, VarBreaches
from crypto_trader_pro.domain.units import RATE
from tests.builders import HOUR, MINUTE, USDT

EQUITY = 100_000 * USDT


def stored(state: dict[str, Any]) -> dict[str, Any]:
    """What a checkpoint gives back."""
    restored: dict[str, Any] = json.loads(json.dumps(state))
    return restored


# --- rates --------------------------------------------------------------------------------------


def test_a_rate_counts_what_is_in_the_window() -> None:
    rate = RollingRate(HOUR)
    rate.add(0, 10, 1)
    rate.add(30 * MINUTE, 20, 2)
    assert rate.totals(30 * MINUTE) == (3, 30)
    assert rate.totals(59 * MINUTE) == (3, 30)
    # a bucket is a minute; what is forgotten is late by at most one
    assert rate.totals(61 * MINUTE) == (2, 20)
    assert rate.totals(91 * MINUTE) == (0, 0)


def test_a_rate_forgets_for_good_and_keeps_its_memory_bounded() -> None:
    rate = RollingRate(HOUR)
    for at in range(0, 3 * HOUR, 1000):  # 10,800 calls
        rate.add(at, 1, at % 2000 // 1000)
    assert len(rate.state()["buckets"]) == 61
    # the last bucket, 59.98 minutes and the one that ages: 61 x 60 calls
    assert rate.totals(3 * HOUR - 1000) == (61 * 30, 61 * 60)


def test_time_that_runs_backwards_counts_as_the_newest() -> None:
    rate = RollingRate(HOUR)
    rate.add(HOUR, 5, 5)
    rate.add(0, 1, 1)
    assert rate.totals(HOUR) == (6, 6)
    assert len(rate.state()["buckets"]) == 1


def test_an_observed_counter_counts_what_is_new() -> None:
    rate = RollingRate(HOUR)
    rate.observe(0, 100, 50)  # before we looked: not ours
    assert rate.totals(0) == (0, 0)
    rate.observe(MINUTE, 110, 51)
    assert rate.totals(MINUTE) == (1, 10)
    rate.observe(2 * MINUTE, 3, 2)  # began anew: 3 calls since
    assert rate.totals(2 * MINUTE) == (3, 13)
    rate.clear()
    assert rate.totals(2 * MINUTE) == (0, 0)
    rate.observe(3 * MINUTE, 5, 2)  # where the counter stood is not forgotten
    assert rate.totals(3 * MINUTE) == (0, 2)


def test_a_rate_goes_on_from_its_state() -> None:
    rate, again = RollingRate(HOUR), RollingRate(HOUR)
    rate.observe(0, 0, 0)
    rate.observe(MINUTE, 10, 4)
    again.restore(stored(rate.state()))
    for r in (rate, again):
        r.observe(2 * MINUTE, 12, 5)
    assert again.totals(2 * MINUTE) == rate.totals(2 * MINUTE) == (5, 12)
    fresh = RollingRate(HOUR)
    fresh.restore(stored(RollingRate(HOUR).state()))
    assert fresh.state() == RollingRate(HOUR).state()


# --- quantiles ----------------------------------------------------------------------------------


def test_a_quantile_is_an_observed_value() -> None:
    quantile = RollingQuantile(200)
    assert quantile.value(99, 100) is None
    for value in range(200, 0, -1):
        quantile.add(value)
    assert quantile.value(99, 100) == 198  # ceil(200 x 0.99) = 198th
    assert quantile.value(50, 100) == 100
    assert quantile.value(0, 100) == 1
    assert quantile.value(100, 100) == 200
    assert len(quantile) == 200


def test_a_quantile_forgets_the_oldest_and_not_the_smallest() -> None:
    quantile = RollingQuantile(3)
    for value in (9, 5, 5, 1):
        quantile.add(value)
    assert [quantile.value(k, 3) for k in (1, 2, 3)] == [1, 5, 5]
    quantile.add(7)  # one of the two fives goes
    assert [quantile.value(k, 3) for k in (1, 2, 3)] == [1, 5, 7]
    again = RollingQuantile(3)
    again.restore(stored(quantile.state()))
    for q in (quantile, again):
        q.add(2)
        assert [q.value(k, 3) for k in (1, 2, 3)] == [1, 2, 7]
    quantile.clear()
    assert (len(quantile), quantile.value(1, 2)) == (0, None)


# --- breaches of the value at risk --------------------------------------------------------------


def a_history(breaches: VarBreaches, loss: int, periods: int = 101) -> int:
    """Close periods of a minute that alternate between a loss (parts of 1e8) and no change."""
    at = 0
    breaches.close(at, EQUITY, exposed=False)
    for _ in range(periods):
        at += MINUTE
        breaches.close(at, EQUITY - EQUITY * loss // RATE, exposed=True)
        breaches.close(at, EQUITY, exposed=False)  # paid back while nothing was held
    return at


def test_a_breach_is_a_loss_beyond_the_value_at_risk() -> None:
    breaches = VarBreaches(HOUR)
    at = a_history(breaches, 1_000_000)  # 1 % each
    assert breaches.value_at_risk == 1_000_000
    assert breaches.close(at + MINUTE, EQUITY * 99 // 100, exposed=True) is False  # 1 %, as usual
    breaches.close(at + MINUTE, EQUITY, exposed=False)
    assert breaches.close(at + MINUTE, EQUITY * 989 // 1000, exposed=True) is True  # 1.1 %
    assert breaches.count(at + MINUTE) == 1
    assert breaches.count(at + MINUTE + HOUR - 1) == 1
    assert breaches.count(at + MINUTE + HOUR) == 0


def test_the_estimate_needs_one_return_in_its_tail() -> None:
    breaches = VarBreaches(HOUR, tail=5_000_000)  # 5 %: 20 returns
    a_history(breaches, 1_000_000, periods=19)
    assert breaches.value_at_risk is None
    assert breaches.close(HOUR, EQUITY // 2, exposed=True) is False  # nothing to compare with
    assert breaches.value_at_risk == 50_000_000  # now the worst of 20


def test_a_resting_account_has_no_breach() -> None:
    breaches = VarBreaches(HOUR)
    a_history(breaches, 1_000_000)
    assert breaches.close(HOUR * 3, EQUITY // 2, exposed=False) is False
    assert breaches.count(HOUR * 3) == 0
    assert VarBreaches(HOUR).close(0, EQUITY, exposed=True) is False  # no period before it


@pytest.mark.parametrize(("loss", "is_breach"), [(100_000, False), (100_001, True)])
def test_a_small_loss_is_no_breach_whatever_was_usual(loss: int, is_breach: bool) -> None:
    breaches = VarBreaches(HOUR)
    at = a_history(breaches, 0)  # a hundred quiet periods: the value at risk is zero
    assert breaches.value_at_risk == 0
    equity = EQUITY - EQUITY * loss // RATE
    assert breaches.close(at + MINUTE, equity, exposed=True) is is_breach


def test_profits_are_no_value_at_risk() -> None:
    breaches = VarBreaches(HOUR)
    for k in range(101):
        breaches.close(k, EQUITY + k * USDT, exposed=True)
    assert breaches.value_at_risk == 0


def test_breaches_go_on_from_their_state_and_end_with_clear() -> None:
    breaches, again = VarBreaches(HOUR), VarBreaches(HOUR)
    at = a_history(breaches, 1_000_000)
    breaches.close(at, EQUITY * 98 // 100, exposed=True)
    again.restore(stored(breaches.state()))
    for b in (breaches, again):
        assert b.count(at) == 1
        assert b.close(at + 1, EQUITY * 95 // 100, exposed=True) is True  # 3 of 98 %
        assert b.count(at + 1) == 2
    assert again.state() == breaches.state()
    again.clear()
    assert (again.count(at + 1), again.value_at_risk) == (0, breaches.value_at_risk)
    # old ones leave the memory too
    breaches.close(at + 3 * HOUR, EQUITY, exposed=False)
    assert breaches.state()["breaches"] == []
