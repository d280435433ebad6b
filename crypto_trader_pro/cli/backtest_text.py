"""The result of a backtest for a person at a terminal."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import typer

from auto_trading.backtesting import wording
from crypto_trader_pro.cli.model_text import table, verdict
from crypto_trader_pro.cli.output import print_rows
from utils.texts import Language, say


def print_result(
    figures: Mapping[str, Any], folder: Path | None, written: Sequence[Path], language: Language
) -> None:
    """Print the figures with their samples, then what they rest on, then where the rest is."""
    for line in head(figures, language):
        typer.echo(line)
    typer.echo("")
    print_rows(*figures_table(figures, language))
    if model := figures.get("model"):
        typer.echo("")
        print_rows(*table(model, language))
        typer.echo(verdict(model, language))
    typer.echo("")
    typer.echo(say(language, "backtest.assumptions"))
    for line in wording.assumption_lines(figures["assumptions"], language):
        typer.echo(f"  {line}")
    typer.echo("")
    for line in tail(figures, folder, written, language):
        typer.echo(line)


def head(figures: Mapping[str, Any], language: Language) -> list[str]:
    """Return what was run, by which engine, and how it ended."""
    lines = [
        say(
            language, "backtest.head",
            strategies=", ".join(figures["strategy"]), symbols=", ".join(figures["symbols"]),
            timeframe=figures["timeframe"], start=wording.day(figures["from"]),
            end=wording.day(figures["until"]),
        ),
        say(
            language, "backtest.ran", bars=f"{figures['bars']:,}", seconds=figures["seconds"],
            rate=f"{figures['bars_per_second']:,}",
            engine=say(language, f"backtest.engine_{figures['engine']}"),
        ),
    ]  # fmt: skip
    if figures["engine_refused"]:
        lines.append(say(language, "backtest.refused", reason=figures["engine_refused"]))
    asset = wording.asset_of(figures)
    state = say(language, f"state.{figures['trading_state']}")
    lines.append(
        say(
            language, "backtest.ended", equity=figures["equity"], asset=asset,
            unrealized=figures["unrealized_pnl"], open=figures["open_positions"], state=state,
        )
    )  # fmt: skip
    return lines


def figures_table(
    figures: Mapping[str, Any], language: Language
) -> tuple[list[str], list[list[str]]]:
    """Return headings and rows of every figure beside buy and hold."""
    asset, held = wording.asset_of(figures), figures["buy_and_hold"]["metrics"]
    names = ("figure", "strategy_column", "interval", "sample", "hold_column")
    rows = [
        [
            say(language, f"backtest.metric.{code}"),
            wording.value_text(code, metric, asset, language),
            wording.interval_text(code, metric, asset, language),
            wording.sample_text(metric, language),
            wording.value_text(code, held[code], asset, language) if code in held else wording.NONE,
        ]
        for code, metric in figures["metrics"].items()
    ]
    return [say(language, f"backtest.{name}") for name in names], rows


def tail(
    figures: Mapping[str, Any], folder: Path | None, written: Sequence[Path], language: Language
) -> list[str]:
    """Return the caveats and where the files are."""
    lines = [say(language, "backtest.simulated"), *wording.trial_lines(figures, language)]
    if folder is None:
        lines.append(say(language, "backtest.not_stored"))
    else:
        reference = figures["run_id"]
        lines.append(say(language, "backtest.stored", reference=reference, folder=folder))
    return [*lines, *(say(language, "backtest.written", file=place) for place in written)]
