"""The pages of the console, in sections. The names in addresses never change with the language."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class PageEntry:
    """One page.

    Args:
        name: of its texts: `<name>.title`, `<name>.help`.
        file: beside this module.
        path: in the address; "" is the first page.
    """

    name: str
    file: str
    path: str
    icon: str


SECTIONS: Final = {
    "operate": (
        PageEntry("control", "control_panel.py", "", "tune"),
        PageEntry("monitoring", "monitoring.py", "monitoring", "candlestick_chart"),
        PageEntry("signals_in", "signals_in.py", "signals", "cell_tower"),
        PageEntry("alerts", "alerts_view.py", "alerts", "notifications"),
    ),
    "analyse": (
        PageEntry("decisions", "decisions.py", "decisions", "fact_check"),
        PageEntry("performance", "performance_tracker.py", "performance", "monitoring"),
        PageEntry("backtest_lab", "backtest_lab.py", "backtest", "science"),
        PageEntry("models", "models_view.py", "models", "neurology"),
    ),
    "system": (
        PageEntry("settings", "settings_page.py", "settings", "settings"),
        PageEntry("jobs", "jobs_view.py", "jobs", "schedule"),
        PageEntry("logs", "logs_viewer.py", "logs", "article"),
        PageEntry("walk", "walk.py", "walk", "menu_book"),
    ),
}


def entries() -> list[PageEntry]:
    """Return every page."""
    return [entry for section in SECTIONS.values() for entry in section]
