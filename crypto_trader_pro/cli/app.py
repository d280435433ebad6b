"""The operator's commands, all of them. Each says what it does and shows an example."""

from crypto_trader_pro.cli.entry import build, main

__all__ = ["app", "main"]

app = build()
