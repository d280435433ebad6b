"""The operator's commands: `python -m crypto_trader_pro`."""
