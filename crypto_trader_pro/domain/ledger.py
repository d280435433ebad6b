"""A double-entry ledger: every transaction sums to zero in every asset.

Accounts of the quote asset: `capital`, `cash`, `fees`, `funding`, `realized`, `position:SYMBOL`.
Accounts of what is held (the base coin, or the contract): `holding`, `market`. Debits are positive.
Amounts are money units for the quote asset and lots for what is held.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, NamedTuple

from crypto_trader_pro.domain.enums import MarketKind
from crypto_trader_pro.domain.instruments import Instrument
from crypto_trader_pro.domain.orders import Fill
from crypto_trader_pro.domain.positions import Position
from crypto_trader_pro.domain.units import notional

CASH: Final = "cash"
CAPITAL: Final = "capital"
FEES: Final = "fees"
FUNDING: Final = "funding"
REALIZED: Final = "realized"
HOLDING: Final = "holding"
MARKET: Final = "market"


class Entry(NamedTuple):
    account: str
    asset: str
    amount: int


@dataclass(frozen=True, slots=True)
class Transaction:
    """Entries that belong together. `reference` is unique: the same event is never booked twice.

    Raises:
        ValueError: the entries of an asset do not sum to zero.
    """

    reference: str
    kind: str
    at_ms: int
    entries: tuple[Entry, ...]

    def __post_init__(self) -> None:
        sums: dict[str, int] = defaultdict(int)
        for entry in self.entries:
            sums[entry.asset] += entry.amount
        for asset, total in sums.items():
            if total:
                raise ValueError(f"{self.reference}: {asset} does not balance, off by {total}")


class Ledger:
    """Balances as the fold of transactions; the database keeps each reference unique."""

    def __init__(self) -> None:
        self._balances: dict[tuple[str, str], int] = defaultdict(int)

    def post(self, transaction: Transaction) -> None:
        for account, asset, amount in transaction.entries:
            self._balances[account, asset] += amount

    def balance(self, account: str, asset: str) -> int:
        return self._balances.get((account, asset), 0)

    def balances(self) -> dict[tuple[str, str], int]:
        """Return every balance that is not zero."""
        return {key: amount for key, amount in self._balances.items() if amount}

    def restore(self, balances: Iterable[tuple[str, str, int]]) -> None:
        """Replace all balances with stored ones."""
        self._balances = defaultdict(int, {(account, asset): n for account, asset, n in balances})


def holding_asset(instrument: Instrument) -> str:
    """Return what a position is counted in: the coin on spot, the contract on a perpetual."""
    return instrument.base if instrument.kind is MarketKind.SPOT else instrument.symbol


def capital_paid_in(amount: int, asset: str, at_ms: int) -> Transaction:
    entries = (Entry(CASH, asset, amount), Entry(CAPITAL, asset, -amount))
    return Transaction("capital", "capital", at_ms, entries)


def fill_booked(fill: Fill, before: Position, after: Position) -> Transaction:
    """Return the transaction of one fill that turned `before` into `after`.

    Cash pays the notional and the fee; the position account carries the cost of the open lots; the
    difference is realized profit.
    """
    instrument = before.instrument
    quote, held = instrument.quote, holding_asset(instrument)
    value = notional(fill.price, fill.signed_lots, instrument.tv)
    cost_change = after.cost - before.cost
    entries = [
        Entry(CASH, quote, -value - fill.fee),
        Entry(f"position:{instrument.symbol}", quote, cost_change),
        Entry(FEES, quote, fill.fee),
        Entry(HOLDING, held, fill.signed_lots),
        Entry(MARKET, held, -fill.signed_lots),
    ]
    if value != cost_change:
        entries.append(Entry(REALIZED, quote, value - cost_change))
    return Transaction(f"fill:{fill.symbol}:{fill.trade_id}", "fill", fill.at_ms, tuple(entries))


def funding_paid(reference: str, amount: int, asset: str, at_ms: int) -> Transaction:
    """Return the transaction of a funding payment; `amount` > 0 is received."""
    entries = (Entry(CASH, asset, amount), Entry(FUNDING, asset, -amount))
    return Transaction(reference, "funding", at_ms, entries)
