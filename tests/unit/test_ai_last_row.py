"""The newest row for many symbols at once: the bits of the whole history, real candles too."""

import numpy as np
import pytest

from crypto_trader_pro.ai import features
from crypto_trader_pro.ai.candle_features import WINDOW
from crypto_trader_pro.ai.last_row import LEAD_WINDOW, Candles, last_rows
from crypto_trader_pro.domain.errors import InputError
from crypto_trader_pro.domain.market import CandleSeries
from tests.property.test_ai_features import HOUR, bits, market
from tests.unit.test_ai_features import real


def side_by_side(series: list[CandleSeries], row: int) -> Candles:
    """Return the windows that end with `row`; a symbol that has fewer candles gets zeros."""
    columns = np.zeros((4, WINDOW, len(series)))
    for k, name in enumerate(("high", "low", "close", "volume")):
        for i, s in enumerate(series):
            part = getattr(s, name)[max(0, row + 1 - WINDOW) : row + 1]
            columns[k, WINDOW - len(part) :, i] = part
    return Candles(*columns)


def whole(n: int) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    return np.ones(n, dtype=np.bool_)


@pytest.mark.parametrize("row", [4_200, 5_011, 5_187, 7_000])
def test_real_candles_give_the_bits_of_the_history(row: int) -> None:
    series = [real(base) for base in ("BTC", "ETH", "DOGE", "XRP")]
    close_ms = int(series[0].open_ms[row]) + HOUR
    frame = last_rows(side_by_side(series, row), close_ms, whole(4), lead=0, lead_ready=True)
    for i, s in enumerate(series):
        past = features.compute(s.slice(row - WINDOW + 1, row + 1), btc=series[0].slice(0, row + 1))
        assert bits(frame.values[i]) == bits(past.values[-1])
        assert frame.atr[i] == past.atr[-1]
        assert frame.close_ms[i] == past.close_ms[-1]


def test_a_symbol_that_is_not_ready_is_blank_and_changes_no_other() -> None:
    series = [market(seed, 900) for seed in (1, 2, 3)]
    series = [CandleSeries(s.symbol, HOUR, series[0].open_ms, s.open, s.high, s.low, s.close,
                           s.volume) for s in series]  # fmt: skip
    candles = side_by_side(series, 800)
    at = int(series[0].open_ms[800]) + HOUR
    alone = last_rows(candles, at, whole(3), lead=None, lead_ready=False)
    candles.close[:, 1] = 0.0
    ready = np.array([True, False, True])
    some = last_rows(candles, at, ready, lead=None, lead_ready=False)
    assert bits(some.values[0]) == bits(alone.values[0])
    assert bits(some.values[2]) == bits(alone.values[2])
    assert np.isnan(some.values[1]).all()
    assert some.atr[1] == 0
    nobody = last_rows(candles, at, ~whole(3), lead=None, lead_ready=False)
    assert np.isnan(nobody.values).all()
    assert nobody.atr.tolist() == [0, 0, 0]


@pytest.mark.parametrize("known", [LEAD_WINDOW, LEAD_WINDOW - 1])
def test_a_young_btc_leads_as_soon_as_its_own_window_is_whole(known: int) -> None:
    eth, btc = real("ETH").slice(0, 800), real("BTC").slice(800 - known, 800)
    candles = side_by_side([eth], 799)
    columns = np.zeros((4, WINDOW, 2))
    for k, name in enumerate(("high", "low", "close", "volume")):
        columns[k, :, 0] = getattr(candles, name)[:, 0]
        columns[k, WINDOW - known :, 1] = getattr(btc, name)
    ready = np.array([True, False])
    frame = last_rows(
        Candles(*columns), int(eth.open_ms[-1]) + HOUR, ready, lead=1,
        lead_ready=known >= LEAD_WINDOW,
    )  # fmt: skip
    past = features.compute(eth, btc=btc)
    assert bits(frame.values[0]) == bits(past.values[-1])
    assert np.isnan(frame.values[0, features.NAMES.index("btc_12")]) == (known < LEAD_WINDOW)


def test_another_shape_is_refused() -> None:
    candles = Candles(*np.ones((4, WINDOW - 1, 2)))
    with pytest.raises(InputError, match=r"candles were \(720, 2\), allowed: \(721, 2\)"):
        last_rows(candles, HOUR, whole(2), lead=None, lead_ready=False)
