"""What must hold of the statistics whatever the account did."""

from hypothesis import given
from hypothesis import strategies as st

from crypto_trader_pro.backtest import metrics

returns = st.lists(st.floats(-0.5, 0.5, allow_subnormal=False), max_size=60)
equities = st.lists(st.floats(1.0, 1e9), min_size=1, max_size=60)


@given(equities)
def test_a_fall_lies_between_nothing_and_all(equity: list[float]) -> None:
    fall = metrics.max_drawdown(equity)
    assert fall is not None
    assert 0 <= fall < 1
    # by its definition, over all pairs
    pairs = ((a, b) for i, a in enumerate(equity) for b in equity[i:])
    assert fall == max((a - b) / a for a, b in pairs)


@given(returns)
def test_at_most_the_tail_is_worse_than_the_value_at_risk(values: list[float]) -> None:
    var = metrics.historical_var(values)
    assert (var is None) == (len(values) < metrics.MIN_VAR_RETURNS)
    if var is not None:
        worse = sum(-value > var for value in values)
        assert worse * 20 <= len(values)


@given(returns)
def test_a_better_account_has_no_smaller_ratio_sign(values: list[float]) -> None:
    for ratio in (metrics.sharpe_ratio(values), metrics.sortino_ratio(values)):
        if ratio is not None:
            assert (ratio > 0) == (sum(values) > 0) or abs(ratio) < 1e-6
