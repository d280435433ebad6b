"""What the lab can do, by the kind of a job: each computes, stores, and names the stored result."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from sqlalchemy import Engine as Database
from sqlmodel import Session

from auto_trading.backtesting.backtester import Backtester
from auto_trading.backtesting.compiled import is_compiled
from auto_trading.backtesting.export import write_file
from auto_trading.backtesting.html_report import html_report
from auto_trading.backtesting.output import Findings
from auto_trading.backtesting.request import BacktestRequest
from auto_trading.backtesting.storing import Kept, store
from auto_trading.lab import studies
from auto_trading.lab.charts import charts
from auto_trading.research.studies import begin, carry_on
from auto_trading.research.study import Tools
from auto_trading.research.study_files import StudyFiles
from auto_trading.research.workplace import Workplace
from auto_trading.translation import MODEL_STRATEGY
from config.environment import Environment
from config.loading import load
from config.settings import Settings
from crypto_trader_pro.backtest.lab_request import LabKind, LabRequest
from database import backtests
from database.auto_trading_db import unit_of_work
from database.models import BacktestRow
from utils.texts import language_of

Told = Callable[[int, int, str], None]  # done, total (0: not known), step
REPORT: Final = "report.html"  # beside the tables of a stored backtest


@dataclass(frozen=True, slots=True)
class Desk:
    """What a job works with.

    Args:
        told: takes how far it is.
        begun: takes the request with what was begun for it.
        kept: takes the number of the result, in the transaction that stores it.
        now: system time.
    """

    database: Database
    environment: Environment
    told: Told
    begun: Callable[[LabRequest], None]
    kept: Callable[[Session, int], None]
    now: Callable[[], datetime]


def work(request: LabRequest, name: str, desk: Desk) -> int:
    """Do a job, store what comes of it, and return the number of the stored result.

    Raises:
        InputError, ConfigError: it cannot be done; one line.
    """
    request.check()
    settings = load(overrides=request.changes)
    return _KINDS[request.kind](request, name, settings, desk)


def _backtest(request: LabRequest, name: str, settings: Settings, desk: Desk) -> int:
    desk.told(0, 0, "reading")
    asked = BacktestRequest.of(request.market)
    tester = Backtester.load(asked, desk.database, desk.environment.var_dir)
    candles = tester.candles
    total = (candles.end_ms - candles.start_ms) // candles.timeframe_ms
    desk.told(0, 0, _first_step(request, desk))
    backtest = tester.run(
        settings, engine=request.engine, progress=lambda done: desk.told(done, total, "playing")
    )
    desk.told(total, total, "figures")
    found = Findings.of(backtest, candles, intervals=True)
    drawn = charts(found)

    def along(session: Session, row: BacktestRow) -> None:
        row.charts = drawn
        desk.kept(session, backtests.number(row))

    desk.told(total, total, "storing")
    kept = store(
        found, desk.database, desk.environment.var_dir, desk.now(), name=name,
        changes=request.changes, along=along,
    )  # fmt: skip
    desk.told(total, total, "report")
    _report(kept, settings)
    return int(kept.reference[1:])


def _report(kept: Kept, settings: Settings) -> None:
    """Write the report beside the tables, in the language of the installation."""
    language = language_of(settings.engine.language, os.environ)
    write_file(kept.folder / REPORT, html_report(kept.found, kept.summary, language))


def _first_step(request: LabRequest, desk: Desk) -> str:
    """Return what is done before the first candle is played: it may take longer than the rest."""
    if _compiles(request, desk):
        return "compiling"
    return "training" if MODEL_STRATEGY in request.market["strategies"] else "playing"


def _compiles(request: LabRequest, desk: Desk) -> bool:
    return request.engine == "compiled" and not is_compiled(desk.environment.var_dir)


def _study(request: LabRequest, name: str, settings: Settings, desk: Desk) -> int:
    """Begin a study, or go on with the one that an earlier worker had begun; store its figures."""
    var_dir = desk.environment.var_dir
    compiles = _compiles(request, desk)

    def progress(done: int, total: int) -> None:
        desk.told(done, total, "compiling" if compiles and not done else "trying")

    tools = Tools(desk.database, var_dir, desk.now, Workplace.of(settings), progress)
    desk.told(0, 0, "reading")
    if request.study:
        files = StudyFiles.find(var_dir, request.study)
    else:
        files = begin(studies.spec_of(request, settings), tools)
        desk.begun(replace(request, study=files.id))
    found = carry_on(files, tools)
    with unit_of_work(desk.database, "the result") as session:
        number = backtests.add(
            session, kind=request.kind.value, name=name, request=request.market,
            params=request.changes, engine=request.engine, sha256=found["data_sha256"],
            config_hash=found["config_hash"], summary=studies.told(request.kind, found, settings),
            charts=studies.drawn(request.kind, found), now=desk.now(),
            folder=str(files.folder.relative_to(var_dir)),
        )  # fmt: skip
        desk.kept(session, number)
    return number


_KINDS: Final[Mapping[LabKind, Callable[[LabRequest, str, Settings, Desk], int]]] = {
    kind: _backtest if kind is LabKind.BACKTEST else _study for kind in LabKind
}
