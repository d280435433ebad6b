"""A session played in memory, with what comparing needs: wishes, refusals, unslipped prices."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from auto_trading.backtesting.memory_journal import MemoryJournal
from auto_trading.gateways.simulated_venue import SimulatedVenue
from auto_trading.gateways.venue_book import Book, VenueOrder
from crypto_trader_pro.backtest.parity_trips import Decided, Execution, Payment, Wish
from crypto_trader_pro.domain.enums import FillReason
from crypto_trader_pro.domain.signals import Signal

_FIRST = 10  # place of the first refusal in a decision row


class Asked(NamedTuple):
    """The one decision of which everything is kept."""

    symbol: str
    at_ms: int


class Witness(MemoryJournal):
    """The journal of a session that is played and not stored.

    Args:
        asked: a decision of which the row and the signals are kept.

    Attributes:
        references: per fill, in their order, the price before slippage; written by the venue.
        wishes, refused_by: as `wishes` and `refusals` of `Books`.
        row, said: of the decision that was asked for.
    """

    def __init__(self, symbols: Sequence[str], asked: Asked | None = None) -> None:
        super().__init__(symbols)
        self.counted = None  # the one that is asked for may be quiet
        self.symbols = tuple(symbols)
        self.references: list[int] = []
        self.wishes: dict[tuple[str, int], dict[str, Wish]] = {}
        self.refused_by: dict[tuple[str, int], str] = {}
        self.asked = asked
        self.row: tuple[Any, ...] | None = None
        self.said: tuple[Signal, ...] = ()
        self.close = 0
        # of a journal that a session records into; nothing is recorded here
        self.taken = 0
        self.has_inputs = False
        self.is_clean = True
        self.config_hash = ""

    def decision(self, row: tuple[Any, ...]) -> None:
        key = (row[1], row[0])
        if row[_FIRST] is not None:
            self.refused_by[key] = row[_FIRST]
        if key == self.asked:
            self.row = row

    # asked at every decision but those without a usable candle
    def signals(self, symbol: str, at_ms: int, close: int, signals: Sequence[Signal]) -> None:
        key = (symbol, at_ms)
        self.wishes[key] = {
            s.strategy: Wish(s.direction, s.opens, s.closes) for s in signals if s.direction
        }
        if key == self.asked:
            self.said, self.close = tuple(signals), close

    # --- what came of it --------------------------------------------------------------------

    def executions(self) -> list[Execution]:
        """Return the fills with the market's price of each."""
        return [
            Execution(number, self.symbols[i], side, lots, price, reference, fee, at_ms)
            for (number, i, side, lots, price, fee, _, _, at_ms), reference in zip(
                self.fills, self.references, strict=True
            )
        ]

    def decided(self) -> dict[int, Decided]:
        """Return the orders by number."""
        return {
            (number := self.number(o.client_order_id)): Decided(
                number, o.symbol, o.side.sign, o.role.value, o.strategy, o.decided_ms, o.lots,
                o.status.value, str(o.reason),
            )
            for o in self.orders.values()
        }  # fmt: skip

    def payments(self) -> list[Payment]:
        return [Payment(at_ms, self.symbols[i], amount) for at_ms, i, amount in self.funding]


class WitnessVenue(SimulatedVenue):
    """The paper venue, which also notes what each fill would have cost without slippage."""

    def __init__(self, *args: Any, references: list[int], **more: Any) -> None:
        super().__init__(*args, **more)
        self._references = references
        self._asked = 0

    def _slip(self, book: Book, price: int, side: int, lots: int, volume: int) -> int:
        self._asked = price
        return super()._slip(book, price, side, lots, volume)

    def _fill(
        self, book: Book, order: VenueOrder, lots: int, price: int, *,
        maker: bool, reason: FillReason, at_ms: int,
    ) -> None:  # fmt: skip
        unslipped = maker or reason is FillReason.LIQUIDATION
        self._references.append(price if unslipped else self._asked)
        super()._fill(book, order, lots, price, maker=maker, reason=reason, at_ms=at_ms)
