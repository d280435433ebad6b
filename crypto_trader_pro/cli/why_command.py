"""`why`: the story of one decision, and whether it would be taken again."""

from typing import Annotated

import typer

from auto_trading.why import sentences, tell
from crypto_trader_pro.cli.context import database, environment, language, settings
from crypto_trader_pro.cli.exits import Exit
from crypto_trader_pro.cli.output import instant, print_json
from crypto_trader_pro.cli.setup_commands import AsJson
from crypto_trader_pro.domain.errors import InputError


def why(
    decision: Annotated[int | None, typer.Option(help="Number of the decision.")] = None,
    symbol: Annotated[str | None, typer.Option(help="With --at: the symbol.")] = None,
    at: Annotated[
        str | None, typer.Option(help="With --symbol: the candle close, as 2025-05-04T12:30.")
    ] = None,
    run: Annotated[str, typer.Option(help="With --symbol: r12 or last.")] = "last",
    as_json: AsJson = False,
) -> None:
    """Tell why a decision was taken, rule by rule, and decide again from what was stored.

    Exit code 1 when deciding again gives another answer.

    Example: python -m crypto_trader_pro why --symbol BTC/USDT:USDT --at 2025-05-04T21:40
    """
    if (decision is None) == (symbol is None or at is None):
        raise InputError("give either --decision, or --symbol and --at")
    with database(read_only=True) as engine:
        story = tell(
            engine, environment().var_dir, decision_id=decision,
            run=run, symbol=symbol or "", at_ms=instant(at, "--at") or 0,
        )  # fmt: skip
    if as_json:
        print_json(story.as_json())
    else:
        for line in sentences(story, language(), settings().engine.trading_day_timezone):
            typer.echo(line)
    if story.rerun.status == "differs":
        raise typer.Exit(Exit.NEGATIVE)
