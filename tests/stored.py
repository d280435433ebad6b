"""What a run left in the database, and what it played, read without any code of the product."""

import csv
import gzip
import json
import re
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import psycopg
from psycopg.rows import dict_row

Row = dict[str, Any]

TABLES: Final = (
    "decisions", "ai_signals_log", "orders", "fills", "ledger_entries", "positions", "trades",
    "equity", "alerts", "checkpoints",
)  # fmt: skip
_TIMES: Final = {
    "at", "filled_at", "decided_at", "updated_at", "execution_time", "open_time", "close_time",
    "journaled_at", "created_at", "executed_at", "raised_at", "started_at", "finished_at",
}  # fmt: skip
_NUMBERS: Final = {
    "size", "price", "fee", "fees", "filled_size", "amount", "stop_distance", "target_distance",
    "entry_price", "realized_pnl", "unrealized_pnl", "stop_price", "target_price", "notional",
    "commission", "slippage", "cash", "drawdown", "execution_price", "stop_loss", "take_profit",
}  # fmt: skip
_JSON: Final = {"numbers", "inputs", "result"}  # of type JSON; text on SQLite
_FLAGS: Final = {"reduce_only", "is_maker", "executed"}
_WHOLE: Final = {"decisions": {"price", "equity"}}  # these count units and stay whole


@dataclass(frozen=True, slots=True)
class Stored:
    """The rows of one run, table -> rows in the order of their ids; times are ms since 1970."""

    run: Row
    tables: Mapping[str, Sequence[Row]]

    @property
    def number(self) -> int:
        return int(self.run["id"])

    @property
    def state(self) -> dict[str, Any] | None:
        """The newest checkpoint, None before the first commit."""
        found = self.tables["checkpoints"]
        return dict(json.loads(found[0]["state"])) if found else None

    def __getitem__(self, table: str) -> Sequence[Row]:
        return self.tables[table]


def read_run(where: Path | str, number: int | None = None) -> Stored:
    """Read a run, by default the newest, of an SQLite file or of a database's address."""
    rows = _reader(where)
    order = "ORDER BY id DESC" if number is None else f"WHERE id = {number}"
    run = rows("runs", order)[0]
    own = f"WHERE run_id = {run['id']} ORDER BY"
    keys = {"orders": "client_order_id", "checkpoints": "run_id"}
    return Stored(run, {t: rows(t, f"{own} {keys.get(t, 'id')}") for t in TABLES})


def read_rows(where: Path | str, table: str, rest: str = "") -> list[Row]:
    """Read rows of one table; `rest` is what follows its name: WHERE, ORDER BY."""
    return _reader(where)(table, rest)


def newest_state(where: Path | str) -> dict[str, Any] | None:
    """Return the newest run's checkpoint, or None before its first commit."""
    rows = _reader(where)
    run = rows("runs", "ORDER BY id DESC LIMIT 1")
    found = rows("checkpoints", f"WHERE run_id = {run[0]['id']}") if run else []
    return dict(json.loads(found[0]["state"])) if found else None


def differences(one: Stored, other: Stored) -> list[str]:
    """Return where the rows of two runs differ; their own ids and system times do not count."""
    found = []
    for table in TABLES:
        mine, theirs = _comparable(one, table), _comparable(other, table)
        if len(mine) != len(theirs):
            found.append(f"{table}: {len(mine)} rows and {len(theirs)}")
        pairs = enumerate(zip(mine, theirs, strict=False))
        found += [f"{table} {k}: {a} and {b}" for k, (a, b) in pairs if a != b]
    return found


_OWN: Final = {"id", "run_id", "journaled_at", "raised_at"}


def _comparable(stored: Stored, table: str) -> list[Row]:
    own = _OWN | ({"created_at"} if table == "trades" else set())
    order_id = re.compile(rf"\br{stored.number}o")
    rows = []
    for row in stored[table]:
        kept = {k: v for k, v in row.items() if k not in own}
        if table == "checkpoints":
            state = json.loads(row["state"])
            state["positions"]["ledger"].sort()  # accounts; their order means nothing
            kept["state"] = json.dumps(state)
        texts = {k: order_id.sub("r#o", v) for k, v in kept.items() if isinstance(v, str)}
        rows.append({**kept, **texts})
    return rows


def count_runs(database: Path) -> int:
    """Return how many runs an SQLite file holds; 0 where there is no such file."""
    if not database.exists():
        return 0
    return len(_sqlite(database)("runs", ""))


def _reader(where: Path | str) -> "_Reader":
    if isinstance(where, Path):
        return _sqlite(where)
    if where.startswith("sqlite:///"):
        return _sqlite(Path(where.removeprefix("sqlite:///")))
    return _postgresql(where)


class _Reader:
    """Reads a table as plain Python values, the same from both databases."""

    def __init__(self, query: Any) -> None:
        self._query = query

    def __call__(self, table: str, rest: str) -> list[Row]:
        raw = self._query(f"SELECT * FROM {table} {rest}")  # noqa: S608  names are the tests' own
        return [{k: _value(table, k, v) for k, v in dict(row).items()} for row in raw]


def _sqlite(file: Path) -> _Reader:
    def query(text: str) -> list[Any]:
        uri = f"{file.as_uri()}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True, timeout=30)) as connection:
            connection.row_factory = sqlite3.Row
            return connection.execute(text).fetchall()

    return _Reader(query)


def _postgresql(url: str) -> _Reader:
    def query(text: str) -> list[Any]:
        with psycopg.connect(url, row_factory=dict_row) as connection:
            return connection.execute(text.encode()).fetchall()

    return _Reader(query)


def _value(table: str, column: str, value: Any) -> Any:
    if isinstance(value, memoryview):
        return bytes(value)
    return value if value is None else _converter(table, column)(value)


def _converter(table: str, column: str) -> Callable[[Any], Any]:
    if column in _TIMES:
        return _ms
    if column in _JSON:
        return _parsed
    if column in _FLAGS:
        return bool
    if column in _WHOLE.get(table, ()):
        return int
    number = column in _NUMBERS or (table, column) == ("equity", "equity")
    return Decimal if number else _unchanged


def _unchanged(value: Any) -> Any:
    return value


def _parsed(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) else value


def _ms(value: Any) -> int:
    moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return round(aware.timestamp() * 1000)


@dataclass(frozen=True, slots=True)
class Candle:
    open_ms: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal


@dataclass(frozen=True, slots=True)
class Grid:
    """What the platform's documents say about a symbol."""

    price_unit: Decimal
    tick: Decimal
    lot: Decimal
    maker: Decimal
    taker: Decimal
    asset: str  # that holdings are counted in


def _grid(unit: str, tick: str, lot: str, maker: str, taker: str, asset: str) -> Grid:
    return Grid(Decimal(unit), Decimal(tick), Decimal(lot), Decimal(maker), Decimal(taker), asset)


GRIDS: Final = {
    "BTC/USDT:USDT": _grid("0.01", "0.1", "0.001", "0.0002", "0.0005", "BTC/USDT:USDT"),
    "ETH/USDT:USDT": _grid("0.01", "0.01", "0.001", "0.0002", "0.0005", "ETH/USDT:USDT"),
    "SOL/USDT:USDT": _grid("0.0001", "0.01", "0.01", "0.0002", "0.0005", "SOL/USDT:USDT"),
    "BTC/USDT": _grid("0.01", "0.01", "0.00001", "0.001", "0.001", "BTC"),
}


@dataclass(frozen=True, slots=True)
class Played:
    """What a run was given: files per symbol in the order of the command, and its terms."""

    candles: Mapping[str, Path]
    funding: Path | None = None
    step_ms: int = 60_000
    interval_ms: int = 60_000
    from_ms: int = 0
    to_ms: int = 1 << 60
    capital: Decimal = Decimal(100_000)
    slippage: Decimal = Decimal("0.0002")
    share: Decimal = Decimal("0.1")  # of a candle's volume

    def read(self) -> dict[str, dict[int, Candle]]:
        """Return symbol -> open time -> candle, of what was played."""
        return {
            symbol: {
                c.open_ms: c
                for c in _candles(path)
                if c.open_ms >= self.from_ms and c.open_ms + self.step_ms <= self.to_ms
            }
            for symbol, path in self.candles.items()
        }

    def rates(self) -> dict[str, dict[int, Decimal]]:
        """Return symbol -> time -> funding rate, of the perpetuals."""
        found: dict[str, dict[int, Decimal]] = {s: {} for s in self.candles if ":" in s}
        names = {s.split(":")[0].replace("/", ""): s for s in found}
        for row in _lines(self.funding) if self.funding else []:
            symbol = names.get(row["symbol"], row["symbol"])
            if symbol in found:
                found[symbol][int(row["timestamp"])] = Decimal(row["funding_rate"])
        return found


def _candles(path: Path) -> list[Candle]:
    columns = ("open", "high", "low", "close", "volume")
    return [Candle(int(r["timestamp"]), *(Decimal(r[c]) for c in columns)) for r in _lines(path)]


def _lines(path: Path) -> list[dict[str, str]]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return list(csv.DictReader(file))
