"""Windows agree with their definition over the whole past, and never grow."""

from hypothesis import given, settings
from hypothesis import strategies as st

from auto_trading.rolling_windows import RollingQuantile, RollingRate, VarBreaches

WINDOW = 60_000  # a bucket is a second
steps = st.lists(
    st.tuples(st.integers(0, 20_000), st.integers(0, 5), st.integers(0, 5)), max_size=80
)


@given(steps)
def test_a_rate_counts_the_window_and_at_most_a_bucket_more(
    calls: list[tuple[int, int, int]],
) -> None:
    rate = RollingRate(WINDOW)
    past: list[tuple[int, int, int]] = []
    at = 0
    for wait, good, bad in calls:
        at += wait
        rate.add(at, good + bad, bad)
        past.append((at, good + bad, bad))
        failed, total = rate.totals(at)
        inside = [p for p in past if p[0] > at - WINDOW]
        nearly = [p for p in past if p[0] > at - WINDOW - 1_001]
        assert sum(p[1] for p in inside) <= total <= sum(p[1] for p in nearly)
        assert sum(p[2] for p in inside) <= failed <= sum(p[2] for p in nearly)
        assert len(rate.state()["buckets"]) <= 61


@given(st.lists(st.integers(-1000, 1000), min_size=1), st.integers(1, 20), st.integers(0, 100))
def test_a_quantile_is_that_of_the_last_values(values: list[int], window: int, parts: int) -> None:
    quantile = RollingQuantile(window)
    for value in values:
        quantile.add(value)
    last = sorted(values[-window:])
    found = quantile.value(parts, 100)
    # the smallest value that at least `parts` of all are not above
    assert found == next(v for v in last if sum(x <= v for x in last) * 100 >= parts * len(last))


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 10**12), st.booleans()), max_size=300))
def test_breaches_are_few_and_their_memory_is_bounded(periods: list[tuple[int, bool]]) -> None:
    breaches = VarBreaches(50, tail=5_000_000, history=100)
    for at, (equity, exposed) in enumerate(periods):
        was = breaches.value_at_risk
        is_breach = breaches.close(at, equity, exposed=exposed)
        assert not (is_breach and (was is None or not exposed))
        assert breaches.count(at) <= 50
    state = breaches.state()
    assert len(state["returns"]["recent"]) <= 100
    assert len(state["breaches"]) <= 50
