"""`ai_signal` in a living session: predicts at each close of its own timeframe, trains nothing.

Models come in as an input (`install`), candles by `observe`; nothing else reaches a signal, so that
a recorded session gives the same signals again. Training is `auto_trading.training`'s, elsewhere.

It says what `ReplayModel` says of the same candles and models (tested). Two things differ, because
it does not know the future: at the horizon of a shadow trade its symbol is free for the next one,
whether or not the candle will come at whose open the trade ends; and one that a gap has swallowed
frees its symbol at once (which then has no features for 721 candles).
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from auto_trading.journal_port import ShadowBook
from auto_trading.live_prediction import Installed, Predicted, masked, predict, unmasked
from auto_trading.live_status import ModelStatus, status_of
from auto_trading.market_monitor import MarketMonitor
from auto_trading.model_judge import (
    EXPIRED,
    NO_FEATURES,
    NO_MODEL,
    NOT_DUE,
    ModelJudge,
    Permissions,
)
from auto_trading.model_report import gates_report
from auto_trading.model_window import ModelWindow, fingerprint
from auto_trading.shadow_following import Shadow
from crypto_trader_pro.ai import gates, labels
from crypto_trader_pro.ai.calendar import week_of
from crypto_trader_pro.ai.candle_features import WINDOW
from crypto_trader_pro.ai.config import AiConfig
from crypto_trader_pro.ai.live_record import ProvingRecord, SkillSums
from crypto_trader_pro.ai.model import Model
from crypto_trader_pro.domain.errors import InputError
from crypto_trader_pro.domain.instruments import Instrument
from crypto_trader_pro.domain.market import Bar, CandleSeries
from crypto_trader_pro.domain.signals import Signal

Side = Literal[1, -1]
SIDES: Final[tuple[Side, Side]] = (1, -1)
Bools = NDArray[np.bool_]
Reload = Callable[[int, int], Sequence[CandleSeries]]


class Shelf(Protocol):
    """Where loaded models stand, so that none is read during a cycle."""

    def model(self, model_id: str) -> Model:
        """Return a model, read from its files if it must be.

        Raises:
            InputError: it is not there, or was edited or cut short.
        """
        ...

    def windows(self, model_id: str) -> Sequence[CandleSeries] | None:
        """Return the candles that came with a model just trained, None later."""
        ...


class LiveModel:
    """The model strategy over a market that goes on.

    Args:
        reload: returns the stored candles of every symbol, on the model's timeframe, that open in
            [from, to); asked when a session goes on or is repeated.
        keep: told each candle of the model's timeframe that has become whole: store it, with the
            next checkpoint at the latest, for `reload`.
    """

    training_seconds = 0.0  # trained elsewhere

    def __init__(
        self, instruments: Sequence[Instrument], cfg: AiConfig, book: ShadowBook, shelf: Shelf,
        permissions: Permissions, *, reload: Reload, keep: Callable[[int, Bar], None],
    ) -> None:  # fmt: skip
        self._instruments = tuple(instruments)
        self._ticks = np.array([i.tick_units for i in instruments], dtype=np.int64)
        self._lead = next((k for k, i in enumerate(instruments) if i.base == "BTC"), None)
        self._cfg = cfg
        self._config_hash = cfg.hash()
        self._book = book
        self._shelf = shelf
        self._reload = reload
        self._keep = keep
        self._judge = ModelJudge(cfg, permissions, book)
        symbols = [i.symbol for i in instruments]
        length = WINDOW + cfg.horizon  # the oldest prediction not scored yet can be made again
        self._window = ModelWindow(symbols, permissions.bar_ms, cfg.timeframe_ms, length)
        self._now_ms = 0
        self._tick_ms = 0  # newest close of the model's timeframe
        self._week = -1
        self._installed: list[Installed] = []  # the last one answers
        self._predicted: dict[int, Predicted] = {}  # by close, until scored
        self._open: dict[int, Shadow] = {}
        self._ending: list[tuple[int, Shadow]] = []  # at the next open, by time
        self._proving = ProvingRecord(cfg)
        self._skill: dict[Side, SkillSums] = {side: SkillSums() for side in SIDES}
        self._lost_model = ""
        self._lost_windows: tuple[str, ...] = ()
        self._hopeless: set[int] = set()  # symbols that are short of candles with all history taken

    # --- what comes in ----------------------------------------------------------------------

    def seed(self, i: int, series: CandleSeries) -> int:
        """Take older candles of symbol `i`; those that are known stay. Return how many were new.

        Raises:
            InputError: candles of another symbol or timeframe.
        """
        return self._window.fill(i, series)

    def install(self, facts: Mapping[str, Any]) -> bool:
        """Use a trained model from the next close on; False if it was trained for other settings.

        Args:
            facts: of `auto_trading.training`, JSON values: the row of the table of models, the
                record so far, and which candles came with it.

        Raises:
            InputError: the model is not stored, or its candles are not those that it came with.
        """
        if facts["config_hash"] != self._config_hash:
            return False  # the configuration was changed while it was being trained
        installed = self._loaded(facts, self._tick_ms)
        self._take_windows(facts)
        self._book.model_trained(facts)
        if not any(sums.rows for sums in self._skill.values()):
            for side, name in zip(SIDES, ("long", "short"), strict=True):
                self._skill[side] = SkillSums.of(facts["record"][name])
                self._judge.skill[side] = self._skill[side].skill
        self._installed.append(installed)
        self._lost_model, self._lost_windows = "", ()
        if self._tick_ms:
            self._hopeless = set(np.flatnonzero(~self._whole()).tolist())
        return True

    def _loaded(self, facts: Mapping[str, Any], after_ms: int) -> Installed:
        model = self._shelf.model(facts["model_id"])
        trained = gates.Trained(model.facts.cutoff_ms, model.facts.months)
        return Installed(after_ms, facts, model, trained)

    def _take_windows(self, facts: Mapping[str, Any]) -> None:
        came = facts["windows"]
        if not came["sums"]:
            return
        found = self._shelf.windows(facts["model_id"])
        if found is None:
            found = self._reload(came["from_ms"], came["to_ms"])
        series = {s.symbol: s for s in found}
        for i, item in enumerate(self._instruments):
            wanted = came["sums"].get(item.symbol)
            if wanted is None:
                continue
            if fingerprint(series[item.symbol]) != wanted:
                raise InputError(
                    f"{item.symbol}: the stored candles before {came['to_ms']} are not those that"
                    f" model {facts['model_id'][:12]} came with"
                )
            self._window.fill(i, series[item.symbol])

    def observe(self, close_ms: int, monitor: MarketMonitor) -> None:
        """Take this instant's accepted candles; at a close of the model's timeframe, predict."""
        for i, bar in enumerate(monitor.bars):
            if bar is not None:
                whole = self._window.push(i, bar)
                if whole is not None:
                    self._keep(i, whole)
        self._now_ms = max(self._now_ms, close_ms)
        if close_ms % self._cfg.timeframe_ms or close_ms <= self._tick_ms:
            return
        self._tick_ms = close_ms
        self._window.advance(close_ms)
        self._follow()
        self._remember()
        self._predict()
        if self._hopeless:
            self._hopeless -= set(np.flatnonzero(self._whole()).tolist())

    # --- signals ----------------------------------------------------------------------------

    def signal(self, i: int) -> Signal:
        """Return what the model says about symbol `i` at the instant just observed."""
        if self._now_ms % self._cfg.timeframe_ms:
            return NOT_DUE
        if not self._installed:
            return NO_MODEL
        if self._now_ms >= self._installed[-1].expires_ms:
            return EXPIRED
        said = self._predicted.get(self._now_ms)
        if said is None or not said.ready[i]:
            return NO_FEATURES
        best = gates.best_side(said.predictions, int(said.place[i]), ready=True)
        model_id = said.installed.facts["model_id"]
        signal = self._judge.said(model_id, said.installed.trained, best, self._now_ms)
        if not signal.direction:
            return signal
        stop, target = int(said.stop_units[i]), int(said.target_units[i])
        if i not in self._open:
            self._open[i] = Shadow(self._now_ms, best.side, best.edge_mbp, stop, target)
            self._judge.opened(model_id, self._instruments[i].symbol, best, self._now_ms)
        return signal._replace(stop_units=stop, target_units=target)

    def _predict(self) -> None:
        """Ask the model about every symbol that is ready, in one batch."""
        if self._installed and self._tick_ms < self._installed[-1].expires_ms:
            self._predicted[self._tick_ms] = self._asked(self._installed[-1], self._tick_ms)

    def _asked(self, installed: Installed, close_ms: int, only: Bools | None = None) -> Predicted:
        return predict(self._window, installed, close_ms, self._cfg, self._lead, only)

    # --- shadow trades and the record -------------------------------------------------------

    def _follow(self) -> None:
        """Show every shadow trade the candles since; close those that have ended."""
        horizon = self._cfg.horizon
        for i, shadow in list(self._open.items()):
            if not self._goes_on(i, shadow, horizon):
                del self._open[i]
            elif shadow.candles == horizon:
                self._ending.append((i, self._open.pop(i)))
        self._ending = [(i, s) for i, s in self._ending if self._goes_on(i, s, horizon + 1)]

    def _goes_on(self, i: int, shadow: Shadow, most: int) -> bool:
        """Show a shadow trade up to `most` candles in all; False if it has ended or is lost."""
        while shadow.candles < most:
            close_ms = shadow.decided_ms + (shadow.candles + 1) * self._cfg.timeframe_ms
            if close_ms > self._tick_ms:
                return True
            bar = self._window.bar(i, close_ms)
            if bar is None:
                return False  # a gap swallowed it: nobody can say how it ends
            end = shadow.follow(bar, self._cfg, int(self._ticks[i]))
            if end is not None:
                self._proving.add(end.trade)
                symbol = self._instruments[i].symbol
                self._judge.closed(symbol, shadow.side, end.trade, end.reason)
                return False
        return True

    def _remember(self) -> None:
        """Score the predictions whose trades must have ended; judge the record once a week."""
        # only right at the end of a week is something of that week scored now: later on a candle
        # is missing among those that the score looks at
        self._score()
        if week_of(self._tick_ms) != self._week:
            self._look()

    def _look(self) -> None:
        self._week = week_of(self._tick_ms)
        self._judge.proving = self._proving.look(self._tick_ms)
        for side, sums in self._skill.items():
            if sums.rows:
                self._judge.skill[side] = sums.skill

    def _score(self) -> None:
        count = self._cfg.horizon + 1
        decided_ms = self._tick_ms - count * self._cfg.timeframe_ms
        said = self._predicted.pop(decided_ms, None)
        for older in [ms for ms in self._predicted if ms < decided_ms]:
            del self._predicted[older]
        oldest = next(iter(self._predicted), self._tick_ms)
        while len(self._installed) > 1 and self._installed[1].after_ms < oldest:
            del self._installed[0]
        row = self._window.row(self._tick_ms)
        if said is None or row is None:
            return
        model = said.installed.model
        if decided_ms < model.facts.cutoff_ms + self._cfg.horizon_ms:
            return  # the embargo: as in `walk_forward`
        rows = said.ready & self._window.whole(row, count)
        numbers = self._window.numbers(row, count)[:, :, rows]
        for side in SIDES:
            part = said.predictions.long if side > 0 else said.predictions.short
            net_bp = labels.results_of(
                numbers, said.stop_units[rows], said.target_units[rows], side, self._cfg,
                self._ticks[rows],
            )  # fmt: skip
            told = part.probability[said.place[rows]]
            self._skill[side].add(told, net_bp > 0.0, model.direction(side).base_rate)

    # --- what is told -----------------------------------------------------------------------

    @property
    def status(self) -> ModelStatus:
        """What the screen shows, and what the trainer goes by."""
        whole = self._whole()
        short = np.flatnonzero(self._whole(1) & ~whole).tolist()
        facts = self._installed[-1].facts if self._installed else None
        return status_of(
            facts, self._tick_ms, self._cfg, self._judge.proving,
            symbols=len(self._instruments),
            ready=int(whole.sum()),
            short=tuple(self._window.symbols[i] for i in short),
            can_be_filled=bool(set(short) - self._hopeless),
            lost_model=self._lost_model, lost_windows=self._lost_windows,
        )  # fmt: skip

    def _whole(self, count: int = WINDOW) -> Bools:
        """Return which symbols have the newest `count` candles."""
        row = self._window.row(self._tick_ms)
        if row is None:
            return np.zeros(len(self._instruments), dtype=np.bool_)
        return self._window.whole(row, count)

    def report(self) -> dict[str, Any]:
        """Return the figures of the newest model's record and the state of the gates."""
        facts = self._installed[-1].facts if self._installed else {}
        return {
            "models": 1 if facts else 0,
            "out_of_sample": facts.get("metrics", {}),
            **gates_report(self._judge.skill, self._judge.proving),
        }

    # --- checkpoint -------------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        return {
            "config": self._config_hash,
            "now_ms": self._now_ms,
            "tick_ms": self._tick_ms,
            "week": self._week,
            "installed": [[m.after_ms, _without_windows(m.facts)] for m in self._installed],
            "predicted": [[ms, masked(said.ready)] for ms, said in self._predicted.items()],
            "open": [[i, *shadow.state()] for i, shadow in self._open.items()],
            "ending": [[i, *shadow.state()] for i, shadow in self._ending],
            "proving": self._proving.state(),
            "sums": [self._skill[side].state() for side in SIDES],
            "skill": [_nullable(self._judge.skill[side]) for side in SIDES],
            "hopeless": sorted(self._hopeless),
            "window": self._window.state(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a `state`. With other settings nothing of it holds: a new model is needed."""
        if state["config"] != self._config_hash:
            return
        self._now_ms, self._tick_ms, self._week = state["now_ms"], state["tick_ms"], state["week"]
        self._open = {row[0]: Shadow.of(row[1:]) for row in state["open"]}
        self._ending = [(row[0], Shadow.of(row[1:])) for row in state["ending"]]
        self._proving.restore(state["proving"])
        for side, sums, skill in zip(SIDES, state["sums"], state["skill"], strict=True):
            self._skill[side] = SkillSums.of(sums)
            self._judge.skill[side] = math.nan if skill is None else skill
        if self._week >= 0:
            self._judge.proving = self._proving.look(self._tick_ms)
        self._hopeless = set(state["hopeless"])
        self._lost_windows = tuple(self._window.restore(state["window"], self._reload))
        self._hopeless -= {self._window.symbols.index(name) for name in self._lost_windows}
        try:
            self._installed = [self._loaded(facts, after) for after, facts in state["installed"]]
        except InputError:  # the session goes on; the status asks for another model
            self._installed = []
            self._lost_model = state["installed"][-1][1]["model_id"]
            return
        for close_ms, mask in state["predicted"]:
            said = next(m for m in reversed(self._installed) if m.after_ms < close_ms)
            only = unmasked(mask, len(self._instruments))
            self._predicted[close_ms] = self._asked(said, close_ms, only)


def _without_windows(facts: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in facts.items() if name != "windows"}


def _nullable(x: float) -> float | None:
    return None if math.isnan(x) else x
