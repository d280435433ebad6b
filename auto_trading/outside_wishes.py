"""What a session does with a `SIGNAL`: an outside strategy's wish, decided like any other.

A strategy owns the positions that its entries opened, and touches no others. Its wishes can only
shrink what risk allows.
"""

from collections.abc import Iterable
from decimal import ROUND_CEILING, ROUND_DOWN, ROUND_FLOOR, Decimal
from typing import TYPE_CHECKING, Any, Final

from auto_trading.answers import Answer
from auto_trading.decision_maker import Decided, Terms
from auto_trading.proposals import Proposal
from auto_trading.session_inputs import Command
from crypto_trader_pro.domain.enums import Side
from crypto_trader_pro.domain.errors import InputError
from crypto_trader_pro.domain.instruments import Instrument, money_units, plain_text
from crypto_trader_pro.domain.orders import Order
from crypto_trader_pro.domain.signals import Signal
from crypto_trader_pro.domain.timeframes import to_datetime
from crypto_trader_pro.domain.units import RATE, rate_ceil, rate_floor, round_down, round_up
from crypto_trader_pro.explain.units import readable
from crypto_trader_pro.risk.rules import RULES, RiskInputs, Verdict

if TYPE_CHECKING:
    from auto_trading.engine import Parts
    from auto_trading.session import TradingSession

_REASON: Final = "webhook"


class OutsideWishes:
    """Handles the `SIGNAL` commands of one session."""

    def __init__(self, session: "TradingSession") -> None:
        self._session = session

    @property
    def _parts(self) -> "Parts":
        return self._session.engine.parts

    async def do(self, command: Command) -> Answer:
        """Do what an alert asks for, as far as the rules allow.

        Raises:
            InputError: it cannot be read, or names a symbol that is not traded here.
        """
        wish = Proposal.read(command.payload)
        if wish.symbol is not None and wish.symbol not in self._parts.positions.index:
            known = ", ".join(self._parts.positions.index)
            raise InputError(f"symbol was {wish.symbol[:64]!r}, allowed: {known}")
        if wish.side:
            return self._enter(wish, command.at_ms)
        canceled = await self._cancel(wish)
        if wish.action == "cancel":
            return Answer.done("entries_canceled", count=canceled)
        return self._close(wish, command.at_ms, canceled)

    # --- buy and sell -----------------------------------------------------------------------

    def _enter(self, wish: Proposal, now_ms: int) -> Answer:
        parts = self._parts
        i = parts.positions.index[wish.symbol or ""]
        item = parts.positions.instruments[i]
        limit = 0 if wish.price is None else _on_tick(item, wish.price, wish.side)
        at_ms = self._session.proposal_ms(i, now_ms)
        bar = parts.monitor.bars[i]
        price = limit or (bar.close if bar is not None else 0)
        terms = Terms(
            self._most_lots(wish, i, price), self._session.enabled, limit,
            now_ms + wish.valid_seconds * 1000 if limit else 0,
            _note(wish),
        )  # fmt: skip
        signal = self._signal(wish, i, price)
        decided = parts.decisions.propose(i, signal, at_ms, terms)
        said = {
            "symbol": item.symbol, "side": Side.of(wish.side).value, "strategy": wish.strategy,
            "at": to_datetime(at_ms).isoformat(),
        }  # fmt: skip
        if decided.entry is None and (decided.closing is not None or not signal.opens):
            return self._told_closing(item, decided, said)
        return self._told_entry(item, decided, said)

    def _signal(self, wish: Proposal, i: int, price: int) -> Signal:
        """Return the wish as a strategy would say it; a sale of own coins only closes."""
        parts, usual = self._parts, self._session.settings.risk_management
        position = parts.positions.positions[i]
        leaves = position.lots * wish.side < 0 and position.strategy == wish.strategy
        only_closes = leaves and parts.risk.may_close() and not position.instrument.can_short
        if only_closes:
            return Signal(wish.strategy, wish.side, _REASON, closes=True, opens=False)
        stop = usual.stop_loss_pct if wish.stop_pct is None else wish.stop_pct
        target = usual.take_profit_pct if wish.target_pct is None else wish.target_pct
        return Signal(
            wish.strategy, wish.side, _REASON, closes=True,
            stop_units=rate_ceil(price, _rate(stop)), target_units=rate_ceil(price, _rate(target)),
        )  # fmt: skip

    def _most_lots(self, wish: Proposal, i: int, price: int) -> int:
        """Return the most lots that the alert's own bounds leave."""
        parts = self._parts
        item = parts.positions.instruments[i]
        bounds = [item.max_lots]
        if wish.quantity is not None:
            bounds.append(item.lots(wish.quantity))
        value = price * item.tv
        capital = None if wish.capital is None else _money(wish.capital)
        if value and wish.size_pct is not None:
            whole = parts.risk.equity if capital is None else capital
            bounds.append(max(0, rate_floor(whole, _rate(wish.size_pct))) // value)
        if value and capital is not None:
            free = capital - self._at_work(wish.strategy, i, wish.side)
            bounds.append(max(0, free) // (value + rate_ceil(value, item.taker_rate)))
        return min(bounds)

    def _at_work(self, strategy: str, i: int, side: int) -> int:
        """Return what a strategy holds and has under way, money units.

        A position that its own opposite signal closes in the same step leaves its capital free.
        """
        positions = self._parts.positions
        held = sum(
            abs(p.value(positions.last[k]))
            for k, p in enumerate(positions.positions)
            if p.lots and p.strategy == strategy and not (k == i and p.lots * side < 0)
        )
        return held + self._parts.executor.reserved_by(strategy)

    def _told_entry(self, item: Instrument, decided: Decided, said: dict[str, Any]) -> Answer:
        """Return what came of a wish to open a position."""
        if decided.entry is not None:
            more = {} if decided.closing is None else {"closing": decided.closing.client_order_id}
            return Answer.done("proposed", **said, **_entry(item, decided.entry), **more)
        if decided.verdict is None or decided.inputs is None:
            return Answer.refused("no_candle", **said)
        risk = self._parts.risk
        refusal = decided.verdict.first
        if refusal == "trading_state":
            if risk.halt_reason:
                return Answer.refused("latched", trigger=risk.halt_reason, **said)
            return Answer.refused("paused" if risk.paused else "stopped", **said)
        return Answer.refused(
            refusal, **{**_numbers(decided.inputs, decided.verdict, item), **said}
        )

    def _told_closing(self, item: Instrument, decided: Decided, said: dict[str, Any]) -> Answer:
        """Return that the strategy's position is leaving, and why no new one follows."""
        order = decided.closing or self._parts.executor.any_way_out(item.symbol)
        assert order is not None  # noqa: S101  there is a position, and it is not let go twice
        refusal = decided.verdict.first if decided.verdict is not None else None
        return Answer.done(
            "position_closing", **said, client_order_id=order.client_order_id,
            quantity=plain_text(item.quantity(order.lots)), refusal=refusal,
        )  # fmt: skip

    # --- close and cancel -------------------------------------------------------------------

    async def _cancel(self, wish: Proposal) -> int:
        """Take back the strategy's own working entries; return how many ended by it."""
        executor = self._parts.executor
        entries = executor.entries_of(wish.strategy, wish.symbol or "")
        for order in entries:
            await executor.cancel(order.client_order_id)
        await executor.settle()
        return sum(not order.is_open for order in entries)

    def _close(self, wish: Proposal, now_ms: int, canceled: int) -> Answer:
        """Close what the strategy owns; it is never refused but for an emergency."""
        parts = self._parts
        own = [i for i in self._meant(wish) if parts.positions.positions[i].strategy
               == wish.strategy and parts.positions.positions[i].lots]  # fmt: skip
        if own and not parts.risk.may_close():
            return Answer.refused("latched", trigger=parts.risk.halt_reason)
        for i in own:
            side = -1 if parts.positions.positions[i].lots > 0 else 1
            signal = Signal(wish.strategy, side, _REASON, closes=True, opens=False)
            at_ms = self._session.proposal_ms(i, now_ms)
            terms = Terms(0, self._session.enabled, note=_note(wish))
            parts.decisions.propose(i, signal, at_ms, terms)
        if not own and not canceled and wish.action == "close":
            return Answer.refused("not_owned", symbol=wish.symbol, strategy=wish.strategy)
        return Answer.done("own_closing", positions=len(own), canceled=canceled)

    def _meant(self, wish: Proposal) -> Iterable[int]:
        index = self._parts.positions.index
        return index.values() if wish.symbol is None else (index[wish.symbol],)


def _note(wish: Proposal) -> dict[str, Any]:
    return {"alert": wish.alert_id} if wish.alert_id else {}


def _rate(percent: Decimal) -> int:
    """Return percent in parts of 1e8, rounded down."""
    return int(percent * (RATE // 100))


def _money(amount: Decimal) -> int:
    """Return an amount of the quote in money units, rounded down."""
    return money_units(amount.quantize(Decimal("1e-8"), ROUND_DOWN))


def _on_tick(item: Instrument, price: Decimal, side: int) -> int:
    """Return a limit on the venue's grid, never worse than was asked: a buy down, a sale up.

    Raises:
        InputError: a buy below the smallest price.
    """
    if side < 0:
        units = (price / item.price_unit).to_integral_value(ROUND_CEILING)
        return round_up(int(units), item.tick_units)
    units = (price / item.price_unit).to_integral_value(ROUND_FLOOR)
    found = round_down(int(units), item.tick_units)
    if not found:
        raise InputError(f"price was {price}, allowed: at least {item.tick}")
    return found


def _entry(item: Instrument, order: Order) -> dict[str, Any]:
    return {
        "client_order_id": order.client_order_id,
        "order_type": order.order_type.value,
        "quantity": plain_text(item.quantity(order.lots)),
        "price": plain_text(item.price(order.price or order.reference)),
    }


def _numbers(inputs: RiskInputs, verdict: Verdict, item: Instrument) -> dict[str, Any]:
    """Return the numbers of the first rule that refused, in units and as JSON values."""
    rule = next(rule for rule in RULES if rule.code == verdict.first)
    found = readable(rule.numbers(inputs, verdict.lots), item, "UTC")
    return {
        name: plain_text(value) if isinstance(value, Decimal) else value
        for name, value in found.items()
    }
