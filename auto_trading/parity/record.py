"""What a session left behind, read at one moment: its record, its books, its stored candles."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Engine as Database
from sqlmodel import Session, col, select

from auto_trading.session_inputs import Input, Opened, decoded
from auto_trading.session_replay import renamed
from auto_trading.session_store import KIND
from crypto_trader_pro.backtest.parity_trips import Decided, Execution, Payment
from crypto_trader_pro.domain.enums import Side
from crypto_trader_pro.domain.errors import InputError
from crypto_trader_pro.domain.instruments import Instrument, money_units
from crypto_trader_pro.domain.ledger import CASH
from crypto_trader_pro.domain.market import Bar
from crypto_trader_pro.domain.messages import Backfill, MarketSlice, Missed
from crypto_trader_pro.domain.timeframes import timeframe_ms, to_ms
from crypto_trader_pro.simulation.instruments import instrument
from database import candles, runs, session_record
from database.auto_trading_db import translated
from database.candles import Origin
from database.models import FillRow, LedgerEntryRow, OrderRow, RunRow

_FUNDING = "funding"
Candles = Mapping[int, Bar]  # by open time


@dataclass(frozen=True, slots=True)
class Record:
    """A session as it is stored.

    Args:
        inputs: with its orders named as a `Witness` names them.
        executions: without the market's price: `reference` is the price.
        stored: per symbol, the candles that its source has stored in the session's time.
    """

    run: RunRow
    instruments: tuple[Instrument, ...]
    inputs: Sequence[Input]
    executions: Sequence[Execution]
    orders: Mapping[int, Decided]
    payments: Sequence[Payment]
    stored: Sequence[Candles]

    @property
    def opened_ms(self) -> int:
        return next(item.at_ms for item in self.inputs if isinstance(item, Opened))

    @property
    def until_ms(self) -> int:
        """Close of the last candle that came in."""
        return max(market.close_ms for market in slices(self.inputs))


def load(database: Database, reference: str, order_prefix: str) -> Record:
    """Read a session by "r12" or "last".

    Raises:
        InputError: no such session, nothing of it was recorded, or no candle has closed in it.
    """
    snapshot = database
    if database.dialect.name == "postgresql":
        snapshot = database.execution_options(isolation_level="REPEATABLE READ")
    with translated("the session", database), Session(snapshot) as session:
        run = runs.find(session, reference, kind=KIND)
        number = runs.number(run)
        items = tuple(map(instrument, run.symbols))
        prefix = f"r{number}o"
        rows = [decoded(row) for row in session_record.inputs(session, number)]
        inputs = [renamed(item, prefix, order_prefix) for item in rows]
        _must_be_usable(runs.public_id(run), inputs)
        by_symbol = {item.symbol: item for item in items}
        orders = _orders(session, number, prefix, by_symbol)
        fills = _fills(session, number, prefix, by_symbol)
        paid = _payments(session, number)
        stored = [_stored(session, run, item, inputs) for item in items]
        session.expunge_all()
    return Record(run, items, inputs, fills, orders, paid, stored)


def slices(inputs: Sequence[Input]) -> list[MarketSlice]:
    """Return the closed candles of a record that were traded on or could have been."""
    opened = next((item.at_ms for item in inputs if isinstance(item, Opened)), 0)
    found = []
    for item in inputs:
        market = item.market if isinstance(item, Missed) else item
        if isinstance(market, MarketSlice) and market.close_ms > opened:
            found.append(market)
    return found


def _must_be_usable(name: str, inputs: Sequence[Input]) -> None:
    if not inputs:
        raise InputError(f"nothing of session {name} was recorded")
    if not any(isinstance(item, Opened) for item in inputs):
        raise InputError(
            f"session {name} carried its account over: parity needs one that was opened without"
            " positions"
        )
    if not slices(inputs):
        raise InputError(f"no candle has closed in session {name} yet: there is nothing to compare")


def _orders(
    session: Session, run_id: int, prefix: str, items: Mapping[str, Instrument]
) -> dict[int, Decided]:
    query = select(OrderRow).where(col(OrderRow.run_id) == run_id)
    found = {}
    for row in session.exec(query.execution_options(yield_per=1_000)):
        number = int(row.client_order_id.removeprefix(prefix))
        found[number] = Decided(
            number, row.symbol, Side(row.side).sign, row.role, row.strategy, to_ms(row.decided_at),
            items[row.symbol].lots(row.size), row.status, row.reason,
        )  # fmt: skip
    return found


def _fills(
    session: Session, run_id: int, prefix: str, items: Mapping[str, Instrument]
) -> list[Execution]:
    query = select(FillRow).where(col(FillRow.run_id) == run_id).order_by(col(FillRow.id))
    found = []
    for row in session.exec(query.execution_options(yield_per=1_000)):
        item = items[row.symbol]
        price = item.price_units(row.price)
        found.append(
            Execution(
                int(row.client_order_id.removeprefix(prefix)), row.symbol, Side(row.side).sign,
                item.lots(row.size), price, price, money_units(row.fee), to_ms(row.filled_at),
            )
        )  # fmt: skip
    return found


def _payments(session: Session, run_id: int) -> list[Payment]:
    row = LedgerEntryRow
    query = select(row).where(
        col(row.run_id) == run_id, col(row.kind) == _FUNDING, col(row.account) == CASH
    )
    found = []
    for entry in session.exec(query.order_by(col(row.id))):
        symbol = entry.reference.split(":", 1)[1].rpartition(":")[0]
        found.append(Payment(to_ms(entry.at), symbol, money_units(entry.amount)))
    return found


def _stored(session: Session, run: RunRow, item: Instrument, inputs: Sequence[Input]) -> Candles:
    """Return what the session's source has stored of the candles that came in."""
    place = run.symbols.index(item.symbol)
    opens = [bar.open_ms for bar in _bars(inputs, place)]
    if not opens:
        return {}
    series = candles.load(
        session, item, timeframe_ms(run.timeframe), Origin(str(run.inputs["venue"]), run.source),
        from_ms=min(opens), to_ms=max(opens) + 1,
    )  # fmt: skip
    return {bar.open_ms: bar for bar in series.bars()}


def _bars(inputs: Sequence[Input], place: int) -> list[Bar]:
    found = []
    for item in inputs:
        market = item.market if isinstance(item, Missed | Backfill) else item
        if isinstance(market, MarketSlice) and (bar := market.bars[place]) is not None:
            found.append(bar)
    return found
