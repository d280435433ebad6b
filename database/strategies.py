"""Strategies from outside: who may send signals, by which key, and how much money they may hold.

A key is 256 random bits; only its SHA-256 is stored, and its last characters, to tell keys apart.
"""

import hashlib
import hmac
import ipaddress
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final, NamedTuple

from sqlalchemy import Row
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, select

from config.strategies import Strategies
from crypto_trader_pro.domain.errors import InputError
from database import lease
from database.models import StrategyAccountRow, StrategyCapitalRow, StrategyRow
from database.types import MAX_ID, exact

MAX_PER_MINUTE: Final = 60_000
MAX_NETWORKS: Final = 50
MAX_SYMBOLS: Final = 100
_KEY_BYTES: Final = 32
_HINT: Final = 4
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,39}")
_NAME_ALLOWED: Final = "1 to 40 letters, digits, points, dashes and underscores, no sign first"


class NewKey(NamedTuple):
    """A strategy with its key, which is shown this once and never again."""

    row: StrategyRow
    key: str


@dataclass(frozen=True, slots=True)
class Changes:
    """What to change of a strategy; None leaves it as it is."""

    name: str | None = None
    description: str | None = None
    hmac_required: bool | None = None
    allowed_ips: Sequence[str] | None = None
    symbols: Sequence[str] | None = None
    per_minute: int | None = None


def key_hash(key: str) -> str:
    """Return what is stored of a key: 64 hex digits."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def signing_secret(master: str, row: StrategyRow) -> str:
    """Return what a strategy signs its signals with, 64 hex digits; a new key makes a new one.

    Args:
        master: CTP_WEBHOOK_HMAC_SECRET.
    """
    named = f"{row.id}:{row.key_hash}".encode()
    return hmac.new(master.encode(), named, hashlib.sha256).hexdigest()


def create(
    session: Session, name: str, by: str, now: datetime, *, changes: Changes | None = None,
    account: str = lease.ACCOUNT,
) -> NewKey:  # fmt: skip
    """Insert a strategy that trades on `account`, and return it with its key.

    Raises:
        InputError: a name that is taken or not allowed, or a value that cannot be used.
    """
    key = secrets.token_urlsafe(_KEY_BYTES)
    row = StrategyRow(
        name=_name(name), key_hash=key_hash(key), key_hint=key[-_HINT:], key_made_at=now,
        allowed_ips=[], symbols=[], created_at=now, created_by=by, updated_at=now,
    )  # fmt: skip
    _change(row, changes or Changes())
    try:
        with session.begin_nested():
            session.add(row)
    except IntegrityError as error:
        raise InputError(f"strategy {name!r} is there already, allowed: another name") from error
    session.add(StrategyAccountRow(strategy_id=number(row), account=account))
    session.flush()
    return NewKey(row, key)


def rotate(session: Session, strategy_id: int, now: datetime) -> NewKey:
    """Give a strategy a new key; the old one ends at once.

    Raises:
        InputError: no such strategy.
    """
    row = find(session, strategy_id)
    key = secrets.token_urlsafe(_KEY_BYTES)
    row.key_hash, row.key_hint = key_hash(key), key[-_HINT:]
    row.key_made_at = row.updated_at = now
    session.flush()
    return NewKey(row, key)


def set_active(session: Session, strategy_id: int, active: bool, now: datetime) -> StrategyRow:
    """Switch a strategy on or off; off, its key opens nothing.

    Raises:
        InputError: no such strategy.
    """
    row = find(session, strategy_id)
    row.is_active, row.updated_at = active, now
    session.flush()
    return row


def edit(session: Session, strategy_id: int, changes: Changes, now: datetime) -> StrategyRow:
    """Change what is given, all or nothing.

    Raises:
        InputError: no such strategy, a name that is taken, or a value that cannot be used.
    """
    row = find(session, strategy_id)
    _change(row, changes)
    row.updated_at = now
    try:
        with session.begin_nested():
            session.flush()
    except IntegrityError as error:
        allowed = "allowed: another name"
        raise InputError(f"strategy {changes.name!r} is there already, {allowed}") from error
    return row


def find(session: Session, strategy_id: int) -> StrategyRow:
    """Return a strategy by its number.

    Raises:
        InputError: no such strategy.
    """
    row = session.get(StrategyRow, strategy_id) if 0 < strategy_id <= MAX_ID else None
    if row is None:
        raise InputError(f"there is no strategy {strategy_id}")
    return row


def by_name(session: Session, name: str) -> StrategyRow:
    """Return a strategy by its name.

    Raises:
        InputError: no such strategy; names those that there are.
    """
    row = session.exec(select(StrategyRow).where(StrategyRow.name == name)).first()
    if row is None:
        there = ", ".join(other.name for other in listed(session)) or "none yet"
        raise InputError(f"there is no strategy {name!r}, allowed: {there}")
    return row


def by_key_hash(session: Session, stored: str) -> StrategyRow | None:
    """Return the active strategy whose key has this hash, or None."""
    found = select(StrategyRow).where(StrategyRow.key_hash == stored)
    return session.exec(found.where(col(StrategyRow.is_active))).first()


def listed(session: Session) -> list[StrategyRow]:
    """Return all strategies by name."""
    return list(session.exec(select(StrategyRow).order_by(col(StrategyRow.name))))


def set_capital(
    session: Session, strategy_id: int, amount: Decimal | None, by: str, now: datetime, *,
    account: str = lease.ACCOUNT,
) -> None:  # fmt: skip
    """Bound what a strategy may hold on an account.

    Args:
        amount: in the account's quote currency; None lifts the bound.

    Raises:
        InputError: no such strategy, or an amount that is not above 0.
    """
    find(session, strategy_id)
    link = _link(session, strategy_id, account)
    if link is None:
        link = StrategyAccountRow(strategy_id=strategy_id, account=account)
        session.add(link)
        session.flush()
    query = select(StrategyCapitalRow).where(StrategyCapitalRow.strategy_account_id == link.id)
    row = session.exec(query).first()
    if amount is None:
        if row is not None:
            session.delete(row)
    elif row is None:
        session.add(
            StrategyCapitalRow(
                strategy_account_id=number(link), allocated_capital=_amount(amount),
                updated_at=now, updated_by=by,
            )
        )  # fmt: skip
    else:
        row.allocated_capital, row.updated_at, row.updated_by = _amount(amount), now, by
    session.flush()


def capital(session: Session, strategy_id: int, *, account: str = lease.ACCOUNT) -> Decimal | None:
    """Return the bound of `set_capital`; None where there is none."""
    return capitals(session, account=account).get(strategy_id)


def capitals(session: Session, *, account: str = lease.ACCOUNT) -> dict[int, Decimal]:
    """Return the bounds of all strategies on an account, by strategy."""
    link, row = StrategyAccountRow, StrategyCapitalRow
    query = (
        select(col(link.strategy_id), col(row.allocated_capital))
        .join(row, col(row.strategy_account_id) == col(link.id))
        .where(col(link.account) == account, col(link.is_active))
    )
    rows: Sequence[Row[int, Decimal]] = session.connection().execute(query).all()
    return {strategy_id: amount for strategy_id, amount in rows}  # noqa: C416  mypy: rows


def number(row: StrategyRow | StrategyAccountRow) -> int:
    """Return the id of a stored row."""
    if row.id is None:
        raise InputError("the row is not stored yet")
    return row.id


def _link(session: Session, strategy_id: int, account: str) -> StrategyAccountRow | None:
    row = StrategyAccountRow
    query = select(row).where(row.strategy_id == strategy_id, row.account == account)
    return session.exec(query).first()


def _change(row: StrategyRow, changes: Changes) -> None:
    """Check everything, then change it, so that a fault changes nothing."""
    name = row.name if changes.name is None else _name(changes.name)
    description = row.description if changes.description is None else changes.description.strip()
    if len(description) > 200:
        raise InputError(f"description has {len(description)} characters, allowed: at most 200")
    networks = row.allowed_ips if changes.allowed_ips is None else _networks(changes.allowed_ips)
    symbols = row.symbols if changes.symbols is None else _symbols(changes.symbols)
    per_minute = row.per_minute if changes.per_minute is None else changes.per_minute
    if not 1 <= per_minute <= MAX_PER_MINUTE:
        raise InputError(f"per_minute was {per_minute}, allowed: 1 to {MAX_PER_MINUTE}")
    row.name, row.description, row.per_minute = name, description, per_minute
    row.allowed_ips, row.symbols = networks, symbols
    if changes.hmac_required is not None:
        row.hmac_required = changes.hmac_required


def _name(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise InputError(f"strategy name was {name[:60]!r}, allowed: {_NAME_ALLOWED}")
    if name in Strategies.model_fields:  # or nobody could tell whose an order is
        raise InputError(f"strategy name was {name!r}, which is one of the platform's own")
    return name


def _networks(given: Sequence[str]) -> list[str]:
    if len(given) > MAX_NETWORKS:
        raise InputError(f"allowed_ips has {len(given)} networks, allowed: at most {MAX_NETWORKS}")
    found = []
    for text in given:
        try:
            found.append(str(ipaddress.ip_network(text.strip(), strict=False)))
        except ValueError:
            raise InputError(
                f"allowed_ips was {text[:60]!r}, allowed: an IP address or network as 10.0.0.0/8"
            ) from None
    return list(dict.fromkeys(found))


def _symbols(given: Sequence[str]) -> list[str]:
    if len(given) > MAX_SYMBOLS:
        raise InputError(f"symbols has {len(given)} entries, allowed: at most {MAX_SYMBOLS}")
    for text in given:
        if not re.fullmatch(r"[A-Z0-9]+/[A-Z0-9]+(?::[A-Z0-9]+)?", text) or len(text) > 32:
            raise InputError(f"symbol was {text[:60]!r}, allowed: one as BTC/USDT")
    return list(dict.fromkeys(given))


def _amount(amount: Decimal) -> Decimal:
    try:
        if amount.is_finite() and amount > 0:
            return exact(amount)
    except ValueError:
        pass
    raise InputError(f"capital was {amount}, allowed: an amount above 0 with up to 18 places")
