"""What will change, in words, before it is asked for; and what became of what was asked."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import streamlit as st

from auto_trading_dashboard.components import asking, figures
from auto_trading_dashboard.components import settings_draft as drafts
from auto_trading_dashboard.components import settings_state as state
from auto_trading_dashboard.components import settings_words as words
from auto_trading_dashboard.components.settings_draft import Step
from auto_trading_dashboard.components.settings_state import Form
from auto_trading_dashboard.preferences import text
from config.effects import Effect, value_at
from database.commands import CommandStatus

WORD: Final = "RAISE"  # typed before risk is raised
_ICONS: Final = {
    Effect.NEW_SESSION: "restart_alt", Effect.STRATEGY: "autorenew", Effect.CYCLE: "schedule",
    Effect.RESTART: "power_settings_new", Effect.MESSAGES: "mail", Effect.DORMANT: "bedtime",
}  # fmt: skip


def draw(form: Form, *, alive: bool) -> None:
    """Draw the draft, its faults and effects, and the button that asks for it."""
    draft = state.draft_now()
    with st.container(border=True, key="settings_changes"):
        st.subheader(text("settings.changes"), anchor=False)
        with st.container():  # each part keeps its place: nothing is seen twice while redrawn
            _others(form, draft)
        with st.container():
            if form.checked.faults:
                _faulty(form, draft)
            elif not form.steps:
                st.caption(text("settings.no_changes"))
            listed(form.steps)
        with st.container():
            answered()
        with st.container():
            if draft or form.steps:
                _buttons(form, draft, alive=alive)


def listed(steps: Sequence[Step]) -> None:
    """Draw keys that change, under what the change does."""
    for effect in Effect:
        mine = [step for step in steps if step.effect is effect]
        if not mine:
            continue
        head = figures.escaped(text(f"settings.effect.{effect.value}"))
        lines = [f":material/{_ICONS[effect]}: {head}", *(f"- {_line(step)}" for step in mine)]
        st.markdown("\n".join([lines[0], "", *lines[1:]]))


def is_risky(steps: Sequence[Step]) -> bool:
    return any(step.risk for step in steps)


def confirmed(steps: Sequence[Step], key: str) -> bool:
    """Let a person type the word where risk is raised; True when there is nothing in the way."""
    if not is_risky(steps):
        return True
    st.markdown(
        f":orange[:material/warning: {figures.escaped(text('settings.confirm', word=WORD))}]"
    )
    typed = st.text_input(
        text("settings.confirm", word=WORD), key=key, placeholder=WORD, live=True,
        label_visibility="collapsed", autocomplete="off",
    )  # fmt: skip
    return (typed or "").strip() == WORD


def answered() -> None:
    """Say what became of the command that carries the draft."""
    request = state.sent()
    if request is None:
        return
    if request.status in (CommandStatus.REFUSED, CommandStatus.EXPIRED):
        said = asking.answer(request.answer) or text("settings.expired")
        st.error(figures.escaped(text("settings.refused", why=said)), icon=":material/block:")
    else:
        st.info(text("settings.waiting"), icon=":material/hourglass_top:")


def _faulty(form: Form, draft: Mapping[str, Any]) -> None:
    """Draw what is wrong, and what was changed all the same."""
    for fault in form.checked.faults:
        st.markdown(f":red[:material/error: {figures.escaped(words.fault(fault))}]")
    before = form.files.settings
    if before is not None:
        paths = {drafts.path_of(name): given for name, given in draft.items()}
        lines = [words.change(p, value_at(before, p), given) for p, given in paths.items()]
        st.markdown("\n".join(f"- {figures.escaped(line)}" for line in lines))


def _line(step: Step) -> str:
    line = figures.escaped(words.change(step.path, step.old, step.new))
    if step.risk is None:
        return line
    return f"{line} {figures.badge(text(f'settings.risk.{step.risk}'), 'orange', 'warning')}"


def _others(form: Form, draft: Mapping[str, Any]) -> None:
    """Say what others have changed: in the files, and since the draft was begun."""
    others = [s for s in form.steps if ".".join(s.path) not in draft]
    if others:
        names = ", ".join(".".join(step.path) for step in others)
        said = figures.escaped(text("settings.by_hand", keys=names))
        st.warning(said, icon=":material/edit_document:")
    if form.moved:
        _moved(form)


def _moved(form: Form) -> None:
    lines = [f"- {figures.escaped(words.change(s.path, s.old, s.new))}" for s in form.moved]
    with st.container(border=True):
        st.markdown("\n".join([f":orange[{text('settings.moved')}]", "", *lines]))
        st.button(
            text("settings.accept"), key="settings_accept", on_click=state.accept,
            args=(form.files,),
        )  # fmt: skip


def _buttons(form: Form, draft: Mapping[str, Any], *, alive: bool) -> None:
    steps = form.steps
    request = state.sent()
    waits = request is not None and request.status not in (
        CommandStatus.REFUSED, CommandStatus.EXPIRED,
    )  # fmt: skip
    ready = bool(steps) and not form.moved and not form.checked.faults and not waits
    with st.container():  # the row of buttons keeps its place
        agreed = confirmed(steps, "settings_word") if steps else False
        if not alive:
            st.caption(text("settings.no_engine"))
        if any(step.effect is Effect.NEW_SESSION for step in steps):
            st.caption(text("settings.flat_only"))
    with st.container(horizontal=True):
        st.button(
            text("settings.send", count=len(steps) or len(draft)), key="settings_send",
            type="primary", disabled=not (ready and agreed), on_click=state.send,
            args=(_changes(form, draft), form.files.base, text("settings.keys", count=len(steps))),
        )  # fmt: skip
        if draft:
            st.button(
                text("settings.discard"), key="settings_discard", on_click=state.drop,
                args=(list(draft),),
            )  # fmt: skip


def _changes(form: Form, draft: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a command carries: the draft, else what was edited by hand."""
    if draft or form.files.settings is None:
        return dict(draft)
    paths = [s.path for s in form.steps if s.path not in form.files.outside]
    return drafts.carried(form.files.settings, paths)
