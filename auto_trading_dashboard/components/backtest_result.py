"""One stored backtest: figures with their sample, curve, months, groups, trades, assumptions."""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import streamlit as st

from auto_trading_dashboard import services
from auto_trading_dashboard.components import (
    backtest_charts,
    backtest_words,
    charts,
    figures,
    page,
)
from auto_trading_dashboard.components.backtest_charts import Look
from auto_trading_dashboard.components.live import guarded
from auto_trading_dashboard.components.tables import Column, table
from auto_trading_dashboard.preferences import palette, text, zone
from auto_trading_dashboard.queries import backtests
from auto_trading_dashboard.queries.backtests import Stored
from auto_trading_dashboard.reading import read
from crypto_trader_pro.domain.timeframes import to_datetime

Json = Mapping[str, Any]

_WIDTH: Final = 270  # of a figure with its sample and interval, pixels at least
_SHOWN_TRADES: Final = 200
_MIMES: Final = {".html": "text/html", ".csv": "text/csv", ".json": "application/json"}
_FILES: Final = ("report.html", "trades.csv", "fills.csv", "orders.csv", "summary.json")


def look() -> Look:
    up, down = figures.up_down_hex(palette())
    return Look(text, zone(), up, down)


def draw(stored: Stored) -> None:
    """Draw everything about one backtest."""
    drawn = read(("lab charts", stored.number), lambda s: backtests.charts(s, stored.number))
    found = drawn.value or {}
    _about(stored)
    _headline(stored)
    _curves(stored, found)
    _groups(found)
    _trades(found)
    _details(stored)
    files(stored)


def _about(stored: Stored) -> None:
    summary = stored.summary
    st.markdown(f":gray[:material/info: {text('backtest.simulated')}]")
    said = text(
        "backtest.head", strategies=" + ".join(stored.strategies),
        symbols=", ".join(stored.symbols), timeframe=stored.timeframe,
        start=str(summary["from"])[:16].replace("T", " "),
        end=str(summary["until"])[:16].replace("T", " "),
    )  # fmt: skip
    engine = backtest_words.known(f"backtest.engine_{stored.engine}", stored.engine)
    ran = text(
        "backtest.ran", engine=engine, bars=figures.whole(summary["bars"]),
        seconds=summary["seconds"], rate=figures.whole(summary["bars_per_second"]),
    )  # fmt: skip
    st.caption(figures.escaped(f"{said} · {ran}"))
    if summary.get("engine_refused"):
        st.caption(figures.escaped(text("backtest.refused", reason=summary["engine_refused"])))
    backtest_words.warn_of_luck(backtest_words.trials(summary))


@guarded
def _headline(stored: Stored) -> None:
    metrics = stored.summary["metrics"]
    with st.grid(3, min_column_width=_WIDTH, border=True, key="lab_headline"):
        for code in (c for c in backtest_words.HEADLINE if c in metrics):
            metric(metrics[code], code)


def metric(found: Json, code: str) -> None:
    """Draw one figure with its sample and interval."""
    gain = backtest_words.gain_of(found, code)
    colour = "gray" if gain is None else figures.profit_colour(gain, palette())
    arrow = "" if gain is None else f"{figures.arrow(gain)} "
    value = backtest_words.value_of(found, code)
    st.metric(
        backtest_words.name_of(code), figures.coloured(f"{arrow}{value}".strip(), colour),
        delta=backtest_words.under(found, code), delta_color="off", delta_arrow="off",
        help=backtest_words.definition_of(code),
    )  # fmt: skip


@guarded
def _curves(stored: Stored, found: Json) -> None:
    curve = found.get("curve")
    if not curve or len(curve["at_ms"]) < 3:
        page.nothing("backtest_lab.no_curve")
        return
    st.subheader(text("backtest_lab.curve"), anchor=False)
    figure = backtest_charts.equity(curve, found["asset"], look())
    st.plotly_chart(figure, theme="streamlit", config=charts.WITH_TOOLS, key="lab_curve")
    st.subheader(text("backtest_lab.months"), anchor=False, help=text("backtest_lab.months_help"))
    figure = backtest_charts.months(found["months"], found["asset"], look())
    st.plotly_chart(figure, theme="streamlit", config=charts.PLAIN, key="lab_months")


@guarded
def _groups(found: Json) -> None:
    if not found.get("trades_total"):
        return
    with st.grid(2, min_column_width=340):
        for name in ("symbols", "strategies"):
            with st.container():
                st.subheader(text(f"backtest_lab.by_{name}"), anchor=False)
                table(found[name], _GROUP, key=f"lab_by_{name}")


@guarded
def _trades(found: Json) -> None:
    total = found.get("trades_total", 0)
    st.subheader(text("backtest_lab.trades"), anchor=False)
    if not total:
        page.nothing("backtest_lab.no_trades")
        return
    shown = list(reversed(found["trades"]))[:_SHOWN_TRADES]
    if total > len(shown):
        told = text("backtest_lab.trades_shown", shown=len(shown), total=figures.whole(total))
        st.caption(figures.escaped(told))
    table(shown, _TRADES, key="lab_trades")


@guarded
def _details(stored: Stored) -> None:
    summary = stored.summary
    with st.expander(text("backtest_lab.all_figures")):
        rows = list(summary["metrics"].items())
        table(rows, _METRICS, key="lab_metrics")
    with st.expander(text("backtest_lab.assumptions")):
        lines = [backtest_words.assumption(item) for item in summary["assumptions"]]
        st.markdown("\n".join(f"- {figures.escaped(line)}" for line in lines))
    with st.expander(text("backtest_lab.parameters")):
        rows = [
            f"{name}.{key} = {value}"
            for name, own in summary["params"].items()
            for key, value in own.items()
        ]
        st.code("\n".join(rows), language=None)


@guarded
def files(stored: Stored) -> None:
    """Offer the files of a result; one is read when it is asked for."""
    folder = services.var_dir() / stored.folder if stored.folder else None
    there = [] if folder is None else [folder / f for f in _FILES if (folder / f).is_file()]
    if not there or folder is None:
        st.caption(text("backtest_lab.no_files"))
        return
    with st.container(horizontal=True, gap="small"):
        for file in there:
            st.download_button(
                file.name, _reader(file), f"{stored.public_id}-{file.name}",
                _MIMES.get(file.suffix, "application/octet-stream"), on_click="ignore",
                key=f"lab_file_{file.name}", icon=":material/download:",
            )  # fmt: skip
    st.caption(figures.escaped(text("backtest_lab.folder", folder=str(folder))))


def _reader(file: Path) -> Callable[[], bytes]:
    return file.read_bytes


def _profit(row: Json) -> str:
    return figures.signed(Decimal(row["profit"]))


def _reason(row: Json) -> str:
    return backtest_words.known(f"backtest.exit.{row['reason']}", str(row["reason"]))


def _moment(ms: int | None) -> str:
    return figures.MISSING if ms is None else figures.local(
        to_datetime(ms), zone(), "%Y-%m-%d %H:%M"
    )  # fmt: skip


def _price(value: str | None) -> str:
    return figures.MISSING if value is None else figures.exact(Decimal(value))


_GROUP: list[Column[Json]] = [
    Column("backtest_lab.column_name", lambda r: r["name"] or text("backtest_lab.by_venue")),
    Column("backtest_lab.column_trades", lambda r: r["trades"], form="%d"),
    Column("backtest_lab.column_won", lambda r: r["wins"] / r["trades"] * 100, form="%.1f %%"),
    Column("backtest_lab.column_way", lambda r: figures.arrow(Decimal(r["profit"]))),
    Column("backtest_lab.column_profit", _profit, right=True),
    Column("backtest_lab.column_fees", lambda r: figures.amount(Decimal(r["fees"])), right=True),
]
_TRADES: list[Column[Json]] = [
    Column("backtest_lab.column_closed", lambda r: _moment(r["closed_ms"])),
    Column("backtest_lab.column_symbol", lambda r: r["symbol"], pinned=True),
    Column("backtest_lab.column_side", lambda r: text(
        "backtest_lab.long" if r["side"] > 0 else "backtest_lab.short")),
    Column("backtest_lab.column_way", lambda r: figures.arrow(Decimal(r["profit"]))),
    Column("backtest_lab.column_profit", _profit, right=True),
    Column("backtest_lab.column_entry", lambda r: _price(r["entry"]), right=True),
    Column("backtest_lab.column_exit", lambda r: _price(r["exit"]), right=True),
    Column("backtest_lab.column_size", lambda r: _price(r["size"]), right=True),
    Column("backtest_lab.column_reason", _reason),
    Column("backtest_lab.column_bars", lambda r: r["bars"], form="%d"),
    Column("backtest_lab.column_strategy", lambda r: r["strategy"]),
]  # fmt: skip
Pair = tuple[str, Json]
_METRICS: Sequence[Column[Pair]] = [
    Column("backtest.figure", lambda r: backtest_words.name_of(r[0]), pinned=True),
    Column("backtest_lab.value", lambda r: backtest_words.value_of(r[1], r[0]), right=True),
    Column("backtest_lab.sample_and_interval", lambda r: backtest_words.under(r[1], r[0])),
    Column("backtest_lab.definition", lambda r: backtest_words.definition_of(r[0]), width="large"),
]
