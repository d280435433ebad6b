"""One account's trading session: takes inputs one at a time; the same inputs give the same books.

Market, commands, models and the state of the connection all come in through `take`, are written
into the record and then acted on. Nothing else may influence what is traded, so that
`replay --session` repeats it and a restart goes on as if nothing had been.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

from auto_trading.engine import AutoTradingEngine
from auto_trading.gateways.simulated_venue import SimulatedVenue
from auto_trading.gradual_close import GradualClose
from auto_trading.live_status import ModelStatus
from auto_trading.operations import Answer, Operations
from auto_trading.session_inputs import (
    Command,
    Connection,
    Funding,
    Held,
    Input,
    ModelReady,
    Opened,
    encoded,
)
from config.settings import Settings
from crypto_trader_pro.domain.errors import InputError
from crypto_trader_pro.domain.market import Bar
from crypto_trader_pro.domain.messages import Backfill, MarketSlice, Missed, Prices
from database.commands import CommandStatus
from database.journal import Journal

_REMEMBERED: Final = 16  # commands whose answers are known, should they be asked again


class Core(Protocol):
    """What a session trades with; made anew for another configuration."""

    @property
    def engine(self) -> AutoTradingEngine: ...

    @property
    def venue(self) -> SimulatedVenue: ...

    @property
    def status(self) -> ModelStatus | None:
        """How the model strategy is doing; None where it does not run."""
        ...

    def install(self, facts: Mapping[str, Any]) -> None:
        """Let the model strategy use a trained model from now on."""
        ...


class TradingSession:
    """The trading of one run.

    Args:
        make: builds the engine with its venue for a configuration; called again when that changes.
        journal: of the run; shared by all engines that `make` builds.
        records: False while a record is being repeated.
        carried: the day's loss, peak and halt of the session before this one, if it was of the
            same market: another list of symbols does not forgive them.
        candles_fill: the source has candles and no prices in between; orders fill from them.
    """

    def __init__(
        self, make: Callable[[Settings, "TradingSession"], Core], journal: Journal,
        settings: Settings, *, records: bool = True, candles_fill: bool = False,
        carried: Mapping[str, Any] | None = None,
    ) -> None:  # fmt: skip
        self._candles_fill = candles_fill
        self._carried = carried
        self._make = make
        self._journal = journal
        self._records = records
        self.settings = settings
        self._first = settings.canonical_json()
        self.enabled = False  # trading was started and not stopped
        self._changed: str | None = None  # the configuration in force, if not the run's first
        self._volume: list[int] = []
        self._opened_ms = 0
        self._seen_market = False
        self._answers: dict[str, Answer] = {}  # of the latest commands, by their ids
        self.leaving = GradualClose()
        self._proposed: list[int] = []  # when a wish from outside was last decided on, by symbol
        self._core = make(settings, self)
        self._core.engine.beside = self._beside
        self._operations = Operations(self)
        self._reset_volumes()

    def _reset_volumes(self) -> None:
        if not self._volume:
            self._volume = [0] * len(self.engine.parts.positions.instruments)
        if not self._proposed:
            self._proposed = [0] * len(self._volume)

    @property
    def engine(self) -> AutoTradingEngine:
        return self._core.engine

    @property
    def has_begun(self) -> bool:
        """True once a market input has been taken: a reader goes on behind it."""
        return self._seen_market

    @property
    def model_status(self) -> ModelStatus | None:
        """How the model strategy is doing; None where it does not run."""
        return self._core.status

    @property
    def is_flat(self) -> bool:
        """True without positions and orders: only then may the session end."""
        parts = self.engine.parts
        return not parts.positions.open_count and not parts.executor.orders

    @property
    def journal(self) -> Journal:
        return self._journal

    # --- beginning --------------------------------------------------------------------------

    def open(self, at_ms: int) -> None:
        """Begin with the opening balance."""
        self._record(Opened(at_ms))
        self._opened_ms = at_ms
        self.engine.open_account(at_ms)
        if self._carried is not None:
            risk = self.engine.risk
            risk.restore({**risk.state(), **self._carried})
            self.engine.commit()

    async def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a checkpoint, after a crash as after an orderly end."""
        config = state["session"]["config"]
        if config is not None and config != self.settings.canonical_json():
            settings = Settings.model_validate_json(config, strict=False)
            self._use(settings, self._make(settings, self))
        await self.engine.restore(state)
        self._note_held(self.engine.now_ms)

    def state(self) -> dict[str, Any]:
        return {
            "enabled": self.enabled,
            "volume": list(self._volume),
            "taken": self._journal.taken,
            "opened_ms": self._opened_ms,
            "seen_market": self._seen_market,
            "config": self._changed,
            "leaving": self.leaving.state(),
            "proposed": list(self._proposed),
            "answers": [[i, a.status.value, a.data] for i, a in self._answers.items()],
        }

    def restore_own(self, state: Mapping[str, Any]) -> None:
        """Take the part of a checkpoint that is the session's own."""
        self.enabled = state["enabled"]
        self._volume = list(state["volume"])
        self._journal.taken = state["taken"]
        self._opened_ms = state["opened_ms"]
        self._seen_market = state["seen_market"]
        self.leaving.restore(state.get("leaving", {}))  # an earlier version's has neither
        self._proposed = list(state.get("proposed", [0] * len(self._volume)))
        self._answers = {
            i: Answer(CommandStatus(status), data) for i, status, data in state["answers"]
        }

    # --- inputs -----------------------------------------------------------------------------

    async def take(self, item: Input) -> Answer | None:
        """Act on one input; a command's answer is returned and stored with what it did.

        Raises:
            JournalUnavailable: nothing was stored and nothing sent; the rows wait for `settle`.
            LeaseLost, Fenced: this session may do nothing more.
        """
        if isinstance(item, Command):
            return await self._command(item)
        match item:
            case Prices():
                await self._prices(item)
            case MarketSlice():
                await self._candles(item)
            case Missed():
                await self._missed(item)
            case Backfill():
                self._record(item)
                self._see(item.market)
                self.engine.on_history(item.market, partial=True)
            case Funding():
                await self._funding(item)
            case Connection():
                self._record(item)
                self.engine.risk.disconnected = item.is_lost
            case ModelReady():
                self._record(item)
                self._core.install(item.facts)
                self.engine.commit()
            case Opened():
                self.open(item.at_ms)
            case Held():
                pass
        return None

    async def _prices(self, item: Prices) -> None:
        """Play prices that matter: of symbols with a position or an order."""
        venue = self._core.venue
        kept = tuple((i, price) for i, price in item.prices if venue.holds(i))
        if not kept:
            return
        self._record(Prices(item.at_ms, kept))
        bars: list[Bar | None] = [None] * len(self._volume)
        for i, price in kept:
            bars[i] = Bar(item.at_ms, price, price, price, price, self._volume[i])
        venue.play(MarketSlice(item.at_ms, tuple(bars)))
        await self.engine.on_prices(item.at_ms, bars)
        await self._finish(item.at_ms)

    async def _candles(self, market: MarketSlice) -> None:
        self._record(market)
        self._seen_market = True
        self._see(market)
        if self._candles_fill:
            self._core.venue.play(market)
        else:
            self._core.venue.candle_closed(market.close_ms)
        await self.engine.on_slice(market, decide=self.enabled)
        if self._journal.has_inputs:  # nothing was decided, so nothing has committed it yet
            await self._finish(market.close_ms, has_news=True)
            return
        # the venue's first answers are stored with the next price; a crash asks for them again
        self._note_held(market.close_ms)
        await self.engine.parts.executor.settle()

    async def _missed(self, item: Missed) -> None:
        """Play candles nobody saw over the working orders; before the start they only warm up."""
        self._record(item)
        market = item.market
        if market.close_ms > self._opened_ms:
            self._core.venue.play(market)
            if not self._candles_fill:
                self._core.venue.candle_closed(market.close_ms)
            self._see(market)
            await self.engine.on_slice(market, decide=False)
            await self._finish(market.close_ms, has_news=True)
        else:
            self._see(market)
            self.engine.on_history(market, partial=False)

    async def _funding(self, item: Funding) -> None:
        venue = self._core.venue
        kept = tuple((i, rate) for i, rate in item.rates if venue.holds(i))
        if not kept:
            return
        self._record(Funding(item.at_ms, kept))
        for i, rate in kept:
            venue.fund(i, rate, item.at_ms)
        await self.engine.on_prices(item.at_ms, [None] * len(self._volume))
        await self._finish(item.at_ms)

    async def _command(self, command: Command) -> Answer:
        known = self._answers.get(command.command_id)
        if known is not None:  # a worker before this one did it, and was given up afterwards
            await self.settle()
            return known
        self._let_go_of_unsent(command.at_ms)
        self._record(command)
        self._core.venue.at(command.at_ms)
        self.engine.now_ms = max(self.engine.now_ms, command.at_ms)
        try:
            answer = await self._operations.do(command)
        except InputError as e:
            answer = Answer.refused("input", reason=str(e))
        self._answers[command.command_id] = answer
        if len(self._answers) > _REMEMBERED:
            del self._answers[next(iter(self._answers))]
        if self._records:  # a repeated command was answered when it was asked
            self._journal.answered(
                command.command_id, command.kind.value, command.payload, command.by,
                command.asked, answer.status.value, answer.data,
            )  # fmt: skip
            if answer.wanted is not None and (command.is_switched or answer.rearms):
                self._journal.wanted(answer.wanted, rearms=answer.rearms)
        await self.settle()
        return answer

    def _let_go_of_unsent(self, at_ms: int) -> None:
        """Give up entries that the database kept from being sent before this command came.

        It acts on what works at the venue. An entry sent behind its back would have escaped it.
        """
        executor = self.engine.parts.executor
        if executor.has_unsent:
            executor.hold_unsent("journal_unavailable")
            self._note_held(at_ms)

    async def settle(self) -> None:
        """Store what waits, a failed commit's rows too, and send what depends on it."""
        executor = self.engine.parts.executor
        await executor.settle()
        self.engine.commit()
        await executor.send()
        await self._finish(self.engine.now_ms)

    async def _finish(self, at_ms: int, *, has_news: bool = False) -> None:
        """End a step: take the venue's first answers to what was sent, and store what is new."""
        self._note_held(at_ms)
        await self.engine.parts.executor.settle()
        if has_news or not self._journal.is_clean:
            self.engine.commit()

    async def _beside(self, at_ms: int) -> None:
        """Do what is due beside decisions: steps of a gradual close, limit orders that end."""
        executor = self.engine.parts.executor
        self.leaving.follow(self.engine.parts, at_ms)
        if await executor.expire(at_ms):
            await executor.settle()

    def proposal_ms(self, i: int, at_ms: int) -> int:
        """Return the instant under which a wish of now about symbol `i` is decided and stored.

        One of its own: decisions are stored by symbol and instant, and those of the candles fall on
        their closes.
        """
        bar_ms = self.engine.parts.decisions.bar_ms
        at_ms = max(at_ms, self._proposed[i] + 1)
        if at_ms % bar_ms == 0:
            at_ms += 1
        self._proposed[i] = at_ms
        return at_ms

    # --- helpers ----------------------------------------------------------------------------

    def _record(self, item: Input) -> None:
        if self._records:
            self._journal.input(encoded(item))

    def _note_held(self, at_ms: int) -> None:
        """Record which entries the last look before sending has held back."""
        executor = self.engine.parts.executor
        if executor.held:
            for reason in sorted(set(executor.held.values())):
                numbers = tuple(n for n, why in executor.held.items() if why == reason)
                self._record(Held(at_ms, numbers, reason))
            executor.held.clear()

    def _see(self, market: MarketSlice) -> None:
        """Note what may be filled at a price: of the newest candle in which anything traded."""
        for i, bar in enumerate(market.bars):
            if bar is not None and bar.volume:
                self._volume[i] = bar.volume

    # --- another configuration --------------------------------------------------------------

    async def reconfigure(self, settings: Settings) -> None:
        """Go on with other settings: what a restart would do, without the restart.

        Raises:
            ConfigError: nothing can be traded by them; all is as before.
        """
        state = self.engine.state()
        core = self._make(settings, self)
        if not _same_strategies(self.settings, settings):  # their windows fill anew
            fresh = core.engine.state()["signals"]
            model = state["signals"]["model"] if fresh["model"] is not None else None
            state["signals"] = {**fresh, "model": model or fresh["model"]}
        await core.engine.restore(state, sends=False)  # the next commit comes first
        self._use(settings, core)

    def _use(self, settings: Settings, core: Core) -> None:
        self.settings, self._core = settings, core
        core.engine.beside = self._beside
        text = settings.canonical_json()
        self._changed = None if text == self._first else text
        self._journal.config_hash = settings.hash()


def _same_strategies(a: Settings, b: Settings) -> bool:
    return a.strategies == b.strategies
