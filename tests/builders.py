"""Builders of domain objects: every argument has a default, a test names only what it is about."""

from collections.abc import Coroutine, Mapping, Sequence
from decimal import Decimal
from itertools import count
from typing import Any, Final, TypeVar

from auto_trading.gateways.simulated_venue import SimulatedVenue
from auto_trading.gateways.venue_book import FundingEvent
from crypto_trader_pro.domain.enums import (
    FillReason,
    MarketKind,
    OrderRole,
    OrderStatus,
    OrderType,
    Side,
)
from crypto_trader_pro.domain.instruments import Instrument
from crypto_trader_pro.domain.market import Bar
from crypto_trader_pro.domain.messages import (
    Acknowledged,
    Ended,
    Funded,
    MarketSlice,
    Rejected,
    VenueEvent,
    Working,
)
from crypto_trader_pro.domain.orders import Fill, Order
from crypto_trader_pro.domain.signals import Signal
from crypto_trader_pro.risk.rules import RiskInputs
from crypto_trader_pro.simulation.venue_costs import VenueCosts

MINUTE: Final = 60_000
HOUR: Final = 3_600_000
START_MS: Final = 1_704_067_200_000  # 2024-01-01 00:00 UTC
USDT: Final = 100_000_000  # money units of one USDT
PERPETUAL: Final = "BTC/USDT:USDT"
SPOT: Final = "BTC/USDT"

_trade_ids = count(1)
_T = TypeVar("_T")


def finished(coroutine: Coroutine[Any, Any, _T]) -> _T:
    """Return the result of a coroutine that never waits, without an event loop."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        result: _T = stop.value
        return result
    coroutine.close()
    raise AssertionError("the coroutine waited for something")


def an_instrument(
    symbol: str = PERPETUAL,
    *,
    tick: str = "0.1",
    lot: str = "0.001",
    price_unit: str | None = None,
    min_notional: str = "5",
    maker_fee: str = "0.0002",
    taker_fee: str = "0.0005",
    maintenance: str = "0.01",
    max_lots: int = (1 << 46) - 1,
) -> Instrument:
    """Return a perpetual if `symbol` names a settlement coin, else spot. Default tv: 10,000."""
    return Instrument(
        symbol=symbol,
        kind=MarketKind.LINEAR if ":" in symbol else MarketKind.SPOT,
        tick=Decimal(tick),
        lot=Decimal(lot),
        price_unit=Decimal(price_unit if price_unit is not None else tick),
        min_notional=Decimal(min_notional),
        maker_fee=Decimal(maker_fee),
        taker_fee=Decimal(taker_fee),
        maintenance=Decimal(maintenance),
        max_lots=max_lots,
    )


def a_round_instrument(symbol: str = PERPETUAL, *, maintenance: str = "0.01") -> Instrument:
    """Return an instrument for sums in the head: one price unit of one lot is one USDT.

    Maker 0.05 %, taker 0.1 %, so that the fee of 1,000 USDT is 0.5 or 1 USDT.
    """
    return an_instrument(
        symbol, tick="1", lot="1", maker_fee="0.0005", taker_fee="0.001", maintenance=maintenance
    )


def a_bar(
    k: int = 0,
    open_: int = 100,
    high: int | None = None,
    low: int | None = None,
    close: int | None = None,
    *,
    volume: int = 1_000_000,
    bar_ms: int = MINUTE,
) -> Bar:
    """Return candle number `k` after START_MS; flat at the open where nothing else is said."""
    closed = open_ if close is None else close
    return Bar(
        START_MS + k * bar_ms,
        open_,
        max(open_, closed) if high is None else high,
        min(open_, closed) if low is None else low,
        closed,
        volume,
    )


def a_slice(*bars: Bar | None, bar_ms: int = MINUTE, close_ms: int = 0) -> MarketSlice:
    """Return the instant at which `bars` closed; `close_ms` is needed only if all are missing."""
    present = [bar for bar in bars if bar is not None]
    return MarketSlice(present[0].open_ms + bar_ms if present else close_ms, tuple(bars))


def a_fill(
    side: Side = Side.BUY,
    lots: int = 10,
    price: int = 100,
    fee: int = 0,
    *,
    symbol: str = PERPETUAL,
    order_id: str = "o1",
    trade_id: str = "",
    is_maker: bool = False,
    reason: str = FillReason.ENTRY,
    at_ms: int = START_MS,
) -> Fill:
    return Fill(
        trade_id or f"f{next(_trade_ids)}",
        order_id,
        symbol,
        side,
        lots,
        price,
        fee,
        is_maker,
        reason,
        at_ms,
    )


def an_order(
    order_id: str = "o1",
    side: Side = Side.BUY,
    lots: int = 10,
    *,
    role: OrderRole = OrderRole.ENTRY,
    order_type: OrderType = OrderType.MARKET,
    price: int = 0,
    symbol: str = PERPETUAL,
    stop_units: int = 0,
    target_units: int = 0,
    trail_rate: int = 0,
    parent_id: str | None = None,
    status: OrderStatus = OrderStatus.INTENT,
) -> Order:
    return Order(
        order_id,
        symbol,
        side,
        role,
        order_type,
        lots,
        price=price,
        reduce_only=role is not OrderRole.ENTRY,
        stop_units=stop_units,
        target_units=target_units,
        trail_rate=trail_rate,
        parent_id=parent_id,
        status=status,
    )


def an_exit(
    order_id: str = "x1", side: Side = Side.SELL, lots: int = 10, *, symbol: str = PERPETUAL
) -> Order:
    return an_order(order_id, side, lots, role=OrderRole.EXIT, symbol=symbol)


def protection_of(entry: Order, *, trail_rate: int = 0) -> list[Order]:
    """Return the stop, and the target where the entry has one, as the executor makes them."""
    side = Side.SELL if entry.side is Side.BUY else Side.BUY
    orders = [
        an_order(
            f"{entry.client_order_id}-stop",
            side,
            entry.lots,
            role=OrderRole.STOP,
            order_type=OrderType.STOP_MARKET,
            symbol=entry.symbol,
            trail_rate=trail_rate,
            parent_id=entry.client_order_id,
        )
    ]
    if entry.target_units:
        orders.append(
            an_order(
                f"{entry.client_order_id}-target",
                side,
                entry.lots,
                role=OrderRole.TARGET,
                order_type=OrderType.TAKE_PROFIT,
                symbol=entry.symbol,
                parent_id=entry.client_order_id,
            )
        )
    return orders


def a_signal(
    direction: int = 1,
    *,
    strategy: str = "ema_cross",
    stop_units: int = 1_000,
    target_units: int = 2_000,
) -> Signal:
    return Signal(
        strategy,
        direction,
        "cross_up" if direction > 0 else "cross_down",
        closes=True,
        stop_units=stop_units,
        target_units=target_units,
    )


def risk_inputs(**changes: int) -> RiskInputs:
    """Return the inputs of an entry that every rule allows, with `changes`.

    100,000 USDT; BTC perpetual at 40,000.0 (400,000 price units, tv 10,000), so that a lot is worth
    40 USDT; stop 1 % away, 0.4 USDT a lot. 2 % of equity is 2,000 USDT or 50 lots, and 0.02 % of it
    at risk is 20 USDT or 50 lots as well.
    """
    allowed = RiskInputs(
        trading_state=0,
        gate_state=0,
        busy=0,
        last_entry_ms=0,
        bar_ms=START_MS,
        daily_level=0,
        drawdown_level=0,
        open_positions=0,
        max_positions=5,
        bars_since_exit=-1,
        cooldown_bars=3,
        entries_today=0,
        max_entries_per_day=200,
        entries_now=0,
        max_entries_per_cycle=20,
        side=1,
        can_short=1,
        has_model=0,
        edge_mbp=0,
        edge_margin_mbp=20_000,
        price=400_000,
        reference=400_000,
        stop_units=4_000,
        tv=10_000,
        equity=100_000 * USDT,
        size_rate=2_000_000,
        risk_rate=20_000,
        room=100_000 * USDT,
        taker_rate=50_000,
        volume=1_000_000,
        share=10_000_000,
        max_lots=1_000_000,
        min_notional=5 * USDT,
        collar_rate=5_000_000,
        account_equity=100_000 * USDT,
        day_start=100_000 * USDT,
        peak=100_000 * USDT,
    )
    return allowed._replace(**changes)


class Desk:
    """A client of the simulated venue that believes nothing.

    It keeps its own orders (domain objects, which refuse illegal edges and over-fills), cash and
    positions, all folded from the venue's events. Where not `strict`, it only counts what its
    orders refused.
    """

    def __init__(
        self,
        *instruments: Instrument,
        cash: int = 100_000 * USDT,
        costs: VenueCosts | None = None,
        funding: Mapping[str, Sequence[FundingEvent]] | None = None,
        bar_ms: int = MINUTE,
        strict: bool = True,
    ) -> None:
        self.instruments = instruments or (a_round_instrument(),)
        self._opening = cash
        self._costs = costs if costs is not None else VenueCosts()
        self._funding = funding
        self.venue = self._new_venue()
        self.bar_ms = bar_ms
        self.cash = cash
        self.lots = {i.symbol: 0 for i in self.instruments}
        self.orders: dict[str, Order] = {}
        self.events: list[VenueEvent] = []
        self.refused = 0
        self._strict = strict

    # --- what a client does -----------------------------------------------------------------

    def submit(self, order: Order, protection: Sequence[Order] = ()) -> list[VenueEvent]:
        for each in (order, *protection):
            for status in (OrderStatus.CHECKED, OrderStatus.JOURNALED, OrderStatus.SENDING):
                each.advance(status, 0)
            self.orders[each.client_order_id] = each
        finished(self.venue.submit(order, protection))
        return self.settle()

    def enter(
        self,
        side: Side = Side.BUY,
        lots: int = 10,
        *,
        order_id: str = "e1",
        stop: int = 10,
        target: int = 0,
        trail_rate: int = 0,
        order_type: OrderType = OrderType.MARKET,
        price: int = 0,
        symbol: str = PERPETUAL,
    ) -> Order:
        """Submit an entry whose protection waits for its fill."""
        entry = an_order(
            order_id,
            side,
            lots,
            order_type=order_type,
            price=price,
            symbol=symbol,
            stop_units=stop,
            target_units=target,
        )
        self.submit(entry, protection_of(entry, trail_rate=trail_rate) if stop else ())
        return entry

    def cancel(self, order_id: str) -> list[VenueEvent]:
        finished(self.venue.cancel(order_id))
        return self.settle()

    def play(self, *bars: Bar | None, close_ms: int = 0) -> list[VenueEvent]:
        """Play one instant and return what the venue said about it."""
        self.venue.play(a_slice(*bars, bar_ms=self.bar_ms, close_ms=close_ms))
        return self.settle()

    def settle(self) -> list[VenueEvent]:
        news = list(finished(self.venue.events()))
        self.events += news
        for event in news:
            try:
                self._book(event)
            except ValueError:
                if self._strict:
                    raise
                self.refused += 1
        return news

    def reborn(self, state: Mapping[str, Any]) -> None:
        """Go on with a new venue object that was restored from `state`."""
        self.venue = self._new_venue()
        self.venue.restore(state)

    def _new_venue(self) -> SimulatedVenue:
        return SimulatedVenue(self.instruments, self._opening, self._costs, self._funding)

    # --- what it believes -------------------------------------------------------------------

    def open_orders(self, symbol: str = PERPETUAL) -> list[Order]:
        return [o for o in self.orders.values() if o.is_open and o.symbol == symbol]

    def _book(self, event: VenueEvent) -> None:
        if isinstance(event, Funded):
            self.cash += event.amount
        elif isinstance(event, Fill):
            self._fill(event)
        else:
            self._change(self.orders[event.client_order_id], event)

    def _fill(self, fill: Fill) -> None:
        tv = next(i.tv for i in self.instruments if i.symbol == fill.symbol)
        self.cash -= fill.signed_lots * fill.price * tv + fill.fee
        self.lots[fill.symbol] += fill.signed_lots
        if fill.reason != FillReason.LIQUIDATION:
            self.orders[fill.client_order_id].fill(fill.lots, fill.price, fill.fee, fill.at_ms)

    @staticmethod
    def _change(order: Order, event: Acknowledged | Working | Rejected | Ended) -> None:
        if isinstance(event, Acknowledged):
            order.advance(OrderStatus.ACKNOWLEDGED, event.at_ms)
        elif isinstance(event, Rejected):
            order.advance(OrderStatus.REJECTED, event.at_ms, event.code)
        elif isinstance(event, Ended):
            status = OrderStatus.EXPIRED if event.expired else OrderStatus.CANCELED
            order.advance(status, event.at_ms, event.code)
        else:
            if order.status is OrderStatus.ACKNOWLEDGED:
                order.advance(OrderStatus.WORKING, event.at_ms)
            order.price = event.price
            order.lots = order.filled_lots + event.lots
            order.updated_ms = event.at_ms


def fills_of(events: Sequence[VenueEvent]) -> list[Fill]:
    return [event for event in events if isinstance(event, Fill)]


def as_tuples(events: Sequence[VenueEvent]) -> list[tuple[FillReason, Side, int, int]]:
    """Return (reason, side, lots, price) of each fill."""
    return [(FillReason(f.reason), f.side, f.lots, f.price) for f in fills_of(events)]
