"""Research: many backtests at a time, and what can be concluded from them."""
