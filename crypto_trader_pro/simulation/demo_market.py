"""The demo market: seeded, endless, made up. Nothing earned in it proves anything.

What it is
----------
A log price is `beta` times the path of the whole market plus a path of the coin's own
(`demo_paths.py`: regimes, clustered volatility, fat tails, levels that return over months). Half to
two thirds of a coin's variance is the market's, so coins move together. Perpetual and spot of a
coin follow one path, each rounded to its own tick; there is no basis. A candle opens where the one
before closed. High and low are drawn from the exact law of the extremes of a Brownian motion
between open and close (P(max > m) = exp(-2 (m - open)(m - close) / variance)). Volume is generous:
never under 30 % of the coin's usual turnover, more in wide candles.

The edge in it is the drift of up and down regimes, in units of volatility: `ema_cross` 12/26 on
perpetuals at 5m, 14 bp of costs, earns about 8 bp a trade over years, and loses about 2 bp on spot
at 24 bp (`benchmarks/demo_market.py` measures it).

Time
----
Candles of five minutes are the base. One-minute candles divide each of them exactly, every other
timeframe adds them up: open, high, low, close and volume agree to the last unit at any timeframe
that divides a day. `k` counts candles from time zero, 2024-01-01T00:00Z, and may be negative:
history reaches back to 2021-07-01, the future has no end.

Any week can be made without any other and comes out the same. Prices are multiples of the tick.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np

from crypto_trader_pro.domain.enums import MarketKind
from crypto_trader_pro.domain.errors import InputError
from crypto_trader_pro.domain.instruments import Instrument
from crypto_trader_pro.domain.market import Bar, CandleSeries, Floats, Ints
from crypto_trader_pro.domain.units import MONEY_EXP
from crypto_trader_pro.simulation.demo_coins import COINS, MARKET_SIGMA, SPOT_SHARE, Coin
from crypto_trader_pro.simulation.demo_paths import (
    CANDLES,
    FUNDING,
    MINUTES,
    STEPS,
    Regime,
    Week,
    draws,
    exponential,
    make_week,
    regimes,
)
from crypto_trader_pro.simulation.demo_ticks import ticks_between

ZERO_MS: Final = 1_704_067_200_000  # 2024-01-01T00:00Z
EARLIEST_MS: Final = 1_625_097_600_000  # 2021-07-01T00:00Z, 30 months before
FUNDING_MS: Final = 28_800_000
FUNDING_LIMIT: Final = 75_000  # 0.075 % of 1e8
_MINUTE_MS: Final = 60_000
_BASE_MS: Final = 300_000
_DAY_MS: Final = 86_400_000
_WEEK_MS: Final = 7 * _DAY_MS
_PARTS: Final = _BASE_MS // _MINUTE_MS
_MARKET: Final = "market"  # the stream of the market factor; coins are upper case
_FUNDING_USUAL: Final = 10_000  # 0.01 % each eight hours
_FUNDING_SIGMA: Final = 5_000


@dataclass(frozen=True, slots=True)
class _Track:
    instrument: Instrument
    coin: Coin
    start_ticks: float
    turnover: float  # money units of a usual candle of five minutes


class DemoMarket:
    """The candles, prices between them and funding rates of one seed. Safe to use from any thread.

    Args:
        instruments: the symbols that may be asked for.
        seed: any whole number; another seed is another market.

    Raises:
        InputError: a base that is not in `COINS`.
    """

    def __init__(self, instruments: Sequence[Instrument], *, seed: int) -> None:
        self.seed = seed
        self._tracks = {each.symbol: _track(each) for each in instruments}
        count = len(self._tracks)
        # the present week and its neighbours of every symbol; a long history goes past this cache
        self._week = lru_cache(maxsize=3 * count + 3)(self._make_candles)
        self._market = lru_cache(maxsize=160)(self._make_market)
        self._funding = lru_cache(maxsize=8 * count + 8)(self._make_funding)

    def bar(self, symbol: str, timeframe_ms: int, k: int) -> Bar:
        """Return candle `k`, counted from time zero.

        Raises:
            InputError: a symbol that is not here, or a timeframe that is no part of a day.
        """
        week, place = divmod(k, candles_per_week(timeframe_ms))
        rows = self._week(symbol, timeframe_ms, week)
        return Bar(ZERO_MS + k * timeframe_ms, *rows[:, place].tolist())

    def prepare(self, symbol: str, timeframe_ms: int, k: int) -> None:
        """Make the week of candle `k` now (under a millisecond), so that `bar` finds it."""
        self._week(symbol, timeframe_ms, k // candles_per_week(timeframe_ms))

    def candles(self, symbol: str, timeframe_ms: int, from_ms: int, to_ms: int) -> CandleSeries:
        """Return the candles that open in [from_ms, to_ms), none before `EARLIEST_MS`."""
        per_week = candles_per_week(timeframe_ms)
        first = -((ZERO_MS - max(from_ms, EARLIEST_MS)) // timeframe_ms)
        stop = max(first, -((ZERO_MS - to_ms) // timeframe_ms))
        weeks = range(first // per_week, -(-stop // per_week))
        parts = [self._make_candles(symbol, timeframe_ms, week) for week in weeks]
        rows = np.concatenate(parts, axis=1) if parts else np.empty((5, 0), dtype=np.int64)
        offset = first - weeks.start * per_week
        cut = np.ascontiguousarray(rows[:, offset : offset + stop - first])
        open_ms = ZERO_MS + np.arange(first, stop, dtype=np.int64) * timeframe_ms
        return CandleSeries(symbol, timeframe_ms, open_ms, *cut)

    def ticks(self, symbol: str, timeframe_ms: int, k: int, count: int) -> list[int]:
        """Return `count` prices inside candle `k`, evenly in time; at least 4.

        The first lies near the open, the last near the close, and the high and the low are among
        the others. The same arguments give the same prices; another count is another path.

        Raises:
            InputError: `count` under 4, or as `bar`.
        """
        track = self._track(symbol)
        bar = self.bar(symbol, timeframe_ms, k)
        key = (self.seed, track.instrument.symbol, timeframe_ms, k)
        return ticks_between(bar, track.instrument.tick_units, count, key)

    def funding_rate(self, symbol: str, at_ms: int) -> int | None:
        """Return the newest rate settled at or before `at_ms`, parts of 1e8; None on spot.

        Settled each eight hours: 0.01 %, a seeded noise, and 1 % of the return of the eight hours
        before (longs pay for a rise), at most `FUNDING_LIMIT` either way.
        """
        track = self._track(symbol)
        if track.instrument.kind is MarketKind.SPOT:
            return None
        return self._funding(symbol, (at_ms - ZERO_MS) // FUNDING_MS)

    def fundings(self, symbol: str, from_ms: int, to_ms: int) -> Iterator[tuple[int, int]]:
        """Yield (instant, rate) of each settlement in [from_ms, to_ms); nothing on spot."""
        at_ms = ZERO_MS - (ZERO_MS - from_ms) // FUNDING_MS * FUNDING_MS
        while at_ms < to_ms:
            rate = self.funding_rate(symbol, at_ms)
            if rate is None:
                return
            yield at_ms, rate
            at_ms += FUNDING_MS

    def regime(self, symbol: str | None, at_ms: int) -> Regime:
        """Return the regime of the coin's own path at an instant; of the whole market for None."""
        stream = _MARKET if symbol is None else self._track(symbol).instrument.base
        week, place = divmod((at_ms - ZERO_MS) // _BASE_MS, STEPS)
        return Regime(int(regimes(self.seed, stream, week)[place]))

    def _track(self, symbol: str) -> _Track:
        track = self._tracks.get(symbol)
        if track is None:
            raise InputError(
                f"symbol was {symbol!r}, allowed in this demo market: {', '.join(self._tracks)}"
            )
        return track

    def _make_funding(self, symbol: str, settlement: int) -> int:
        per_week = _WEEK_MS // FUNDING_MS
        week, place = divmod(settlement, per_week)
        before = self.bar(symbol, FUNDING_MS, settlement - 1)
        base = self._track(symbol).instrument.base
        noise = draws(self.seed, base, week, FUNDING).standard_normal(per_week)[place]
        premium = (before.close - before.open) * 1_000_000 // before.open
        rate = _FUNDING_USUAL + round(float(noise) * _FUNDING_SIGMA) + premium
        return max(-FUNDING_LIMIT, min(FUNDING_LIMIT, rate))

    def _make_market(self, week: int) -> Week:
        return make_week(self.seed, _MARKET, week, MARKET_SIGMA)

    def _make_candles(self, symbol: str, timeframe_ms: int, week: int) -> Ints:
        """Return one week's open, high, low, close (price units) and volume (lots) as rows."""
        track = self._track(symbol)
        rows = self._make_base(track, week)
        if timeframe_ms % _BASE_MS:
            rng = draws(self.seed, track.instrument.base, week, MINUTES)
            rows = _minutes(rows, track.instrument.tick_units, rng)
            return _added_up(rows, timeframe_ms // _MINUTE_MS)
        return _added_up(rows, timeframe_ms // _BASE_MS)

    def _make_base(self, track: _Track, week: int) -> Ints:
        coin, base = track.coin, track.instrument.base
        market, own = self._market(week), make_week(self.seed, base, week, coin.own_sigma)
        level = coin.beta * market.level + own.level
        shared = coin.beta * market.sigma
        variance = shared * shared + own.sigma * own.sigma
        rng = draws(self.seed, base, week, CANDLES)
        before, after = level[:-1], level[1:]
        # u = exp(-2 (m - a)(m - b) / variance), solved for m with -ln(u) exponential
        move, middle = after - before, before + after
        swing = np.sqrt(move * move + 2.0 * variance * rng.standard_exponential((2, STEPS)))
        logs = np.stack((before, (middle + swing[0]) / 2, (middle - swing[1]) / 2, after))
        prices = np.maximum(np.rint(exponential(logs) * track.start_ticks), 1.0).astype(np.int64)
        prices *= track.instrument.tick_units
        wide = (swing[0] + swing[1]) / (2.0 * np.sqrt(variance))  # half its range, in sigmas
        busy = 0.3 + 0.35 * rng.standard_exponential(STEPS) + 0.35 * wide
        lots = np.maximum(track.turnover * busy / (prices[3] * float(track.instrument.tv)), 1.0)
        return np.concatenate((prices, lots.astype(np.int64)[None]))


def _track(instrument: Instrument) -> _Track:
    coin = COINS.get(instrument.base)
    if coin is None or instrument.quote != "USDT":
        raise InputError(
            f"the demo market has no {instrument.symbol!r}, it has {', '.join(COINS)} in USDT"
        )
    share = SPOT_SHARE if instrument.kind is MarketKind.SPOT else 1.0
    turnover = coin.turnover * share * 10**MONEY_EXP
    return _Track(instrument, coin, float(coin.price / instrument.tick), turnover)


def candles_per_week(timeframe_ms: int) -> int:
    """Return how many candles of a timeframe the demo market makes at a time.

    Raises:
        InputError: not whole minutes that divide a day.
    """
    if timeframe_ms < _MINUTE_MS or timeframe_ms % _MINUTE_MS or _DAY_MS % timeframe_ms:
        raise InputError(
            f"timeframe was {timeframe_ms} ms, allowed: whole minutes that divide a day"
        )
    return _WEEK_MS // timeframe_ms


def _added_up(rows: Ints, count: int) -> Ints:
    """Return candles of `count` candles each."""
    if count == 1:
        return rows
    blocks = rows.reshape(5, -1, count)
    return np.stack(
        (
            blocks[0, :, 0], blocks[1].max(axis=1), blocks[2].min(axis=1), blocks[3, :, -1],
            blocks[4].sum(axis=1),
        )
    )  # fmt: skip


def _minutes(rows: Ints, tick: int, rng: np.random.Generator) -> Ints:
    """Divide each candle into five that add up to it."""
    open_, high, low, close, volume = rows
    n = len(open_)
    steps = rng.standard_normal((n, _PARTS))
    walk = np.cumsum(steps, axis=1)
    part = np.arange(1, _PARTS + 1) / _PARTS
    bridge = (walk - walk[:, -1:] * part) * ((high - low) / 4.0)[:, None]
    inner = open_[:, None] + (close - open_)[:, None] * part + bridge
    closes = np.clip(np.rint(inner / tick).astype(np.int64) * tick, low[:, None], high[:, None])
    closes[:, -1] = close
    opens = np.concatenate((open_[:, None], closes[:, :-1]), axis=1)
    top, bottom = np.maximum(opens, closes), np.minimum(opens, closes)
    reach = rng.random((2, n, _PARTS)) * 0.5
    highs = top + _on_grid((high[:, None] - top) * reach[0], tick)
    lows = bottom - _on_grid((bottom - low[:, None]) * reach[1], tick)
    each = np.arange(n)  # the minute that comes nearest makes the extreme
    highs[each, highs.argmax(axis=1)] = high
    lows[each, lows.argmin(axis=1)] = low
    return np.stack((opens, highs, lows, closes, _shared(volume, rng))).reshape(5, -1)


def _on_grid(distance: Floats, tick: int) -> Ints:
    return np.floor(distance / tick).astype(np.int64) * tick


def _shared(volume: Ints, rng: np.random.Generator) -> Ints:
    """Divide each volume at random into five whole parts."""
    weight = 0.5 + rng.random((len(volume), _PARTS))
    total = weight.sum(axis=1, keepdims=True)
    parts = np.floor(volume[:, None] * (weight / total)).astype(np.int64)
    parts[:, -1] += volume - parts.sum(axis=1)
    shared: Ints = parts
    return shared
