"""`alerts` and `ack`: what waits for a person."""

from contextlib import suppress
from typing import Annotated, Any

import typer

from crypto_trader_pro.cli.context import database, language
from crypto_trader_pro.cli.engine_commands import AsJson, ask
from crypto_trader_pro.cli.output import print_json, print_rows
from crypto_trader_pro.domain.enums import CommandKind
from crypto_trader_pro.domain.errors import InputError
from crypto_trader_pro.explain.answers import answer_text
from crypto_trader_pro.explain.units import worded
from database import alerts as stored
from database.auto_trading_db import unit_of_work
from utils.texts import Language, catalogue, say

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
    rows = [[a["id"], a["raised_at"], a["severity"], a["kind"], _worded(a, spoken)] for a in found]
    print_rows(("id", "raised", "severity", "kind", "what"), rows)


def ack(
    alert_id: Annotated[int, typer.Argument(help="Number of the alert, see `alerts`.")],
    as_json: AsJson = False,
) -> None:
    """Note that an alert was seen. The first who does so stays in its row.

    Example: python -m crypto_trader_pro ack 12
    """
    ask(CommandKind.ACKNOWLEDGE_ALERT, {"alert_ids": [alert_id]}, as_json=as_json)


def _worded(alert: dict[str, Any], spoken: Language) -> str:
    """Return the sentence of an alert; one of another version is shown as it is stored."""
    for prefix in ("risk.", "alert.", ""):
        code = f"{prefix}{alert['code']}"
        if code in catalogue(spoken):
            with suppress(KeyError):  # a number that this version's sentence wants
                return worded(code, alert["numbers"], spoken)
    return answer_text({"code": alert["code"], **alert["numbers"]}, spoken)
