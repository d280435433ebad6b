"""Sums and the rows above their mark say what the rows say, wherever the roll-up was cut off."""

from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from crypto_trader_pro.domain.timeframes import to_ms
from database import rollups
from database.auto_trading_db import open_database, unit_of_work
from database.models import DecisionRow, EquityRow
from database.rollups import HOUR_MS, Snapshot, StateTime
from tests.databases import Server
from tests.rows import T0_MS, a_decision, an_equity, stored_run

SYMBOLS = ("BTC/USDT:USDT", "ETH/USDT:USDT")
KINDS = (
    ("hold", None, None), ("dark", None, None), ("ordered", "ema_cross", None),
    ("refused", "ema_cross", "cooldown"), ("refused", "ai_signal", "max_positions"),
)  # fmt: skip
STATES = ("active", "reducing", "halted")
INSTANTS = st.lists(
    st.tuples(
        st.sampled_from((5, 55, 60, 300, 1500)),  # minutes since the one before
        st.lists(st.sampled_from(KINDS), min_size=1, max_size=2),
    ),
    max_size=12,
)
LIMITS = st.lists(st.integers(1, 7), max_size=4)  # of the roll-ups after each commit
CURVE = st.lists(
    st.tuples(
        st.integers(0, 6_000), st.integers(1, 5), st.integers(0, 4), st.sampled_from(STATES)
    ),
    unique_by=lambda point: point[0], max_size=25,
)  # fmt: skip


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def shared(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, migrated_file: Path
) -> Iterator[Engine]:
    """A database for all examples of a property; each has a run of its own."""
    if request.param == "sqlite":
        file = tmp_path_factory.mktemp("rollups") / "database.db"
        file.write_bytes(migrated_file.read_bytes())
        engine = open_database(f"sqlite:///{file}", durable=False)
        yield engine
        engine.dispose()
        return
    server: Server = request.getfixturevalue("postgresql")
    name = server.create("migrated")
    engine = open_database(server.url_of(name), durable=False)
    yield engine
    engine.dispose()
    server.drop(name)


def rolled(database: Engine, run_id: int, limit: int) -> int:
    with unit_of_work(database) as session:
        return rollups.roll_up(session, run_id, limit)


def check_counts(database: Engine, run_id: int, rows: list[DecisionRow]) -> None:
    """Compare what is read with what the rows of `rows` are, counted one by one."""
    ends = Counter((r.symbol, r.strategy, r.outcome, r.first_refusal) for r in rows)
    refused = Counter(
        (r.at_ms // HOUR_MS * HOUR_MS, r.first_refusal) for r in rows if r.first_refusal
    )
    with unit_of_work(database) as session:
        outcomes = rollups.outcomes(session, run_id)
        refusals = rollups.refusals_by_hour(session, run_id)
        since = T0_MS + 7 * HOUR_MS
        late = rollups.refusals_by_hour(session, run_id, since + 1)
        one = rollups.refusals_by_hour(session, run_id, symbol=SYMBOLS[1], strategy="ai_signal")
    assert {(o.symbol, o.strategy, o.outcome, o.rule): o.decisions for o in outcomes} == ends
    assert {(r.start_ms, r.rule): r.decisions for r in refusals} == refused
    assert refusals == sorted(refusals, key=lambda r: (r.start_ms, r.rule))
    assert late == [r for r in refusals if r.start_ms >= since]
    chosen = [r for r in rows if r.symbol == SYMBOLS[1] and r.strategy == "ai_signal"]
    assert sum(r.decisions for r in one) == sum(r.first_refusal is not None for r in chosen)


@settings(max_examples=30)  # each stores its own runs, on both databases
@given(instants=INSTANTS, limits=LIMITS)
def test_counts_are_those_of_the_rows_wherever_the_sums_end(
    shared: Engine, instants: list[tuple[int, list[tuple[str, str | None, str | None]]]],
    limits: list[int],
) -> None:  # fmt: skip
    run_id, other = stored_run(shared), stored_run(shared)
    rows: list[DecisionRow] = []
    minutes = 0
    for step, kinds in instants:
        minutes += step
        new = [
            a_decision(run_id, minutes, symbol=symbol, outcome=outcome, strategy=strategy,
                       first_refusal=rule)
            for symbol, (outcome, strategy, rule) in zip(SYMBOLS, kinds, strict=False)
        ]  # fmt: skip
        with unit_of_work(shared) as session:
            session.add_all([*new, a_decision(other, minutes, outcome="refused")])
        rows += new
        for limit in limits:
            rolled(shared, run_id, limit)
            check_counts(shared, run_id, rows)
    with unit_of_work(shared) as session:
        while rollups.roll_up(session, run_id, 3, whole=True):
            pass
        assert rollups.rolled_up_to(session, run_id) == (rows[-1].at_ms if rows else -1)
    check_counts(shared, run_id, rows)


def check_curve(database: Engine, run_id: int, rows: list[EquityRow]) -> None:
    ordered = sorted(rows, key=lambda row: row.at)
    time = dict.fromkeys(STATES, 0)
    for one, following in pairwise(ordered):
        time[one.trading_state] += to_ms(following.at) - to_ms(one.at)
    with unit_of_work(database) as session:
        assert rollups.state_time(session, run_id) == StateTime(*(time[s] for s in STATES))
        curve = rollups.equity_series(session, run_id)
        few = rollups.equity_series(session, run_id, 10)
    assert [(s.at, s.equity, s.drawdown, s.trading_state) for s in curve] == [
        (r.at, r.equity, r.drawdown, r.trading_state) for r in ordered
    ]
    check_few(curve, few)


def check_few(curve: list[Snapshot], few: list[Snapshot]) -> None:
    """A shorter curve keeps the ends and the extremes, and invents nothing."""
    assert len(few) <= 10
    if curve:
        assert set(few) <= set(curve)
        assert few == sorted(few, key=lambda s: s.at)
        assert (few[0], few[-1]) == (curve[0], curve[-1])
        for extreme in (min, max):
            assert extreme(s.equity for s in few) == extreme(s.equity for s in curve)
        assert max(s.drawdown for s in few) == max(s.drawdown for s in curve)


@settings(max_examples=30)  # each stores its own runs, on both databases
@given(points=CURVE, limits=LIMITS, fine=st.sampled_from((0, 3, 40, 10_000)))
def test_the_curve_is_that_of_the_rows_wherever_the_sums_end(
    shared: Engine, points: list[tuple[int, int, int, str]], limits: list[int], fine: int,
) -> None:  # fmt: skip
    """Snapshots come in any order: the engine's and the job's are not written by one."""
    run_id = stored_run(shared)
    rows: list[EquityRow] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("database.equity_spans._FINE", fine)  # days, hours or snapshots
        for minutes, equity, drawdown, state in points:
            row = an_equity(
                run_id, minutes, str(equity), drawdown=Decimal(drawdown) / 8, trading_state=state
            )
            with unit_of_work(shared) as session:
                session.add(row)
            rows.append(row)
            if minutes % 3 == 0:
                continue  # so that several wait above the mark
            for limit in limits:
                rolled(shared, run_id, limit * 10)
                check_curve(shared, run_id, rows)
        check_curve(shared, run_id, rows)
