"""A sample of the webhook fuzz: what is taken is exactly what an independent reader takes."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from auto_trading.http.signal_forms import read_body
from crypto_trader_pro.domain.errors import InputError
from tests.webhook_fuzz import a_mill
from tests.webhook_inputs import Inputs
from tests.webhook_oracle import expected

AT = datetime(2026, 3, 1, 12, 0, 0, 250_000, tzinfo=UTC)


def test_five_thousand_bodies(tmp_path: Path) -> None:
    inputs = Inputs(20_260_301, AT)
    with a_mill(tmp_path, AT) as mill:
        for _ in range(5_000):
            mill.feed(inputs.next())
        mill.settle()
        found = mill.found
        assert found.wrong == []
        assert sum(found.outcomes.values()) == 5_000
        assert set(found.outcomes) == {"accepted", "duplicate", "refused"}
        assert found.accepted > 500
        assert mill.stored() == (found.accepted, 0, found.accepted)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3)
    ),
    max_leaves=8,
)  # fmt: skip


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(st.text(max_size=200) | VALUES.map(repr))
def test_no_text_does_anything_but_be_read_or_refused(text: str) -> None:
    said = alert_id = "-"
    try:
        alert_id = read_body(text, 1).alert_id
    except InputError as e:
        said = str(e)
    assert "\n" not in said
    assert 1 <= len(said) < 400
    assert 1 <= len(alert_id) <= 64


def test_the_oracle_itself_takes_and_refuses() -> None:
    at = f"{AT.timestamp():.3f}"
    good = f'{{"action":"buy","symbol":"BTCUSDT","quantity":"0.50","timestamp":"{at}"}}'
    assert expected(good.encode(), AT) == {
        "action": "buy", "symbol": "BTC/USDT", "order_type": "market", "quantity": "0.5",
    }  # fmt: skip
    for wrong in ('"0.50"', '"BTCUSDT"', '"buy"', at):
        assert expected(good.replace(wrong, '"x"').encode(), AT) is None


@pytest.mark.parametrize("seed", [1])
def test_the_same_seed_gives_the_same_bodies(seed: int) -> None:
    first, second = Inputs(seed, AT), Inputs(seed, AT)
    assert [first.next() for _ in range(50)] == [second.next() for _ in range(50)]
