"""Which channels are opened, and what is said of the others."""

import asyncio
import json
from pathlib import Path

import pytest

from config.environment import SHIPPED, Environment
from config.loading import load
from config.notifications import Channel
from tests.channels import SENDING, a_message, opened
from utils.channels import Undelivered
from utils.channels.opening import open_channels
from utils.redaction import Redactor, secrets_of


def problems(*channels: Channel, environ: dict[str, str], **settings: object) -> list[str]:
    found = opened(*channels, addresses={}, environ=environ, **settings)
    asyncio.run(found.close())
    assert {p.channel for p in found.problems} | set(found.channels) == set(channels)
    return [str(problem) for problem in found.problems]


def test_nothing_is_opened_that_is_off() -> None:
    found = open_channels(load(environ={}), Environment.read({}))
    assert (dict(found.channels), found.problems) == ({}, ())


def test_a_file_of_before_slack_and_webhook_is_still_good(tmp_path: Path) -> None:
    for file in SHIPPED.glob("*.json"):
        tree = json.loads(file.read_text(encoding="utf-8"))
        for channel in ("slack", "webhook"):
            tree.get("channels", {}).pop(channel, None)
        (tmp_path / file.name).write_text(json.dumps(tree), encoding="utf-8")
    channels = load(tmp_path, environ={}).channels
    assert [channels.is_enabled(c) for c in (Channel.SLACK, Channel.WEBHOOK)] == [False, False]


def test_everything_that_is_on_and_complete_is_opened() -> None:
    found = opened(*SENDING, addresses={})
    assert set(found.channels) == set(SENDING)
    assert found.problems == ()
    assert [c.name for c in found.channels.values()] == list(found.channels)
    assert not any(c.is_display for c in found.channels.values())
    asyncio.run(found.close())


def test_what_is_missing_is_told_and_the_rest_is_opened() -> None:
    environ = {"CTP_DISCORD_WEBHOOK_URL": "https://discord.com/api/webhooks/1/x"}
    assert problems(*SENDING, environ=environ) == [
        "email: CTP_SMTP_PASSWORD is not set",
        "telegram: CTP_TELEGRAM_BOT_TOKEN is not set",
        "slack: CTP_SLACK_WEBHOOK_URL is not set",
        "webhook: CTP_WEBHOOK_OUT_URL is not set",
    ]


@pytest.mark.parametrize(
    "address",
    ["canary", "ftp://canary.example/x", "http://canary.example/x", "https://", "https://[canary",
     "https://canary:port/x", "https://캐너리.example/canary", "//canary"],
)  # fmt: skip
def test_an_address_that_is_none_is_told_without_it(address: str) -> None:
    (line,) = problems(Channel.SLACK, environ={"CTP_SLACK_WEBHOOK_URL": address})
    assert line == (
        "slack: CTP_SLACK_WEBHOOK_URL is no address, allowed: one that begins with https://"
    )


@pytest.mark.parametrize("token", ["canary", "12:", ":canary", "12:ca nary", "12:ca/nary"])
def test_a_token_that_is_none_is_told_without_it(token: str) -> None:
    (line,) = problems(Channel.TELEGRAM, environ={"CTP_TELEGRAM_BOT_TOKEN": token})
    assert "canary" not in line
    assert "CTP_TELEGRAM_BOT_TOKEN is no token" in line


def test_a_secret_that_can_be_guessed_signs_nothing() -> None:
    environ = {"CTP_WEBHOOK_OUT_URL": "http://10.0.0.5/hook", "CTP_WEBHOOK_OUT_SECRET": "canary"}
    (line,) = problems(Channel.WEBHOOK, environ=environ)
    assert line == "webhook: CTP_WEBHOOK_OUT_SECRET has 6 characters, allowed: 16 or more"


def test_a_password_is_not_sent_in_the_clear() -> None:
    environ = {"CTP_SMTP_PASSWORD": "canary"}
    changes = {"channels__email__host": "mail.example.com"}
    (line,) = problems(Channel.EMAIL, environ=environ, **changes)
    assert "a password is not sent in the clear" in line
    assert problems(Channel.EMAIL, environ=environ, **changes, channels__email__username="") == []


@pytest.mark.parametrize("text", [None, "no certificate"])
def test_certificates_that_cannot_be_read_are_told(
    text: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "authority.pem"
    if text is not None:
        file.write_text(text)
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    lines = problems(Channel.SLACK, Channel.EMAIL, environ={})
    said = f"SSL_CERT_FILE was {str(file)!r}, allowed: readable certificates (PEM)"
    assert lines == [f"email: {said}", f"slack: {said}"]


def test_a_channel_that_is_closed_delivers_nothing_and_says_so() -> None:
    async def scenario() -> None:
        found = opened(Channel.SLACK, addresses={})
        await found.close()
        with pytest.raises((Undelivered, RuntimeError)):
            await found.channels[Channel.SLACK].send(a_message())

    asyncio.run(scenario())


def test_an_address_is_hidden_in_parts_too() -> None:
    environ = {
        "CTP_SLACK_WEBHOOK_URL": "https://hooks.slack.com/services/T000/B000/slackcanary77",
        "CTP_WEBHOOK_OUT_URL": "https://me.example/hook?key=out-canary-55&n=1",
    }
    redactor = Redactor(secrets_of(Environment.read(environ)))
    for text in ("POST /services/T000/B000/slackcanary77", "key out-canary-55 was refused"):
        assert "canary" not in redactor.text(text)
    assert redactor.text("me.example refused /hook of /services") == (
        "me.example refused /hook of /services"
    )
