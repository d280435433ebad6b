"""What `replay` and `backtest` have in common: their candles, and a bar that shows them pass."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from crypto_trader_pro.domain.errors import InputError
from crypto_trader_pro.domain.timeframes import timeframe_ms

Told = Callable[[int, int], None]  # instants played, instants in all

CandleFiles = Annotated[
    list[Path] | None,
    typer.Option("--candles", help="CSV, CSV.gz, Parquet or Feather; once per --symbol. Without it"
                 " the imported candles of the database are played."),
]  # fmt: skip
Symbols = Annotated[
    list[str] | None,
    typer.Option("--symbol", help="As BTC/USDT:USDT (perpetual) or BTC/USDT (spot)."),
]
Timeframe = Annotated[str, typer.Option(help="Length of the candles: 1m, 5m, 1h, ...")]
From = Annotated[
    str | None, typer.Option("--from", help="First instant: 2025-05, 2025-05-04T12:00+09:00.")
]
To = Annotated[str | None, typer.Option(help="Candles that close until then.")]
Interval = Annotated[
    int | None, typer.Option(help="Seconds between decisions. Default: the timeframe.")
]
FundingFile = Annotated[
    Path | None, typer.Option(help="Funding rates, paid and received by perpetuals.")
]
SetKeys = Annotated[
    list[str] | None,
    typer.Option(
        "--set", help="KEY=VALUE over the configuration: paper.initial_equity=5000."
    ),
]  # fmt: skip


def seconds_of(timeframe: str, option: str = "--timeframe") -> int:
    """Return the length of a timeframe.

    Raises:
        InputError: it is none.
    """
    try:
        return timeframe_ms(timeframe) // 1000
    except ValueError as e:
        raise InputError(str(e).replace("timeframe", option, 1)) from None


def paired(candles: Sequence[Path], symbols: Sequence[str]) -> tuple[Path, ...]:
    """Return the files, one for each symbol.

    Raises:
        InputError: their numbers differ.
    """
    if candles and len(candles) != len(symbols):
        raise InputError(
            f"{len(candles)} --candles and {len(symbols)} --symbol were given;"
            " each file needs its symbol, in the same order"
        )
    return tuple(candles)


@contextmanager
def progress_bar(what: str) -> Iterator[Told | None]:
    """Show a progress bar on a terminal; nothing where output goes elsewhere."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda played, total: bar.update(task, completed=played, total=total)
