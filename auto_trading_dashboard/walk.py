"""The walk: what happens in one turn of the engine, and how each page is read."""

import json
from typing import Final

import streamlit as st

from auto_trading_dashboard.components import figures, page, walk_text
from auto_trading_dashboard.components.live import guarded
from auto_trading_dashboard.components.walk_text import Section
from auto_trading_dashboard.preferences import language, text
from crypto_trader_pro.domain.errors import InputError

# headings stop below the frame's head; Korean words are not broken within
_STYLE: Final = """<style>
[data-testid=stHeading] [id]{scroll-margin-top:9rem}
@media (max-width:640px){[data-testid=stHeading] [id]{scroll-margin-top:14rem}}
[data-testid=stMarkdownContainer] :is(td,th){word-break:keep-all}
</style>"""
# brings the section that an address asks for into sight, and keeps it there while what stands above
# it is still growing; a reader who scrolls ends that
_SCROLL: Final = """<script>
(() => {
  const name = %s;
  let tries = 0, still = 0, top = null;
  const end = () => clearInterval(look);
  const look = setInterval(() => {
    if (++tries > 40 || still >= 5) return end();
    const found = document.getElementById(name);
    if (!found) return;
    const now = found.getBoundingClientRect().top;
    still = now === top ? still + 1 : 0;
    if (!still) found.scrollIntoView({block: 'start'});
    top = found.getBoundingClientRect().top;
  }, 100);
  for (const moved of ['wheel', 'touchmove', 'keydown', 'mousedown'])
    addEventListener(moved, end, {once: true, passive: true});
})();
</script>"""


@guarded
def show() -> None:
    try:
        parts = walk_text.sections(language())
    except InputError as e:
        st.error(figures.escaped(text("walk.unreadable", why=str(e))), icon=":material/error:")
        return
    st.html(_STYLE)
    with st.container(border=True, key="walk_contents"):
        st.markdown("\n".join(map(_entry, parts)))
    for part in parts:
        heading = st.header if part.level == 2 else st.subheader
        heading(part.title, anchor=part.anchor)
        st.markdown(part.body, anchors=False)
    wanted = st.query_params.get("section", "")
    if any(part.anchor == wanted for part in parts):
        st.html(_SCROLL % json.dumps(wanted), unsafe_allow_javascript=True)


def _entry(part: Section) -> str:
    return f"{'    ' * (part.level - 2)}- [{part.title}](#{part.anchor})"


page.head("walk")
show()
