"""The rules: each refuses by itself, at its boundary; together they fail closed.

The base case (`tests.builders.risk_inputs`): 100,000 USDT, a lot is worth 40 USDT, stop 1 % away,
50 lots or 2,000 USDT by size and by risk.
"""

import pytest

from crypto_trader_pro.domain.enums import Bound
from crypto_trader_pro.risk import checks, rules
from crypto_trader_pro.risk.rules import CODES, RULES, RiskInputs, Verdict, evaluate, first_refusal
from tests.builders import START_MS, USDT, risk_inputs

LOT = 40 * USDT  # value of a lot in the base case
# fifty lots and their fee: 2,000 + 0.05 % = 2,001 USDT
FIFTY = 2_001 * USDT

# code, the last inputs that pass, the first that are refused
BOUNDARIES: list[tuple[str, dict[str, int], dict[str, int]]] = [
    ("trading_state", {"trading_state": 0}, {"trading_state": 1}),
    ("trading_state", {"trading_state": 0}, {"trading_state": 2}),
    ("data_gate", {"gate_state": 0}, {"gate_state": 1}),
    ("data_gate", {"gate_state": 0}, {"gate_state": 2}),
    ("position_open", {"busy": 0}, {"busy": 1}),
    ("duplicate_bar", {"last_entry_ms": START_MS - 1}, {"last_entry_ms": START_MS}),
    ("duplicate_bar", {"last_entry_ms": 0}, {"last_entry_ms": START_MS + 1}),
    ("daily_loss", {"daily_level": 1}, {"daily_level": 2}),  # a warning refuses nothing
    ("drawdown", {"drawdown_level": 0}, {"drawdown_level": 1}),
    ("drawdown", {"drawdown_level": 0}, {"drawdown_level": 2}),
    ("max_positions", {"open_positions": 4}, {"open_positions": 5}),
    ("max_positions", {"open_positions": 4}, {"open_positions": 6}),
    ("cooldown", {"bars_since_exit": 3}, {"bars_since_exit": 2}),
    ("cooldown", {"bars_since_exit": -1}, {"bars_since_exit": 0}),  # -1: never exited
    ("cooldown", {"bars_since_exit": 0, "cooldown_bars": 0}, {"bars_since_exit": 0}),
    ("message_rate", {"entries_today": 199}, {"entries_today": 200}),
    ("message_rate", {"entries_now": 19}, {"entries_now": 20}),
    ("locked", {"locked_until_ms": START_MS - 1}, {"locked_until_ms": START_MS}),
    ("safety", {}, {"safety": 1}),
    ("safety", {}, {"safety": 2}),
    ("safety", {}, {"safety": 4}),
    ("direction", {"side": 1, "can_short": 0}, {"side": -1, "can_short": 0}),
    ("direction", {"side": -1, "can_short": 1}, {"side": -1, "can_short": 0}),
    # at the margin is not above the margin
    ("expected_edge", {"has_model": 1, "edge_mbp": 20_001}, {"has_model": 1, "edge_mbp": 20_000}),
    ("expected_edge", {"has_model": 0, "edge_mbp": 0}, {"has_model": 1, "edge_mbp": -5}),
    # a long's stop must lie above zero
    ("stop_undefined", {"stop_units": 399_999, "risk_rate": 10**8, "collar_rate": 10**8},
     {"stop_units": 400_000, "risk_rate": 10**8, "collar_rate": 10**8}),
    # 5 % of the close before: 20,000 of 400,000, exactly there is not beyond
    ("price_collar", {"price": 420_000}, {"price": 420_001}),
    ("price_collar", {"price": 380_000}, {"price": 379_999}),
    ("price_collar", {"reference": 400_001}, {"reference": 421_053}),  # 0.05 * 421,053 = 21,052.65
    # one lot needs 40 USDT of size: 2 % of 2,000 USDT, or a tenth of 10 lots of volume
    ("position_size", {"equity": 2_000 * USDT, "risk_rate": 10**8, "min_notional": 0},
     {"equity": 2_000 * USDT - 50, "risk_rate": 10**8, "min_notional": 0}),
    ("position_size", {"volume": 10, "min_notional": 0}, {"volume": 9, "min_notional": 0}),
    ("position_size", {"max_lots": 1, "min_notional": 0}, {"max_lots": 0, "min_notional": 0}),
    ("min_notional", {"min_notional": 50 * LOT}, {"min_notional": 50 * LOT + 1}),
]  # fmt: skip


@pytest.mark.parametrize(("code", "passes", "refused"), BOUNDARIES)
def test_each_rule_alone_refuses_at_its_boundary(
    code: str, passes: dict[str, int], refused: dict[str, int]
) -> None:
    assert evaluate(risk_inputs(**passes)).allowed
    verdict = evaluate(risk_inputs(**refused))
    assert [CODES[bit] for bit in range(len(CODES)) if verdict.mask >> bit & 1] == [code]
    assert verdict.first == code
    assert not verdict.allowed
    assert verdict.broken == ""


@pytest.mark.parametrize(
    ("lots", "room", "refuses"),
    [(50, FIFTY, 0), (50, FIFTY - 1, 1), (0, 0, 0), (1, 0, 1), (1, -1, 1), (0, -1, 1)],
)
def test_the_balance_rule_counts_the_fee(lots: int, room: int, refuses: int) -> None:
    # asked directly: sizing never gives lots that it refuses
    assert rules.BalanceRule().refuses(risk_inputs(room=room), lots) == refuses


@pytest.mark.parametrize(("lots", "refuses"), [(50, 0), (51, 1), (1, 0), (0, 1), (-1, 1)])
def test_the_size_rule_refuses_more_than_its_share_whoever_asks(lots: int, refuses: int) -> None:
    assert rules.PositionSizeRule().refuses(risk_inputs(), lots) == refuses


@pytest.mark.parametrize("stop_units", [0, -1])
def test_an_entry_without_a_stop_has_no_size_either(stop_units: int) -> None:
    verdict = evaluate(risk_inputs(stop_units=stop_units, min_notional=0))
    assert verdict.lots == 0
    assert verdict.mask == 1 << CODES.index("stop_undefined") | 1 << CODES.index("position_size")


def test_the_smallest_stop_is_one_price_unit() -> None:
    assert evaluate(risk_inputs(stop_units=1)).allowed


def test_a_short_needs_no_room_below_its_price() -> None:
    verdict = evaluate(risk_inputs(side=-1, stop_units=400_000, risk_rate=10**8))
    assert verdict.allowed


def test_the_base_case_is_allowed_with_fifty_lots_by_size() -> None:
    assert evaluate(risk_inputs()) == Verdict(0, 50, Bound.SIZE)
    assert evaluate(risk_inputs()).first == ""


def test_there_are_eighteen_rules_in_the_order_in_which_their_bits_are_stored() -> None:
    assert CODES == (
        "trading_state", "data_gate", "position_open", "duplicate_bar", "daily_loss", "drawdown",
        "max_positions", "cooldown", "message_rate", "direction", "expected_edge",
        "stop_undefined", "price_collar", "position_size", "min_notional", "balance",
        "locked", "safety",
    )  # fmt: skip


EVERYTHING_WRONG = risk_inputs(
    trading_state=2, gate_state=2, busy=1, last_entry_ms=START_MS, daily_level=2, drawdown_level=2,
    open_positions=9, bars_since_exit=0, entries_today=999, side=-1, can_short=0, has_model=1,
    stop_units=0, price=800_000, room=-1, day_start=103_093 * USDT, peak=111_112 * USDT,
    locked_until_ms=START_MS, safety=7,
)  # fmt: skip


def test_every_rule_is_evaluated_even_when_the_first_has_refused() -> None:
    verdict = evaluate(EVERYTHING_WRONG)
    assert verdict.mask == (1 << 18) - 1
    assert verdict.first == "trading_state"


@pytest.mark.parametrize(
    ("mask", "code"),
    [(0, ""), (1, "trading_state"), (0b110, "data_gate"), (1 << 15, "balance"),
     ((1 << 16) - 2, "data_gate"), (1 << 13 | 1 << 15, "position_size")],
)  # fmt: skip
def test_the_first_refusal_is_the_lowest_bit(mask: int, code: str) -> None:
    assert first_refusal(mask) == code


def failing(*_: int) -> int:
    raise ZeroDivisionError("a bug")


@pytest.mark.parametrize(
    ("check", "codes"),
    [
        ("not_zero", ["trading_state", "data_gate", "position_open", "drawdown", "safety"]),
        ("duplicate_bar", ["duplicate_bar"]),
        ("at_least", ["daily_loss", "max_positions", "message_rate", "locked"]),
        ("cooling_down", ["cooldown"]),
        ("wrong_direction", ["direction"]),
        ("edge_too_small", ["expected_edge"]),
        ("stop_undefined", ["stop_undefined"]),
        ("outside_collar", ["price_collar"]),
        ("nothing_left", ["position_size"]),
        ("too_large", ["position_size"]),
        ("below_minimum", ["min_notional"]),
        ("unaffordable", ["balance"]),
    ],
)
def test_a_rule_that_raises_refuses_and_is_named(
    monkeypatch: pytest.MonkeyPatch, check: str, codes: list[str]
) -> None:
    monkeypatch.setattr(checks, check, failing)
    verdict = evaluate(risk_inputs())
    assert verdict.mask == sum(1 << CODES.index(code) for code in codes)
    assert verdict.lots == 50
    assert verdict.broken.partition(": ")[0] in codes
    assert "a bug" in verdict.broken


def test_a_size_that_cannot_be_computed_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "size_lots", failing)
    verdict = evaluate(risk_inputs())
    assert (verdict.lots, verdict.allowed) == (0, False)
    assert verdict.broken.startswith("size: ZeroDivisionError")


def test_a_value_that_no_input_may_have_is_refused_and_not_raised() -> None:
    verdict = evaluate(risk_inputs(tv=0))
    assert not verdict.allowed
    assert verdict.broken.startswith("size: ZeroDivisionError")


NUMBERS = {
    "trading_state": {"state": 2},
    "data_gate": {"gate": 2},
    "position_open": {"busy": 1},
    "duplicate_bar": {"last_entry_ms": START_MS, "bar_ms": START_MS},
    "daily_loss": {"level": 2, "equity": 100_000 * USDT, "day_start": 103_093 * USDT},
    "drawdown": {"level": 2, "equity": 100_000 * USDT, "peak": 111_112 * USDT},
    "max_positions": {"open": 9, "limit": 5},
    "cooldown": {"bars": 0, "limit": 3},
    "message_rate": {"today": 999, "per_day": 200, "now": 0, "per_cycle": 20},
    "direction": {"side": -1},
    "expected_edge": {"edge_mbp": 0, "margin_mbp": 20_000},
    "stop_undefined": {"price": 800_000, "stop_units": 0},
    "price_collar": {"price": 800_000, "reference": 400_000, "collar_rate": 5_000_000},
    # 3 lots at 80,000.0: 240 USDT
    "position_size": {"lots": 3, "notional": 240 * USDT, "equity": 100_000 * USDT},
    "min_notional": {"notional": 240 * USDT, "minimum": 5 * USDT},
    "balance": {"notional": 240 * USDT, "room": -1},
    "locked": {"stops": 0, "until_ms": START_MS},
    "safety": {"connection": 1, "volatility": 1, "free_balance": 1},
}


@pytest.mark.parametrize("rule", RULES, ids=CODES)
def test_each_rule_gives_the_numbers_it_judged_by(rule: rules.RiskRule) -> None:
    assert dict(rule.numbers(EVERYTHING_WRONG, 3)) == NUMBERS[rule.code]


def test_inputs_survive_their_row_so_that_why_asks_the_same_again() -> None:
    stored = list(EVERYTHING_WRONG)
    assert evaluate(RiskInputs(*stored)) == evaluate(EVERYTHING_WRONG)
