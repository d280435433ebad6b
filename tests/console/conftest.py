"""Each test of a page has an installation of its own, and nothing cached of another's."""

import functools
import importlib
import pkgutil
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
import streamlit as st
from sqlalchemy import Engine
from streamlit.components.v2 import manifest_scanner

from auto_trading_dashboard import components, own_commands, queries
from config.environment import Environment
from database.auto_trading_db import open_database
from tests.processes import DATABASE

PREFLIGHT: Final = '{"level": "ok", "checks": []}'


@pytest.fixture(scope="session", autouse=True)
def scanned_once() -> Iterator[None]:
    """Look once for components among what is installed: the harness does for every page drawn."""
    found = functools.cache(manifest_scanner.scan_component_manifests)
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(manifest_scanner, "scan_component_manifests", found)
        yield


@pytest.fixture(scope="session", autouse=True)
def imported_once() -> None:
    """Import what pages are made of: the first test may be one that coverage looks away from."""
    for package in (components, queries):
        for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
            importlib.import_module(module.name)


@pytest.fixture(autouse=True)
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Environment]:
    """Where everything is written; the language is English."""
    for name in ("CTP_DATABASE_URL", "DATABASE_URL", "CTP_CONFIG_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CTP_VAR_DIR", str(tmp_path))
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    # the first page lets preflight run, seconds of work that no test here is about
    monkeypatch.setattr(own_commands, "PROGRAM", ("/bin/sh", "-c", f"echo '{PREFLIGHT}'"))
    st.cache_resource.clear()
    st.cache_data.clear()
    yield Environment.current()
    st.cache_resource.clear()
    st.cache_data.clear()


@pytest.fixture
def database(places: Environment, migrated_file: Path) -> Iterator[Engine]:
    """The installation's database with its schema and no rows, open for writing."""
    shutil.copy(migrated_file, places.var_dir / DATABASE)
    engine = open_database(places.database_url)
    yield engine
    engine.dispose()
