"""A decision's story in plain sentences of the catalogue, Korean or English.

A page lays out the parts of `Told`; a command prints `sentences`, which are the same parts in turn.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from crypto_trader_pro.domain.enums import Bound, EmergencyTrigger
from crypto_trader_pro.domain.timeframes import to_datetime
from crypto_trader_pro.explain.findings import Finding, Rerun
from crypto_trader_pro.explain.rules import ToldRule, told_rule
from crypto_trader_pro.explain.story import Story
from crypto_trader_pro.explain.units import money_text, percent, thousandths, time_text, word
from crypto_trader_pro.risk.rules import CODES
from database import runs
from database.models import AiSignalRow, FillRow, OrderRow
from utils.texts import Language, say

_SHOWN_RULES: Final = 3  # refusals told in full; all are in the JSON

Contributions = Sequence[tuple[str, float, float]]


@dataclass(frozen=True, slots=True)
class ToldOrder:
    """One order's sentence, and those of its fills."""

    order_id: str
    sentence: str
    fills: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Told:
    """A story in words, part by part.

    Args:
        head: which decision it is.
        seen: the close, equity and trading state; then what the data gate said.
        signals: for each strategy what it said, then its model's numbers, if it has one.
        outcome: what came of it.
        rules: every rule, in the order in which they are asked; empty when no entry was wished.
        size: how large the entry was, and which bound was the smallest; empty as `rules`.
        others: wishes of other strategies that lost.
        orders: all orders with their fills; none when none was sent.
    """

    head: str
    seen: tuple[str, ...]
    signals: tuple[tuple[str, ...], ...]
    outcome: str
    rules: tuple[ToldRule, ...]
    size: str
    others: tuple[str, ...]
    orders: tuple[ToldOrder, ...]

    @property
    def refused(self) -> tuple[ToldRule, ...]:
        return tuple(rule for rule in self.rules if rule.refused)


def told(story: Story, language: Language, zone: str, contributions: Contributions = ()) -> Told:
    """Return the story in words, part by part. Times are shown in `zone`, which is named.

    Args:
        contributions: what moved the model, from deciding again; told with the model's numbers.
    """
    teller = _Teller(story, language, zone)
    return Told(
        teller.head(),
        teller.seen(),
        tuple(tuple(teller.signal(s, contributions)) for s in story.signals),
        teller.word("outcome", story.decision.outcome),
        teller.rules(),
        teller.size(),
        tuple(teller.others()),
        tuple(map(teller.order, story.orders)),
    )


def sentences(story: Story, language: Language, zone: str, rerun: Rerun | None = None) -> list[str]:
    """Return the story, one sentence per line, and what deciding again gave, if it was done.

    Times are shown in `zone`, which is named.
    """
    parts = told(story, language, zone, rerun.contributions if rerun else ())
    return [*_lines(parts, language), *([rerun_sentence(rerun, language)] if rerun else [])]


def rerun_sentence(rerun: Rerun, language: Language) -> str:
    """Return whether deciding again gave the same, and what differs or could not be checked."""
    if rerun.status == "same":
        return say(language, "why.rerun.same")
    found = rerun.differs or rerun.unchecked
    what = "; ".join(_finding(f, language) for f in found)
    return say(language, f"why.rerun.{rerun.status}", what=what)


def _lines(parts: Told, language: Language) -> Iterator[str]:
    yield parts.head
    yield from parts.seen
    for said in parts.signals:
        yield from said
    yield parts.outcome
    for rule in parts.refused[:_SHOWN_RULES]:
        yield say(language, "why.rule.refused", sentence=rule.sentence)
    if parts.size and not parts.refused:
        yield parts.size
    yield from parts.others
    if not parts.orders:
        yield say(language, "why.no_order")
    for order in parts.orders:
        yield order.sentence
        yield from order.fills


class _Teller:
    def __init__(self, story: Story, language: Language, zone: str) -> None:
        self._story = story
        self._language = language
        self._zone = zone
        self._item = story.instrument

    def head(self) -> str:
        d = self._story.decision
        return self.say(
            "why.head", symbol=d.symbol, at=time_text(to_datetime(d.at_ms), self._zone),
            run=runs.public_id(self._story.run), id=d.id,
        )  # fmt: skip

    def seen(self) -> tuple[str, ...]:
        d = self._story.decision
        market = self.say(
            "why.seen", price=self._item.price(d.price), equity=money_text(d.equity),
            asset=self._item.quote, state=self.word("state", d.trading_state),
        )  # fmt: skip
        return market, self.word("gate", d.gate_reason)

    def signal(self, s: AiSignalRow, contributions: Contributions) -> Iterator[str]:
        reason = self.word("reason", s.reason)
        signal = self.word("signal", s.signal_type)
        yield self.say("why.signal", strategy=s.strategy, signal=signal, reason=reason)
        if s.model_id is None:
            return
        yield self.say(
            "why.model", model=s.model_id[:12], probability=percent(s.probability),
            break_even=percent(s.break_even), edge=thousandths(s.edge_mbp),
            baseline=percent(s.baseline_probability),
            gate=self.word("model_gate", s.model_gate or 'none'),
        )  # fmt: skip
        if contributions:
            features = ", ".join(f"{name} {moved:+.3f}" for name, _, moved in contributions)
            yield self.say("why.contribution", features=features)

    def rules(self) -> tuple[ToldRule, ...]:
        story = self._story
        if story.inputs is None:
            return ()
        x = story.inputs
        return tuple(
            told_rule(rule, x, self._item, self._language, self._zone) for rule in story.rules
        )

    def size(self) -> str:
        d = self._story.decision
        if self._story.inputs is None:
            return ""
        return self.say(
            "why.size", quantity=self._item.quantity(d.lots), lots=d.lots,
            bound=self.word("bound", Bound(d.bound).name),
        )  # fmt: skip

    def others(self) -> Iterator[str]:
        if self._story.inputs is None:
            return
        for other in self._story.detail.get("others", ()):
            codes = (code for bit, code in enumerate(CODES) if other["mask"] >> bit & 1)
            refusal = _names(codes, self._language)
            yield self.say("why.other", strategy=other["strategy"], refusal=refusal)

    def order(self, o: OrderRow) -> ToldOrder:
        fills = (f for f in self._story.fills if f.client_order_id == o.client_order_id)
        return ToldOrder(o.client_order_id, self._order(o), tuple(map(self._fill, fills)))

    def _order(self, o: OrderRow) -> str:
        prefix = "trigger" if o.reason in set(EmergencyTrigger) else "reason"
        kind = self.word("type", o.order_type)
        if o.price is not None:
            kind = self.say("why.order.price", type=kind, price=o.price)
        return self.say(
            "why.order", id=o.client_order_id, role=self.word("role", o.role),
            side=self.word("side", o.side), quantity=o.size,
            type=kind,
            status=self.word("status", o.status),
            reason=f" ({self.word(prefix, o.reason)})" if o.reason else "",
        )  # fmt: skip

    def _fill(self, f: FillRow) -> str:
        return self.say(
            "why.fill", quantity=f.size, price=f.price, fee=f.fee, asset=f.fee_asset,
            at=time_text(f.filled_at, self._zone),
        )  # fmt: skip

    def word(self, kind: str, stored: str) -> str:
        return word(self._language, kind, stored)

    def say(self, code: str, **values: Any) -> str:
        return say(self._language, code, **values)


def _finding(finding: Finding, language: Language) -> str:
    values = dict(finding.values)
    if finding.code == "why.differs.mask":
        for name in ("now", "then"):
            codes = [c for c in values[name].split(", ") if c in CODES]
            values[name] = _names(codes, language)
    elif finding.code == "why.differs.signal":
        for name in ("now", "then"):
            kind, _, reason = values[name].rstrip(")").partition(" (")
            signal, why = word(language, "signal", kind), word(language, "reason", reason)
            values[name] = f"{signal} ({why})"
    return say(language, finding.code, **values)


def _names(codes: Iterable[str], language: Language) -> str:
    names = ", ".join(word(language, "rule_name", code) for code in codes)
    return names or say(language, "why.nothing")
