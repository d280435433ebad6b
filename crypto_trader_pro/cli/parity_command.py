"""`parity`: a recorded session beside its backtest over the same candles."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, Final

import typer

from auto_trading.parity.comparing import compare
from auto_trading.parity.report import report
from crypto_trader_pro.cli.context import database, environment, language, settings
from crypto_trader_pro.cli.output import print_json, print_rows
from crypto_trader_pro.cli.setup_commands import AsJson
from crypto_trader_pro.domain.instruments import plain_text
from crypto_trader_pro.explain.parity_words import notes, verdict, why_text
from crypto_trader_pro.explain.units import time_text
from utils.texts import Language, say

_SHOWN: Final = 20  # trades that are listed; all are in the JSON


def parity(
    session: Annotated[str, typer.Option(help="The session: r12 or last.")] = "last",
    as_json: AsJson = False,
) -> None:
    """Set a recorded session beside its backtest, and split the gap in profit into its causes.

    Example: python -m crypto_trader_pro parity --session last
    """
    with database(read_only=True) as engine:
        found = report(compare(engine, session, environment().var_dir))
    if as_json:
        print_json(found)
        return
    words = language()
    _head(found, words)
    _parts(found, words)
    _trades(found, words)
    typer.echo()
    for line in (verdict(found, words), *notes(found, words)):
        typer.echo(line)


def _head(found: Mapping[str, Any], words: Language) -> None:
    zone = settings().engine.trading_day_timezone
    typer.echo(
        say(
            words, "parity.head", session=found["session"], symbols=", ".join(found["symbols"]),
            strategies=", ".join(found["strategies"]), timeframe=found["timeframe"],
            start=time_text(found["from"], zone), end=time_text(found["until"], zone),
        )
    )  # fmt: skip


def _parts(found: Mapping[str, Any], words: Language) -> None:
    """Print the way from the backtest's profit to the session's."""
    rows = [[say(words, "parity.backtest_profit"), _signed(found["backtest_profit"]), "", ""]]
    for part in found["parts"]:
        name = part["part"]
        rows.append([
            say(words, f"parity.part.{name}"), _signed(part["amount"]), str(part["count"]),
            say(words, f"parity.part_help.{name}"),
        ])  # fmt: skip
    rows.append([say(words, "parity.session_profit"), _signed(found["session_profit"]), "", ""])
    rows.append([say(words, "parity.gap"), _signed(found["gap"]), "", ""])
    columns = [
        say(words, "parity.part"), say(words, "parity.amount", asset=found["asset"]),
        say(words, "parity.trades"), say(words, "parity.meaning"),
    ]  # fmt: skip
    print_rows(columns, rows)


def _trades(found: Mapping[str, Any], words: Language) -> None:
    zone = settings().engine.trading_day_timezone
    rows = [
        [
            say(words, f"parity.part.{part['part']}"), _signed(trade["amount"]),
            trade["symbol"] or say(words, "parity.none"),
            time_text(trade["decided_at"], zone) if trade["symbol"] else "",
            _profit(trade["session"], words), _profit(trade["backtest"], words),
            why_text(trade["why"], words),
        ]
        for part in found["parts"]
        for trade in part["trades"]
    ][:_SHOWN]  # fmt: skip
    if rows:
        columns = [
            say(words, "parity.part"), say(words, "parity.amount", asset=found["asset"]),
            *(say(words, f"parity.{n}") for n in ("symbol", "decided_at", "session", "backtest")),
            say(words, "parity.why"),
        ]  # fmt: skip
        print_rows(columns, rows, say(words, "parity.list"))


def _signed(amount: Decimal) -> str:
    """Return an amount with its sign, no digit left out: the parts must sum before one's eyes."""
    return ("+" if amount > 0 else "") + plain_text(amount)


def _profit(side: Mapping[str, Any] | None, words: Language) -> str:
    return say(words, "parity.none") if side is None else _signed(side["profit"])
