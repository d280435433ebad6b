"""`config`: change the configuration through the engine, take a change back, list what was."""

import json
from typing import Annotated, Any

import typer

from crypto_trader_pro.cli.context import database, overrides
from crypto_trader_pro.cli.engine_commands import AsJson, ask
from crypto_trader_pro.cli.output import print_json, print_rows
from crypto_trader_pro.domain.enums import CommandKind
from database import config_history
from database.auto_trading_db import unit_of_work

config = typer.Typer(help="Change the configuration through the engine.", no_args_is_help=True)


@config.command("apply")
def apply(
    changes: Annotated[list[str], typer.Argument(help="KEY=VALUE, values as in the files.")],
    as_json: AsJson = False,
) -> None:
    """Change keys of the files. The engine checks the whole, writes it and goes on with it.

    Example: python -m crypto_trader_pro config apply risk_management.position_size_pct=1.5
    """
    asked = {key: _value(text) for key, text in overrides(changes, "change").items()}
    ask(CommandKind.APPLY_CONFIG, {"changes": asked}, as_json=as_json)


@config.command("rollback")
def rollback(
    config_id: Annotated[int, typer.Argument(help="Number of the configuration, see `history`.")],
    as_json: AsJson = False,
) -> None:
    """Go back to a configuration that was in force before.

    Example: python -m crypto_trader_pro config rollback 3
    """
    ask(CommandKind.ROLLBACK_CONFIG, {"config_id": config_id}, as_json=as_json)


@config.command("history")
def history(as_json: AsJson = False) -> None:
    """List the configurations that were applied, newest first.

    Example: python -m crypto_trader_pro config history
    """
    names = ("id", "created_at", "applied_by", "is_enabled", "trading_mode", "config_hash")
    with database(read_only=True) as engine, unit_of_work(engine, "the history") as session:
        rows = [[getattr(row, name) for name in names] for row in config_history.history(session)]
    if as_json:
        print_json({"configurations": [dict(zip(names, row, strict=True)) for row in rows]})
    else:
        print_rows(names, [[*row[:-1], row[-1][:12]] for row in rows])


def _value(text: str) -> Any:
    """Read a value as the files have it; what is no JSON is a word."""
    try:
        return json.loads(text)
    except ValueError:
        return text
