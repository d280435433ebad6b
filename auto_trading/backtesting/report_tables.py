"""The tables of the report as HTML; every number carries its unit and, where it can, its sign."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from html import escape
from typing import Any, Final

from auto_trading.backtesting import wording
from auto_trading.backtesting.export import strategy_of
from auto_trading.backtesting.monthly import monthly
from auto_trading.backtesting.output import Findings
from crypto_trader_pro.backtest.closed_trades import RoundTrip
from crypto_trader_pro.backtest.equity_curve import curve_of
from crypto_trader_pro.domain.instruments import money
from crypto_trader_pro.domain.timeframes import to_datetime
from utils.texts import Language, say

HEADLINE: Final = ("return", "max_drawdown", "sharpe", "profit_factor", "win_rate", "trades")
_STEPS: Final = (0.005, 0.02, 0.05)  # month's returns from which its cell is tinted more strongly
_MONTHS: Final = 12
_EVENTS: Final = 50  # lines of them


def table(headings: Sequence[str], rows: Iterable[Sequence[str]], css: str = "") -> str:
    """Return a table that can be scrolled sideways alone; the first column heads its row.

    Cells are HTML already.
    """
    head = "".join(f'<th scope="col">{name}</th>' for name in headings)
    body = "".join(
        f'<tr><th scope="row">{first}</th>{"".join(f"<td>{cell}</td>" for cell in rest)}</tr>'
        for first, *rest in rows
    )
    return (
        f'<div class="wide"><table class="{css}"><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def cards(figures: Mapping[str, Any], language: Language) -> str:
    """Return the headline figures, each with interval, sample and buy and hold."""
    asset, held = wording.asset_of(figures), figures["buy_and_hold"]["metrics"]
    found = []
    for code in HEADLINE:
        metric = figures["metrics"][code]
        interval = wording.interval_text(code, metric, asset, language)
        lines = [] if interval == wording.NONE else [f"95 %: {interval}"]
        lines.append(wording.sample_text(metric, language))
        if code in held:
            beside = wording.value_text(code, held[code], asset, language)
            lines.append(f"{say(language, 'backtest.report.hold')}: {beside}")
        name = say(language, f"backtest.metric.{code}")
        value = wording.value_text(code, metric, asset, language)
        small = "".join(f"<small>{escape(line)}</small>" for line in lines)
        missing = " missing" if metric["value"] is None else ""
        css = f"{_sign_class(code, metric)}{missing}"
        strong = f'<strong class="{css}">{escape(value)}</strong>'
        found.append(f'<div class="card"><span>{escape(name)}</span>{strong}{small}</div>')
    return f'<div class="cards">{"".join(found)}</div>'


def figures_table(figures: Mapping[str, Any], language: Language) -> str:
    """Return every figure with interval and sample, buy and hold beside it."""
    asset, held = wording.asset_of(figures), figures["buy_and_hold"]["metrics"]
    names = ("figure", "strategy_column", "interval", "sample", "hold_column")
    rows = [
        [
            say(language, f"backtest.metric.{code}"),
            wording.value_text(code, metric, asset, language),
            wording.interval_text(code, metric, asset, language),
            wording.sample_text(metric, language),
            wording.value_text(code, held[code], asset, language) if code in held else wording.NONE,
        ]
        for code, metric in figures["metrics"].items()
    ]
    escaped = [[escape(cell) for cell in row] for row in rows]
    return table([escape(say(language, f"backtest.{name}")) for name in names], escaped)


def definitions(figures: Mapping[str, Any], language: Language) -> str:
    """Return what each figure means, and the methods behind the intervals that occur."""
    codes = figures["metrics"]
    lines = [
        f"<dt>{escape(say(language, f'backtest.metric.{code}'))}</dt>"
        f"<dd>{escape(say(language, f'backtest.define.{code}'))}</dd>"
        for code in codes
    ]
    methods = dict.fromkeys(m["interval"]["method"] for m in codes.values() if m["interval"])
    name = escape(say(language, "backtest.interval"))
    lines += [
        f"<dt>{name}</dt><dd>{escape(say(language, f'backtest.method.{method}'))}</dd>"
        for method in methods
    ]
    return f"<dl>{''.join(lines)}</dl>"


def months_table(found: Findings, language: Language) -> str:
    """Return the heat map: a row for each year, the year's own return at its end."""
    months = monthly(curve_of(found.backtest.result))
    cells = {(m.year, m.month): m.change for m in months}
    rows = []
    for year in sorted({m.year for m in months}, reverse=True):
        own = [m for m in months if m.year == year]
        whole = own[-1].after / own[0].before - 1 if own[0].before > 0 else None
        changes = [cells.get((year, month)) for month in range(1, _MONTHS + 1)]
        rows.append([str(year), *(_tinted(change) for change in (*changes, whole))])
    names = [f"{month:02d}" for month in range(1, _MONTHS + 1)]
    total = escape(say(language, "backtest.report.total"))
    head = [escape(say(language, "backtest.report.year")), *names, total]
    return table(head, rows, "months")


def groups_table(
    found: Findings, what: str, name: Callable[[RoundTrip], str], language: Language
) -> str:
    """Return closed trades by group, the best first, with all of them in the last row."""
    groups: dict[str, list[RoundTrip]] = {}
    for trip in found.trips.closed:
        groups.setdefault(name(trip), []).append(trip)
    ordered = sorted(groups.items(), key=lambda pair: -sum(t.profit for t in pair[1]))
    rows = [_group(label, trips) for label, trips in ordered]
    if len(rows) > 1:
        rows.append(_group(say(language, "backtest.report.total"), found.trips.closed))
    codes = ("trades", "won", "profit", "mean", "best", "worst", "fees", "funding")
    head = [what, *(say(language, f"backtest.report.{code}") for code in codes)]
    return table([escape(text) for text in head], rows)


def by_strategy(found: Findings, language: Language) -> str:
    names = found.backtest.result.strategies
    what = say(language, "backtest.report.strategy")
    return groups_table(found, what, lambda trip: strategy_of(trip, names), language)


def by_symbol(found: Findings, language: Language) -> str:
    instruments = found.backtest.result.instruments
    what = say(language, "backtest.report.symbol")
    return groups_table(found, what, lambda trip: instruments[trip.symbol].symbol, language)


def by_reason(found: Findings, language: Language) -> str:
    what = say(language, "backtest.report.reason")
    return groups_table(
        found, what, lambda trip: say(language, f"backtest.exit.{trip.reason}"), language
    )


def refusals_table(figures: Mapping[str, Any], language: Language) -> str:
    """Return which rule refused how many entries."""
    rows = [
        [escape(say(language, f"rule_name.{code}")), f"{count:,}"]
        for code, count in figures["refusals"].items()
    ]
    heads = ("report.rule", "report.count")
    return table([escape(say(language, f"backtest.{head}")) for head in heads], rows)


def states_table(figures: Mapping[str, Any], language: Language) -> str:
    """Return how long trading was active, reducing and halted."""
    hours = figures["time_in_state_hours"]
    whole = sum(hours.values())
    rows = [
        [
            escape(say(language, f"state.{state}")), f"{spent:,.1f}",
            f"{100 * spent / whole:.1f} %" if whole else wording.NONE,
        ]
        for state, spent in hours.items()
    ]  # fmt: skip
    heads = ("report.state", "report.hours", "report.share")
    return table([escape(say(language, f"backtest.{head}")) for head in heads], rows)


def events_list(found: Findings, language: Language) -> str:
    """Return when the loss limits were reached, the first of them."""
    events = found.backtest.result.events
    if not events:
        return ""
    asset = found.backtest.result.instruments[0].quote
    lines = [
        f"<li>{to_datetime(e.at_ms):%Y-%m-%d %H:%M} – "
        f"{escape(say(language, f'backtest.event.{e.code}'))} "
        f"({wording.plain_money(money(e.equity))} {escape(asset)})</li>"
        for e in events[:_EVENTS]
    ]
    more = f"<li>… {len(events):,}</li>" if len(events) > _EVENTS else ""
    count = escape(say(language, "backtest.report.ladder", count=f"{len(events):,}"))
    return f"<p>{count}</p><ul>{''.join(lines)}{more}</ul>"


def parameters_table(figures: Mapping[str, Any], language: Language) -> str:
    """Return every parameter of the strategies that ran."""
    rows = [
        [escape(strategy), escape(name), escape(str(value))]
        for strategy, values in figures["params"].items()
        for name, value in values.items()
    ]
    heads = ("report.strategy", "report.parameters", "report.value")
    return table([escape(say(language, f"backtest.{head}")) for head in heads], rows)


def _group(label: str, trips: Sequence[RoundTrip]) -> list[str]:
    profits = [trip.profit for trip in trips]
    won = sum(profit > 0 for profit in profits)
    mean = money(sum(profits)) / len(profits)
    amounts = (money(sum(profits)), mean, money(max(profits)), money(min(profits)))
    fees, funding = sum(t.fees for t in trips), sum(t.funding for t in trips)
    return [
        escape(label),
        f"{len(trips):,}",
        f"{won:,} ({100 * won / len(trips):.1f} %)",
        *(_signed_cell(value) for value in amounts),
        wording.plain_money(money(fees)),
        _signed_cell(money(funding)),
    ]


def _signed_cell(value: Decimal) -> str:
    css = "gain" if value > 0 else "loss" if value < 0 else ""
    return f'<span class="{css}">{wording.signed_money(value)}</span>'


def _tinted(change: float | None) -> str:
    if change is None:
        return ""
    step = sum(abs(change) >= least for least in _STEPS)
    kind = "g" if change > 0 else "l" if change < 0 else "z"
    return f'<span class="{kind}{step}">{wording.signed_percent(change)}</span>'


def _sign_class(code: str, metric: Mapping[str, Any]) -> str:
    if code != "return" or metric["value"] is None:
        return ""
    return "gain" if metric["value"] > 0 else "loss" if metric["value"] < 0 else ""
