"""`replay`: play recorded candles through the engine."""

from typing import Annotated, Any

import typer

from auto_trading.replay import Replay, ReplayTools
from auto_trading.replay_market import ReplayRequest
from auto_trading.session_replay import repeat
from auto_trading.translation import STRATEGIES, enabled_strategies
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
from crypto_trader_pro.cli.context import database, environment, language, settings
from crypto_trader_pro.cli.exits import Exit
from crypto_trader_pro.cli.interrupts import at_once
from crypto_trader_pro.cli.model_text import table, verdict
from crypto_trader_pro.cli.output import instant, print_json, print_pairs, print_rows
from crypto_trader_pro.cli.setup_commands import AsJson
from crypto_trader_pro.domain.errors import InputError
from utils.clocks import SystemClock


def replay(
    candles: CandleFiles = None,
    symbol: Symbols = None,
    timeframe: Timeframe = "5m",
    strategy: Annotated[
        list[str] | None,
        typer.Option(help=f"{' or '.join(STRATEGIES)}; repeat for several. Default: the enabled."),
    ] = None,
    from_: From = None,
    to: To = None,
    interval: Interval = None,
    funding: FundingFile = None,
    set_: SetKeys = None,
    resume: Annotated[
        str | None, typer.Option(help="Go on with a run that was cut off: r12 or last.")
    ] = None,
    session: Annotated[
        str | None,
        typer.Option(help="Repeat a recorded session: r12 or last. Exit code 1 if it differs."),
    ] = None,
    speed: Annotated[
        str, typer.Option(help="max, or candles per second.")
    ] = "max",
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Play recorded candles through the engine, under a fresh run id, on simulated money.

    Example: python -m crypto_trader_pro replay --candles btc.csv.gz --symbol BTC/USDT:USDT
    --timeframe 1m --strategy ema_cross --json
    """
    pause = _pause(speed)
    others = (candles, symbol, strategy, from_, to, interval, funding, set_)
    if session is not None:
        if resume or any(others):
            raise InputError("--session repeats what was recorded; only --json goes with it")
        _repeat(session, as_json=as_json)
        return
    if resume and any(others):
        raise InputError(
            "--resume plays what the run began with; only --speed and --json go with it"
        )
    with database(durable=False) as engine, progress_bar("replay") as told, at_once():
        tools = ReplayTools(engine, environment().var_dir, SystemClock().now, told, pause)
        if resume is not None:
            result = Replay(tools).resume(resume)
        else:
            loaded = settings(set_ or [])
            length = seconds_of(timeframe)
            request = ReplayRequest(
                symbols=tuple(symbol or loaded.symbols),
                paths=paired(candles or [], symbol or []),
                timeframe=timeframe,
                interval_seconds=length if interval is None else interval,
                strategies=tuple(strategy or enabled_strategies(loaded)),
                from_ms=instant(from_, "--from"),
                to_ms=instant(to, "--to"),
                funding=funding,
            )
            result = Replay(tools).start(request, loaded)
    _show(result, as_json=as_json)


def _repeat(reference: str, *, as_json: bool) -> None:
    with database(durable=False) as engine, at_once():
        result = repeat(engine, reference, environment().var_dir, SystemClock().now)
    print_json(result) if as_json else print_pairs(result)
    if not result["identical"]:
        raise typer.Exit(Exit.NEGATIVE)


def _show(result: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(result)
        return
    print_pairs({key: value for key, value in result.items() if key != "model"})
    if model := result.get("model"):
        print_rows(*table(model, language()))
        typer.echo(verdict(model, language()))


def _pause(speed: str) -> float:
    """Return the seconds between two instants; 0 for as fast as possible."""
    if speed == "max":
        return 0.0
    try:
        rate = float(speed)
    except ValueError:
        rate = 0.0
    if not 0 < rate < 1e6:
        raise InputError(f"--speed was {speed!r}, allowed: max, or candles per second above 0")
    return 1 / rate
