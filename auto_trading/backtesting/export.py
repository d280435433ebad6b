"""Everything a backtest found, as files: CSV for spreadsheets, Parquet for the equity, JSON."""

import json
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from auto_trading.backtesting.assumptions import amount
from auto_trading.backtesting.fill_lines import MONEY_UNIT, plain_texts, time_texts
from auto_trading.backtesting.monthly import monthly
from auto_trading.backtesting.output import Findings
from crypto_trader_pro.backtest import result as columns
from crypto_trader_pro.backtest.closed_trades import VENUE, RoundTrip
from crypto_trader_pro.backtest.equity_curve import curve_of
from crypto_trader_pro.backtest.result import FILL_REASONS, ROLES, STATUSES, BacktestResult
from crypto_trader_pro.domain.enums import Side
from crypto_trader_pro.domain.errors import InputError
from crypto_trader_pro.domain.instruments import plain_text
from crypto_trader_pro.domain.market import Ints
from crypto_trader_pro.domain.timeframes import to_datetime
from utils.spreadsheets import csv_columns, guarded

Table = list[tuple[str, list[str]]]  # (heading, cells), all of one length
_SIDES: Final = (Side.SELL.value, Side.BUY.value)
_PART: Final = 1 << 12  # rows that are texts at once
VENUE_NAME: Final = "venue"


def fills_table(result: BacktestResult) -> Table:
    """Return every fill; money and quantities as plain decimals, times in UTC."""
    f = result.fills
    symbols = f[:, columns.FILL_SYMBOL]
    return [
        ("at", time_texts(f[:, columns.FILL_AT])),
        ("order", _digits(f[:, columns.FILL_ORDER])),
        ("symbol", _named(symbols, [i.symbol for i in result.instruments])),
        ("side", _sides(f[:, columns.FILL_SIDE])),
        ("quantity", _by_symbol(result, symbols, f[:, columns.FILL_LOTS], "lot")),
        ("price", _by_symbol(result, symbols, f[:, columns.FILL_PRICE], "price_unit")),
        ("fee", plain_texts(f[:, columns.FILL_FEE], MONEY_UNIT)),
        ("liquidity", _named(f[:, columns.FILL_MAKER], ["taker", "maker"])),
        ("reason", _named(f[:, columns.FILL_REASON], list(FILL_REASONS))),
    ]


def orders_table(result: BacktestResult) -> Table:
    """Return every order with what became of it."""
    o = result.orders
    symbols = o[:, columns.ORDER_SYMBOL]
    return [
        ("order", _digits(o[:, columns.ORDER_NUMBER])),
        ("decided_at", time_texts(o[:, columns.ORDER_DECIDED])),
        ("symbol", _named(symbols, [i.symbol for i in result.instruments])),
        ("side", _sides(o[:, columns.ORDER_SIDE])),
        ("role", _named(o[:, columns.ORDER_ROLE], list(ROLES))),
        # place -1, the venue's own, is the last name
        ("strategy", _named(o[:, columns.ORDER_STRATEGY], [*result.strategies, VENUE_NAME])),
        ("quantity", _by_symbol(result, symbols, o[:, columns.ORDER_LOTS], "lot")),
        ("filled", _by_symbol(result, symbols, o[:, columns.ORDER_FILLED], "lot")),
        ("fees", plain_texts(o[:, columns.ORDER_FEES], MONEY_UNIT)),
        ("status", _named(o[:, columns.ORDER_STATUS], list(STATUSES))),
        ("reason", _named(o[:, columns.ORDER_REASON], list(result.reasons))),
    ]


def trades_table(found: Findings) -> Table:
    """Return every closed trade, then those still open, which have no close and no reason."""
    result, trips = found.backtest.result, (*found.trips.closed, *found.trips.open)
    lots = np.array([trip.lots for trip in trips], np.int64)
    symbols = np.array([trip.symbol for trip in trips], np.int64)
    return [
        ("opened_at", _times(trips, lambda trip: trip.opened_ms)),
        ("closed_at", _times(trips, lambda trip: trip.closed_ms)),
        ("symbol", _named(symbols, [i.symbol for i in result.instruments])),
        ("strategy", [strategy_of(trip, result.strategies) for trip in trips]),
        ("side", ["long" if trip.side > 0 else "short" for trip in trips]),
        ("quantity", _by_symbol(result, symbols, lots, "lot")),
        ("entry_price", [plain_text(trip.entry) for trip in trips]),
        ("exit_price", ["" if trip.exit is None else plain_text(trip.exit) for trip in trips]),
        ("profit", _money(trips, lambda trip: trip.profit)),
        ("fees", _money(trips, lambda trip: trip.fees)),
        ("funding", _money(trips, lambda trip: trip.funding)),
        ("reason", [trip.reason for trip in trips]),
        ("candles", [str(trip.bars) for trip in trips]),
    ]


def equity_table(result: BacktestResult) -> Table:
    """Return the equity at every close."""
    return [
        ("at", time_texts(result.close_ms)),
        ("equity", plain_texts(result.equity, MONEY_UNIT)),
    ]


def months_table(result: BacktestResult) -> Table:
    """Return every month; its return in percent."""
    months = monthly(curve_of(result))
    changes = [m.change for m in months]
    return [
        ("month", [f"{m.year}-{m.month:02d}" for m in months]),
        ("return_pct", ["" if c is None else f"{100 * c:.4f}" for c in changes]),
        ("profit", [amount(m.after - m.before) for m in months]),
        ("equity", [amount(m.after) for m in months]),
    ]


def strategy_of(trip: RoundTrip, strategies: Sequence[str]) -> str:
    """Return whose trade it was."""
    return VENUE_NAME if trip.strategy == VENUE else strategies[trip.strategy]


def write_tables(found: Findings, folder: Path, *, equity: str = "csv") -> None:
    """Write every table into `folder`, which exists.

    Args:
        equity: "csv", or "parquet" for one that a program reads back: a hundredth of the time.
    """
    result = found.backtest.result
    fills = (fills_table(replace(result, fills=part)) for part in _parts(result.fills))
    orders = (orders_table(replace(result, orders=part)) for part in _parts(result.orders))
    _write_csv(fills, folder / "fills.csv")
    _write_csv(orders, folder / "orders.csv")
    (folder / "trades.csv").write_bytes(csv_columns(trades_table(found)))
    (folder / "months.csv").write_bytes(csv_columns(months_table(result)))
    if equity == "parquet":
        _write_parquet(result, folder / "equity.parquet")
    else:
        (folder / "equity.csv").write_bytes(csv_columns(equity_table(result)))


def write_summary(summary: Mapping[str, Any], folder: Path) -> None:
    """Write `summary.json`."""
    text = json.dumps(summary, ensure_ascii=False, indent=1, allow_nan=False)
    (folder / "summary.json").write_text(text + "\n", encoding="utf-8")


def write_everything(found: Findings, summary: Mapping[str, Any], folder: Path) -> None:
    """Write `everything.json`: the summary and every table as columns."""
    result = found.backtest.result
    tables = {
        "fills": fills_table(result), "orders": orders_table(result),
        "trades": trades_table(found), "equity": equity_table(result),
        "months": months_table(result),
    }  # fmt: skip
    whole = {"summary": summary, **{name: dict(table) for name, table in tables.items()}}
    text = json.dumps(whole, ensure_ascii=False, allow_nan=False)
    (folder / "everything.json").write_text(text + "\n", encoding="utf-8")


@contextmanager
def whole_folder(folder: Path) -> Iterator[Path]:
    """Yield an empty folder that takes the place of `folder` when all of it is written.

    What is cut off leaves nothing behind.

    Raises:
        InputError: `folder` is there and not empty, or cannot be written.
    """
    try:
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise InputError(f"{folder} is there already, allowed: a new or empty folder")
        waiting = folder.with_name(f".{folder.name}.part")
        make_folder(waiting)
        try:
            yield waiting
            waiting.replace(folder)
        finally:
            shutil.rmtree(waiting, ignore_errors=True)
    except OSError as e:
        raise InputError(f"{folder} cannot be written: {e.strerror or e}") from e


def make_folder(folder: Path) -> None:
    """Make `folder`, empty; what a killed process left in it goes."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)


def write_file(file: Path, content: str) -> None:
    """Write a file whole or not at all.

    Raises:
        InputError: it cannot be written.
    """
    waiting = file.with_name(f".{file.name}.part")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        try:
            waiting.write_text(content, encoding="utf-8")
            waiting.replace(file)
        finally:
            waiting.unlink(missing_ok=True)
    except OSError as e:
        raise InputError(f"{file} cannot be written: {e.strerror or e}") from e


def _parts(rows: Ints) -> Iterator[Ints]:
    """Yield the rows, few at once, and no rows as one part."""
    for start in range(0, max(1, len(rows)), _PART):
        yield rows[start : start + _PART]


def _write_csv(parts: Iterable[Table], file: Path) -> None:
    """Write a table that comes in parts; the texts of all its rows would be 50 MB."""
    with file.open("wb") as out:
        for k, table in enumerate(parts):
            content = csv_columns(table)
            out.write(content[content.index(b"\n") + 1 :] if k else content)  # one heading


def _write_parquet(result: BacktestResult, file: Path) -> None:
    import pyarrow as pa  # noqa: PLC0415  heavy
    import pyarrow.parquet as pa_parquet  # noqa: PLC0415

    kinds = {"at_ms": result.close_ms, "equity_1e8": result.equity}
    # pyarrow imports pandas to look at a NumPy array, but not for a buffer
    table = pa.table({name: _arrow(values) for name, values in kinds.items()})
    pa_parquet.write_table(table, file, compression="zstd", use_dictionary=False)


def _arrow(values: Ints) -> Any:
    import pyarrow as pa  # noqa: PLC0415  heavy

    buffer = pa.py_buffer(np.ascontiguousarray(values))
    return pa.Array.from_buffers(pa.int64(), len(values), [None, buffer])


def _digits(values: Ints) -> list[str]:
    return [str(value) for value in values.tolist()]


def _named(places: Ints, names: Sequence[str]) -> list[str]:
    words = [guarded(name) for name in names]
    return [words[place] for place in places.tolist()]


def _sides(signs: Ints) -> list[str]:
    return [_SIDES[sign > 0] for sign in signs.tolist()]


def _by_symbol(result: BacktestResult, symbols: Ints, values: Ints, unit: str) -> list[str]:
    """Return counts of each symbol's own unit as text, in their order."""
    texts: list[str] = [""] * len(values)
    for i, what in enumerate(result.instruments):
        rows = np.flatnonzero(symbols == i)
        written = plain_texts(values[rows], getattr(what, unit))
        for row, text in zip(rows.tolist(), written, strict=True):
            texts[row] = text
    return texts


def _times(trips: Sequence[RoundTrip], of: Callable[[RoundTrip], int | None]) -> list[str]:
    moments = (of(trip) for trip in trips)
    return ["" if ms is None else to_datetime(ms).isoformat() for ms in moments]


def _money(trips: Sequence[RoundTrip], of: Callable[[RoundTrip], int]) -> list[str]:
    return plain_texts(np.array([of(trip) for trip in trips], np.int64), MONEY_UNIT)
