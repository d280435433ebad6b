"""What a training run is told, and what it answers: two JSON files in a folder of its own."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

from config.environment import DATABASE_URL
from crypto_trader_pro.domain.errors import InputError
from crypto_trader_pro.domain.market import CandleSeries

SPEC: Final = "SPEC.json"
RESULT: Final = "RESULT.json"
PROGRESS: Final = "PROGRESS.json"  # while it runs: models of the past measured, of how many
WINDOWS: Final = "windows.npz"


@dataclass(frozen=True, slots=True)
class TrainingSpec:
    """One training run.

    Args:
        source: "demo", "exchange", "replay", or "module:function" of a function that gets this and
            returns something with `name`, `venue` and `history`, as `MarketSource` has them.
        settings: the session's, as canonical JSON.
        symbols: the session's, in its order.
        cutoff_ms: nothing at or after it is used; a close of the model's timeframe.
        deadline_seconds: after which the run ends itself, should nobody else end it.
        gives_way: take the lowest priority; on a busy machine such a run hardly gets on.
    """

    source: str
    settings: str
    symbols: tuple[str, ...]
    cutoff_ms: int
    var_dir: str
    database_url: str = field(repr=False)
    deadline_seconds: float
    gives_way: bool = True

    def write(self, folder: Path) -> Path:
        """Write it into a folder and return the file.

        The database's address may hold a password: it goes through the environment.
        """
        path = folder / SPEC
        write_json(path, {k: v for k, v in asdict(self).items() if k != "database_url"})
        return path

    @classmethod
    def read(cls, path: Path) -> "TrainingSpec":
        """Return what `write` has written, with the database of this process's environment."""
        content = json.loads(path.read_text(encoding="utf-8"))
        url = os.environ[DATABASE_URL]
        return cls(**{**content, "symbols": tuple(content["symbols"]), "database_url": url})


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a file that is there whole or not at all."""
    waiting = path.with_suffix(".tmp")
    waiting.write_text(json.dumps(content, allow_nan=False), encoding="utf-8")
    waiting.replace(path)


def read_result(folder: Path) -> dict[str, Any]:
    """Return {"facts": ...} or {"failure": "one line"}.

    Raises:
        InputError: there is no whole result.
    """
    try:
        content = json.loads((folder / RESULT).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"training left no result that can be read: {error}") from None
    if not isinstance(content, dict) or not ({"facts", "failure"} & content.keys()):
        raise InputError("training left a result without facts, needed: facts or failure")
    return content


def read_progress(folder: Path) -> tuple[int, int]:
    """Return (models measured, models in all) of a run; (0, 0) before the first."""
    try:
        content = json.loads((folder / PROGRESS).read_text(encoding="utf-8"))
        return int(content["done"]), int(content["models"])
    except (OSError, ValueError, KeyError, TypeError):
        return 0, 0


def write_windows(folder: Path, windows: Sequence[CandleSeries]) -> None:
    """Write the candles that come with a model, in the order of the session's symbols."""
    tables = [
        np.stack([s.open_ms, s.open, s.high, s.low, s.close, s.volume]) for s in windows
    ]  # fmt: skip
    path = folder / WINDOWS
    waiting = path.with_suffix(".tmp")
    with waiting.open("wb") as file:
        np.savez(file, *tables)
        file.flush()
        os.fsync(file.fileno())
    waiting.replace(path)


def read_windows(
    folder: Path, symbols: Sequence[str], timeframe_ms: int
) -> tuple[CandleSeries, ...]:
    """Return the candles of each symbol.

    Raises:
        InputError: the file is gone, damaged, or lacks one.
    """
    try:
        with np.load(folder / WINDOWS, allow_pickle=False) as file:
            return tuple(
                CandleSeries(symbol, timeframe_ms, *np.ascontiguousarray(file[f"arr_{i}"]))
                for i, symbol in enumerate(symbols)
            )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"the candles that came with the model cannot be read: {error}") from None
