"""LightGBM's trees for predicting, by its C interface: the shared library that its wheel ships.

`import lightgbm` takes three seconds and 165 MiB because it brings pandas, SciPy and scikit-learn,
none of which a prediction needs. The library alone is there in a tenth of a second; it is the very
function that `lightgbm.Booster.predict` calls, so the numbers are the same bits (tested).

Source: https://lightgbm.readthedocs.io/en/latest/C-API.html
"""

import ctypes
import sys
import weakref
from functools import cache
from importlib.util import find_spec
from typing import Final

import numpy as np

from crypto_trader_pro.domain.errors import ConfigError, InputError
from crypto_trader_pro.domain.market import Floats

_RAW: Final = 1  # C_API_PREDICT_RAW_SCORE
_CONTRIBUTIONS: Final = 3  # C_API_PREDICT_CONTRIB
_FLOAT64: Final = 1  # C_API_DTYPE_FLOAT64
_PARAMETERS: Final = b"num_threads=1"  # more would fight with the loop for the second core
_ENDINGS: Final = {"win32": "dll", "darwin": "dylib"}


class Booster:
    """Trees that were trained before.

    Raises:
        InputError: the text is no model.
        ConfigError: LightGBM's library is not installed or cannot be loaded.
    """

    def __init__(self, text: str) -> None:
        self._library = _library()
        self._handle = ctypes.c_void_p()
        rounds = ctypes.c_int(0)
        failed = self._library.LGBM_BoosterLoadModelFromString(
            text.encode(), ctypes.byref(rounds), ctypes.byref(self._handle)
        )
        if failed:
            raise InputError(f"model text is not readable: {self._reason()}")
        weakref.finalize(self, self._library.LGBM_BoosterFree, self._handle)
        columns = ctypes.c_int(0)
        self._library.LGBM_BoosterGetNumFeature(self._handle, ctypes.byref(columns))
        self.columns = columns.value

    def raw_scores(self, values: Floats) -> Floats:
        """Return the log odds before calibration, shape (n,), of values of shape (n, columns)."""
        return self._predict(values, _RAW, 1).reshape(-1)

    def contributions(self, values: Floats) -> Floats:
        """Return how far each feature moved the raw score, (n, columns + 1): the mean comes last.

        Source: Lundberg et al., Consistent Individualized Feature Attribution for Tree Ensembles,
        2018 (`pred_contrib` of LightGBM).
        """
        return self._predict(values, _CONTRIBUTIONS, self.columns + 1)

    def _predict(self, values: Floats, kind: int, width: int) -> Floats:
        if values.ndim != 2 or values.shape[1] != self.columns:
            raise InputError(f"values were {values.shape}, allowed: (n, {self.columns})")
        rows = np.ascontiguousarray(values, dtype=np.float64)
        out = np.empty((len(rows), width))
        if not len(rows):
            return out
        written = ctypes.c_int64(0)
        failed = self._library.LGBM_BoosterPredictForMat(
            self._handle, rows.ctypes.data, _FLOAT64, rows.shape[0], rows.shape[1], 1, kind,
            0, -1, _PARAMETERS, ctypes.byref(written), out.ctypes.data,
        )  # fmt: skip
        if failed or written.value != out.size:
            raise InputError(f"the model cannot predict: {self._reason()}")
        return out

    def _reason(self) -> str:
        message: bytes = self._library.LGBM_GetLastError()
        return message.decode(errors="replace").strip()


@cache
def _library() -> ctypes.CDLL:
    found = find_spec("lightgbm")  # finds the package without importing it
    folders = list(found.submodule_search_locations or ()) if found else []
    ending = _ENDINGS.get(sys.platform, "so")
    tried = [f"{folder}/{part}/lib_lightgbm.{ending}" for folder in folders
             for part in ("lib", "bin", "..")]  # fmt: skip
    for path in tried:
        try:
            library = ctypes.CDLL(path)
        except OSError as error:
            reason = str(error)
            continue
        return _declared(library)
    if not tried:
        reason = "the package is not installed"
    raise ConfigError(f"LightGBM's library cannot be loaded: {reason}")


def _declared(library: ctypes.CDLL) -> ctypes.CDLL:
    pointer, number = ctypes.c_void_p, ctypes.c_int
    library.LGBM_GetLastError.restype = ctypes.c_char_p
    library.LGBM_BoosterLoadModelFromString.argtypes = [ctypes.c_char_p, pointer, pointer]
    library.LGBM_BoosterFree.argtypes = [pointer]
    library.LGBM_BoosterGetNumFeature.argtypes = [pointer, pointer]
    library.LGBM_BoosterPredictForMat.argtypes = [
        pointer, pointer, number, ctypes.c_int32, ctypes.c_int32, number, number, number, number,
        ctypes.c_char_p, pointer, pointer,
    ]  # fmt: skip
    return library
