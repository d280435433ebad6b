"""Whatever the order and the delay of candles, readers end with every candle once."""

from hypothesis import given
from hypothesis import strategies as st

from auto_trading.gateways.candle_cache import CandleCache
from auto_trading.gateways.slice_assembly import SliceAssembler
from crypto_trader_pro.domain.messages import Backfill, MarketSlice, Missed, Prices
from tests.builders import MINUTE, START_MS, a_bar

SYMBOLS, BARS, GRACE = 2, 5, 10_000
_all = [(i, k) for i in range(SYMBOLS) for k in range(BARS)]
_arrivals = st.permutations(_all).flatmap(
    lambda order: st.lists(st.sampled_from(_all), max_size=6).map(lambda again: [*order, *again])
)


@given(
    _arrivals,
    st.lists(st.integers(0, 40_000), min_size=len(_all) + 6, max_size=len(_all) + 6),
    st.booleans(),
)
def test_every_candle_is_told_once_and_instants_in_order(
    arrivals: list[tuple[int, int]], delays: list[int], heard: bool
) -> None:
    """Candles come in any order, doubled, at any time after their close."""
    cache = CandleCache(SYMBOLS, MINUTE, START_MS)
    assembler = SliceAssembler(SYMBOLS, MINUTE, GRACE, START_MS + MINUTE)
    now, events = START_MS + MINUTE, []
    for (i, k), delay in zip(arrivals, delays, strict=False):
        now = max(now + delay, START_MS + (k + 1) * MINUTE)
        if heard:
            assembler.heard(now)
        if cache.put(i, a_bar(k)) == "new":
            assembler.candle(i, a_bar(k))
        events += assembler.due(now)
    assembler.heard(now)
    events += assembler.due(now + 2 * GRACE)

    decided, told = [], []
    for event in events:
        assert not isinstance(event, Prices)
        market = event.market if isinstance(event, Missed | Backfill) else event
        assert isinstance(market, MarketSlice)
        told += [(i, bar) for i, bar in enumerate(market.bars) if bar is not None]
        if not isinstance(event, Backfill):
            decided.append(market.close_ms)
    assert decided == sorted(set(decided))
    assert sorted(told) == sorted((i, a_bar(k)) for i, k in _all)
