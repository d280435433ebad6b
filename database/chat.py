"""What came by chat: stored before anything is done about it, and never done twice."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, select, update

from database import reach_state
from database.models import ChatCommandRow

MUTED: Final = "telegram.mute"  # under which the end of silence is remembered
# a bot without an update for a week numbers them anew, from anywhere:
# https://core.telegram.org/bots/api#update
_NUMBERS_HOLD: Final = timedelta(days=5)


class Outcome(StrEnum):
    """What became of an update."""

    TAKEN = "taken"  # stored, and not yet answered
    DONE = "done"
    ASKED = "asked"  # of the engine: `command_id` says what became of it
    CONFIRM = "confirm"  # a person has to confirm it by a button
    CANCELED = "canceled"  # by that button
    FAILED = "failed"
    INTERRUPTED = "interrupted"  # this process ended before it was done; nothing does it now
    INPUT = "refused_input"
    CHAT = "refused_chat"
    USER = "refused_user"
    FORWARDED = "refused_forwarded"
    VIA_BOT = "refused_via_bot"
    EDITED = "refused_edited"
    CHANNEL = "refused_channel"
    STALE = "refused_stale"
    PRESS = "refused_press"  # too late, a second time, or another person's
    OTHER_BOT = "refused_other_bot"
    NO_COMMAND = "refused_no_command"
    UNREADABLE = "refused_unreadable"
    BUSY = "refused_busy"


def record(session: Session, rows: Sequence[ChatCommandRow], now: datetime) -> set[int]:
    """Store what came, and up to where; return the numbers (`update_id`) that are new.

    An update that is stored already stays as it is.

    Args:
        rows: of one bot.
    """
    new = set()
    for row in rows:
        try:
            with session.begin_nested():
                session.add(row)
        except IntegrityError:  # it came before; any other fault shows at the next statement
            continue
        new.add(row.update_id)
    if rows:
        last = max(row.update_id for row in rows)
        reach_state.put(session, _place(rows[0].bot), {"last": last, "at": now.isoformat()}, now)
    return new


def last_update(session: Session, bot: str, now: datetime) -> int | None:
    """Return the number up to which everything was stored; None where that says nothing."""
    found = reach_state.get(session, _place(bot))
    if found is None or now - datetime.fromisoformat(found["at"]) > _NUMBERS_HOLD:
        return None
    return int(found["last"])


def settle(
    session: Session, bot: str, update_id: int, outcome: Outcome, command_id: str | None = None
) -> None:
    """Note what became of an update."""
    row = ChatCommandRow
    own = update(row).where(col(row.bot) == bot, col(row.update_id) == update_id)
    session.exec(own.values(outcome=outcome.value, command_id=command_id))


def interrupted(session: Session, bot: str) -> list[ChatCommandRow]:
    """Mark what was stored and never settled as interrupted; return it, oldest first."""
    row = ChatCommandRow
    query = select(row).where(col(row.bot) == bot, col(row.outcome) == Outcome.TAKEN.value)
    found = list(session.exec(query.order_by(col(row.id))))
    for one in found:
        one.outcome = Outcome.INTERRUPTED.value
    session.flush()
    return found


def newest(
    session: Session, *, limit: int = 50, before_id: int | None = None
) -> list[ChatCommandRow]:
    """Return what came by chat, newest first; `before_id` continues after the last one shown."""
    row = ChatCommandRow
    query = select(row).order_by(col(row.id).desc()).limit(limit)
    if before_id is not None:
        query = query.where(col(row.id) < before_id)
    return list(session.exec(query))


def mute(session: Session, until: datetime | None, now: datetime) -> None:
    """Have no messages sent to the chat until then; None ends the silence."""
    value = None if until is None else {"until": until.isoformat()}
    reach_state.put(session, MUTED, value, now)


def muted_until(session: Session, now: datetime) -> datetime | None:
    """Return when the silence of the chat ends; None where it is not silent."""
    found = reach_state.get(session, MUTED)
    until = None if found is None else datetime.fromisoformat(found["until"])
    return until if until is not None and until > now else None


def _place(bot: str) -> str:
    return f"telegram.{bot}"
