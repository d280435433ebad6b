"""Everything a backtest takes for granted: codes and numbers here, sentences in the catalogue.

Each assumption is a code and its values; a value's name ends in its unit (`_pct`, `_bars`, ...) or
is a count or a word. The sentence of a code is `backtest.assume.<code>`.
"""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import chain
from typing import Any, Final, NamedTuple

import numpy as np

from auto_trading.backtesting.backtester import Backtest
from auto_trading.backtesting.candles import Candles
from auto_trading.backtesting.warmup import candles_needed
from auto_trading.translation import MODEL_STRATEGY
from config.settings import Settings
from crypto_trader_pro.backtest.result import FUNDING_SYMBOL
from crypto_trader_pro.domain.enums import MarketKind
from crypto_trader_pro.domain.instruments import Instrument, money, plain_text
from crypto_trader_pro.domain.market import CandleSeries
from crypto_trader_pro.domain.timeframes import timeframe_name, to_datetime
from crypto_trader_pro.domain.units import RATE
from utils.texts import Language, say

_FEE_TABLE: Final = "crypto_trader_pro/simulation/instruments.py"
_DAY_MS: Final = 86_400_000
_LONGEST_FUNDING_MS: Final = _DAY_MS  # venues pay every 1 to 8 hours, none less than daily


class Assumption(NamedTuple):
    """One of them; `values` are JSON values, Decimals as plain strings."""

    code: str
    values: dict[str, Any]

    def sentence(self, language: Language) -> str:
        return say(language, f"backtest.assume.{self.code}", **self.values)

    def as_json(self) -> dict[str, Any]:
        return {"code": self.code, **self.values}


class Gaps(NamedTuple):
    """Holes between the first and the last candle of a series."""

    holes: int
    missing: int  # candles
    longest: int  # candles
    longest_at_ms: int  # close of the candle before it; 0 without a hole


def gaps_of(series: CandleSeries) -> Gaps:
    """Return the holes of a series."""
    span_ms = int(series.open_ms[-1] - series.open_ms[0]) if len(series) else 0
    if span_ms <= (len(series) - 1) * series.timeframe_ms:
        return Gaps(0, 0, 0, 0)
    lacking = np.diff(series.open_ms) // series.timeframe_ms - 1
    place = int(lacking.argmax())
    before = int(series.open_ms[place]) + series.timeframe_ms
    return Gaps(
        int(np.count_nonzero(lacking)), int(lacking.sum()), int(lacking[place]), before
    )  # fmt: skip


def assumptions(backtest: Backtest, candles: Candles) -> tuple[Assumption, ...]:
    """Return what the result rests on, in the order in which a person should read it.

    Args:
        candles: those that were played.
    """
    settings, instruments = backtest.settings, backtest.result.instruments
    return tuple(
        chain(
            _costs(settings, instruments),
            _filling(backtest, settings),
            _margin(settings, instruments),
            _funding(backtest, candles),
            _sizing(settings, instruments),
            _limits(settings),
            _data(backtest, candles),
        )
    )


def of_json(values: Sequence[Mapping[str, Any]]) -> tuple[Assumption, ...]:
    """Return assumptions from their stored JSON."""
    return tuple(
        Assumption(item["code"], {k: v for k, v in item.items() if k != "code"}) for item in values
    )


def _costs(settings: Settings, instruments: Sequence[Instrument]) -> Iterator[Assumption]:
    for what in instruments:
        yield Assumption(
            "fees",
            {
                "symbol": what.symbol, "maker_pct": _pct(what.maker_rate),
                "taker_pct": _pct(what.taker_rate), "source": _FEE_TABLE,
            },
        )  # fmt: skip
    paper = settings.paper
    yield Assumption(
        "slippage",
        {
            "slippage_pct": plain_text(paper.slippage_pct),
            "half_spread_pct": plain_text(paper.half_spread_pct),
            "impact_pct": plain_text(paper.impact_pct),
            "range_share_pct": plain_text(paper.range_share_pct),
        },
    )


def _filling(backtest: Backtest, settings: Settings) -> Iterator[Assumption]:
    paper = settings.paper
    yield Assumption("next_open", {"latency_bars": paper.latency_bars})
    yield Assumption(
        "volume",
        {
            "volume_share_pct": plain_text(paper.volume_share_pct),
            "entry_ttl_bars": paper.entry_ttl_bars,
        },
    )
    yield Assumption("stop_fill", {})
    detail = backtest.request.detail_timeframe
    timeframe = timeframe_name(backtest.result.timeframe_ms)
    if detail is None:
        yield Assumption("stop_first", {"timeframe": timeframe})
    else:
        yield Assumption("detail", {"timeframe": timeframe, "detail_timeframe": detail})


def _margin(settings: Settings, instruments: Sequence[Instrument]) -> Iterator[Assumption]:
    spot = [i.symbol for i in instruments if i.kind is MarketKind.SPOT]
    if spot:
        yield Assumption("margin_none", {"symbols": ", ".join(spot)})
    linear = [i for i in instruments if i.kind is MarketKind.LINEAR]
    if not linear:
        return
    if settings.paper.margin_mode == "isolated":
        yield Assumption("margin_isolated", {"isolated_leverage": settings.paper.isolated_leverage})
    else:
        yield Assumption("margin_cross", {})
    for what in linear:
        rates = what.tiers[1::3]
        yield Assumption(
            "maintenance",
            {
                "symbol": what.symbol, "tiers": len(rates), "first_pct": _pct(rates[0]),
                "last_pct": _pct(rates[-1]),
            },
        )  # fmt: skip


def _funding(backtest: Backtest, candles: Candles) -> Iterator[Assumption]:
    result = backtest.result
    linear = [(k, i) for k, i in enumerate(result.instruments) if i.kind is MarketKind.LINEAR]
    if not linear:
        yield Assumption("funding_spot", {})
    elif not backtest.settings.paper.funding:
        yield Assumption("funding_off", {})
    else:
        for k, what in linear:
            events = candles.funding.get(what.symbol, ())
            start, end = candles.start_ms, candles.end_ms
            times = [event.at_ms for event in events if start <= event.at_ms <= end]
            if not times:
                yield Assumption("funding_none", {"symbol": what.symbol})
                continue
            paid = int(np.count_nonzero(result.funding[:, FUNDING_SYMBOL] == k))
            yield Assumption(
                "funding_rates", {"symbol": what.symbol, "rates": len(times), "payments": paid}
            )
            yield from _funding_hole(what.symbol, [start, *times, end])


def _funding_hole(symbol: str, times: Sequence[int]) -> Iterator[Assumption]:
    """Tell of the longest time without a rate: rates of a part of the range flatter the rest."""
    steps = np.diff(times)
    place = int(steps.argmax())
    if steps[place] > _LONGEST_FUNDING_MS:
        yield Assumption(
            "funding_hole",
            {
                "symbol": symbol, "days": round(int(steps[place]) / _DAY_MS, 1),
                "after": to_datetime(times[place]).isoformat(),
            },
        )  # fmt: skip


def _sizing(settings: Settings, instruments: Sequence[Instrument]) -> Iterator[Assumption]:
    day, limits, engine = settings.risk_management, settings.limits, settings.engine
    factor = settings.preset.size_factor_pct
    yield Assumption(
        "capital",
        {
            "equity": plain_text(settings.paper_equity), "asset": instruments[0].quote,
            "profile": engine.profile,
        },
    )  # fmt: skip
    yield Assumption(
        "sizing",
        {
            "position_size_pct": plain_text(day.position_size_pct * factor / 100),
            "risk_per_trade_pct": plain_text(limits.risk_per_trade_pct * factor / 100),
            "max_leverage": plain_text(settings.max_leverage),
            "max_positions": engine.max_concurrent_positions,
            "trading_mode": engine.trading_mode.value,
        },
    )


def _limits(settings: Settings) -> Iterator[Assumption]:
    day, limits = settings.risk_management, settings.limits
    yield Assumption(
        "loss_limits",
        {
            "daily_loss_pct": plain_text(day.daily_loss_limit_pct),
            "drawdown_reduce_pct": plain_text(limits.drawdown_reduce_pct),
            "drawdown_kill_pct": plain_text(limits.drawdown_kill_pct),
            "drawdown_reset_days": limits.drawdown_reset_days,
        },
    )
    yield Assumption(
        "entry_limits",
        {
            "cooldown_bars": limits.cooldown_bars,
            "max_entries_per_day": limits.max_entries_per_day,
            "max_entries_per_cycle": limits.max_entries_per_cycle,
            "price_collar_pct": plain_text(limits.price_collar_pct),
        },
    )
    yield Assumption("day_zone", {"zone": settings.engine.trading_day_timezone})


def _data(backtest: Backtest, candles: Candles) -> Iterator[Assumption]:
    result, market = backtest.result, backtest.request.market
    timeframe = timeframe_name(result.timeframe_ms)
    for series in candles.series:
        first = to_datetime(int(series.open_ms[0]))
        last = to_datetime(int(series.open_ms[-1]) + series.timeframe_ms)
        numbers: dict[str, Any] = {
            "symbol": series.symbol, "timeframe": timeframe, "candles": len(series),
            "first": first.isoformat(), "last": last.isoformat(),
        }  # fmt: skip
        yield Assumption("data_files" if market.paths else "data_database", numbers)
        found = gaps_of(series)
        if not found.holes:
            yield Assumption("no_gaps", {"symbol": series.symbol})
            continue
        yield Assumption(
            "gaps",
            {
                "symbol": series.symbol, "gaps": found.holes, "missing_candles": found.missing,
                "longest_candles": found.longest,
                "longest_after": to_datetime(found.longest_at_ms).isoformat(),
            },
        )  # fmt: skip
    yield Assumption("interval", {"interval_seconds": market.interval_seconds})
    strategies = tuple(result.strategies)
    needed = candles_needed(strategies, backtest.settings)
    yield Assumption("warmup", {"warmup_candles": needed})
    if MODEL_STRATEGY in strategies:
        yield Assumption(
            "model", {"train_months": backtest.settings.strategies.ai_signal.train_months}
        )


def _pct(rate: int) -> str:
    """Parts of 1e8 as percent."""
    return plain_text(Decimal(rate) * 100 / RATE)


def amount(units: int) -> str:
    """Return money units as plain text."""
    return plain_text(money(units))
