"""`compare`: results of backtests and replays side by side."""

from contextlib import ExitStack
from decimal import Decimal
from typing import Annotated

import typer

from auto_trading.backtesting.comparing import Comparison, Difference, Row, compare, load
from auto_trading.backtesting.wording import NONE, difference_text, number_text
from crypto_trader_pro.cli.context import database, language
from crypto_trader_pro.cli.output import print_json, print_rows
from crypto_trader_pro.cli.setup_commands import AsJson
from utils.texts import Language, say


def compare_results(
    results: Annotated[
        list[str],
        typer.Argument(help="Two or more: b12, a finished replay r3, or a summary.json."),
    ],
    as_json: AsJson = False,
) -> None:
    """Set results side by side: differing parameters and assumptions first, then the figures.

    Example: python -m crypto_trader_pro compare b12 b15
    """
    with ExitStack() as stack:
        stored = any(not (r.endswith(".json") or "/" in r) for r in results)
        db = stack.enter_context(database(read_only=True)) if stored else None
        loaded = [load(reference, db) for reference in results]
    found = compare(results, loaded)
    if as_json:
        print_json(found.as_json())
    else:
        _print(found, language())


def _print(found: Comparison, words: Language) -> None:
    if found.same_data is False:
        typer.echo(say(words, "backtest.compare.windows_differ"))
    elif found.same_data is None:
        names = ", ".join(found.names)
        typer.echo(say(words, "backtest.compare.unknown_window", names=names))
    else:
        typer.echo(say(words, "backtest.compare.same_window"))
    if found.same_fills:
        typer.echo(say(words, "backtest.compare.same_fills"))
    different = (*found.data, *found.differing)
    if different:
        key = say(words, "backtest.compare.key")
        title = say(words, "backtest.compare.differing")
        print_rows([key, *found.names], [_difference(row) for row in different], title)
    else:
        typer.echo(say(words, "backtest.compare.no_difference"))
    heads = [
        say(words, "backtest.compare.difference", a=found.names[0], b=name)
        for name in found.names[1:]
    ]
    columns = [say(words, "backtest.figure"), *found.names, *heads]
    rows = [_figure(row, found.asset, words) for row in found.rows]
    print_rows(columns, rows, say(words, "backtest.compare.figures"))


def _difference(row: Difference) -> list[str]:
    return [row.key, *(NONE if value is None else value for value in row.values)]


def _figure(row: Row, asset: str, words: Language) -> list[str]:
    shown = [
        NONE if value is None else number_text(row.code, Decimal(value), row.unit, asset, words)
        for value in row.values
    ]
    differences = [
        NONE if value is None else difference_text(row.code, Decimal(value), row.unit, asset, words)
        for value in row.differences
    ]
    return [say(words, f"backtest.metric.{row.code}"), *shown, *differences]
