"""The report: one file that asks for nothing, and drawings that say what they leave out."""

import base64
import hashlib
import json
import re
from functools import cache
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest

from auto_trading.backtesting import report_charts, report_tables
from auto_trading.backtesting.html_report import html_report
from auto_trading.backtesting.output import summary
from auto_trading.backtesting.report_charts import (
    MOST_CANDLES,
    MOST_MARKED,
    WINDOW,
    bin_edges,
    candle_chart,
    drawn_candles,
    equity_chart,
    rolling_chart,
    rolling_sharpe,
)
from crypto_trader_pro.backtest.closed_trades import RoundTrip
from crypto_trader_pro.backtest.metrics import sharpe_ratio
from tests.backtest_case import a_series, made, small
from tests.builders import HOUR, START_MS, USDT
from tests.unit.test_backtest_output import BUY, SELL
from utils.texts import Language, catalogue

ENGLISH, KOREAN = Language.ENGLISH, Language.KOREAN
_REFERENCES = ("src", "href", "action", "data", "poster", "srcset", "background", "formaction")


class Page(HTMLParser):
    """What a browser would load, run and show of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.references: list[str] = []
        self.scripts: list[tuple[dict[str, str | None], str]] = []
        self.styles: list[str] = []
        self.metas: list[dict[str, str | None]] = []
        self.words: list[str] = []
        self.tags: list[str] = []
        self._inside = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.references += [str(v) for k, v in attrs if k in _REFERENCES]
        self._inside = tag
        if tag == "script":
            self.scripts.append((dict(attrs), ""))
        if tag == "meta":
            self.metas.append(dict(attrs))

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside == "script":
            attrs, before = self.scripts[-1]
            self.scripts[-1] = (attrs, before + data)
        elif self._inside == "style":
            self.styles.append(data)
        else:
            self.words.append(data)


@cache
def page(language: Language = ENGLISH) -> tuple[str, Page]:
    text = html_report(small(), summary(small(), reference="b7"), language)
    return text, Page(text)


# --- nothing from outside -----------------------------------------------------------------------


def test_nothing_in_the_page_refers_to_anything_outside() -> None:
    _, found = page()
    assert found.references == []
    assert not {"link", "iframe", "img", "object", "embed", "base", "form"} & set(found.tags)
    for style in found.styles:
        assert not re.search(r"url\(|@import|https?:", style)
    assert not any(re.search(r"https?://", word) for word in found.words)


def test_plotly_is_inside_once_and_only_known_scripts_may_run() -> None:
    _, found = page()
    kinds = [attrs.get("type") for attrs, _ in found.scripts]
    assert kinds == ["application/json", None, None]
    assert [len(text) > 1_000_000 for _, text in found.scripts] == [False, True, False]
    (policy,) = [m["content"] for m in found.metas if m.get("http-equiv")]
    assert policy is not None
    rules = {rule.split()[0]: rule.split()[1:] for rule in policy.split(";")}
    assert rules["default-src"] == ["'none'"]
    digests = [
        base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        for attrs, text in found.scripts
        if attrs.get("type") is None
    ]
    assert rules["script-src"] == [f"'sha256-{digest}'" for digest in digests]
    assert not re.search(r"https?:|\*|unsafe-eval", policy)


def test_the_search_would_find_a_reference() -> None:
    bad = Page('<img src="http://x/y.png"><script src="z.js"></script><style>a{b:url(c)}</style>')
    assert bad.references == ["http://x/y.png", "z.js"]
    assert bad.styles == ["a{b:url(c)}"]


def test_data_cannot_end_its_element() -> None:
    found = small()
    told = summary(found) | {"engine_refused": "</script><script>alert(1)</script>"}
    text = html_report(found, told, ENGLISH)
    assert len(Page(text).scripts) == 3
    assert "&lt;/script&gt;" in text


# --- what it says -------------------------------------------------------------------------------


@pytest.mark.parametrize("language", Language)
def test_every_part_is_there_in_both_languages(language: Language) -> None:
    text, found = page(language)
    words = " ".join(found.words)
    parts = (
        "equity_and_drawdown", "months", "figures", "candles", "distribution", "rolling",
        "by_strategy", "by_symbol", "exits", "refusals", "states", "parameters", "identity",
    )  # fmt: skip
    for part in parts:
        assert f'id="{part}"' in text
        assert catalogue(language)[f"backtest.report.{part}"] in words
    assert catalogue(language)["backtest.simulated"] in words
    assert catalogue(language)["backtest.trials_unknown"] in words
    for item in small().assumptions:
        assert item.sentence(language) in words
    assert small().backtest.sha256 in words
    assert f'<html lang="{language.value}">' in text
    assert "{" not in words


def test_gains_and_losses_carry_their_sign() -> None:
    text, _ = page()
    for css, sign in (("gain", "+"), ("loss", "−")):
        cells = re.findall(rf'<span class="{css}">([^<]*)</span>', text)
        assert cells
        assert all(cell.startswith(sign) for cell in cells)
    for kind, sign in (("g", "+"), ("l", "−")):
        for cell in re.findall(rf'<span class="{kind}\d">([^<]*)</span>', text):
            assert cell.startswith(sign)


def test_the_groups_add_up_to_all_trades() -> None:
    found = small()
    text = report_tables.by_symbol(found, ENGLISH)
    rows = re.findall(r'<th scope="row">([^<]*)</th><td>([\d,]+)</td>', text)
    counts = {name: int(count) for name, count in rows}
    total = counts.pop("All")
    assert total == sum(counts.values()) == len(found.trips.closed)


def test_a_month_is_tinted_by_its_size_and_named_by_its_sign() -> None:
    # 50 hours: 5 % down on the first and back to the opening on the last
    values = [9_500 * USDT] * 49 + [10_000 * USDT]
    text = report_tables.months_table(made([BUY, SELL], equity=values), ENGLISH)
    assert '<span class="z0">+0.00 %</span>' in text
    lower = report_tables.months_table(made([BUY, SELL], equity=[9_500 * USDT] * 50), ENGLISH)
    assert '<span class="l3">−5.00 %</span>' in lower  # 5 % is the strongest step


# --- what is drawn ------------------------------------------------------------------------------


def trips_at(closed: list[int]) -> list[RoundTrip]:
    one = small().trips.closed[0]
    return [one._replace(closed_ms=START_MS + hour * HOUR + 1, symbol=0) for hour in closed]


def test_few_candles_are_drawn_as_they_are() -> None:
    series = a_series(list(range(1_000, 1_000 + MOST_CANDLES)))
    drawn = drawn_candles(series, trips_at([5, 9]))
    assert (len(drawn.open_ms), drawn.each, drawn.trades) == (MOST_CANDLES, 1, (0, 1))
    assert drawn.prices[3].tolist() == series.close.tolist()


def test_many_candles_with_few_trades_are_joined() -> None:
    closes = list(range(1_000, 1_000 + 2 * MOST_CANDLES + 1))  # 6,001: joined by three
    drawn = drawn_candles(a_series(closes), trips_at([5]))
    assert (drawn.each, len(drawn.open_ms)) == (3, 2_001)
    opened, high, low, close = (column.tolist() for column in drawn.prices)
    # the first three: 1000, 1001, 1002 with a high and a low one beyond
    assert (opened[0], high[0], low[0], close[0]) == (1_000, 1_003, 999, 1_002)
    assert (opened[-1], close[-1]) == (7_000, 7_000)  # the last is alone


def test_many_candles_with_many_trades_show_the_busiest_window() -> None:
    closes = [1_000] * (MOST_CANDLES + 1_000)
    spread = list(range(0, 2_000, 10))  # 200 of them, 60 in 600 candles
    crowd = list(range(2_100, 2_301))  # 201 in 201 candles
    drawn = drawn_candles(a_series(closes), trips_at(spread + crowd))
    assert len(spread + crowd) > MOST_MARKED
    assert drawn.is_window
    assert len(drawn.open_ms) == WINDOW
    first = (int(drawn.open_ms[0]) - START_MS) // HOUR
    # 1,700..2,299 has 200 of the crowd and 30 others; 1,701..2,300 has 201 and 29: the first wins
    assert first == 1_700
    assert len(drawn.trades) == 200 + 30


def test_the_note_says_what_was_left_out() -> None:
    chart = candle_chart(small(), 0, ENGLISH)
    own = sum(trip.symbol == 0 for trip in small().trips.closed)
    assert chart.note == f"BTC/USDT:USDT: all 1,500 candles of 1m, {own} trades."
    assert chart.figure is not None
    candles, *marked = chart.figure["data"]
    assert len(candles["close"]) == 1_500
    assert sum(len(trace["x"]) for trace in marked) == 2 * own
    assert len({trace["marker"]["symbol"] for trace in marked}) == 4  # never colour alone


def test_the_deepest_fall_is_drawn() -> None:
    chart = equity_chart(small(), ENGLISH)
    assert chart.figure is not None
    (fall,) = [t for t in chart.figure["data"] if t["yaxis"] == "y3"]
    depth = small().metrics["max_drawdown"].value
    assert depth is not None
    assert min(fall["y"]) == pytest.approx(-100 * float(depth), abs=0.0006)


def test_no_bar_of_the_histogram_holds_gains_and_losses() -> None:
    edges = bin_edges(np.array([-3.0, -1.0, 0.5, 2.0, 9.0]))
    assert 0.0 in edges.tolist()
    assert np.allclose(np.diff(edges), edges[1] - edges[0])
    only = bin_edges(np.array([2.0, 3.0]))
    assert only[0] == 0.0
    assert bin_edges(np.zeros(3)).tolist() == [-1.0, 0.0, 1.0]


def test_the_rolling_ratio_is_that_of_each_window() -> None:
    returns = np.random.default_rng(3).normal(0.001, 0.01, 40)
    found = rolling_sharpe(returns, 30)
    assert found.shape == (11,)
    for k in (0, 10):
        assert found[k] == pytest.approx(sharpe_ratio(returns[k : k + 30]))
    assert np.isnan(rolling_sharpe(np.zeros(30), 30)).all()


def test_a_short_run_says_why_there_is_no_rolling_ratio() -> None:
    chart = rolling_chart(small(), ENGLISH)
    assert chart.figure is None
    assert chart.note == "The rolling Sharpe ratio needs more than 59 days; there are 2."


def test_every_colour_of_a_figure_is_one_the_page_knows() -> None:
    text, found = page()
    script = found.scripts[2][1]
    known = set(re.findall(r"(\w+): \"", script.partition("const dark")[0]))
    (data,) = [t for attrs, t in found.scripts if attrs.get("type")]
    used = {v[1:] for v in _strings(json.loads(data)) if v.startswith("$")}
    assert used
    assert used <= known
    assert "<" not in data
    assert text.count("<script") == 3


def _strings(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [text for item in items for text in _strings(item)]


def test_charts_without_a_trade_say_so() -> None:
    found = made([])
    chart = report_charts.distribution_chart(found, ENGLISH)
    assert (chart.figure, chart.note) == (None, "No trade was closed.")
    text = html_report(found, summary(found), ENGLISH)
    assert 'id="by_symbol"' not in text
