"""What the console reads of long tables is found by an index, and found whole."""

from collections.abc import Callable, Iterator
from decimal import Decimal
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event, text
from sqlmodel import Session

from database import (
    alerts,
    closed,
    decision_search,
    equity,
    fills,
    log_rows,
    rollups,
    shadow_trades,
)
from database.auto_trading_db import open_database, unit_of_work
from database.decision_search import DecisionFound, Wanted, find
from database.models import AutoTradingLogRow, DecisionRow, FillRow
from tests.databases import Server
from tests.rows import (
    T0,
    a_decision,
    a_fill,
    a_position,
    a_shadow,
    a_trade,
    after,
    an_alert,
    an_equity,
    an_order,
    stored,
    stored_run,
)

SYMBOLS = ("BTC/USDT:USDT", "ETH/USDT:USDT", "SOL/USDT:USDT")
KINDS = (
    ("refused", "ema_cross", "cooldown"), ("refused", "ai_signal", "max_positions"),
    ("ordered", "ema_cross", None), ("shadow", "ai_signal", None), ("closed", None, None),
    ("dark", None, None),
)  # fmt: skip
Read = Callable[[Session, int], Any]


def decisions_of(run_id: int, instants: int) -> list[DecisionRow]:
    """Four holds of five, and every other kind in turn."""
    rows = []
    for n, (minutes, symbol) in enumerate(product(range(instants), SYMBOLS)):
        kind = KINDS[n // 5 % len(KINDS)] if n % 5 == 0 else ("hold", None, None)
        outcome, strategy, rule = kind
        rows.append(
            a_decision(run_id, 5 * minutes, symbol=symbol, outcome=outcome, strategy=strategy,
                       first_refusal=rule)
        )  # fmt: skip
    return rows


# --- decisions ----------------------------------------------------------------------------------


def wanted_by(row: DecisionRow, wanted: Wanted) -> bool:
    pairs = (
        (row.symbol, wanted.symbol), (row.strategy, wanted.strategy),
        (row.outcome, wanted.outcome), (row.first_refusal, wanted.rule),
    )  # fmt: skip
    shown = row.outcome != "hold" or wanted.holds or wanted.outcome == "hold"
    return shown and all(value in (None, has) for has, value in pairs)


ALL_WANTED = [
    Wanted(*values)
    for values in product(
        (None, SYMBOLS[1]), (None, "ai_signal"), (None, "hold", "refused", "dark"),
        (None, "max_positions", "cooldown"), (False, True),
    )
]  # fmt: skip


def test_every_combination_of_filters_finds_what_it_names_page_by_page(database: Engine) -> None:
    run_id, other = stored_run(database), stored_run(database)
    rows = decisions_of(run_id, 60)
    with unit_of_work(database) as session:
        session.add_all([*rows, *decisions_of(other, 60)])
    with unit_of_work(database) as session:
        for wanted in ALL_WANTED:
            found: list[DecisionFound] = []
            last: DecisionFound | None = None
            while page := find(session, run_id, wanted, limit=7, before=last):
                found += page
                last = page[-1]
            expected = [row for row in rows if wanted_by(row, wanted)]
            assert {f.id for f in found} == {row.id for row in expected}, wanted
            assert len(found) == len(expected), wanted
            assert [f.at_ms for f in found] == sorted((f.at_ms for f in found), reverse=True)
    assert any(wanted_by(row, wanted) for row in rows for wanted in ALL_WANTED[-3:]) is False


def test_a_found_decision_says_what_its_row_says(database: Engine) -> None:
    run_id = stored_run(database)
    row = a_decision(
        run_id, 5, outcome="refused", strategy="ema_cross", first_refusal="cooldown",
        direction=-1, confidence=700_000, gate_state="exit_only", trading_state="reducing",
        order_id="r1o1",
    )  # fmt: skip
    stored(database, row)
    with unit_of_work(database) as session:
        (found,) = find(session, run_id)
    assert found == DecisionFound(
        row.id or 0, row.at_ms, row.symbol, "refused", "ema_cross", -1, 700_000, "exit_only",
        "reducing", "cooldown", "r1o1",
    )  # fmt: skip


# --- plans --------------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def long_tables(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, migrated_file: Path
) -> Iterator[tuple[Engine, int]]:
    """Some thousand rows of two runs, the wanted one being the older; made once for all tests."""
    if request.param == "sqlite":
        file = tmp_path_factory.mktemp("reads") / "database.db"
        file.write_bytes(migrated_file.read_bytes())
        url = f"sqlite:///{file}"
    else:
        server: Server = request.getfixturevalue("postgresql")
        url = server.url_of(server.create("migrated"))
    engine = open_database(url, durable=False)
    yield engine, filled(engine)
    engine.dispose()


def filled(database: Engine) -> int:
    run_id, newer = stored_run(database), stored_run(database)
    with unit_of_work(database) as session:
        for run in (run_id, newer):
            session.add_all(decisions_of(run, 700))
            session.add_all(an_equity(run, 60 * k, str(1000 + k)) for k in range(500))
            ids = [f"r{run}o{k}" for k in range(400)]
            session.add_all(an_order(run, name) for name in ids)
            session.flush()
            session.add_all(
                a_fill(run, name, f"t{k}", filled_at=after(k)) for k, name in enumerate(ids)
            )
            session.add_all(a_trade(run, name) for name in ids)
            session.add_all(a_shadow(run, k, closed_at=after(k + 5)) for k in range(300))
            session.add_all(
                a_position(run, k, status="CLOSED", close_time=after(k + 1)) for k in range(300)
            )
        session.add_all(an_alert(acknowledged_at=T0) for _ in range(300))
        session.add_all(
            AutoTradingLogRow(timestamp=T0, log_level="INFO", component="ENGINE", message="m")
            for _ in range(300)
        )
    with unit_of_work(database) as session:
        rollups.roll_up(session, run_id)
    if database.dialect.name == "postgresql":  # as it does by itself; nobody analyzes SQLite's file
        with database.begin() as connection:
            connection.execute(text("ANALYZE"))
    return run_id


def plans(database: Engine, read: Callable[[Session], Any]) -> list[str]:
    """Return the plan of each SELECT that `read` runs."""
    statements: list[tuple[str, Any]] = []

    def note(_c: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if statement.lstrip().upper().startswith("SELECT"):
            statements.append((statement, parameters))

    event.listen(database, "before_cursor_execute", note)
    with unit_of_work(database) as session:
        read(session)
    event.remove(database, "before_cursor_execute", note)
    assert statements
    prefix = "EXPLAIN QUERY PLAN " if database.dialect.name == "sqlite" else "EXPLAIN "
    found = []
    with database.connect() as connection:
        if database.dialect.name == "postgresql":  # these tables fit in a few pages
            connection.execute(text("SET enable_seqscan = off"))
        for statement, parameters in statements:
            lines = connection.exec_driver_sql(prefix + statement, parameters)
            found.append("\n".join(str(line[-1]) for line in lines))
    return found


ROLL_UPS: dict[str, Read] = {
    "outcomes": rollups.outcomes,
    "refusals": lambda s, run: rollups.refusals_by_hour(s, run, 1),
    "series": lambda s, run: rollups.equity_series(s, run, 10),
    "states": rollups.state_time,
    "curve": lambda s, run: equity.curve(s, run, after_id=7),
    "roll up": rollups.roll_up,
    "fills": lambda s, run: fills.of_run(s, run, before_id=900),
    "positions": closed.closed_positions,
    "shadows": shadow_trades.ended,
    "shadows of a model": lambda s, run: shadow_trades.ended(s, run, model_id="m1"),
}


@pytest.mark.parametrize("name", ROLL_UPS)
def test_reads_of_a_run_look_at_its_rows_only(long_tables: tuple[Engine, int], name: str) -> None:
    database, run_id = long_tables
    check_plans(plans(database, lambda session: ROLL_UPS[name](session, run_id)))


def check_plans(found: list[str]) -> None:
    assert found  # a read that asks nothing would pass whatever it does
    for plan in found:
        for line in plan.splitlines():
            if "SCAN equity" in line and "COVERING" not in line:
                pytest.fail(plan)
            for table in ("decisions", "fills", "trades", "positions", "shadow_trades", "alerts",
                          "auto_trading_logs"):  # fmt: skip
                whole = f"SCAN {table}" in line or f"Seq Scan on {table}" in line
                assert not whole or "USING INDEX" in line, plan
                assert f"SEARCH {table} USING INTEGER PRIMARY KEY" not in line, plan


def test_every_search_of_decisions_walks_an_index_in_order(
    long_tables: tuple[Engine, int],
) -> None:
    database, run_id = long_tables
    with unit_of_work(database) as session:
        last = find(session, run_id, limit=1)[0]
    asked = [w for w in ALL_WANTED if w.outcome != "hold" or w.has_holds]  # else nothing is asked
    for wanted in asked:
        found = plans(
            database,
            lambda s, w=wanted: (find(s, run_id, w), find(s, run_id, w, before=last)),  # type: ignore[misc]
        )
        assert len(found) == 2
        for plan in found:
            check_plans([plan])
            if database.dialect.name == "sqlite":
                assert "TEMP B-TREE" not in plan, plan
                assert index_for(wanted) in plan, plan


def index_for(wanted: Wanted) -> str:
    if wanted.has_holds:
        return "ux_decisions (run_id=?"
    if wanted.rule:
        return "ix_decisions_refused (run_id=? AND first_refusal=?"
    if wanted.strategy:
        return "ix_decisions_strategy (run_id=? AND strategy=?"
    if wanted.symbol:
        return "ix_decisions_symbol (run_id=? AND symbol=?"
    if wanted.outcome:
        return "ix_decisions_outcome (run_id=? AND outcome=?"
    return "ix_decisions_done (run_id=?"


LOGS: dict[str, tuple[Read, str]] = {
    "level": (lambda s, _: log_rows.newest(s, level="ERROR", before_id=99), "ix_logs_level"),
    "component": (lambda s, _: log_rows.newest(s, component="RISK"), "ix_logs_component"),
    "correlation": (
        lambda s, _: log_rows.newest(s, correlation_id="x"), "ix_logs_correlation",
    ),
    "alerts": (lambda s, _: alerts.open_alerts(s, before_id=99), "ix_alerts_open"),
}  # fmt: skip


@pytest.mark.parametrize("name", LOGS)
def test_logs_and_alerts_have_an_index_for_each_filter(
    long_tables: tuple[Engine, int], name: str
) -> None:
    database, run_id = long_tables
    read, index = LOGS[name]
    (plan,) = plans(database, lambda session: read(session, run_id))
    if database.dialect.name == "sqlite":
        assert index in plan
        assert "TEMP B-TREE" not in plan
    assert "Seq Scan" not in plan


def test_the_check_of_a_plan_would_see_a_scan(long_tables: tuple[Engine, int]) -> None:
    database, _ = long_tables
    found = plans(
        database, lambda s: s.connection().execute(text("SELECT * FROM decisions WHERE lots = 7"))
    )
    if database.dialect.name == "sqlite":
        with pytest.raises(AssertionError):
            check_plans(found)
    assert "SCAN DECISIONS" in found[0].upper() or "SEQ SCAN" in found[0].upper()


# --- closed positions and trades ----------------------------------------------------------------


class Books:
    """Writes executions with their orders, trades and positions, as the journal would."""

    def __init__(self, database: Engine) -> None:
        self.database = database
        self.run_id = stored_run(database)
        self.orders = 0
        self.executions = 0

    def execute(
        self, minutes: int, side: str, size: str, *, symbol: str = SYMBOLS[0], parts: int = 1,
        price: str = "100", slippage: str | None = None,
    ) -> tuple[FillRow, ...]:  # fmt: skip
        self.orders += 1
        name = f"r{self.run_id}o{self.orders}"
        whole = Decimal(size)
        order = an_order(self.run_id, name, minutes, symbol=symbol, side=side, size=whole)
        rows = []
        for _ in range(parts):
            self.executions += 1
            rows.append(
                a_fill(
                    self.run_id, name, f"t{self.executions}", symbol=symbol, side=side,
                    size=whole / parts, price=Decimal(price), fee=Decimal("0.5"),
                    reason="entry" if side == "BUY" else "stop", filled_at=after(minutes),
                )
            )  # fmt: skip
        trade = a_trade(
            self.run_id, name, symbol=symbol, side=side, size=whole, price=Decimal(price),
            notional=whole * Decimal(price), commission=Decimal(parts) / 2,
            slippage=None if slippage is None else Decimal(slippage), execution_time=after(minutes),
        )  # fmt: skip
        stored(self.database, order, *rows, trade)
        return tuple(rows)

    def position(self, opened: int, closed_at: int, *, symbol: str = SYMBOLS[0]) -> int:
        row = a_position(
            self.run_id, opened, symbol=symbol, size=Decimal(0), entry_price=Decimal(100),
            status="CLOSED", close_time=after(closed_at), realized_pnl=Decimal("8.5"),
            strategy="ema_cross",
        )  # fmt: skip
        stored(self.database, row)
        return row.id or 0

    def closed(
        self, since: closed.Followed = closed.START
    ) -> tuple[list[closed.ClosedPosition], closed.Followed]:
        with unit_of_work(self.database) as session:
            return closed.closed_positions(session, self.run_id, since)


def test_a_closed_position_has_what_its_executions_came_to(database: Engine) -> None:
    books = Books(database)
    books.execute(0, "BUY", "2", parts=2, slippage="0.25")  # expected at 80: 20 lost each
    books.execute(5, "SELL", "1", price="120", slippage="-0.5")  # expected at 80: 40 won
    books.execute(9, "SELL", "1", price="110")
    number = books.position(0, 9)
    (found,), _ = books.closed()
    assert found == closed.ClosedPosition(
        number, SYMBOLS[0], "ema_cross", "LONG", after(0), after(9), Decimal(2), Decimal(100),
        Decimal(115), Decimal("8.5"), Decimal(2), Decimal(0), "stop",
    )  # fmt: skip


def test_slippage_is_money_of_each_side(database: Engine) -> None:
    books = Books(database)
    books.execute(0, "BUY", "2", slippage="0.25")  # 100 instead of 80
    books.execute(5, "SELL", "2", price="120", slippage="0.2")  # 120 instead of 150
    books.position(0, 5)
    (found,), _ = books.closed()
    assert found.slippage == 2 * 20 + 2 * 30


def test_each_closed_position_is_returned_once_whatever_was_read_before(database: Engine) -> None:
    """One that closes later than another of a later time is not missed."""
    books = Books(database)
    seen: list[int] = []
    followed = closed.START

    def read_on() -> list[int]:
        nonlocal followed
        found, followed = books.closed(followed)
        seen.extend(f.id for f in found)
        return [f.id for f in found]

    books.execute(0, "BUY", "1")
    assert read_on() == []
    books.execute(1, "BUY", "1", symbol=SYMBOLS[1])
    assert read_on() == []
    books.execute(9, "SELL", "1", symbol=SYMBOLS[1])
    second = books.position(1, 9, symbol=SYMBOLS[1])
    assert read_on() == [second]
    books.execute(8, "SELL", "1")  # the venue told of it later
    first = books.position(0, 8)
    books.execute(8, "BUY", "3")  # and at once into the next
    assert read_on() == [first]
    assert read_on() == []
    whole, _ = books.closed()
    assert [f.id for f in whole] == seen == [second, first]
    assert whole[1].fees == 1
    assert followed.lives[SYMBOLS[0]].lots == 3


def test_many_positions_are_read_as_they_are_one_by_one(
    database: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    books = Books(database)
    for k in range(4):
        books.execute(10 * k, "BUY", "1")
        books.execute(10 * k + 5, "SELL", "1", price="101")
        books.position(10 * k, 10 * k + 5)
    one_by_one = books.closed()
    monkeypatch.setattr(closed, "_FEW", 1)
    assert books.closed() == one_by_one
    assert len(one_by_one[0]) == 4


def test_the_search_is_the_same_without_filters(database: Engine) -> None:
    run_id = stored_run(database)
    stored(database, a_decision(run_id, outcome="dark"), a_decision(run_id, 5))
    with unit_of_work(database) as session:
        assert [d.outcome for d in find(session, run_id)] == ["dark"]
        assert find(session, run_id) == find(session, run_id, decision_search.ANY)
        assert [d.outcome for d in find(session, run_id, Wanted(holds=True))] == ["hold", "dark"]
