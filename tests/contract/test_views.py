"""What commands, the JSON API and the chat read of the books: right on both databases."""

from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any, Final, TypeVar

import pytest
from sqlalchemy import Engine
from sqlmodel import Session

from crypto_trader_pro.domain.enums import ObservedState, TradingState
from crypto_trader_pro.domain.errors import InputError
from database import lease
from database.auto_trading_db import unit_of_work
from database.candles import Origin
from database.lease import Beat, Holder
from database.models import AiSignalRow, DailyAccountSummaryRow, OutboxRow
from database.prices import LatestPrice, store_latest
from database.strategies import Changes, create, set_active, set_capital
from database.views.accounts import accounts
from database.views.balance import balance
from database.views.decisions import recent_decisions
from database.views.equity import equity_curve
from database.views.json_values import json_value
from database.views.outbox import dead_letters, outbox_counts, waiting_messages
from database.views.positions import open_positions
from database.views.profit import daily, performance, profit
from database.views.runs import current_run
from database.views.signals import recent_signals
from database.views.strategies import outside_strategies
from database.views.trades import closed_trades, executions
from tests.performance_rows import a_round_trip, hourly
from tests.rows import (
    SYMBOL,
    T0,
    a_decision,
    a_position,
    after,
    an_entry,
    an_equity,
    stored,
    stored_run,
)

T = TypeVar("T")
D: Final = Decimal
ETH: Final = "ETH/USDT:USDT"
DAY: Final = 24 * 60  # minutes
TOLD: Final = {
    "at": after(90).isoformat(), "asset": "USDT", "cash": "99000", "equity": "100134.18",
    "gross": "1134.18", "realized": "100", "unrealized": "34.18", "drawdown": "0.01",
    "open_positions": 1, "trading_state": "reducing",
}  # fmt: skip


def a_session(database: Engine, **changes: Any) -> int:
    values: dict[str, Any] = {
        "kind": "paper", "source": "demo", "inputs": {"venue": "demo-7"}, "symbols": [SYMBOL, ETH],
    }  # fmt: skip
    return stored_run(database, **(values | changes))


def beat(database: Engine, run: int, view: dict[str, Any] | None = None) -> None:
    """Let an engine beat at T0; its lease lasts ten seconds."""
    with unit_of_work(database) as session:
        epoch = lease.take(session, Holder("o", "host", 7, 1, "b"), T0, is_gone=lambda _: True)
        assert epoch is not None
        told = Beat(ObservedState.RUNNING, TradingState.REDUCING, "paper", "demo", run, None, view)
        lease.renew(session, epoch, told, T0)


def asked(database: Engine, query: Callable[[Session], T]) -> T:
    with unit_of_work(database) as session:
        return query(session)


def alive(*_: object) -> bool:
    return False


def gone(*_: object) -> bool:
    return True


# --- as JSON ------------------------------------------------------------------------------------


def test_values_are_plain_text_and_utc() -> None:
    korea = datetime(2024, 1, 1, 9, tzinfo=timezone(timedelta(hours=9)))
    found = json_value({"d": D("1E+3"), "z": D("-0.10"), "at": korea, "n": (1, None, True)})
    assert found == {
        "d": "1000", "z": "-0.1", "at": "2024-01-01T00:00:00+00:00", "n": [1, None, True],
    }  # fmt: skip


# --- runs and balance ---------------------------------------------------------------------------


def test_the_run_of_a_living_engine_goes_before_a_newer_one(database: Engine) -> None:
    assert asked(database, lambda s: current_run(s, T0, alive)) is None
    run, replay = a_session(database), stored_run(database)
    beat(database, run)
    found = asked(database, lambda s: current_run(s, T0, alive))
    assert found is not None
    assert (found.id, found.public_id, found.tag) == (run, f"r{run}", "paper-demo")
    assert (found.is_simulated, found.asset, found.as_json()["started_at"]) == (
        True, "USDT", "2024-01-01T00:00:00+00:00",
    )  # fmt: skip
    last = asked(database, lambda s: current_run(s, T0, gone))
    assert last is not None
    assert (last.id, last.mode, replay > run) == (run, "paper", True)  # nobody holds a replay's


def test_a_replay_is_told_of_where_no_session_ever_was(database: Engine) -> None:
    replay = stored_run(database)
    found = asked(database, lambda s: current_run(s, T0, gone))
    assert found is not None
    assert (found.id, found.mode) == (replay, "backtest")


def test_the_balance_is_the_heartbeats_while_it_counts(database: Engine) -> None:
    run = a_session(database)
    assert asked(database, lambda s: balance(s, run, T0)) is None
    stored(database, an_entry(run, "capital", "-100000", reference="capital"))
    began = asked(database, lambda s: balance(s, run, T0))
    assert began is not None
    assert (began.equity, began.cash, began.at) == (D(100_000), D(100_000), None)
    stored(database, an_equity(run, 60, "100044", cash=D(98_000)), a_position(run))
    beat(database, run, TOLD)
    told = asked(database, lambda s: balance(s, run, T0 + timedelta(seconds=9)))
    assert told is not None
    assert (told.equity, told.exposure, told.is_live) == (D("100134.18"), D("1134.18"), True)
    assert (told.at, told.trading_state) == (after(90), "reducing")
    old = asked(database, lambda s: balance(s, run, T0 + timedelta(seconds=11)))
    assert old is not None
    assert (old.equity, old.cash, old.is_live, old.at) == (
        D(100_044), D(98_000), False, after(60),
    )  # fmt: skip
    assert old.exposure == D("2100.005")  # 0.05 at 42000.1, no newer price is known
    other = a_session(database)
    assert asked(database, lambda s: balance(s, other, T0)) is None  # the beat is not about it


# --- positions and trades -----------------------------------------------------------------------


def test_a_position_is_valued_at_the_newest_price(database: Engine) -> None:
    run = a_session(database)
    stored(database, a_position(run, side="SHORT", strategy="trend"))
    with unit_of_work(database) as session:
        told = LatestPrice(SYMBOL, D("41000.1"), after(5))
        store_latest(session, [told], Origin("demo-7", "demo"), T0)
    (found,) = asked(database, lambda s: open_positions(s, run))
    # sold 0.05 at 42000.1, now 1000 lower: 50 won; worth 0.05 * 41000.1
    assert (found.unrealized_pnl, found.value) == (D(50), D("2050.005"))
    assert found.as_json()["protection"] == {"code": "none", "covered": "0", "status": ""}


def test_closed_trades_are_summed_from_their_executions(database: Engine) -> None:
    run = a_session(database)
    stored(
        database,
        *a_round_trip(run, 1, 0, "8", fee="1"), *a_round_trip(run, 2, 60, "-12", symbol=ETH),
        *a_round_trip(run, 3, 120, "5", side="SHORT", reason="liquidation"),
    )  # fmt: skip
    short, lost, won = asked(database, lambda s: closed_trades(s, run))
    # one coin from 100: 8 after two fees of 1 is 10 gross
    assert (won.quantity, won.entry_price, won.exit_price) == (D(1), D(100), D(110))
    assert (won.realized_pnl, won.fees, won.share) == (D(8), D(2), D("0.08"))
    assert (won.opened_at, won.closed_at, won.reason) == (after(0), after(30), "exit")
    assert (lost.symbol, lost.exit_price, lost.realized_pnl) == (ETH, D(90), D(-12))
    # sold at 100 and bought back at 93: 7 gross, 5 after fees
    assert (short.side, short.exit_price, short.reason) == ("SHORT", D(93), "liquidation")


def test_trades_are_paged_and_filtered(database: Engine) -> None:
    run = a_session(database)
    for number in range(5):
        symbol = ETH if number == 3 else SYMBOL
        stored(database, *a_round_trip(run, number, number * 60, "1", symbol=symbol))
    first = asked(database, lambda s: closed_trades(s, run, limit=2))
    rest = asked(database, lambda s: closed_trades(s, run, before_id=first[-1].id))
    assert [t.closed_at for t in (*first, *rest)] == [after(30 + 60 * n) for n in (4, 3, 2, 1, 0)]
    span = asked(database, lambda s: closed_trades(s, run, after(90), after(210)))
    assert [t.closed_at for t in span] == [after(150), after(90)]  # from on, until before
    assert len(asked(database, lambda s: closed_trades(s, run, symbol=ETH))) == 1
    orders = asked(database, lambda s: executions(s, run, limit=3))
    older = asked(database, lambda s: executions(s, run, before_id=orders[-1].id))
    assert [o.id for o in (*orders, *older)] == sorted(o.id for o in (*orders, *older))[::-1]
    assert len(orders) + len(older) == 10
    assert len(asked(database, lambda s: executions(s, run, symbol=ETH))) == 2


def test_a_position_that_begins_where_one_ended_has_its_own_executions(database: Engine) -> None:
    """A stop at minute 30 sells; a new short is sold in that same instant."""
    run = a_session(database)
    stored(database, *a_round_trip(run, 1, 0, "8"))
    stored(database, *a_round_trip(run, 2, 30, "-2", side="SHORT"))
    short, long = asked(database, lambda s: closed_trades(s, run))
    assert (long.quantity, long.exit_price) == (D(1), D(110))
    assert (short.quantity, short.exit_price) == (D(1), D(100))  # nothing gross, two fees of 1


# --- profit -------------------------------------------------------------------------------------


def test_profit_is_counted_in_trading_days_back_from_the_newest_figure(database: Engine) -> None:
    """T0 is 09:00 in Seoul: that day began nine hours before, and the next begins at 15:00 UTC."""
    run = a_session(database)
    assert asked(database, lambda s: profit(s, run, T0, "Asia/Seoul")) is None
    stored(
        database, an_entry(run, "capital", "-1000", reference="capital"),
        an_equity(run, -10 * DAY, "1100"), an_equity(run, -9 * 60, "1200"),
        an_equity(run, 60, "1260"),
        *a_round_trip(run, 1, -20 * DAY, "1"), *a_round_trip(run, 2, -3 * DAY, "1"),
        *a_round_trip(run, 3, 10, "-1"),
    )  # fmt: skip
    found = asked(database, lambda s: profit(s, run, T0, "Asia/Seoul"))
    assert found is not None
    today, week, month, whole = found.today, found.days7, found.days30, found.all
    assert (today.since, today.profit, today.percent, today.trades) == (
        after(-9 * 60), D(60), D(5), 1,
    )  # fmt: skip
    # six days earlier the newest figure was 1100: (1260 - 1100) / 1100 is 14.5455 %
    assert (week.profit, week.percent, week.trades) == (D(160), D("14.5455"), 2)
    assert (month.profit, month.percent, month.trades) == (D(260), D(26), 3)
    assert (whole.since, whole.profit, whole.trades) == (None, D(260), 3)
    assert (found.equity, found.currency, found.at) == (D(1260), "USDT", after(60))


def test_symbols_are_ranked_by_what_they_brought(database: Engine) -> None:
    run = a_session(database)
    stored(
        database, *a_round_trip(run, 1, 0, "8"), *a_round_trip(run, 2, 60, "-3"),
        *a_round_trip(run, 3, 0, "9", symbol=ETH), a_position(run, 999),
    )  # fmt: skip
    found = asked(database, lambda s: performance(s, run))
    assert [(s.symbol, s.trades, s.wins, s.net) for s in found] == [
        (ETH, 1, 1, D(9)), (SYMBOL, 2, 1, D(5)),
    ]  # fmt: skip


def test_days_come_newest_first_and_of_one_mode(database: Engine) -> None:
    run = a_session(database)

    def a_day(day: int, mode: str, end: str) -> DailyAccountSummaryRow:
        zero = D(0)
        return DailyAccountSummaryRow(
            date=after(day * DAY).date(), mode=mode, run_id=run, starting_equity=D(1000),
            ending_equity=D(end), max_drawdown=D("0.01"), trade_count=3, win_count=2, loss_count=1,
            realized_pnl=zero, unrealized_pnl=zero, fees=zero, funding=zero, created_at=T0,
            updated_at=T0,
        )  # fmt: skip

    stored(database, a_day(0, "paper-demo", "990"), a_day(1, "paper-demo", "1012.5"),
           a_day(2, "live-exchange", "1"))  # fmt: skip
    found = asked(database, lambda s: daily(s, "paper-demo", 30))
    assert [(d.date.day, d.profit, d.percent, d.trades) for d in found] == [
        (2, D("12.5"), D("1.25"), 3), (1, D(-10), D(-1), 3),
    ]  # fmt: skip
    assert len(asked(database, lambda s: daily(s, "paper-demo", 1))) == 1


@pytest.mark.parametrize("since", [None, after(0)])
def test_a_thinned_curve_keeps_its_low(database: Engine, since: datetime | None) -> None:
    run = a_session(database)
    values = [str(100 - abs(40 - n)) for n in range(100)]
    values[63] = "1"
    stored(database, *hourly(run, values))
    found = asked(database, lambda s: equity_curve(s, run, 20, since))
    assert len(found) <= 26
    assert (D(1), after(64 * 60)) in [(p.equity, p.at) for p in found]
    assert (found[0].at, found[-1].at) == (after(60), after(100 * 60))
    late = asked(database, lambda s: equity_curve(s, run, 500, after(95 * 60)))
    assert [p.at for p in late] == [after(60 * n) for n in (96, 97, 98, 99, 100)]


# --- what was said and decided ------------------------------------------------------------------


def test_signals_and_decisions_come_newest_first(database: Engine) -> None:
    run = a_session(database)

    def said(minutes: int, kind: str) -> AiSignalRow:
        return AiSignalRow(
            run_id=run, symbol=SYMBOL, strategy="ema_cross", signal_type=kind, reason="cross_up",
            confidence_score=70, created_at=after(minutes), stop_loss=D("41000"),
        )  # fmt: skip

    stored(
        database, said(5, "BUY"), said(10, "HOLD"), said(15, "SELL"),
        a_decision(run, 5, outcome="ordered", strategy="ema_cross", order_id="r1o1", direction=1),
        a_decision(run, 10), a_decision(run, 15, outcome="refused", first_refusal="cooldown"),
    )  # fmt: skip
    signals = asked(database, lambda s: recent_signals(s, run))
    assert [(s.kind, s.at, s.stop_price) for s in signals] == [
        ("SELL", after(15), D(41000)), ("BUY", after(5), D(41000)),
    ]  # fmt: skip
    everything = asked(database, lambda s: recent_signals(s, run, 2, with_holds=True))
    before = everything[-1].id
    older = asked(
        database, lambda s: recent_signals(s, run, 2, with_holds=True, before_id=before)
    )  # fmt: skip
    assert [s.kind for s in (*everything, *older)] == ["SELL", "HOLD", "BUY"]
    refused, ordered = asked(database, lambda s: recent_decisions(s, run))
    assert (refused.outcome, refused.rule, refused.at) == ("refused", "cooldown", after(15))
    assert (ordered.outcome, ordered.order_id, ordered.direction) == ("ordered", "r1o1", 1)
    last = asked(database, lambda s: recent_decisions(s, run, before_id=refused.id))
    assert [d.id for d in last] == [ordered.id]
    assert len(asked(database, lambda s: recent_decisions(s, run, with_holds=True))) == 3
    with pytest.raises(InputError, match="has no decision"):
        asked(database, lambda s: recent_decisions(s, run + 1, before_id=refused.id))


# --- strategies, accounts, messages -------------------------------------------------------------


def test_accounts_tell_who_shares_them(database: Engine) -> None:
    run = a_session(database)
    with unit_of_work(database) as session:
        trend = create(session, "trend", "me", T0, changes=Changes(symbols=[SYMBOL])).row
        assert trend.id is not None
        set_capital(session, trend.id, D(500), "me", T0)
        off = create(session, "spare", "me", T0, account="second").row
        assert off.id is not None
        set_active(session, off.id, False, T0)
    beat(database, run, TOLD)
    spare, found = asked(database, outside_strategies)
    assert (found.name, found.symbols, found.accounts[0].capital) == ("trend", (SYMBOL,), D(500))
    assert (spare.is_active, spare.accounts[0].account, spare.accounts[0].capital) == (
        False, "second", None,
    )  # fmt: skip
    assert "key_hash" not in found.as_json()
    own, second = asked(database, lambda s: accounts(s, T0, alive))
    assert (own.account, own.is_live, own.run, own.source) == ("default", True, f"r{run}", "demo")
    assert own.balance is not None
    assert own.balance.equity == D("100134.18")
    assert [(s.name, s.is_active, s.capital) for s in own.strategies] == [("trend", True, D(500))]
    assert (second.account, second.is_live, second.balance) == ("second", False, None)
    assert [(s.name, s.is_active) for s in second.strategies] == [("spare", False)]


def test_messages_are_counted_and_those_given_up_are_found(database: Engine) -> None:
    def a_message(n: int, channel: str, status: str) -> OutboxRow:
        return OutboxRow(
            channel=channel, kind="SYSTEM_ERROR", severity="error", message=f"m{n}", status=status,
            attempts=n, created_at=after(n), next_try_at=after(n), last_error="no route",
        )  # fmt: skip

    rows = (("email", "waiting"), ("email", "failed"), ("slack", "failed"), ("email", "held"))
    stored(database, *(a_message(n, *row) for n, row in enumerate(rows)))
    counts = asked(database, outbox_counts)
    assert [(c.channel, c.status, c.messages, c.oldest_at) for c in counts] == [
        ("email", "failed", 1, after(1)), ("email", "held", 1, after(3)),
        ("email", "waiting", 1, after(0)), ("slack", "failed", 1, after(2)),
    ]  # fmt: skip
    dead = asked(database, dead_letters)
    assert [(m.message, m.attempts, m.last_error) for m in dead] == [
        ("m2", 2, "no route"), ("m1", 1, "no route"),
    ]  # fmt: skip
    assert len(asked(database, lambda s: dead_letters(s, before_id=dead[0].id))) == 1
    assert [m.message for m in asked(database, waiting_messages)] == ["m3", "m0"]
