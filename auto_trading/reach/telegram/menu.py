"""The commands there are, and what each does."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Final, NamedTuple

from telegram import BotCommand

from auto_trading.reach.telegram import about, alerting, asking, charts, earning, seeing, telling
from auto_trading.reach.telegram.desk import Look
from utils.texts import Language, say

URGENT: Final = asking.URGENT


class Command(NamedTuple):
    """A command; `look` is None for one that is done at once, see `asking.URGENT`."""

    arguments: str
    look: Look | None


_LOOKS: Final[dict[str, Command]] = {
    "start": Command("", about.start),
    "status": Command("", seeing.status),
    "positions": Command("", seeing.positions),
    "orders": Command("", seeing.orders),
    "balance": Command("", seeing.account_balance),
    "profit": Command("", earning.profit),
    "daily": Command("[N]", earning.daily),
    "performance": Command("", earning.performance),
    "why": Command("[SYMBOL|ORDER|#N]", telling.why),
    "signals": Command("", telling.signals),
    "chart": Command("[SYMBOL|equity]", charts.chart),
    "stop": Command("", None),
    "pause": Command("", None),
    "resume": Command("", asking.resume),
    "close": Command("SYMBOL", asking.close),
    "closeall": Command("[MINUTES]", asking.close_all),
    "emergency": Command("", None),
    "alerts": Command("", alerting.open_alerts),
    "mute": Command("[30m|2h|off]", alerting.mute),
    "logs": Command("[LEVEL]", telling.logs),
    "config": Command("", about.configuration),
    "health": Command("", about.health),
    "version": Command("", about.version),
}
_NAMES: Final = (*((name, c.arguments) for name, c in _LOOKS.items()), ("help", ""))
COMMANDS: Final[Mapping[str, Command]] = {
    **_LOOKS, "help": Command("", partial(about.help_text, names=_NAMES)),
}  # fmt: skip


def registered(usual: Language) -> dict[str, Sequence[BotCommand]]:
    """Return what Telegram shows of the commands, by its language codes; "" is for all others."""
    found: dict[str, Sequence[BotCommand]] = {"": _described(usual)}
    return found | {language.value: _described(language) for language in Language}


def _described(language: Language) -> list[BotCommand]:
    return [BotCommand(name, say(language, f"telegram.command_{name}")) for name in COMMANDS]
