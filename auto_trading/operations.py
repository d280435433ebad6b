"""What a command does to a session; each answers with a code that the catalogue words."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from pydantic import ValidationError

from auto_trading.control import REARM_WORD
from auto_trading.session_inputs import Command
from config.effects import structure
from config.settings import Settings
from crypto_trader_pro.domain.enums import (
    CommandKind,
    DesiredState,
    EmergencyTrigger,
    NotificationType,
    OrderRole,
    TradingState,
)
from crypto_trader_pro.domain.errors import InputError
from database.commands import CommandStatus

if TYPE_CHECKING:
    from auto_trading.session import TradingSession

_SHOWN: Final = 64  # characters of what was asked that an answer repeats


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a command."""

    status: CommandStatus
    data: dict[str, Any]
    wanted: DesiredState | None = field(
        default=None, compare=False
    )  # of the engine from now on, None: as before
    rearms: bool = field(default=False, compare=False)  # a person has lifted an emergency

    @classmethod
    def done(cls, code: str, **numbers: Any) -> "Answer":
        return cls(CommandStatus.DONE, {"code": f"answer.{code}", **numbers})

    def wanting(self, desired: DesiredState, *, rearms: bool = False) -> "Answer":
        """Return this answer with what is wanted of the engine because of it."""
        return replace(self, wanted=desired, rearms=rearms)

    @classmethod
    def refused(cls, code: str, **numbers: Any) -> "Answer":
        return cls(CommandStatus.REFUSED, {"code": f"refused.{code}", **numbers})


class Operations:
    """The commands that change a session. Applying one twice does no more than applying it once."""

    def __init__(self, session: "TradingSession") -> None:
        self._session = session
        self._handlers: Final[dict[CommandKind, Callable[[Command], Awaitable[Answer]]]] = {
            CommandKind.START: self._start,
            CommandKind.STOP: self._stop,
            CommandKind.EMERGENCY_STOP: self._emergency_stop,
            CommandKind.REARM: self._rearm,
            CommandKind.CLOSE_POSITION: self._close_position,
            CommandKind.CANCEL_ORDER: self._cancel_order,
            CommandKind.LIFT_LOCK: self._lift_lock,
            CommandKind.APPLY_CONFIG: self._apply_config,
            CommandKind.ROLLBACK_CONFIG: self._apply_config,
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
        return Answer.done("started").wanting(DesiredState.RUNNING)

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
        if parts.risk.trading_state is TradingState.ACTIVE:  # it would forgive the day's loss
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
        order = order or parts.executor.way_out(i)
        assert order is not None  # noqa: S101  there is a position: one of the two holds
        return Answer.done("closing", symbol=symbol, client_order_id=order.client_order_id)

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
