"""What a command does to a session; each answers with a code that the catalogue words."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final

from pydantic import ValidationError

from auto_trading.answers import Answer
from auto_trading.control import REARM_WORD
from auto_trading.gradual_close import MOST_SECONDS, MOST_SLICES, SLICES
from auto_trading.outside_wishes import OutsideWishes
from auto_trading.session_inputs import Command
from config.effects import structure
from config.settings import Settings
from crypto_trader_pro.domain.enums import (
    CommandKind,
    DesiredState,
    EmergencyTrigger,
    NotificationType,
    OrderRole,
)
from crypto_trader_pro.domain.errors import InputError

if TYPE_CHECKING:
    from auto_trading.engine import Parts
    from auto_trading.session import TradingSession

__all__ = ["Answer", "Operations", "settings_of"]

_SHOWN: Final = 64  # characters of what was asked that an answer repeats


class Operations:
    """The commands that change a session. Applying one twice does no more than applying it once."""

    def __init__(self, session: "TradingSession") -> None:
        self._session = session
        self._handlers: Final[dict[CommandKind, Callable[[Command], Awaitable[Answer]]]] = {
            CommandKind.START: self._start,
            CommandKind.STOP: self._stop,
            CommandKind.EMERGENCY_STOP: self._emergency_stop,
            CommandKind.REARM: self._rearm,
            CommandKind.PAUSE: self._pause,
            CommandKind.RESUME: self._resume,
            CommandKind.CLOSE_POSITION: self._close_position,
            CommandKind.CLOSE_ALL: self._close_all,
            CommandKind.CANCEL_ORDER: self._cancel_order,
            CommandKind.CANCEL_ENTRIES: self._cancel_entries,
            CommandKind.LIFT_LOCK: self._lift_lock,
            CommandKind.APPLY_CONFIG: self._apply_config,
            CommandKind.ROLLBACK_CONFIG: self._apply_config,
            CommandKind.SIGNAL: OutsideWishes(session).do,
        }

    @property
    def kinds(self) -> frozenset[CommandKind]:
        return frozenset(self._handlers)

    async def do(self, command: Command) -> Answer:
        """Apply a command.

        Raises:
            InputError: a kind that is not a session's, or a field that names nothing we have.
        """
        handler = self._handlers.get(command.kind)
        if handler is None:
            allowed = ", ".join(self._handlers)
            raise InputError(f"kind was {command.kind.value!r}, allowed in a session: {allowed}")
        return await handler(command)

    async def _start(self, _: Command) -> Answer:
        session = self._session
        if session.engine.risk.halt_reason:
            return Answer.refused("latched", trigger=session.engine.risk.halt_reason)
        session.enabled = True
        code = "started_paused" if session.engine.risk.paused else "started"
        return Answer.done(code).wanting(DesiredState.RUNNING)

    async def _stop(self, _: Command) -> Answer:
        session = self._session
        session.enabled = False
        await session.engine.parts.executor.cancel_entries()
        await session.engine.parts.executor.settle()
        count = session.engine.parts.positions.open_count
        return Answer.done("stopped", open_positions=count).wanting(DesiredState.STOPPED)

    async def _emergency_stop(self, command: Command) -> Answer:
        session = self._session
        parts = session.engine.parts
        session.enabled = False
        trigger = _trigger(command)
        acts = parts.emergency.acts_on(trigger)
        positions = parts.positions.open_count
        closing = await parts.emergency.trigger_emergency_stop(trigger, command.at_ms, command.by)
        await parts.executor.settle()
        session.leaving.follow(parts, command.at_ms)  # the stop owns the positions now
        if acts:
            parts.journal.alert(
                NotificationType.EMERGENCY_STOP, "critical", "emergency_stop",
                {"trigger": trigger.value, "by": command.by, "positions": positions,
                 "closing": closing}, command.at_ms,
            )  # fmt: skip
        done = Answer.done("halted", positions=positions, closing=closing)
        if not acts:  # a flag or another command came first: its report has the numbers
            done = Answer.done("halted_already", positions=positions)
        return done.wanting(DesiredState.EMERGENCY)

    async def _rearm(self, command: Command) -> Answer:
        parts = self._session.engine.parts
        word = str(command.payload.get("confirm", ""))
        if word != REARM_WORD:
            return Answer.refused("confirm", given=word[:32], word=REARM_WORD)
        if parts.emergency.is_under_way:
            return Answer.refused("flattening", positions=parts.positions.open_count)
        if not parts.risk.can_rearm:  # it would forgive the day's loss
            return Answer.refused("not_halted")
        was = parts.risk.halt_reason
        parts.risk.rearm()
        if was:  # after an emergency nobody trades before a person says so
            self._session.enabled = False
        numbers = {"by": command.by, "trigger": was}
        parts.journal.alert(
            NotificationType.TRADING_STATE_CHANGED, "warning", "rearmed", numbers, command.at_ms
        )
        done = Answer.done("rearmed", trigger=was)
        return done.wanting(DesiredState.STOPPED, rearms=True) if was else done

    async def _pause(self, command: Command) -> Answer:
        """Take no new risk until a person resumes; exits, time-outs and protection go on."""
        parts = self._session.engine.parts
        if not parts.risk.paused:
            self._set_pause(parts, command, on=True)
        return Answer.done("paused", open_positions=parts.positions.open_count,
                           entries=parts.executor.entries_under_way)  # fmt: skip

    async def _resume(self, command: Command) -> Answer:
        risk = self._session.engine.parts.risk
        if not risk.paused:
            return Answer.refused("not_paused")
        self._set_pause(self._session.engine.parts, command, on=False)
        if risk.halt_reason:
            return Answer.done("resumed_latched", trigger=risk.halt_reason)
        return Answer.done("resumed" if self._session.enabled else "resumed_stopped")

    @staticmethod
    def _set_pause(parts: "Parts", command: Command, *, on: bool) -> None:
        parts.risk.pause(on=on)
        parts.journal.alert(
            NotificationType.TRADING_STATE_CHANGED, "warning", "paused" if on else "resumed",
            {"by": command.by}, command.at_ms,
        )  # fmt: skip

    async def _close_position(self, command: Command) -> Answer:
        parts = self._session.engine.parts
        i = self._symbol(command)
        role = OrderRole.FLATTEN if parts.risk.halt_reason else OrderRole.EXIT
        symbol = parts.positions.instruments[i].symbol
        if not parts.positions.positions[i].lots:
            return Answer.refused("no_position", symbol=symbol)
        await parts.executor.cancel_entries(symbol)  # what is left of one would open it anew
        await parts.executor.settle()
        order = parts.executor.close(i, role, "operator", command.at_ms)
        order = order or parts.executor.any_way_out(symbol)
        assert order is not None  # noqa: S101  there is a position: one of the two holds
        return Answer.done("closing", symbol=symbol, client_order_id=order.client_order_id)

    async def _close_all(self, command: Command) -> Answer:
        """Pause, cancel entries, and close every position: at once, or in equal steps.

        `over_seconds` are seconds of market time: those of a demo market run faster.
        """
        over_ms = 1000 * _whole(command, "over_seconds", 0, 0, MOST_SECONDS)
        slices = _whole(command, "slices", SLICES, 1, MOST_SLICES)
        parts, leaving = self._session.engine.parts, self._session.leaving
        if over_ms and parts.risk.halt_reason:
            return Answer.refused("not_gradually", trigger=parts.risk.halt_reason)
        if not parts.risk.paused:
            self._set_pause(parts, command, on=True)
        await parts.executor.cancel_entries()
        await parts.executor.settle()
        positions = list(parts.positions.open_indexes)
        if over_ms:
            planned = [leaving.begin(parts, i, command.at_ms, over_ms, slices) for i in positions]
            leaving.follow(parts, command.at_ms)
            return Answer.done("closing_gradually", positions=len(positions), slices=sum(planned),
                               over_seconds=over_ms // 1000)  # fmt: skip
        role = OrderRole.FLATTEN if parts.risk.halt_reason else OrderRole.EXIT
        for i in positions:
            parts.executor.close(i, role, "operator", command.at_ms)
        return Answer.done("closing_all", positions=len(positions))

    async def _cancel_entries(self, command: Command) -> Answer:
        executor = self._session.engine.parts.executor
        symbol = ""
        if command.payload.get("symbol") is not None:
            i = self._symbol(command)
            symbol = self._session.engine.parts.positions.instruments[i].symbol
        entries = [
            order
            for order in executor.orders.values()
            if order.role is OrderRole.ENTRY and symbol in ("", order.symbol)
        ]
        await executor.cancel_entries(symbol)
        await executor.settle()
        return Answer.done("entries_canceled", count=sum(not o.is_open for o in entries))

    async def _cancel_order(self, command: Command) -> Answer:
        parts = self._session.engine.parts
        order_id = _text(command, "client_order_id")
        order = parts.executor.orders.get(order_id)
        if order is None:
            return Answer.refused("no_order", client_order_id=order_id[:64])
        if order.role is not OrderRole.ENTRY:  # it would leave a position without its protection
            return Answer.refused("protects", client_order_id=order_id, role=order.role.value)
        await parts.executor.cancel(order_id)
        await parts.executor.settle()
        return Answer.done("canceled", client_order_id=order_id)

    async def _lift_lock(self, command: Command) -> Answer:
        parts = self._session.engine.parts
        i = self._symbol(command)
        symbol = parts.positions.instruments[i].symbol
        if not parts.risk.lift_lock(i):
            return Answer.refused("no_lock", symbol=symbol)
        return Answer.done("unlocked", symbol=symbol)

    async def _apply_config(self, command: Command) -> Answer:
        """Go on with a configuration that was checked and written before it came here."""
        session = self._session
        settings = settings_of(command, session.settings)
        await session.reconfigure(settings)
        numbers = {"by": command.by, "config_hash": settings.hash(),
                   "changes": command.payload.get("changes", {})}  # fmt: skip
        session.journal.alert(
            NotificationType.CONFIG_CHANGED, "info", "config_applied", numbers, command.at_ms
        )
        return Answer.done("configured", config_hash=settings.hash())

    def _symbol(self, command: Command) -> int:
        positions = self._session.engine.parts.positions
        symbol = _text(command, "symbol")
        if symbol not in positions.index:
            known = ", ".join(positions.index)
            raise InputError(f"symbol was {symbol[:_SHOWN]!r}, allowed: {known}")
        return positions.index[symbol]


def _text(command: Command, name: str) -> str:
    value = command.payload.get(name)
    if not isinstance(value, str) or not value:
        raise InputError(f"{name} was {str(value)[:_SHOWN]!r}, allowed: a text")
    return value


def _whole(command: Command, name: str, usual: int, least: int, most: int) -> int:
    value = command.payload.get(name)
    if value is None:
        return usual
    if type(value) is not int or not least <= value <= most:
        shown = str(value)[:_SHOWN]
        raise InputError(f"{name} was {shown!r}, allowed: a whole number from {least} to {most}")
    return value


def _trigger(command: Command) -> EmergencyTrigger:
    """Return the trigger that a command names; a word nobody knows stops as a person would."""
    name = command.payload.get("trigger")
    found = (t for t in EmergencyTrigger if t.value == name)
    return next(found, EmergencyTrigger.MANUAL_STOP)


def settings_of(command: Command, now: Settings) -> Settings:
    """Return the settings of a command, if a session under `now` can go on with them.

    Raises:
        InputError: it carries none, or such as take a new session.
    """
    text = _text(command, "config")
    try:
        wanted = Settings.model_validate_json(text, strict=False)
    except ValidationError as e:
        first = e.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise InputError(f"config {place}: {first['msg']}") from e
    if _made_of(wanted) != _made_of(now):
        raise InputError(
            "config changes symbols, timeframe, trading_interval, mode or equity,"
            " which takes a new session"
        )
    return wanted


def _made_of(settings: Settings) -> dict[str, Any]:
    return {name: value for name, value in structure(settings).items() if name != "market"}
