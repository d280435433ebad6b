"""The gates in their order, each with its code and numbers."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from crypto_trader_pro.ai import gates
from crypto_trader_pro.ai.config import AiConfig
from crypto_trader_pro.ai.gates import GATES, Row, Trained
from crypto_trader_pro.ai.predictions import Predictions, SidePredictions
from crypto_trader_pro.ai.proving import Proving
from crypto_trader_pro.domain.enums import TradingMode
from crypto_trader_pro.domain.signals import ModelView

PROVEN = Proving(True, "proven", 250, 200, 40, 8, 12.0, 9.0, 1.5, (2.0, 16.0), 77)
LOSING = replace(PROVEN, open=False, code="no_edge", mean_bp=-22.9, lower_bp=-44.0)
YOUNG = replace(PROVEN, open=False, code="few_trades", trades=64)
GOOD = Row(
    side=1, ready=True, novel=0, probability=450_000, edge_mbp=30_000,
    baseline_probability=440_000, baseline_edge_mbp=25_000, break_even=390_000, ranks=True,
)  # fmt: skip
CUTOFF = 1_704_067_200_000  # 2024-01-01
EXPIRY = 1_719_792_000_000  # 2024-07-01, six months later
OPEN: dict[str, Any] = {
    "trained": Trained(CUTOFF, 24), "now_ms": EXPIRY - 1,
    "skill": 0.001, "mode": TradingMode.CONSERVATIVE, "proving": PROVEN, "cfg": AiConfig(),
}  # fmt: skip


def codes(row: Row = GOOD, **changes: Any) -> list[str]:
    return [result.code for result in gates.evaluate(row, **{**OPEN, **changes})]


def test_all_gates_are_evaluated_in_their_order() -> None:
    results = gates.evaluate(GOOD, **OPEN)
    assert tuple(r.gate for r in results) == GATES
    assert all(r.open for r in results)
    assert gates.first_closed(results) == "open"


@pytest.mark.parametrize(
    ("gate", "row", "changes", "code"),
    [
        ("data", {"ready": False}, {}, "features_not_ready"),
        ("model", {}, {"now_ms": EXPIRY}, "model_expired"),
        ("model", {}, {"trained": Trained(CUTOFF, 11)}, "short_history"),
        ("novelty", {"novel": 8}, {}, "novel_market"),
        ("ranking", {"ranks": False}, {}, "model_ranks_nothing"),
        ("skill", {}, {"skill": 0.0}, "no_skill"),
        ("skill", {}, {"skill": -0.002}, "no_skill"),
        ("skill", {}, {"skill": float("nan")}, "no_record"),
        ("margin", {"edge_mbp": 20_000}, {}, "edge_below_margin"),
        ("proving", {}, {"proving": LOSING}, "no_edge"),
        ("proving", {}, {"proving": YOUNG}, "few_trades"),
    ],
)
def test_each_gate_closes_alone(
    gate: str, row: dict[str, Any], changes: dict[str, Any], code: str
) -> None:
    got = codes(replace(GOOD, **row), **changes)
    expected = ["open"] * len(GATES)
    expected[GATES.index(gate)] = code
    assert got == expected


def test_the_first_closed_gate_is_the_reason() -> None:
    worst = replace(GOOD, ready=False, novel=36, ranks=False, edge_mbp=-1)
    results = gates.evaluate(worst, **{**OPEN, "skill": -1.0, "proving": LOSING})
    assert [r.open for r in results] == [False, True] + [False] * 5
    assert gates.first_closed(results) == "features_not_ready"
    assert gates.first_closed(results[3:]) == "model_ranks_nothing"


@pytest.mark.parametrize(
    ("mode", "margin"),
    [
        (TradingMode.CONSERVATIVE, 20_000),
        (TradingMode.BALANCED, 10_000),
        (TradingMode.AGGRESSIVE, 5_000),
    ],
)
def test_the_margin_is_that_of_the_mode_and_is_to_be_exceeded(
    mode: TradingMode, margin: int
) -> None:
    assert "edge_below_margin" in codes(replace(GOOD, edge_mbp=margin), mode=mode)
    assert "edge_below_margin" not in codes(replace(GOOD, edge_mbp=margin + 1), mode=mode)


def test_a_fifth_of_36_features_is_seven() -> None:
    assert gates.novelty_gate(7, AiConfig()).open
    closed = gates.novelty_gate(8, AiConfig())
    assert not closed.open
    assert closed.numbers == {"novel": 8, "features": 36, "allowed": 7}


def test_an_old_model_of_little_history_is_above_all_expired() -> None:
    got = gates.model_gate(Trained(CUTOFF, 6), EXPIRY, AiConfig())
    assert got.code == "model_expired"
    assert got.numbers == {"expires_ms": EXPIRY, "months": 6, "needed": 12}


def test_the_numbers_of_a_gate_fill_its_sentence() -> None:
    margin = gates.margin_gate(3_000, 5_000)
    assert margin.numbers == {"edge_mbp": 3_000, "margin_mbp": 5_000}
    proof = gates.proving_gate(LOSING)
    assert proof.numbers["mean_bp"] == -22.9
    assert (proof.numbers["low_bp"], proof.numbers["high_bp"]) == (2.0, 16.0)


def test_no_profit_is_shown_before_the_record_is_long_enough() -> None:
    numbers = gates.proving_gate(YOUNG).numbers
    assert numbers["trades"] == 64
    assert numbers["needed_trades"] == 200
    assert not {"expected_bp", "mean_bp", "lower_bp", "low_bp", "high_bp"} & set(numbers)


def predictions(
    long_edge: int, short_edge: int, *, long_ranks: bool = True, short_ranks: bool = True
) -> Predictions:
    def side(edge: int, probability: int, *, ranks: bool) -> SidePredictions:
        return SidePredictions(
            np.array([0, probability]), np.array([0, edge]), np.array([0, 333]),
            np.array([0, 444]), np.array([0, 555]), ranks, True,
        )  # fmt: skip

    return Predictions(
        side(long_edge, 111, ranks=long_ranks),
        side(short_edge, 222, ranks=short_ranks),
        np.array([0, 3]),
    )


def test_the_side_with_the_larger_edge_is_judged() -> None:
    assert gates.best_side(predictions(5, 9), 1, ready=True).side == -1
    assert gates.best_side(predictions(9, 5), 1, ready=True).side == 1
    assert gates.best_side(predictions(7, 7), 1, ready=True).side == 1
    # a side that ranks nothing yields to one that does
    assert gates.best_side(predictions(9, 5, long_ranks=False), 1, ready=True).side == -1
    both = predictions(9, 5, long_ranks=False, short_ranks=False)
    assert gates.best_side(both, 1, ready=True).side == 1


def test_a_judged_row_holds_plain_whole_numbers() -> None:
    row = gates.best_side(predictions(5, 9), 1, ready=False)
    assert row == Row(-1, False, 3, 222, 9, 333, 444, 555, True)
    assert all(type(v) in (int, bool) for v in (row.novel, row.probability, row.edge_mbp))


def test_the_view_of_a_signal_names_the_first_closed_gate() -> None:
    results = gates.evaluate(GOOD, **{**OPEN, "proving": YOUNG})
    view = gates.model_view("abc", GOOD, results, YOUNG)
    assert view == ModelView("abc", 450_000, 390_000, 30_000, 440_000, "few_trades", False)
    results = gates.evaluate(GOOD, **OPEN)
    assert gates.model_view("abc", GOOD, results, PROVEN).gate == "open"
    assert gates.model_view("abc", GOOD, results, PROVEN).proven
