"""A living model, fed candle by candle, says what a replay says that knows them all."""

import json
from dataclasses import replace
from decimal import Decimal
from functools import cache
from pathlib import Path

import pytest

from auto_trading.translation import ai_config
from crypto_trader_pro.ai.config import AiConfig
from crypto_trader_pro.domain.market import CandleSeries
from crypto_trader_pro.simulation.instruments import instrument
from tests.builders import HOUR
from tests.living import Living, Replayed, feed, installable
from tests.rhythm import (
    SYMBOLS,
    a_folder,
    halved,
    market,
    model_settings,
    without,
)


@cache
def cfg() -> AiConfig:
    return ai_config(model_settings(), [instrument(s) for s in SYMBOLS])


@cache
def models() -> Path:
    return a_folder()


@cache
def replayed() -> Replayed:
    return Replayed(market(), cfg(), models())


def lived(
    series: list[CandleSeries] | tuple[CandleSeries, ...], known: Replayed, living: Living,
    *, killed_at: frozenset[int] = frozenset(),
) -> int:  # fmt: skip
    """Feed everything; compare every signal; return how many had a direction."""
    wished = 0
    for k, (close_ms, bars) in enumerate(feed(series)):
        facts = known.trained.get(close_ms)
        if facts is not None:
            living.model.install(installable(facts))
        said = living.take(close_ms, bars)
        assert said == known.said[close_ms], (close_ms, k)
        wished += sum(s.direction != 0 for s in said)
        if k in killed_at:
            living.reborn(json.loads(json.dumps(living.model.state())))
    return wished


def test_live_equals_replay() -> None:
    living = Living(SYMBOLS, cfg(), models(), bar_ms=HOUR)
    assert lived(market(), replayed(), living) > 1_000
    assert living.book.opened == replayed().book.opened
    known = {row[:3]: row for row in replayed().book.closed}
    closed = {row[:3]: row for row in living.book.closed}
    assert len(closed) > 400
    assert closed.items() <= known.items()
    assert len(known) - len(closed) <= 2 * len(SYMBOLS)  # the last ones end by time later
    ours, theirs = living.model.report(), replayed().model.report()
    assert ours["proving"] == theirs["proving"]
    assert ours["brier_skill_gate_pct"] == theirs["brier_skill_gate_pct"]
    assert ours["proving"]["open"]


def test_restarts_in_the_middle_change_nothing() -> None:
    """Right after an install, amid shadow trades, while two models are being scored, weekly."""
    living = Living(SYMBOLS, cfg(), models(), bar_ms=HOUR)
    killed = frozenset({0, 700, 1_417, 1_418, 1_500, 1_700, 2_161, 2_170, 2_184, 2_500, 2_712})
    assert lived(market(), replayed(), living, killed_at=killed) > 1_000
    assert living.book.opened == replayed().book.opened
    assert living.model.report()["proving"] == replayed().model.report()["proving"]
    skill = living.model.report()["brier_skill_gate_pct"]
    assert skill == replayed().model.report()["brier_skill_gate_pct"]
    assert living.model.status.lost_windows == ()


@pytest.mark.parametrize("killed", [frozenset[int](), frozenset(range(1_420, 1_800, 29))])
def test_trades_that_end_by_time_are_those_of_a_replay(
    tmp_path: Path, killed: frozenset[int]
) -> None:
    """Distances that are seldom reached within six hours: the open after them ends the trade."""
    wide = replace(cfg(), stop_atr=Decimal(3), target_atr=Decimal(6), horizon=6)
    series = [s.slice(0, 75 * 24) for s in market()]
    known = Replayed(series, wide, tmp_path)
    living = Living(SYMBOLS, wide, tmp_path, bar_ms=HOUR)
    assert lived(series, known, living, killed_at=killed) > 100
    # in the last instant a replay sees that no candle will come to end the trades of before
    last_ms = int(series[0].open_ms[-1]) + HOUR
    assert [row for row in living.book.opened if row[3] < last_ms] == [
        row for row in known.book.opened if row[3] < last_ms
    ]
    closed = {row[:3]: row for row in living.book.closed}
    assert closed.items() <= {row[:3]: row for row in known.book.closed}.items()
    by_time = [row for row in living.book.closed if row[-1] == "time_out"]
    assert len(by_time) > 30
    assert len(by_time) < len(closed)
    assert len(known.book.closed) - len(closed) <= len(SYMBOLS)


def test_from_finer_candles_it_says_the_same_at_each_full_hour() -> None:
    coarse = [s.slice(0, 66 * 24) for s in market()]
    living = Living(SYMBOLS, cfg(), models(), bar_ms=HOUR // 2)
    for k, (close_ms, bars) in enumerate(feed([halved(s) for s in coarse])):
        facts = replayed().trained.get(close_ms)
        if facts is not None:
            living.model.install(installable(facts))
        said = living.take(close_ms, bars)
        if close_ms % HOUR:
            assert {s.reason for s in said} == {"not_due"}
        else:
            bars_later = 2 * 24  # the time-out is counted in the engine's candles
            expected = [s._replace(max_bars=bars_later) if s.direction else s
                        for s in replayed().said[close_ms]]  # fmt: skip
            assert said == expected
        if k in (2_900, 2_901, 2_990):  # on the half hour too
            living.reborn(json.loads(json.dumps(living.model.state())))
    assert len(living.book.opened) > 10


def gapped() -> list[CandleSeries]:
    """The market with a hole in one symbol while its first shadow trade is on its way."""
    first = replayed().book.opened[0]
    decided = first[3]
    return [without(s, decided + 2 * HOUR, 3) if s.symbol == first[1] else s for s in market()]


def test_a_gap_silences_a_symbol_as_in_a_replay(tmp_path: Path) -> None:
    series = [s.slice(0, 2_150) for s in gapped()]
    known = Replayed(series, cfg(), tmp_path)
    living = Living(SYMBOLS, cfg(), tmp_path, bar_ms=HOUR)
    assert lived(series, known, living, killed_at=frozenset({1_430, 1_800})) > 500
    assert living.book.opened == known.book.opened
    reasons = {s.reason for said in known.said.values() for s in said}
    assert "no_features" in reasons


@pytest.mark.parametrize("missing", [2_880, 2_881])
@pytest.mark.parametrize("killed", [False, True])
def test_a_late_candle_closes_its_gap(killed: bool, missing: int) -> None:
    """Half an hour is missing and comes two hours later: from then on nothing is different.

    The hour that lacks it is the first after 60 days; the first model was trained the day before.
    """
    instants = feed([halved(s.slice(0, 62 * 24)) for s in market()])
    whole = Living(SYMBOLS, cfg(), models(), bar_ms=HOUR // 2)
    late = Living(SYMBOLS, cfg(), models(), bar_ms=HOUR // 2)
    silent = 0
    for k, (close_ms, bars) in enumerate(instants):
        facts = replayed().trained.get(close_ms)
        if facts is not None:
            whole.model.install(installable(facts))
            late.model.install(installable(facts))
        expected = whole.take(close_ms, bars)
        said = late.take(close_ms, bars if k != missing else [bars[0], None])
        if killed and k in (missing, missing + 1, missing + 3, missing + 9):
            late.reborn(json.loads(json.dumps(late.model.state())))
        if k == missing + 4:
            at, held = instants[missing]
            late.model.observe(at, late._monitor.show([None, held[1]]))
            assert late.model.state()["tick_ms"] == whole.model.state()["tick_ms"]
        if 2_881 <= k <= missing + 4 and close_ms % HOUR == 0:
            silent += 1
            assert said[0] == expected[0]
            assert said[1].reason == "no_features"
            # first the candle itself is missing, then there is one but no whole window
            if k != missing + 4:
                assert late.model.status.short == (() if k == 2_881 else (SYMBOLS[1],))
        else:
            assert said == expected
    assert silent == (2 if missing == 2_880 else 3)
    assert late.model.status.ready == 2
    # what was not said then is not scored later, not after a restart either
    rows, expected_rows = (x.model.state()["sums"][0][0] for x in (late, whole))
    assert rows == expected_rows - silent
