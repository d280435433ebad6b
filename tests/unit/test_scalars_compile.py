"""Every shared scalar compiles with Numba as it stands, for 64-bit integers, and stays the same.

`build` is what the backtest kernel does: it clones each function with its callees replaced by the
compiled ones, in the order of the registry.
"""

import importlib
import inspect
import pkgutil
import random
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from types import FunctionType
from typing import Any, Final

import numpy as np
import pytest

import crypto_trader_pro.domain
import crypto_trader_pro.risk
import crypto_trader_pro.simulation
from crypto_trader_pro.domain.scalars import REGISTRY, SEQUENCE_REGISTRY
from crypto_trader_pro.domain.units import MAX_EQUITY, MAX_LOTS_DOMAIN, MAX_NOTIONAL, RATE
from tests.market_data import ROOT

PACKAGES: Final = (
    crypto_trader_pro.domain,
    crypto_trader_pro.risk,
    crypto_trader_pro.simulation,
)
MODULES: Final = [
    importlib.import_module(module.name)
    for package in PACKAGES
    for module in pkgutil.iter_modules(package.__path__, package.__name__ + ".")
]
TRIES: Final = 3_000
BIGGEST: Final = 2**63 - 1

Ints = tuple[int, ...]
Sampler = Callable[[random.Random], Ints]


def build(functions: Sequence[Callable[..., Any]], **options: Any) -> dict[Any, Any]:
    """Compile copies of `functions`, callees first; the originals stay plain Python."""
    numba = importlib.import_module("numba")
    done: dict[Any, Any] = {}
    for function in functions:
        assert isinstance(function, FunctionType)
        names = {
            name: done.get(value, value) if isinstance(value, FunctionType) else value
            for name, value in function.__globals__.items()
        }
        clone = FunctionType(function.__code__, names, function.__name__, function.__defaults__)
        clone.__module__, clone.__qualname__ = function.__module__, function.__qualname__
        done[function] = numba.njit(**options)(clone)
    return done


# --- arguments, inside the bounds that the docstrings and the door state ------------------------


def spread(r: random.Random, low: int, high: int) -> int:
    """Draw from [low, high]: an edge, or any order of magnitude."""
    kind = r.random()
    if kind < 0.1:
        return r.choice((low, high, min(low + 1, high), max(high - 1, low)))
    if kind < 0.2:
        return r.randint(low, high)
    top = high if kind < 0.8 or low >= 0 else low
    size = r.randint(0, 1 << r.randint(0, max(1, abs(top).bit_length())))
    return max(low, min(high, size if top == high else -size))


def rate(r: random.Random) -> int:
    return spread(r, 0, RATE)


def money(r: random.Random) -> int:
    return spread(r, -MAX_EQUITY, MAX_EQUITY)


def flag(r: random.Random) -> int:
    return r.randint(0, 1)


def side(r: random.Random) -> int:
    return r.choice((1, -1))


def priced(r: random.Random) -> tuple[int, int, int]:
    """Return (price, lots, tv) whose product is at most 2**61."""
    tv = r.choice((1, 10, 1_000, 10_000, 10**6))
    price = spread(r, 1, 2**40)
    lots = spread(r, 0, min(MAX_NOTIONAL // (price * tv), MAX_LOTS_DOMAIN - 1))
    return price, lots, tv


def shares(r: random.Random) -> Ints:
    c = spread(r, 1, MAX_LOTS_DOMAIN - 1)
    return spread(r, 0, BIGGEST), spread(r, 0, c), c


def sizes(r: random.Random) -> Ints:
    price, max_lots, tv = priced(r)
    stop_units = spread(r, -1, price)
    return (
        money(r), price, tv, stop_units, rate(r), rate(r), spread(r, -MAX_EQUITY, 20 * MAX_EQUITY),
        spread(r, 0, RATE // 10), spread(r, 0, 2**55), rate(r), max_lots,
    )  # fmt: skip


def candle(r: random.Random) -> tuple[int, int, int]:
    low = spread(r, 1, 2**40)
    high = low + spread(r, 0, low)
    return r.randint(low, high), high, low


def brackets(r: random.Random) -> Ints:
    open_, high, low = candle(r)
    near = (0, low - 1, low, open_, high, high + 1, r.randint(low, high))
    return side(r), open_, high, low, r.choice(near), r.choice(near)


def triggers(r: random.Random) -> Ints:
    open_, high, low = candle(r)
    return side(r), open_, high, low, r.choice((low - 1, low, low + 1, open_, high, high + 1))


def trails(r: random.Random) -> Ints:
    _, high, low = candle(r)
    return side(r), high, low, r.choice((0, low, high, high + 1)), rate(r), spread(r, 1, 1_000)


def distances(r: random.Random) -> Ints:
    price = spread(r, 1, 2**40)
    return side(r), price, spread(r, -1, price), spread(r, 1, 1_000)


def values(r: random.Random) -> Ints:
    price, lots, tv = priced(r)
    return price, side(r) * lots, tv


def fundings(r: random.Random) -> Ints:
    price, lots, tv = priced(r)
    return side(r) * lots, price, tv, spread(r, -RATE, RATE)


def bankruptcies(r: random.Random) -> Ints:
    _, lots, tv = priced(r)
    cost = spread(r, 0, MAX_NOTIONAL)
    return side(r), cost, spread(r, 0, cost), max(1, lots), tv, spread(r, 1, 1_000)


def with_notional(*more: Callable[[random.Random], int]) -> Sampler:
    def sample(r: random.Random) -> Ints:
        price, lots, tv = priced(r)
        return (lots, price, tv, *(draw(r) for draw in more))

    return sample


def each(*draws: Callable[[random.Random], int]) -> Sampler:
    return lambda r: tuple(draw(r) for draw in draws)


def between(low: int, high: int) -> Callable[[random.Random], int]:
    return lambda r: spread(r, low, high)


small = between(-2, 5)
amount = between(-BIGGEST, BIGGEST)
natural = between(0, BIGGEST)
price_of = between(1, 2**40)
tick_of = between(1, 1_000)


def states(r: random.Random) -> Ints:
    flags = tuple(r.randint(0, 2) for _ in range(3))
    times = (spread(r, 0, 2**45), spread(r, 0, 2**45))
    rest = tuple(spread(r, -1, 300) for _ in range(10))
    return (*flags, *times, *rest)


def sized_orders(r: random.Random) -> Ints:
    price, lots, tv = priced(r)
    return (
        side(r), flag(r), flag(r), spread(r, -(10**9), 10**9), spread(r, 0, 10**6), price,
        spread(r, -1, 2 * price), spread(r, 1, 2 * price), rate(r), lots, tv, money(r), rate(r),
        spread(r, 0, 10**15), spread(r, 0, RATE // 10), money(r), spread(r, 0, 2**45),
        spread(r, 0, 2**45), r.randint(0, 7),
    )  # fmt: skip


def moves(r: random.Random) -> Ints:
    before = spread(r, 1, 2**32)
    limit = spread(r, 2_000_000, 2**30)
    return spread(r, 0, 2**27), r.randint(1, 64), before, spread(r, 1, 2**32), limit


def reaches(r: random.Random) -> Ints:
    before, low = spread(r, 1, 2**32), spread(r, 1, 2**32)
    return low + spread(r, 0, 2**31), low, before, spread(r, 2_000_000, 2**30)


SAMPLERS: Final[dict[str, Sampler]] = {
    "sizing_equity": each(money, natural),
    "entry_room": each(
        money, between(0, 20 * RATE), flag, between(-MAX_EQUITY, MAX_EQUITY), between(0, 10**17)
    ),
    "safety_bits": each(flag, between(0, 2**30), between(0, 2**30), flag),
    "state_mask": states,
    "order_mask": sized_orders,
    "outlier_limit": each(between(0, 2**27), between(1, 1_000)),
    "learned_mean": moves,
    "is_outlier": reaches,
    "rate_floor": each(amount, rate),
    "rate_ceil": each(amount, rate),
    "cap_mul": each(natural, natural),
    "mul_div": shares,
    "notional": values,
    "round_down": each(between(-(2**40), 2**40), tick_of),
    "round_up": each(between(-(2**40), 2**40), tick_of),
    "not_zero": each(small),
    "duplicate_bar": each(natural, natural),
    "at_least": each(small, small),
    "cooling_down": each(small, small),
    "wrong_direction": each(side, flag),
    "edge_too_small": each(flag, between(-(10**9), 10**9), between(0, 10**6)),
    "stop_undefined": each(side, price_of, between(-1, 2**40)),
    "nothing_left": each(small),
    "too_large": with_notional(money, rate),
    "below_minimum": with_notional(natural),
    "outside_collar": each(price_of, price_of, rate),
    "unaffordable": with_notional(rate, money),
    "size_lots": sizes,
    "limit_line": each(money, rate),
    "loss_level": each(money, money, money),
    "bracket": brackets,
    "trailed": trails,
    "stop_price": distances,
    "target_price": distances,
    "limit_touched": lambda r: (side(r), *candle(r)[1:], price_of(r)),
    "stop_touched": triggers,
    "fee": each(between(0, MAX_NOTIONAL), rate),
    "taker_rate_of": each(between(0, MAX_LOTS_DOMAIN - 1), between(0, 2**48), rate, rate, rate),
    "slipped_far": each(price_of, side, rate, between(0, 2**40), tick_of),
    "slipped": each(price_of, side, rate, tick_of),
    "funding_cash": fundings,
    "maintenance": each(between(0, MAX_NOTIONAL), rate),
    "tier_maintenance": each(between(0, MAX_NOTIONAL), rate, between(0, MAX_NOTIONAL)),
    "liquidates": each(money, natural),
    "bankruptcy_price": bankruptcies,
}


# --- the registry -------------------------------------------------------------------------------


def test_importing_the_packages_fills_the_registry_with_what_their_sources_decorate() -> None:
    decorated = sum(inspect.getsource(module).count("\n@scalar\n") for module in MODULES)
    assert len(REGISTRY) == decorated > 30
    assert len({function.__name__ for function in REGISTRY}) == decorated


def test_every_scalar_is_sampled_below() -> None:
    """A new scalar needs a line in SAMPLERS, with arguments inside its stated bounds."""
    assert {function.__name__ for function in REGISTRY} == set(SAMPLERS)


def test_scalars_take_plain_positional_integers_and_say_so() -> None:
    for function in REGISTRY:
        signature = inspect.signature(function)
        for parameter in signature.parameters.values():
            assert parameter.kind is parameter.POSITIONAL_OR_KEYWORD, function.__name__
            assert parameter.default is parameter.empty, function.__name__
            assert parameter.annotation is int, function.__name__
        assert signature.return_annotation in (int, tuple[int, int]), function.__name__


def test_a_callee_is_registered_before_its_caller() -> None:
    seen: set[str] = set()
    names = {function.__name__ for function in REGISTRY}
    for function in REGISTRY:
        assert isinstance(function, FunctionType)
        assert set(function.__code__.co_names) & names <= seen, function.__name__
        seen.add(function.__name__)


# --- compiled and plain -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def compiled() -> dict[Any, Any]:
    return build(REGISTRY, error_model="numpy")


def arguments(name: str) -> Iterator[Ints]:
    r = random.Random(name)
    return (SAMPLERS[name](r) for _ in range(TRIES))


@pytest.mark.parametrize("function", REGISTRY, ids=lambda function: function.__name__)
def test_compiled_and_plain_agree_on_random_and_extreme_arguments(
    compiled: dict[Any, Any], function: Callable[..., Any]
) -> None:
    fast = compiled[function]
    for given in arguments(function.__name__):
        plain = function(*given)
        parts = plain if isinstance(plain, tuple) else (plain,)
        assert all(type(part) is int and abs(part) <= BIGGEST for part in parts), given
        assert fast(*given) == plain, given

    (signature,) = fast.signatures  # one, so that no float and no bool came in
    assert {str(kind) for kind in signature} == {"int64"}
    returned = str(fast.overloads[signature].signature.return_type)
    assert returned in ("int64", "UniTuple(int64 x 2)"), returned


def tiers(r: random.Random) -> Ints:
    """Return the tiers of an instrument: bounds, rates and deductions rise."""
    count = r.randint(1, 10)
    bounds = sorted(spread(r, 1, MAX_NOTIONAL) for _ in range(count))
    rates, deductions = (sorted(rate(r) for _ in range(count)) for _ in range(2))
    return tuple(n for row in zip(bounds, rates, deductions, strict=True) for n in row)


def test_the_scalars_that_take_a_sequence_agree_on_a_tuple_and_a_compiled_array() -> None:
    (maintenance_of,) = SEQUENCE_REGISTRY
    fast = build([*REGISTRY, *SEQUENCE_REGISTRY], error_model="numpy")[maintenance_of]
    r = random.Random("maintenance_of")
    for _ in range(TRIES):
        table = tiers(r)
        for value in (spread(r, 0, MAX_NOTIONAL), *(table[0] + d for d in (-1, 0, 1))):
            plain = maintenance_of(value, table)
            assert type(plain) is int
            assert fast(value, np.array(table, dtype=np.int64)) == plain, (value, table)
    (signature,) = fast.signatures
    assert [str(kind) for kind in signature] == ["int64", "array(int64, 1d, C)"]
    assert str(fast.overloads[signature].signature.return_type) == "int64"


# --- what an import pulls in --------------------------------------------------------------------


def loaded_after(*modules: str) -> set[str]:
    """Return the names of all modules loaded in a fresh interpreter after importing `modules`."""
    code = f"import sys, {', '.join(modules)}; print('\\n'.join(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def test_the_engine_never_loads_the_compiler() -> None:
    loaded = loaded_after("auto_trading.engine")
    assert "auto_trading.engine" in loaded
    assert not loaded & {"numba", "llvmlite", "lightgbm", "pandas", "streamlit"}


def test_the_core_loads_nothing_heavy() -> None:
    loaded = loaded_after(*(module.__name__ for module in MODULES))
    assert {module.__name__ for module in MODULES} <= loaded
    heavy = {"pandas", "sqlalchemy", "lightgbm", "numba", "ccxt", "sklearn", "pydantic", "pyarrow"}
    assert not loaded & heavy
