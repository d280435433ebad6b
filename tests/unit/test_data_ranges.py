"""Ranges of time, against the plain sets of minutes that they stand for."""

from hypothesis import given
from hypothesis import strategies as st

from auto_trading.data_ranges import Range, joined, runs, total, within, without

SOME = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), max_size=6)


def minutes(ranges: list[Range]) -> set[int]:
    return {minute for first, last in ranges for minute in range(first, last)}


def is_plain(ranges: list[Range]) -> bool:
    """In order, not empty, and no two that touch."""
    edges = [edge for pair in ranges for edge in pair]
    return edges == sorted(set(edges))


@given(SOME, SOME, st.integers(0, 30), st.integers(0, 30))
def test_ranges_are_the_sets_that_they_stand_for(
    one: list[Range], other: list[Range], first: int, last: int
) -> None:
    assert minutes(joined(one)) == minutes(one)
    assert minutes(without(one, other)) == minutes(one) - minutes(other)
    assert minutes(within(one, first, last)) == minutes(one) & set(range(first, last))
    assert total(joined(one)) == len(minutes(one))
    for found in (joined(one), without(one, other), within(one, first, last)):
        assert is_plain(found)


@given(st.sets(st.integers(0, 30)), st.integers(1, 3))
def test_runs_cover_the_candles(times: set[int], step: int) -> None:
    at = sorted(k * step for k in times)
    found = runs(at, step)
    assert is_plain(found)
    assert minutes(found) == {k + m for k in at for m in range(step)}
