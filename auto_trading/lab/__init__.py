"""The backtest lab: jobs of the queue, run one at a time in a process of their own."""
