"""The log table on both databases."""

import pytest
from sqlalchemy import Engine
from sqlmodel import Session

from crypto_trader_pro.domain.enums import Component
from crypto_trader_pro.domain.errors import ConfigError, JournalUnavailable
from crypto_trader_pro.domain.ports import LogEntry, LogSink
from database.auto_trading_db import unit_of_work
from database.log_rows import LogTable, newest
from tests.databases import Opener
from tests.rows import T0, after


def an_entry(message: str = "hello", **changes: object) -> LogEntry:
    entry = LogEntry(T0, "INFO", Component.ENGINE, message, None, None, None)
    return entry._replace(**changes)  # type: ignore[arg-type]


def messages(database: Engine, **wanted: object) -> list[str]:
    with Session(database) as session:
        return [row.message for row in newest(session, **wanted)]  # type: ignore[arg-type]


@pytest.fixture
def table(database: Engine) -> LogSink:
    return LogTable(database)


def test_a_line_is_stored_with_all_that_it_says(database: Engine, table: LogSink) -> None:
    full = an_entry(
        "체결 \\x00", at=after(5), level="ERROR", component=Component.EXECUTOR,
        data={"price": "60000.5", "n": [1, None]}, correlation_id="r1:BTC/USDT:5", run_id=3,
    )  # fmt: skip
    table.write([full, an_entry()])
    with unit_of_work(database) as session:
        plain, row = newest(session)
    assert (row.user_id, row.timestamp, row.log_level, row.component) == (
        1, after(5), "ERROR", "EXECUTOR",
    )  # fmt: skip
    assert (row.message, row.data) == ("체결 \\x00", {"price": "60000.5", "n": [1, None]})
    assert (row.correlation_id, row.run_id) == ("r1:BTC/USDT:5", 3)
    assert (plain.data, plain.correlation_id, plain.run_id) == (None, None, None)


def test_nothing_to_write_writes_nothing(database: Engine, table: LogSink) -> None:
    table.write([])
    assert messages(database) == []


def test_a_batch_is_stored_whole_or_not_at_all(database: Engine, table: LogSink) -> None:
    with pytest.raises(Exception, match="a JSON column cannot hold object"):
        table.write([an_entry(), an_entry(data={"x": object()})])
    assert messages(database) == []


def test_lines_are_read_newest_first_and_by_what_they_are(database: Engine, table: LogSink) -> None:
    table.write(
        [
            an_entry("a", level="ERROR"),
            an_entry("b", component=Component.RISK, run_id=1),
            an_entry("c", correlation_id="k", run_id=1),
            an_entry("d", level="ERROR", component=Component.RISK),
        ]
    )
    assert messages(database) == ["d", "c", "b", "a"]
    assert messages(database, limit=2) == ["d", "c"]
    assert messages(database, level="ERROR") == ["d", "a"]
    assert messages(database, level="ERROR", component="RISK") == ["d"]
    assert messages(database, correlation_id="k") == ["c"]
    assert messages(database, run_id=1) == ["c", "b"]
    with Session(database) as session:
        last = newest(session, limit=2)[-1]
        assert [row.message for row in newest(session, before_id=last.id)] == ["b", "a"]


def test_a_table_that_is_not_there_is_said_in_one_line(empty_url: str) -> None:
    table = LogTable.open(empty_url)
    with pytest.raises(JournalUnavailable, match=r"^the log table: .* lacks a table or column"):
        table.write([an_entry()])
    table.close()


def test_it_opens_its_own_connection(database_url: str, opened: Opener) -> None:
    table = LogTable.open(database_url)
    table.write([an_entry("mine")])
    table.close()
    assert messages(opened(database_url)) == ["mine"]
    with pytest.raises(ConfigError, match="the database URL cannot be read"):
        LogTable.open("nonsense")


def test_a_full_buffer_of_lines_fits_one_statement(database: Engine, table: LogSink) -> None:
    table.write([an_entry(str(k)) for k in range(500)])
    assert len(messages(database, limit=1000)) == 500
