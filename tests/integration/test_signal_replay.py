"""Signals, gradual closes and pauses in the real session: decided again, they are the same.

The market of `tests/recorded.py`: candles of five minutes at 60,000 USDT.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from auto_trading import why
from auto_trading.parity.comparing import compare
from auto_trading.reexecution import reexecuted
from auto_trading.session_replay import repeat
from crypto_trader_pro.domain.enums import CommandKind
from database.auto_trading_db import unit_of_work
from database.decisions import seen_before
from tests.builders import finished
from tests.control_plane import NOW, SYMBOL
from tests.engines import Row, read
from tests.processes import DATABASE
from tests.recorded import FLAT, Recording, close_of, closed, recording_in, tick
from utils.texts import Language

K = CommandKind


@pytest.fixture
def recording(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, migrated_file: Path
) -> Iterator[Recording]:
    for name in ("CTP_DATABASE_URL", "DATABASE_URL", "CTP_CONFIG_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CTP_VAR_DIR", str(tmp_path / "var"))
    with recording_in(tmp_path / "var", migrated_file) as made:
        played(made)
        yield made


def played(recording: Recording) -> None:
    """Buy by an alert, be refused, reverse with a limit, and let it all go step by step."""
    recording.ask(K.START)
    recording.take(closed(5, FLAT))
    alice = {"strategy": "alice", "symbol": SYMBOL}
    assert recording.ask(K.SIGNAL, action="buy", **alice, alert_id="a-1") == "done"
    assert recording.ask(K.SIGNAL, action="sell", strategy="bob", symbol=SYMBOL) == "refused"
    recording.take(tick(6, FLAT))
    answer = recording.ask(
        K.SIGNAL, action="sell", **alice, order_type="limit", price="60100", capital="500"
    )
    assert answer == "done"
    recording.take(tick(6, FLAT), tick(6, FLAT + 20_000), closed(6, FLAT))
    assert recording.ask(K.CLOSE_ALL, over_seconds=300, slices=3) == "done"
    recording.take(tick(7, FLAT), closed(7, FLAT), tick(8, FLAT), tick(9, FLAT))
    assert recording.ask(K.RESUME) == "done"
    recording.take(closed(8, FLAT), closed(9, FLAT))


def decisions(recording: Recording) -> list[Row]:
    return read(recording.var_dir / DATABASE, "decisions")


def test_the_session_did_what_it_was_asked(recording: Recording) -> None:
    found = [(r["strategy"], r["outcome"]) for r in decisions(recording) if r["strategy"]]
    assert found == [
        ("webhook:alice", "ordered"), ("webhook:bob", "refused"), ("webhook:alice", "ordered"),
    ]  # fmt: skip
    kinds = [(r["order_type"], r["role"], r["reason"], r["status"])
             for r in read(recording.var_dir / DATABASE, "orders")]  # fmt: skip
    assert kinds.count(("limit", "entry", "", "filled")) == 1
    assert kinds.count(("market", "exit", "webhook", "filled")) == 1
    # one step at once; the other two are due when the next candle closes, and go together
    assert kinds.count(("market", "exit", "operator_gradual", "filled")) == 2
    assert recording.session.engine.parts.positions.open_count == 0
    finished(recording.session.engine.compare_books())


def test_the_record_repeats_it(recording: Recording) -> None:
    answer = repeat(recording.database, "r1", recording.var_dir, lambda: NOW)
    assert answer["identical"] is True
    assert answer["decisions"] == len(decisions(recording)) // 2
    assert compare(recording.database, "r1", recording.var_dir).repeats  # `parity` plays it too


def test_every_decision_is_made_again_the_same(recording: Recording) -> None:
    """`why --replay`: those between candles, and those of candles after them."""
    for row in decisions(recording):
        again = reexecuted(recording.database, recording.var_dir, row["id"])
        everything = (*again.columns, *again.inputs, *again.signals)
        assert [one.name for one in everything if not one.is_same] == []


def test_a_decision_between_candles_is_none_of_a_candle(recording: Recording) -> None:
    """What a strategy keeps between two decisions is taken by those of candles alone."""
    rows = decisions(recording)
    outside = [r["at_ms"] for r in rows if (r["strategy"] or "").startswith("webhook:")]
    closes = sorted({r["at_ms"] for r in rows} - set(outside))
    assert closes == [close_of(k) for k in range(5, 10)]
    with unit_of_work(recording.database) as session:
        found = [seen_before(session, recording.run_id, SYMBOL, at) for at in closes]
    assert found == [None, *closes[:-1]]


def test_why_says_plainly_what_it_did_not_decide_again(recording: Recording) -> None:
    for row in decisions(recording):
        told = why.tell(recording.database, recording.var_dir, decision_id=row["id"])
        outside = (row["strategy"] or "").startswith("webhook:")
        assert [f.code for f in told.rerun.unchecked] == ["why.unchecked.outside"] * outside
        assert list(told.rerun.differs) == []
        for language in Language:
            assert all("{" not in line for line in why.sentences(told, language, "UTC"))
