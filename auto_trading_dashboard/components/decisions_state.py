"""What a person looks at on the decisions page: filters, place in the list, the open decision.

Filters and the open decision stand in the address, by names that no language changes, so that a
link shows the same to another. Where two copies of a filter are drawn, for wide and narrow screens,
this is what both show.
"""

from collections.abc import Callable, Hashable
from dataclasses import replace
from typing import Any, Final, TypeVar

import streamlit as st
from sqlmodel import Session

from auto_trading_dashboard.queries import decisions
from auto_trading_dashboard.queries.decisions import Place
from auto_trading_dashboard.queries.runs import Run
from auto_trading_dashboard.reading import Reading, Trouble, read
from crypto_trader_pro.domain.enums import Outcome
from crypto_trader_pro.risk.rules import CODES
from database.decision_search import Wanted

T = TypeVar("T")

ALL: Final = "all"  # outcomes, holds included; "" is all but these
NAMES: Final = ("symbol", "strategy", "outcome", "rule")
_FILTERS: Final = "decisions_filters"
_PLACE: Final = "decisions_place"  # (what it is a place in, Place)
_OPEN: Final = "decision"  # in the address
_GENERATION: Final = "decisions_generation"  # of the list: a new one has nothing selected
_LAST: Final = "decisions_last"  # question -> (version of the data, answer)


def options(run: Run) -> dict[str, list[str]]:
    """Return what each filter offers; "" is the first: it filters nothing."""
    return {
        "symbol": ["", *run.symbols],
        "strategy": ["", *run.strategies],
        "outcome": ["", ALL, *(o.value for o in _SHOWN)],
        "rule": ["", *CODES],
    }


_SHOWN: Final = (
    Outcome.ORDERED, Outcome.REFUSED, Outcome.CLOSED, Outcome.SHADOW, Outcome.DARK, Outcome.HOLD,
)  # fmt: skip


def filters(run: Run) -> dict[str, str]:
    """Return the filters as they are, from the address at first; unknown values filter nothing."""
    kept: dict[str, str] | None = st.session_state.get(_FILTERS)
    if kept is None or any(st.query_params.get(n, "") != kept[n] for n in NAMES):
        kept = {name: st.query_params.get(name, "") for name in NAMES}
    for name, offered in options(run).items():
        if kept[name] not in offered:
            kept[name] = ""
    _keep(kept)
    return kept


def choose(name: str, value: str) -> None:
    """Set one filter and show the newest page; "" clears it."""
    kept = dict(st.session_state.get(_FILTERS) or dict.fromkeys(NAMES, ""))
    kept[name] = value
    _keep(kept)


def clear() -> None:
    _keep(dict.fromkeys(NAMES, ""))


def _keep(kept: dict[str, str]) -> None:
    st.session_state[_FILTERS] = kept
    for name, value in kept.items():
        if value:
            st.query_params[name] = value
        else:
            st.query_params.pop(name, None)


def wanted(kept: dict[str, str]) -> Wanted:
    """Return the filters as the search takes them."""
    outcome = kept["outcome"]
    return Wanted(
        kept["symbol"] or None, kept["strategy"] or None,
        None if outcome in ("", ALL) else outcome, kept["rule"] or None, holds=outcome == ALL,
    )  # fmt: skip


def place(run: Run, of: Wanted) -> Place | None:
    """Return where the shown page begins; None: it is the newest."""
    belongs, found = st.session_state.get(_PLACE, (None, None))
    return found if belongs == (run.number, of) else None


def go_to(run: Run, of: Wanted, found: Place | None) -> None:
    st.session_state[_PLACE] = ((run.number, of), found)


def opened() -> str:
    """Return the number of the open decision as the address has it; "" when none is open."""
    return st.query_params.get(_OPEN, "")


def open_decision(number: int) -> None:
    st.query_params[_OPEN] = str(number)


def close_decision() -> None:
    st.query_params.pop(_OPEN, None)
    st.session_state[_GENERATION] = generation() + 1


def generation() -> int:
    """Return how often a decision was closed; part of the list's key, which unselects its row."""
    return int(st.session_state.get(_GENERATION, 0))


def read_once(
    key: Hashable, run_id: int, query: Callable[[Session], T], *, version: Any = None
) -> Reading[T]:  # fmt: skip
    """Read what changes only when the run decides: again only once it has.

    Args:
        version: of the data; None: it is looked up, and while it cannot be, what was read is old.
    """
    trouble: Trouble | None = None
    if version is None:
        looked = newest(run_id)
        version, trouble = looked.value, looked.trouble
    last: dict[Hashable, tuple[Any, Reading[T]]] = st.session_state.setdefault(_LAST, {})
    known = last.get(key)
    if known is not None and known[0] == version and not known[1].is_stale:
        return known[1] if trouble is None else replace(known[1], trouble=trouble)
    found = read(key, query)
    last.pop(key, None)
    last[key] = (version, found)
    while len(last) > _KEPT:
        del last[next(iter(last))]
    return found


_KEPT: Final = 16


def newest(run_id: int) -> Reading[int | None]:
    """Return the trading time of the run's newest decision; None: there is none yet."""
    return read(("newest decision", run_id), lambda s: decisions.newest_ms(s, run_id))
