"""`data download`: public candles and funding rates of a venue, into the database."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from sqlalchemy import Engine

from auto_trading.data_download import Downloader, DownloadRequest, Part, Told
from auto_trading.data_export import check_target
from auto_trading.data_ranges import Range
from crypto_trader_pro.cli.context import database, settings
from crypto_trader_pro.cli.data_export_command import exported_candles
from crypto_trader_pro.cli.data_options import Force, From, To, Venue, length_of
from crypto_trader_pro.cli.exits import Exit
from crypto_trader_pro.cli.output import instant, print_json, print_rows
from crypto_trader_pro.cli.setup_commands import AsJson
from crypto_trader_pro.domain.errors import InputError, RetryableError
from crypto_trader_pro.domain.timeframes import to_datetime
from crypto_trader_pro.simulation.instruments import instrument
from database.candles import FUNDING

_SHOWN: Final = 5  # holes of a part in the text


def download(
    symbol: Annotated[
        list[str], typer.Option(help="As BTC/USDT:USDT or BTC/USDT; repeat for several.")
    ],
    timeframe: Annotated[str, typer.Option(help="1m, 5m, 1h, ...")],
    from_: From,
    to: To = None,
    venue: Venue = None,
    funding: Annotated[
        bool, typer.Option(help="Bring the funding rates of perpetuals too.")
    ] = True,
    recheck: Annotated[
        bool, typer.Option(help="Ask again for candles that the venue did not have.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(help="Write the candles to this file too: .parquet, .csv, .csv.gz."),
    ] = None,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Bring candles of a venue into the database; what is stored is not fetched again.

    Goes on where it was cut off. `replay` and `backtest` play what it brings.

    Example: python -m crypto_trader_pro data download --symbol BTC/USDT:USDT --timeframe 1m
    --from 2025-05
    """
    if len(set(symbol)) != len(symbol):
        raise InputError(f"symbols were {', '.join(symbol)}; each may come once")
    if out is not None:
        if len(symbol) > 1:
            raise InputError(f"--out takes one --symbol, {len(symbol)} were given")
        check_target(out, overwrite=force)
    from_ms = instant(from_, "--from") or 0  # None only where no text was given
    request = DownloadRequest(
        venue or settings().market_data.venue, tuple(instrument(s) for s in symbol),
        length_of(timeframe), from_ms, instant(to, "--to"), funding, recheck,
    )  # fmt: skip
    with database(durable=False) as engine:
        with _progress() as told:
            it = Downloader(engine, request, told=told)
            _run(it, as_json=as_json)
        answer = _answer(it, request)
        if out is not None and _has_rows(it):
            answer["out"] = _written(engine, request, it.parts[0], out)
    print_json(answer) if as_json else _show(answer)
    if not _has_rows(it):
        raise typer.Exit(Exit.NEGATIVE)


def _run(it: Downloader, *, as_json: bool) -> None:
    try:
        it.run()
    except RetryableError as error:
        why = "nothing usable came: is there a network, does the venue serve?"
        typer.echo(f"{error}; {why} {_goes_on(it.parts)}", err=True)
        raise typer.Exit(Exit.UNAVAILABLE) from error
    except KeyboardInterrupt as error:
        if as_json:
            print_json({"complete": False, "parts": [_shown(part) for part in it.parts]})
        else:
            typer.echo(_goes_on(it.parts))
        raise typer.Exit(Exit.INTERRUPTED) from error


def _has_rows(it: Downloader) -> bool:
    return all(part.present + part.stored for part in it.parts if part.series != FUNDING)


def _goes_on(parts: list[Part]) -> str:
    """Say on one line what is stored now, and how to go on."""
    stored = ", ".join(
        f"{part.symbol} {part.series}: {part.stored} stored"
        f"{', complete until ' + to_datetime(part.until_ms).isoformat() if part.is_begun else ''}"
        for part in parts
    )
    return f"{stored}; the same command goes on from there"


def _answer(it: Downloader, request: DownloadRequest) -> dict[str, Any]:
    parts = [_shown(part) for part in it.parts]
    return {
        "venue": request.venue,
        "complete": all(part["complete"] for part in parts),
        "parts": parts,
        "refused": dict(it.refused),
    }


def _shown(part: Part) -> dict[str, Any]:
    return {
        "symbol": part.symbol,
        "series": part.series,
        "from": to_datetime(part.from_ms),
        "to": to_datetime(part.to_ms),
        "until": to_datetime(part.until_ms) if part.is_begun else None,
        "present": part.present,
        "stored": part.stored,
        "complete": part.is_done and not part.missing and not part.unproven,
        "holes": _spans(part.holes),
        "did_not_come": _spans(part.unproven),
    }


def _spans(ranges: list[Range]) -> list[dict[str, Any]]:
    return [{"from": to_datetime(first), "to": to_datetime(last)} for first, last in ranges]


def _show(answer: dict[str, Any]) -> None:
    names = ("symbol", "series", "present", "stored", "complete", "until")
    print_rows(names, [[part[name] for name in names] for part in answer["parts"]])
    for part in answer["parts"]:
        for key, told in (
            ("holes", f"{answer['venue']} has nothing"),
            ("did_not_come", "did not come, nor anything later"),
        ):
            for span in part[key][:_SHOWN]:
                typer.echo(
                    f"{part['symbol']} {part['series']}: {told} from {span['from'].isoformat()}"
                    f" to {span['to'].isoformat()}"
                )
            if len(part[key]) > _SHOWN:
                typer.echo(f"and {len(part[key]) - _SHOWN} more; all with --json")
    for reason, count in answer["refused"].items():
        typer.echo(f"{count} candles refused: {reason}")
    if "out" in answer:
        typer.echo(" ".join(f"{key} {value}" for key, value in answer["out"].items()))


def _written(engine: Engine, request: DownloadRequest, part: Part, out: Path) -> dict[str, Any]:
    return exported_candles(
        engine, request.instruments[0], request.timeframe_ms, request.venue, out,
        part.from_ms, part.to_ms,
    )  # fmt: skip


@contextmanager
def _progress() -> Iterator[Told | None]:
    """Show a progress bar on a terminal; nothing where output goes elsewhere."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("asking for the markets", total=1.0)

        def told(part: Part, why: str) -> None:
            name = f"{part.symbol} {part.series}, {part.stored} stored"
            bar.update(task, completed=part.share, description=f"{name}: {why}" if why else name)

        yield told
