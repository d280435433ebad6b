"""What the engine's parts write of what they do. The database's journal stores it; a backtest keeps
it in memory."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from crypto_trader_pro.domain.enums import NotificationType
from crypto_trader_pro.domain.ledger import Transaction
from crypto_trader_pro.domain.orders import Fill, Order
from crypto_trader_pro.domain.portfolio import AccountView
from crypto_trader_pro.domain.positions import Position
from crypto_trader_pro.domain.signals import Signal
from crypto_trader_pro.risk.rules import RiskInputs


class EngineJournal(Protocol):
    """Rows wait until `commit`; nothing is sent before the commit that holds its intent.

    Attributes:
        counted: None where every decision is a row. Otherwise one that does nothing is only counted
            here, by outcome, and no fingerprint of its candles is made.
    """

    order_prefix: str
    counted: Counter[str] | None
    keeps_state: bool  # False: nobody resumes from a checkpoint, and none is made

    @property
    def is_due(self) -> bool:
        """True when enough decisions wait for a commit of their own."""
        ...

    def check_fence(self) -> None: ...

    def commit(self, at_ms: int, state: str) -> None: ...

    def decision_key(self, symbol: str, close_ms: int) -> str: ...

    def decision(self, row: tuple[Any, ...]) -> None: ...

    def signals(self, symbol: str, at_ms: int, close: int, signals: Sequence[Signal]) -> None: ...

    def signal_executed(self, order: Order, fill: Fill) -> None: ...

    def order_created(self, order: Order) -> None: ...

    def order_changed(self, order: Order) -> None: ...

    def risk_snapshot(self, client_order_id: str, inputs: RiskInputs) -> None: ...

    def fill(self, fill: Fill, client_order_id: str, transaction: Transaction) -> None: ...

    def ledger(self, transaction: Transaction) -> None: ...

    def position(self, before: Position, after: Position, at_ms: int) -> None: ...

    def protection(self, order: Order, opened_ms: int) -> None: ...

    def trade(self, order: Order) -> None: ...

    def equity(self, account: AccountView) -> None: ...

    def alert(
        self, kind: NotificationType, severity: str, code: str, numbers: Mapping[str, Any],
        at_ms: int,
    ) -> None: ...  # fmt: skip

    def emergency(
        self, trigger: str, by: str, status: str, started: datetime, finished: datetime | None,
        positions: int, remaining: int, steps: Sequence[Mapping[str, Any]],
    ) -> None: ...  # fmt: skip


class ShadowBook(Protocol):
    """Where shadow trades and models are recorded; the journal of the run."""

    def shadow_opened(
        self, model_id: str, symbol: str, side: str, decided_ms: int, probability: int,
        expected_mbp: int,
    ) -> None: ...  # fmt: skip

    def shadow_closed(
        self, symbol: str, side: str, decided_ms: int, closed_ms: int, realized_mbp: int,
        reason: str,
    ) -> None: ...  # fmt: skip

    def model_trained(self, facts: Mapping[str, Any]) -> None: ...
