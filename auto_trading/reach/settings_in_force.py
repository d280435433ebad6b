"""The settings that the engine goes by, as it recorded them; before that, those of the files."""

import logging
import threading
from typing import Final

from sqlalchemy import Engine as Database
from sqlmodel import Session

from auto_trading.config_manager import stored_settings
from config.loading import load
from config.settings import Settings
from crypto_trader_pro.domain.errors import InputError, TradingError
from database import config_history, lease
from database.auto_trading_db import unit_of_work
from database.models import AutoTradingConfigRow
from utils.failure_log import FailureLog

log = logging.getLogger(__name__)

LOOK_SECONDS: Final = 2.0
_WHAT: Final = "the configuration in force"


class SettingsInForce:
    """Follows the newest row of the history. Everything may be called from any thread."""

    def __init__(self, reader: Database) -> None:
        """Begin with the files, unless the engine has recorded others since it began.

        Raises:
            ConfigError: neither can be used.
        """
        self._reader = reader
        self._lock = threading.Lock()
        self._trouble = FailureLog(log, level=30)
        self._seen: tuple[int | None, str] | None = None
        self._settings = self._first()

    def __call__(self) -> Settings:
        return self._settings

    def look(self) -> bool:
        """Read what is in force now; True when it has changed. Keeps what it had on any failure."""
        with self._lock:
            try:
                with unit_of_work(self._reader, _WHAT) as session:
                    row = config_history.latest(session)
                found = None if row is None or _mark(row) == self._seen else stored_settings(row)
            except TradingError as e:
                self._trouble.failed(_WHAT, str(e))
                return False
            self._trouble.recovered(_WHAT)
            if row is None or found is None:
                return False
            self._seen = _mark(row)
            changed, self._settings = found != self._settings, found
            return changed

    def _first(self) -> Settings:
        try:
            files = load()
        except InputError as e:
            if self._recorded(since_start=False):
                log.warning("the configuration files cannot be used, the recorded one goes: %s", e)
                return self._settings
            raise
        self._settings = files
        self._recorded(since_start=True)
        return self._settings

    def _recorded(self, *, since_start: bool) -> bool:
        """Take the newest row over; an older one than the engine's start says nothing of today."""
        try:
            with unit_of_work(self._reader, _WHAT) as session:
                row = config_history.latest(session)
                is_of_today = row is not None and _is_since_start(session, row)
            if row is None:
                return False
            self._seen = _mark(row)
            if since_start and not is_of_today:
                return False
            self._settings = stored_settings(row)
        except TradingError as e:
            self._trouble.failed(_WHAT, str(e))
            return False
        return True


def _is_since_start(session: Session, row: AutoTradingConfigRow) -> bool:
    engine = lease.read(session)
    started = None if engine is None else engine.started_at
    return started is not None and row.created_at >= started


def _mark(row: AutoTradingConfigRow) -> tuple[int | None, str]:
    return row.id, row.config_hash
