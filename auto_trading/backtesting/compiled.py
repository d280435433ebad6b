"""The compiled engine's side of a backtest: candles and settings into its arrays, and the door.

The kernel counts in 64 bits, exactly. What might not fit is refused by name before it runs; the
engine's own integers have no limit.
"""

import os
import shutil
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np

from auto_trading.backtesting.candles import Candles
from auto_trading.backtesting.signals import Gate, Tape
from auto_trading.gateways.venue_book import FundingEvent
from auto_trading.translation import costs_of, limits_of
from config.settings import Settings
from crypto_trader_pro.backtest.compiler import PLAIN, Compiled, compiled, sources_digest
from crypto_trader_pro.backtest.kernel_run import KernelRefused, Prepared
from crypto_trader_pro.backtest.kernel_state import Market, Rules, Terms
from crypto_trader_pro.backtest.market_grid import grid_of, row_ends
from crypto_trader_pro.backtest.numba_loading import load_numba
from crypto_trader_pro.domain.calendar import TradingCalendar
from crypto_trader_pro.domain.enums import EmergencyTrigger
from crypto_trader_pro.domain.instruments import Instrument, money_units
from crypto_trader_pro.domain.market import CandleSeries, Ints
from crypto_trader_pro.domain.units import MAX_EQUITY, MAX_NOTIONAL, RATE

HIGHEST_PRICE = 1 << 32  # price units


def machine_code(var_dir: Path) -> Compiled:
    """Return the compiled functions, once per process.

    Machine code is kept in `var_dir`/numba, or where NUMBA_CACHE_DIR says.
    """
    return _once(_cache_dir(var_dir))


def is_compiled(var_dir: Path) -> bool:
    """False where the next run has to compile first, which takes a good ten seconds."""
    load_numba()
    folder = Path(_cache_dir(var_dir)) / sources_digest()
    return any(folder.rglob(f"*.{PLAIN.play.__name__}-*.nbc"))  # the longest part


def _cache_dir(var_dir: Path) -> str:
    return os.environ.get("NUMBA_CACHE_DIR") or str(var_dir / "numba")


@lru_cache(maxsize=1)
def _once(cache_dir: str) -> Compiled:
    load_numba()
    _forget_others(Path(cache_dir), sources_digest())
    return compiled(cache_dir)


def _forget_others(folder: Path, digest: str) -> None:
    """Remove the machine code of earlier versions of these sources."""
    for old in folder.glob("*"):
        is_ours = old.is_dir() and len(old.name) == len(digest)
        if is_ours and old.name != digest:
            shutil.rmtree(old, ignore_errors=True)


def prepare(
    candles: Candles, strategies: Sequence[str], interval_ms: int, settings: Settings,
    code: Compiled,
) -> tuple[Prepared, Tape]:  # fmt: skip
    """Return the arrays of a market and what strategies see of it.

    Raises:
        KernelRefused: prices that the kernel cannot count or candles that the gate would refuse.
    """
    instruments = candles.instruments
    for series in (*candles.series, *(candles.detail or ())):
        _check(series)
    gates = tuple(_gate(s, settings, code) for s in candles.series)
    decisions = grid_of(candles.series)
    rows, ends = decisions, np.empty(0, np.int64)
    if candles.detail is not None:
        rows = grid_of(candles.detail)
        ends = row_ends(decisions, rows, candles.timeframe_ms)
    paid = candles.funding if settings.paper.funding else {}
    market = Market(
        rows.table, ends,
        _days(settings.engine.trading_day_timezone, candles, decisions.open_ms),
        _instruments(instruments, paid), _tiers(instruments), _funding(instruments, paid),
    )  # fmt: skip
    bars = sum(map(len, candles.series))
    tape = Tape(instruments, candles.series, gates, decisions, interval_ms)
    return Prepared(instruments, tuple(strategies), market, bars), tape


def rules_of(
    candles: Candles, strategies: int, interval_ms: int, settings: Settings, *, keeps_masks: bool
) -> Rules:
    """Return limits, costs and terms of a run.

    Raises:
        KernelRefused: the account is too large to be counted in 64 bits.
    """
    limits = limits_of(settings)
    opening = money_units(settings.paper_equity)
    highest = _highest_equity(candles, limits.size_rate, limits.leverage_rate)
    if opening > highest:
        raise KernelRefused(
            f"an opening balance of {opening} money units, at most {highest} fit 64 bits here"
        )
    flattens = settings.emergency_stop.flattens
    fine = candles.detail[0].timeframe_ms if candles.detail is not None else candles.timeframe_ms
    terms = Terms(
        bar_ms=fine,
        decision_ms=candles.timeframe_ms,
        interval_ms=interval_ms,
        opening=opening,
        start_ms=candles.start_ms,
        flattens_daily=int(flattens(EmergencyTrigger.DAILY_LOSS_EXCEEDED)),
        flattens_drawdown=int(flattens(EmergencyTrigger.DRAWDOWN_EXCEEDED)),
        highest_equity=highest,
        strategies=strategies,
        keeps_masks=int(keeps_masks),
    )
    return Rules(limits, costs_of(settings), terms)


def _check(series: CandleSeries) -> None:
    """Refuse candles that cannot be, and prices beyond what a product may hold.

    Raises:
        KernelRefused: naming the symbol.
    """
    low, high = series.low, series.high
    if int(high.max()) > HIGHEST_PRICE:
        raise KernelRefused(
            f"{series.symbol}: a price of {int(high.max())} units, at most {HIGHEST_PRICE}"
        )
    sound = (low > 0) & (low <= series.open) & (series.open <= high)
    sound &= (low <= series.close) & (series.close <= high) & (series.volume >= 0)
    if not sound.all():
        raise KernelRefused(f"{series.symbol}: candles whose prices exclude each other")


def _gate(series: CandleSeries, settings: Settings, code: Compiled) -> Gate:
    n = len(series)
    gate, restart = np.empty(n, np.int8), np.empty(n, np.int8)
    volatility = np.empty(n, np.int64)
    data = settings.market_data
    columns = series.open_ms, series.high, series.low, series.close, series.volume
    # columns of a table would be another type, for which all of it is compiled once more
    beyond = code.gate_pass(
        *map(np.ascontiguousarray, columns), series.timeframe_ms,
        data.warm_bars, data.outlier_multiple, gate, restart, volatility,
    )  # fmt: skip
    if beyond:
        raise KernelRefused(f"{series.symbol}: moves beyond what 64 bits can judge")
    return Gate(gate, restart, volatility)


def _highest_equity(candles: Candles, size_rate: int, leverage_rate: int) -> int:
    """Return the equity up to which no product of the kernel passes 64 bits.

    A position is worth at most the share of equity that it was opened with, times the rise of the
    price since; four times that leaves room for what two orders of one symbol add.
    """
    ratio = max(-(-int(s.high.max()) // int(s.low.min())) for s in candles.series)
    size = max(1, -(-size_rate // RATE))
    leverage = max(1, -(-leverage_rate // RATE))
    by_value = MAX_NOTIONAL // (4 * ratio * size * len(candles.series))
    return min(MAX_EQUITY, by_value, MAX_NOTIONAL // leverage)


def _days(zone: str, candles: Candles, open_ms: Ints) -> Ints:
    """Return the end of each trading day, one beyond the last, and the first candle after it."""
    calendar = TradingCalendar(zone)
    ends = [calendar.day_of(candles.start_ms).end_ms]
    while ends[-1] <= candles.end_ms:
        ends.append(calendar.day_of(ends[-1]).end_ms)
    first = np.searchsorted(open_ms, np.array(ends) - candles.timeframe_ms, "right")
    return np.column_stack((np.array(ends, np.int64), first))


def _instruments(
    instruments: Sequence[Instrument], paid: Mapping[str, Sequence[FundingEvent]]
) -> Ints:
    table = []
    place = 0
    for i in instruments:
        end = place + len(paid.get(i.symbol, ()))
        table.append([
            i.tv, i.tick_units, int(i.can_short), i.maker_rate, i.taker_rate,
            i.min_notional_units, i.max_lots, place, end,
        ])  # fmt: skip
        place = end
    return np.array(table, np.int64)


def _tiers(instruments: Sequence[Instrument]) -> Ints:
    """Return the tiers as one table; shorter ones repeat their last tier, which changes nothing."""
    longest = max(len(i.tiers) for i in instruments)
    rows = []
    for i in instruments:
        tiers = list(i.tiers)
        while len(tiers) < longest:
            tiers += tiers[-3:]
        rows.append(tiers)
    return np.array(rows, np.int64)


def _funding(instruments: Sequence[Instrument], paid: Mapping[str, Sequence[FundingEvent]]) -> Ints:
    """Return all events, symbol after symbol, as `_instruments` says where each begins."""
    events = [(e.at_ms, e.rate) for i in instruments for e in paid.get(i.symbol, ())]
    return np.array(events, np.int64).reshape(-1, 2)
