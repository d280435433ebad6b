"""What is put right in the browser's messages before a session takes them."""

from typing import Any
from unittest.mock import create_autospec

import pytest
from streamlit.proto.ClientState_pb2 import ClientState
from streamlit.runtime.app_session import AppSession

from auto_trading_dashboard import browser_messages


def message(*, is_auto_rerun: bool = False, fragment: str = "list") -> ClientState:
    sent = ClientState(is_auto_rerun=is_auto_rerun, fragment_id=fragment, page_script_hash="jobs")
    sent.widget_states.widgets.add(id="replay", trigger_value=True)
    sent.widget_states.widgets.add(id="rows", json_trigger_value="[1]")
    sent.widget_states.widgets.add(id="search", string_value="BTC")
    return sent


@pytest.mark.parametrize(
    ("is_auto_rerun", "left"), [(True, ["search"]), (False, ["replay", "rows", "search"])]
)
def test_only_a_timer_loses_its_clicks(*, is_auto_rerun: bool, left: list[str]) -> None:
    sent = message(is_auto_rerun=is_auto_rerun)
    browser_messages.put_right(sent, "jobs")
    assert [w.id for w in sent.widget_states.widgets] == left
    assert sent.fragment_id == "list"


@pytest.mark.parametrize(
    ("fragment", "page", "taken", "shown"),
    [
        ("list", "control", "control", "control"),  # its page was left
        ("list", "jobs", "jobs", "jobs"),
        ("list", "", "jobs", ""),  # which page the browser shows is not known yet
        ("", "control", "jobs", "jobs"),  # another page is asked for
    ],
)
def test_a_part_is_drawn_on_the_page_that_is_shown(
    fragment: str, page: str, taken: str, shown: str
) -> None:
    sent = message(fragment=fragment)
    assert browser_messages.put_right(sent, page) == shown
    assert sent.page_script_hash == taken


def test_each_session_has_its_own_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(AppSession, "request_rerun", AppSession.request_rerun)
    browser_messages.install()
    taken: list[str | None] = []
    monkeypatch.setattr(
        browser_messages, "_request_rerun",
        lambda _, sent: taken.append(sent and sent.page_script_hash),
    )  # fmt: skip
    one, other = (create_autospec(AppSession, instance=True) for _ in range(2))
    AppSession.request_rerun(one, ClientState(page_script_hash="control"))
    AppSession.request_rerun(one, message())
    AppSession.request_rerun(other, message())
    AppSession.request_rerun(other, None)
    assert taken == ["control", "control", "jobs", None]


@pytest.mark.parametrize(
    ("widget", "expected"),
    [
        ({"id": "$$ID-6a8aa7-emergency_stop", "trigger_value": True}, True),
        ({"id": "$$ID-6a8aa7-emergency_stop", "trigger_value": False}, False),
        ({"id": "$$ID-6a8aa7-stop", "trigger_value": True}, False),
    ],
)
def test_a_click_on_emergency_stop_is_known(widget: dict[str, Any], *, expected: bool) -> None:
    sent = message()
    sent.widget_states.widgets.add(**widget)
    assert browser_messages.stops(sent) is expected
