"""`webhooks`: strategies whose signals come from outside, their keys, and what came."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any, Final, TypeVar

import typer
from sqlmodel import Session

from auto_trading.asking import operator
from config.loading import load
from crypto_trader_pro.cli.confirming import Yes, confirm
from crypto_trader_pro.cli.context import database, day_zone, environment, language
from crypto_trader_pro.cli.output import AsJson, print_json, print_pairs, print_rows
from crypto_trader_pro.cli.which_run import reading
from crypto_trader_pro.domain.errors import InputError
from crypto_trader_pro.explain.answers import answer_text
from database import strategies as stored
from database import webhooks as journal
from database import wishes
from database.auto_trading_db import unit_of_work
from database.models import StrategyRow, WebhookLogRow
from database.strategies import Changes, NewKey
from database.webhooks import Filter, WebhookStatus
from utils.clocks import SystemClock
from utils.signal_messages import tradingview_message
from utils.texts import say

webhooks = typer.Typer(help="Signals from outside and their keys.", no_args_is_help=True)

T = TypeVar("T")

_MOST: Final = 1000
_COLUMNS: Final = (
    "id",
    "received_at",
    "strategy",
    "status",
    "form",
    "alert_id",
    "remote",
    "reason",
)
_MADE: Final = ("action", "symbol", "engine", "answer", "decided_at")  # of the wish
_SHOWN: Final = (
    "id", "received_at", "strategy", "status", "action", "symbol", "engine", "reason",
)  # fmt: skip
_WHOLE: Final = (*_COLUMNS, "command_id", "replay_of", "replayed_by", "body")
Name = Annotated[str, typer.Argument(help="Name of the strategy.")]


@webhooks.command("list")
def list_(
    strategy: Annotated[str | None, typer.Option(help="Only of this strategy.")] = None,
    status: Annotated[
        str | None, typer.Option(help="Only accepted, duplicate or refused ones.")
    ] = None,
    lines: Annotated[int, typer.Option(help="How many, newest first.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List the signals that came and what the engine made of each.

    Example: python -m crypto_trader_pro webhooks list --status refused
    """
    if not 0 < lines <= _MOST:
        raise InputError(f"--lines was {lines}, allowed: 1 to {_MOST}")
    if status is not None and status not in list(WebhookStatus):
        raise InputError(f"--status was {status!r}, allowed: {', '.join(WebhookStatus)}")
    wanted = None if status is None else WebhookStatus(status)
    with reading("the journal of webhooks") as session:
        number = None
        if strategy is not None:
            number = stored.number(stored.by_name(session, strategy))
        found = journal.journal_page(session, Filter(number, wanted), limit=lines)
        made = _made(session, found)
        rows = [{**_row(row, _COLUMNS), **made[row.command_id]} for row in found]
    if as_json:
        print_json({"signals": rows})
    elif rows:
        for row in rows:  # why the engine refused stands where a refusal here does
            row["reason"] = row["reason"] or row["answer"]
        print_rows(_SHOWN, [[row[name] for name in _SHOWN] for row in rows], zone=day_zone())
    else:
        typer.echo(say(language(), "command.no_signals"))


@webhooks.command("show")
def show(
    entry: Annotated[int, typer.Argument(help="Number of the signal, see `webhooks list`.")],
    as_json: AsJson = False,
) -> None:
    """Show one signal as it came, and what the engine made of it; `why --at` takes `decided_at`.

    Example: python -m crypto_trader_pro webhooks show 12
    """
    with reading("the journal of webhooks") as session:
        row = journal.find(session, entry)
        found = {**_row(row, _WHOLE), **_made(session, [row])[row.command_id]}
    print_json(found) if as_json else print_pairs(found)


@webhooks.command("replay")
def replay(
    entry: Annotated[int, typer.Argument(help="Number of the signal, see `webhooks list`.")],
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Repeat an accepted signal as a new one; the rules of risk decide again.

    Example: python -m crypto_trader_pro webhooks replay 12
    """
    confirm(say(language(), "command.ask_replay", id=entry), yes=yes)
    found = _changed(
        lambda session, now: _row(journal.replay(session, entry, operator("cli"), now), _WHOLE)
    )
    if as_json:
        print_json(found)
    else:
        typer.echo(say(language(), "command.replayed", id=found["id"]))


@webhooks.command("create")
def create(
    name: Name,
    description: Annotated[str, typer.Option(help="What it is, for people.")] = "",
    symbol: Annotated[
        list[str] | None, typer.Option(help="It may trade this; again for more. None: all.")
    ] = None,
    ip: Annotated[
        list[str] | None,
        typer.Option(help="Signals may come from this address or network. None: any."),
    ] = None,
    capital: Annotated[str | None, typer.Option(help="The most that it may hold.")] = None,
    hmac: Annotated[bool, typer.Option("--hmac", help="Signals must be signed.")] = False,
    per_minute: Annotated[int, typer.Option(help="Signals that are taken in a minute.")] = 30,
    as_json: AsJson = False,
) -> None:
    """Make a strategy and print its key this once: only its hash is stored.

    Example: python -m crypto_trader_pro webhooks create trend --symbol BTC/USDT --capital 1000
    """
    if hmac and environment().webhook_hmac_secret is None:
        raise InputError("--hmac was given and CTP_WEBHOOK_HMAC_SECRET is not set, allowed: both")
    known = load().symbols
    for name_of in symbol or []:
        if name_of not in known:
            raise InputError(f"--symbol was {name_of!r}, allowed: {', '.join(known)}")
    changes = Changes(
        description=description, hmac_required=hmac, allowed_ips=ip or [], symbols=symbol or [],
        per_minute=per_minute,
    )  # fmt: skip
    amount = None if capital is None else _amount(capital)

    def made(session: Session, now: datetime) -> NewKey:
        by = operator("cli")
        new = stored.create(session, name, by, now, changes=changes)
        if amount is not None:
            stored.set_capital(session, stored.number(new.row), amount, by, now)
        return new

    _show_key(_changed(made), as_json=as_json)


@webhooks.command("rotate")
def rotate(name: Name, yes: Yes = False, as_json: AsJson = False) -> None:
    """Give a strategy a new key and print it this once; the old one ends at once.

    Example: python -m crypto_trader_pro webhooks rotate trend --yes
    """
    confirm(say(language(), "command.ask_rotate", name=name), yes=yes)

    def made(session: Session, now: datetime) -> NewKey:
        return stored.rotate(session, _number(session, name), now)

    _show_key(_changed(made), as_json=as_json)


@webhooks.command("disable")
def disable(name: Name, as_json: AsJson = False) -> None:
    """Switch a strategy off: its key opens nothing until `enable`.

    Example: python -m crypto_trader_pro webhooks disable trend
    """
    _switch(name, active=False, as_json=as_json)


@webhooks.command("enable")
def enable(name: Name, as_json: AsJson = False) -> None:
    """Switch a strategy on again.

    Example: python -m crypto_trader_pro webhooks enable trend
    """
    _switch(name, active=True, as_json=as_json)


@webhooks.command("message")
def message(name: Name, as_json: AsJson = False) -> None:
    """Print the message to copy into an alert of a TradingView strategy, and where it goes.

    Example: python -m crypto_trader_pro webhooks message trend
    """
    with reading("the strategies") as session:
        row = stored.by_name(session, name)
        hint = row.key_hint
    address = f"http://{load().reach.host}:{environment().http_port}/webhook/"
    if as_json:
        print_json({"strategy": name, "address": address, "key_hint": hint,
                    "message": tradingview_message()})  # fmt: skip
        return
    typer.echo(say(language(), "command.signal_address", address=address, hint=hint), err=True)
    typer.echo(tradingview_message())


def _switch(name: str, *, active: bool, as_json: bool) -> None:
    def switched(session: Session, now: datetime) -> StrategyRow:
        return stored.set_active(session, _number(session, name), active, now)

    _changed(switched)
    if as_json:
        print_json({"strategy": name, "active": active})
    else:
        code = "command.strategy_on" if active else "command.strategy_off"
        typer.echo(say(language(), code, name=name))


def _show_key(new: NewKey, *, as_json: bool) -> None:
    name, key, master = new.row.name, new.key, environment().webhook_hmac_secret
    secret = None if master is None else stored.signing_secret(master.get_secret_value(), new.row)
    if as_json:
        shown = {"strategy": name, "key": key, "path": f"/webhook/{key}"}
        print_json({**shown, "signing_secret": secret})
        return
    typer.echo(key)
    if secret is not None:
        typer.echo(say(language(), "command.signing_secret", secret=secret), err=True)
    typer.echo(say(language(), "command.shown_once"), err=True)
    typer.echo(say(language(), "command.key_path"), err=True)


def _changed(change: Callable[[Session, datetime], T]) -> T:
    """Change something in one transaction."""
    with database() as engine, unit_of_work(engine, "the strategies") as session:
        return change(session, SystemClock().now())


def _number(session: Session, name: str) -> int:
    return stored.number(stored.by_name(session, name))


def _row(row: WebhookLogRow, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: getattr(row, name) for name in names}


def _made(session: Session, rows: Sequence[WebhookLogRow]) -> Mapping[str | None, dict[str, Any]]:
    """Return what was wished and what the engine answered, by the wish; the same keys for all."""
    nothing: dict[str, Any] = dict.fromkeys(_MADE)
    made: defaultdict[str | None, dict[str, Any]] = defaultdict(lambda: nothing)
    for wish in wishes.found(session, [row.command_id for row in rows if row.command_id]):
        answer = wish.answer or {}
        made[wish.command_id] = {
            "action": wish.payload.get("action"), "symbol": wish.payload.get("symbol"),
            "engine": wish.status, "answer": answer_text(answer, language()) if answer else None,
            "decided_at": answer.get("at"),
        }  # fmt: skip
    return made


def _amount(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        raise InputError(f"--capital was {text[:40]!r}, allowed: an amount above 0") from None
