"""What others call a symbol, turned into what the configuration calls it."""

import re
from collections.abc import Sequence
from typing import Final

from auto_trading.http.strict_json import shown
from crypto_trader_pro.domain.errors import InputError

_LONGEST: Final = 48
_PERPETUAL: Final = re.compile(r"(?:\.P|PERP|[-_]PERP|[-_]SWAP)$")
_EXCHANGE: Final = re.compile(r"^[A-Z0-9_]+:(?=.*[A-Z])")
_SEPARATORS: Final = re.compile(r"[/_-]")


def configured(ticker: str, allowed: Sequence[str]) -> str:
    """Return the configured symbol that a ticker means.

    BTC/USDT, BTCUSDT, BTC-USDT, BINANCE:BTCUSDT and the perpetuals' BTCUSDT.P, BTC-USDT-SWAP are
    known. Where spot and perpetual of one pair are configured, each form means its own; where only
    one is, both forms mean it.

    Raises:
        InputError: none of `allowed`.
    """
    name = ticker.strip().upper()
    if ticker in allowed:
        return ticker
    if 0 < len(name) <= _LONGEST:
        exact = [symbol for symbol in allowed if symbol.upper() == name]
        if exact:
            return exact[0]
        bare = _EXCHANGE.sub("", name) if "/" not in name.partition(":")[0] else name
        means_perpetual = bool(_PERPETUAL.search(bare)) or ":" in bare
        pair = _SEPARATORS.sub("", _PERPETUAL.sub("", bare).partition(":")[0])
        found = [symbol for symbol in allowed if _pair(symbol) == pair]
        found.sort(key=lambda symbol: (":" in symbol) != means_perpetual)
        if found:
            return found[0]
    listed = ", ".join(allowed) or "none is configured"
    raise InputError(f"symbol was {shown(ticker)}, allowed: {listed}")


def _pair(symbol: str) -> str:
    return _SEPARATORS.sub("", symbol.partition(":")[0]).upper()
