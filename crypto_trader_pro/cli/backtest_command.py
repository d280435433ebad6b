"""`backtest`: what a strategy would have made of recorded candles, with everything assumed said."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from auto_trading.backtesting.request import ENGINES, BacktestRequest, EngineName
from auto_trading.candle_market import ReplayRequest
from auto_trading.translation import STRATEGIES, enabled_strategies
from config.loading import load
from config.settings import Settings
from crypto_trader_pro.cli.candle_options import (
    CandleFiles,
    From,
    FundingFile,
    Interval,
    SetKeys,
    Symbols,
    Timeframe,
    To,
    paired,
    progress_bar,
    seconds_of,
)
from crypto_trader_pro.cli.context import (
    database,
    environment,
    language,
    overrides,
    settings,
)
from crypto_trader_pro.cli.interrupts import at_once
from crypto_trader_pro.cli.memory import give_back_large_arrays
from crypto_trader_pro.cli.output import AsJson, instant, print_json
from crypto_trader_pro.cli.strategy_params import check_strategies, parameter_overrides
from crypto_trader_pro.domain.errors import InputError
from utils.clocks import SystemClock
from utils.texts import Language, say

if TYPE_CHECKING:
    from sqlalchemy import Engine as Database

    from auto_trading.backtesting.output import Findings


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to become of a result.

    Args:
        name: of the stored result.
    """

    store: bool
    name: str
    out: Path | None
    html: Path | None
    csv: Path | None
    language: Language
    as_json: bool


def backtest(
    strategy: Annotated[
        list[str] | None,
        typer.Option(help=f"{' or '.join(STRATEGIES)}; repeat for several. Default: the enabled."),
    ] = None,
    param: Annotated[
        list[str] | None,
        typer.Option(help="Parameter of the strategy: fast=10; of several: ema_cross.fast=10."),
    ] = None,
    candles: CandleFiles = None,
    symbol: Symbols = None,
    timeframe: Timeframe = "5m",
    from_: From = None,
    to: To = None,
    interval: Interval = None,
    funding: FundingFile = None,
    detail_timeframe: Annotated[
        str | None,
        typer.Option(help="The candles given are of this finer length: it resolves what was"
                     " touched first inside a candle of --timeframe."),
    ] = None,
    engine: Annotated[
        str, typer.Option(help="compiled, or reference: the engine of the main job. Same result.")
    ] = "compiled",
    set_: SetKeys = None,
    name: Annotated[str, typer.Option(help="A name to find the stored result by.")] = "",
    out: Annotated[
        Path | None, typer.Option(help="New folder for everything: JSON, CSV and the report.")
    ] = None,
    html: Annotated[
        Path | None, typer.Option(help="Write the report here: one file, nothing from outside.")
    ] = None,
    csv: Annotated[
        Path | None, typer.Option(help="New folder for fills, orders, trades, equity and months.")
    ] = None,
    lang: Annotated[
        str | None, typer.Option("--language", help="Of the report: ko or en. Default: yours.")
    ] = None,
    no_store: Annotated[
        bool, typer.Option("--no-store", help="Keep nothing: no row, no files, no counted trial.")
    ] = False,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Run strategies over recorded candles on simulated money; costs are on by default.

    Example: python -m crypto_trader_pro backtest --strategy ema_cross --param fast=10 --candles
    btc.csv.gz --symbol BTC/USDT:USDT --timeframe 1m --html report.html
    """
    give_back_large_arrays()
    wanted = Wanted(not no_store, name, out, html, csv, _language(lang), as_json)
    if engine not in ENGINES:
        raise InputError(f"--engine was {engine!r}, allowed: {', '.join(ENGINES)}")
    loaded, names, changes = _settings(strategy or [], param or [], set_ or [])
    length = seconds_of(timeframe)
    if detail_timeframe is not None:
        seconds_of(detail_timeframe, "--detail-timeframe")
    market = ReplayRequest(
        symbols=tuple(symbol or loaded.symbols),
        paths=paired(candles or [], symbol or []),
        timeframe=timeframe,
        interval_seconds=length if interval is None else interval,
        strategies=names,
        from_ms=instant(from_, "--from"),
        to_ms=instant(to, "--to"),
        funding=funding,
    )
    request = BacktestRequest(market, detail_timeframe)
    _check_places(wanted)
    found = None
    if market.paths and engine == "compiled":  # seconds: only then the database is loaded
        found = _run(request, loaded, engine, None, wanted)
    with _opened(is_needed=wanted.store or not market.paths, durable=wanted.store) as db:
        found = found or _run(request, loaded, engine, db, wanted)
        _hand_over(found, db, wanted, changes)


def _settings(
    strategies: Sequence[str], params: Sequence[str], assigned: Sequence[str]
) -> tuple[Settings, tuple[str, ...], Mapping[str, Any]]:
    """Return the settings in force, the strategies, and what differs from the configuration."""
    names = tuple(strategies) or tuple(enabled_strategies(settings()))
    if not names:
        raise InputError("no strategy was given and none is enabled")
    check_strategies(names)
    own, other = parameter_overrides(params, names), overrides(assigned)
    twice = sorted(own.keys() & other.keys())
    if twice:
        raise InputError(f"{twice[0]} was given by --param and by --set")
    changes = {**own, **other}
    return load(overrides=changes), names, changes


def _run(
    request: BacktestRequest, loaded: Settings, engine: EngineName, db: "Database | None",
    wanted: Wanted,
) -> "Findings":  # fmt: skip
    from auto_trading.backtesting.backtester import Backtester
    from auto_trading.backtesting.compiled import is_compiled
    from auto_trading.backtesting.output import Findings
    from auto_trading.backtesting.warmup import check_warm

    tester = Backtester.load(request, db, environment().var_dir)
    candles = tester.candles
    check_warm(candles, request.market.strategies, loaded)
    if engine == "compiled" and not is_compiled(tester.var_dir):
        typer.echo(say(language(), "backtest.compiling"), err=True)
    total = (candles.end_ms - candles.start_ms) // candles.timeframe_ms
    with at_once(), progress_bar("backtest") as told:
        progress = None if told is None else lambda played: told(played, total)
        done = tester.run(loaded, engine=engine, progress=progress)
    # intervals by bootstrap take seconds; whoever reads a report waits for them
    has_report = bool(wanted.html or wanted.out)
    found = Findings.of(done, candles, intervals=has_report)
    # only a report draws candles; of a million they are 48 MB that storing has better use for
    return found if has_report else replace(found, candles=candles.emptied())


def _hand_over(
    found: "Findings", db: "Database | None", wanted: Wanted, changes: Mapping[str, Any]
) -> None:
    """Store, write and print the result."""
    from auto_trading.backtesting.output import summary

    folder = None
    if wanted.store and db is not None:
        from auto_trading.backtesting.storing import store

        kept = store(
            found, db, environment().var_dir, SystemClock().now(),
            name=wanted.name, changes=changes,
        )  # fmt: skip
        found, figures, folder = kept.found, kept.summary, kept.folder
    else:
        figures = summary(found)
    written = _write(found, figures, wanted)
    if wanted.as_json:
        print_json(figures)
        return
    from crypto_trader_pro.cli.backtest_text import print_result

    print_result(figures, folder, written, wanted.language)


def _write(found: "Findings", figures: Mapping[str, Any], wanted: Wanted) -> list[Path]:
    """Write the files that were asked for; return them."""
    if not (wanted.out or wanted.html or wanted.csv):
        return []
    from auto_trading.backtesting import export

    report = ""
    if wanted.html or wanted.out:
        from auto_trading.backtesting.html_report import html_report

        report = html_report(found, figures, wanted.language)
    if wanted.html:
        export.write_file(wanted.html, report)
    if wanted.csv:
        with export.whole_folder(wanted.csv) as place:
            export.write_tables(found, place)
    if wanted.out:
        with export.whole_folder(wanted.out) as place:
            export.write_tables(found, place)
            export.write_summary(figures, place)
            export.write_everything(found, figures, place)
            export.write_file(place / "report.html", report)
    return [place for place in (wanted.html, wanted.csv, wanted.out) if place is not None]


def _check_places(wanted: Wanted) -> None:
    """Refuse places that cannot be written before anything is computed."""
    for name, folder in (("--out", wanted.out), ("--csv", wanted.csv)):
        if (
            folder is not None
            and folder.exists()
            and any(folder.iterdir() if folder.is_dir() else [1])
        ):
            raise InputError(f"{name} {folder} is there already, allowed: a new or empty folder")
    if wanted.html is not None and wanted.html.is_dir():
        raise InputError(f"--html {wanted.html} is a folder, allowed: a file")


def _language(given: str | None) -> Language:
    if given is None:
        return language()
    if given not in set(Language):
        raise InputError(f"--language was {given!r}, allowed: {', '.join(Language)}")
    return Language(given)


@contextmanager
def _opened(*, is_needed: bool, durable: bool) -> "Iterator[Database | None]":
    """Open the database where something is read from it or stored in it."""
    if not is_needed:
        yield None
        return
    with database(durable=durable) as engine:
        yield engine
