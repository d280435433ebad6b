"""Trading days in figures: sums by hand, boundaries, gaps, restarts, and doing it twice."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from math import sqrt

import pytest
from sqlalchemy import Engine
from sqlmodel import select

from auto_trading.daily_books import DailyBooks
from crypto_trader_pro.domain.calendar import TradingCalendar
from crypto_trader_pro.domain.timeframes import to_ms
from database import daily
from database.auto_trading_db import unit_of_work
from database.models import DailyAccountSummaryRow, PerformanceMetricRow
from tests.rows import T0, a_trade, after, an_entry, an_equity, an_order, stored, stored_run

HOUR, DAY = 60, 1440  # minutes
NOW = datetime.fromisoformat("2026-01-01T00:00:00+00:00")
MODE = "paper-demo"
DAY_END = to_ms(after(DAY))


def books(run_id: int, zone: str = "UTC") -> DailyBooks:
    return DailyBooks(run_id, MODE, TradingCalendar(zone))


def summaries(database: Engine) -> list[DailyAccountSummaryRow]:
    with unit_of_work(database) as session:
        row = DailyAccountSummaryRow
        return list(session.exec(select(row).order_by(row.date)))  # type: ignore[arg-type]


def performances(database: Engine) -> list[PerformanceMetricRow]:
    with unit_of_work(database) as session:
        row = PerformanceMetricRow
        return list(session.exec(select(row).order_by(row.date)))  # type: ignore[arg-type]


def a_run(database: Engine, paid_in: str = "100000") -> int:
    run_id = stored_run(database, kind="paper", source="demo")
    stored(
        database,
        an_entry(run_id, "cash", paid_in, reference="capital", kind="capital"),
        an_entry(run_id, "capital", f"-{paid_in}", reference="capital", kind="capital"),
    )
    return run_id


def a_first_day(database: Engine) -> int:
    """100,000 paid in; up to 101,000, down to 98,980, up to 100,485 at the end of the day."""
    run_id = a_run(database)
    stored(
        database,
        an_equity(run_id, HOUR, "101000", realized_pnl=Decimal(400), unrealized_pnl=Decimal(600)),
        an_equity(run_id, 2 * HOUR, "98980", realized_pnl=Decimal(400)),
        an_equity(
            run_id, DAY, "100485", realized_pnl=Decimal("385.5"), unrealized_pnl=Decimal("99.5")
        ),
        # the next day
        an_equity(run_id, DAY + HOUR, "100600", realized_pnl=Decimal("385.5")),
        an_entry(run_id, "fees", "2.25", reference="fill a", at=after(0)),  # first instant
        an_entry(run_id, "fees", "1.5", reference="fill b", at=after(DAY - 1)),
        an_entry(run_id, "fees", "8", reference="fill c", at=after(DAY)),  # the next day's
        an_entry(run_id, "funding", "0.75", reference="funding a", at=after(HOUR)),  # paid
        an_entry(run_id, "funding", "-2", reference="funding b", at=after(9 * HOUR)),  # received
        an_entry(run_id, "realized", "-400", reference="fill a", at=after(HOUR)),
    )
    trades = (("e1", None, 0), ("x1", "400", 60), ("x2", "-14.5", DAY - 1), ("x3", "0", 90),
              ("x4", "5", DAY))  # fmt: skip
    for name, realized, minutes in trades:
        result = None if realized is None else Decimal(realized)
        stored(
            database,
            an_order(run_id, name),
            a_trade(run_id, name, realized_pnl=result, execution_time=after(minutes)),
        )
    return run_id


def test_a_finished_day_becomes_one_row_of_money_and_one_of_statistics(database: Engine) -> None:
    run_id = a_first_day(database)
    (written,) = books(run_id).write_finished(database, DAY_END + 1, NOW)
    (row,) = summaries(database)
    assert (row.date, row.account, row.mode, row.run_id) == (T0.date(), "default", MODE, run_id)
    # begins at what was paid in, not at the first snapshot
    assert (row.starting_equity, row.ending_equity) == (Decimal(100_000), Decimal(100_485))
    assert (row.realized_pnl, row.unrealized_pnl) == (Decimal("385.5"), Decimal("99.5"))
    assert row.ending_equity - row.starting_equity == row.realized_pnl + row.unrealized_pnl
    assert (row.fees, row.funding) == (Decimal("3.75"), Decimal("1.25"))  # 2.25 + 1.5; 2 - 0.75
    # 101,000 to 98,980 is 2,020 of 101,000
    assert row.max_drawdown == Decimal("0.02")
    # three closed: one won, one lost, one came out even
    assert (row.trade_count, row.win_count, row.loss_count) == (3, 1, 1)
    (figures,) = performances(database)
    assert (figures.date, figures.account, figures.mode) == (T0.date(), "default", MODE)
    assert (figures.equity, figures.daily_return) == (Decimal(100_485), Decimal("0.00485"))
    assert figures.max_drawdown == Decimal("0.02")
    assert (figures.trade_count, figures.win_rate) == (3, Decimal("0.3333"))
    assert (figures.total_commission, figures.funding_pnl) == (Decimal("3.75"), Decimal("1.25"))
    # of one day there is no ratio and no value at risk
    assert (figures.sharpe_ratio, figures.sortino_ratio, figures.var_daily) == (None, None, None)
    assert (written.date, written.ending_equity) == (T0.date(), Decimal(100_485))


@pytest.mark.parametrize("at_ms", [DAY_END - 1, DAY_END])
def test_a_day_is_finished_when_the_books_have_passed_its_end(database: Engine, at_ms: int) -> None:
    """The candle that closes at the end belongs to it and may still be on its way."""
    run_id = a_first_day(database)
    days = books(run_id)
    assert days.is_due(at_ms)  # nothing is known yet
    assert days.write_finished(database, at_ms, NOW) == []
    assert not days.is_due(at_ms)
    assert days.is_due(DAY_END + 1)
    assert summaries(database) == []
    assert len(days.write_finished(database, DAY_END + 1, NOW)) == 1
    assert not days.is_due(DAY_END + DAY * 60_000)
    assert days.is_due(DAY_END + DAY * 60_000 + 1)


def test_writing_a_day_twice_changes_nothing(database: Engine) -> None:
    run_id = a_first_day(database)
    books(run_id).write_finished(database, DAY_END + 1, NOW)
    before = [row.model_dump() for row in (*summaries(database), *performances(database))]
    books(run_id).write_finished(database, DAY_END + 1, NOW)  # after a restart
    again = [row.model_dump() for row in (*summaries(database), *performances(database))]
    assert again == before


def test_a_day_that_was_written_unfinished_is_finished_later(database: Engine) -> None:
    run_id = a_first_day(database)
    days = books(run_id)
    with unit_of_work(database) as session:
        half = days.until(session, to_ms(after(12 * HOUR)))
        assert half is not None
        daily.upsert_summary(session, run_id, MODE, half, NOW)
    (row,) = summaries(database)
    assert (row.ending_equity, row.fees, row.trade_count) == (Decimal(98_980), Decimal("2.25"), 2)
    books(run_id).write_finished(database, DAY_END + 1, NOW + timedelta(days=1))
    (row,) = summaries(database)
    assert (row.ending_equity, row.fees, row.trade_count) == (Decimal(100_485), Decimal("3.75"), 3)
    assert (row.created_at, row.updated_at) == (NOW, NOW + timedelta(days=1))


def a_curve(database: Engine, run_id: int, equities: Sequence[str], first_day: int = 0) -> None:
    for k, equity in enumerate(equities, first_day + 1):
        stored(database, an_equity(run_id, k * DAY, equity))


def test_missed_days_are_written_and_days_nobody_lived_through_are_not(database: Engine) -> None:
    run_id = a_run(database)
    a_curve(database, run_id, ["101000", "102010"])
    stored(database, an_equity(run_id, 4 * DAY + HOUR, "99970"))  # two days of silence before it
    days = books(run_id)
    written = days.write_finished(database, to_ms(after(5 * DAY)) + 1, NOW)
    assert [day.date.day for day in written] == [1, 2, 5]
    # each day begins where the one before it ended
    assert [(str(day.starting_equity), str(day.ending_equity)) for day in written] == [
        ("100000", "101000"), ("101000", "102010"), ("102010", "99970")
    ]  # fmt: skip
    assert [row.daily_return for row in performances(database)] == [
        Decimal("0.01"), Decimal("0.01"), Decimal("-0.019998")
    ]  # fmt: skip
    # 2,040 of the run's peak 102,010
    assert performances(database)[-1].max_drawdown == Decimal("0.019998")


def test_ratios_come_with_a_week_and_the_value_at_risk_with_twenty_days(database: Engine) -> None:
    run_id = a_run(database)
    equity, curve = Decimal(100_000), []
    for k in range(20):  # up 1 %, down 0.5 %, in turn
        equity = equity * (Decimal("1.01") if k % 2 == 0 else Decimal("0.995"))
        curve.append(str(equity.quantize(Decimal("0.00000001"))))
    a_curve(database, run_id, curve)
    days = books(run_id)
    for day in range(1, 21):  # as it happens, day by day
        days.write_finished(database, to_ms(after(day * DAY)) + 1, NOW)
    rows = performances(database)
    assert [row.sharpe_ratio is None for row in rows] == [True] * 6 + [False] * 14
    # seven returns: 4 x 1 %, 3 x -0.5 %; mean 2.5 / 7; squared deviations around it
    mean = 2.5 / 7
    deviation = sqrt((4 * (1 - mean) ** 2 + 3 * (-0.5 - mean) ** 2) / 6)
    assert float(rows[6].sharpe_ratio or 0) == pytest.approx(mean / deviation * sqrt(365), abs=5e-4)
    downside = sqrt(3 * 0.25 / 7)
    assert float(rows[6].sortino_ratio or 0) == pytest.approx(mean / downside * sqrt(365), abs=5e-4)
    assert [row.var_daily is None for row in rows] == [True] * 19 + [False]
    # the worst of twenty is a loss of 0.5 %, of the equity at the end
    assert float(rows[19].var_daily or 0) == pytest.approx(float(curve[19]) * 0.005, rel=1e-6)
    assert rows[19].max_drawdown == Decimal("0.005")


def test_a_restart_gives_the_same_statistics(database: Engine) -> None:
    run_id = a_run(database)
    a_curve(database, run_id, ["103000", "99000", "101000"])
    days = books(run_id)
    for day in (1, 2):
        days.write_finished(database, to_ms(after(day * DAY)) + 1, NOW)
    books(run_id).write_finished(database, to_ms(after(3 * DAY)) + 1, NOW)  # a new process
    # 4,000 of 103,000, two days ago
    assert performances(database)[-1].max_drawdown == Decimal("0.038835")


def test_results_of_two_runs_and_of_two_sources_are_never_mixed(database: Engine) -> None:
    first, second = a_run(database), a_run(database, "500")
    a_curve(database, first, ["90000", "80000"])
    a_curve(database, second, ["505"])
    books(first).write_finished(database, to_ms(after(2 * DAY)) + 1, NOW)
    other = DailyBooks(second, "paper-exchange", TradingCalendar("UTC"))
    other.write_finished(database, to_ms(after(2 * DAY)) + 1, NOW)
    figures = {(row.mode, row.date.day): row for row in performances(database)}
    assert figures["paper-exchange", 1].daily_return == Decimal("0.01")
    assert figures["paper-exchange", 1].max_drawdown == 0
    assert figures["paper-demo", 2].max_drawdown == Decimal("0.2")
    # a second run of the same source and day takes the row over, with its own figures
    books(second).write_finished(database, to_ms(after(2 * DAY)) + 1, NOW)
    (row,) = [r for r in summaries(database) if r.mode == MODE and r.date == T0.date()]
    assert (row.run_id, row.starting_equity) == (second, Decimal(500))
    with unit_of_work(database) as session:
        until = date(2024, 2, 1)
        assert len(daily.returns_before(session, first, MODE, until)) == 1  # the second day
        assert len(daily.returns_before(session, second, MODE, until)) == 1


def test_the_day_is_that_of_the_configured_zone(database: Engine) -> None:
    """A day in Seoul ends at 15:00 UTC."""
    run_id = a_run(database)
    stored(database, an_equity(run_id, 15 * HOUR, "100100"), an_equity(run_id, 16 * HOUR, "100200"))
    days = books(run_id, "Asia/Seoul")
    (day,) = days.write_finished(database, to_ms(after(16 * HOUR)), NOW)
    assert (day.day.name, day.ending_equity) == ("2024-01-01", Decimal(100_100))
    (day,) = days.write_finished(database, to_ms(after(40 * HOUR)), NOW)
    assert (day.day.name, day.starting_equity) == ("2024-01-02", Decimal(100_100))


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Pacific/Pago_Pago", "UTC"])
def test_a_restart_finds_its_day_in_every_zone(database: Engine, zone: str) -> None:
    run_id = a_run(database)
    a_curve(database, run_id, ["101000", "102000"])
    end = to_ms(after(4 * DAY))
    first = books(run_id, zone).write_finished(database, end, NOW)
    assert [day.date for day in first] == [row.date for row in summaries(database)]
    again = books(run_id, zone).write_finished(database, end, NOW)
    assert [day.date for day in again] == [first[-1].date]
    assert [row.updated_at for row in summaries(database)] == [NOW] * len(first)


def test_a_run_without_equity_has_no_days(database: Engine) -> None:
    run_id = stored_run(database)
    days = books(run_id)
    assert days.write_finished(database, DAY_END, NOW) == []
    with unit_of_work(database) as session:
        assert days.until(session, DAY_END) is None
        assert daily.capital(session, run_id) is None
        assert daily.last_date(session, run_id, MODE) is None


def test_a_run_whose_opening_is_unknown_begins_at_its_first_snapshot(database: Engine) -> None:
    run_id = stored_run(database)
    stored(database, an_equity(run_id, HOUR, "700"), an_equity(run_id, DAY, "770"))
    (day,) = books(run_id).write_finished(database, DAY_END + 1, NOW)
    assert (day.starting_equity, day.ending_equity) == (Decimal(700), Decimal(770))
    assert performances(database)[0].max_drawdown == 0


def test_an_account_that_lost_all_has_no_return(database: Engine) -> None:
    run_id = a_run(database)
    a_curve(database, run_id, ["0", "0"])
    books(run_id).write_finished(database, to_ms(after(2 * DAY)) + 1, NOW)
    assert [row.daily_return for row in performances(database)] == [Decimal(-1), None]


def test_a_long_curve_is_read_in_pages(database: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(daily, "_PAGE", 3)
    run_id = a_run(database)
    for k in range(1, 8):
        stored(database, an_equity(run_id, k, str(k)))
    with unit_of_work(database) as session:
        found = [int(p.equity) for p in daily.points(session, run_id, after(1), after(7))]
        assert found == [2, 3, 4, 5, 6, 7]
        assert len(list(daily.points(session, run_id, None, after(6)))) == 6


def test_the_ledger_is_not_read_from_its_start_each_day(database: Engine) -> None:
    run_id = a_first_day(database)
    calendar = TradingCalendar("UTC")
    first, second = calendar.day_of(DAY_END - 1), calendar.day_of(DAY_END)
    with unit_of_work(database) as session:
        of_first = daily.charges(session, run_id, first)
        assert of_first.fees == Decimal("3.75")
        # up to the entry before that of the next day, though later entries are of the first day
        assert of_first.last_id == 4
        of_second = daily.charges(session, run_id, second, of_first.last_id)
        assert (of_second.fees, of_second.funding, of_second.last_id) == (Decimal(8), Decimal(0), 7)
