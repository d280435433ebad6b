"""What all parts of the monitoring page need: the run in work, and grey where it is a memory."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TypeVar

import streamlit as st
from sqlmodel import Session

from auto_trading_dashboard import services
from auto_trading_dashboard.components import ages, figures, page
from auto_trading_dashboard.components.live import live
from auto_trading_dashboard.preferences import text
from auto_trading_dashboard.queries import monitoring
from auto_trading_dashboard.queries.monitoring import Work
from auto_trading_dashboard.reading import Reading, read

T = TypeVar("T")


def current() -> Reading[Work | None]:
    """Return the run in work, read now."""
    now = services.clock().now()
    return read("work", lambda s: monitoring.in_work(s, now, services.process_is_gone))


def with_work(key: str, query: Callable[[Session, Work], T]) -> Reading[tuple[Work, T] | None]:
    """Return the run in work and what is asked of it, as of one instant."""
    now = services.clock().now()

    def both(session: Session) -> tuple[Work, T] | None:
        work = monitoring.in_work(session, now, services.process_is_gone)
        return None if work is None else (work, query(session, work))

    return read(("monitoring", key), both)


@contextmanager
def shown(reading: Reading[tuple[Work, T] | None], key: str) -> Iterator[None]:
    """Draw a part; grey while the database is silent or nobody trades the run."""
    work = None if reading.value is None else reading.value[0]
    grey = not reading.is_stale and work is not None and not work.is_live
    with page.shown(reading, key), st.container(key=f"stale_memory_{key}" if grey else f"of_{key}"):
        yield


@live()
def wait() -> None:
    """Say what will be here, and go on by itself once there is a run."""
    reading = current()
    if reading.value is not None:
        st.rerun()
    if reading.is_unknown:
        st.caption(text("page.waiting"))
    else:
        page.nothing("monitoring.nothing")


def memory(work: Work, now: datetime) -> str:
    """Return Markdown that says of which time the figures are; "" while they are of now."""
    if work.is_live:
        return ""
    code = "monitoring.memory_paper" if work.is_paper else "monitoring.memory"
    passed = ages.since(work.as_of, now)
    return f":orange[{figures.escaped(text(code, run=work.public_id, age=passed))}]"


def title(code: str, count: int, note: str = "") -> None:
    """Write the heading of a part with its count; always one element."""
    st.markdown(f"**{figures.escaped(text(code))}** ({count}) {note}".rstrip())


def named(symbol: str, symbols: tuple[str, ...]) -> str:
    """Return a symbol as short as it is still unmistakable among all: "BTC", "BTC/USDT"."""
    base = symbol.split("/")[0]
    if sum(other.split("/")[0] == base for other in symbols) == 1:
        return base
    return symbol
