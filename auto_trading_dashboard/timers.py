"""One click is one click: what a timer of the browser sends carries none.

Streamlit 1.67 keeps a click in the browser until the next free moment (`setTimeout(0)`), then
sends it. A part's timer that fires in between sends the same click too, among the state of all
widgets, and the callback runs twice: seen with about one click in a hundred on a busy machine. The
click's own message always follows, so nothing is lost by leaving it out of the timer's.
"""

from typing import Final

from streamlit.proto.ClientState_pb2 import ClientState
from streamlit.runtime.app_session import AppSession

_TRIGGERS: Final = frozenset(
    {"trigger_value", "string_trigger_value", "chat_input_value", "json_trigger_value"}
)
_request_rerun: Final = AppSession.request_rerun


def install() -> None:
    """Let the sessions of this process take no click from a timer."""
    AppSession.request_rerun = _rerun  # type: ignore[assignment, method-assign]


def without_clicks(state: ClientState) -> ClientState:
    """Return what a timer sent without the clicks in it; anything else as it is."""
    if state.is_auto_rerun:
        kept = [w for w in state.widget_states.widgets if w.WhichOneof("value") not in _TRIGGERS]
        del state.widget_states.widgets[:]
        state.widget_states.widgets.extend(kept)
    return state


def _rerun(session: AppSession, client_state: ClientState | None) -> None:
    _request_rerun(session, None if client_state is None else without_clicks(client_state))
