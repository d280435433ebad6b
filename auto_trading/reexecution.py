"""One stored decision made once more by the engine itself, from the run's beginning on.

A recorded session is played from its record, a replay from its candles, both in memory and with
nothing stored. Every column of the decision then stands beside the one that is stored, its rules'
numbers and its signals too. A replay with the model strategy trains its models again.
"""

import asyncio
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

from sqlalchemy import Engine as Database

from auto_trading.bootstrap import RunSpec, build_backtest, replay_model
from auto_trading.gateways.replay_feed import ReplayFeed
from auto_trading.gateways.simulated_venue import SimulatedVenue
from auto_trading.parity import record as records
from auto_trading.parity.comparing import PREFIX, again, stage_of
from auto_trading.parity.witness import Asked, Witness, WitnessVenue
from auto_trading.replay_market import played
from auto_trading.translation import MODEL_STRATEGY, costs_of
from config.settings import Settings
from crypto_trader_pro.domain.errors import InputError
from crypto_trader_pro.domain.instruments import Instrument, money_units
from crypto_trader_pro.domain.signals import CONFIDENCE_UNIT, Signal
from crypto_trader_pro.domain.timeframes import timeframe_ms, to_datetime
from crypto_trader_pro.risk.rules import RiskInputs
from crypto_trader_pro.simulation.instruments import instrument
from database import decisions, runs, signals
from database.auto_trading_db import unit_of_work
from database.journal_sql import DECISION_COLUMNS
from database.models import AiSignalRow, DecisionRow, RunRow
from utils.clocks import SimulatedClock

COLUMNS: Final = DECISION_COLUMNS[1:]  # without the run
SIGNAL_COLUMNS: Final = (
    "signal_type", "confidence_score", "reason", "entry_price", "stop_loss", "take_profit",
    "model_id", "probability", "break_even", "edge_mbp", "baseline_probability", "model_gate",
)  # fmt: skip
_PERCENT: Final = CONFIDENCE_UNIT // 100


class Compared(NamedTuple):
    """A stored value beside the one of now."""

    name: str
    stored: Any
    now: Any

    @property
    def is_same(self) -> bool:
        return bool(self.stored == self.now)

    def as_json(self) -> dict[str, Any]:
        return {"name": self.name, "same": self.is_same, "stored": self.stored, "now": self.now}


@dataclass(frozen=True, slots=True)
class Reexecution:
    """A decision beside what the engine decides now.

    Args:
        columns: of the decision, all of them.
        inputs: the numbers that the rules were asked with; empty where none were asked.
        signals: "strategy.column" of what each strategy said.
    """

    decision: DecisionRow
    run: RunRow
    columns: tuple[Compared, ...]
    inputs: tuple[Compared, ...]
    signals: tuple[Compared, ...]

    @property
    def is_same(self) -> bool:
        return all(one.is_same for one in (*self.columns, *self.inputs, *self.signals))

    def as_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "decision": self.decision.id,
            "run_id": runs.public_id(self.run),
            "symbol": self.decision.symbol,
            "at": to_datetime(self.decision.at_ms),
            "status": "same" if self.is_same else "differs",
            "columns": [one.as_json() for one in self.columns],
            "inputs": [one.as_json() for one in self.inputs],
            "signals": [one.as_json() for one in self.signals],
        }


def reexecuted(database: Database, var_dir: Path, decision_id: int) -> Reexecution:
    """Make a stored decision once more and compare.

    Raises:
        InputError: no such decision, or its candles or its record are gone.
    """
    with unit_of_work(database, "the decision") as session:
        decision = decisions.get(session, decision_id)
        run = session.get(RunRow, decision.run_id)
        at = to_datetime(decision.at_ms)
        said = signals.of_decision(session, decision.run_id, decision.symbol, at)
        session.expunge_all()
    if run is None:
        raise InputError(f"run r{decision.run_id} of decision {decision_id} is not stored")
    asked = Asked(decision.symbol, decision.at_ms)
    if run.kind == "replay" and "session" not in run.inputs:
        witness = _candles_again(database, var_dir, run, asked)
    else:
        origin = str(run.inputs.get("session", runs.public_id(run)))
        record = records.load(database, origin, PREFIX)
        witness = again(stage_of(database, record, var_dir), record, asked).witness
    prefix = f"r{runs.number(run)}o"
    stored, now = _stored(decision, prefix), _now(witness)
    return Reexecution(
        decision, run, tuple(_columns(stored, now)),
        tuple(_inputs(stored["inputs"], now.get("inputs"))),
        tuple(_signals(said, witness, instrument(decision.symbol))),
    )  # fmt: skip


# --- a replay -----------------------------------------------------------------------------------


def _candles_again(database: Database, var_dir: Path, run: RunRow, asked: Asked) -> Witness:
    """Play a replay's candles up to a decision."""
    request, market = played(run, database)
    settings = Settings.model_validate_json(run.config, strict=False)
    spec = RunSpec(
        runs.number(run), market.instruments, request.strategies, timeframe_ms(request.timeframe),
        request.interval_seconds * 1000, settings, var_dir,
    )  # fmt: skip
    witness = Witness(request.symbols, asked)
    clock = SimulatedClock()
    paid = market.funding if settings.paper.funding else {}
    venue: SimulatedVenue = WitnessVenue(
        market.instruments, money_units(settings.paper_equity), costs_of(settings), paid,
        references=witness.references,
    )  # fmt: skip
    model = None
    if MODEL_STRATEGY in request.strategies:
        model = replay_model(spec, market.series, market.funding, witness, list)
    feed = ReplayFeed(
        market.series, clock, lambda candles, last: venue.play(candles, is_last=last)
    )  # fmt: skip
    engine = build_backtest(spec, feed, clock, venue, witness, model)

    async def play() -> None:
        engine.open_account(market.start_ms)
        async for candles in feed.slices():
            await engine.on_slice(candles)
            if candles.close_ms >= asked.at_ms:
                return

    asyncio.run(play())
    return witness


# --- what is compared ---------------------------------------------------------------------------


def _stored(decision: DecisionRow, prefix: str) -> dict[str, Any]:
    """Return the columns as stored, orders by their number within the run."""
    row = {name: getattr(decision, name) for name in COLUMNS}
    return _plain(row, prefix)


def _now(witness: Witness) -> dict[str, Any]:
    """Return the columns of now; empty where nothing was decided this time."""
    if witness.row is None:
        return {}
    return _plain(dict(zip(COLUMNS, witness.row, strict=True)), PREFIX)


def _plain(row: dict[str, Any], prefix: str) -> dict[str, Any]:
    detail = _decoded(row["detail"])
    if isinstance(detail, dict) and "closing" in detail:
        detail["closing"] = _number(detail["closing"], prefix)
    return row | {
        "order_id": _number(row["order_id"], prefix),
        "detail": detail,
        "inputs": _decoded(row["inputs"]),
        "window_hash": bytes(row["window_hash"]).hex(),
    }


def _decoded(text: str | None) -> Any:
    """Return a JSON column's value; one that was changed into something else stays as it is."""
    try:
        return json.loads(text) if text else None
    except ValueError:
        return text


def _number(order_id: str | None, prefix: str) -> int | str | None:
    """Return an order's number within its run; what is no order's name stays as it is."""
    number = (order_id or "").removeprefix(prefix)
    return int(number) if number.isdigit() else order_id


def _columns(stored: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[Compared]:
    for name in COLUMNS:
        yield Compared(name, stored[name], now.get(name))


def _inputs(stored: Any, now: Any) -> Iterator[Compared]:
    """Compare number by number; a row of another version has fewer of them."""
    if stored is None and now is None:
        return
    for k, name in enumerate(RiskInputs._fields):
        yield Compared(name, _nth(stored, k), _nth(now, k))


def _nth(numbers: Any, k: int) -> Any:
    return numbers[k] if isinstance(numbers, list) and k < len(numbers) else None


def _signals(
    stored: Sequence[AiSignalRow], witness: Witness, item: Instrument
) -> Iterator[Compared]:
    before = {row.strategy: row for row in stored}
    now = {s.strategy: _said(s, witness.close, item) for s in witness.said}
    for strategy in dict.fromkeys((*before, *now)):
        row = before.get(strategy)
        for name in SIGNAL_COLUMNS:
            was = None if row is None else getattr(row, name)
            yield Compared(f"{strategy}.{name}", was, now.get(strategy, {}).get(name))


def _said(signal: Signal, close: int, item: Instrument) -> dict[str, Any]:
    """Return a signal's columns as the journal stores them."""
    side, model = signal.direction, signal.model
    found: dict[str, Any] = {
        "signal_type": signal.kind.value, "confidence_score": signal.confidence // _PERCENT,
        "reason": signal.reason,
    }  # fmt: skip
    if side:
        found["entry_price"] = item.price(close)
        if signal.stop_units:
            found["stop_loss"] = item.price(close - side * signal.stop_units)
        if signal.target_units:
            found["take_profit"] = item.price(close + side * signal.target_units)
    if model is not None:
        found |= {
            "model_id": model.model_id, "probability": model.probability,
            "break_even": model.break_even, "edge_mbp": model.edge_mbp,
            "baseline_probability": model.baseline_probability, "model_gate": model.gate,
        }  # fmt: skip
    return found
