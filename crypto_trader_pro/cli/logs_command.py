"""`logs`: what the engine logged, read from its files."""

import json
from typing import Annotated

import typer

from crypto_trader_pro.cli.places import environment
from crypto_trader_pro.domain.errors import InputError
from utils.log_reading import Entry, LogFilter, follow, newest, text_of

_MOST = 100_000


def logs(
    follow_: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on with what is written from now on.")
    ] = False,
    level: Annotated[
        str | None, typer.Option(help="DEBUG, INFO, WARNING, ERROR or CRITICAL, and above.")
    ] = None,
    component: Annotated[str | None, typer.Option(help="ENGINE, RISK, EXECUTOR, ...")] = None,
    lines: Annotated[int, typer.Option(help="How many of the last ones.")] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """Show the engine's log. Reads the files, so it works without the database too.

    Example: python -m crypto_trader_pro logs --level WARNING --lines 20
    """
    if not 0 <= lines <= _MOST:
        raise InputError(f"--lines was {lines}, allowed: 0 to {_MOST}")
    folder = environment().var_dir / "logs"
    wanted = LogFilter(level and level.upper(), component and component.upper())
    for entry in newest(folder, wanted, lines):
        _show(entry, as_json=as_json)
    if follow_:
        try:
            for entry in follow(folder, wanted):
                _show(entry, as_json=as_json)
        except KeyboardInterrupt:
            return  # that is how following ends


def _show(entry: Entry, *, as_json: bool) -> None:
    typer.echo(json.dumps(entry, ensure_ascii=False) if as_json else text_of(entry))
