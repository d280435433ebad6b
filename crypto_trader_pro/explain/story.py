"""Everything that is stored about one decision, read into one frozen view."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlmodel import Session

from crypto_trader_pro.domain.enums import Bound
from crypto_trader_pro.domain.errors import InputError
from crypto_trader_pro.domain.instruments import Instrument, money
from crypto_trader_pro.domain.timeframes import to_datetime
from crypto_trader_pro.risk.rules import RULES, RiskInputs
from crypto_trader_pro.simulation.instruments import instrument
from database import decisions, fills, orders, runs, signals
from database.models import AiSignalRow, DecisionRow, FillRow, OrderRow, RunRow


@dataclass(frozen=True, slots=True)
class RuleAnswer:
    """One rule's verdict with its numbers, in the engine's units."""

    code: str
    refused: bool
    numbers: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Story:
    """Everything that is known about one decision. The rows belong to no session any more.

    Args:
        signals: in the order of the run's strategies.
        inputs: what the rules were asked with; None where no entry was wished, or unreadable.
        rules: the answer of every rule, in the order in which they are asked; empty as `inputs`.
        orders, fills: what came of it, protection included.
    """

    run: RunRow
    decision: DecisionRow
    instrument: Instrument
    signals: tuple[AiSignalRow, ...]
    inputs: RiskInputs | None
    rules: tuple[RuleAnswer, ...]
    orders: tuple[OrderRow, ...]
    fills: tuple[FillRow, ...]

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
        }


def story_of(session: Session, decision_id: int) -> Story:
    """Return the story of a decision by its number.

    Raises:
        InputError: there is no such decision.
    """
    return _story(session, decisions.get(session, decision_id))


def story_at(session: Session, run: str, symbol: str, at_ms: int) -> Story:
    """Return the story of what a run ("r12", "last") decided about `symbol` at a candle close.

    Raises:
        InputError: there is no such run, or it decided nothing then.
    """
    row = runs.find(session, run)
    found = decisions.at(session, runs.number(row), symbol, at_ms)
    if found is None:
        raise InputError(
            f"run {runs.public_id(row)} decided nothing about {symbol} at"
            f" {to_datetime(at_ms).isoformat()}; decisions fall on candle closes of {row.timeframe}"
        )
    return _story(session, found)


def first_refusal(decision: DecisionRow) -> RuleAnswer | None:
    """Return the first rule that refused, with its numbers; None: none did, or none are stored."""
    return next((r for r in _rules(decision, _inputs(decision)) if r.refused), None)


def _story(session: Session, found: DecisionRow) -> Story:
    run = session.get(RunRow, found.run_id)
    if run is None:
        raise InputError(f"run r{found.run_id} of decision {found.id} is not stored")
    said = signals.of_decision(session, found.run_id, found.symbol, to_datetime(found.at_ms))
    place = {name: k for k, name in enumerate(run.strategies)}
    said.sort(
        key=lambda s: place.get(s.strategy, len(place))
    )  # one may have been switched on since
    placed = orders.of_decision(session, found.run_id, found.symbol, found.at_ms)
    filled = fills.of_orders(session, [o.client_order_id for o in placed])
    for row in (run, found, *said, *placed, *filled):
        session.expunge(row)
    inputs = _inputs(found)
    return Story(
        run, found, instrument(found.symbol), tuple(said), inputs, _rules(found, inputs),
        tuple(placed), tuple(filled),
    )  # fmt: skip


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
