"""How one candle fills resting orders: one row for each thing that a candle can do."""

import pytest

from crypto_trader_pro.simulation.matching import (
    NOTHING,
    STOPPED,
    TARGET_HIT,
    bracket,
    limit_touched,
    stop_price,
    stop_touched,
    target_price,
    trailed,
)

LONG, SHORT = 1, -1


@pytest.mark.parametrize(
    ("candle", "hit"),
    [
        # open, high, low against stop 95 and target 110
        ((100, 105, 96), (NOTHING, 0)),
        ((100, 105, 95), (STOPPED, 95)),  # touched is hit
        ((100, 105, 90), (STOPPED, 95)),
        ((92, 105, 90), (STOPPED, 92)),  # opened below it: the open is worse
        ((95, 105, 90), (STOPPED, 95)),
        ((100, 110, 96), (TARGET_HIT, 110)),
        ((100, 109, 96), (NOTHING, 0)),
        ((115, 120, 112), (TARGET_HIT, 110)),  # a gap never improves the target
        ((100, 110, 95), (STOPPED, 95)),  # both touched: the stop counts
        ((112, 120, 94), (STOPPED, 95)),  # even if the open was beyond the target
    ],
)
def test_a_long_leaves_at_its_stop_or_its_target(
    candle: tuple[int, int, int], hit: tuple[int, int]
) -> None:
    assert bracket(LONG, *candle, 95, 110) == hit


@pytest.mark.parametrize(
    ("candle", "hit"),
    [
        # open, high, low against stop 105 and target 90
        ((100, 104, 91), (NOTHING, 0)),
        ((100, 105, 91), (STOPPED, 105)),
        ((108, 110, 91), (STOPPED, 108)),
        ((100, 104, 90), (TARGET_HIT, 90)),
        ((85, 88, 80), (TARGET_HIT, 90)),
        ((100, 105, 90), (STOPPED, 105)),
    ],
)
def test_a_short_leaves_at_its_stop_or_its_target(
    candle: tuple[int, int, int], hit: tuple[int, int]
) -> None:
    assert bracket(SHORT, *candle, 105, 90) == hit


def test_a_price_of_one_unit_is_a_price_and_not_none() -> None:
    assert bracket(LONG, 2, 2, 1, 1, 0) == (STOPPED, 1)
    assert bracket(LONG, 1, 1, 1, 0, 1) == (TARGET_HIT, 1)
    assert bracket(SHORT, 1, 1, 1, 1, 0) == (STOPPED, 1)
    assert bracket(SHORT, 2, 2, 1, 0, 1) == (TARGET_HIT, 1)


@pytest.mark.parametrize("side", [LONG, SHORT])
def test_without_stop_and_target_nothing_is_hit(side: int) -> None:
    assert bracket(side, 100, 10**9, 1, 0, 0) == (NOTHING, 0)


@pytest.mark.parametrize(
    ("side", "high", "low", "stop", "tick", "moved"),
    [
        (LONG, 200, 180, 190, 1, 198),  # 1 % below 200
        (LONG, 200, 180, 198, 1, 198),
        (LONG, 200, 180, 199, 1, 199),  # never back
        (LONG, 201, 180, 190, 1, 198),  # 201 - 2.01 up to 3
        (LONG, 200, 180, 190, 5, 195),  # 198 down to the tick
        (LONG, 200, 180, 0, 1, 198),
        (SHORT, 220, 200, 210, 1, 202),
        (SHORT, 220, 200, 202, 1, 202),
        (SHORT, 220, 200, 201, 1, 201),
        (SHORT, 220, 200, 210, 5, 205),
        (SHORT, 220, 200, 0, 1, 202),  # no stop yet
    ],
)
def test_a_trailing_stop_follows_the_extreme_and_never_moves_back(
    side: int, high: int, low: int, stop: int, tick: int, moved: int
) -> None:
    assert trailed(side, high, low, stop, 1_000_000, tick) == moved


@pytest.mark.parametrize(
    ("side", "distance", "tick", "stop", "target"),
    [
        (LONG, 7, 1, 93, 107),
        (SHORT, 7, 1, 107, 93),
        (LONG, 7, 5, 90, 110),  # both away from the entry
        (SHORT, 7, 5, 110, 90),
        (LONG, 100, 1, 1, 200),  # never below one tick
        (LONG, 500, 5, 5, 600),
        (SHORT, 500, 5, 600, 5),
    ],
)
def test_stop_and_target_are_rounded_away_from_the_entry(
    side: int, distance: int, tick: int, stop: int, target: int
) -> None:
    assert stop_price(side, 100, distance, tick) == stop
    assert target_price(side, 100, distance, tick) == target


@pytest.mark.parametrize("side", [LONG, SHORT])
def test_no_distance_is_no_target(side: int) -> None:
    assert target_price(side, 100, 0, 1) == 0
    assert target_price(side, 100, -1, 1) == 0


@pytest.mark.parametrize(
    ("side", "high", "low", "touched"),
    [
        (LONG, 110, 99, 1),
        (LONG, 110, 100, 0),  # at the price is not through it
        (LONG, 110, 101, 0),
        (SHORT, 101, 90, 1),
        (SHORT, 100, 90, 0),
        (SHORT, 99, 90, 0),
    ],
)
def test_a_limit_fills_only_when_traded_through(
    side: int, high: int, low: int, touched: int
) -> None:
    assert limit_touched(side, high, low, 100) == touched


@pytest.mark.parametrize(
    ("side", "candle", "price"),
    [
        (LONG, (95, 99, 90), 0),
        (LONG, (95, 100, 90), 100),  # touched is triggered
        (LONG, (95, 105, 90), 100),
        (LONG, (103, 105, 101), 103),  # opened above it: the open is worse
        (SHORT, (105, 110, 101), 0),
        (SHORT, (105, 110, 100), 100),
        (SHORT, (97, 110, 90), 97),
    ],
)
def test_a_stop_order_triggers_at_its_price_or_worse(
    side: int, candle: tuple[int, int, int], price: int
) -> None:
    assert stop_touched(side, *candle, 100) == price
