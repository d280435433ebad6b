"""The engine: monitor -> settle -> mark -> signal -> risk -> execute -> remember."""

import json
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from auto_trading.account import account_view
from auto_trading.decision_maker import DecisionMaker
from auto_trading.emergency_stop import EmergencyStop
from auto_trading.journal_port import EngineJournal
from auto_trading.market_monitor import MarketMonitor
from auto_trading.position_manager import PositionManager
from auto_trading.risk_manager import RiskEvent, RiskManager
from auto_trading.signal_generator import AISignalGenerator
from auto_trading.trade_executor import TradeExecutor
from crypto_trader_pro.domain.enums import EmergencyTrigger
from crypto_trader_pro.domain.errors import StateMismatch
from crypto_trader_pro.domain.market import Bar
from crypto_trader_pro.domain.messages import MarketSlice
from crypto_trader_pro.domain.portfolio import AccountView
from crypto_trader_pro.domain.ports import Clock, ExchangeGateway, MarketFeed

log = logging.getLogger(__name__)

# the state is a fresh tree of plain values at every commit: no cycle to look for
_encoded = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode


class Stateful(Protocol):
    """A part whose state belongs into the checkpoint."""

    def state(self) -> Mapping[str, Any]: ...

    def restore(self, state: Mapping[str, Any]) -> None: ...


@dataclass(frozen=True, slots=True)
class Ports:
    """The three things that differ between backtest, paper and live; `bootstrap.py` chooses."""

    clock: Clock
    feed: MarketFeed
    gateway: ExchangeGateway


@dataclass(frozen=True, slots=True)
class Parts:
    """The same in every mode."""

    monitor: MarketMonitor
    signals: AISignalGenerator
    risk: RiskManager
    positions: PositionManager
    executor: TradeExecutor
    decisions: DecisionMaker
    emergency: EmergencyStop
    journal: EngineJournal


class AutoTradingEngine:
    """Runs the cycle over every instant that the feed yields.

    Args:
        opening_cash: balance of a new account, money units.
        interval_ms: decision period; decisions fall on candle closes that are multiples of it.
        stateful: parts outside `Parts` whose state belongs into the checkpoint (the paper venue).
        progress: told the number of instants played, after each commit.
    """

    def __init__(
        self, ports: Ports, parts: Parts, *, opening_cash: int, interval_ms: int,
        snapshot_ms: int = 3_600_000,
        stateful: Mapping[str, Stateful] | None = None,
        progress: Callable[[int], None] | None = None,
    ) -> None:  # fmt: skip
        self._ports = ports
        self._parts = parts
        self._opening_cash = opening_cash
        self._interval_ms = interval_ms
        self._snapshot_ms = snapshot_ms
        self._progress = progress
        self._symbols = range(len(parts.positions.instruments))
        self._stateful: dict[str, Stateful] = {
            "monitor": parts.monitor,
            "signals": parts.signals,
            "risk": parts.risk,
            "positions": parts.positions,
            "executor": parts.executor,
            "emergency": parts.emergency,
            **(stateful or {}),
        }
        # what a living session does beside at each instant, after the account was marked
        self.beside: Callable[[int], Awaitable[None]] | None = None
        self.slices = 0
        self.bars = 0
        self.last_close_ms = 0
        self.now_ms = 0  # market time of the last input: a candle's close, a price, a command

    @property
    def gateway(self) -> ExchangeGateway:
        return self._ports.gateway

    @property
    def parts(self) -> Parts:
        return self._parts

    @property
    def risk(self) -> RiskManager:
        return self._parts.risk

    @property
    def training_seconds(self) -> float:
        """Seconds that model training took in this process."""
        return self._parts.signals.training_seconds

    def model_report(self) -> Mapping[str, Any] | None:
        """Return the figures of the model strategy; None where it does not run."""
        return self._parts.signals.report()

    def open_account(self, at_ms: int) -> None:
        """Pay in the opening balance; the first commit stores it."""
        parts = self._parts
        parts.journal.ledger(parts.positions.open_account(self._opening_cash, at_ms))
        parts.risk.open_account(self._opening_cash, at_ms)
        self.last_close_ms = self.now_ms = at_ms
        self.commit()

    async def run(self) -> None:
        """Trade until the feed ends, the task is cancelled, or an error says to stop."""
        async for market in self._ports.feed.slices():
            await self.on_slice(market)
        await self._parts.executor.settle()
        await self.compare_books()
        self.commit()

    async def compare_books(self) -> None:
        """Compare our books with the venue's own, to the last unit.

        Raises:
            StateMismatch: they differ; nothing may be traded on such books.
        """
        positions = self._parts.positions
        positions.verify()
        account = await self._ports.gateway.account()
        ours = {p.symbol: p.lots for p in positions.positions if p.lots}
        if account.cash != positions.cash or account.lots != ours:
            raise StateMismatch(
                f"the venue says cash {account.cash} and {account.lots},"
                f" our books say {positions.cash} and {ours}"
            )

    async def on_slice(self, market: MarketSlice, *, decide: bool = True) -> None:
        """Play one instant: all candles that closed together.

        Args:
            decide: False where nothing may be decided: trading is stopped, or the candles are old.
        """
        parts, close_ms = self._parts, market.close_ms
        self.slices += 1
        bars = market.bars
        self.bars += len(bars) - bars.count(None)
        self.last_close_ms = self.now_ms = close_ms
        parts.monitor.observe(market)
        await self._account_for(close_ms, parts.monitor.bars)
        parts.signals.observe(close_ms, parts.monitor)
        if decide and close_ms % self._interval_ms == 0:
            for i in self._symbols:
                parts.decisions.decide(i, close_ms)
        if close_ms % self._snapshot_ms == 0:
            parts.journal.equity(self.account())
        if parts.executor.has_unsent or parts.journal.is_due:
            await self.remember()

    async def on_prices(self, at_ms: int, bars: Sequence[Bar | None]) -> None:
        """Book what the venue filled at these prices, and mark the account to them."""
        self.now_ms = at_ms
        await self._account_for(at_ms, bars)
        await self.remember()

    def on_history(self, market: MarketSlice, *, partial: bool) -> None:
        """Let monitor and strategies see candles that nobody trades on.

        Args:
            partial: a symbol without a candle here is not missing one.
        """
        parts = self._parts
        parts.monitor.observe(market, partial=partial)
        parts.signals.observe(market.close_ms, parts.monitor)

    async def _account_for(self, at_ms: int, bars: Sequence[Bar | None]) -> None:
        parts = self._parts
        await parts.executor.settle()
        parts.positions.mark(bars)
        positions = parts.positions
        for event in parts.risk.mark(at_ms, positions.equity(), positions.open_count):
            await self._obey(event, at_ms)
        if parts.emergency.is_under_way:
            await parts.emergency.follow(at_ms)
            await parts.executor.settle()  # what it has canceled
        if self.beside is not None:
            await self.beside(at_ms)

    async def _obey(self, event: RiskEvent, close_ms: int) -> None:
        """Tell what the ladders did, and do what they ask for."""
        parts = self._parts
        log.warning("%s: %s", event.code, event.numbers)
        parts.journal.alert(event.kind, event.severity, event.code, event.numbers, close_ms)
        if event.code == "drawdown_kill":
            trigger = EmergencyTrigger.DRAWDOWN_EXCEEDED
            await parts.emergency.trigger_emergency_stop(trigger, close_ms)
        elif event.code == "daily_loss_exceeded":
            await parts.executor.cancel_entries()
            parts.emergency.flatten(EmergencyTrigger.DAILY_LOSS_EXCEEDED, close_ms)
        await parts.executor.settle()

    async def remember(self) -> None:
        """Commit what must be stored before anything is sent, then send."""
        parts = self._parts
        if parts.executor.has_unsent:
            self.commit()
            await parts.executor.send()
        elif parts.journal.is_due:
            self.commit()

    def account(self) -> AccountView:
        """Return the account at the last instant played."""
        parts = self._parts
        return account_view(
            parts.positions, parts.risk,
            at_ms=self.now_ms, working_orders=len(parts.executor.orders),
        )  # fmt: skip

    def commit(self) -> None:
        """Store everything that waits, and the state that goes with it.

        Raises:
            JournalUnavailable: it was not stored; nothing that depends on it may be sent.
        """
        journal = self._parts.journal
        journal.commit(self.now_ms, _encoded(self.state()) if journal.keeps_state else "")
        if self._progress is not None:
            self._progress(self.slices)

    # --- checkpoint -------------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        """Return all that a restart needs; stored in the same transaction as the rows."""
        own = {
            "slices": self.slices, "bars": self.bars, "last_close_ms": self.last_close_ms,
            "now_ms": self.now_ms,
        }  # fmt: skip
        return {"engine": own, **{name: part.state() for name, part in self._stateful.items()}}

    async def restore(self, state: Mapping[str, Any], *, sends: bool = True) -> None:
        """Go on from a checkpoint: the start after a crash is the only start there is.

        Args:
            sends: send what the checkpoint's transaction stored and nobody has sent. False for a
                state that is not stored yet: its orders wait for the next commit.
        """
        own = state["engine"]
        self.slices, self.bars = own["slices"], own["bars"]
        self.last_close_ms, self.now_ms = own["last_close_ms"], own["now_ms"]
        for name, part in self._stateful.items():
            part.restore(state[name])
        await self.compare_books()
        executor = self._parts.executor
        unsent = await executor.recover()
        if not sends:
            return
        await executor.send()
        await executor.settle()  # a checkpoint may be due before the market speaks
        if unsent:
            log.info("sent again: %d orders that the venue had not received", unsent)
