"""Signals from outside over real sockets: who may send, what is taken, what is stored."""

import gzip
import hashlib
import hmac
import json
import re
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import httpx
import pytest

from crypto_trader_pro.domain.enums import NotificationType
from database import strategies, webhooks
from database.auto_trading_db import unit_of_work
from database.commands import CommandStatus
from database.strategies import Changes, signing_secret
from tests.http_server import MASTER, Site, a_signal, a_site, now

NOT_FOUND = {"status": "not_found"}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with a_site(tmp_path_factory.mktemp("http"), trusted_proxies=["127.0.0.1"]) as made:
        yield made


def test_a_signal_is_stored_with_its_command_before_the_answer(site: Site) -> None:
    strategy, key = site.strategy("first")
    with unit_of_work(site.database) as session:
        strategies.set_capital(session, strategy.id or 0, _d("2500.5"), "kim", now())
    body = a_signal(
        order_type="limit", price="60000.10", stop_pct=1.5, size_pct="25", valid_seconds=600,
        alert_id="one",
    )  # fmt: skip
    answer = site.post(key, body)
    (entry,) = site.journal(strategy)
    assert (answer.status_code, answer.json()) == (202, {"status": "accepted", "id": entry.id})
    assert (entry.status, entry.form, entry.alert_id, entry.remote) == (
        "accepted", "json", "one", "127.0.0.1",
    )  # fmt: skip
    assert json.loads(entry.body) == body
    (command,) = site.commands(strategy)
    assert (command.command_id, command.status) == (entry.command_id, CommandStatus.ASKED)
    assert len(command.command_id) <= 36
    assert command.expires_at == entry.received_at + timedelta(seconds=60)
    assert command.payload == {
        "strategy": "first", "action": "buy", "symbol": "BTC/USDT", "order_type": "limit",
        "price": "60000.1", "stop_pct": "1.5", "size_pct": "25", "valid_seconds": 600,
        "alert_id": "one", "capital": "2500.5",
    }  # fmt: skip
    told = [numbers for kind, _, numbers in site.told if kind is NotificationType.SIGNAL_RECEIVED]
    assert told[-1] == {
        "strategy": "first", "action": "buy", "symbol": "BTC/USDT", "entry": entry.id,
    }  # fmt: skip


def test_a_thousand_copies_at_once_are_one_command(site: Site) -> None:
    strategy, key = site.strategy("copies")
    body = json.dumps(a_signal()).encode()

    def send(_: int) -> list[httpx.Response]:
        with httpx.Client(base_url=site.http.base_url, timeout=30) as client:
            return [
                client.post(f"/webhook/{key}", content=body, headers={"content-type": "text/plain"})
                for _ in range(50)
            ]

    with ThreadPoolExecutor(20) as pool:
        answers = [answer for part in pool.map(send, range(20)) for answer in part]
    assert len(answers) == 1000
    codes = [answer.status_code for answer in answers]
    assert (codes.count(202), codes.count(200)) == (1, 999)
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert len(site.commands(strategy)) == 1
    rows = [row.status for row in site.journal(strategy)]
    assert rows.count("accepted") == 1
    assert rows.count("duplicate") == 60  # of each minute that many get a row


@pytest.mark.parametrize("key", ["", "x", "a" * 43, "%00", "..%2f..", "' OR 1=1 --", "한글"])
def test_a_wrong_key_learns_nothing(site: Site, key: str) -> None:
    answer = site.post(key, a_signal())
    assert answer.status_code == 404
    if key not in ("", "..%2f.."):  # those are other paths
        assert answer.json() == NOT_FOUND


def test_many_wrong_keys_are_held_back_and_told_once_and_store_nothing(site: Site) -> None:
    with a_site_like(site) as other:
        codes = [other.post(f"wrong{n}", a_signal()).status_code for n in range(230)]
        assert codes[:20] == [404] * 20  # each address and minute
        assert set(codes[20:]) == {429}
        told = [(code, numbers) for _, code, numbers in other.told]
        assert told == [("webhook_strangers", {"requests": 200})]
        strategy, key = other.strategy("beside")
        assert other.post(key, a_signal()).status_code == 202  # a right key is not held back
        assert len(other.journal(strategy)) == 1


def test_a_strategy_that_is_off_or_has_a_new_key_is_unknown(site: Site) -> None:
    strategy, key = site.strategy("switched")
    assert site.post(key, a_signal()).status_code == 202
    with unit_of_work(site.database) as session:
        strategies.set_active(session, strategy.id or 0, False, now())
    # its key is still in the server's memory: the transaction looks again
    answer = site.post(key, a_signal())
    assert (answer.status_code, answer.json()) == (404, NOT_FOUND)
    with unit_of_work(site.database) as session:
        strategies.set_active(session, strategy.id or 0, True, now())
        new = strategies.rotate(session, strategy.id or 0, now())
    assert site.post(key, a_signal()).status_code == 404
    site.settle()
    assert site.post(new.key, a_signal()).status_code == 202
    assert len(site.commands(strategy)) == 2


# --- what is refused ----------------------------------------------------------------------------


REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("unknown field", {"leverage": 5}, "field was 'leverage', allowed: action, symbol"),
    ("control", {"action": "emergency_stop"}, "action was 'emergency_stop', allowed: buy, sell"),
    ("start", {"action": "start"}, "action was 'start', allowed: buy, sell, close, close_all"),
    ("case", {"action": "BUY"}, "action was 'BUY', allowed: buy, sell"),
    ("no action", {"action": None}, "action is missing"),
    ("no time", {"timestamp": None}, "timestamp is missing"),
    ("no symbol", {"symbol": None}, "symbol is missing, allowed: BTC/USDT, ETH/USDT"),
    ("symbol", {"symbol": "XRPUSDT"}, "symbol was 'XRPUSDT', allowed: BTC/USDT, ETH/USDT"),
    ("symbol kind", {"symbol": 5}, "symbol was '5', allowed: a text"),
    ("nought", {"quantity": 0}, "quantity was '0', allowed: a number above 0"),
    ("negative", {"quantity": "-1"}, "quantity was '-1', allowed: a number above 0"),
    ("many places", {"quantity": "0.0000000000001"}, "with up to 12 decimals"),
    ("share", {"size_pct": 101}, "size_pct was '101', allowed: a number above 0 and at most 100"),
    ("bool", {"stop_pct": True}, "stop_pct was 'True', allowed: a number"),
    ("list", {"stop_pct": [1]}, "stop_pct was a list, allowed: a number"),
    ("limit", {"order_type": "limit"}, "price is missing"),
    ("market", {"price": 1}, "price was 1, allowed: only with order_type limit"),
    ("valid", {"valid_seconds": 60}, "valid_seconds was 60, allowed: only with a limit"),
    ("valid text", {"valid_seconds": "1.5"}, "valid_seconds was '1.5', allowed: whole seconds"),
    (
        "close",
        {"action": "close", "quantity": 1},
        "quantity was '1', allowed: only with action buy",
    ),
    ("alert id", {"alert_id": "a b"}, "alert_id was 'a b', allowed: 1 to 64 visible ASCII"),
    ("long alert id", {"alert_id": "x" * 65}, "allowed: 1 to 64 visible ASCII characters"),
    ("naive", {"timestamp": "2026-01-01T00:00:00"}, "allowed: a time as 2026-01-31T09:30:00Z"),
    ("month", {"timestamp": "2026-13-01T00:00:00Z"}, "allowed: a time as"),
    ("old", {"timestamp": 1_700_000_000}, "s old, allowed: -5 to 60 s"),
]


@pytest.mark.parametrize(
    ("changes", "reason"), [r[1:] for r in REFUSED], ids=[r[0] for r in REFUSED]
)
def test_a_fault_is_named_and_asks_nothing(
    site: Site, changes: dict[str, Any], reason: str
) -> None:
    strategy, key = _the_strict(site)
    before = len(site.commands(strategy))
    answer = site.post(key, a_signal(**changes))
    assert answer.status_code == 400
    assert reason in answer.json()["reason"]
    assert len(site.commands(strategy)) == before
    assert reason[:60] in site.journal(strategy)[-1].reason


RAW: list[tuple[str, bytes, str]] = [
    ("twice", b'{"action":"buy","action":"sell"}', "field 'action' is there twice"),
    ("nan", b'{"quantity":NaN}', "number was 'NaN'"),
    ("infinity", b'{"quantity":-Infinity}', "number was '-Infinity'"),
    ("exponent", b'{"quantity":1e5}', "number was '1e5', allowed: digits"),
    ("huge", b'{"quantity":' + b"9" * 5000 + b"}", "allowed: digits, at most 20"),
    ("bomb", b"[" * 8000, "nested deeper than 2"),
    ("objects", b'{"a":' * 1200, "nested deeper than 2"),
    ("list", b"[1]", "the body is a list, allowed: one JSON object"),
    ("half", b'{"action":"buy"', "the body is no JSON at character"),
    ("empty", b"  \n", "the body is empty"),
    ("utf-8", b'{"action":"b\xff"}', "the body is no UTF-8 at byte 12"),
    ("utf-16", '{"action":"buy"}'.encode("utf-16"), "no UTF-8"),
    ("nul", b'{"action":"buy\x00"}', "the control character"),
    ("surrogate", b'{"action":"\\ud800"}', "action was"),
    ("word", b"hold BTCUSDT", "the first word was 'hold', allowed: buy, sell"),
]


@pytest.mark.parametrize(("body", "reason"), [r[1:] for r in RAW], ids=[r[0] for r in RAW])
def test_what_cannot_be_read_is_named(site: Site, body: bytes, reason: str) -> None:
    strategy, key = _the_strict(site)
    answer = site.post(key, body, content_type="application/json")
    assert answer.status_code == 400
    assert reason in answer.json()["reason"]
    assert "\x00" not in site.journal(strategy)[-1].body


def _the_strict(site: Site) -> Any:
    """Return a strategy of the moment: each journals only so many refusals in a minute."""
    _the_strict_number.append(None)
    return site.strategy(f"strict{len(_the_strict_number)}")


_the_strict_number: list[None] = []


def test_old_and_future_signals_are_refused_to_the_second(site: Site) -> None:
    strategy, key = site.strategy("clock")
    for seconds, status in ((-57, 202), (-70, 400), (3, 202), (30, 400)):
        at = now() + timedelta(seconds=seconds)
        stamps = [at.isoformat(), int(at.timestamp()), int(at.timestamp() * 1000)]
        for n, stamp in enumerate(stamps):
            answer = site.post(key, a_signal(timestamp=stamp, alert_id=f"{seconds}.{n}"))
            assert answer.status_code == status, answer.text
    assert len(site.commands(strategy)) == 6


def test_refusals_get_a_row_only_so_often(site: Site) -> None:
    strategy, key = site.strategy("noisy")
    for n in range(70):
        answer = site.post(key, a_signal(action="start", alert_id=f"n{n}"))
        assert answer.status_code == 400
    assert len(site.journal(strategy)) == 60


def test_no_more_signals_are_taken_than_the_strategy_may_send(site: Site) -> None:
    strategy, key = site.strategy("eager", Changes(per_minute=3))
    codes = [site.post(key, a_signal()).status_code for _ in range(5)]
    assert codes == [202, 202, 202, 429, 429]
    assert len(site.commands(strategy)) == 3
    assert site.journal(strategy)[-1].reason == "more than 3 signals in a minute"


# --- bodies and connections ---------------------------------------------------------------------


def test_bodies_are_bounded_whatever_their_headers_say(site: Site) -> None:
    _, key = site.strategy("long")
    too_long = json.dumps(a_signal(alert_id="x")) + " " * 8192
    assert site.post(key, too_long).status_code == 413

    def parts() -> Iterator[bytes]:
        for _ in range(64):
            yield b" " * 1024

    answer = site.http.post(f"/webhook/{key}", content=parts())  # chunked: no length is told
    assert answer.status_code == 413
    just_right = json.dumps(a_signal()).encode()
    assert site.post(key, just_right + b" " * (8192 - len(just_right))).status_code == 202


def test_nothing_is_unpacked(site: Site) -> None:
    _, key = site.strategy("packed")
    bomb = gzip.compress(b"0" * 5_000_000)
    assert len(bomb) < 8192
    answer = site.post(key, bomb, content_encoding="gzip")
    assert answer.status_code == 415
    assert "content-encoding was 'gzip'" in answer.json()["reason"]
    form = site.post(key, "action=buy", content_type="application/x-www-form-urlencoded")
    assert form.status_code == 415


def test_slow_senders_are_cut_off(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("auto_trading.http.guard.HEADER_SECONDS", 0.3)
    monkeypatch.setattr("auto_trading.http.bodies.BODY_SECONDS", 0.3)
    _, key = site.strategy("slow")
    host, port = str(site.http.base_url.host), site.http.base_url.port or 0
    head = f"POST /webhook/{key} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 50\r\n"
    with socket.create_connection((host, port)) as silent:
        silent.settimeout(5)
        assert silent.recv(1) == b""  # not a byte was sent
    with socket.create_connection((host, port)) as dribbling:
        dribbling.settimeout(5)
        dribbling.sendall(head[:40].encode())
        time.sleep(0.2)
        dribbling.sendall(head[40:60].encode())  # more of the headers is no more time
        began = time.monotonic()
        assert _all_of(dribbling) == b""
        assert time.monotonic() - began < 2
    with socket.create_connection((host, port)) as bodyless:
        bodyless.settimeout(5)
        bodyless.sendall(f"{head}\r\n{{".encode())
        assert _all_of(bodyless).startswith(b"HTTP/1.1 408 ")


def _all_of(connection: socket.socket) -> bytes:
    found = b""
    try:
        while part := connection.recv(4096):
            found += part
    except ConnectionResetError:
        pass
    return found


def test_headers_are_bounded_and_garbage_is_answered(site: Site) -> None:
    host, port = str(site.http.base_url.host), site.http.base_url.port or 0
    for sent in (b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 20_000, b"\x00\xff\r\n\r\n"):
        with socket.create_connection((host, port)) as client:
            client.settimeout(5)
            client.sendall(sent)
            assert _all_of(client).startswith((b"HTTP/1.1 400 ", b""))
    assert site.http.get("/openapi.json").status_code == 200


def test_a_body_with_two_lengths_hides_no_second_request(site: Site) -> None:
    head = "Host: 127.0.0.1\r\n"
    first = f"POST /webhook/x HTTP/1.1\r\n{head}Content-Length: 6\r\nTransfer-Encoding: chunked\r\n"
    with socket.create_connection(("127.0.0.1", site.service.port)) as client:
        client.settimeout(5)
        client.sendall(f"{first}\r\n0\r\n\r\nGET /ready HTTP/1.1\r\n{head}\r\n".encode())
        said = _all_of(client)
    assert said.startswith(b"HTTP/1.1 400 ")
    assert said.count(b"HTTP/1.1 ") == 1


def test_hosts_of_strangers_are_refused(site: Site) -> None:
    for host in ("evil.example", "localhost.evil.example:8502", ""):
        assert site.http.get("/health", headers={"host": host}).status_code == 421
    for host in ("localhost", "localhost:1", "127.0.0.1:8502", "[::1]:8502", socket.gethostname()):
        assert site.http.get("/openapi.json", headers={"host": host}).status_code == 200


# --- signatures and addresses -------------------------------------------------------------------


def _signed(secret: str, body: bytes, stamp: int | None = None) -> dict[str, str]:
    told = str(int(now().timestamp()) if stamp is None else stamp)
    digest = hmac.new(secret.encode(), told.encode() + b"." + body, hashlib.sha256).hexdigest()
    return {"X_CTP_Timestamp": told, "X_CTP_Signature": f"sha256={digest}"}


def test_signatures_are_checked_where_required_and_where_given(site: Site) -> None:
    strategy, key = site.strategy("signed", Changes(hmac_required=True))
    secret = signing_secret(MASTER, strategy)
    assert re.fullmatch("[0-9a-f]{64}", secret)
    body = json.dumps(a_signal()).encode()
    old = int(now().timestamp()) - 120
    for headers in (
        {}, _signed(secret + "0", body), _signed(secret, body + b" "), _signed(secret, body, old),
        {**_signed(secret, body), "X_CTP_Timestamp": str(int(now().timestamp()) - 1)},
        {"X_CTP_Signature": _signed(secret, body)["X_CTP_Signature"]},
    ):  # fmt: skip
        answer = site.post(key, body, **headers)
        assert (answer.status_code, answer.json()["reason"]) == (401, "signature")
    assert not site.commands(strategy)
    assert site.post(key, body, **_signed(secret, body)).status_code == 202
    _, free = site.strategy("unsigned")
    assert site.post(free, body, X_CTP_Signature="sha256=00").status_code == 401


def test_addresses_outside_the_list_are_strangers(site: Site) -> None:
    strategy, key = site.strategy("homely", Changes(allowed_ips=["10.1.0.0/16", "2001:db8::/32"]))
    sent = {
        "10.1.2.3": 202, "10.2.0.1": 404, "2001:db8::5": 202,
        "10.1.2.3, 10.2.0.1": 404,  # what comes before the sender is what the sender wrote
        "10.2.0.1, 10.1.2.3": 202,
        "garbage": 404,
    }  # fmt: skip
    for hops, status in sent.items():
        answer = site.post(key, a_signal(), X_Forwarded_For=hops)
        assert answer.status_code == status, hops
        if status == 404:
            assert answer.json() == NOT_FOUND
    assert [row.remote for row in site.journal(strategy)] == [
        "10.1.2.3", "10.2.0.1", "2001:db8::5", "10.2.0.1", "10.1.2.3", "127.0.0.1",
    ]  # fmt: skip


def test_headers_of_proxies_that_nobody_trusts_mean_nothing(site: Site) -> None:
    with a_site_like(site) as other:
        _, key = other.strategy("direct", Changes(allowed_ips=["10.1.0.0/16"]))
        assert other.post(key, a_signal(), X_Forwarded_For="10.1.2.3").status_code == 404


# --- forms --------------------------------------------------------------------------------------


def test_the_template_of_tradingview_means_entries_and_exits(site: Site) -> None:
    strategy, key = site.strategy("chart")

    def alert(action: str, position: str, **more: Any) -> httpx.Response:
        body = {
            "form": "tradingview", "action": action, "ticker": "BINANCE:BTCUSDT.P",
            "close": "60000.5", "contracts": "0.25", "market_position": position,
            "stop_pct": "1.5", "timestamp": now().strftime("%Y-%m-%dT%H:%M:%SZ"), **more,
        }  # fmt: skip
        return site.post(key, body)

    assert alert("buy", "long").status_code == 202
    again = alert("sell", "flat", order_id="1")
    assert again.status_code == 202
    assert "a part of a position cannot be closed" in alert("sell", "long").json()["reason"]
    assert "has not filled it in" in alert("{{strategy.order.action}}", "long").json()["reason"]
    opened, closed = site.commands(strategy)
    assert opened.payload == {
        "strategy": "chart", "action": "buy", "symbol": "BTC/USDT", "order_type": "market",
        "quantity": "0.25", "stop_pct": "1.5", "alert_id": opened.payload["alert_id"],
    }  # fmt: skip
    assert closed.payload["action"] == "close"
    assert set(closed.payload) == {"strategy", "action", "symbol", "alert_id"}
    first = site.journal(strategy)[0]
    assert first.form == "tradingview"
    copy = site.post(key, first.body, content_type="application/json")  # byte for byte the same
    assert (copy.status_code, copy.json()) == (200, {"status": "duplicate", "id": first.id})


def test_a_line_of_text_is_a_signal(site: Site) -> None:
    strategy, key = site.strategy("lines")
    at = int(now().timestamp())
    taken = f"Buy btc/usdt limit=60000 stop=1.5% size=10% target=3 valid=300 id=t1 time={at}"
    assert site.post(key, taken).status_code == 202
    assert site.post(key, f"close_all time={at}").status_code == 202
    assert site.post(key, f"cancel ETHUSDT time={at}").status_code == 202
    first, all_of_it, canceled = [command.payload for command in site.commands(strategy)]
    assert first == {
        "strategy": "lines", "action": "buy", "symbol": "BTC/USDT", "order_type": "limit",
        "price": "60000", "stop_pct": "1.5", "size_pct": "10", "target_pct": "3",
        "valid_seconds": 300, "alert_id": "t1",
    }  # fmt: skip
    assert set(all_of_it) == {"strategy", "action", "alert_id"}
    assert (canceled["action"], canceled["symbol"]) == ("cancel", "ETH/USDT")
    for line, reason in (
        ("buy BTC/USDT stop=1 stop=2", "stop= is there twice"),
        ("buy BTC/USDT lever=5", "word was 'lever=5', allowed: limit="),
        ("buy BTC/USDT please", "word was 'please'"),
        ("buy BTC/USDT stop=1", "timestamp is missing"),
    ):
        assert reason in site.post(key, line).json()["reason"]


def test_a_strategy_trades_its_own_symbols_only(site: Site) -> None:
    _, key = site.strategy("own", Changes(symbols=["ETH/USDT"]))
    assert site.post(key, a_signal(symbol="ETHUSDT")).status_code == 202
    answer = site.post(key, a_signal(symbol="BTCUSDT"))
    assert answer.json()["reason"] == "symbol was 'BTCUSDT', allowed: ETH/USDT"


# --- by hand ------------------------------------------------------------------------------------


def test_an_entry_is_repeated_by_hand_as_a_new_signal(site: Site) -> None:
    _, key = site.strategy("again")
    first = site.post(key, a_signal(alert_id="once", stop_pct=2)).json()["id"]
    refused = site.post(key, a_signal(action="start")).status_code
    assert refused == 400
    with unit_of_work(site.database) as session:
        row = webhooks.replay(session, first, "kim", now())
    assert (row.replay_of, row.replayed_by, row.status) == (first, "kim", "accepted")
    assert row.alert_id.startswith("replay-")
    with unit_of_work(site.database) as session:
        command = _command(session, row.command_id)
    assert command.requested_by == "kim"
    assert (command.payload["stop_pct"], command.payload["alert_id"]) == ("2", row.alert_id)


def test_the_switch_of_the_settings_closes_the_door(site: Site) -> None:
    with a_site_like(site, webhooks=False) as other:
        _, key = other.strategy("closed")
        assert other.post(key, a_signal()).status_code == 404
        assert other.http.get("/openapi.json").status_code == 200


def _command(session: Any, command_id: str | None) -> Any:
    from database import commands

    return commands.find(session, command_id or "")


def a_site_like(site: Site, **reach: Any) -> Any:
    """Return a server of its own beside the shared one."""
    folder = site.folder / f"other{time.monotonic_ns()}"
    folder.mkdir()
    return a_site(folder, **reach)


def _d(text: str) -> Any:
    from decimal import Decimal

    return Decimal(text)
