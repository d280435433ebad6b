"""The engine's write path: everything a cycle did, in one transaction with the checkpoint.

Rows wait in memory until `commit`. A commit that fails leaves them waiting: nothing is lost, and
because nothing is sent before a commit, nothing is sent without its row.
"""

import logging
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Engine

from crypto_trader_pro.domain.errors import JournalBusy, LeaseLost
from crypto_trader_pro.domain.instruments import Instrument
from database import journal_sql as sql
from database.auto_trading_db import translated
from database.fence import OPEN, Fence
from database.journal_rows import JournalRows, News
from database.session_record import packed
from database.statements import driver_transaction

__all__ = ["Journal", "News"]

log = logging.getLogger(__name__)


class Journal(JournalRows):
    """Collects the rows of one run and commits them together.

    Args:
        now: system time, for what the database calls journaled or raised.
        batch: decisions that may wait before a commit is due.
        tries: how often a commit is tried while another process holds the database; each try waits
            for the busy timeout. A loop that must go on trading takes 1.
        account: whose lease must be ours for a commit to count; None where nobody else can be.
        lease_epoch: of that lease, where it is not the `epoch` of the rows.
        fence: closed by the supervisor when it gives the owner of this journal up.
        tell: given each commit's news once they are stored; it must not block or raise.
    """

    def __init__(
        self, database: Engine, run_id: int, instruments: Sequence[Instrument], *,
        epoch: int, config_hash: str, now: Callable[[], datetime], batch: int, tries: int = 1,
        account: str | None = None, lease_epoch: int | None = None, fence: Fence = OPEN,
        tell: Callable[[Sequence[News]], None] | None = None,
    ) -> None:  # fmt: skip
        super().__init__(
            run_id, instruments, database.dialect.name, epoch=epoch, config_hash=config_hash,
            now=now, batch=batch, keeps_news=tell is not None,
        )  # fmt: skip
        self._database = database
        self._tries = tries
        self._account = account
        self._lease_epoch = epoch if lease_epoch is None else lease_epoch
        self._fence = fence
        self._tell = tell

    def check_fence(self) -> None:
        """Ask, right before something is sent, whether this worker still counts.

        Raises:
            Fenced: the supervisor has given it up.
        """
        self._fence.check()

    def commit(self, at_ms: int, state: str) -> None:
        """Store all waiting rows and the checkpoint in one transaction.

        Raises:
            JournalUnavailable: the database did not take it; every row still waits.
            LeaseLost: another engine has the account; nothing was stored.
            Fenced: the supervisor has given this worker up; nothing was stored.
        """
        with self._fence.held() as held:
            self._try(at_ms, state)
            held.committed = state
        news, self._news = self._news, []
        if news and self._tell is not None:
            self._tell(news)

    def _try(self, at_ms: int, state: str) -> None:
        for _ in range(self._tries - 1):
            try:
                self._commit(at_ms, state)
            except JournalBusy as e:
                log.warning("%s; trying again", e)
                continue
            return
        self._commit(at_ms, state)

    def _commit(self, at_ms: int, state: str) -> None:
        with (
            translated("the journal", self._database),
            driver_transaction(self._database) as cursor,
        ):
            statements = sql.for_dialect(self._database.dialect.name)
            self._journaled_at = self._values.moment(self._now())
            self._check_lease(cursor, statements)
            statements.orders.execute(cursor, [self._order_row(o) for o in self._created.values()])
            changes = [self._change_row(o) for o in self._changed.values()]
            statements.order_changes.execute(cursor, changes)
            statements.fills.execute(cursor, self._fills)
            statements.ledger.execute(cursor, self._ledger)
            statements.positions.execute(cursor, list(self._positions.values()))
            statements.stops.execute(cursor, self._stops)
            statements.targets.execute(cursor, self._targets)
            at = self._journaled_at
            statements.trades.execute(cursor, [(*row, at) for row in self._trades])
            for is_quiet, rows in self._signals:
                (statements.quiet if is_quiet else statements.signals).execute(cursor, rows)
            statements.executed.execute(cursor, self._executed)
            statements.decisions.execute(cursor, self._decisions)
            statements.equity.execute(cursor, self._equity)
            statements.alerts.execute(cursor, self._alerts)
            statements.shadows.execute(cursor, self._shadows)
            statements.shadows_closed.execute(cursor, self._shadows_closed)
            statements.models.execute(cursor, self._models)
            statements.candles.execute(cursor, self._candles)
            statements.commands.execute(cursor, self._commands)
            statements.emergencies.execute(cursor, list(self._emergencies.values()))
            if self._wanted is not None and self._account is not None:
                desired, rearms = self._wanted
                statements.wanted.execute(cursor, [(desired, self._account, rearms)])
            if self._inputs:
                record = (self._run_id, self._taken, at_ms, packed(self._inputs))
                statements.inputs.execute(cursor, [record])
            statements.checkpoint.execute(cursor, [(self._run_id, at_ms, state)])
        self._clear_stored()

    def _clear_stored(self) -> None:
        news = self._news
        self._clear()
        self._news = news  # told after the fence has opened again

    def _check_lease(self, cursor: Any, statements: sql.Statements) -> None:
        """Make sure, inside the transaction, that no other engine has taken the account."""
        if self._account is None:
            return
        cursor.execute(statements.lease.text, (self._account, self._lease_epoch))
        if cursor.fetchone() is None:
            raise LeaseLost(f"account {self._account}: another engine trades it now")
