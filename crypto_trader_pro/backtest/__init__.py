"""Research: filled by the backtest issue."""
