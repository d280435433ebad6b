"""No secret in what is written down: known values in every form, and shapes of unknown ones."""

import base64
import json
import time
from collections import OrderedDict
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from sqlalchemy import make_url

from config.environment import Environment
from crypto_trader_pro.domain.enums import Side
from utils.redaction import MAX_TEXT, Redactor, clean, plain, secrets_of

CANARY = 'c@n4ry/+ "s3cr\\et'


@pytest.mark.parametrize(
    "form",
    [
        CANARY,
        quote(CANARY),
        quote(CANARY, safe=""),
        json.dumps(CANARY),
        repr(CANARY),
        base64.b64encode(CANARY.encode()).decode(),
    ],
)
def test_a_known_secret_is_hidden_in_every_form(form: str) -> None:
    assert Redactor([CANARY]).text(f"before {form} after") .replace('"', "").replace("'", "") == (
        "before *** after"
    )  # fmt: skip


def test_the_longer_of_two_secrets_goes_first() -> None:
    assert Redactor(["abcd", "abcdefgh"]).text("x abcdefgh y abcd z") == "x *** y *** z"


def test_a_secret_too_short_to_look_for_hides_nothing() -> None:
    assert Redactor(["a", ""]).text("a banana") == "a banana"


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("GET /api/v3/order?symbol=BTCUSDT&signature=1f2e3d&x=1", "signature=***&x=1"),
        ("apiKey=K3Y, next", "apiKey=***, next"),
        ('{"apiKey": "K3Y 2", "b": 1}', '{"apiKey": ***, "b": 1}'),
        (r"{\"secret\": \"K3Y\"}", r"{\"secret\": ***"),
        ("{'secret': 'K3\\'Y', 'b': 1}", "{'secret': ***, 'b': 1}"),
        ("X-MBX-APIKEY: K3Y", "X-MBX-APIKEY: ***"),
        ("OK-ACCESS-SIGN=K3Y OK-ACCESS-PASSPHRASE=K3Y", "SIGN=*** OK-ACCESS-PASSPHRASE=***"),
        ("X-BAPI-SIGN: K3Y", "X-BAPI-SIGN: ***"),
        ("Authorization: Bearer K3Y", "Authorization: Bearer ***"),
        ("authorization=K3Y", "authorization=***"),
        ("{'Authorization': 'Basic K3Y=='}", "{'Authorization': 'Basic ***'}"),
        ("listenKey=K3Y", "listenKey=***"),
        ("password = K3Y", "password = ***"),
        ("POST https://api.telegram.org/bot123:K3Y/sendMessage", "/bot***/sendMessage"),
        (f"token 1234567890:{'A' * 35} was refused", "token *** was refused"),
        ("https://discord.com/api/webhooks/12/K3Y-x_y?wait=1 said", "/api/webhooks/*** said"),
        ("https://discordapp.com/api/v10/webhooks/12/K3Y", "/api/v10/webhooks/***"),
        ("postgresql://trader:K3Y@db:5432/x", "postgresql://***@db:5432/x"),
        ("https://K3Y@sentry.example/1", "https://***@sentry.example/1"),
        ("-----BEGIN RSA PRIVATE KEY-----\nK3Y\n-----END RSA PRIVATE KEY----- ok", "*** ok"),
    ],
)
def test_shapes_of_secrets_are_hidden(text: str, hidden: str) -> None:
    found = Redactor().text(text)
    assert hidden in found
    assert "K3Y" not in found
    assert "A" * 30 not in found
    assert "1f2e3d" not in found


@pytest.mark.parametrize(
    "text",
    [
        "order r12-0000001 filled at 60,000.5",
        "r12:BTC/USDT:1717236000000",
        "https://api.binance.com/api/v3/klines?symbol=BTCUSDT&interval=5m",
        "design: the signal was assigned; max_tokens=5",
        "mail to kim@example.com",
        "the signature does not match",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert Redactor(["k3y-k3y"]).text(text) == text


def test_data_is_searched_through_and_what_a_secrets_name_holds_goes_whole() -> None:
    data = {
        "symbol": "BTC/USDT", "apiKey": ["a", "b"], "none": None, "token": None, "design": "x",
        "calls": [{"url": "wss://u:p@h/", "password": 7}], "k3y-k3y": True,
    }  # fmt: skip
    assert Redactor(["k3y-k3y"]).data(data) == {
        "symbol": "BTC/USDT", "apiKey": "***", "none": None, "token": None, "design": "x",
        "calls": [{"url": "wss://***@h/", "password": "***"}], "***": True,
    }  # fmt: skip


def test_a_text_that_looks_escaped_costs_no_time() -> None:
    redactor = Redactor([CANARY, 'x1\\\\\\"%"', "k3y" + "/+" * 10])
    before = time.monotonic()
    for unit in ("\\", "%25", "&amp;", "\\u005c", '\\"', "c\\", "k3y/+"):
        redactor.text("c n4ry s3cr x1 k3y " + unit * (4 * MAX_TEXT // len(unit)))
    assert time.monotonic() - before < 2


def test_the_password_of_a_database_is_what_sqlalchemy_takes_it_for() -> None:
    for password in ("pa/ss?w#rd", "p%40ss", "a:b"):
        environment = Environment.read({"CTP_DATABASE_URL": f"postgresql://me:{password}@h:1/db"})
        assert environment.database_password == password
        assert environment.database_label == "postgresql://h:1/db"
        assert make_url(environment.database_url).password in secrets_of(environment)
    query = {"CTP_DATABASE_URL": "postgresql://h/db?password=in-the-query"}
    assert secrets_of(Environment.read(query)) == ("in-the-query",)
    assert Environment.read(query).database_label == "postgresql://h/db"


def test_a_hostile_text_costs_no_time() -> None:
    """Each of these made a simpler pattern slow by the square of its length."""
    redactor = Redactor(["k3y-k3y"])
    before = time.monotonic()
    for unit in (
        "a",
        "a.",
        "://",
        "1",
        "token",
        '"secret":"',
        "secret=",
        "authorization: ",
        "sign ",
    ):
        redactor.text(unit * (4 * MAX_TEXT // len(unit)))
    assert time.monotonic() - before < 2


def test_a_text_is_cut_where_no_half_secret_is_left() -> None:
    at_the_cut = "x" * (4 * MAX_TEXT - 4) + CANARY
    text = Redactor([CANARY]).text(clean(at_the_cut))
    assert text.startswith("x" * MAX_TEXT + "... (")
    assert "c@n4" not in text
    assert len(text) < MAX_TEXT + 60


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Decimal("1.10"), "1.10"),
        (float("nan"), "nan"),
        (float("-inf"), "-inf"),
        (1.5, 1.5),
        (True, True),
        (None, None),
        (2**63, str(2**63)),
        (-(2**63), -(2**63)),
        (Side.BUY, "BUY"),
        (datetime(2024, 1, 1, tzinfo=UTC), "2024-01-01T00:00:00+00:00"),
        (Path("/a"), "/a"),
        ("a\x00b\ud800", "a\\x00b\\ud800"),
        ((1, {"k": Decimal(2)}), [1, {"k": "2"}]),
        (OrderedDict([(1, frozenset({3}))]), {"1": [3]}),
        ([[[[[[[0]]]]]]], [[[[[["[0]"]]]]]]),
        (range(3), "range(0, 3)"),
    ],
)
def test_everything_becomes_what_json_holds(value: Any, expected: Any) -> None:
    found = plain(value)
    assert found == expected
    assert type(found) is type(expected)
    json.dumps(found, allow_nan=False)


def test_many_items_are_cut_and_a_broken_value_is_named() -> None:
    class Broken:
        def __str__(self) -> str:
            raise RuntimeError("no")

    assert len(plain(list(range(1000)))) == 200
    assert plain({"x": Broken()}) == {"x": "<Broken without a text: RuntimeError>"}


def test_the_secrets_of_a_deployment_are_all_of_them() -> None:
    environ = {
        "BINANCE_API_KEY": "key-1", "BINANCE_API_SECRET": "secret-2",
        "CTP_SMTP_PASSWORD": "smtp-3", "CTP_DISCORD_WEBHOOK_URL": "https://d/4",
        "CTP_TELEGRAM_BOT_TOKEN": "5:token", "CTP_DATABASE_URL": "postgresql://u:p%40ss@h/db",
    }  # fmt: skip
    assert set(secrets_of(Environment.read(environ))) == {
        "key-1", "secret-2", "smtp-3", "https://d/4", "5:token", "p%40ss", "p@ss",
    }  # fmt: skip
    assert secrets_of(Environment.read({})) == ()
