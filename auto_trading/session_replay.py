"""`replay --session`: a recorded session once more, from everything that came into it.

Identical decisions, orders and fills are the proof that nothing else has influenced what was
traded: the same session can be told, checked and argued about at any later time.
"""

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection
from sqlalchemy import Engine as Database
from sqlmodel import Session

from auto_trading.bootstrap import LivingTools, RunSpec, build_living
from auto_trading.model_shelf import ModelShelf
from auto_trading.model_store import ModelFolder
from auto_trading.modelling import model_maker
from auto_trading.session_inputs import Command, Held, Input, decoded
from auto_trading.session_store import KIND
from auto_trading.translation import enabled_strategies
from config.settings import Settings
from crypto_trader_pro.domain.enums import OrderStatus
from crypto_trader_pro.domain.errors import InputError
from crypto_trader_pro.domain.orders import Order
from crypto_trader_pro.domain.timeframes import timeframe_ms
from crypto_trader_pro.simulation.instruments import instrument
from database import run_results, runs, session_record
from database.auto_trading_db import translated, unit_of_work
from database.candles import Origin
from database.models import RunRow

_BATCH: Final = 2_000  # decisions per commit when nothing is sent
_HASHES: Final[Mapping[str, Callable[[Connection, int], str]]] = {
    "decisions": run_results.decisions_sha256,
    "orders": run_results.orders_sha256,
    "fills": run_results.fills_sha256,
}


@dataclass(frozen=True, slots=True)
class Recorded:
    """A session as it was stored, all of one moment."""

    run: RunRow
    inputs: Sequence[Input]
    hashes: Mapping[str, str]
    unsent: frozenset[int]  # numbers of orders that were stored and not yet sent at that moment


def repeat(
    database: Database, reference: str, var_dir: Path, now: Callable[[], datetime],
) -> dict[str, Any]:  # fmt: skip
    """Repeat a session under a fresh run id; return both runs' hashes and whether they agree.

    Raises:
        InputError: no such session, or nothing of it was recorded.
    """
    recorded = _load(database, reference)
    run, settings = recorded.run, Settings.model_validate_json(recorded.run.config, strict=False)
    with unit_of_work(database) as session:
        run_id = runs.create(
            session, kind="replay", source=run.source, timeframe=run.timeframe,
            symbols=run.symbols, strategies=run.strategies,
            inputs={"session": runs.public_id(run)}, config_hash=run.config_hash,
            config=run.config, now=now(),
        )  # fmt: skip
    spec = RunSpec(
        run_id, tuple(instrument(s) for s in run.symbols), tuple(enabled_strategies(settings)),
        timeframe_ms(run.timeframe), settings.engine.trading_interval * 1000, settings, var_dir,
        opening_cash=run.inputs["opening_cash"],
    )  # fmt: skip
    numbers = f"r{run_id}o"
    inputs = [renamed(item, f"r{runs.number(run)}o", numbers) for item in recorded.inputs]
    held = _held(inputs)

    def may_enter(order: Order) -> str:
        return held.get(int(order.client_order_id.removeprefix(numbers)), "")

    shelf = ModelShelf(ModelFolder(var_dir / "models"))
    origin = Origin(str(run.inputs["venue"]), run.source)
    model = model_maker(database, origin, shelf, keeps=False)
    tools = LivingTools(
        database, now, may_enter=may_enter, records=False, batch=_BATCH, model=model,
        candles_fill=run.source == "replay", carried=run.inputs.get("carried"),
    )  # fmt: skip
    asyncio.run(_play(spec, tools, inputs, recorded.unsent))
    with translated("the result", database), database.connect() as connection:
        repeated = {name: digest(connection, run_id) for name, digest in _HASHES.items()}
        counts = run_results.counts(connection, run_id)
    answer = {
        "session": runs.public_id(run),
        "run_id": f"r{run_id}",
        "identical": repeated == recorded.hashes,
        "inputs": len(inputs),
        "decisions": counts.decisions,
        "orders": counts.orders,
        "fills": counts.fills,
        "recorded_sha256": dict(recorded.hashes),
        "repeated_sha256": repeated,
    }
    with unit_of_work(database) as session:
        runs.finish(session, run_id, "finished", answer, now())
    return answer


async def _play(
    spec: RunSpec, tools: LivingTools, inputs: Sequence[Input], unsent: frozenset[int]
) -> None:
    session = build_living(spec, tools)
    for item in inputs[:-1]:
        await session.take(item)
    session.engine.parts.executor.kept = unsent
    await session.take(inputs[-1])
    await session.settle()


def _load(database: Database, reference: str) -> Recorded:
    """Read the record and the hashes of what it led to, of one moment of a session that goes on."""
    snapshot = database
    if database.dialect.name == "postgresql":
        snapshot = database.execution_options(isolation_level="REPEATABLE READ")
    with translated("the session", database), Session(snapshot) as session:
        run = runs.find(session, reference, kind=KIND)
        number = runs.number(run)
        rows = list(session_record.inputs(session, number))
        hashes = {name: digest(session.connection(), number) for name, digest in _HASHES.items()}
        unsent = unsent_in(runs.checkpoint(session, number), f"r{number}o")
        session.expunge_all()
    if not rows:
        raise InputError(f"nothing of session {runs.public_id(run)} was recorded")
    return Recorded(run, [decoded(row) for row in rows], hashes, unsent)


def unsent_in(checkpoint: str | None, prefix: str) -> frozenset[int]:
    """Return the numbers of the orders that a checkpoint holds and that wait to be sent."""
    if checkpoint is None:
        return frozenset()
    rows = json.loads(checkpoint)["executor"]["orders"]
    orders = [dict(zip(Order.__slots__, row, strict=True)) for row in rows]
    return frozenset(
        int(o["client_order_id"].removeprefix(prefix))
        for o in orders
        if o["status"] == OrderStatus.JOURNALED and not o["parent_id"]
    )


def renamed(item: Input, prefix: str, to: str) -> Input:
    """Return an input with the order that it names called as in the repeated run."""
    if not isinstance(item, Command):
        return item
    order_id = item.payload.get("client_order_id")
    if not isinstance(order_id, str) or not order_id.startswith(prefix):
        return item
    payload = {**item.payload, "client_order_id": to + order_id.removeprefix(prefix)}
    return replace(item, payload=payload)


def _held(inputs: Sequence[Input]) -> dict[int, str]:
    """Return number -> why of the entries that a stop held back at the last moment."""
    return {n: item.reason for item in inputs if isinstance(item, Held) for n in item.orders}
