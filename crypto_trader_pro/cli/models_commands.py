"""`models`: what was trained, and how it did out of sample."""

from typing import Annotated, Any

import typer

from crypto_trader_pro.cli.context import database, language
from crypto_trader_pro.cli.model_text import table
from crypto_trader_pro.cli.output import print_json, print_pairs, print_rows
from crypto_trader_pro.cli.setup_commands import AsJson
from crypto_trader_pro.domain.errors import InputError
from database import runs, trained_models
from database.auto_trading_db import unit_of_work
from database.models import ModelRow

models = typer.Typer(help="Trained models and how they did out of sample.", no_args_is_help=True)


@models.command("list")
def list_(
    run: Annotated[str | None, typer.Option(help="Only models of this run: r12 or last.")] = None,
    as_json: AsJson = False,
) -> None:
    """List trained models, newest first.

    Example: python -m crypto_trader_pro models list
    """
    with database(read_only=True) as engine, unit_of_work(engine, "the models") as session:
        run_id = runs.number(runs.find(session, run)) if run else None
        found = [_row(m) for m in trained_models.newest(session, run_id=run_id)]
    if as_json:
        print_json({"models": found})
    elif found:
        columns = ("model_id", "strategy", "timeframe", "trained_at", "expires_at", "rows")
        print_rows(columns, [[m[c] for c in columns] for m in found])
    else:
        typer.echo("No model has been trained yet: replay --strategy ai_signal trains one.")


@models.command("show")
def show(
    model: Annotated[str, typer.Argument(help="Its id, or the first letters of it.")],
    as_json: AsJson = False,
) -> None:
    """Show one model: data, dates, and every out-of-sample figure beside its baselines.

    Example: python -m crypto_trader_pro models show 3f9a2c --json
    """
    with database(read_only=True) as engine, unit_of_work(engine, "the model") as session:
        matching = [
            m for m in trained_models.newest(session, limit=10_000) if m.model_id.startswith(model)
        ]
        if len(matching) != 1:
            raise InputError(f"model was {model!r}: {len(matching)} models begin so, expected 1")
        found = _row(matching[0])
    if as_json:
        print_json(found)
        return
    print_pairs({key: value for key, value in found.items() if key != "metrics"})
    if "model" in found["metrics"]:
        print_rows(*table({"out_of_sample": found["metrics"]}, language()))


def _row(m: ModelRow) -> dict[str, Any]:
    names = (
        "model_id", "strategy", "timeframe", "trained_at", "expires_at", "data_from", "data_to",
        "rows", "symbols", "schema_hash", "config_hash", "training_seconds", "metrics",
    )  # fmt: skip
    return {name: getattr(m, name) for name in names}
