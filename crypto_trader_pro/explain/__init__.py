"""Why a decision was taken, read from its rows and worded: for commands, alerts and pages alike.

Nothing here decides: deciding again needs candles, strategies and models, and is the engine's.
"""
