"""What the monitoring page reads: right on both databases, and by an index on long tables."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any, Final

import pytest
from sqlalchemy import Engine, event, insert
from sqlmodel import Session

from auto_trading_dashboard.queries import decisions, gates, market, marks, monitoring
from auto_trading_dashboard.queries.market import Candle, Series
from auto_trading_dashboard.queries.marks import Line, TradeMark
from auto_trading_dashboard.queries.monitoring import Work
from crypto_trader_pro.domain.enums import DesiredState, ObservedState, TradingState
from database import lease, prices
from database.auto_trading_db import unit_of_work
from database.candles import Origin
from database.lease import Beat, Holder
from database.models import AiSignalRow, MarketDataRow, OrderRow
from database.prices import LatestPrice
from database.views import executions, orders, positions
from database.views.positions import OpenPosition
from tests.rows import (
    SYMBOL,
    T0,
    a_decision,
    a_position,
    a_trade,
    after,
    an_entry,
    an_equity,
    an_order,
    stored,
    stored_run,
)

D: Final = Decimal
ETH: Final = "ETH/USDT:USDT"
ORIGIN: Final = Origin("demo-7", "demo")
CONFIG: Final = '{"engine":{"trading_day_timezone":"Asia/Seoul"}}'
SERIES: Final = Series(ORIGIN, SYMBOL, "5m", "5m")
HOURS: Final = Series(ORIGIN, SYMBOL, "1h", "5m")


def a_session(database: Engine, **changes: Any) -> int:
    values: dict[str, Any] = {
        "kind": "paper", "source": "demo", "inputs": {"venue": "demo-7"}, "config": CONFIG,
        "symbols": [SYMBOL, ETH],
    }  # fmt: skip
    return stored_run(database, **(values | changes))


def candle_rows(
    count: int, timeframe: str = "5m", minutes: int = 5, **changes: Any
) -> list[dict[str, Any]]:
    """Candle k opens `minutes` * k after T0 at 100 + k, with 2 above and 3 below it."""
    values: dict[str, Any] = {
        "venue": ORIGIN.venue, "source": ORIGIN.source, "symbol": SYMBOL, "timeframe": timeframe,
    }  # fmt: skip
    return [
        {
            "timestamp": after(minutes * k), "open": D(100 + k), "high": D(102 + k),
            "low": D(97 + k), "close": D("100.5") + k, "volume": D(k), **values, **changes,
        }
        for k in range(count)
    ]  # fmt: skip


def store(database: Engine, *rows: dict[str, Any]) -> None:
    with unit_of_work(database) as session:
        session.connection().execute(insert(MarketDataRow), list(rows))


def store_price(database: Engine, symbol: str, price: str, minutes: int = 0) -> None:
    with unit_of_work(database) as session:
        told = LatestPrice(symbol, D(price), after(minutes))
        prices.store_latest(session, [told], ORIGIN, T0)


def live(database: Engine, run: int | None, view: Mapping[str, Any]) -> None:
    """Let an engine with process 7 beat at T0."""
    with unit_of_work(database) as session:
        holder = Holder("o", "host", 7, 1, "b")
        epoch = lease.take(session, holder, T0, is_gone=lambda _: True)
        assert epoch is not None
        lease.want(session, DesiredState.RUNNING, T0)
        told = Beat(ObservedState.RUNNING, TradingState.ACTIVE, "paper", "demo", run, None, view)
        lease.renew(session, epoch, told, T0)


def asked(database: Engine, query: Callable[[Session], Any]) -> Any:
    with unit_of_work(database) as session:
        return query(session)


def in_work(database: Engine, seconds: int = 1, *, gone: bool = False) -> Work:
    now = T0 + timedelta(seconds=seconds)
    found = asked(database, lambda s: monitoring.in_work(s, now, lambda *_: gone))
    assert isinstance(found, Work)
    return found


# --- the run in work ----------------------------------------------------------------------------


def test_before_any_run_there_is_nothing_to_show(database: Engine) -> None:
    assert asked(database, lambda s: monitoring.in_work(s, T0, lambda *_: False)) is None


def test_the_run_of_a_living_engine_goes_before_a_newer_one(database: Engine) -> None:
    run = a_session(database)
    stored_run(database)  # a replay that somebody plays meanwhile
    live(database, run, {
        "at": after(7).isoformat(), "equity": "100134.18", "day_start_equity": "100000",
        "locks": {ETH: after(90).isoformat()},
    })  # fmt: skip
    work = in_work(database)
    assert (work.number, work.is_live, work.is_paper, work.now) == (run, True, True, after(7))
    assert (work.origin, work.asset, work.day_zone) == (ORIGIN, "USDT", "Asia/Seoul")
    assert (work.equity, work.day_start) == (D("100134.18"), D(100000))
    assert work.locks == ((ETH, after(90)),)
    assert work.started_at == T0


def test_what_a_dead_engine_told_is_a_memory(database: Engine) -> None:
    run = a_session(database)
    live(database, run, {"at": after(7).isoformat(), "equity": "1", "locks": {ETH: T0.isoformat()}})
    stored(database, an_equity(run, 5, "100044"))
    work = in_work(database, gone=True)
    assert (work.is_live, work.started_at, work.locks) == (False, None, ())
    assert (work.equity, work.now, work.as_of) == (D(100044), after(5), T0)


def test_without_an_engine_the_newest_run_is_shown(database: Engine) -> None:
    a_session(database)
    newest = stored_run(database, config="{}")
    work = in_work(database)
    assert (work.number, work.is_live, work.now, work.day_zone) == (newest, False, None, "UTC")


def test_a_run_without_an_engine_was_last_heard_of_by_its_prices(database: Engine) -> None:
    a_session(database, now=after(-60))
    assert in_work(database).as_of == after(-60)
    store_price(database, SYMBOL, "42100")  # received at T0
    assert in_work(database).as_of == T0


# --- the four figures ---------------------------------------------------------------------------


def a_signal(run: int, minutes: int, kind: str, **changes: Any) -> AiSignalRow:
    values: dict[str, Any] = {
        "run_id": run, "symbol": SYMBOL, "strategy": "ema_cross", "signal_type": kind,
        "confidence_score": 50, "reason": "cross_up", "created_at": after(minutes),
    }  # fmt: skip
    return AiSignalRow(**(values | changes))


def test_signals_are_those_of_the_newest_candle(database: Engine) -> None:
    run, other = a_session(database), a_session(database)
    assert asked(database, lambda s: monitoring.signals(s, run)).at is None
    stored(
        database, a_signal(run, 0, "BUY"), a_signal(run, 5, "SELL"), a_signal(run, 5, "HOLD"),
        a_signal(run, 5, "SELL", symbol=ETH), a_signal(other, 10, "BUY"),
    )  # fmt: skip
    found = asked(database, lambda s: monitoring.signals(s, run))
    assert (found.buys, found.sells, found.spoken, found.at) == (0, 2, 3, after(5))


def test_today_is_the_trading_day_of_market_time(database: Engine) -> None:
    run = a_session(database)  # T0 is 09:00 in Seoul: its day began nine hours before
    stored(
        database,
        an_order(run, "a"), an_order(run, "b"), an_order(run, "c"), an_order(run, "d"),
        a_trade(run, "a", execution_time=after(-9 * 60), role="exit", realized_pnl=D(5)),
        a_trade(run, "b", execution_time=after(-9 * 60 - 1), role="exit", realized_pnl=D(7)),
        a_trade(run, "c", execution_time=after(1), role="stop", realized_pnl=D("-2")),
        a_trade(run, "d", execution_time=after(2)),
        an_equity(run, -9 * 60, "99000"), an_equity(run, -9 * 60 + 5, "5"),
        an_equity(run, 5, "99099"),
    )  # fmt: skip
    work = in_work(database)
    found = asked(database, lambda s: monitoring.today(s, work))
    assert found.day.name == "2024-01-01"
    assert tuple(found.closed) == (2, 1, 1)
    assert (found.profit, found.share) == (D(99), D("0.001"))


def test_the_first_day_began_with_the_capital(database: Engine) -> None:
    run = a_session(database)
    stored(database, an_entry(run, "capital", "-100", reference="capital"), an_equity(run, 5, "90"))
    work = in_work(database)
    found = asked(database, lambda s: monitoring.today(s, work))
    assert (found.profit, found.share) == (D(-10), D("-0.1"))


def test_before_the_first_figure_no_day_is_named(database: Engine) -> None:
    a_session(database)
    work = in_work(database)
    found = asked(database, lambda s: monitoring.today(s, work))
    assert (found.day, found.profit, tuple(found.closed)) == (None, None, (0, 0, 0))


# --- candles ------------------------------------------------------------------------------------


def test_stored_candles_come_whole_and_in_order(database: Engine) -> None:
    store(database, *candle_rows(9), *candle_rows(3, symbol=ETH), *candle_rows(3, venue="okx"))
    assert asked(database, lambda s: market.newest(s, SERIES)) == after(40)
    found = asked(database, lambda s: market.before(s, SERIES, after(40), 3))
    assert [c.opened_at for c in found] == [after(25), after(30), after(35)]
    assert found[0] == Candle(after(25), D(105), D(107), D(102), D("105.5"), D(5))
    assert [c.close for c in asked(database, lambda s: market.since(s, SERIES, after(40)))] == [
        D("108.5")
    ]


def test_coarser_candles_are_made_of_those_of_the_run(database: Engine) -> None:
    store(database, *candle_rows(30))
    found = asked(database, lambda s: market.before(s, HOURS, after(120), 300))
    assert found == [
        Candle(after(0), D(100), D(113), D(97), D("111.5"), D(66)),
        Candle(after(60), D(112), D(125), D(109), D("123.5"), D(210)),
    ]
    last = asked(database, lambda s: market.since(s, HOURS, after(120)))
    assert [(c.opened_at, c.open, c.close) for c in last] == [(after(120), D(124), D("129.5"))]


def test_a_made_series_begins_with_what_is_stored_of_it(database: Engine) -> None:
    store(database, *candle_rows(2, "1h", 60), *candle_rows(48))
    found = asked(database, lambda s: market.before(s, HOURS, after(240), 3))
    assert [(c.opened_at, c.open) for c in found] == [
        (after(60), D(101)), (after(120), D(124)), (after(180), D(136)),
    ]  # fmt: skip


def test_a_candle_that_begins_in_the_middle_is_left_out(database: Engine) -> None:
    store(database, *candle_rows(30)[4:])
    found = asked(database, lambda s: market.before(s, HOURS, after(120), 300))
    assert [c.opened_at for c in found] == [after(60)]


@pytest.mark.parametrize(
    ("base", "expected"),
    [("5m", ["1m", "5m", "15m", "1h", "4h", "1d"]), ("1h", ["1m", "1h", "4h", "1d"]),
     ("1d", ["1m", "1d"])],
)  # fmt: skip
def test_a_chart_offers_what_is_stored_and_what_can_be_made(
    database: Engine, base: str, expected: list[str]
) -> None:
    store(database, *candle_rows(1, "1m"))
    assert asked(database, lambda s: market.timeframes(s, ORIGIN, SYMBOL, base)) == expected


def test_places_are_those_of_the_finest_price() -> None:
    candle = Candle(T0, D(1), D(1), D(1), D("0.52341"), D(1))
    assert market.places([candle, Candle(T0, D(1), D(1), D(1), D(2), D(1))]) == 5
    assert market.places([]) == 0


# --- positions, orders, trades ------------------------------------------------------------------


def a_stop(run: int, name: str, **changes: Any) -> OrderRow:
    values: dict[str, Any] = {
        "side": "SELL", "role": "stop", "order_type": "stop_market", "price": D(41500),
        "reduce_only": True, "status": "working", "filled_size": D(0),
    }  # fmt: skip
    return an_order(run, name, **(values | changes))


def held(database: Engine, run: int) -> OpenPosition:
    (found,) = asked(database, lambda s: positions.open_positions(s, run))
    assert isinstance(found, OpenPosition)
    return found


@pytest.mark.parametrize(
    ("side", "price", "profit", "share"),
    [("LONG", "42500.1", D(25), "0.0119"), ("SHORT", "42500.1", D(-25), "-0.0119"),
     ("LONG", None, None, None)],
)  # fmt: skip
def test_a_position_is_worth_what_the_newest_price_says(
    database: Engine, side: str, price: str | None, profit: Decimal | None, share: str | None
) -> None:
    run = a_session(database)
    stored(
        database, a_position(run, 3, side=side, strategy="ema_cross", stop_price=D(41000)),
        a_position(run, 1, status="CLOSED", symbol=ETH),
    )  # fmt: skip
    if price is not None:
        store_price(database, SYMBOL, price)
    found = held(database, run)
    assert (found.symbol, found.side, found.quantity) == (SYMBOL, side, D("0.05"))
    assert (found.entry_price, found.stop_price, found.target_price) == (
        D("42000.1"),
        D(41000),
        None,
    )
    assert (found.unrealized_pnl, found.strategy, found.opened_at) == (
        profit,
        "ema_cross",
        after(3),
    )
    assert (None if found.share is None else f"{found.share:.4f}") == share


@pytest.mark.parametrize(
    ("stops", "expected"),
    [
        ([{}], ("covered", "0.05", "")),
        ([{"size": D("0.03")}, {"size": D("0.02")}], ("covered", "0.05", "")),
        ([], ("none", "0", "")),
        ([{"status": "canceled"}], ("none", "0", "")),
        ([{"side": "BUY"}], ("none", "0", "")),
        ([{"symbol": ETH}], ("none", "0", "")),
        ([{"role": "target"}], ("none", "0", "")),
        ([{"size": D("0.03")}], ("part", "0.03", "")),
        ([{"status": "partial", "filled_size": D("0.01")}], ("part", "0.04", "")),
        ([{"status": "unknown"}], ("waiting", "0", "unknown")),
        ([{"status": "sending"}], ("waiting", "0", "sending")),
    ],
)
def test_protected_is_what_the_venue_covers_whole(
    database: Engine, stops: list[dict[str, Any]], expected: tuple[str, str, str]
) -> None:
    run = a_session(database)
    stored(database, a_position(run))
    stored(database, *(a_stop(run, f"s{k}", **stop) for k, stop in enumerate(stops)))
    found = held(database, run).protection
    assert (found.code, str(found.covered), found.status) == expected
    assert found.is_whole is (expected[0] == "covered")


def test_the_stop_that_rests_goes_before_the_one_that_was_noted(database: Engine) -> None:
    run = a_session(database)
    stored(database, a_position(run, stop_price=D(41000), target_price=D(43000)), a_stop(run, "s"))
    found = held(database, run)
    assert (found.stop_price, found.target_price) == (D(41500), D(43000))


def test_working_orders_are_those_that_have_not_ended(database: Engine) -> None:
    run = a_session(database)
    entry = {"status": "partial", "order_type": "limit", "price": D(41900)}
    stored(
        database, an_order(run, "b", 2, **entry, filled_size=D("0.02")),
        a_stop(run, "a", decided_at=after(1)),
        an_order(run, "gone"), an_order(a_session(database), "other", status="working"),
    )  # fmt: skip
    found = asked(database, lambda s: orders.working_orders(s, run))
    assert [(o.client_order_id, o.can_be_canceled) for o in found] == [("a", False), ("b", True)]
    assert (found[1].price, found[1].quantity, found[1].filled) == (D(41900), D("0.05"), D("0.02"))


def test_trades_come_newest_first_with_their_reason(database: Engine) -> None:
    run = a_session(database)
    stored(
        database, an_order(run, "in", 0), an_order(run, "out", 10, reason="cross_down"),
        a_trade(run, "in"),
        a_trade(run, "out", execution_time=after(11), role="exit", realized_pnl=D("-3.5"),
                commission=D("0.7")),
        a_decision(run, 10), a_decision(run, 10, symbol=ETH),
    )  # fmt: skip
    found = asked(database, lambda s: executions.executions(s, run, limit=20))
    assert [(t.order_id, t.realized_pnl, t.reason) for t in found] == [
        ("out", D("-3.5"), "cross_down"), ("in", None, ""),
    ]  # fmt: skip
    number = asked(database, lambda s: decisions.decision_of(s, run, SYMBOL, found[0].decided_at))
    assert number == 1
    assert asked(database, lambda s: decisions.decision_of(s, run, SYMBOL, T0)) is None
    assert len(asked(database, lambda s: executions.executions(s, run, limit=1))) == 1


# --- marks and gates ----------------------------------------------------------------------------


def test_marks_are_the_symbols_own_since_the_first_candle(database: Engine) -> None:
    run = a_session(database)
    stored(
        database,
        an_order(run, "old"), an_order(run, "in", 10), an_order(run, "eth", 10, symbol=ETH),
        a_trade(run, "old", execution_time=after(9)), a_trade(run, "in", execution_time=after(11)),
        a_trade(run, "eth", execution_time=after(11), symbol=ETH),
        a_decision(run, 10, outcome="ordered", direction=1, strategy="ema_cross"),
        a_decision(run, 20, outcome="refused", direction=-1, strategy="ema_cross",
                   first_refusal="cooldown"),
        a_decision(run, 15), a_decision(run, 25, outcome="dark"),
        a_decision(run, 20, symbol=ETH, outcome="ordered", direction=1, strategy="ema_cross"),
        a_decision(run, 5, outcome="ordered", direction=1, strategy="ema_cross"),
    )  # fmt: skip
    found = asked(database, lambda s: marks.marks(s, run, SYMBOL, ORIGIN, after(10)))
    assert found.trades == (
        TradeMark(after(11), "BUY", "entry", D("42000.1"), D("0.05"), ""),
    )  # fmt: skip
    assert [(m.at, m.direction, m.refusal, m.was_acted_on) for m in found.signals] == [
        (after(20), -1, "cooldown", False)
    ]
    assert hash(found) == hash(
        asked(database, lambda s: marks.marks(s, run, SYMBOL, ORIGIN, after(10)))
    )


def test_lines_are_what_counts_now(database: Engine) -> None:
    run = a_session(database)
    stored(
        database, a_position(run, stop_price=D(41000), target_price=D(43000)), a_stop(run, "s"),
        an_order(run, "more", status="working", order_type="limit", price=D(41900)),
        an_order(run, "now", status="sending"), a_stop(run, "eth", symbol=ETH, price=D(5)),
    )  # fmt: skip
    store_price(database, SYMBOL, "42100")
    found = asked(database, lambda s: marks.marks(s, run, SYMBOL, ORIGIN, T0)).lines
    assert found == (
        Line("entry_price", D("42000.1"), "LONG"), Line("target", D(43000)),
        Line("order", D(41900), "BUY"), Line("stop", D(41500), "SELL"), Line("price", D(42100)),
    )  # fmt: skip


def test_gates_are_those_of_each_symbols_newest_decision(database: Engine) -> None:
    run = a_session(database)
    stored(
        database, a_decision(run, 0, gate_state="dark", gate_reason="missing"), a_decision(run, 5),
        a_decision(run, 0, symbol=ETH, gate_state="exit_only", gate_reason="gap"),
    )  # fmt: skip
    store(database, *candle_rows(1))
    store_price(database, SYMBOL, "42100", minutes=6)
    live(database, run, {"at": after(5).isoformat(), "equity": "1",
                         "locks": {ETH: after(60).isoformat()}})  # fmt: skip
    work = in_work(database)
    btc, eth = asked(database, lambda s: gates.gates(s, work))
    assert (btc.state, btc.reason, btc.decided_at) == ("green", "ok", after(5))
    assert (btc.price, btc.price_at, btc.received_at) == (D(42100), after(6), T0)
    assert (btc.closed_at, btc.locked_until) == (after(5), None)
    assert (eth.state, eth.reason, eth.price, eth.closed_at) == ("exit_only", "gap", None, None)
    assert eth.locked_until == after(60)
    assert gates.market_now(work, [btc, eth]) == after(6)


def test_a_symbol_without_a_decision_is_there_too(database: Engine) -> None:
    a_session(database)
    work = in_work(database)
    found = asked(database, lambda s: gates.gates(s, work))
    assert [(g.symbol, g.state) for g in found] == [(SYMBOL, ""), (ETH, "")]
    assert gates.market_now(work, found) is None


# --- by an index --------------------------------------------------------------------------------

LONG: Final = ("decisions", "orders", "trades", "ai_signals_log", "market_data", "positions")


def grown(database: Engine) -> int:
    """Two runs of many rows, of which a page shows a few; the planner knows how many."""
    runs = [a_session(database), a_session(database)]
    for run in runs:
        stored(database, an_order(run, f"open{run}", status="working"), a_position(run, 9_999))
        many = range(2_000)
        rows: list[Any] = [an_order(run, f"o{run}-{k}", k) for k in many]
        rows += [a_decision(run, k, outcome="refused" if k % 9 == 0 else "hold") for k in many]
        rows += [a_signal(run, k, "HOLD") for k in many]
        rows += [a_position(run, k, status="CLOSED", close_time=after(k)) for k in many]
        trades = [a_trade(run, f"o{run}-{k}", execution_time=after(k)) for k in many]
        with unit_of_work(database) as session:
            session.add_all(rows)
            session.flush()
            session.add_all(trades)
    store(database, *candle_rows(2_000), *candle_rows(2_000, symbol=ETH))
    store_price(database, SYMBOL, "42100")
    return runs[-1]


@pytest.mark.parametrize("knows_sizes", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_nothing_reads_a_long_table_from_end_to_end(database: Engine, knows_sizes: bool) -> None:
    run = grown(database)
    if knows_sizes or database.dialect.name == "postgresql":  # which analyses by itself
        with unit_of_work(database) as session:
            session.connection().exec_driver_sql("ANALYZE")
    work = in_work(database)
    said: list[tuple[str, Any]] = []

    def note(_c: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        said.append((statement, parameters))

    with unit_of_work(database) as session:
        event.listen(database, "before_cursor_execute", note)
        monitoring.signals(session, run)
        monitoring.today(session, work)
        market.timeframes(session, ORIGIN, SYMBOL, "5m")
        market.before(session, HOURS, after(6_000), 20)
        marks.marks(session, run, SYMBOL, ORIGIN, after(1_900))
        positions.open_positions(session, run)
        executions.executions(session, run)
        decisions.decision_of(session, run, SYMBOL, after(3))
        gates.gates(session, work)
        event.remove(database, "before_cursor_execute", note)
        assert len(said) > 20
        if database.dialect.name == "postgresql":  # small as it is here, reading it all may be best
            session.connection().exec_driver_sql("SET LOCAL enable_seqscan = off")
        plans = [plan(session, *one) for one in said]
    for (statement, _), lines in zip(said, plans, strict=True):
        for table in LONG:
            assert f"SCAN {table}" not in lines, statement
            assert f"Seq Scan on {table}" not in lines, statement
    if database.dialect.name == "sqlite":
        resting = [p for (s, _), p in zip(said, plans, strict=True) if "status NOT IN" in s]
        assert resting
        assert all("ix_orders_open" in p for p in resting)


def plan(session: Session, statement: str, parameters: Any) -> str:
    connection = session.connection()
    word = "EXPLAIN" if connection.dialect.name == "postgresql" else "EXPLAIN QUERY PLAN"
    rows = connection.exec_driver_sql(f"{word} {statement}", parameters)
    return "\n".join(str(row[-1]) for row in rows)
