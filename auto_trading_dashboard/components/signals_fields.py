"""The fields of a strategy from outside: as they are drawn, and as they are stored."""

from decimal import Decimal, InvalidOperation
from typing import Final, NamedTuple

import streamlit as st

from auto_trading_dashboard.components import control_reading, figures
from auto_trading_dashboard.preferences import text
from crypto_trader_pro.domain.errors import InputError
from database.strategies import MAX_PER_MINUTE, Changes

USUAL_PER_MINUTE: Final = 30
# https://www.tradingview.com/support/solutions/43000529348
TRADINGVIEW_ADDRESSES: Final = (
    "52.89.214.238", "34.212.75.30", "54.218.53.128", "52.32.178.7",
)  # fmt: skip


class Given(NamedTuple):
    """What a form holds; `capital` None is no bound."""

    changes: Changes
    capital: Decimal | None


class Before(NamedTuple):
    """What the fields show at first."""

    description: str = ""
    symbols: tuple[str, ...] = ()
    ips: tuple[str, ...] = ()
    per_minute: int = USUAL_PER_MINUTE
    hmac_required: bool = False
    capital: Decimal | None = None


def draw(key: str, before: Before) -> None:
    """Draw the fields, within a form.

    Args:
        key: of the form; what a person gives is kept under it, see `given`.
    """
    found = control_reading.settings()
    known = () if found is None else found.symbols
    with st.grid(2, min_column_width=260, gap="medium"):
        st.text_input(
            text("signals_in.description"), value=before.description, key=f"{key}_description",
            max_chars=200, autocomplete="off",
        )  # fmt: skip
        st.text_input(
            text("signals_in.capital_field"), key=f"{key}_capital", autocomplete="off",
            value="" if before.capital is None else f"{before.capital.normalize():f}",
            placeholder=text("signals_in.no_bound"), help=text("signals_in.capital_help"),
        )  # fmt: skip
        st.multiselect(
            text("signals_in.symbols"), list(dict.fromkeys([*known, *before.symbols])),
            default=list(before.symbols), key=f"{key}_symbols",
            placeholder=text("signals_in.all"), help=text("signals_in.symbols_help"),
        )  # fmt: skip
        st.number_input(
            text("signals_in.rate_field"), min_value=1, max_value=MAX_PER_MINUTE, step=1,
            value=before.per_minute, key=f"{key}_rate", help=text("signals_in.rate_help"),
        )  # fmt: skip
        st.text_area(
            text("signals_in.ips_field"), value="\n".join(before.ips), key=f"{key}_ips", height=108,
            placeholder=text("signals_in.any"),
            help=text("signals_in.ips_help", addresses=", ".join(TRADINGVIEW_ADDRESSES)),
        )  # fmt: skip
        st.toggle(
            text("signals_in.hmac_field"), value=before.hmac_required, key=f"{key}_hmac",
            help=text("signals_in.hmac_help"),
        )  # fmt: skip


def given(key: str) -> Given:
    """Return what the form `key` holds.

    Raises:
        InputError: a capital that is no amount above 0.
    """
    state = st.session_state
    lines = str(state.get(f"{key}_ips", "")).replace(",", "\n").splitlines()
    changes = Changes(
        description=str(state.get(f"{key}_description", "")),
        hmac_required=bool(state.get(f"{key}_hmac")),
        allowed_ips=[line.strip() for line in lines if line.strip()],
        symbols=list(state.get(f"{key}_symbols", [])),
        per_minute=int(state.get(f"{key}_rate") or USUAL_PER_MINUTE),
    )
    return Given(changes, amount(str(state.get(f"{key}_capital", ""))))


def amount(typed: str) -> Decimal | None:
    """Return an amount as a person types it; None: nothing was typed.

    Raises:
        InputError: no amount above 0.

    >>> amount(" 1,500.50 ")
    Decimal('1500.50')
    """
    said = typed.strip().replace(",", "").replace("_", "")
    if not said:
        return None
    try:
        value = Decimal(said)
        if value.is_finite() and value > 0:
            return value
    except InvalidOperation:
        pass
    raise InputError(f"capital was {typed.strip()[:40]!r}, allowed: an amount above 0, or nothing")


def shown_capital(value: Decimal | None) -> str:
    return text("signals_in.no_bound") if value is None else figures.exact(value)
