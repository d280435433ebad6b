"""The models of one living session: made for it, trained beside it, brought to it."""

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import Engine as Database

from auto_trading.bootstrap import LiveSignals, RunSpec
from auto_trading.live_model import LiveModel
from auto_trading.live_status import ModelStatus
from auto_trading.model_judge import Permissions
from auto_trading.model_report import proving_report
from auto_trading.model_shelf import ModelShelf
from auto_trading.model_store import ModelFolder
from auto_trading.training import Request, Trainer
from auto_trading.training_spec import TrainingSpec
from auto_trading.translation import ai_config
from config.settings import Settings
from crypto_trader_pro.domain.market import Bar, CandleSeries
from crypto_trader_pro.domain.ports import MarketSource
from database import candles
from database.auto_trading_db import unit_of_work
from database.candles import Origin
from database.journal import Journal

log = logging.getLogger(__name__)

DEADLINE_SECONDS = 1800.0


def model_maker(
    database: Database, origin: Origin, shelf: ModelShelf, *, keeps: bool = True
) -> Callable[[RunSpec, Journal], LiveSignals]:
    """Return what builds the model strategy of a session.

    Args:
        origin: whose candles the window is read back from.
        keeps: store the window's candles with each commit; False where they are stored already.
    """

    def make(spec: RunSpec, journal: Journal) -> LiveModel:
        settings = spec.settings
        cfg = ai_config(settings, spec.instruments)

        def reload(from_ms: int, to_ms: int) -> Sequence[CandleSeries]:
            with unit_of_work(database, "the model's candles") as session:
                return [
                    candles.load(
                        session, item, cfg.timeframe_ms, origin, from_ms=from_ms, to_ms=to_ms
                    )
                    for item in spec.instruments
                ]

        def keep(i: int, bar: Bar) -> None:
            if keeps:
                journal.candle(spec.instruments[i], cfg.timeframe_ms, origin, bar)

        may = Permissions(
            settings.engine.trading_mode, settings.paper.trade_unproven, spec.timeframe_ms
        )
        return LiveModel(spec.instruments, cfg, journal, shelf, may, reload=reload, keep=keep)

    return make


class Modelling:
    """Trains when the model strategy wants it; nothing here can hold the session up."""

    def __init__(
        self, spec: RunSpec, source: MarketSource, database: Database, database_url: str,
        settings: Callable[[], Settings], failed: Callable[[str], None],
    ) -> None:  # fmt: skip
        self._spec = spec
        self._source = source
        self._database_url = database_url
        self._settings = settings
        shelf = ModelShelf(ModelFolder(spec.var_dir / "models"))
        self.make = model_maker(database, Origin(source.venue, source.name), shelf)
        self._trainer = Trainer(
            spec.var_dir / "training", shelf, failed, deadline_seconds=DEADLINE_SECONDS
        )

    def close(self) -> None:
        self._trainer.close()

    def consider(self, status: ModelStatus | None) -> None:
        """Start a training run if one is due."""
        if status is not None and self._trainer.consider(status, self._request):
            log.info("training begins: %s", status.wants)

    def train_now(self) -> bool:
        """Train now, because a person asked; False if a run is under way."""
        return self._trainer.train_now(self._request("asked"))

    def take(self) -> dict[str, Any] | None:
        """Return the facts of a model that has become ready, once."""
        return self._trainer.take()

    def _request(self, reason: str) -> Request:
        settings = self._settings()
        cfg = ai_config(settings, self._spec.instruments)
        now_ms = self._source.clock().now_ms()
        spec = TrainingSpec(
            source=self._source.name, settings=settings.canonical_json(),
            symbols=tuple(i.symbol for i in self._spec.instruments),
            cutoff_ms=now_ms // cfg.timeframe_ms * cfg.timeframe_ms,
            var_dir=str(self._spec.var_dir), database_url=self._database_url,
            deadline_seconds=DEADLINE_SECONDS,
        )  # fmt: skip
        return Request(spec, reason, cfg.timeframe_ms, cfg.hash())

    def view(self, status: ModelStatus | None) -> Mapping[str, Any] | None:
        """Return what a screen shows of the model; None where the strategy does not run."""
        if status is None:
            return None
        training = self._trainer.state
        return {
            "code": status.code,
            "model_id": status.model_id,
            "trained_ms": status.cutoff_ms,
            "due_ms": status.due_ms,
            "expires_ms": status.expires_ms,
            "ready_symbols": status.ready,
            "symbols": status.symbols,
            "training": training.running,
            "training_seconds": round(training.seconds, 1),
            "training_done": training.done,
            "training_models": training.models,
            "failure": training.failure,
            "proving": proving_report(status.proving),
        }
