"""Bugs planted in copies of the kernel, to see that the comparison finds them.

Each is a change of one line of one function; the copy runs as plain Python, linked with everything
else as it is. The registry's own functions are not changed: both engines would be wrong together.
"""

import inspect
import textwrap
from collections.abc import Callable
from types import FunctionType
from typing import Any, Final, NamedTuple

from crypto_trader_pro.backtest import kernel, kernel_books, kernel_risk, kernel_venue, passes
from crypto_trader_pro.backtest.compiler import ENTRIES, Compiled, functions


class Bug(NamedTuple):
    function: Callable[..., Any]
    right: str
    wrong: str
    seed: int = -1  # of a random market that shows it


BUGS: Final = {
    "target before stop": Bug(
        kernel_venue.play_bracket,
        "stop = x[k.STOP_PRICE] if x[k.STOP] != 0 else 0",
        "stop = x[k.STOP_PRICE] if x[k.STOP] != 0 and x[k.TARGET] == 0 else 0",
        seed=2,
    ),
    "entry fee rounded down": Bug(
        kernel_books.book_fill, "paid = fee(value, rate)", "paid = value * rate // 100_000_000",
        seed=1,
    ),
    "cooldown off by one": Bug(
        kernel_risk.verdict, "since = (at_ms -", "since = 1 + (at_ms -",
        seed=2,
    ),
    "volume not shared": Bug(
        kernel_venue.trade_open, "room -= enter(", "enter(",
        seed=1,
    ),
    "funding of a short with the wrong sign": Bug(
        kernel_venue.fund, "x[k.POSITION], m.rows", "abs(x[k.POSITION]), m.rows",
        seed=8,
    ),
    "daily base not moved": Bug(
        kernel_risk.start_day, "a[k.DAY_START] = a[k.EQUITY]", "pass",
        seed=9,
    ),
    "lines not moved with the peak": Bug(
        kernel_risk.mark, "            draw_lines(r, st)\n", "            pass\n",
        seed=31,
    ),
    "a day counted after its first close": Bug(
        kernel_risk.mark, "            roll_day(m, r, st, out, at_ms)\n",
        "            a[k.EQUITY] = equity\n            roll_day(m, r, st, out, at_ms)\n",
        seed=107,
    ),
    "stop at the worse of nothing": Bug(
        kernel_venue.play_bracket, "price = taker_price(m, r, t, s, price, -side, lots)",
        "price = taker_price(m, r, t, s, stop, -side, lots)",
        seed=2,
    ),
    "trailing looks ahead": Bug(
        kernel_venue.play_bracket, "    if x[k.STOP] != 0 and x[k.STOP_TRAIL] != 0:",
        "    if x[k.STOP] != 0 and x[k.STOP_TRAIL] != 0 and hit == 0 and x[k.STOP_TRAILED] == 0:",
        seed=8,
    ),
    "entry ages before it may fill": Bug(
        kernel_risk.send_entry, "x[k.ENTRY_BARS] = r.costs.entry_ttl_bars",
        "x[k.ENTRY_BARS] = r.costs.entry_ttl_bars - 1",
        seed=9,
    ),
    "latency forgotten for exits": Bug(
        kernel_risk.make_exit, "x[k.EXIT_DELAY] = r.costs.latency_bars", "x[k.EXIT_DELAY] = 0",
        seed=9,
    ),
    "reservation not given back": Bug(
        kernel_books.drop_entry, "st[-1, k.RESERVED] -= x[k.ENTRY_RESERVED]", "pass",
        seed=2,
    ),
    "leaving position still counted": Bug(
        kernel_risk.verdict, "            opened -= 1\n", "            pass\n",
        seed=0,
    ),
    "leaving position still fills its room": Bug(
        kernel_risk.verdict, "gross -= abs(notional(last_close(m, t, s), position, tv))", "pass",
        seed=2,
    ),
    "stops in a row never forgotten": Bug(
        kernel_books.left_market, "x[k.STOPS_IN_ROW] + 1 if stopped != 0 else 0",
        "x[k.STOPS_IN_ROW] + stopped",
        seed=2,
    ),
    "liquidation as a loss of nobody": Bug(
        kernel_books.book_fill, "if reason in (BY_STOP, BY_LIQUIDATION)", "if reason == BY_STOP",
        seed=154,
    ),
    "liquidation fee forgotten": Bug(
        kernel_books.book_fill, "rate += r.costs.liquidation_rate", "pass",
        seed=17,
    ),
    "liquidation at the close": Bug(
        kernel_venue.adverse,
        "m.rows[t, 5 * s + k.LOW] if st[s, k.POSITION] > 0 else m.rows[t, 5 * s + k.HIGH]",
        "m.rows[t, 5 * s + k.CLOSE]",
        seed=17,
    ),
    "cost kept after a partial close": Bug(
        kernel_books.moved_cost, "return cost - mul_div(abs(cost), -lots, position)", "return cost",
        seed=24,
    ),
    "time-out a candle late": Bug(
        kernel_risk.close_if_wished, "a[k.NOW_MS] >= x[k.DEADLINE]", "a[k.NOW_MS] > x[k.DEADLINE]",
        seed=1,
    ),
    "another strategy's exit": Bug(
        kernel_risk.close_if_wished, " and v[k.EV_STRATEGY] == x[k.OWNER]", "",
        seed=1,
    ),
    "second wish judged first": Bug(
        kernel_risk.decide, "        if wished == 0:\n            refused = mask\n",
        "        refused = mask\n",
        seed=0,
    ),
    "ladder recovers on the line": Bug(
        kernel_risk.climb, "equity > a[k.LINE_RECOVER]", "equity >= a[k.LINE_REDUCE]",
        seed=133,
    ),
    "halt keeps entries": Bug(
        kernel_risk.climb, "        cancel_entries(st, out)\n        a[k.FLATTENING]",
        "        a[k.FLATTENING]",
        seed=305,
    ),
    "flat days counted with a position": Bug(
        kernel_risk.roll_day, "a[k.DRAWDOWN_LEVEL] == 1 and a[k.HELD] == 0",
        "a[k.DRAWDOWN_LEVEL] == 1",
        seed=18,
    ),
    "protection larger than the position": Bug(
        kernel_books.shrink_protection, "        x[k.STOP_LOTS] = held\n", "        pass\n",
        seed=9,
    ),
    "rest of a stop before the exit that came first": Bug(
        kernel_venue.stopped, "x[k.REST_FIRST] = 0", "x[k.REST_FIRST] = 1", seed=41,
    ),
    "rest of a stop behind a later exit": Bug(
        kernel_risk.make_exit, "x[k.REST_FIRST] = 1", "x[k.REST_FIRST] = 0", seed=7,
    ),
    "coins bought on credit": Bug(
        kernel_venue.enter, "lots = min(lots, max(0, a[k.CASH] // unit))", "pass",
        seed=2,
    ),
    "range of the candle itself": Bug(
        kernel_venue.range_before, "    t -= 1\n    while", "    while",
        seed=1,
    ),
    "an outlier opens": Bug(
        passes.gate_pass, "state = is_outlier(high[i], low[i], before, limit)", "state = 0",
        seed=0,
    ),
    "jump over a day": Bug(
        kernel.jump, "target = min(end, m.days[st[-1, k.DAY], 1])", "target = end",
        seed=18,
    ),
    "the last finer candle is any": Bug(
        kernel.play, "1 if t == last else 0", "1",
        seed=38,
    ),
}  # fmt: skip


def planted(bug: Bug) -> Compiled:
    """Return the kernel as plain Python with one function changed.

    Raises:
        ValueError: the line that is to be changed is not there exactly once.
    """
    source = textwrap.dedent(inspect.getsource(bug.function))
    if source.count(bug.right) != 1:
        raise ValueError(f"{bug.function.__name__} has {source.count(bug.right)} x {bug.right!r}")
    scope: dict[str, Any] = dict(bug.function.__globals__)
    scope["kernel"] = scope["inlined"] = lambda function: function  # not registered
    exec(compile(source.replace(bug.right, bug.wrong), "<planted>", "exec"), scope)  # noqa: S102
    return _linked({bug.function: scope[bug.function.__name__]})


def _linked(changed: dict[Any, Any]) -> Compiled:
    """Rebuild all functions so that callers of a changed one call the change."""
    done: dict[Any, Any] = {}
    for function in functions():
        origin = changed.get(function, function)
        names = {
            name: done.get(value, value) if isinstance(value, FunctionType) else value
            for name, value in origin.__globals__.items()
        }
        done[function] = FunctionType(origin.__code__, names, origin.__name__, origin.__defaults__)
    return Compiled(*(done[entry] for entry in ENTRIES))
