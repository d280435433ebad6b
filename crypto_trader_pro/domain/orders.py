"""Orders: what was intended, and the only ways its state may change."""

from dataclasses import dataclass
from typing import Final

from crypto_trader_pro.domain.enums import OrderRole, OrderStatus, OrderType, Side

S = OrderStatus

LEGAL: Final[dict[OrderStatus, frozenset[OrderStatus]]] = {
    S.INTENT: frozenset({S.CHECKED}),
    S.CHECKED: frozenset({S.DENIED, S.JOURNALED}),
    # a journaled order may be dropped unsent: its parent died, or a stop came first
    S.JOURNALED: frozenset({S.SENDING, S.CANCELED}),
    S.SENDING: frozenset({S.ACKNOWLEDGED, S.UNKNOWN, S.REJECTED}),
    S.ACKNOWLEDGED: frozenset({S.WORKING, S.REJECTED, S.PARTIAL, S.FILLED, S.CANCELED, S.EXPIRED}),
    S.UNKNOWN: frozenset(
        {S.WORKING, S.PARTIAL, S.FILLED, S.CANCELED, S.EXPIRED, S.REJECTED, S.ABSENT}
    ),
    S.WORKING: frozenset({S.PARTIAL, S.FILLED, S.CANCELED, S.EXPIRED}),
    S.PARTIAL: frozenset({S.PARTIAL, S.FILLED, S.CANCELED, S.EXPIRED}),
    S.DENIED: frozenset(),
    S.REJECTED: frozenset(),
    S.FILLED: frozenset(),
    S.CANCELED: frozenset(),
    S.EXPIRED: frozenset(),
    S.ABSENT: frozenset(),
}  # fmt: skip
TERMINAL: Final = frozenset(status for status, following in LEGAL.items() if not following)
OPEN: Final = frozenset({S.JOURNALED, S.SENDING, S.ACKNOWLEDGED, S.UNKNOWN, S.WORKING, S.PARTIAL})


class IllegalTransition(ValueError):  # noqa: N818  it names the event
    """An order was asked to go where `LEGAL` has no edge."""


@dataclass(slots=True)
class Order:
    """One order of ours, from its intent to its end. Prices in price units, quantity in lots.

    Raises:
        ValueError: a quantity or price that no order can have.
    """

    client_order_id: str
    symbol: str
    side: Side
    role: OrderRole
    order_type: OrderType
    lots: int
    price: int = 0  # limit or trigger price; 0 for market, and for protection until its entry fills
    reduce_only: bool = False
    strategy: str = ""
    parent_id: str | None = None  # the entry that a protective order belongs to
    stop_units: int = 0  # entry only: distance of the stop to be placed at its fill
    target_units: int = 0
    trail_rate: int = 0
    hold_ms: int = 0  # entry only: the position is closed this long after its first fill; 0 = never
    decided_ms: int = 0  # candle close of the decision
    reference: int = 0  # price that slippage is measured from: the decision's close, or `price`
    status: OrderStatus = OrderStatus.INTENT
    filled_lots: int = 0
    filled_value: int = 0  # sum of price * lots over the fills, price units x lots
    fees: int = 0  # money units
    realized: int = 0  # money units, profit that its fills realized, after their fees
    updated_ms: int = 0
    filled_ms: int = 0  # time of the last fill
    reason: str = ""  # why it ended, a code

    def __post_init__(self) -> None:
        if self.lots <= 0:
            raise ValueError(f"{self.client_order_id}: lots must be positive, was {self.lots}")
        if self.price < 0:
            raise ValueError(
                f"{self.client_order_id}: price must not be negative, was {self.price}"
            )
        if self.role is not OrderRole.ENTRY and not self.reduce_only:
            raise ValueError(f"{self.client_order_id}: role {self.role} must be reduce-only")

    @property
    def is_open(self) -> bool:
        return self.status in OPEN

    @property
    def open_lots(self) -> int:
        return self.lots - self.filled_lots

    def advance(self, status: OrderStatus, at_ms: int, reason: str = "") -> None:
        """Move to `status`.

        Raises:
            IllegalTransition: the table has no such edge; the order is left as it was.
        """
        if status not in LEGAL[self.status]:
            raise IllegalTransition(
                f"{self.client_order_id}: {self.status} -> {status} is not legal"
            )
        self.status = status
        self.updated_ms = at_ms
        if reason:
            self.reason = reason

    def fill(self, lots: int, price: int, fee: int, at_ms: int) -> None:
        """Book an execution of this order and advance to partial or filled.

        Raises:
            ValueError: the venue filled more than was ordered; nothing is booked.
        """
        if not 0 < lots <= self.open_lots:
            raise ValueError(
                f"{self.client_order_id}: fill of {lots} lots, open were {self.open_lots}"
            )
        last = lots == self.open_lots
        self.advance(OrderStatus.FILLED if last else OrderStatus.PARTIAL, at_ms)
        self.filled_lots += lots
        self.filled_ms = at_ms
        self.filled_value += price * lots
        self.fees += fee


@dataclass(frozen=True, slots=True)
class Fill:
    """One execution. Immutable; booked once, by (venue, symbol, trade_id)."""

    trade_id: str
    client_order_id: str
    symbol: str
    side: Side
    lots: int
    price: int
    fee: int  # money units, positive when paid
    is_maker: bool
    reason: str  # FillReason
    at_ms: int

    @property
    def signed_lots(self) -> int:
        return self.lots if self.side is Side.BUY else -self.lots
