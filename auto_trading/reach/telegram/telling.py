"""/why /signals /logs: what was decided and why, what strategies said, what the engine logged."""

from typing import Final

from auto_trading.reach.telegram.answers import MISSING, Answer, block, escaped, exact
from auto_trading.reach.telegram.desk import Desk
from auto_trading.reach.telegram.symbols import known_symbol
from crypto_trader_pro.domain.errors import InputError
from crypto_trader_pro.domain.timeframes import to_ms
from crypto_trader_pro.explain.story import Story, story_at, story_of
from crypto_trader_pro.explain.wording import sentences
from database import decisions
from database.models import OrderRow
from database.types import MAX_BIG_ID
from database.views.decisions import recent_decisions
from database.views.signals import recent_signals
from utils.log_reading import Entry, LogFilter, newest

_SIGNALS: Final = 8
_LOGS: Final = 12
_LOG_LINE: Final = 220
_LEVEL: Final = "WARNING"
_STORY: Final = 3000  # characters, before they are escaped


def why(desk: Desk) -> Answer:
    """Return the story of a decision: of an order, of a symbol's newest, or of the newest.

    Raises:
        InputError: there is no such order, symbol or decision.
    """
    story = _story(desk, desk.words[0]) if desk.words else _newest(desk, None)
    lines = sentences(story, desk.language, desk.zone)
    number = story.decision.id or 0
    title = desk.say("telegram.title_why", decision=number)
    return desk.framed(title, escaped(_cut("\n".join(f"• {line}" for line in lines))))


def signals(desk: Desk) -> Answer:
    """Return what the strategies wanted last."""
    title = desk.say("telegram.title_signals")
    found = recent_signals(desk.session, desk.run.id, _SIGNALS)
    if not found:
        return desk.framed(title, escaped(desk.say("telegram.no_signals")))
    lines = []
    for s in found:
        kind = desk.word("signal", s.kind)
        sure = f"{s.confidence} %" if s.confidence else MISSING  # 0: the strategy states none
        mark = desk.say("telegram.acted_on" if s.executed else "telegram.not_acted_on")
        lines += [
            f"{desk.at(s.at)} {s.symbol}",
            f"  {kind} {sure} · {s.strategy} @ {exact(s.entry_price)}",
            f"  {mark}",
        ]
    return desk.framed(title, block(lines))


def logs(desk: Desk) -> Answer:
    """Return the newest warnings and errors of the engine's log, oldest first.

    Raises:
        InputError: the word is no level.
    """
    level = desk.words[0].upper()[:16] if desk.words else _LEVEL
    folder = desk.tools.environment.var_dir / "logs"
    found = newest(folder, LogFilter(level), _LOGS)
    title = desk.say("telegram.title_logs", level=level)
    if not found:
        return desk.framed(title, escaped(desk.say("telegram.no_logs")))
    return desk.framed(title, block(_log_line(desk, entry) for entry in found))


def _log_line(desk: Desk, entry: Entry) -> str:
    at, level = str(entry.get("at", "-"))[11:19], str(entry.get("level", "-"))
    said = " ".join(str(entry.get("message", "")).split())
    if entry.get("exception"):
        said += " | " + str(entry["exception"]).strip().splitlines()[-1]
    line = desk.tools.redactor.text(f"{at} {level} {said}")
    return line if len(line) <= _LOG_LINE else f"{line[: _LOG_LINE - 1]}…"


def _story(desk: Desk, word: str) -> Story:
    if word.isascii() and word.removeprefix("#").isdecimal():
        number = int(word.removeprefix("#")[:20])
        return story_of(desk.session, min(number, MAX_BIG_ID))
    order = desk.session.get(OrderRow, word[:64])
    if order is not None:
        return _of_order(desk, order)
    return _newest(desk, known_symbol(desk, word))


def _of_order(desk: Desk, order: OrderRow) -> Story:
    found = decisions.at(desk.session, order.run_id, order.symbol, to_ms(order.decided_at))
    if found is None:
        raise InputError(desk.say("telegram.no_decision_of", order=order.client_order_id))
    return story_at(desk.session, f"r{order.run_id}", order.symbol, found.at_ms)


def _newest(desk: Desk, symbol: str | None) -> Story:
    """Return the newest decision that wanted something, else the newest of all."""
    for with_holds in (False, True):
        found = recent_decisions(desk.session, desk.run.id, 1, symbol=symbol, with_holds=with_holds)
        if found:
            return story_of(desk.session, found[0].id)
    raise InputError(desk.say("telegram.no_decision"))


def _cut(text: str) -> str:
    if len(text) <= _STORY:
        return text
    return text[:_STORY].rpartition("\n")[0] + "\n…"
