"""Playing a session in memory: as it was recorded, or as its backtest.

Both go through the session's own engine over the same inputs. The backtest leaves out whatever a
backtest cannot know: prices between the candles, people, a lost connection, orders that were held
back. It fills from candles, and decides at each of them from the first start of the session on,
with the configurations and models in force at each instant.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

from auto_trading.bootstrap import (
    LiveSignals,
    LivingCore,
    RunSpec,
    SessionPart,
    build_backtest,
)
from auto_trading.engine import AutoTradingEngine, Ports
from auto_trading.gateways.replay_feed import NoFeed
from auto_trading.parity.witness import Witness, WitnessVenue
from auto_trading.session import TradingSession
from auto_trading.session_inputs import Command, Connection, Held, Input
from auto_trading.translation import MODEL_STRATEGY, costs_of, enabled_strategies
from config.settings import Settings
from crypto_trader_pro.domain.enums import CommandKind
from crypto_trader_pro.domain.instruments import money_units
from crypto_trader_pro.domain.messages import MarketSlice, Missed, Prices
from crypto_trader_pro.domain.orders import Order
from database.journal import Journal
from utils.clocks import SimulatedClock

ModelMaker = Callable[[RunSpec, Journal], LiveSignals]
_CONFIGS = (CommandKind.APPLY_CONFIG, CommandKind.ROLLBACK_CONFIG)
_BEGINS = (CommandKind.START, CommandKind.REARM)


@dataclass(frozen=True, slots=True)
class Stage:
    """What a session is played on.

    Args:
        carried: as of `TradingSession`.
        model: makes the model strategy; None where it cannot run.
    """

    spec: RunSpec
    carried: Mapping[str, Any] | None = None
    model: ModelMaker | None = None


class Player:
    """Plays inputs into a session that nothing is stored of.

    Attributes:
        began: place of the input with which trading was first enabled; None: it never was.
    """

    def __init__(
        self, stage: Stage, witness: Witness, *, candles_fill: bool,
        held: Mapping[int, str] | None = None,
    ) -> None:  # fmt: skip
        self._stage = stage
        self.witness = witness
        self._candles_fill = candles_fill
        self._held = held or {}
        self.began: int | None = None
        self.session = TradingSession(
            # the session asks a journal for no more than a witness has, and records nothing in it
            self._made, cast(Journal, witness), stage.spec.settings, records=False,
            candles_fill=candles_fill, carried=stage.carried,
        )  # fmt: skip

    def play(self, inputs: Sequence[Input], until_ms: int | None = None) -> None:
        """Take the inputs, until the decision of `until_ms` if that is given.

        Raises:
            StateMismatch: the venue's books and the engine's differ at the end.
        """
        asyncio.run(self._play(inputs, until_ms))

    async def _play(self, inputs: Sequence[Input], until_ms: int | None) -> None:
        for place, item in enumerate(inputs):
            await self.session.take(item)
            if self.began is None and self.session.enabled:
                self.began = place
            if until_ms is not None and isinstance(item, MarketSlice) and item.close_ms >= until_ms:
                break
        await self.session.settle()
        await self.session.engine.compare_books()

    def _made(self, settings: Settings, session: TradingSession) -> LivingCore:
        """Build engine and venue as a living session does, over a journal in memory."""
        spec = self._stage.spec
        own = replace(spec, settings=settings, strategies=tuple(enabled_strategies(settings)))
        cash = own.opening_cash or money_units(settings.paper_equity)
        clock = SimulatedClock()
        venue = WitnessVenue(
            own.instruments, cash, costs_of(settings), ticks=not self._candles_fill,
            references=self.witness.references,
        )  # fmt: skip
        model = None
        if self._stage.model is not None and MODEL_STRATEGY in own.strategies:
            model = self._stage.model(own, cast(Journal, self.witness))
        parts = build_backtest(own, NoFeed(), clock, venue, self.witness, model).parts
        parts.executor.may_enter = self._may_enter
        engine = AutoTradingEngine(
            Ports(clock, NoFeed(), venue), parts, opening_cash=cash, interval_ms=own.interval_ms,
            stateful={"venue": venue, "session": SessionPart(session)},
        )  # fmt: skip
        return LivingCore(engine, venue, model)

    def _may_enter(self, order: Order) -> str:
        return self._held.get(self.witness.number(order.client_order_id), "")


def held_back(inputs: Sequence[Input]) -> dict[int, str]:
    """Return number -> why of the entries that a stop held back at the last moment."""
    return {n: item.reason for item in inputs if isinstance(item, Held) for n in item.orders}


def as_backtest(
    inputs: Sequence[Input], began: int | None, opened_ms: int
) -> Iterator[Input]:  # fmt: skip
    """Yield what a backtest of a session is played with.

    Args:
        began: place of the input that enabled trading; what a person asked before it counts.
        opened_ms: candles that close later are decided on, even those that the session missed.
    """
    for place, item in enumerate(inputs):
        match item:
            case Prices() | Connection() | Held():
                continue
            case Missed(market) if market.close_ms > opened_ms:
                yield market
            case Command():
                is_first = began is not None and place <= began and item.kind in _BEGINS
                if is_first or item.kind in _CONFIGS:
                    yield item
            case _:
                yield item
