"""What a session's backtest is played with, and what it leaves out."""

from auto_trading.parity.playing import as_backtest, held_back
from auto_trading.session_inputs import Connection, Funding, Held, Input, Opened
from crypto_trader_pro.domain.enums import CommandKind
from crypto_trader_pro.domain.messages import Backfill, Missed
from tests.builders import MINUTE, START_MS
from tests.sessions import a_command, closed, tick

OPENED = START_MS + MINUTE


def test_prices_lost_connections_and_held_orders_are_left_out() -> None:
    kept: list[Input] = [Opened(OPENED), closed(1, 10), Funding(OPENED, ()), Backfill(closed(2, 9))]
    dropped: list[Input] = [
        tick(1, 5, 10),
        Connection(OPENED, is_lost=True),
        Held(OPENED, (4,), "stopping"),
    ]
    assert list(as_backtest([*kept, *dropped], None, OPENED)) == kept


def test_a_missed_candle_is_decided_on_and_one_before_the_opening_warms_up() -> None:
    early, late = Missed(closed(0, 10)), Missed(closed(1, 10))
    assert list(as_backtest([early, late], None, OPENED)) == [early, late.market]


def test_people_count_until_trading_was_first_started() -> None:
    """The third input started it: what was asked before it counts, later only configurations."""
    start, rearm, stop = (
        a_command(kind) for kind in (CommandKind.START, CommandKind.REARM, CommandKind.STOP)
    )
    change = a_command(CommandKind.APPLY_CONFIG)
    inputs: list[Input] = [stop, rearm, start, stop, rearm, start, change]
    assert list(as_backtest(inputs, 2, OPENED)) == [rearm, start, change]
    assert list(as_backtest(inputs, None, OPENED)) == [change]


def test_what_was_held_back_is_known_by_its_number() -> None:
    inputs: list[Input] = [Held(1, (4, 7), "stopping"), closed(1, 10), Held(2, (9,), "too_late")]
    assert held_back(inputs) == {4: "stopping", 7: "stopping", 9: "too_late"}
