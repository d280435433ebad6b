"""Processes: `up`, `down`, `console`, `engine run`, `engine start`."""

from typing import Annotated

import typer

from crypto_trader_pro.cli.exits import Exit
from crypto_trader_pro.cli.places import environment
from crypto_trader_pro.domain.errors import ConfigError

engine = typer.Typer(help="The engine process.", no_args_is_help=True)


def up() -> None:
    """Start the engine if none runs, then serve the console here. Ctrl-C ends only the console.

    Example: python -m crypto_trader_pro up
    """
    from crypto_trader_pro.cli.console_process import free_port, serve, tell_end

    places = environment()
    served = free_port(places)
    _start_engine()
    serve(places) if served else None
    tell_end(places)


def down() -> None:
    """End console and engine of this var folder. Positions keep their protective orders.

    Safe to repeat.

    Example: python -m crypto_trader_pro down
    """
    from auto_trading.asking import operator
    from auto_trading.ending import How, end_everything
    from crypto_trader_pro.cli.context import language
    from utils.texts import say

    ended = end_everything(environment(), operator("cli"))
    spoken = language()
    for one in ended:
        what = say(spoken, f"down.{one.what}")
        typer.echo(say(spoken, f"down.how.{one.how.value}", what=what, pid=one.pid))
    if not ended:
        typer.echo(say(spoken, "down.nothing"))
    if any(one.how is How.LEFT for one in ended):
        raise typer.Exit(Exit.NEGATIVE)


def console() -> None:
    """Serve the console here and start nothing else.

    Example: python -m crypto_trader_pro console
    """
    from crypto_trader_pro.cli.console_process import free_port, serve

    places = environment()
    if free_port(places):
        serve(places)


@engine.command("run")
def run(
    wait_for_lease: Annotated[
        bool,
        typer.Option("--wait-for-lease", help="Wait for another engine's end: under a supervisor."),
    ] = False,
) -> None:
    """Run the engine in the foreground until it is told to end.

    Signals: TERM and INT end it in good order, USR1 is stop, USR2 is emergency stop.

    Example: python -m crypto_trader_pro engine run
    """
    from auto_trading.config_manager import finish_writing
    from auto_trading.engine_process import run_engine
    from auto_trading.modes import refusal
    from auto_trading.service_watch import watched_service
    from config.loading import load
    from crypto_trader_pro.cli.context import language
    from utils.texts import say

    places = environment()
    finish_writing(places.config_dir)
    settings = load()
    if refused := refusal(settings.engine.mode):  # real money, or none at all: never by mistake
        line = say(language(), f"preflight.{refused}", mode=settings.engine.mode.value)
        raise ConfigError(line)
    with watched_service(places.var_dir):
        code = run_engine(places, settings, wait_for_lease=wait_for_lease)
    raise typer.Exit(code)


@engine.command("start")
def start() -> None:
    """Start the engine detached, unless one runs. It goes on when this shell ends.

    Example: python -m crypto_trader_pro engine start
    """
    _start_engine()


def _start_engine() -> None:
    """Start the engine and say what became of it.

    Raises:
        typer.Exit: it ended at once; with its exit code.
    """
    from auto_trading.launching import output_file, start_engine
    from crypto_trader_pro.cli.context import language
    from utils.texts import say

    places, spoken = environment(), language()
    found = start_engine(places)
    if found.exit_code is not None:
        typer.echo(say(spoken, "up.engine_ended", result=found.exit_code), err=True)
        for line in found.last_lines:
            typer.echo(line, err=True)
        raise typer.Exit(found.exit_code if found.exit_code > 0 else Exit.INTERNAL)
    code = "up.engine_runs" if found.was_running else "up.engine_started"
    if not found.beats:
        code = "up.engine_slow"
    typer.echo(say(spoken, code, pid=found.pid, file=output_file(places.var_dir, "engine.out")))
