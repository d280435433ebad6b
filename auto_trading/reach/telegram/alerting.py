"""/alerts /mute: what waits for a person, and not being told for a while."""

import re
from datetime import timedelta
from typing import Final

from auto_trading.reach.telegram.answers import Answer, Button, bold, escaped
from auto_trading.reach.telegram.desk import Desk
from crypto_trader_pro.domain.errors import InputError
from crypto_trader_pro.explain.alerts import sentence
from database import alerts, chat
from database.auto_trading_db import unit_of_work
from database.models import AlertRow

SHOWN: Final = 5  # alerts of one answer; their numbers fit into one button
_LONGEST: Final = 400  # characters of one alert
_SPAN: Final = re.compile(r"(\d{1,4})(m|min|h)?")
_USUAL: Final = 30  # minutes
_MOST: Final = 24 * 60


def open_alerts(desk: Desk) -> Answer:
    """Return the newest alerts that nobody has acknowledged, with buttons that do so."""
    title = desk.say("telegram.title_alerts")
    found = alerts.open_alerts(desk.session, limit=SHOWN)
    if not found:
        return desk.framed(title, escaped(desk.say("operate.no_alerts")))
    parts = [_alert(desk, row) for row in found]
    total = alerts.count_open(desk.session)
    if total > len(found):
        parts.append(escaped(desk.say("telegram.more_alerts", count=total - len(found))))
    numbers = [str(row.id) for row in found]
    label = desk.say("telegram.button_ack")
    rows = [[Button(f"✓ {n}", f"k:{n}") for n in numbers]]
    if len(numbers) > 1:
        rows.append([Button(f"✓ {label}", f"k:{','.join(numbers)}")])
    return desk.framed(f"{title} ({total})", *parts, buttons=rows)


def mute(desk: Desk) -> Answer:
    """Have the chat left in peace: 30 minutes, as long as is said, or "off".

    Raises:
        InputError: the word is no time span up to a day.
    """
    title = desk.say("telegram.title_mute")
    word = desk.words[0].lower() if desk.words else f"{_USUAL}m"
    until = None if word == "off" else desk.now + timedelta(minutes=_minutes(desk, word))
    with unit_of_work(desk.tools.writer, "the silence") as session:
        chat.mute(session, until, desk.now)
    if until is None:
        return desk.framed(title, escaped(desk.say("telegram.unmuted")))
    return desk.framed(title, escaped(desk.say("telegram.muted", until=desk.at(until))))


def _minutes(desk: Desk, word: str) -> int:
    found = _SPAN.fullmatch(word)
    minutes = 0 if found is None else int(found[1]) * (60 if found[2] == "h" else 1)
    if not 0 < minutes <= _MOST:
        allowed = desk.say("telegram.allowed_mute")
        raise InputError(desk.say("telegram.bad_argument", given=word[:32], allowed=allowed))
    return minutes


def _alert(desk: Desk, row: AlertRow) -> str:
    severity = desk.say(f"alerts.severity_{row.severity}")
    said = sentence(row.code, row.numbers, desk.language, desk.zone)
    said = said if len(said) <= _LONGEST else f"{said[: _LONGEST - 1]}…"
    return f"{bold(f'#{row.id} {severity}')} {escaped(f'{desk.at(row.raised_at)} {said}')}"
