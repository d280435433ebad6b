"""What others call a symbol, turned into what the configuration calls it."""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Final

from auto_trading.http.strict_json import shown
from crypto_trader_pro.domain.errors import InputError

_EXCHANGE: Final = re.compile(r"^[A-Z0-9_]+:")
_SPOT: Final = ("{0}/{1}", "{0}{1}", "{0}-{1}", "{0}_{1}")
_PERPETUAL: Final = (
    "{0}/{1}:{1}", "{0}{1}.P", "{0}{1}PERP", "{0}{1}-PERP", "{0}-{1}-PERP", "{0}_{1}_PERP",
    "{0}-{1}-SWAP",
)  # fmt: skip


def configured(ticker: str, allowed: Sequence[str]) -> str:
    """Return the configured symbol that a ticker means.

    BTC/USDT, BTCUSDT, BTC-USDT, BINANCE:BTCUSDT and the perpetuals' BTCUSDT.P, BTC-USDT-SWAP are
    known. Where spot and perpetual of one pair are configured, each form means its own; where only
    one is, both forms mean it.

    Raises:
        InputError: none of `allowed`.
    """
    forms = _forms(tuple(allowed))
    name = ticker.strip().upper()
    found = forms.get(name) or forms.get(_EXCHANGE.sub("", name, count=1))
    if found is None:
        listed = ", ".join(allowed) or "none is configured"
        raise InputError(f"symbol was {shown(ticker)}, allowed: {listed}")
    return found


@lru_cache(maxsize=64)
def _forms(allowed: tuple[str, ...]) -> Mapping[str, str]:
    """Return symbol by form; the forms of its own kind go before those of the other."""
    own: dict[str, str] = {}
    other: dict[str, str] = {}
    for symbol in allowed:
        pair, _, settled = symbol.upper().partition(":")
        parts = pair.split("/")
        kinds = (_PERPETUAL, _SPOT) if settled else (_SPOT, _PERPETUAL)
        for into, forms in zip((own, other), kinds, strict=True):
            for form in forms:
                into.setdefault(form.format(*parts), symbol)
        own[symbol.upper()] = symbol
    return {**other, **own}
