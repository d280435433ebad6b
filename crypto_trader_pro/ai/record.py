"""Predictions joined with outcomes: the record on which a model is judged."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from crypto_trader_pro.domain.errors import InputError
from crypto_trader_pro.domain.market import Floats, Ints

Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class SideRecord:
    """What was predicted for one side and what came of it; arrays of shape (n,)."""

    probability: Ints  # parts of 1e6
    edge_mbp: Ints  # expected result after costs, thousandths of a basis point
    baseline_probability: Ints  # logistic regression
    baseline_edge_mbp: Ints
    base_rate: Floats  # of the training window, known at the time
    ranks: Bools  # False: the model gave no signal
    baseline_ranks: Bools
    net_bp: Floats  # what the trade brought after costs
    exit_ms: Ints


@dataclass(frozen=True, slots=True, eq=False)
class Record:
    """n out-of-sample decisions in time order; arrays of shape (n,)."""

    symbols: tuple[str, ...]
    cost_bp: float  # inside `net_bp` of both sides
    symbol: Ints
    close_ms: Ints
    model: Ints  # index into the models of the run
    novel: Ints
    long: SideRecord
    short: SideRecord

    def __len__(self) -> int:
        return len(self.close_ms)

    def side(self, sign: Literal[1, -1]) -> SideRecord:
        """Return the record of +1 (long) or -1 (short)."""
        return self.long if sign > 0 else self.short

    def where(self, rows: Bools) -> "Record":
        """Return the rows of a mask."""
        return replace(
            self,
            symbol=self.symbol[rows],
            close_ms=self.close_ms[rows],
            model=self.model[rows],
            novel=self.novel[rows],
            long=_select(self.long, rows),
            short=_select(self.short, rows),
        )


def joined(parts: Sequence[Record]) -> Record:
    """Return records of the same symbols and costs, one after the other.

    Raises:
        InputError: none is given, or symbols or costs differ.
    """
    if not parts:
        raise InputError("records were 0, at least 1 is needed")
    first = parts[0]
    for part in parts:
        if (part.symbols, part.cost_bp) != (first.symbols, first.cost_bp):
            raise InputError("records differ in symbols or costs, allowed: the same in all")
    return replace(
        first,
        symbol=np.concatenate([part.symbol for part in parts]),
        close_ms=np.concatenate([part.close_ms for part in parts]),
        model=np.concatenate([part.model for part in parts]),
        novel=np.concatenate([part.novel for part in parts]),
        long=_stacked([part.long for part in parts]),
        short=_stacked([part.short for part in parts]),
    )


def _stacked(parts: list[SideRecord]) -> SideRecord:
    columns = {
        f.name: np.concatenate([getattr(part, f.name) for part in parts])
        for f in fields(SideRecord)
    }
    return SideRecord(**columns)


def _select(part: SideRecord, rows: Bools) -> SideRecord:
    return SideRecord(**{f.name: getattr(part, f.name)[rows] for f in fields(SideRecord)})
