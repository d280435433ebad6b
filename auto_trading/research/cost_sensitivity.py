"""How much of the result is left when trading costs more, and how much more it can bear.

Fees and slippage are multiplied apart from each other over a grid (0, 1, 2, 3 times). Slippage is
all that makes a fill worse than its price: `slippage_pct`, `half_spread_pct`, `impact_pct` and
`range_share_pct` of section `paper`.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from itertools import pairwise
from typing import Any, Final

from auto_trading.backtesting.candles import Candles
from auto_trading.research.parameters import with_params
from auto_trading.research.playing import Case
from auto_trading.research.study import Bench, StudySpec
from config.settings import Settings
from crypto_trader_pro.domain.errors import InputError
from crypto_trader_pro.domain.instruments import money, plain_text

DEFAULT_TIMES: Final = ("0", "1", "2", "3")
_SLIPPAGE: Final = ("slippage_pct", "half_spread_pct", "impact_pct", "range_share_pct")
_MOST: Final = Decimal(1000)


def options(
    times: Sequence[str] = DEFAULT_TIMES, params: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Return the options of a study as JSON values."""
    return {"times": list(times), "params": dict(params or {})}


def check(spec: StudySpec, candles: Candles) -> None:
    """Refuse multiples that cannot be run.

    Raises:
        InputError: a multiple that is none, or fewer than two.
        SettingsError: a multiple that the settings do not allow.
    """
    settings = with_params(spec.settings, spec.options["params"])
    for times in _multiples(spec.options):
        with_params(settings, _slippage(settings, times))


def run(bench: Bench, options: Mapping[str, Any]) -> dict[str, Any]:
    """Run the grid and find the multiple of all costs at which nothing is left.

    Raises:
        Canceled: before all was done.
        InputError: a run failed.
    """
    multiples = _multiples(options)
    settings = with_params(bench.spec.settings, options["params"])
    cases = {
        _name(fees, slippage): Case(
            {**options["params"], **_slippage(settings, slippage)}, fees=fees
        )
        for fees in multiples for slippage in multiples
    }  # fmt: skip
    found = bench.only(bench.play(cases))
    changes = {key: value["metrics"]["return"] for key, value in found.items()}
    diagonal = [(float(k), changes[_name(k, k)]) for k in multiples]
    return {
        "engine": next(iter(found.values()))["engine"],
        "rows": [
            {
                "fees": plain_text(fees), "slippage": plain_text(slippage),
                "return": value["metrics"]["return"], "sharpe": value["metrics"]["sharpe"],
                "paid_fees": plain_text(money(value["fees"])), "fills": value["fills"],
            }
            for fees in multiples for slippage in multiples
            for value in [found[_name(fees, slippage)]]
        ],
        "break_even": break_even(diagonal),
        "tested_to": plain_text(multiples[-1]),
    }  # fmt: skip


def break_even(diagonal: Sequence[tuple[float, float]]) -> float | None:
    """Return the multiple of all costs at which the return becomes zero, by straight lines.

    None where it is above zero at every multiple, or at none.

    Args:
        diagonal: (multiple, return), by rising multiple.

    >>> break_even([(0.0, 0.03), (1.0, 0.01), (2.0, -0.01)])
    1.5
    """
    for (low, before), (high, after) in pairwise(diagonal):
        if before > 0 >= after:
            return low + (high - low) * before / (before - after)
    return None


def _multiples(options: Mapping[str, Any]) -> list[Decimal]:
    found = set()
    for text in options["times"]:
        try:
            value = Decimal(text)
        except ArithmeticError:
            value = Decimal("NaN")
        if not (value.is_finite() and 0 <= value <= _MOST):
            raise InputError(f"multiple of costs was {text!r}, allowed: 0 to {_MOST}")
        found.add(value)
    if len(found) < 2:
        raise InputError("one multiple of costs shows nothing, allowed: two or more")
    return sorted(found)


def _slippage(settings: Settings, times: Decimal) -> dict[str, str]:
    if times == 1:
        return {}
    paper = settings.paper
    return {f"paper.{name}": plain_text(getattr(paper, name) * times) for name in _SLIPPAGE}


def _name(fees: Decimal, slippage: Decimal) -> str:
    return f"fees {plain_text(fees)} slippage {plain_text(slippage)}"
