"""The figures of a summary as words: for the command, the report and the comparison alike.

Everything is read from the JSON of `output.summary`, so that a stored result reads the same.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from auto_trading.backtesting.assumptions import of_json
from utils.texts import Language, say

NONE: Final = "–"
# above or below zero is the point of them: they carry their sign
_SIGNED: Final = frozenset({"return", "cagr", "expectancy", "funding"})
_LOSSES: Final = frozenset({"max_drawdown", "var_95", "es_95"})  # sizes of falls
_LARGE: Final = 10_000  # amounts from here on are shown without their cents


def value_text(code: str, metric: Mapping[str, Any], asset: str, language: Language) -> str:
    """Return a figure with its unit, or why there is none."""
    if metric["value"] is None:
        return say(language, f"backtest.missing.{metric['missing']}")
    return number_text(code, Decimal(str(metric["value"])), metric["unit"], asset, language)


def number_text(code: str, value: Decimal, unit: str, asset: str, language: Language) -> str:
    """Return a number of a metric with its unit."""
    sign = "+" if code in _SIGNED else ""
    if unit == "fraction":
        low = "−" if code in _LOSSES and value > 0 else ""
        return low + _minus(f"{100 * value:{sign},.2f} %")
    if unit == "money":
        return _minus(f"{value:{sign},.{_places(value)}f} {asset}")
    if unit == "ratio":
        return _minus(f"{value:,.2f}")
    form = ",.0f" if unit == "count" else ",.1f"
    return say(language, f"backtest.unit.{unit}", value=_minus(f"{value:{form}}"))


def signed_number(value: Decimal, unit: str, asset: str, language: Language) -> str:
    """Return a difference with its unit and its sign; that of fractions is in percent points."""
    if not value:
        return "0"
    if unit == "fraction":
        return _minus(f"{100 * value:+,.2f} %p")
    if unit == "money":
        return _minus(f"{value:+,.{_places(value)}f} {asset}")
    if unit == "ratio":
        return _minus(f"{value:+,.2f}")
    form = "+,.0f" if unit == "count" else "+,.1f"
    return say(language, f"backtest.unit.{unit}", value=_minus(f"{value:{form}}"))


def difference_text(code: str, value: Decimal, unit: str, asset: str, language: Language) -> str:
    """Return a difference of two figures; of a fall as it is shown, below zero is deeper."""
    return signed_number(-value if code in _LOSSES else value, unit, asset, language)


def interval_text(code: str, metric: Mapping[str, Any], asset: str, language: Language) -> str:
    """Return the interval as "low … high", or a dash."""
    if metric["value"] is None or metric["interval"] is None:
        return NONE
    # of a fall the higher end is the deeper one
    order = ("high", "low") if code in _LOSSES else ("low", "high")
    ends = (Decimal(str(metric["interval"][end])) for end in order)
    low, high = (number_text(code, end, metric["unit"], asset, language) for end in ends)
    return f"{low} … {high}"


def sample_text(metric: Mapping[str, Any], language: Language) -> str:
    """Return the size of the sample and what it consists of."""
    return say(language, f"backtest.counts.{metric['counts']}", n=f"{metric['sample']:,}")


def signed_money(value: Decimal) -> str:
    """Return an amount with its sign, without its currency."""
    return _minus(f"{value:+,.{_places(value)}f}")


def plain_money(value: Decimal) -> str:
    """Return an amount without its currency; a sign only where it is below zero."""
    return _minus(f"{value:,.{_places(value)}f}")


def signed_percent(fraction: float) -> str:
    return _minus(f"{100 * fraction:+,.2f} %")


def trial_lines(summary: Mapping[str, Any], language: Language) -> list[str]:
    """Return what the number of trials means for the figures."""
    count, deflated = summary["trials"], summary["deflated_sharpe"]
    if count is None:
        return [say(language, "backtest.trials_unknown")]
    code = "backtest.trials" if count == 1 else "backtest.trials_many"
    lines = [say(language, code, count=count)]
    if deflated is None:
        return [*lines, say(language, "backtest.deflated_none")]
    return [*lines, say(language, "backtest.deflated", percent=f"{100 * deflated:.1f}")]


def assumption_lines(told: Sequence[Mapping[str, Any]], language: Language) -> list[str]:
    """Return the sentences of stored assumptions."""
    return [item.sentence(language) for item in of_json(told)]


def asset_of(summary: Mapping[str, Any]) -> str:
    """Return the currency of the account."""
    return str(summary["symbols"][0]).split("/")[1].split(":")[0]


def day(instant: str) -> str:
    """Return an ISO instant of UTC to the minute."""
    return instant[:16].replace("T", " ")


def _places(value: Decimal) -> int:
    return 0 if abs(value) >= _LARGE else 2


def _minus(text: str) -> str:
    """A true minus sign: a hyphen can be lost at the end of a line."""
    return text.replace("-", "−")
