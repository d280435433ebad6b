"""When the simulated venue liquidates: the whole account, or each position for itself.

Coins are never liquidated: they are paid in full.
"""

from auto_trading.gateways.venue_book import FLATTEN, Book, VenueOrder, adverse
from auto_trading.gateways.venue_ledger import VenueLedger
from crypto_trader_pro.domain.enums import FillReason, OrderType
from crypto_trader_pro.domain.messages import MarketSlice
from crypto_trader_pro.domain.units import notional, rate_ceil
from crypto_trader_pro.simulation.margin import bankruptcy_price, liquidates, maintenance_of


class VenueMargin(VenueLedger):
    """The margin side of the venue, cross or isolated as its costs say."""

    def _liquidate_if_due(self, market: MarketSlice) -> None:
        """Close what its margin no longer carries at this candle's adverse extremes."""
        if self._costs.isolated_rate:
            self._liquidate_isolated(market)
        else:
            self._liquidate_cross(market)

    def _liquidate_cross(self, market: MarketSlice) -> None:
        """Close every perpetual at its adverse extreme when the account's maintenance is gone."""
        worst, gross, needed = self.cash, 0, 0
        for i, book in enumerate(self._books):
            position = book.position
            if not position:
                continue
            bar = market.bars[i]
            extreme = book.close if bar is None else bar.low if position > 0 else bar.high
            value = extreme * position * book.instrument.tv
            worst += value
            if book.instrument.can_short:
                gross += abs(value)
        if worst > gross:  # maintenance is never more than the whole value
            return
        for book, bar in zip(self._books, market.bars, strict=True):
            if book.position and book.instrument.can_short:
                value = abs(notional(adverse(book, bar), book.position, book.instrument.tv))
                needed += maintenance_of(value, book.instrument.tiers)
        if not gross or not liquidates(worst, needed):
            return
        for book, bar in zip(self._books, market.bars, strict=True):
            if book.position and book.instrument.can_short:
                self._liquidate(book, adverse(book, bar), market.close_ms)

    def _liquidate_isolated(self, market: MarketSlice) -> None:
        """Close each perpetual whose own margin is gone at its adverse extreme.

        The margin is a share of what the open lots cost; funding and fees are the account's. It
        fills at the price at which the margin is lost, wherever the candle went: the venue's
        insurance bears the rest. Stops and exits of the same candle came before and may fill
        beyond that price.
        """
        for book, bar in zip(self._books, market.bars, strict=True):
            position, instrument = book.position, book.instrument
            if not position or not instrument.can_short:
                continue
            value = notional(adverse(book, bar), position, instrument.tv)
            margin = rate_ceil(abs(book.cost), self._costs.isolated_rate)
            needed = maintenance_of(abs(value), instrument.tiers)
            if liquidates(margin + value - book.cost, needed):
                price = bankruptcy_price(
                    1 if position > 0 else -1, abs(book.cost), margin, abs(position),
                    instrument.tv, instrument.tick_units,
                )  # fmt: skip
                self._liquidate(book, price, market.close_ms)

    def _liquidate(self, book: Book, price: int, at_ms: int) -> None:
        for order in [*book.exits, *book.entries, book.stop, book.target]:
            if order is not None:
                self._end(book, order, "liquidation", at_ms)
        side = -1 if book.position > 0 else 1
        order = VenueOrder(
            f"liq{self._trades:08d}", side, FLATTEN, OrderType.MARKET.value, abs(book.position), 0
        )
        self._fill(
            book, order, order.lots, price,
            maker=False, reason=FillReason.LIQUIDATION, at_ms=at_ms,
        )  # fmt: skip
