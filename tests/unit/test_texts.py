"""The catalogue: the same in both languages, whole for everything the product can say."""

import ast
import string
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from auto_trading.open_orders import GRADUAL
from auto_trading.risk_manager import RiskEvent, RiskManager
from crypto_trader_pro.domain.calendar import TradingCalendar
from crypto_trader_pro.domain.enums import (
    Bound,
    EmergencyTrigger,
    FillReason,
    GateReason,
    OrderRole,
    OrderStatus,
    OrderType,
    Outcome,
    Side,
    SignalType,
    TradingState,
)
from crypto_trader_pro.explain.units import worded
from crypto_trader_pro.risk.config import RiskLimits
from crypto_trader_pro.risk.rules import RULES, RiskRule
from tests.builders import HOUR, START_MS, a_round_instrument, risk_inputs
from tests.market_data import ROOT
from utils.texts import Language, catalogue, language_of, say

KOREAN, ENGLISH = Language.KOREAN, Language.ENGLISH
PRODUCT = ("auto_trading", "crypto_trader_pro", "database", "utils")


def placeholders(sentence: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(sentence) if name}


# --- both languages -----------------------------------------------------------------------------


def test_both_languages_have_the_same_codes() -> None:
    assert catalogue(KOREAN).keys() == catalogue(ENGLISH).keys()
    assert len(catalogue(ENGLISH)) > 90


@pytest.mark.parametrize("code", sorted(catalogue(ENGLISH)))
def test_both_sentences_of_a_code_take_the_same_values(code: str) -> None:
    korean, english = catalogue(KOREAN)[code], catalogue(ENGLISH)[code]
    assert placeholders(korean) == placeholders(english)
    for sentence in (korean, english):
        assert sentence.strip() == sentence != ""
        assert "\n" not in sentence


def test_no_code_is_there_twice() -> None:
    for language in Language:
        files = sorted((ROOT / "utils" / "texts" / language.value).glob("*.json"))
        lines = [line for file in files for line in file.read_text().splitlines()]
        keys = [line.split('"')[1] for line in lines if '": "' in line]
        assert sorted(keys) == sorted(catalogue(language))


def test_both_languages_have_the_same_areas() -> None:
    folder = ROOT / "utils" / "texts"
    areas = [{file.name for file in (folder / language.value).iterdir()} for language in Language]
    assert areas[0] == areas[1]


def test_korean_sentences_are_korean() -> None:
    same = {c for c, s in catalogue(KOREAN).items() if s == catalogue(ENGLISH)[c]}
    without = {c for c, s in catalogue(KOREAN).items() if not any("가" <= x <= "힣" for x in s)}
    # a head of names and numbers; names of statistics and signs of units that have no other word
    own = ("model.", "settings.unit.")
    assert {c for c in without | same if not c.startswith(own)} <= {"why.head"}


# --- asking -------------------------------------------------------------------------------------


def test_a_sentence_is_filled_in() -> None:
    values = {"open": 5, "limit": 5}
    assert say(ENGLISH, "rule.max_positions", **values) == "5 positions open, limit 5."
    assert say(KOREAN, "rule.max_positions", **values) == "포지션 5개, 한도 5개."


@pytest.mark.parametrize("language", Language)
def test_an_unknown_code_and_a_missing_value_are_errors(language: Language) -> None:
    with pytest.raises(KeyError, match=r"rule\.unheard_of"):
        say(language, "rule.unheard_of")
    with pytest.raises(KeyError, match="limit"):
        say(language, "rule.max_positions", open=5)


@pytest.mark.parametrize(
    ("configured", "environ", "expected"),
    [
        ("ko", {"LC_ALL": "en_US.UTF-8"}, KOREAN),
        ("en", {"LC_ALL": "ko_KR.UTF-8"}, ENGLISH),
        ("auto", {"LC_ALL": "ko_KR.UTF-8"}, KOREAN),
        ("auto", {"LANG": "ko_KR.UTF-8"}, KOREAN),
        ("auto", {"LC_MESSAGES": "KO"}, KOREAN),
        ("auto", {"LC_ALL": "C", "LANG": "ko_KR.UTF-8"}, ENGLISH),  # the first that is set counts
        ("auto", {"LC_ALL": "", "LANG": "ko_KR.UTF-8"}, KOREAN),  # empty is not set
        ("auto", {"LC_MESSAGES": "en_US", "LANG": "ko_KR"}, ENGLISH),
        ("auto", {"LANG": "de_DE.UTF-8"}, ENGLISH),
        ("auto", {}, ENGLISH),
    ],
)
def test_the_language_is_the_configured_one_or_the_shells(
    configured: str, environ: dict[str, str], expected: Language
) -> None:
    assert language_of(configured, environ) is expected


# --- whole for all that is said: codes collected from the source --------------------------------


def trees(*folders: str) -> Iterator[tuple[Path, ast.Module]]:
    for folder in folders:
        files = (
            sorted((ROOT / folder).rglob("*.py")) if (ROOT / folder).is_dir() else [ROOT / folder]
        )
        for file in files:
            yield file, tree_of(file)


@cache  # each file is asked for by many
def tree_of(file: Path) -> ast.Module:
    return ast.parse(file.read_text())


def calls(tree: ast.AST, *names: str) -> Iterator[ast.Call]:
    for called, node in calls_of(tree):
        if called in names:
            yield node


@cache
def calls_of(tree: ast.AST) -> list[tuple[str, ast.Call]]:
    """Return every call of a tree that goes by a name, and the name."""
    found = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return [(c.func.id, c) for c in found if isinstance(c.func, ast.Name)] + [
        (c.func.attr, c) for c in found if isinstance(c.func, ast.Attribute)
    ]


def texts(node: ast.AST | None, tree: ast.Module) -> set[str]:
    """Return the strings that an expression can be, by the assignments of its file."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return {node.value}
    if isinstance(node, ast.IfExp):
        return texts(node.body, tree) | texts(node.orelse, tree)
    if isinstance(node, ast.Name):
        return {
            text
            for found in ast.walk(tree)
            if isinstance(found, ast.Assign | ast.AnnAssign) and found.value is not None
            for target in (found.targets if isinstance(found, ast.Assign) else [found.target])
            if isinstance(target, ast.Name) and target.id == node.id
            for text in texts(found.value, tree)
        }
    return set()


def argument(call: ast.Call, position: int, name: str) -> ast.AST | None:
    named = next((k.value for k in call.keywords if k.arg == name), None)
    return named or (call.args[position] if len(call.args) > position else None)


def said(names: tuple[str, ...], position: int, name: str, *folders: str) -> set[str]:
    """Return the strings that reach one argument of the named calls."""
    return {
        text
        for _, tree in trees(*folders)
        for call in calls(tree, *names)
        for text in texts(argument(call, position, name), tree)
    }


REASONS = said(
    ("Signal",), 2, "reason", "crypto_trader_pro/strategies", "auto_trading/model_judge.py"
) - {""}
GATES = (
    said(("GateResult",), 1, "code", "crypto_trader_pro/ai/gates.py")
    | said(("_replace",), 9, "gate", "auto_trading/model_judge.py")
    | {"few_trades", "few_weeks", "no_edge", "proven"}
)
LADDER = said(("_event",), 1, "code", "auto_trading/risk_manager.py")
EVENTS = (
    LADDER
    | said(("alert",), 2, "code", "auto_trading")
    | said(("_notify",), 1, "code", "auto_trading/jobs.py")
    | said(("notify",), 2, "code", "auto_trading/job_tasks.py")
    | said(("Trip",), 1, "code", "auto_trading/safety.py")
    | {
        c.partition(".")[2]
        for c in said(("tell",), 2, "code", "auto_trading/watch.py")
        if c.startswith("risk.")
    }
    | said(("notify", "_tell", "_add"), 2, "code", "auto_trading/reach")
    | said(("_tell",), 1, "code", "auto_trading/reach/telegram/outages.py")
    | said(("notify",), 2, "code", "auto_trading/http")
    | said(("_tell",), 1, "code", "auto_trading/reach/running.py")
    | said(("Trouble",), 0, "code", "auto_trading/reach/silence.py")
    | said(("tell_of",), 1, "code", "auto_trading/living_session.py")
    | said(("tell_of",), 1, "code", "auto_trading/beside.py")
    | {"database_silent"}  # told directly
    | {"books_differ", "books_agree"}  # by name, in job_tasks
)
FINDINGS = said(("Finding",), 0, "code", "auto_trading")
ENDS = (
    said(("_end",), 2, "code", "auto_trading/gateways")
    | said(("Ended", "Rejected"), 2, "code", "auto_trading/gateways")
    | said(("Rejected",), 1, "code", "auto_trading/gateways")
    | said(("advance",), 2, "reason", "auto_trading")
    | said(("close",), 2, "reason", "auto_trading")
    | said(("_gone",), 1, "code", "auto_trading/gateways")
    | said(("_drop",), 1, "reason", "auto_trading")
    | said(("hold_unsent",), 0, "reason", "auto_trading")
    | said(("block",), 1, "why", "auto_trading")
    | {"lease_uncertain", "too_late"}  # what the last look before sending answers
    | {GRADUAL, "webhook"}  # why a person or an outside strategy lets a position go
    | said(("InvalidOrder",), 0, "code", "auto_trading/gateways")
    | {FillReason.TRAILING.value, FillReason.LIQUIDATION.value}  # by what the venue filled
)


def test_the_search_finds_what_it_is_for() -> None:
    assert {"cross_up", "cross_down", "no_cross", "warming_up", "no_model", "no_edge"} <= REASONS
    assert {"open", "no_record", "no_skill", "novel_market", "edge_below_margin"} <= GATES
    assert {"drawdown_kill", "daily_loss_exceeded", "drawdown_recovered"} <= EVENTS
    assert {"why.differs.hash", "why.unchecked.file"} <= FINDINGS
    assert {"time_out", "position_closed", "time_to_live", "stop_came_first"} <= ENDS


PREFIXED = {
    "reason": REASONS,
    "model_gate": GATES | {"none"},
    "risk": EVENTS,
    "gate": {reason.value for reason in GateReason},
    "outcome": {outcome.value for outcome in Outcome},
    "signal": {kind.value for kind in SignalType},
    "state": {state.value for state in TradingState},
    "bound": {bound.name for bound in Bound},
    "rule": {rule.code for rule in RULES},
    "trigger": {trigger.value for trigger in EmergencyTrigger},
}


@pytest.mark.parametrize("prefix", PREFIXED)
def test_every_code_of_a_kind_has_its_sentence(prefix: str) -> None:
    lacking = {code for code in PREFIXED[prefix] if f"{prefix}.{code}" not in catalogue(ENGLISH)}
    assert lacking == set()


@pytest.mark.parametrize("prefix", PREFIXED)
def test_no_sentence_is_of_a_code_that_nothing_says(prefix: str) -> None:
    kept = {c.partition(".")[2] for c in catalogue(ENGLISH) if c.startswith(f"{prefix}.")}
    said_of_orders = ENDS if prefix == "reason" else set()
    assert kept - PREFIXED[prefix] - said_of_orders == set()


@pytest.mark.parametrize(
    "codes",
    [
        {role.value for role in OrderRole},
        {kind.value for kind in OrderType},
        {status.value for status in OrderStatus},
        {side.value for side in Side},
        {trigger.value for trigger in EmergencyTrigger},
        ENDS,
    ],
    ids=["roles", "types", "statuses", "sides", "triggers", "ends"],
)
def test_every_word_about_an_order_is_in_the_catalogue(codes: set[str]) -> None:
    """`why` shows them; under which prefix is the catalogue's own affair."""
    known = {code.rpartition(".")[2] for code in catalogue(ENGLISH)}
    assert codes - known == set()


def test_every_sentence_that_is_asked_for_by_name_is_there_with_the_values_it_takes() -> None:
    asked = 0
    for file, tree in trees(*PRODUCT):
        for call in calls(tree, "say", "_say"):
            codes = [str(a.value) for a in call.args if isinstance(a, ast.Constant)]
            if not codes:
                continue
            asked += 1
            given = {k.arg for k in call.keywords}
            for code in codes:
                assert code in catalogue(ENGLISH), f"{file.name}:{call.lineno}"
                if None not in given:  # no **values
                    assert placeholders(catalogue(ENGLISH)[code]) <= given, f"{file.name}: {code}"
    assert asked > 10


def test_a_finding_has_the_values_of_its_sentence() -> None:
    for _, tree in trees("auto_trading"):
        for call in calls(tree, "Finding"):
            values = argument(call, 1, "values")
            if isinstance(values, ast.Dict):
                given = {k.value for k in values.keys if isinstance(k, ast.Constant)}
                for code in texts(argument(call, 0, "code"), tree):
                    assert placeholders(catalogue(ENGLISH)[code]) == given, code


# --- numbers become sentences -------------------------------------------------------------------


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code)
def test_the_numbers_of_every_rule_fill_its_sentence(rule: RiskRule, language: Language) -> None:
    for changes in ({}, {"trading_state": 2, "gate_state": 2, "last_entry_ms": START_MS}):
        numbers = rule.numbers(risk_inputs(**changes), 50)
        sentence = worded(f"rule.{rule.code}", numbers, language, a_round_instrument())
        assert "{" not in sentence


@pytest.mark.parametrize(
    ("code", "changes", "sentence"),
    [
        ("cooldown", {"bars_since_exit": 1}, "1 candles since the last exit, 3 needed."),
        ("expected_edge", {"edge_mbp": 12_345}, "expected +12.3 bp after costs, margin +20.0 bp."),
        ("min_notional", {}, "worth 2,000.00, the venue's minimum is 5.00."),
        ("balance", {"room": 0}, "worth 2,000.00 with fee, room 0.00."),
        ("max_positions", {"open_positions": 5}, "5 positions open, limit 5."),
    ],
)
def test_whole_numbers_are_turned_into_units(
    code: str, changes: dict[str, int], sentence: str
) -> None:
    (rule,) = [r for r in RULES if r.code == code]
    numbers = rule.numbers(risk_inputs(**changes), 50)  # 50 lots of 40 USDT
    assert worded(f"rule.{code}", numbers, ENGLISH) == sentence


def risk_events() -> dict[str, RiskEvent]:
    """Return every event that the ladders can raise, by driving a risk manager up and down."""
    limits = RiskLimits(drawdown_reset_days=1)
    found: dict[str, RiskEvent] = {}

    def drive(*path: int, step: int) -> None:
        risk = RiskManager(limits, TradingCalendar("UTC"), 1, HOUR)
        risk.open_account(10_000, START_MS)
        for k, equity in enumerate(path, 1):
            found.update((e.code, e) for e in risk.mark(START_MS + k * step, equity, 0))

    drive(9_760, 9_700, 9_500, 9_650, 8_900, step=HOUR)  # 2.4, 3, 5, 3.5, 11 %
    drive(9_500, 9_500, 9_500, step=24 * HOUR)
    return found


def test_every_event_of_the_ladders_is_worded_in_both_languages() -> None:
    events = risk_events()
    assert events.keys() == LADDER
    for event in events.values():
        for language in Language:
            assert "{" not in worded(f"risk.{event.code}", event.numbers, language)
    kill = events["drawdown_kill"]
    assert worded("risk.drawdown_kill", kill.numbers, ENGLISH).startswith("Drawdown 11 % from")
