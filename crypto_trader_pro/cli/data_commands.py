"""`data`: candles and funding rates in the database."""

from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import typer

from auto_trading.data_quality import QualityReport, Span, report
from auto_trading.gateways.candle_files import read_candles
from auto_trading.gateways.funding_files import read_funding
from auto_trading.replay_market import IMPORTED
from crypto_trader_pro.cli.context import database, settings
from crypto_trader_pro.cli.output import print_json, print_pairs, print_rows
from crypto_trader_pro.cli.setup_commands import AsJson
from crypto_trader_pro.domain.errors import InputError
from crypto_trader_pro.domain.instruments import Instrument, plain_text
from crypto_trader_pro.domain.timeframes import timeframe_ms, timeframe_name, to_datetime
from crypto_trader_pro.simulation.instruments import instrument
from database import candles
from database.auto_trading_db import unit_of_work

data = typer.Typer(help="Import, list and check market data.", no_args_is_help=True)

Symbol = Annotated[str, typer.Option(help="As BTC/USDT:USDT (perpetual) or BTC/USDT (spot).")]
Venue = Annotated[
    str | None, typer.Option(help="Where the data are from. Default: market_data.venue.")
]


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
        series = read_candles(file, item, _length(timeframe))
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
        typer.echo("Nothing is stored yet: data import FILE --symbol S --timeframe TF")


@data.command("quality")
def quality(
    symbol: Symbol,
    timeframe: Annotated[str, typer.Option(help="1m, 5m, 1h, ...")],
    file: Annotated[
        Path | None, typer.Option(help="Check this file instead of what is stored.")
    ] = None,
    venue: Venue = None,
    as_json: AsJson = False,
) -> None:
    """Name every gap, flat run and outlier of a series.

    Example: python -m crypto_trader_pro data quality --symbol BTC/USDT --timeframe 1h
    """
    item, length = instrument(symbol), _length(timeframe)
    if file is not None:
        series = read_candles(file, item, length)
    else:
        origin = candles.Origin(venue or settings().market_data.venue, IMPORTED)
        with database(read_only=True) as engine, unit_of_work(engine, "the candles") as session:
            series = candles.load(session, item, length, origin)
        if not len(series):
            raise InputError(f"no {timeframe} candles of {symbol} are stored from {origin.venue}")
    found = report(series)
    answer = _answer(found, item)
    if as_json:
        print_json(answer)
        return
    print_pairs({k: v if isinstance(v, str | int) else len(v) for k, v in answer.items()})
    if found.gaps:
        print_rows(("gap from", "to", "candles"), [list(g.values()) for g in answer["gaps"]])


def _answer(found: QualityReport, item: Instrument) -> dict[str, Any]:
    """Return the report in the units and times that people read."""
    length = found.timeframe_ms

    def span(s: Span) -> dict[str, Any]:
        start, stop = to_datetime(s.from_ms), to_datetime(s.to_ms)
        return {"from": start.isoformat(), "to": stop.isoformat(), "candles": s.bars}

    return {
        "symbol": found.symbol,
        "timeframe": timeframe_name(length),
        "rows": found.rows,
        "first": to_datetime(found.first_ms).isoformat(),
        "last": to_datetime(found.last_ms).isoformat(),
        "expected_rows": found.expected_rows,
        "missing_bars": found.missing_bars,
        "gap_count": len(found.gaps),
        "lowest": plain_text(item.price(found.lowest)),
        "highest": plain_text(item.price(found.highest)),
        "gaps": [span(s) for s in found.gaps],
        "flat_runs": [span(s) for s in found.flat_runs],
        "zero_volume": [to_datetime(ms).isoformat() for ms in found.zero_volume_ms],
        "outliers": [
            {
                "at": to_datetime(o.open_ms).isoformat(),
                "move_pct": plain_text(Decimal(o.move).scaleb(-6)),
            }
            for o in found.outliers
        ],
    }


def _length(timeframe: str | None) -> int:
    if timeframe is None:
        raise InputError("--timeframe is needed for candles")
    try:
        return timeframe_ms(timeframe)
    except ValueError as e:
        raise InputError(f"--{e}") from None
