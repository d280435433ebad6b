"""What came into a session, written down and read back, is the same."""

import json
from datetime import UTC
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auto_trading.session_inputs import (
    Command,
    Connection,
    Funding,
    Held,
    Input,
    ModelReady,
    Opened,
    decoded,
    encoded,
)
from crypto_trader_pro.domain.enums import CommandKind
from crypto_trader_pro.domain.errors import InputError
from crypto_trader_pro.domain.market import Bar
from crypto_trader_pro.domain.messages import Backfill, MarketSlice, Missed, Prices
from database.session_record import packed, unpacked

whole = st.integers(0, 1 << 53)
times = st.integers(0, 1 << 42)
pairs = st.lists(st.tuples(st.integers(0, 50), st.integers(-(1 << 40), 1 << 53))).map(tuple)
bars = st.lists(st.none() | st.builds(Bar, *[whole] * 6), min_size=1, max_size=4).map(tuple)
slices = st.builds(MarketSlice, times, bars)
values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | whole | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
facts = st.dictionaries(st.text(), values, max_size=4)
moments = st.datetimes(timezones=st.just(UTC))
inputs: st.SearchStrategy[Input] = st.one_of(
    slices,
    st.builds(Missed, slices),
    st.builds(Backfill, slices),
    st.builds(Prices, times, pairs),
    st.builds(Opened, times),
    st.builds(Funding, times, pairs),
    st.builds(Connection, times, st.booleans()),
    st.builds(ModelReady, times, facts),
    st.builds(Held, times, st.lists(whole).map(tuple), st.text()),
    st.builds(
        Command, st.text(), st.sampled_from(CommandKind), facts, st.text(), moments, times
    ),
)  # fmt: skip


@given(st.lists(inputs, max_size=5))
def test_a_record_is_read_back_as_it_was(items: list[Input]) -> None:
    rows = unpacked(packed([encoded(item) for item in items]))
    found = [decoded(row) for row in rows]
    assert found == items
    assert [type(item) for item in found] == [type(item) for item in items]


@pytest.mark.parametrize("row", [["dance", 1], ["", 0, []]])
def test_an_input_of_no_known_kind_is_refused(row: list[Any]) -> None:
    with pytest.raises(InputError, match=f"input of kind {row[0]!r}"):
        decoded(json.loads(json.dumps(row)))
