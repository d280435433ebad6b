"""What the control panel reads, on both databases."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Engine

from auto_trading_dashboard.queries import control, requests
from auto_trading_dashboard.queries.control import Books, Panel, Safety
from config.loading import load
from crypto_trader_pro.domain.enums import (
    CommandKind,
    DesiredState,
    NotificationType,
    ObservedState,
    TradingState,
)
from database import alerts, commands, config_history, lease, wishes
from database.auto_trading_db import unit_of_work
from database.commands import CommandStatus
from database.config_history import AppliedConfig
from database.lease import Beat, Holder
from database.models import EmergencyStopRow
from tests.fake_engine import ACCOUNT
from tests.rows import a_fill, an_equity, an_order, stored, stored_run

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
VIEW = ACCOUNT | {
    "gross": "4002.5", "realized": "-1.5", "unrealized": "0.25", "fees": "4", "drawdown": "0.0125",
    "day_start_equity": "100000", "halt_reason": "", "flattening": False, "daily_level": 1,
    "volatile": 1, "locks": {"BTC/USDT": "2026-01-02T15:00:00+00:00"},
    "safety": {"position_limits": {"open": 5, "limit": 5}},
}  # fmt: skip


def gone(*_: Any) -> bool:
    return True


def lives(*_: Any) -> bool:
    return False


def beat(database: Engine, run_id: int, **changes: Any) -> None:
    values: dict[str, Any] = {
        "observed": ObservedState.RUNNING, "trading": TradingState.ACTIVE, "mode": "paper",
        "source": "demo", "run_id": run_id, "last_error": None, "view": VIEW,
    }  # fmt: skip
    with unit_of_work(database) as session:
        epoch = lease.take(session, Holder("o", "h", 1, 1, "b"), NOW, is_gone=gone)
        assert epoch is not None
        lease.renew(session, epoch, Beat(**(values | changes)), NOW)


def shown(database: Engine, is_gone: Any = lives) -> Panel:
    with unit_of_work(database) as session:
        return control.panel(session, NOW, is_gone)


def test_an_empty_database(database: Engine) -> None:
    assert shown(database) == Panel(None, None, None, None, None)
    with unit_of_work(database) as session:
        assert not control.has_traded(session)
        assert control.in_force(session) is None
        assert requests.newest(session, 10) == []
        assert requests.emergency(session) is None


def test_a_living_engine_tells_account_and_safety(database: Engine) -> None:
    run_id = stored_run(database, kind="paper", source="demo")
    beat(database, run_id)
    found = shown(database)
    assert found.books == Books(
        run=f"r{run_id}", asset="USDT", at=datetime(2026, 1, 1, tzinfo=UTC),
        equity=Decimal("99998.75333991"), cash=Decimal("95996.36288421"), open_positions=2,
        working_orders=4, gross=Decimal("4002.5"), day=Decimal("-1.24666009"),
        day_start=Decimal(100000), realized=Decimal("-1.5"), unrealized=Decimal("0.25"),
        fees=Decimal(4), drawdown=Decimal("0.0125"), is_live=True,
    )  # fmt: skip
    assert found.books.day_fraction == Decimal("-0.0000124666009")
    assert found.books.exposure == Decimal("4002.5") / Decimal("99998.75333991")
    assert found.safety == Safety(
        "", 1, False, {"position_limits": {"open": 5, "limit": 5}}, 1,
        {"BTC/USDT": datetime(2026, 1, 2, 15, tzinfo=UTC)},
    )  # fmt: skip
    assert not found.is_latched


def test_an_engine_of_another_version_leaves_out_what_it_does_not_know(database: Engine) -> None:
    beat(database, stored_run(database), view=ACCOUNT)
    found = shown(database)
    assert found.safety is None
    assert found.books is not None
    assert (found.books.day, found.books.fees, found.books.exposure) == (None, None, None)


def test_a_dead_engine_leaves_the_last_stored_figures(database: Engine) -> None:
    run_id = stored_run(database)
    stored(database, an_equity(run_id, 5, "99000"), an_order(run_id, "a", status="working"))
    beat(database, run_id)
    found = shown(database, gone)
    assert found.safety is None
    assert found.books is not None
    assert not found.books.is_live
    assert (found.books.equity, found.books.working_orders) == (Decimal(99000), 1)
    assert found.books.day is None


def test_a_run_without_figures_yet(database: Engine) -> None:
    run_id = stored_run(database)
    assert shown(database).books == Books(f"r{run_id}", "USDT", None, None, None, 0, 0)


@pytest.mark.parametrize("code", ["drawdown_reducing", "daily_loss_exceeded"])
def test_since_when_the_ladder_holds(database: Engine, code: str) -> None:
    run_id = stored_run(database)
    beat(database, run_id, trading=TradingState.REDUCING)
    assert shown(database).since is None
    kind = NotificationType.DRAWDOWN_WARNING
    with unit_of_work(database) as session:
        for k, name in enumerate((code, code, "drawdown_recovered")):
            at = NOW + timedelta(seconds=k)
            alerts.raise_alert(session, kind, "warning", name, {}, at=NOW, now=at, run_id=run_id)
    assert shown(database).since == NOW + timedelta(seconds=1)


def test_the_newest_wish_is_told_beside_other_requests(database: Engine) -> None:
    wishes.wish(database, CommandKind.START, by="a", now=NOW, command_id="c1")
    wishes.wish(database, CommandKind.RUN_JOB, {"job": "backup"}, by="b", now=NOW, command_id="c2")
    wish = shown(database).wish
    assert wish is not None
    assert (wish.kind, wish.by) == ("start", "a")
    engine = shown(database).engine
    assert engine is not None
    assert (engine.desired, engine.epoch) == (DesiredState.RUNNING, 0)


def test_requests_of_everybody_newest_first(database: Engine) -> None:
    kind = CommandKind
    wishes.wish(database, kind.CANCEL_ORDER, {"client_order_id": "o1"}, by="a", now=NOW)
    wishes.wish(database, kind.APPLY_CONFIG, {"changes": {"x.y": 2, "z": 1}}, by="b", now=NOW)
    later = NOW + timedelta(seconds=2)
    with unit_of_work(database) as session:
        row = commands.claim_next(session, later)
        assert row is not None
        answer = {"code": "answer.canceled", "client_order_id": "o1"}
        commands.finish(session, row.command_id, CommandStatus.DONE, answer, later)
    with unit_of_work(database) as session:
        second, first = requests.newest(session, 10)
        assert [one.about for one in requests.newest(session, 1)] == ["x.y=2, z=1"]
    assert (first.about, first.status, first.ended_at, first.answer) == (
        "o1", CommandStatus.DONE, later, answer,
    )  # fmt: skip
    assert (second.by, second.status, second.taken_at) == ("b", CommandStatus.ASKED, None)


def test_the_newest_emergency_stop_with_its_steps(database: Engine) -> None:
    run_id = stored_run(database)
    for k, status in enumerate(("flat", "flattening")):
        at = NOW + timedelta(minutes=k)
        steps = [
            {"step": "halted", "at": at.isoformat(), "market_ms": 1},
            {"step": "flattening", "at": at.isoformat(), "market_ms": 1, "positions": 2},
        ]
        row = EmergencyStopRow(
            run_id=run_id, trigger="MANUAL_STOP", requested_by="me", status=status, started_at=at,
            finished_at=at if status == "flat" else None, positions=2, remaining=1, steps=steps,
        )  # fmt: skip
        stored(database, row)
    with unit_of_work(database) as session:
        found = requests.emergency(session)
    assert found is not None
    assert (found.status, found.is_under_way, found.remaining) == ("flattening", True, 1)
    assert [(s.name, s.at, s.positions) for s in found.steps] == [
        ("halted", NOW + timedelta(minutes=1), None),
        ("flattening", NOW + timedelta(minutes=1), 2),
    ]


def test_only_a_living_session_counts_as_traded(database: Engine) -> None:
    played = stored_run(database)
    stored(database, an_order(played, "a"), a_fill(played, "a"))
    with unit_of_work(database) as session:
        assert not control.has_traded(session)
    paper = stored_run(database, kind="paper", source="demo")
    stored(database, an_order(paper, "b"), a_fill(paper, "b"))
    with unit_of_work(database) as session:
        assert control.has_traded(session)


def test_the_configuration_in_force_is_read_back(database: Engine) -> None:
    settings = load(environ={}, overrides={"risk_management.position_size_pct": "1.5"})
    content = settings.canonical_json()
    for text in (content, '{"of": "another version"}'):
        applied = AppliedConfig(
            True, "CONSERVATIVE", Decimal(3), 5, 300, ["BTC/USDT"], str(hash(text))[:8], text
        )
        with unit_of_work(database) as session:
            config_history.record(session, applied, "me", NOW)
            found = control.in_force(session)
        assert found is not None
        assert found.settings == (settings if text == content else None)
        assert (found.applied_by, found.applied_at) == ("me", NOW)
