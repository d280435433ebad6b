"""NautilusTrader: its low-level `BacktestEngine`, bracket orders, its own averages.

A market order of `on_bar` is filled at once at the bar's close, which on these bars is the next
open. `run` is `BacktestEngine.run`; making bar objects of the file is part of `load`.
"""

from benchmarks.peers.workload import Report

report = Report()

from decimal import Decimal  # noqa: E402  the clock started before the first import
from typing import Any  # noqa: E402

import pandas as pd  # noqa: E402
from nautilus_trader.backtest.engine import BacktestEngine, BacktestEngineConfig  # noqa: E402
from nautilus_trader.config import LoggingConfig, StrategyConfig  # noqa: E402
from nautilus_trader.indicators import ExponentialMovingAverage  # noqa: E402
from nautilus_trader.model.currencies import ETH, USDT  # noqa: E402
from nautilus_trader.model.data import Bar, BarType  # noqa: E402
from nautilus_trader.model.enums import (  # noqa: E402
    AccountType, OmsType, OrderSide, OrderType,
)  # fmt: skip
from nautilus_trader.model.identifiers import InstrumentId, Symbol, Venue  # noqa: E402
from nautilus_trader.model.instruments import CurrencyPair  # noqa: E402
from nautilus_trader.model.objects import Money, Price, Quantity  # noqa: E402
from nautilus_trader.persistence.wranglers import BarDataWrangler  # noqa: E402
from nautilus_trader.trading.strategy import Strategy  # noqa: E402

from benchmarks.peers.workload import (  # noqa: E402
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
BARS = BarType.from_str(f"{ID}-1-MINUTE-LAST-EXTERNAL")


class Crossing(Strategy):
    """Long while the fast average is above, until the stop or the target."""

    def __init__(self, bars: int) -> None:
        super().__init__(StrategyConfig())
        self.fast = ExponentialMovingAverage(FAST)
        self.slow = ExponentialMovingAverage(SLOW)
        self.above = False
        self.seen = 0
        self.last = bars

    def on_start(self) -> None:
        self.register_indicator_for_bars(BARS, self.fast)
        self.register_indicator_for_bars(BARS, self.slow)
        self.subscribe_bars(BARS)

    def on_bar(self, bar: Bar) -> None:
        self.seen += 1
        above = self.fast.value > self.slow.value
        crossed, self.above = above is not self.above, above
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


def bar_of(order: Any) -> int:
    """Return the bar in which an order was filled; a market order in the one after its signal."""
    bar = (order.ts_last // 1_000_000 - START_MS) // MINUTE_MS - 1
    return int(bar) + (order.order_type == OrderType.MARKET)


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
    engine.add_strategy(Crossing(len(bars)))
    report.phase("load")
    engine.run()
    report.phase("run")
    order = engine.cache.order
    trades = [
        (bar_of(order(p.opening_order_id)), bar_of(order(p.closing_order_id)))
        for p in engine.cache.positions_closed()
    ]
    balance = engine.cache.account_for_venue(VENUE).balance_total(USDT).as_double()
    held = sum(p.unrealized_pnl(bars[-1].close).as_double() for p in engine.cache.positions_open())
    report.trades(trades, balance + held - CASH)
    report.print("nautilus_trader")


if __name__ == "__main__":
    main()
