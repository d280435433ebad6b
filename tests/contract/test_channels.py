"""What every channel keeps to: its peers are real servers on loopback, its troubles real ones."""

import asyncio
import logging
import socket
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Final

import pytest

from config.notifications import Channel
from crypto_trader_pro.domain.errors import RejectedError, RetryableError, TradingError
from tests.channel_peers import (
    GARBAGE,
    HANG,
    RESET,
    Answer,
    Authority,
    HttpPeer,
    RawPeer,
    a_stranger,
    an_authority,
)
from tests.channels import (
    CANARIES,
    HOOK,
    OUT_PATH,
    PASSWORD,
    SENDING,
    SLACK_PATH,
    TOKEN,
    USUAL,
    Bench,
    a_message,
    bench,
    closing,
    one,
    said_of,
)
from tests.mail_peer import MailPeer
from tests.telegram_peer import refused
from utils.channels import NeverDelivered, Undelivered, email, trouble
from utils.logging import _LIBRARIES

ECHO: Final = f"no {HOOK} {TOKEN} /bot{TOKEN}/x https://hooks.slack.com/services/{SLACK_PATH}"
HTTP: Final = tuple(channel for channel in SENDING if channel is not Channel.EMAIL)
ALL: Final = pytest.mark.parametrize("channel", SENDING)
OVER_HTTP: Final = pytest.mark.parametrize("channel", HTTP)


@pytest.fixture(autouse=True)
def few_authorities(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Trust one stranger only: to load all that a machine trusts takes 20 ms each time."""
    monkeypatch.setenv("SSL_CERT_FILE", str(a_stranger(tmp_path_factory)))


@pytest.fixture
def place(channel: Channel) -> Iterator[Bench]:
    with bench(channel) as found:
        yield found


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the limit 0.25 s, of which a mail keeps 0.1 s for its farewell."""
    monkeypatch.setattr(trouble, "LIMIT_SECONDS", 0.25)
    monkeypatch.setattr(email, "_FAREWELL_SECONDS", 0.1)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return an_authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """Take in what a development log would: everything of ours, warnings of libraries."""
    caplog.set_level(logging.DEBUG)
    for name in (*_LIBRARIES, "discord_webhook", "mail.log"):
        caplog.set_level(logging.WARNING, logger=name)
    return caplog


def trouble_of(place: Bench, address: str = "", **settings: str) -> Undelivered | NeverDelivered:
    """Send a message that does not go through, and return why, in one line."""
    with pytest.raises(TradingError) as caught:
        asyncio.run(closing_one(place, address, **settings))
    error = caught.value
    assert isinstance(error, Undelivered | NeverDelivered)
    assert isinstance(error, RetryableError) is isinstance(error, Undelivered)
    assert isinstance(error, RejectedError) is isinstance(error, NeverDelivered)
    text = str(error)
    assert text.startswith(f"{place.channel.value}: ")
    assert "\n" not in text
    assert len(text) < 400
    assert error.__cause__ is None
    assert error.__context__ is None
    return error


async def closing_one(place: Bench, address: str = "", **settings: str) -> None:
    await closing(one(place.channel, address or place.address, **settings), a_message())


# --- delivery ---------------------------------------------------------------------------------


@ALL
def test_a_message_is_delivered_once(place: Bench) -> None:
    asyncio.run(closing_one(place))
    assert place.taken == 1


@ALL
def test_messages_come_in_order_and_whole(place: Bench) -> None:
    texts = ["first <b>&", "둘째 글 @everyone <!channel>", "*third* _x_ `y`"]
    messages = [a_message(t, number=k) for k, t in enumerate(texts, 1)]
    asyncio.run(closing(one(place.channel, place.address), *messages))
    assert place.taken == 3


@ALL
def test_a_text_of_any_length_and_kind_is_taken(place: Bench) -> None:
    texts = [
        "",
        "x" * 20_000,
        "가" * 20_000,
        "🚀" * 5_000,
        "\x00\x1b[31m\ud800\r\n\t",
        "_*[]()~`>#",
    ]
    messages = [a_message(t, title=t[:3000], number=k) for k, t in enumerate(texts, 1)]
    asyncio.run(closing(one(place.channel, place.address), *messages))
    assert place.taken == len(texts)


# --- trouble that may pass --------------------------------------------------------------------


def test_the_limit_is_ten_seconds() -> None:
    assert trouble.LIMIT_SECONDS == 10


@pytest.mark.usefixtures("soon")
@ALL
def test_a_peer_that_never_answers_takes_no_longer_than_the_limit(place: Bench) -> None:
    with RawPeer() as silent:
        begun = time.monotonic()
        address = str(silent.port) if place.channel is Channel.EMAIL else silent.url
        error = trouble_of(place, address)
        assert time.monotonic() - begun < 3
    assert isinstance(error, Undelivered)
    assert "no answer in time" in str(error)


@pytest.mark.usefixtures("soon")
@OVER_HTTP
def test_a_hanging_request_is_given_up_and_the_loop_goes_on(place: Bench) -> None:
    place.answer(HANG)

    async def run() -> int:
        ticks = 0
        sending = asyncio.create_task(closing_one(place))
        while not sending.done():
            await asyncio.sleep(0.02)
            ticks += 1
        with pytest.raises(Undelivered, match="no answer in time"):
            await sending
        return ticks

    assert asyncio.run(run()) > 4  # of 12: nothing held the loop up


@ALL
def test_nobody_listens(place: Bench) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and does not listen
        port = taken.getsockname()[1]
        address = str(port) if place.channel is Channel.EMAIL else f"http://127.0.0.1:{port}"
        error = trouble_of(place, address)
    assert isinstance(error, Undelivered)
    assert "refuses connections" in str(error)


@ALL
def test_a_name_that_nobody_knows(place: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    address = place.address.replace("127.0.0.1", "localhost")
    error = trouble_of(place, address, channels__email__host="localhost")
    assert isinstance(error, Undelivered)
    assert str(error).endswith("its name is not known")


@ALL
@pytest.mark.parametrize("greeting", [b"", b"\x00\xff\xfe" * 1000 + b"\r\n", b"<html>\r\n\r\n"])
def test_no_protocol_at_all(place: Bench, greeting: bytes) -> None:
    with RawPeer(greeting, closes=True) as peer:
        address = str(peer.port) if place.channel is Channel.EMAIL else peer.url
        assert isinstance(trouble_of(place, address), Undelivered)


@OVER_HTTP
@pytest.mark.parametrize("status", [302, 303, 307, 408, 425, 429, 500, 502, 503, 504, 599])
def test_an_answer_that_says_later(place: Bench, status: int) -> None:
    place.answer(Answer(status, b"<html>busy", {"Location": f"{place.address}/elsewhere"}))
    error = trouble_of(place)
    assert isinstance(error, Undelivered)
    assert str(status) in str(error)
    assert place.taken == 1  # no redirect is followed


@OVER_HTTP
def test_a_cut_connection(place: Bench) -> None:
    place.answer(RESET)
    assert isinstance(trouble_of(place), Undelivered)


@pytest.mark.parametrize("channel", [Channel.DISCORD, Channel.TELEGRAM, Channel.SLACK])
@pytest.mark.parametrize(
    "answer",
    [GARBAGE, Answer(200, b"[" * 200_000), Answer(200, b'{"ok": true, "result": 5}'),
     Answer(200, b"null"), Answer(200, b"<html>Sign in to this wifi</html>")],
    ids=["garbage", "brackets", "half", "null", "portal"],
)  # fmt: skip
def test_a_success_of_somebody_else_is_none(
    place: Bench, answer: Answer, logged: pytest.LogCaptureFixture
) -> None:
    place.answer(answer._replace(body=answer.body + ECHO.encode()))
    error = trouble_of(place)
    assert isinstance(error, Undelivered)
    said = said_of(error, logged)
    assert [canary for canary in CANARIES if canary in said] == []


@OVER_HTTP
@pytest.mark.parametrize(
    "answer",
    [Answer(200, b"x" * 300_000), Answer(200, b"\x1f\x8b", {"Content-Encoding": "gzip"})],
    ids=["endless", "compressed"],
)
def test_an_answer_does_not_fill_the_memory(place: Bench, answer: Answer) -> None:
    place.answer(answer)
    assert isinstance(trouble_of(place), Undelivered)


@pytest.mark.parametrize("channel", [Channel.DISCORD, Channel.SLACK, Channel.WEBHOOK])
@pytest.mark.parametrize(
    ("headers", "pause"),
    [
        ({"Retry-After": "7"}, 7),
        ({"Retry-After": "0.5"}, 0.5),
        ({"Retry-After": "86400"}, 3600),  # an hour is the most that we wait for it
        ({"Retry-After": "-3"}, None),
        ({"Retry-After": "nan"}, None),
        ({"Retry-After": "1e999"}, None),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "Sat, 21 Nov 2026 22:00:30 GMT",
          "Date": "Sat, 21 Nov 2026 22:00:00 GMT"}, 30),
        ({}, None),
    ],
)  # fmt: skip
def test_a_pause_is_passed_on(place: Bench, headers: dict[str, str], pause: float | None) -> None:
    place.answer(Answer(429, b"", headers))
    error = trouble_of(place)
    assert isinstance(error, Undelivered)
    assert error.retry_after == (None if pause is None else timedelta(seconds=pause))


# --- certificates -----------------------------------------------------------------------------


@OVER_HTTP
def test_a_certificate_is_held_against_the_named_authorities(
    channel: Channel, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = USUAL.get(channel, Answer(200, b'{"ok": true, "result": {"message_id": 1}}'))
    with HttpPeer(usual, context=authority.server) as peer:
        place = Bench(channel, peer)
        error = trouble_of(place)
        assert isinstance(error, Undelivered)
        assert "its certificate is not trusted" in str(error)
        assert peer.asked == []
        monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
        asyncio.run(closing_one(place))
        assert len(peer.asked) == 1


# --- refusals ---------------------------------------------------------------------------------


@OVER_HTTP
@pytest.mark.parametrize("status", [301, 308, 400, 401, 403, 404, 405, 410, 413, 422, 451])
def test_an_answer_that_says_never(place: Bench, status: int) -> None:
    place.answer(Answer(status, b'{"code": 1}', {"Location": f"{place.address}/elsewhere"}))
    error = trouble_of(place)
    assert isinstance(error, NeverDelivered)
    assert str(status) in str(error)
    assert place.taken == 1


@ALL
def test_a_severity_that_is_none_is_refused_before_anything_is_sent(place: Bench) -> None:
    message = a_message(severity="loud")
    with pytest.raises(NeverDelivered, match="cannot be sent as it is"):
        asyncio.run(closing(one(place.channel, place.address), message))
    assert place.taken == 0


# --- secrets ----------------------------------------------------------------------------------


@OVER_HTTP
@pytest.mark.parametrize(
    "answer",
    [
        Answer(400, f'{{"message": "{ECHO}\\n/{OUT_PATH}", "code": 1}}'.encode()),
        refused(400, ECHO),
        refused(429, ECHO, retry_after=3),
        Answer(500, ECHO.encode()),
        Answer(302, b"", {"Location": f"https://elsewhere/{HOOK}/{TOKEN}"}),
        RESET,
    ],
    ids=["400", "telegram-400", "telegram-429", "500", "302", "reset"],
)
def test_no_failure_tells_a_secret(
    place: Bench, answer: Answer, logged: pytest.LogCaptureFixture
) -> None:
    place.answer(answer)
    said = said_of(trouble_of(place), logged)
    assert [canary for canary in CANARIES if canary in said] == []


@pytest.mark.usefixtures("soon")
@pytest.mark.parametrize(
    ("channel", "how"),
    [(c, how) for c in SENDING for how in ("cut", "silent", "garbage")]
    + [(c, "untrusted") for c in HTTP],
)
def test_no_broken_connection_tells_a_secret(
    place: Bench, how: str, logged: pytest.LogCaptureFixture, authority: Authority
) -> None:
    greeting = b"\x00\xffgarbage\r\n" if how == "garbage" else b""
    with (
        RawPeer(greeting, closes=how == "cut") as raw,
        HttpPeer(context=authority.server) as tls,
    ):
        address = raw.url if how != "untrusted" else tls.url
        if place.channel is Channel.EMAIL:
            address = str(raw.port)
        said = said_of(trouble_of(place, address), logged)
    assert [canary for canary in CANARIES if canary in said] == []


@pytest.mark.parametrize("channel", [Channel.EMAIL])
@pytest.mark.parametrize("form", [PASSWORD, CANARIES[1], CANARIES[2]])
def test_no_refusal_of_a_mail_server_tells_the_password(
    place: Bench, form: str, logged: pytest.LogCaptureFixture
) -> None:
    assert isinstance(place.peer, MailPeer)
    place.peer.after_data = f"554 I know {form}"
    said = said_of(trouble_of(place), logged)
    assert "554 (I know ***)" in said
    assert [canary for canary in CANARIES if canary in said] == []
