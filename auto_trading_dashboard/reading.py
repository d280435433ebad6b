"""Reads for pages: the last good answer is kept, its age is known, a silent database is let be.

Every part of every page asks each second or two. While the database does not answer, one of them
tries again each second and the others are told at once, so that no click waits behind them.
"""

import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, Generic, TypeVar

import streamlit as st
from sqlmodel import Session

from auto_trading_dashboard import services
from crypto_trader_pro.domain.errors import TradingError
from database.auto_trading_db import schema_state, unit_of_work

T = TypeVar("T")

_RETRY_SECONDS: Final = 1.0
_SCHEMA_SECONDS: Final = 5.0  # that a schema once seen is believed in
_KEPT: Final = 64  # answers of one browser tab
_NO_DATABASE: Final = "trouble.no_database"


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why the database did not answer.

    Args:
        code: of the catalogue: `trouble.database`, `trouble.no_database`, `trouble.schema_behind`,
            `trouble.schema_ahead`; all take `why`.
    """

    code: str
    why: str = ""


@dataclass(frozen=True, slots=True)
class Reading(Generic[T]):
    """An answer of the database.

    Args:
        value: None: there never was one.
        at: when it was read, system time.
        trouble: why it could not be read anew; None while it is fresh.
    """

    value: T | None
    at: datetime
    trouble: Trouble | None = None

    @property
    def is_stale(self) -> bool:
        return self.trouble is not None

    @property
    def is_unknown(self) -> bool:
        """True while nobody knows what there is: a page must not say that there is nothing.

        Without any database it is known: there is nothing yet.
        """
        return self.value is None and self.trouble is not None and self.trouble.code != _NO_DATABASE


class _SilentError(Exception):
    """The database cannot be read; carries the trouble."""

    def __init__(self, trouble: Trouble) -> None:
        super().__init__(trouble.code)
        self.trouble = trouble


class _Breaker:
    """Knows how the database last answered; shared by every tab."""

    def __init__(self) -> None:
        self._trouble: Trouble | None = None
        self._retry_at = 0.0
        self._schema_until = 0.0

    def check(self) -> None:
        """Raise the trouble of a moment ago, or of a schema that is not ours."""
        now = time.monotonic()
        if self._trouble is not None and now < self._retry_at:
            raise _SilentError(self._trouble)
        self._retry_at = now + _RETRY_SECONDS  # the others need not try beside us
        if now >= self._schema_until:
            self._check_schema(now)

    def _check_schema(self, now: float) -> None:
        state = schema_state(services.reader())
        if state == "missing":
            raise _SilentError(Trouble(_NO_DATABASE))
        if state != "current":
            raise _SilentError(Trouble(f"trouble.schema_{state}"))
        self._schema_until = now + _SCHEMA_SECONDS

    def answered(self) -> None:
        self._trouble = None

    def failed(self, trouble: Trouble) -> None:
        self._trouble = trouble
        self._schema_until = 0.0


@st.cache_resource
def _breaker() -> _Breaker:
    return _Breaker()


def read(key: Hashable, query: Callable[[Session], T]) -> Reading[T]:
    """Return what `query` reads now, or its last good answer with the trouble.

    Args:
        key: names the question in this browser tab, its arguments included.
    """
    kept: dict[Hashable, Reading[Any]] = st.session_state.setdefault("readings", {})
    now = services.clock().now()
    breaker = _breaker()
    try:
        breaker.check()
        with unit_of_work(services.reader(), "the database") as session:
            found = Reading(query(session), now)
    except _SilentError as e:
        breaker.failed(e.trouble)
        return _last(kept, key, now, e.trouble)
    except TradingError as e:
        trouble = Trouble("trouble.database", str(e))
        breaker.failed(trouble)
        return _last(kept, key, now, trouble)
    breaker.answered()
    kept.pop(key, None)
    kept[key] = found
    while len(kept) > _KEPT:
        del kept[next(iter(kept))]
    return found


def _last(
    kept: dict[Hashable, Reading[Any]], key: Hashable, now: datetime, trouble: Trouble
) -> Reading[Any]:
    last = kept.get(key)
    return Reading(None, now, trouble) if last is None else replace(last, trouble=trouble)
