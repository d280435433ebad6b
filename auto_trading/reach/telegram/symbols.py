"""Symbols as people write them on a phone: "btc", "BTC/USDT", or whole."""

from collections.abc import Iterable

from auto_trading.reach.telegram.desk import Desk
from crypto_trader_pro.domain.errors import InputError


def known_symbol(desk: Desk, word: str) -> str:
    """Return the run's symbol that a word means.

    Raises:
        InputError: none, or several.
    """
    return chosen(desk, word, desk.run.symbols)


def chosen(desk: Desk, word: str, symbols: Iterable[str]) -> str:
    """Return the one of `symbols` that a word means. Raises as `known_symbol`."""
    known = list(symbols)
    given = word.upper()
    for form in (str.upper, _pair, _base):
        found = [symbol for symbol in known if form(symbol.upper()) == given]
        if len(found) == 1:
            return found[0]
    allowed = ", ".join(known) or desk.say("telegram.nothing")
    raise InputError(desk.say("telegram.bad_argument", given=word[:32], allowed=allowed))


def _pair(symbol: str) -> str:
    return symbol.partition(":")[0]


def _base(symbol: str) -> str:
    return symbol.partition("/")[0]
