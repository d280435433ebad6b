"""Stored backtests, and how many sets of parameters were tried on each window of data."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import isfinite
from typing import Any, Final

from sqlmodel import Session, col, select

from crypto_trader_pro.domain.errors import InputError
from crypto_trader_pro.domain.timeframes import to_datetime
from database.models import BacktestRow, ResearchTrialRow
from database.statements import Statement, Values

_REFERENCE: Final = re.compile(r"b?([1-9][0-9]{0,8})")  # what an INTEGER holds
_NAME: Final = 120  # what the column holds


@dataclass(frozen=True, slots=True)
class Trials:
    """What was tried on a window.

    Args:
        count: different sets of parameters.
        sharpes: daily Sharpe ratio of each that had one.
    """

    count: int
    sharpes: tuple[float, ...]


def add(
    session: Session, *, kind: str, request: Mapping[str, Any], params: Mapping[str, Any],
    engine: str, sha256: str, config_hash: str, summary: Mapping[str, Any], folder: str,
    now: datetime, name: str = "", charts: Mapping[str, Any] | None = None,
) -> int:  # fmt: skip
    """Store a result and return its number.

    Args:
        request: `BacktestRequest.as_json`: what was played.
        params: settings that differed from the configuration, by their path.
        sha256: fingerprint of the candles and funding.
        summary: metrics and assumptions, small enough for a list of results.
        folder: where the arrays and reports are; "": nowhere.
        charts: curves of a few hundred points each, for a page.
    """
    row = BacktestRow(
        kind=kind, name=name[:_NAME], symbols=list(request["symbols"]),
        timeframe=request["timeframe"], strategies=list(request["strategies"]),
        from_at=_moment(request["from_ms"]), to_at=_moment(request["to_ms"]),
        request=dict(request), params=dict(params), engine=engine, data_sha256=sha256,
        config_hash=config_hash, summary=dict(summary),
        charts=None if charts is None else dict(charts), folder=folder, created_at=now,
    )  # fmt: skip
    session.add(row)
    session.flush()
    return number(row)


def number(row: BacktestRow) -> int:
    """Return the number of a stored backtest.

    Raises:
        ValueError: it was never stored.
    """
    if row.id is None:
        raise ValueError("the backtest has no number before it is stored")
    return row.id


def public_id(row: BacktestRow) -> str:
    """Return the id that people use: "b12"."""
    return f"b{number(row)}"


def find(session: Session, reference: str) -> BacktestRow:
    """Return a backtest by "b12", "12" or "last".

    Raises:
        InputError: no such backtest.
    """
    if reference == "last":
        found = newest(session, 1)
        if not found:
            raise InputError("there is no stored backtest yet")
        return found[0]
    match = _REFERENCE.fullmatch(reference)
    if match is None:
        raise InputError(f"backtest was {reference!r}, allowed: b and its number, or last")
    row = session.get(BacktestRow, int(match[1]))
    if row is None:
        raise InputError(f"there is no backtest b{match[1]}")
    return row


def newest(session: Session, limit: int = 50) -> list[BacktestRow]:
    """Return stored backtests, newest first."""
    row = BacktestRow
    return list(session.exec(select(row).order_by(col(row.id).desc()).limit(limit)))


def add_trials(
    session: Session, window: str, strategy: str, trials: Sequence[tuple[str, float | None]],
    now: datetime,
) -> None:  # fmt: skip
    """Note what was tried on a window of data; a set of parameters counts once.

    Args:
        window: names the data, as its fingerprint; up to 160 characters.
        trials: hash of the parameters and daily Sharpe ratio; None where it has none.

    Raises:
        ValueError: a ratio that is not finite.
    """
    for params_hash, sharpe in trials:
        if sharpe is not None and not isfinite(sharpe):
            raise ValueError(f"daily Sharpe ratio of {params_hash} was {sharpe}")
    connection = session.connection()
    dialect = connection.dialect.name
    added_at = Values(dialect).moment(now)
    insert = Statement(
        "INSERT INTO research_trials"
        " (data_window, params_hash, strategy, daily_sharpe, added_at) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT (data_window, params_hash) DO NOTHING",
        dialect,
    )
    # in one order for everybody, so that two writers never wait for each other crosswise
    rows = [
        (window, key, strategy, sharpe, added_at) for key, sharpe in sorted(dict(trials).items())
    ]
    insert.run(connection, rows)


def trials(session: Session, window: str) -> Trials:
    """Return how many sets of parameters were tried on a window, and what came of them."""
    row = ResearchTrialRow
    found = session.exec(select(col(row.daily_sharpe)).where(col(row.data_window) == window)).all()
    return Trials(len(found), tuple(sharpe for sharpe in found if sharpe is not None))


def _moment(ms: int | None) -> datetime | None:
    return None if ms is None else to_datetime(ms)
