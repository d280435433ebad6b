"""Who is obeyed by chat: fault A7 of the reliability document, and whatever else may come."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auto_trading.reach.telegram.admission import Incoming, Rules, read
from config.notifications import TelegramChannel
from database.chat import Outcome
from tests.telegram_peer import BOT, button_update, text_update

NOW: Final = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)
OPEN: Final = TelegramChannel(enabled=True, chat_ids=(7, -55), user_ids=(9,))


def judged(
    update: dict[str, Any], channel: TelegramChannel = OPEN, *, presses: bool = True
) -> Incoming:
    rules = Rules(channel, "peer_bot", NOW, timedelta(seconds=60), presses)
    return read({"update_id": 1, **update}, rules)


def said(text: str = "/status", **more: Any) -> dict[str, Any]:
    at = more.pop("at", NOW)
    return text_update(text, at=at, **more)


def test_who_is_on_both_lists_is_obeyed() -> None:
    one = judged(said("/close BTC/USDT now"))
    assert one.refusal is None
    assert one.words == ("close", "BTC/USDT", "now")
    assert (one.chat_id, one.user_id, one.sent_at) == (7, 9, NOW)
    assert judged(said(chat_id=-55)).refusal is None  # a group that is on the list


@pytest.mark.parametrize(
    ("update", "refusal"),
    [
        (said(user_id=8), Outcome.USER),  # the right chat, the wrong person
        (said(chat_id=-55, user_id=8), Outcome.USER),
        (said(chat_id=6), Outcome.CHAT),
        (said(forward_origin={"type": "user"}), Outcome.FORWARDED),
        (said(forward_date=1), Outcome.FORWARDED),
        (said(is_automatic_forward=True), Outcome.FORWARDED),
        (said(via_bot=BOT), Outcome.VIA_BOT),
        (said(sender_chat={"id": 7, "type": "channel"}), Outcome.CHANNEL),
        (said(edit_date=1), Outcome.EDITED),
        (said("hello"), Outcome.NO_COMMAND),
        (said("/"), Outcome.NO_COMMAND),
        (said("/status@another_bot"), Outcome.OTHER_BOT),
        ({"edited_message": said()["message"]}, Outcome.EDITED),
        ({"channel_post": said()["message"]}, Outcome.CHANNEL),
        ({"edited_channel_post": said()["message"]}, Outcome.CHANNEL),
        ({"poll": {}}, Outcome.UNREADABLE),
        ({"message": "/stop"}, Outcome.UNREADABLE),
        ({"message": {"text": "/stop", "date": int(NOW.timestamp())}}, Outcome.UNREADABLE),
    ],
)
def test_everything_else_is_refused(update: dict[str, Any], refusal: Outcome) -> None:
    assert judged(update).refusal is refusal


@pytest.mark.parametrize(
    "channel",
    [
        TelegramChannel(enabled=True, chat_ids=(7,)),
        TelegramChannel(enabled=False, user_ids=(9,)),
        TelegramChannel(),
    ],
)
def test_an_empty_list_obeys_nobody(channel: TelegramChannel) -> None:
    assert judged(said(), channel).refusal in (Outcome.CHAT, Outcome.USER)
    assert judged(button_update("a:stop", at=NOW), channel).refusal in (Outcome.CHAT, Outcome.USER)


@pytest.mark.parametrize(
    ("age", "refusal"),
    [(0, None), (60, None), (61, Outcome.STALE), (-60, None), (-61, Outcome.STALE)],
)
def test_a_command_counts_for_a_minute(age: int, refusal: Outcome | None) -> None:
    assert judged(said(at=NOW - timedelta(seconds=age))).refusal is refusal


def test_the_name_of_this_bot_may_follow_a_command() -> None:
    one = judged(said("/STATUS@Peer_Bot"))
    assert (one.refusal, one.words) == (None, ("status",))


def test_a_button_counts_only_where_it_cannot_have_waited() -> None:
    press = button_update("c:abc:y", message_id=5, at=NOW)
    one = judged(press)
    assert (one.refusal, one.words, one.message_id) == (None, ("c", "abc", "y"), 5)
    assert judged(press, presses=False).refusal is Outcome.STALE
    assert judged(button_update("a:stop", user_id=8, at=NOW)).refusal is Outcome.USER


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(
            ["message", "from", "chat", "id", "date", "text", "is_bot", "data", "callback_query"]
        ),
        inner, max_size=5,
    ),
    max_leaves=12,
)  # fmt: skip


@given(st.dictionaries(st.sampled_from(["message", "callback_query", "channel_post"]), values))
def test_whatever_comes_is_read_and_strangers_are_never_obeyed(update: dict[str, Any]) -> None:
    assert judged(update, TelegramChannel(enabled=True, chat_ids=(7,))).refusal is not None
