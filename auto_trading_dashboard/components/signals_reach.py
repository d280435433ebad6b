"""Whether signals can arrive at all: the settings, and the process that takes them."""

from typing import Final, NamedTuple

import streamlit as st

from auto_trading_dashboard import services
from auto_trading_dashboard.components import control_reading, figures
from auto_trading_dashboard.components.live import live
from auto_trading_dashboard.preferences import text
from config.reach import Reach
from utils import reach_file

_SECONDS: Final = 5.0
# listens everywhere: reached from this machine by its own address
_ANY: Final = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104  only looked up


class Place(NamedTuple):
    """Where the HTTP server listens; `is_known` while it says so itself."""

    host: str
    port: int
    is_known: bool

    @property
    def address(self) -> str:
        return f"http://{self.host}:{self.port}"


def settings() -> Reach | None:
    """Return section `reach` as it is in force; None where the configuration cannot be read."""
    found = control_reading.settings()
    return None if found is None else found.reach


def place() -> Place:
    """Return where signals are sent to from this machine."""
    reach, told = settings(), reach_file.read(services.var_dir())
    host = "127.0.0.1" if reach is None else reach.host
    host = _ANY.get(host, f"[{host}]" if ":" in host else host)
    if told is not None and told.is_alive and told.port:
        return Place(host, told.port, True)
    return Place(host, services.environment().http_port, False)


def fault() -> str:
    """Return why no signal can arrive now, as a code of the catalogue; "" while one can."""
    reach = settings()
    if reach is not None and not reach.enabled:
        return "signals_in.reach_off"
    if reach is not None and not reach.webhooks:
        return "signals_in.webhooks_off"
    if reach_file.living(services.var_dir()) is None:
        return "signals_in.reach_gone"
    return ""


@live(_SECONDS)
def banner() -> None:
    """Say why no signal can arrive; where they can, say to which address."""
    code = fault()
    if code:
        st.warning(figures.escaped(text(code)), icon=":material/cloud_off:")
        return
    found = place()
    address = f"{found.host}:{found.port}"  # no link: a browser has no business there
    st.caption(figures.escaped(text("signals_in.listens", address=address)))
