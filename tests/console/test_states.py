"""Every page in every state of the database and the engine: one clear sentence, never a bug.

A database that is silent is not an empty one: no page says that there is nothing where nobody
knows, and none shows an old number as a fresh one.
"""

import json
import re
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Final

import pytest
import streamlit as st
from sqlalchemy import Engine, update
from streamlit.testing.v1 import AppTest

from auto_trading.flags import Flags
from auto_trading_dashboard.components import figures
from auto_trading_dashboard.navigation import entries
from crypto_trader_pro.domain.enums import CommandKind, ObservedState
from database.auto_trading_db import unit_of_work
from database.models import EngineLeaseRow, RunRow
from tests.console.control_view import VIEW
from tests.console.shown import a_living_engine, metrics, page, said
from tests.console_fixtures import Installation
from tests.rows import a_position, stored
from utils.clocks import SystemClock
from utils.processes import own_process
from utils.texts import Language, catalogue

FILE: Final = "crypto_trader_pro.db"
# what stands on a page that needs no database
SILENT: Final = {"walk", "settings"}
# placeholders of programs in what a person reads
NOISE: Final = re.compile(
    r"\bnan\b|\bNaN\b|\bNone\b|\binf\b|\{[a-z_]*\}|<class|Decimal\(|datetime\."
)
LANGUAGES: Final = ("ko", "en")


def walk_through(shown: AppTest) -> Iterator[tuple[str, AppTest]]:
    """Draw every page in turn in one browser tab and yield its name."""
    for entry in entries():
        shown.switch_page(f"auto_trading_dashboard/{entry.file}").run()
        yield entry.name, shown


def broken(shown: AppTest) -> list[str]:
    """Return what went wrong in drawing: exceptions, and parts that a guard caught."""
    guard = {catalogue(Language(code))["page.broken"].partition("{")[0] for code in LANGUAGES}
    caught = [e.value for e in shown.error if any(e.value.startswith(g) for g in guard)]
    return [*(e.value for e in shown.exception), *caught]


def empty_sentences(language: str = "en") -> set[str]:
    """Return how every sentence begins that says "there is nothing yet"."""
    codes = (
        "alerts.nothing", "control.nothing", "control.no_run", "control.no_requests",
        "control.no_emergency", "decisions.no_run", "decisions.none", "decisions.no_refusals",
        "decisions.nothing_to_jump_to", "jobs.nothing", "logs.nothing", "logs.line_gone",
        "models.no_run", "models.none", "models.no_strategy", "models.no_outcomes",
        "monitoring.nothing", "monitoring.no_candles", "monitoring.no_positions",
        "monitoring.no_orders", "monitoring.no_trades", "monitoring.no_gates",
        "performance.no_run", "performance.no_snapshots", "performance.no_trades",
        "backtest_lab.first", "backtest_lab.no_results", "backtest_lab.queue_empty",
    )  # fmt: skip
    known = catalogue(Language(language))
    return {known[code].partition("{")[0] for code in codes}


def lies(shown: AppTest) -> list[str]:
    """Return the sentences that call a silent database an empty one."""
    words = said(shown)
    return [sentence for sentence in empty_sentences() if sentence in words]


def noise(shown: AppTest) -> list[str]:
    """Return what looks like a program's own in what a person reads."""
    words = [said(shown), *(str(m.value) + str(m.delta) for m in shown.metric)]
    words += [str(b.label) for b in shown.button]
    found = [line for text in words for line in text.splitlines() if NOISE.search(line)]
    for table in shown.dataframe:
        assert table.proto.placeholder == figures.MISSING  # else Streamlit says "None"
        cells = [cell for row in table.value.to_numpy().tolist() for cell in row]
        found += [cell for cell in cells if isinstance(cell, str) and NOISE.search(cell)]
    return found


def in_tabs_of_their_own(**state: object) -> Iterator[tuple[str, AppTest]]:
    """Draw every page in a browser tab of its own and yield its name."""
    for entry in entries():
        yield entry.name, page(entry.file, **state)


# --- the database ---------------------------------------------------------------------------------


@pytest.fixture
def own(small_installation: Installation, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of a whole installation that the console is about."""
    monkeypatch.setenv("CTP_VAR_DIR", str(small_installation.var_dir))
    return small_installation.var_dir / FILE


def damaged(file: Path) -> None:
    for name in (file, *file.parent.glob(f"{FILE}-*")):
        name.write_bytes(b"no database at all" * 400)


def half(file: Path) -> None:
    """The head is whole, so that it opens; the pages behind it are not."""
    _plain(file)
    content = bytearray(file.read_bytes())
    content[8192:] = b"\xa5" * (len(content) - 8192)
    file.write_bytes(content)


def ahead(file: Path) -> None:
    _version(file, "9999")


def behind(file: Path) -> None:
    _version(file, "0001")


def _version(file: Path, version: str) -> None:
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = ?", (version,))


def _plain(file: Path) -> None:
    with closing(sqlite3.connect(file, timeout=5)) as connection:
        connection.execute("PRAGMA journal_mode=DELETE")


def forget() -> None:
    """Let the next page be drawn as by a console just started, or seconds later."""
    st.cache_resource.clear()


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (damaged, "The database does not answer"), (half, "The database does not answer"),
        (ahead, "a newer version"), (behind, "run init-db"),
    ],
    ids=["damaged", "half", "ahead", "behind"],
)  # fmt: skip
def test_a_database_that_never_answered_is_unknown_on_every_page(
    own: Path, spoil: Callable[[Path], None], sentence: str
) -> None:
    spoil(own)
    for name, shown in walk_through(page()):
        assert not broken(shown), name
        assert sentence in said(shown), name
        assert not lies(shown), name
        assert name in SILENT or "Waiting for the database" in said(shown), name


@pytest.mark.parametrize("spoil", [damaged, half, ahead])
def test_a_database_that_falls_silent_leaves_every_page_grey_and_comes_back(
    own: Path, spoil: Callable[[Path], None]
) -> None:
    _plain(own)
    whole = own.read_bytes()
    shown = page()
    for name, _ in walk_through(shown):
        assert not broken(shown), name
    spoil(own)
    forget()
    for name, _ in walk_through(shown):
        assert not broken(shown), name
        assert "The database does not answer" in said(shown) or "newer version" in said(shown)
        assert not lies(shown), name
        aged = "could not be read anew" in said(shown) or "Waiting for the dat" in said(shown)
        assert name in SILENT or aged, name
    own.write_bytes(whole)
    forget()
    for name, _ in walk_through(shown):
        assert not broken(shown), name
        assert "could not be read anew" not in said(shown), name
        assert "does not answer" not in said(shown), name


def test_a_database_locked_by_another_is_said_and_holds_no_page_up(own: Path) -> None:
    _plain(own)  # a reader of WAL is held up by nobody
    shown = page()
    with closing(sqlite3.connect(own, isolation_level=None)) as holder:
        holder.execute("BEGIN EXCLUSIVE")
        forget()
        for name, _ in walk_through(shown):
            began = time.monotonic()
            shown.run()
            assert time.monotonic() - began < 5, name
            assert not broken(shown), name
            assert "The database does not answer" in said(shown), name
            assert not lies(shown), name
        shown.button(key="emergency_stop").click().run()
        assert not broken(shown)
        assert [flag.kind for flag in Flags(own.parent).up()] == [CommandKind.EMERGENCY_STOP]
        holder.execute("ROLLBACK")


def test_a_database_that_is_deleted_is_not_read_on(own: Path) -> None:
    """An open file lives on without its name: what it says is not what the engine writes."""
    shown = page()
    assert "There is no database yet" not in said(shown)
    for file in (own, *own.parent.glob(f"{FILE}-*")):
        file.unlink()
    time.sleep(5.1)  # a schema once seen is believed in for 5 s
    for name, _ in walk_through(shown):
        assert not broken(shown), name
        assert "There is no database yet" in said(shown), name


@pytest.mark.parametrize("language", LANGUAGES)
def test_without_any_database_every_page_says_what_comes(language: str) -> None:
    for name, shown in in_tabs_of_their_own(chosen_language=language):
        assert not broken(shown), name
        assert not noise(shown), name


# --- the engine -----------------------------------------------------------------------------------


def _killed(own: Engine) -> None:
    a_living_engine(own, own_process()._replace(started=1))


def _faulted(own: Engine) -> None:
    a_living_engine(own, observed=ObservedState.FAULTED, last_error="the disk is full")


def _beat(own: Engine, seconds: float) -> None:
    a_living_engine(own)
    at = SystemClock().now() + timedelta(seconds=seconds)
    with unit_of_work(own) as session:
        later = at + timedelta(seconds=60)
        session.connection().execute(
            update(EngineLeaseRow).values(heartbeat_at=at, expires_at=later)
        )


def _late(own: Engine) -> None:
    _beat(own, -8)


def _early(own: Engine) -> None:
    _beat(own, 3600)


@pytest.mark.parametrize("state", [_killed, _faulted, _late, _early])
def test_every_page_is_whole_beside_an_engine_in_any_state(
    database: Engine, state: Callable[[Engine], None]
) -> None:
    state(database)
    for name, shown in walk_through(page()):
        assert not broken(shown), name
        assert not noise(shown), name


# --- configuration, folder ------------------------------------------------------------------------


def test_a_broken_file_of_the_configuration_is_said_on_every_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "config"
    folder.mkdir()
    (folder / "auto_trading_config.json").write_text("{half a", encoding="utf-8")
    monkeypatch.setenv("CTP_CONFIG_DIR", str(folder))
    for name, shown in walk_through(page()):
        assert not broken(shown), name
        assert "The configuration cannot be used" in said(shown), name


@pytest.mark.parametrize("folder", ["/proc/none/var", "/proc"])
def test_a_folder_that_cannot_be_written_to_is_one_line(
    folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CTP_VAR_DIR", folder)
    shown = page()
    assert not broken(shown)
    assert "The console's folder cannot be written to" in said(shown)


# --- data sets ------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("size", ["small", "large"])
def test_every_page_speaks_like_a_person_over_a_whole_installation(
    size: str, language: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    installation: Installation = request.getfixturevalue(f"{size}_installation")
    monkeypatch.setenv("CTP_VAR_DIR", str(installation.var_dir))
    for name, shown in in_tabs_of_their_own(chosen_language=language):
        assert not broken(shown), name
        assert not noise(shown), name


# --- two people, and numbers of every size --------------------------------------------------------


def test_what_all_tabs_share_speaks_each_ones_language(own: Path) -> None:
    """The second tab is drawn from what the first one left in the caches."""
    korean = [said(shown) for _, shown in in_tabs_of_their_own(chosen_language="ko")]
    hangul = re.compile("[가-힣]")
    assert all(hangul.search(words) for words in korean)
    for name, shown in in_tabs_of_their_own(chosen_language="en"):
        assert not hangul.search(said(shown)), name
        for chart in shown.get("plotly_chart"):
            assert not hangul.search(str(json.loads(chart.proto.spec))), name


@pytest.mark.parametrize("symbols", [0, 50, pytest.param(1, marks=pytest.mark.slow)])
def test_any_number_of_symbols_and_money_of_any_size(database: Engine, symbols: int) -> None:
    names = [f"{'VERYLONGNAME' * 4}{n}/USDT:USDT" for n in range(symbols)]
    money = {"equity": "-9876543210.5", "cash": "0.00000001", "unrealized": "-0.00000001"}
    a_living_engine(database, view=VIEW | money)
    with unit_of_work(database) as session:
        session.connection().execute(update(RunRow).values(symbols=names))
    prices = [Decimal("0.00000123"), Decimal("1234567.89")]
    stored(
        database,
        *(a_position(1, symbol=s, entry_price=p) for s, p in zip(names, prices, strict=False)),
    )
    for name, shown in in_tabs_of_their_own():
        assert not broken(shown), name
        assert not noise(shown), name
        if name == "control":
            assert metrics(shown)["Equity"] == "−9,876,543,210.50"
