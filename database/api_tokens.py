"""Tokens that read the JSON API: 256 random bits, shown once, of which only the hash is stored."""

import re
import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, or_, select, update

from crypto_trader_pro.domain.errors import InputError
from database.models import ApiTokenRow
from database.strategies import key_hash
from database.types import MAX_ID

PREFIX: Final = "ctp_"  # so that scanners of leaked secrets know it
SHAPE: Final = re.compile(rf"{PREFIX}[\w-]{{43}}", re.ASCII)
USED_EVERY: Final = timedelta(minutes=1)
_HINT: Final = 4
_DIGITS: Final = 20  # of a number; no row has as many
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9 _.-]{0,39}")


def create(session: Session, name: str, by: str, now: datetime) -> tuple[ApiTokenRow, str]:
    """Insert a token and return its row with the token itself, which is told this once.

    Raises:
        InputError: a name that is taken or not allowed.
    """
    if not _NAME.fullmatch(name):
        allowed = "1 to 40 letters, digits, spaces, points, dashes and underscores"
        raise InputError(f"token name was {name[:60]!r}, allowed: {allowed}")
    token = PREFIX + secrets.token_urlsafe(32)
    row = ApiTokenRow(
        name=name, token_hash=key_hash(token), hint=token[-_HINT:], created_at=now, created_by=by
    )
    try:
        with session.begin_nested():
            session.add(row)
    except IntegrityError as error:
        raise InputError(f"token {name!r} is there already, allowed: another name") from error
    return row, token


def listed(session: Session) -> list[ApiTokenRow]:
    """Return all tokens, revoked ones too, oldest first."""
    return list(session.exec(select(ApiTokenRow).order_by(col(ApiTokenRow.id))))


def number_of(session: Session, reference: str) -> int:
    """Return the number of a token that is named by its number or, where there is none, its name.

    Raises:
        InputError: no such token.
    """
    if reference.isascii() and reference.isdecimal() and len(reference) <= _DIGITS:
        number = int(reference)
        if number <= MAX_ID and session.get(ApiTokenRow, number) is not None:
            return number
    row = session.exec(select(ApiTokenRow).where(ApiTokenRow.name == reference)).first()
    if row is None or row.id is None:
        raise InputError(f"there is no token {reference[:60]}, allowed: one of `tokens list`")
    return row.id


def revoke(session: Session, token_id: int, now: datetime) -> ApiTokenRow:
    """End a token for good. The first time stays; doing it again changes nothing.

    Raises:
        InputError: no such token.
    """
    row = session.get(ApiTokenRow, token_id) if 0 < token_id <= MAX_ID else None
    if row is None:
        raise InputError(f"there is no token {token_id}")
    if row.revoked_at is None:
        row.revoked_at = now
        session.flush()
    return row


def verify(session: Session, token: str, now: datetime) -> ApiTokenRow | None:
    """Return the row of a token that holds, None for any other; note that it was used."""
    row = ApiTokenRow
    query = select(row).where(row.token_hash == key_hash(token), col(row.revoked_at).is_(None))
    found = session.exec(query).first()
    if found is not None and found.id is not None:
        touch(session, found.id, now)
    return found


def active(session: Session) -> Mapping[str, int]:
    """Return the numbers of the tokens that hold, by hash."""
    row = ApiTokenRow
    query = select(col(row.token_hash), col(row.id)).where(col(row.revoked_at).is_(None))
    return {stored: number for stored, number in session.exec(query) if number is not None}


def touch(session: Session, token_id: int, now: datetime) -> None:
    """Note that a token was used; within `USED_EVERY` of the last time nothing is written."""
    row = ApiTokenRow
    is_old = or_(col(row.last_used_at).is_(None), col(row.last_used_at) <= now - USED_EVERY)
    used = update(row).where(col(row.id) == token_id, is_old).values(last_used_at=now)
    session.exec(used.execution_options(synchronize_session="fetch"))
