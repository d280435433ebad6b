"""Sources of candles for training runs in child processes: the market with the daily rhythm."""

import os
import time
from pathlib import Path

import numpy as np

from auto_trading.training_spec import TrainingSpec
from crypto_trader_pro.domain.errors import GatewayUnavailable
from crypto_trader_pro.domain.market import CandleSeries
from tests.rhythm import market


class Rhythm:
    """`tests.rhythm.market` as a source; counts what it is asked in a file of the var folder."""

    name, venue = "rhythm", "tests"

    def __init__(self, spec: TrainingSpec) -> None:
        self._asked = Path(spec.var_dir) / "asked"

    def history(self, symbol: str, timeframe_ms: int, from_ms: int, to_ms: int) -> CandleSeries:
        with self._asked.open("a") as file:
            file.write(f"{symbol} {from_ms} {to_ms}\n")
        series = next(s for s in market() if s.symbol == symbol)
        assert timeframe_ms == series.timeframe_ms
        kept = (series.open_ms >= from_ms) & (series.open_ms < to_ms)
        (rows,) = np.nonzero(kept)
        return series.slice(int(rows[0]), int(rows[-1]) + 1) if len(rows) else series.slice(0, 0)


class Dead(Rhythm):
    def history(self, symbol: str, timeframe_ms: int, from_ms: int, to_ms: int) -> CandleSeries:
        raise GatewayUnavailable("the venue is down")


def rhythm(spec: TrainingSpec) -> Rhythm:
    return Rhythm(spec)


def dead(spec: TrainingSpec) -> Rhythm:
    return Dead(spec)


def hanging(spec: TrainingSpec) -> Rhythm:
    time.sleep(600)
    return Rhythm(spec)


def crashing(spec: TrainingSpec) -> Rhythm:
    os.abort()
