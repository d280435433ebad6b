"""What the venue and our books say differently: nothing on a sound session, each thing by name."""

from pathlib import Path
from typing import Final

import pytest
from sqlalchemy import Engine as Database

from auto_trading.job_tools import Difference
from auto_trading.reconciliation import differences
from crypto_trader_pro.domain.enums import CommandKind, OrderRole, OrderStatus
from tests.builders import USDT, a_round_instrument, finished
from tests.databases import Opener
from tests.engines import Plan, Script, wish
from tests.sessions import Life, a_life, closed, tick

BTC: Final = "BTC/USDT:USDT"


@pytest.fixture
def life(migrated_file: Path, tmp_path: Path, opened: Opener) -> Life:
    """A session that bought 10 BTC at 100 in candle 2; its stop rests at 80."""
    file = tmp_path / "database.db"
    file.write_bytes(migrated_file.read_bytes())
    database: Database = opened(f"sqlite:///{file}", durable=False)
    plan = Plan(
        [Script({(BTC, 1): wish(1, stop=20)})], (a_round_instrument(BTC),), cash=100_000 * USDT
    )
    made = a_life(plan, database)
    made.ask(CommandKind.START)
    made.take(closed(0, 100), closed(1, 100), tick(2, 5, 100))
    assert made.lots == [10]
    return made


def found(life: Life) -> list[Difference]:
    return finished(differences(life.session))


def stop_of(life: Life) -> str:
    orders = life.parts.executor.orders.values()
    (order,) = [o for o in orders if o.role is OrderRole.STOP]
    assert order.status is OrderStatus.WORKING
    return str(order.client_order_id)


def test_a_sound_session_differs_in_nothing(life: Life) -> None:
    assert found(life) == []


def test_cash_is_compared_to_the_last_unit(life: Life) -> None:
    # 100,000 - 10 x 100 - 0.1 % fee of 1,000 = 98,999
    life.venue.cash -= 1
    assert found(life) == [Difference("cash", "98999", "98998.99999999")]


@pytest.mark.parametrize(("lots", "venue"), [(7, "7"), (0, "0"), (-10, "-10")])
def test_a_position_is_named_with_both_quantities(life: Life, lots: int, venue: str) -> None:
    life.venue._by_symbol[BTC].position = lots
    assert found(life) == [Difference(f"position {BTC}", "10", venue)]


def test_a_position_in_what_we_do_not_trade_is_found(
    life: Life, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = finished(life.venue.account())
    account.lots["DOGE/USDT"] = 3

    async def says() -> object:
        return account

    monkeypatch.setattr(life.venue, "account", says)
    assert found(life) == [Difference("position DOGE/USDT", "0", "3 lots")]


@pytest.mark.parametrize(
    "status",
    [OrderStatus.CANCELED, OrderStatus.FILLED, OrderStatus.EXPIRED, OrderStatus.REJECTED],
)
def test_an_order_that_ended_without_a_word_is_found(life: Life, status: OrderStatus) -> None:
    name = stop_of(life)
    life.venue._remember(name, status)
    assert found(life) == [Difference(f"order {name}", "working", status.value)]


def test_an_order_that_the_venue_never_saw_is_found(life: Life) -> None:
    name = stop_of(life)
    life.venue._working.discard(name)
    assert found(life) == [Difference(f"order {name}", "working", "absent")]


def test_everything_is_told_at_once(life: Life) -> None:
    name = stop_of(life)
    life.venue._working.discard(name)
    life.venue._by_symbol[BTC].position = 9
    life.venue.cash += 5 * USDT
    assert [d.what for d in found(life)] == [f"order {name}", f"position {BTC}", "cash"]


def test_an_order_that_was_not_sent_yet_is_not_missed(
    life: Life, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = stop_of(life)
    life.venue._working.discard(name)
    monkeypatch.setattr(life.parts.executor.orders[name], "status", OrderStatus.JOURNALED)
    assert found(life) == []


def test_an_order_that_has_ended_in_our_books_is_not_asked_about(life: Life) -> None:
    life.take(tick(2, 10, 80))  # the stop fills
    assert life.lots == [0]
    life.venue._ended.clear()
    assert found(life) == []
