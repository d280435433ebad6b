"""The table of paper instruments."""

from decimal import Decimal

import pytest

from crypto_trader_pro.domain.enums import MarketKind
from crypto_trader_pro.domain.errors import InputError
from crypto_trader_pro.simulation.instruments import INSTRUMENTS, instrument

FIRST = ("ADA", "BNB", "BTC", "DOGE", "ETH", "LTC", "SOL", "XRP")


def test_fifty_bases_are_there_each_as_spot_and_as_perpetual() -> None:
    bases = {row.base for row in INSTRUMENTS.values()}
    assert len(bases) == 50
    assert bases >= set(FIRST)
    expected = {f"{base}/USDT" for base in bases} | {f"{base}/USDT:USDT" for base in bases}
    assert set(INSTRUMENTS) == expected


@pytest.mark.parametrize(
    ("symbol", "tick", "lot", "price_unit", "min_notional", "maintenance"),
    [
        ("AVAX/USDT:USDT", "0.001", "1", "0.0001", "5", "0.025"),
        ("LINK/USDT:USDT", "0.001", "0.01", "0.0001", "20", "0.025"),
        ("VET/USDT:USDT", "0.000001", "1", "0.0000001", "5", "0.025"),
        ("UNI/USDT", "0.001", "0.01", "0.0001", "5", "0"),
    ],
)
def test_the_grid_of_the_later_forty_two(
    symbol: str, tick: str, lot: str, price_unit: str, min_notional: str, maintenance: str
) -> None:
    row = instrument(symbol)
    found = (row.tick, row.lot, row.price_unit, row.min_notional, row.maintenance)
    assert found == tuple(map(Decimal, (tick, lot, price_unit, min_notional, maintenance)))


def test_every_price_unit_divides_the_tick_and_every_order_can_be_small() -> None:
    for row in INSTRUMENTS.values():
        assert row.tick_units in (1, 10, 100)
        assert Decimal(5) <= row.min_notional <= Decimal(100)
        assert row.lot <= 1


def test_each_row_is_filed_under_its_own_symbol_and_kind() -> None:
    for symbol, row in INSTRUMENTS.items():
        assert row.symbol == symbol
        assert row.kind is (MarketKind.LINEAR if ":" in symbol else MarketKind.SPOT)


def test_the_bitcoin_perpetual_counts_old_candles_finer_than_its_tick() -> None:
    btc = instrument("BTC/USDT:USDT")
    assert (btc.tick, btc.lot, btc.price_unit) == (
        Decimal("0.1"),
        Decimal("0.001"),
        Decimal("0.01"),
    )
    assert btc.tick_units == 10  # 0.1 / 0.01
    assert btc.tv == 1000  # 0.01 x 0.001 x 1e8
    assert btc.min_notional_units == 10_000_000_000  # 100 x 1e8
    assert (btc.maker_rate, btc.taker_rate) == (20_000, 50_000)  # 0.02 %, 0.05 % of 1e8
    assert btc.maintenance_rate == 400_000  # 0.4 % of 1e8


def test_bitcoin_and_ether_have_the_venues_tiers_and_the_others_one() -> None:
    btc, eth = (instrument(f"{base}/USDT:USDT").tiers for base in ("BTC", "ETH"))
    # the venue's own cumulated amounts, USDT: 50, 1,300, 16,300, ...
    assert [d // 10**8 for d in btc[2::3]] == [
        0, 50, 1_300, 16_300, 141_300, 1_141_300, 2_391_300, 4_891_300, 24_891_300, 99_891_300
    ]  # fmt: skip
    assert btc[3:5] == (250_000 * 10**8, 500_000)  # up to 250,000 USDT 0.5 %
    assert [rate / 10**6 for rate in eth[1::3]] == [0.5, 0.65, 1, 2, 5, 10, 12.5, 15, 25]
    flat = {s for s, row in INSTRUMENTS.items() if len(row.tiers) == 3}
    assert set(INSTRUMENTS) - flat == {"BTC/USDT:USDT", "ETH/USDT:USDT"}


def test_spot_pays_a_tenth_of_a_percent_and_cannot_short() -> None:
    eth = instrument("ETH/USDT")
    assert (eth.maker_rate, eth.taker_rate) == (100_000, 100_000)
    assert eth.lot == Decimal("0.0001")
    assert not eth.can_short


@pytest.mark.parametrize(
    ("symbol", "smallest"), [("ETH/USDT:USDT", 20), ("LTC/USDT:USDT", 20), ("SOL/USDT:USDT", 5)]
)
def test_the_smallest_order_is_the_venues(symbol: str, smallest: int) -> None:
    assert instrument(symbol).min_notional == smallest


def test_one_price_unit_of_one_lot_is_at_least_a_money_unit_everywhere() -> None:
    assert min(row.tv for row in INSTRUMENTS.values()) >= 1


@pytest.mark.parametrize(
    ("symbol", "nearest"),
    [("BTCUSDT", "BTC/USDT"), ("btc/usdt:usdt", "BTC/USDT:USDT"), ("DOG/USDT", "DOGE/USDT")],
)
def test_an_unknown_symbol_is_refused_with_the_nearest_known(symbol: str, nearest: str) -> None:
    with pytest.raises(InputError) as caught:
        instrument(symbol)
    message = str(caught.value)
    assert message.startswith(
        f"symbol was '{symbol}', nearest known is '{nearest}', allowed: AAVE/"
    )
    assert "\n" not in message


def test_the_table_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        INSTRUMENTS["X/USDT"] = instrument("BTC/USDT")  # type: ignore[index]
