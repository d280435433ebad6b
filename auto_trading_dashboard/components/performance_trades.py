"""The closed positions of a period one by one: filters, pages, the decision behind each, a file."""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Final

import streamlit as st

from auto_trading_dashboard.components import ages, figures, page
from auto_trading_dashboard.components.downloads import Cell, csv_bytes
from auto_trading_dashboard.components.performance_data import View
from auto_trading_dashboard.components.tables import Column, table
from auto_trading_dashboard.preferences import language, text, zone
from auto_trading_dashboard.queries import performance_trades
from auto_trading_dashboard.queries.performance_trades import LOSERS, WINNERS, Wanted
from auto_trading_dashboard.reading import read
from crypto_trader_pro.domain.market import Ints
from crypto_trader_pro.domain.timeframes import to_datetime
from database.closed import ClosedPosition
from utils.texts import catalogue

_FIELDS: Final = ("symbol", "strategy", "side", "reason")
_BEFORE: Final = "performance_before"  # where the pages began that lead to the one shown
_SEEN: Final = "performance_filters"


def trades(view: View) -> None:
    """Draw the filters, one page of positions, what is behind the selected one, and the file."""
    st.subheader(text("performance.trades_list"), anchor=False)
    wanted = _filters(view)
    places = performance_trades.matching(view.account, view.window, wanted)
    began = _pages(view, wanted)
    if not len(places):
        page.nothing(
            "performance.no_match" if view.window.chosen.any() else "performance.no_trades"
        )
        return
    shown = performance_trades.page(view.account, places, began[-1] if began else None)
    chosen = table(
        shown.positions, _columns(), key=f"performance_trades_{len(began)}", selectable=True
    )
    st.caption(
        text(
            "performance.times_in", zone=figures.zone_name(to_datetime(view.window.end_ms), zone()),
            asset=view.run.asset,
        )
    )  # fmt: skip
    _turn(view, places, began, shown.older)
    if chosen is not None:
        _behind(view, chosen)


def _filters(view: View) -> Wanted:
    kinds = view.account.closed.kinds
    with st.grid(5, min_column_width=130):
        picked = {field: _filter(field, sorted(kinds[field].names)) for field in _FIELDS}
        result = st.selectbox(
            text("performance.result"), ["", WINNERS, LOSERS], key="performance_result",
            format_func=lambda r: text(f"performance.result_{r}" if r else "performance.any"),
        )  # fmt: skip
    return Wanted({name: value for name, value in picked.items() if value}, result)


def _filter(field: str, names: list[str]) -> str:
    return st.selectbox(
        text(f"performance.{field}"), ["", *names], key=f"performance_{field}",
        format_func=lambda name: word(field, name) if name else text("performance.any"),
    )  # fmt: skip


def _pages(view: View, wanted: Wanted) -> list[int]:
    """Return where the pages began; other filters begin with the newest again."""
    asked = (view.run.number, view.period, wanted)
    if st.session_state.get(_SEEN) != asked:
        st.session_state[_SEEN] = asked
        st.session_state[_BEFORE] = []
    began: list[int] = st.session_state[_BEFORE]
    return began


def _turn(view: View, places: Ints, began: list[int], older: int | None) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            text("performance.newer"), key="performance_newer", icon=":material/chevron_left:",
            disabled=not began, on_click=_back,
        )  # fmt: skip
        st.button(
            text("performance.older"), key="performance_older", icon=":material/chevron_right:",
            disabled=older is None, on_click=began.append, args=(older,),
        )  # fmt: skip
        st.download_button(
            text("performance.download", n=figures.whole(len(places))), _file(view, places),
            file_name=f"{view.run.public_id}-trades-{view.period}.csv", mime="text/csv",
            key="performance_csv", icon=":material/download:", on_click="ignore",
        )  # fmt: skip


def _back() -> None:
    st.session_state[_BEFORE].pop()


def _columns() -> list[Column[ClosedPosition]]:
    def local(at: datetime) -> str:
        return figures.local(at, zone(), "%Y-%m-%d %H:%M:%S")

    return [
        Column("performance.closed_at", lambda p: local(p.closed_at), pinned=True),
        Column("performance.symbol", lambda p: p.symbol),
        Column("performance.side", lambda p: word("side", p.side)),
        Column("performance.net_profit", lambda p: _signed(p.realized_pnl), right=True),
        Column("performance.of_entry", lambda p: figures.signed_percent(_share(p)), right=True),
        Column("performance.reason", lambda p: word("reason", p.reason)),
        Column("performance.strategy", lambda p: p.strategy),
        Column("performance.opened_at", lambda p: local(p.opened_at)),
        Column("performance.held", lambda p: ages.since(p.opened_at, p.closed_at), right=True),
        Column("performance.size", lambda p: figures.exact(p.size), right=True),
        Column("performance.entry_price", lambda p: figures.exact(p.entry_price), right=True),
        Column("performance.exit_price", lambda p: _price(p), right=True),
        Column("performance.fees", lambda p: figures.amount(p.fees), right=True),
        Column("performance.slippage", lambda p: figures.amount(p.slippage), right=True),
    ]


def _signed(value: Decimal) -> str:
    return f"{figures.arrow(value)} {figures.signed(value)}".strip()


def _share(position: ClosedPosition) -> Decimal | None:
    value = position.size * position.entry_price
    return position.realized_pnl / value if value else None


def _price(position: ClosedPosition) -> str:
    """Return the average price of the exit, with two digits more than the entry's at most."""
    exponent = position.entry_price.as_tuple().exponent
    places = 2 + max(0, -exponent if isinstance(exponent, int) else 0)
    return figures.exact(round(position.exit_price, places))


def _behind(view: View, position: ClosedPosition) -> None:
    """Lead to the decisions that opened and closed the selected position."""
    key = ("performance_origin", view.run.number, position.id)
    reading = read(key, lambda s: performance_trades.origin(s, view.run.number, position))
    with st.container(border=True, key="performance_behind"), page.shown(reading, "behind"):
        at = figures.local(position.opened_at, zone())
        st.markdown(f"**{figures.escaped(position.symbol)}** {figures.escaped(at)}")
        found = reading.value
        if reading.is_unknown:
            return
        if found is None or (found.entry is None and found.exit is None):
            st.caption(text("performance.no_decision"))
            return
        if found.entry is not None:
            _link(text("performance.entry_decision"), found.entry)
        if found.exit is not None and found.exit != found.entry:
            _link(text("performance.exit_decision"), found.exit)


def _link(label: str, decision: int) -> None:
    st.page_link(
        "auto_trading_dashboard/decisions.py", label=label, icon=":material/fact_check:",
        query_params={"decision": str(decision)},
    )  # fmt: skip


# --- the file -------------------------------------------------------------------------------


def _file(view: View, places: Ints) -> Callable[[], bytes]:
    """Return what makes the file. It runs in a thread of its own that knows no browser: words and
    zone are those of now."""
    headings = [text(f"performance.{name}") for name in _HEADINGS]
    words = {
        (field, name): word(field, name)
        for field in ("side", "reason")
        for name in view.account.closed.kinds[field].names
    }
    local, positions, run = zone(), view.account.closed.positions, view.run

    def row(p: ClosedPosition) -> tuple[Cell, ...]:
        return (
            run.public_id, run.source, p.symbol, words["side", p.side], p.strategy,
            p.opened_at.astimezone(local), p.closed_at.astimezone(local), p.size, p.entry_price,
            p.exit_price, p.realized_pnl, p.fees, p.slippage, run.asset, words["reason", p.reason],
        )  # fmt: skip

    return lambda: csv_bytes(headings, (row(positions[n]) for n in places.tolist()))


_HEADINGS: Final = (
    "run", "source", "symbol", "side", "strategy", "opened_at", "closed_at", "size", "entry_price",
    "exit_price", "net_profit", "fees", "slippage", "asset", "reason",
)  # fmt: skip


def word(field: str, name: str) -> str:
    """Return the word of a side or a reason; a name of anything else is its own word."""
    code = f"performance.{field}_{name}"
    return catalogue(language()).get(code, name)
