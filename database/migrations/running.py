"""Runs Alembic from code: no ini file, one transaction, one process at a time."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Engine, text

from crypto_trader_pro.domain.errors import ConfigError

_LOCK: Final = 0x43545000  # any number that no other program locks in this database
CONNECTION: Final = "connection"
VERSIONS: Final = Path(__file__).resolve().parent / "versions"


def upgrade(database: Engine, revision: str = "head") -> None:
    """Migrate up to `revision`; nothing happens where the schema is already there."""
    with _migrating(database) as connection:
        command.upgrade(configuration(connection), revision)


def downgrade(database: Engine, revision: str) -> None:
    """Migrate down to `revision`; "base" removes every table."""
    with _migrating(database) as connection:
        command.downgrade(configuration(connection), revision)


def draft(database: Engine, message: str, revision: str, folder: Path) -> Path:
    """Write a migration from the schema of `database` to that of the models, to be reviewed.

    Args:
        folder: where the file goes, besides which the existing migrations are read.
    """
    with _migrating(database) as connection:
        config = configuration(connection)
        places = dict.fromkeys([str(VERSIONS), str(folder)])
        config.set_main_option("path_separator", "newline")
        config.set_main_option("version_locations", "\n".join(places).replace("%", "%%"))
        command.revision(
            config, message, autogenerate=True, rev_id=revision, version_path=str(folder)
        )
    return next(folder.glob(f"{revision}_*.py"))


def configuration(connection: Connection) -> Config:
    """Return Alembic's configuration for this folder and `connection`."""
    config = Config(attributes={CONNECTION: connection})
    folder = str(VERSIONS.parent).replace("%", "%%")  # % is special there
    config.set_main_option("script_location", folder)
    return config


@contextmanager
def _migrating(database: Engine) -> Iterator[Connection]:
    """Yield a connection in the one transaction that holds the lock of all migrations."""
    with database.connect() as connection:
        if database.dialect.name == "postgresql":
            with connection.begin():
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
                yield connection
            return
        # A table is changed by building it anew, so its references must not be enforced meanwhile;
        # the setting cannot change inside a transaction. https://sqlite.org/lang_altertable.html
        _enforce_references(connection, "OFF")
        try:
            with connection.begin():
                yield connection
                _check_references(connection)
        finally:
            _enforce_references(connection, "ON")


def _enforce_references(connection: Connection, switch: str) -> None:
    cursor = connection.connection.cursor()  # the driver's own: nothing begins
    cursor.execute(f"PRAGMA foreign_keys={switch}")
    cursor.close()


def _check_references(connection: Connection) -> None:
    broken = connection.exec_driver_sql("PRAGMA foreign_key_check").first()
    if broken is not None:
        raise ConfigError(
            f"the migration was undone: a row of {broken[0]} refers to a missing row of {broken[2]}"
        )
