"""What an operator asks of the engine: start, stop, emergency stop, re-arm, and single orders."""

from collections.abc import Mapping
from typing import Annotated, Any, Final

import typer

from auto_trading.flags import Flags
from crypto_trader_pro.cli.exits import Exit
from crypto_trader_pro.cli.places import environment
from crypto_trader_pro.domain.enums import CommandKind

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]

_BY: Final = "cli"


def start(as_json: AsJson = False) -> None:
    """Let the engine trade. Holds with no engine up too: it begins when one starts.

    Example: python -m crypto_trader_pro start
    """
    ask(CommandKind.START, as_json=as_json)


def stop(as_json: AsJson = False) -> None:
    """End trading: no new cycles, entries canceled; positions keep their protective orders.

    Works while the database hangs, by a flag file.

    Example: python -m crypto_trader_pro stop
    """
    ask(CommandKind.STOP, as_json=as_json)


def emergency_stop(as_json: AsJson = False) -> None:
    """Halt at once, cancel entries, close positions as configured. Latched until `rearm`.

    Works while the database hangs, by a flag file.

    Example: python -m crypto_trader_pro emergency-stop
    """
    # first of all, before anything heavy is even loaded
    Flags(environment().var_dir).put(CommandKind.EMERGENCY_STOP, _BY)
    ask(CommandKind.EMERGENCY_STOP, as_json=as_json)


def rearm(
    confirm: Annotated[str, typer.Option(help="The word REARM.")], as_json: AsJson = False
) -> None:
    """Lift an emergency or a daily loss halt. Trading stays stopped until `start`.

    Example: python -m crypto_trader_pro rearm --confirm REARM
    """
    from auto_trading.control import REARM_WORD
    from crypto_trader_pro.domain.errors import InputError

    if confirm != REARM_WORD:
        raise InputError(f"--confirm was {confirm!r}, allowed: {REARM_WORD}")
    ask(CommandKind.REARM, {"confirm": confirm}, as_json=as_json)


def close(
    symbol: Annotated[str, typer.Argument(help="As BTC/USDT:USDT or BTC/USDT.")],
    as_json: AsJson = False,
) -> None:
    """Close the position of a symbol at market.

    Example: python -m crypto_trader_pro close BTC/USDT
    """
    ask(CommandKind.CLOSE_POSITION, {"symbol": symbol}, as_json=as_json)


def cancel(
    order_id: Annotated[str, typer.Argument(help="Our id of the order, as r3o0000012.")],
    as_json: AsJson = False,
) -> None:
    """Cancel an entry that works at the venue. Protective orders are refused.

    Example: python -m crypto_trader_pro cancel r3o0000012
    """
    ask(CommandKind.CANCEL_ORDER, {"client_order_id": order_id}, as_json=as_json)


def lift_lock(
    symbol: Annotated[str, typer.Argument(help="As BTC/USDT:USDT or BTC/USDT.")],
    as_json: AsJson = False,
) -> None:
    """Let a locked symbol trade again before its time.

    Example: python -m crypto_trader_pro lift-lock BTC/USDT
    """
    ask(CommandKind.LIFT_LOCK, {"symbol": symbol}, as_json=as_json)


def train(as_json: AsJson = False) -> None:
    """Train the model now, in a process of its own; the engine does not wait.

    Example: python -m crypto_trader_pro train
    """
    ask(CommandKind.TRAIN_NOW, as_json=as_json)


def job(
    name: Annotated[str, typer.Argument(help="As equity_snapshot or order_status.")],
    as_json: AsJson = False,
) -> None:
    """Run one of the engine's jobs now.

    Example: python -m crypto_trader_pro job equity_snapshot
    """
    ask(CommandKind.RUN_JOB, {"job": name}, as_json=as_json)


def ask(
    kind: CommandKind, payload: Mapping[str, Any] | None = None, *, as_json: bool = False
) -> None:
    """Ask, wait a moment for the answer and say what happened."""
    from auto_trading.asking import ask_engine, operator
    from crypto_trader_pro.cli.asked_text import as_mapping, is_settled, sentence
    from crypto_trader_pro.cli.context import language
    from crypto_trader_pro.cli.output import print_json

    found = ask_engine(environment(), kind, payload, by=operator(_BY))
    print_json(as_mapping(found)) if as_json else typer.echo(sentence(found, language()))
    if not is_settled(found):
        raise typer.Exit(Exit.NEGATIVE)
