"""What a backtest keeps of its run: orders, fills, funding, refusals; in memory and no longer."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from crypto_trader_pro.backtest.result import FILL_REASONS, LadderEvent
from crypto_trader_pro.domain.enums import NotificationType
from crypto_trader_pro.domain.ledger import CASH, Transaction
from crypto_trader_pro.domain.orders import Fill, Order
from crypto_trader_pro.domain.portfolio import AccountView
from crypto_trader_pro.domain.positions import Position
from crypto_trader_pro.domain.signals import Signal
from crypto_trader_pro.risk.rules import RiskInputs

_PREFIX = "b"
_OUTCOME, _MASK, _FIRST = 2, 9, 10  # places in a decision row, as `journal_sql.DECISION_COLUMNS`
_LADDERS = frozenset({
    "daily_loss_warning", "daily_loss_exceeded", "drawdown_reducing", "drawdown_recovered",
    "drawdown_kill", "drawdown_peak_reset",
})  # fmt: skip
_REASONS = {reason: place for place, reason in enumerate(FILL_REASONS)}


class MemoryJournal:
    """An `EngineJournal` and `ShadowBook` of one run.

    Args:
        symbols: in the order of the configuration.
        keeps_masks: keep every decision's verdict, for comparing two engines.
    """

    def __init__(self, symbols: Sequence[str], *, keeps_masks: bool = False) -> None:
        self.order_prefix = _PREFIX
        self.keeps_state = False
        self._place = {symbol: i for i, symbol in enumerate(symbols)}
        self._keeps_masks = keeps_masks
        self.orders: dict[str, Order] = {}
        self.fills: list[tuple[int, ...]] = []
        self.funding: list[tuple[int, int, int]] = []  # at_ms, symbol, amount
        self.events: list[LadderEvent] = []
        self.outcomes: Counter[str] = Counter()
        self.counted: Counter[str] | None = self.outcomes
        self.refusals: Counter[str] = Counter()
        self.masks: list[tuple[int, int, int]] = []  # candle close, symbol, mask

    def number(self, client_order_id: str) -> int:
        """Return the number of an order within the run."""
        return int(client_order_id.removeprefix(_PREFIX))

    # --- what is kept -----------------------------------------------------------------------

    def decision(self, row: tuple[Any, ...]) -> None:
        self.outcomes[row[_OUTCOME]] += 1
        if row[_FIRST] is not None:
            self.refusals[row[_FIRST]] += 1
        if self._keeps_masks and row[_MASK]:
            self.masks.append((row[0], self._place[row[1]], row[_MASK]))

    def order_created(self, order: Order) -> None:
        self.orders[order.client_order_id] = order

    def fill(self, fill: Fill, client_order_id: str, transaction: Transaction) -> None:
        self.fills.append(
            (
                self.number(client_order_id), self._place[fill.symbol], fill.side.sign, fill.lots,
                fill.price, fill.fee, int(fill.is_maker), _REASONS[fill.reason], fill.at_ms,
            )
        )  # fmt: skip

    def ledger(self, transaction: Transaction) -> None:
        if transaction.kind == "funding":
            _, symbol = transaction.reference.split(":", 1)
            symbol = symbol.rpartition(":")[0]
            amount = next(e.amount for e in transaction.entries if e.account == CASH)
            self.funding.append((transaction.at_ms, self._place[symbol], amount))

    def alert(
        self, kind: NotificationType, severity: str, code: str, numbers: Mapping[str, Any],
        at_ms: int,
    ) -> None:  # fmt: skip
        if code in _LADDERS:
            equity = numbers["peak"] if code == "drawdown_peak_reset" else numbers["equity"]
            self.events.append(LadderEvent(at_ms, code, equity))

    # --- what is not ------------------------------------------------------------------------

    @property
    def is_due(self) -> bool:
        return False

    def check_fence(self) -> None:
        """Nobody else can have this run."""

    def commit(self, at_ms: int, state: str) -> None:
        """Nothing is stored: what is decided is sent."""

    def decision_key(self, symbol: str, close_ms: int) -> str:
        return f"{symbol}:{close_ms}"

    def signals(self, symbol: str, at_ms: int, close: int, signals: Sequence[Signal]) -> None:
        """Signals can be computed again."""

    def signal_executed(self, order: Order, fill: Fill) -> None:
        """The fill says so."""

    def order_changed(self, order: Order) -> None:
        """Orders are kept as they are and read at the end."""
        self.orders[order.client_order_id] = order

    def risk_snapshot(self, client_order_id: str, inputs: RiskInputs) -> None:
        """`why` asks a stored run."""

    def position(self, before: Position, after: Position, at_ms: int) -> None:
        """Positions follow from the fills."""

    def protection(self, order: Order, opened_ms: int) -> None:
        """The order carries its price."""

    def trade(self, order: Order) -> None:
        """Trades follow from the fills."""

    def equity(self, account: AccountView) -> None:
        """The runner takes the equity of every close."""

    def emergency(
        self, trigger: str, by: str, status: str, started: datetime, finished: datetime | None,
        positions: int, remaining: int, steps: Sequence[Mapping[str, Any]],
    ) -> None:  # fmt: skip
        """The ladder event tells of it."""

    def shadow_opened(
        self, model_id: str, symbol: str, side: str, decided_ms: int, probability: int,
        expected_mbp: int,
    ) -> None:  # fmt: skip
        """The model strategy keeps its own record."""

    def shadow_closed(
        self, symbol: str, side: str, decided_ms: int, closed_ms: int, realized_mbp: int,
        reason: str,
    ) -> None:  # fmt: skip
        """The model strategy keeps its own record."""

    def model_trained(self, facts: Mapping[str, Any]) -> None:
        """The model's report tells of it."""
