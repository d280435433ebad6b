"""What may come into a trading session, and its form in the record that `replay` repeats."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple

from crypto_trader_pro.domain.enums import CommandKind
from crypto_trader_pro.domain.errors import InputError
from crypto_trader_pro.domain.market import Bar
from crypto_trader_pro.domain.messages import Backfill, MarketEvent, MarketSlice, Missed, Prices

SWITCHED: Final = "flag-"  # begins the ids of commands that came by a flag or a signal
KILL_SWITCH: Final = "kill switch"  # who asks for the stops of the rolling windows


@dataclass(frozen=True, slots=True)
class Command:
    """A wish of a person, of a job or of the engine itself, at an instant of market time."""

    command_id: str
    kind: CommandKind
    payload: Mapping[str, Any]
    by: str
    asked: datetime  # system time
    at_ms: int = 0  # market time at which the session took it

    @property
    def is_switched(self) -> bool:
        """True when it did not come by its table: what is wanted was not stored with it."""
        return self.command_id.startswith(SWITCHED) or self.by == KILL_SWITCH


class Opened(NamedTuple):
    """The account was opened with its first balance."""

    at_ms: int


class Funding(NamedTuple):
    """Funding is due: (place of the symbol, rate in parts of 1e8)."""

    at_ms: int
    rates: tuple[tuple[int, int], ...]


class Connection(NamedTuple):
    """The market has fallen silent for too long, or speaks again."""

    at_ms: int
    is_lost: bool


class ModelReady(NamedTuple):
    """A model has been trained; `facts` is all that the signals may know of it."""

    at_ms: int
    facts: Mapping[str, Any]


class Held(NamedTuple):
    """Entries that were not sent although they were decided: a stop came in between.

    Which ones, by their number in the session, and why. They belong to the input before this one.
    """

    at_ms: int
    orders: tuple[int, ...]
    reason: str


Input = MarketEvent | Opened | Funding | Connection | Command | ModelReady | Held


def encoded(item: Input) -> list[Any]:  # noqa: PLR0911  a line per kind
    """Return `item` as JSON values."""
    match item:
        case MarketSlice():
            return ["candles", *_market(item)]
        case Missed():
            return ["missed", *_market(item.market)]
        case Backfill():
            return ["backfill", *_market(item.market)]
        case Prices():
            return ["prices", item.at_ms, item.prices]
        case Opened():
            return ["opened", item.at_ms]
        case Funding():
            return ["funding", item.at_ms, item.rates]
        case Connection():
            return ["connection", item.at_ms, item.is_lost]
        case ModelReady():
            return ["model", item.at_ms, dict(item.facts)]
        case Held():
            return ["held", item.at_ms, item.orders, item.reason]
        case Command():
            return [
                "command", item.at_ms, item.command_id, item.kind.value, dict(item.payload),
                item.by, item.asked.isoformat(),
            ]  # fmt: skip


def decoded(row: Sequence[Any]) -> Input:  # noqa: PLR0911  a line per kind
    """Return the input that `encoded` was given.

    Raises:
        InputError: a row of no known kind.
    """
    kind, at_ms, *rest = row
    match kind:
        case "candles":
            return _slice(at_ms, rest[0])
        case "missed":
            return Missed(_slice(at_ms, rest[0]))
        case "backfill":
            return Backfill(_slice(at_ms, rest[0]))
        case "prices":
            return Prices(at_ms, _pairs(rest[0]))
        case "opened":
            return Opened(at_ms)
        case "funding":
            return Funding(at_ms, _pairs(rest[0]))
        case "connection":
            return Connection(at_ms, rest[0])
        case "model":
            return ModelReady(at_ms, rest[0])
        case "held":
            return Held(at_ms, tuple(rest[0]), rest[1])
        case "command":
            command_id, name, payload, by, asked = rest
            return Command(
                command_id, CommandKind(name), payload, by, datetime.fromisoformat(asked), at_ms
            )
    raise InputError(f"the record of the session has an input of kind {kind!r}")


def _market(market: MarketSlice) -> tuple[int, Sequence[Bar | None]]:
    return market.close_ms, market.bars


def _slice(close_ms: int, bars: Sequence[Sequence[int] | None]) -> MarketSlice:
    return MarketSlice(close_ms, tuple(None if b is None else Bar(*b) for b in bars))


def _pairs(rows: Sequence[Sequence[int]]) -> tuple[tuple[int, int], ...]:
    return tuple((i, value) for i, value in rows)
