"""What a person asks of the backtest lab: made by the console, read by the worker, as JSON."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from math import prod
from typing import Any, Final, Literal

from crypto_trader_pro.domain.errors import InputError
from crypto_trader_pro.domain.instruments import plain_text
from crypto_trader_pro.domain.timeframes import timeframe_ms, to_ms
from crypto_trader_pro.simulation.instruments import instrument

MOST_TRIALS: Final = 5_000  # backtests of one job
MOST_RUNS: Final = 10_000  # of a Monte Carlo study
MOST_WINDOWS: Final = 50  # of a search
VENUE: Final = "binance"


class LabKind(StrEnum):
    BACKTEST = "backtest"
    SWEEP = "sweep"
    OPTIMIZE = "optimize"
    WALK_FORWARD = "walk_forward"
    MONTE_CARLO = "monte_carlo"
    COSTS = "costs"
    CAPACITY = "capacity"


OF_A_GRID: Final = (LabKind.SWEEP, LabKind.OPTIMIZE, LabKind.WALK_FORWARD)


class Shaking(StrEnum):
    """What a Monte Carlo study changes from run to run."""

    TRADES = "trades"  # the order of the trades
    BLOCKS = "blocks"  # days, drawn in blocks
    CANDLES = "candles"  # the prices themselves


@dataclass(frozen=True, slots=True)
class LabRequest:
    """One job.

    Args:
        market: candles, symbols, strategies, range; the keys of a backtest request.
        changes: settings laid over the configuration: dotted key -> value as a command has it.
        engine: "compiled" or "reference".
        grid: dotted key -> values to try, of a sweep, a search and each fold of a walk-forward.
        tries: sets of values that a search may try.
        windows: consecutive parts of the range that a search judges one after the other.
        anchored: every fold trains from the first candle on; else over a window that moves.
        train_days, test_days: of a fold of a walk-forward.
        purge, embargo: candles left out at the end of a training and the beginning of a test.
        shaking, runs: of a Monte Carlo study.
        study: id of the study that a worker has begun for it; "" before.
    """

    kind: LabKind
    market: Mapping[str, Any]
    changes: Mapping[str, Any] = field(default_factory=dict)
    engine: Literal["compiled", "reference"] = "compiled"
    grid: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    anchored: bool = False
    train_days: int = 180
    test_days: int = 60
    purge: int = 0
    embargo: int = 0
    shaking: Shaking = Shaking.BLOCKS
    runs: int = 1000
    tries: int = 50
    windows: int = 4
    study: str = ""

    @property
    def trials(self) -> int:
        """Sets of values in the grid."""
        return prod(len(values) for values in self.grid.values())

    def check(self) -> None:
        """Refuse what no worker could run; whether there are candles is seen by who has them.

        Raises:
            InputError: one line.
        """
        if not self.market["symbols"]:
            raise InputError("no symbol was given, at least one is needed")
        for symbol in self.market["symbols"]:
            instrument(symbol)
        quotes = {instrument(symbol).quote for symbol in self.market["symbols"]}
        if len(quotes) > 1:
            found = ", ".join(sorted(quotes))
            raise InputError(f"symbols settle in {found}; one account has one currency")
        if not self.market["strategies"]:
            raise InputError("no strategy was given, at least one is needed")
        first, last = self.market["from_ms"], self.market["to_ms"]
        if first is not None and last is not None and first >= last:
            raise InputError("the range was empty, allowed: a first day before the last")
        self._check_study()

    def _check_study(self) -> None:
        if self.kind in OF_A_GRID:
            if self.trials < 2:
                raise InputError("the grid was one set of values, allowed: two sets or more")
            if self.trials > MOST_TRIALS and self.kind is not LabKind.OPTIMIZE:
                raise InputError(f"the grid was {self.trials} sets, allowed: up to {MOST_TRIALS}")
        if self.kind is LabKind.OPTIMIZE and not 2 <= self.tries <= MOST_TRIALS:
            raise InputError(f"tries were {self.tries}, allowed: 2 to {MOST_TRIALS}")
        if self.kind is LabKind.OPTIMIZE and not 1 <= self.windows <= MOST_WINDOWS:
            raise InputError(f"windows were {self.windows}, allowed: 1 to {MOST_WINDOWS}")
        if self.kind is LabKind.WALK_FORWARD and min(self.train_days, self.test_days) < 1:
            raise InputError(
                f"days of a fold were {self.train_days} and {self.test_days}, allowed: 1 or more"
            )
        if self.kind is LabKind.MONTE_CARLO and not 10 <= self.runs <= MOST_RUNS:
            raise InputError(f"runs were {self.runs}, allowed: 10 to {MOST_RUNS}")

    def as_json(self) -> dict[str, Any]:
        """Return plain values from which `of` makes it again."""
        return {
            "kind": self.kind.value, "market": dict(self.market), "changes": dict(self.changes),
            "engine": self.engine, "grid": {key: list(v) for key, v in self.grid.items()},
            "anchored": self.anchored, "train_days": self.train_days,
            "test_days": self.test_days, "purge": self.purge, "embargo": self.embargo,
            "shaking": self.shaking.value, "runs": self.runs, "tries": self.tries,
            "windows": self.windows, "study": self.study,
        }  # fmt: skip

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> "LabRequest":
        """Make a request from `as_json`'s values."""
        given = dict(values)
        given["kind"] = LabKind(given["kind"])
        given["shaking"] = Shaking(given["shaking"])
        return cls(**given)


def values_of(text: str) -> list[str]:
    """Return the values of a list with commas, in which 20:60:10 stands for 20, 30, 40, 50, 60.

    Raises:
        InputError: a part is no number, or a range has no step above zero.

    >>> values_of("5, 8, 20:30:5")
    ['5', '8', '20', '25', '30']
    """
    found: dict[str, None] = {}
    for part in (p.strip() for p in text.split(",") if p.strip()):
        numbers = [_number(word, text) for word in part.split(":")]
        if len(numbers) == 1:
            found[plain_text(numbers[0])] = None
            continue
        if len(numbers) != 3 or numbers[2] <= 0 or numbers[1] < numbers[0]:
            raise InputError(f"range was {part!r}, allowed: first:last:step with a step above 0")
        first, last, step = numbers
        count = int((last - first) / step) + 1
        if count > MOST_TRIALS:
            raise InputError(f"range {part!r} has {count} values, allowed: up to {MOST_TRIALS}")
        found.update(dict.fromkeys(plain_text(first + step * k) for k in range(count)))
    return list(found)


def _number(word: str, text: str) -> Decimal:
    try:
        number = Decimal(word.strip())
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite():
        raise InputError(f"values were {text!r}, allowed: numbers with commas, or first:last:step")
    return number


def stored_market(
    symbols: Sequence[str], timeframe: str, strategies: Sequence[str], *,
    start: datetime | None = None, end: datetime | None = None, venue: str = VENUE,
    detail: str | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Return the market of a request that plays candles of the database, decided on each of them.

    Args:
        detail: shorter candles, of which those of `timeframe` are made then; fills are looked up
            in them.

    Raises:
        ValueError: an unknown timeframe.
    """
    return {
        "symbols": list(symbols), "paths": [], "timeframe": timeframe,
        "interval_seconds": timeframe_ms(timeframe) // 1000, "strategies": list(strategies),
        "from_ms": None if start is None else to_ms(start),
        "to_ms": None if end is None else to_ms(end),
        "funding": None, "venue": venue, "detail_timeframe": detail,
    }  # fmt: skip
