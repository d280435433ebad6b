"""Parts of a page that stand alone: drawn again by a timer, and broken alone when they break."""

import functools
import logging
import uuid
from collections.abc import Callable
from typing import Final, ParamSpec

import streamlit as st

from auto_trading_dashboard.preferences import text

P = ParamSpec("P")

log = logging.getLogger(__name__)

HEAD_SECONDS: Final = 1.0
PART_SECONDS: Final = 2.0


def guarded(part: Callable[P, None]) -> Callable[P, None]:
    """Let a bug of one part be one line on the page, with a number that the log has too."""

    @functools.wraps(part)
    def safe(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            part(*args, **kwargs)
        except Exception:
            reference = uuid.uuid4().hex[:8]
            log.exception("a part of the console could not be drawn, reference %s", reference)
            st.error(text("page.broken", reference=reference), icon=":material/error:")

    return safe


def live(seconds: float = PART_SECONDS) -> Callable[[Callable[P, None]], Callable[P, None]]:
    """Draw a part anew each `seconds` without the rest of the page.

    It must always draw the same elements: what it leaves out is erased.
    """

    def decorate(part: Callable[P, None]) -> Callable[P, None]:
        return st.fragment(guarded(part), run_every=seconds)

    return decorate
