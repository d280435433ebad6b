"""Instruments: the grid, what is derived from it, and what no grid can be."""

from dataclasses import replace
from decimal import Decimal

import pytest

from crypto_trader_pro.domain.enums import MarketKind
from crypto_trader_pro.domain.instruments import Instrument, money, money_units, plain, plain_text
from crypto_trader_pro.domain.units import MAX_NOTIONAL
from tests.builders import SPOT, an_instrument

D = Decimal


def test_a_perpetual_derives_its_whole_numbers_once() -> None:
    btc = an_instrument(price_unit="0.01")
    assert (btc.base, btc.quote, btc.kind) == ("BTC", "USDT", MarketKind.LINEAR)
    assert btc.can_short
    assert btc.tick_units == 10  # 0.1 / 0.01
    assert btc.tv == 1_000  # 0.01 * 0.001 * 1e8
    assert btc.min_notional_units == 500_000_000  # 5 USDT
    assert (btc.maker_rate, btc.taker_rate) == (20_000, 50_000)
    assert btc.maintenance_rate == 1_000_000


def test_spot_cannot_be_sold_short() -> None:
    spot = an_instrument(SPOT)
    assert (spot.base, spot.quote, spot.kind) == ("BTC", "USDT", MarketKind.SPOT)
    assert not spot.can_short


def test_the_finest_grid_has_a_tick_value_of_one_unit() -> None:
    assert an_instrument("X/USDT", tick="0.00000001", lot="1").tv == 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tick": "0"}, "tick must be positive, was 0"),
        ({"tick": "-0.1"}, "tick must be positive, was -0.1"),
        ({"lot": "NaN", "price_unit": "0.1"}, "lot must be positive, was NaN"),
        ({"price_unit": "Infinity"}, "price_unit must be positive, was Infinity"),
        ({"min_notional": "-1"}, "min_notional must not be negative, was -1"),
        ({"maker_fee": "-0.0001"}, "maker_fee must not be negative"),
        ({"taker_fee": "NaN"}, "taker_fee must not be negative, was NaN"),
        ({"maintenance": "-0.01"}, "maintenance must not be negative"),
        ({"price_unit": "0.03"}, "tick / price_unit must be whole"),
        ({"price_unit": "1"}, "tick / price_unit must be whole, was 0.1"),
        ({"tick": "0.0000001", "lot": "0.01"}, "value of a price unit of a lot must be whole"),
        ({"maker_fee": "0.000000001"}, "maker_fee must be whole"),
    ],
)
def test_an_impossible_grid_is_refused_by_name(changes: dict[str, str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        an_instrument(**changes)  # type: ignore[arg-type]


def test_one_maintenance_rate_is_one_tier_without_an_end() -> None:
    assert an_instrument().tiers == (MAX_NOTIONAL, 1_000_000, 0)


def test_the_tiers_deductions_make_maintenance_continuous() -> None:
    rows = ((D("50"), D("0.01")), (D("1000.5"), D("0.025")), (D("2000"), D("0.5")))
    assert replace(an_instrument(), maintenance_tiers=rows).tiers == (
        5_000_000_000, 1_000_000, 0,
        100_050_000_000, 2_500_000, 75_000_000,  # 50 x 1.5 % is 0.75
        MAX_NOTIONAL, 50_000_000, 47_598_750_000,  # and 1,000.5 x 47.5 % is 475.2375
    )  # fmt: skip


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([("50", "0.02")], "first maintenance tier was 0.02, must be that of maintenance, 0.01"),
        ([("50", "0.01"), ("9", "0.01")], "tier 2 was 9 at 0.01, bounds and rates must rise"),
        ([("50", "0.01"), ("50", "0.02"), ("9", "0.03")], "tier 2 was 50 at 0.02, bounds"),
        ([("0", "0.01"), ("50", "0.02")], "tier 1 was 0 at 0.01, bounds and rates must rise"),
        ([("50", "0.01"), ("90", "1.01")], "tier 2 was 90 at 1.01, .* rates at most to 1"),
        ([("NaN", "0.01"), ("90", "0.02")], "tier 1 was NaN at 0.01, both must be finite"),
        ([("50", "0.01"), ("90", "NaN")], "tier 2 was 90 at NaN, both must be finite"),
        ([("0.000000001", "0.01"), ("9", "0.02")], "tier 1 bound must be whole"),
        ([("5", "0.01"), ("9", "0.020000001")], "tier 2 rate must be whole"),
        ([("0.00000001", "0.01"), ("9", "0.02")], "tier 2 deduction must be whole"),
    ],
)
def test_impossible_tiers_are_refused_by_name(rows: list[tuple[str, str]], message: str) -> None:
    tiers = tuple((D(bound), D(rate)) for bound, rate in rows)
    with pytest.raises(ValueError, match=message):
        replace(an_instrument(), maintenance_tiers=tiers)


def test_a_symbol_without_a_quote_is_refused() -> None:
    with pytest.raises(ValueError, match="symbol was 'BTCUSDT', expected BASE/QUOTE"):
        an_instrument("BTCUSDT")


def test_prices_count_exactly_and_come_back() -> None:
    btc = an_instrument(price_unit="0.01")
    assert btc.price_units(Decimal("12889.35")) == 1_288_935
    assert btc.price(1_288_935) == Decimal("12889.35")
    assert str(btc.price(1_200_000)) == "12000"


def test_a_price_off_the_grid_is_refused() -> None:
    with pytest.raises(ValueError, match=r"price 12889\.355 in units of 0\.01 must be whole"):
        an_instrument(price_unit="0.01").price_units(Decimal("12889.355"))


@pytest.mark.parametrize(
    ("quantity", "lots"),
    [("0.001", 1), ("0.0019999", 1), ("0.0009", 0), ("-0.0019", -1), ("12.345", 12_345)],
)
def test_a_quantity_is_cut_to_lots_toward_zero(quantity: str, lots: int) -> None:
    assert an_instrument().lots(Decimal(quantity)) == lots


def test_lots_come_back_as_a_plain_quantity_with_their_sign() -> None:
    assert str(an_instrument().quantity(-1_500)) == "-1.5"
    assert str(an_instrument().quantity(0)) == "0"


@pytest.mark.parametrize(
    ("value", "text"),
    [("1.500", "1.5"), ("1E+3", "1000"), ("-0", "0"), ("0.00", "0"), ("100", "100"), ("-1E-8",
     "-1E-8")],
)  # fmt: skip
def test_plain_form_has_no_trailing_zeros_no_exponent_and_no_negative_zero(
    value: str, text: str
) -> None:
    assert format(plain(Decimal(value)), "f") == format(Decimal(text), "f")
    assert plain(Decimal(value)).is_signed() == text.startswith("-")


@pytest.mark.parametrize(("value", "text"), [("1E+3", "1000"), ("1E-8", "0.00000001"), ("-0", "0")])
def test_text_never_has_an_exponent(value: str, text: str) -> None:
    assert plain_text(Decimal(value)) == text


def test_money_goes_both_ways_exactly() -> None:
    assert money(10_000_000_000_000) == Decimal(100_000)
    assert format(money(-1), "f") == "-0.00000001"
    assert money_units(Decimal("92233720368.54775807")) == 2**63 - 1
    assert money(2**63 - 1) == Decimal("92233720368.54775807")


def test_money_finer_than_its_unit_is_refused() -> None:
    with pytest.raises(ValueError, match=r"in units of 1e-8 must be whole, was 0\.1"):
        money_units(Decimal("0.000000001"))


def test_an_instrument_is_a_value() -> None:
    assert an_instrument() == an_instrument()
    with pytest.raises(AttributeError):
        an_instrument().tick = Decimal(1)  # type: ignore[misc]
    assert len({an_instrument(), an_instrument(), an_instrument(SPOT)}) == 2
    assert isinstance(an_instrument(), Instrument)
