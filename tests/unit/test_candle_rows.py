"""What a venue sends becomes whole numbers, or is refused by name and counted."""

import logging
from typing import Any

import pytest

from auto_trading.gateways.candle_rows import (
    Refusals,
    Refused,
    bar_of,
    price_units,
    ticker_units,
)
from crypto_trader_pro.domain.market import Bar
from tests.builders import MINUTE, START_MS, an_instrument

BTC = an_instrument(tick="0.1", price_unit="0.01", lot="0.001")
CLOSED = START_MS + MINUTE


def row(**changed: Any) -> list[Any]:
    whole = {"open_ms": START_MS, "open": "100.1", "high": "100.57", "low": "99", "close": "100",
             "volume": "1.2349"} | changed  # fmt: skip
    return list(whole.values())


def test_text_and_floats_give_the_same_exact_candle() -> None:
    # prices in cents; 1.2349 is 1234 lots of 0.001, rounded down
    expected = Bar(START_MS, 10_010, 10_057, 9_900, 10_000, 1_234)
    assert bar_of(BTC, MINUTE, row(), CLOSED) == expected
    floats = [START_MS, 100.1, 100.57, 99.0, 100, 1.2349]
    assert bar_of(BTC, MINUTE, floats, CLOSED) == expected


def test_prices_finer_than_the_grid_are_rounded_in_order() -> None:
    # halves go to the even cent; open, high and close may meet, never cross
    fine = row(open="100.005", high="100.0151", low="99.9949", close="100.015")
    assert bar_of(BTC, MINUTE, fine, CLOSED)[1:5] == (10_000, 10_002, 9_999, 10_002)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"open_ms": START_MS + 1}, "off_grid_time"),
        ({"open_ms": 0}, "off_grid_time"),
        ({"open_ms": str(START_MS)}, "wrong_shape"),
        ({"open_ms": True}, "wrong_shape"),
        ({"open_ms": None}, "wrong_shape"),
        ({"open_ms": START_MS + MINUTE}, "unclosed"),
        ({"open": "NaN"}, "not_a_number"),
        ({"high": float("inf")}, "not_a_number"),
        ({"low": None}, "not_a_number"),
        ({"close": [1]}, "not_a_number"),
        ({"close": True}, "not_a_number"),
        ({"close": "abc"}, "not_a_number"),
        ({"close": "1e400"}, "not_a_number"),
        ({"close": "1e18"}, "too_large"),
        ({"close": "0"}, "not_positive"),
        ({"low": "-1"}, "not_positive"),
        ({"low": "100.05"}, "impossible"),
        ({"high": "100.05"}, "impossible"),
        ({"volume": "-0.1"}, "negative_volume"),
        ({"volume": "nan"}, "not_a_number"),
        ({"volume": "1e20"}, "too_large"),
    ],
)
def test_what_cannot_be_a_candle_is_refused(changed: dict[str, Any], reason: str) -> None:
    with pytest.raises(Refused) as refused:
        bar_of(BTC, MINUTE, row(**changed), CLOSED)
    assert refused.value.args == (reason,)


def test_a_short_row_is_refused() -> None:
    with pytest.raises(Refused, match="wrong_shape"):
        bar_of(BTC, MINUTE, row()[:5], CLOSED)


def test_a_candle_counts_as_closed_up_to_a_second_before_its_end() -> None:
    assert bar_of(BTC, MINUTE, row(), CLOSED - 1_000)
    with pytest.raises(Refused, match="unclosed"):
        bar_of(BTC, MINUTE, row(), CLOSED - 1_001)


def test_a_ticker_gives_its_last_price_unless_the_book_is_crossed() -> None:
    assert ticker_units(BTC, "100.1", None, None) == 10_010
    assert ticker_units(BTC, 100.1, "100", "100.2") == 10_010
    assert ticker_units(BTC, "100.1", "100.2", "0") == 10_010  # nobody offers
    assert ticker_units(BTC, "100.1", "", "") == 10_010
    with pytest.raises(Refused, match="crossed"):
        ticker_units(BTC, "100.1", "100.3", "100.2")
    with pytest.raises(Refused, match="not_a_number"):
        price_units(BTC, {})


def test_refusals_are_counted_and_the_first_of_each_reason_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    refusals = Refusals("exchange okx")
    with caplog.at_level(logging.WARNING):
        for reason in ("crossed", "unclosed", "crossed"):
            refusals.note(reason, "x" * 1_000)
    assert refusals.counts == {"crossed": 2, "unclosed": 1}
    assert [len(record.getMessage()) < 300 for record in caplog.records] == [True, True]
