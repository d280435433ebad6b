"""A small study over synthetic candles, with a database and a folder of its own."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Engine as Database

from auto_trading.backtesting.request import BacktestRequest, EngineName
from auto_trading.replay_market import ReplayRequest
from auto_trading.research import studies
from auto_trading.research.study import StudySpec, Tools
from auto_trading.research.study_files import StudyFiles
from auto_trading.research.workplace import Workplace
from config.loading import load
from database.auto_trading_db import open_database, prepare
from tests.rows import T0
from tests.synthetic import BTC, write_candles

FAST, SLOW = "strategies.ema_cross.fast", "strategies.ema_cross.slow"
GRID = {FAST: ["5", "8", "30"], SLOW: ["20", "30"]}  # 30/20 and 30/30 contradict themselves
QUARTER = 900_000
ALONE = Workplace(workers=1)


@dataclass(frozen=True, slots=True)
class Lab:
    """Where studies are done in a test."""

    folder: Path
    database: Database
    request: BacktestRequest

    def tools(
        self, place: Workplace = ALONE, progress: Callable[[int, int], None] | None = None,
        canceled: Callable[[], bool] = lambda: False,
    ) -> Tools:  # fmt: skip
        return Tools(self.database, self.folder, lambda: T0, place, progress, canceled)

    def begin(
        self, kind: str, options: Mapping[str, Any], *, engine: EngineName = "reference",
        overrides: Mapping[str, str] | None = None,
    ) -> StudyFiles:  # fmt: skip
        settings = load(environ={}, overrides=overrides or {})
        return studies.begin(StudySpec(kind, self.request, settings, engine, options), self.tools())

    def study(self, kind: str, options: Mapping[str, Any]) -> dict[str, Any]:
        return studies.carry_on(self.begin(kind, options), self.tools())


@contextmanager
def lab_in(folder: Path, bars: int = 2_400) -> Iterator[Lab]:
    """A lab over `bars` candles of 15 minutes: 2,400 are 25 days."""
    path = write_candles(folder / "btc.csv.gz", BTC, seed=3, bars=bars, step_ms=QUARTER)
    database = open_database(f"sqlite:///{folder}/lab.db", durable=False)
    prepare(database)
    market = ReplayRequest((BTC.symbol,), (path,), "15m", 900, ("ema_cross",))
    try:
        yield Lab(folder, database, BacktestRequest(market))
    finally:
        database.dispose()
