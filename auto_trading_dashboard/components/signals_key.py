"""A key that was just made, shown this once, with all that the sender needs; and the test."""

import streamlit as st

from auto_trading_dashboard import outside
from auto_trading_dashboard.components import figures, signals_reach, signals_test
from auto_trading_dashboard.components.live import live
from auto_trading_dashboard.components.signals_fields import TRADINGVIEW_ADDRESSES
from auto_trading_dashboard.outside import ShownKey
from auto_trading_dashboard.preferences import text
from utils.signal_messages import tradingview_message


@live()
def show() -> None:
    """Draw the key while it is in this tab; nothing else shows it again."""
    shown = outside.shown_key()
    if shown is None:
        st.empty()
        return
    with st.container(border=True, key="signals_key"):
        code = "signals_in.key_new" if shown.is_new else "signals_in.key_rotated"
        st.markdown(
            f":orange[:material/key:] **{figures.escaped(text(code, name=shown.name))}**  \n"
            + figures.escaped(text("signals_in.key_once"))
        )
        _where(shown)
        _message(shown)
        signals_test.button(shown.strategy_id, shown.key, shown.secret)
        st.button(
            text("signals_in.kept"), key="signals_kept", icon=":material/done:", type="primary",
            on_click=outside.put_key_away,
        )  # fmt: skip


def _where(shown: ShownKey) -> None:
    place = signals_reach.place()
    st.markdown(figures.escaped(text("signals_in.address")))
    st.code(f"{place.address}/webhook/{shown.key}", language=None, wrap_lines=True)
    st.caption(
        figures.escaped(text("signals_in.tradingview", addresses=", ".join(TRADINGVIEW_ADDRESSES)))
    )


def _message(shown: ShownKey) -> None:
    with st.expander(text("signals_in.message"), icon=":material/content_copy:"):
        st.caption(figures.escaped(text("signals_in.message_help")))
        st.code(tradingview_message(), language="json", wrap_lines=True)
    if shown.secret and shown.hmac_required:
        st.markdown(figures.escaped(text("signals_in.secret")))
        st.code(shown.secret, language=None, wrap_lines=True)
        st.caption(figures.escaped(text("signals_in.secret_help")))
    elif shown.hmac_required:
        st.warning(figures.escaped(text("signals_in.no_secret")), icon=":material/lock_open:")


def leave() -> None:
    """Forget key and test: another page is shown."""
    outside.put_key_away()
    signals_test.forget()
