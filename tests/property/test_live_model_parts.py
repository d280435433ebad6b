"""Whatever the candles: what a living model keeps in sums and windows equals the whole record."""

import json
from dataclasses import replace
from typing import Any, Literal

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from auto_trading.aggregation import aggregate
from auto_trading.model_window import ModelWindow
from auto_trading.shadow_following import Shadow
from crypto_trader_pro.ai import features as fe
from crypto_trader_pro.ai import labels, proving
from crypto_trader_pro.ai.calendar import WEEK_MS
from crypto_trader_pro.ai.candle_features import WINDOW
from crypto_trader_pro.ai.config import AiConfig
from crypto_trader_pro.ai.last_row import LEAD_WINDOW, Candles, last_rows
from crypto_trader_pro.ai.live_record import ProvingRecord
from crypto_trader_pro.ai.proving import ShadowTrade
from crypto_trader_pro.domain.market import CandleSeries, series_of
from tests.property.test_ai_features import HOUR, SEEDS, bits, market

A_MONDAY = 4 * 24 * HOUR + 2_800 * WEEK_MS


def aligned(seed: int, like: CandleSeries) -> CandleSeries:
    s = market(seed, len(like))
    return CandleSeries(f"S{seed}", HOUR, like.open_ms, s.open, s.high, s.low, s.close, s.volume)


@settings(max_examples=20, deadline=None)
@given(seed=SEEDS, back=st.integers(0, 170))
def test_the_newest_row_has_the_bits_of_the_history(seed: int, back: int) -> None:
    first = market(seed)
    series = [first, *(aligned(seed + k, first) for k in (1, 2))]
    row = len(first) - 1 - back
    close_ms = int(first.open_ms[row]) + HOUR
    past = [s.slice(0, row + 1) for s in series]
    frames = [fe.compute(s, btc=past[1]) for s in past]
    columns = [
        np.stack([getattr(s, name)[row - WINDOW + 1 : row + 1] for s in series], axis=1)
        for name in ("high", "low", "close", "volume")
    ]
    ready = np.array([bool(f.ready[-1]) for f in frames])
    steps = np.diff(first.open_ms[row + 1 - LEAD_WINDOW : row + 1])
    live = last_rows(
        Candles(*(c.astype(np.float64) for c in columns)), close_ms, ready, lead=1,
        lead_ready=bool((steps == HOUR).all()),
    )  # fmt: skip
    for i, frame in enumerate(frames):
        assert bits(live.values[i]) == bits(frame.values[-1])
        assert live.atr[i] == frame.atr[-1]


@settings(max_examples=30, deadline=None)
@given(
    seed=SEEDS,
    side=st.sampled_from([1, -1]),
    horizon=st.integers(1, 30),
    costs=st.tuples(st.integers(0, 500_000), st.integers(0, 2_000_000)),
    tick=st.sampled_from([1, 5, 10]),
)
def test_a_trade_that_is_followed_ends_as_its_label(
    seed: int, side: Literal[1, -1], horizon: int, costs: tuple[int, int], tick: int
) -> None:
    cfg = AiConfig(horizon=horizon, fee_rate=costs[0], slippage_rate=costs[1])
    series = market(seed, 150)
    atr = np.random.default_rng(seed).integers(1, max(2, int(series.close[0]) // 50), 150)
    known = labels.outcomes(series, atr, side, cfg, tick_units=tick)
    stop, target = labels.distances(series.close, atr, cfg)
    bars = {bar.open_ms: bar for bar in series.bars()}
    numbers = np.stack([series.open, series.high, series.low, series.close, series.volume], axis=1)
    whole = labels.whole_horizon(series, cfg)
    for row in range(len(series)):
        decided = int(series.open_ms[row]) + HOUR
        shadow = Shadow(decided, side, 7, int(stop[row]), int(target[row]))
        end = None
        for k in range(horizon + 1):
            bar = bars.get(decided + k * HOUR)
            if bar is None:
                break
            end = shadow.follow(bar, cfg, tick)
            shadow = Shadow.of(json.loads(json.dumps(shadow.state())))
            if end is not None:
                break
        assert (end is not None) == bool(known.known[row])
        if end is None:
            continue
        net = float(known.net_bp[row])
        closed = ShadowTrade(decided, int(known.exit_ms[row]), 7, round(net * 1000))
        assert end == (closed, int(known.reason[row]))
        if whole[row]:
            after = numbers[row + 1 : row + horizon + 2, :, None]
            one = np.array([tick])
            ended = labels.results_of(
                after, stop[row : row + 1], target[row : row + 1], side, cfg, one
            )
            assert ended.tolist() == [net]


TRADES = st.lists(
    st.tuples(st.integers(0, 9 * 168), st.integers(1, 25), st.integers(-900_000, 900_000)),
    max_size=80,
)


@settings(max_examples=80, deadline=None)
@given(trades=TRADES, looks=st.sets(st.integers(0, 11 * 168), max_size=30), again=st.booleans())
def test_the_record_in_sums_gives_the_verdict_of_the_whole_record(
    trades: list[tuple[int, int, int]], looks: set[int], again: bool
) -> None:
    cfg = AiConfig(prove_trades=5, prove_weeks=2)
    closed = sorted(
        (ShadowTrade(A_MONDAY + at * HOUR, A_MONDAY + (at + held) * HOUR, net // 2, net)
         for at, held, net in trades), key=lambda t: t.closed_ms,
    )  # fmt: skip
    record = ProvingRecord(cfg)
    waiting = list(closed)
    for look in sorted({*looks, 12 * 168}):
        now = A_MONDAY + look * HOUR
        while waiting and waiting[0].closed_ms <= now:
            record.add(waiting.pop(0))
        if again:
            state = json.loads(json.dumps(record.state()))
            record = ProvingRecord(cfg)
            record.restore(state)
        so_far = [t for t in closed if t.closed_ms <= now]
        expected, found = proving.verdict(so_far, now, cfg), record.look(now)
        assert plain(found) == plain(expected)


def plain(verdict: proving.Proving) -> Any:
    return repr(replace(verdict))  # NaN is not equal to itself


@settings(max_examples=40, deadline=None)
@given(seed=SEEDS, data=st.data())
def test_whatever_the_order_of_the_parts_the_candles_are_those_of_the_batch(
    seed: int, data: st.DataObject
) -> None:
    """Parts come late, twice or never; a restart comes in between."""
    rng = np.random.default_rng(seed)
    base = market(seed, 120)
    fine = CandleSeries("A", HOUR // 4, np.sort(rng.choice(160, 120, replace=False)) * HOUR // 4,
                        base.open, base.high, base.low, base.close, base.volume)  # fmt: skip
    kept: dict[int, Any] = {}
    window = ModelWindow(["A"], HOUR // 4, HOUR, 60)
    late = data.draw(st.sets(st.integers(0, 119), max_size=6))
    order = [k for k in range(120) if k not in late]
    for k in late:
        order.insert(min(len(order), k + data.draw(st.integers(1, 30))), k)
    bars = fine.bars()
    restart = data.draw(st.integers(0, 119))
    for n, k in enumerate(order):
        for bar in (bars[k], bars[k]):
            whole = window.push(0, bar)
            if whole is not None:
                kept[whole.open_ms] = whole
        if n == restart:
            state = json.loads(json.dumps(window.state()))
            window = ModelWindow(["A"], HOUR // 4, HOUR, 60)

            def reload(a: int, b: int) -> list[CandleSeries]:
                return [series_of("A", HOUR, [kept[at] for at in sorted(kept) if a <= at < b])]

            assert window.restore(state, reload) == []
    expected = {bar.open_ms: bar for bar in aggregate(fine, HOUR).bars()}
    assert kept == expected
    for at, bar in expected.items():
        assert window.bar(0, at + HOUR) == bar
    row = window.row(window.end_ms)
    assert row is not None
    run = 0
    while window.end_ms - (run + 1) * HOUR in expected:
        run += 1
    if run:
        assert window.whole(row, run).all()
    if run < window.length:
        assert not window.whole(row, run + 1).any()
