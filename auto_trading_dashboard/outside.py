"""What the console itself writes: strategies from outside, repeats of signals, messages to send.

None of it trades. Each is one short transaction; what goes wrong is said where it was asked.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar

import streamlit as st
from sqlmodel import Session

from auto_trading_dashboard import services
from crypto_trader_pro.domain.enums import CommandKind
from crypto_trader_pro.domain.errors import InputError, RetryableError
from database import strategies
from database.auto_trading_db import unit_of_work
from database.models import StrategyRow
from database.strategies import NewKey
from utils.hurry import within

T = TypeVar("T")

BY: Final = "console"
_PATIENCE: Final = 8.0  # seconds that a click waits for the database
_DOUBLE_CLICK: Final = 1.0
_TROUBLE: Final = "outside_trouble"
_CLICKED: Final = "outside_clicked"
_KEY: Final = "outside_key"


@dataclass(frozen=True, slots=True)
class ShownKey:
    """A key that was just made. It is in the memory of this browser tab and nowhere else.

    Args:
        secret: that signals are signed with; "" where CTP_WEBHOOK_HMAC_SECRET is not set.
        is_new: made with the strategy; else instead of an older one.
    """

    strategy_id: int
    name: str
    key: str
    secret: str
    hmac_required: bool
    is_new: bool


def written(where: str, write: Callable[[Session], T], click: str = "") -> T | None:
    """Write in a transaction and return what `write` does; None: it failed, see `trouble`.

    Args:
        where: part of the page that says what went wrong.
        click: what was clicked there; a double click on it writes once.
    """
    clicked: dict[str, float] = st.session_state.setdefault(_CLICKED, {})
    clicked_on = f"{where}/{click}"
    if time.monotonic() - clicked.get(clicked_on, -_DOUBLE_CLICK) < _DOUBLE_CLICK:
        return None

    def store() -> T:
        with unit_of_work(services.writer(CommandKind.RUN_JOB), "the database") as session:
            return write(session)

    st.session_state.setdefault(_TROUBLE, {}).pop(where, None)
    try:
        found = within(_PATIENCE, store)
    except (InputError, TimeoutError, RetryableError) as e:
        refuse(where, str(e))
        return None
    clicked[clicked_on] = time.monotonic()
    return found


def refuse(where: str, why: str) -> None:
    """Show that something was not done, and why."""
    st.session_state.setdefault(_TROUBLE, {})[where] = why


def trouble(where: str) -> str:
    """Return why the last click of this part failed; "" where it did not."""
    return str(st.session_state.get(_TROUBLE, {}).get(where, ""))


def show_key(made: Callable[[Session], NewKey], where: str, *, is_new: bool) -> bool:
    """Make a key and keep it in this tab until it is put away; False: it failed."""

    def write(session: Session) -> ShownKey:
        row, key = made(session)
        return ShownKey(
            strategies.number(row), row.name, key, secret_of(row), row.hmac_required, is_new
        )

    shown = written(where, write)
    if shown is not None:
        st.session_state[_KEY] = shown
    return shown is not None


def shown_key() -> ShownKey | None:
    """Return the key that is still in sight in this tab."""
    found: ShownKey | None = st.session_state.get(_KEY)
    return found


def put_key_away() -> None:
    """Forget the key: nothing shows it again."""
    st.session_state.pop(_KEY, None)


def secret_of(row: StrategyRow) -> str:
    """Return what a strategy signs with; "" where there is nothing to derive it from."""
    master = services.environment().webhook_hmac_secret
    return "" if master is None else strategies.signing_secret(master.get_secret_value(), row)
