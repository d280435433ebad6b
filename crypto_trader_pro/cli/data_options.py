"""Options that the commands of `data` share."""

from typing import Annotated

import typer

from crypto_trader_pro.domain.errors import InputError
from crypto_trader_pro.domain.timeframes import timeframe_ms

Symbol = Annotated[str, typer.Option(help="As BTC/USDT:USDT (perpetual) or BTC/USDT (spot).")]
Venue = Annotated[
    str | None, typer.Option(help="Where the data are from. Default: market_data.venue.")
]
From = Annotated[
    str, typer.Option("--from", help="First instant: 2025-05, 2025-05-04T12:00+09:00.")
]
MaybeFrom = Annotated[str | None, typer.Option("--from", help="Candles that open from then on.")]
To = Annotated[str | None, typer.Option(help="Candles that close until then.")]
Force = Annotated[bool, typer.Option("--force", help="Replace a file that is there already.")]


def length_of(timeframe: str | None) -> int:
    """Return the length of a timeframe in ms.

    Raises:
        InputError: none was given, or it is unknown.
    """
    if timeframe is None:
        raise InputError("--timeframe is needed for candles")
    try:
        return timeframe_ms(timeframe)
    except ValueError as e:
        raise InputError(f"--{e}") from None
