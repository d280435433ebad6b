"""What Streamlit 1.67's browser sends too much or too late, put right before a session takes it.

* One click is one click. The browser keeps a click until its next free moment (`setTimeout(0)`) and
  then sends it. A part's timer that fires in between sends it too, among the state of all widgets,
  and the callback would run twice: seen with one click in a hundred on a busy machine. The click's
  own message always follows, so nothing is lost by taking it out of the timer's.
* A part is drawn on the page that is shown. What a part asks for right after its page was left
  (a timer, the second half of a double click) names the old page until the new one has come, and
  an answer in that name would empty the browser's window.

`.streamlit/config.toml` has the third: without `fastReruns = false` a click that waits for a page
to be drawn is lost when another page is asked for.
"""

from typing import Final
from weakref import WeakKeyDictionary

from streamlit.proto.ClientState_pb2 import ClientState
from streamlit.runtime.app_session import AppSession

from auto_trading_dashboard import emergency, services

_CLICKS: Final = frozenset(
    {"trigger_value", "string_trigger_value", "chat_input_value", "json_trigger_value"}
)
_request_rerun: Final = AppSession.request_rerun
_asked: Final["WeakKeyDictionary[AppSession, str]"] = WeakKeyDictionary()  # page of each session


def install() -> None:
    """Let the sessions of this process take messages that were put right."""
    AppSession.request_rerun = _rerun  # type: ignore[assignment, method-assign]


def put_right(state: ClientState, page: str) -> str:
    """Change a message as it has to be taken; return the page that is shown after it.

    Args:
        page: the hash of the page that the browser asked for last; "": not known.
    """
    if state.is_auto_rerun:
        kept = [w for w in state.widget_states.widgets if w.WhichOneof("value") not in _CLICKS]
        del state.widget_states.widgets[:]
        state.widget_states.widgets.extend(kept)
    if not state.fragment_id:
        return state.page_script_hash
    if page:
        state.page_script_hash = page
    return page


def stops(state: ClientState) -> bool:
    """True when a message carries a click on Emergency stop."""
    widgets = state.widget_states.widgets
    return any(w.trigger_value and w.id.endswith(f"-{emergency.BUTTON}") for w in widgets)


def _rerun(session: AppSession, client_state: ClientState | None) -> None:
    if client_state is not None:
        _asked[session] = put_right(client_state, _asked.get(session, ""))
        if stops(client_state):
            emergency.WATCH.clicked(services.var_dir())
    _request_rerun(session, client_state)
