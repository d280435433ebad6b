"""The whole platform with a canary for every secret: engine, messages, HTTP, commands, console.

Every service refuses and repeats what it was asked, in every form. Afterwards no canary is in a
file, a cell, a line of output, an answer, a page or a process's arguments.
"""

import json
import os
import shutil
import signal
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from auto_trading_dashboard.navigation import entries
from config.environment import SHIPPED, Environment
from crypto_trader_pro.domain.enums import CommandKind
from tests import canaries
from tests.acceptance.test_canary_secrets import SWITCHED_ON
from tests.browser.conftest import ARGUMENTS, served
from tests.browser.visits import CHROMIUM
from tests.canaries import Search
from tests.channel_peers import HANG, RESET, Answer, Asked, HttpPeer
from tests.engine_process import Site, a_site, until
from tests.http_server import a_signal
from tests.mail_peer import MailPeer
from tests.processes import DATABASE, a_port, finish
from tests.telegram_peer import TelegramPeer, text_update
from utils import reach_file
from utils.clocks import SystemClock
from utils.redaction import secrets_of

pytestmark = pytest.mark.slow
EVERYWHERE = '["dashboard", "email", "discord", "telegram", "slack", "webhook"]'
ROUTES = {
    f"CTP_ROUTING__BY_SEVERITY__{s}": EVERYWHERE for s in ("INFO", "WARNING", "ERROR", "CRITICAL")
}
STATUSES = (401, 429, 500, 404, 200, 302, 400)


def repeating(asked: Asked, status: int) -> Answer:
    """Return an answer that says all of its request in every form."""
    said = canaries.echo_of(
        asked.method, asked.path, asked.headers, [asked.path, str(asked.headers)]
    )
    body = {"ok": False, "message": said, "description": said, "error": said}
    return Answer(status, json.dumps(body).encode(), {"Retry-After": "1", "Location": asked.path})


class Repeating(HttpPeer):
    """Discord, Slack and somebody's server: each answer another failure, one hangs."""

    def _chosen(self, asked: Asked) -> Answer:
        number = len(self.asked)
        if number in (5, 11):
            return HANG if number == 5 else RESET
        return repeating(asked, STATUSES[number % len(STATUSES)])


class RepeatingBot(TelegramPeer):
    """The Bot API: each fourth call fails with its own address in its words."""

    def _chosen(self, asked: Asked) -> Answer:
        return repeating(asked, STATUSES[len(self.asked) % len(STATUSES)])

    async def _answer(self, request: Any) -> Any:
        if len(self.asked) % 4 == 3 or self.polls % 4 == 3:
            asked = Asked(request.method, request.path_qs, dict(request.headers), b"")
            self.polls += 1
            with self._news:
                self.asked.append(asked)
            return await self._done(request, repeating(asked, STATUSES[self.polls // 4 % 7]))
        return await super()._answer(request)


@dataclass
class Story:
    """What came of it."""

    site: Site
    http: str
    made: dict[str, str] = field(default_factory=dict)  # keys and tokens of our own making
    said: dict[str, str] = field(default_factory=dict)  # where -> what a person or a program sees

    @property
    def environ(self) -> dict[str, str]:
        return dict(self.site.platform.settings)

    def command(self, *words: str) -> str:
        ended = self.site.platform.fork(*words)
        text = ended.stdout + ended.stderr
        assert "internal error" not in text, (words, text)
        self.said[" ".join(words)] = text
        return text


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    folder = tmp_path_factory.mktemp("canary")
    config = folder / "config"
    config.mkdir()
    for file in SHIPPED.glob("*.json"):
        shutil.copy(file, config)
    port = a_port()
    with (
        Repeating() as peer, RepeatingBot() as bot,
        MailPeer(password="another") as mail,  # noqa: S106
    ):  # fmt: skip
        said = " ".join(canaries.forms(canaries.wild("CTP_SMTP_PASSWORD"))[:4])
        mail.on_auth = "535 5.7.8 " + said.encode("ascii", "backslashreplace").decode()
        settings = {
            **SWITCHED_ON, **ROUTES, **canaries.environ(peer.url), "CTP_CONFIG_DIR": str(config),
            "CTP_TELEGRAM_API_URL": bot.url, "CTP_CHANNELS__TELEGRAM__USER_IDS": "[9]",
            "CTP_CHANNELS__EMAIL__PORT": str(mail.port), "CTP_NOTIFICATIONS__CHANNELS": EVERYWHERE,
            "CTP_REACH__ENABLED": "true", "CTP_HTTP_PORT": str(port),
        }  # fmt: skip
        with a_site(folder, settings) as site:
            told = Story(site, f"http://127.0.0.1:{port}")
            try:
                lived(told, bot)
                yield told
            finally:
                if (left := reach_file.living(site.var_dir)) is not None:
                    os.kill(left.pid, signal.SIGKILL)


def lived(story: Story, bot: TelegramPeer) -> None:
    """Let everything happen that could tell a secret, then end the engine."""
    engine = story.site.trading()
    reach = until(lambda: reach_file.living(story.site.var_dir), "the process for messages", 30)
    assert reach is not None
    until(lambda: answers(story.http), "the HTTP server", 30)
    by_commands(story)
    by_http(story)
    for text in ("/start", "/status", "/config", "/logs", "/health", "/why", story.made["KEY"]):
        bot.push(text_update(text, at=SystemClock().now()))
    until(lambda: len(failed(story)) >= 4, "messages that failed by every channel", 90)
    story.command("notify", "list", "--json")
    story.command("logs", "--lines", "1000")
    for pid in (engine.pid, reach.pid):
        story.said[f"arguments of {pid}"] = Path(f"/proc/{pid}/cmdline").read_text()
    assert story.site.ask(CommandKind.EMERGENCY_STOP).code
    if CHROMIUM is None:
        story.said["end"] = str(story.site.end(engine))
        return
    pages(story)  # the console's `down` at its end ends the engine too
    story.said["end"] = str(finish(engine))


def answers(address: str) -> bool:
    try:
        return httpx.get(f"{address}/health").status_code in (200, 503)
    except httpx.HTTPError:
        return False


def failed(story: Story) -> set[str]:
    """Return the channels with a stored failure."""
    rows = story.site.rows("notification_outbox", "WHERE last_error IS NOT NULL")
    return {str(row["channel"]) for row in rows}


def by_commands(story: Story) -> None:
    for name, words in {
        "KEY": ("webhooks", "create", "mine"), "OTHER": ("webhooks", "create", "another", "--hmac"),
        "TOKEN": ("tokens", "create", "reader"),
    }.items():  # fmt: skip
        made = story.site.platform.fork(*words, "--json").result()
        story.made[name] = str(made.get("key") or made["token"])
    for line in (
        "status", "status --json", "preflight", "notify list", "webhooks list", "tokens list",
        "validate-config", "config history", "jobs", "alerts", "strategies",
        "webhooks message mine",
        "notify test discord", "notify test email", "notify test telegram", "notify test slack",
        "notify test webhook",
    ):  # fmt: skip
        story.command(*line.split())


def by_http(story: Story) -> None:
    key, token = story.made["KEY"], story.made["TOKEN"]
    bearer = {"authorization": f"Bearer {token}", "user-agent": f"x {key}"}
    with httpx.Client(base_url=story.http, timeout=30) as http:
        for body in (a_signal(), a_signal(alert_id=key), a_signal(passphrase=key),
                     a_signal(symbol=canaries.wild("CTP_WEBHOOK_HMAC_SECRET"))):  # fmt: skip
            http.post(f"/webhook/{key}?token={token}", json=body, headers=bearer)
        http.post(f"/webhook/{story.made['OTHER']}", json=a_signal(),
                  headers={"x-ctp-signature": "sha256=0", "x-ctp-timestamp": "1"})  # fmt: skip
        paths = [p for p in http.get("/openapi.json").json()["paths"] if "{" not in p]
        for path in [*paths, "/openapi.json", "/nothing", f"/webhook/{key}x"]:
            for headers in (bearer, {"authorization": f"Bearer {token}x"}, {}):
                answer = http.get(path, headers=headers)
                story.said[f"{path} {len(story.said)}"] = answer.text + str(answer.headers)
    entry = story.site.rows("webhook_logs", "ORDER BY id LIMIT 1")[0]["id"]
    story.command("webhooks", "show", str(entry), "--json")


def pages(story: Story) -> None:
    """Look at every page, with what its inputs hold and what came over its socket."""
    from playwright.sync_api import sync_playwright

    frames: list[str] = []
    given = {k: v for k, v in story.environ.items() if k != "CTP_HTTP_PORT"}
    with served(story.site.var_dir, environ=given) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        page = browser.new_page()
        page.on("websocket", lambda s: s.on("framereceived", lambda f: frames.append(str(f))))
        for entry in entries():
            page.goto(f"{address}/{entry.path}", wait_until="domcontentloaded")
            page.get_by_test_id("stHeading").first.wait_for(timeout=60_000)
            time.sleep(2)
            values = page.evaluate(
                "[...document.querySelectorAll('input,textarea')].map(x => x.value).join('\\n')"
            )
            story.said[f"page {entry.name}"] = page.content() + str(values)
        browser.close()
    story.said["frames"] = "\n".join(frames)
    assert len(frames) > len(entries())


def search(story: Story) -> Search:
    return Search(story.made)


def test_nothing_that_was_said_holds_a_secret(story: Story) -> None:
    found = {where: names for where, text in story.said.items() if (names := search(story)(text))}
    assert found == {}
    assert len(story.said) > 40


def test_no_file_and_no_cell_holds_a_secret(story: Story) -> None:
    assert search(story).database(story.site.var_dir / DATABASE) == {}
    assert search(story).files(story.site.var_dir) == {}


def test_the_search_would_have_found_each(story: Story) -> None:
    """Each secret was in force, and failures by every channel were stored and looked through."""
    told = "".join(secrets_of(Environment.read(story.environ)))
    assert set(Search()(told)) == {*canaries.NAMES} - {"DATABASE_PASSWORD"}
    assert {"email", "discord", "telegram", "slack"} <= failed(story)
    file = story.site.var_dir / DATABASE
    with closing(sqlite3.connect(file)) as connection, connection:
        text = f"a log line with {canaries.wild('CTP_SMTP_PASSWORD')}"
        connection.execute("UPDATE auto_trading_logs SET message = ? WHERE id = 1", (text,))
    assert search(story).database(file) == {"auto_trading_logs": ["CTP_SMTP_PASSWORD"]}
