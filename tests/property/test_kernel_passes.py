"""What is computed over whole series is what the engine's own objects say candle by candle."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from auto_trading.backtesting.candles import Candles
from auto_trading.backtesting.compiled import prepare
from auto_trading.backtesting.signals import Reasons, signal_table, stepped
from auto_trading.data_gate import SymbolGate
from auto_trading.market_monitor import MarketMonitor
from auto_trading.signal_generator import AISignalGenerator
from config.loading import load
from crypto_trader_pro.backtest import kernel_state as k
from crypto_trader_pro.backtest.compiler import PLAIN
from crypto_trader_pro.domain.enums import GateState
from crypto_trader_pro.domain.market import Bar, CandleSeries, series_of
from crypto_trader_pro.domain.messages import MarketSlice
from crypto_trader_pro.strategies.trend_following import EmaCross
from tests.backtest_parity import MINUTE, START_MS, random_case
from tests.builders import an_instrument

often = settings(max_examples=30)


@st.composite
def series(draw: st.DrawFn) -> CandleSeries:
    """A walk with gaps, flat stretches and jumps."""
    rows, price, at = [], draw(st.integers(50, 10**6)), START_MS
    for _ in range(draw(st.integers(1, 120))):
        at += MINUTE * draw(st.sampled_from((1, 1, 1, 1, 1, 1, 1, 1, 1, 3)))
        move = draw(st.sampled_from((0, 0, 1, -1, price // 200, -price // 300, price // 4)))
        start, price = price, max(5, price + move)
        top, bottom = max(start, price), min(start, price)
        spread = draw(st.sampled_from((0, 0, 1, 3)))
        volume = draw(st.sampled_from((0, 0, 7, 100)))
        rows.append(Bar(at, start, top + spread, bottom - spread, price, volume))
    return series_of("BTC/USDT:USDT", MINUTE, rows)


@often
@given(series(), st.integers(1, 20), st.sampled_from((2, 12, 50)))
def test_the_gate_of_a_series_is_the_gate_of_its_candles(
    candles: CandleSeries, warm_bars: int, multiple: int
) -> None:
    n = len(candles)
    state, restart = np.empty(n, np.int8), np.empty(n, np.int8)
    volatility = np.empty(n, np.int64)
    assert PLAIN.gate_pass(
        candles.open_ms, candles.high, candles.low, candles.close, candles.volume, MINUTE,
        warm_bars, multiple, state, restart, volatility,
    ) == 0  # fmt: skip
    gate = SymbolGate(MINUTE, warm_bars, outlier_multiple=multiple)
    for i, bar in enumerate(candles.bars()):
        assert gate.check(bar, bar.open_ms + MINUTE)
        assert (gate.state is GateState.EXIT_ONLY, gate.clean == 1, gate.volatility) == (
            state[i] == 1, restart[i] == 1, volatility[i],
        )  # fmt: skip


def test_a_yardstick_beyond_64_bits_is_named_by_its_candle() -> None:
    bars = [Bar(START_MS + i * MINUTE, p, p, p, p, 1) for i, p in enumerate((1, 10**6, 1, 10**6))]
    candles = series_of("BTC/USDT:USDT", MINUTE, bars)
    flags, numbers = np.empty(4, np.int8), np.empty(4, np.int64)
    beyond = PLAIN.gate_pass(
        candles.open_ms, candles.high, candles.low, candles.close, candles.volume, MINUTE,
        1, 10**6, flags, flags.copy(), numbers,
    )  # fmt: skip
    assert beyond == 3  # the second candle taught it a mean of 1 %: a million times that


@often
@given(st.integers(0, 10_000), st.sampled_from((1, 2, 3)), st.booleans(), st.booleans())
def test_the_table_says_what_the_generator_says_at_each_decision(
    seed: int, every: int, long_only: bool, trailing: bool
) -> None:
    candles = random_case(seed).candles
    chosen = load(overrides={
        "strategies.ema_cross.fast": 3, "strategies.ema_cross.slow": 7,
        "strategies.ema_cross.long_only": long_only,
        "strategies.ema_cross.trailing_pct": "1" if trailing else "0",
    })  # fmt: skip
    interval_ms = candles.timeframe_ms * every
    prepared, tape = prepare(candles, ("ema_cross",), interval_ms, chosen, PLAIN)
    told = signal_table(tape, ("ema_cross",), chosen, PLAIN, None)
    found = {
        (int(v[k.EV_ROW]), int(v[k.EV_SYMBOL])): (
            int(v[k.EV_DIRECTION]), bool(v[k.EV_OPENS]), int(v[k.EV_STOP]), int(v[k.EV_TARGET]),
            int(v[k.EV_TRAIL]), told.reasons[v[k.EV_REASON]], int(v[k.EV_PRICE]),
            int(v[k.EV_REFERENCE]), int(v[k.EV_GATE]),
        )
        for v in told.events.table
    }  # fmt: skip
    strategy = EmaCross(3, 7, trail_rate=1_000_000 if trailing else 0, long_only=long_only)
    gates = [SymbolGate(candles.timeframe_ms, chosen.market_data.warm_bars) for _ in candles.series]
    monitor = MarketMonitor(candles.instruments, gates)
    generator = AISignalGenerator(
        candles.instruments, [strategy], None, interval_is_timeframe=every == 1
    )
    expected = {}
    by_time = [{int(bar.open_ms): bar for bar in s.bars()} for s in candles.series]
    for row, at in enumerate(tape.grid.open_ms.tolist()):
        close_ms = at + candles.timeframe_ms
        monitor.observe(MarketSlice(close_ms, tuple(bars.get(at) for bars in by_time)))
        generator.observe(close_ms, monitor)
        if close_ms % interval_ms:
            continue
        for i, bar in enumerate(monitor.bars):
            if bar is None:
                continue
            for s in generator.generate_signals(i):
                if s.direction:
                    expected[row, i] = (
                        s.direction, s.opens, s.stop_units, s.target_units, s.trail_rate,
                        s.reason, bar.close, monitor.reference[i],
                        int(gates[i].state is not GateState.GREEN),
                    )  # fmt: skip
    assert found == expected
    assert prepared.bars == sum(map(len, candles.series))


@often
@given(series(), st.booleans())
def test_a_strategy_without_a_compiled_pass_is_stepped_to_the_same_events(
    candles: CandleSeries, long_only: bool
) -> None:
    chosen = load(overrides={
        "strategies.ema_cross.fast": 3, "strategies.ema_cross.slow": 7,
        "strategies.ema_cross.long_only": long_only,
    })  # fmt: skip
    market = Candles((an_instrument("BTC/USDT:USDT"),), (candles,), None, {}, "")
    _, tape = prepare(market, ("ema_cross",), MINUTE, chosen, PLAIN)
    told = signal_table(tape, ("ema_cross",), chosen, PLAIN, None).events.table
    strategy = EmaCross(3, 7, long_only=long_only)
    reasons = Reasons()
    for text in ("cross_up", "cross_down"):  # numbered as they come up
        reasons.place(text)
    by_hand = stepped(tape, 0, strategy, 0, reasons)
    assert by_hand[:, : k.EV_PRICE].tolist() == told[:, : k.EV_PRICE].tolist()
