"""Every rule is a line of a table, passed or refused: what it saw and what it allows.

The entry of `risk_inputs`: 50 lots of 40 USDT of 100,000 USDT, a stop 1 % away, nothing open.
"""

import pytest

from crypto_trader_pro.explain.findings import Finding, Rerun
from crypto_trader_pro.explain.rules import ToldRule, rule_sentence, told_rule
from crypto_trader_pro.explain.story import RuleAnswer
from crypto_trader_pro.explain.units import change_text, worded
from crypto_trader_pro.explain.wording import rerun_sentence
from crypto_trader_pro.risk.rules import CODES, RULES, RiskRule, evaluate
from tests.builders import HOUR, START_MS, USDT, an_instrument, risk_inputs
from utils.texts import Language, catalogue

SEOUL = "Asia/Seoul"
ITEM = an_instrument()  # BTC perpetual, a price unit is 0.1
KOREAN, ENGLISH = Language.KOREAN, Language.ENGLISH


def line(code: str, changes: dict[str, int], language: Language = ENGLISH) -> ToldRule:
    """Return the line of one rule for an entry with `changes`, verdict and size as decided."""
    x = risk_inputs(**changes)
    verdict = evaluate(x)
    bit = CODES.index(code)
    answer = RuleAnswer(code, bool(verdict.mask >> bit & 1), RULES[bit].numbers(x, verdict.lots))
    return told_rule(answer, x, ITEM, language, SEOUL)


@pytest.mark.parametrize(
    ("code", "changes", "value", "limit"),
    [
        ("trading_state", {}, "now active", "active only"),
        ("data_gate", {}, "gate green", "green only"),
        ("position_open", {}, "position or entry: none", "none only"),
        ("duplicate_bar", {}, "no entry before", "before 2024-01-01 09:00 KST"),
        (
            "duplicate_bar", {"last_entry_ms": START_MS - HOUR},
            "last entry 2024-01-01 08:00 KST", "before 2024-01-01 09:00 KST",
        ),
        (
            "daily_loss", {"account_equity": 98_000 * USDT, "daily_level": 1},
            "-2.00 % since the day began (level 1)", "below level 2",
        ),
        ("drawdown", {"peak": 125_000 * USDT}, "-20.00 % from the peak (level 0)", "below level 1"),
        ("max_positions", {"open_positions": 4}, "4 open", "fewer than 5"),
        ("cooldown", {}, "no exit before", "at least 3"),
        ("cooldown", {"bars_since_exit": 3}, "3 candles since the exit", "at least 3"),
        (
            "message_rate", {"entries_today": 7, "entries_now": 1},
            "7 today, 1 in this cycle", "fewer than 200 a day, 20 a cycle",
        ),
        ("direction", {"side": -1}, "entry: sell", "allowed: buy, sell"),
        ("expected_edge", {}, "not a model's signal", "more than +20.0 bp"),
        (
            "expected_edge", {"has_model": 1, "edge_mbp": 20_100},
            "+20.1 bp after costs", "more than +20.0 bp",
        ),
        (
            "stop_undefined", {}, "stop 400 away (-1.00 %)",
            "more than 0 (a buy: less than 40000)",
        ),
        (
            "stop_undefined", {"side": -1}, "stop 400 away (+1.00 %)",
            "more than 0 (a buy: less than 40000)",
        ),
        (
            "price_collar", {"reference": 390_000},
            "+2.56 % from the close before (39000 → 40000)", "within ±5 %",
        ),
        (
            "position_size", {}, "2,000.00 USDT (50 lots)",
            "at least 1 lot, at most 2,000.00 USDT",
        ),
        ("min_notional", {}, "2,000.00 USDT", "at least 5.00 USDT"),
        ("balance", {}, "2,001.00 USDT with fee", "at most 100,000.00 USDT"),
        ("locked", {"stops_in_row": 1}, "1 stops in a row, not locked", "while not locked"),
        (
            "locked", {"stops_in_row": 3, "locked_until_ms": START_MS - HOUR},
            "3 stops in a row, locked until 2024-01-01 08:00 KST", "while not locked",
        ),
        ("safety", {}, "connection fine, volatility fine, free balance fine", "all fine"),
    ],
)  # fmt: skip
def test_a_rule_that_passed_shows_its_value_and_its_limit(
    code: str, changes: dict[str, int], value: str, limit: str
) -> None:
    shown = line(code, changes)
    assert (shown.value, shown.limit) == (value, limit)
    assert (shown.refused, shown.verdict) == (False, "passed")


REFUSED = [
    ("trading_state", {"trading_state": 2}, "now halted"),
    ("data_gate", {"gate_state": 1}, "gate open for exits only"),
    ("position_open", {"busy": 1}, "position or entry: open"),
    ("duplicate_bar", {"last_entry_ms": START_MS}, "last entry 2024-01-01 09:00 KST"),
    ("daily_loss", {"daily_level": 2, "account_equity": 97_000 * USDT},
     "-3.00 % since the day began (level 2)"),
    ("drawdown", {"drawdown_level": 1, "peak": 110_000 * USDT}, "-9.09 % from the peak (level 1)"),
    ("max_positions", {"open_positions": 5}, "5 open"),
    ("cooldown", {"bars_since_exit": 2}, "2 candles since the exit"),
    ("message_rate", {"entries_today": 200}, "200 today, 0 in this cycle"),
    ("direction", {"side": -1, "can_short": 0}, "entry: sell"),
    ("expected_edge", {"has_model": 1, "edge_mbp": -500}, "-0.5 bp after costs"),
    ("stop_undefined", {"stop_units": 0}, "stop 0 away (0.00 %)"),
    ("price_collar", {"reference": 300_000},
     "+33.33 % from the close before (30000 → 40000)"),
    ("position_size", {"equity": 0}, "0.00 USDT (0 lots)"),
    ("min_notional", {"min_notional": 2_001 * USDT}, "2,000.00 USDT"),
    ("balance", {"room": -USDT}, "0.00 USDT with fee"),
    ("locked", {"stops_in_row": 3, "locked_until_ms": START_MS + HOUR},
     "3 stops in a row, locked until 2024-01-01 10:00 KST"),
    ("safety", {"safety": 2}, "connection fine, volatility failed, free balance fine"),
]  # fmt: skip


def test_every_rule_is_shown_refused_below() -> None:
    assert [code for code, _, _ in REFUSED] == list(CODES)


@pytest.mark.parametrize(("code", "changes", "value"), REFUSED)
def test_a_rule_that_refused_shows_its_value(
    code: str, changes: dict[str, int], value: str
) -> None:
    shown = line(code, changes)
    assert shown.value == value
    assert (shown.refused, shown.verdict) == (True, "refused")
    assert line(code, changes, KOREAN).verdict == "거부"


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize(("code", "changes", "value"), REFUSED)
def test_no_line_shows_a_code_or_a_number_without_its_unit(
    code: str, changes: dict[str, int], value: str, language: Language
) -> None:
    shown = line(code, changes, language)
    for text in (shown.name, shown.value, shown.limit, shown.sentence):
        assert text
        assert not any(mark in text for mark in ("{", "None", "_", "exit only")), text
    assert (shown.value == value) is (language is ENGLISH)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code)
def test_a_rules_sentence_is_the_one_of_an_alert_with_states_in_words(rule: RiskRule) -> None:
    x = risk_inputs()
    answer = RuleAnswer(rule.code, False, rule.numbers(x, 50))
    sentence = rule_sentence(answer, ITEM, ENGLISH, "UTC")
    if rule.code == "data_gate":
        assert sentence == "data gate green (only green takes new risk)."
    else:
        assert sentence == worded(f"rule.{rule.code}", answer.numbers, ENGLISH, ITEM)


def test_no_text_of_a_table_is_of_a_rule_that_nothing_asks() -> None:
    codes = set(catalogue(ENGLISH))
    limits = {c.rpartition(".")[2] for c in codes if c.startswith("story.limit.")}
    values = {c.rpartition(".")[2] for c in codes if c.startswith("story.value.")}
    assert limits == set(CODES)
    assert values == {*CODES, "no_entry", "no_exit", "no_model", "no_lock"}


def test_a_change_from_nothing_is_not_a_number() -> None:
    assert change_text(5, 0) == "-"
    assert change_text(10**13 - 1, 10**13) == "0.00"


@pytest.mark.parametrize("language", Language)
def test_a_rerun_that_went_through_json_is_worded_the_same(language: Language) -> None:
    rerun = Rerun(
        (Finding("why.differs.model", {"now": (1, 2, 3), "then": (1, 2, 4)}),),
        (Finding("why.unchecked.model", {"model": "m1"}),),
        (("atr", 1.5, -0.25),),
    )
    again = Rerun.from_json(rerun.as_json())
    assert again == rerun
    assert "(1, 2, 3)" in rerun_sentence(again, language)
    assert rerun_sentence(Rerun(), language) != rerun_sentence(again, language)
