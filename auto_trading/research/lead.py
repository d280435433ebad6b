"""A part of a range as a run of its own: what it needs to have seen before it counts."""

from collections.abc import Mapping

from auto_trading.backtesting.warmup import candles_needed
from auto_trading.research.parameters import with_params
from auto_trading.research.playing import Case, World
from auto_trading.translation import MODEL_STRATEGY


def case_from(
    world: World, params: Mapping[str, str], counts_ms: int, to_ms: int, history_ms: int
) -> Case:
    """Return the case whose result counts from `counts_ms` on.

    A strategy of candles begins so many candles earlier as it needs to warm up, in which it cannot
    trade: it is flat when the count begins. The model begins at `history_ms`, because it trains on
    what it has seen, when its own schedule says so: every model that speaks in the counted part was
    trained on candles before the moment it speaks, never on later ones. What it holds when the
    count begins is counted from its price at that moment.

    Args:
        history_ms: the earliest candle that may be looked at.
    """
    if MODEL_STRATEGY in world.strategies:
        return Case(params, history_ms, to_ms, counts_ms)
    settings = with_params(world.settings, params)
    candles = candles_needed(world.strategies, settings)
    begins = counts_ms - candles * world.backtester.candles.timeframe_ms
    earliest = world.backtester.candles.start_ms
    return Case(params, max(begins, earliest), to_ms, counts_ms)
