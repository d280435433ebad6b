"""/status /positions /orders /balance: the engine and the account as they are."""

from decimal import Decimal
from typing import Any, Final

from auto_trading.reach.telegram.answers import (
    Answer,
    Button,
    Buttons,
    block,
    escaped,
    exact,
    gain,
    money,
    pairs,
    percent,
)
from auto_trading.reach.telegram.desk import Desk
from crypto_trader_pro.domain.enums import ObservedState
from database import alerts
from database.views.balance import balance
from database.views.orders import WorkingOrder, working_orders
from database.views.positions import OpenPosition, open_positions
from database.views.profit import profit

_MOST: Final = 20  # of one list
_STALE_SECONDS: Final = 5.0  # a living engine says something every second


def menu(desk: Desk) -> Buttons:
    """Return the buttons below a greeting and a status."""
    return (
        (
            Button(desk.say("telegram.button_refresh"), "v:status"),
            Button(desk.say("telegram.button_positions"), "v:positions"),
        ),
        (
            Button(desk.say("telegram.button_pause"), "a:pause"),
            Button(desk.say("telegram.button_stop"), "a:stop"),
        ),
    )


def status(desk: Desk) -> Answer:
    """Return how the engine and the account are, in a few lines."""
    title = desk.say("telegram.title_status")
    rows = [(desk.say("telegram.engine"), _engine(desk))]
    engine = desk.engine
    if engine is not None and engine.alive:
        rows.append((desk.say("telegram.trading"), trading(desk)))
    if engine is not None and engine.last_error:
        rows.append((desk.say("telegram.last_error"), engine.last_error[:120]))
    if desk.found_run is not None:
        rows += _account(desk)
    rows.append((desk.say("telegram.alerts"), str(alerts.count_open(desk.session))))
    return desk.framed(title, pairs(rows), buttons=menu(desk))


def trading(desk: Desk) -> str:
    """Return what a living engine may do now: trade, wait for a person, or halt."""
    engine = desk.engine
    account: Any = {} if engine is None or engine.account is None else engine.account
    if engine is None:
        return desk.say("telegram.never")
    if account.get("halt_reason"):
        trigger = desk.word("trigger", str(account["halt_reason"]))
        return desk.say("telegram.halted", trigger=trigger)
    if engine.observed is not ObservedState.RUNNING:
        return desk.say("telegram.trading_stopped")
    if account.get("paused"):
        return desk.say("telegram.paused")
    return desk.word("state", engine.trading.value)


def positions(desk: Desk) -> Answer:
    """Return the open positions, two or three lines each."""
    held = open_positions(desk.session, desk.run.id)
    if not held:
        return desk.framed(desk.say("telegram.title_positions"), _plain(desk, "no_positions"))
    lines = [line for p in held[:_MOST] for line in (*_position(desk, p), "")]
    known = [p.unrealized_pnl for p in held if p.unrealized_pnl is not None]
    total = desk.say("telegram.total", amount=gain(sum(known, Decimal(0)), desk.asset))
    buttons = ((Button(desk.say("telegram.button_refresh"), "v:positions"),),)
    return desk.framed(
        f"{desk.say('telegram.title_positions')} ({len(held)})", block([*lines, total]),
        *_more(desk, len(held)), buttons=buttons,
    )  # fmt: skip


def orders(desk: Desk) -> Answer:
    """Return the orders that have not ended."""
    found = working_orders(desk.session, desk.run.id)
    title = desk.say("telegram.title_orders")
    if not found:
        return desk.framed(title, _plain(desk, "no_orders"))
    lines = [line for o in found[:_MOST] for line in _order(desk, o)]
    buttons = ((Button(desk.say("telegram.button_refresh"), "v:orders"),),)
    return desk.framed(
        f"{title} ({len(found)})", block(lines), *_more(desk, len(found)), buttons=buttons
    )


def account_balance(desk: Desk) -> Answer:
    """Return the account's money."""
    found = balance(desk.session, desk.run.id, desk.now)
    title = desk.say("telegram.title_balance")
    if found is None:
        return desk.framed(title, _plain(desk, "no_figures"))
    rows = [
        ("equity", money(found.equity, found.currency)),
        ("cash", money(found.cash, found.currency)),
        ("unrealized", gain(found.unrealized, found.currency)),
        ("realized", gain(found.realized, found.currency)),
        ("exposure", money(found.exposure, found.currency)),
        ("drawdown", percent(found.drawdown)),
        ("open", str(found.open_positions)),
        ("as_of", desk.at(found.at)),
    ]
    shown = [(desk.say(f"telegram.{name}"), value) for name, value in rows]
    return desk.framed(title, pairs(shown))


def _engine(desk: Desk) -> str:
    engine = desk.engine
    if engine is None:
        return desk.say("telegram.never")
    if not engine.alive:
        return desk.say("telegram.engine_gone", age=desk.age(engine.heartbeat_age_seconds))
    if engine.heartbeat_age_seconds > _STALE_SECONDS:
        return desk.say("telegram.engine_silent", age=desk.age(engine.heartbeat_age_seconds))
    return desk.say(f"telegram.observed_{engine.observed.value}")


def _account(desk: Desk) -> list[tuple[str, str]]:
    found = balance(desk.session, desk.run.id, desk.now)
    if found is None:
        return []
    rows = [(desk.say("telegram.equity"), money(found.equity, found.currency))]
    earned = profit(desk.session, desk.run.id, desk.now)
    if earned is not None:
        rows.append((desk.say("telegram.today"), gain(earned.today.profit, earned.currency)))
    rows.append((desk.say("telegram.open"), str(found.open_positions)))
    waiting = len(working_orders(desk.session, desk.run.id))
    rows.append((desk.say("telegram.orders"), str(waiting)))
    if not found.is_live:
        rows.append((desk.say("telegram.as_of"), desk.at(found.at)))
    return rows


def _position(desk: Desk, p: OpenPosition) -> list[str]:
    share = percent(p.share, signed=True)
    lines = [
        f"{p.symbol} {p.side}",
        f"  {exact(p.quantity)} @ {exact(p.entry_price)} → {exact(p.mark_price)}",
        f"  {gain(p.unrealized_pnl, desk.asset)} ({share})",
    ]
    stop = exact(p.stop_price)
    code = "stop_covered" if p.protection.is_whole else f"stop_{p.protection.code}"
    lines.append(f"  {desk.say(f'telegram.{code}', price=stop)}")
    return lines


def _order(desk: Desk, o: WorkingOrder) -> list[str]:
    price = desk.say("telegram.at_market") if o.price is None else f"@ {exact(o.price)}"
    filled = "" if not o.filled else f" ({exact(o.filled)})"
    role = desk.word("role", o.role)
    return [
        f"{o.symbol} {o.side} {role}",
        f"  {exact(o.quantity)}{filled} {price}",
        f"  {desk.word('status', o.status)} {o.client_order_id} {desk.at(o.created_at)}",
    ]


def _more(desk: Desk, count: int) -> list[str]:
    if count <= _MOST:
        return []
    return [escaped(desk.say("telegram.more", count=count - _MOST))]


def _plain(desk: Desk, code: str) -> str:
    return escaped(desk.say(f"telegram.{code}"))
