"""Keeps a finished backtest: its row, its files, and that these candles were tried once more."""

import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Engine as Database
from sqlmodel import Session

from auto_trading.backtesting import export
from auto_trading.backtesting.backtester import Backtest
from auto_trading.backtesting.output import Findings, TrialCount, summary
from auto_trading.research.parameters import params_hash
from auto_trading.research.trials import luck, window_of
from crypto_trader_pro.backtest.curve_metrics import usable_returns
from crypto_trader_pro.backtest.equity_curve import curve_of, daily_equity
from crypto_trader_pro.backtest.overfitting import sharpe_sample
from crypto_trader_pro.domain.errors import InputError
from database import backtests
from database.auto_trading_db import unit_of_work
from database.models import BacktestRow

FOLDER: Final = "backtests"  # under the var folder


@dataclass(frozen=True, slots=True, eq=False)
class Kept:
    """A stored backtest.

    Args:
        reference: "b12".
        found: with the trials that were counted.
    """

    reference: str
    folder: Path
    found: Findings
    summary: Mapping[str, Any]


def store(
    found: Findings, database: Database, var_dir: Path, now: datetime, *,
    name: str = "", changes: Mapping[str, Any] | None = None,
    along: Callable[[Session, BacktestRow], None] | None = None,
) -> Kept:  # fmt: skip
    """Store a result, whole or not at all: the row is committed when all files are in place.

    Args:
        changes: settings that differ from the configuration, by their dotted key.
        along: what else belongs to the row, written in the same transaction.

    Raises:
        InputError: the files cannot be written.
        JournalUnavailable: the database does not serve.
    """
    waiting = var_dir / FOLDER / f".{os.getpid()}.part"
    folder = None
    try:
        export.make_folder(waiting)
        export.write_tables(found, waiting, equity="parquet")  # before the database is taken
        with unit_of_work(database, "the backtest") as session:
            found = replace(found, trials=count_trial(session, found.backtest, now))
            row = _added(session, found, now, name, changes or {})
            reference = backtests.public_id(row)
            row.summary = dict(summary(found, reference=reference))
            export.write_summary(row.summary, waiting)
            folder = _free(var_dir / FOLDER, reference)
            row.folder = str(folder.relative_to(var_dir))
            if along is not None:
                along(session, row)
            session.flush()
            waiting.replace(folder)
            kept = Kept(reference, folder, found, row.summary)
    except BaseException as e:
        if folder is not None:  # files without a row are nobody's
            shutil.rmtree(folder, ignore_errors=True)
        if isinstance(e, OSError):
            raise InputError(f"{e.filename or waiting} cannot be written: {e.strerror}") from e
        raise
    finally:
        shutil.rmtree(waiting, ignore_errors=True)
    return kept


def _added(
    session: Session, found: Findings, now: datetime, name: str, changes: Mapping[str, Any]
) -> BacktestRow:
    """Insert the row; its summary and folder need its number."""
    backtest = found.backtest
    number = backtests.add(
        session, kind="backtest", request=backtest.request.as_json(), params=changes,
        engine=backtest.engine, sha256=backtest.sha256, config_hash=backtest.settings.hash(),
        summary={}, folder="", now=now, name=name,
    )  # fmt: skip
    return backtests.find(session, f"b{number}")


def count_trial(session: Session, backtest: Backtest, now: datetime) -> TrialCount:
    """Note that these candles were tried with these parameters; return what was tried so far."""
    result = backtest.result
    returns = usable_returns(daily_equity(curve_of(result)))
    sample = None if returns is None else sharpe_sample(returns)
    tried = (params_hash(backtest.settings, result.strategies), sample.ratio if sample else None)
    window = window_of(backtest.sha256, None, None)
    backtests.add_trials(session, window, ",".join(result.strategies), [tried], now)
    found = backtests.trials(session, window)
    told = luck(returns, found) if returns is not None else {"deflated": None}
    return TrialCount(found.count, told["deflated"])


def _free(parent: Path, name: str) -> Path:
    """Return a folder that is not there yet: another database's backtests may be beside ours."""
    folder, turn = parent / name, 1
    while folder.exists():
        turn += 1
        folder = parent / f"{name}-{turn}"
    return folder
