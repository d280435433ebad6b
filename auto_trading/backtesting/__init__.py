"""Backtests: the engine over recorded candles, in memory, by two engines that must agree."""
