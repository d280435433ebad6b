"""kill -9 at any moment, resume, and nothing shows that anything had happened.

Fault catalogue: P1 (killed anywhere), P2 (killed again while it goes on), P3 (old fills are not
booked twice), P5 (two processes over one run). Twenty kills on a real month: `tests/long`.
"""

import os
import random
import signal
import sqlite3
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from auto_trading.replay import Replay, ReplayTools
from auto_trading.replay_market import played as load
from crypto_trader_pro.domain.errors import InputError
from database.auto_trading_db import open_database
from tests.databases import Server
from tests.oracle import audit
from tests.processes import Ended, Moment, Platform, finish, kill, play, stored_bars
from tests.stored import Played, Stored, differences, read_run
from tests.synthetic import BTC, ETH, write_candles, write_funding
from utils.clocks import SystemClock

BARS = 1_500  # of each of two symbols
SPEED = ("--speed", 1_500)  # so that there is time to strike; results do not depend on it
RESUME = ("replay", "--resume", "last", "--json")
TRAILING = ("--set", "strategies.ema_cross.trailing_pct=0.5")
_rng = random.Random(20_250_301)


def _moments(count: int) -> list[Moment]:
    bars = sorted(_rng.randint(100, 2 * BARS - 400) for _ in range(count))
    return [Moment(n, _rng.uniform(0, 0.05)) for n in bars]


KILLS: Mapping[str, list[Moment]] = {
    "right after the first commit": [Moment(0)],
    "somewhere": _moments(1),
    "twice": _moments(2),
    "three times": _moments(3),
}


@dataclass(frozen=True, slots=True)
class Interrupted:
    """A run that was killed and resumed."""

    bars: Sequence[int]  # stored at each kill
    faults: Sequence[Mapping[str, list[str]]]  # what the oracle found after each kill
    ended: Ended
    stored: Stored


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Played:
    """Two symbols with funding."""
    folder = tmp_path_factory.mktemp("market")
    coins = (BTC, ETH)
    files = {
        c.symbol: write_candles(folder / f"{k}.csv.gz", c, seed=11, bars=BARS)
        for k, c in enumerate(coins)
    }
    rates = folder / "funding.csv.gz"
    return Played(files, write_funding(rates, list(files), seed=11, hours=BARS // 60 + 2))


def command(market: Played) -> Sequence[object]:
    return play(market.candles, "--funding", market.funding, *TRAILING)


@pytest.fixture(scope="module")
def whole(
    market: Played, tmp_path_factory: pytest.TempPathFactory
) -> tuple[dict[str, Any], Stored]:
    """The result and the rows of a run that nobody disturbed."""
    platform = Platform(tmp_path_factory.mktemp("whole"), warm=True)
    result = platform.run(*command(market)).result()
    stored = read_run(platform.where)
    assert audit(stored, market, result) == {}
    assert result["fills"] > 50
    return result, stored


def interrupted(platform: Platform, market: Played, moments: Sequence[Moment]) -> Interrupted:
    """Kill the run at each of `moments`, resuming in between, and then let it end."""
    bars, faults = [], []
    arguments: Sequence[object] = command(market)
    for moment in moments:
        bars.append(platform.killed(moment, *arguments, *SPEED))
        faults.append(audit(read_run(platform.where), market))
        arguments = RESUME
    ended = platform.run(*RESUME)
    return Interrupted(bars, faults, ended, read_run(platform.where))


@pytest.fixture(scope="module")
def outcomes(market: Played, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Interrupted]:
    """Every scenario of `KILLS`, two at a time; the first with interpreters of its own."""
    platforms = [Platform(tmp_path_factory.mktemp("killed"), warm=k > 0) for k in range(len(KILLS))]

    def attempt(platform: Platform, moments: Sequence[Moment]) -> Interrupted:
        return interrupted(platform, market, moments)

    with ThreadPoolExecutor(2) as pool:
        return dict(zip(KILLS, pool.map(attempt, platforms, KILLS.values()), strict=True))


@pytest.mark.parametrize("when", KILLS)
def test_a_kill_leaves_nothing_half_written(outcomes: Mapping[str, Interrupted], when: str) -> None:
    outcome = outcomes[when]
    assert list(outcome.faults) == [{}] * len(KILLS[when])
    assert all(0 <= bars < 2 * BARS for bars in outcome.bars)
    assert sorted(set(outcome.bars)) == list(outcome.bars)  # each time it had gone on


@pytest.mark.parametrize("when", KILLS)
def test_a_killed_run_ends_as_if_nothing_had_happened(
    outcomes: Mapping[str, Interrupted], whole: tuple[dict[str, Any], Stored], when: str
) -> None:
    result, stored = whole
    outcome = outcomes[when]
    timing = ("seconds", "bars_per_second")
    expected = {k: v for k, v in result.items() if k not in timing}
    assert {k: v for k, v in outcome.ended.result().items() if k not in timing} == expected
    assert outcome.ended.stderr == ""
    assert differences(outcome.stored, stored) == []


def test_a_run_that_died_before_its_first_commit_starts_from_the_beginning(
    market: Played, whole: tuple[dict[str, Any], Stored], tmp_path: Path
) -> None:
    platform = Platform(tmp_path, warm=True)
    platform.killed(Moment(0), *command(market), "--speed", 100)
    # what stood there a moment before: the run, and nothing of it
    with closing(sqlite3.connect(platform.database, isolation_level=None)) as database:
        for table in ("checkpoints", "ledger_entries", "decisions", "ai_signals_log"):
            database.execute(f"DELETE FROM {table}")  # noqa: S608  names are ours
    assert audit(read_run(platform.where), market) == {}
    platform.run(*RESUME).result()
    assert differences(read_run(platform.where), whole[1]) == []


def test_a_killed_run_ends_as_if_nothing_had_happened_on_postgresql(
    market: Played, whole: tuple[dict[str, Any], Stored], postgresql: Server, tmp_path: Path
) -> None:
    name = postgresql.create()
    try:
        settings = {"CTP_DATABASE_URL": postgresql.url_of(name)}
        platform = Platform(tmp_path, settings, warm=True)
        outcome = interrupted(platform, market, [Moment(900, 0.02)])
        assert list(outcome.faults) == [{}]
        assert outcome.ended.result()["fills_sha256"] == whole[0]["fills_sha256"]
        assert differences(outcome.stored, whole[1]) == []
    finally:
        postgresql.drop(name)


def test_a_second_process_does_not_join_a_run_that_is_being_played(
    market: Played, whole: tuple[dict[str, Any], Stored], tmp_path: Path
) -> None:
    platform = Platform(tmp_path, warm=True)
    first = platform.start(*command(market), *SPEED)
    try:
        Moment(200).wait(platform.where, first)
        second = platform.run(*RESUME)
        assert first.poll() is None
        assert second.code == 2
        assert "r1" in second.complaint()
        assert str(first.pid) in second.complaint()
        ended = finish(first)
    finally:
        kill(first)
    assert ended.result()["fills_sha256"] == whole[0]["fills_sha256"]
    assert differences(read_run(platform.where), whole[1]) == []


def test_a_second_process_does_not_go_on_from_where_the_first_once_was(
    market: Played, whole: tuple[dict[str, Any], Stored], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    platform = Platform(tmp_path, warm=True)
    platform.killed(Moment(900), *command(market), *SPEED)

    def overtaken(*arguments: Any) -> Any:
        """While this process reads the candles, another one plays the run to its end."""
        loaded = load(*arguments)
        platform.run(*RESUME)
        return loaded

    monkeypatch.setattr("auto_trading.replay.played", overtaken)
    database = open_database(f"sqlite:///{platform.database}", durable=False)
    try:
        with suppress(InputError):  # it may say that another process was faster
            Replay(ReplayTools(database, platform.var_dir, SystemClock().now)).resume("last")
    finally:
        database.dispose()
    assert differences(read_run(platform.where), whole[1]) == []
    assert read_run(platform.where).run["status"] == "finished"


def test_ctrl_c_ends_a_replay_at_once_and_leaves_nothing_half_written(tmp_path: Path) -> None:
    # at full speed the engine never waits; these candles play for ten seconds
    long = Played({BTC.symbol: write_candles(tmp_path / "long.csv.gz", BTC, seed=3, bars=60_000)})
    platform = Platform(tmp_path / "var", warm=True)
    process = platform.start(*play(long.candles))
    try:
        Moment(1_000).wait(platform.where, process)
        asked_at = monotonic()
        os.kill(process.pid, signal.SIGINT)
        ended = finish(process)
    finally:
        kill(process)
    assert (ended.code, ended.stdout) == (130, ""), ended.stderr
    assert monotonic() - asked_at < 2.5
    assert ended.stderr.splitlines() == ["interrupted; what was stored is kept"]
    stored = read_run(platform.where)
    assert 1_000 <= stored_bars(platform.where) < 50_000
    assert audit(stored, long) == {}
