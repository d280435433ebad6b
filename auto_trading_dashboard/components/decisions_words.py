"""Decisions in words: what was done, and the one reason why or why not. Pure: no streamlit here."""

from dataclasses import dataclass
from typing import Any, Final

from auto_trading_dashboard.components import figures
from auto_trading_dashboard.queries.decisions import Decision, Said
from crypto_trader_pro.domain.enums import Outcome, Side
from crypto_trader_pro.explain.rules import rule_sentence
from crypto_trader_pro.explain.story import Story
from crypto_trader_pro.explain.units import word
from crypto_trader_pro.explain.wording import Told
from utils.texts import Language, say

_ICONS: Final = {
    Outcome.ORDERED: "✓", Outcome.REFUSED: "✕", Outcome.CLOSED: "■", Outcome.SHADOW: "○",
    Outcome.DARK: "◐", Outcome.HOLD: "–",
}  # fmt: skip
COLOURS: Final = {
    Outcome.ORDERED: "blue", Outcome.REFUSED: "orange", Outcome.CLOSED: "violet",
    Outcome.SHADOW: "gray", Outcome.DARK: "red", Outcome.HOLD: "gray",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Words:
    """Words of one language, times of one zone.

    Args:
        zone: its name, as "Asia/Seoul".
    """

    language: Language
    zone: str

    def outcome(self, outcome: str) -> str:
        """Return the outcome's sign and word; never the colour alone tells it."""
        icon = _ICONS.get(Outcome(outcome), "")
        return f"{icon} {self.say(f'decisions.outcome_{outcome}')}"

    def chips(self) -> dict[str, str]:
        """Return every outcome's words with their colour."""
        return {self.outcome(outcome): colour for outcome, colour in COLOURS.items()}

    def direction(self, direction: int) -> str:
        """Return what was wished: a purchase or a sale; "" when nothing was."""
        return self.say(f"side.{Side.of(direction)}") if direction else ""

    def why(self, decision: Decision) -> str:
        """Return the one reason why a decision came out as it did."""
        own = decision.own
        match Outcome(decision.found.outcome):
            case Outcome.REFUSED:
                found = self._refusal(decision)
            case Outcome.DARK:
                found = self.word("gate", decision.gate_reason)
            case Outcome.CLOSED:
                found = self.word("reason", decision.exit_reason) if decision.exit_reason else ""
            case Outcome.SHADOW if own is not None:
                found = self.word("model_gate", own.model_gate or "none")
            case Outcome.ORDERED if own is not None:
                found = self.word("reason", own.reason)
            case _:
                found = self.silence(decision.said)
        return found

    def _refusal(self, decision: Decision) -> str:
        refusal = decision.refusal
        if refusal is None:  # its numbers are not stored
            return self.word("rule_name", decision.found.rule or "")
        seen = rule_sentence(refusal, decision.instrument, self.language, self.zone)
        return f"{self.word('rule_name', refusal.code)}: {seen}"

    def silence(self, said: tuple[Said, ...]) -> str:
        """Return why each strategy wanted nothing."""
        return "; ".join(f"{s.strategy}: {self.word('reason', s.reason)}" for s in said)

    def chance(self, said: Said | None) -> str:
        """Return a model's probability beside its break-even; "" without a model."""
        if said is None or said.probability is None:
            return ""
        return f"{figures.percent(said.probability, 1)} / {figures.percent(said.break_even, 1)}"

    def headline(self, story: Story, told: Told) -> str:
        """Return what was done, or why not, in one sentence."""
        d = story.decision
        values: dict[str, Any] = {"symbol": d.symbol}
        code = d.outcome
        if code in (Outcome.ORDERED, Outcome.REFUSED, Outcome.SHADOW):
            values |= {"strategy": d.strategy, "side": self.direction(d.direction)}
        if code == Outcome.ORDERED:
            values["quantity"] = figures.exact(story.instrument.quantity(d.lots))
        elif code == Outcome.REFUSED:
            values["why"] = self._refusals(told, d.first_refusal or "")
        elif code == Outcome.SHADOW:
            gate = next((s.model_gate for s in story.signals if s.strategy == d.strategy), None)
            values["why"] = self.word("model_gate", gate or "none")
        elif code == Outcome.CLOSED:
            reason = next((o.reason for o in story.orders if o.reason), "")
            values["why"] = self.word("reason", reason) if reason else figures.MISSING
        elif code == Outcome.DARK:
            values["why"] = self.word("gate", d.gate_reason)
        else:
            values["why"] = "; ".join(
                f"{s.strategy}: {self.word('reason', s.reason)}" for s in story.signals
            ) or self.word("gate", d.gate_reason)  # fmt: skip
        return self.say(f"decisions.headline_{code}", **values)

    def _refusals(self, told: Told, first: str) -> str:
        if not told.refused:
            return self.word("rule_name", first)
        rule, *others = told.refused
        why = f"{rule.name}: {rule.sentence}"
        return f"{why} {self.say('decisions.also', count=len(others))}" if others else why

    def word(self, kind: str, stored: str) -> str:
        return word(self.language, kind, stored)

    def say(self, code: str, **values: Any) -> str:
        return say(self.language, code, **values)
