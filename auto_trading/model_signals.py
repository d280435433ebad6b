"""`ai_signal` in a run: trains when due, predicts, asks the gates, follows every signal in shadow.

An order needs every gate open. On paper `trade_unproven` lets a signal through that is merely
unproven, marked as such, so that the path can be seen to work; it opens no other gate.
"""

from collections.abc import Callable, Mapping, Sequence
from time import perf_counter
from typing import Any

import numpy as np

from auto_trading.journal_port import ShadowBook
from auto_trading.market_monitor import MarketMonitor
from auto_trading.model_judge import (
    EXPIRED,
    NAME,
    NO_FEATURES,
    NO_MODEL,
    NOT_DUE,
    ModelJudge,
    Permissions,
)
from auto_trading.model_report import gates_report, looked_at, measures, model_facts
from auto_trading.model_store import ModelFolder
from auto_trading.model_world import ModelWorld
from crypto_trader_pro.ai import gates, labels, proving, training, walk_forward
from crypto_trader_pro.ai.calendar import months_after, week_of, week_start_ms
from crypto_trader_pro.ai.config import AiConfig
from crypto_trader_pro.ai.model import Model
from crypto_trader_pro.ai.predictions import Predictions
from crypto_trader_pro.ai.proving import ShadowTrade
from crypto_trader_pro.ai.record import Record, joined
from crypto_trader_pro.domain.enums import TradingMode
from crypto_trader_pro.domain.errors import InputError
from crypto_trader_pro.domain.signals import CONFIDENCE_UNIT, Signal


class ReplayModel:
    """The model strategy over recorded candles.

    Args:
        world: everything computed beforehand, in the order of the run's symbols.
        earlier: returns the shadow trades that an earlier process of this run has closed.
    """

    def __init__(
        self, world: ModelWorld, cfg: AiConfig, book: ShadowBook, folder: ModelFolder, *,
        mode: TradingMode, trade_unproven: bool, bar_ms: int,
        earlier: Callable[[], Sequence[tuple[int, int, int, int]]],
    ) -> None:  # fmt: skip
        self._world = world
        self._cfg = cfg
        self._book = book
        self._folder = folder
        self._earlier = earlier
        self._judge = ModelJudge(cfg, Permissions(mode, trade_unproven, bar_ms), book)
        self._model: Model | None = None
        self._model_id = ""
        self._facts = gates.Trained(0, 0)
        self._trained: list[tuple[str, int]] = []
        self._records: list[Record] = []
        self._predictions: list[Predictions] = []
        self._first_row: list[int] = []
        self._expires_ms = 0
        self._now_ms = 0
        self._week = -1
        self._closed: list[ShadowTrade] = []
        self._open: dict[int, tuple[int, int, int]] = {}  # symbol -> decided, side, expected
        self.training_seconds = 0.0
        self._next_ms = self._cutoff_after(0)

    def _cutoff_after(self, now_ms: int) -> int:
        """Return when the next model is due, in months from the first decision; 0: never."""
        times = self._world.samples.close_ms
        if not len(times):
            return 0
        months = self._cfg.first_months
        while months_after(int(times[0]), months) <= now_ms:
            months += self._cfg.retrain_months
        return months_after(int(times[0]), months)

    # --- each candle ------------------------------------------------------------------------

    def observe(self, close_ms: int, monitor: MarketMonitor) -> None:
        """Train when due, close shadow trades that have ended, look at the record each week."""
        self._now_ms = close_ms
        if close_ms % self._cfg.timeframe_ms or not self._next_ms:
            return
        if close_ms >= self._next_ms:
            self._train(close_ms)
        for i in list(self._open):
            self._follow(i)
        if week_of(close_ms) != self._week:
            self._look(close_ms)

    def signal(self, i: int) -> Signal:
        """Return what the model says about symbol `i` at the instant just observed."""
        if self._now_ms % self._cfg.timeframe_ms:
            return NOT_DUE
        if self._model is None:
            return NO_MODEL
        if self._now_ms >= self._expires_ms:
            return EXPIRED
        world = self._world.symbols[i]
        row = world.row(self._now_ms)
        if row is None or not world.frame.ready[row]:
            return NO_FEATURES
        best = gates.best_side(self._predictions[i], self._predicted(i, row), ready=True)
        signal = self._judge.said(self._model_id, self._facts, best, self._now_ms)
        if not signal.direction:
            return signal
        if i not in self._open:
            self._open[i] = (self._now_ms, best.side, best.edge_mbp)
            self._judge.opened(self._model_id, self._symbol(i), best, self._now_ms)
        stop, target = labels.distances(
            world.series.close[row : row + 1], world.frame.atr[row : row + 1], self._cfg
        )
        return signal._replace(stop_units=int(stop[0]), target_units=int(target[0]))

    def _predicted(self, i: int, row: int) -> int:
        """Return the place of a frame's row among the predictions of the model in force."""
        ready = self._world.symbols[i].frame.ready[self._first_row[i] : row]
        return int(np.count_nonzero(ready))

    # --- shadow trades and the record -------------------------------------------------------

    def _follow(self, i: int) -> None:
        """Close the shadow trade of symbol `i` if it has ended by now."""
        decided_ms, side, expected = self._open[i]
        world = self._world.symbols[i]
        row = world.row(decided_ms)
        outcomes = world.outcomes(side)
        if row is None or not outcomes.known[row]:
            # a gap swallowed it: nobody can say how it ended, and its symbol is free again
            if self._now_ms > decided_ms + self._cfg.horizon_ms + self._cfg.timeframe_ms:
                del self._open[i]
            return
        if outcomes.exit_ms[row] > self._now_ms:
            return
        del self._open[i]
        closed_ms = int(outcomes.exit_ms[row])
        realized = round(float(outcomes.net_bp[row]) * 1000)
        trade = ShadowTrade(decided_ms, closed_ms, expected, realized)
        self._closed.append(trade)
        self._judge.closed(self._symbol(i), side, trade, int(outcomes.reason[row]))

    def _look(self, now_ms: int) -> None:
        """Judge the whole record once a week: skill over the base rate, and the proving gate."""
        self._week = week_of(now_ms)
        self._judge.proving = proving.verdict(self._closed, now_ms, self._cfg)
        record = self.record(week_start_ms(now_ms))
        if record is not None and len(record):
            for side in (1, -1):
                self._judge.skill[side] = _skill(record, side)

    def record(self, before_ms: int) -> Record | None:
        """Return the out-of-sample predictions whose trades must have ended before `before_ms`."""
        if not self._records:
            return None
        whole = joined(self._records)
        return whole.where(whole.close_ms + self._cfg.horizon_ms < before_ms)

    def report(self) -> dict[str, Any]:
        """Return what the run says about its models: figures, gates, and the honest sentence."""
        return {
            "models": len(self._trained),
            "out_of_sample": measures(self.record(self._now_ms)),
            **gates_report(self._judge.skill, self._judge.proving),
        }

    # --- training ---------------------------------------------------------------------------

    def _train(self, cutoff_ms: int) -> None:
        started = perf_counter()
        self._next_ms = self._cutoff_after(cutoff_ms)
        try:
            model = training.fit(self._world.samples, cutoff_ms, self._cfg)
        except InputError:  # too little to learn from: the old model stays until it expires
            self.training_seconds += perf_counter() - started
            return
        self._folder.save(model)
        self._use(model, cutoff_ms)
        known = self._world.samples.close_ms < cutoff_ms
        found = {
            **measures(self.record(self._now_ms)),
            "importance": looked_at(model, self._world.samples.where(known).values),
        }
        seconds = perf_counter() - started
        self.training_seconds += seconds
        self._book.model_trained(model_facts(NAME, model, self._expires_ms, found, seconds))

    def _use(self, model: Model, cutoff_ms: int) -> None:
        """Predict every row that this model will be asked for, and score those that are known."""
        end_ms = months_after(cutoff_ms, self._cfg.expire_months)
        next_ms = self._cutoff_after(cutoff_ms)
        self._model, self._model_id, self._expires_ms = model, model.id, end_ms
        self._facts = gates.Trained(model.facts.cutoff_ms, model.facts.months)
        self._trained.append((model.id, cutoff_ms))
        times = self._world.samples.close_ms
        scored_ms = cutoff_ms + self._cfg.horizon_ms  # the embargo: as in `walk_forward`
        mine = self._world.samples.where((times >= scored_ms) & (times < next_ms))
        if len(mine):
            self._records.append(walk_forward.score(model, mine, len(self._records)))
        self._predictions, self._first_row = [], []
        for world in self._world.symbols:
            first, last = np.searchsorted(world.frame.close_ms, (cutoff_ms, end_ms)).tolist()
            ready = np.flatnonzero(world.frame.ready[first:last]) + first
            stop, _ = labels.distances(world.series.close[ready], world.frame.atr[ready], self._cfg)
            stop_bp = stop / world.series.close[ready] * 10_000.0
            self._predictions.append(model.predict(world.frame.values[ready], stop_bp))
            self._first_row.append(first)

    def _symbol(self, i: int) -> str:
        return self._world.symbols[i].series.symbol

    # --- checkpoint -------------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        return {
            "trained": [list(pair) for pair in self._trained],
            "open": [[i, *trade] for i, trade in self._open.items()],
            "now_ms": self._now_ms,
            "next_ms": self._next_ms,
            "looked_ms": self._now_ms,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        for model_id, cutoff_ms in state["trained"]:
            self._use(self._again(model_id, cutoff_ms), cutoff_ms)
        self._open = {i: (decided, side, expected) for i, decided, side, expected in state["open"]}
        self._closed = [ShadowTrade(*row) for row in self._earlier()]
        self._now_ms, self._next_ms = state["now_ms"], state["next_ms"]
        if self._now_ms:
            self._look(self._now_ms)

    def _again(self, model_id: str, cutoff_ms: int) -> Model:
        """Return a model of this run; one whose files are gone is trained again and must be equal.

        Raises:
            InputError: training again gave another model.
        """
        if self._folder.has(model_id):
            return self._folder.load(model_id)
        model = training.fit(self._world.samples, cutoff_ms, self._cfg)
        if model.id != model_id:
            raise InputError(f"model {model_id} is gone and training again gave {model.id}")
        self._folder.save(model)
        return model


def _skill(record: Record, side: int) -> float:
    """Return 1 - Brier / Brier of the base rate of one side."""
    part = record.long if side > 0 else record.short
    won = (part.net_bp > 0.0).astype(np.float64)
    brier = float(np.mean((part.probability / CONFIDENCE_UNIT - won) ** 2))
    base = float(np.mean((part.base_rate - won) ** 2))
    return 1.0 - brier / base if base > 0.0 else float("nan")
