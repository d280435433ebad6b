"""A test message through each channel that is switched on, and what became of it."""

from typing import Final

import streamlit as st
from sqlmodel import Session

from auto_trading_dashboard import outside, services
from auto_trading_dashboard.components import control_reading, figures
from auto_trading_dashboard.components.live import live
from auto_trading_dashboard.preferences import text, zone
from auto_trading_dashboard.reading import read
from config.notifications import Channel
from database import outbox
from database.models import OutboxRow
from database.outbox import OutboxStatus
from utils import reach_file

_SENT: Final = "channel_tests"  # channel -> number of the message that tests it
_WHERE: Final = "test message"


def enabled() -> list[Channel]:
    """Return the channels in force that send something."""
    found = control_reading.settings()
    if found is None:
        return []
    return [c for c in Channel if c is not Channel.DASHBOARD and found.channels.is_enabled(c)]


@live()
def buttons() -> None:
    """Draw one button for each channel, and how the last test of each stands."""
    st.markdown(f"**{text('outbox.tests')}**")
    channels = enabled()
    if not channels:
        st.caption(figures.escaped(text("outbox.no_channel")))
        return
    with st.container(horizontal=True, key="channel_tests"):
        for channel in channels:
            st.button(
                text("outbox.test", channel=name(channel)), key=f"channel_test_{channel.value}",
                icon=":material/send:", help=text("outbox.test_help"), on_click=_test,
                args=(channel,),
            )  # fmt: skip
    sent: dict[str, int] = st.session_state.get(_SENT, {})
    lines = [_became(channel, number) for channel, number in sent.items()]
    if sent and reach_file.living(services.var_dir()) is None:
        lines.append(f":orange[{figures.escaped(text('outbox.reach_gone'))}]")
    if why := outside.trouble(_WHERE):
        lines.append(f":red[{figures.escaped(text('outbox.not_done', why=why))}]")
    st.markdown("  \n".join(lines))


def name(channel: str) -> str:
    """Return what a channel is called; one of another version by its own name."""
    return text(f"outbox.channel_{channel}") if channel in set(Channel) else channel


def _test(channel: Channel) -> None:
    now = services.clock().now()

    def write(session: Session) -> int:
        return outbox.enqueue_test(session, channel, now).id or 0

    number = outside.written(_WHERE, write, channel.value)
    if number is not None:
        sent: dict[str, int] = st.session_state.setdefault(_SENT, {})
        sent.pop(channel.value, None)
        sent[channel.value] = number


def _became(channel: str, number: int) -> str:
    """Return Markdown about one test."""

    def find(session: Session) -> tuple[str, str, str] | None:
        row = session.get(OutboxRow, number)
        if row is None:
            return None
        return row.status, row.last_error or "", figures.local(row.sent_at, zone())

    shown = name(channel)
    found = read(("channel test", number), find).value
    if found is None:
        return f":gray[{figures.escaped(text('outbox.test_gone', channel=shown))}]"
    status, error, at = found
    if status == OutboxStatus.SENT:
        said = figures.escaped(text("outbox.test_sent", channel=shown, at=at))
        return f":green[:material/check_circle: {said}]"
    if status == OutboxStatus.FAILED:
        said = figures.escaped(text("outbox.test_failed", channel=shown, why=error))
        return f":red[:material/error: {said}]"
    return (
        f":gray[:material/schedule: {figures.escaped(text('outbox.test_waiting', channel=shown))}]"
    )
