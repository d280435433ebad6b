"""Models: what each learnt, how it did out of sample, and what became of its signals."""

import streamlit as st

from auto_trading_dashboard.components import (
    figures,
    models_record,
    models_state,
    page,
    run_choice,
)
from auto_trading_dashboard.components.live import guarded
from auto_trading_dashboard.preferences import text, zone
from auto_trading_dashboard.queries import models
from auto_trading_dashboard.queries.models import TrainedModel
from auto_trading_dashboard.queries.runs import Run
from auto_trading_dashboard.reading import read


@guarded
def records(run: Run) -> None:
    """Show the models of a run: one of them in full."""
    reading = read(("models", run.number), lambda s: models.newest(s, run.number))
    found = reading.value or []
    with page.shown(reading, "models_record"):
        if reading.is_unknown:
            return
        if not found:
            page.nothing("models.none" if "ai_signal" in run.strategies else "models.no_strategy")
            return
        model = found[0] if len(found) == 1 else chosen(found)
        models_record.made_of(model, run.source)
        st.subheader(text("models.out_of_sample"), anchor=False, help=text("models.sample_help"))
        models_record.scores(model.metrics)
        models_record.drawings(model.metrics)
        st.subheader(text("models.folds"), anchor=False, help=text("models.folds_help"))
        models_record.folds(model.metrics)


def chosen(found: list[TrainedModel]) -> TrainedModel:
    """Let a person choose one of several models; the newest at first."""
    by_id = {model.model_id: model for model in found}
    names = list(by_id)
    asked = st.query_params.get("model", "")  # a decision names the model it was made with
    picked = st.selectbox(
        text("models.choose"), names, key="models_chosen",
        index=names.index(asked) if asked in by_id else 0,
        format_func=lambda name: text(
            "models.title_of", model=name[:12],
            at=figures.local(by_id[name].trained_at, zone(), "%Y-%m-%d %H:%M"),
        ),
    )  # fmt: skip
    return by_id[picked]


@guarded
def outcomes(run: Run) -> None:
    """Show predictions against outcomes."""
    reading = read(("shadows", run.number), lambda s: models.shadows(s, run.number))
    if reading.value is not None:
        with page.shown(reading, "models_shadow"):
            models_record.against_outcomes(reading.value)


page.head("models")
models_state.now()
models_state.train_button()
run = run_choice.choose()
if run is None:
    page.nothing("models.no_run")
else:
    records(run)
    outcomes(run)
