"""`notify`: try a channel, see what waits to be sent, send again what was given up."""

import asyncio
from typing import Annotated, Any, Final

import typer
from sqlmodel import Session

from config.loading import load
from config.notifications import Channel
from crypto_trader_pro.cli.context import database, day_zone, environment, language
from crypto_trader_pro.cli.exits import Exit
from crypto_trader_pro.cli.output import AsJson, print_json, print_rows
from crypto_trader_pro.cli.which_run import reading
from crypto_trader_pro.domain.errors import InputError
from database import outbox
from database.auto_trading_db import unit_of_work
from database.views.outbox import OutboxMessage, dead_letters, outbox_counts, waiting_messages
from utils.channels import NeverDelivered, Undelivered
from utils.channels.formatting import test_message
from utils.channels.opening import Opened, open_channels
from utils.clocks import SystemClock
from utils.texts import say

notify = typer.Typer(help="Messages to people: channels and the outbox.", no_args_is_help=True)

_SENDING: Final = tuple(c for c in Channel if c is not Channel.DASHBOARD)
_SHOWN: Final = 80  # characters of a message or an error in a table
_MOST: Final = 1000


@notify.command("test")
def send_test(
    channel: Annotated[str, typer.Argument(help="email, discord, telegram, slack or webhook.")],
    as_json: AsJson = False,
) -> None:
    """Send a test message now, past outbox, routing and quiet hours. Exit code 1: not delivered.

    Example: python -m crypto_trader_pro notify test telegram
    """
    wanted = _channel(channel)
    trouble = asyncio.run(_sent(wanted))
    if as_json:
        print_json({"channel": wanted.value, "delivered": not trouble, "trouble": trouble or None})
    elif trouble:
        typer.echo(say(language(), "command.undelivered", why=_named(wanted, trouble)))
    else:
        typer.echo(say(language(), "command.delivered", channel=wanted.value))
        if wanted not in load().active_channels:
            typer.echo(say(language(), "command.tests_only", channel=wanted.value), err=True)
    if trouble:
        raise typer.Exit(Exit.NEGATIVE)


@notify.command("list")
def list_(
    lines: Annotated[int, typer.Option(help="How many messages of each kind.")] = 20,
    as_json: AsJson = False,
) -> None:
    """Show what waits in the outbox and what was given up.

    Example: python -m crypto_trader_pro notify list
    """
    if not 0 < lines <= _MOST:
        raise InputError(f"--lines was {lines}, allowed: 1 to {_MOST}")
    with reading("the outbox") as session:
        counts = outbox_counts(session)
        waiting, dead = waiting_messages(session, lines), dead_letters(session, lines)
    if as_json:
        print_json({
            "counts": [c.as_json() for c in counts], "waiting": [m.as_json() for m in waiting],
            "dead_letters": [m.as_json() for m in dead],
        })  # fmt: skip
        return
    if not counts:
        typer.echo(say(language(), "command.outbox_empty"))
        return
    print_rows(
        ("channel", "status", "messages"), [[c.channel, c.status, c.messages] for c in counts]
    )
    _messages(waiting, "waiting")
    _messages(dead, "given up")


@notify.command("retry")
def retry(
    message_id: Annotated[
        int | None, typer.Argument(help="Number of a message that was given up, see `notify list`.")
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="All that were given up, and all that wait for a new try.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Let messages be sent again; the process beside the engine does it.

    Example: python -m crypto_trader_pro notify retry --all
    """
    if (message_id is None) is not everything:
        raise InputError("retry wants the number of a message or --all, allowed: one of them")
    now = SystemClock().now()
    with database() as engine, unit_of_work(engine, "the outbox") as session:
        if message_id is not None:
            outbox.send_again(session, message_id, now)
            count = 1
        else:
            count = _all_again(session) + outbox.retry_now(session, now)
    if as_json:
        print_json({"messages": count})
    else:
        typer.echo(say(language(), "command.retried", count=count))


def _all_again(session: Session) -> int:
    count, last = 0, None
    while page := dead_letters(session, _MOST, last):
        for message in page:
            outbox.send_again(session, message.id, SystemClock().now())
        count, last = count + len(page), page[-1].id
    return count


async def _sent(channel: Channel) -> str:
    """Send a test message; return why it was not delivered in one line, "" where it was."""
    settings = load()
    if not settings.channels.is_enabled(channel):
        return f"channels.{channel.value}.enabled is false in the configuration"
    opened = open_channels(settings, environment())
    try:
        return await _tried(opened, channel)
    finally:
        await opened.close()


async def _tried(opened: Opened, channel: Channel) -> str:
    for problem in opened.problems:
        if problem.channel is channel:
            return problem.text
    try:
        await opened.channels[channel].send(test_message(language(), SystemClock().now()))
    except (Undelivered, NeverDelivered) as e:
        return str(e)
    return ""


def _named(channel: Channel, trouble: str) -> str:
    """Return why it failed with the channel before it; most words of a channel begin so."""
    name = channel.value
    return trouble if trouble.startswith(name) else f"{name}: {trouble}"


def _channel(name: str) -> Channel:
    if name not in [c.value for c in _SENDING]:
        raise InputError(f"channel was {name!r}, allowed: {', '.join(_SENDING)}")
    return Channel(name)


def _messages(found: list[OutboxMessage], title: str) -> None:
    if not found:
        return
    columns = ("id", "channel", "kind", "tries", "created", "next try", "message", "error")
    rows: list[list[Any]] = [
        [m.id, m.channel, m.kind, m.attempts, m.created_at, m.next_try_at, m.message[:_SHOWN],
         m.last_error[:_SHOWN] or "-"]
        for m in found
    ]  # fmt: skip
    print_rows(columns, rows, title, zone=day_zone())
