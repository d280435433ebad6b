"""The Telegram bot among strangers, behind a bad network, with a token that stays secret."""

import logging
import shutil
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from crypto_trader_pro.domain.enums import NotificationType
from database.auto_trading_db import open_database
from tests.telegram_bot import CHAT, FAST, NOW, TOKEN, Bot, add_account
from tests.telegram_peer import (
    BOT,
    GARBAGE,
    HANG,
    RESET,
    Answer,
    TelegramPeer,
    refused,
    text_update,
    too_many,
)


@pytest.fixture
def file(migrated_file: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(migrated_file, tmp_path / "database.db"))


@pytest.fixture
def rows(file: Path) -> Iterator[Engine]:
    engine = open_database(f"sqlite:///{file}")
    yield engine
    engine.dispose()


@pytest.fixture
def peer() -> Iterator[TelegramPeer]:
    with TelegramPeer() as found:
        yield found


@pytest.fixture
def bot(file: Path, peer: TelegramPeer) -> Iterator[Bot]:
    with Bot(file, peer) as found:
        yield found


def test_strangers_get_no_answer_and_people_hear_of_it_once(bot: Bot) -> None:
    bot.asked("/version")
    bot.say("/stop", user=666)  # the right group, the wrong person
    bot.say("/stop", chat=666)
    bot.press("a:stop", user=666)
    bot.peer.push({"channel_post": text_update("/stop", at=NOW)["message"]})
    assert bot.outcomes(5)[1:] == [
        "refused_user",
        "refused_chat",
        "refused_user",
        "refused_channel",
    ]
    assert len(bot.peer.texts()) == 1
    assert bot.peer.called("answerCallbackQuery") == []
    assert bot.wishes() == []
    ((kind, severity, code, numbers),) = bot.told
    assert (kind, severity, code) == (
        NotificationType.REMOTE_COMMAND, "warning", "telegram_stranger",
    )  # fmt: skip
    assert numbers == {"count": 1, "chat": CHAT, "user": 666, "why": "refused_user"}


def test_an_empty_list_denies(file: Path, peer: TelegramPeer) -> None:
    with Bot(file, peer, user_ids=[]) as bot:
        bot.say("/stop")
        assert bot.outcomes(1) == ["refused_user"]
        assert bot.wishes() == []
        assert peer.texts() == []


def test_who_is_known_hears_why_it_was_refused_once_in_a_while(bot: Bot) -> None:
    refusals: list[tuple[dict[str, Any], str]] = [
        ({"forward_origin": {"type": "user"}}, "forwarded messages"),
        ({"via_bot": BOT}, "messages of other bots"),
        ({"at": NOW - timedelta(seconds=61)}, "came too late"),
    ]
    for more, words in refusals:
        before = len(bot.peer.texts())
        bot.say("/stop", **more)
        assert words in bot.answer(before)
        bot.say("/stop", **more)
    bot.peer.push({"edited_message": text_update("/stop", at=NOW)["message"]})
    assert "edited messages" in bot.answer(3)
    bot.say("good morning")
    assert "only know commands" in bot.answer(4)
    outcomes = bot.outcomes(8)
    assert outcomes == [
        *["refused_forwarded"] * 2, *["refused_via_bot"] * 2, *["refused_stale"] * 2,
        "refused_edited", "refused_no_command",
    ]  # fmt: skip
    assert bot.wishes() == []
    assert len(bot.peer.texts()) == 5
    assert bot.told == []


def test_polling_goes_on_after_whatever_the_network_does(
    rows: Engine, file: Path, peer: TelegramPeer
) -> None:
    add_account(rows)
    bad = (refused(502, "Bad Gateway"), GARBAGE, RESET, too_many(0), Answer(200, b"[]"),
           HANG, Answer(500, b"[]"), Answer(200, b'{"ok": true, "result": {"a": 1}}'))  # fmt: skip
    peer.script("getUpdates", *bad)
    with Bot(file, peer, pace=replace(FAST, poll_seconds=1, call_seconds=0.6)) as bot:
        assert "Status" in bot.asked("/status")
        assert bot.codes() == ["telegram_down", "telegram_back"]
        peer.script("getUpdates", refused(502, "Bad Gateway"))
        bot.say("/stop")  # one lost poll is no news
        bot.wait_for_wish()
        assert "telegram_down" not in bot.codes()[2:]


def test_a_pause_that_the_server_asks_for_is_kept(file: Path, peer: TelegramPeer) -> None:
    peer.script("getUpdates", too_many(1))
    with Bot(file, peer) as bot:
        peer.wait(lambda: peer.polls == 1, "a poll")
        bot.say("/version")
        with pytest.raises(AssertionError):
            peer.wait(lambda: peer.polls > 1, "a poll", 0.6)
        assert "Schema" in bot.answer(0)


def test_answers_are_tried_again(bot: Bot) -> None:
    bot.peer.script("sendMessage", too_many(1), refused(502, "Bad Gateway"))
    began = time.monotonic()
    bot.say("/version")
    bot.peer.wait_for("sendMessage", 3)
    assert time.monotonic() - began >= 0.6  # the server asks for 1 s; `FAST` bears 0.6 s
    bot.peer.script("sendMessage", refused(403, "Forbidden: bot was blocked by the user"))
    bot.say("/version")
    bot.outcomes(2)
    assert len(bot.peer.called("sendMessage")) == 4  # nobody is pressed who does not want it


@pytest.mark.parametrize(
    ("answer", "code", "why"),
    [
        (refused(401, "Unauthorized"), "telegram_token", "answered 401 (Unauthorized)"),
        (refused(404, "Not Found"), "telegram_token", "answered 404 (Not Found)"),
        (refused(409, "Conflict: terminated by other getUpdates request"), "telegram_conflict",
         "answered 409 (Conflict: terminated by other getUpdates request)"),
    ],
)  # fmt: skip
def test_what_takes_a_person_is_told_once(
    file: Path, peer: TelegramPeer, answer: Answer, code: str, why: str
) -> None:
    peer.always("getUpdates", answer)
    with Bot(file, peer) as bot:
        peer.wait(lambda: peer.polls >= 5, "five polls")
        assert [(c, n) for _, _, c, n in bot.told] == [(code, {"why": why})]
        peer.always("getUpdates", None)
        assert "Schema" in bot.asked("/version")
        assert bot.codes() == [code, "telegram_back"]


def test_a_bot_that_is_switched_off_does_not_poll(file: Path, peer: TelegramPeer) -> None:
    with Bot(file, peer, enabled=False) as bot:
        bot.say("/version")
        with pytest.raises(AssertionError):
            peer.wait(lambda: peer.polls > 0, "a poll", 0.3)
        assert bot.audit() == []


def test_the_token_is_nowhere(
    rows: Engine, file: Path, peer: TelegramPeer, caplog: pytest.LogCaptureFixture
) -> None:
    add_account(rows)
    caplog.set_level(logging.INFO)
    peer.script("getMe", refused(401, f"Unauthorized {TOKEN}"), HANG, GARBAGE)
    peer.script("getUpdates", refused(400, f"Bad Request: {TOKEN}"), RESET)
    with Bot(file, peer, pace=replace(FAST, call_seconds=0.6)) as bot:
        bot.asked("/status")
        bot.asked(f"/why {TOKEN}")
        peer.script("sendMessage", refused(400, TOKEN))
        bot.say("/stop")
        bot.wait_for_wish()
        bot.outcomes(3)
        told = repr(bot.told)
    ours = [r for r in caplog.records if r.name != "aiohttp.access"]  # the peer's own log
    logged = "\n".join(f"{r.name} {r.getMessage()} {r.exc_text or ''}" for r in ours)
    texts = "\n".join(peer.texts())
    stored = b"".join(f.read_bytes() for f in file.parent.rglob("*") if f.is_file())
    secret = TOKEN.partition(":")[2]
    for where in (told, logged, texts):
        assert secret not in where
    assert secret.encode() not in stored
    assert "an answer did not reach the chat" in logged  # it was looked at, and it does log
