"""Deciding again what a living session decided: from the record of what came into it."""

from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple

from sqlalchemy import Engine as Database

from auto_trading.market_monitor import MarketMonitor
from auto_trading.operations import settings_of
from auto_trading.rerun_compare import compared
from auto_trading.session_inputs import Command, decoded
from auto_trading.signal_generator import AISignalGenerator
from auto_trading.translation import candle_strategies, enabled_strategies, gate_of
from config.settings import Settings
from crypto_trader_pro.domain.enums import CommandKind
from crypto_trader_pro.domain.errors import InputError
from crypto_trader_pro.domain.instruments import Instrument
from crypto_trader_pro.domain.messages import Backfill, MarketSlice, Missed
from crypto_trader_pro.domain.signals import Signal
from crypto_trader_pro.domain.timeframes import timeframe_ms
from crypto_trader_pro.explain.findings import Finding
from crypto_trader_pro.simulation.instruments import instrument
from database import decisions, runs, session_record
from database.auto_trading_db import unit_of_work
from database.models import AiSignalRow, DecisionRow, RunRow

_CONFIGS = (CommandKind.APPLY_CONFIG, CommandKind.ROLLBACK_CONFIG)


class Findings(NamedTuple):
    """What a symbol's monitor and strategies find, the model left out.

    Args:
        origin: the session; None where its record is not stored.
        settings: in force at the decision; None as above.
    """

    differs: list[Finding]
    unchecked: list[Finding]
    origin: RunRow | None = None
    settings: Settings | None = None


def session_findings(
    database: Database, run: RunRow, decision: DecisionRow, signals: Sequence[AiSignalRow]
) -> Findings:
    """Let one symbol's monitor and strategies see the session up to the decision once more."""
    with unit_of_work(database, "the session") as session:
        origin = runs.find(session, run.inputs["session"]) if "session" in run.inputs else run
        rows = list(session_record.inputs(session, runs.number(origin)))
        before_ms = decisions.seen_before(session, decision.run_id, decision.symbol, decision.at_ms)
    if not rows:
        return Findings([], [Finding("why.unchecked.source", {})])
    settings = Settings.model_validate_json(origin.config, strict=False)
    place = origin.symbols.index(decision.symbol)
    again = _Again(instrument(decision.symbol), place, settings, before_ms)
    for row in rows:
        if again.take(row, decision.at_ms):
            break
    differs = compared(again.monitor.window_hash[0], again.said, decision, signals)
    return Findings(differs, [], origin, again.settings)


class _Again:
    """One symbol of a session, as far as signals go.

    Args:
        before_ms: when it was last decided on. That decision took what had been said until then,
            what was said later is kept for the next. Which candles are decided on is not in the
            record: a stop, a halt or a missing candle leaves one out.
    """

    def __init__(
        self, item: Instrument, place: int, settings: Settings, before_ms: int | None
    ) -> None:
        self._item = item
        self._place = place
        self._length = timeframe_ms(settings.engine.timeframe)
        self._interval_ms = settings.engine.trading_interval * 1000
        self.settings = settings
        self._before_ms = before_ms
        self.monitor = MarketMonitor([item], [gate_of(self._length, settings)])
        self._generator = self._strategies(settings)
        self.said: list[Signal] = []

    def _strategies(self, settings: Settings) -> AISignalGenerator:
        return AISignalGenerator(
            [self._item], candle_strategies(enabled_strategies(settings), settings), None,
            interval_is_timeframe=self._interval_ms == self._length,
        )  # fmt: skip

    def take(self, row: Sequence[object], until_ms: int) -> bool:
        """Take one input; True once the decision of `until_ms` has been made."""
        if row[0] in ("prices", "funding"):  # many, and no signal depends on them
            return False
        item = decoded(row)
        if isinstance(item, Command):
            self._command(item)
        elif isinstance(item, Missed):
            self._see(item.market, partial=False)
        elif isinstance(item, Backfill):
            self._see(item.market, partial=True)
        elif isinstance(item, MarketSlice):
            self._see(item, partial=False)
            if item.close_ms in (self._before_ms, until_ms):
                seen = self.monitor.bars[0] is not None
                self.said = self._generator.generate_signals(0) if seen else []
            return item.close_ms >= until_ms
        return False

    def _see(self, market: MarketSlice, *, partial: bool) -> None:
        self.monitor.observe(
            MarketSlice(market.close_ms, (market.bars[self._place],)), partial=partial
        )
        self._generator.observe(market.close_ms, self.monitor)

    def _command(self, command: Command) -> None:
        if command.kind in _CONFIGS:
            with suppress(InputError):  # the session refused it and went on as before
                self._reconfigure(settings_of(command, self.settings))

    def _reconfigure(self, settings: Settings) -> None:
        """Go on with other settings, as the session did."""
        state, before = self.monitor.state(), self.settings
        self.monitor = MarketMonitor([self._item], [gate_of(self._length, settings)])
        self.monitor.restore(state)
        if before.strategies != settings.strategies:
            self._generator = self._strategies(settings)
        self.settings = settings
