"""A real HTTP server for tests: uvicorn on a free port of loopback, a database, keys."""

import asyncio
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from pydantic import SecretStr
from sqlalchemy import Engine as Database
from sqlmodel import Session, col, select

from auto_trading.http.server import HttpService
from auto_trading.reach.tools import ReachTools
from config.environment import Environment
from config.loading import load
from config.settings import Settings
from crypto_trader_pro.domain.enums import CommandKind, NotificationType
from database import api_tokens, strategies
from database.auto_trading_db import open_database, prepare, unit_of_work
from database.models import CommandRow, StrategyRow, WebhookLogRow
from database.strategies import Changes
from utils.clocks import SystemClock
from utils.redaction import Redactor
from utils.texts import Language

MASTER = "master-secret-of-the-tests"
SYMBOLS = ("BTC/USDT", "ETH/USDT")


def now() -> datetime:
    return SystemClock().now().astimezone(UTC)


def settings_with(**reach: Any) -> Settings:
    """Return the shipped settings on two symbols, with these values of section `reach`."""
    changes = {f"reach.{name}": value for name, value in reach.items()}
    return load(overrides={"symbols": list(SYMBOLS), **changes}, environ={})


@dataclass
class Site:
    """A server that runs, and everything around it."""

    folder: Path
    settings: Settings
    database: Database
    reader: Database
    told: list[tuple[NotificationType, str, Mapping[str, Any]]] = field(default_factory=list)
    service: HttpService = field(init=False)
    http: httpx.Client = field(init=False)
    clock: Callable[[], datetime] = now

    def tools(self, port: int = 0) -> ReachTools:
        environment = replace(
            Environment.read({}, root=self.folder),
            var_dir=self.folder, http_port=port,
            database_url=f"sqlite:///{self.folder / 'database.db'}",
            webhook_hmac_secret=SecretStr(MASTER),
        )  # fmt: skip
        return ReachTools(
            environment=environment, settings=lambda: self.settings, reader=self.reader,
            writer=self.database, now=lambda: self.clock(), notify=self._notify, ask=_never,
            language=lambda: Language.ENGLISH, redactor=Redactor([MASTER]),
        )  # fmt: skip

    def _notify(
        self, kind: NotificationType, severity: str, code: str, numbers: Mapping[str, Any], /
    ) -> None:
        self.told.append((kind, code, numbers))

    # --- what a person prepares -------------------------------------------------------------

    def strategy(self, name: str, changes: Changes | None = None) -> tuple[StrategyRow, str]:
        """Make a strategy that may send as much as it likes, and return it with its key."""
        given = changes or Changes()
        if given.per_minute is None:
            given = replace(given, per_minute=60_000)
        with unit_of_work(self.database) as session:
            row, key = strategies.create(session, name, "tester", now(), changes=given)
        time.sleep(0)
        self.settle()
        return row, key

    def token(self, name: str) -> str:
        with unit_of_work(self.database) as session:
            _, token = api_tokens.create(session, name, "tester", now())
        self.settle()
        return token

    def settle(self) -> None:
        """Let the server forget what it knows of keys, so that no test waits for a second."""
        application = self.service.application
        application.webhooks.book.forget()
        application.tokens.forget()

    # --- what came of it --------------------------------------------------------------------

    def journal(self, strategy: StrategyRow) -> list[WebhookLogRow]:
        with Session(self.reader) as session:
            query = select(WebhookLogRow).where(WebhookLogRow.strategy_id == strategy.id)
            return list(session.exec(query.order_by(col(WebhookLogRow.id))))

    def commands(self, strategy: StrategyRow) -> list[CommandRow]:
        with Session(self.reader) as session:
            by = f"webhook:{strategy.name}"
            query = select(CommandRow).where(CommandRow.requested_by == by)
            found = list(session.exec(query.order_by(col(CommandRow.id))))
        assert all(row.kind == CommandKind.SIGNAL for row in found)
        return found

    def post(self, key: str, body: Any, **headers: str) -> httpx.Response:
        """Send a body: a mapping as JSON, anything else as it is."""
        content = json.dumps(body) if isinstance(body, dict) else body
        kind = "application/json" if isinstance(body, dict) else "text/plain"
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.http.post(
            f"/webhook/{key}", content=content, headers={"content-type": kind, **named}
        )


def _never(*_: Any) -> str:
    raise AssertionError("the HTTP server asks nothing of the engine but by its journal")


@contextmanager
def a_site(folder: Path, clock: Callable[[], datetime] = now, **reach: Any) -> Iterator[Site]:
    """Run a server on a free port until the block ends."""
    url = f"sqlite:///{folder / 'database.db'}"
    database = open_database(url, durable=False, busy_seconds=1.0)
    prepare(database)
    reader = open_database(url, read_only=True, busy_seconds=1.0)
    site = Site(folder, settings_with(**reach), database, reader, clock=clock)
    site.service = HttpService(site.tools())
    with (
        running(site.service),
        httpx.Client(base_url=f"http://127.0.0.1:{site.service.port}", timeout=15) as client,
    ):
        site.http = client
        yield site
    reader.dispose()
    database.dispose()


@contextmanager
def running(service: HttpService, seconds: float = 10.0) -> Iterator[None]:
    """Run a service in a loop of its own, as the reach process does."""
    loop = asyncio.new_event_loop()
    task = loop.create_task(service.run())
    thread = threading.Thread(target=_until_done, args=(loop, task), daemon=True)
    thread.start()
    try:
        deadline = time.monotonic() + seconds
        while not service.is_serving:
            assert thread.is_alive(), task.exception()
            assert time.monotonic() < deadline, "it does not serve"
            time.sleep(0.01)
        yield
    finally:
        loop.call_soon_threadsafe(task.cancel)
        thread.join(10)
        assert not thread.is_alive()
        loop.close()


def _until_done(loop: asyncio.AbstractEventLoop, task: "asyncio.Task[None]") -> None:
    async def wait() -> None:
        await asyncio.wait({task})
        await loop.shutdown_default_executor()

    loop.run_until_complete(wait())


def a_signal(**changes: Any) -> dict[str, Any]:
    """Return a valid body; None takes a field out."""
    body = {
        "action": "buy", "symbol": "BTC/USDT", "alert_id": f"a{time.monotonic_ns()}",
        "timestamp": now().isoformat(), **changes,
    }  # fmt: skip
    return {name: value for name, value in body.items() if value is not None}
