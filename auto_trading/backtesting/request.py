"""What a backtest is asked to play, as a value that can be stored, queued and sent elsewhere."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal

from auto_trading.candle_market import ReplayRequest
from crypto_trader_pro.domain.errors import InputError
from crypto_trader_pro.domain.timeframes import timeframe_ms

EngineName = Literal["compiled", "reference"]
ENGINES: Final[tuple[EngineName, ...]] = ("compiled", "reference")


@dataclass(frozen=True, slots=True)
class BacktestRequest:
    """Candles, symbols and strategies of a backtest.

    Args:
        market: what to play; its timeframe is the one that is decided on.
        detail_timeframe: finer candles that stops, targets and fills are resolved with; the files
            or the database then hold these, and the decision candles are aggregated from them.
    """

    market: ReplayRequest
    detail_timeframe: str | None = None

    @property
    def loaded(self) -> ReplayRequest:
        """What is read: the finer candles where there are any.

        Raises:
            InputError: the detail timeframe does not divide the timeframe.
        """
        if self.detail_timeframe is None:
            return self.market
        fine, coarse = timeframe_ms(self.detail_timeframe), timeframe_ms(self.market.timeframe)
        if fine >= coarse or coarse % fine:
            raise InputError(
                f"detail timeframe was {self.detail_timeframe}, allowed: a shorter one that"
                f" divides {self.market.timeframe}"
            )
        return replace(self.market, timeframe=self.detail_timeframe)

    def as_json(self) -> dict[str, Any]:
        """Return plain values from which `of` makes it again."""
        m = self.market
        return {
            "symbols": list(m.symbols),
            "paths": [str(path.resolve()) for path in m.paths],
            "timeframe": m.timeframe,
            "interval_seconds": m.interval_seconds,
            "strategies": list(m.strategies),
            "from_ms": m.from_ms,
            "to_ms": m.to_ms,
            "funding": str(m.funding.resolve()) if m.funding else None,
            "venue": m.venue,
            "detail_timeframe": self.detail_timeframe,
        }

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> "BacktestRequest":
        """Make a request from `as_json`'s values."""
        market = ReplayRequest(
            tuple(values["symbols"]),
            tuple(Path(path) for path in values["paths"]),
            values["timeframe"],
            values["interval_seconds"],
            tuple(values["strategies"]),
            values["from_ms"],
            values["to_ms"],
            Path(values["funding"]) if values["funding"] else None,
            values["venue"],
        )
        return cls(market, values["detail_timeframe"])
