"""When an instant is complete, dark, late or missed."""

from auto_trading.gateways.slice_assembly import SliceAssembler
from crypto_trader_pro.domain.market import Bar
from crypto_trader_pro.domain.messages import Backfill, MarketSlice, Missed
from tests.builders import MINUTE, START_MS, a_bar

GRACE = 10_000


def at(k: int, ms: int = 0) -> int:
    return START_MS + k * MINUTE + ms


def an_assembler(absent: tuple[int, ...] = ()) -> SliceAssembler:
    """Return one of two symbols whose first instant is the close of candle 0."""
    return SliceAssembler(2, MINUTE, GRACE, at(1), absent)


def whole(k: int, *bars: Bar | None) -> MarketSlice:
    return MarketSlice(at(k + 1), bars or (a_bar(k), a_bar(k)))


def test_an_instant_goes_out_when_its_last_candle_has_come() -> None:
    it = an_assembler()
    it.candle(1, a_bar(0))
    it.heard(at(1, 1))
    assert it.due(at(1, 5)) == []
    assert it.is_waiting(at(1, 5))
    it.candle(0, a_bar(0))
    assert it.due(at(1, 6)) == [whole(0)]
    assert not it.is_waiting(at(1, 6))
    assert it.due(at(1, GRACE)) == []


def test_it_may_come_just_before_our_clock_says_so() -> None:
    it = an_assembler()
    it.candle(0, a_bar(0))
    it.candle(1, a_bar(0))
    assert it.due(at(1, -400)) == [whole(0)]


def test_a_dark_symbol_is_waited_for_until_the_grace_is_over_and_backfilled_later() -> None:
    it = an_assembler()
    it.heard(at(1, 3))
    it.candle(1, a_bar(0))
    assert it.due(at(1, GRACE - 1)) == []
    assert it.due(at(1, GRACE)) == [whole(0, None, a_bar(0))]
    it.candle(0, a_bar(0))
    assert it.due(at(1, GRACE + 9)) == [Backfill(whole(0, a_bar(0), None))]
    assert it.due(at(1, GRACE + 9)) == []


def test_late_candles_of_one_instant_come_together_and_the_oldest_first() -> None:
    it = an_assembler()
    it.heard(at(3))
    it.due(at(3, GRACE))
    for i, k in ((1, 1), (0, 0), (0, 1)):
        it.candle(i, a_bar(k))
    assert it.due(at(3, GRACE)) == [
        Backfill(whole(0, a_bar(0), None)),
        Backfill(whole(1)),
    ]


def test_a_venue_that_talks_but_has_no_candle_leaves_all_dark() -> None:
    it = an_assembler()
    it.heard(at(1, 3))
    assert it.due(at(1, GRACE)) == [whole(0, None, None)]


def test_in_an_outage_nothing_is_decided_and_what_comes_after_it_was_missed() -> None:
    it = an_assembler()
    assert it.due(at(3, 30_000)) == []  # two and a half minutes of nothing
    it.heard(at(3, 30_000))
    for k in (0, 1, 2):
        it.candle(0, a_bar(k))
    assert it.due(at(3, 30_001)) == []  # the other symbol has its grace from now on
    it.candle(1, a_bar(0))
    assert it.due(at(3, 30_002)) == [Missed(whole(0))]
    assert it.due(at(3, 30_000 + GRACE)) == [
        Missed(whole(1, a_bar(1), None)),
        Missed(whole(2, a_bar(2), None)),
    ]


def test_after_an_outage_an_instant_within_its_grace_is_decided_on() -> None:
    it = an_assembler()
    for k in (0, 1):
        it.candle(0, a_bar(k))
        it.candle(1, a_bar(k))
    assert it.due(at(2, GRACE)) == [Missed(whole(0)), whole(1)]


def test_missed_instants_without_any_candle_are_not_told() -> None:
    it = an_assembler()
    it.heard(at(3, 30_000))
    assert it.due(at(3, 30_000 + GRACE)) == []
    assert it.next_close_ms == at(4)


def test_nobody_waits_for_a_symbol_that_does_not_exist() -> None:
    it = an_assembler(absent=(1,))
    it.candle(0, a_bar(0))
    assert it.due(at(1)) == [whole(0, a_bar(0), None)]
