"""What the control panel's tests look at: a whole heartbeat, lights by name, the plain sentence."""

import time
from typing import Final

from sqlalchemy import Engine
from streamlit.testing.v1 import AppTest

from crypto_trader_pro.domain.enums import DesiredState
from database import lease
from database.auto_trading_db import unit_of_work
from tests.console.shown import said
from tests.fake_engine import ACCOUNT
from utils.clocks import SystemClock

VIEW: Final = ACCOUNT | {
    "gross": "4000", "realized": "-12.5", "unrealized": "11.25333991", "fees": "4",
    "drawdown": "0.0125", "day_start_equity": "100000", "halt_reason": "", "flattening": False,
    "daily_level": 0, "volatile": 0, "locks": {}, "safety": {},
}  # fmt: skip


def light(shown: AppTest, name: str) -> str:
    """Return the line of the light with this name."""
    lines = [line for m in shown.markdown for line in str(m.value).split("\n")]
    (found,) = [line for line in lines if f"**{name}**" in line]
    return found


def sentence(shown: AppTest) -> str:
    """Return the one plain sentence on how the engine stands."""
    words = [str(m.value) for m in shown.markdown]
    (found,) = [w for w in words if ":material/" in w and "] **" in w and w.endswith("**")]
    return found.partition("] **")[2].removesuffix("**").replace("\\", "")


def wanted(database: Engine, desired: DesiredState) -> None:
    """Store what people want of the engine."""
    with unit_of_work(database) as session:
        lease.want(session, desired, SystemClock().now())


def until(shown: AppTest, words: str) -> str:
    """Draw the page anew until it says `words`, and return all that it says."""
    deadline = time.monotonic() + 30
    while words not in said(shown):
        assert time.monotonic() < deadline
        shown.run()
    return said(shown)
