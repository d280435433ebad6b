"""A rule's answer in words: one sentence, or a line of a table with its value and its limit."""

from dataclasses import dataclass
from typing import Any

from crypto_trader_pro.domain.enums import Side
from crypto_trader_pro.domain.instruments import Instrument
from crypto_trader_pro.domain.units import rate_ceil, rate_floor
from crypto_trader_pro.explain.story import RuleAnswer
from crypto_trader_pro.explain.units import change_text, money_text, readable
from crypto_trader_pro.risk.rules import SAFETY_CHECKS, RiskInputs
from utils.texts import Language, say


@dataclass(frozen=True, slots=True)
class ToldRule:
    """One rule, passed or refused, as a line of a table; all texts are of one language.

    Args:
        verdict: "passed" or "refused" in words.
        value, limit: what the rule saw, and what it allows, with units.
        sentence: value and limit in one sentence, worded for a refusal.
    """

    code: str
    name: str
    refused: bool
    verdict: str
    value: str
    limit: str
    sentence: str


def rule_sentence(rule: RuleAnswer, instrument: Instrument, language: Language, zone: str) -> str:
    """Return what the rule saw and what it allows. Times are shown in `zone`, which is named."""
    return say(language, f"rule.{rule.code}", **_values(rule, instrument, language, zone))


def told_rule(
    rule: RuleAnswer, inputs: RiskInputs, instrument: Instrument, language: Language, zone: str
) -> ToldRule:
    """Return a rule's line; `inputs` are those of its decision."""
    values = _values(rule, instrument, language, zone) | _more(rule, inputs, instrument, language)
    return ToldRule(
        rule.code,
        say(language, f"rule_name.{rule.code}"),
        rule.refused,
        say(language, "story.refused" if rule.refused else "story.passed"),
        say(language, f"story.value.{_value_code(rule, inputs)}", **values),
        say(language, f"story.limit.{rule.code}", **values),
        rule_sentence(rule, instrument, language, zone),
    )


def _values(
    rule: RuleAnswer, instrument: Instrument, language: Language, zone: str
) -> dict[str, Any]:
    """Return the rule's numbers with units, its states in words."""
    values = readable(rule.numbers, instrument, zone)
    for name, prefix in (("state", "state"), ("gate", "gate_state")):
        if name in values:
            values[name] = say(language, f"{prefix}.{values[name]}")
    return values


def _value_code(rule: RuleAnswer, x: RiskInputs) -> str:
    """Return which text tells the value: there may be none to compare yet."""
    nothing = {
        "duplicate_bar": ("no_entry", x.last_entry_ms == 0),
        "cooldown": ("no_exit", x.bars_since_exit < 0),
        "expected_edge": ("no_model", x.has_model == 0),
        "locked": ("no_lock", x.locked_until_ms == 0),
    }
    code, applies = nothing.get(rule.code, ("", False))
    return code if applies else rule.code


def _more(rule: RuleAnswer, x: RiskInputs, item: Instrument, language: Language) -> dict[str, Any]:
    """Return what a table shows beside the rule's own numbers."""
    more: dict[str, Any] = {"asset": item.quote}
    numbers = rule.numbers
    if rule.code == "position_open":
        more["busy"] = say(language, "story.busy.yes" if x.busy else "story.busy.no")
    elif rule.code == "daily_loss":
        more["change"] = change_text(x.account_equity, x.day_start)
    elif rule.code == "drawdown":
        more["change"] = change_text(x.account_equity, x.peak)
    elif rule.code == "direction":
        sides = (Side.BUY, Side.SELL) if x.can_short else (Side.BUY,)
        more["side"] = say(language, f"side.{Side.of(x.side)}")
        more["allowed"] = ", ".join(say(language, f"side.{side}") for side in sides)
    elif rule.code == "stop_undefined":
        more["change"] = change_text(x.price - x.side * x.stop_units, x.price)
    elif rule.code == "price_collar":
        more["change"] = change_text(x.price, x.reference)
    elif rule.code == "position_size":
        more["most"] = money_text(rate_floor(x.equity, x.size_rate))
    elif rule.code == "balance":
        notional = numbers["notional"]
        more["cost"] = money_text(notional + rate_ceil(notional, x.taker_rate))
    elif rule.code == "safety":
        for name in SAFETY_CHECKS:
            more[name] = say(
                language, "story.check.failed" if numbers[name] else "story.check.fine"
            )
    return more
