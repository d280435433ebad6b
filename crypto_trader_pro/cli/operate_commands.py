"""The stop procedure step by step: no new orders, no waiting ones, no positions, no engine."""

from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from crypto_trader_pro.cli.confirming import Yes, confirm, confirm_word
from crypto_trader_pro.cli.durations import seconds_of
from crypto_trader_pro.cli.engine_commands import AsJson, ask
from crypto_trader_pro.cli.exits import Exit
from crypto_trader_pro.cli.places import environment
from crypto_trader_pro.domain.enums import CommandKind
from crypto_trader_pro.domain.errors import InputError

if TYPE_CHECKING:
    from auto_trading.shutting_down import ShutDown

RESUME_WORD: Final = "RESUME"
_GRADUAL: Final = "10m"
_DAY: Final = 86_400


def halt_new_orders(as_json: AsJson = False) -> None:
    """Take no new risk until `resume`; exits and protective orders go on.

    Holds with no engine up too: the next one begins so.

    Example: python -m crypto_trader_pro halt-new-orders
    """
    ask(CommandKind.PAUSE, as_json=as_json)


def resume(
    confirm: Annotated[
        str | None, typer.Option(help="The word RESUME; asked for where it is missing.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Let new orders be sent again after `halt-new-orders`.

    Example: python -m crypto_trader_pro resume --confirm RESUME
    """
    confirm_word(confirm, RESUME_WORD, _said("command.ask_resume"))
    ask(CommandKind.RESUME, as_json=as_json)


def cancel_pending_orders(
    symbol: Annotated[str | None, typer.Option(help="Only of this symbol, as BTC/USDT.")] = None,
    as_json: AsJson = False,
) -> None:
    """Cancel the entries that work at the venue. Protective orders stay.

    Example: python -m crypto_trader_pro cancel-pending-orders
    """
    ask(CommandKind.CANCEL_ENTRIES, {} if symbol is None else {"symbol": symbol}, as_json=as_json)


def close_positions(
    gradual: Annotated[
        bool, typer.Option("--gradual", help="In equal steps over ten minutes, or over --over.")
    ] = False,
    over: Annotated[
        str | None, typer.Option(help="How long it may take, market time: 30s, 10m, 2h.")
    ] = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Take no new risk, cancel entries and close every position: at once, or little by little.

    Example: python -m crypto_trader_pro close-positions --gradual --over 10m
    """
    if over is not None and not gradual:
        raise InputError("--over was given without --gradual, allowed: both")
    seconds = seconds_of(over or _GRADUAL, "--over", _DAY) if gradual else 0
    if not yes:
        code = "ask_close_gradually" if gradual else "ask_close_all"
        code = code if _is_any_open() else "ask_close_nothing"
        confirm(_said(f"command.{code}", minutes=f"{seconds / 60:g}"), yes=yes)
    ask(CommandKind.CLOSE_ALL, {"over_seconds": seconds} if seconds else {}, as_json=as_json)


def shutdown(
    graceful: Annotated[
        bool,
        typer.Option("--graceful", help="First halt, cancel entries and let what is sent settle."),
    ] = False,
    wait: Annotated[
        str, typer.Option(help="How long orders may settle and the engine may end: 30s, 2m.")
    ] = "30s",
    as_json: AsJson = False,
) -> None:
    """End the engine. Positions keep their protective orders.

    With --graceful it ends only once no order is under way; it stays halted until `resume`.

    Example: python -m crypto_trader_pro shutdown --graceful
    """
    from auto_trading.asking import operator
    from auto_trading.shutting_down import shut_down
    from crypto_trader_pro.cli.output import print_json

    seconds = seconds_of(wait, "--wait", _DAY)
    found = shut_down(environment(), operator("cli"), graceful=graceful, seconds=seconds)
    if as_json:
        print_json(found.as_json())
    else:
        for line in _told(found):
            typer.echo(line)
    if not found.has_ended:
        raise typer.Exit(Exit.NEGATIVE)


def _is_any_open() -> bool:
    from crypto_trader_pro.cli.which_run import chosen, reading
    from database.views.positions import open_positions

    with reading("the positions") as session:
        run = chosen(session, None)
        return run is not None and bool(open_positions(session, run.id))


def _told(found: "ShutDown") -> list[str]:
    """Return what happened, a line each."""
    from crypto_trader_pro.cli.asked_text import sentence
    from crypto_trader_pro.cli.context import language

    spoken = language()
    lines = [sentence(step, spoken) for step in found.steps]
    if found.in_flight:
        lines.append(_said("command.in_flight", orders=", ".join(found.in_flight)))
    for position in found.positions:
        code = "command.kept" if position.protection.is_whole else "command.kept_bare"
        quantity = position.as_json()["quantity"]
        lines.append(
            _said(code, symbol=position.symbol, side=position.side, quantity=quantity)
        )  # fmt: skip
    if found.knows_positions and not found.positions:
        lines.append(_said("command.no_positions"))
    return [*lines, _said(f"command.shutdown_{found.end}")]


def _said(code: str, **values: Any) -> str:
    from crypto_trader_pro.cli.context import language
    from utils.texts import say

    return say(language(), code, **values)
