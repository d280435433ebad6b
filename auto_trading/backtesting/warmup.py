"""How many candles must have passed before a strategy can speak, and a refusal of fewer."""

from collections.abc import Sequence
from typing import Final

from auto_trading.backtesting.candles import Candles
from auto_trading.translation import MODEL_STRATEGY, ai_config, candle_strategies
from config.settings import Settings
from crypto_trader_pro.domain.errors import InputError
from crypto_trader_pro.domain.timeframes import timeframe_name, to_datetime

_MONTH_MS: Final = 28 * 86_400_000  # of the shortest month: refuse only what cannot be enough


def candles_needed(strategies: Sequence[str], settings: Settings) -> int:
    """Return the candles before the first possible entry: of the averages and of the data gate.

    The model's own history, months of it, is not counted here.
    """
    own = (strategy.warmup for strategy in candle_strategies(strategies, settings))
    return max((*own, settings.market_data.warm_bars))


def check_warm(candles: Candles, strategies: Sequence[str], settings: Settings) -> None:
    """Refuse a range in which no strategy could ever enter.

    Raises:
        InputError: a symbol has no candle after the warm-up, or less history than the model's
            first training takes.
        ConfigError: a strategy that does not exist.
    """
    needed = candles_needed(strategies, settings)
    timeframe = timeframe_name(candles.timeframe_ms)
    for series in candles.series:
        if len(series) <= needed:
            raise InputError(
                f"{series.symbol} has {len(series)} candles of {timeframe} in this range;"
                f" the warm-up of {' and '.join(strategies)} takes {needed},"
                f" so more than {needed} are needed"
            )
    if MODEL_STRATEGY in strategies:
        months = ai_config(settings, candles.instruments).first_months
        span_ms = candles.end_ms - candles.start_ms
        if span_ms < months * _MONTH_MS:
            raise InputError(
                f"the candles span {span_ms // 86_400_000} days, from"
                f" {to_datetime(candles.start_ms).date()}; {MODEL_STRATEGY} first trains on"
                f" {months} months"
            )
