"""The rows of a run as they come up, kept in memory until the journal commits them."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, NamedTuple

from crypto_trader_pro.domain.enums import DesiredState, NotificationType, OrderRole
from crypto_trader_pro.domain.instruments import Instrument, plain
from crypto_trader_pro.domain.ledger import Transaction, holding_asset
from crypto_trader_pro.domain.market import Bar
from crypto_trader_pro.domain.orders import Fill, Order
from crypto_trader_pro.domain.portfolio import AccountView
from crypto_trader_pro.domain.positions import Position
from crypto_trader_pro.domain.signals import CONFIDENCE_UNIT, Signal
from crypto_trader_pro.domain.timeframes import timeframe_name, to_ms
from crypto_trader_pro.risk.rules import RiskInputs
from database.candles import Origin
from database.statements import Grid, Values, money_text

_POINTS: Final = CONFIDENCE_UNIT // 100  # confidence_score is 0..100


class News(NamedTuple):
    """Something that was stored and that people may want to be told of."""

    kind: NotificationType
    severity: str
    code: str  # of the catalogue
    numbers: Mapping[str, Any]
    is_alert: bool  # the alert is stored already


class JournalRows:
    """Collects what a cycle did, as values ready for the driver. Stores nothing itself.

    Args:
        now: system time, for what the database calls raised or answered.
        keeps_news: people are told of what was stored.
    """

    def __init__(
        self, run_id: int, instruments: Sequence[Instrument], dialect: str, *,
        epoch: int, config_hash: str, now: Callable[[], datetime], batch: int, keeps_news: bool,
    ) -> None:  # fmt: skip
        self._run_id = run_id
        self._epoch = epoch
        self.config_hash = config_hash  # of the configuration in force
        self._instruments = {i.symbol: i for i in instruments}
        self._grids = {i.symbol: Grid(i) for i in instruments}
        self._held = {holding_asset(i): Grid(i) for i in instruments}
        self._quote = instruments[0].quote
        self._now = now
        self._batch = batch
        self._keeps_news = keeps_news
        self._values = Values(dialect)
        self._taken = 0  # inputs of the session so far
        self.order_prefix = f"r{run_id}o"
        self.keeps_state = True
        self.counted: Counter[str] | None = None  # every decision is a row
        self._journaled_at: Any = None
        self._clear()

    def _clear(self) -> None:
        self._decisions: list[tuple[Any, ...]] = []
        # runs of rows of one kind, in order; a signal that says nothing has half the columns
        self._signals: list[tuple[bool, list[tuple[Any, ...]]]] = []
        self._executed: list[tuple[Any, ...]] = []
        self._created: dict[str, Order] = {}
        self._changed: dict[str, Order] = {}
        self._snapshots: dict[str, RiskInputs] = {}
        self._fills: list[tuple[Any, ...]] = []
        self._ledger: list[tuple[Any, ...]] = []
        self._positions: dict[tuple[str, int], tuple[Any, ...]] = {}
        self._stops: list[tuple[Any, ...]] = []
        self._targets: list[tuple[Any, ...]] = []
        self._trades: list[tuple[Any, ...]] = []
        self._equity: list[tuple[Any, ...]] = []
        self._alerts: list[tuple[Any, ...]] = []
        self._shadows: list[tuple[Any, ...]] = []
        self._shadows_closed: list[tuple[Any, ...]] = []
        self._models: list[tuple[Any, ...]] = []
        self._wanted: tuple[str, bool] | None = None
        self._inputs: list[Any] = []
        self._candles: list[tuple[Any, ...]] = []
        self._commands: list[tuple[Any, ...]] = []
        self._emergencies: dict[int, tuple[Any, ...]] = {}
        self._news: list[News] = []

    def decision_key(self, symbol: str, close_ms: int) -> str:
        """Return what names a decision in the log: "r12:BTC/USDT:1717236000000"."""
        return f"r{self._run_id}:{symbol}:{close_ms}"

    @property
    def is_clean(self) -> bool:
        """True when nothing happened since the last commit that has to be stored soon."""
        changed = (
            self._created, self._changed, self._fills, self._ledger, self._alerts, self._commands,
            self._emergencies, self._models, self._shadows, self._shadows_closed, self._equity,
            self._decisions,
        )  # fmt: skip
        return not any(changed)

    @property
    def has_inputs(self) -> bool:
        """True when the record of the session has grown since the last commit."""
        return bool(self._inputs)

    @property
    def is_due(self) -> bool:
        """True when enough decisions wait for a commit of their own."""
        return len(self._decisions) >= self._batch

    # --- what a cycle did -------------------------------------------------------------------

    def decision(self, row: tuple[Any, ...]) -> None:
        """Add a decision; columns as `journal_sql.DECISION_COLUMNS` after the run."""
        self._decisions.append((self._run_id, *row))

    def signals(self, symbol: str, at_ms: int, close: int, signals: Sequence[Signal]) -> None:
        """Add what each strategy said about `symbol` at this close."""
        at = self._values.time(at_ms)
        for s in signals:
            is_quiet = s.direction == 0 and s.model is None
            row: tuple[Any, ...]
            if is_quiet:
                row = (
                    1, self._run_id, symbol, s.strategy, "HOLD", s.confidence // _POINTS, s.reason,
                    False, at,
                )  # fmt: skip
            else:
                row = self._signal_row(symbol, at, close, s)
            if not self._signals or self._signals[-1][0] is not is_quiet:
                self._signals.append((is_quiet, []))
            self._signals[-1][1].append(row)

    def _signal_row(self, symbol: str, at: Any, close: int, s: Signal) -> tuple[Any, ...]:
        entry = stop = target = None
        if s.direction:
            price = self._grids[symbol].price
            entry = price(close)
            if s.stop_units:
                stop = price(close - s.direction * s.stop_units)
            if s.target_units:
                target = price(close + s.direction * s.target_units)
        model = s.model
        said = (None,) * 6 if model is None else (
            model.model_id, model.probability, model.break_even, model.edge_mbp,
            model.baseline_probability, model.gate,
        )  # fmt: skip
        return (
            1, self._run_id, symbol, s.strategy, s.kind.value, s.confidence // _POINTS, s.reason,
            entry, stop, target, False, at, *said,
        )  # fmt: skip

    def signal_executed(self, order: Order, fill: Fill) -> None:
        """Write back that the signal behind an entry was executed, and at what price."""
        price = self._grids[fill.symbol].price(fill.price)
        self._executed.append(
            (
                True, price, self._values.time(fill.at_ms),
                self._run_id, fill.symbol, self._values.time(order.decided_ms), order.strategy,
            )
        )  # fmt: skip

    def order_created(self, order: Order) -> None:
        self._created[order.client_order_id] = order

    def order_changed(self, order: Order) -> None:
        """Note a change; `order` may be another object than before: parts are built anew."""
        rows = self._created if order.client_order_id in self._created else self._changed
        rows[order.client_order_id] = order

    def risk_snapshot(self, client_order_id: str, inputs: RiskInputs) -> None:
        """Keep the numbers that allowed an order beside its intent."""
        self._snapshots[client_order_id] = inputs

    def fill(self, fill: Fill, client_order_id: str, transaction: Transaction) -> None:
        """Add an execution and what the ledger booked for it."""
        grid = self._grids[fill.symbol]
        self._fills.append(
            (
                self._run_id, fill.trade_id, client_order_id, fill.symbol, fill.side.value,
                grid.quantity(fill.lots), grid.price(fill.price),
                money_text(fill.fee), self._quote, fill.is_maker,
                str(fill.reason), self._values.time(fill.at_ms),
            )
        )  # fmt: skip
        self.ledger(transaction)

    def ledger(self, transaction: Transaction) -> None:
        """Add the entries of a transaction."""
        at = self._values.time(transaction.at_ms)
        for account, asset, amount in transaction.entries:
            self._ledger.append(
                (
                    self._run_id, transaction.reference, transaction.kind, account, asset,
                    self._amount(asset, amount), at,
                )
            )  # fmt: skip

    def _amount(self, asset: str, amount: int) -> str:
        return money_text(amount) if asset == self._quote else self._held[asset].quantity(amount)

    def position(self, before: Position, after: Position, at_ms: int) -> None:
        """Add or update the row of a position's life; a flat one is closed."""
        life = after if after.lots else before
        size = abs(after.lots)
        at = self._values.time(at_ms)
        average = life.average_price if life.lots else after.average_price
        key = (after.symbol, life.opened_ms or after.opened_ms)
        opened = self._values.time(key[1])
        self._positions[key] = (
            self._run_id, after.symbol, "LONG" if life.lots > 0 else "SHORT",
            self._grids[after.symbol].quantity(size),
            self._decimal(average or Decimal(0)),
            money_text(after.life_realized), opened, None if size else at,
            "OPEN" if size else "CLOSED", opened, at, after.strategy,
        )  # fmt: skip

    def protection(self, order: Order, opened_ms: int) -> None:
        """Note the price at which a stop or target rests, on the row of its open position."""
        price = self._grids[order.symbol].price(order.price)
        key = (self._run_id, order.symbol, self._values.time(opened_ms))
        waiting = self._stops if order.role is OrderRole.STOP else self._targets
        waiting.append((price, *key))

    def trade(self, order: Order) -> None:
        """Add the one row of an order that traded and has ended."""
        instrument, grid = self._instruments[order.symbol], self._grids[order.symbol]
        average = Decimal(order.filled_value) / order.filled_lots
        # protection is measured from where it rested, other orders from the decision's close
        reference = (order.price if order.role.protects else order.reference) or average
        slipped = order.side.sign * (average - reference) / reference
        value = money_text(order.filled_value * instrument.tv)
        closes = order.role is not OrderRole.ENTRY
        self._note(_trade_news(order, grid, average, self._quote))
        price = (average * instrument.price_unit).quantize(instrument.price_unit / 10_000)
        self._trades.append(
            (
                self._run_id, order.client_order_id, order.symbol, order.side.value,
                order.order_type.value, grid.quantity(order.filled_lots),
                self._decimal(plain(price)), value,
                money_text(order.fees),
                self._decimal(Decimal(slipped).quantize(Decimal("0.000001"))), order.strategy,
                self._values.time(order.filled_ms),
                order.role.value, money_text(order.realized) if closes else None,
            )
        )  # fmt: skip

    def equity(self, account: AccountView) -> None:
        """Add a snapshot of the account."""
        self._equity.append(
            (
                self._run_id, self._values.time(account.at_ms),
                money_text(account.equity),
                money_text(account.cash), money_text(account.unrealized),
                money_text(account.realized),
                self._decimal(plain(Decimal(account.drawdown_rate).scaleb(-8))),
                account.open_positions, account.trading_state.value,
            )
        )  # fmt: skip

    def alert(
        self, kind: NotificationType, severity: str, code: str, numbers: Mapping[str, Any],
        at_ms: int,
    ) -> None:  # fmt: skip
        """Add an alert: a code with numbers that the catalogue words."""
        self._note(News(kind, severity, f"risk.{code}", dict(numbers), is_alert=True))
        self._alerts.append(
            (
                self._run_id, kind.value, severity, code, self._values.json(numbers),
                self._values.time(at_ms), self._values.moment(self._now()),
            )
        )  # fmt: skip

    def shadow_opened(
        self, model_id: str, symbol: str, side: str, decided_ms: int, probability: int,
        expected_mbp: int,
    ) -> None:  # fmt: skip
        """Add a model signal that is followed without an order."""
        at = self._values.time(decided_ms)
        row = (self._run_id, model_id, symbol, side, at, probability, expected_mbp)
        self._shadows.append(row)

    def shadow_closed(
        self, symbol: str, side: str, decided_ms: int, closed_ms: int, realized_mbp: int,
        reason: str,
    ) -> None:  # fmt: skip
        """Join a shadow trade with how it ended."""
        self._shadows_closed.append(
            (
                self._values.time(closed_ms), realized_mbp, reason,
                self._run_id, symbol, side, self._values.time(decided_ms),
            )
        )  # fmt: skip

    def model_trained(self, facts: Mapping[str, Any]) -> None:
        """Add a model by the columns of its table; instants in milliseconds."""
        time, json = self._values.time, self._values.json
        created = self._values.moment(self._now())
        self._models.append(
            (
                facts["model_id"], self._run_id, facts["strategy"], facts["timeframe"],
                time(facts["trained_at"]), created, time(facts["expires_at"]),
                time(facts["data_from"]), time(facts["data_to"]), facts["rows"],
                json(facts["symbols"]), facts["schema_hash"], facts["config_hash"],
                json(facts["metrics"]), self._decimal(Decimal(str(facts["training_seconds"]))),
            )
        )  # fmt: skip

    # --- a living session -------------------------------------------------------------------

    def input(self, item: Any) -> None:
        """Add what came into the session, as JSON values: `replay --session` repeats it."""
        self._inputs.append(item)
        self._taken += 1

    @property
    def taken(self) -> int:
        """Number of inputs so far; belongs into the checkpoint."""
        return self._taken

    @taken.setter
    def taken(self, count: int) -> None:
        self._taken = count

    def candle(
        self, instrument: Instrument, timeframe_ms: int, origin: Origin, bar: Bar
    ) -> None:  # fmt: skip
        """Add a candle that a later start has to find; one that is stored already stays."""
        grid = self._grids[instrument.symbol]
        prices = [grid.price(n) for n in (bar.open, bar.high, bar.low, bar.close)]
        self._candles.append(
            (origin.venue, instrument.symbol, timeframe_name(timeframe_ms), origin.source,
             self._values.time(bar.open_ms), *prices, grid.quantity(bar.volume))
        )  # fmt: skip

    def answered(
        self, command_id: str, kind: str, payload: Mapping[str, Any], by: str, asked: datetime,
        status: str, answer: Mapping[str, Any],
    ) -> None:  # fmt: skip
        """Add what became of a command; the answer is stored with what it did, or not at all."""
        moment, json = self._values.moment, self._values.json
        self._commands.append(
            (command_id, kind, json(payload), by, moment(asked), status, moment(self._now()),
             json(answer))
        )  # fmt: skip

    def wanted(self, desired: DesiredState, *, rearms: bool) -> None:
        """Add what is wanted of the engine from now on; only a re-arm lifts an emergency."""
        self._wanted = (desired.value, rearms)

    def emergency(
        self, trigger: str, by: str, status: str, started: datetime, finished: datetime | None,
        positions: int, remaining: int, steps: Sequence[Mapping[str, Any]],
    ) -> None:  # fmt: skip
        """Add or update the report of an emergency stop; `started` identifies it."""
        moment = self._values.moment
        self._emergencies[to_ms(started)] = (
            self._run_id, trigger, by, status, moment(started),
            moment(finished) if finished else None, positions, remaining,
            self._values.json(list(steps)),
        )  # fmt: skip

    def _note(self, news: News) -> None:
        """Add something that people are told once it is stored."""
        if self._keeps_news:
            self._news.append(news)

    # --- orders as rows ---------------------------------------------------------------------

    def _order_row(self, order: Order) -> tuple[Any, ...]:
        grid = self._grids[order.symbol]
        inputs = self._snapshots.get(order.client_order_id)
        return (
            order.client_order_id, self._run_id, self._epoch, order.symbol, order.side.value,
            order.role.value, order.order_type.value,
            grid.quantity(order.lots), _price(grid, order.price),
            order.reduce_only, order.strategy, order.parent_id,
            _price(grid, order.stop_units), _price(grid, order.target_units),
            order.status.value, grid.quantity(order.filled_lots),
            money_text(order.fees), order.reason[:32],
            self._values.json(inputs) if inputs is not None else None, self.config_hash,
            self._values.time(order.decided_ms), self._journaled_at,
            self._values.time(order.updated_ms),
        )  # fmt: skip

    def _change_row(self, order: Order) -> tuple[Any, ...]:
        grid = self._grids[order.symbol]
        return (
            grid.quantity(order.lots), _price(grid, order.price),
            order.status.value, grid.quantity(order.filled_lots),
            money_text(order.fees), order.reason[:32],
            self._values.time(order.updated_ms), order.client_order_id,
        )  # fmt: skip

    def _decimal(self, value: Decimal) -> str:
        return self._values.decimal(value)


_TRADE_KINDS: Final = {
    OrderRole.STOP: NotificationType.STOP_LOSS_HIT,
    OrderRole.TARGET: NotificationType.PROFIT_TARGET_HIT,
}


def _trade_news(order: Order, grid: Grid, average: Decimal, quote: str) -> News:
    """Return what is told of an order that traded and has ended."""
    numbers = {
        "symbol": order.symbol, "side": order.side.value, "role": order.role.value,
        "size": grid.quantity(order.filled_lots), "price": grid.price(round(average)),
        "profit": money_text(order.realized), "asset": quote,
    }  # fmt: skip
    kind = _TRADE_KINDS.get(order.role, NotificationType.TRADE_EXECUTED)
    code = "news.opened" if order.role is OrderRole.ENTRY else "news.closed"
    return News(kind, "info", code, numbers, is_alert=False)


def _price(grid: Grid, units: int) -> str | None:
    return grid.price(units) if units else None
