"""A stored study: what was tried and what came of it. Costs and capacity: `backtest_costs`."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

import streamlit as st

from auto_trading_dashboard.components import (
    backtest_charts,
    backtest_costs,
    backtest_result,
    backtest_words,
    charts,
    figures,
)
from auto_trading_dashboard.components import settings_draft as drafts
from auto_trading_dashboard.components import settings_words as words
from auto_trading_dashboard.components.backtest_words import UNITS, plain_value
from auto_trading_dashboard.components.live import guarded
from auto_trading_dashboard.components.tables import Column, table
from auto_trading_dashboard.preferences import palette, text
from auto_trading_dashboard.queries import backtests
from auto_trading_dashboard.queries.backtests import Stored
from auto_trading_dashboard.reading import read
from crypto_trader_pro.backtest.lab_request import LabKind

Json = Mapping[str, Any]

_WIDTH: Final = 160  # of a figure, pixels at least


@guarded
def draw(stored: Stored) -> None:
    """Draw everything about one study."""
    found = read(("lab charts", stored.number), lambda s: backtests.charts(s, stored.number))
    drawn, told = found.value or {}, stored.summary
    st.markdown(f":gray[:material/info: {text('backtest.simulated')}]")
    st.caption(figures.escaped(_head(stored)))
    _luck(told)
    _failed(told)
    if stored.kind == LabKind.SWEEP:
        _sweep(stored, drawn)
    elif stored.kind == LabKind.OPTIMIZE:
        _searched(stored, drawn)
    elif stored.kind == LabKind.WALK_FORWARD:
        _walk(stored, drawn)
    elif stored.kind == LabKind.COSTS:
        backtest_costs.costs(told, drawn)
    elif stored.kind == LabKind.CAPACITY:
        backtest_costs.capacity(told, drawn)
    elif stored.kind == LabKind.MONTE_CARLO:
        _shaken(told, drawn)
    backtest_result.files(stored)


def number(code: str, value: Any) -> str:
    """Return a figure of a study's table in words."""
    return plain_value(value, UNITS[code], code)


def _head(stored: Stored) -> str:
    told = stored.summary
    return text(
        "backtest.head", strategies=" + ".join(stored.strategies),
        symbols=", ".join(stored.symbols), timeframe=stored.timeframe,
        start=str(told["from"])[:16].replace("T", " "),
        end=str(told["to"])[:16].replace("T", " "),
    )  # fmt: skip


def _luck(told: Json) -> None:
    """Say how much was tried here, and what is left of the Sharpe ratio then."""
    luck = told.get("luck") or {}
    count = luck.get("trials", told.get("trials"))
    if not count:  # nothing of it is a trial of parameters: the same ones were played throughout
        return
    lines = [text("backtest.trials_many" if count > 1 else "backtest.trials",
                  count=figures.whole(count))]  # fmt: skip
    if luck.get("psr") is not None:
        lines.append(text("backtest_lab.luck_psr", percent=f"{luck['psr'] * 100:.1f}"))
    if luck.get("deflated") is not None:
        lines.append(text("backtest.deflated", percent=f"{luck['deflated'] * 100:.1f}"))
    backtest_words.warn_of_luck(lines)


def _failed(told: Json) -> None:
    if told.get("skipped"):
        st.caption(text("backtest_lab.skipped", count=figures.whole(told["skipped"])))
    failed = told.get("failed") or {}
    if failed:
        why = next(iter(failed.values()))
        line = text("backtest_lab.failed_runs", count=figures.whole(len(failed)), why=why)
        st.warning(figures.escaped(line), icon=":material/warning:")


def _metrics(values: Sequence[tuple[str, str, str, str]], key: str) -> None:
    """Draw figures: label, value, what stands under it, help."""
    with st.grid(5, min_column_width=_WIDTH, border=True, key=key):
        for label, value, under, about in values:
            st.metric(
                label, value, delta=under or None, delta_color="off", delta_arrow="off",
                help=about or None,
            )  # fmt: skip


def _coloured(code: str, value: Any) -> str:
    shown = number(code, value)
    if code != "return" or value is None:
        return shown
    sign = Decimal(str(value))
    marked = f"{figures.arrow(sign)} {shown}".strip()
    return figures.coloured(marked, figures.profit_colour(sign, palette()))


def _figures_of(row: Json, codes: Sequence[str]) -> list[tuple[str, str, str, str]]:
    return [
        (
            backtest_words.name_of(code), _coloured(code, row[code]), "",
            backtest_words.definition_of(code),
        )
        for code in codes
        if code in row
    ]  # fmt: skip


def _sweep(stored: Stored, drawn: Json) -> None:
    told, rows = stored.summary, drawn.get("rows") or []
    metric = backtest_words.name_of(told["metric"])
    if told["best"] is None:
        st.warning(text("backtest_lab.no_best", metric=metric), icon=":material/warning:")
    else:
        count = figures.whole(told["combinations"])
        st.subheader(text("backtest_lab.best", count=count, metric=metric), anchor=False)
        st.markdown(f"**{figures.escaped(told['best']['name'])}**")
        best = next(row for row in rows if row["name"] == told["best"]["name"])
        codes = ("return", "max_drawdown", "sharpe", "sortino", "calmar")
        _metrics(_figures_of(best, codes), "lab_best")
    _grid_map(rows)
    if rows:
        total = figures.whole(drawn["rows_total"])
        st.caption(text("backtest_lab.all_rows", shown=len(rows), total=total))
        table(rows, _ROWS, key="lab_rows")


def _searched(stored: Stored, drawn: Json) -> None:
    """Draw what a search found: the best over the whole range, and every score."""
    told, rows = stored.summary, drawn.get("rows") or []
    metric = backtest_words.name_of(told["metric"])
    count = figures.whole(told["tried"])
    st.subheader(text("backtest_lab.best", count=count, metric=metric), anchor=False)
    st.markdown(f"**{figures.escaped(told['best']['name'])}**")
    codes = ("return", "max_drawdown", "sharpe", "sortino", "calmar")
    _metrics(_figures_of(told["whole"], codes), "lab_best")
    st.caption(figures.escaped(text(
        "backtest_lab.search_told", pruned=figures.whole(told["pruned"]),
        windows=len(told["windows"]), metric=metric,
    )))  # fmt: skip
    score: Column[Json] = Column(
        "", lambda r: number("sharpe", r["score"]), right=True,
        heading=text("backtest_lab.score", metric=metric),
    )  # fmt: skip
    if rows:
        total = figures.whole(drawn["rows_total"])
        st.caption(text("backtest_lab.all_rows", shown=len(rows), total=total))
        table(rows, [_COMBINATION, score], key="lab_rows")


def _grid_map(rows: Sequence[Json]) -> None:
    """Draw the Sharpe ratio over two parameters, where exactly two were varied."""
    names = list(rows[0]["params"]) if rows else []
    if len(names) != 2:
        return
    about = text("backtest_lab.grid_map_help")
    st.subheader(text("backtest_lab.grid_map"), anchor=False, help=about)
    cells = {
        (row["params"][names[0]], row["params"][names[1]]): row["sharpe"] for row in rows
    }  # fmt: skip
    short = [name.rpartition(".")[2] for name in names]
    figure = backtest_charts.grid(cells, short, backtest_result.look())
    st.plotly_chart(figure, theme="streamlit", config=charts.PLAIN, key="lab_grid")


def _walk(stored: Stored, drawn: Json) -> None:
    told = stored.summary
    st.subheader(text("backtest_lab.oos"), anchor=False, help=text("backtest_lab.oos_help"))
    values = _figures_of(told["out_of_sample"], ("return", "max_drawdown", "sharpe"))
    folds = told["folds"]
    values += [
        (
            text("backtest_lab.efficiency"), number("efficiency", told["efficiency"]), "",
            text("backtest_lab.efficiency_help"),
        ),
        (
            text("backtest_lab.profitable"), figures.whole(told["profitable_folds"]),
            text("backtest_lab.of_folds", count=figures.whole(len(folds))), "",
        ),
    ]  # fmt: skip
    _metrics(values, "lab_oos")
    if drawn.get("curve"):
        st.caption(text("backtest_lab.index_help"))
        figure = backtest_charts.equity(drawn["curve"], "", backtest_result.look())
        st.plotly_chart(figure, theme="streamlit", config=charts.WITH_TOOLS, key="lab_curve")
    st.subheader(text("backtest_lab.folds"), anchor=False)
    table(folds, _FOLDS, key="lab_folds")
    if told["stability"]:
        st.subheader(text("backtest_lab.stability"), anchor=False)
    lines = [
        text(
            "backtest_lab.stability_line", name=words.label(drafts.path_of(name)),
            value=one["most_common"], share=f"{one['share'] * 100:.0f}",
            changes=figures.whole(one["changes"]),
        )
        for name, one in told["stability"].items()
    ]  # fmt: skip
    st.markdown("\n".join(f"- {figures.escaped(line)}" for line in lines))


def _shaken(told: Json, drawn: Json) -> None:
    base = told["base"]
    for way, bands in (drawn.get("bands") or {}).items():
        st.subheader(text(f"backtest_lab.shaking_{way}"), anchor=False,
                     help=text(f"backtest_lab.shaking_{way}_help"))  # fmt: skip
        runs = text("backtest_lab.band_runs", count=figures.whole(bands["runs"]))
        base_equity = figures.amount(Decimal(str(base["final_equity"])))
        own = text("backtest_lab.band_base", value=base_equity)
        fall = text("backtest_lab.band_base", value=number("max_drawdown", base["max_drawdown"]))
        low, high = (figures.amount(Decimal(str(bands["final_equity"][k]))) for k in (0, -1))
        least, most = (number("max_drawdown", bands["max_drawdown"][k]) for k in (0, -1))
        with st.grid(3, min_column_width=220, border=True, key=f"lab_bands_{way}"):
            for label, value, under in (
                (text("backtest_lab.band_loss"), figures.percent(bands["loss"], 1), runs),
                (text("backtest_lab.band_final"), f"{low} … {high}", own),
                (text("backtest_lab.band_drawdown"), f"{least} … {most}", fall),
            ):
                st.metric(label, value, delta=under, delta_color="off", delta_arrow="off")
        st.caption(text("backtest_lab.fan"))
        unit = text("backtest_lab.fan_trades" if way == "trades" else "backtest_lab.fan_days")
        figure = backtest_charts.fan(bands, drawn["quantiles"], unit)
        st.plotly_chart(figure, theme="streamlit", config=charts.PLAIN, key=f"lab_fan_{way}")


def _of(code: str, side: str) -> Any:
    return lambda fold: number(code, fold[side][code])


def _span(name: str) -> Any:
    return lambda fold: f"{fold[f'{name}_from'][:10]} – {fold[f'{name}_to'][:10]}"


def _sharpes(fold: Json) -> str:
    sides = ("in_sample", "out_of_sample")
    return " / ".join(number("sharpe", fold[side]["sharpe"]) for side in sides)


def _figure(code: str) -> Any:
    return lambda row: number(code, row.get(code))


_COMBINATION: Column[Json] = Column("backtest_lab.combination", lambda r: r["name"], pinned=True)
_ROWS: list[Column[Json]] = [
    _COMBINATION,
    *(
        Column(f"backtest.metric.{code}", _figure(code), right=True)
        for code in ("sharpe", "return", "max_drawdown", "sortino", "calmar")
    ),
    Column("backtest_lab.column_fills", lambda r: r["fills"], form="%d"),
]
_FOLDS: list[Column[Json]] = [
    Column("backtest_lab.fold_test", _span("test"), pinned=True),
    Column("backtest_lab.fold_chosen", lambda f: f["chosen"]),
    Column("backtest_lab.fold_in", _of("return", "in_sample"), right=True),
    Column("backtest_lab.fold_out", _of("return", "out_of_sample"), right=True),
    Column("backtest_lab.fold_sharpe", _sharpes, right=True),
    Column("backtest_lab.column_fills", lambda f: f["out_of_sample"]["fills"], form="%d"),
    Column("backtest_lab.fold_train", _span("train")),
]
