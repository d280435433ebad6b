"""What can be traded, and the grid its prices and quantities live on."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from crypto_trader_pro.domain.enums import MarketKind
from crypto_trader_pro.domain.units import MAX_NOTIONAL, MONEY_EXP, RATE


@dataclass(frozen=True, slots=True)
class Instrument:
    """One tradable symbol with its grid, limits and fees.

    Prices are counted in `price_unit`, which may be finer than `tick`: recorded candles are often
    finer than today's tick. An order's price is always a multiple of the tick.

    Raises:
        ValueError: the grid is impossible, or tick x lot is finer than a money unit.
    """

    symbol: str  # ccxt unified: "BTC/USDT", perpetual "BTC/USDT:USDT"
    kind: MarketKind
    tick: Decimal  # smallest step of an order's price, quote per base
    lot: Decimal  # smallest step of an order's quantity, base
    price_unit: Decimal  # unit in which prices are counted; tick is a multiple of it
    min_notional: Decimal  # smallest order, quote
    maker_fee: Decimal = Decimal("0.0002")  # fraction of notional
    taker_fee: Decimal = Decimal("0.0005")
    max_lots: int = (1 << 46) - 1  # venue's largest order, lots
    maintenance: Decimal = Decimal("0.01")  # maintenance margin, fraction of notional
    # (notional up to which, fraction), ascending, the first fraction `maintenance`; empty: one rate
    maintenance_tiers: tuple[tuple[Decimal, Decimal], ...] = ()
    tick_units: int = field(init=False)
    tv: int = field(init=False)  # money units per price unit and lot
    min_notional_units: int = field(init=False)
    maker_rate: int = field(init=False)
    taker_rate: int = field(init=False)
    maintenance_rate: int = field(init=False)
    # flat (notional up to which in money units, rate, deduction in money units) triples
    tiers: tuple[int, ...] = field(init=False)
    can_short: bool = field(init=False)

    def __post_init__(self) -> None:
        if "/" not in self.symbol:
            raise ValueError(
                f"symbol was {self.symbol!r}, expected BASE/QUOTE or BASE/QUOTE:SETTLE"
            )
        for name in ("tick", "lot", "price_unit"):
            value = getattr(self, name)
            if not (value.is_finite() and value > 0):
                raise ValueError(f"{self.symbol}: {name} must be positive, was {value}")
        for name in ("min_notional", "maker_fee", "taker_fee", "maintenance"):
            value = getattr(self, name)
            if not (value.is_finite() and value >= 0):
                raise ValueError(f"{self.symbol}: {name} must not be negative, was {value}")
        put = object.__setattr__  # the class is frozen; these are derived once
        put(
            self,
            "tick_units",
            _whole(self.tick / self.price_unit, f"{self.symbol}: tick / price_unit"),
        )
        put(
            self,
            "tv",
            _whole(
                self.price_unit * self.lot * 10**MONEY_EXP,
                f"{self.symbol}: value of a price unit of a lot",
            ),
        )
        put(self, "min_notional_units", _whole(self.min_notional * 10**MONEY_EXP, "min_notional"))
        put(self, "maker_rate", _whole(self.maker_fee * RATE, "maker_fee"))
        put(self, "taker_rate", _whole(self.taker_fee * RATE, "taker_fee"))
        put(self, "can_short", self.kind is MarketKind.LINEAR)
        put(self, "maintenance_rate", _whole(self.maintenance * RATE, "maintenance"))
        pairs = self.maintenance_tiers or ((Decimal(0), self.maintenance),)
        if pairs[0][1] != self.maintenance:
            raise ValueError(
                f"{self.symbol}: rate of the first maintenance tier was {pairs[0][1]}, must be "
                f"that of maintenance, {self.maintenance}"
            )
        put(self, "tiers", _tiers(self.symbol, pairs))

    @property
    def base(self) -> str:
        return self.symbol.split("/")[0]

    @property
    def quote(self) -> str:
        return self.symbol.split("/")[1].split(":")[0]

    def price_units(self, price: Decimal) -> int:
        """Count `price` in price units.

        Raises:
            ValueError: the price is not on the grid.
        """
        return _whole(
            price / self.price_unit, f"{self.symbol}: price {price} in units of {self.price_unit}"
        )

    def price(self, units: int) -> Decimal:
        """Return the Decimal price of whole price units."""
        return plain(self.price_unit * units)

    def lots(self, quantity: Decimal) -> int:
        """Count `quantity` in lots, rounded toward zero."""
        return int(quantity / self.lot)

    def quantity(self, lots: int) -> Decimal:
        """Return the Decimal quantity of whole lots, signed as `lots`."""
        return plain(self.lot * lots)


def money(units: int) -> Decimal:
    """Return money units as a Decimal of the settlement asset."""
    return plain(Decimal(units).scaleb(-MONEY_EXP))


def money_units(amount: Decimal) -> int:
    """Count an amount of the settlement asset in money units.

    Raises:
        ValueError: finer than 1e-8.
    """
    return _whole(amount.scaleb(MONEY_EXP), f"amount {amount} in units of 1e-{MONEY_EXP}")


def plain_text(value: Decimal) -> str:
    """Return `value` as people and programs read it: canonical, never with an exponent."""
    return format(plain(value), "f")


def plain(value: Decimal) -> Decimal:
    """Return `value` in canonical form: no trailing zeros, no exponent, no negative zero."""
    if not value:
        return Decimal(0)
    stripped = value.normalize()
    exponent = stripped.as_tuple().exponent
    return stripped.quantize(Decimal(1)) if isinstance(exponent, int) and exponent > 0 else stripped


def _tiers(symbol: str, pairs: Sequence[tuple[Decimal, Decimal]]) -> tuple[int, ...]:
    """Return flat (bound, rate, deduction) triples; the deductions make maintenance continuous.

    The last tier has no end: its bound is MAX_NOTIONAL, whatever was given.

    Raises:
        ValueError: bounds or rates that do not rise, or a bound, rate or deduction finer than 1e-8.
    """
    flat: list[int] = []
    bound, rate, deduction = 0, 0, 0
    for i, (upto, fraction) in enumerate(pairs):
        what = f"{symbol}: maintenance tier {i + 1}"
        last = i == len(pairs) - 1
        if not (fraction.is_finite() and (last or upto.is_finite())):
            raise ValueError(f"{what} was {upto} at {fraction}, both must be finite")
        next_bound = MAX_NOTIONAL if last else _whole(upto.scaleb(MONEY_EXP), f"{what} bound")
        next_rate = _whole(fraction * RATE, f"{what} rate")
        if next_bound <= bound or (i and next_rate <= rate) or next_rate > RATE:
            raise ValueError(
                f"{what} was {upto} at {fraction}, bounds and rates must rise, rates at most to 1"
            )
        step = Decimal(bound * (next_rate - rate)) / RATE
        deduction += _whole(step, f"{what} deduction")
        flat += (next_bound, next_rate, deduction)
        bound, rate = next_bound, next_rate
    return tuple(flat)


def _whole(value: Decimal, what: str) -> int:
    number = int(value)
    if number != value:
        raise ValueError(f"{what} must be whole, was {value}")
    return number
