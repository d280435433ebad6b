"""Discord, Slack, Telegram and the webhook: what each is sent, and what is its own."""

import asyncio
import doctest
import hmac
import json
from datetime import timedelta
from hashlib import sha256
from typing import Any, Final

import pytest

from config.notifications import Channel
from tests.channel_peers import RESET, Answer, HttpPeer, a_stranger
from tests.channels import (
    HOOK,
    OUT_PATH,
    OUT_SECRET,
    PNG,
    TOKEN,
    USUAL,
    Bench,
    a_message,
    bench,
    closing,
    images,
    one,
)
from tests.telegram_peer import TelegramPeer, refused, too_many
from utils.channels import Message, NeverDelivered, Undelivered, webhook
from utils.clocks import SystemClock
from utils.texts import Language

LONG: Final = "x_" * 10_000
SEVERITIES: Final = {
    "info": "#2f6fdb", "warning": "#a8620b", "error": "#d13438", "critical": "#c8202b",
}  # fmt: skip


@pytest.fixture(autouse=True)
def few_authorities(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Trust one stranger only: to load all that a machine trusts takes 20 ms each time."""
    monkeypatch.setenv("SSL_CERT_FILE", str(a_stranger(tmp_path_factory)))


def sent(channel: Channel, message: Message, **settings: Any) -> Bench:
    with bench(channel) as place:
        asyncio.run(closing(one(channel, place.address, **settings), message))
        return place


def units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


# --- Discord ----------------------------------------------------------------------------------


def discord_json(message: Message) -> dict[str, Any]:
    body: dict[str, Any] = sent(Channel.DISCORD, message).asked[0].json()
    return body


@pytest.mark.parametrize("severity", SEVERITIES)
def test_discord_shows_an_embed_in_the_colour_of_the_severity(severity: str) -> None:
    body = discord_json(a_message(severity=severity))
    (embed,) = body["embeds"]
    assert embed["color"] == int(SEVERITIES[severity][1:], 16)
    assert embed["title"] == "Trade executed"
    assert embed["description"] == "Bought 0.1 BTC/USDT at 60,000."
    assert "Paper: simulated money · 2026-11-22 06:52:43 KST" in embed["footer"]["text"]
    assert body["username"] == "Crypto Trader Pro"
    assert body["allowed_mentions"] == {"parse": []}


def test_discord_is_asked_at_the_secret_address_and_waits_for_the_answer() -> None:
    (asked,) = sent(Channel.DISCORD, a_message()).asked
    assert asked.path == f"/api/webhooks/1/{HOOK}?wait=true"
    assert HOOK not in asked.body.decode()


def test_discord_takes_no_more_than_it_allows_and_no_markup() -> None:
    (embed,) = discord_json(a_message(LONG, title=LONG))["embeds"]
    assert units(embed["title"]) == 256
    assert 4094 <= units(embed["description"]) <= 4096
    assert embed["description"].startswith(r"x\_x\_")
    assert embed["description"].endswith("x…") or embed["description"].endswith(r"\_…")


def test_discord_gets_pictures_as_attachments() -> None:
    (asked,) = sent(Channel.DISCORD, a_message(images=images(2))).asked
    parts = asked.parts()
    body = json.loads(parts["payload_json"])
    assert body["embeds"][0]["image"] == {"url": "attachment://1-equity-0.png"} | dict.fromkeys(
        ("proxy_url", "height", "width")
    )
    assert parts["_1-equity-0.png"] == PNG + b"\x00"
    assert parts["_2-equity-1.png"] == PNG + b"\x01"


def test_discord_says_204_too_and_how_long_to_wait_in_its_body() -> None:
    with bench(Channel.DISCORD) as place:
        place.answer(Answer(204), Answer(429, b'{"message": "limited", "retry_after": 1.337}'))
        with pytest.raises(Undelivered, match=r"^discord: answered 429 .limited.$") as caught:
            asyncio.run(
                closing(one(Channel.DISCORD, place.address), a_message(), a_message(number=13))
            )
        assert len(place.asked) == 2
    assert caught.value.retry_after == timedelta(seconds=1.337)


# --- Slack ------------------------------------------------------------------------------------


def test_slack_shows_a_heading_and_blocks_beside_a_bar_of_colour() -> None:
    (asked,) = sent(Channel.SLACK, a_message("a <!channel> & b", severity="error")).asked
    body = asked.json()
    (attachment,) = body["attachments"]
    assert body["text"] == "[error] Trade executed"
    assert attachment["color"] == "#d13438"
    section, context = attachment["blocks"]
    assert section["text"] == {"type": "plain_text", "text": "a <!channel> & b", "emoji": False}
    assert context["elements"][0]["text"] == (
        "error · Paper: simulated money · 2026-11-22 06:52:43 KST"
    )


def test_slack_calls_nobody_and_takes_no_more_than_it_allows() -> None:
    (asked,) = sent(Channel.SLACK, a_message(LONG, title="<!channel> & " * 90)).asked
    body = asked.json()
    assert "&lt;!channel&gt; &amp;" in body["text"]
    assert "<" not in body["text"]
    assert units(body["text"]) <= 300
    assert units(body["attachments"][0]["blocks"][0]["text"]["text"]) == 3000


def test_slack_says_that_pictures_are_elsewhere() -> None:
    (asked,) = sent(Channel.SLACK, a_message(images=images(1), language=Language.KOREAN)).asked
    footer = asked.json()["attachments"][0]["blocks"][1]["elements"][0]["text"]
    assert footer.endswith("이 알림의 차트는 메일과 다른 채널에서 볼 수 있습니다")


@pytest.mark.parametrize(
    ("status", "code", "verdict"),
    [(400, "invalid_payload", NeverDelivered), (404, "no_service", NeverDelivered),
     (410, "channel_is_archived", NeverDelivered), (500, "rollup_error", Undelivered)],
)  # fmt: skip
def test_slack_says_why_in_a_word(status: int, code: str, verdict: type[Exception]) -> None:
    with bench(Channel.SLACK) as place:
        place.answer(Answer(status, code.encode()))
        with pytest.raises(verdict, match=code):
            asyncio.run(closing(one(Channel.SLACK, place.address), a_message()))


# --- the webhook ------------------------------------------------------------------------------


def test_the_webhook_gets_the_documented_body() -> None:
    message = a_message("둘째\n줄", severity="warning", language=Language.KOREAN)
    (asked,) = sent(Channel.WEBHOOK, message).asked
    assert asked.method == "POST"
    assert asked.path == f"/{OUT_PATH}"
    assert asked.headers["content-type"] == "application/json; charset=utf-8"
    assert asked.json() == {
        "schema": 1, "id": "ctp-12-20261121215243000000",
        "type": "TRADE_EXECUTED", "severity": "warning",
        "title": "Trade executed", "text": "둘째\n줄", "language": "ko",
        "at": "2026-11-21T21:52:43.000Z", "mode": "paper", "market": "auto",
        "data": {"price": "60000"},
    }  # fmt: skip


def test_the_webhook_is_signed_over_its_time_and_body() -> None:
    before = SystemClock().now_ms() // 1000
    (asked,) = sent(Channel.WEBHOOK, a_message()).asked
    stamp = asked.headers["x-ctp-timestamp"]
    assert before <= int(stamp) <= SystemClock().now_ms() // 1000
    expected = hmac.new(OUT_SECRET.encode(), stamp.encode() + b"." + asked.body, sha256).hexdigest()
    assert asked.headers["x-ctp-signature"] == f"sha256={expected}"
    assert asked.headers["idempotency-key"] == "ctp-12-20261121215243000000"


def test_the_documented_signature_is_the_one_made() -> None:
    result = doctest.testmod(webhook)
    assert (result.attempted, result.failed) == (1, 0)


def test_a_second_try_of_a_webhook_has_the_same_key() -> None:
    with HttpPeer(USUAL[Channel.WEBHOOK]) as peer:
        peer.script(Answer(503))
        place = Bench(Channel.WEBHOOK, peer)
        for expected in (Undelivered, None):
            if expected is None:
                asyncio.run(closing(one(place.channel, place.address), a_message()))
            else:
                with pytest.raises(expected):
                    asyncio.run(closing(one(place.channel, place.address), a_message()))
        assert [asked.headers["idempotency-key"] for asked in peer.asked] == [
            "ctp-12-20261121215243000000"
        ] * 2
        assert peer.asked[0].body == peer.asked[1].body


def test_a_webhook_message_that_no_json_can_hold_is_never_sent() -> None:
    message = a_message(data={"price": float("nan")})
    with bench(Channel.WEBHOOK) as place, pytest.raises(NeverDelivered, match="as it is"):
        asyncio.run(closing(one(Channel.WEBHOOK, place.address), message))
    assert place.taken == 0


# --- Telegram ---------------------------------------------------------------------------------

CHATS: Final[dict[str, Any]] = {"channels__telegram__chat_ids": [7, -100]}


def telegram(peer: TelegramPeer, *messages: Message, **settings: Any) -> None:
    asyncio.run(closing(one(Channel.TELEGRAM, peer.url, **settings), *messages))


def test_telegram_writes_to_every_chat_without_markup() -> None:
    with TelegramPeer() as peer:
        telegram(peer, a_message("*a* _b_ <b>c</b> [d](e"), **CHATS)
        calls = peer.called("sendMessage")
        assert peer.asked[0].path == f"/bot{TOKEN}/sendMessage"
    assert sorted(call["chat_id"] for call in calls) == ["-100", "7"]
    for call in calls:
        assert call["text"] == (
            "[notice] Trade executed\n\n*a* _b_ <b>c</b> [d](e\n\n"
            "notice · Paper: simulated money · 2026-11-22 06:52:43 KST"
        )
        assert "parse_mode" not in call
        assert call["link_preview_options"] == {"is_disabled": True}


@pytest.mark.parametrize("text", ["x" * 9000, "🚀" * 4000, "가" * 5000])
def test_telegram_takes_no_more_than_it_allows_and_keeps_the_mark(text: str) -> None:
    with TelegramPeer() as peer:
        telegram(peer, a_message(text))
        (said,) = peer.texts()
    assert units(said) <= 4096
    assert "…\n\nnotice · Paper: simulated money" in said


def test_telegram_gets_pictures_with_the_text_below_the_first() -> None:
    with TelegramPeer() as peer:
        telegram(peer, a_message(images=images(2)))
        calls = peer.calls
    assert [method for method, _ in calls] == ["sendPhoto", "sendPhoto"]
    assert calls[0][1]["caption"].startswith("[notice] Trade executed")
    assert [params["photo"] for _, params in calls] == [PNG + b"\x00", PNG + b"\x01"]


def test_telegram_gets_a_long_text_before_the_picture() -> None:
    with TelegramPeer() as peer:
        telegram(peer, a_message("x" * 1500, images=images(1)))
        assert [method for method, _ in peer.calls] == ["sendMessage", "sendPhoto"]
        assert "x" * 1500 in peer.texts()[0]
        assert "caption" not in peer.calls[1][1] or peer.calls[1][1]["caption"] == ""


def test_who_has_a_telegram_message_does_not_get_it_again() -> None:
    async def scenario(peer: TelegramPeer) -> None:
        channel = one(Channel.TELEGRAM, peer.url, **CHATS)
        message = a_message("x" * 1500, images=images(2))
        peer.script("sendPhoto", RESET)
        with pytest.raises(Undelivered):
            await channel.send(message)
        await channel.send(message)
        await channel.close()

    with TelegramPeer() as peer:
        asyncio.run(scenario(peer))
        texts, photos = peer.called("sendMessage"), peer.called("sendPhoto")
    assert sorted(call["chat_id"] for call in texts) == ["-100", "7"]  # once each
    # one chat's first picture was cut off, and that chat got both the second time: 1 + 2 and 2
    assert len(photos) == 5


def test_telegram_says_how_long_to_wait() -> None:
    with TelegramPeer() as peer:
        peer.script("sendMessage", too_many(3))
        with pytest.raises(Undelivered, match="chat 7: answered 429") as caught:
            telegram(peer, a_message())
    assert caught.value.retry_after == timedelta(seconds=3)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (refused(403, "Forbidden: bot was blocked by the user"),
         "chat 7: answered 403 .not allowed; Forbidden: bot was blocked"),
        (refused(400, "Bad Request: chat not found"), "chat 7: answered 400 .Bad Request: chat"),
        (refused(401, "Unauthorized"), "chat 7: answered 401 .the key or address is not accepted"),
        (refused(404, "Not Found"), "chat 7: answered 404"),
        (refused(400, "upgraded", migrate_to_chat_id=-1001), "this group is now chat -1001"),
    ],
)  # fmt: skip
def test_telegram_refuses_for_good(answer: Answer, said: str) -> None:
    with TelegramPeer() as peer:
        peer.script("sendMessage", answer)
        with pytest.raises(NeverDelivered, match=said):
            telegram(peer, a_message())


def test_a_chat_that_refuses_keeps_the_message_from_nobody_else() -> None:
    with TelegramPeer() as peer:
        peer.script("sendMessage", refused(403, "Forbidden: bot was blocked by the user"))
        with pytest.raises(NeverDelivered, match="answered 403"):
            telegram(peer, a_message(), **CHATS)
        assert len(peer.called("sendMessage")) == 2
