"""The pages of decisions, their one reason, their sums, the story with its candles."""

import json
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Engine, event
from sqlmodel import Session

from auto_trading_dashboard.queries import decision_story, decisions, refusals
from auto_trading_dashboard.queries.decisions import Decision, Page, Place
from crypto_trader_pro.domain.market import Bar, series_of
from crypto_trader_pro.risk.rules import CODES
from crypto_trader_pro.simulation.instruments import instrument
from database import candles, rollups
from database.auto_trading_db import unit_of_work
from database.candles import Origin
from database.decision_search import Wanted, find
from database.models import AiSignalRow, DecisionRow
from tests.builders import risk_inputs
from tests.rows import SYMBOL, T0_MS, a_decision, after, an_order, stored, stored_run

ETH = "ETH/USDT:USDT"
MINUTE = 60_000
FIVE = 5 * MINUTE
HOLDS = Wanted(holds=True)
COOLDOWN = 1 << CODES.index("cooldown")


def read(database: Engine, query: Callable[[Session], Any]) -> Any:
    with unit_of_work(database) as session:
        return query(session)


def refused(run_id: int, minutes: int, rule: str = "cooldown", **changes: Any) -> DecisionRow:
    inputs = json.dumps(list(risk_inputs(bars_since_exit=1)))
    values: dict[str, Any] = {
        "outcome": "refused", "strategy": "ema_cross", "direction": 1, "first_refusal": rule,
        "mask": 1 << CODES.index(rule), "inputs": inputs, "lots": 50,
    }  # fmt: skip
    return a_decision(run_id, minutes, **(values | changes))


def said(run_id: int, minutes: int, strategy: str, **changes: Any) -> AiSignalRow:
    values: dict[str, Any] = {
        "run_id": run_id, "symbol": SYMBOL, "strategy": strategy, "signal_type": "BUY",
        "confidence_score": 60, "reason": "cross_up", "created_at": after(minutes),
    }  # fmt: skip
    return AiSignalRow(**(values | changes))


def a_long_run(database: Engine, instants: int = 40) -> int:
    """Two symbols; of each instant one holds and one is refused in turn."""
    run_id = stored_run(database, symbols=[SYMBOL, ETH])
    rows = []
    for n in range(instants):
        first, second = (SYMBOL, ETH) if n % 2 else (ETH, SYMBOL)
        rows += [
            a_decision(run_id, 5 * n, symbol=first),
            refused(run_id, 5 * n, ("cooldown", "balance")[n % 3 == 0], symbol=second),
        ]
    stored(database, *rows)
    return run_id


def ids(page: Page) -> list[int]:
    return [d.found.id for d in page.decisions]


# --- the list -----------------------------------------------------------------------------------


def the_line(database: Engine, run_id: int, wanted: Wanted = HOLDS) -> Decision:
    (line,) = read(database, lambda s: decisions.page(s, run_id, wanted)).decisions
    return line  # type: ignore[no-any-return]


def test_a_refused_line_has_its_first_rule_with_the_numbers_it_saw(database: Engine) -> None:
    run_id = stored_run(database)
    stored(database, refused(run_id, 5, mask=COOLDOWN | 1 << CODES.index("balance")))
    line = the_line(database, run_id)
    assert line.refusal is not None
    assert (line.refusal.code, dict(line.refusal.numbers)) == ("cooldown", {"bars": 1, "limit": 3})
    assert (line.at, line.quantity, line.price) == (after(5), Decimal("0.05"), Decimal("42000"))


def test_a_line_has_the_numbers_of_the_model_that_decided(database: Engine) -> None:
    run_id = stored_run(database)
    model = {"model_id": "m", "probability": 412_000, "break_even": 380_000, "model_gate": "proven"}
    stored(
        database, refused(run_id, 5, strategy="ai_signal"), said(run_id, 5, "ema_cross"),
        said(run_id, 5, "ai_signal", **model), said(run_id, 5, "ai_signal", symbol=ETH),
        said(run_id, 10, "ai_signal"),
    )  # fmt: skip
    line = the_line(database, run_id)
    assert [s.strategy for s in line.said] == ["ema_cross", "ai_signal"]
    assert line.own is not None
    assert (line.own.probability, line.own.break_even) == (0.412, 0.38)


@pytest.mark.parametrize(("strategy", "expected"), [("ema_cross", None), (None, 0.3)])
def test_a_models_probability_is_not_told_of_another_strategys_wish(
    database: Engine, strategy: str | None, expected: float | None
) -> None:
    run_id = stored_run(database)
    outcome = "hold" if strategy is None else "ordered"
    stored(
        database, a_decision(run_id, 5, outcome=outcome, strategy=strategy),
        said(run_id, 5, "ema_cross"),
        said(run_id, 5, "ai_signal", signal_type="HOLD", probability=300_000, break_even=380_000),
    )  # fmt: skip
    own = the_line(database, run_id).own
    assert own is not None
    assert own.probability == expected


def test_a_closed_line_says_why_and_a_dark_one_has_no_price(database: Engine) -> None:
    run_id = stored_run(database)
    stored(
        database, an_order(run_id, "x", 5, role="exit", reason="time_out"),
        a_decision(run_id, 5, outcome="closed", order_id="x"),
        a_decision(run_id, 10, outcome="dark", price=0, gate_reason="missing"),
    )  # fmt: skip
    dark, closed = read(database, lambda s: decisions.page(s, run_id, Wanted())).decisions
    assert (closed.exit_reason, dark.exit_reason) == ("time_out", "")
    assert (dark.price, dark.quantity, dark.gate_reason) == (None, None, "missing")


@pytest.mark.parametrize("wanted", [HOLDS, Wanted(), Wanted(symbol=ETH), Wanted(rule="balance")])
def test_pages_lead_to_the_oldest_and_back_over_the_same_ones(
    database: Engine, wanted: Wanted
) -> None:
    run_id = a_long_run(database)
    everything = [f.id for f in read(database, lambda s: find(s, run_id, wanted, limit=500))]

    def page(place: Place | None) -> Page:
        return read(database, lambda s: decisions.page(s, run_id, wanted, place, limit=7))  # type: ignore[no-any-return]

    pages = [page(None)]
    assert not pages[0].has_newer
    while pages[-1].has_older:
        pages.append(page(Place(pages[-1].decisions[-1].found)))
        assert pages[-1].has_newer
    assert [number for p in pages for number in ids(p)] == everything
    for earlier, later in zip(pages[-2::-1], pages[:0:-1], strict=True):
        back = page(Place(later.decisions[0].found, newer=True))
        assert ids(back) == ids(earlier)
        assert back.has_older


def test_newer_near_the_top_is_the_newest_whole_page(database: Engine) -> None:
    run_id = a_long_run(database)
    newest = read(database, lambda s: decisions.page(s, run_id, HOLDS, limit=7))
    third = Place(newest.decisions[2].found, newer=True)
    back = read(database, lambda s: decisions.page(s, run_id, HOLDS, third, limit=7))
    assert (ids(back), back.has_newer) == (ids(newest), False)


@pytest.mark.parametrize("wanted", [HOLDS, Wanted()])
@pytest.mark.parametrize("off", [0, 1, FIVE - 1])
def test_a_page_at_a_time_begins_with_what_was_decided_until_then(
    database: Engine, wanted: Wanted, off: int
) -> None:
    run_id = a_long_run(database)
    at_ms = T0_MS + 20 * FIVE
    place = read(database, lambda s: decisions.place_at(s, run_id, at_ms + off))
    found = read(database, lambda s: decisions.page(s, run_id, wanted, place))
    count = 2 if wanted.holds else 1
    assert [d.found.at_ms for d in found.decisions][: count + 1] == [at_ms] * count + [at_ms - FIVE]
    assert (found.has_newer, found.has_older) == (True, False)


def test_before_the_first_decision_there_is_no_page(database: Engine) -> None:
    run_id = a_long_run(database)
    assert read(database, lambda s: decisions.place_at(s, run_id, T0_MS - 1)) is None
    assert read(database, lambda s: decisions.newest_ms(s, run_id + 1)) is None
    empty = read(database, lambda s: decisions.page(s, run_id, Wanted(outcome="shadow")))
    assert empty == Page((), has_newer=False, has_older=False)


# --- sums ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("rolled_up", [False, True])
def test_sums_are_those_of_the_rows(database: Engine, rolled_up: bool) -> None:
    run_id = a_long_run(database, 300)  # 25 hours
    stored(database, a_decision(run_id, 1500, outcome="ordered", strategy="ema_cross"),
           a_decision(run_id, 1500, symbol=ETH, outcome="shadow", strategy="ai_signal"),
           a_decision(run_id, 1505, outcome="closed"))  # fmt: skip
    if rolled_up:
        read(database, lambda s: rollups.roll_up(s, run_id, 10_000))
    ended = read(database, lambda s: refusals.run_outcomes(s, run_id))
    assert ended.counts == {"hold": 300, "refused": 300, "ordered": 1, "shadow": 1, "closed": 1}
    assert (ended.total, ended.first_ms, ended.last_ms) == (603, T0_MS, T0_MS + 1505 * MINUTE)
    found = read(database, lambda s: refusals.refusals(s, run_id))
    assert Counter({t.rule: t.decisions for t in found.totals}) == {"cooldown": 200, "balance": 100}
    assert found.signals == 302
    assert found.totals[0].share == 200 / 302
    assert sum(bar.decisions for bar in found.bars) == 300
    assert found.is_hourly


def test_a_span_counts_from_the_beginning_of_its_hour(database: Engine) -> None:
    run_id = a_long_run(database, 600)  # 50 hours; the last decision is at 49:55
    found = read(database, lambda s: refusals.refusals(s, run_id, days=1))
    assert found.since_ms == T0_MS + 25 * 60 * MINUTE
    assert found.signals == 300  # hours 25 to 49, twelve each
    assert {bar.start_ms for bar in found.bars} == {T0_MS + n * 60 * MINUTE for n in range(25, 50)}


def test_a_long_span_is_in_days(database: Engine) -> None:
    run_id = stored_run(database)
    stored(database, *(refused(run_id, 24 * 60 * n) for n in range(9)))
    found = read(database, lambda s: refusals.refusals(s, run_id))
    assert not found.is_hourly
    assert [bar.decisions for bar in found.bars] == [1] * 9
    assert read(database, lambda s: refusals.refusals(s, run_id + 1)) is None
    assert read(database, lambda s: refusals.run_outcomes(s, run_id + 1)) is None


def test_what_retention_deleted_stays_counted_from_its_day(database: Engine) -> None:
    run_id = stored_run(database)
    stored(database, *(a_decision(run_id, 24 * 60 * n + 5) for n in range(4)))
    read(database, lambda s: rollups.roll_up(s, run_id, 10_000))
    with unit_of_work(database) as session:
        for found in find(session, run_id, HOLDS)[2:]:
            session.delete(session.get(DecisionRow, found.id))
    ended = read(database, lambda s: refusals.run_outcomes(s, run_id))
    assert (ended.total, ended.first_ms) == (4, T0_MS)


# --- the story ----------------------------------------------------------------------------------


def stored_candles(database: Engine, count: int, source: str = "demo") -> None:
    bars = [Bar(T0_MS + n * FIVE, 420_000, 420_100, 419_900, 420_000 + n, 5) for n in range(count)]
    with unit_of_work(database) as session:
        series = series_of(SYMBOL, FIVE, bars)
        candles.store(session, series, instrument(SYMBOL), Origin("demo-7", source))


def the_tale(database: Engine, run_id: int) -> decision_story.Tale:
    with unit_of_work(database) as session:
        number = find(session, run_id, limit=1)[0].id
        found = decision_story.tale(session, number)
    assert found is not None
    return found


def test_a_story_has_the_candles_before_and_after_the_decision(database: Engine) -> None:
    run_id = stored_run(database, kind="paper", source="demo", inputs={"venue": "demo-7"})
    stored_candles(database, 100)
    stored(database, refused(run_id, 5 * 80), said(run_id, 5 * 80, "ema_cross"))
    tale = the_tale(database, run_id)
    assert (len(tale.seen), len(tale.later)) == (60, 20)
    assert int(tale.seen.open_ms[-1]) + FIVE == int(tale.later.open_ms[0]) == T0_MS + 80 * FIVE
    assert tale.correlation == f"r{run_id}:{SYMBOL}:{T0_MS + 80 * FIVE}"  # as the executor logs it
    assert tale.wish is not None
    assert tale.wish.strategy == "ema_cross"
    assert tale.model_id is None


def test_candles_of_another_source_are_not_shown(database: Engine) -> None:
    run_id = stored_run(database, inputs={"venue": "demo-7"})  # a replay of files
    stored_candles(database, 100)
    stored(database, refused(run_id, 5 * 80))
    tale = the_tale(database, run_id)
    assert (len(tale.seen), len(tale.later)) == (0, 0)


@pytest.mark.parametrize("number", [0, 7, 10**30])
def test_there_is_no_story_of_no_decision(database: Engine, number: int) -> None:
    assert read(database, lambda s: decision_story.tale(s, number)) is None


# --- indexes ------------------------------------------------------------------------------------

LONG = ("decisions", "ai_signals_log", "orders", "fills", "market_data", "decision_counts")
READS: dict[str, Callable[[Session, int], Any]] = {
    "newest": lambda s, run: decisions.page(s, run, Wanted()),
    "with holds": lambda s, run: decisions.page(s, run, HOLDS),
    "older": lambda s, run: decisions.page(s, run, HOLDS, decisions.place_at(s, run, T0_MS + FIVE)),
    "newer": lambda s, run: decisions.page(
        s, run, Wanted(rule="cooldown"), Place(find(s, run, limit=30)[-1], newer=True)
    ),
    "newer holds": lambda s, run: decisions.page(
        s, run, HOLDS, Place(find(s, run, limit=30)[-1], newer=True)
    ),
    "story": lambda s, run: decision_story.tale(s, find(s, run, limit=1)[0].id),
    "outcomes": refusals.run_outcomes,
    "refusals": lambda s, run: refusals.refusals(s, run, days=1),
}


@pytest.mark.parametrize("name", READS)
def test_every_read_uses_indexes(database: Engine, name: str) -> None:
    run_id = a_long_run(database)
    asked: list[tuple[str, Any]] = []

    def note(_c: Any, _cursor: Any, statement: str, values: Any, *_: Any) -> None:
        if statement.lstrip().upper().startswith("SELECT"):
            asked.append((statement, values))

    event.listen(database, "before_cursor_execute", note)
    read(database, lambda s: READS[name](s, run_id))
    event.remove(database, "before_cursor_execute", note)
    assert asked
    word = "EXPLAIN QUERY PLAN" if database.dialect.name == "sqlite" else "EXPLAIN"
    with database.connect() as connection:
        if database.dialect.name == "postgresql":  # these tables fit in a few pages
            connection.exec_driver_sql("SET enable_seqscan = off")
        for statement, values in asked:
            plan = [str(x[-1]) for x in connection.exec_driver_sql(f"{word} {statement}", values)]
            for table in LONG:
                whole = [x for x in plan if f"SCAN {table}" in x or f"Seq Scan on {table}" in x]
                assert whole == [], statement
