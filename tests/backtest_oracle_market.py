"""How the oracle of backtests reads a market: candles, figures and settings as exact fractions.

Nothing here is shared with the product but its data: prices, volumes and the instrument's Decimals
come in, and where the documents round, it is done here in words of its own.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from math import ceil, floor
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from config.settings import Settings
from crypto_trader_pro.domain.instruments import Instrument
from crypto_trader_pro.domain.market import CandleSeries

PART: Final = Fraction(1, 10**8)  # money and rates are rounded to it
LIQUIDATION_FEE: Final = Fraction(5, 1000)  # of what is liquidated, beside the taker's fee
LEAST_OUTLIER: Final = Fraction(2, 100)  # a smaller move is none, whatever came before
FLAT_CANDLES: Final = 3  # without any trade in a row: the market stands
MEMORY: Final = 64  # candles in the running mean of moves
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def up(value: Fraction, step: Fraction = PART) -> Fraction:
    """Return the smallest multiple of `step` that is >= value."""
    return ceil(value / step) * step


def down(value: Fraction, step: Fraction = PART) -> Fraction:
    """Return the largest multiple of `step` that is <= value."""
    return floor(value / step) * step


def percent(value: Decimal | int) -> Fraction:
    return Fraction(value) / 100


# --- what is traded -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Coin:
    """One instrument in human units: quote per base, base, quote."""

    place: int
    name: str
    is_spot: bool
    tick: Fraction
    unit: Fraction
    lot: Fraction
    maker: Fraction
    taker: Fraction
    smallest: Fraction  # order, quote
    most: int  # lots of one order
    tiers: tuple[tuple[Fraction, Fraction], ...]  # value from which a rate counts, the rate

    @classmethod
    def of(cls, place: int, i: Instrument) -> "Coin":
        steps = i.maintenance_tiers or ((Decimal(0), i.maintenance),)
        begins = [Fraction(0), *(Fraction(upto) for upto, _ in steps[:-1])]
        rates = [Fraction(rate) for _, rate in steps]
        return cls(
            place, i.symbol, i.kind.value == "spot", Fraction(i.tick), Fraction(i.price_unit),
            Fraction(i.lot), Fraction(i.maker_fee), Fraction(i.taker_fee),
            Fraction(i.min_notional), i.max_lots, tuple(zip(begins, rates, strict=True)),
        )  # fmt: skip

    def value(self, lots: int, price: Fraction) -> Fraction:
        return lots * self.lot * price

    def fee(self, value: Fraction, rate: Fraction) -> Fraction:
        return up(value * rate)

    def away(self, price: Fraction, side: int) -> Fraction:
        """Round a price to the next tick: up for a purchase, down for a sale, never to nothing."""
        return up(price, self.tick) if side > 0 else max(down(price, self.tick), self.tick)

    def maintenance(self, value: Fraction) -> Fraction:
        """Each part of the value asks its own tier's rate, as an income tax does."""
        total = Fraction(0)
        for n, (begin, rate) in enumerate(self.tiers):
            end = self.tiers[n + 1][0] if n + 1 < len(self.tiers) else value
            total += rate * max(Fraction(0), min(value, end) - begin)
        return up(total)


# --- candles ------------------------------------------------------------------------------------


class Candle(NamedTuple):
    at_ms: int
    open: Fraction
    high: Fraction
    low: Fraction
    close: Fraction
    volume: int  # lots


@lru_cache(maxsize=16)
def candles_of(series: CandleSeries, coin: Coin) -> Mapping[int, Candle]:
    """Return the candles by open time; those of the same series are read once."""
    columns = (series.open_ms, series.open, series.high, series.low, series.close, series.volume)
    unit, parts = coin.unit.numerator, coin.unit.denominator
    found = {}
    for at, open_, high, low, close, volume in zip(*(c.tolist() for c in columns), strict=True):
        first, top, bottom, last = (Fraction(unit * p, parts) for p in (open_, high, low, close))
        found[at] = Candle(at, first, top, bottom, last, volume)
    return found


class Seen(NamedTuple):
    """What is known of a decision candle beside itself."""

    is_green: bool
    volatility: Fraction  # mean absolute move
    reference: Fraction  # the close before it, its open if it is the first


def seen(candles: Sequence[Candle], step_ms: int, warm: int, multiple: int) -> Iterator[Seen]:
    """Judge each candle of a symbol, oldest first: may a position be opened at its close?"""
    mean, moves, run, still = Fraction(0), 0, 0, 0
    before: Candle | None = None
    for c in candles:
        stands = c.volume == 0 and c.high == c.low
        follows = before is not None and c.at_ms == before.at_ms + step_ms
        if before is None or not follows:
            is_bad, run, still = before is not None, 1, int(stands)
        else:
            limit = max(multiple * mean, LEAST_OUTLIER)
            reach = max(c.high - before.close, before.close - c.low)
            is_bad = reach > limit * before.close
            moves = min(moves + 1, MEMORY)
            size = min(down(abs(c.close - before.close) / before.close), down(limit / 2))
            mean += down((size - mean) / moves)
            run, still = run + 1, still + 1 if stands else 0
        green = not is_bad and still < FLAT_CANDLES and run >= warm
        yield Seen(green, mean, c.open if before is None else before.close)
        before = c


def day_end_ms(at_ms: int, zone: str) -> int:
    """Return where the trading day ends to which the instant `at_ms` belongs as its last or an
    earlier one: a candle that closes at midnight is one of the day before."""
    local = (_EPOCH + timedelta(milliseconds=at_ms - 1)).astimezone(ZoneInfo(zone))
    midnight = datetime.combine(local.date() + timedelta(days=1), time(0), local.tzinfo)
    return (midnight.astimezone(UTC) - _EPOCH) // timedelta(milliseconds=1)


# --- settings -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Costs:
    """What the simulated market takes."""

    slippage: Fraction
    impact: Fraction
    range_share: Fraction
    volume_share: Fraction
    life: int  # candles that an entry works
    latency: int  # candles that a market order misses
    margin: Fraction | None  # of an isolated position, part of its cost

    @classmethod
    def of(cls, settings: Settings) -> "Costs":
        p = settings.paper
        return cls(
            percent(p.slippage_pct) + percent(p.half_spread_pct), percent(p.impact_pct),
            percent(p.range_share_pct), percent(p.volume_share_pct), p.entry_ttl_bars,
            p.latency_bars,
            up(Fraction(1, p.isolated_leverage)) if p.margin_mode == "isolated" else None,
        )  # fmt: skip

    def room(self, candle: Candle) -> int:
        """Lots of a candle that all fills of its symbol may take together."""
        return floor(candle.volume * self.volume_share)

    def slipped(
        self, coin: Coin, price: Fraction, side: int, lots: int, candle: Candle, before: Fraction
    ) -> Fraction:
        """Return what a taker of `lots` gets in `candle` instead of `price`.

        Fixed part, half the spread and the square of our share in the volume make a rate; a part of
        the range of the candle `before` is added. Rounded against the account at each step: the
        share down, so that it is not more than ours, everything else up; then to the next tick.
        """
        share = down(Fraction(lots, candle.volume))
        rate = self.slippage + up(up(self.impact * share) * share)
        move = up(price * rate, coin.unit) + up(before * self.range_share, coin.unit)
        return coin.away(price + side * move, side)


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits in force: those of the files, sizes scaled by the mode."""

    warning: Fraction
    daily: Fraction
    reduce: Fraction
    recover: Fraction
    kill: Fraction
    reset_days: int
    size: Fraction
    risk: Fraction
    leverage: Fraction
    collar: Fraction
    positions: int
    cooldown: int
    per_day: int
    per_cycle: int
    edge: Fraction  # basis points
    volume_share: Fraction
    capital: Fraction | None
    order_value: Fraction | None
    lock_after: int
    volatility: Fraction
    balance: Fraction
    zone: str
    flattens_daily: bool
    flattens_kill: bool

    @classmethod
    def of(cls, settings: Settings) -> "Limits":
        day, x, engine = settings.risk_management, settings.limits, settings.engine
        mode = getattr(settings.modes, engine.trading_mode.value)
        caps = getattr(settings.profiles, engine.profile)
        factor, daily = percent(mode.size_factor_pct), percent(day.daily_loss_limit_pct)
        leverage = Fraction(x.max_leverage)
        if caps.max_leverage is not None:
            leverage = min(leverage, Fraction(caps.max_leverage))
        emergency = settings.emergency_stop
        flattens = [t.value for t in emergency.flatten_on] if emergency.flatten else []
        return cls(
            down(daily * percent(x.daily_warning_share_pct)), daily,
            percent(x.drawdown_reduce_pct), percent(x.drawdown_recover_pct),
            percent(x.drawdown_kill_pct), x.drawdown_reset_days,
            down(percent(day.position_size_pct) * factor),
            down(percent(x.risk_per_trade_pct) * factor), leverage, percent(x.price_collar_pct),
            engine.max_concurrent_positions, x.cooldown_bars, x.max_entries_per_day,
            x.max_entries_per_cycle, Fraction(mode.edge_margin_bp),
            percent(settings.paper.volume_share_pct),
            None if caps.capital is None else Fraction(caps.capital),
            None if x.max_order_notional is None else Fraction(x.max_order_notional),
            x.lock_after_stops, percent(settings.safety.max_volatility_pct),
            percent(settings.safety.min_balance_pct), engine.trading_day_timezone,
            "DAILY_LOSS_EXCEEDED" in flattens, "DRAWDOWN_EXCEEDED" in flattens,
        )  # fmt: skip
