"""Orders of a run that have not ended."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlmodel import Session

from crypto_trader_pro.domain.enums import OrderRole
from database import orders
from database.views.json_values import View


@dataclass(frozen=True, slots=True)
class WorkingOrder(View):
    """An order that has not ended; `price` is None for one at market.

    Args:
        created_at: trading time of the decision behind it.
    """

    client_order_id: str
    symbol: str
    side: str
    role: str
    type: str
    quantity: Decimal
    filled: Decimal
    price: Decimal | None
    status: str
    strategy: str
    created_at: datetime

    @property
    def can_be_canceled(self) -> bool:
        """The engine cancels entries only: all others protect or close a position."""
        return self.role == OrderRole.ENTRY


def working_orders(session: Session, run_id: int) -> list[WorkingOrder]:
    """Return the orders of a run that have not ended, oldest first."""
    return [
        WorkingOrder(
            o.client_order_id, o.symbol, o.side, o.role, o.order_type, o.size, o.filled_size,
            o.price, o.status, o.strategy, o.decided_at,
        )
        for o in orders.working(session, run_id)
    ]  # fmt: skip
