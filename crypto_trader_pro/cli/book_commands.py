"""What the account holds and did: `positions`, `orders`, `trades`, `accounts`, `strategies`."""

from collections.abc import Sequence
from dataclasses import fields
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from sqlmodel import Session

from auto_trading.status import process_is_gone
from config.loading import load
from config.settings import Settings
from crypto_trader_pro.cli.context import day_zone, language
from crypto_trader_pro.cli.output import AsJson, instant, print_json, print_rows
from crypto_trader_pro.cli.which_run import OfRun, chosen, reading
from crypto_trader_pro.domain.errors import InputError
from crypto_trader_pro.domain.timeframes import to_datetime
from database.views import accounts as account_views
from database.views import strategies as strategy_views
from database.views.orders import working_orders
from database.views.positions import open_positions
from database.views.runs import RunRef
from database.views.trades import ClosedTrade, Execution, closed_trades, executions
from utils.clocks import SystemClock
from utils.spreadsheets import csv_bytes
from utils.texts import say

_MOST: Final = 1000
_PAGE: Final = 1000  # rows of a file that are read at once
_STDOUT: Final = "-"
_POSITION: Final = (
    "symbol", "side", "quantity", "entry_price", "mark_price", "value", "unrealized_pnl",
    "stop_price", "target_price", "strategy", "opened_at",
)  # fmt: skip
_ORDER: Final = (
    "client_order_id", "symbol", "side", "role", "type", "quantity", "filled", "price", "status",
    "strategy", "created_at",
)  # fmt: skip
_EXECUTION: Final = (
    "executed_at", "symbol", "side", "role", "quantity", "price", "fee", "realized_pnl",
    "strategy", "reason",
)  # fmt: skip
_CLOSED: Final = (
    "closed_at", "symbol", "side", "quantity", "entry_price", "exit_price", "realized_pnl", "fees",
    "strategy", "reason",
)  # fmt: skip


def positions(run: OfRun = None, as_json: AsJson = False) -> None:
    """List the open positions with their newest price, profit and protection.

    Example: python -m crypto_trader_pro positions
    """
    with reading("the positions") as session:
        of = chosen(session, run)
        found = [] if of is None else open_positions(session, of.id)
    if as_json:
        print_json({"run": _name(of), "positions": [p.as_json() for p in found]})
        return
    columns = (*_POSITION, "protection")
    rows = [[*(getattr(p, name) for name in _POSITION), p.protection.code] for p in found]
    _table(columns, rows, "command.no_positions")


def orders(run: OfRun = None, as_json: AsJson = False) -> None:
    """List the orders that have not ended: entries, stops, targets.

    Example: python -m crypto_trader_pro orders
    """
    with reading("the orders") as session:
        of = chosen(session, run)
        found = [] if of is None else working_orders(session, of.id)
    if as_json:
        print_json({"run": _name(of), "orders": [o.as_json() for o in found]})
        return
    _table(_ORDER, [[getattr(o, name) for name in _ORDER] for o in found], "command.no_orders")


def trades(
    since: Annotated[
        str | None, typer.Option(help="From then on: 2026-03, 2026-03-01, 2026-03-01T09:00+09:00.")
    ] = None,
    until: Annotated[str | None, typer.Option(help="Before then, in the same forms.")] = None,
    symbol: Annotated[str | None, typer.Option(help="As BTC/USDT:USDT.")] = None,
    closed: Annotated[
        bool,
        typer.Option("--closed", help="Whole positions, not single orders."),
    ] = False,
    lines: Annotated[int, typer.Option(help="How many at most, newest first.")] = 100,
    csv: Annotated[
        str | None, typer.Option(help="Write all of them to this file, - is standard output.")
    ] = None,
    run: OfRun = None,
    as_json: AsJson = False,
) -> None:
    """List executed orders, newest first, or write them to a file for a spreadsheet.

    Example: python -m crypto_trader_pro trades --since 2026-03-01 --csv trades.csv
    """
    if not 0 < lines <= _MOST:
        raise InputError(f"--lines was {lines}, allowed: 1 to {_MOST}")
    if csv is not None and as_json:
        raise InputError("--csv and --json were given, allowed: one of them")
    span = (_moment(since, "--since"), _moment(until, "--until"))
    kind: type[ClosedTrade | Execution] = ClosedTrade if closed else Execution
    with reading("the trades") as session:
        of = chosen(session, run)
        if csv is not None:
            _write_csv(csv, kind, _all(session, of, kind, span, symbol))
            return
        found = _page(session, of, kind, span, symbol, lines, None)
    if as_json:
        print_json({"run": _name(of), "trades": [t.as_json() for t in found]})
        return
    columns = _CLOSED if closed else _EXECUTION
    _table(columns, [[getattr(t, name) for name in columns] for t in found], "command.no_trades")


def accounts(as_json: AsJson = False) -> None:
    """List the accounts: who trades them, what they are worth, which strategies share them.

    Example: python -m crypto_trader_pro accounts
    """
    with reading("the accounts") as session:
        found = account_views.accounts(session, SystemClock().now(), process_is_gone)
    if as_json:
        print_json({"accounts": [a.as_json() for a in found]})
        return
    columns = ("account", "engine", "mode", "source", "run", "equity", "cash", "strategies")
    rows = [
        [a.account, a.observed_state, a.mode or "-", a.source or "-", a.run or "-",
         a.balance and a.balance.equity, a.balance and a.balance.cash,
         [s.name for s in a.strategies]]
        for a in found
    ]  # fmt: skip
    _table(columns, rows, "command.no_accounts")


def strategies(as_json: AsJson = False) -> None:
    """List the strategies: our own as configured, and those whose signals come from outside.

    Example: python -m crypto_trader_pro strategies
    """
    own = _own(load())
    with reading("the strategies") as session:
        outside = strategy_views.outside_strategies(session)
    if as_json:
        print_json({"own": own, "outside": [s.as_json() for s in outside]})
        return
    columns = ("strategy", "from", "active", "symbols", "settings")
    rows = [[s["name"], "here", _mark(s["enabled"]), "-", s["parameters"]] for s in own]
    for s in outside:
        shares = [f"{a.account}: {'-' if a.capital is None else a.capital}" for a in s.accounts]
        rows.append([s.name, "webhook", _mark(s.is_active), list(s.symbols) or "all", shares])
    print_rows(columns, rows)


def _own(settings: Settings) -> list[dict[str, Any]]:
    """Return the strategies of the configuration, with their parameters."""
    found = []
    for name, values in settings.strategies.model_dump(mode="json").items():
        rest = {key: value for key, value in values.items() if key != "enabled"}
        found.append({"name": name, "enabled": values["enabled"], "parameters": rest})
    return found


def _page(
    session: Session, of: RunRef | None, kind: type[ClosedTrade | Execution],
    span: tuple[datetime | None, datetime | None], symbol: str | None, limit: int,
    before_id: int | None,
) -> Sequence[ClosedTrade | Execution]:  # fmt: skip
    if of is None:
        return []
    read = closed_trades if kind is ClosedTrade else executions
    return read(session, of.id, *span, symbol, limit, before_id)


def _all(
    session: Session, of: RunRef | None, kind: type[ClosedTrade | Execution],
    span: tuple[datetime | None, datetime | None], symbol: str | None,
) -> list[ClosedTrade | Execution]:  # fmt: skip
    found: list[ClosedTrade | Execution] = []
    while True:
        last = found[-1].id if found else None
        page = _page(session, of, kind, span, symbol, _PAGE, last)
        found += page
        if len(page) < _PAGE:
            return found


def _write_csv(
    target: str, kind: type[ClosedTrade | Execution], found: Sequence[ClosedTrade | Execution]
) -> None:
    names = [f.name for f in fields(kind)]
    body = csv_bytes(names, ([getattr(row, name) for name in names] for row in found))
    if target == _STDOUT:
        typer.echo(body, nl=False)
        return
    try:
        Path(target).write_bytes(body)
    except OSError as e:
        raise InputError(f"--csv was {target!r}, cannot be written: {e.strerror}") from e
    typer.echo(say(language(), "command.csv_written", count=len(found), file=target))


def _moment(text: str | None, name: str) -> datetime | None:
    ms = instant(text, name)
    return None if ms is None else to_datetime(ms)


def _mark(on: Any) -> str:
    return "yes" if on else "no"


def _name(of: RunRef | None) -> str | None:
    return None if of is None else of.public_id


def _table(columns: Sequence[str], rows: Sequence[Sequence[Any]], none: str) -> None:
    if not rows:
        typer.echo(say(language(), none))
        return
    print_rows([name.replace("_", " ") for name in columns], rows, zone=day_zone())
