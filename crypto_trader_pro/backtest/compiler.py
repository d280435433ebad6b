"""Compiles the shared functions and the kernel with Numba; the only module that imports it.

Numba's own cache looks at the file of the outermost function alone, so that a change in a function
it calls would go unnoticed: the folder's name is a hash of every source that takes part.
"""

import hashlib
import importlib
import inspect
import platform
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import FunctionType
from typing import Any, Final

from crypto_trader_pro.backtest import kernel, kernel_state, passes, sweep_pass
from crypto_trader_pro.domain.scalars import REGISTRY, SEQUENCE_REGISTRY, STEPS

_OPTIONS: Final = {"error_model": "numpy", "nogil": True, "_nrt": False}
ENTRIES: Final = (kernel.play, passes.gate_pass, passes.cross_pass, sweep_pass.sweep_run)


@dataclass(frozen=True, slots=True)
class Compiled:
    """The functions that are called from outside, compiled or, for tests, plain."""

    play: Callable[..., int]
    gate_pass: Callable[..., int]
    cross_pass: Callable[..., int]
    sweep_run: Callable[..., int]


PLAIN: Final = Compiled(*ENTRIES)


def functions() -> list[Callable[..., Any]]:
    """Return everything that is compiled, callees first."""
    return [*REGISTRY, *SEQUENCE_REGISTRY, *STEPS, *kernel_state.KERNEL]


def sources_digest() -> str:
    """Return a fingerprint of every source that takes part, of the compiler and of the machine."""
    digest = hashlib.sha256()
    modules = {function.__module__ for function in functions()}
    for name in sorted(modules | {kernel_state.__name__, __name__}):
        digest.update(inspect.getsource(sys.modules[name]).encode())
    for library in ("numba", "llvmlite"):
        digest.update(f"{library} {importlib.import_module(library).__version__} ".encode())
    digest.update(f"{sys.version} {platform.machine()}".encode())
    return digest.hexdigest()[:16]


def built(
    sources: Sequence[Callable[..., Any]], entries: Sequence[Callable[..., Any]], **options: Any
) -> dict[Any, Any]:
    """Compile copies of `sources`, callees first; the originals stay plain Python.

    Args:
        entries: those that are kept in the cache folder; they contain what they call.
        options: of `numba.njit`.
    """
    import numba  # noqa: PLC0415  half a second

    njit: Any = numba.njit  # its types do not know all of its options
    done: dict[Any, Any] = {}
    for function in sources:
        if not isinstance(function, FunctionType):
            raise TypeError(f"{function!r} is no plain function")
        names = {
            name: done.get(value, value) if isinstance(value, FunctionType) else value
            for name, value in function.__globals__.items()
        }
        clone = FunctionType(function.__code__, names, function.__name__, function.__defaults__)
        clone.__module__, clone.__qualname__ = function.__module__, function.__qualname__
        inline = function in kernel_state.INLINED
        done[function] = njit(
            cache=function in entries,
            forceinline=inline,
            no_cfunc_wrapper=True,
            no_cpython_wrapper=function not in entries,
            **options,
        )(clone)
    return done


def compiled(cache_dir: str) -> Compiled:
    """Return the compiled functions; compiling itself happens at their first call.

    Args:
        cache_dir: folder whose subfolder of this build keeps the machine code.
    """
    import numba  # noqa: PLC0415

    setattr(numba.config, "CACHE_DIR", f"{cache_dir}/{sources_digest()}")  # noqa: B010  untyped
    done = built(functions(), ENTRIES, **_OPTIONS)
    return Compiled(*(done[entry] for entry in ENTRIES))
