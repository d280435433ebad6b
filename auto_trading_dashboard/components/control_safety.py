"""Safety as lights: the five checks before each cycle, the kill switch, what is locked."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

import streamlit as st

from auto_trading_dashboard.components import figures, lights
from auto_trading_dashboard.components.lights import Light
from auto_trading_dashboard.preferences import text, zone
from auto_trading_dashboard.queries.control import Books, Panel, Safety
from config.settings import Settings
from crypto_trader_pro.domain.enums import EmergencyTrigger
from crypto_trader_pro.domain.instruments import money, plain

CHECKS: Final = (
    "daily_loss_limit", "position_limits", "api_connectivity", "market_volatility",
    "account_balance",
)  # fmt: skip
TRIGGERS: Final = (
    EmergencyTrigger.MANUAL_STOP, EmergencyTrigger.DRAWDOWN_EXCEEDED,
    EmergencyTrigger.VAR_BREACHES, EmergencyTrigger.API_ERROR_RATE,
    EmergencyTrigger.API_CONNECTION_LOST,
)  # fmt: skip
_MONEY: Final = frozenset({"equity", "day_start", "room", "minimum"})


def checks(panel: Panel | None, settings: Settings | None, *, fresh: bool) -> list[Light]:
    """Return the five checks; unknown while no living engine tells of them."""
    safety = panel.safety if panel is not None and fresh else None
    if safety is None or panel is None or panel.books is None or settings is None:
        return [
            Light("unknown", text(f"control.check.{c}"), text("control.unknown")) for c in CHECKS
        ]
    return [_check(code, safety, panel.books, settings) for code in CHECKS]


def kill_switch(panel: Panel | None, settings: Settings | None, *, fresh: bool) -> list[Light]:
    """Return the triggers: which one has halted trading, and at what the others would."""
    safety = panel.safety if panel is not None and fresh else None
    if safety is None or settings is None or panel is None or panel.books is None:
        return [Light("unknown", "", text("control.unknown"))]
    values = _limits(settings, panel.books)
    found = []
    for trigger in TRIGGERS:
        level: lights.Level = "fail" if safety.halt_reason == trigger else "ok"
        code = "tripped" if level == "fail" else trigger.value
        found.append(
            Light(level, text(f"trigger.{trigger.value}"), _said("control.kill", code, values))
        )
    return [*found, _ladder(safety, panel.books, values)]


def locks(panel: Panel | None) -> str:
    """Return Markdown of the symbols that are not entered for a while; "" where none is."""
    if panel is None or panel.safety is None or not panel.safety.locks:
        return ""
    shown = ", ".join(
        f"{symbol} ({figures.local(until, zone(), '%m-%d %H:%M')})"
        for symbol, until in panel.safety.locks.items()
    )
    return lights.line(Light("warn", text("control.locks"), shown))


def draw(panel: Panel | None, settings: Settings | None, *, fresh: bool) -> None:
    """Draw all of it."""
    st.subheader(text("control.safety"), anchor=False)
    with st.grid(3, min_column_width=280, border=True, key="control_safety"):
        for light in checks(panel, settings, fresh=fresh):
            st.markdown(lights.line(light))
        st.markdown(locks(panel) or lights.line(_no_lock(panel, fresh=fresh)))
    with st.container(border=True, key="control_kill"):
        told = [lights.line(light) for light in kill_switch(panel, settings, fresh=fresh)]
        st.markdown("  \n".join([f"**{text('control.kill')}**", *told]))


def _check(code: str, safety: Safety, books: Books, settings: Settings) -> Light:
    name = text(f"control.check.{code}")
    values = _limits(settings, books) | {"volatile": safety.volatile}
    failing = safety.failing.get(code)
    if failing is None:
        warns = code == "daily_loss_limit" and safety.daily_level == 1
        return Light("warn" if warns else "ok", name, _said("control.safe", code, values))
    return Light("fail", name, _said("control.unsafe", code, values | _in_units(failing)))


def _ladder(safety: Safety, books: Books, values: Mapping[str, Any]) -> Light:
    reduce_at, fall = values["reduce"], books.drawdown
    is_over = fall is not None and fall * 100 >= Decimal(reduce_at)
    level: lights.Level = "warn" if is_over and not safety.halt_reason else "ok"
    return Light(level, text("control.ladder"), _said("control.ladder", "numbers", values))


def _no_lock(panel: Panel | None, *, fresh: bool) -> Light:
    if panel is None or panel.safety is None or not fresh:
        return Light("unknown", text("control.locks"), text("control.unknown"))
    return Light("ok", text("control.locks"), text("control.no_locks"))


def _limits(settings: Settings, books: Books) -> dict[str, Any]:
    """Return what the sentences may show: the account's figures and what they are held against."""
    kill, limits, safety = settings.kill_switch, settings.limits, settings.safety
    return {
        "day": figures.signed_percent(books.day_fraction),
        "daily_limit": plain(settings.risk_management.daily_loss_limit_pct),
        "warning": plain(limits.daily_warning_share_pct),
        "open": books.open_positions, "most": settings.engine.max_concurrent_positions,
        "lost": safety.connection_lost_seconds, "emergency": safety.connection_emergency_seconds,
        "symbols": len(settings.symbols), "volatility": plain(safety.max_volatility_pct),
        "cash": figures.amount(books.cash), "balance": plain(safety.min_balance_pct),
        "asset": books.asset, "drawdown": figures.percent(books.drawdown),
        "reduce": plain(limits.drawdown_reduce_pct), "recover": plain(limits.drawdown_recover_pct),
        "kill": plain(limits.drawdown_kill_pct), "breaches": kill.var_breach_count,
        "error_rate": plain(kill.api_error_rate_pct), "minutes": kill.window_minutes,
    }  # fmt: skip


def _said(area: str, code: str, values: Mapping[str, Any]) -> str:
    return text(f"{area}.{code}", **values)


def _in_units(numbers: Mapping[str, int]) -> dict[str, Any]:
    return {
        name: figures.amount(money(value)) if name in _MONEY else value
        for name, value in numbers.items()
    }
