"""The report of a backtest: one HTML file that needs nothing from outside.

Plotly's script is inside, once. A content security policy lets only the two scripts of the file
run, known by their hashes, and forbids every request; so the file stays what it was wherever it is
sent.
"""

import base64
import hashlib
import json
from collections.abc import Mapping
from html import escape
from importlib.resources import files
from typing import Any, Final

from auto_trading.backtesting import report_charts, report_tables, wording
from auto_trading.backtesting.output import Findings
from auto_trading.backtesting.report_charts import Chart
from utils.texts import Language, say

MOST_SYMBOLS: Final = 6  # with a chart of candles: those with the most trades


def html_report(found: Findings, figures: Mapping[str, Any], language: Language) -> str:
    """Return the whole file as text.

    Args:
        figures: `output.summary` of it.
    """
    # only a report pays for the import; Plotly has no types
    from plotly.offline import get_plotlyjs  # type: ignore[import-untyped]  # noqa: PLC0415

    charts: dict[str, Chart] = {
        "equity": report_charts.equity_chart(found, language),
        "rolling": report_charts.rolling_chart(found, language),
        "distribution": report_charts.distribution_chart(found, language),
    }
    symbols = _charted(found)
    for symbol in symbols:
        charts[f"candles{symbol}"] = report_charts.candle_chart(found, symbol, language)
    drawn = {
        f"chart_{name}": chart.figure for name, chart in charts.items() if chart.figure is not None
    }
    body = _body(found, figures, charts, symbols, language)
    # no "<" in it: nothing in the data can end the element
    data = json.dumps(drawn, ensure_ascii=False, allow_nan=False).replace("<", "\\u003c")
    return _page(_title(figures, language), body, data, get_plotlyjs(), language)


def _page(title: str, body: str, data: str, library: str, language: Language) -> str:
    folder = files(__package__)
    style = folder.joinpath("report.css").read_text(encoding="utf-8")
    script = folder.joinpath("report.js").read_text(encoding="utf-8")
    policy = (
        "default-src 'none'; style-src 'unsafe-inline'; img-src data: blob:;"
        f" script-src {_source(library)} {_source(script)};"
        " base-uri 'none'; form-action 'none'"
    )
    return (
        f'<!doctype html>\n<html lang="{language.value}">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{style}</style>\n</head>\n<body>\n{body}\n"
        f'<script type="application/json" id="charts">{data}</script>\n'
        f"<script>{library}</script>\n<script>{script}</script>\n</body>\n</html>\n"
    )


def _source(script: str) -> str:
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return f"'sha256-{digest}'"


def _title(figures: Mapping[str, Any], language: Language) -> str:
    name = " ".join(filter(None, [figures["run_id"], *figures["strategy"]]))
    return f"{say(language, 'backtest.report.title')} {name}"


def _body(
    found: Findings, figures: Mapping[str, Any], charts: Mapping[str, Chart],
    symbols: tuple[int, ...], language: Language,
) -> str:  # fmt: skip
    tables = report_tables
    candles = "".join(_chart(f"candles{k}", charts[f"candles{k}"]) for k in symbols)
    none = _note("no_trades", language)
    has_trades = bool(found.trips.closed)
    asset = wording.asset_of(figures)
    groups = (
        _section("by_strategy", tables.by_strategy(found, language), language)
        + _section("by_symbol", tables.by_symbol(found, language), language)
        + _section("exits", tables.by_reason(found, language), language)
        + _note("groups_note", language, asset=asset)
    )
    parts = (
        _head(figures, language), _banner(figures, language),
        tables.cards(figures, language),
        _section(
            "equity_and_drawdown",
            _chart("equity", charts["equity"]) + _note("hold_note", language), language,
        ),
        _section(
            "months", tables.months_table(found, language) + _note("months_note", language),
            language,
        ),
        _section("figures", tables.figures_table(figures, language), language),
        _section("candles", candles or none, language),
        _section("distribution", _chart("distribution", charts["distribution"]), language),
        _section("rolling", _chart("rolling", charts["rolling"]), language),
        groups if has_trades else "",
        '<div class="pair">', _refusals(figures, language), _states(found, figures, language),
        "</div>", _assumptions(figures, language),
        _section("parameters", tables.parameters_table(figures, language), language),
        _identity(figures, language), _definitions(figures, language),
    )  # fmt: skip
    return f"<main>{''.join(parts)}</main>"


def _head(figures: Mapping[str, Any], language: Language) -> str:
    line = say(
        language, "backtest.head", strategies=", ".join(figures["strategy"]),
        symbols=", ".join(figures["symbols"]), timeframe=figures["timeframe"],
        start=wording.day(figures["from"]), end=wording.day(figures["until"]),
    )  # fmt: skip
    title = escape(_title(figures, language))
    return f'<header><h1>{title}</h1><p class="sub">{escape(line)}</p></header>'


def _banner(figures: Mapping[str, Any], language: Language) -> str:
    lines = [say(language, "backtest.simulated"), *wording.trial_lines(figures, language)]
    return f'<div class="banner">{"".join(f"<p>{escape(line)}</p>" for line in lines)}</div>'


def _refusals(figures: Mapping[str, Any], language: Language) -> str:
    refused = sum(figures["refusals"].values())
    if not refused:
        return _section("refusals", _note("no_refusals", language), language)
    note = _note(
        "refusals_note", language, decisions=f"{figures['decisions']:,}", refused=f"{refused:,}"
    )
    return _section("refusals", report_tables.refusals_table(figures, language) + note, language)


def _states(found: Findings, figures: Mapping[str, Any], language: Language) -> str:
    told = report_tables.states_table(figures, language)
    return _section("states", told + report_tables.events_list(found, language), language)


def _assumptions(figures: Mapping[str, Any], language: Language) -> str:
    lines = wording.assumption_lines(figures["assumptions"], language)
    items = "".join(f"<li>{escape(line)}</li>" for line in lines)
    name = escape(say(language, "backtest.assumptions"))
    return f'<section id="assumptions"><h2>{name}</h2><ul>{items}</ul></section>'


def _identity(figures: Mapping[str, Any], language: Language) -> str:
    """What proves that another run is the same one."""
    ran = say(
        language, "backtest.ran", bars=f"{figures['bars']:,}", seconds=figures["seconds"],
        rate=f"{figures['bars_per_second']:,}",
        engine=say(language, f"backtest.engine_{figures['engine']}"),
    )  # fmt: skip
    lines = [escape(ran)]
    if figures["engine_refused"]:
        refused = say(language, "backtest.refused", reason=figures["engine_refused"])
        lines.append(escape(refused))
    hashes = (
        ("data", "data_sha256"), ("configuration", "config_sha256"), ("fills_hash", "fills_sha256"),
    )  # fmt: skip
    lines += [
        f"{escape(say(language, f'backtest.report.{word}'))}: <code>{escape(figures[key])}</code>"
        for word, key in hashes
    ]
    told = "".join(f"<p>{line}</p>" for line in lines)
    return _section("identity", told + _note("offline", language), language)


def _definitions(figures: Mapping[str, Any], language: Language) -> str:
    name = escape(say(language, "backtest.report.definitions"))
    told = report_tables.definitions(figures, language)
    return f"<section><details><summary>{name}</summary>{told}</details></section>"


def _charted(found: Findings) -> tuple[int, ...]:
    """Return the symbols whose candles are drawn: those with the most trades."""
    symbols = range(len(found.backtest.result.instruments))
    trades = [sum(trip.symbol == k for trip in found.trips.closed) for k in symbols]
    busiest = sorted(symbols, key=lambda k: (-trades[k], k))[:MOST_SYMBOLS]
    return tuple(sorted(busiest))


def _section(code: str, inside: str, language: Language) -> str:
    name = escape(say(language, f"backtest.report.{code}"))
    return f'<section id="{code}"><h2>{name}</h2>{inside}</section>'


def _chart(name: str, chart: Chart) -> str:
    place = "" if chart.figure is None else f'<div class="chart" id="chart_{name}"></div>'
    return f'{place}<p class="note">{escape(chart.note)}</p>'


def _note(code: str, language: Language, **values: Any) -> str:
    return f'<p class="note">{escape(say(language, f"backtest.report.{code}", **values))}</p>'
