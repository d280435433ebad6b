"""Asking the model of a living session again, from the candles that the session stored for it."""

from dataclasses import replace
from pathlib import Path

from sqlalchemy import Engine as Database

from auto_trading.replay_market import Market
from auto_trading.rerun_model import rerun_model
from auto_trading.translation import ai_config
from config.settings import Settings
from crypto_trader_pro.ai.candle_features import WINDOW
from crypto_trader_pro.explain.findings import Finding, Rerun
from crypto_trader_pro.simulation.instruments import instrument
from database import candles
from database.auto_trading_db import unit_of_work
from database.candles import Origin
from database.models import AiSignalRow, DecisionRow, RunRow


def rerun_session_model(
    result: Rerun, asked: AiSignalRow, database: Database, run: RunRow, settings: Settings,
    var_dir: Path, decision: DecisionRow,
) -> Rerun:  # fmt: skip
    """Compare the model's answer with that to the stored candles; unchecked where some are gone.

    Args:
        run: the session itself, not one that repeats it.
        settings: in force at the decision.
    """
    items = tuple(map(instrument, run.symbols))
    length = ai_config(settings, items).timeframe_ms
    origin = Origin(str(run.inputs["venue"]), run.source)
    with unit_of_work(database, "the model's candles") as session:
        series = tuple(
            candles.load(
                session, item, length, origin,
                from_ms=decision.at_ms - WINDOW * length, to_ms=decision.at_ms,
            )
            for item in items
        )  # fmt: skip
    if len(series[run.symbols.index(decision.symbol)]) < WINDOW:
        lost = Finding("why.unchecked.session_model", {})
        return replace(result, unchecked=(*result.unchecked, lost))
    # no funding: a living session's features have none
    return rerun_model(result, asked, Market(items, series, {}), settings, var_dir, decision)
