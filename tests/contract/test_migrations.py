"""The migrations make exactly the tables of the models, on both databases, from any state."""

from enum import StrEnum
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, inspect, text
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import Session, SQLModel, select

from config.notifications import Channel, Severity
from crypto_trader_pro.domain.enums import (
    CommandKind,
    Component,
    DesiredState,
    EmergencyTrigger,
    Mode,
    NotificationType,
    ObservedState,
    TradingState,
)
from crypto_trader_pro.domain.errors import ConfigError, JournalUnavailable
from database import models
from database.auto_trading_db import prepare, schema_state
from database.backtest_jobs import BacktestJobStatus
from database.migrations import REVISIONS
from database.migrations.__main__ import main
from database.migrations.running import VERSIONS, configuration, downgrade, draft, upgrade
from tests.children import READY, a_child
from tests.databases import Opener
from tests.rows import stored_run

TABLES = {table.name for table in SQLModel.metadata.tables.values()}
assert models.RunRow.__tablename__ in TABLES


@pytest.fixture
def empty(empty_url: str, opened: Opener) -> Engine:
    return opened(empty_url)


def tables(database: Engine) -> set[str]:
    with database.connect() as connection:
        return set(inspect(connection).get_table_names())


def differences(database: Engine) -> list[object]:
    with database.connect() as connection:
        return list(compare_metadata(MigrationContext.configure(connection), SQLModel.metadata))


def test_a_migrated_schema_equals_the_models(empty: Engine) -> None:
    prepare(empty)
    assert tables(empty) == TABLES | {"alembic_version"}
    assert differences(empty) == []


def test_the_comparison_would_see_a_difference(empty: Engine) -> None:
    prepare(empty)
    with empty.begin() as connection:
        connection.execute(text("ALTER TABLE fills DROP COLUMN fee_asset"))
        connection.execute(text("DROP INDEX ux_ledger"))
    assert len(differences(empty)) == 2


def test_the_indexes_of_the_documents_exist(database: Engine) -> None:
    with database.connect() as connection:
        names = {
            index["name"]
            for table in ("trades", "positions", "market_data", "performance_metrics")
            for index in inspect(connection).get_indexes(table)
        }
    assert names >= {
        "idx_trades_symbol", "idx_trades_execution_time", "idx_positions_symbol",
        "idx_positions_status", "idx_market_data_symbol_timestamp", "idx_performance_date",
    }  # fmt: skip


def test_partial_indexes_are_partial_on_both(database: Engine) -> None:
    catalogue = {
        "sqlite": "SELECT sql FROM sqlite_master WHERE name = 'ix_decisions_refused'",
        "postgresql": "SELECT indexdef FROM pg_indexes WHERE indexname = 'ix_decisions_refused'",
    }
    with database.connect() as connection:
        definition = connection.scalar(text(catalogue[database.dialect.name]))
    assert "first_refusal IS NOT NULL" in str(definition)


def test_down_to_nothing_and_up_again(empty: Engine) -> None:
    prepare(empty)
    downgrade(empty, "base")
    assert tables(empty) <= {"alembic_version"}
    assert schema_state(empty) == "missing"
    prepare(empty)
    assert differences(empty) == []


def test_every_state_of_a_schema_has_its_name(empty: Engine) -> None:
    assert schema_state(empty) == "missing"
    upgrade(empty, REVISIONS[0])
    assert schema_state(empty) == "behind"
    prepare(empty)
    assert schema_state(empty) == "current"
    with empty.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    assert schema_state(empty) == "ahead"


def test_asking_for_the_state_creates_no_file(tmp_path: Path, opened: Opener) -> None:
    assert schema_state(opened(f"sqlite:///{tmp_path / 'none.db'}", read_only=True)) == "missing"
    assert schema_state(opened(f"sqlite:///{tmp_path / 'none.db'}")) == "missing"
    assert list(tmp_path.iterdir()) == []


def test_a_schema_of_a_newer_version_is_refused(database: Engine) -> None:
    with database.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(ConfigError, match=r"has the schema of a newer version.*use the newer"):
        prepare(database)


def test_preparing_keeps_the_rows_and_prints_nothing(
    empty: Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    upgrade(empty, REVISIONS[0])
    run_id = stored_run(empty)
    prepare(empty)
    prepare(empty)
    with empty.connect() as connection:
        assert connection.scalar(text("SELECT max(id) FROM runs")) == run_id
    assert capsys.readouterr().out == ""


def a_lease_of_before(database: Engine) -> None:
    columns = {
        "account": "paper", "owner": "o", "pid": 7, "pid_started": 1, "host": "h", "epoch": 4,
        "expires_at": "2024-01-01 00:00:30", "heartbeat_at": "2024-01-01 00:00:00",
        "desired_state": "running", "observed_state": "running", "trading_state": "reducing",
    }  # fmt: skip
    names, values = ", ".join(columns), ", ".join(f":{name}" for name in columns)
    with database.begin() as connection:
        connection.execute(
            text(f"INSERT INTO engine_lease ({names}) VALUES ({values})"),  # noqa: S608
            columns,
        )


def test_a_lease_of_before_the_living_engine_is_kept(empty: Engine) -> None:
    upgrade(empty, "0002")
    a_lease_of_before(empty)
    prepare(empty)
    with Session(empty) as session:
        (lease,) = session.exec(select(models.EngineLeaseRow))
    assert (lease.account, lease.epoch, lease.trading_state) == ("paper", 4, "reducing")
    assert (lease.desired_state, lease.observed_state) == ("running", "running")
    assert (lease.mode, lease.source, lease.build) == ("paper", "", "")
    assert (lease.started_at, lease.view) == (None, None)


def test_a_step_back_from_the_living_engine_keeps_what_was_there(empty: Engine) -> None:
    upgrade(empty, "0002")
    before = tables(empty)
    run_id = stored_run(empty)
    a_lease_of_before(empty)
    upgrade(empty, "0003")
    assert tables(empty) - before == {
        "jobs", "latest_prices", "notification_outbox", "daily_account_summary", "emergency_stops",
        "session_events",
    }  # fmt: skip
    downgrade(empty, "0002")
    assert tables(empty) == before
    with empty.connect() as connection:
        assert connection.scalar(text("SELECT epoch FROM engine_lease")) == 4
        assert connection.scalar(text("SELECT max(id) FROM runs")) == run_id
        leased = {column["name"] for column in inspect(connection).get_columns("engine_lease")}
    assert not leased & {"started_at", "mode", "source", "build", "view"}
    prepare(empty)
    assert differences(empty) == []


def test_a_step_back_from_the_sums_keeps_what_they_were_made_of(empty: Engine) -> None:
    upgrade(empty, "0003")
    before = tables(empty)
    run_id = stored_run(empty)
    upgrade(empty, "0004")
    assert tables(empty) - before == {"decision_counts", "equity_spans", "rollup_marks"}
    downgrade(empty, "0003")
    assert tables(empty) == before
    with empty.connect() as connection:
        assert connection.scalar(text("SELECT max(id) FROM runs")) == run_id
    prepare(empty)
    assert differences(empty) == []


def test_a_step_back_from_the_backtests_takes_only_them(empty: Engine) -> None:
    upgrade(empty, "0004")
    before = tables(empty)
    run_id = stored_run(empty)
    upgrade(empty, "0005")
    assert tables(empty) - before == {"backtests", "backtest_jobs", "research_trials"}
    downgrade(empty, "0004")
    assert tables(empty) == before
    with empty.connect() as connection:
        assert connection.scalar(text("SELECT max(id) FROM runs")) == run_id
    prepare(empty)
    assert differences(empty) == []


def test_a_step_back_from_what_reaches_out_keeps_messages_and_alerts(empty: Engine) -> None:
    upgrade(empty, "0005")
    before = tables(empty)
    with empty.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO alerts (kind, severity, code, numbers, at, raised_at)"
                " VALUES ('SYSTEM_ERROR', 'error', 'x', '{}', :now, :now)"
            ),
            {"now": "2026-01-01 00:00:00+00:00"},
        )
    prepare(empty)
    assert tables(empty) - before == {
        "strategies", "strategy_accounts", "strategy_capital", "webhook_logs", "api_tokens",
        "chat_commands", "reach_state",
    }  # fmt: skip
    with empty.connect() as connection:
        assert connection.scalar(text("SELECT escalations FROM alerts")) == 0
    downgrade(empty, "0005")
    assert tables(empty) == before
    with empty.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM alerts")) == 1
    prepare(empty)
    assert differences(empty) == []


@pytest.mark.parametrize(
    ("table", "column", "words"),
    [
        ("commands", "kind", CommandKind),
        ("engine_lease", "desired_state", DesiredState),
        ("engine_lease", "observed_state", ObservedState),
        ("engine_lease", "trading_state", TradingState),
        ("engine_lease", "mode", Mode),
        ("emergency_stops", "trigger", EmergencyTrigger),
        ("notification_outbox", "kind", NotificationType),
        ("notification_outbox", "channel", Channel),
        ("notification_outbox", "severity", Severity),
        ("alerts", "kind", NotificationType),
        ("auto_trading_logs", "component", Component),
        ("backtest_jobs", "status", BacktestJobStatus),
    ],
)
def test_every_word_of_a_closed_set_fits_its_column(
    database: Engine, table: str, column: str, words: type[StrEnum]
) -> None:
    with database.connect() as connection:
        (room,) = (
            found["type"].length  # type: ignore[attr-defined]
            for found in inspect(connection).get_columns(table)
            if found["name"] == column
        )
    assert max(len(word.value) for word in words) <= room


def test_a_migration_that_fails_leaves_nothing_behind(empty: Engine) -> None:
    with empty.begin() as connection:
        connection.execute(text("CREATE TABLE decisions (x INTEGER)"))  # in the way of 0002
    with pytest.raises((JournalUnavailable, SQLAlchemyError), match="already exists"):
        prepare(empty)
    assert tables(empty) == {"decisions"}


def test_the_list_of_revisions_is_that_of_the_files(tmp_path: Path, opened: Opener) -> None:
    with opened(f"sqlite:///{tmp_path / 'x.db'}").connect() as connection:
        script = ScriptDirectory.from_config(configuration(connection))
    walked = [revision.revision for revision in script.walk_revisions()]
    assert tuple(reversed(walked)) == REVISIONS
    assert len(list(VERSIONS.glob("[0-9]*.py"))) == len(REVISIONS)


def test_a_migration_may_not_break_references(tmp_path: Path, opened: Opener) -> None:
    """SQLite does not enforce references during a migration, so they are counted at its end."""
    engine = opened(f"sqlite:///{tmp_path / 'x.db'}")
    upgrade(engine, REVISIONS[0])
    with engine.connect() as connection:
        cursor = connection.connection.cursor()
        cursor.execute("PRAGMA foreign_keys=OFF")
        cursor.execute("INSERT INTO checkpoints VALUES (7, 0, '{}')")  # there is no run 7
        cursor.execute("PRAGMA foreign_keys=ON")
    with pytest.raises(ConfigError, match="a row of checkpoints refers to a missing row of runs"):
        prepare(engine)
    assert schema_state(engine) == "behind"
    with engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1


def test_the_next_migration_is_drafted_from_the_models(
    tmp_path: Path, opened: Opener, capsys: pytest.CaptureFixture[str]
) -> None:
    engine = opened(f"sqlite:///{tmp_path / 'x.db'}")
    prepare(engine)
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE alerts DROP COLUMN acknowledged_by"))
    file = draft(engine, "who saw an alert", "9999", tmp_path)
    assert "9999_who_saw_an_alert.py" in capsys.readouterr().out
    text_ = file.read_text()
    assert text_.startswith('"""who saw an alert.\n\nRevision: 9999, after ')
    assert "batch_op.add_column(sa.Column('acknowledged_by'" in text_


def test_the_next_migration_has_the_next_number(tmp_path: Path) -> None:
    file = main("nothing", tmp_path)
    following = f"{len(REVISIONS) + 1:04d}"
    assert file == tmp_path / f"{following}_nothing.py"
    assert f"revision = '{following}'" in file.read_text()
    assert "op." not in file.read_text()  # the models and the migrations agree


_PREPARE = f"""
import sys
from database import auto_trading_db as db
import database.migrations.running
database = db.open_database(sys.argv[1])
{READY}
db.prepare(database)
print(db.schema_state(database))
"""


def test_processes_that_prepare_at_the_same_time_do_not_disturb_each_other(
    empty: Engine, empty_url: str
) -> None:
    with a_child(_PREPARE, empty_url) as one, a_child(_PREPARE, empty_url) as other:
        one.go()
        other.go()
        assert [one.printed(), other.printed()] == ["current", "current"]
    assert differences(empty) == []
