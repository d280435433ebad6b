"""The style that the configuration cannot give. One place, for `st-key-*` classes and test ids."""

from typing import Final

import streamlit as st

_STYLE: Final = """<style>
.stApp{font-variant-numeric:tabular-nums}
[data-testid=stLayoutWrapper]:has(>.st-key-header){position:sticky;top:2.4rem;z-index:99}
.stApp :has(.st-key-header),.st-key-header{background-color:inherit}
.st-key-header{border-bottom:1px solid rgba(128,138,150,.3);padding:.25rem 0 .5rem}
.st-key-notes [data-testid=stVerticalBlock]{gap:0}
[data-testid=stHeading] h2{padding-top:.2rem}
[data-testid=stMainBlockContainer]{padding:2.6rem 1.5rem 2rem}
[data-testid=stHeader]{height:2.4rem;min-height:2.4rem}
[data-testid=stStatusWidget]{display:none}  /* its "Stop" ends a script, not trading */
[data-stale="true"]{opacity:1!important;transition:none!important}
.st-key-emergency button{background:#c8202b;border-color:#c8202b;color:#fff;font-weight:600}
.st-key-emergency button:hover,.st-key-emergency button:focus-visible{background:#a3161f;
  border-color:#a3161f;color:#fff}
:is(button,a,input,textarea,summary,[role=button],[role=radio]):focus-visible{
  outline:2px solid #4689ff!important;outline-offset:2px}
/* a table that has made room for its successor stays a moment: what is below would jump */
[class*="st-key-rows_"]>:not(:first-child){display:none}
[data-testid=stCaptionContainer]{opacity:.75}  /* Streamlit's .6 is 4.4 : 1 on white */
[class*="st-key-stale_"]{opacity:.75;filter:grayscale(1)}  /* old, and still to be read */
[class*="st-key-stale_"] [data-testid=stCaptionContainer]{opacity:1}
@media(min-width:641px){[data-testid=stColumn]:has(>*>*>.st-key-settings_changes){position:sticky;
  top:9rem;align-self:flex-start;max-height:calc(100vh - 10rem);overflow-y:auto}}
@media(min-width:641px){[data-testid=stLayoutWrapper]:has(>.st-key-decisions_narrow){display:none}}
@media(max-width:640px){[data-testid=stLayoutWrapper]:has(>.st-key-decisions_wide){display:none}}
@media(max-width:640px){[data-testid=stMainBlockContainer]{padding-left:.75rem;padding-right:.75rem}}
</style>"""


def put() -> None:
    """Put the style in place; takes no room."""
    st.html(_STYLE)
