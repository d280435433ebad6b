"""A recorded session beside its backtest, and why they earned differently."""
