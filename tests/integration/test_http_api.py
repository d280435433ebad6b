"""The JSON API and the stream of events over real sockets."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import pytest
from sqlmodel import Session, select
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from auto_trading.http.api_models import model_of, page_of
from database import api_tokens
from database.auto_trading_db import unit_of_work
from database.models import ApiTokenRow
from database.views.balance import Balance
from database.views.decisions import DecisionMade
from database.views.positions import OpenPosition
from tests.http_server import Site, a_site, now
from tests.rows import (
    a_decision,
    a_fill,
    a_position,
    a_trade,
    an_alert,
    an_equity,
    an_order,
    stored,
    stored_run,
)

PATHS = (
    "status", "balance", "positions", "orders", "executions", "trades", "equity", "decisions",
    "signals", "alerts",
)  # fmt: skip


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with a_site(tmp_path_factory.mktemp("api")) as made:
        yield made


@pytest.fixture(scope="module")
def bearer(site: Site) -> dict[str, str]:
    return {"authorization": f"Bearer {site.token('reader')}"}


@pytest.fixture(scope="module")
def run(site: Site) -> int:
    """A run with a few rows of everything."""
    number = stored_run(site.database)
    stored(
        site.database, an_order(number, "o1"), an_order(number, "o2", status="working"),
        a_position(number, current_price=Decimal(42_100)), a_fill(number, "o1"),
        a_trade(number, "o1"), an_equity(number), a_decision(number), an_alert(),
        *(a_decision(number, n, outcome="ordered") for n in range(1, 6)),
    )  # fmt: skip
    return number


@pytest.mark.parametrize("path", PATHS)
def test_nothing_is_read_without_a_token(site: Site, path: str) -> None:
    bodies = set()
    for headers in ({}, {"authorization": "Bearer x"}, {"authorization": "Basic abc"}):
        answer = site.http.get(f"/api/v1/{path}", headers=headers)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"
        bodies.add(answer.text)
    assert len(bodies) == 1


def test_answers_have_the_shape_that_the_document_promises(
    site: Site, bearer: dict[str, str], run: int
) -> None:
    document = site.http.get("/openapi.json").json()
    for path in PATHS:
        answer = site.http.get(f"/api/v1/{path}", headers=bearer)
        assert answer.status_code == 200, answer.text
        schema = document["paths"][f"/api/v1/{path}"]["get"]["responses"]["200"]["content"]
        name = schema["application/json"]["schema"]["$ref"].rpartition("/")[2]
        assert set(answer.json()) == set(document["components"]["schemas"][name]["properties"])
    positions = site.http.get("/api/v1/positions", headers=bearer).json()
    page_of(OpenPosition).model_validate(positions)
    assert positions["run"] == f"r{run}"
    assert positions["items"][0]["entry_price"] == "42000.1"
    assert positions["items"][0]["share"] == "0.002379"  # 99.9 / 42000.1
    balance = site.http.get("/api/v1/balance", headers=bearer).json()
    model_of(Balance).model_validate(balance["item"])
    assert balance["item"]["equity"] == "100000"
    status = site.http.get("/api/v1/status", headers=bearer).json()
    assert (status["decisions_total"], status["paused"]) == (6, None)  # no engine lives


def test_pages_follow_each_other(site: Site, bearer: dict[str, str], run: int) -> None:
    def page(**query: Any) -> Any:
        answer = site.http.get("/api/v1/decisions", headers=bearer, params={"limit": 2, **query})
        page_of(DecisionMade).model_validate(answer.json())
        return answer.json()

    found, before = [], None
    for _ in range(3):
        part = page(**({} if before is None else {"before_id": before}))
        found += [row["id"] for row in part["items"]]
        before = part["next_before_id"]
    assert (len(found), found, before) == (5, sorted(found, reverse=True), None)
    assert len(page(with_holds=True, limit=50)["items"]) == 6
    wrong = site.http.get("/api/v1/decisions", headers=bearer, params={"before_id": 10**6})
    assert wrong.status_code == 400


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=501", "before_id=99999999999999999999", "symbol=x%00", "since=2020-01-01",
     "since=0001-01-01T00:00:00%2B23:59", "before_id=x"],
)  # fmt: skip
def test_questions_out_of_bounds_are_refused(
    site: Site, bearer: dict[str, str], query: str
) -> None:
    answer = site.http.get(f"/api/v1/trades?{query}", headers=bearer)
    assert answer.status_code == 422


def test_a_revoked_token_ends_and_use_is_noted(site: Site) -> None:
    token = site.token("gone soon")
    headers = {"authorization": f"Bearer {token}"}
    assert site.http.get("/api/v1/alerts", headers=headers).status_code == 200
    deadline = time.monotonic() + 5
    while (row := _row(site, "gone soon")).last_used_at is None:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert token.startswith("ctp_")
    assert token not in repr(row)
    with unit_of_work(site.database) as session:
        api_tokens.revoke(session, row.id or 0, now())
    site.settle()
    assert site.http.get("/api/v1/alerts", headers=headers).status_code == 401


def _row(site: Site, name: str) -> ApiTokenRow:
    with Session(site.reader) as session:
        return session.exec(select(ApiTokenRow).where(ApiTokenRow.name == name)).one()


def test_the_document_loads_nothing_from_elsewhere(site: Site) -> None:
    assert site.http.get("/docs").status_code == 404
    assert site.http.get("/redoc").status_code == 404
    answer = site.http.get("/openapi.json")
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    assert "access-control-allow-origin" not in answer.headers
    assert "/webhook/{strategy_key}" in answer.json()["paths"]


# --- events -------------------------------------------------------------------------------------


@contextmanager
def _listen(site: Site, **hello: Any) -> Iterator[ClientConnection]:
    url = f"ws://127.0.0.1:{site.service.port}/api/v1/events"
    with connect(url, open_timeout=5, close_timeout=1) as client:
        client.send(json.dumps(hello))
        yield client


def _read_on(client: ClientConnection) -> None:
    while True:
        client.recv(5)


def _token(bearer: dict[str, str]) -> str:
    return bearer["authorization"].removeprefix("Bearer ")


def test_new_rows_become_events_and_none_is_lost_in_between(
    site: Site, bearer: dict[str, str], run: int
) -> None:
    token = _token(bearer)
    with _listen(site, token=token) as client:
        hello = json.loads(client.recv(5))
        assert hello["type"] == "hello"
        stored(site.database, a_decision(run, 100, outcome="ordered"), a_decision(run, 101))
        stored(site.database, a_fill(run, "o1", "t100"), an_equity(run, 100), an_alert())
        events = [json.loads(client.recv(5)) for _ in range(4)]
    assert {e["type"] for e in events} == {"decision", "fill", "alert", "equity"}  # no hold
    fill = next(e["data"] for e in events if e["type"] == "fill")
    assert (fill["price"], fill["quantity"], fill["order_id"]) == ("42000.1", "0.05", "o1")
    stored(site.database, a_fill(run, "o1", "t101"))  # while nobody listens
    with _listen(site, token=token, after=events[-1]["id"]) as client:
        assert json.loads(client.recv(5))["type"] == "hello"
        missed = json.loads(client.recv(5))
        assert (missed["type"], missed["data"]["id"]) == ("fill", fill["id"] + 1)
    with _listen(site, token=token, after=hello["id"]) as client:
        kinds = [json.loads(client.recv(5))["type"] for _ in range(6)]
    assert sorted(kinds) == ["alert", "decision", "equity", "fill", "fill", "hello"]


@pytest.mark.parametrize(
    ("hello", "code"),
    [({}, 4401), ({"token": "wrong"}, 4401), ({"token": 5}, 4401), ({"after": "x"}, 4401)],
)
def test_nobody_listens_without_a_token(site: Site, hello: dict[str, Any], code: int) -> None:
    with _listen(site, **hello) as client, pytest.raises(ConnectionClosed) as closed:
        client.recv(5)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == code


def test_an_id_that_is_none_is_refused(site: Site, bearer: dict[str, str]) -> None:
    for after in ("x", "d1-f2-a3-e99999999999999999999", "d1-f2-a99999999999-e1"):
        with _listen(site, token=_token(bearer), after=after) as client:
            with pytest.raises(ConnectionClosed) as closed:
                client.recv(5)
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 4400


def test_who_says_nothing_or_reads_nothing_is_cut_off(
    site: Site, bearer: dict[str, str], run: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("auto_trading.http.events.HELLO_SECONDS", 0.2)
    monkeypatch.setattr("auto_trading.http.events.WAITING", 3)
    url = f"ws://127.0.0.1:{site.service.port}/api/v1/events"
    with connect(url) as silent, pytest.raises(ConnectionClosed) as closed:
        silent.recv(5)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.reason == "no token came"
    with _listen(site, token=_token(bearer)) as slow:
        assert json.loads(slow.recv(5))["type"] == "hello"
        # more at once than may wait for one client
        stored(site.database, *(a_fill(run, "o1", f"many{n}") for n in range(50)))
        with pytest.raises(ConnectionClosed) as closed:
            _read_on(slow)
    assert closed.value.rcvd is not None
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (
        4408, "too slow: 3 events wait",
    )  # fmt: skip
