"""What the lab can do, by the kind of a job: each computes, stores, and names the stored result."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from sqlalchemy import Engine as Database
from sqlmodel import Session

from auto_trading.backtesting.backtester import Backtester
from auto_trading.backtesting.output import Findings
from auto_trading.backtesting.request import BacktestRequest
from auto_trading.backtesting.storing import store
from auto_trading.lab import studies
from auto_trading.lab.charts import charts
from auto_trading.research.studies import begin, carry_on
from auto_trading.research.study import Tools
from auto_trading.research.study_files import StudyFiles
from auto_trading.research.workplace import Workplace
from config.environment import Environment
from config.loading import load
from config.settings import Settings
from crypto_trader_pro.backtest.lab_request import LabKind, LabRequest
from database import backtests

Told = Callable[[int, int, str], None]  # done, total (0: not known), step
Kept = Callable[[Session], int]  # ends what is stored and returns its number


@dataclass(frozen=True, slots=True)
class Desk:
    """What a job works with.

    Args:
        told: takes how far it is.
        begun: takes the request with what was begun for it.
        now: system time.
    """

    database: Database
    environment: Environment
    told: Told
    begun: Callable[[LabRequest], None]
    now: Callable[[], datetime]


def work(request: LabRequest, name: str, desk: Desk) -> Kept:
    """Do a job; return what completes its result in the transaction that ends it.

    Raises:
        InputError, ConfigError: it cannot be done; one line.
    """
    request.check()
    settings = load(overrides=request.changes)
    return _KINDS[request.kind](request, name, settings, desk)


def _backtest(request: LabRequest, name: str, settings: Settings, desk: Desk) -> Kept:
    desk.told(0, 0, "reading")
    asked = BacktestRequest.of(request.market)
    tester = Backtester.load(asked, desk.database, desk.environment.var_dir)
    candles = tester.candles
    total = (candles.end_ms - candles.start_ms) // candles.timeframe_ms
    desk.told(0, total, "playing")
    backtest = tester.run(
        settings, engine=request.engine, progress=lambda done: desk.told(done, total, "playing")
    )
    desk.told(total, total, "figures")
    found = Findings.of(backtest, candles, intervals=True)
    drawn = charts(found)
    desk.told(total, total, "storing")
    kept = store(
        found, desk.database, desk.environment.var_dir, desk.now(), name=name,
        changes=request.changes,
    )  # fmt: skip

    def complete(session: Session) -> int:
        row = backtests.find(session, kept.reference)
        row.charts = drawn
        return backtests.number(row)

    return complete


def _study(request: LabRequest, name: str, settings: Settings, desk: Desk) -> Kept:
    """Begin a study, or go on with the one that an earlier worker had begun; store its figures."""
    var_dir = desk.environment.var_dir
    tools = Tools(
        desk.database, var_dir, desk.now, Workplace.of(settings),
        lambda done, total: desk.told(done, total, "trying"),
    )  # fmt: skip
    desk.told(0, 0, "reading")
    if request.study:
        files = StudyFiles.find(var_dir, request.study)
    else:
        files = begin(studies.spec_of(request, settings), tools)
        desk.begun(replace(request, study=files.id))
    found = carry_on(files, tools)
    told = studies.told(request.kind, found, settings)
    drawn = studies.drawn(request.kind, found)

    def complete(session: Session) -> int:
        return backtests.add(
            session, kind=request.kind.value, name=name, request=request.market,
            params=request.changes, engine=request.engine, sha256=found["data_sha256"],
            config_hash=found["config_hash"], summary=told, charts=drawn, now=desk.now(),
            folder=str(files.folder.relative_to(var_dir)),
        )  # fmt: skip

    return complete


_KINDS: Final[Mapping[LabKind, Callable[[LabRequest, str, Settings, Desk], Kept]]] = {
    LabKind.BACKTEST: _backtest,
    LabKind.SWEEP: _study,
    LabKind.WALK_FORWARD: _study,
    LabKind.MONTE_CARLO: _study,
}
