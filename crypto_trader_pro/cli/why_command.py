"""`why`: the story of one decision, and whether it would be taken again."""

from typing import TYPE_CHECKING, Annotated

import typer

from auto_trading.why import sentences, tell
from crypto_trader_pro.cli.context import database, environment, language, settings
from crypto_trader_pro.cli.exits import Exit
from crypto_trader_pro.cli.output import instant, print_json, print_rows
from crypto_trader_pro.cli.setup_commands import AsJson
from crypto_trader_pro.domain.errors import InputError
from crypto_trader_pro.domain.timeframes import to_datetime
from crypto_trader_pro.explain.units import time_text
from database import runs
from utils.texts import Language, say

if TYPE_CHECKING:
    from auto_trading.reexecution import Reexecution


def why(
    decision: Annotated[int | None, typer.Option(help="Number of the decision.")] = None,
    symbol: Annotated[str | None, typer.Option(help="With --at: the symbol.")] = None,
    at: Annotated[
        str | None, typer.Option(help="With --symbol: the candle close, as 2025-05-04T12:30.")
    ] = None,
    run: Annotated[str, typer.Option(help="With --symbol: r12 or last.")] = "last",
    replay: Annotated[
        int | None,
        typer.Option(help="Play the run again up to this decision, and compare every column."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Tell why a decision was taken, rule by rule, and decide again from what was stored.

    Exit code 1 when deciding again gives another answer.

    Example: python -m crypto_trader_pro why --symbol BTC/USDT:USDT --at 2025-05-04T21:40
    """
    if replay is not None:
        if decision is not None or symbol is not None or at is not None:
            raise InputError("--replay names its decision; only --json goes with it")
        _replay(replay, as_json=as_json)
        return
    if (decision is None) == (symbol is None or at is None):
        raise InputError("give either --decision, or --symbol and --at, or --replay")
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


def _replay(decision_id: int, *, as_json: bool) -> None:
    """Make a decision once more and print what is stored beside what it gives now."""
    from auto_trading.reexecution import reexecuted  # slow to import

    with database(read_only=True) as engine:
        found = reexecuted(engine, environment().var_dir, decision_id)
    print_json(found.as_json()) if as_json else _print(found, language())
    if not found.is_same:
        raise typer.Exit(Exit.NEGATIVE)


def _print(found: "Reexecution", words: Language) -> None:
    """Print every column of the decision, then what differs of its inputs and signals."""
    d, zone = found.decision, settings().engine.trading_day_timezone
    code = "why.replay.same" if found.is_same else "why.replay.differs"
    typer.echo(
        say(
            words, code, decision=d.id, run=runs.public_id(found.run), symbol=d.symbol,
            at=time_text(to_datetime(d.at_ms), zone),
        )
    )  # fmt: skip
    same, differs = say(words, "why.replay.equal"), say(words, "why.replay.other")
    shown = [one for one in found.columns if one.name not in ("inputs", "detail")]
    detail = [one for one in found.columns if one.name == "detail" and not one.is_same]
    beside = [one for one in (*found.inputs, *found.signals) if not one.is_same]
    heads = [say(words, f"why.replay.{name}") for name in ("column", "stored", "now", "verdict")]
    rows = [
        [one.name, one.stored, one.now, same if one.is_same else differs]
        for one in (*shown, *detail, *beside)
    ]
    print_rows(heads, rows)
    typer.echo(
        say(
            words, "why.replay.rest", inputs=len(found.inputs), signals=len(found.signals),
            differing=len(beside), decision=d.id,
        )
    )  # fmt: skip
