"""Why a decision was taken, and whether it would be taken again.

The story is read from the stored rows. The re-run decides anew: the rules from the stored numbers,
the candles' fingerprint and the strategies from the run's candles, the model from its stored files.
It says "the same", or exactly what differs.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Engine as Database
from sqlmodel import Session

from auto_trading.findings import Finding
from auto_trading.rerun import Rerun, rerun_candles, rerun_rules
from crypto_trader_pro.domain.enums import Bound
from crypto_trader_pro.domain.errors import InputError
from crypto_trader_pro.domain.instruments import Instrument, money
from crypto_trader_pro.domain.timeframes import to_datetime
from crypto_trader_pro.risk.rules import RULES, RiskInputs
from crypto_trader_pro.simulation.instruments import instrument
from database import decisions, fills, orders, runs, signals
from database.auto_trading_db import translated
from database.models import AiSignalRow, DecisionRow, FillRow, OrderRow, RunRow


@dataclass(frozen=True, slots=True)
class RuleAnswer:
    """One rule's verdict with its numbers, in the engine's units."""

    code: str
    refused: bool
    numbers: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Story:
    """Everything that is known about one decision."""

    run: RunRow
    decision: DecisionRow
    instrument: Instrument
    signals: tuple[AiSignalRow, ...]
    inputs: RiskInputs | None
    rules: tuple[RuleAnswer, ...]
    orders: tuple[OrderRow, ...]
    fills: tuple[FillRow, ...]
    rerun: Rerun

    @property
    def detail(self) -> dict[str, Any]:
        """What the row's columns cannot hold: other candidates, an exit beside the entry."""
        return json.loads(self.decision.detail) if self.decision.detail else {}

    def as_json(self) -> dict[str, Any]:
        """Return the story as plain values; money and prices are Decimals."""
        d, item = self.decision, self.instrument
        return {
            "decision": d.id,
            "run_id": runs.public_id(self.run),
            "symbol": d.symbol,
            "at": to_datetime(d.at_ms),
            "outcome": d.outcome,
            "price": item.price(d.price),
            "equity": money(d.equity),
            "gate": {"state": d.gate_state, "reason": d.gate_reason},
            "trading_state": d.trading_state,
            "window_hash": d.window_hash,
            "signals": [_signal_json(s) for s in self.signals],
            "strategy": d.strategy,
            "rules": [
                {"code": r.code, "refused": r.refused, "numbers": dict(r.numbers)}
                for r in self.rules
            ],
            "refusal": d.first_refusal,
            "size": {
                "lots": d.lots,
                "quantity": item.quantity(d.lots),
                "bound": Bound(d.bound).name if self.inputs else None,
            },
            "detail": self.detail,
            "orders": [_order_json(o) for o in self.orders],
            "fills": [_fill_json(f) for f in self.fills],
            "rerun": {
                "status": self.rerun.status,
                "differs": [{"code": f.code, **f.values} for f in self.rerun.differs],
                "unchecked": [{"code": f.code, **f.values} for f in self.rerun.unchecked],
                "contributions": [list(c) for c in self.rerun.contributions],
            },
        }


def tell(
    database: Database, var_dir: Path, *, decision_id: int | None = None,
    run: str = "last", symbol: str = "", at_ms: int = 0,
) -> Story:  # fmt: skip
    """Return the story of a decision, by its number or by run, symbol and time.

    Raises:
        InputError: there is no such decision.
    """
    with translated("the decision", database), Session(database) as session:
        found = _find(session, decision_id, run, symbol, at_ms)
        run_row = session.get(RunRow, found.run_id)
        if run_row is None:
            raise InputError(f"run r{found.run_id} of decision {found.id} is not stored")
        at = to_datetime(found.at_ms)
        said = signals.of_decision(session, found.run_id, found.symbol, at)
        said.sort(key=lambda s: run_row.strategies.index(s.strategy))
        placed = orders.of_decision(session, found.run_id, found.symbol, found.at_ms)
        filled = fills.of_orders(session, [o.client_order_id for o in placed])
        session.expunge_all()
    inputs = _inputs(found)
    findings = rerun_rules(found, inputs) if inputs else []
    if found.inputs and inputs is None:
        findings = [Finding("why.differs.inputs", {})]
    checked = rerun_candles(database, var_dir, run_row, found, said)
    return Story(
        run_row, found, instrument(found.symbol), tuple(said), inputs, _rules(found, inputs),
        tuple(placed), tuple(filled), checked.also(findings),
    )  # fmt: skip


def _find(
    session: Session, decision_id: int | None, run: str, symbol: str, at_ms: int
) -> DecisionRow:
    if decision_id is not None:
        return decisions.get(session, decision_id)
    row = runs.find(session, run)
    found = decisions.at(session, runs.number(row), symbol, at_ms)
    if found is None:
        raise InputError(
            f"run {runs.public_id(row)} decided nothing about {symbol} at"
            f" {to_datetime(at_ms).isoformat()}; decisions fall on candle closes of {row.timeframe}"
        )
    return found


def _inputs(decision: DecisionRow) -> RiskInputs | None:
    """Return the stored numbers of the rules; None where there are none or they are unreadable."""
    try:
        values = json.loads(decision.inputs or "null")
        whole = isinstance(values, list) and all(type(v) is int for v in values)
        return RiskInputs(*values) if whole else None
    except (TypeError, ValueError):
        return None


def _rules(decision: DecisionRow, inputs: RiskInputs | None) -> tuple[RuleAnswer, ...]:
    if inputs is None:
        return ()
    return tuple(
        RuleAnswer(rule.code, bool(decision.mask >> bit & 1), rule.numbers(inputs, decision.lots))
        for bit, rule in enumerate(RULES)
    )


def _signal_json(s: AiSignalRow) -> dict[str, Any]:
    names = (
        "strategy", "signal_type", "confidence_score", "reason", "entry_price", "stop_loss",
        "take_profit", "executed", "execution_price", "model_id", "probability", "break_even",
        "edge_mbp", "baseline_probability", "model_gate",
    )  # fmt: skip
    return {name: getattr(s, name) for name in names}


def _order_json(o: OrderRow) -> dict[str, Any]:
    names = (
        "client_order_id", "side", "role", "order_type", "size", "price", "reduce_only", "strategy",
        "parent_id", "status", "filled_size", "fees", "reason",
    )  # fmt: skip
    return {name: getattr(o, name) for name in names}


def _fill_json(f: FillRow) -> dict[str, Any]:
    names = ("client_order_id", "side", "size", "price", "fee", "is_maker", "reason", "filled_at")
    return {name: getattr(f, name) for name in names}
