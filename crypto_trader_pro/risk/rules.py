"""The rules before an order: each a small class whose refusal is a code with numbers.

Every rule is evaluated and recorded as one bit; the lowest set bit is the first refusal. A decision
row stores `RiskInputs`, so that `why` asks the very same rules again.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol

from crypto_trader_pro.domain.enums import Bound
from crypto_trader_pro.risk import checks
from crypto_trader_pro.risk.sizing import size_lots


class RiskInputs(NamedTuple):
    """Everything that a verdict depends on, as whole numbers in the order in which it is stored."""

    trading_state: int  # 0 active, 1 reducing, 2 halted
    gate_state: int  # 0 green, 1 exit only, 2 dark
    busy: int  # 1: a position or an entry is open on the symbol
    last_entry_ms: int  # candle close of the last entry of this strategy and side
    bar_ms: int  # candle close of this decision
    daily_level: int  # 0, 1 warned, 2 limit reached
    drawdown_level: int  # 0, 1 reducing, 2 kill switch
    open_positions: int  # entries of this cycle included
    max_positions: int
    bars_since_exit: int  # -1: never
    cooldown_bars: int
    entries_today: int
    max_entries_per_day: int
    entries_now: int  # in this cycle
    max_entries_per_cycle: int
    side: int  # +1, -1
    can_short: int
    has_model: int
    edge_mbp: int  # expected value after costs, thousandths of a basis point
    edge_margin_mbp: int
    price: int  # price units
    reference: int  # price units: the close before
    stop_units: int
    tv: int
    equity: int  # what sizing counts on, money units
    size_rate: int
    risk_rate: int
    room: int  # notional still allowed by leverage and free balance
    taker_rate: int
    volume: int  # lots
    share: int
    max_lots: int
    min_notional: int
    collar_rate: int
    day_start: int = 0  # equity at the start of the trading day, money units
    peak: int = 0  # highest equity, money units
    account_equity: int = 0  # before a profile's cap
    locked_until_ms: int = 0  # 0: the symbol is not locked
    stops_in_row: int = 0
    safety: int = 0  # one bit per failed safety check: SAFETY_CHECKS

    def size(self) -> tuple[int, Bound]:
        """Return the lots this entry may have, and which bound was the smallest."""
        lots, bound = size_lots(
            self.equity, self.price, self.tv, self.stop_units, self.size_rate, self.risk_rate,
            self.room, self.taker_rate, self.volume, self.share, self.max_lots,
        )  # fmt: skip
        return lots, Bound(bound)


Numbers = Mapping[str, int]


class RiskRule(Protocol):
    @property
    def code(self) -> str: ...

    def refuses(self, x: RiskInputs, lots: int) -> int: ...

    def numbers(self, x: RiskInputs, lots: int) -> Numbers: ...


@dataclass(frozen=True, slots=True)
class TradingStateRule:
    """New risk only while trading is active."""

    code: str = "trading_state"

    def refuses(self, x: RiskInputs, lots: int) -> int:
        return checks.not_zero(x.trading_state)

    def numbers(self, x: RiskInputs, lots: int) -> Numbers:
        return {"state": x.trading_state}


@dataclass(frozen=True, slots=True)
class DataGateRule:
    """New risk only on candles that passed the gate."""

    code: str = "data_gate"

    def refuses(self, x: RiskInputs, lots: int) -> int:
        return checks.not_zero(x.gate_state)

    def numbers(self, x: RiskInputs, lots: int) -> Numbers:
        return {"gate": x.gate_state}


@dataclass(frozen=True, slots=True)
class PositionOpenRule:
    """One position and one entry per symbol."""

    code: str = "position_open"

    def refuses(self, x: RiskInputs, lots: int) -> int:
        return checks.not_zero(x.busy)

    def numbers(self, x: RiskInputs, lots: int) -> Numbers:
        return {"busy": x.busy}


@dataclass(frozen=True, slots=True)
class DuplicateRule:
    """The same strategy, symbol and side enter once per candle."""

    code: str = "duplicate_bar"

    def refuses(self, x: RiskInputs, lots: int) -> int:
        return checks.duplicate_bar(x.last_entry_ms, x.bar_ms)

    def numbers(self, x: RiskInputs, lots: int) -> Numbers:
        return {"last_entry_ms": x.last_entry_ms, "bar_ms": x.bar_ms}


@dataclass(frozen=True, slots=True)
class DailyLossRule:
    """No new risk after the day's loss limit, until the next trading day or a re-arm."""

    code: str = "daily_loss"

    def refuses(self, x: RiskInputs, lots: int) -> int:
        return checks.at_least(x.daily_level, 2)

    def numbers(self, x: RiskInputs, lots: int) -> Numbers:
        return {"level": x.daily_level, "equity": x.account_equity, "day_start": x.day_start}


@dataclass(frozen=True, slots=True)
class DrawdownRule:
    """No new risk while the fall from the peak is past its line."""

    code: str = "drawdown"

    def refuses(self, x: RiskInputs, lots: int) -> int:
        return checks.not_zero(x.drawdown_level)

    def numbers(self, x: RiskInputs, lots: int) -> Numbers:
        return {"level": x.drawdown_level, "equity": x.account_equity, "peak": x.peak}


@dataclass(frozen=True, slots=True)
class MaxPositionsRule:
    """At most so many positions at a time."""

    code: str = "max_positions"

    def refuses(self, x: RiskInputs, lots: int) -> int:
        return checks.at_least(x.open_positions, x.max_positions)

    def numbers(self, x: RiskInputs, lots: int) -> Numbers:
        return {"open": x.open_positions, "limit": x.max_positions}


@dataclass(frozen=True, slots=True)
class CooldownRule:
    """Wait some candles after an exit."""

    code: str = "cooldown"

    def refuses(self, x: RiskInputs, lots: int) -> int:
        return checks.cooling_down(x.bars_since_exit, x.cooldown_bars)

    def numbers(self, x: RiskInputs, lots: int) -> Numbers:
        return {"bars": x.bars_since_exit, "limit": x.cooldown_bars}


@dataclass(frozen=True, slots=True)
class MessageRateRule:
    """At most so many entries in a cycle and in a trading day: a runaway strategy stops itself."""

    code: str = "message_rate"

    def refuses(self, x: RiskInputs, lots: int) -> int:
        now = checks.at_least(x.entries_now, x.max_entries_per_cycle)
        return now | checks.at_least(x.entries_today, x.max_entries_per_day)

    def numbers(self, x: RiskInputs, lots: int) -> Numbers:
        return {
            "today": x.entries_today,
            "per_day": x.max_entries_per_day,
            "now": x.entries_now,
            "per_cycle": x.max_entries_per_cycle,
        }


@dataclass(frozen=True, slots=True)
class DirectionRule:
    """No shorts on spot."""

    code: str = "direction"

    def refuses(self, x: RiskInputs, lots: int) -> int:
        return checks.wrong_direction(x.side, x.can_short)

    def numbers(self, x: RiskInputs, lots: int) -> Numbers:
        return {"side": x.side}


@dataclass(frozen=True, slots=True)
class ExpectedEdgeRule:
    """A model signal must expect more than the mode's margin after costs."""

    code: str = "expected_edge"

    def refuses(self, x: RiskInputs, lots: int) -> int:
        return checks.edge_too_small(x.has_model, x.edge_mbp, x.edge_margin_mbp)

    def numbers(self, x: RiskInputs, lots: int) -> Numbers:
        return {"edge_mbp": x.edge_mbp, "margin_mbp": x.edge_margin_mbp}


@dataclass(frozen=True, slots=True)
class StopRule:
    """The stop must be known, and placeable, before the entry is sent."""

    code: str = "stop_undefined"

    def refuses(self, x: RiskInputs, lots: int) -> int:
        return checks.stop_undefined(x.side, x.price, x.stop_units)

    def numbers(self, x: RiskInputs, lots: int) -> Numbers:
        return {"price": x.price, "stop_units": x.stop_units}


@dataclass(frozen=True, slots=True)
class PriceCollarRule:
    """The price must be near the close before it."""

    code: str = "price_collar"

    def refuses(self, x: RiskInputs, lots: int) -> int:
        return checks.outside_collar(x.price, x.reference, x.collar_rate)

    def numbers(self, x: RiskInputs, lots: int) -> Numbers:
        return {"price": x.price, "reference": x.reference, "collar_rate": x.collar_rate}


@dataclass(frozen=True, slots=True)
class PositionSizeRule:
    """At least one lot, and never more than the share of equity."""

    code: str = "position_size"

    def refuses(self, x: RiskInputs, lots: int) -> int:
        large = checks.too_large(lots, x.price, x.tv, x.equity, x.size_rate)
        return checks.nothing_left(lots) | large

    def numbers(self, x: RiskInputs, lots: int) -> Numbers:
        return {"lots": lots, "notional": lots * x.price * x.tv, "equity": x.equity}


@dataclass(frozen=True, slots=True)
class MinimumNotionalRule:
    """Precision cuts the size down to the lot; what is left must reach the venue's minimum."""

    code: str = "min_notional"

    def refuses(self, x: RiskInputs, lots: int) -> int:
        return checks.below_minimum(lots, x.price, x.tv, x.min_notional)

    def numbers(self, x: RiskInputs, lots: int) -> Numbers:
        return {"notional": lots * x.price * x.tv, "minimum": x.min_notional}


@dataclass(frozen=True, slots=True)
class BalanceRule:
    """Notional and fee must fit what leverage, open positions and locked orders leave."""

    code: str = "balance"

    def refuses(self, x: RiskInputs, lots: int) -> int:
        return checks.unaffordable(lots, x.price, x.tv, x.taker_rate, x.room)

    def numbers(self, x: RiskInputs, lots: int) -> Numbers:
        return {"notional": lots * x.price * x.tv, "room": x.room}


@dataclass(frozen=True, slots=True)
class LockedRule:
    """A symbol that stopped out too often in a row rests until the next trading day."""

    code: str = "locked"

    def refuses(self, x: RiskInputs, lots: int) -> int:
        return checks.at_least(x.locked_until_ms, x.bar_ms)

    def numbers(self, x: RiskInputs, lots: int) -> Numbers:
        return {"stops": x.stops_in_row, "until_ms": x.locked_until_ms}


@dataclass(frozen=True, slots=True)
class SafetyRule:
    """No new risk while a check of the surroundings fails: connection, volatility, balance."""

    code: str = "safety"

    def refuses(self, x: RiskInputs, lots: int) -> int:
        return checks.not_zero(x.safety)

    def numbers(self, x: RiskInputs, lots: int) -> Numbers:
        return {name: x.safety >> bit & 1 for bit, name in enumerate(SAFETY_CHECKS)}


SAFETY_CHECKS: Final = ("connection", "volatility", "free_balance")
RULES: Final[tuple[RiskRule, ...]] = (
    TradingStateRule(),
    DataGateRule(),
    PositionOpenRule(),
    DuplicateRule(),
    DailyLossRule(),
    DrawdownRule(),
    MaxPositionsRule(),
    CooldownRule(),
    MessageRateRule(),
    DirectionRule(),
    ExpectedEdgeRule(),
    StopRule(),
    PriceCollarRule(),
    PositionSizeRule(),
    MinimumNotionalRule(),
    BalanceRule(),
    LockedRule(),
    SafetyRule(),
)
CODES: Final = tuple(rule.code for rule in RULES)


class Verdict(NamedTuple):
    """The answer of all rules: allowed when `mask` is 0. `broken` names a rule that raised."""

    mask: int
    lots: int
    bound: Bound
    broken: str = ""

    @property
    def allowed(self) -> bool:
        return self.mask == 0

    @property
    def first(self) -> str:
        """Code of the first rule that refused, or an empty string."""
        return first_refusal(self.mask)


def first_refusal(mask: int) -> str:
    """Return the code of the lowest set bit, or an empty string."""
    return CODES[(mask & -mask).bit_length() - 1] if mask else ""


def evaluate(x: RiskInputs) -> Verdict:
    """Size an entry and ask every rule. A rule that raises refuses: risk fails closed."""
    broken = ""
    try:
        lots, bound = x.size()
    except Exception as e:  # noqa: BLE001  the risk gate: a bug must not open it
        lots, bound, broken = 0, Bound.SIZE, f"size: {e!r}"
    mask = 0
    for bit, rule in enumerate(RULES):
        try:
            refused = rule.refuses(x, lots)
        except Exception as e:  # noqa: BLE001  the risk gate: a bug must not open it
            refused, broken = 1, f"{rule.code}: {e!r}"
        mask |= refused << bit
    return Verdict(mask, lots, bound, broken)
