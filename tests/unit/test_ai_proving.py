"""The proving gate by hand: the bound, the counts, the weekly look."""

import math
import random
from dataclasses import replace

import pytest

from crypto_trader_pro.ai import proving
from crypto_trader_pro.ai.config import AiConfig
from crypto_trader_pro.ai.proving import ShadowTrade, verdict

HOUR = 3_600_000
DAY = 24 * HOUR
WEEK = 7 * DAY
MONDAY = 1_717_977_600_000  # 2024-06-10 00:00 UTC
LOW = replace(AiConfig(), prove_trades=4, prove_weeks=2)


def trade(week: int, net_bp: float, *, day: int = 0, expected_bp: float = 12.0) -> ShadowTrade:
    opened = MONDAY + week * WEEK + day * DAY
    return ShadowTrade(opened, opened + 5 * HOUR, round(expected_bp * 1000), round(net_bp * 1000))


def steady(weeks: int, per_week: int, nets: tuple[float, ...]) -> list[ShadowTrade]:
    return [
        trade(w, nets[(w * per_week + i) % len(nets)], day=i % 7)
        for w in range(weeks)
        for i in range(per_week)
    ]


def test_the_lower_bound_by_hand() -> None:
    trades = [trade(0, 10), trade(0, 10, day=1), trade(1, 20), trade(1, 20, day=1)]
    got = verdict(trades, MONDAY + 2 * WEEK, LOW)
    # mean 15; the weeks' deviations are -10 and +10: sqrt(2/1 * 200) / 4 = 5; 15 - 2.33 * 5
    assert got.mean_bp == pytest.approx(15.0)
    assert got.lower_bp == pytest.approx(3.35)
    assert got.interval_bp == pytest.approx((15 - 1.959964 * 5, 15 + 1.959964 * 5), abs=1e-5)
    assert got.expected_bp == pytest.approx(12.0)
    assert (got.open, got.code, got.trades, got.weeks) == (True, "proven", 4, 2)


def test_trades_of_one_week_are_not_independent() -> None:
    alike = [trade(w, net, day=d) for w, net in enumerate((10, 30, -10, 50)) for d in range(5)]
    apart = [trade(w, net) for w, net in enumerate((10, 30, -10, 50) * 5)]
    cfg = replace(LOW, prove_weeks=4)
    clustered = verdict(alike, MONDAY + 30 * WEEK, cfg)
    independent = verdict(apart, MONDAY + 30 * WEEK, cfg)
    assert clustered.mean_bp == independent.mean_bp == 20.0
    assert clustered.lower_bp < 0 < independent.lower_bp
    assert (clustered.open, independent.open) == (False, True)


def test_a_bound_at_or_below_zero_is_no_edge() -> None:
    trades = [trade(0, -5), trade(0, 5), trade(1, 5), trade(1, -5)]
    got = verdict(trades, MONDAY + 2 * WEEK, LOW)
    assert (got.mean_bp, got.lower_bp, got.code, got.open) == (0.0, 0.0, "no_edge", False)
    assert got.decided


def test_two_hundred_trades_over_eight_weeks_are_needed() -> None:
    cfg = AiConfig()
    enough = steady(20, 10, (30.0, 10.0, 20.0))
    assert verdict(enough, MONDAY + 21 * WEEK, cfg).open
    one_less = verdict(enough[:-1], MONDAY + 21 * WEEK, cfg)
    assert (one_less.open, one_less.code, one_less.trades) == (False, "few_trades", 199)
    assert not one_less.decided
    quick = steady(7, 40, (30.0, 10.0, 20.0))
    got = verdict(quick, MONDAY + 21 * WEEK, cfg)
    assert (got.open, got.code, got.trades, got.weeks) == (False, "few_weeks", 280, 7)
    assert verdict(steady(8, 40, (30.0, 10.0, 20.0)), MONDAY + 21 * WEEK, cfg).open


def test_the_verdict_changes_only_on_mondays() -> None:
    trades = [trade(0, 10), trade(0, 10, day=1), trade(1, 20), trade(1, 20, day=1)]
    sunday = verdict(trades, MONDAY + 2 * WEEK - 1, LOW)
    assert (sunday.trades, sunday.code) == (2, "few_trades")
    assert sunday.next_look_ms == MONDAY + 2 * WEEK
    looks = [verdict(trades, MONDAY + 2 * WEEK + d * DAY, LOW) for d in range(7)]
    assert all(look == looks[0] for look in looks)
    assert looks[0].next_look_ms == MONDAY + 3 * WEEK


def test_a_trade_counts_from_the_week_after_its_close() -> None:
    late = ShadowTrade(MONDAY - DAY, MONDAY + HOUR, 0, 9_000)  # closes on Monday
    assert verdict([late], MONDAY + 6 * DAY, LOW).trades == 0
    assert verdict([late], MONDAY + WEEK, LOW).trades == 1
    at_look = ShadowTrade(MONDAY - DAY, MONDAY, 0, 9_000)
    assert verdict([at_look], MONDAY, LOW).trades == 0


def test_without_two_weeks_nothing_is_computed() -> None:
    for trades in ([], [trade(0, 5.0)]):
        got = verdict(trades, MONDAY + 3 * WEEK, LOW)
        assert not got.open
        assert math.isnan(got.mean_bp)
        assert math.isnan(got.lower_bp)
    single = replace(LOW, prove_trades=1, prove_weeks=1)
    assert verdict([trade(0, 5.0)], MONDAY + WEEK, single).code == "few_weeks"


def test_the_order_of_the_trades_does_not_matter() -> None:
    trades = steady(12, 9, (31.7, -12.3, 5.1, 88.8, -41.0))
    shuffled = trades.copy()
    random.Random(3).shuffle(shuffled)
    assert verdict(shuffled, MONDAY + 20 * WEEK, LOW) == verdict(trades, MONDAY + 20 * WEEK, LOW)


def test_old_losses_are_not_forgotten() -> None:
    good = steady(60, 5, (30.0, 10.0, 20.0))
    bad = [ShadowTrade(t.opened_ms - 70 * WEEK, t.closed_ms - 70 * WEEK, 0, -40_000) for t in good]
    now = MONDAY + 61 * WEEK
    assert verdict(good, now, AiConfig()).open
    assert verdict(bad + good, now, AiConfig()).code == "no_edge"


def test_the_gate_seldom_opens_by_luck() -> None:
    """Weekly looks at histories without an edge, as in the study: 6 % there, 100 here."""
    opened = 0
    for history in range(100):
        rng = random.Random(history)
        trades = [
            trade(w, rng.gauss(0.0, 340.0), day=rng.randrange(7))
            for w in range(60)
            for _ in range(8)
        ]
        opened += any(verdict(trades, MONDAY + w * WEEK, AiConfig()).open for w in range(20, 61, 2))
    assert opened <= 12


def test_the_codes_are_those_of_the_module() -> None:
    assert {proving.OPEN, proving.FEW_TRADES, proving.FEW_WEEKS, proving.NO_EDGE} == {
        "proven", "few_trades", "few_weeks", "no_edge",
    }  # fmt: skip
