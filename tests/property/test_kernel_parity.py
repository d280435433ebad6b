"""Two engines, one answer: the kernel and the engine of the main job on random markets.

Here the kernel runs as plain Python, so that every statement is covered; that its compiled form
gives the same is in `tests/integration/test_compiled_kernel.py`. A thousand markets, every floor
and every planted bug: `python -m tests.long.backtest_parity`.
"""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crypto_trader_pro.backtest.compiler import PLAIN
from crypto_trader_pro.backtest.kernel_run import KernelRefused
from tests.backtest_parity import (
    Seen,
    by_kernel,
    by_reference,
    count_into,
    differences,
    random_case,
    short_of,
)
from tests.kernel_bugs import BUGS, planted

SAMPLE = 60
# what 60 markets must have shown at least: a tenth of what they do show
FLOORS = {
    "fill entry": 60, "fill exit": 25, "fill stop": 30, "fill target": 4, "fill trailing": 5,
    "fill liquidation": 1, "bound SIZE": 5, "bound RISK": 5, "bound LEVERAGE": 3,
    "bound VOLUME": 30, "bound MAX_LOTS": 5, "rule data_gate": 50, "rule position_open": 50,
    "rule daily_loss": 30, "rule drawdown": 50, "rule max_positions": 50, "rule cooldown": 30,
    "rule message_rate": 30, "rule direction": 100, "rule expected_edge": 30,
    "rule stop_undefined": 10, "rule price_collar": 50, "rule position_size": 100,
    "rule min_notional": 100, "rule balance": 5, "rule locked": 50, "rule safety": 50,
    "ladder daily_loss_exceeded": 1, "ladder drawdown_reducing": 1, "funding": 50, "detail": 3,
}  # fmt: skip


def test_both_engines_give_the_same_to_the_last_unit(tmp_path: Path) -> None:
    seen: Seen = {}
    for seed in range(SAMPLE):
        case = random_case(seed)
        try:
            played = by_kernel(case, PLAIN)
        except KernelRefused:
            seen["refused"] = seen.get("refused", 0) + 1
            continue
        assert differences(played.result, by_reference(case, tmp_path)) == [], f"seed {seed}"
        count_into(seen, played, case)
    assert short_of(seen, FLOORS) == []
    assert seen.get("refused", 0) <= SAMPLE // 10


@settings(max_examples=15)
@given(seed=st.integers(10_000, 2**31))
def test_no_other_market_differs_either(
    seed: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    case = random_case(seed)
    try:
        played = by_kernel(case, PLAIN)
    except KernelRefused:
        return
    assert differences(played.result, by_reference(case, tmp_path_factory.getbasetemp())) == []


@pytest.mark.parametrize("name", BUGS)
def test_a_planted_bug_is_caught(name: str, tmp_path: Path) -> None:
    bug = BUGS[name]
    case = random_case(bug.seed)
    reference = by_reference(case, tmp_path)
    assert differences(by_kernel(case, PLAIN).result, reference) == []
    assert differences(by_kernel(case, planted(bug)).result, reference) != []
