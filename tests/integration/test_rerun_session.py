"""`why` decides again what a living session decided, from the record of what came into it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete

from auto_trading.control import REARM_WORD
from auto_trading.session_replay import repeat
from auto_trading.why import Explained as Story
from auto_trading.why import tell
from crypto_trader_pro.domain.enums import CommandKind
from crypto_trader_pro.domain.messages import Backfill
from database.auto_trading_db import unit_of_work
from database.models import AiSignalRow
from database.models_engine import SessionEventRow
from tests.control_plane import NOW, SYMBOL
from tests.recorded import (
    FLAT,
    Recording,
    Records,
    bought_and_stopped,
    close_of,
    closed,
    of_kind,
    other_price,
    quick,
    recording_in,
)

UP, DOWN = 6_060_000, 5_990_000


@pytest.fixture
def recording(tmp_path: Path, migrated_file: Path) -> Iterator[Recording]:
    with recording_in(tmp_path / "var", migrated_file) as made:
        yield made


def told(recording: Recording, k: int, run: str = "r1") -> Story:
    """Return the story of what was decided at the close of candle `k`."""
    at_ms = close_of(k)
    return tell(recording.database, recording.var_dir, run=run, symbol=SYMBOL, at_ms=at_ms)


def said(story: Story) -> tuple[str, str, str]:
    (signal,) = story.signals
    return story.rerun.status, signal.signal_type, signal.reason


def codes(story: Story) -> list[str]:
    return [finding.code for finding in story.rerun.differs]


def test_every_decision_is_taken_again_the_same(recording: Recording) -> None:
    bought_and_stopped(recording)
    assert [said(told(recording, k)) for k in range(5, 9)] == [
        ("same", "HOLD", "no_cross"),
        ("same", "BUY", "cross_up"),
        ("same", "HOLD", "no_cross"),
        ("same", "SELL", "cross_down"),
    ]


def test_so_are_those_of_a_repeated_session(recording: Recording) -> None:
    bought_and_stopped(recording)
    repeat(recording.database, "r1", recording.var_dir, lambda: NOW)
    assert said(told(recording, 6, run="r2")) == ("same", "BUY", "cross_up")


def test_another_recorded_candle_is_noticed(recording: Recording) -> None:
    """Had candle 6 closed where candle 5 did, nothing would have crossed."""
    bought_and_stopped(recording)

    def flat(inputs: Records) -> None:
        candle = of_kind(inputs, "candles")[1][2][0]
        candle[1:5] = [FLAT] * 4

    recording.changed(flat)
    assert told(recording, 5).rerun.status == "same"  # it came later
    story = told(recording, 6)
    assert story.rerun.status == "differs"
    assert codes(story) == ["why.differs.hash", "why.differs.signal"]
    assert story.rerun.differs[1].values == {
        "strategy": "ema_cross", "now": "HOLD (no_cross)", "then": "BUY (cross_up)"
    }  # fmt: skip


def test_a_recorded_candle_of_the_warm_up_counts_too(recording: Recording) -> None:
    bought_and_stopped(recording)

    def other_volume(inputs: Records) -> None:
        of_kind(inputs, "missed")[0][2][0][5] += 1

    recording.changed(other_volume)
    assert codes(told(recording, 6)) == ["why.differs.hash"]


def test_prices_in_between_do_not_matter_to_signals(recording: Recording) -> None:
    bought_and_stopped(recording)
    recording.changed(other_price)
    assert told(recording, 6).rerun.status == "same"


def test_a_late_candle_is_seen_where_it_came(recording: Recording) -> None:
    """Candle 6 came after its instant had passed empty: candle 7 closes without a gap."""
    recording.ask(CommandKind.START)
    recording.take(closed(5, FLAT), Backfill(closed(6, FLAT)), closed(7, UP))
    assert said(told(recording, 7)) == ("same", "BUY", "cross_up")
    recording.changed(lambda inputs: inputs.remove(of_kind(inputs, "backfill")[0]))
    assert codes(told(recording, 7)) == ["why.differs.hash", "why.differs.signal"]


def test_a_configuration_that_came_in_between_is_applied_again(recording: Recording) -> None:
    """Other averages begin anew: at candle 7 they have seen one candle, the old ones eight."""
    wanted = quick(strategies__ema_cross__slow=4).canonical_json()
    recording.ask(CommandKind.START)
    recording.take(closed(5, FLAT), closed(6, FLAT))
    assert recording.ask(CommandKind.APPLY_CONFIG, config=wanted) == "done"
    recording.take(closed(7, UP))
    assert said(told(recording, 6)) == ("same", "HOLD", "no_cross")
    assert said(told(recording, 7)) == ("same", "HOLD", "warming_up")

    def without(inputs: Records) -> None:
        inputs.remove(of_kind(inputs, "command")[1])

    recording.changed(without)
    assert told(recording, 7).rerun.differs[0].values["now"] == "BUY (cross_up)"


def test_a_configuration_with_the_same_strategies_keeps_their_averages(
    recording: Recording,
) -> None:
    wanted = quick(limits__cooldown_bars=7).canonical_json()
    recording.ask(CommandKind.START)
    recording.take(closed(5, FLAT))
    assert recording.ask(CommandKind.ROLLBACK_CONFIG, config=wanted) == "done"
    recording.take(closed(6, UP))
    assert said(told(recording, 6)) == ("same", "BUY", "cross_up")


@pytest.mark.parametrize("config", [None, "{}", "symbols"])
def test_a_configuration_that_was_refused_changes_nothing(
    recording: Recording, config: str | None
) -> None:
    other = quick(symbols=["ETH/USDT:USDT"]).canonical_json()
    payload: dict[str, Any] = {} if config is None else {"config": config}
    if config == "symbols":
        payload = {"config": other}
    recording.ask(CommandKind.START)
    recording.take(closed(5, FLAT))
    assert recording.ask(CommandKind.APPLY_CONFIG, **payload) == "refused"
    recording.take(closed(6, UP))
    assert said(told(recording, 6)) == ("same", "BUY", "cross_up")


def test_candles_of_a_stopped_stretch_are_seen_and_not_decided_on(recording: Recording) -> None:
    """Up in the stopped stretch, down after it: a cross down is only said by who saw both."""
    recording.ask(CommandKind.START)
    recording.take(closed(5, FLAT))
    recording.ask(CommandKind.STOP)
    recording.take(closed(6, UP), closed(7, UP))
    recording.ask(CommandKind.START)
    recording.take(closed(8, DOWN))
    assert said(told(recording, 5)) == ("same", "HOLD", "no_cross")
    assert said(told(recording, 8)) == ("same", "SELL", "cross_down")


# --- decisions every second candle: what was said in between is kept ----------------------------


@pytest.fixture
def slower(tmp_path: Path, migrated_file: Path) -> Iterator[Recording]:
    """Decisions fall on full ten minutes: the closes of candles 5, 7, 9, ..."""
    with recording_in(
        tmp_path / "slow", migrated_file, quick(engine__trading_interval=600)
    ) as made:
        made.ask(CommandKind.START)
        yield made


def test_a_cross_between_two_decisions_is_kept_for_the_next(slower: Recording) -> None:
    slower.take(closed(5, FLAT), closed(6, UP), closed(7, UP))
    assert said(told(slower, 7)) == ("same", "BUY", "cross_up")


def test_a_cross_in_a_stopped_stretch_waits_for_the_first_decision(slower: Recording) -> None:
    slower.take(closed(5, FLAT))
    slower.ask(CommandKind.STOP)
    slower.take(closed(6, UP), closed(7, UP), closed(8, UP))
    slower.ask(CommandKind.START)
    slower.take(closed(9, UP))
    assert said(told(slower, 9)) == ("same", "BUY", "cross_up")


def test_a_cross_outlasts_a_decision_without_a_candle(slower: Recording) -> None:
    """Candle 7 never came: that decision was dark and left the cross of candle 6 for the next."""
    slower.take(closed(5, FLAT), closed(6, UP), closed(7, None), closed(8, UP), closed(9, UP))
    dark = told(slower, 7)
    assert (dark.decision.outcome, dark.rerun.status, dark.signals) == ("dark", "same", ())
    assert said(told(slower, 9)) == ("same", "BUY", "cross_up")


def test_a_cross_outlasts_a_start_that_was_refused(slower: Recording) -> None:
    """Candle 7 was not decided on: after an emergency nobody starts before it is rearmed."""
    slower.take(closed(5, FLAT))
    assert slower.ask(CommandKind.EMERGENCY_STOP) == "done"
    assert slower.ask(CommandKind.START) == "refused"
    slower.take(closed(6, UP), closed(7, UP), closed(8, UP))
    assert slower.ask(CommandKind.REARM, confirm=REARM_WORD) == "done"
    assert slower.ask(CommandKind.START) == "done"
    slower.take(closed(9, UP))
    assert said(told(slower, 9)) == ("same", "BUY", "cross_up")


def test_a_cross_is_taken_by_one_decision_only(slower: Recording) -> None:
    slower.take(closed(5, FLAT), closed(6, UP), *(closed(k, UP) for k in range(7, 10)))
    assert said(told(slower, 7)) == ("same", "BUY", "cross_up")
    assert said(told(slower, 9)) == ("same", "HOLD", "no_cross")


def test_a_cross_that_was_taken_does_not_outlast_a_decision_without_a_candle(
    slower: Recording,
) -> None:
    """Decision 5 took it. Decision 7 was dark, and the averages begin anew behind the gap."""
    slower.take(closed(5, UP), closed(6, UP), closed(7, None), closed(8, UP), closed(9, UP))
    assert said(told(slower, 5)) == ("same", "BUY", "cross_up")
    assert said(told(slower, 9)) == ("same", "HOLD", "warming_up")


# --- what cannot be checked ---------------------------------------------------------------------


def test_without_a_record_nothing_is_checked(recording: Recording) -> None:
    bought_and_stopped(recording)
    with unit_of_work(recording.database) as session:
        session.connection().execute(delete(SessionEventRow))
    rerun = told(recording, 6).rerun
    assert rerun.status == "partly"
    assert [f.code for f in rerun.unchecked] == ["why.unchecked.source"]


def test_without_its_candles_the_part_of_a_model_is_left_to_the_replay_of_the_session(
    recording: Recording,
) -> None:
    bought_and_stopped(recording)
    with unit_of_work(recording.database) as session:
        row = session.get(AiSignalRow, told(recording, 6).signals[0].id)
        assert row is not None
        row.model_id = "m1"
        session.add(row)
    rerun = told(recording, 6).rerun
    assert rerun.status == "partly"
    assert [f.code for f in rerun.unchecked] == ["why.unchecked.session_model"]
