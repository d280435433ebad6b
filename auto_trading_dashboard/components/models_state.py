"""How the model strategy of the engine is doing now: its model, its gate, its training."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import streamlit as st

from auto_trading_dashboard import frame, services
from auto_trading_dashboard.components import ages, asking, figures, page
from auto_trading_dashboard.components.live import live
from auto_trading_dashboard.preferences import text, zone
from crypto_trader_pro.domain.enums import CommandKind


@live()
def now() -> None:
    """Show the model in use, why it gives signals or none, and a training run under way."""
    reading = frame.head()
    engine = None if reading.value is None else reading.value.engine
    account = None if engine is None else engine.account
    told: Mapping[str, Any] | None = None if account is None else account.get("model")
    with page.shown(reading, "model_now"), st.container(border=True):
        if reading.is_unknown:
            st.empty()
            st.empty()
            return
        if account is None:
            st.markdown(text("models.no_engine"))
            st.empty()
            return
        if told is None:
            st.markdown(text("models.not_used"))
            st.empty()
            return
        at = datetime.fromisoformat(account["at"]) if account["at"] else services.clock().now()
        st.markdown("  \n".join(_lines(told, at)))
        _training(told)


def train_button() -> None:
    """Offer a training run; it costs a core for a while and never holds trading up."""
    st.button(
        text("models.train"), key="models_train", icon=":material/model_training:",
        on_click=asking.ask, args=(CommandKind.TRAIN_NOW,), help=text("models.train_help"),
    )  # fmt: skip


def verdict(proving: Mapping[str, Any]) -> str:
    """Return what the shadow trades prove, in one honest sentence."""
    if proving["realized_bp"] is None:
        return text(
            "model.few", trades=proving["shadow_trades"], needed=proving["needed_trades"]
        )  # fmt: skip
    code = "model.proven" if proving["open"] else "models.no_edge"
    return text(
        code, trades=proving["shadow_trades"], weeks=proving["weeks"],
        expected=proving["expected_bp"], realized=proving["realized_bp"],
        interval=proving["interval_bp"], lower=proving["lower_bp"],
    )  # fmt: skip


def _lines(told: Mapping[str, Any], at: datetime) -> list[str]:
    code = str(told["code"])
    colour = "green" if code == "proven" else "orange"
    state = figures.badge(text(f"model_state.{code}"), colour, "neurology")
    ready = text("models.ready", ready=told["ready_symbols"], symbols=told["symbols"])
    lines = [f"{state} {figures.escaped(ready)}"]
    if told["model_id"]:
        trained, due, expires = (_time(told[k]) for k in ("trained_ms", "due_ms", "expires_ms"))
        lines.append(
            figures.escaped(
                text(
                    "models.in_use", model=str(told["model_id"])[:12],
                    age=ages.age((at - trained).total_seconds()),
                    due=figures.local(due, zone(), "%Y-%m-%d %H:%M"),
                    expires=figures.local(expires, zone(), "%Y-%m-%d %H:%M"),
                    zone=figures.zone_name(at, zone()),
                )
            )
        )  # fmt: skip
    if told.get("proving"):
        lines.append(figures.escaped(verdict(told["proving"])))
    return lines


def _training(told: Mapping[str, Any]) -> None:
    """Show how far a training run is, or why the last one failed; always one element."""
    if told["training"]:
        done, models = int(told.get("training_done", 0)), int(told.get("training_models", 0))
        said = text(
            "models.training" if models else "models.training_begins",
            reason=text(f"training_reason.{told['training']}"), done=done, models=models,
            seconds=ages.age(told["training_seconds"]),
        )  # fmt: skip
        st.progress(done / models if models else 0.0, text=said)
    elif told["failure"]:
        why = text("models.failed", why=told["failure"])
        st.error(figures.escaped(why), icon=":material/error:")
    else:
        st.empty()


def _time(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)
