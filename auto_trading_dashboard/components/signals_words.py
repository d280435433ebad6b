"""Words and colours of the journal of signals."""

from typing import Final

from auto_trading_dashboard.components import asking, figures
from auto_trading_dashboard.preferences import language, text
from auto_trading_dashboard.queries.signals_in import Entry
from database.commands import CommandStatus
from database.webhooks import WebhookStatus
from utils.texts import catalogue

STATUSES: Final = {
    WebhookStatus.ACCEPTED: "green", WebhookStatus.DUPLICATE: "gray", WebhookStatus.REFUSED: "red",
}  # fmt: skip
_ASKED: Final = {
    CommandStatus.DONE: "green", CommandStatus.REFUSED: "red", CommandStatus.EXPIRED: "red",
    CommandStatus.TAKEN: "blue",
}  # fmt: skip


def status(entry: Entry) -> str:
    """Return how an entry stands, in words; one of another version as it is stored."""
    return _known(f"signals_in.status_{entry.status}", entry.status)


def form(entry: Entry) -> str:
    return _known(f"signals_in.form_{entry.form}", entry.form) if entry.form else figures.MISSING


def action(entry: Entry) -> str:
    """Return what was asked for, with its symbol."""
    if not entry.action:
        return figures.MISSING
    return f"{_known(f'signals_in.action_{entry.action}', entry.action)} {entry.symbol}".strip()


def engine(entry: Entry) -> str:
    """Return what the engine answered, in one sentence; before that, how the request stands."""
    if entry.asked is None:
        return figures.MISSING
    said = asking.answer(entry.answer)
    state = text(f"page.{entry.asked.value}")
    return f"{state}: {said}" if said else state


def became(entry: Entry) -> str:
    """Return Markdown of what the engine made of a signal."""
    if entry.asked is None:
        return figures.escaped(text("signals_in.nothing_asked"))
    badge = figures.badge(text(f"page.{entry.asked.value}"), _ASKED.get(entry.asked, "gray"))
    return f"{badge} {figures.escaped(asking.answer(entry.answer))}".strip()


def _known(code: str, otherwise: str) -> str:
    return catalogue(language()).get(code, otherwise)
