"""`init-db`, `validate-config`, `status`."""

from pathlib import Path
from typing import Annotated

import typer

from auto_trading.status import status_view
from config.loading import validate
from crypto_trader_pro.cli.context import database, environment
from crypto_trader_pro.cli.exits import Exit
from crypto_trader_pro.cli.output import AsJson, print_json, print_pairs
from database.auto_trading_db import open_database, schema_state
from utils.clocks import SystemClock

__all__ = ["AsJson", "init_db", "status", "validate_config"]


def init_db(as_json: AsJson = False) -> None:
    """Create the database, or bring its schema up to date. Safe to repeat.

    Example: python -m crypto_trader_pro init-db
    """
    with database() as engine:
        state = schema_state(engine)
    answer = {"database": environment().database_label, "schema": state}
    print_json(answer) if as_json else print_pairs(answer)


def validate_config(
    config: Annotated[
        Path | None,
        typer.Option(help="A file or a folder; by default $CTP_CONFIG_DIR, else config/."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check the configuration; every fault is one line that says what is allowed.

    Example: python -m crypto_trader_pro validate-config --config config/risk_config.json
    """
    path = config or environment().config_dir
    faults = validate(path)
    if as_json:
        print_json({"config": str(path), "valid": not faults, "faults": faults})
    elif faults:
        for line in faults:
            typer.echo(line, err=True)
    else:
        typer.echo(f"{path}: valid")
    if faults:
        raise typer.Exit(Exit.NEGATIVE)


def status(as_json: AsJson = False) -> None:
    """Say what the platform is doing and what the last run did. Answers without an engine too.

    Example: python -m crypto_trader_pro status --json
    """
    places = environment()
    engine = open_database(places.database_url, read_only=True, busy_seconds=1.0)
    try:
        answer = status_view(engine, SystemClock().now(), places.var_dir)
    finally:
        engine.dispose()
    print_json(answer) if as_json else print_pairs(answer)
