"""The books of the chosen run as all tabs share them, and what of them the page is about."""

from dataclasses import dataclass

import streamlit as st

from auto_trading_dashboard.queries import performance
from auto_trading_dashboard.queries.performance import Period, Window
from auto_trading_dashboard.queries.performance_book import Account, Books
from auto_trading_dashboard.queries.runs import Run
from auto_trading_dashboard.reading import Reading, read


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """A run over a period, read at one moment."""

    run: Run
    period: Period
    account: Account
    window: Window

    @property
    def version(self) -> tuple[int | str, ...]:
        """Changes with everything that is shown, but for language, zone and palette."""
        return (*self.account.version, self.period)


@st.cache_resource
def _books() -> Books:
    return Books()


def is_known(run: Run) -> bool:
    """True when a read takes milliseconds: only the first one of a long run takes seconds."""
    return _books().latest(run.number) is not None


def view(run: Run, period: Period) -> Reading[View]:
    """Read what is new of a run; the value is None before its first snapshot."""
    books = _books()
    # the answer that each tab keeps is small; the books themselves are kept once
    reading = read(("performance", run.number), lambda s: books.read(s, run.number).version)
    account = books.latest(run.number)
    found = None if account is None else performance.window(account, period)
    value = None if account is None or found is None else View(run, period, account, found)
    return Reading(value, reading.at, reading.trouble)
