"""The books of a made-up run in whole units: what was bought, sold, paid, earned; and its rows."""

from decimal import Decimal
from typing import Final

from crypto_trader_pro.domain.calendar import TradingCalendar
from crypto_trader_pro.domain.enums import OrderRole
from crypto_trader_pro.domain.ledger import holding_asset
from crypto_trader_pro.domain.units import rate_ceil
from database.statements import Grid, money_text
from tests.console_accounts import TABLES, Day, Held
from tests.console_bulk import Bulk, Row
from tests.console_market import FIVE_MINUTES, Market
from tests.console_plan import Life

_SLIP: Final = 20_000  # parts of 1e8 of the price
_TO_FILL: Final = 1_000  # ms from the decision


class Book:
    """Keeps the money of one run, and gives its rows to `bulk` at each `flush`."""

    def __init__(
        self, run_id: int, market: Market, bulk: Bulk, config_hash: str, opening: int
    ) -> None:  # fmt: skip
        self.run_id, self.market = run_id, market
        self.grids = [Grid(i) for i in market.instruments]
        self.held: list[Held | None] = [None] * len(self.grids)
        self.cash = self.equity = self.peak = opening
        self.realized = self.unrealized = self.entries_today = 0
        self.days: list[Day] = []
        self.trades = self.closed = 0
        self._bulk, self._values, self._hash = bulk, bulk.values, config_hash
        self._left = [-1] * len(self.grids)
        self._orders = self._executions = 0
        self._calendar = TradingCalendar("Asia/Seoul")
        self._rows: dict[str, list[Row]] = {table: [] for table in TABLES}
        self._book("capital", "capital", market.first_ms,
                   ("cash", "USDT", opening), ("capital", "USDT", -opening))  # fmt: skip
        self._begin_day(market.first_ms)

    @property
    def open_count(self) -> int:
        return sum(1 for held in self.held if held is not None)

    @property
    def day_start(self) -> int:
        return self.days[-1].opened

    def bars_since_exit(self, i: int, k: int) -> int:
        return -1 if self._left[i] < 0 else k - self._left[i]

    # --- what happens -----------------------------------------------------------------------

    def candle(self, k: int, at_ms: int, prices: list[int]) -> None:
        """Let stops and targets of candle `k` fill, then mark the account at its close."""
        if at_ms > self.days[-1].day.end_ms:
            self._begin_day(at_ms)
        unrealized = 0
        for i, held in enumerate(self.held):
            if held is None:
                continue
            if held.life.exit == k and held.life.role.protects:
                self._protect(i, k, held)
                continue
            lots = held.lots * held.life.direction
            unrealized += (prices[i] - held.price) * lots * self.market.instruments[i].tv
        self._mark(at_ms, unrealized)

    def _mark(self, at_ms: int, unrealized: int) -> None:
        equity = self._opening_equity() + self.realized + unrealized
        self.equity, self.unrealized = equity, unrealized
        self.peak = max(self.peak, equity)
        fall = (self.peak - equity) * 10**8 // self.peak
        day = self.days[-1]
        day.high = max(day.high, equity)
        day.drawdown = max(day.drawdown, 1 - equity / day.high)
        day.ended, day.realized, day.unrealized = equity, self.realized, unrealized
        self._rows["equity"].append(
            (self.run_id, self._values.time(at_ms), money_text(equity), money_text(self.cash),
             money_text(unrealized), money_text(self.realized), money_text(fall), self.open_count,
             "active")
        )  # fmt: skip

    def enter(self, i: int, k: int, price: int, life: Life, lots: int, inputs: str) -> str:
        """Buy or sell at the close of candle `k`; return the order's id."""
        at_ms, item = self.market.close_ms(k), self.market.instruments[i]
        filled = price + life.direction * self._slip(i, price)
        value = filled * lots * item.tv
        fee = rate_ceil(value, item.taker_rate)
        held = Held(life, self._orders + 1, lots, filled, price, fee, at_ms + _TO_FILL)
        self._orders += 3  # with stop and target
        self.held[i] = held
        self.entries_today += 1
        self._order(i, held.number, "entry", "market", life, at_ms, "filled", fee, inputs=inputs)
        self._execute(i, held.number, "entry", filled, fee, held.opened_ms, held, 0, price)
        return self._id(held.number)

    def leave(self, i: int, k: int, price: int) -> str:
        """Close by a decision at the close of candle `k`; return the order's id."""
        held = self.held[i]
        assert held is not None
        self._orders += 1
        number, at_ms = self._orders, self.market.close_ms(k)
        filled = price - held.life.direction * self._slip(i, price)
        self._close(i, k, held, number, "exit", filled, at_ms + _TO_FILL, price)
        return self._id(number)

    def _protect(self, i: int, k: int, held: Held) -> None:
        life = held.life
        is_stop = life.role is OrderRole.STOP
        distance = -life.stop_units if is_stop else life.target_units
        resting = held.reference + life.direction * distance
        filled = resting - life.direction * (self._slip(i, resting) if is_stop else 0)
        number, at_ms = held.number + (1 if is_stop else 2), self.market.close_ms(k)
        role = "stop" if is_stop else "target"
        self._close(i, k, held, number, role, filled, at_ms - FIVE_MINUTES // 2, resting)

    def _slip(self, i: int, price: int) -> int:
        tick = self.market.instruments[i].tick_units
        return (price * _SLIP // 10**8 // tick + 1) * tick

    # --- rows -------------------------------------------------------------------------------

    def _close(
        self, i: int, k: int, held: Held, number: int, role: str, filled: int, at_ms: int,
        reference: int,
    ) -> None:  # fmt: skip
        item, life = self.market.instruments[i], held.life
        rate = item.maker_rate if role == "target" else item.taker_rate
        fee = rate_ceil(filled * held.lots * item.tv, rate)
        gross = (filled - held.price) * held.lots * item.tv * life.direction
        if role == "exit":
            self._order(i, number, "exit", "market", life, self.market.close_ms(k), "filled", fee,
                        reason=life.reason)  # fmt: skip
        self._children(i, held, role, fee, at_ms)
        self._execute(i, number, role, filled, fee, at_ms, held, gross, reference)
        self._position(i, held, at_ms, gross - fee - held.fee, filled)
        self.held[i], self._left[i] = None, k
        self.closed += 1

    def _children(self, i: int, held: Held, ended_by: str, fee: int, at_ms: int) -> None:
        """Write stop and target as they ended with their position, or as they wait."""
        life, decided = held.life, held.opened_ms - _TO_FILL
        for place, role, kind in ((1, "stop", "stop_market"), (2, "target", "take_profit")):
            distance = -life.stop_units if role == "stop" else life.target_units
            status = "working" if not ended_by else "filled" if role == ended_by else "canceled"
            self._order(
                i, held.number + place, role, kind, life, decided, status,
                fee if status == "filled" else 0, updated_ms=at_ms, parent=held.number,
                price=held.reference + life.direction * distance,
                reason="position_closed" if status == "canceled" else "",
            )  # fmt: skip

    def _order(
        self, i: int, number: int, role: str, kind: str, life: Life, decided_ms: int, status: str,
        fee: int, *, inputs: str | None = None, reason: str = "", parent: int = 0,
        price: int | None = None, updated_ms: int = 0,
    ) -> None:  # fmt: skip
        grid, values, is_entry = self.grids[i], self._values, role == "entry"
        held = self.held[i]
        assert held is not None
        size = grid.quantity(held.lots)
        decided = values.time(decided_ms)
        side = life.direction if is_entry else -life.direction
        self._rows["orders"].append(
            (self._id(number), self.run_id, 1, self.market.instruments[i].symbol,
             "BUY" if side > 0 else "SELL", role, kind, size,
             None if price is None else grid.price(price), not is_entry, life.strategy,
             self._id(parent) if parent else None,
             grid.price(life.stop_units) if is_entry else None,
             grid.price(life.target_units) if is_entry else None,
             status, size if status == "filled" else "0", money_text(fee), reason, inputs,
             self._hash, decided, decided, values.time(updated_ms or decided_ms + _TO_FILL))
        )  # fmt: skip

    def _execute(
        self, i: int, number: int, role: str, price: int, fee: int, at_ms: int, held: Held,
        gross: int, reference: int,
    ) -> None:  # fmt: skip
        """Write fill, trade and ledger of one execution, and move the money."""
        item, grid, life = self.market.instruments[i], self.grids[i], held.life
        is_entry = role == "entry"
        side = life.direction if is_entry else -life.direction
        name, size, told = (
            ("BUY" if side > 0 else "SELL"),
            grid.quantity(held.lots),
            grid.price(price),
        )
        self._executions += 1
        trade_id, at = f"t{self._executions:08d}", self._values.time(at_ms)
        value = price * held.lots * item.tv
        kind = {"stop": "stop_market", "target": "take_profit"}.get(role, "market")
        self._rows["fills"].append(
            (self.run_id, trade_id, self._id(number), item.symbol, name, size, told,
             money_text(fee), "USDT", role == "target", role, at)
        )  # fmt: skip
        slipped = (Decimal(side * (price - reference)) / reference).quantize(Decimal("0.000001"))
        self._rows["trades"].append(
            (self.run_id, self._id(number), item.symbol, name, kind, size, told,
             money_text(value), money_text(fee), self._values.decimal(slipped), life.strategy, at,
             role, None if is_entry else money_text(gross - fee), at)
        )  # fmt: skip
        self._post(i, trade_id, side, value, fee, gross, held, at_ms, is_entry=is_entry)

    def _post(
        self, i: int, trade_id: str, side: int, value: int, fee: int, gross: int, held: Held,
        at_ms: int, *, is_entry: bool,
    ) -> None:  # fmt: skip
        item = self.market.instruments[i]
        cost = held.price * held.lots * item.tv
        change = side * (value if is_entry else cost)
        asset, lots = holding_asset(item), side * held.lots
        entries = [
            ("cash", "USDT", -side * value - fee), (f"position:{item.symbol}", "USDT", change),
            ("fees", "USDT", fee), ("holding", asset, lots), ("market", asset, -lots),
        ]  # fmt: skip
        if gross:
            entries.append(("realized", "USDT", -gross))
        self._book(f"fill:{item.symbol}:{trade_id}", "fill", at_ms, *entries, place=i)
        self.cash += -side * value - fee
        self.realized += gross - fee
        self.trades += 1
        if at_ms >= self.days[-1].day.end_ms:  # filled right after the day's last close
            self._begin_day(at_ms)
        day = self.days[-1]
        day.fees += fee
        if not is_entry:
            day.trades += 1
            day.wins += gross - fee > 0
            day.losses += gross - fee < 0

    def _book(
        self, reference: str, kind: str, at_ms: int, *entries: tuple[str, str, int], place: int = 0
    ) -> None:  # fmt: skip
        at, grid = self._values.time(at_ms), self.grids[place]
        for account, asset, amount in entries:
            text = money_text(amount) if asset == "USDT" else grid.quantity(amount)
            self._rows["ledger_entries"].append(
                (self.run_id, reference, kind, account, asset, text, at)
            )  # fmt: skip

    def _position(self, i: int, held: Held, at_ms: int, realized: int, price: int) -> None:
        grid, life, item = self.grids[i], held.life, self.market.instruments[i]
        is_open = life.exit < 0
        unrealized = (price - held.price) * held.lots * item.tv * life.direction
        opened, at = self._values.time(held.opened_ms), self._values.time(at_ms)
        self._rows["positions"].append(
            (self.run_id, item.symbol, "LONG" if life.direction > 0 else "SHORT",
             grid.quantity(held.lots) if is_open else "0", grid.price(held.price),
             grid.price(price) if is_open else None, money_text(unrealized) if is_open else None,
             money_text(realized), opened, None if is_open else at,
             "OPEN" if is_open else "CLOSED", opened, at, life.strategy,
             grid.price(held.reference - life.direction * life.stop_units),
             grid.price(held.reference + life.direction * life.target_units))
        )  # fmt: skip

    # --- days and the end -------------------------------------------------------------------

    def _opening_equity(self) -> int:
        return self.days[0].opened

    def _begin_day(self, at_ms: int) -> None:
        # a close at the day's end still belongs to it
        day = self._calendar.day_of(at_ms - 1 if self.days else at_ms)
        self.days.append(Day(day, self.equity, self.realized, high=self.equity))
        self.entries_today = 0

    def flush(self) -> None:
        """Hand over the rows that are whole; orders first, their fills refer to them."""
        for table, columns in TABLES.items():
            self._bulk.add(table, columns, self._rows[table])
            self._rows[table].clear()

    def end(self) -> None:
        """Write what is still open."""
        last = len(self.market) - 1
        at_ms = self.market.close_ms(last)
        for i, held in enumerate(self.held):
            if held is not None:
                price = int(self.market.close[last, i])
                self._children(i, held, "", 0, at_ms)
                self._position(i, held, at_ms, -held.fee, price)
        self.flush()

    def _id(self, number: int) -> str:
        return f"r{self.run_id}o{number:07d}"
