"""The figures of a period: each with its definition, its sample size, or what is still lacking."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

import streamlit as st

from auto_trading_dashboard.components import ages, figures
from auto_trading_dashboard.components.performance_data import View
from auto_trading_dashboard.preferences import palette, text
from auto_trading_dashboard.queries import performance, performance_groups
from auto_trading_dashboard.queries.performance import DARK, RUNNING, Ratios
from auto_trading_dashboard.queries.performance_groups import Group
from crypto_trader_pro.backtest.account_metrics import (
    CONFIDENCE_95,
    MIN_CALMAR_RETURNS,
    MIN_CLOSED_TRADES,
)
from crypto_trader_pro.backtest.metrics import MIN_RATIO_RETURNS

_WIDTH: Final = 145  # of a figure with its sample, pixels at least
_LARGE: Final = 10_000  # money without its cents, or it would be cut off
_FIRST: Final = ("net", "return", "drawdown", "sharpe", "win_rate", "profit_factor")
_OTHERS: Final = (
    "sortino", "calmar", "trades", "expectancy", "fees", "slippage", "funding", "exposure",
    "active", "running",
)  # fmt: skip
CODES: Final = (*_FIRST, *_OTHERS)


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure.

    Args:
        code: `performance.figure_<code>` is its name, `performance.<code>_help` its definition.
        value: as shown; `figures.MISSING` where it would mean nothing.
        under: its sample size, or how many samples it needs.
        gain: colours the value by its sign; None: as it stands.
    """

    code: str
    value: str
    under: str
    gain: Decimal | None = None


def first(view: View) -> None:
    """Draw the figures that come before the chart."""
    _grid(view, _FIRST, "performance_first", 6)


def others(view: View) -> None:
    """Draw all other figures."""
    _grid(view, _OTHERS, "performance_others", 5)


def _grid(view: View, codes: Sequence[str], key: str, columns: int) -> None:
    found = {figure.code: figure for figure in all_figures(view)}
    with st.grid(columns, min_column_width=_WIDTH, border=True, key=key):
        for code in codes:
            _metric(found[code], view.run.asset)


def _metric(figure: Figure, asset: str) -> None:
    colour = "gray" if figure.gain is None else figures.profit_colour(figure.gain, palette())
    arrow = "" if figure.gain is None else f"{figures.arrow(figure.gain)} "
    st.metric(
        text(f"performance.figure_{figure.code}", asset=asset),
        figures.coloured(f"{arrow}{figure.value}".strip(), colour),
        delta=figure.under, delta_color="off", delta_arrow="off",
        help=text(f"performance.{figure.code}_help", **_VALUES.get(figure.code, {}), asset=asset),
    )  # fmt: skip


# what the definitions name
_VALUES: Final[dict[str, dict[str, int]]] = {
    "sharpe": {"need": MIN_RATIO_RETURNS}, "sortino": {"need": MIN_RATIO_RETURNS},
    "calmar": {"need": MIN_CALMAR_RETURNS}, "win_rate": {"need": MIN_CLOSED_TRADES},
    "profit_factor": {"need": MIN_CLOSED_TRADES}, "expectancy": {"need": MIN_CLOSED_TRADES},
}  # fmt: skip


def all_figures(view: View) -> list[Figure]:
    """Return every figure of a period."""
    ratios = performance.ratios(view.window)
    total = performance_groups.total(view.account, view.window)
    return [
        *_of_account(view, ratios), *_of_returns(ratios), *_of_trades(total),
        *_of_costs(view, total), *_of_time(view),
    ]  # fmt: skip


def _of_account(view: View, ratios: Ratios) -> Iterable[Figure]:
    days = view.window.days
    net = days[-1].after - days[0].before
    fraction = None if ratios.growth is None else ratios.growth - 1
    yield Figure(
        "net", figures.signed(net, 0 if abs(net) >= _LARGE else 2),
        text("performance.now", equity=figures.amount(days[-1].after)), net,
    )  # fmt: skip
    yield Figure(
        "return", figures.signed_percent(fraction), _days(len(days)),
        None if fraction is None else Decimal(fraction),
    )  # fmt: skip
    length = text(
        "performance.fell_over" if ratios.is_recovered else "performance.falls_since",
        length=ages.age(ratios.drawdown_ms / 1000),
    )
    yield Figure(
        "drawdown", figures.percent(ratios.drawdown),
        length if ratios.drawdown else text("performance.no_fall", days=len(days)),
    )  # fmt: skip


def _of_returns(ratios: Ratios) -> Iterable[Figure]:
    n = ratios.returns
    under = _enough(n, MIN_RATIO_RETURNS)
    sharpe = text("performance.no_change", days=n)
    if ratios.sharpe is not None and ratios.sharpe_error is not None:
        wide = CONFIDENCE_95 * ratios.sharpe_error
        sharpe = text(
            "performance.interval", low=_ratio(ratios.sharpe - wide),
            high=_ratio(ratios.sharpe + wide), days=n,
        )  # fmt: skip
    yield Figure("sharpe", _ratio(ratios.sharpe), under or sharpe)
    yield Figure("sortino", _ratio(ratios.sortino), under or (
        _days(n) if ratios.sortino is not None else text("performance.no_losing_day", days=n)
    ))  # fmt: skip
    yield Figure("calmar", _ratio(ratios.calmar), _enough(n, MIN_CALMAR_RETURNS) or (
        _days(n) if ratios.calmar is not None else text("performance.no_fall", days=n)
    ))  # fmt: skip


def _of_trades(total: Group) -> Iterable[Figure]:
    few = _few(total)
    under = few or _trades(total.trades)
    lost = figures.whole(total.trades - total.wins)
    yield Figure(
        "trades", figures.whole(total.trades),
        text("performance.won_lost", won=figures.whole(total.wins), lost=lost),
    )  # fmt: skip
    yield Figure("win_rate", figures.percent(total.win_rate, 1), under)
    factor = total.profit_factor
    yield Figure("profit_factor", _ratio(factor), few or (
        under if factor is not None else text("performance.no_loss", trades=total.trades)
    ))  # fmt: skip
    mean = total.expectancy
    yield Figure("expectancy", figures.signed(mean), under, mean)


def _of_costs(view: View, total: Group) -> Iterable[Figure]:
    under = _trades(total.trades)
    yield Figure("fees", figures.amount(total.fees), under)
    yield Figure("slippage", figures.amount(total.slippage), under)
    funding = view.window.funding
    payments = text("performance.payments", n=figures.whole(view.window.fundings))
    yield Figure("funding", figures.signed(funding), payments, funding)


def _of_time(view: View) -> Iterable[Figure]:
    found = view.window
    running = found.time_in(RUNNING)
    length = ages.age(running / 1000)

    def share(part: int, whole: int) -> str:
        return figures.percent(part / whole, 1) if whole else figures.MISSING

    yield Figure("exposure", share(found.exposed_ms, running), length)
    yield Figure("active", share(found.time_in("active"), running), text(
        "performance.states", reducing=share(found.time_in("reducing"), running),
        halted=share(found.time_in("halted"), running),
    ))  # fmt: skip
    dark = found.time_in(DARK)
    yield Figure("running", share(running, running + dark), text(
        "performance.dark", length=ages.age(dark / 1000)
    ))  # fmt: skip


def _few(group: Group) -> str:
    if not group.is_few:
        return ""
    return text("performance.few_trades", n=group.trades, need=MIN_CLOSED_TRADES)


def _enough(days: int, need: int) -> str:
    """Return what to say of too few days, nothing where there are enough."""
    return text("performance.few_days", n=days, need=need) if days < need else ""


def _trades(n: int) -> str:
    return text("performance.of_trades", n=figures.whole(n))


def _days(n: int) -> str:
    return text("performance.of_days", n=n)


def _ratio(value: float | None) -> str:
    return figures.MISSING if value is None else f"{value:,.2f}".replace("-", figures.MINUS)
