"""The look-ahead check of a whole run: cut the candles off, run again, compare what came before.

Nothing that happened before the cut may depend on candles after it: every order that was decided,
every fill, payment, refusal and equity until then must be the same, to the last unit. A strategy,
model or engine that peeks is caught by the candle at which it first knew too much.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from auto_trading.backtesting.candles import Candles
from auto_trading.backtesting.warmup import candles_needed
from auto_trading.research.playing import Case, World
from auto_trading.research.playing import run as run_case
from auto_trading.research.study import Bench, StudySpec
from crypto_trader_pro.backtest.result import (
    FILL_AT,
    FUNDING_AT,
    ORDER_DECIDED,
    ORDER_LOTS,
    ORDER_ROLE,
    ROLES,
    BacktestResult,
)
from crypto_trader_pro.domain.enums import OrderRole
from crypto_trader_pro.domain.errors import InputError
from crypto_trader_pro.domain.market import Ints
from crypto_trader_pro.domain.timeframes import to_datetime

DEFAULT_CUTS: Final = 8
_MOST_CUTS: Final = 1000
_PROTECTIVE: Final = [ROLES.index(role.value) for role in (OrderRole.STOP, OrderRole.TARGET)]


@dataclass(frozen=True, slots=True, eq=False)
class Uncut:
    """The world and the result of the whole run, which every cut one is compared with."""

    world: World
    result: BacktestResult


def options(cuts: int = DEFAULT_CUTS, params: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Return the options of a check as JSON values."""
    return {"cuts": cuts, "params": dict(params or {})}


def check(spec: StudySpec, candles: Candles) -> None:
    """Refuse a check that cannot be run.

    Raises:
        InputError: an impossible number of cuts, or candles too few for them.
    """
    cuts = spec.options["cuts"]
    if not 1 <= cuts <= _MOST_CUTS:
        raise InputError(f"cuts were {cuts}, allowed: 1 to {_MOST_CUTS}")
    instants(candles, candles_needed(spec.request.market.strategies, spec.settings), cuts)


def instants(candles: Candles, warm: int, cuts: int) -> list[int]:
    """Return candle closes to cut at, evenly spaced between the warm-up and the end, ms.

    Raises:
        InputError: there are not as many closes.
    """
    step = candles.timeframe_ms
    first, last = candles.start_ms + (warm + 1) * step, candles.end_ms - step
    places = np.linspace(first, last, cuts + 1)[1:] if cuts > 1 else np.array([float(last)])
    found = sorted({int(place) // step * step for place in places})
    if len(found) < cuts or found[0] < first:
        raise InputError(f"the range has too few candles for {cuts} cuts")
    return found


def run(bench: Bench, options: Mapping[str, Any]) -> dict[str, Any]:
    """Run the check.

    Raises:
        Canceled: before all was done.
        InputError: a run failed.
    """
    world, params = bench.world, options["params"]
    candles = world.backtester.candles
    cuts = instants(candles, candles_needed(bench.strategies, world.settings), options["cuts"])
    whole = run_case(world, Case(params), keeps_masks=True)
    cases = {f"cut {_when(at_ms)}": Case(params, to_ms=at_ms) for at_ms in cuts}
    found = bench.only(bench.compute(compare, Uncut(world, whole.result), cases))
    differing = [value for value in found.values() if value["differs"]]
    return {
        "engine": whole.engine,
        "refused": whole.refused,
        "passed": not differing,
        "cuts": list(found.values()),
        "orders": len(whole.result.orders),
        "fills": len(whole.result.fills),
    }


def compare(uncut: Uncut, case: Case) -> dict[str, Any]:
    """Run one cut range and say where it differs from the whole run before the cut."""
    cut = run_case(uncut.world, case, keeps_masks=True)
    at_ms = case.to_ms or 0
    return {
        "at": _when(at_ms),
        "engine": cut.engine,
        "differs": differences(uncut.result, cut.result, at_ms),
    }


def differences(whole: BacktestResult, cut: BacktestResult, at_ms: int) -> list[str]:
    """Return one line per table in which two results differ before an instant.

    Of an order only what was decided counts: how it ended may come later.
    """
    codes = sorted({event.code for result in (whole, cut) for event in result.events})
    tables = {
        "order": (_decided(whole, at_ms), _decided(cut, at_ms), ORDER_DECIDED),
        "fill": (_until(whole.fills, FILL_AT, at_ms), _until(cut.fills, FILL_AT, at_ms), FILL_AT),
        "payment": (_until(whole.funding, FUNDING_AT, at_ms),
                    _until(cut.funding, FUNDING_AT, at_ms), FUNDING_AT),
        "equity": (_curve(whole, at_ms), _curve(cut, at_ms), 0),
        "verdict": (_until(whole.masks, 0, at_ms), _until(cut.masks, 0, at_ms), 0),
        "event": (_events(whole, at_ms, codes), _events(cut, at_ms, codes), 0),
    }  # fmt: skip
    lines = (_first(name, a, b, column) for name, (a, b, column) in tables.items())
    return [line for line in lines if line]


def _first(name: str, whole: Ints, cut: Ints, column: int) -> str:
    """Return where two tables first differ; "" if they do not."""
    shared = min(len(whole), len(cut))
    rows = np.flatnonzero((whole[:shared] != cut[:shared]).any(axis=1))
    if not len(rows) and len(whole) == len(cut):
        return ""
    k = int(rows[0]) if len(rows) else shared
    at = int((whole if k < len(whole) else cut)[k, column])
    said = [_row(table, k) for table in (whole, cut)]
    return f"{name} {k + 1} at {_when(at)}: {said[0]} in the whole run, {said[1]} in the cut one"


def _row(table: Ints, k: int) -> str:
    return " ".join(map(str, table[k].tolist())) if k < len(table) else "none"


def _decided(result: BacktestResult, at_ms: int) -> Ints:
    """Return what was decided of each order; a stop's or target's lots follow the position."""
    table = _until(result.orders, ORDER_DECIDED, at_ms)[:, : ORDER_LOTS + 1].copy()
    table[np.isin(table[:, ORDER_ROLE], _PROTECTIVE), ORDER_LOTS] = 0
    return table


def _until(table: Ints, column: int, at_ms: int) -> Ints:
    kept: Ints = table[table[:, column] <= at_ms] if len(table) else table
    return kept


def _curve(result: BacktestResult, at_ms: int) -> Ints:
    return _until(np.column_stack((result.close_ms, result.equity)), 0, at_ms)


def _events(result: BacktestResult, at_ms: int, codes: Sequence[str]) -> Ints:
    rows = [(e.at_ms, codes.index(e.code), e.equity) for e in result.events]
    return _until(np.array(rows, np.int64).reshape(-1, 3), 0, at_ms)


def _when(ms: int) -> str:
    return to_datetime(ms).isoformat()
