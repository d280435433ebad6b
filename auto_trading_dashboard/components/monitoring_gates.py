"""What the market data of each symbol is good for; lifting a lock."""

from datetime import datetime, timedelta

import streamlit as st
from sqlmodel import Session

from auto_trading_dashboard import services
from auto_trading_dashboard.components import ages, asking, figures, monitoring_work
from auto_trading_dashboard.components.live import live
from auto_trading_dashboard.components.tables import Column, table
from auto_trading_dashboard.preferences import text, zone
from auto_trading_dashboard.queries import gates
from auto_trading_dashboard.queries.gates import Gate
from auto_trading_dashboard.queries.monitoring import Work
from crypto_trader_pro.domain.enums import CommandKind, GateReason, GateState

_LATE = timedelta(seconds=30)  # a living engine stores prices every five
_WORD = "monitoring_lift_word"
_MARKS = {GateState.GREEN: "●", GateState.EXIT_ONLY: "◐", GateState.DARK: "○"}


@live()
def draw() -> None:
    """Draw every symbol of the run, and what lifts the lock of one."""
    reading = monitoring_work.with_work("gates", _read)
    work, (rows, now) = (None, ([], None)) if reading.value is None else reading.value
    with monitoring_work.shown(reading, "gates"):
        if reading.is_unknown:
            return
        monitoring_work.title("monitoring.gates", len(rows), _note(rows, work))
        if not rows or work is None:
            st.caption(text("monitoring.no_gates"))
        else:
            table(rows, _columns(now if work.is_live else None, work.is_live), key="gates")
        _lock([row.symbol for row in rows if row.locked_until is not None])


def _read(session: Session, work: Work) -> tuple[list[Gate], datetime | None]:
    found = gates.gates(session, work)
    return found, gates.market_now(work, found)


def _note(rows: list[Gate], work: Work | None) -> str:
    system = services.clock().now()
    late = [r for r in rows if work is not None and work.is_live and _is_late(r, system)]
    shut = [r for r in rows if r.state and r.state != GateState.GREEN]
    locked = [r for r in rows if r.locked_until is not None]
    said = []
    if late:
        said.append(figures.badge(text("monitoring.late_prices", count=len(late)), "red"))
    if shut:
        said.append(figures.badge(text("monitoring.not_green", count=len(shut)), "orange"))
    if locked:
        said.append(
            figures.badge(text("monitoring.locked_count", count=len(locked)), "red", "lock")
        )
    return " ".join(said)


def _columns(now: datetime | None, is_live: bool) -> list[Column[Gate]]:
    system = services.clock().now()
    return [
        Column("monitoring.symbol", lambda r: r.symbol, pinned=True),
        Column("monitoring.gate", _state, help="monitoring.gate_help"),
        Column("monitoring.why", _why),
        Column("monitoring.price", lambda r: figures.exact(r.price), right=True),
        Column(
            "monitoring.price_age", lambda r: _price_age(r, system, is_live=is_live), right=True,
            help="monitoring.price_age_help",
        ),
        Column(
            "monitoring.candle_age", lambda r: _passed(now, r.closed_at), right=True,
            help="monitoring.candle_age_help",
        ),
        Column("monitoring.locked", lambda r: _locked(r, is_live)),
    ]  # fmt: skip


def _state(row: Gate) -> str:
    if not row.state:
        return figures.MISSING
    return f"{_MARKS.get(GateState(row.state), '○')} {text(f'gate_state.{row.state}')}"


def _why(row: Gate) -> str:
    if not row.reason:
        return text("monitoring.no_candle_yet")
    return text("monitoring.gate_ok" if row.reason == GateReason.OK else f"gate.{row.reason}")


def _passed(now: datetime | None, at: datetime | None) -> str:
    return figures.MISSING if now is None or at is None else ages.since(at, now)


def _price_age(row: Gate, now: datetime, *, is_live: bool) -> str:
    passed = _passed(now, row.received_at)
    return f"⚠ {passed}" if is_live and _is_late(row, now) else passed


def _is_late(row: Gate, now: datetime) -> bool:
    return row.received_at is not None and now - row.received_at > _LATE


def _locked(row: Gate, is_live: bool) -> str:
    if not is_live:
        return text("monitoring.lock_unknown")  # only a living engine tells of locks
    if row.locked_until is None:
        return text("monitoring.not_locked")
    until = figures.local(row.locked_until, zone(), "%m-%d %H:%M")
    name = figures.zone_name(row.locked_until, zone())
    return text("monitoring.locked_until", at=f"{until} {name}")


def _lock(locked: list[str]) -> None:
    """Lifting a lock raises risk: the symbol is typed."""
    if not locked:
        st.empty()
        return
    with st.form("monitoring_lift_form", border=True, clear_on_submit=True):
        st.caption(figures.escaped(text("monitoring.lift_help", symbols=", ".join(locked))))
        with st.container(horizontal=True, vertical_alignment="bottom"):
            st.text_input(
                text("monitoring.symbol"), key=_WORD, placeholder=locked[0],
                label_visibility="collapsed", width=220, autocomplete="off",
            )  # fmt: skip
            st.form_submit_button(
                text("monitoring.lift"), key="monitoring_lift", icon=":material/lock_open:",
                on_click=_lift, args=(tuple(locked),),
            )  # fmt: skip


def _lift(locked: tuple[str, ...]) -> None:
    word = str(st.session_state.get(_WORD, "")).strip()
    if word in locked:
        asking.ask(CommandKind.LIFT_LOCK, {"symbol": word}, word)
    else:
        why = text("monitoring.lift_wrong", given=word[:32], symbols=", ".join(locked))
        asking.refuse(CommandKind.LIFT_LOCK, why)
