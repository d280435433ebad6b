"""Strategies: candles in, signals out; never orders."""
