"""The reference of `engine_path`: the same strategy with order objects, and nothing stored."""

from dataclasses import dataclass

from crypto_trader_pro.domain.market import CandleSeries

FEE = 0.0005


@dataclass(slots=True)
class _Order:
    number: int
    side: int
    price: float
    state: str = "new"


def trade(series: CandleSeries, fast: int = 12, slow: int = 26) -> int:
    """Trade the crossing of two averages, stop 1 %, target 2 %; return the executions."""
    alpha_fast, alpha_slow = 2 / (fast + 1), 2 / (slow + 1)
    average_fast = average_slow = float(series.close[0])
    side = wanted = 0
    entry = stop = target = cash = peak = 0.0
    above = False
    journal: list[_Order] = []
    curve: list[float] = []
    for seen, bar in enumerate(series.bars()):
        if wanted:
            if side:
                cash += side * (bar.open - entry) - FEE * bar.open
            order = _Order(len(journal), wanted, bar.open)
            if cash > -1e12 and abs(wanted) == 1 and bar.volume > 0 and order.price > 0:
                order.state = "filled"
                journal.append(order)
                side, entry = wanted, float(bar.open)
                stop, target = entry * (1 - 0.01 * side), entry * (1 + 0.02 * side)
                cash -= FEE * entry
            wanted = 0
        if side:
            stopped = bar.low <= stop if side > 0 else bar.high >= stop
            reached = bar.high >= target if side > 0 else bar.low <= target
            if stopped or reached:
                price = stop if stopped else target
                cash += side * (price - entry) - FEE * price
                journal.append(_Order(len(journal), -side, price, "filled"))
                side = 0
        average_fast += alpha_fast * (bar.close - average_fast)
        average_slow += alpha_slow * (bar.close - average_slow)
        crossed = (average_fast > average_slow) is not above
        above = average_fast > average_slow
        if crossed and seen >= slow:
            wanted = 1 if above else -1
        equity = cash + side * (bar.close - entry)
        peak = max(peak, equity)
        curve.append(equity)
    return len(journal)
