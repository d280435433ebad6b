"""One model's record: what it was made of, its figures beside its baselines, fold by fold."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import streamlit as st

from auto_trading_dashboard.components import ages, charts, figures, models_figures
from auto_trading_dashboard.components.tables import Column, table
from auto_trading_dashboard.preferences import language, palette, text, zone
from auto_trading_dashboard.queries.models import Shadow, Shadows, TrainedModel
from utils.texts import catalogue


def made_of(model: TrainedModel, source: str) -> None:
    """Say what the model learnt from, and what figures of a made-up market are worth."""
    form = "%Y-%m-%d"
    st.caption(
        figures.escaped(
            text(
                "models.made_of", model=model.model_id[:12], rows=figures.whole(model.rows),
                symbols=len(model.symbols), timeframe=model.timeframe,
                data_from=figures.local(model.data_from, zone(), form),
                data_to=figures.local(model.data_to, zone(), form),
                months=model.metrics.get("months", figures.MISSING),
                seconds=ages.age(model.training_seconds),
            )
        )
    )  # fmt: skip
    if source == "demo":
        st.markdown(f":orange[:material/science: {figures.escaped(text('models.demo'))}]")


def scores(record: Mapping[str, Any]) -> None:
    """Show the model beside logistic regression and beside always being long, out of sample."""
    rows = [(name, record[name]) for name in ("model", "logistic_regression") if name in record]
    if not rows:
        st.info(text("models.no_record"), icon=":material/hourglass_empty:")
        return
    if "always_long" in record:
        rows.append(("always_long", {"trades": record["always_long"]}))
    table(
        rows,
        [
            Column("model.columns.source", lambda r: text(f"model.row.{r[0]}"), pinned=True),
            Column("model.columns.rows", lambda r: _whole(r[1].get("rows")), right=True),
            Column("models.auc", _sides("auc"), right=True, help="models.auc_help"),
            Column(
                "model.columns.direction", lambda r: _number(r[1].get("directional_auc")),
                right=True, help="models.direction_help",
            ),
            Column("models.skill", _sides("brier_skill_pct"), right=True, help="models.skill_help"),
            Column(
                "models.calibration", _sides("calibration_error"), right=True,
                help="models.calibration_help",
            ),
            Column("model.columns.trades", lambda r: _whole(r[1]["trades"]["trades"]), right=True),
            Column(
                "model.columns.expected", lambda r: _number(r[1]["trades"]["expected_bp"]),
                right=True,
            ),
            Column("models.net", _net, right=True, help="models.net_help"),
        ],
        key="models_scores",
    )  # fmt: skip


def folds(record: Mapping[str, Any]) -> None:
    """Show each model of the past on the part that it did not know."""
    rows = list(record.get("folds", ()))
    if not rows:
        st.caption(text("models.no_folds"))
        return
    table(
        list(reversed(rows)),
        [
            Column("models.fold", _span, pinned=True),
            Column("model.columns.rows", lambda r: _whole(r["rows"]), right=True),
            Column("models.auc", lambda r: _pair(r, "auc"), right=True),
            Column("model.columns.direction", lambda r: _number(r["directional_auc"]), right=True),
            Column("models.skill", lambda r: _pair(r, "brier_skill_pct"), right=True),
            Column("models.calibration", lambda r: _pair(r, "calibration_error"), right=True),
            Column("model.columns.trades", lambda r: _whole(r["trades"]), right=True),
            Column("models.fold_net", lambda r: _number(r["net_bp"]), right=True),
        ],
        key="models_folds",
    )


def drawings(record: Mapping[str, Any]) -> None:
    """Draw the reliability diagram, and what the model looks at beside it where there is room."""
    with st.grid(2, min_column_width=340):
        with st.container():
            st.subheader(
                text("models.reliability"), anchor=False, help=text("models.reliable_help")
            )
            if "model" in record:
                figure = models_figures.reliability(record["model"])
                st.plotly_chart(figure, key="models_reliability", config=charts.PLAIN)
            else:
                st.caption(text("models.no_record"))
        with st.container():
            st.subheader(text("models.importance"), anchor=False, help=text("models.looks_help"))
            if record.get("importance"):
                figure = models_figures.importance(record["importance"])
                st.plotly_chart(figure, key="models_importance", config=charts.PLAIN)
            else:
                st.caption(text("models.no_importance"))


def against_outcomes(found: Shadows) -> None:
    """Show what signals promised against what they brought."""
    st.subheader(text("models.outcomes"), anchor=False, help=text("models.outcomes_help"))
    st.caption(
        text(
            "models.outcome_count", ended=figures.whole(found.ended_count),
            open=figures.whole(found.open_count), shown=figures.whole(len(found.ended)),
        )
    )  # fmt: skip
    if not found.ended:
        st.info(text("models.no_outcomes"), icon=":material/hourglass_empty:")
        return
    figure = models_figures.outcomes(found.ended, *figures.up_down_hex(palette()))
    st.plotly_chart(figure, key="models_outcomes", config=charts.PLAIN)
    table(found.ended[:50], _SHADOW_COLUMNS, key="models_shadows", height=300)


def _exit(shadow: Shadow) -> str:
    code = f"reason.{shadow.exit_reason}"
    return text(code) if code in catalogue(language()) else shadow.exit_reason


_SHADOW_COLUMNS: list[Column[Shadow]] = [
    Column("models.decided", lambda s: figures.local(s.decided_at, zone(), "%m-%d %H:%M")),
    Column("models.symbol", lambda s: s.symbol, pinned=True),
    Column("models.side", lambda s: text(f"side.{s.side}")),
    Column("models.probability", lambda s: s.probability * 100, form="%.1f %%"),
    Column("models.expected", lambda s: s.expected_bp, form="%+.1f"),
    Column("models.realized", lambda s: s.realized_bp, form="%+.1f"),
    Column("models.exit", _exit),
]


def _sides(name: str) -> Callable[[tuple[str, Mapping[str, Any]]], str]:
    return lambda row: _pair(row[1], name)


def _pair(record: Mapping[str, Any], name: str) -> str:
    if "long" not in record:
        return figures.MISSING
    return f"{_number(record['long'][name])} / {_number(record['short'][name])}"


def _net(row: tuple[str, Mapping[str, Any]]) -> str:
    trades = row[1]["trades"]
    if not trades["trades"]:
        return figures.MISSING
    low, high = trades["interval_bp"][0]
    return f"{_number(trades['net_bp'][0])} [{_number(low)}, {_number(high)}]"


def _number(value: float | None) -> str:
    return figures.MISSING if value is None else str(value).replace("-", figures.MINUS)


def _whole(value: int | None) -> str:
    return figures.whole(value)


def _span(fold: Mapping[str, Any]) -> str:
    first, last = (datetime.fromtimestamp(fold[k] / 1000, UTC) for k in ("from_ms", "to_ms"))
    form = "%Y-%m-%d"
    return f"{figures.local(first, zone(), form)} – {figures.local(last, zone(), form)}"
