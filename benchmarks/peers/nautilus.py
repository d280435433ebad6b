"""NautilusTrader: its low-level `BacktestEngine`, bracket orders, its own averages.

A market order of `on_bar` is filled at once at the bar's close, which on these bars is the next
open. `run` is `BacktestEngine.run`; making bar objects of the file is part of `load`.

Its cost of an order grows with the number of orders before it. The variant `purge` drops what is
closed from its cache every 1,000 bars, which a user can but few will do.
"""

# ruff: noqa: E402, I001  the clock starts before the imports, which it times

from benchmarks.peers.workload import Report

report = Report()

from decimal import Decimal

import pandas as pd
from nautilus_trader.backtest.engine import BacktestEngine, BacktestEngineConfig
from nautilus_trader.config import LoggingConfig, StrategyConfig
from nautilus_trader.indicators import ExponentialMovingAverage
from nautilus_trader.model.currencies import ETH, USDT
from nautilus_trader.model.data import Bar, BarType
from nautilus_trader.model.enums import (
    AccountType, OmsType, OrderSide, OrderType,
)  # fmt: skip
from nautilus_trader.model.events import OrderFilled
from nautilus_trader.model.identifiers import InstrumentId, Symbol, Venue
from nautilus_trader.model.instruments import CurrencyPair
from nautilus_trader.model.objects import Money, Price, Quantity
from nautilus_trader.persistence.wranglers import BarDataWrangler
from nautilus_trader.trading.strategy import Strategy

from benchmarks.peers.workload import (
    CASH, FAST, FEE, MINUTE_MS, SLOW, START_MS, UNITS, bracket,
)  # fmt: skip

VENUE = Venue("SIM")
ID = InstrumentId(Symbol("ETHUSDT"), VENUE)
INSTRUMENT = CurrencyPair(
    instrument_id=ID, raw_symbol=Symbol("ETHUSDT"), base_currency=ETH, quote_currency=USDT,
    price_precision=2, size_precision=3, price_increment=Price.from_str("0.01"),
    size_increment=Quantity.from_str("0.001"), lot_size=None, max_quantity=None, min_quantity=None,
    max_notional=None, min_notional=None, max_price=None, min_price=None, margin_init=Decimal(0),
    margin_maint=Decimal(0), maker_fee=Decimal(str(FEE)), taker_fee=Decimal(str(FEE)),
    ts_event=0, ts_init=0,
)  # fmt: skip
PURGE_BARS = 1_000
BARS = BarType.from_str(f"{ID}-1-MINUTE-LAST-EXTERNAL")


class Crossing(Strategy):  # type: ignore[misc]  # untyped here
    """Long while the fast average is above, until the stop or the target."""

    def __init__(self, bars: int, *, purges: bool) -> None:
        super().__init__(StrategyConfig())
        self.fast = ExponentialMovingAverage(FAST)
        self.slow = ExponentialMovingAverage(SLOW)
        self.above = False
        self.seen = 0
        self.last = bars
        self.purges = purges
        self.fills: list[tuple[OrderSide, int]] = []

    def on_start(self) -> None:
        self.register_indicator_for_bars(BARS, self.fast)
        self.register_indicator_for_bars(BARS, self.slow)
        self.subscribe_bars(BARS)

    def on_bar(self, bar: Bar) -> None:
        self.seen += 1
        above = self.fast.value > self.slow.value
        crossed, self.above = above is not self.above, above
        if self.purges and self.seen % PURGE_BARS == 0:
            now = self.clock.timestamp_ns()
            self.cache.purge_closed_orders(ts_now=now)
            self.cache.purge_closed_positions(ts_now=now)
        if not crossed or self.seen <= SLOW or self.seen == self.last:
            return
        if above:
            self.enter(bar.close.as_double())
        else:
            self.cancel_all_orders(ID)
            self.close_all_positions(ID)

    def enter(self, close: float) -> None:
        stop, target = bracket(close)
        orders = self.order_factory.bracket(
            instrument_id=ID, order_side=OrderSide.BUY, quantity=INSTRUMENT.make_qty(UNITS),
            sl_trigger_price=INSTRUMENT.make_price(stop), tp_price=INSTRUMENT.make_price(target),
        )  # fmt: skip
        self.submit_order_list(orders)

    def on_order_filled(self, event: OrderFilled) -> None:
        bar = (event.ts_event // 1_000_000 - START_MS) // MINUTE_MS - 1
        # a market order is filled at the close of its signal, in our terms at the next open
        self.fills.append((event.order_side, bar + int(event.order_type == OrderType.MARKET)))


def main() -> None:
    report.phase("import")
    frame = pd.read_parquet(report.options.parquet)
    # a bar is told at its close
    times = pd.to_datetime(frame.pop("timestamp") + MINUTE_MS, unit="ms", utc=True)
    bars = BarDataWrangler(BARS, INSTRUMENT).process(frame.set_index(times))
    engine = BacktestEngine(
        BacktestEngineConfig(
            logging=LoggingConfig(bypass_logging=True),
            run_analysis=False,
        )
    )
    engine.add_venue(
        venue=VENUE, oms_type=OmsType.HEDGING, account_type=AccountType.MARGIN,
        base_currency=USDT, starting_balances=[Money(CASH, USDT)],
    )  # fmt: skip
    engine.add_instrument(INSTRUMENT)
    engine.add_data(bars)
    strategy = Crossing(len(bars), purges=report.options.variant == "purge")
    engine.add_strategy(strategy)
    report.phase("load")
    engine.run()
    report.phase("run")
    entered = [bar for side, bar in strategy.fills if side == OrderSide.BUY]
    left = [bar for side, bar in strategy.fills if side == OrderSide.SELL]
    balance = engine.cache.account_for_venue(VENUE).balance_total(USDT).as_double()
    held = sum(p.unrealized_pnl(bars[-1].close).as_double() for p in engine.cache.positions_open())
    # an open one at the end has no exit
    report.trades(zip(entered, left, strict=False), balance + held - CASH)
    report.print("nautilus_trader")


if __name__ == "__main__":
    main()
