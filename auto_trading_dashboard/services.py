"""What every page needs: places, the two connections, the clock. Shared by all sessions."""

from pathlib import Path

import streamlit as st
from sqlalchemy import Engine

from config.environment import Environment
from config.faults import SettingsError
from config.loading import load
from crypto_trader_pro.domain.enums import CommandKind
from crypto_trader_pro.domain.errors import ConfigError
from database.auto_trading_db import open_database, prepare
from utils import consoles
from utils.clocks import SystemClock
from utils.processes import ProcessId, is_gone, own_process

HURRY_SECONDS = 0.3  # that a stop waits for the database, and a page that only reads
_LOOPBACK = ("127.0.0.1", "::1", "localhost")
BUSY_SECONDS = 1.0  # that any other request does


def address_fault() -> dict[str, str]:
    """Return the address we are served at if others than this machine could reach it, else {}.

    Whoever reaches the console can trade: without a sign-in only this machine may.
    """
    address = str(st.get_option("server.address") or "")
    return {} if address in _LOOPBACK else {"address": address or "0.0.0.0"}  # noqa: S104  named


@st.cache_resource
def environment() -> Environment:
    """Return the places of this process."""
    return Environment.current()


def folder_fault() -> str:
    """Note that a console of the folder runs; return why that failed, "" where it did not.

    It is tried again until it works: a folder may become writable.
    """
    try:
        _register()
    except (ConfigError, OSError) as e:
        return str(e)
    return ""


@st.cache_resource
def _register() -> None:
    var_dir().mkdir(parents=True, exist_ok=True)
    consoles.register(var_dir(), own_process(), int(st.get_option("server.port")))


@st.cache_resource(on_release=lambda engine: engine.dispose())
def reader() -> Engine:
    """Return the connections that pages read with; they can write nothing."""
    return open_database(environment().database_url, read_only=True, busy_seconds=HURRY_SECONDS)


@st.cache_resource(on_release=lambda engine: engine.dispose())
def writer(kind: CommandKind) -> Engine:
    """Return the connections that requests of a kind are written with, the schema in place."""
    hurried = kind in (CommandKind.STOP, CommandKind.EMERGENCY_STOP)
    busy = HURRY_SECONDS if hurried else BUSY_SECONDS
    engine = open_database(environment().database_url, busy_seconds=busy)
    prepare(engine)
    return engine


def var_dir() -> Path:
    return environment().var_dir


def clock() -> SystemClock:
    return SystemClock()


def process_is_gone(host: str, pid: int, started: int) -> bool:
    """True when the process that a lease names has provably ended."""
    return is_gone(ProcessId(host, pid, started))


def configuration_fault() -> str:
    """Return what is wrong with the configuration, empty where nothing is."""
    return _configured()[1]


def configured_language() -> str:
    """Return the configured language: auto, ko, en."""
    return _configured()[0]


@st.cache_data(ttl=10, show_spinner=False)
def _configured() -> tuple[str, str]:
    try:
        return load().engine.language, ""
    except SettingsError as e:
        return "auto", "; ".join(e.lines)
