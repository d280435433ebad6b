"""Loads Numba without what it only looks for: a third of the time and 20 MiB of a short command."""

import gc
import importlib
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Final

# SciPy for linear algebra, cffi for foreign functions, coverage for measuring, YAML for a file of
# settings: the kernel has none of them, and Numba does without whatever is not installed
NOT_NEEDED: Final = frozenset({"scipy", "cffi", "coverage", "yaml"})
# loaded by the first call otherwise, and with them what is to be found
_WHERE_IT_LOOKS: Final = ("numba", "numba.np.arraymath", "numba.core.typing.cffi_utils")


class _Absent:
    """Tells one thread that packages are not installed; those that are loaded stay."""

    def __init__(self) -> None:
        self._thread = threading.get_ident()

    def find_spec(
        self, name: str, _path: Sequence[str] | None = None, _target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name in NOT_NEEDED and threading.get_ident() == self._thread:
            raise ModuleNotFoundError(f"{name} is not needed by Numba here", name=name)
        return None


def load_numba() -> None:
    """Import Numba; afterwards every import is as it was."""
    if "numba" in sys.modules:
        return
    finder = _Absent()
    sys.meta_path.insert(0, finder)
    try:
        with paused_collection():
            for name in _WHERE_IT_LOOKS:
                importlib.import_module(name)
    finally:
        sys.meta_path.remove(finder)


@contextmanager
def paused_collection() -> Iterator[None]:
    """Make modules without looking for garbage among them: nothing of them is any."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
