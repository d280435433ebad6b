"""The controls of the settings, made from the schema: one for each key, whatever keys there are."""

from collections.abc import Sequence
from typing import Any, Final

import streamlit as st

from auto_trading_dashboard.components import figures
from auto_trading_dashboard.components import settings_draft as drafts
from auto_trading_dashboard.components import settings_state as state
from auto_trading_dashboard.components import settings_words as words
from auto_trading_dashboard.components.settings_state import Form
from auto_trading_dashboard.preferences import text
from config.catalogue import Key, Path, choices_of, item_of, keys, kind_of, takes_null
from config.effects import value_at
from config.settings import FILES

_WIDTH: Final = 260  # pixels that a control needs
_FOUND: Final = 24  # keys that a search shows


def choose() -> tuple[list[Path], str]:
    """Draw file, section and search; return the keys to show and what was searched."""
    searched = st.text_input(
        text("settings.search"), key="settings_search", type="search", live=True,
        placeholder=text("settings.search_hint"), label_visibility="collapsed",
        autocomplete="off",
    )  # fmt: skip
    if searched and searched.strip():
        return found(searched), searched.strip()
    file = st.segmented_control(
        text("settings.file"), list(FILES), default=next(iter(FILES)), required=True,
        format_func=_file_text, key="settings_file", label_visibility="collapsed",
    )  # fmt: skip
    file = file or next(iter(FILES))
    names = list(FILES[file].model_fields)
    section = st.pills(
        text("settings.sections"), names, default=names[0], required=True,
        format_func=_section_text, key=f"settings_section_{file}", label_visibility="collapsed",
        wrap=True,
    )  # fmt: skip
    return [path for path in keys() if path[0] == (section or names[0])], ""


def found(searched: str) -> list[Path]:
    """Return the keys whose name, label or help has every word of a search."""
    wanted = searched.casefold().split()
    return [
        path
        for path in keys()
        if all(word in _about(path) for word in wanted)
    ]  # fmt: skip


def draw(form: Form, paths: Sequence[Path]) -> None:
    """Draw the controls of some keys, under the headings of their sections."""
    groups: dict[str, list[Path]] = {}
    for path in paths[:_FOUND]:
        groups.setdefault(words.place(path), []).append(path)
    for heading, members in groups.items():
        st.markdown(f"**{figures.escaped(heading)}**")
        with st.grid(2, min_column_width=_WIDTH, gap="medium"):
            for path in members:
                with st.container(gap="xsmall", key=f"field_{'_'.join(path)}"):
                    _field(form, keys()[path])
    if len(paths) > _FOUND:
        st.caption(text("settings.more", count=len(paths) - _FOUND))


def _field(form: Form, key: Key) -> None:
    path, name = key.path, ".".join(key.path)
    assert form.files.settings is not None  # noqa: S101  a broken file has no fields
    in_files = value_at(form.files.settings, path)
    draft = state.draft_now()
    given = draft.get(name, drafts.plainly(in_files))
    locked = form.files.outside.get(path)
    _control(form, key, given, disabled=locked is not None)
    notes = [words.default(key)]
    if not _shows_all(key):
        notes.insert(0, words.allowed(key.annotation))
    if name in draft:
        notes.append(text("settings.was", value=words.value(path, in_files)))
    st.caption(figures.escaped(" · ".join(notes)))
    if locked is not None:
        why = text("settings.locked", source=words.source(locked))
        st.caption(f":orange[:material/lock: {figures.escaped(why)}]")
    for fault in form.checked.of(path):
        st.markdown(f":red[:material/error: {figures.escaped(words.fault(fault))}]")


def _shows_all(key: Key) -> bool:
    """True when the control itself shows what is allowed."""
    item = item_of(key.annotation)
    closed = choices_of(key.annotation) or (item is not None and choices_of(item))
    return bool(closed) or kind_of(key.annotation) is bool


def _control(form: Form, key: Key, given: Any, *, disabled: bool) -> None:
    control = f"setting_{'.'.join(key.path)}_{state.turn()}"
    common: dict[str, Any] = {
        "label": words.label(key.path), "key": control, "disabled": disabled,
        "help": _help(form, key), "on_change": state.put,
        "args": (key.path, control, form.files),
    }  # fmt: skip
    kind, choices, item = (
        kind_of(key.annotation),
        choices_of(key.annotation),
        item_of(key.annotation),
    )
    if kind is bool:
        st.toggle(value=given is True, **common)
    elif choices:
        st.selectbox(options=choices, index=_index(choices, given), **common)
    elif item is not None and choices_of(item):
        _words(key, given, choices_of(item), common)
    elif item is not None:
        st.text_area(value=drafts.as_text(given), height=120, **common)
    elif kind is int:
        st.number_input(value=None if given is None else int(given), step=1, **common)
    else:
        empty = text("settings.value.none") if takes_null(key.annotation) else None
        st.text_input(
            value=drafts.as_text(given), live=True, autocomplete="off", placeholder=empty, **common
        )


def _words(key: Key, given: Any, choices: list[str], common: dict[str, Any]) -> None:
    """Draw a list of closed words; one that may be null has a switch in front."""
    chosen = [word for word in given or [] if word in choices]
    if not takes_null(key.annotation):
        st.multiselect(options=choices, default=chosen, **common)
        return
    own = f"{common['key']}_own"
    st.toggle(
        text("settings.own", name=words.label(key.path)), value=given is not None, key=own,
        help=common["help"], disabled=common["disabled"], on_change=_own,
        args=(key.path, own, common["key"], common["args"][2]),
    )  # fmt: skip
    disabled = common["disabled"] or not st.session_state[own]
    st.multiselect(
        options=choices, default=chosen, label_visibility="collapsed",
        **{**common, "disabled": disabled},
    )  # fmt: skip


def _own(path: Path, own: str, control: str, files: drafts.Files) -> None:
    """Take a switch: off is null, on is the list beside it."""
    if st.session_state[own]:
        state.put(path, control, files)
    else:
        state.put_value(path, None, files)


def _help(form: Form, key: Key) -> str:
    origin = text(f"settings.origin.{form.files.origin_of(key.path)}")
    about = f"{words.help_of(key.path)}  \n`{'.'.join(key.path)}`"
    return f"{about}  \n{figures.escaped(origin)} · {key.file}"


def _index(choices: Sequence[str], given: Any) -> int | None:
    return choices.index(given) if given in choices else None


# labels must not tell what has changed: a choice is kept by its label
def _file_text(name: str) -> str:
    return text(f"settings.file.{name.partition('.')[0]}")


def _section_text(name: str) -> str:
    return text(f"settings.section.{name}")


def _about(path: Path) -> str:
    label = words.label(path)
    return f"{'.'.join(path)} {label} {words.help_of(path)} {words.place(path)}".casefold()
