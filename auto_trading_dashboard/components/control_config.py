"""The configuration that runs, in short, and what a start would meet (preflight)."""

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final

import streamlit as st

from auto_trading_dashboard import own_commands
from auto_trading_dashboard.components import ages, figures, lights
from auto_trading_dashboard.components.lights import Light
from auto_trading_dashboard.own_commands import Done, Failed, Running
from auto_trading_dashboard.preferences import language, text, zone
from auto_trading_dashboard.queries.control import InForce
from config.faults import SettingsError
from config.loading import load
from config.settings import Settings
from crypto_trader_pro.domain.instruments import plain
from utils.texts import catalogue

PREFLIGHT: Final = "preflight"
_TIMEOUT: Final = 60.0
_NAMED: Final = 4  # keys that differ
_LEVELS: Final[Mapping[str, lights.Level]] = {"ok": "ok", "warn": "warn", "fail": "fail"}


@st.cache_data(ttl=5, show_spinner=False)
def on_disk() -> Settings | None:
    """Return what the files say; None where they cannot be used (the frame says why)."""
    try:
        return load()
    except SettingsError:
        return None


def configuration(found: InForce | None) -> None:
    """Draw the configuration in force, and whether the files say something else."""
    st.subheader(text("control.configuration"), anchor=False)
    with st.container(border=True, key="control_configuration"):
        files = on_disk()
        settings = files if found is None else found.settings
        if settings is None and found is None:
            st.caption(text("control.configuration_broken"))
        elif found is None:
            st.caption(text("control.configuration_files"))
        elif settings is None:
            st.caption(text("control.configuration_other"))
        else:
            st.caption(
                text(
                    "control.configuration_since", version=found.config_hash[:12],
                    by=found.applied_by, at=figures.local(found.applied_at, zone()),
                    zone=figures.zone_name(found.applied_at, zone()),
                )
            )  # fmt: skip
        if settings is not None:
            st.markdown("\n".join(f"- {line}" for line in summary(settings)))
        differs = differing(settings, files) if found and settings and files else []
        if differs:
            keys = ", ".join(differs[:_NAMED]) + (" …" if len(differs) > _NAMED else "")
            words = text("control.configuration_differs", count=len(differs), keys=keys)
            st.markdown(f":orange[:material/warning:] {figures.escaped(words)}")
        st.page_link(
            "auto_trading_dashboard/settings_page.py", label=text("control.to_settings"),
            icon=":material/settings:",
        )  # fmt: skip


def summary(settings: Settings) -> list[str]:
    """Return the settings that matter most, as Markdown lines."""
    s, preset, risk = settings, settings.preset, settings.risk_management
    names = [name for name, one in s.strategies if one.enabled]
    factor = preset.size_factor_pct
    told: dict[str, dict[str, Any]] = {
        "mode": {"mode": text(f"mode.{s.engine.mode.value}"), "source": s.market_data.source,
                 "venue": s.market_data.venue},
        "symbols": {"count": len(s.symbols), "names": ", ".join(s.symbols)},
        "strategies": {"count": len(names), "names": ", ".join(names) or figures.MISSING},
        "period": {"timeframe": s.engine.timeframe, "seconds": s.engine.trading_interval},
        "preset": {"preset": s.engine.trading_mode.value, "edge": plain(preset.edge_margin_bp),
                   "factor": plain(factor)},
        "size": {"size": plain(risk.position_size_pct * factor / 100),
                 "base": plain(risk.position_size_pct), "factor": plain(factor)},
        "stop": {"stop": plain(risk.stop_loss_pct), "target": plain(risk.take_profit_pct)},
        "limits": {"loss": plain(risk.daily_loss_limit_pct),
                   "most": s.engine.max_concurrent_positions},
    }  # fmt: skip
    return [
        f"**{figures.escaped(text(f'control.conf_{code}'))}** "
        + figures.escaped(text(f"control.conf.{code}", **values))
        for code, values in told.items()
    ]


def differing(running: Settings, files: Settings) -> list[str]:
    """Return the keys that the files and what runs have different values for."""
    if running.hash() == files.hash():
        return []
    ours, theirs = (dict(_leaves(json.loads(x.canonical_json()))) for x in (running, files))
    return sorted(k for k in ours.keys() | theirs.keys() if ours.get(k) != theirs.get(k))


def preflight(now: datetime) -> None:
    """Draw what the last preflight found; the first one starts by itself."""
    found = own_commands.result(PREFLIGHT)
    if found is None:
        check_again()
        found = own_commands.result(PREFLIGHT)
    last = st.session_state.get("preflight_last")
    if isinstance(found, Done):
        st.session_state["preflight_last"] = last = found
    st.subheader(text("control.preflight"), anchor=False)
    with st.container(border=True, key="control_preflight"):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.caption(figures.escaped(_state_of(found, now)))
            st.button(
                text("control.preflight_again"), key="control_preflight_again",
                icon=":material/refresh:", disabled=isinstance(found, Running),
                on_click=check_again,
            )  # fmt: skip
        shown = last if isinstance(found, Running) else found  # greyed by its sentence's age
        told = found_lights(shown.json) if isinstance(shown, Done) else []
        st.markdown("  \n".join(lights.line(light) for light in lights.worst_first(told)))


def check_again() -> None:
    """Let the checks be made anew; nothing happens while they are being made."""
    own_commands.run_soon(PREFLIGHT, ["preflight", "--json"], _TIMEOUT)


def found_lights(answer: Mapping[str, Any]) -> list[Light]:
    """Return the checks of an answer; one that a newer version made up is told as it says."""
    return [
        Light(_LEVELS.get(str(check.get("level")), "unknown"), "", _sentence(check))
        for check in answer.get("checks", [])
    ]


def _sentence(check: Mapping[str, Any]) -> str:
    sentence = catalogue(language()).get(f"preflight.{check.get('code')}")
    try:
        return sentence.format(**check["numbers"]) if sentence else str(check["sentence"])
    except KeyError:
        return str(check.get("sentence", check.get("code")))


def _state_of(found: own_commands.Result | None, now: datetime) -> str:
    if isinstance(found, Failed):
        return text("control.preflight_failed", why=found.line)
    if isinstance(found, Done):
        age = ages.since(found.at, now)
        return text("control.preflight_done", age=age, seconds=f"{found.seconds:.1f}")
    return text("control.preflight_runs")


def _leaves(tree: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if not isinstance(tree, dict):
        yield path, tree
        return
    for key, value in tree.items():
        yield from _leaves(value, f"{path}.{key}" if path else key)
