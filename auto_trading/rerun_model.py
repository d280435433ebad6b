"""Asking a stored model again what it was asked then."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from auto_trading.model_store import ModelFolder
from auto_trading.model_world import on_timeframe
from auto_trading.replay_market import Market
from auto_trading.translation import ai_config
from config.settings import Settings
from crypto_trader_pro.ai import features, gates, labels
from crypto_trader_pro.ai.candle_features import WINDOW
from crypto_trader_pro.ai.explain import contributions
from crypto_trader_pro.ai.features import FundingSeries
from crypto_trader_pro.domain.errors import InputError
from crypto_trader_pro.explain.findings import Finding, Rerun
from database.models import AiSignalRow, DecisionRow

_SHOWN = 8  # contributions that are told


def rerun_model(
    result: Rerun, asked: AiSignalRow, market: Market, settings: Settings, var_dir: Path,
    decision: DecisionRow,
) -> Rerun:  # fmt: skip
    """Compute the one row of features anew from its candles and compare the model's answer."""
    try:
        model = ModelFolder(var_dir / "models").load(str(asked.model_id))
    except InputError:
        lost = Finding("why.unchecked.model", {"model": str(asked.model_id)[:12]})
        return replace(result, unchecked=(*result.unchecked, lost))
    cfg = ai_config(settings, market.instruments)
    frames = [
        on_timeframe(s.between(None, decision.at_ms), cfg.timeframe_ms) for s in market.series
    ]
    i = next(k for k, s in enumerate(market.series) if s.symbol == decision.symbol)
    bases = [item.base for item in market.instruments]
    btc = frames[bases.index("BTC")] if "BTC" in bases else None
    events = market.funding.get(decision.symbol, ())
    table = np.array(events, dtype=np.int64).reshape(-1, 2)
    funding = FundingSeries(decision.symbol, table[:, 0].copy(), table[:, 1].copy())
    window = frames[i].slice(max(0, len(frames[i]) - WINDOW), len(frames[i]))
    frame = features.compute(window, btc=btc, funding=funding if len(events) else None)
    stop, _ = labels.distances(window.close[-1:], frame.atr[-1:], cfg)
    stop_bp = stop / window.close[-1:] * 10_000.0
    best = gates.best_side(model.predict(frame.values[-1:], stop_bp), 0, ready=True)
    now = (best.probability, best.edge_mbp, best.baseline_probability)
    then = (asked.probability, asked.edge_mbp, asked.baseline_probability)
    used = contributions(model, best.side, frame.values[-1])[:_SHOWN]
    result = replace(result, contributions=tuple((c.name, c.value, c.log_odds) for c in used))
    if now == then:
        return result
    return result.also([Finding("why.differs.model", {"now": now, "then": then})])
