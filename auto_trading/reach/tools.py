"""What every service of the reach process gets, and what a service is."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy import Engine as Database

from auto_trading.job_tools import Notify
from config.environment import Environment
from config.settings import Settings
from crypto_trader_pro.domain.enums import CommandKind
from utils.redaction import Redactor
from utils.texts import Language


class Ask(Protocol):
    """Stores a wish for the engine and returns its command id; never waits for the answer."""

    def __call__(
        self, kind: CommandKind, payload: Mapping[str, Any], by: str,
        command_id: str | None = None, /,
    ) -> str:  # fmt: skip
        """Raises: InputError, JournalUnavailable, as `database.wishes.wish`; a stop goes by its
        flag file where the database does not take it.
        """
        ...


@dataclass(frozen=True, slots=True)
class ReachTools:
    """Shared by the services of one process; everything may be called from any thread.

    Args:
        settings: those in force now; they change while the process runs.
        reader: read-only pool; a query may take long.
        writer: for short transactions.
        now: system time.
        notify: puts a message into the outbox's bounded queue; returns at once.
        language: of what is said to people.
        redactor: knows every secret of this deployment.
    """

    environment: Environment
    settings: Callable[[], Settings]
    reader: Database
    writer: Database
    now: Callable[[], datetime]
    notify: Notify
    ask: Ask
    language: Callable[[], Language]
    redactor: Redactor


class Service(Protocol):
    """One thing that the process does. Each runs in a task of its own and fails alone."""

    @property
    def name(self) -> str: ...

    async def run(self) -> None:
        """Serve until cancelled. Ending otherwise is a failure: it is told once and begun again."""
        ...
