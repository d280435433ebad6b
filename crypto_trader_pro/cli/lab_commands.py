"""`lab`: the worker that runs queued backtests beside everything else."""

from typing import Annotated

import typer

from crypto_trader_pro.cli.places import environment

lab = typer.Typer(help="The worker of the backtest lab.", no_args_is_help=True)


@lab.command("run")
def run(
    idle: Annotated[
        float, typer.Option(help="Seconds without a job after which it ends.", min=0)
    ] = 180.0,
) -> None:
    """Work off the queue of backtests here, at the lowest priority; end when it stays empty.

    One at a time per var folder: a second one ends at once.

    Example: python -m crypto_trader_pro lab run
    """
    from auto_trading.lab.worker import run_lab

    if not run_lab(environment(), idle):
        typer.echo("another worker of this folder works the queue off")


@lab.command("start")
def start() -> None:
    """Start the worker detached, unless one works. It goes on when this shell ends.

    Example: python -m crypto_trader_pro lab start
    """
    from auto_trading.lab.launching import start_lab

    pid = start_lab(environment().var_dir)
    typer.echo("a worker works already" if pid is None else f"a worker was started, pid {pid}")
