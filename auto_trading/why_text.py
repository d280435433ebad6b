"""A decision's story in plain sentences of the catalogue, Korean or English."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Final
from zoneinfo import ZoneInfo

from auto_trading.findings import Finding
from auto_trading.why import RuleAnswer, Story
from crypto_trader_pro.domain.enums import Bound, EmergencyTrigger
from crypto_trader_pro.domain.instruments import Instrument, money, plain
from crypto_trader_pro.domain.timeframes import to_datetime
from crypto_trader_pro.risk.rules import CODES
from database import runs
from database.models import AiSignalRow, FillRow, OrderRow
from utils.texts import Language, say

_MONEY: Final = frozenset(
    {"notional", "equity", "minimum", "room", "line", "peak", "old_peak", "day_start"}
)
_PRICES: Final = frozenset({"price", "reference", "stop_units"})
_NAMED: Final = {
    "state": ("active", "reducing", "halted"),
    "gate": ("green", "exit_only", "dark"),
}
_SHOWN_RULES: Final = 3  # refusals told in full; all are in the JSON


def sentences(story: Story, language: Language, zone: str) -> list[str]:
    """Return the story, one sentence per line. Times are shown in `zone`, which is named."""
    return list(_Teller(story, language, ZoneInfo(zone)).lines())


def worded(
    code: str, numbers: Mapping[str, Any], language: Language, instrument: Instrument | None = None
) -> str:
    """Return the sentence of a rule or a risk event, its whole numbers turned into units."""
    return say(language, code, **_readable(numbers, instrument, ZoneInfo("UTC")))


class _Teller:
    def __init__(self, story: Story, language: Language, zone: ZoneInfo) -> None:
        self._story = story
        self._language = language
        self._zone = zone
        self._item = story.instrument

    def lines(self) -> Iterator[str]:
        story, d = self._story, self._story.decision
        yield self._say(
            "why.head", symbol=d.symbol, at=self._time(to_datetime(d.at_ms)),
            run=runs.public_id(story.run), id=d.id,
        )  # fmt: skip
        yield self._say(
            "why.seen", price=self._item.price(d.price), equity=_money(d.equity),
            asset=self._item.quote, state=self._say(f"state.{d.trading_state}"),
        )  # fmt: skip
        yield self._say(f"gate.{d.gate_reason}")
        for signal in story.signals:
            yield from self._signal(signal)
        yield self._say(f"outcome.{d.outcome}")
        yield from self._rules()
        yield from self._orders()
        yield from self._rerun()

    def _signal(self, s: AiSignalRow) -> Iterator[str]:
        reason = self._say(f"reason.{s.reason}")
        signal = self._say(f"signal.{s.signal_type}")
        yield self._say("why.signal", strategy=s.strategy, signal=signal, reason=reason)
        if s.model_id is None:
            return
        yield self._say(
            "why.model", model=s.model_id[:12], probability=_percent(s.probability),
            break_even=_percent(s.break_even), edge=_thousandths(s.edge_mbp),
            baseline=_percent(s.baseline_probability),
            gate=self._say(f"model_gate.{s.model_gate or 'none'}"),
        )  # fmt: skip
        used = self._story.rerun.contributions
        if used:
            features = ", ".join(f"{name} {moved:+.3f}" for name, _, moved in used)
            yield self._say("why.contribution", features=features)

    def _rules(self) -> Iterator[str]:
        story, d = self._story, self._story.decision
        if story.inputs is None:
            return
        refused = [rule for rule in story.rules if rule.refused]
        for rule in refused[:_SHOWN_RULES]:
            yield self._say("why.rule.refused", sentence=self._rule(rule))
        if not refused:
            yield self._say(
                "why.size", quantity=self._item.quantity(d.lots), lots=d.lots,
                bound=self._say(f"bound.{Bound(d.bound).name}"),
            )  # fmt: skip
        for other in story.detail.get("others", ()):
            refusal = self._names(c for bit, c in enumerate(CODES) if other["mask"] >> bit & 1)
            yield self._say("why.other", strategy=other["strategy"], refusal=refusal)

    def _rule(self, rule: RuleAnswer) -> str:
        values = _readable(rule.numbers, self._item, self._zone)
        for name, prefix in (("state", "state"), ("gate", "gate_state")):
            if name in values:
                values[name] = self._say(f"{prefix}.{values[name]}")
        return self._say(f"rule.{rule.code}", **values)

    def _names(self, codes: Iterable[str]) -> str:
        names = ", ".join(self._say(f"rule_name.{code}") for code in codes)
        return names or self._say("why.nothing")

    def _orders(self) -> Iterator[str]:
        if not self._story.orders:
            yield self._say("why.no_order")
        for order in self._story.orders:
            yield self._order(order)
            for fill in self._story.fills:
                if fill.client_order_id == order.client_order_id:
                    yield self._fill(fill)

    def _order(self, o: OrderRow) -> str:
        prefix = "trigger" if o.reason in set(EmergencyTrigger) else "reason"
        kind = self._say(f"type.{o.order_type}")
        if o.price is not None:
            kind = self._say("why.order.price", type=kind, price=o.price)
        return self._say(
            "why.order", id=o.client_order_id, role=self._say(f"role.{o.role}"),
            side=self._say(f"side.{o.side}"), quantity=o.size,
            type=kind,
            status=self._say(f"status.{o.status}"),
            reason=f" ({self._say(f'{prefix}.{o.reason}')})" if o.reason else "",
        )  # fmt: skip

    def _fill(self, f: FillRow) -> str:
        return self._say(
            "why.fill", quantity=f.size, price=f.price, fee=f.fee, asset=f.fee_asset,
            at=self._time(f.filled_at),
        )  # fmt: skip

    def _rerun(self) -> Iterator[str]:
        rerun = self._story.rerun
        if rerun.status == "same":
            yield self._say("why.rerun.same")
            return
        told = rerun.differs or rerun.unchecked
        yield self._say(f"why.rerun.{rerun.status}", what="; ".join(map(self._finding, told)))

    def _finding(self, finding: Finding) -> str:
        values = dict(finding.values)
        if finding.code == "why.differs.mask":
            for name in ("now", "then"):
                codes = [c for c in values[name].split(", ") if c in CODES]
                values[name] = self._names(codes)
        elif finding.code == "why.differs.signal":
            for name in ("now", "then"):
                kind, _, reason = values[name].rstrip(")").partition(" (")
                values[name] = f"{self._say(f'signal.{kind}')} ({self._say(f'reason.{reason}')})"
        return self._say(finding.code, **values)

    def _time(self, at: datetime) -> str:
        return at.astimezone(self._zone).strftime("%Y-%m-%d %H:%M:%S %Z")

    def _say(self, code: str, **values: Any) -> str:
        return say(self._language, code, **values)


def _readable(
    numbers: Mapping[str, Any], instrument: Instrument | None, zone: ZoneInfo
) -> dict[str, Any]:
    """Turn whole numbers into units by their names."""
    return {name: _one(name, value, instrument, zone) for name, value in numbers.items()}


def _one(name: str, value: Any, instrument: Instrument | None, zone: ZoneInfo) -> Any:
    if name in _NAMED:
        return _NAMED[name][value]
    if name in _PRICES and instrument is not None:
        return instrument.price(value)
    if name.endswith("_ms"):
        return to_datetime(value).astimezone(zone).strftime("%Y-%m-%d %H:%M %Z") if value else "-"
    if name.endswith("_rate"):
        return plain(Decimal(value).scaleb(-6).quantize(Decimal("0.01")))
    if name.endswith("_mbp"):
        return _thousandths(value)
    return _money(value) if name in _MONEY else value


def _money(units: int) -> str:
    return f"{money(units):,.2f}"


def _percent(parts: int | None) -> str:
    return "-" if parts is None else f"{parts / 10_000:.1f}"


def _thousandths(parts: int | None) -> str:
    return "-" if parts is None else f"{parts / 1000:+.1f}"
