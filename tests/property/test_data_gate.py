"""Whatever comes, the gate is green only on data that is whole, and it blocks corrupted data."""

import json
import random
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from auto_trading.data_gate import SymbolGate
from crypto_trader_pro.domain.enums import GateReason, GateState
from crypto_trader_pro.domain.market import Bar, is_possible
from tests.corruption import FAULTS

TF = 60_000
WARM = 5

prices = st.integers(9_500, 10_500)
bars = st.builds(
    lambda k, four, spoil, volume, shift: Bar(
        k * TF + shift, four[1], four[3] if spoil else four[0], four[0], four[2], volume
    ),
    st.integers(1, 12),
    st.tuples(prices, prices, prices, prices).map(lambda four: tuple(sorted(four))),
    st.sampled_from([True] * 9 + [False]),
    st.integers(-1, 3),
    st.sampled_from([0] * 19 + [1]),
)
deliveries = st.lists(
    st.one_of(
        st.tuples(st.just("next"), bars),
        st.tuples(st.just("next"), bars),
        st.tuples(st.just("any"), bars),
    ),
    max_size=40,
)


@given(deliveries, st.lists(st.integers(-1, 4 * TF), min_size=40, max_size=40))
def test_green_means_closed_possible_recent_and_contiguous(
    stream: list[tuple[str, Bar]], ages: list[int]
) -> None:
    gate = SymbolGate(TF, WARM)
    accepted: list[Bar] = []
    for (where, candle), age in zip(stream, ages, strict=False):
        if where == "next" and accepted:
            candle = candle._replace(open_ms=accepted[-1].open_ms + TF)
        before = gate.state_dict()
        taken = gate.check(candle, candle.open_ms + TF + age)
        if taken:
            accepted.append(candle)
        else:
            unchanged = set(before) - {"state", "reason", "numbers", "rejected"}
            assert {key: gate.state_dict()[key] for key in unchanged} == {
                key: before[key] for key in unchanged
            }
            assert gate.state is GateState.DARK
            assert sum(gate.rejected.values()) == sum(before["rejected"].values()) + 1
        assert (gate.state is GateState.GREEN) == (gate.reason is GateReason.OK)
        assert all(type(number) is int for number in gate.numbers)
        if gate.state is GateState.GREEN:
            assert taken
            assert is_possible(candle)
            assert 0 <= age <= 2 * TF
            times = [bar.open_ms for bar in accepted[-WARM:]]
            assert times == [candle.open_ms - TF * back for back in range(WARM - 1, -1, -1)]
    times = [bar.open_ms for bar in accepted]
    assert times == sorted(set(times))


@given(deliveries, st.integers(0, 40))
def test_a_restart_anywhere_changes_nothing(stream: list[tuple[str, Bar]], cut: int) -> None:
    whole, part = SymbolGate(TF, WARM), SymbolGate(TF, WARM)
    for number, (_, candle) in enumerate(stream):
        if number == cut:
            saved = json.dumps(part.state_dict())
            part = SymbolGate(TF, WARM)
            part.restore(json.loads(saved))
        now_ms = candle.open_ms + TF
        assert whole.check(candle, now_ms) == part.check(candle, now_ms)
        assert whole.state_dict() == part.state_dict()


def random_market(rng: random.Random, count: int) -> list[Bar]:
    """Good candles with fat tails: returns from 0 to about six times their usual size."""
    size = rng.choice((0.0005, 0.002, 0.008))  # a quiet minute, a lively quarter, a wild hour
    price = rng.randint(10**4, 10**7)
    out = []
    for k in range(count):
        close = max(100, int(price * (1 + rng.gauss(0, size) * rng.choice((1, 1, 1, 2)))))
        high = int(max(price, close) * (1 + abs(rng.gauss(0, size)))) + 1
        low = int(min(price, close) * (1 - abs(rng.gauss(0, size)))) - 1
        out.append(Bar((1000 + k) * TF, price, high, low, close, rng.randint(1, 10**6)))
        price = close
    return out


def test_ten_thousand_corrupted_windows_are_blocked() -> None:
    windows, escaped, kinds = 10_000, Counter[str](), Counter[str]()
    rng = random.Random(20_240_229)
    names = list(FAULTS)
    for number in range(windows):
        name = names[number % len(names)]
        fault = FAULTS[name](random_market(rng, 40), TF, rng)
        gate = SymbolGate(TF, 30)
        for candle in fault.good:
            assert gate.check(candle, candle.open_ms + TF)
        assert gate.state is GateState.GREEN, (name, gate.reason, gate.numbers)
        for candle, now_ms in fault.spoiled:
            gate.check(candle, now_ms)
        kinds[name] += 1
        escaped[name] += gate.state is GateState.GREEN
    print(f"corrupted windows: {windows}, escaped: {+escaped or 'none'}")
    assert min(kinds.values()) >= 400
    assert escaped.total() <= windows // 1000  # 99.9 % blocked
