"""One training run in a process of its own: `python -m auto_trading.training_process SPEC.json`.

It gets the history, trains, measures out of sample by walk-forward, saves the model and leaves
RESULT.json beside its spec. It takes the lowest priority there is; nobody waits for it.
"""

import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

from auto_trading.training_spec import PROGRESS, RESULT, TrainingSpec, write_json, write_windows
from crypto_trader_pro.domain.errors import InputError, TradingError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from crypto_trader_pro.ai.config import AiConfig
    from crypto_trader_pro.ai.samples import Samples
    from crypto_trader_pro.domain.instruments import Instrument
    from crypto_trader_pro.domain.market import CandleSeries


def main(path: Path) -> int:
    """Run the training of a spec; return 0, or 1 when it left a failure instead of a model."""
    spec = TrainingSpec.read(path)
    if spec.gives_way:
        give_way()
    signal.alarm(max(1, round(spec.deadline_seconds)))  # an orphan ends, too
    try:
        result: dict[str, Any] = {"facts": trained(spec, path.parent)}
    except TradingError as error:
        result = {"failure": str(error)}
    write_json(path.parent / RESULT, result)
    return 0 if "facts" in result else 1


def give_way() -> None:
    """Let every other process run first."""
    with suppress(OSError):  # it may be lower already
        os.nice(19)
    if hasattr(os, "SCHED_IDLE"):
        with suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))


def trained(spec: TrainingSpec, folder: Path) -> dict[str, Any]:
    """Train and save a model; return its facts.

    Raises:
        TradingError: no history, too little of it, or something that cannot be used.
    """
    started = perf_counter()
    # what takes long to import, only now that the priority is low, and only when it is needed
    from auto_trading.translation import MODEL_STRATEGY, ai_config  # noqa: PLC0415
    from config.settings import Settings  # noqa: PLC0415
    from crypto_trader_pro.simulation.instruments import instrument  # noqa: PLC0415

    settings = Settings.model_validate_json(spec.settings, strict=False)
    instruments = tuple(instrument(symbol) for symbol in spec.symbols)
    cfg = ai_config(settings, instruments)
    series, window_ms = _history(spec, settings, instruments, cfg)

    from auto_trading.model_report import looked_at, model_facts  # noqa: PLC0415
    from auto_trading.model_store import ModelFolder  # noqa: PLC0415
    from auto_trading.model_window import fingerprint  # noqa: PLC0415
    from crypto_trader_pro.ai import samples, training  # noqa: PLC0415
    from crypto_trader_pro.ai.calendar import months_after  # noqa: PLC0415
    from crypto_trader_pro.ai.samples import History  # noqa: PLC0415

    windows = [s.between(window_ms, spec.cutoff_ms) for s in series]
    write_windows(folder, windows)
    btc = next((s for i, s in zip(instruments, series, strict=True) if i.base == "BTC"), None)
    histories = [
        History(s, tick_units=i.tick_units) for i, s in zip(instruments, series, strict=True)
    ]
    found = samples.build(histories, cfg, btc=btc)
    model = training.fit(found, spec.cutoff_ms, cfg)
    ModelFolder(Path(spec.var_dir) / "models").save(model)
    record, metrics = _out_of_sample(found, cfg, folder)
    metrics["importance"] = looked_at(model, found.values)
    expires_ms = months_after(spec.cutoff_ms, cfg.expire_months)
    seconds = perf_counter() - started
    return {
        **model_facts(MODEL_STRATEGY, model, expires_ms, metrics, seconds),
        "record": record,
        "windows": {
            "from_ms": window_ms,
            "to_ms": spec.cutoff_ms,
            "sums": {w.symbol: fingerprint(w) for w in windows if len(w)},
        },
    }


def _history(
    spec: TrainingSpec, settings: Any, instruments: "Sequence[Instrument]", cfg: "AiConfig"
) -> "tuple[list[CandleSeries], int]":
    """Return the candles of every symbol, and from when on a living session needs them."""
    from auto_trading.history_sources import history_source  # noqa: PLC0415
    from auto_trading.training_history import TrainingHistory, Wanted  # noqa: PLC0415
    from crypto_trader_pro.ai.calendar import months_before  # noqa: PLC0415
    from crypto_trader_pro.ai.candle_features import WINDOW  # noqa: PLC0415
    from database.auto_trading_db import open_database  # noqa: PLC0415

    length = cfg.timeframe_ms
    first_ms = months_before(spec.cutoff_ms, cfg.train_months)
    window_ms = spec.cutoff_ms - (WINDOW + cfg.horizon) * length
    wanted = Wanted(length, first_ms - WINDOW * length, window_ms, spec.cutoff_ms)
    # what is lost with the power can be asked for again
    database = open_database(spec.database_url, durable=False)
    try:
        history = TrainingHistory(database, history_source(spec, settings, instruments, database))
        return [history.load(item, wanted) for item in instruments], window_ms
    finally:
        database.dispose()


def _out_of_sample(
    found: "Samples", cfg: "AiConfig", folder: Path
) -> tuple[dict[str, list[int | float]], dict[str, Any]]:
    """Return the record of models of the past, as sums for the skill gate and as figures.

    With too short a history both are empty: the gate then says that there is no record.
    """
    from auto_trading.model_report import measures  # noqa: PLC0415
    from crypto_trader_pro.ai import walk_forward  # noqa: PLC0415
    from crypto_trader_pro.ai.live_record import SkillSums  # noqa: PLC0415

    long, short = SkillSums(), SkillSums()
    metrics: dict[str, Any] = {}

    def progress(done: int, models: int) -> None:
        write_json(folder / PROGRESS, {"done": done, "models": models})

    # a model of the past that could not be trained leaves no record; the gate then stays closed
    with suppress(InputError):
        record = walk_forward.run(found, cfg, progress=progress).record
        if len(record):
            metrics = measures(record)
            long.add_record(record.long)
            short.add_record(record.short)
    return {"long": long.state(), "short": short.state()}, metrics


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
