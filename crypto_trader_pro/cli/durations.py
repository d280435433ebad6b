"""Spans of time as people type them."""

import re
from typing import Final

from crypto_trader_pro.domain.errors import InputError

_SECONDS: Final = {"s": 1, "m": 60, "h": 3600}
_FORM: Final = re.compile(r"([0-9]{1,6})([smh])")


def seconds_of(text: str, name: str, most: int) -> int:
    """Read "30s", "10m" or "2h" as whole seconds, 1 to `most`.

    Args:
        name: of the argument, for the message.

    Raises:
        InputError: no such span, or one that is too long.

    >>> seconds_of("10m", "--over", 86_400)
    600
    """
    match = _FORM.fullmatch(text)
    seconds = int(match[1]) * _SECONDS[match[2]] if match else 0
    if not 0 < seconds <= most:
        raise InputError(f"{name} was {text!r}, allowed: 30s, 10m or 2h, up to {most // 3600}h")
    return seconds
