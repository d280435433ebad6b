"""Runs bodies through the product's own reading, judging and journal, beside the oracle."""

import json
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zlib import crc32

from sqlalchemy import Engine as Database
from sqlmodel import Session, col, func, select
from starlette.datastructures import Headers

from auto_trading.http.journal_writer import Answer, JournalWriter
from auto_trading.http.judging import Incoming, Judged, Rules, judge
from auto_trading.http.tally import Tally
from auto_trading.proposals import Proposal
from database import strategies
from database.auto_trading_db import open_database, prepare, unit_of_work
from database.models import CommandRow, StrategyRow, WebhookLogRow
from database.strategies import Changes
from database.webhooks import WebhookStatus
from tests.webhook_oracle import SYMBOLS, expected

STRATEGIES = 32
AHEAD = 128  # requests that wait for the writer at a time
_HEADERS = Headers({"content-type": "application/json"})


@dataclass
class Found:
    """What came of the inputs, and whatever should not have happened."""

    outcomes: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    accepted: int = 0


class Mill:
    """A writer on a real database, fed without sockets."""

    def __init__(self, database: Database, at: datetime) -> None:
        self._database = database
        self._at = at
        self.rules = Rules(SYMBOLS, timedelta(seconds=60), None)
        self.writer = JournalWriter(database, lambda *_: None, Tally())
        self.strategies = [self._strategy(n) for n in range(STRATEGIES)]
        self.found = Found()
        self._waiting: list[tuple[bytes, Judged, dict[str, Any] | None, Future[Answer]]] = []

    def _strategy(self, number: int) -> StrategyRow:
        with unit_of_work(self._database) as session:
            many = Changes(per_minute=60_000)
            return strategies.create(session, f"s{number}", "fuzz", self._at, changes=many).row

    def feed(self, body: bytes) -> None:
        """Judge a body and put it into the journal."""
        strategy = self.strategies[crc32(body) % STRATEGIES]  # a copy goes where the first went
        wanted = expected(body, self._at)
        try:
            judged = judge(strategy, Incoming(_HEADERS, body, "127.0.0.1", self._at), self.rules)
        except Exception as e:  # noqa: BLE001  whatever it is, it is a finding
            self.found.wrong.append(f"crash {e!r} at {body!r}")
            return
        self._compare(body, judged, wanted)
        self._waiting.append((body, judged, wanted, self.writer.submit(judged)))
        if len(self._waiting) >= AHEAD:
            self.settle()

    def _compare(self, body: bytes, judged: Judged, wanted: dict[str, Any] | None) -> None:
        if len(body) > 8192:  # those end before they are judged
            return
        given = judged.payload
        got = None if given is None else {
            n: v for n, v in given.items() if n not in ("strategy", "alert_id")
        }  # fmt: skip
        if got != wanted:
            self.found.wrong.append(f"{body!r}: {got} instead of {wanted} ({judged.refusal})")
        elif given is not None:
            Proposal.read(given)  # the engine reads what was stored

    def settle(self) -> None:
        """Wait for the answers of everything that was fed."""
        for body, judged, wanted, future in self._waiting:
            try:
                answer = future.result(30)
            except Exception as e:  # noqa: BLE001  a finding too
                self.found.wrong.append(f"journal {e!r} at {body!r}")
                continue
            name = "none" if answer.status is None else answer.status.value
            self.found.outcomes[name] += 1
            self.found.accepted += answer.status is WebhookStatus.ACCEPTED
            is_refused = answer.status is WebhookStatus.REFUSED
            if is_refused is not (wanted is None) and len(body) <= 8192:
                self.found.wrong.append(f"{name} {judged.refusal} {answer} at {body!r}")
        self._waiting.clear()

    def stored(self) -> tuple[int, int, int]:
        """Return how many commands there are, of other kinds, and accepted entries."""
        with Session(self._database) as session:
            kinds = dict(
                session.exec(
                    select(col(CommandRow.kind), func.count()).group_by(col(CommandRow.kind))
                ).all()
            )
            row = WebhookLogRow
            query = select(func.count()).where(col(row.status) == "accepted")
            taken = session.exec(query).one()
        signals = kinds.pop("signal", 0)
        return signals, sum(kinds.values()), taken


@contextmanager
def a_mill(folder: Path, at: datetime) -> Iterator[Mill]:
    """Run a writer on a new database until the block ends."""
    database = open_database(f"sqlite:///{folder / 'fuzz.db'}", durable=False)
    prepare(database)
    mill = Mill(database, at)
    mill.writer.start()
    try:
        yield mill
    finally:
        mill.settle()
        mill.writer.close(10)
        database.dispose()


def as_text(found: Found) -> str:
    """Return the counts in one line."""
    return json.dumps(dict(found.outcomes))
