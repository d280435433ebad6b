"""A harmless signal, sent as the world would send it: by HTTP, with the key of a strategy.

It asks to cancel entries of a symbol that the strategy may well have none of; nothing is bought.
The key is in the memory of this browser tab and goes to our own server only.
"""

import json
import re
import threading
import uuid
from dataclasses import dataclass
from typing import Final

import httpx
import streamlit as st
from sqlmodel import Session

from auto_trading_dashboard import outside, services
from auto_trading_dashboard.components import figures, signals_reach, signals_words
from auto_trading_dashboard.preferences import text
from auto_trading_dashboard.queries import signals_in
from auto_trading_dashboard.reading import read
from database import strategies
from utils.signal_messages import signature_of

_SECONDS: Final = 5.0  # that the server may take; it steps back from a signal after 2.5
_TEST: Final = "signals_test"
_FIELD: Final = "signals_test_key"
_KEY: Final = re.compile(r"[A-Za-z0-9_-]{16,128}")
_SHOWN: Final = 300  # characters of an answer


@dataclass(slots=True)
class Sent:
    """One test. A thread of its own fills in what came back.

    Args:
        status: of the answer; 0 before it, and where none came.
        trouble: why none came.
        entry: of the journal; None: none was told.
    """

    strategy_id: int
    url: str
    status: int = 0
    answer: str = ""
    trouble: str = ""
    entry: int | None = None

    @property
    def is_over(self) -> bool:
        return bool(self.status or self.trouble)


def button(strategy_id: int, key: str, secret: str) -> None:
    """Draw the button of a key that is known, and what came of the test."""
    st.button(
        text("signals_in.test"), key="signals_test_new", icon=":material/send:",
        on_click=_send, args=(strategy_id, key, secret), help=text("signals_in.test_help"),
    )  # fmt: skip
    outcome(strategy_id)


def typed(strategy_id: int) -> None:
    """Draw the test of a key that only its keeper knows: it is typed and forgotten at once."""
    with (
        st.form(f"signals_test_{strategy_id}", border=False, clear_on_submit=True),
        st.container(horizontal=True, vertical_alignment="bottom"),
    ):
        st.text_input(
            text("signals_in.test_key"), key=_FIELD, type="password", width=260,
            autocomplete="off", help=text("signals_in.test_help"),
        )  # fmt: skip
        st.form_submit_button(
            text("signals_in.test"), key=f"signals_test_send_{strategy_id}",
            icon=":material/send:", on_click=_send_typed, args=(strategy_id,),
        )  # fmt: skip
    outcome(strategy_id)


def outcome(strategy_id: int) -> None:
    """Say what came of the last test of a strategy: the answer, then what the engine said."""
    sent: Sent | None = st.session_state.get(_TEST)
    if sent is None or sent.strategy_id != strategy_id:
        st.empty()
        return
    if sent.trouble:
        told = text("signals_in.test_failed", why=sent.trouble)
        st.markdown(f":red[:material/error: {figures.escaped(told)}]")
        return
    if not sent.is_over:
        st.caption(text("signals_in.test_sending"))
        return
    good = sent.status in (200, 202)
    told = text("signals_in.test_answer", status=sent.status, answer=sent.answer)
    colour, icon = ("green", "check_circle") if good else ("red", "error")
    lines = [f":{colour}[:material/{icon}:] {figures.escaped(told)}"]
    if sent.status == 404:
        lines.append(figures.escaped(text("signals_in.test_unknown")))
    if sent.entry is not None:
        lines.append(_engine(sent.entry))
    st.markdown("  \n".join(lines))


def forget() -> None:
    st.session_state.pop(_TEST, None)


def _engine(number: int) -> str:
    found = read(("signals entry", number), lambda s: signals_in.entry(s, number)).value
    head = figures.escaped(text("signals_in.test_entry", entry=number))
    return head if found is None else f"{head} {signals_words.became(found)}"


def _send_typed(strategy_id: int) -> None:
    def secret(session: Session) -> str:
        return outside.secret_of(strategies.find(session, strategy_id))

    key = str(st.session_state.get(_FIELD, "")).strip()
    if _KEY.fullmatch(key):
        _send(strategy_id, key, read(("signals secret", strategy_id), secret).value or "")
    else:
        st.session_state[_TEST] = Sent(strategy_id, "", trouble=text("signals_in.test_no_key"))


def _send(strategy_id: int, key: str, secret: str) -> None:
    """Send it; the page goes on meanwhile."""
    now = services.clock().now()
    alert = f"test-{uuid.uuid4().hex}"
    body = json.dumps({"action": "cancel", "alert_id": alert, "timestamp": now.isoformat()})
    headers = {"Content-Type": "application/json"}
    if secret:
        stamp = str(int(now.timestamp()))
        headers |= {
            "X-CTP-Timestamp": stamp, "X-CTP-Signature": signature_of(secret, stamp, body.encode())
        }  # fmt: skip
    sent = Sent(strategy_id, f"{signals_reach.place().address}/webhook/{key}")
    st.session_state[_TEST] = sent
    threading.Thread(target=_post, args=(sent, body, headers), name="test signal",
                     daemon=True).start()  # fmt: skip


def _post(sent: Sent, body: str, headers: dict[str, str]) -> None:
    try:
        with httpx.Client(timeout=_SECONDS, trust_env=False) as client:
            response = client.post(sent.url, content=body, headers=headers)
    except (httpx.HTTPError, httpx.InvalidURL) as e:
        sent.trouble = f"{type(e).__name__}: {e}"[:_SHOWN]
        return
    finally:
        sent.url = ""  # it holds the key
    sent.answer = " ".join(response.text.split())[:_SHOWN]
    sent.entry = _entry(response)
    sent.status = response.status_code


def _entry(response: httpx.Response) -> int | None:
    try:
        found = response.json()
    except ValueError:
        return None
    number = found.get("id") if isinstance(found, dict) else None
    return number if isinstance(number, int) else None
