"""What one person chose in one browser: language, profit colours. Kept in cookies of the console.

The time zone is the browser's own.
"""

import json
import os
from typing import Any, Final, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import streamlit as st

from auto_trading_dashboard import services
from utils.texts import Language, language_of, say

Palette = Literal["kr", "intl"]

_COOKIES: Final = {"language": "ctp_language", "palette": "ctp_palette"}
_COOKIE_TERMS: Final = "path=/; SameSite=Strict; max-age=31536000"  # a year
_ALLOWED: Final = {"language": tuple(Language), "palette": ("kr", "intl")}
# a theme that was chosen is stored under the page's path only: it is copied to every page's
_KEEP_THEME: Final = """<script>
(() => {
  if (window.ctpTheme) return; window.ctpTheme = true;
  const paths = %s, prefix = 'stActiveTheme-';
  const copy = () => {
    const here = localStorage.getItem(prefix + location.pathname + '-v2');
    if (here === null) return;
    for (const path of paths) {
      const key = prefix + path + '-v2';
      if (localStorage.getItem(key) !== here) localStorage.setItem(key, here);
    }
  };
  setInterval(copy, 500);
})();
</script>"""


def language() -> Language:
    """Return the chosen language, else the configured; "auto" is the browser's or the shell's."""
    chosen = _chosen("language")
    if chosen:
        return Language(chosen)
    browser = st.context.locale or ""
    configured = services.configured_language()
    return language_of(configured, {"LANG": browser} if browser else os.environ)


def text(code: str, **values: Any) -> str:
    """Return a sentence of the catalogue in the language of this session."""
    return say(language(), code, **values)


def palette() -> Palette:
    """Return the colours of profit: "kr" is red up, blue down; "intl" is green up, red down."""
    chosen = _chosen("palette")
    if chosen == "kr" or (not chosen and language() is Language.KOREAN):
        return "kr"
    return "intl"


def zone() -> ZoneInfo:
    """Return the browser's time zone; UTC where it names none that we know."""
    try:
        return ZoneInfo(st.context.timezone or "UTC")
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")


def choose(name: Literal["language", "palette"], value: str) -> None:
    """Take a choice for this tab; `keep` lets the browser remember it."""
    st.session_state[f"chosen_{name}"] = value


def keep(paths: list[str]) -> None:
    """Let the browser remember what was chosen in this tab. Takes no room on the page.

    Args:
        paths: of all pages.
    """
    chosen = {
        cookie: st.session_state[f"chosen_{name}"]
        for name, cookie in _COOKIES.items()
        if f"chosen_{name}" in st.session_state
    }
    lines = [
        f"document.cookie={json.dumps(f'{cookie}={value}; {_COOKIE_TERMS}')};"
        for cookie, value in chosen.items()
    ]
    script = f"<script>{''.join(lines)}</script>" if lines else ""
    st.html(_KEEP_THEME % json.dumps(paths) + script, unsafe_allow_javascript=True)


def _chosen(name: str) -> str:
    value = st.session_state.get(f"chosen_{name}") or st.context.cookies.get(_COOKIES[name], "")
    return value if value in _ALLOWED[name] else ""
