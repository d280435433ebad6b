"""`alerts` and `ack`: what waits for a person."""

from typing import Annotated, Any

import typer

from crypto_trader_pro.cli.context import database, day_zone, language
from crypto_trader_pro.cli.engine_commands import AsJson, ask
from crypto_trader_pro.cli.output import print_json, print_rows
from crypto_trader_pro.domain.enums import CommandKind
from crypto_trader_pro.domain.errors import InputError
from crypto_trader_pro.explain.alerts import sentence
from database import alerts as stored
from database.auto_trading_db import unit_of_work
from utils.texts import say

_MOST = 1000


def alerts(
    lines: Annotated[int, typer.Option(help="How many, newest first.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List the alerts that nobody has acknowledged.

    Example: python -m crypto_trader_pro alerts
    """
    if not 0 < lines <= _MOST:
        raise InputError(f"--lines was {lines}, allowed: 1 to {_MOST}")
    with database(read_only=True) as engine, unit_of_work(engine, "the alerts") as session:
        found: list[dict[str, Any]] = [
            {"id": a.id, "raised_at": a.raised_at, "severity": a.severity, "kind": a.kind,
             "code": a.code, "numbers": a.numbers}
            for a in stored.open_alerts(session, limit=lines)
        ]  # fmt: skip
    if as_json:
        print_json({"alerts": found})
        return
    spoken = language()
    if not found:
        typer.echo(say(spoken, "operate.no_alerts"))
        return
    zone = day_zone()
    rows = [
        [a["id"], a["raised_at"], a["severity"], a["kind"],
         sentence(a["code"], a["numbers"], spoken, zone)]
        for a in found
    ]  # fmt: skip
    print_rows(("id", "raised", "severity", "kind", "what"), rows, zone=zone)


def ack(
    alert_id: Annotated[int, typer.Argument(help="Number of the alert, see `alerts`.")],
    as_json: AsJson = False,
) -> None:
    """Note that an alert was seen. The first who does so stays in its row.

    Example: python -m crypto_trader_pro ack 12
    """
    ask(CommandKind.ACKNOWLEDGE_ALERT, {"alert_ids": [alert_id]}, as_json=as_json)
