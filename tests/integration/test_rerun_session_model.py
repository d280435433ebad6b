"""`why` asks the model of a living session again, from what the session stored."""

import shutil
from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, delete, update
from sqlmodel import col, select

from auto_trading.why import tell
from crypto_trader_pro.domain.timeframes import to_ms
from crypto_trader_pro.explain.findings import Rerun
from database.auto_trading_db import open_database, unit_of_work
from database.models import AiSignalRow, MarketDataRow
from tests.console_fixtures import Installation


@pytest.fixture
def database(small_installation: Installation) -> Iterator[Engine]:
    engine = open_database(small_installation.database_url)
    yield engine
    engine.dispose()


def asked(database: Engine) -> list[AiSignalRow]:
    """Return the signals that a model gave, oldest first."""
    row = AiSignalRow
    with unit_of_work(database) as session:
        query = select(row).where(col(row.model_id).is_not(None)).order_by(col(row.id))
        found = list(session.exec(query))
        session.expunge_all()
    return found


def again(database: Engine, installation: Installation, signal: AiSignalRow) -> Rerun:
    return tell(
        database, installation.var_dir, run="r1", symbol=signal.symbol,
        at_ms=to_ms(signal.created_at),
    ).rerun  # fmt: skip


def test_the_model_gives_the_same_and_says_which_features_moved_it(
    database: Engine, small_installation: Installation
) -> None:
    signals = asked(database)
    assert len(signals) > 30
    for signal in signals[::8]:
        rerun = again(database, small_installation, signal)
        assert rerun.status == "same", (signal.symbol, signal.created_at)
        moved = [abs(by) for _, _, by in rerun.contributions]
        assert len(moved) == 8
        assert moved == sorted(moved, reverse=True)
        assert moved[0] > 0


def test_another_stored_answer_or_candle_is_noticed(
    database: Engine, small_installation: Installation
) -> None:
    first, last = asked(database)[0], asked(database)[-1]
    with unit_of_work(database) as session:
        row = AiSignalRow
        session.exec(update(row).where(col(row.id) == first.id).values(probability=1))
    rerun = again(database, small_installation, first)
    assert [f.code for f in rerun.differs] == ["why.differs.model"]
    assert rerun.contributions
    with unit_of_work(database) as session:
        candle = MarketDataRow
        latest = select(candle).where(
            col(candle.timeframe) == "1h", col(candle.symbol) == last.symbol,
            col(candle.timestamp) < last.created_at,
        ).order_by(col(candle.timestamp).desc())  # fmt: skip
        changed = session.exec(latest).first()
        assert changed is not None
        assert changed.close is not None
        changed.high = changed.close * 2
        changed.close = changed.high
        session.add(changed)
    rerun = again(database, small_installation, last)
    assert [f.code for f in rerun.differs] == ["why.differs.model"]


def test_what_is_not_stored_any_more_is_named(
    database: Engine, small_installation: Installation
) -> None:
    signal = asked(database)[0]
    shutil.rmtree(small_installation.var_dir / "models")
    rerun = again(database, small_installation, signal)
    assert [f.code for f in rerun.unchecked] == ["why.unchecked.model"]
    with unit_of_work(database) as session:
        session.exec(delete(MarketDataRow).where(col(MarketDataRow.timeframe) == "1h"))
    rerun = again(database, small_installation, signal)
    assert [f.code for f in rerun.unchecked] == ["why.unchecked.session_model"]
    assert (rerun.status, rerun.contributions) == ("partly", ())
