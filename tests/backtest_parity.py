"""Two results set beside each other, to the last unit, and random markets to make them of."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any, Final

import numpy as np

from auto_trading.aggregation import aggregate
from auto_trading.backtesting.candles import Candles, inside
from auto_trading.backtesting.compiled import prepare, rules_of
from auto_trading.backtesting.given_signals import GivenSignals
from auto_trading.backtesting.reference import run_reference
from auto_trading.backtesting.signals import judged
from auto_trading.gateways.venue_book import FundingEvent
from config.loading import load
from config.settings import Settings
from crypto_trader_pro.backtest import kernel_state as k
from crypto_trader_pro.backtest.compiler import Compiled
from crypto_trader_pro.backtest.kernel_run import Workspace, bounds_of, play, result_of, workspace
from crypto_trader_pro.backtest.kernel_state import Events
from crypto_trader_pro.backtest.result import (
    FILL_REASON,
    FILL_REASONS,
    ORDER_REASON,
    BacktestResult,
)
from crypto_trader_pro.domain.enums import MarketKind
from crypto_trader_pro.domain.instruments import Instrument
from crypto_trader_pro.domain.market import Bar, CandleSeries, Ints, series_of
from crypto_trader_pro.risk.rules import CODES

MINUTE: Final = 60_000
START_MS: Final = 1_717_200_000_000 // (60 * MINUTE) * (60 * MINUTE)
STRATEGIES: Final = ("first", "second")


def differences(a: BacktestResult, b: BacktestResult) -> list[str]:
    """Name every field in which two results differ; an empty list means the same to the last unit.

    The texts of reasons may stand in another order: orders are compared by text.
    """
    found = []
    for f in fields(BacktestResult):
        left, right = getattr(a, f.name), getattr(b, f.name)
        if f.name == "reasons":
            continue
        if isinstance(left, np.ndarray):
            if f.name == "orders":
                left, right = _worded(a), _worded(b)
            if not _same(left, right):
                found.append(f"{f.name}: {_first(left, right)}")
        elif left != right:
            found.append(f"{f.name}: {left!r} and {right!r}")
    return found


def _worded(result: BacktestResult) -> Any:
    texts = np.array(result.reasons, dtype=object)
    table = result.orders.astype(object)
    table[:, ORDER_REASON] = texts[result.orders[:, ORDER_REASON]]
    return table


def _same(left: Any, right: Any) -> bool:
    return left.shape == right.shape and bool((left == right).all())


def _first(left: Any, right: Any) -> str:
    n = min(len(left), len(right))
    for i in range(n):
        if not bool(np.all(left[i] == right[i])):
            return f"row {i}: {left[i]} and {right[i]} ({len(left)} and {len(right)} rows)"
    return f"{len(left)} and {len(right)} rows"


@dataclass(frozen=True)
class Case:
    """A market with signals and settings, for both engines."""

    candles: Candles
    settings: Settings
    table: Ints
    reasons: tuple[str, ...]
    interval_ms: int


@dataclass(frozen=True)
class Played:
    """What the kernel made of a case; `room` holds its counters."""

    result: BacktestResult
    room: Workspace


def by_kernel(case: Case, code: Compiled) -> Played:
    """Play a case through the kernel."""
    c = case.candles
    prepared, tape = prepare(c, STRATEGIES, case.interval_ms, case.settings, code)
    table = case.table.copy()
    for s in range(len(c.series)):
        judged(table, tape, s)
    events = Events(table)
    rules = rules_of(c, len(STRATEGIES), case.interval_ms, case.settings, keeps_masks=True)
    room = play(code, prepared, events, rules, workspace(prepared, events))
    return Played(result_of(prepared, rules, room, case.reasons), room)


def by_reference(case: Case, folder: Path) -> BacktestResult:
    """Play a case through the engine of the main job."""
    c = case.candles
    open_ms = np.unique(np.concatenate([s.open_ms for s in c.series]))
    signals = GivenSignals(
        c.instruments, case.table, open_ms, c.timeframe_ms, STRATEGIES, case.reasons
    )
    played = run_reference(
        c, STRATEGIES, case.interval_ms, case.settings, folder, signals=signals, keeps_masks=True
    )
    return played.result


# --- random markets -----------------------------------------------------------------------------


def random_case(seed: int) -> Case:
    """Draw a market of 1 to 4 symbols, signals of which half know the future, and settings."""
    r = Random(seed)
    symbols = r.randint(1, 4)
    bars = r.randint(60, 400)
    step = r.choice((1, 5, 60)) * MINUTE
    has_detail = r.random() < 0.25
    fine = step // 5 if has_detail and step > MINUTE else step
    instruments = tuple(_instrument(r, i) for i in range(symbols))
    played = tuple(_series(r, i, bars * (step // fine), fine) for i in instruments)
    funding = _funding(r, instruments, bars * step)
    series, detail = (played, None) if fine == step else _coarse(played, step)
    candles = Candles(instruments, series, detail, funding, "")
    interval = step * r.choice((1, 1, 1, 2, 3))
    table, reasons = _signals(r, candles, interval)
    return Case(candles, _settings(r), table, reasons, interval)


def _instrument(r: Random, i: int) -> Instrument:
    is_spot = r.random() < 0.35
    unit, lot = r.choice(((2, 5), (1, 3), (4, 0), (6, 0), (2, 2), (8, 0), (1, 1), (3, 5)))
    price_unit = Decimal(1).scaleb(-unit)
    tiers: tuple[tuple[Decimal, Decimal], ...] = ()
    if not is_spot and r.random() < 0.5:
        tiers = ((Decimal(5_000), Decimal("0.01")), (Decimal(50_000), Decimal("0.025")),
                 (Decimal(10**9), Decimal("0.1")))  # fmt: skip
    return Instrument(
        symbol=f"{'ABCD'[i] * 3}/USDT{'' if is_spot else ':USDT'}",
        kind=MarketKind.SPOT if is_spot else MarketKind.LINEAR,
        tick=price_unit * r.choice((1, 1, 5, 10)),
        lot=Decimal(1).scaleb(-lot),
        price_unit=price_unit,
        min_notional=Decimal(r.choice((0, 5, 100))),
        maker_fee=r.choice((Decimal(0), Decimal("0.0002"), Decimal("0.0001125"))),
        taker_fee=r.choice((Decimal("0.0005"), Decimal("0.001"), Decimal("0.0004567"))),
        max_lots=r.choice(((1 << 46) - 1, 10**9, 5_000)),
        maintenance=Decimal(0)
        if is_spot
        else Decimal("0.01")
        if tiers
        else r.choice((Decimal("0.01"), Decimal("0.2"))),
        maintenance_tiers=tiers,
    )


def _series(r: Random, instrument: Instrument, bars: int, step: int) -> CandleSeries:
    """Return a walk with gaps, wide, flat, empty and missing candles."""
    price = int(10 ** r.uniform(1.5, 8.1))
    wave = r.choice((0.0005, 0.003, 0.01, 0.03))
    volume = 10 ** r.uniform(0, 9)
    missing = r.choice((0.0, 0.04))
    rows = []
    for n in range(bars):
        if r.random() < missing and n:
            continue
        jump = r.gauss(0, 8 * wave) if r.random() < 0.04 else 0.0
        start = max(3, round(price * math.exp(jump)))
        end = max(3, min(126_000_000, round(start * math.exp(r.gauss(0, wave)))))
        reach = wave * (6 if r.random() < 0.05 else 0.7)
        top = max(start, end) + round(start * reach * r.random())
        bottom = max(1, min(start, end) - round(start * reach * r.random()))
        lots = 0 if r.random() < 0.05 else int(volume * r.random() * 2)
        if lots == 0 and r.random() < 0.5:
            start = end = top = bottom = price
        rows.append(Bar(START_MS + n * step, start, top, bottom, end, lots))
        price = end
    return series_of(instrument.symbol, step, rows)


def _coarse(
    detail: Sequence[CandleSeries], step: int
) -> tuple[tuple[CandleSeries, ...], tuple[CandleSeries, ...]]:
    series = tuple(aggregate(fine, step) for fine in detail)
    return series, tuple(inside(f, s) for f, s in zip(detail, series, strict=True))


def _funding(
    r: Random, instruments: Sequence[Instrument], span_ms: int
) -> dict[str, list[FundingEvent]]:
    events = {}
    for i in instruments:
        if i.can_short and r.random() < 0.6:
            every = r.choice((17, 60, 480)) * MINUTE
            times = range(START_MS - every, START_MS + span_ms, every)
            events[i.symbol] = [FundingEvent(at, round(r.gauss(0, 100_000))) for at in times]
    return events


def _signals(r: Random, candles: Candles, interval_ms: int) -> tuple[Ints, tuple[str, ...]]:
    reasons = (*k.KERNEL_REASONS, "up", "down")
    open_ms = np.unique(np.concatenate([s.open_ms for s in candles.series]))
    knows = r.random() < 0.5
    often = r.choice((0.05, 0.2, 0.6))
    rows: list[tuple[int, ...]] = []
    for s, series in enumerate(candles.series):
        places = np.searchsorted(open_ms, series.open_ms).tolist()
        closes = series.close.tolist()
        for n, at in enumerate(series.open_ms.tolist()):
            if (at + candles.timeframe_ms) % interval_ms:
                continue
            later = closes[min(n + 5, len(closes) - 1)]
            for strategy in range(len(STRATEGIES)):
                if r.random() < often:
                    side = (1 if later >= closes[n] else -1) if knows else r.choice((1, -1))
                    rows.append(
                        _said(r, places[n], s, strategy, side, closes[n], candles.timeframe_ms)
                    )
    table = np.array(sorted(rows), np.int64).reshape(-1, k.EV_COLUMNS)
    return table, reasons


def _said(
    r: Random, row: int, s: int, strategy: int, side: int, close: int, bar_ms: int
) -> tuple[int, ...]:
    stop = max(1, int(close * r.choice((0.002, 0.01, 0.03))))
    if r.random() < 0.02:
        stop = r.choice((0, 2 * close))
    target = r.choice((0, max(1, int(close * r.choice((0.003, 0.01, 0.05))))))
    trail = r.choice((0, 0, 0, 500_000, 2_000_000))
    hold = r.choice((0, 0, 3, 10)) * bar_ms
    has_model = int(strategy == 1 and r.random() < 0.5)
    edge = r.randint(-5_000, 60_000) if has_model else 0
    reason = len(k.KERNEL_REASONS) + (0 if side > 0 else 1)
    closes, opens = int(r.random() < 0.8), int(r.random() < 0.9)
    said = (row, s, strategy, side, closes, opens, stop, target, trail, hold, has_model, edge)
    return (*said, reason, 0, 0, 0, 0, 0)


def _settings(r: Random) -> Settings:
    """Draw settings: careful ones, in which rules refuse, or reckless ones, in which much trades
    and the ladders come."""
    values = _careful(r) if r.random() < 0.4 else _reckless(r)
    values |= {
        "paper.slippage_pct": r.choice(("0", "0.02", "0.3")),
        "paper.half_spread_pct": r.choice(("0", "0.01")),
        "paper.impact_pct": r.choice(("0", "1")),
        "paper.range_share_pct": r.choice(("0", "10")),
        "paper.volume_share_pct": r.choice(("1", "10", "100")),
        "paper.entry_ttl_bars": r.choice((1, 3, 10)),
        "paper.latency_bars": r.choice((0, 0, 0, 1, 2)),
        "paper.margin_mode": r.choice(("cross", "cross", "isolated")),
        "paper.isolated_leverage": r.choice((2, 5, 25)),
        "limits.daily_warning_share_pct": r.choice(("30", "80")),
        "limits.drawdown_reset_days": r.choice((1, 1, 2)),
        "limits.cooldown_bars": r.choice((0, 0, 2, 8)),
        "limits.lock_after_stops": r.choice((0, 0, 1, 2)),
        "engine.max_concurrent_positions": r.choice((1, 2, 5)),
        "engine.trading_mode": r.choice(("CONSERVATIVE", "BALANCED", "AGGRESSIVE")),
        "engine.trading_day_timezone": r.choice(("Asia/Seoul", "UTC", "America/New_York")),
        "market_data.warm_bars": r.choice((1, 1, 5)),
        "market_data.outlier_multiple": r.choice((12, 50)),
        "emergency_stop.flatten_on": r.choice(
            (["MANUAL_STOP"], ["DRAWDOWN_EXCEEDED"], ["DAILY_LOSS_EXCEEDED", "DRAWDOWN_EXCEEDED"])
        ),
    }
    return load(None, overrides=values)


def _careful(r: Random) -> dict[str, Any]:
    per_day = r.choice((3, 50))
    return {
        "paper.initial_equity": str(r.choice((100, 2_000, 100_000, 10_000_000))),
        "risk_management.position_size_pct": r.choice(("2", "20")),
        "risk_management.daily_loss_limit_pct": r.choice(("1", "3")),
        "limits.risk_per_trade_pct": r.choice(("0.02", "0.5")),
        "limits.max_entries_per_day": per_day,
        "limits.max_entries_per_cycle": r.choice((1, 2)),
        "limits.price_collar_pct": r.choice(("0.5", "5")),
        "safety.max_volatility_pct": r.choice(("0.5", "20")),
        "safety.min_balance_pct": r.choice(("0", "30")),
    }


def _reckless(r: Random) -> dict[str, Any]:
    reduce_, recover, kill = r.choice(
        (("1", "0.9", "2"), ("1", "0.9", "10"), ("3", "2.9", "3.1"), ("20", "19", "50"))
    )
    daily = r.choice(("1", "5", "50", "50"))
    return {
        "paper.initial_equity": str(r.choice((20_000, 1_000_000, 10_000_000))),
        "risk_management.position_size_pct": "100",
        "risk_management.daily_loss_limit_pct": daily,
        "limits.risk_per_trade_pct": r.choice(("1", daily if daily != "50" else "10")),
        "limits.max_leverage": r.choice(("1", "3", "20")),
        "limits.drawdown_reduce_pct": reduce_,
        "limits.drawdown_recover_pct": recover,
        "limits.drawdown_kill_pct": kill,
        "limits.max_entries_per_day": 10_000,
        "limits.price_collar_pct": "50",
        "safety.max_volatility_pct": "20",
    }


# --- what has been seen -------------------------------------------------------------------------

Seen = dict[str, int]


def count_into(seen: Seen, played: Played, case: Case) -> None:
    """Count each rule, bound, fill reason, ladder event and end that a market has shown."""
    result, account = played.result, played.room.state[-1]
    found = Counter[str]()
    broken = account[k.COUNT_BROKEN : k.COUNT_BROKEN + len(CODES)].tolist()
    found.update({f"rule {code}": n for code, n in zip(CODES, broken, strict=True)})
    found.update({f"bound {name}": n for name, n in bounds_of(played.room).items()})
    found.update(f"fill {FILL_REASONS[reason]}" for reason in result.fills[:, FILL_REASON].tolist())
    found.update(f"ladder {event.code}" for event in result.events)
    found.update(f"end {result.reasons[r]}" for r in result.orders[:, ORDER_REASON].tolist())
    found["funding"] = len(result.funding)
    found["detail"] = int(case.candles.detail is not None)
    for what, n in found.items():
        seen[what] = seen.get(what, 0) + n


def short_of(seen: Mapping[str, int], floors: Mapping[str, int]) -> list[str]:
    """Name everything that was seen less often than it has to be."""
    return [
        f"{what}: {seen.get(what, 0)}, at least {floor}"
        for what, floor in floors.items()
        if seen.get(what, 0) < floor
    ]
