"""No secret gets out: every one of the environment is a canary, and then it is looked for.

What a person sees, what is stored and what is answered, while every service repeats what it was
asked. The whole platform with its console is in `test_canary_platform.py`.
"""

import asyncio
import json
import logging
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from config.environment import EXCHANGE_KEYS, SECRETS, Environment
from config.loading import load
from crypto_trader_pro.cli import exits
from database.log_rows import LogTable
from tests import canaries
from tests.canaries import Search
from tests.channel_peers import RESET, Answer, HttpPeer
from tests.channels import SENDING, a_message, said_of
from tests.engines import command
from tests.http_server import MASTER, a_signal, a_site
from tests.mail_peer import MailPeer
from tests.processes import DATABASE
from utils.channels import NeverDelivered, Undelivered
from utils.channels.opening import open_channels
from utils.clocks import SystemClock
from utils.logging import setup_logging
from utils.redaction import Redactor, secrets_of

SWITCHED_ON = {
    **{f"CTP_CHANNELS__{channel.value.upper()}__ENABLED": "true" for channel in SENDING},
    "CTP_CHANNELS__TELEGRAM__CHAT_IDS": "[7]", "CTP_CHANNELS__EMAIL__HOST": "127.0.0.1",
    "CTP_CHANNELS__EMAIL__SECURITY": "none", "CTP_CHANNELS__EMAIL__USERNAME": "trader",
    "CTP_CHANNELS__EMAIL__SENDER": "bot@example.com",
    "CTP_CHANNELS__EMAIL__RECIPIENTS": '["a@example.com"]',
}  # fmt: skip
STATUSES = (200, 302, 400, 401, 404, 429, 500)


@pytest.fixture(scope="module")
def peer() -> Iterator[HttpPeer]:
    with HttpPeer() as found:
        yield found


@pytest.fixture(scope="module")
def mail() -> Iterator[MailPeer]:
    with MailPeer(password="another one") as found:  # noqa: S106
        yield found


@pytest.fixture
def environ(peer: HttpPeer, mail: MailPeer, tmp_path: Path) -> dict[str, str]:
    return {
        **SWITCHED_ON, **canaries.environ(peer.url), "CTP_TELEGRAM_API_URL": peer.url,
        "CTP_CHANNELS__EMAIL__PORT": str(mail.port), "CTP_VAR_DIR": str(tmp_path / "var"),
    }  # fmt: skip


@pytest.fixture
def installed(environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Path:
    """The environment of this process, with a database; returns the var folder."""
    for name in ("CTP_DATABASE_URL", "DATABASE_URL", "CTP_CONFIG_DIR"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    assert command("init-db").code == 0
    return Path(environ["CTP_VAR_DIR"])


def echo(environment: Environment, status: int, one: int) -> Answer:
    """Return an answer that repeats secrets in all forms, each time another one first."""
    secrets = [s for s in secrets_of(environment) if canaries.Search()(s)]
    turned = secrets[one % len(secrets) :] + secrets[: one % len(secrets)]
    said = canaries.echo_of("POST", "/", {}, turned)
    body = json.dumps({"ok": False, "description": said, "message": said, "error": said})
    return Answer(status, body.encode(), {"Location": f"/{one}", "X-Said": "x"})


def test_a_mark_is_found_in_every_form() -> None:
    search = Search()
    for name in canaries.WILD:
        for form in canaries.forms(canaries.wild(name)):
            assert search(form) == [name]
    assert search(canaries.in_address("OUT_QUERY")) == ["OUT_QUERY"]
    assert search("Qz7 nothing Hd3") == []


def test_every_secret_of_the_environment_has_a_canary(environ: dict[str, str]) -> None:
    assert {*EXCHANGE_KEYS, *SECRETS} <= environ.keys()
    environment = Environment.read(environ)
    held = [getattr(environment, name) for name in environment.__slots__]
    assert len([value for value in held if isinstance(value, SecretStr)]) == 9
    said = "\n".join(secrets_of(environment))
    assert set(Search()(said)) == {*canaries.NAMES} - {"DATABASE_PASSWORD"}


def test_redaction_knows_every_form_and_every_mixture(environ: dict[str, str]) -> None:
    redactor, search = Redactor(secrets_of(Environment.read(environ))), Search()
    for secret in secrets_of(Environment.read(environ)):
        for form in canaries.forms(secret):
            assert search(redactor.text(f"said {form} and went")) == []
            assert search(redactor.known(form)) == []


def test_services_that_repeat_it_get_it_into_no_error_and_no_log(
    environ: dict[str, str], peer: HttpPeer, mail: MailPeer, caplog: pytest.LogCaptureFixture
) -> None:
    environment, search = Environment.read(environ), Search()
    found = open_channels(load(environ=environ), environment)
    assert (set(found.channels), found.problems) == (set(SENDING), ())
    said_by_mail = " ".join(canaries.forms(canaries.wild("CTP_SMTP_PASSWORD"))[:4])
    mail.on_auth = "535 5.7.8 " + said_by_mail.encode("ascii", "backslashreplace").decode()
    said: list[str] = []

    async def all_of_it() -> None:
        for name, channel in found.channels.items():
            for k, status in enumerate(STATUSES):
                peer.usual = echo(environment, status, k) if k < len(STATUSES) - 1 else RESET
                try:
                    await channel.send(a_message(number=k + 1))
                except (Undelivered, NeverDelivered) as error:
                    said.append(said_of(error, caplog))
                    assert search(said[-1]) == [], name
        await found.close()

    with caplog.at_level(logging.WARNING):  # of libraries, as `setup_logging` has it
        asyncio.run(all_of_it())
    mail.on_auth = "535 5.7.8 no"
    # the webhook's peer may say what it likes with 200; mail fails always
    assert len(said) == len(SENDING) * len(STATUSES) - 1
    asked = [request for request in peer.asked if request.path.startswith(("/api", "/services"))]
    assert search(asked[0].path) == ["CTP_DISCORD_WEBHOOK_URL"]  # where it belongs it is whole


def test_what_is_logged_with_it_is_written_without_it(
    environ: dict[str, str], installed: Path
) -> None:
    environment = Environment.current()
    table = LogTable.open(environment.database_url)
    handle = setup_logging(
        installed / "logs", level=logging.DEBUG, console=False, table_sink=table,
        clock=SystemClock(), secrets=secrets_of(environment),
    )  # fmt: skip
    log = logging.getLogger("auto_trading.test")
    for secret in secrets_of(environment):
        for form in canaries.forms(secret):
            log.warning("said %s", form, extra={"data": {"said": form, form: [form]}})
            log.info("as told", extra={"correlation_id": form})
        raised(log, secret)
    dying = threading.Thread(target=lambda: int(canaries.wild("BINANCE_API_KEY")), name="dying")
    dying.start()
    dying.join()
    assert handle.flush()
    handle.close()
    table.close()
    search = Search()
    assert "dying" in (installed / "logs" / "errors.log").read_text()
    assert search.database(installed / DATABASE) == {}
    assert search.files(installed) == {}


def raised(log: logging.Logger, secret: str) -> None:
    held = {"password": secret}
    try:
        try:
            raise KeyError(secret)
        except KeyError as error:
            raise RuntimeError(f"{held} with {secret!r}") from error
    except RuntimeError:
        log.exception("it failed with %r", held)


BAD_ADDRESSES = (
    "mysql://me:{0}@127.0.0.1/x", "postgresql://me:{0}@127.0.0.1:port/x", "me:{0}@127.0.0.1",
    "postgresql://me:{0}@127.0.0.1:1/x", "postgresql://me:a/{0}#?@127.0.0.1:1/x",
    "postgresql://[me:{0}@x", "postgresql://127.0.0.1:1/x?password={0}", "sqlite://me:{0}@/x",
)  # fmt: skip


@pytest.mark.parametrize("address", BAD_ADDRESSES)
def test_the_databases_password_is_in_no_complaint(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CTP_VAR_DIR", str(tmp_path))
    secret = canaries.in_address("DATABASE_PASSWORD")
    monkeypatch.setenv("CTP_DATABASE_URL", address.format(secret))
    said = []
    for words in (("status",), ("init-db",), ("preflight",)):
        ended = command(*words)
        assert Search()(ended.stdout + ended.stderr) == []
        said.append(ended.stderr or ended.stdout)
    assert all("internal error" not in text for text in said), said


def test_commands_print_none_and_leave_none(
    installed: Path, peer: HttpPeer, monkeypatch: pytest.MonkeyPatch
) -> None:
    peer.usual = echo(Environment.current(), 401, 3)
    search = Search()
    for words in (
        "status", "status --json", "preflight", "preflight --json", "notify list",
        *(f"notify test {channel.value}" for channel in SENDING), "webhooks list", "tokens list",
        "validate-config", "validate-config --json", "config history", "logs", "jobs", "alerts",
        "strategies", "accounts", "positions", "orders", "trades",
    ):  # fmt: skip
        ended = command(*words.split())
        assert "internal error" not in ended.stderr, (words, ended.stderr)
        assert search(ended.stdout + ended.stderr) == [], words
    settings = load()
    assert search(repr(Environment.current()) + str(Environment.current())) == []
    assert search(repr(settings) + settings.canonical_json()) == []

    def broken() -> None:
        raise RuntimeError(f"bug beside {canaries.wild('BINANCE_API_SECRET')!r}")

    with pytest.raises(SystemExit):
        exits.guarded(broken)
    assert "bug beside" in (installed / "logs" / "errors.log").read_text()
    assert search.files(installed) == {}
    assert search.database(installed / DATABASE) == {}


def test_a_secret_that_cannot_be_used_is_not_repeated(
    installed: Path, peer: HttpPeer, monkeypatch: pytest.MonkeyPatch
) -> None:
    peer.usual = Answer(401)
    for form in ("ftp://[{}", "{}:"):
        for name in (*EXCHANGE_KEYS, *SECRETS):
            monkeypatch.setenv(name, form.format(canaries.wild(name)))
        for words in (("preflight",), *(("notify", "test", c.value) for c in SENDING)):
            ended = command(*words)
            assert "internal error" not in ended.stderr
            assert Search()(ended.stdout + ended.stderr) == []
    assert Search().files(installed) == {}


def test_keys_and_tokens_of_strangers_and_friends_are_in_no_answer_and_no_row(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with a_site(tmp_path) as site, caplog.at_level(logging.DEBUG):
        _, key = site.strategy("mine")
        _, other = site.strategy("another")
        token = site.token("reader")
        search = Search({"KEY": key, "OTHER": other, "TOKEN": token, "MASTER": MASTER})
        came = asked_with(site, key, other, token)
        # what is wrong with a question is told to who has asked it, in the question's words
        answers = [r.text + str(r.headers) for r in came if r.status_code != 422]
        assert len(site.journal(site_strategy := site.strategy("third")[0])) == 0
        assert site_strategy.name == "third"
        assert [search(answer) for answer in answers] == [[]] * len(answers)
    ours = [record for record in caplog.records if not record.name.startswith(("http", "asyncio"))]
    assert search("".join(map(str, [record.__dict__ for record in ours]))) == []
    assert search.database(tmp_path / "database.db") == {}
    assert search.files(tmp_path) == {}


def asked_with(site: Any, key: str, other: str, token: str) -> list[Any]:
    """Send what people and scanners send, with secrets where they do not belong."""
    stamp = str(int(SystemClock().now().timestamp()))
    odd = {"user-agent": f"bot/{other} {token}", "referer": f"http://x/{key}?token={token}"}
    signed = {"x-ctp-timestamp": stamp, "x-ctp-signature": f"sha256={MASTER}"}
    post, get = site.http.post, site.http.get
    return [
        site.post(key, a_signal()), site.post(key, a_signal(alert_id=key)),
        site.post(key, a_signal(alert_id=f"a.{MASTER}")), site.post(key, a_signal(passphrase=key)),
        site.post(key, a_signal(token=token)), site.post(key, a_signal(other=other)),
        site.post(key, a_signal(action=other)), site.post(key, a_signal(symbol=other)),
        site.post(key, f"buy BTC/USDT {key} {MASTER} {token}"), site.post(key, f"\xff{key}"),
        post(f"/webhook/{key}?key={key}&token={token}", json=a_signal(), headers=odd),
        post(f"/webhook/{key}", json=a_signal(), headers=signed),
        post(f"/webhook/{key}", content=b"\x00" + key.encode()),
        post(f"/webhook/{key}/{other}", json=a_signal()), post(f"/webhook/{key}x", json={}),
        get(f"/webhook/{key}"), get(f"/api/v1/{token}"), get(f"/{key}%00{token}"),
        get("/api/v1/status", headers={"authorization": f"Bearer {token}", **odd}),
        get("/api/v1/status", headers={"authorization": f"Bearer {token}x"}),
        get("/api/v1/status", headers={"authorization": f"Basic {token}"}),
        get(f"/api/v1/trades?since={token}&limit={key}",
            headers={"authorization": f"Bearer {token}"}),
        get(f"/health?token={token}"), get("/ready"), get("/metrics"), get("/openapi.json"),
    ]  # fmt: skip
