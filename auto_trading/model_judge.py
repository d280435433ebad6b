"""From a prediction to a signal: the gates, the record they look at, and what is let through.

The same for a replay, which knows all candles beforehand, and for a living session.
"""

from dataclasses import dataclass
from typing import Final

from auto_trading.journal_port import ShadowBook
from crypto_trader_pro.ai import gates, labels, proving
from crypto_trader_pro.ai.config import AiConfig
from crypto_trader_pro.domain.enums import Side, TradingMode
from crypto_trader_pro.domain.signals import ModelView, Signal

NAME: Final = "ai_signal"
NOT_DUE: Final = Signal(NAME, 0, "not_due")
NO_MODEL: Final = Signal(NAME, 0, "no_model")
EXPIRED: Final = Signal(NAME, 0, "model_expired")
NO_FEATURES: Final = Signal(NAME, 0, "no_features")
_UNPROVEN: Final = frozenset({"no_record", proving.FEW_TRADES, proving.FEW_WEEKS, proving.NO_EDGE})
_BY_RISK: Final = frozenset({"margin"})  # the rule `expected_edge` refuses it, with its numbers
_REASONS: Final = {
    labels.STOPPED: "stop", labels.TARGET_HIT: "target", labels.TIMED_OUT: "time_out",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Permissions:
    """What a run lets a model do. `bar_ms`: the engine's candles, in which a time-out is given."""

    mode: TradingMode
    trade_unproven: bool
    bar_ms: int


class ModelJudge:
    """Asks the gates about one prediction; holds the verdicts on the whole record."""

    def __init__(self, cfg: AiConfig, permissions: Permissions, book: ShadowBook) -> None:
        self._cfg = cfg
        self._may = permissions
        self._book = book
        self._max_bars = cfg.horizon * cfg.timeframe_ms // permissions.bar_ms
        self.skill = {1: float("nan"), -1: float("nan")}  # by side, over the whole record
        self.proving = proving.verdict([], 0, cfg)

    def said(self, model_id: str, trained: gates.Trained, best: gates.Row, now_ms: int) -> Signal:
        """Return the signal of a prediction; one with a direction lacks its two distances yet."""
        results = gates.evaluate(
            best, trained=trained, now_ms=now_ms, skill=self.skill[best.side],
            mode=self._may.mode, proving=self.proving, cfg=self._cfg,
        )  # fmt: skip
        view = ModelView(
            model_id, best.probability, best.break_even, best.edge_mbp,
            best.baseline_probability, gates.first_closed(results), self.proving.open,
        )  # fmt: skip
        if not best.ranks or best.edge_mbp <= 0:
            reason = "no_edge" if best.ranks else "slope"
            return Signal(NAME, 0, reason, best.probability, model=view)
        opens = all(r.open or r.gate in _BY_RISK or self._lets(r.code) for r in results)
        return Signal(
            NAME, best.side, "model_signal" if opens else "model_shadow", best.probability,
            opens=opens, max_bars=self._max_bars, model=view,
        )  # fmt: skip

    def _lets(self, code: str) -> bool:
        return self._may.trade_unproven and code in _UNPROVEN

    # --- shadow trades ----------------------------------------------------------------------

    def opened(self, model_id: str, symbol: str, best: gates.Row, now_ms: int) -> None:
        """Record a shadow trade of the prediction `best`."""
        self._book.shadow_opened(
            model_id, symbol, Side.of(best.side).value, now_ms, best.probability, best.edge_mbp
        )

    def closed(
        self, symbol: str, side: int, trade: proving.ShadowTrade, reason: int
    ) -> None:  # fmt: skip
        """Record how a shadow trade ended; `reason` as in `labels`."""
        self._book.shadow_closed(
            symbol, Side.of(side).value, trade.opened_ms, trade.closed_ms, trade.net_mbp,
            _REASONS[reason],
        )  # fmt: skip
