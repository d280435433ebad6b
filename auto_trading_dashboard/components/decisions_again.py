"""Deciding again: the engine's own rules, strategies and model, beside the console."""

from typing import Final

import streamlit as st

from auto_trading_dashboard import own_commands, services
from auto_trading_dashboard.components import ages, charts, decisions_figures, figures
from auto_trading_dashboard.components.decisions_figures import Look
from auto_trading_dashboard.components.live import live
from auto_trading_dashboard.own_commands import Done, Failed, Running
from auto_trading_dashboard.preferences import language, palette, text, zone
from crypto_trader_pro.explain.findings import Rerun
from crypto_trader_pro.explain.wording import rerun_sentence

_SECONDS: Final = 120.0  # a model's features need the candles of weeks
_ICONS: Final = {"same": "check_circle", "differs": "error", "partly": "help"}


@live()
def again(decision_id: int, *, has_model: bool) -> None:
    """Offer to decide again, show its progress, then what it gave."""
    found = own_commands.result(_key(decision_id))
    st.button(
        text("decisions.explain" if has_model else "decisions.again"), icon=":material/replay:",
        key="decisions_again", disabled=isinstance(found, Running),
        on_click=_run, args=(decision_id,),
    )  # fmt: skip
    if isinstance(found, Running):
        passed = ages.since(found.since, services.clock().now())
        st.info(text("decisions.running", age=passed), icon=":material/hourglass_top:")
    elif isinstance(found, Failed):
        why = text("decisions.failed", why=found.line)
        st.error(figures.escaped(why), icon=":material/error:")
    elif isinstance(found, Done):
        _told(found)
    else:
        st.caption(text("decisions.again_help"))


def _told(done: Done) -> None:
    rerun = Rerun.from_json(done.json["rerun"])
    say = {"same": st.success, "differs": st.error, "partly": st.warning}[rerun.status]
    words = figures.escaped(rerun_sentence(rerun, language()))
    say(words, icon=f":material/{_ICONS[rerun.status]}:")
    st.caption(
        text(
            "decisions.decided_again", seconds=f"{done.seconds:.1f}",
            at=figures.local(done.at, zone()), zone=figures.zone_name(done.at, zone()),
        )
    )  # fmt: skip
    if not rerun.contributions:
        return
    st.markdown(f"**{figures.escaped(text('decisions.contributions'))}**")
    st.caption(text("decisions.contributions_help"))
    st.plotly_chart(
        decisions_figures.contributions(rerun.contributions, Look(text, zone(), palette())),
        key="decisions_contributions", theme="streamlit", config=charts.PLAIN,
    )  # fmt: skip


def _run(decision_id: int) -> None:
    own_commands.run_soon(
        _key(decision_id), ["why", "--decision", str(decision_id), "--json"], _SECONDS
    )


def _key(decision_id: int) -> str:
    return f"why {decision_id}"
