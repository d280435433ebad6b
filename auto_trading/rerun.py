"""Deciding again what was decided: from stored numbers, candles and models."""

from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import Engine as Database

from auto_trading.market_monitor import MarketMonitor
from auto_trading.replay_market import Market, ReplayRequest, played
from auto_trading.rerun_compare import compared
from auto_trading.rerun_session import session_findings
from auto_trading.signal_generator import AISignalGenerator
from auto_trading.translation import candle_strategies, gate_of
from config.settings import Settings
from crypto_trader_pro.domain.errors import InputError
from crypto_trader_pro.domain.messages import MarketSlice
from crypto_trader_pro.domain.signals import OUTSIDE, Signal
from crypto_trader_pro.domain.timeframes import timeframe_ms
from crypto_trader_pro.explain.findings import Finding, Rerun
from crypto_trader_pro.risk.rules import CODES, RiskInputs, evaluate
from database.models import AiSignalRow, DecisionRow, RunRow


def rerun_rules(decision: DecisionRow, inputs: RiskInputs) -> list[Finding]:
    """Ask every rule again with the stored numbers."""
    verdict = evaluate(inputs)
    found = []
    if verdict.mask != decision.mask:
        now, then = _names(verdict.mask), _names(decision.mask)
        found.append(Finding("why.differs.mask", {"now": now, "then": then}))
    if (verdict.lots, int(verdict.bound)) != (decision.lots, decision.bound):
        sizes = {"now": verdict.lots, "then": decision.lots}
        found.append(Finding("why.differs.size", sizes))
    return found


def rerun_candles(
    database: Database, var_dir: Path, run: RunRow, decision: DecisionRow,
    signals: Sequence[AiSignalRow],
) -> Rerun:  # fmt: skip
    """Play the run's candles up to the decision again, with the strategies of then."""
    if (decision.strategy or "").startswith(OUTSIDE):  # no strategy of ours said it
        return Rerun(unchecked=(Finding("why.unchecked.outside", {}),))
    asked = next((s for s in signals if s.model_id), None)
    if run.kind != "replay" or "session" in run.inputs:
        again = session_findings(database, run, decision, signals)
        result = Rerun(tuple(again.differs), tuple(again.unchecked))
        if asked is None or again.origin is None or again.settings is None:
            return result
        from auto_trading.rerun_session_model import rerun_session_model  # noqa: PLC0415

        return rerun_session_model(
            result, asked, database, again.origin, again.settings, var_dir, decision
        )
    try:
        request, market = played(run, database)
    except InputError as e:
        where = ", ".join(run.inputs["paths"]) or f"the database ({e})"
        return Rerun(unchecked=(Finding("why.unchecked.file", {"path": where}),))
    settings = Settings.model_validate_json(run.config, strict=False)
    found = _candle_findings(request, market, settings, decision, signals)
    result = Rerun(differs=tuple(found))
    if asked is None:
        return result
    # the model's libraries are slow to import and only needed here
    from auto_trading.rerun_model import rerun_model  # noqa: PLC0415

    return rerun_model(result, asked, market, settings, var_dir, decision)


def _candle_findings(
    request: ReplayRequest, market: Market, settings: Settings, decision: DecisionRow,
    signals: Sequence[AiSignalRow],
) -> list[Finding]:  # fmt: skip
    i = request.symbols.index(decision.symbol)
    item, series = market.instruments[i], market.series[i]
    length = timeframe_ms(request.timeframe)
    interval_ms = request.interval_seconds * 1000
    monitor = MarketMonitor([item], [gate_of(length, settings)])
    generator = AISignalGenerator(
        [item], candle_strategies(request.strategies, settings), None,
        interval_is_timeframe=interval_ms == length,
    )  # fmt: skip
    said: list[Signal] = []
    for bar in series.between(None, decision.at_ms).bars():
        close_ms = bar.open_ms + length
        monitor.observe(MarketSlice(close_ms, (bar,)))
        generator.observe(close_ms, monitor)
        if close_ms % interval_ms == 0:
            said = generator.generate_signals(0)
    return compared(monitor.window_hash[0], said, decision, signals)


def _names(mask: int) -> str:
    names = [code for bit, code in enumerate(CODES) if mask >> bit & 1]
    return ", ".join(names) or "-"
