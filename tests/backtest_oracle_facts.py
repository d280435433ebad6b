"""What can never be, whatever the rules: read off the rows of a `BacktestResult` alone.

The second half of the oracle. It knows nothing of how orders come about, so that it also holds
where the account kept beside the result has lost its way.
"""

from collections import Counter
from collections.abc import Iterator
from fractions import Fraction

from auto_trading.backtesting.candles import Candles
from config.settings import Settings
from crypto_trader_pro.backtest.result import (
    FILL_AT,
    FILL_FEE,
    FILL_LOTS,
    FILL_ORDER,
    FILL_PRICE,
    FILL_REASON,
    FILL_REASONS,
    FILL_SIDE,
    FILL_SYMBOL,
    FUNDING_AMOUNT,
    ORDER_DECIDED,
    ORDER_FEES,
    ORDER_FILLED,
    ORDER_LOTS,
    ORDER_NUMBER,
    ORDER_ROLE,
    ORDER_SIDE,
    ORDER_STATUS,
    ORDER_SYMBOL,
    ROLES,
    STATUSES,
    BacktestResult,
)
from tests.backtest_oracle_market import PART, Coin, Costs, candles_of

_AT_OPEN = ("entry", "exit", "flatten")
_ROLES = {"trailing": "stop", "liquidation": "flatten"}  # else as the reason


def impossible(result: BacktestResult, candles: Candles, settings: Settings) -> list[str]:
    """Return what is wrong with the rows, each line beginning with the name of its check."""
    facts = _Facts(result, candles, settings)
    late = list(facts.times())
    faults = [*facts.orders(), *facts.sides(), *facts.books(), *late]
    # a fill at a time without a candle has no price or volume to be held against
    return faults if late else [*faults, *facts.prices(), *facts.volumes()]


class _Facts:
    def __init__(self, result: BacktestResult, candles: Candles, settings: Settings) -> None:
        self.result = result
        self.coins = [Coin.of(n, i) for n, i in enumerate(candles.instruments)]
        self.costs = Costs.of(settings)
        self.step_ms = candles.series[0].timeframe_ms
        fine = candles.detail or candles.series
        self.fine_ms = fine[0].timeframe_ms
        self.candles = [candles_of(s, c) for s, c in zip(fine, self.coins, strict=True)]
        self.fills = result.fills.tolist()
        self.rows = result.orders.tolist()

    def orders(self) -> Iterator[str]:
        """Every order is the sum of its fills, and its status is what they explain."""
        lots, fees = Counter[int](), Counter[int]()
        for f in self.fills:
            lots[f[FILL_ORDER]] += f[FILL_LOTS]
            fees[f[FILL_ORDER]] += f[FILL_FEE]
        for n, o in enumerate(self.rows):
            filled, size, status = o[ORDER_FILLED], o[ORDER_LOTS], STATUSES[o[ORDER_STATUS]]
            if (o[ORDER_NUMBER], filled, o[ORDER_FEES]) != (n + 1, lots[n + 1], fees[n + 1]):
                yield f"sums: order {n + 1} has {lots[n + 1]} lots, fees {fees[n + 1]}: {o}"
            legal = {
                "filled": filled == size, "partial": 0 < filled < size,
                "canceled": filled < size, "expired": filled < size,
            }.get(status, filled == 0 and status in ("working", "acknowledged"))  # fmt: skip
            if not legal or size < 1:
                yield f"end: order {n + 1} is {status} with {filled} of {size} lots"

    def sides(self) -> Iterator[str]:
        """Entries grow a position, all else shrinks it, and nothing takes it past zero."""
        held = Counter[int]()
        for n, f in enumerate(self.fills):
            o, place = self.rows[f[FILL_ORDER] - 1], f[FILL_SYMBOL]
            reason = FILL_REASONS[f[FILL_REASON]]
            same = (o[ORDER_SYMBOL], o[ORDER_SIDE], ROLES[o[ORDER_ROLE]])
            if same != (place, f[FILL_SIDE], _ROLES.get(reason, reason)):
                yield f"fill {n} by {reason} is of another order: {o}"
            before = held[place]
            held[place] = after = before + f[FILL_SIDE] * f[FILL_LOTS]
            grows = abs(after) > abs(before)
            if grows is not (reason == "entry") or before * after < 0 or f[FILL_LOTS] < 1:
                yield f"position: fill {n} by {reason} takes it from {before} to {after}"
        if [held[c.place] for c in self.coins] != list(self.result.positions):
            yield f"position: {dict(held)} at the end, told {self.result.positions}"

    def times(self) -> Iterator[str]:
        """Orders to the market fill at opens, not before their latency; protection at closes."""
        for n, f in enumerate(self.fills):
            own, at = self.candles[f[FILL_SYMBOL]], f[FILL_AT]
            reason = FILL_REASONS[f[FILL_REASON]]
            opens, closes = at in own, at - self.fine_ms in own
            fits = opens if reason in _AT_OPEN else closes if reason == "target" else True
            if not fits or not (opens or closes or reason == "liquidation"):
                yield f"time: fill {n} by {reason} at {at}"
            waits = self.costs.latency * self.step_ms if reason in _AT_OPEN else 0
            if at < self.rows[f[FILL_ORDER] - 1][ORDER_DECIDED] + waits:
                yield f"time: fill {n} by {reason} at {at} comes too early"

    def prices(self) -> Iterator[str]:
        """Nothing is better than the market was: the open, or a price that the candle reached.

        A sale never goes below one tick, though the market may.
        """
        for n, f in enumerate(self.fills):
            coin, side, at = self.coins[f[FILL_SYMBOL]], f[FILL_SIDE], f[FILL_AT]
            own, reason = self.candles[f[FILL_SYMBOL]], FILL_REASONS[f[FILL_REASON]]
            price = f[FILL_PRICE] * coin.unit
            if reason in _AT_OPEN and side * (price - own[at].open) < 0 and price != coin.tick:
                yield f"price: fill {n} by {reason} at {float(price)}, open {own[at].open}"
            if reason == "target":
                c = own[at - self.fine_ms]  # a gap beyond the target does not improve it
                if (price > c.high) if side < 0 else (price < c.low):
                    yield f"price: fill {n} by target at {float(price)} was never reached"
            if reason != "liquidation" and price % coin.tick:
                yield f"price: fill {n} by {reason} at {float(price)} is between two ticks"

    def volumes(self) -> Iterator[str]:
        """What certainly filled in a candle is within the share; a stop's fill within one's."""
        taken = Counter[tuple[int, int]]()
        for n, f in enumerate(self.fills):
            place, reason, at = f[FILL_SYMBOL], FILL_REASONS[f[FILL_REASON]], f[FILL_AT]
            if reason in _AT_OPEN:
                taken[place, at] += f[FILL_LOTS]
            elif reason == "target":
                taken[place, at - self.fine_ms] += f[FILL_LOTS]
            elif reason != "liquidation":
                near = [self.candles[place].get(x) for x in (at, at - self.fine_ms)]
                most = max(self.costs.room(c) for c in near if c is not None)
                if f[FILL_LOTS] > most:
                    yield f"volume: fill {n} of {f[FILL_LOTS]} lots, at most {most}"
        for (place, at), lots in taken.items():
            room = self.costs.room(self.candles[place][at])
            if lots > room:
                yield f"volume: {lots} lots of {self.coins[place].name} at {at}, at most {room}"

    def books(self) -> Iterator[str]:
        """Cash and equity at the end are what fills and funding make of the opening balance."""
        result = self.result
        received = sum(result.funding[:, FUNDING_AMOUNT].tolist()) * PART
        total = result.opening * PART + received + sum(map(self._paid, self.fills), Fraction(0))
        if total != result.cash * PART:
            yield f"cash: {float(total)} by the rows, told {result.cash * PART}"
        worth = total + sum(
            (c.value(lots, n * c.unit)
             for c, lots, n in zip(self.coins, result.positions, result.last, strict=True)),
            Fraction(0),
        )  # fmt: skip
        if len(result.equity) and worth != int(result.equity[-1]) * PART:
            yield f"equity: {float(worth)} by the rows, told {float(result.equity[-1] * PART)}"

    def _paid(self, fill: list[int]) -> Fraction:
        coin, lots = self.coins[fill[FILL_SYMBOL]], fill[FILL_SIDE] * fill[FILL_LOTS]
        return -coin.value(lots, fill[FILL_PRICE] * coin.unit) - fill[FILL_FEE] * PART
