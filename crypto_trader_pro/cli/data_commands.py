"""`data`: candles and funding rates in the database."""

import typer

data = typer.Typer(help="Import, list and check market data.", no_args_is_help=True)
