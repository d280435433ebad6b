"""`jobs`: when the engine's background jobs run and how their last run went; running one."""

from typing import Annotated

import typer

from auto_trading.status import process_is_gone
from crypto_trader_pro.cli.context import day_zone
from crypto_trader_pro.cli.engine_commands import ask
from crypto_trader_pro.cli.output import AsJson, print_json, print_rows
from crypto_trader_pro.cli.which_run import reading
from crypto_trader_pro.domain.enums import CommandKind
from database.views.jobs import everything
from utils.clocks import SystemClock

jobs = typer.Typer(invoke_without_command=True)


@jobs.callback()
def list_(context: typer.Context, as_json: AsJson = False) -> None:
    """List the background jobs, how their last run went and when the next comes at the latest.

    Example: python -m crypto_trader_pro jobs --json
    """
    if context.invoked_subcommand is not None:
        return
    with reading("the jobs") as session:
        found = everything(session, SystemClock().now(), process_is_gone)
    if as_json:
        print_json(found.as_json())
        return
    columns = ("job", "state", "started", "seconds", "failures", "next by", "error")
    rows = [
        [
            j.name,
            j.state.value,
            j.started_at,
            j.seconds_taken,
            j.failures,
            j.next_by,
            j.error or "-",
        ]
        for j in found.jobs
    ]
    print_rows(columns, rows, zone=day_zone())


@jobs.command("run")
def run(
    name: Annotated[str, typer.Argument(help="As equity_snapshot or order_status.")],
    as_json: AsJson = False,
) -> None:
    """Run one of the jobs now.

    Example: python -m crypto_trader_pro jobs run equity_snapshot
    """
    ask(CommandKind.RUN_JOB, {"job": name}, as_json=as_json)
