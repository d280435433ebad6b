"""Results side by side: what was different about them first, then what came of it.

A result is the JSON that `backtest --json` and `replay --json` print. A run that has no metrics is
compared by the money that both know.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Final, NamedTuple

from sqlalchemy import Engine as Database

from crypto_trader_pro.domain.errors import InputError
from crypto_trader_pro.domain.instruments import plain_text
from database import backtests, runs
from database.auto_trading_db import unit_of_work

_LARGEST: Final = 64 << 20  # bytes of a summary; a larger file is no summary
# of every run, with or without metrics: code, unit, what the number is in
_PLAIN: Final = (
    ("equity", "money"), ("realized_pnl", "money"), ("unrealized_pnl", "money"), ("fees", "money"),
    ("funding", "money"), ("max_drawdown", "fraction"), ("bars", "count"), ("decisions", "count"),
    ("orders", "count"), ("fills", "count"), ("open_positions", "count"),
)  # fmt: skip
_NEEDED: Final = ("symbols", "timeframe", "equity", "fees", "fills_sha256")
# two candles files with the same candles are one window; how it was read is no difference
_DATA: Final = ("symbols", "timeframe", "from", "until", "data_sha256")


class Row(NamedTuple):
    """One figure of all results; `differences` are to the first one, None where one lacks it."""

    code: str
    unit: str
    values: tuple[str | None, ...]
    differences: tuple[str | None, ...]


class Difference(NamedTuple):
    """One parameter or assumption that is not the same everywhere; None where it is absent."""

    key: str
    values: tuple[str | None, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Results side by side, the first one as the measure.

    Args:
        same_data: None where a result does not say which candles it played.
        same_fills: they traded the same, to the last unit.
    """

    names: tuple[str, ...]
    asset: str
    same_data: bool | None
    same_fills: bool
    data: tuple[Difference, ...]
    differing: tuple[Difference, ...]
    rows: tuple[Row, ...]

    def as_json(self) -> dict[str, Any]:
        return {
            "results": list(self.names),
            "same_data": self.same_data,
            "same_fills": self.same_fills,
            "data": [_told(self.names, d) for d in self.data],
            "differing": [_told(self.names, d) for d in self.differing],
            "figures": [
                {
                    "code": row.code, "unit": row.unit,
                    "values": dict(zip(self.names, row.values, strict=True)),
                    "differences": dict(zip(self.names[1:], row.differences, strict=True)),
                }
                for row in self.rows
            ],
        }  # fmt: skip


def load(reference: str, database: Database | None) -> Mapping[str, Any]:
    """Return the summary behind "b12", "r3", or the path of a `summary.json`.

    Raises:
        InputError: there is none, or it has no result.
    """
    if reference.endswith(".json") or "/" in reference:
        return _from_file(Path(reference))
    if database is None:
        raise InputError(f"{reference}: there is no database to read it from")
    with unit_of_work(database, "the results") as session:
        if reference.startswith("r"):
            row = runs.find(session, reference)
            if row.result is None:
                raise InputError(
                    f"run {reference} has no result to compare: it is a {row.kind} of"
                    f" status {row.status}; allowed: a finished replay, or a backtest as b12"
                )
            found: Any = row.result
        else:
            found = backtests.find(session, reference).summary
    return _checked(found, reference)


def compare(names: Sequence[str], results: Sequence[Mapping[str, Any]]) -> Comparison:
    """Set results side by side.

    Raises:
        InputError: fewer than two, one twice, or accounts of different currencies.
    """
    if len(results) < 2 or len(set(names)) != len(names):
        raise InputError(f"results were {', '.join(names)}; allowed: two or more different ones")
    assets = [str(r["symbols"][0]).split("/")[1].split(":")[0] for r in results]
    if len(set(assets)) > 1:
        raise InputError(f"accounts are in {', '.join(assets)}; allowed: one currency")
    hashes = [r.get("data_sha256") for r in results]
    return Comparison(
        names=tuple(names),
        asset=assets[0],
        same_data=None if None in hashes else len(set(hashes)) == 1,
        same_fills=len({r["fills_sha256"] for r in results}) == 1,
        data=_differing([_picked(r, _DATA) for r in results]),
        differing=_differing([_chosen(r) for r in results]),
        rows=_rows(results),
    )


def _from_file(path: Path) -> Mapping[str, Any]:
    try:
        if path.stat().st_size > _LARGEST:
            raise InputError(
                f"{path} is larger than {_LARGEST >> 20} MiB: no summary of a backtest"
            )
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError as e:
        raise InputError(f"{path}: {e.strerror or e}") from e
    except ValueError as e:  # JSON or UTF-8
        raise InputError(f"{path} is not JSON: {str(e).partition(chr(10))[0]}") from e
    return _checked(found, str(path))


def _checked(found: Any, name: str) -> Mapping[str, Any]:
    if not isinstance(found, dict):
        raise InputError(f"{name} is no summary of a backtest: an object was expected")
    lacking = [key for key in _NEEDED if key not in found]
    if lacking:
        raise InputError(f"{name} is no summary of a backtest: it has no {', '.join(lacking)}")
    if not isinstance(found["symbols"], list) or "/" not in str(found["symbols"][:1]):
        raise InputError(f"{name}: symbols was {found['symbols']!r}, allowed: as BTC/USDT")
    return found


def _rows(results: Sequence[Mapping[str, Any]]) -> tuple[Row, ...]:
    plain = [_row(code, unit, [r.get(code) for r in results]) for code, unit in _PLAIN]
    tables = [r.get("metrics") or {} for r in results]
    known = {code: metric["unit"] for table in reversed(tables) for code, metric in table.items()}
    order = list(dict.fromkeys(code for table in tables for code in table))
    shown = {row.code for row in plain}
    figures = [
        _row(code, known[code], [table.get(code, {}).get("value") for table in tables])
        for code in order
        if code not in shown
    ]
    return tuple(row for row in (*plain, *figures) if any(v is not None for v in row.values))


def _row(code: str, unit: str, values: Sequence[Any]) -> Row:
    numbers = [_number(code, value) for value in values]
    first = numbers[0]
    differences = [
        None if first is None or number is None else plain_text(number - first)
        for number in numbers[1:]
    ]
    texts = (None if number is None else plain_text(number) for number in numbers)
    return Row(code, unit, tuple(texts), tuple(differences))


def _number(code: str, value: Any) -> Decimal | None:
    if value is None:
        return None
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite():
        raise InputError(f"{code} was {value!r}, allowed: a number")
    return number


def _chosen(result: Mapping[str, Any]) -> dict[str, str]:
    """Return everything that was chosen or assumed, flat, by a name that a person can read."""
    found = {"engine": str(result["engine"])} if "engine" in result else {}
    if "strategy" in result:
        found["strategy"] = ", ".join(result["strategy"])
    for strategy, params in (result.get("params") or {}).items():
        found |= {f"{strategy}.{name}": str(value) for name, value in params.items()}
    for item in result.get("assumptions") or ():
        where = f"{item['code']}.{item['symbol']}" if "symbol" in item else item["code"]
        values = {k: v for k, v in item.items() if k not in ("code", "symbol", "source")}
        if item["code"].startswith("data_"):
            continue  # the window is told apart
        found |= {f"{where}.{name}": str(value) for name, value in values.items()}
        if not values:
            found[where] = "yes"
    return found


def _picked(result: Mapping[str, Any], keys: Sequence[str]) -> dict[str, str]:
    return {
        key: ", ".join(value) if isinstance(value, list) else str(value)
        for key in keys
        if (value := result.get(key)) is not None
    }


def _differing(tables: Sequence[Mapping[str, str]]) -> tuple[Difference, ...]:
    keys = dict.fromkeys(key for table in tables for key in table)
    rows = (Difference(key, tuple(table.get(key) for table in tables)) for key in keys)
    return tuple(row for row in rows if len(set(row.values)) > 1)


def _told(names: Sequence[str], row: Difference) -> dict[str, Any]:
    return {"key": row.key, "values": dict(zip(names, row.values, strict=True))}
