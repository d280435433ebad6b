"""The registry of functions that the engine and the compiled kernel share.

A scalar takes whole numbers and returns a whole number or a small tuple of them. It has no class,
no Decimal, no float, no None and no keyword default, so that Numba can compile it as it stands. The
engine calls it as plain Python; the backtest kernel compiles a copy (ADR 0002).
"""

from collections.abc import Callable
from typing import Any, Final, TypeVar

_Function = TypeVar("_Function", bound=Callable[..., Any])

REGISTRY: Final[list[Callable[..., Any]]] = []
SEQUENCE_REGISTRY: Final[list[Callable[..., Any]]] = []  # compiled after REGISTRY


def scalar(function: _Function) -> _Function:
    """Register `function` and return it unchanged.

    Order of definition is the order of compilation, so a callee is registered before its caller.
    """
    REGISTRY.append(function)
    return function


def sequence_scalar(function: _Function) -> _Function:
    """Register `function`, which also takes a sequence of whole numbers, and return it unchanged.

    It reads the sequence by `len` and index alone, so that a tuple in the engine and a 64-bit array
    in the kernel give the same.
    """
    SEQUENCE_REGISTRY.append(function)
    return function


STEPS: Final[list[Callable[..., Any]]] = []


def step(function: _Function) -> _Function:
    """Register one step of a strategy, which may keep floats as its state, and return it unchanged.

    Only + - * / and comparisons, in one order: then the compiled copy gives the same to the last
    bit. What comes out and decides is a whole number.
    """
    STEPS.append(function)
    return function
