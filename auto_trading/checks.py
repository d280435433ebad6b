"""What could not run is refused before anything is recorded of it."""

from collections.abc import Sequence

from auto_trading.translation import MODEL_STRATEGY, candle_strategies
from config.settings import Settings
from crypto_trader_pro.domain.errors import ConfigError
from crypto_trader_pro.domain.instruments import Instrument
from crypto_trader_pro.domain.timeframes import timeframe_ms


def check_playable(
    instruments: Sequence[Instrument], strategies: Sequence[str], timeframe: str, settings: Settings
) -> None:
    """Refuse what could not run before anything is recorded of it.

    Raises:
        ConfigError: an unknown strategy, candles too coarse for the model, several currencies.
    """
    candle_strategies(strategies, settings)
    quotes = sorted({i.quote for i in instruments})
    if len(quotes) > 1:
        raise ConfigError(f"symbols settle in {', '.join(quotes)}; one account has one currency")
    needed = settings.strategies.ai_signal.timeframe
    if MODEL_STRATEGY in strategies and timeframe_ms(needed) % timeframe_ms(timeframe):
        raise ConfigError(
            f"ai_signal decides on {needed} candles, the run has {timeframe};"
            " allowed: that or a finer one that divides it"
        )
