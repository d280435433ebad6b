"""What surrounds every page: the style that configuration cannot give, and the source banner."""

from typing import Final

import streamlit as st

from auto_trading_dashboard.services import text

_STYLE: Final = """<style>
.stApp{font-variant-numeric:tabular-nums}
.st-key-header{position:sticky;top:0;z-index:99;background:var(--st-background-color);
  border-bottom:1px solid var(--st-border-color);padding:.25rem 0 .5rem}
[data-testid=stMainBlockContainer]{padding:2.6rem 1.5rem 2rem}
[data-testid=stHeader]{height:2.4rem;min-height:2.4rem}
[data-stale="true"]{opacity:1!important;transition:none!important}
.st-key-emergency button{background:#c8202b;border-color:#c8202b;color:#fff;font-weight:600}
.st-key-emergency button:hover,.st-key-emergency button:focus-visible{background:#a3161f;
  border-color:#a3161f;color:#fff}
@media(max-width:640px){[data-testid=stMainBlockContainer]{padding-left:.75rem;padding-right:.75rem}}
</style>"""
_BANNERS: Final = ("demo", "exchange", "replay")


def style() -> None:
    """Put the style in place; takes no room."""
    st.html(_STYLE)


def banner(source: str) -> None:
    """Say where the prices come from. Nothing before that is known."""
    if source not in _BANNERS:
        return
    sentence = text(f"banner.{source}")
    if source == "demo":
        st.warning(sentence, icon=":material/science:")
    else:
        st.info(sentence, icon=":material/info:")
