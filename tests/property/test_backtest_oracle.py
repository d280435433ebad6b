"""The oracle of backtests: it has nothing to say of random markets, and names every planted bug.

Comparing both engines is blind to a fault of the functions that they share; this is not. The bugs
here are in those functions (`tests/shared_bugs.py`) and in what both engines are given.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from auto_trading import translation
from auto_trading.backtesting import compiled
from config.settings import Settings
from crypto_trader_pro.backtest.compiler import PLAIN
from crypto_trader_pro.backtest.kernel_run import KernelRefused
from crypto_trader_pro.backtest.result import BacktestResult
from crypto_trader_pro.domain.calendar import TradingCalendar, TradingDay
from tests.backtest_hand import a_coin, by_hand, faults_of, flat, says
from tests.backtest_oracle_facts import impossible
from tests.backtest_oracle_risk import RULES
from tests.backtest_parity import (
    Case,
    Seen,
    by_kernel,
    by_reference,
    count_into,
    random_case,
    short_of,
)
from tests.shared_bugs import SHARED_BUGS, planted

SAMPLE = 60
# what 60 markets must have shown at least, so that silence means something: a third of what they do
FLOORS = {
    "fill entry": 200, "fill exit": 80, "fill stop": 100, "fill target": 10, "fill trailing": 15,
    "fill liquidation": 2, "funding": 150, "detail": 5, "end time_to_live": 10,
    "end position_closed": 100, "end time_out": 5, **{f"rule {rule}": 10 for rule in RULES
                                                     if rule not in ("duplicate_bar", "balance")},
}  # fmt: skip


def _played(case: Case) -> BacktestResult | None:
    try:
        return by_kernel(case, PLAIN).result
    except KernelRefused:
        return None


def _audit_markets(seeds: range) -> Seen:
    seen: Seen = {}
    for seed in seeds:
        case = random_case(seed)
        try:
            played = by_kernel(case, PLAIN)
        except KernelRefused:
            seen["refused"] = seen.get("refused", 0) + 1
            continue
        assert faults_of(case, played.result) == [], f"seed {seed}"
        count_into(seen, played, case)
    return seen


def test_nothing_is_found_in_random_markets() -> None:
    seen = _audit_markets(range(SAMPLE))
    assert short_of(seen, FLOORS) == []
    assert seen.get("refused", 0) <= SAMPLE // 10


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_nothing_is_found_in_a_thousand_markets() -> None:
    seen = _audit_markets(range(1_000))
    assert short_of(seen, {what: 16 * floor for what, floor in FLOORS.items()}) == []


def test_nothing_is_found_in_what_the_engine_itself_makes(tmp_path: Path) -> None:
    for seed in (2, 15, 26, 36, 49):
        case = random_case(seed)
        assert faults_of(case, by_reference(case, tmp_path)) == [], f"seed {seed}"


# --- what it finds ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SHARED_BUGS)
def test_a_bug_of_a_shared_function_is_named(name: str) -> None:
    bug = SHARED_BUGS[name]
    case = random_case(bug.seed)
    found = faults_of(case, by_kernel(case, planted(bug)).result)
    assert found
    assert found[0].startswith(f"{bug.check}: "), found[0]


def _late_days(monkeypatch: pytest.MonkeyPatch) -> None:
    """A day ends an hour late."""
    true = TradingCalendar.day_of

    def late(self: TradingCalendar, ms: int) -> TradingDay:
        name, start, end = true(self, ms - 3_600_000)
        return TradingDay(name, start + 3_600_000, end + 3_600_000)

    monkeypatch.setattr(TradingCalendar, "day_of", late)


def _limits(**wrong: Callable[[Any], Any]) -> Callable[[pytest.MonkeyPatch], None]:
    """A limit that is translated wrongly."""

    def plant(monkeypatch: pytest.MonkeyPatch) -> None:
        true = translation.limits_of

        def limits_of(settings: Settings) -> Any:
            limits = true(settings)
            return limits._replace(**{x: f(getattr(limits, x)) for x, f in wrong.items()})

        monkeypatch.setattr(compiled, "limits_of", limits_of)

    return plant


def _costs(**wrong: Callable[[Any], Any]) -> Callable[[pytest.MonkeyPatch], None]:
    """A cost that is translated wrongly."""

    def plant(monkeypatch: pytest.MonkeyPatch) -> None:
        true = translation.costs_of

        def costs_of(settings: Settings) -> Any:
            costs = true(settings)
            return costs._replace(**{x: f(getattr(costs, x)) for x, f in wrong.items()})

        monkeypatch.setattr(compiled, "costs_of", costs_of)

    return plant


GIVEN_BUGS: dict[str, Callable[[pytest.MonkeyPatch], None]] = {
    "the day ends a candle late": _late_days,
    "the mode's factor is forgotten": _limits(size_rate=lambda x: x // 2),
    "half the daily limit": _limits(daily_loss_rate=lambda x: x // 2),
    "twice the drawdown": _limits(drawdown_kill_rate=lambda x: 2 * x),
    "one entry more a day": _limits(max_entries_per_day=lambda x: x + 1),
    "recovery at half its line": _limits(drawdown_recover_rate=lambda x: x // 2),
    "a candle of latency more": _costs(latency_bars=lambda x: x + 1),
    "an entry works a candle longer": _costs(entry_ttl_bars=lambda x: x + 1),
    "half the liquidation fee": _costs(liquidation_rate=lambda x: x // 2),
    "isolated is cross": _costs(isolated_rate=lambda _: 0),
    "twice the volume": _costs(volume_share=lambda x: 2 * x),
}


@pytest.mark.parametrize("name", GIVEN_BUGS)
def test_a_bug_in_what_both_engines_are_given_is_found(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    GIVEN_BUGS[name](monkeypatch)
    cases = map(random_case, (49, 2, 15, 36, 23, 44, 17, 19, 210))
    results = ((case, _played(case)) for case in cases)
    assert any(result is not None and faults_of(case, result) for case, result in results)


# --- what can never be ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("table", "column", "row", "change", "check"),
    [
        ("fills", 3, 1, 1, "position"),  # a lot more is sold than was held
        ("fills", 4, 0, -5, "price"),  # bought below the open
        ("fills", 4, 0, 1, "price"),  # between two ticks
        ("fills", 5, 0, 1, "sums"),  # a fee that the order does not have
        ("fills", 2, 0, -2, "fill"),  # bought is sold
        ("fills", 8, 0, -1, "time"),  # no candle opens then
        ("fills", 8, 0, -3_600_000, "time"),  # before it was decided
        ("orders", 9, 0, -1, "end"),  # filled in part, and all of it
        ("orders", 6, 0, 1, "end"),  # a lot is missing of an order that is full
    ],
)  # fmt: skip
def test_impossible_rows_are_named(
    table: str, column: int, row: int, change: int, check: str, tmp_path: Path
) -> None:
    hand = by_hand(tmp_path, a_coin(), flat(1000, 6), [says(0, stop=100, hold=2)])
    rows = np.array(getattr(hand.result, table))
    rows[row, column] += change
    changed: dict[str, Any] = {table: rows}
    result = replace(hand.result, **changed)
    candles, settings = hand.case.candles, hand.case.settings
    assert impossible(hand.result, candles, settings) == []
    found = impossible(result, candles, settings)
    assert check in {line.split(":")[0].split(" ")[0] for line in found}, found
    assert faults_of(hand.case, result) != []


def test_more_than_the_volume_is_named(tmp_path: Path) -> None:
    """4 lots were to be had in candle 1; a result that took 5 of them, all else fitting."""
    hand = by_hand(
        tmp_path, a_coin(lots=4), [*flat(1000, 1, 40), *flat(1000, 3, 40)], [says(0, stop=100)],
        {"paper.volume_share_pct": "10"},
    )  # fmt: skip
    candles = hand.case.candles
    thin = replace(candles.series[0], volume=np.array([40, 30, 40, 40]))
    scarce = replace(candles, series=(thin,))
    found = impossible(hand.result, scarce, hand.case.settings)
    assert found == [
        f"volume: 4 lots of X/USDT:USDT at {hand.result.start_ms + 3_600_000}, at most 3"
    ]
