"""The draft of one browser tab: kept while an operator moves about, until it is in force."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import streamlit as st

from auto_trading_dashboard import services
from auto_trading_dashboard.components import asking
from auto_trading_dashboard.components import settings_draft as drafts
from auto_trading_dashboard.components.settings_draft import Checked, Files
from auto_trading_dashboard.queries import overview, settings
from auto_trading_dashboard.reading import Reading, read
from config.catalogue import Path, keys
from config.effects import value_at
from config.settings import Settings
from crypto_trader_pro.domain.enums import CommandKind
from database.commands import CommandStatus

_DRAFT: Final = "settings_draft"
_BASE: Final = "settings_base"  # the files that the draft was made from, and their values
_SENT: Final = "settings_sent"  # id of the command that carries the draft
_TURN: Final = "settings_turn"  # controls of an earlier turn are forgotten


@dataclass(frozen=True, slots=True)
class Form:
    """All that one drawing of the page is made from.

    Args:
        in_force: what the engine uses or used last; the files' where it never ran.
        checked: the draft laid over the files.
        moved: keys that somebody else has changed since the draft was begun.
        newest: number of the newest row of the history.
    """

    files: Files
    in_force: Reading[Settings | None]
    checked: Checked
    moved: tuple[drafts.Step, ...]
    newest: int

    @property
    def before(self) -> Settings | None:
        return self.in_force.value or self.files.settings

    @property
    def steps(self) -> tuple[drafts.Step, ...]:
        """What the engine will have changed when the draft is in force."""
        if self.before is None or self.checked.settings is None:
            return ()
        return drafts.steps(self.before, self.checked.settings)


def form() -> Form:
    """Read the files and the history, and lay the draft over them."""
    folder = services.environment().config_dir
    files = drafts.files_now(folder)
    draft = draft_now()
    if not draft:
        _base(files)
    kept_base, seen = st.session_state.get(_BASE, (files.base, files.settings))
    moved: tuple[drafts.Step, ...] = ()
    if kept_base != files.base and seen is not None and files.settings is not None:
        moved = drafts.steps(seen, files.settings)
    newest = read("settings_newest", settings.newest).value or 0
    in_force = read(("settings_in_force", newest), settings.in_force)
    return Form(files, in_force, drafts.checked(folder, draft), moved, newest)


def draft_now() -> dict[str, Any]:
    """Return the values that were changed and are not in force."""
    found: dict[str, Any] = st.session_state.setdefault(_DRAFT, {})
    return found


def put(path: Path, control: str, files: Files) -> None:
    """Take what a control holds now. For `on_change`."""
    if control in st.session_state:
        put_value(path, drafts.as_given(keys()[path], st.session_state[control]), files)


def put_value(path: Path, given: Any, files: Files) -> None:
    """Take a value as a command carries it; the one in the files is no change."""
    if files.settings is None:
        return
    draft, name = draft_now(), ".".join(path)
    if drafts.is_same(keys()[path], given, value_at(files.settings, path)):
        draft.pop(name, None)
    else:
        draft[name] = given
    st.session_state.pop(_SENT, None)  # another draft than the one that was sent


def drop(names: list[str]) -> None:
    """Forget changes of the draft; their controls show the files' values again."""
    for name in names:
        draft_now().pop(name, None)
    st.session_state.pop(_SENT, None)
    st.session_state[_TURN] = turn() + 1


def turn() -> int:
    return int(st.session_state.get(_TURN, 0))


def accept(files: Files) -> None:
    """Go on from the files as they are now, keeping the draft."""
    st.session_state[_BASE] = (files.base, files.settings)
    st.session_state.pop(_SENT, None)


def send(changes: Mapping[str, Any], base: str, about: str) -> None:
    """Ask the engine for the draft, as one command. For `on_click`."""
    asking.ask(CommandKind.APPLY_CONFIG, {"changes": dict(changes), "base": base}, about)
    st.session_state[_SENT] = asking.asked_here()[-1].command_id


def sent() -> overview.Request | None:
    """Return the command that carries the draft as it stands, None where none was sent."""
    command_id = st.session_state.get(_SENT)
    if not command_id:
        return None
    found = read(("settings_sent", command_id), lambda s: overview.requests(s, [command_id]))
    asked = overview.Request(command_id, CommandKind.APPLY_CONFIG.value, CommandStatus.ASKED, {})
    return found.value[0] if found.value else asked


def settle() -> bool:
    """Let the draft go when the engine has it in force; True when it has."""
    request = sent()
    if request is None or request.status is not CommandStatus.DONE:
        return False
    drop(list(draft_now()))
    return True


def _base(files: Files) -> None:
    """Begin anew from the files; controls show their values."""
    earlier = st.session_state.get(_BASE)
    if earlier is not None and earlier[0] != files.base:
        st.session_state[_TURN] = turn() + 1
    st.session_state[_BASE] = (files.base, files.settings)
