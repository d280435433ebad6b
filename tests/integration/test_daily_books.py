"""The days of a run that really traded add up to the run."""

from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlmodel import select

from auto_trading.daily_books import DailyBooks
from crypto_trader_pro.domain.calendar import TradingCalendar
from crypto_trader_pro.domain.timeframes import to_datetime, to_ms
from database import equity, ledger
from database.auto_trading_db import unit_of_work
from database.daily import DaySummary, capital
from database.models import DailyAccountSummaryRow, LedgerEntryRow, TradeRow
from tests.databases import Opener
from tests.engines import command
from tests.processes import DATABASE, play
from tests.synthetic import BTC, ETH, write_candles, write_funding

FIVE_MINUTES = 300_000
BARS = 1_450  # five days


@pytest.fixture
def traded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, opened: Opener) -> Engine:
    """The database of a replay of two perpetuals over five days, with funding."""
    monkeypatch.setenv("CTP_VAR_DIR", str(tmp_path))
    files = {
        coin.symbol: write_candles(
            tmp_path / f"{k}.csv.gz", coin, seed=11, bars=BARS, step_ms=FIVE_MINUTES
        )
        for k, coin in enumerate((BTC, ETH))
    }
    funding = tmp_path / "f.csv.gz"
    write_funding(funding, list(files), seed=11, hours=130)
    ended = command(*play(files, "--funding", funding, timeframe="5m"))
    assert ended.code == 0, ended.stderr
    return opened(f"sqlite:///{tmp_path / DATABASE}")


def written(database: Engine) -> list[DaySummary]:
    """Write the days one by one, as trading time passes their ends."""
    books = DailyBooks(1, "paper-replay", TradingCalendar("Asia/Seoul"))
    with unit_of_work(database) as session:
        times = [to_ms(row.at) for row in equity.curve(session, 1)]
    found: list[DaySummary] = []
    for at_ms in times:
        if books.is_due(at_ms):
            found += books.write_finished(database, at_ms, to_datetime(at_ms))
    return found


def test_the_days_add_up_to_the_run(traded: Engine) -> None:
    days = written(traded)
    assert len(days) >= 5
    for before, after in pairwise(days):
        assert before.ending_equity == after.starting_equity
        assert before.day.end_ms == after.day.start_ms
    unrealized = Decimal(0)
    for day in days:
        change = day.ending_equity - day.starting_equity
        assert change == day.realized_pnl + day.unrealized_pnl - unrealized
        unrealized = day.unrealized_pnl
    with unit_of_work(traded) as session:
        assert days[0].starting_equity == capital(session, 1)
        (last,) = [r for r in equity.curve(session, 1) if to_ms(r.at) == days[-1].day.end_ms]
        assert last.equity == days[-1].ending_equity
        end = to_datetime(days[-1].day.end_ms)
        entries = [e for e in session.exec(select(LedgerEntryRow)) if e.at < end]
        trades = [t for t in session.exec(select(TradeRow)) if t.execution_time < end]
        assert len(entries) > 50
        assert ledger.balances(session, 1)  # the run goes on after the last whole day
    assert sum(day.fees for day in days) == sum(e.amount for e in entries if e.account == "fees")
    paid = sum(e.amount for e in entries if e.account == "funding")
    assert sum(day.funding for day in days) == -paid != 0
    closing = [t.realized_pnl for t in trades if t.realized_pnl is not None]
    assert sum(day.trade_count for day in days) == len(closing) > 5
    assert sum(day.win_count for day in days) == sum(result > 0 for result in closing)


def test_a_restart_at_any_moment_writes_the_same_days(traded: Engine) -> None:
    whole = written(traded)
    with unit_of_work(traded) as session:
        stored = [row.model_dump() for row in session.exec(select(DailyAccountSummaryRow))]
    # all at once, by a process that knows nothing, over the rows that are there
    end_ms = whole[-1].day.end_ms + 1
    DailyBooks(1, "paper-again", TradingCalendar("Asia/Seoul")).write_finished(
        traded, end_ms, to_datetime(end_ms)
    )
    with unit_of_work(traded) as session:
        rows = session.exec(select(DailyAccountSummaryRow)).all()
    again = [row.model_dump() for row in rows if row.mode == "paper-again"]
    ignored = {"id", "mode", "created_at", "updated_at"}
    assert [{k: v for k, v in row.items() if k not in ignored} for row in again] == [
        {k: v for k, v in row.items() if k not in ignored} for row in stored
    ]
