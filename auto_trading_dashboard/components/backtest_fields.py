"""Controls for settings that a backtest may change, made from the schema: one for each key."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import streamlit as st

from auto_trading_dashboard.components import figures
from auto_trading_dashboard.components import settings_draft as drafts
from auto_trading_dashboard.components import settings_words as words
from auto_trading_dashboard.components.settings_draft import Checked, Files
from auto_trading_dashboard.preferences import language, text
from config.catalogue import Key, Path, choices_of, keys, kind_of
from config.effects import value_at
from utils.texts import catalogue

COSTS: Final = "paper"  # the section of the configuration that says what a fill costs
_ON: Final = "enabled"  # of a strategy: a backtest plays what it is asked to
_WIDTH: Final = 190  # pixels that a control needs


@dataclass(frozen=True, slots=True)
class Field:
    """A control that was drawn, and where its faults go."""

    path: Path
    given: Any
    changed: bool
    place: Any


def strategy_names() -> list[str]:
    """Return every strategy of the schema."""
    return list(dict.fromkeys(path[1] for path in keys() if path[0] == "strategies"))


def strategy_name(strategy: str) -> str:
    """Return a strategy as the Settings page names it."""
    code = f"settings.section.strategies.{strategy}"
    return text(code) if code in catalogue(language()) else strategy


def parameters_of(strategy: str) -> list[Path]:
    """Return the keys of a strategy's parameters."""
    return [p for p in keys() if p[:2] == ("strategies", strategy) and p[-1] != _ON]


def cost_keys() -> list[Path]:
    return [path for path in keys() if path[0] == COSTS]


def is_number(path: Path) -> bool:
    """True where several values of a key can be tried one after the other."""
    annotation = keys()[path].annotation
    return kind_of(annotation) not in (bool, str, tuple) and not choices_of(annotation)


def draw(paths: Sequence[Path], files: Files) -> list[Field]:
    """Draw a control for each key with the value of the files, and return what each holds."""
    assert files.settings is not None  # noqa: S101  a broken file has no fields
    found: list[Field] = []
    with st.grid(3, min_column_width=_WIDTH, gap="small"):
        for path in paths:
            with st.container(gap="xsmall", key=f"lab_field_{'_'.join(path)}"):
                key, in_files = keys()[path], value_at(files.settings, path)
                given = drafts.as_given(key, _control(key, drafts.plainly(in_files)))
                changed = not drafts.is_same(key, given, in_files)
                if changed:
                    was = text("settings.was", value=words.value(path, in_files))
                    st.caption(figures.escaped(was))
                found.append(Field(path, given, changed, st.container()))
    return found


def changes_of(fields: Sequence[Field]) -> dict[str, Any]:
    """Return what differs from the files, as a command carries it."""
    return {".".join(field.path): field.given for field in fields if field.changed}


def tell(fields: Sequence[Field], checked: Checked) -> None:
    """Write beside each control what is wrong with its value."""
    for field in fields:
        with field.place:
            for fault in checked.of(field.path):
                st.markdown(f":red[:material/error: {figures.escaped(words.fault(fault))}]")


def _control(key: Key, value: Any) -> Any:
    common: dict[str, Any] = {
        "label": words.label(key.path), "key": f"lab_{'.'.join(key.path)}",
        "help": f"{words.help_of(key.path)}  \n`{'.'.join(key.path)}`  \n"
        f"{figures.escaped(words.allowed(key.annotation))}",
        "persist_state": "session",
    }  # fmt: skip
    choices = choices_of(key.annotation)
    if kind_of(key.annotation) is bool:
        return st.toggle(value=value is True, **common)
    if choices:
        place = choices.index(value) if value in choices else None
        return st.selectbox(options=choices, index=place, **common)
    if kind_of(key.annotation) is int:
        return st.number_input(value=None if value is None else int(value), step=1, **common)
    return st.text_input(value=drafts.as_text(value), live=True, autocomplete="off", **common)


@contextmanager
def section(code: str, *, expanded: bool, about: str = "") -> Iterator[None]:
    """Fold a part of the form."""
    heading = f"{text(code)}: {about}" if about else text(code)
    with st.expander(figures.escaped(heading), expanded=expanded):
        yield
