"""A timer of the browser carries no click; the click's own message carries it."""

from unittest.mock import create_autospec

import pytest
from streamlit.proto.ClientState_pb2 import ClientState
from streamlit.runtime.app_session import AppSession

from auto_trading_dashboard import timers


def state(*, is_auto_rerun: bool) -> ClientState:
    sent = ClientState(is_auto_rerun=is_auto_rerun, fragment_id="list")
    sent.widget_states.widgets.add(id="replay", trigger_value=True)
    sent.widget_states.widgets.add(id="rows", json_trigger_value="[1]")
    sent.widget_states.widgets.add(id="search", string_value="BTC")
    return sent


@pytest.mark.parametrize(
    ("is_auto_rerun", "left"), [(True, ["search"]), (False, ["replay", "rows", "search"])]
)
def test_only_a_timer_loses_its_clicks(*, is_auto_rerun: bool, left: list[str]) -> None:
    found = timers.without_clicks(state(is_auto_rerun=is_auto_rerun))
    assert [w.id for w in found.widget_states.widgets] == left
    assert found.fragment_id == "list"


def test_sessions_ask_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(AppSession, "request_rerun", AppSession.request_rerun)
    timers.install()
    asked: list[ClientState | None] = []
    monkeypatch.setattr(timers, "_request_rerun", lambda _, sent: asked.append(sent))
    session = create_autospec(AppSession, instance=True)
    AppSession.request_rerun(session, state(is_auto_rerun=True))
    AppSession.request_rerun(session, None)
    assert [sent and len(sent.widget_states.widgets) for sent in asked] == [1, None]
