"""`data export`: what is stored, or a file, as Parquet or CSV."""

from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from sqlalchemy import Engine

from auto_trading.data_export import Written, check_target, export_candles, export_funding
from auto_trading.gateways.candle_files import read_candles
from auto_trading.gateways.funding_files import read_funding
from auto_trading.replay_market import IMPORTED
from crypto_trader_pro.cli.context import database, settings
from crypto_trader_pro.cli.data_options import Force, MaybeFrom, Symbol, To, Venue, length_of
from crypto_trader_pro.cli.output import instant, print_json, print_pairs
from crypto_trader_pro.cli.setup_commands import AsJson
from crypto_trader_pro.domain.errors import InputError
from crypto_trader_pro.domain.instruments import Instrument
from crypto_trader_pro.domain.market import CandleSeries
from crypto_trader_pro.domain.timeframes import check_span
from crypto_trader_pro.simulation.instruments import instrument
from database import candles
from database.auto_trading_db import unit_of_work


def export(
    out: Annotated[Path, typer.Argument(help="The file to write: .parquet, .csv, .csv.gz.")],
    symbol: Symbol,
    timeframe: Annotated[str | None, typer.Option(help="Of candles: 1m, 5m, 1h, ...")] = None,
    kind: Annotated[str, typer.Option(help="candles or funding.")] = "candles",
    file: Annotated[
        Path | None, typer.Option(help="Take this file instead of what is stored.")
    ] = None,
    from_: MaybeFrom = None,
    to: To = None,
    venue: Venue = None,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Write candles or funding rates to a file that reads back to the very same numbers.

    Example: python -m crypto_trader_pro data export btc.parquet --symbol BTC/USDT:USDT
    --timeframe 1m
    """
    check_target(out, overwrite=force)
    if file is not None and out.exists() and out.samefile(file):
        raise InputError(f"{out}: is the file to read, allowed: another name")
    limits = instant(from_, "--from"), instant(to, "--to")
    check_span(*limits)
    item, place = instrument(symbol), venue or settings().market_data.venue
    if kind == "funding":
        answer = _funding(symbol, place, file, out, *limits)
    elif kind != "candles":
        raise InputError(f"--kind was {kind!r}, allowed: candles, funding")
    elif file is not None:
        series = read_candles(file, item, length_of(timeframe)).between(*limits)
        answer = _told(export_candles(series, item, out), series)
    else:
        with database(read_only=True) as engine:
            answer = exported_candles(engine, item, length_of(timeframe), place, out, *limits)
    print_json(answer) if as_json else print_pairs(answer)


def exported_candles(
    engine: Engine, item: Instrument, timeframe_ms: int, venue: str, out: Path,
    from_ms: int | None, to_ms: int | None,
) -> dict[str, Any]:  # fmt: skip
    """Write stored candles to `out` and say what was written.

    Raises:
        InputError: none are stored in the range, or the file cannot be written.
    """
    origin = candles.Origin(venue, IMPORTED)
    with unit_of_work(engine, "the candles") as session:
        series = candles.load(session, item, timeframe_ms, origin, from_ms=from_ms, to_ms=to_ms)
    series = series.between(from_ms, to_ms)
    return _told(export_candles(series, item, out), series)


def _told(written: Written, series: CandleSeries) -> dict[str, Any]:
    missing = (int(series.open_ms[-1]) - int(series.open_ms[0])) // series.timeframe_ms + 1
    return _file(written) | {"missing": missing - len(series)}


def _file(written: Written) -> dict[str, Any]:
    return {"file": str(written.path), "rows": written.rows, "sha256": written.sha256}


def _funding(
    symbol: str, venue: str, file: Path | None, out: Path, from_ms: int | None, to_ms: int | None
) -> dict[str, Any]:
    if file is not None:
        at, rates = read_funding(file, symbol)
    else:
        origin = candles.Origin(venue, IMPORTED)
        with database(read_only=True) as engine, unit_of_work(engine, "the rates") as session:
            at, rates = candles.load_funding(session, symbol, origin)
    first = -1 if from_ms is None else from_ms
    chosen = [k for k, ms in enumerate(at) if first <= ms and (to_ms is None or ms < to_ms)]
    columns = np.array([[at[k], rates[k]] for k in chosen], dtype=np.int64).reshape(-1, 2)
    at_ms, found = (np.ascontiguousarray(columns[:, k]) for k in range(2))
    return _file(export_funding(symbol, at_ms, found, out))
