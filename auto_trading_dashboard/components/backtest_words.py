"""Figures of a stored backtest in words: value, sample, interval, or why there is none."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

import streamlit as st

from auto_trading_dashboard.components import figures
from auto_trading_dashboard.preferences import language, text
from auto_trading_dashboard.queries.backtests import Stored
from utils.texts import catalogue

Json = Mapping[str, Any]

HEADLINE: Final = ("return", "max_drawdown", "sharpe", "win_rate", "profit_factor", "trades")
GAINS: Final = frozenset({"return", "cagr", "expectancy", "funding"})  # coloured by their sign
UNITS: Final = {
    "return": "fraction",
    "max_drawdown": "fraction",
    "win_rate": "fraction",
    "trades": "count",
    "fees": "money",
    "sharpe": "ratio",
    "profit_factor": "ratio",
    "efficiency": "ratio",
    "sortino": "ratio",
    "calmar": "ratio",
}  # fmt: skip  of figures that come without their unit
_LARGE: Final = 10_000  # money without its cents, or it would be cut off


def known(code: str, fallback: str, **values: Any) -> str:
    """Return a sentence, or `fallback` where the catalogue has none: of another version."""
    return text(code, **values) if code in catalogue(language()) else fallback


def name_of(code: str) -> str:
    return known(f"backtest.metric.{code}", code)


def definition_of(code: str) -> str:
    return known(f"backtest.define.{code}", code)


def value_of(metric: Json, code: str = "") -> str:
    """Return a figure as people read it."""
    return plain_value(metric["value"], metric["unit"], code)


def plain_value(value: Any, unit: str, code: str = "") -> str:
    if value is None:
        return figures.MISSING
    number = Decimal(str(value))
    if unit == "fraction":
        return figures.signed_percent(number) if code in GAINS else figures.percent(number)
    if unit == "money":
        if code not in GAINS:
            return figures.amount(number)
        return figures.signed(number, 0 if abs(number) >= _LARGE else 2)
    if unit == "count":
        return figures.whole(int(number))
    shown = f"{number:,.2f}".replace("-", figures.MINUS)
    return text(f"backtest.unit.{unit}", value=shown) if unit in ("days", "times") else shown


def under(metric: Json, code: str) -> str:
    """Return the sample of a figure and its interval, or what is lacking."""
    if metric["missing"] is not None:
        return known(f"backtest.missing.{metric['missing']}", metric["missing"])
    n = figures.whole(metric["sample"])
    sample = known(f"backtest.counts.{metric['counts']}", f"{n} {metric['counts']}", n=n)
    interval = metric["interval"]
    if interval is None:
        return sample
    low, high = (plain_value(interval[k], metric["unit"], code) for k in ("low", "high"))
    return f"{sample} · {text('backtest_lab.interval', low=low, high=high)}"


def gain_of(metric: Json, code: str) -> Decimal | None:
    """Return the number whose sign colours a figure; None: it has no colour."""
    if code not in GAINS or metric["value"] is None:
        return None
    return Decimal(str(metric["value"]))


def title(stored: Stored) -> str:
    """Return a result in one line."""
    kind = known(f"backtest_lab.kind_{stored.kind}", stored.kind)
    net = headline(stored)
    parts = [
        stored.public_id, stored.name, kind, " + ".join(stored.strategies),
        ", ".join(stored.symbols), stored.timeframe, net,
    ]  # fmt: skip
    return " · ".join(part for part in parts if part)


def headline(stored: Stored) -> str:
    """Return the one figure that a choice of results shows: of a study, its best's."""
    return shown(stored, "return")


def shown(stored: Stored, code: str) -> str:
    """Return a figure of a result; "" where it has none."""
    metric = stored.summary.get("metrics", {}).get(code)
    if metric is not None:
        return value_of(metric, code)
    of_best = stored.summary.get("headline") or {}
    return plain_value(of_best[code], UNITS[code], code) if code in of_best else ""


def assumption(values: Json) -> str:
    """Return an assumption as a sentence; one of another version as it stands."""
    code = f"backtest.assume.{values['code']}"
    numbers = {key: value for key, value in values.items() if key != "code"}
    if code in catalogue(language()):
        try:
            return text(code, **numbers)
        except KeyError:  # stored by another version
            pass
    return f"{values['code']}: " + ", ".join(f"{key} {value}" for key, value in numbers.items())


def warn_of_luck(lines: Sequence[str]) -> None:
    """Write how much was tried and what that leaves of the result, as one paragraph."""
    told = "  \n".join(figures.escaped(line) for line in lines)
    st.markdown(f":orange[:material/casino:] {told}")


def trials(summary: Json) -> list[str]:
    """Return how often the candles were tried, and what is left of the Sharpe ratio then."""
    count, deflated = summary.get("trials"), summary.get("deflated_sharpe")
    if count is None:
        return [text("backtest.trials_unknown")]
    lines = [
        text("backtest.trials_many" if count > 1 else "backtest.trials", count=figures.whole(count))
    ]
    if deflated is not None:
        share = f"{deflated * 100:.1f}"
        lines.append(text("backtest.deflated", percent=share))
    return lines
