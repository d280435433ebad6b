"""Messages on their way to mail and chat: how many, what waits, what was given up and why."""

from datetime import datetime
from typing import Final, NamedTuple

import streamlit as st
from sqlmodel import Session

from auto_trading_dashboard import outside, services
from auto_trading_dashboard.components import ages, channel_test, figures, kept_rows, page
from auto_trading_dashboard.components.live import live
from auto_trading_dashboard.components.tables import Column, table
from auto_trading_dashboard.preferences import language, text, zone
from auto_trading_dashboard.reading import read
from config.notifications import Channel
from crypto_trader_pro.domain.enums import NotificationType
from database import outbox
from database.outbox import OutboxStatus
from database.views.outbox import (
    OutboxCount,
    OutboxMessage,
    dead_letters,
    outbox_counts,
    waiting_messages,
)
from utils import reach_file
from utils.texts import catalogue

_SECONDS: Final = 5.0
_SHOWN: Final = 50
_WHERE: Final = "delivery"
_ORDER: Final = (
    OutboxStatus.WAITING, OutboxStatus.HELD, OutboxStatus.SENT, OutboxStatus.DIGESTED,
    OutboxStatus.FAILED,
)  # fmt: skip


class _Line(NamedTuple):
    """One channel's messages by status."""

    channel: str
    counts: dict[str, int]
    oldest: datetime | None  # of those that wait


class _Found(NamedTuple):
    lines: tuple[_Line, ...]
    waiting: tuple[OutboxMessage, ...]
    dead: tuple[OutboxMessage, ...]


def show() -> None:
    """Draw the part below the alerts."""
    st.subheader(text("outbox.delivery"), anchor=False, help=text("outbox.help"))
    _delivery()
    channel_test.buttons()


@live(_SECONDS)
def _delivery() -> None:
    reading = read("outbox", _find)
    found = reading.value
    with page.shown(reading, "outbox"):
        if reading.is_unknown:
            return
        if found is None or not found.lines:
            page.nothing("outbox.nothing")
            return
        table(found.lines, _count_columns(), key="outbox_counts")
        if found.waiting and reach_file.living(services.var_dir()) is None:
            st.warning(figures.escaped(text("outbox.reach_gone")), icon=":material/cloud_off:")
        if why := outside.trouble(_WHERE):
            st.error(figures.escaped(text("outbox.not_done", why=why)), icon=":material/error:")
        if found.waiting:
            _waiting(found.waiting)
        _dead(found)


def _find(session: Session) -> _Found:
    by_channel: dict[str, list[OutboxCount]] = {}
    for one in outbox_counts(session):
        if one.channel != Channel.DASHBOARD:  # what it shows is above
            by_channel.setdefault(one.channel, []).append(one)
    lines = tuple(
        _Line(
            channel, {c.status: c.messages for c in counts},
            min((c.oldest_at for c in counts if c.status in _OPEN), default=None),
        )
        for channel, counts in by_channel.items()
    )  # fmt: skip
    return _Found(
        lines, tuple(waiting_messages(session, _SHOWN)), tuple(dead_letters(session, _SHOWN))
    )  # fmt: skip


_OPEN: Final = (OutboxStatus.WAITING.value, OutboxStatus.HELD.value)


def _count_columns() -> list[Column[_Line]]:
    def count(status: OutboxStatus) -> Column[_Line]:
        return Column(
            f"outbox.status_{status.value}",
            lambda line: figures.whole(line.counts.get(status.value, 0)), right=True,
        )  # fmt: skip

    now = services.clock().now()
    return [
        Column("outbox.channel", lambda line: channel_test.name(line.channel), pinned=True),
        *(count(status) for status in _ORDER),
        Column("outbox.oldest", lambda line: _age(line.oldest, now), right=True),
    ]


def _age(at: datetime | None, now: datetime) -> str:
    return figures.MISSING if at is None else ages.since(at, now)


def _waiting(rows: tuple[OutboxMessage, ...]) -> None:
    _title("outbox.waiting", rows)
    table(rows, _columns(next_try=True), key="outbox_waiting")
    tried = list(dict.fromkeys(row.channel for row in rows if row.attempts))
    if tried:
        with st.container(horizontal=True, key="outbox_retry"):
            for channel in tried:
                st.button(
                    text("outbox.retry", channel=channel_test.name(channel)),
                    key=f"outbox_retry_{channel}", icon=":material/refresh:",
                    on_click=_retry, args=(channel,),
                )  # fmt: skip


def _dead(found: _Found) -> None:
    rows = found.dead
    if not rows:
        st.caption(text("outbox.no_dead"))
        return
    _title("outbox.dead", rows)
    chosen = kept_rows.kept(rows, _columns(), lambda m: str(m.id), key="outbox_dead")
    with st.container(horizontal=True, vertical_alignment="center", key="outbox_again"):
        if chosen is None:
            st.caption(text("outbox.choose_dead"))
        else:
            st.button(
                text("outbox.again"), key="outbox_again_one", icon=":material/send:",
                on_click=_again, args=(chosen.id,),
            )  # fmt: skip
        for line in found.lines:
            if count := line.counts.get(OutboxStatus.FAILED.value, 0):
                shown = channel_test.name(line.channel)
                st.button(
                    text("outbox.again_all", channel=shown, count=figures.whole(count)),
                    key=f"outbox_again_{line.channel}", icon=":material/forward_to_inbox:",
                    on_click=_all_again, args=(line.channel,),
                )  # fmt: skip


def _title(code: str, rows: tuple[OutboxMessage, ...]) -> None:
    told = [text("outbox.zone", zone=figures.zone_name(rows[0].created_at, zone()))]
    if len(rows) == _SHOWN:
        told.append(text("outbox.more", count=_SHOWN))
    st.markdown(f"**{figures.escaped(text(code))}** :gray[{figures.escaped(' · '.join(told))}]")


def _columns(*, next_try: bool = False) -> list[Column[OutboxMessage]]:
    own = zone()
    at = "%m-%d %H:%M:%S"
    found: list[Column[OutboxMessage]] = [
        Column("outbox.written", lambda m: figures.local(m.created_at, own, at), pinned=True),
        Column("outbox.channel", lambda m: channel_test.name(m.channel)),
        Column("outbox.kind", _kind),
        Column("outbox.error", lambda m: m.last_error or figures.MISSING, width="large"),
        Column("outbox.attempts", lambda m: str(m.attempts), right=True),
        Column("outbox.text", lambda m: m.message or figures.MISSING, width="large"),
    ]
    if next_try:
        found.insert(3, Column("outbox.next", lambda m: figures.local(m.next_try_at, own, at)))
    return found


def _kind(message: OutboxMessage) -> str:
    code = f"notification.{message.kind}"
    known = set(NotificationType)
    return catalogue(language())[code] if message.kind in known else message.kind


def _retry(channel: str) -> None:
    now = services.clock().now()
    outside.written(_WHERE, lambda s: outbox.retry_now(s, now, channel), f"retry {channel}")


def _again(number: int) -> None:
    now = services.clock().now()
    outside.written(_WHERE, lambda s: outbox.send_again(s, number, now), str(number))


def _all_again(channel: str) -> None:
    now = services.clock().now()
    outside.written(_WHERE, lambda s: outbox.send_all_again(s, channel, now), channel)
