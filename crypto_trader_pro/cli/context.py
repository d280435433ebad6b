"""What most commands need: places, settings, the database, the language.

The database is loaded by the first that opens it.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from config.faults import SettingsError
from config.loading import load
from config.settings import Settings
from crypto_trader_pro.cli.places import environment
from crypto_trader_pro.domain.errors import InputError
from utils.texts import Language, language_of

if TYPE_CHECKING:
    from sqlalchemy import Engine

__all__ = ["database", "day_zone", "environment", "language", "overrides", "settings"]


@contextmanager
def database(*, durable: bool = True, read_only: bool = False) -> "Iterator[Engine]":
    """Open the configured database, with its schema in place, and close it afterwards."""
    from database.auto_trading_db import open_database, prepare

    url = environment().database_url
    if not read_only:
        engine = open_database(url, durable=durable)
        try:
            prepare(engine)
            yield engine
        finally:
            engine.dispose()
        return
    with database():  # a reader finds the schema in place
        pass
    engine = open_database(url, read_only=True)
    try:
        yield engine
    finally:
        engine.dispose()


def settings(assignments: Sequence[str] = (), config: Path | None = None) -> Settings:
    """Load the configuration with `--set KEY=VALUE` laid over it."""
    return load(config, overrides=overrides(assignments))


def overrides(assignments: Sequence[str], name: str = "--set") -> Mapping[str, Any]:
    """Split `KEY=VALUE` arguments.

    Args:
        name: of the argument, for the message.

    Raises:
        InputError: no `=`, or a key twice.
    """
    found: dict[str, Any] = {}
    for text in assignments:
        key, separator, value = text.partition("=")
        if not separator or not key:
            raise InputError(f"{name} was {text!r}, allowed: KEY=VALUE (paper.initial_equity=5000)")
        if key in found:
            raise InputError(f"{name} {key} was given twice")
        found[key] = value
    return found


def day_zone() -> str:
    """Return the zone of the trading day, that people read times in; UTC of a broken file."""
    try:
        return load().engine.trading_day_timezone
    except SettingsError:
        return "UTC"


def language() -> Language:
    """Return the configured language, or that of this shell; a broken file must not silence us."""
    try:
        configured = load().engine.language
    except SettingsError:
        configured = "auto"
    return language_of(configured, os.environ)
