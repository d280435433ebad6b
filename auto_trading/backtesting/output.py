"""The result of a backtest as plain JSON values: what `backtest --json` prints and what is stored.

The keys of `replay --json` are all there and mean the same (`auto_trading.run_report`), so that a
backtest can be set beside any run.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, NamedTuple

from auto_trading.backtesting.assumptions import Assumption, amount, assumptions
from auto_trading.backtesting.backtester import Backtest
from auto_trading.backtesting.candles import Candles
from auto_trading.backtesting.fill_lines import fills_sha256
from config.settings import Settings
from crypto_trader_pro.backtest.buy_and_hold import BuyAndHold, buy_and_hold
from crypto_trader_pro.backtest.closed_trades import RoundTrips, round_trips
from crypto_trader_pro.backtest.metric import Metric
from crypto_trader_pro.backtest.performance import performance
from crypto_trader_pro.backtest.result import ORDER_ROLE, ROLES, BacktestResult
from crypto_trader_pro.domain.enums import OrderRole
from crypto_trader_pro.domain.instruments import plain_text
from crypto_trader_pro.domain.timeframes import timeframe_name, to_datetime
from crypto_trader_pro.domain.units import MONEY_EXP

_CENTS: Final = Decimal(1).scaleb(-MONEY_EXP)


class TrialCount(NamedTuple):
    """How often these candles were tried, without which a good figure proves nothing.

    Args:
        tried: different sets of parameters, this one included.
        deflated_sharpe: probability that the Sharpe ratio is better than the luck of so many
            trials; None where there is no ratio, or nothing to compare it with.
    """

    tried: int
    deflated_sharpe: float | None


@dataclass(frozen=True, slots=True, eq=False)
class Findings:
    """A finished backtest with what was computed from it, for every form of its output.

    Args:
        candles: those that were played.
        benchmark: buying every symbol once and waiting, over the same candles.
        trials: what was tried on these candles so far; None if nobody counted.
    """

    backtest: Backtest
    candles: Candles
    trips: RoundTrips
    metrics: Mapping[str, Metric]
    benchmark: BuyAndHold
    assumptions: tuple[Assumption, ...]
    trials: TrialCount | None = None

    @classmethod
    def of(cls, backtest: Backtest, candles: Candles, *, intervals: bool = False) -> "Findings":
        """Compute everything once.

        Args:
            intervals: bootstrap intervals too; they take seconds.
        """
        result = backtest.result
        benchmark = buy_and_hold(
            result.instruments, candles.series, result.opening, result.start_ms, result.close_ms
        )
        trips = round_trips(result)
        metrics = performance(result, trips, intervals=intervals)
        told = assumptions(backtest, candles)
        return cls(backtest, candles, trips, metrics, benchmark, told)


def summary(found: Findings, *, reference: str | None = None) -> dict[str, Any]:
    """Return the figures of a backtest. Decimals are plain strings; times are of trading time.

    Args:
        reference: the id under which it is stored, as "b12".
    """
    backtest, result = found.backtest, found.backtest.result
    return {
        "run_id": reference,
        "symbols": [what.symbol for what in result.instruments],
        "timeframe": timeframe_name(result.timeframe_ms),
        "source": "backtest",
        "from": to_datetime(result.start_ms).isoformat(),
        "until": to_datetime(_end_ms(result)).isoformat(),
        **_counts(result),
        **_money(result, found.trips),
        "max_drawdown": plain_text(Decimal(result.max_drawdown_rate).scaleb(-8)),
        "trading_state": result.trading_state,
        "time_in_state_hours": {
            state: round(ms / 3_600_000, 2) for state, ms in result.time_in_state_ms.items()
        },
        "seconds": round(backtest.seconds, 3),
        "training_seconds": round(backtest.training_seconds, 3),
        "bars_per_second": round(result.bars / max(backtest.seconds, 1e-9)),
        "fills_sha256": fills_sha256(result),
        "engine": backtest.engine,
        "engine_refused": backtest.refused or None,
        "strategy": list(result.strategies),
        "params": parameters(backtest.settings, result.strategies),
        "assumptions": [item.as_json() for item in found.assumptions],
        "data_sha256": backtest.sha256,
        "config_sha256": backtest.settings.hash(),
        "trials": None if found.trials is None else found.trials.tried,
        "deflated_sharpe": None if found.trials is None else found.trials.deflated_sharpe,
        "metrics": {code: metric_json(metric) for code, metric in found.metrics.items()},
        "buy_and_hold": _benchmark(found),
        **({"model": backtest.model} if backtest.model is not None else {}),
    }


def parameters(settings: Settings, strategies: tuple[str, ...]) -> dict[str, dict[str, Any]]:
    """Return strategy -> its parameters in force, as JSON values."""
    return {
        name: {
            key: plain_text(value) if isinstance(value, Decimal) else value
            for key, value in getattr(settings.strategies, name).model_dump().items()
            if key != "enabled"
        }
        for name in strategies
    }


def metric_json(metric: Metric) -> dict[str, Any]:
    """Return a figure as JSON: value or why there is none, unit, sample, interval."""
    value: Any = metric.value
    interval = metric.interval
    if isinstance(value, Decimal):
        value = plain_text(value.quantize(_CENTS))
    return {
        "value": value,
        "unit": metric.unit.value,
        "sample": metric.sample,
        "counts": metric.counts.value,
        "missing": metric.missing.value if metric.missing is not None else None,
        "interval": None if interval is None else {
            "low": interval.low, "high": interval.high, "level": interval.level,
            "method": interval.method.value,
        },
    }  # fmt: skip


def _benchmark(found: Findings) -> dict[str, Any]:
    held = found.benchmark
    return {
        "equity": amount(held.curve.final),
        "fees": amount(held.fees),
        "metrics": {code: metric_json(metric) for code, metric in held.metrics.items()},
    }


def _counts(result: BacktestResult) -> dict[str, Any]:
    protection = [ROLES.index(role) for role in OrderRole if role.protects]
    placed = [role not in protection for role in result.orders[:, ORDER_ROLE].tolist()]
    return {
        "bars": result.bars,
        "decisions": result.decisions,
        "outcomes": _most_first(result.outcomes),
        "refusals": _most_first(result.refusals),
        "orders": sum(placed),
        "fills": len(result.fills),
        "open_positions": result.open_positions,
    }


def _money(result: BacktestResult, trips: RoundTrips) -> dict[str, str]:
    realized = trips.realized
    return {
        "fees": amount(result.fees),
        "funding": amount(result.funding_received),
        "realized_pnl": amount(realized),
        "unrealized_pnl": amount(result.final_equity - result.opening - realized),
        "equity": amount(result.final_equity),
    }


def _most_first(counted: Mapping[str, int]) -> dict[str, int]:
    """Return counts as a stored run's are: the largest first, equal ones by name."""
    return dict(sorted(counted.items(), key=lambda pair: (-pair[1], pair[0])))


def _end_ms(result: BacktestResult) -> int:
    return int(result.close_ms[-1]) if len(result.close_ms) else result.start_ms
