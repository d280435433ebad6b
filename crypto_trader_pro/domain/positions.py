"""Net positions, built from fills and nothing else."""

from dataclasses import dataclass, replace
from decimal import Decimal

from crypto_trader_pro.domain.instruments import Instrument, plain
from crypto_trader_pro.domain.orders import Fill
from crypto_trader_pro.domain.units import mul_div, notional


@dataclass(frozen=True, slots=True)
class Position:
    """A net position of one instrument.

    `lots` is signed: > 0 long, < 0 short, 0 flat. `cost` is what the open lots were bought for
    (money units, same sign as `lots`). Realized profit is after fees. Equity never uses `cost`: it
    is cash plus lots at the mark, so no average price takes part in a decision.
    """

    instrument: Instrument
    lots: int = 0
    cost: int = 0
    realized: int = 0
    fees: int = 0
    opened_ms: int = 0
    strategy: str = ""
    realized_before: int = 0  # `realized` when this life began

    @property
    def life_realized(self) -> int:
        """Profit since the position was opened, after fees, money units."""
        return self.realized - self.realized_before

    @property
    def symbol(self) -> str:
        return self.instrument.symbol

    @property
    def is_open(self) -> bool:
        return self.lots != 0

    def apply(self, fill: Fill) -> "Position":
        """Return the position after `fill`; `self` is left as it was.

        Same direction: cost grows. Opposite direction: profit is realized on the closed part, the
        remainder of a larger fill reopens at the fill price.

        Raises:
            ValueError: the fill is of another symbol.
        """
        if fill.symbol != self.symbol:
            raise ValueError(f"fill for {fill.symbol} applied to {self.symbol}")
        tv = self.instrument.tv
        change = fill.signed_lots
        total = self.lots + change
        if self.lots * change >= 0:
            opened = self.opened_ms if self.lots else fill.at_ms
            before = self.realized_before if self.lots else self.realized
            return replace(
                self,
                lots=total,
                cost=self.cost + notional(fill.price, change, tv),
                realized=self.realized - fill.fee,
                fees=self.fees + fill.fee,
                opened_ms=opened,
                realized_before=before,
            )
        sign = 1 if self.lots > 0 else -1
        closed = min(abs(self.lots), abs(change))
        removed = sign * mul_div(abs(self.cost), closed, abs(self.lots))
        profit = sign * notional(fill.price, closed, tv) - removed
        crossed = self.lots * total < 0
        return replace(
            self,
            lots=total,
            cost=notional(fill.price, total, tv) if crossed else self.cost - removed,
            realized=self.realized + profit - fill.fee,
            fees=self.fees + fill.fee,
            opened_ms=fill.at_ms if crossed else self.opened_ms,
            realized_before=self.realized + profit if crossed else self.realized_before,
        )

    def value(self, price: int) -> int:
        """Return the signed value of the position at `price`, money units."""
        return notional(price, self.lots, self.instrument.tv)

    def unrealized(self, price: int) -> int:
        """Return the profit that closing at `price` would realize before fees, money units."""
        return self.value(price) - self.cost

    @property
    def average_price(self) -> Decimal | None:
        """Average entry price for display, or None when flat."""
        if not self.lots:
            return None
        units = Decimal(self.cost) / self.lots / self.instrument.tv
        return plain(
            (units * self.instrument.price_unit).quantize(self.instrument.price_unit / 100)
        )
