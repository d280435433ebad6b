"""`tokens`: who may read the JSON API."""

from typing import Annotated

import typer

from auto_trading.asking import operator
from crypto_trader_pro.cli.confirming import Yes, confirm
from crypto_trader_pro.cli.context import database, day_zone, language
from crypto_trader_pro.cli.output import AsJson, print_json, print_rows
from crypto_trader_pro.cli.which_run import reading
from database import api_tokens
from database.auto_trading_db import unit_of_work
from utils.clocks import SystemClock
from utils.texts import say

tokens = typer.Typer(help="Tokens that read the JSON API.", no_args_is_help=True)


@tokens.command("create")
def create(
    name: Annotated[str, typer.Argument(help="What it is for, as grafana.")],
    as_json: AsJson = False,
) -> None:
    """Make a token and print it this once: only its hash is stored.

    Example: python -m crypto_trader_pro tokens create grafana
    """
    with database() as engine, unit_of_work(engine, "the token") as session:
        row, token = api_tokens.create(session, name, operator("cli"), SystemClock().now())
        found = {"id": row.id, "name": row.name, "token": token}
    if as_json:
        print_json(found)
        return
    typer.echo(token)
    typer.echo(say(language(), "command.shown_once"), err=True)


@tokens.command("list")
def list_(as_json: AsJson = False) -> None:
    """List the tokens, revoked ones too.

    Example: python -m crypto_trader_pro tokens list
    """
    names = ("id", "name", "hint", "created_at", "created_by", "last_used_at", "revoked_at")
    with reading("the tokens") as session:
        rows = [[getattr(row, name) for name in names] for row in api_tokens.listed(session)]
    if as_json:
        print_json({"tokens": [dict(zip(names, row, strict=True)) for row in rows]})
    elif rows:
        print_rows(names, rows, zone=day_zone())
    else:
        typer.echo(say(language(), "command.no_tokens"))


@tokens.command("revoke")
def revoke(
    token: Annotated[str, typer.Argument(help="Name or number of the token, see `tokens list`.")],
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """End a token for good.

    Example: python -m crypto_trader_pro tokens revoke grafana --yes
    """
    confirm(say(language(), "command.ask_revoke", token=token), yes=yes)
    with database() as engine, unit_of_work(engine, "the token") as session:
        number = api_tokens.number_of(session, token)
        row = api_tokens.revoke(session, number, SystemClock().now())
        found = {"id": row.id, "name": row.name, "revoked_at": row.revoked_at}
    if as_json:
        print_json(found)
    else:
        typer.echo(say(language(), "command.revoked", name=found["name"]))
