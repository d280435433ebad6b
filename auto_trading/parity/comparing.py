"""`parity`: a recorded session beside its backtest over the same candles."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import Engine as Database

from auto_trading.bootstrap import RunSpec
from auto_trading.model_shelf import ModelShelf
from auto_trading.model_store import ModelFolder
from auto_trading.modelling import model_maker
from auto_trading.parity import record as records
from auto_trading.parity.playing import Player, Stage, as_backtest, held_back
from auto_trading.parity.record import Candles, Record
from auto_trading.parity.witness import Asked, Witness
from auto_trading.session_inputs import Command, Input
from auto_trading.translation import enabled_strategies
from config.settings import Settings
from crypto_trader_pro.backtest.parity import Parity, compared
from crypto_trader_pro.backtest.parity_trips import Books, Execution
from crypto_trader_pro.domain.enums import CommandKind
from crypto_trader_pro.domain.market import Bar
from crypto_trader_pro.domain.messages import Backfill, MarketSlice, Missed
from crypto_trader_pro.domain.timeframes import timeframe_ms
from database import runs
from database.candles import Origin

PREFIX = "b"  # of the orders of a session that is played in memory
_CONFIGS = (CommandKind.APPLY_CONFIG, CommandKind.ROLLBACK_CONFIG)


class Counts(NamedTuple):
    """Candles of a session: all that came in, warm-up included.

    Args:
        revised: of them, those that are stored with other numbers now.
        unstored: of them, those that are not stored at all; a backtest plays them as they came.
    """

    seen: int
    revised: int
    unstored: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """A session beside its backtest.

    Args:
        repeats: playing the record again gave the executions that are stored.
        began: trading was started at some time.
        pays_funding: perpetuals are traded and funding is on. Its rates are in the record only for
            the times at which the session had a position or an order; the backtest pays no others.
        changes: configurations that came into force on the way; the backtest took each at the same
            instant.
    """

    record: Record
    parity: Parity
    repeats: bool
    began: bool
    candles: Counts
    pays_funding: bool
    changes: int


def compare(database: Database, reference: str, var_dir: Path) -> Comparison:
    """Set a session beside its backtest.

    Args:
        reference: "r12" or "last".
        var_dir: where models are kept.

    Raises:
        InputError: no such session, or one that cannot be compared.
    """
    record = records.load(database, reference, PREFIX)
    stage = stage_of(database, record, var_dir)
    player = again(stage, record)
    inputs = list(as_backtest(record.inputs, player.began, record.opened_ms))
    seen = _backtest(stage, inputs, record)
    stored_inputs, counts = _as_stored(inputs, record.stored)
    stored = _backtest(stage, stored_inputs, record) if counts.revised else None
    mine = player.witness.executions()
    session = replace(
        _books(player.witness, record, record.inputs),
        executions=_referenced(record.executions, mine), orders=record.orders,
        payments=record.payments,
    )  # fmt: skip
    return Comparison(
        record, compared(session, seen, stored), _plain(mine) == _plain(record.executions),
        player.began is not None, counts,
        stage.spec.settings.paper.funding and any(i.can_short for i in record.instruments),
        sum(1 for i in inputs if isinstance(i, Command) and i.kind in _CONFIGS),
    )  # fmt: skip


def stage_of(database: Database, record: Record, var_dir: Path) -> Stage:
    """Return what a recorded session is played on."""
    run = record.run
    settings = Settings.model_validate_json(run.config, strict=False)
    spec = RunSpec(
        runs.number(run), record.instruments, tuple(enabled_strategies(settings)),
        timeframe_ms(run.timeframe), settings.engine.trading_interval * 1000, settings, var_dir,
        opening_cash=run.inputs["opening_cash"],
    )  # fmt: skip
    shelf = ModelShelf(ModelFolder(var_dir / "models"))
    origin = Origin(str(run.inputs["venue"]), run.source)
    model = model_maker(database, origin, shelf, keeps=False)
    return Stage(spec, run.inputs.get("carried"), model)


def again(stage: Stage, record: Record, asked: Asked | None = None) -> Player:
    """Play a session as it was recorded; up to a decision if one is asked for."""
    symbols = [item.symbol for item in record.instruments]
    player = Player(
        stage, Witness(symbols, asked), candles_fill=record.run.source == "replay",
        held=held_back(record.inputs),
    )  # fmt: skip
    player.play(record.inputs, asked.at_ms if asked else None)
    return player


def _backtest(stage: Stage, inputs: Sequence[Input], record: Record) -> Books:
    player = Player(stage, Witness([i.symbol for i in record.instruments]), candles_fill=True)
    player.play(inputs)
    return _books(player.witness, record, inputs)


def _books(witness: Witness, record: Record, inputs: Sequence[Input]) -> Books:
    """Return what was played, with the last closes of what it was played with."""
    marks: dict[str, int] = {}
    for market in records.slices(inputs):
        for item, bar in zip(record.instruments, market.bars, strict=True):
            if bar is not None:
                marks[item.symbol] = bar.close
    return Books(
        tv={item.symbol: item.tv for item in record.instruments}, marks=marks,
        until_ms=record.until_ms, executions=witness.executions(), orders=witness.decided(),
        payments=witness.payments(), wishes=witness.wishes, refusals=witness.refused_by,
    )  # fmt: skip


def _referenced(stored: Sequence[Execution], played: Sequence[Execution]) -> list[Execution]:
    """Return the stored executions with the market's price that playing them again has shown.

    One that playing again does not have keeps its own price: its slippage is not known.
    """
    by_order: dict[int, list[Execution]] = defaultdict(list)
    for execution in played:
        by_order[execution.order].append(execution)
    found = []
    for execution in stored:
        same = by_order[execution.order]
        if same and same[0].at_ms == execution.at_ms:
            found.append(execution._replace(reference=same.pop(0).reference))
        else:
            found.append(execution)
    return found


def _plain(executions: Sequence[Execution]) -> list[Execution]:
    return [e._replace(reference=0) for e in executions]


def _as_stored(inputs: Sequence[Input], stored: Sequence[Candles]) -> tuple[list[Input], Counts]:
    """Return the inputs with the candles that are stored now, and how many those are."""
    found: list[Input] = []
    counts = Counter[str]()
    for item in inputs:
        match item:
            case MarketSlice():
                found.append(_now(item, stored, counts))
            case Missed(market):
                found.append(Missed(_now(market, stored, counts)))
            case Backfill(market):
                found.append(Backfill(_now(market, stored, counts)))
            case _:
                found.append(item)
    return found, Counts(counts["seen"], counts["revised"], counts["unstored"])


def _now(market: MarketSlice, stored: Sequence[Candles], counts: Counter[str]) -> MarketSlice:
    bars: list[Bar | None] = []
    for bar, known in zip(market.bars, stored, strict=True):
        now = None if bar is None else known.get(bar.open_ms)
        counts["seen"] += bar is not None
        counts["unstored"] += bar is not None and now is None
        counts["revised"] += now is not None and now != bar
        bars.append(now or bar)
    return MarketSlice(market.close_ms, tuple(bars))
