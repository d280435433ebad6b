"""How many sets of parameters were tried on a window of data: the number that makes luck of skill.

Every study notes what it tried, on every window it looked at; a set counts once per window, however
often it is run and whichever study runs it.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

import numpy as np
from sqlalchemy import Engine as Database

from crypto_trader_pro.backtest.overfitting import (
    deflated_sharpe,
    expected_maximum_sharpe,
    probabilistic_sharpe,
    sharpe_sample,
)
from crypto_trader_pro.domain.errors import InputError
from crypto_trader_pro.domain.market import Floats
from database import backtests
from database.auto_trading_db import unit_of_work

_WHAT: Final = "the trials"


class Trial(NamedTuple):
    """A set of parameters on one window."""

    params_hash: str
    daily_sharpe: float | None


def window_of(sha256: str, from_ms: int | None, to_ms: int | None) -> str:
    """Return the name of a window of data: the loaded candles, and the part of them looked at."""
    if from_ms is None and to_ms is None:
        return sha256
    ends = ("" if ms is None else str(ms) for ms in (from_ms, to_ms))
    return ":".join((sha256, *ends))


def note(
    database: Database, window: str, strategies: Sequence[str], tried: Sequence[Trial],
    now: datetime,
) -> backtests.Trials:  # fmt: skip
    """Store what was tried on a window; return all that ever was."""
    with unit_of_work(database, _WHAT) as session:
        if tried:
            backtests.add_trials(session, window, ",".join(strategies), tried, now)
        return backtests.trials(session, window)


def luck(returns: Floats, found: backtests.Trials) -> Mapping[str, Any]:
    """Return what is left of a Sharpe ratio once it is known how many were tried.

    Args:
        returns: daily, of the one that was chosen.
        found: all trials of its window.

    Returns:
        JSON values: `trials`; `psr`, the probability that the true ratio is above zero; `deflated`,
        that it is above what the best of as many without skill would show, and `expected_best`,
        that ratio of a day. None where there are too few returns or too few trials with a ratio.
    """
    sample = sharpe_sample(returns)
    told: dict[str, Any] = {
        "trials": found.count, "psr": None, "expected_best": None, "deflated": None,
    }  # fmt: skip
    if sample is None:
        return told
    told["psr"] = probabilistic_sharpe(sample)
    variance = float(np.var(found.sharpes, ddof=1)) if len(found.sharpes) > 1 else 0.0
    if found.count == 1 or len(found.sharpes) > 1:
        told["expected_best"] = expected_maximum_sharpe(found.count, variance)
        told["deflated"] = deflated_sharpe(sample, found.count, variance)
    return told


def daily_returns_of(value: Mapping[str, Any]) -> Floats:
    """Return the daily returns of what `playing.told` kept.

    Raises:
        InputError: an equity was not above zero: it has no return.
    """
    equity = np.asarray(value["daily_equity"], dtype=np.float64)
    if not bool((equity > 0).all()):
        raise InputError("an account was emptied: it has no daily returns")
    result: Floats = equity[1:] / equity[:-1] - 1.0
    return result
