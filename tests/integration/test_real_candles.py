"""Recorded candles of Binance: they import as they are, and the gate knows good from bad."""

import random
from collections import Counter
from functools import cache
from typing import Final, NamedTuple

import numpy as np
import pytest

from auto_trading.aggregation import Aggregator, aggregate
from auto_trading.data_gate import SymbolGate
from auto_trading.data_quality import Span, report
from auto_trading.gateways.candle_files import read_candles
from auto_trading.gateways.funding_files import read_funding
from crypto_trader_pro.domain.enums import GateReason, GateState
from crypto_trader_pro.domain.market import Bar, CandleSeries
from crypto_trader_pro.domain.timeframes import timeframe_ms, to_datetime
from crypto_trader_pro.simulation.instruments import instrument
from tests.corruption import FAULTS
from tests.market_data import candle_file, data_file


class Recorded(NamedTuple):
    rows: int
    missing: int = 0
    still: int = 0  # candles without volume


FILES: Final[dict[str, Recorded]] = {
    "binance-spot_BTCUSDT_1h_20170817-20230802": Recorded(52_105, missing=128, still=4),
    "binance-spot_ETHUSDT_1h_20170817-20230802": Recorded(52_105, missing=128, still=6),
    "binance-usdm_ADAUSDT_1h_20201023-20240616": Recorded(31_973),
    "binance-usdm_BNBUSDT_1h_20201023-20240616": Recorded(31_973),
    "binance-usdm_BNBUSDT_1m_20250504-20250624": Recorded(73_138),
    "binance-usdm_BTCUSDT_15m_20230101-20251206": Recorded(102_783, still=4),
    "binance-usdm_BTCUSDT_1h_20201023-20240616": Recorded(31_973),
    "binance-usdm_BTCUSDT_1h_20250101-20260731": Recorded(13_848),
    "binance-usdm_BTCUSDT_1m_20250504-20250624": Recorded(73_138),
    "binance-usdm_BTCUSDT_5m_20230101-20240514": Recorded(143_899, still=3),
    "binance-usdm_DOGEUSDT_1h_20201023-20240616": Recorded(31_973),
    "binance-usdm_ETHUSDT_15m_20230101-20251206": Recorded(102_783, still=4),
    "binance-usdm_ETHUSDT_1h_20201023-20240616": Recorded(31_973),
    "binance-usdm_ETHUSDT_1m_20250504-20250624": Recorded(73_139),
    "binance-usdm_ETHUSDT_5m_20230101-20240514": Recorded(143_900, still=3),
    "binance-usdm_LTCUSDT_1h_20201023-20240616": Recorded(31_973),
    "binance-usdm_SOLUSDT_1h_20201023-20240616": Recorded(31_973),
    "binance-usdm_SOLUSDT_1m_20250504-20250624": Recorded(73_140),
    "binance-usdm_XRPUSDT_1h_20201023-20240616": Recorded(31_973),
    "binance-usdm_XRPUSDT_1m_20250504-20250624": Recorded(73_137),
}
SPOT: Final = tuple(name for name in FILES if "spot" in name)
AFTER_FIRST_DAYS: Final = 1_506_816_000_000  # 2017-10-01: spot is too thin to judge before


@cache
def recorded(name: str) -> CandleSeries:
    market, pair, timeframe, _ = name.split("_")
    symbol = f"{pair.removesuffix('USDT')}/USDT" + (":USDT" if market.endswith("usdm") else "")
    return read_candles(candle_file(name), instrument(symbol), timeframe_ms(timeframe))


def judged(name: str) -> CandleSeries:
    return recorded(name).between(AFTER_FIRST_DAYS, None)


@pytest.mark.parametrize("name", FILES)
def test_a_recorded_file_imports_with_all_its_rows(name: str) -> None:
    found = report(recorded(name))
    expected = FILES[name]
    assert found.rows == expected.rows
    assert found.missing_bars == expected.missing
    assert found.expected_rows == expected.rows + expected.missing
    assert len(found.zero_volume_ms) == expected.still


@pytest.mark.parametrize("name", SPOT)
def test_the_outages_of_the_spot_market_are_found_and_named(name: str) -> None:
    gaps = report(recorded(name)).gaps
    assert len(gaps) == 28
    assert sum(gap.bars for gap in gaps) == 128
    named = {(to_datetime(gap.from_ms).strftime("%Y-%m-%d %H"), gap.bars) for gap in gaps}
    outages = {
        ("2018-02-08 01", 33), ("2018-06-26 02", 10), ("2019-05-15 03", 10), ("2019-08-15 02", 8),
        ("2020-02-19 12", 5), ("2020-12-21 14", 4), ("2021-08-13 02", 4), ("2023-03-24 13", 1),
    }  # fmt: skip
    assert named >= outages


def test_known_figures_survive_the_import_exactly() -> None:
    spot = recorded("binance-spot_BTCUSDT_1h_20170817-20230802")
    assert int(spot.high.max()) == 6_900_000  # 2021-11-10: 69,000.00
    perpetual = recorded("binance-usdm_BTCUSDT_1h_20201023-20240616")
    first = Bar(1_603_440_000_000, 1_288_935, 1_296_183, 1_285_600, 1_291_912, 9_856_010)
    assert perpetual.slice(0, 1).bars() == [first]  # 12889.35 is finer than the tick of 0.1
    minute = recorded("binance-usdm_BTCUSDT_1m_20250504-20250624")
    assert int(minute.volume[0]) == 16_536  # 16.536 / 0.001


@pytest.mark.parametrize("pair", ["BTCUSDT", "ETHUSDT"])
def test_frozen_candles_of_the_record_are_found(pair: str) -> None:
    quarter = report(recorded(f"binance-usdm_{pair}_15m_20230101-20251206"))
    # 2024-10-28 20:00 to 21:00
    assert quarter.flat_runs == (Span(1_730_145_600_000, 1_730_149_200_000, 4),)
    five = report(recorded(f"binance-usdm_{pair}_5m_20230101-20240514"))
    # 2023-09-12 08:35 to 08:50
    assert five.flat_runs == (Span(1_694_507_700_000, 1_694_508_600_000, 3),)


def differing(made: CandleSeries, given: CandleSeries) -> tuple[int, Counter[str]]:
    """Return the number of shared candles, and how many of them differ by column."""
    shared, left, right = np.intersect1d(made.open_ms, given.open_ms, return_indices=True)
    columns = ("open", "high", "low", "close", "volume")
    return len(shared), Counter(
        {
            name: int((getattr(made, name)[left] != getattr(given, name)[right]).sum())
            for name in columns
        }
    )


@pytest.mark.parametrize("pair", ["BTCUSDT", "ETHUSDT"])
def test_minutes_resample_to_the_recorded_quarters_exactly(pair: str) -> None:
    minutes = recorded(f"binance-usdm_{pair}_1m_20250504-20250624")
    quarters = recorded(f"binance-usdm_{pair}_15m_20230101-20251206")
    shared, faults = differing(aggregate(minutes, quarters.timeframe_ms), quarters)
    # 15:45 on 2025-05-04 to 10:30 on 2025-06-24: 50 days of 96 quarters, and 75 of 96
    assert shared == 50 * 96 + 75
    assert faults.total() == 0


@pytest.mark.parametrize(
    ("pair", "span", "hours", "volumes"),
    [
        ("BTCUSDT", "20201023-20240616", 12_781, 4),
        ("ETHUSDT", "20201023-20240616", 12_781, 3),
        ("BTCUSDT", "20250101-20260731", 8_151, 2),
    ],
)
def test_quarters_resample_to_the_recorded_hours(
    pair: str, span: str, hours: int, volumes: int
) -> None:
    quarters = recorded(f"binance-usdm_{pair}_15m_20230101-20251206")
    hour = recorded(f"binance-usdm_{pair}_1h_{span}")
    shared, faults = differing(aggregate(quarters, hour.timeframe_ms), hour)
    assert shared == hours
    # the two sources agree in every price and differ in the volume of a few hours
    assert +faults == Counter(volume=volumes)


def test_one_at_a_time_and_in_batch_give_the_same_days_across_real_gaps() -> None:
    hours = recorded(SPOT[0])
    day = 24 * hours.timeframe_ms
    aggregator = Aggregator(hours.timeframe_ms, day)
    pushed = [made for bar in hours.bars() if (made := aggregator.push(bar)) is not None]
    assert pushed == aggregate(hours, day).bars()
    hours_of = Counter(ms // day for ms in hours.open_ms.tolist())
    assert [bar.open_ms // day for bar in pushed] == [d for d, n in hours_of.items() if n == 24]
    # the last day of the file, 2023-08-02, is not over
    days = max(hours_of) - min(hours_of)
    assert aggregator.incomplete == days - len(pushed) > 25


@pytest.mark.parametrize(
    ("base", "rows"),
    [("BTC", 5019), ("ETH", 3212 + 200), ("LTC", 1787), ("SOL", 1424), ("ADA", 289)],
)
def test_recorded_funding_is_read_per_symbol(base: str, rows: int) -> None:
    path = data_file("derivatives", "binance-usdm_funding_8h.csv.gz")
    at_ms, rates = read_funding(path, f"{base}/USDT:USDT")
    assert len(at_ms) == len(rates) == rows
    assert all(ms % 3_600_000 == 0 for ms in at_ms)
    assert max(map(abs, rates)) < 1_000_000  # 1 % in parts of 1e8


@pytest.mark.parametrize("name", FILES)
def test_the_gate_hardly_ever_blocks_good_candles(name: str) -> None:
    series = judged(name)
    gate, reasons = SymbolGate(series.timeframe_ms, warm_bars=50), Counter[str]()
    for bar in series.bars():
        assert gate.check(bar, bar.open_ms + series.timeframe_ms)
        reasons[gate.reason.value] += 1
    # a start and a real gap close the gate rightly; all else counts as a false block
    right = sum(reasons[reason] for reason in (GateReason.OK, GateReason.WARMUP, GateReason.GAP))
    blocked = len(series) - right
    share = 100 * blocked / len(series)
    print(f"{name}: {len(series)} candles, falsely blocked {share:.3f} %, {dict(reasons)}")
    assert share < 0.5


def test_ten_thousand_corrupted_real_windows_are_blocked() -> None:
    windows, length = 10_000, 80
    rng = random.Random(20_251_010)
    series = [judged(name) for name in FILES]
    names, escaped = list(FAULTS), Counter[str]()
    done = tried = 0
    while done < windows:
        tried += 1
        chosen = rng.choice(series)
        start = rng.randrange(len(chosen) - length)
        bars, tf = chosen.slice(start, start + length).bars(), chosen.timeframe_ms
        name = names[done % len(names)]
        fault = FAULTS[name](bars, tf, rng)
        gate = SymbolGate(tf, warm_bars=60)
        for bar in fault.good:
            gate.check(bar, bar.open_ms + tf)
        if gate.state is not GateState.GREEN:
            continue  # a real gap or outlier stands right before: no clean window to corrupt
        done += 1
        for bar, now_ms in fault.spoiled:
            gate.check(bar, now_ms)
        escaped[name] += gate.state is GateState.GREEN
    print(f"corrupted windows: {windows} of {tried} drawn, escaped: {+escaped or 'none'}")
    assert tried < windows * 1.1
    assert escaped.total() <= windows // 1000  # 99.9 % blocked
