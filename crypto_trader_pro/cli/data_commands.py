"""`data`: candles and funding rates in the database and in files."""

from pathlib import Path
from typing import Annotated

import typer

from auto_trading.data_faults import examine
from auto_trading.data_quality import report
from auto_trading.gateways.candle_files import read_candles
from auto_trading.gateways.funding_files import read_funding
from auto_trading.replay_market import IMPORTED
from crypto_trader_pro.cli.context import database, settings
from crypto_trader_pro.cli.data_download_command import download
from crypto_trader_pro.cli.data_export_command import export
from crypto_trader_pro.cli.data_options import MaybeFrom, Symbol, To, Venue, length_of
from crypto_trader_pro.cli.data_quality_text import quality_answer, show_quality
from crypto_trader_pro.cli.exits import Exit
from crypto_trader_pro.cli.output import instant, print_json, print_pairs, print_rows
from crypto_trader_pro.cli.setup_commands import AsJson
from crypto_trader_pro.domain.errors import InputError
from crypto_trader_pro.domain.timeframes import check_span
from crypto_trader_pro.simulation.instruments import instrument
from database import candles
from database.auto_trading_db import unit_of_work

data = typer.Typer(help="Bring, import, list, check and export market data.", no_args_is_help=True)

data.command("download")(download)
data.command("export")(export)


@data.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="CSV, CSV.gz, Parquet or Feather.")],
    symbol: Symbol,
    timeframe: Annotated[str | None, typer.Option(help="Of candles: 1m, 5m, 1h, ...")] = None,
    kind: Annotated[str, typer.Option(help="candles or funding.")] = "candles",
    venue: Venue = None,
    as_json: AsJson = False,
) -> None:
    """Check a file and store what is not stored yet. Safe to repeat.

    Example: python -m crypto_trader_pro data import btc.csv.gz --symbol BTC/USDT:USDT
    --timeframe 1m
    """
    origin = candles.Origin(venue or settings().market_data.venue, IMPORTED)
    item = instrument(symbol)
    if kind == "funding":
        at_ms, rates = read_funding(file, symbol)
        with database() as engine, unit_of_work(engine, "the import") as session:
            stored = candles.store_funding(session, symbol, at_ms, rates, origin)
        rows = len(at_ms)
    elif kind == "candles":
        series = read_candles(file, item, length_of(timeframe))
        with database() as engine, unit_of_work(engine, "the import") as session:
            stored = candles.store(session, series, item, origin)
        rows = len(series)
    else:
        raise InputError(f"--kind was {kind!r}, allowed: candles, funding")
    answer = {"file": str(file), "symbol": symbol, "kind": kind, "rows": rows, "stored": stored}
    print_json(answer) if as_json else print_pairs(answer)


@data.command("list")
def list_(
    symbol: Annotated[str | None, typer.Option(help="Only this symbol.")] = None,
    as_json: AsJson = False,
) -> None:
    """List what is stored: from when to when, and how many rows.

    Example: python -m crypto_trader_pro data list --json
    """
    with database(read_only=True) as engine, unit_of_work(engine, "the list") as session:
        found = candles.coverage(session, symbol=symbol)
    names = ("venue", "symbol", "timeframe", "source", "first", "last", "rows")
    rows = [[getattr(c, name) for name in names] for c in found]
    if as_json:
        print_json({"series": [dict(zip(names, row, strict=True)) for row in rows]})
    elif rows:
        print_rows(names, rows)
    else:
        typer.echo(
            "Nothing is stored yet: data download, or data import FILE --symbol S --timeframe TF"
        )


@data.command("quality")
def quality(
    symbol: Symbol,
    timeframe: Annotated[str, typer.Option(help="1m, 5m, 1h, ...")],
    file: Annotated[
        Path | None, typer.Option(help="Check this file instead of what is stored.")
    ] = None,
    from_: MaybeFrom = None,
    to: To = None,
    venue: Venue = None,
    as_json: AsJson = False,
) -> None:
    """Name every fault, gap, flat run and outlier of a series. Exit code 1: not usable as it is.

    Example: python -m crypto_trader_pro data quality --symbol BTC/USDT --timeframe 1h
    """
    item, length = instrument(symbol), length_of(timeframe)
    limits = instant(from_, "--from"), instant(to, "--to")
    check_span(*limits)
    if file is not None:
        examined = examine(file, item, length)
        if not len(examined.series):
            fault = next(iter(examined.faults.values())).first
            raise InputError(f"none of {examined.rows} rows can be used; {fault}")
        series, faults = examined.series.between(*limits), examined.faults
        where, holes = str(file), None
    else:
        origin = candles.Origin(venue or settings().market_data.venue, IMPORTED)
        with database(read_only=True) as engine, unit_of_work(engine, "the candles") as session:
            series = candles.load(
                session, item, length, origin, from_ms=limits[0], to_ms=limits[1]
            ).between(*limits)
            holes = candles.load_holes(session, symbol, timeframe, origin)
        where, faults = origin.venue, {}
    if not len(series):
        allowed = "in the asked range" if any(limits) else f"are stored from {where}"
        raise InputError(f"no {timeframe} candles of {symbol} {allowed}")
    found = report(series, faults)
    show_quality(quality_answer(found, item, holes), as_json=as_json)
    if found.problems:
        raise typer.Exit(Exit.NEGATIVE)
