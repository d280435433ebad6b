"""Models that are loaded and stand ready, so that no cycle ever reads a file."""

import threading
from collections.abc import Sequence

from auto_trading.model_store import ModelFolder
from crypto_trader_pro.ai.model import Model
from crypto_trader_pro.domain.market import CandleSeries

_KEPT = 4  # models; two answer at a time at most


class ModelShelf:
    """Models by id, and the candles that came with the newest. Safe from any thread."""

    def __init__(self, folder: ModelFolder) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._models: dict[str, Model] = {}
        self._windows: tuple[str, Sequence[CandleSeries]] | None = None

    def put(self, model_id: str, windows: Sequence[CandleSeries]) -> Model:
        """Load a model that has just been trained, with its candles.

        Raises:
            InputError: it is not there, or was edited or cut short.
        """
        model = self.model(model_id)
        with self._lock:
            self._windows = (model_id, windows)
        return model

    def model(self, model_id: str) -> Model:
        """Return a model; read from its files if it does not stand here.

        Raises:
            InputError: it is not there, or was edited or cut short.
        """
        with self._lock:
            found = self._models.get(model_id)
        if found is None:
            found = self._folder.load(model_id)
            with self._lock:
                self._models[model_id] = found
                while len(self._models) > _KEPT:
                    del self._models[next(iter(self._models))]
        return found

    def windows(self, model_id: str) -> Sequence[CandleSeries] | None:
        """Return the candles that came with a model, None if they do not stand here any more."""
        with self._lock:
            if self._windows is None or self._windows[0] != model_id:
                return None
            return self._windows[1]
