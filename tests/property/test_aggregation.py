"""Incremental, batch and naive aggregation agree on every series."""

from collections import defaultdict

from hypothesis import given
from hypothesis import strategies as st

from auto_trading.aggregation import Aggregator, aggregate
from crypto_trader_pro.domain.market import Bar, series_of

BASE = 60_000


@st.composite
def sparse_bars(draw: st.DrawFn) -> list[Bar]:
    """Possible candles in time order, starting anywhere, with gaps."""
    steps = draw(st.lists(st.sampled_from([1, 1, 1, 1, 2, 7, 40]), min_size=1, max_size=80))
    k = draw(st.integers(0, 50))
    bars = []
    for step in steps:
        k += step
        low, open_, close, high = sorted(draw(st.tuples(*[st.integers(1, 10**12)] * 4)))
        if draw(st.booleans()):
            open_, close = close, open_
        bars.append(Bar(k * BASE, open_, high, low, close, draw(st.integers(0, 10**12))))
    return bars


def naive(bars: list[Bar], needed: int) -> list[Bar]:
    """Group by bucket; keep the full ones. Shares nothing with the code under test."""
    buckets = defaultdict(list)
    for bar in bars:
        buckets[bar.open_ms // (needed * BASE)].append(bar)
    return [
        Bar(
            number * needed * BASE,
            group[0].open,
            max(bar.high for bar in group),
            min(bar.low for bar in group),
            group[-1].close,
            sum(bar.volume for bar in group),
        )
        for number, group in sorted(buckets.items())
        if len(group) == needed
    ]


@given(sparse_bars(), st.sampled_from([1, 2, 3, 5, 15]))
def test_incremental_batch_and_naive_aggregation_agree(bars: list[Bar], needed: int) -> None:
    target = needed * BASE
    aggregator = Aggregator(BASE, target)
    pushed = [made for bar in bars if (made := aggregator.push(bar)) is not None]
    expected = naive(bars, needed)
    assert pushed == expected
    assert aggregate(series_of("X/USDT", BASE, bars), target).bars() == expected
    # every bucket from the first to the one before the last was emitted or is counted
    first, last = bars[0].open_ms // target, bars[-1].open_ms // target
    emitted = sum(made.open_ms < last * target for made in expected)
    assert aggregator.incomplete == last - first - emitted


@given(sparse_bars(), st.sampled_from([2, 5, 15]), st.integers(0, 80))
def test_a_restart_anywhere_changes_nothing(bars: list[Bar], needed: int, cut: int) -> None:
    whole = Aggregator(BASE, needed * BASE)
    before = Aggregator(BASE, needed * BASE)
    expected = [whole.push(bar) for bar in bars]
    first_part = [before.push(bar) for bar in bars[:cut]]
    after = Aggregator(BASE, needed * BASE)
    after.restore(before.state_dict())
    assert first_part + [after.push(bar) for bar in bars[cut:]] == expected
    assert after.state_dict() == whole.state_dict()


@given(sparse_bars(), st.sampled_from([(2, 3), (5, 3)]))
def test_two_steps_make_what_one_step_makes(bars: list[Bar], factors: tuple[int, int]) -> None:
    fine, coarse = factors
    series = series_of("X/USDT", BASE, bars)
    twice = aggregate(aggregate(series, fine * BASE), fine * coarse * BASE)
    assert twice.bars() == aggregate(series, fine * coarse * BASE).bars()
