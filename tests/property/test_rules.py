"""An allowed entry breaks no cap, whatever the numbers; sizing and rules never contradict."""

from fractions import Fraction
from math import ceil, floor

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from crypto_trader_pro.domain.enums import Bound
from crypto_trader_pro.risk.limits import drawdown_rate, limit_line, loss_level
from crypto_trader_pro.risk.rules import CODES, RULES, RiskInputs, evaluate, first_refusal
from crypto_trader_pro.risk.verdict import order_mask, state_mask
from tests.builders import risk_inputs

RATE = 10**8
often = settings(max_examples=300, deadline=None)
rates = st.one_of(st.integers(0, RATE), st.sampled_from([0, 1, 20_000, 2_000_000, RATE]))
money = st.one_of(st.integers(-(10**6), 10**10), st.integers(0, 10**17))
LARGEST = 2**61
WIDTH = len(RiskInputs._fields)


@st.composite
def sized(draw: st.DrawFn) -> RiskInputs:
    """Inputs within the bounds of the door: price * max_lots * tv stays below 2**61."""
    tv = draw(st.sampled_from([1, 10, 1_000, 10_000, 10**6]))
    price = draw(st.one_of(st.integers(1, 1_000), st.integers(1, 10**8)))
    max_lots = draw(st.integers(0, min(LARGEST // (price * tv), 2**46 - 1)))
    return risk_inputs(
        tv=tv,
        price=price,
        reference=draw(st.one_of(st.just(price), st.integers(1, 10**8))),
        max_lots=max_lots,
        stop_units=draw(st.one_of(st.integers(1, 100), st.integers(0, 10**8))),
        equity=draw(money),
        size_rate=draw(rates),
        risk_rate=draw(rates),
        room=draw(money),
        taker_rate=draw(st.integers(0, 10**6)),
        volume=draw(st.one_of(st.integers(0, 1_000), st.integers(0, 2**50))),
        share=draw(rates),
        min_notional=draw(st.sampled_from([0, 1, 5 * 10**8, 10**10])),
        collar_rate=draw(rates),
        side=draw(st.sampled_from((1, -1))),
    )


@st.composite
def sizeable(draw: st.DrawFn) -> RiskInputs:
    """Inputs near the edges of every bound, most of which may trade."""
    tv = draw(st.sampled_from([1, 10_000, 10**6]))
    price = draw(st.integers(2, 10**6))
    value = price * tv
    lots = draw(st.integers(1, 1_000))  # what the bounds are drawn around
    few = st.integers(0, 3).map(lambda extra: lots + extra)
    taker_rate = draw(st.sampled_from([0, 1, 50_000, 99_999, 10**6]))
    fee = ceil(Fraction(value * taker_rate, RATE))
    stop_units = draw(st.integers(1, price - 1))
    return risk_inputs(
        tv=tv,
        price=price,
        reference=draw(st.integers(max(1, price - 2), price + 2)),
        max_lots=draw(few),
        stop_units=stop_units,
        equity=draw(few) * value + draw(st.integers(0, 1)),
        size_rate=draw(st.sampled_from([RATE, RATE - 1, RATE // 2])),
        risk_rate=draw(st.sampled_from([RATE, RATE * stop_units // price, RATE // 2])),
        room=draw(few) * (value + fee) - draw(st.integers(0, 1)),
        taker_rate=taker_rate,
        volume=draw(few) * 10,
        share=draw(st.sampled_from([RATE // 10, RATE // 10 - 1, RATE])),
        min_notional=draw(st.sampled_from([0, value, lots * value, lots * value + 1])),
        collar_rate=draw(st.sampled_from([RATE, RATE // 20])),
        side=draw(st.sampled_from((1, -1))),
    )


cases = st.one_of(sizeable(), sizeable(), sized())


@often
@given(cases)
def test_the_size_is_the_least_of_five_exact_floors_and_names_the_first(x: RiskInputs) -> None:
    lots, bound = x.size()
    if x.equity <= 0 or x.stop_units <= 0:
        assert (lots, bound) == (0, Bound.SIZE)
        return
    value = x.price * x.tv
    with_fee = value + ceil(Fraction(value * x.taker_rate, RATE))
    bounds = [
        floor(Fraction(floor(Fraction(x.equity * x.size_rate, RATE)), value)),
        floor(Fraction(floor(Fraction(x.equity * x.risk_rate, RATE)), x.stop_units * x.tv)),
        max(0, floor(Fraction(x.room, with_fee))),
        floor(Fraction(x.volume * x.share, RATE)),
        x.max_lots,
    ]
    assert lots == min(bounds)
    assert bound == Bound(bounds.index(lots))


@often
@given(sizeable())
def test_an_allowed_entry_breaks_no_cap(x: RiskInputs) -> None:
    verdict = evaluate(x)
    assert verdict.broken == ""
    assume(verdict.allowed)
    lots = verdict.lots
    value = Fraction(lots * x.price * x.tv)
    assert lots >= 1
    assert value <= Fraction(x.equity * x.size_rate, RATE)
    assert value * (1 + Fraction(x.taker_rate, RATE)) <= x.room
    assert lots * x.stop_units * x.tv <= Fraction(x.equity * x.risk_rate, RATE)
    assert value >= x.min_notional
    assert lots <= Fraction(x.volume * x.share, RATE)
    assert lots <= x.max_lots
    assert abs(x.price - x.reference) <= Fraction(x.reference * x.collar_rate, RATE)
    assert x.side < 0 or x.price - x.stop_units > 0


@often
@given(sizeable())
def test_sizing_leaves_room_for_the_fee_so_that_balance_never_refuses_a_size(x: RiskInputs) -> None:
    verdict = evaluate(x)
    assume(verdict.lots > 0)
    refused = {CODES[bit] for bit in range(16) if verdict.mask >> bit & 1}
    assert not refused & {"balance", "position_size"}


@often
@given(cases, st.integers(1, 10**6))
def test_a_wider_stop_never_gives_a_larger_size(x: RiskInputs, wider: int) -> None:
    assume(x.stop_units > 0)
    assert x._replace(stop_units=x.stop_units + wider).size()[0] <= x.size()[0]


@often
@given(cases, st.sampled_from(["equity", "room", "volume", "max_lots", "size_rate", "risk_rate"]),
       st.integers(1, 10**6))  # fmt: skip
def test_more_of_a_bound_never_gives_a_smaller_size(x: RiskInputs, name: str, more: int) -> None:
    grown = x._replace(**{name: getattr(x, name) + more})
    assert grown.size()[0] >= x.size()[0]


@often
@given(st.lists(st.integers(-1, 3), min_size=WIDTH, max_size=WIDTH))
def test_the_mask_holds_one_bit_for_each_rule_that_refuses(values: list[int]) -> None:
    x = RiskInputs(*values)
    verdict = evaluate(x)
    assert 0 <= verdict.mask < 1 << len(RULES)
    if not verdict.broken:
        bits = [rule.refuses(x, verdict.lots) for rule in RULES]
        assert verdict.mask == sum(bit << n for n, bit in enumerate(bits))
        assert first_refusal(verdict.mask) == next(
            (rule.code for rule, bit in zip(RULES, bits, strict=True) if bit), ""
        )
    assert verdict.allowed == (verdict.mask == 0)
    assert verdict.allowed <= (verdict.lots > 0)


@often
@given(st.integers(0, 10**17), rates, rates, st.integers(-(10**17), 2 * 10**17))
def test_a_level_is_reached_when_the_exact_loss_is(
    base: int, rate: int, other: int, equity: int
) -> None:
    first, second = sorted((rate, other))
    level = loss_level(equity, limit_line(base, first), limit_line(base, second))
    lost = Fraction(base - equity) * RATE
    expected = 2 if lost >= base * second else 1 if lost >= base * first else 0
    assert level == expected


@often
@given(st.integers(1, 10**17), st.data())
def test_a_drawdown_is_the_ceiling_of_the_exact_fall(peak: int, data: st.DataObject) -> None:
    equity = data.draw(st.one_of(st.integers(0, peak), st.integers(-peak, 2 * peak)))
    exact = ceil(Fraction(max(0, peak - equity) * RATE, peak))
    assert drawdown_rate(equity, peak) == exact


@often
@given(st.one_of(sized(), sizeable()), st.data())
def test_the_mask_for_the_kernel_is_that_of_the_rules(x: RiskInputs, data: st.DataObject) -> None:
    few = st.integers(0, 2)
    x = x._replace(
        **{name: data.draw(few) for name in (
            "trading_state", "gate_state", "busy", "last_entry_ms", "bar_ms", "daily_level",
            "drawdown_level", "open_positions", "max_positions", "bars_since_exit",
            "cooldown_bars", "entries_now", "max_entries_per_cycle", "entries_today",
            "max_entries_per_day", "can_short", "has_model", "edge_mbp", "edge_margin_mbp",
            "locked_until_ms", "safety",
        )}
    )  # fmt: skip
    verdict = evaluate(x)
    mask = state_mask(
        x.trading_state, x.gate_state, x.busy, x.last_entry_ms, x.bar_ms, x.daily_level,
        x.drawdown_level, x.open_positions, x.max_positions, x.bars_since_exit, x.cooldown_bars,
        x.entries_now, x.max_entries_per_cycle, x.entries_today, x.max_entries_per_day,
    ) | order_mask(
        x.side, x.can_short, x.has_model, x.edge_mbp, x.edge_margin_mbp, x.price, x.stop_units,
        x.reference, x.collar_rate, verdict.lots, x.tv, x.equity, x.size_rate, x.min_notional,
        x.taker_rate, x.room, x.locked_until_ms, x.bar_ms, x.safety,
    )  # fmt: skip
    assert mask == verdict.mask
