"""Backtests whose every number is worked out here: costs, liquidation, latency, parts, the day.

Both engines play each of them, and the oracle has nothing to say. One lot is one coin, prices are
counted in 0.1 USDT and orders in 0.5; taker 0.1 %, maker 0.05 %; the venue takes 10 lots at most.
"""

from pathlib import Path

import pytest

from tests.backtest_hand import HandFill, Shape, a_coin, by_hand, flat, says

BUY = ("entry", 10, "1000", "10", 1.0)  # 10 x 1000 at 0.1 %


@pytest.mark.parametrize(
    ("settings", "volume", "price", "fee"),
    [
        # nothing but the open
        ({}, 1_000_000, "1000", "10"),
        # 0.3 % + 0.01 % of 1000.0 is 3.1: 1003.1, the next tick is 1003.5; 10035 x 0.1 %
        ({"paper.slippage_pct": "0.3", "paper.half_spread_pct": "0.01"}, 1_000_000, "1003.5",
         "10.035"),
        # 10 of 40 lots are a quarter: 1 % x 1/16 = 0.0625 %, 0.625 of 1000, up to 0.7, to 1001
        ({"paper.impact_pct": "1"}, 40, "1001", "10.01"),
        # half of the volume: 1 % x 1/4 = 0.25 %, 2.5 of 1000
        ({"paper.impact_pct": "1"}, 20, "1002.5", "10.025"),
        # the candle before ranges from 985 to 1018: 10 % of 33 is 3.3, to 1003.5
        ({"paper.range_share_pct": "10"}, 1_000_000, "1003.5", "10.035"),
        # 0.02 % is 0.2, 10 % of the range 3.3: together 3.5, which is a tick
        ({"paper.range_share_pct": "10", "paper.slippage_pct": "0.02"}, 1_000_000, "1003.5",
         "10.035"),
    ],
)  # fmt: skip
def test_what_a_purchase_costs(
    settings: dict[str, str], volume: int, price: str, fee: str, tmp_path: Path
) -> None:
    candles: list[Shape] = [
        (1000, 1018, 985, 1000, 1_000_000), (1000, 1000, 1000, 1000, volume), *flat(1000, 1),
    ]  # fmt: skip
    hand = by_hand(tmp_path, a_coin(), candles, [says(0, stop=100)], settings)
    assert hand.fills == [("entry", 10, price, fee, 1.0)]


def test_what_a_sale_costs_and_that_a_fee_is_rounded_up(tmp_path: Path) -> None:
    """0.001 coins at 0.04567 %: 996.9 is cut to 996.5; 10 x 0.001 x 996.5 x 0.0004567 =
    0.0045510155, up to 0.00455102. The purchase at 1003.5: 0.00458298450, up to 0.00458299."""
    coin = a_coin(lot="0.001", taker="0.0004567")
    said = [says(0, stop=100), says(2, -1, opens=False)]
    costs = {"paper.slippage_pct": "0.31"}
    hand = by_hand(tmp_path, coin, flat(1000, 5), said, costs)
    assert hand.fills == [
        ("entry", 10, "1003.5", "0.00458299", 1.0), ("exit", -10, "996.5", "0.00455102", 3.0),
    ]  # fmt: skip
    # 1000000 + 0.01 x (996.5 - 1003.5) - both fees
    assert hand.equity(4) == "999999.92086599"


@pytest.mark.parametrize(
    ("low", "filled"),
    [
        # margin 10000 / 5 = 2000; 10 x 808 - 8000 = 80 is not more than 1 % of 8080, 80.8
        ("808", True),
        # 81 is more than 80.81 would be at 808.1
        ("808.1", False),
    ],
)
def test_isolated_margin_is_lost_at_its_bankruptcy_price(
    low: str, filled: bool, tmp_path: Path
) -> None:
    candles: list[Shape] = [*flat(1000, 2), (1000, 1000, low, 900, 10**6), *flat(900, 1)]
    settings = {"paper.margin_mode": "isolated", "paper.isolated_leverage": 5}
    hand = by_hand(tmp_path, a_coin(), candles, [says(0, stop=500)], settings)
    # (10000 - 2000) / 10; the fee is 0.1 % and 0.5 % of 8000
    assert hand.fills == [BUY, *([("liquidation", -10, "800", "48", 3.0)] if filled else [])]


@pytest.mark.parametrize(("low", "filled"), [("812.8", True), ("812.9", False)])
def test_each_tier_asks_for_its_own_part(low: str, filled: bool, tmp_path: Path) -> None:
    """5000 at 1 % and the rest at 2.5 %. At 812.8: 50 + 3128 x 2.5 % = 128.2, and 8128 - 8000 = 128
    is left. At 812.9: 128.225 against 129. With 2.5 % of all it would be 203 and go earlier."""
    candles: list[Shape] = [*flat(1000, 2), (1000, 1000, low, 900, 10**6), *flat(900, 1)]
    settings = {"paper.margin_mode": "isolated", "paper.isolated_leverage": 5}
    coin = a_coin(tiers=((5_000, "0.01"), (50_000, "0.025"), (10**9, "0.1")))
    hand = by_hand(tmp_path, coin, candles, [says(0, stop=500)], settings)
    assert [f[0] for f in hand.fills] == ["entry", *(["liquidation"] if filled else [])]


@pytest.mark.parametrize(("low", "filled"), [("506", True), ("506.1", False)])
def test_cross_margin_is_the_whole_account_at_the_worst_price(
    low: str, filled: bool, tmp_path: Path
) -> None:
    """2000 carry 4 lots at 1000, twice of it all: 1996 after the fee. Nobody trades while the price
    falls, so that the stop at 900 sells nothing. At 506: 1996 - 4 x 494 = 20, less than 1 % of
    2024, 20.24. At 506.1: 20.4 against 20.244. The fee is 0.6 % of 2024."""
    settings = {
        "paper.initial_equity": "2000", "limits.max_leverage": "3",
        "engine.trading_mode": "AGGRESSIVE",
    }  # fmt: skip
    candles: list[Shape] = [*flat(1000, 2), (900, 900, low, 900, 0), *flat(900, 1)]
    hand = by_hand(tmp_path, a_coin(), candles, [says(0, stop=100)], settings)
    assert hand.fills == [
        ("entry", 4, "1000", "4", 1.0),
        ("liquidation", -4, "506", "12.144", 3.0) if filled else ("stop", -4, "900", "3.6", 3.0),
    ]


@pytest.mark.parametrize("latency", [0, 1, 2])
def test_orders_to_the_market_miss_the_candles_of_their_latency(
    latency: int, tmp_path: Path
) -> None:
    """Decided at the close of candle 0 and 4; each candle opens 10 higher than the one before."""
    candles = [flat(1000 + 10 * n, 1)[0] for n in range(9)]
    said = [says(0, stop=500), says(4, -1, opens=False)]
    hand = by_hand(tmp_path, a_coin(), candles, said, {"paper.latency_bars": latency})
    bought, sold = 1010 + 10 * latency, 1050 + 10 * latency
    assert hand.fills == [
        ("entry", 10, str(bought), f"{bought / 100:g}", 1.0 + latency),
        ("exit", -10, str(sold), f"{sold / 100:g}", 5.0 + latency),
    ]


_WILD: tuple[Shape, ...] = (
    *flat(1000, 4), (1000, 1010, 1000, 1010, 10**6), (1010, 1060, 1010, 1050, 10**6),
    (1050, 1050, 940, 950, 10**6), *flat(950, 5),
)  # fmt: skip


def test_a_candle_cannot_tell_and_the_stop_counts(tmp_path: Path) -> None:
    candles: list[Shape] = [*flat(1000, 1), (1000, 1060, 940, 950, 10**6), *flat(950, 1)]
    hand = by_hand(tmp_path, a_coin(), candles, [says(0, stop=50, target=50)])
    assert hand.fills == [BUY, ("stop", -10, "950", "9.5", 2.0)]


def test_finer_candles_tell_that_the_target_came_first(tmp_path: Path) -> None:
    """The same hour in quarters: 1060 in the second, 940 in the third. A maker pays half."""
    hand = by_hand(tmp_path, a_coin(), _WILD, [says(0, stop=50, target=50)], minutes=15)
    assert hand.fills == [BUY, ("target", -10, "1050", "5.25", 1.5)]


def test_a_trailing_stop_follows_closed_candles_and_never_returns(tmp_path: Path) -> None:
    """2 % below 1000, 1103 and 1050: 980; 1080.94, down to the tick 1080.5; never back to 1029.
    Candle 4 opens below it: its open counts."""
    candles: list[Shape] = [
        *flat(1000, 2), (1000, 1103, 1000, 1100, 10**6), (1100, 1100, 1081, 1090, 10**6),
        (1070, 1080, 1060, 1070, 10**6), *flat(1070, 1),
    ]  # fmt: skip
    hand = by_hand(tmp_path, a_coin(), candles, [says(0, stop=100, trail=2)])
    assert hand.fills == [BUY, ("trailing", -10, "1070", "10.7", 5.0)]


def test_volume_fills_in_parts_and_time_ends_the_rest(tmp_path: Path) -> None:
    """A tenth of 40 lots: 4 in candle 1, 4 in candle 2, and the time of 2 candles is over. The stop
    at 900 covers 8: at the open of 890 it sells 4, at the next opens 880 and 870 the others."""
    candles: list[Shape] = [
        *flat(1000, 1), *flat(1000, 3, 40), *flat(890, 1, 40), *flat(880, 1, 20),
        *flat(870, 2, 40),
    ]  # fmt: skip
    settings = {"paper.volume_share_pct": "10", "paper.entry_ttl_bars": 2}
    hand = by_hand(tmp_path, a_coin(), candles, [says(0, stop=100)], settings)
    assert hand.fills == [
        ("entry", 4, "1000", "4", 1.0), ("entry", 4, "1000", "4", 2.0),
        ("stop", -4, "890", "3.56", 5.0), ("stop", -2, "880", "1.76", 5.0),
        ("stop", -2, "870", "1.74", 6.0),
    ]  # fmt: skip
    assert hand.equity(7) == plain(1_000_000 - 8 - 4 * 110 - 2 * 120 - 2 * 130 - 7.06)


def test_a_position_times_out_at_the_first_close_after_its_hold(tmp_path: Path) -> None:
    """In at the open of candle 1, 3 candles: the close of candle 3, out at the open of candle 4."""
    hand = by_hand(tmp_path, a_coin(), flat(1000, 7), [says(0, stop=100, hold=3)])
    assert hand.fills == [BUY, ("exit", -10, "1000", "10", 4.0)]
    assert hand.result.reasons[int(hand.result.orders[2, 10])] == "time_out"


def test_a_reversal_leaves_and_enters_at_the_same_open(tmp_path: Path) -> None:
    """The short gains 10 x 20 by the last close; the long lost 10 x 10; three fees."""
    candles: list[Shape] = [*flat(1000, 3), *flat(990, 1), *flat(970, 1)]
    hand = by_hand(tmp_path, a_coin(), candles, [says(0, stop=100), says(2, -1, stop=100)])
    assert hand.fills == [
        BUY, ("exit", -10, "990", "9.9", 3.0), ("entry", -10, "990", "9.9", 3.0),
    ]  # fmt: skip
    assert hand.equity(4) == plain(1_000_000 - 100 + 200 - 29.8)


def test_funding_is_paid_on_what_is_held_at_the_open(tmp_path: Path) -> None:
    """0.01 % and -0.02 % of 10 x 1010 and 10 x 1020; bought at the open of hour 1, so that the one
    of hour 1 finds nothing."""
    candles = [flat(1000 + 10 * (n - 1), 1)[0] for n in range(5)]
    rates = [(1, "0.05"), (2, "0.01"), (3, "-0.02")]
    hand = by_hand(tmp_path, a_coin(), candles, [says(0, stop=100)], funding=rates)
    assert hand.result.funding.tolist() == [
        [hand.result.start_ms + 2 * 3_600_000, 0, -101_000_000],
        [hand.result.start_ms + 3 * 3_600_000, 0, 204_000_000],
    ]


@pytest.mark.parametrize(
    ("close", "codes"),
    [
        # 1000000 - 10 of fees - 10 x (1000 - 501) = 995000: half a percent to the last unit
        ("501", ["daily_loss_exceeded"]),
        ("501.1", ["daily_loss_warning"]),
        # 0.4 % is reached at 996000: 10 x (1000 - 601) = 3990 and the fee
        ("601", ["daily_loss_warning"]),
        ("601.1", []),
    ],
)
def test_a_line_is_reached_when_equity_stands_on_it(
    close: str, codes: list[str], tmp_path: Path
) -> None:
    settings = {
        "risk_management.daily_loss_limit_pct": "0.5", "limits.risk_per_trade_pct": "0.5",
        "limits.daily_warning_share_pct": "80",
    }  # fmt: skip
    candles: list[Shape] = [*flat(1000, 2), (1000, 1000, close, close, 10**6)]
    hand = by_hand(tmp_path, a_coin(), candles, [says(0, stop=499.9)], settings)
    assert [e.code for e in hand.result.events] == codes


@pytest.mark.parametrize(
    ("close", "codes"),
    [("956.5", ["drawdown_reducing"]), ("956.6", ["drawdown_reducing", "drawdown_recovered"])],
)
def test_reducing_ends_above_its_own_line(close: str, codes: list[str], tmp_path: Path) -> None:
    """900 lots, 900 of fees. At 945: 1000000 - 900 - 900 x 55 = 949600, more than 5 % below the
    peak. It ends above 960000: at 956.5 equity is 959950, at 956.6 it is 960040."""
    settings = {"limits.drawdown_reduce_pct": "5", "limits.drawdown_recover_pct": "4"}
    candles: list[Shape] = [
        *flat(1000, 2), (1000, 1000, 945, 945, 10**6), (945, close, 945, close, 10**6),
    ]  # fmt: skip
    hand = by_hand(tmp_path, a_coin(lots=900), candles, [says(0, stop=100)], settings)
    assert [e.code for e in hand.result.events] == codes
    assert hand.result.max_drawdown_rate == 5_040_000  # 50400 of 1000000


@pytest.mark.parametrize(("candle", "allowed"), [(23, False), (24, True)])
def test_the_candle_that_closes_at_midnight_belongs_to_its_day(
    candle: int, allowed: bool, tmp_path: Path
) -> None:
    """One entry a day: after that of candle 0 none at the close of candle 23, 00:00; from that of
    candle 24 on, 01:00, it is another day."""
    said = [says(0, stop=100), says(2, -1, opens=False), says(candle, stop=100)]
    settings = {"limits.max_entries_per_day": 1, "limits.max_entries_per_cycle": 1}
    hand = by_hand(tmp_path, a_coin(), flat(1000, 27), said, settings)
    again: list[HandFill] = [("entry", 10, "1000", "10", candle + 1.0)]
    assert hand.fills[2:] == (again if allowed else [])
    assert hand.result.refusals == ({} if allowed else {"message_rate": 1})


def test_coins_are_paid_in_full_with_the_fee(tmp_path: Path) -> None:
    """10010 pay 10 lots at 1000 and 10 of fees. The next open is 1001: a lot is 1002.001, nine of
    them 9018.009, and the 991.991 that are left pay no tenth."""
    candles: list[Shape] = [*flat(1000, 1), *flat(1001, 5)]
    settings = {"paper.initial_equity": "10010", "limits.risk_per_trade_pct": "10"}
    hand = by_hand(tmp_path, a_coin(spot=True), candles, [says(0, stop=100)], settings)
    assert hand.fills == [("entry", 9, "1001", "9.009", 1.0)]
    assert hand.result.cash == 991_99100000


def plain(value: float) -> str:
    return f"{value:.8f}".rstrip("0").rstrip(".")


@pytest.mark.parametrize(
    ("settings", "first", "lots"),
    [
        # a lot is 1.1 the second time: 109.79 would be 99 of them, the profile counts on 100
        ({"limits.max_leverage": "2"}, 100, 90),
        # without leverage the first has room for 99 and their fees
        ({}, 99, 90),
        # 50 with the fee: a lot is 1.001, then 1.1011
        ({"limits.max_order_notional": "50"}, 49, 45),
        # 5 % of 100 at a stop of 0.1 a lot
        ({"limits.risk_per_trade_pct": "5"}, 50, 50),
    ],
)
def test_caps_hold_after_a_gain(
    settings: dict[str, str], first: int, lots: int, tmp_path: Path
) -> None:
    """The profile trades 100 however much is given: in at 1000, out at 1100, in again. One lot is
    0.001 coins. After a gain of 10 and fees of 0.1 and 0.11 the account has 109.79."""
    coin = a_coin(lot="0.001", lots=10_000)
    said = [says(0, stop=100), says(2, -1, opens=False), says(4, stop=100)]
    candles: list[Shape] = [*flat(1000, 2), *flat(1100, 5)]
    hand = by_hand(tmp_path, coin, candles, said, {"engine.profile": "paper", **settings})
    assert hand.result.opening == 100 * 10**8
    assert [(f[0], f[1]) for f in hand.fills] == [
        ("entry", first), ("exit", -first), ("entry", lots),
    ]  # fmt: skip
