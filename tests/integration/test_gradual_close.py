"""Closing everything, at once or step by step: equal steps, never more than is held.

10 lots in 10 steps over 90 s: one lot at once and one each 10 s, the last after 90 s.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine as Database

from auto_trading.account_report import account_report
from crypto_trader_pro.domain.enums import CommandKind, EmergencyTrigger, OrderRole
from crypto_trader_pro.domain.errors import JournalUnavailable
from tests.builders import finished
from tests.reaching import (
    BTC,
    BTC_SPOT,
    ETH,
    a_database,
    a_session,
    at,
    close,
    code,
    it_repeats,
    orders,
    rows,
    the_books_agree,
    with_a_long,
)
from tests.sessions import Life, tick

K = CommandKind
OVER_90 = {"over_seconds": 90}


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    folder: Path = tmp_path_factory.mktemp("leaving")
    with a_database(folder) as made:
        yield made


def two_longs(database: Database, **options: Any) -> Life:
    """Return a session with 10 BTC and about as many ETH, at second 30 of candle 6."""
    life = with_a_long(database, **options)
    for k in range(2, 6):
        close(life, k, 100)
    at(life, 6, 30, 100)
    assert life.lots == [10, 9]  # a tenth of 9,999: the fee is paid
    return life


def steps(life: Life) -> list[str]:
    """Return how many lots each fill of a step closed."""
    found = rows(
        life,
        "SELECT f.size FROM fills f JOIN orders o USING (client_order_id)"
        " WHERE f.run_id = :run AND o.reason = 'operator_gradual' ORDER BY f.id",
    )
    return [str(size) for (size,) in found]


# --- at once ------------------------------------------------------------------------------------


def test_everything_is_closed_at_once_and_it_is_paused(database: Database) -> None:
    life = two_longs(database)
    answer = life.ask(K.CLOSE_ALL)
    assert answer.data == {"code": "answer.closing_all", "positions": 2}
    again = life.ask(K.CLOSE_ALL, {"over_seconds": 0})
    assert code(again) == "answer.closing_all"
    at(life, 6, 31, 100)
    assert life.lots == [0, 0]
    assert [o[1:] for o in orders(life, OrderRole.EXIT)] == [("filled", "operator")] * 2
    assert account_report(life.session)["paused"] is True
    the_books_agree(life)
    it_repeats(life)


def test_entries_are_canceled_with_it(database: Database) -> None:
    life = a_session(database, buys=True)
    assert life.ask(K.CLOSE_ALL, OVER_90).data == {
        "code": "answer.closing_gradually", "positions": 0, "slices": 0, "over_seconds": 90,
    }  # fmt: skip
    assert orders(life, OrderRole.ENTRY) == [(BTC, "canceled", "asked")]


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        ({"over_seconds": 86_401}, "over_seconds was '86401', allowed: a whole number from 0 to "),
        ({"over_seconds": True}, "over_seconds was 'True', allowed: a whole number from 0 to 86"),
        ({"over_seconds": "9"}, "over_seconds was '9', allowed: a whole number from 0 to 86400"),
        ({"over_seconds": 9, "slices": 0}, "slices was '0', allowed: a whole number from 1 to 100"),
    ],
)
def test_nonsense_is_refused_and_nothing_is_paused(
    database: Database, payload: dict[str, Any], reason: str
) -> None:
    life = with_a_long(database)
    answer = life.ask(K.CLOSE_ALL, payload)
    assert code(answer) == "refused.input"
    assert str(answer.data["reason"]).startswith(reason)
    assert account_report(life.session)["paused"] is False


# --- step by step -------------------------------------------------------------------------------


def test_ten_equal_steps_the_first_at_once_the_last_at_the_end(database: Database) -> None:
    life = with_a_long(database)
    answer = life.ask(K.CLOSE_ALL, OVER_90)  # at second 5 of candle 2
    assert answer.data == {
        "code": "answer.closing_gradually", "positions": 1, "slices": 10, "over_seconds": 90,
    }  # fmt: skip
    held = {}
    for second in range(6, 120):
        at(life, 2, second, 100)
        the_books_agree(life)
        held[second] = life.lots[0]
        (stop,) = [o for o in life.parts.executor.orders.values()
                   if o.role is OrderRole.STOP] or [None]  # fmt: skip
        assert (0 if stop is None else stop.open_lots) == life.lots[0]  # it covers what is left
    # a step is decided at a price and filled at the next one: at 15 s, filled at 16 s
    assert [second for second in range(7, 120) if held[second] < held[second - 1]] == list(
        range(16, 97, 10)
    )
    assert (held[6], held[95], held[96]) == (9, 1, 0)
    assert steps(life) == ["1"] * 10
    assert account_report(life.session)["leaving"] == []
    it_repeats(life)


def test_slices_can_be_fewer_and_are_never_below_the_smallest_order(database: Database) -> None:
    life = two_longs(database)
    assert life.ask(K.CLOSE_ALL, {**OVER_90, "slices": 2}).data["slices"] == 4
    at(life, 6, 31, 100)
    assert life.lots == [5, 5]  # 9 // 2 are 4 at first
    at(life, 8, 0, 100)
    at(life, 8, 1, 100)
    assert life.lots == [0, 0]
    # 10 lots at 1 USDT and a smallest order of 5 USDT: two steps
    cheap = with_a_long(database, stop=99)
    cheap.parts.positions.last[0] = 1
    assert cheap.ask(K.CLOSE_ALL, OVER_90).data["slices"] == 2


def test_what_silence_skipped_is_made_up_for(database: Database) -> None:
    life = with_a_long(database)
    life.ask(K.CLOSE_ALL, OVER_90)
    at(life, 2, 6, 100)
    at(life, 2, 45, 100)  # steps 2 to 5 are due: 4 of the 9 that are left
    for second in (46, 47, 48):
        at(life, 2, second, 100)
        assert life.lots[0] == 5
    close(life, 4, 100)  # a candle counts as well: all of it is due
    at(life, 5, 1, 100)
    assert life.lots[0] == 0
    it_repeats(life)


def test_asking_again_starts_nothing_anew_and_sooner_counts(database: Database) -> None:
    life = with_a_long(database)
    life.ask(K.CLOSE_ALL, OVER_90)
    at(life, 2, 6, 100)
    assert life.ask(K.CLOSE_ALL, OVER_90).data["slices"] == 10
    at(life, 2, 7, 100)
    assert life.lots[0] == 9
    life.ask(K.CLOSE_ALL, {"over_seconds": 10, "slices": 3})  # 3 + 3 + 3
    at(life, 2, 8, 100)
    assert life.lots[0] == 6
    life.ask(K.CLOSE_ALL)  # enough of it
    at(life, 2, 9, 100)
    assert life.lots[0] == 0
    at(life, 2, 40, 100)
    the_books_agree(life)
    it_repeats(life)


def test_a_stop_and_a_resume_let_it_go_on(database: Database) -> None:
    life = with_a_long(database)
    life.ask(K.CLOSE_ALL, OVER_90)
    life.ask(K.STOP)
    life.ask(K.RESUME)
    at(life, 2, 6, 100)
    for second in range(15, 120, 5):
        at(life, 2, second, 100)
    assert life.lots[0] == 0


def test_a_position_that_came_later_is_left_alone(database: Database) -> None:
    life = with_a_long(database)
    life.ask(K.CLOSE_ALL, OVER_90)
    at(life, 2, 6, 79)  # the stop rests at 80 and takes the rest
    assert life.lots[0] == 0
    assert account_report(life.session)["leaving"] == []
    life.ask(K.RESUME)
    for k in range(2, 6):
        close(life, k, 100)
    at(life, 6, 30, 100)
    at(life, 6, 50, 100)
    assert life.lots[1] == 9


def test_a_reversal_in_the_same_instant_is_another_position(database: Database) -> None:
    life = a_session(database)
    alice = {"strategy": "alice", "symbol": BTC, "stop_pct": "20", "target_pct": "20"}
    life.ask(K.SIGNAL, {**alice, "action": "buy"})
    at(life, 2, 5, 100)
    life.ask(K.CLOSE_ALL, OVER_90)
    life.ask(K.RESUME)
    at(life, 2, 6, 100)
    assert code(life.ask(K.SIGNAL, {**alice, "action": "sell"})) == "answer.proposed"
    for second in (16, 30, 59):
        at(life, 2, second, 100)
        the_books_agree(life)
    assert life.lots[0] == -9
    assert account_report(life.session)["leaving"] == []
    it_repeats(life)


def test_a_stop_out_that_fills_in_part_drops_the_rest(database: Database) -> None:
    """A tenth of 40 lots is 4: the stop fills 4 of 9, what is left goes to the market."""
    life = with_a_long(database)
    life.ask(K.CLOSE_ALL, OVER_90)
    at(life, 2, 6, 100)
    life.session._volume = [40, 40]
    at(life, 2, 7, 79)
    assert life.lots[0] == 5
    assert account_report(life.session)["leaving"] == []
    at(life, 2, 8, 79)
    at(life, 2, 9, 79)
    assert life.lots[0] == 0
    the_books_agree(life)
    assert len(steps(life)) == 1


@pytest.mark.parametrize("rearmed_at_once", [False, True])
def test_an_emergency_takes_over(database: Database, rearmed_at_once: bool) -> None:
    flatten_on = () if rearmed_at_once else (EmergencyTrigger.MANUAL_STOP,)
    life = with_a_long(database, flatten_on=flatten_on)
    life.ask(K.CLOSE_ALL, OVER_90)
    life.ask(K.EMERGENCY_STOP)
    if rearmed_at_once:  # positions were kept, and nothing closes them behind the person's back
        life.ask(K.REARM, {"confirm": "REARM"})
        for second in (6, 30, 59):
            at(life, 2, second, 100)
        assert life.lots[0] == 9  # the first step was out already
    else:
        at(life, 2, 6, 100)
        at(life, 2, 7, 100)
        assert life.lots[0] == 0
        assert orders(life, OrderRole.FLATTEN) == [(BTC, "filled", "MANUAL_STOP")]
    assert account_report(life.session)["leaving"] == []
    the_books_agree(life)
    it_repeats(life)


def test_while_halted_it_is_at_once_or_not_at_all(database: Database) -> None:
    life = with_a_long(database, flatten_on=())
    life.ask(K.EMERGENCY_STOP)
    answer = life.ask(K.CLOSE_ALL, OVER_90)
    assert answer.data == {"code": "refused.not_gradually", "trigger": "MANUAL_STOP"}
    life.ask(K.CLOSE_ALL)
    at(life, 2, 6, 100)
    assert life.lots[0] == 0


def test_closing_one_position_by_hand_ends_its_steps(database: Database) -> None:
    life = two_longs(database)
    life.ask(K.CLOSE_ALL, {"over_seconds": 3600})
    answer = life.ask(K.CLOSE_POSITION, {"symbol": BTC})  # a step is under way: 9 are left
    assert code(answer) == "answer.closing"
    the_books_agree(life)
    at(life, 6, 31, 100)
    assert life.lots == [0, 8]
    assert account_report(life.session)["leaving"] == [ETH]


def test_coins_are_sold_step_by_step_too(database: Database) -> None:
    life = with_a_long(database, symbols=(BTC_SPOT,))
    life.ask(K.CLOSE_ALL, {"over_seconds": 10, "slices": 3})
    for second in range(6, 20):
        at(life, 2, second, 100)
        the_books_agree(life)
    assert steps(life) == ["3", "3", "4"]


# --- what dies in between -----------------------------------------------------------------------


def test_a_death_at_every_step_changes_nothing(database: Database) -> None:
    lives = [with_a_long(database), with_a_long(database)]
    outcomes = []
    for life in lives:
        mortal = life is lives[1]
        life.ask(K.CLOSE_ALL, OVER_90)
        for second in range(6, 120, 3):
            life = life.reborn() if mortal else life
            at(life, 2, second, 100)
            the_books_agree(life)
        outcomes.append(life.outcome())
        it_repeats(life)
    del outcomes[0]["state"]["venue"], outcomes[1]["state"]["venue"]
    assert outcomes[0]["lots"] == outcomes[1]["lots"] == [0, 0]
    assert outcomes[0]["fills"] == outcomes[1]["fills"]


def test_a_database_that_does_not_answer_delays_a_step_and_repeats_with_it(
    database: Database,
) -> None:
    life = with_a_long(database)
    life.ask(K.CLOSE_ALL, OVER_90)
    at(life, 2, 6, 100)
    life.journal.fails = JournalUnavailable("the disk is full")
    with pytest.raises(JournalUnavailable):
        at(life, 2, 15, 100)
    life.journal.fails = None
    at(life, 2, 17, 100)
    at(life, 2, 18, 100)
    assert life.lots[0] == 8
    the_books_agree(life)


def test_a_checkpoint_of_an_earlier_version_has_no_steps(database: Database) -> None:
    life = with_a_long(database)
    state = life.session.engine.state()
    for name in ("leaving", "proposed"):
        del state["session"][name]
    del state["executor"]["expires"], state["monitor"]["bars"], state["risk"]["paused"]
    finished(life.session.restore(state))
    assert life.lots == [10, 0]
    assert life.session.leaving.symbols == ()


# --- whatever happens ---------------------------------------------------------------------------

EVENTS = st.lists(
    st.one_of(
        st.tuples(st.just("price"), st.integers(75, 125)),
        st.tuples(st.just("volume"), st.sampled_from([0, 10, 40, 10_000])),
        st.tuples(st.just("close_all"), st.sampled_from([0, 3, 20, 60])),
        st.tuples(st.just("close_one"), st.just(0)),
        st.tuples(st.sampled_from(["stop", "resume"]), st.just(0)),
        st.tuples(st.just("emergency"), st.just(0)),
        st.tuples(st.just("reborn"), st.just(0)),
    ),
    min_size=5, max_size=18,
)  # fmt: skip


@settings(
    max_examples=12, deadline=None, derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)  # fmt: skip
@given(events=EVENTS)
def test_whatever_happens_the_books_agree_and_it_repeats(
    database: Database, events: list[tuple[str, int]]
) -> None:
    life = two_longs(database)
    wishes = {"close_one": (K.CLOSE_POSITION, {"symbol": BTC}), "stop": (K.STOP, {}),
              "resume": (K.RESUME, {}), "emergency": (K.EMERGENCY_STOP, {})}  # fmt: skip
    candle, second = 6, 31
    for what, value in events:
        if what == "price":
            life.take(tick(candle, second, value, value))
            second += 3
        elif what == "volume":
            close(life, candle, 100, volume=value)
            candle, second = candle + 1, 1
        elif what == "close_all":
            life.ask(K.CLOSE_ALL, {"over_seconds": value})
        elif what == "reborn":
            life = life.reborn()
        else:
            kind, payload = wishes[what]
            life.ask(kind, payload)
        the_books_agree(life)
    it_repeats(life)
