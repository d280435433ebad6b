"""One symbol, one candle close: signals in, at most one entry and one exit out, one record always.

The record holds what was seen, what each strategy said, every rule's verdict and what was sent, or
why nothing was.
"""

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from auto_trading.journal_port import EngineJournal
from auto_trading.market_monitor import MarketMonitor
from auto_trading.position_manager import PositionManager
from auto_trading.risk_manager import RiskManager
from auto_trading.signal_generator import AISignalGenerator
from auto_trading.trade_executor import TradeExecutor
from crypto_trader_pro.domain.enums import GateReason, GateState, OrderRole, Outcome, TradingState
from crypto_trader_pro.domain.market import Bar
from crypto_trader_pro.domain.orders import Order
from crypto_trader_pro.domain.signals import Signal
from crypto_trader_pro.risk.rules import RiskInputs, Verdict

_encoded: Final = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode
_NO_SIGNAL: Final = Signal("", 0, "")
# reading `.value` of an enum member costs more than the rest of a quiet row's fields
_TEXT: Final = {id(m): m.value for e in (GateState, GateReason, TradingState, Outcome) for m in e}
_NO_VERDICT: Final = Verdict(0, 0, 0)  # type: ignore[arg-type]  # Bound.SIZE is 0


class _Candidate(NamedTuple):
    """An entry that a strategy wished for, and what risk said to it."""

    signal: Signal
    inputs: RiskInputs
    verdict: Verdict


class Terms(NamedTuple):
    """What a wish from outside adds to a strategy's.

    Args:
        most_lots: the rules' size can only shrink to it.
        is_on: trading was started; otherwise only what reduces is done.
        limit: price of a limit order, price units; 0 is to the market.
        expires_ms: market time at which a limit order is taken back.
        note: stored with the decision.
    """

    most_lots: int
    is_on: bool
    limit: int = 0
    expires_ms: int = 0
    note: Mapping[str, Any] = MappingProxyType({})


class Decided(NamedTuple):
    """What came of a wish from outside; `inputs` and `verdict` are None where no rule was asked."""

    entry: Order | None = None
    closing: Order | None = None
    inputs: RiskInputs | None = None
    verdict: Verdict | None = None


class DecisionMaker:
    """Decides about each symbol in turn; later ones see what earlier ones took."""

    def __init__(
        self, monitor: MarketMonitor, signals: AISignalGenerator, risk: RiskManager,
        positions: PositionManager, executor: TradeExecutor, journal: EngineJournal, bar_ms: int,
    ) -> None:  # fmt: skip
        self._monitor = monitor
        self._signals = signals
        self._risk = risk
        self._positions = positions
        self._executor = executor
        self._journal = journal
        self._counted = journal.counted
        self.bar_ms = bar_ms

    def decide(self, i: int, close_ms: int) -> None:
        """Decide about symbol `i` at this close and record it."""
        bar = self._monitor.bars[i]
        if bar is None:
            self._pass(i, close_ms, 0, Outcome.DARK)
            return
        signals = self._signals.generate_signals(i)
        symbol = self._positions.instruments[i].symbol
        self._journal.signals(symbol, close_ms, bar.close, signals)
        closing = None
        if self._positions.positions[i].lots:
            closing = self._close_if_wished(i, close_ms, signals)
        said = [s for s in signals if s.direction]
        if not said and closing is None:
            self._pass(i, close_ms, bar.close, Outcome.HOLD)
            return
        wished = [s for s in said if s.opens]
        if not wished:
            shadow = next((s for s in said if s.model is not None), _NO_SIGNAL)
            outcome = (
                Outcome.CLOSED if closing else Outcome.SHADOW if shadow.direction else Outcome.HOLD
            )
            self._record(i, close_ms, bar.close, outcome, shadow, order=closing)
            return
        self._enter_first_allowed(i, close_ms, bar, wished, closing)

    def _close_if_wished(self, i: int, close_ms: int, signals: list[Signal]) -> Order | None:
        """Close the position when its time is up or its own strategy says so."""
        if not self._risk.may_close():
            return None
        deadline = self._executor.deadline[i]
        if deadline and close_ms >= deadline:
            return self._executor.close(i, OrderRole.EXIT, "time_out", close_ms)
        return self._close_by(i, close_ms, signals)

    def _close_by(self, i: int, at_ms: int, signals: list[Signal]) -> Order | None:
        """Close the position where its own strategy says so."""
        position = self._positions.positions[i]
        for signal in signals:
            against = signal.direction * position.lots < 0
            if signal.closes and against and signal.strategy == position.strategy:
                return self._executor.close(i, OrderRole.EXIT, signal.reason, at_ms)
        return None

    def propose(self, i: int, signal: Signal, at_ms: int, terms: Terms) -> Decided:
        """Decide at once about what an outside strategy wishes, by the path of every other wish.

        Args:
            at_ms: between two candles; the newest closed candle is what is decided on.
        """
        self._monitor.gates[i].age(at_ms)
        bar = self._monitor.bars[i]
        price = self._positions.last[i] if bar is None else bar.close
        symbol = self._positions.instruments[i].symbol
        self._journal.signals(symbol, at_ms, price, [signal])
        closing = None
        if self._positions.positions[i].lots and self._risk.may_close():
            closing = self._close_by(i, at_ms, [signal])
        if bar is None or not signal.opens:
            outcome = Outcome.CLOSED if closing else Outcome.DARK if bar is None else Outcome.HOLD
            self._record(i, at_ms, price, outcome, signal, order=closing, detail=terms.note)
            return Decided(closing=closing)
        inputs = self._on_terms(self._inputs(i, bar.open_ms + self.bar_ms, bar, signal), terms)
        verdict = self._risk.check_entry(inputs)
        entry = None
        if verdict.allowed:
            entry = self._executor.enter(
                i, signal, verdict.lots, inputs, signal.max_bars * self.bar_ms,
                at_ms=at_ms, limit=terms.limit, expires_ms=terms.expires_ms,
            )  # fmt: skip
        chosen = _Candidate(signal, inputs, verdict)
        self._record(
            i, at_ms, bar.close, Outcome.ORDERED if entry else Outcome.REFUSED, signal,
            verdict=verdict, inputs=inputs, order=entry or closing,
            detail={**_detail([chosen], chosen, closing), **terms.note},
        )  # fmt: skip
        return Decided(entry, closing, inputs, verdict)

    @staticmethod
    def _on_terms(inputs: RiskInputs, terms: Terms) -> RiskInputs:
        """Narrow an entry's numbers to what was wished; a limit is measured from the last close."""
        narrowed = inputs._replace(
            max_lots=min(inputs.max_lots, terms.most_lots),
            trading_state=max(inputs.trading_state, int(not terms.is_on)),
        )
        if not terms.limit:
            return narrowed
        return narrowed._replace(price=terms.limit, reference=inputs.price)

    def _enter_first_allowed(
        self, i: int, close_ms: int, bar: Bar, wished: list[Signal], closing: Order | None
    ) -> None:
        candidates = []
        for signal in wished:
            inputs = self._inputs(i, close_ms, bar, signal)
            verdict = self._risk.check_entry(inputs)
            candidates.append(_Candidate(signal, inputs, verdict))
            if verdict.allowed:
                break
        chosen = candidates[-1] if candidates[-1].verdict.allowed else candidates[0]
        order = closing
        if chosen.verdict.allowed:
            hold_ms = chosen.signal.max_bars * self.bar_ms
            order = self._executor.enter(
                i, chosen.signal, chosen.verdict.lots, chosen.inputs, hold_ms
            )
        outcome = Outcome.ORDERED if chosen.verdict.allowed else Outcome.REFUSED
        self._record(
            i, close_ms, bar.close, outcome, chosen.signal, verdict=chosen.verdict,
            inputs=chosen.inputs, order=order, detail=_detail(candidates, chosen, closing),
        )  # fmt: skip

    def _inputs(self, i: int, close_ms: int, bar: Bar, signal: Signal) -> RiskInputs:
        positions = self._positions
        # a reversal: the position that leaves at the same open frees its slot and its room
        leaving = positions.positions[i] if self._executor.closing(i) else None
        return self._risk.inputs(
            i, positions.instruments[i], signal, bar, close_ms,
            gate=self._monitor.gates[i].state,
            reference=self._monitor.reference[i],
            busy=self._executor.busy(i),
            open_positions=positions.open_count
            + self._executor.entries_under_way
            - (1 if leaving is not None and leaving.lots else 0),
            gross=positions.gross() - (abs(leaving.value(positions.last[i])) if leaving else 0),
            volatility=self._monitor.gates[i].volatility,
            cash=None if positions.instruments[i].can_short else positions.cash,
        )  # fmt: skip

    def _pass(self, i: int, close_ms: int, price: int, outcome: Outcome) -> None:
        """Record a decision that nobody wished anything of."""
        if self._counted is None:
            self._record(i, close_ms, price, outcome, _NO_SIGNAL)
        else:
            self._counted[_TEXT[id(outcome)]] += 1

    def _record(
        self, i: int, close_ms: int, price: int, outcome: Outcome, signal: Signal, *,
        verdict: Verdict = _NO_VERDICT, inputs: RiskInputs | None = None,
        order: Order | None = None, detail: Mapping[str, Any] | None = None,
    ) -> None:  # fmt: skip
        gate = self._monitor.gates[i]
        self._journal.decision(
            (
                close_ms,
                self._positions.instruments[i].symbol,
                _TEXT[id(outcome)],
                signal.strategy or None,
                signal.direction,
                signal.confidence,
                _TEXT[id(gate.state)],
                _TEXT[id(gate.reason)],
                _TEXT[id(self._risk.trading_state)],
                verdict.mask,
                verdict.first or None,
                verdict.lots,
                int(verdict.bound),
                price,
                self._risk.equity,
                self._monitor.window_hash[i],
                order.client_order_id if order else None,
                f"[{','.join(map(str, inputs))}]" if inputs else None,
                _encoded(detail) if detail else None,
            )
        )


def _detail(
    candidates: list[_Candidate], chosen: _Candidate, closing: Order | None
) -> dict[str, Any]:
    """Return what the row's columns cannot hold: other candidates, an exit beside the entry."""
    others = [
        {"strategy": c.signal.strategy, "direction": c.signal.direction, "mask": c.verdict.mask,
         "lots": c.verdict.lots, "inputs": c.inputs}
        for c in candidates
        if c is not chosen
    ]  # fmt: skip
    detail: dict[str, Any] = {}
    if others:
        detail["others"] = others
    if closing is not None:
        detail["closing"] = closing.client_order_id
    if chosen.verdict.broken:
        detail["broken"] = chosen.verdict.broken
    return detail
