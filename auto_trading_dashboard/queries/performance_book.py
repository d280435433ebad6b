"""The books of a run in memory, read on from where the last read ended.

A page of statistics needs every snapshot and every closed position. They are read once, kept as
arrays of whole numbers and shared by all tabs; afterwards only what is new is read. Money is in
whole units of 1e-8 as the engine counts it, so that sums of arrays are exact.
"""

import json
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import String, Table, func, select, type_coerce
from sqlmodel import Session

from crypto_trader_pro.domain.calendar import TradingCalendar
from crypto_trader_pro.domain.enums import TradingState
from crypto_trader_pro.domain.ledger import FUNDING
from crypto_trader_pro.domain.market import Ints
from crypto_trader_pro.domain.timeframes import timeframe_ms, to_ms
from crypto_trader_pro.domain.units import MONEY_EXP
from database import closed, daily
from database.closed import ClosedPosition, Followed
from database.models import EquityRow, LedgerEntryRow, RunRow

STATES: Final = tuple(TradingState)  # the number of a state is its place here
FIELDS: Final = ("symbol", "strategy", "side", "reason")
_KEPT: Final = 3  # runs in memory; one of 50,000 positions takes about 50 MB
_equity: Table = EquityRow.__table__  # type: ignore[attr-defined]
_ledger: Table = LedgerEntryRow.__table__  # type: ignore[attr-defined]
_SNAPSHOT_MS: Final = 3_600_000  # they are taken at full hours
_EMPTY: Final = np.empty(0, np.int64)


def money(units: int) -> Decimal:
    """Return an amount of the quote asset.

    >>> money(150_000_000)
    Decimal('1.50000000')
    """
    return Decimal(int(units)).scaleb(-MONEY_EXP)


def units_of(amount: Decimal) -> int:
    """Return whole units of 1e-8; the engine books nothing finer."""
    return int(amount.scaleb(MONEY_EXP))


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """The snapshots of a run, oldest first, as parallel arrays.

    Args:
        equity: money units.
        state: place in `STATES`.
        exposed: 1 while a position is open.
    """

    at_ms: Ints
    equity: Ints
    state: Ints
    exposed: Ints


@dataclass(frozen=True, slots=True, eq=False)
class Kinds:
    """One field of the closed positions: its values, and for each position the place of its own."""

    names: tuple[str, ...]
    of: Ints


@dataclass(frozen=True, slots=True, eq=False)
class Closed:
    """The closed positions of a run in the order in which they were closed, and their columns.

    Args:
        profit, fees, slippage: money units.
        kinds: of `FIELDS`.
    """

    positions: tuple[ClosedPosition, ...]
    opened_ms: Ints
    closed_ms: Ints
    profit: Ints
    fees: Ints
    slippage: Ints
    kinds: dict[str, Kinds]


@dataclass(frozen=True, slots=True, eq=False)
class Account:
    """What the books of one run say at one moment. Never changed: a later read makes another.

    Args:
        version: differs from that of every other state of these books.
        capital: money that the run began with; None where none was booked.
        gap_ms: between snapshots further apart than this no engine ran.
    """

    run_id: int
    version: tuple[int, ...]
    capital: Decimal | None
    calendar: TradingCalendar
    zone: str
    gap_ms: int
    curve: Curve
    closed: Closed
    funding_ms: Ints
    funding: Ints


class RunBook:
    """The books of one run while they grow. One thread at a time: see `Books`."""

    def __init__(self, run_id: int) -> None:
        self._run_id = run_id
        self._equity_id = 0
        self._funding_id = 0
        self._followed: Followed = closed.START
        self._account: Account | None = None

    @property
    def account(self) -> Account | None:
        """The books as they were last read."""
        return self._account

    def read(self, session: Session) -> Account:
        """Return the books as they are now."""
        known = self._account or self._opened(session)
        curve, equity_id = self._curve(session, known.curve)
        new, followed = closed.closed_positions(session, self._run_id, self._followed)
        funding, funding_id = self._funding(session)
        if self._account is not None and not new and equity_id == self._equity_id:
            self._followed = followed
            return known
        self._account = Account(
            known.run_id, (self._run_id, equity_id, len(known.closed.positions) + len(new)),
            known.capital, known.calendar, known.zone, known.gap_ms, curve,
            _grown(known.closed, new),
            _more(known.funding_ms, [to_ms(at) for at, _ in funding]),
            _more(known.funding, [-units_of(amount) for _, amount in funding]),
        )  # fmt: skip
        self._equity_id, self._followed, self._funding_id = equity_id, followed, funding_id
        return self._account

    def _opened(self, session: Session) -> Account:
        row = session.get(RunRow, self._run_id)
        config = {} if row is None else json.loads(row.config)
        zone = str(config.get("engine", {}).get("trading_day_timezone", "UTC"))
        candle_ms = _SNAPSHOT_MS if row is None else timeframe_ms(row.timeframe)
        gap_ms = 2 * max(_SNAPSHOT_MS, candle_ms)
        none = Closed(
            (), _EMPTY, _EMPTY, _EMPTY, _EMPTY, _EMPTY, {f: Kinds((), _EMPTY) for f in FIELDS}
        )
        return Account(
            self._run_id, (), daily.capital(session, self._run_id), TradingCalendar(zone), zone,
            gap_ms, Curve(_EMPTY, _EMPTY, _EMPTY, _EMPTY), none, _EMPTY, _EMPTY,
        )  # fmt: skip

    def _curve(self, session: Session, known: Curve) -> tuple[Curve, int]:
        c = _equity.c
        # text as it is stored: looking up the types of each value takes five times as long
        columns = (
            c.id, type_coerce(c.at, String), type_coerce(c.equity, String), c.trading_state,
            c.open_positions,
        )  # fmt: skip
        query = select(*columns).where(c.run_id == self._run_id, c.id > self._equity_id)
        rows = session.connection().execute(query.order_by(c.id)).all()
        if not rows:
            return known, self._equity_id
        places = {state.value: place for place, state in enumerate(STATES)}
        number, at, equity, state, opened = zip(*rows, strict=True)
        curve = Curve(
            _more(known.at_ms, _milliseconds(at)),
            _more(known.equity, [units_of(Decimal(value)) for value in equity]),
            _more(known.state, [places[value] for value in state]),
            _more(known.exposed, [int(value > 0) for value in opened]),
        )
        return _in_order(curve), number[-1]

    def _funding(self, session: Session) -> tuple[list[tuple[datetime, Decimal]], int]:
        c = _ledger.c
        of_run = c.run_id == self._run_id
        if self._funding_id:  # a few new rows, by their number: not by the index of the whole run
            of_run = c.run_id + 0 == self._run_id
        newer = of_run & (c.id > self._funding_id)
        read = session.connection().execute
        # the mark is that of any row of the run: payments of funding are rare
        last = read(select(func.max(c.id)).where(newer)).scalar_one_or_none()
        rows = read(select(c.at, c.amount).where(newer, c.account == FUNDING).order_by(c.id)).all()
        return [(at, amount) for at, amount in rows], last or self._funding_id


class Books:
    """The books of the runs that were looked at last; safe for any number of threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._books: OrderedDict[int, tuple[threading.Lock, RunBook]] = OrderedDict()

    def read(self, session: Session, run_id: int) -> Account:
        """Return the books of a run as they are now; two tabs never read the same rows twice."""
        with self._lock:
            lock, book = self._books.setdefault(run_id, (threading.Lock(), RunBook(run_id)))
            self._books.move_to_end(run_id)
            while len(self._books) > _KEPT:
                self._books.popitem(last=False)
        with lock:
            return book.read(session)

    def latest(self, run_id: int) -> Account | None:
        """Return the books of a run as they were last read, without a database; None: never."""
        with self._lock:
            kept = self._books.get(run_id)
        return None if kept is None else kept[1].account


def _grown(known: Closed, new: Sequence[ClosedPosition]) -> Closed:
    def column(of: Callable[[ClosedPosition], int]) -> list[int]:
        return [of(position) for position in new]

    if not new:
        return known
    return Closed(
        (*known.positions, *new),
        _more(known.opened_ms, column(lambda p: to_ms(p.opened_at))),
        _more(known.closed_ms, column(lambda p: to_ms(p.closed_at))),
        _more(known.profit, column(lambda p: units_of(p.realized_pnl))),
        _more(known.fees, column(lambda p: units_of(p.fees))),
        _more(known.slippage, column(lambda p: units_of(p.slippage))),
        {field: _kinds(known.kinds[field], [str(getattr(p, field)) for p in new])
         for field in FIELDS},
    )  # fmt: skip


def _kinds(known: Kinds, values: Sequence[str]) -> Kinds:
    places = {name: place for place, name in enumerate(known.names)}
    for value in values:
        places.setdefault(value, len(places))
    return Kinds(tuple(places), _more(known.of, [places[value] for value in values]))


def _more(known: Ints, values: Sequence[int] | Ints) -> Ints:
    return np.concatenate((known, np.asarray(values, np.int64)))


def _milliseconds(instants: Sequence[Any]) -> Ints:
    """Return ms of stored times: text on SQLite, aware datetimes on PostgreSQL."""
    if isinstance(instants[0], str):
        moments: NDArray[np.datetime64] = np.array(instants, dtype="datetime64[us]")
        return moments.astype("datetime64[ms]").astype(np.int64)
    return np.array([to_ms(at) for at in instants], np.int64)


def _in_order(curve: Curve) -> Curve:
    if bool((np.diff(curve.at_ms) > 0).all()):
        return curve
    order = np.argsort(curve.at_ms, kind="stable")
    return Curve(*(part[order] for part in (curve.at_ms, curve.equity, curve.state, curve.exposed)))
