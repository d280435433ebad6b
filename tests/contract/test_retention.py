"""What is too old goes, in small transactions; what the books are made of never does."""

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Engine, func, select
from sqlmodel import SQLModel

from config.engine import Retention
from crypto_trader_pro.domain.timeframes import to_ms
from database import retention
from database.models import (
    AiSignalRow,
    AutoTradingLogRow,
    BacktestJobRow,
    CheckpointRow,
    CommandRow,
    DailyAccountSummaryRow,
    DecisionRow,
    EquityRow,
    FillRow,
    LedgerEntryRow,
    MarketDataRow,
    OrderRow,
    OutboxRow,
    PerformanceMetricRow,
    PositionRow,
    RunRow,
    SessionEventRow,
    ShadowTradeRow,
    TradeRow,
)
from database.retention import Present, Removed
from tests.rows import (
    T0,
    a_day,
    a_decision,
    a_fill,
    a_market_row,
    a_position,
    a_shadow,
    a_trade,
    after,
    an_entry,
    an_equity,
    an_order,
    stored,
    stored_run,
)

DAY = 1440  # minutes
KEEP = Retention(decisions_days=10, demo_days=2, market_data_days=20, logs_days=5)
NOW = T0 + timedelta(days=100)


def never() -> bool:
    return False


def pruned(
    database: Engine, present: Present, pause: Callable[[], bool] = never, batch: int = 500
) -> dict[str, int]:
    return dict(retention.prune(database, KEEP, present, pause, batch))


def count(database: Engine, model: type[SQLModel], **where: Any) -> int:
    query = select(func.count()).select_from(model).filter_by(**where)
    with database.connect() as connection:
        return int(connection.execute(query).scalar_one())


def a_signal(run_id: int, minutes: int) -> AiSignalRow:
    return AiSignalRow(
        run_id=run_id, symbol="BTC/USDT", strategy="ema_cross", signal_type="HOLD",
        confidence_score=0, reason="no_cross", created_at=after(minutes),
    )  # fmt: skip


def a_session(database: Engine, days: int, *, finished: datetime | None = None, **run: Any) -> int:
    """A run with a decision, a signal and an event at the end of each day, and a checkpoint."""
    run_id = stored_run(database, **run)
    for day in range(1, days + 1):
        at_ms = to_ms(after(day * DAY))
        event = SessionEventRow(run_id=run_id, seq=day, at_ms=at_ms, body=b"x")
        stored(
            database, a_decision(run_id, day * DAY, at_ms=at_ms), a_signal(run_id, day * DAY), event
        )
    stored(database, CheckpointRow(run_id=run_id, at_ms=to_ms(after(days * DAY)), state="{}"))
    if finished is not None:
        with database.begin() as connection:
            row = RunRow.__table__  # type: ignore[attr-defined]
            connection.execute(row.update().where(row.c.id == run_id).values(finished_at=finished))
    return run_id


def left(database: Engine, run_id: int) -> tuple[int, int, int]:
    models = (DecisionRow, AiSignalRow, SessionEventRow)
    found = [count(database, model, run_id=run_id) for model in models]
    return found[0], found[1], found[2]


# --- sessions -----------------------------------------------------------------------------------


def test_the_running_session_loses_what_is_older_than_is_kept(database: Engine) -> None:
    run_id = a_session(database, 30, kind="paper", source="exchange")
    removed = pruned(database, Present(NOW, run_id, to_ms(after(30 * DAY))))
    # kept: the last 10 days, the 20th included
    assert left(database, run_id) == (11, 11, 11)
    assert removed == {"decisions": 19, "ai_signals_log": 19, "session_events": 19}


def test_a_demo_day_that_is_kept_is_a_day_of_the_operator(database: Engine) -> None:
    run_id = a_session(database, 30, kind="paper", source="demo")
    at_ms = to_ms(after(30 * DAY))
    # 2 days at 300 x are 600 days of the market
    assert pruned(database, Present(NOW, run_id, at_ms, speed=300)) == {}
    pruned(database, Present(NOW, run_id, at_ms, speed=5))  # 10 days
    assert left(database, run_id) == (11, 11, 11)


def test_a_session_that_ended_stays_whole_until_all_of_it_is_too_old(database: Engine) -> None:
    kept = a_session(database, 3, finished=NOW - timedelta(days=10))
    gone = a_session(database, 3, finished=NOW - timedelta(days=10, seconds=1))
    demo = a_session(database, 3, finished=NOW - timedelta(days=2, seconds=1), source="demo")
    pruned(database, Present(NOW))
    assert left(database, kept) == (3, 3, 3)
    assert left(database, gone) == left(database, demo) == (0, 0, 0)


def test_the_newest_session_may_go_on_however_long_it_has_been_stopped(database: Engine) -> None:
    crashed = a_session(database, 2, kind="paper", source="demo")
    newest = a_session(database, 2, kind="paper", source="demo")
    pruned(database, Present(NOW))  # no session runs
    assert left(database, crashed) == (0, 0, 0)  # another one was begun after it
    assert left(database, newest) == (2, 2, 2)


def test_a_run_that_never_committed_is_no_trouble(database: Engine) -> None:
    stored_run(database, kind="replay")
    stored_run(database, kind="replay")
    assert pruned(database, Present(NOW)) == {}


def test_what_the_books_are_made_of_is_never_deleted(database: Engine) -> None:
    run_id = a_session(database, 1, finished=T0)
    summary = DailyAccountSummaryRow(
        date=T0.date(), mode="paper-demo", run_id=run_id, starting_equity=Decimal(1),
        ending_equity=Decimal(1), realized_pnl=Decimal(0), unrealized_pnl=Decimal(0),
        fees=Decimal(0), funding=Decimal(0), max_drawdown=Decimal(0), trade_count=0, win_count=0,
        loss_count=0, created_at=T0, updated_at=T0,
    )  # fmt: skip
    rows = (
        an_order(run_id), a_fill(run_id), an_entry(run_id, "cash", "1"), a_position(run_id),
        a_trade(run_id), an_equity(run_id), a_shadow(run_id), a_day(), summary,
    )  # fmt: skip
    stored(database, *rows)
    pruned(database, Present(NOW + timedelta(days=36_000)))
    books = (
        OrderRow, FillRow, LedgerEntryRow, PositionRow, TradeRow, EquityRow, ShadowTradeRow,
        PerformanceMetricRow, DailyAccountSummaryRow, RunRow, CheckpointRow,
    )  # fmt: skip
    assert [count(database, model) for model in books] == [1] * len(books)


# --- logs, commands, messages -------------------------------------------------------------------


def a_log(at: datetime) -> AutoTradingLogRow:
    return AutoTradingLogRow(timestamp=at, log_level="INFO", component="ENGINE", message="m")


def test_old_log_rows_go(database: Engine) -> None:
    end = NOW - timedelta(days=5)
    times = [end - timedelta(hours=k) for k in (3, 2, 1)]
    stored(database, *(a_log(at) for at in (*times, end, NOW)))
    assert pruned(database, Present(NOW), batch=2) == {"auto_trading_logs": 3}
    assert count(database, AutoTradingLogRow) == 2
    # and all of them, when none is young
    assert pruned(database, Present(NOW + timedelta(days=9))) == {"auto_trading_logs": 2}
    assert pruned(database, Present(NOW + timedelta(days=9))) == {}


def a_command(name: str, status: str, finished: datetime | None) -> CommandRow:
    return CommandRow(
        command_id=name, kind="stop", payload={}, requested_by="kim", requested_at=T0,
        status=status, finished_at=finished,
    )  # fmt: skip


def a_message(status: str, created: datetime) -> OutboxRow:
    return OutboxRow(
        channel="email", kind="SYSTEM_ERROR", severity="error", message="m", status=status,
        created_at=created, next_try_at=T0, sent_at=None,
    )  # fmt: skip


def test_answered_commands_and_delivered_messages_go_and_waiting_ones_stay(
    database: Engine,
) -> None:
    old, young = NOW - timedelta(days=6), NOW - timedelta(days=4)
    stored(
        database,
        a_command("a", "done", old), a_command("b", "refused", old), a_command("c", "expired", old),
        a_command("d", "done", young), a_command("e", "asked", None), a_command("f", "taken", None),
        a_message("sent", old), a_message("failed", old), a_message("sent", young),
        a_message("waiting", old), a_message("held", old),
    )  # fmt: skip
    assert pruned(database, Present(NOW)) == {"commands": 3, "notification_outbox": 2}
    assert (count(database, CommandRow), count(database, OutboxRow)) == (3, 3)


def a_backtest_job(status: str, finished: datetime | None) -> BacktestJobRow:
    return BacktestJobRow(
        kind="sweep", name="", request={}, status=status, requested_by="kim", requested_at=T0,
        finished_at=finished,
    )  # fmt: skip


def test_ended_backtest_jobs_go_and_those_still_to_be_run_stay(database: Engine) -> None:
    old, young = NOW - timedelta(days=6), NOW - timedelta(days=4)
    stored(
        database,
        a_backtest_job("finished", old), a_backtest_job("failed", old),
        a_backtest_job("canceled", old), a_backtest_job("finished", young),
        a_backtest_job("queued", None), a_backtest_job("running", None),
    )  # fmt: skip
    assert pruned(database, Present(NOW)) == {"backtest_jobs": 3}
    assert count(database, BacktestJobRow) == 3


# --- candles ------------------------------------------------------------------------------------


def test_old_candles_that_the_engine_collected_go(database: Engine) -> None:
    edge = NOW - timedelta(days=20)
    old = edge - timedelta(minutes=5)
    for symbol in ("BTC/USDT", "ETH/USDT"):
        for at in (old, edge):
            stored(database, a_market_row(symbol=symbol, source="exchange", timestamp=at))
    stored(database, a_market_row(source="file", timestamp=old))  # imported by a person
    assert pruned(database, Present(NOW)) == {"market_data": 2}
    assert count(database, MarketDataRow, source="exchange") == 2
    assert count(database, MarketDataRow, source="file") == 1


def test_demo_candles_age_by_the_demo_markets_clock(database: Engine) -> None:
    run_id = stored_run(database, kind="paper", source="demo")
    for day in (9, 10, 30):
        stored(database, a_market_row(source="demo", timestamp=after(day * DAY)))
    assert pruned(database, Present(T0, run_id, to_ms(after(30 * DAY)))) == {"market_data": 1}
    assert pruned(database, Present(T0)) == {}  # without a session the system's clock counts


# --- in the way of nobody -----------------------------------------------------------------------


def test_others_write_between_two_batches(database: Engine) -> None:
    run_id = a_session(database, 30, kind="paper", source="exchange")
    seen: list[int] = []

    def write() -> bool:
        with database.begin() as connection:  # would wait for ever inside a transaction
            row = CheckpointRow.__table__  # type: ignore[attr-defined]
            connection.execute(row.update().values(state='{"n":1}'))
        seen.append(count(database, DecisionRow))
        return False

    pruned(database, Present(NOW, run_id, to_ms(after(30 * DAY))), write, batch=8)
    # they are summed up first; 19 decisions go, by 8, 8 and 3
    assert seen[:5] == [30, 22, 14, 11, 11]


def test_the_work_ends_early_and_goes_on_later(database: Engine) -> None:
    run_id = a_session(database, 30, kind="paper", source="exchange")
    present = Present(NOW, run_id, to_ms(after(30 * DAY)))
    assert retention.prune(database, KEEP, present, lambda: True, 8) == [Removed("decisions", 8)]
    pruned(database, present, batch=8)
    assert left(database, run_id) == (11, 11, 11)


@pytest.mark.parametrize("batch", [1, 19, 20])
def test_any_batch_removes_the_same(database: Engine, batch: int) -> None:
    run_id = a_session(database, 30, kind="paper", source="exchange")
    pruned(database, Present(NOW, run_id, to_ms(after(30 * DAY))), batch=batch)
    assert left(database, run_id) == (11, 11, 11)
