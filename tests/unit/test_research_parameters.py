"""Grids of parameters: names, ranges, combinations, and what makes two trials one."""

from decimal import Decimal

import pytest

from auto_trading.research.parameters import (
    cases_of,
    grid_of,
    key_of,
    name_of,
    params_hash,
    values_of,
    with_params,
)
from auto_trading.research.sweep import valid_cases
from config.faults import SettingsError
from config.loading import load
from crypto_trader_pro.domain.errors import InputError

FAST, SLOW = "strategies.ema_cross.fast", "strategies.ema_cross.slow"
EMA = ("ema_cross",)
SETTINGS = load(environ={})


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("5", ["5"]),
        ("5,8,12", ["5", "8", "12"]),
        ("20:60:20", ["20", "40", "60"]),
        ("20:59:20", ["20", "40"]),  # 60 is beyond
        ("0.1:0.4:0.1", ["0.1", "0.2", "0.3", "0.4"]),  # as decimals: 0.1 + 0.2 is 0.3
        ("5, 3:7:2 ,5", ["5", "3", "7"]),
        ("atr,fixed", ["atr", "fixed"]),
    ],
)
def test_values_of_a_parameter(text: str, values: list[str]) -> None:
    assert values_of(text) == values


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("5,,8", "values were '5,,8', allowed: 5,8,12 or 20:60:5"),
        ("5:8", "range was '5:8', allowed: first:last:step with a step above 0"),
        ("5:8:0", "range was '5:8:0', allowed: first:last:step with a step above 0"),
        ("5:x:1", "range was '5:x:1', allowed: first:last:step with a step above 0"),
        ("9:5:1", "range '9:5:1' has 0 values, allowed: 1 to 10000"),
        ("0:1:0.00001", "range '0:1:0.00001' has 100001 values, allowed: 1 to 10000"),
    ],
)
def test_values_that_are_none(text: str, line: str) -> None:
    with pytest.raises(InputError) as raised:
        values_of(text)
    assert str(raised.value) == line


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("fast", FAST),
        ("ema_cross.fast", FAST),
        (FAST, FAST),
        ("paper.slippage_pct", "paper.slippage_pct"),
    ],
)
def test_a_name_means_a_setting(name: str, key: str) -> None:
    assert key_of(name, EMA) == key


@pytest.mark.parametrize(
    ("name", "strategies", "line"),
    [
        ("fats", EMA, "parameter was 'fats', no setting has this name; nearest is fast"),
        ("research.workers", EMA, ("parameter was 'research.workers', no setting has this name;"
         " nearest is")),
        ("enabled", ("ema_cross", "ai_signal"), ("parameter 'enabled' is one of"
         " strategies.ema_cross.enabled and strategies.ai_signal.enabled; name it whole")),
    ],
)  # fmt: skip
def test_a_name_that_means_none(name: str, strategies: tuple[str, ...], line: str) -> None:
    with pytest.raises(InputError) as raised:
        key_of(name, strategies)
    assert str(raised.value).startswith(line)


@pytest.mark.parametrize(
    ("texts", "line"),
    [
        (["fast"], "--param was 'fast', allowed: NAME=VALUES (fast=5,8,12 or slow=20:60:5)"),
        (["fast="], "--param was 'fast=', allowed: NAME=VALUES (fast=5,8,12 or slow=20:60:5)"),
        (["fast=5", f"{FAST}=8"], f"parameter {FAST} was given twice"),
    ],
)
def test_a_grid_that_is_none(texts: list[str], line: str) -> None:
    with pytest.raises(InputError) as raised:
        grid_of(texts, EMA)
    assert str(raised.value) == line


def test_every_combination_comes_once() -> None:
    grid = grid_of(["fast=5,8", "slow=20,30"], EMA)
    assert [name_of(case) for case in cases_of(grid)] == [
        "fast=5 slow=20", "fast=5 slow=30", "fast=8 slow=20", "fast=8 slow=30",
    ]  # fmt: skip


def test_a_grid_too_large_is_refused_before_it_is_made() -> None:
    grid = {f"k{i}": [str(v) for v in range(100)] for i in range(3)}
    with pytest.raises(InputError, match="has 1000000 combinations, allowed: at most 100000"):
        next(cases_of(grid))


def test_combinations_that_contradict_themselves_are_counted() -> None:
    found = valid_cases(SETTINGS, {FAST: ["10", "20", "30"], SLOW: ["20", "30"]})
    assert list(found.cases) == ["fast=10 slow=20", "fast=10 slow=30", "fast=20 slow=30"]
    assert found.skipped == 3  # 20/20, 30/20, 30/30


def test_a_value_that_is_never_allowed_is_a_mistake() -> None:
    with pytest.raises(SettingsError) as raised:
        valid_cases(SETTINGS, {FAST: ["10", "1"], SLOW: ["20"]})
    assert str(raised.value) == f"argument: {FAST} was 1, allowed: a whole number from 2 to 1000"
    with pytest.raises(InputError, match="all 2 combinations of the parameters contradict"):
        valid_cases(SETTINGS, {FAST: ["50", "60"], SLOW: ["40"]})


def test_parameters_are_settings() -> None:
    found = with_params(SETTINGS, {FAST: "5", "paper.slippage_pct": "0.1"})
    assert found.strategies.ema_cross.fast == 5
    assert found.paper.slippage_pct == Decimal("0.1")
    assert with_params(found, {FAST: "12", "paper.slippage_pct": "0.02"}) == SETTINGS


def test_what_makes_two_trials_one() -> None:
    own = params_hash(SETTINGS, EMA)
    assert own == params_hash(with_params(SETTINGS, {FAST: "12"}), EMA)  # as it is anyway
    for key, value in (
        ("research.workers", "3"),
        ("quiet_hours.start", "01:00"),
        ("strategies.ai_signal.horizon_bars", "12"),  # does not run
        ("strategies.ema_cross.enabled", "false"),  # it runs because it was asked for
    ):
        assert params_hash(with_params(SETTINGS, {key: value}), EMA) == own
    for key, value in ((FAST, "5"), ("paper.slippage_pct", "0.1"), ("limits.cooldown_bars", "9")):
        assert params_hash(with_params(SETTINGS, {key: value}), EMA) != own
    assert params_hash(SETTINGS, ("ai_signal",)) != own
