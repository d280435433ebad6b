"""The books behind the performance page, read from both databases."""

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Engine
from sqlmodel import SQLModel

from auto_trading_dashboard.queries import performance, performance_groups, performance_trades
from auto_trading_dashboard.queries.performance import DARK, RUNNING, Window, window
from auto_trading_dashboard.queries.performance_book import Account, Books, money, units_of
from auto_trading_dashboard.queries.performance_trades import LOSERS, PAGE, WINNERS, Wanted
from database.auto_trading_db import unit_of_work
from tests.performance_rows import HOUR, a_round_trip, hourly
from tests.rows import T0_MS, after, an_entry, an_equity, stored, stored_run

UTC = ZoneInfo("UTC")
DAY = 24 * HOUR
ETH, SOL = "ETH/USDT:USDT", "SOL/USDT:USDT"


@pytest.fixture
def run_id(database: Engine) -> int:
    return stored_run(database)


@pytest.fixture
def read(database: Engine, run_id: int) -> Callable[[], Account]:
    books = Books()

    def account() -> Account:
        with unit_of_work(database) as session:
            return books.read(session, run_id)

    return account


def of(account: Account, period: performance.Period = "all") -> Window:
    found = window(account, period)
    assert found is not None
    return found


def test_a_run_without_a_snapshot_has_no_period(read: Callable[[], Account]) -> None:
    assert window(read(), "all") is None


def test_four_times_three_known_trades(
    database: Engine, run_id: int, read: Callable[[], Account]
) -> None:
    rows: list[SQLModel] = hourly(run_id, ["1000"] * 12)
    for n in range(4):
        for k, profit in enumerate(("30", "-20", "5")):
            number = 3 * n + k
            rows += a_round_trip(run_id, number, number * 40, profit, slippage="0.01")
    stored(database, *rows)
    account = read()
    total = performance_groups.total(account, of(account))
    assert (total.trades, total.wins) == (12, 8)
    assert total.net == Decimal(60)  # 4 * (30 - 20 + 5)
    assert (total.gains, total.losses) == (Decimal(140), Decimal(80))  # 4 * 35, 4 * 20
    assert total.fees == Decimal(24)  # two orders each, 1 each
    assert total.win_rate == pytest.approx(8 / 12)
    assert total.profit_factor == 1.75  # 140 / 80
    assert total.expectancy == Decimal(5)  # 60 / 12
    # a buy at 100 that was 1 % too dear: 100 - 100 / 1.01; a sale at p, 1 % too cheap: p / 99
    exits = [Decimal(100) + profit + 2 for profit in (30, -20, 5)]
    expected = 4 * (3 * (100 - 100 / Decimal("1.01")) + sum(p / 99 for p in exits))
    assert total.slippage == pytest.approx(expected, abs=Decimal("0.000001"))


def test_few_trades_have_no_rates(
    database: Engine, run_id: int, read: Callable[[], Account]
) -> None:
    stored(database, *hourly(run_id, ["1000"]), *a_round_trip(run_id, 0, 0, "30"))
    account = read()
    (group,) = performance_groups.by_kind(account, of(account), "strategy")
    assert (group.name, group.trades, group.net) == ("ema_cross", 1, Decimal(30))
    assert (group.win_rate, group.profit_factor, group.expectancy) == (None, None, None)


def test_groups_of_every_kind_add_up_to_the_total(
    database: Engine, run_id: int, read: Callable[[], Account]
) -> None:
    rows: list[SQLModel] = hourly(run_id, ["1000"] * 30)
    for n in range(20):
        rows += a_round_trip(
            run_id, n, 61 * n, f"{(-1) ** n * (n + 1)}.00000001", symbol=(ETH, SOL)[n % 2],
            strategy=("ema_cross", "ai_signal", "other")[n % 3], side=("LONG", "SHORT")[n // 7 % 2],
            reason=("exit", "stop", "trailing")[n % 3],
        )  # fmt: skip
    stored(database, *rows)
    account = read()
    found = of(account)
    total = performance_groups.total(account, found)
    # 1 + 3 + ... + 19 = 100 and 2 + 4 + ... + 20 = 110, ten times 1e-8 more in each
    assert (total.gains, total.losses) == (Decimal("100.0000001"), Decimal("110.0000001"))
    assert total.net == Decimal(-10)
    kinds = ("strategy", "symbol", "side", "reason")
    groupings = [performance_groups.by_kind(account, found, kind) for kind in kinds]
    groupings.append(performance_groups.by_hour(account, found, ZoneInfo("Asia/Seoul")))
    for groups in groupings:
        assert len(groups) > 1
        for name in ("trades", "wins", "net", "gains", "losses", "fees", "slippage"):
            assert sum(getattr(g, name) for g in groups) == getattr(total, name), name


def test_the_hour_is_that_of_the_entry_in_the_readers_zone(
    database: Engine, run_id: int, read: Callable[[], Account]
) -> None:
    stored(database, *hourly(run_id, ["1000"]), *a_round_trip(run_id, 0, 20 * HOUR + 45, "1"))
    account = read()

    def hours(zone: str) -> list[str]:
        return [g.name for g in performance_groups.by_hour(account, of(account), ZoneInfo(zone))]

    assert hours("UTC") == ["20"]
    assert hours("Asia/Seoul") == ["05"]  # 20:45 and nine hours
    assert hours("Asia/Kolkata") == ["02"]  # 20:45 and five hours and a half: 02:15


def test_only_what_is_new_is_read_and_nothing_is_lost(
    database: Engine, run_id: int, read: Callable[[], Account]
) -> None:
    first, second = a_round_trip(run_id, 0, 0, "30"), a_round_trip(run_id, 1, 60, "-20")
    stored(database, *hourly(run_id, ["1000"]), *first, *second[:4])  # the second is open
    account = read()
    assert [p.realized_pnl for p in account.closed.positions] == [Decimal(30)]
    assert read() is account  # nothing new: the same object, no work
    stored(database, *second[4:], an_equity(run_id, 2 * HOUR, "990"))
    later = read()
    assert [p.realized_pnl for p in later.closed.positions] == [Decimal(30), Decimal(-20)]
    assert [p.fees for p in later.closed.positions] == [Decimal(2), Decimal(2)]
    assert later.curve.equity.tolist() == [units_of(Decimal(1000)), units_of(Decimal(990))]
    assert later.version != account.version
    assert len(account.closed.positions) == 1  # what was read before is never changed


def test_runs_are_never_mixed(database: Engine, run_id: int) -> None:
    other = stored_run(database)
    stored(database, *hourly(run_id, ["1000"]), *a_round_trip(run_id, 0, 0, "30"))
    stored(database, *hourly(other, ["5000"]), *a_round_trip(other, 0, 0, "-7"))
    books = Books()
    with unit_of_work(database) as session:
        mine, others = books.read(session, run_id), books.read(session, other)
    assert performance_groups.total(mine, of(mine)).net == Decimal(30)
    assert performance_groups.total(others, of(others)).net == Decimal(-7)
    assert money(int(others.curve.equity[0])) == Decimal(5000)


def test_days_are_those_of_the_daily_books_and_periods_count_back_from_the_last(
    database: Engine, run_id: int, read: Callable[[], Account]
) -> None:
    # one snapshot at the end of each of 40 days: it belongs to the day that it ends
    stored(
        database, an_entry(run_id, "capital", "-1000", reference="capital"),
        *(an_equity(run_id, DAY * n, str(1000 + n)) for n in range(1, 41)),
        an_equity(run_id, DAY * 40 + HOUR, "1100"),
        *a_round_trip(run_id, 0, DAY * 40 + 10, "5"), *a_round_trip(run_id, 1, DAY * 3, "-5"),
    )  # fmt: skip
    account = read()
    found = of(account)
    assert len(found.days) == 41
    first, last = found.days[0], found.days[-1]
    assert (first.date, first.before, first.after) == (
        date(2024, 1, 1),
        *map(Decimal, (1000, 1001)),
    )
    assert (last.date, last.before, last.after) == (date(2024, 2, 10), *map(Decimal, (1040, 1100)))
    assert (first.is_over, last.is_over) == (True, False)
    assert [d.trades for d in found.days if d.trades] == [1, 1]
    assert len(found.returns) == 40  # the day that is not over has none
    assert found.returns[0] == pytest.approx(0.001)  # 1001 / 1000 - 1

    today, week, month = of(account, "today"), of(account, "days7"), of(account, "days30")
    assert [len(w.days) for w in (today, week, month)] == [1, 7, 30]
    assert (week.days[0].date, week.days[0].before) == (date(2024, 2, 4), Decimal(1034))
    assert [int(w.chosen.sum()) for w in (found, month, today)] == [2, 1, 1]
    months = performance.months(found.days)
    assert [(k, d.before, d.after) for k, d in months.items()] == [
        ((2024, 1), Decimal(1000), Decimal(1031)), ((2024, 2), Decimal(1031), Decimal(1100)),
    ]  # fmt: skip


def test_ratios_of_a_curve_by_hand(
    database: Engine, run_id: int, read: Callable[[], Account]
) -> None:
    stored(database, *hourly(run_id, ["1000", "1200", "900", "1080", "1200", "1260"]))
    found = performance.ratios(of(read()))
    assert found.drawdown == pytest.approx(0.25)  # 300 of 1200
    assert found.drawdown_ms == 3 * 3_600_000  # from hour 2 until 1200 again in hour 5
    assert found.is_recovered
    assert found.growth == pytest.approx(1.26)
    assert (found.returns, found.sharpe, found.sortino, found.calmar) == (0, None, None, None)


def test_time_goes_to_the_state_of_the_earlier_snapshot_and_a_gap_to_no_engine(
    database: Engine, run_id: int, read: Callable[[], Account]
) -> None:
    states = [
        (1, "active", 1),
        (2, "halted", 1),
        (3, "halted", 0),
        (4, "active", 0),
        (9, "active", 0),
    ]
    stored(
        database,
        *(an_equity(run_id, HOUR * h, "1000", trading_state=s, open_positions=n)
          for h, s, n in states),
        an_equity(run_id, HOUR * 10, "1000", trading_state="reducing"),
    )  # fmt: skip
    found = of(read())
    hours = {
        s: found.time_in(s) / 3_600_000 for s in ("active", "halted", "reducing", DARK, RUNNING)
    }
    # 1-2 active, 2-4 halted, 4-9 more than two hours: nobody there, 9-10 active
    assert hours == {"active": 2, "halted": 2, "reducing": 0, DARK: 5, RUNNING: 4}
    assert found.exposed_ms == 2 * 3_600_000  # 1-3
    assert [s.state for s in found.stretches] == ["active", "halted", DARK, "active"]


def test_funding_is_of_the_period_and_received_is_above_zero(
    database: Engine, run_id: int, read: Callable[[], Account]
) -> None:
    stored(database, *hourly(run_id, ["1000"] * 3))
    read()
    for n, amount in enumerate(("2.5", "-1")):  # what the account pays is above zero in the ledger
        reference, at = f"funding:{n}", after(HOUR * (4 + n))
        stored(
            database,
            an_entry(run_id, "funding", amount, reference=reference, kind="funding", at=at),
            an_entry(run_id, "cash", f"{-Decimal(amount)}", reference=reference, at=at),
            an_equity(run_id, HOUR * (4 + n), "1000"),
        )
        read()
    found = of(read())
    assert (found.funding, found.fundings) == (Decimal("-1.5"), 2)


def test_pages_go_on_where_they_ended_although_positions_are_closed_meanwhile(
    database: Engine, run_id: int, read: Callable[[], Account]
) -> None:
    rows: list[SQLModel] = hourly(run_id, ["1000"])
    for n in range(PAGE + 3):
        rows += a_round_trip(run_id, n, 40 * n, "1" if n % 2 else "-1", symbol=ETH)
    stored(database, *rows)
    account = read()
    places = performance_trades.matching(account, of(account), Wanted())
    first = performance_trades.page(account, places, None)
    assert [p.opened_at for p in first.positions] == sorted(
        (p.opened_at for p in first.positions), reverse=True
    )
    stored(database, *a_round_trip(run_id, 99, 40 * 99, "8", reason="stop"))
    account = read()
    places = performance_trades.matching(account, of(account), Wanted())
    second = performance_trades.page(account, places, first.older)
    assert (len(first.positions), len(second.positions), second.older) == (PAGE, 3, None)
    assert not {p.id for p in first.positions} & {p.id for p in second.positions}

    def number(wanted: Wanted) -> int:
        return len(performance_trades.matching(account, of(account), wanted))

    assert number(Wanted(result=WINNERS)) == 27  # 26 of 53, and the last
    assert number(Wanted(result=LOSERS)) == 27
    assert number(Wanted({"symbol": ETH}, WINNERS)) == 26
    assert number(Wanted({"reason": "stop"})) == 1
    assert number(Wanted({"strategy": "unheard of"})) == 0


def test_a_position_leads_to_the_decisions_behind_it(
    database: Engine, run_id: int, read: Callable[[], Account]
) -> None:
    rows = a_round_trip(run_id, 0, 0, "5", held=30)
    stored(database, *hourly(run_id, ["1000"]), *rows)
    account = read()
    with unit_of_work(database) as session:
        found = performance_trades.origin(session, run_id, account.closed.positions[0])
    assert found.entry is not None
    assert found.exit is None  # nothing was decided at its close
    assert account.closed.opened_ms[0] == T0_MS
