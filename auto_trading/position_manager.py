"""Positions and ledger of one account, built from the venue's fills and nothing else."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from crypto_trader_pro.domain.errors import StateMismatch
from crypto_trader_pro.domain.instruments import Instrument
from crypto_trader_pro.domain.ledger import (
    CASH,
    FEES,
    FUNDING,
    HOLDING,
    REALIZED,
    Ledger,
    Transaction,
    capital_paid_in,
    fill_booked,
    funding_paid,
    holding_asset,
)
from crypto_trader_pro.domain.market import Bar
from crypto_trader_pro.domain.messages import Funded
from crypto_trader_pro.domain.orders import Fill
from crypto_trader_pro.domain.positions import Position


class PositionManager:
    """The book of one account. Symbols are addressed by their index in the configuration."""

    def __init__(self, instruments: Sequence[Instrument]) -> None:
        self.instruments = tuple(instruments)
        self.asset = instruments[0].quote
        self.index = {i.symbol: n for n, i in enumerate(instruments)}
        self.positions = [Position(i) for i in instruments]
        self.last = [0] * len(instruments)
        self.ledger = Ledger()
        self.cash = 0
        self._open: list[int] = []
        self._gross: int | None = None  # until a price or a position changes

    def open_account(self, amount: int, at_ms: int) -> Transaction:
        """Pay in the opening balance, money units."""
        transaction = capital_paid_in(amount, self.asset, at_ms)
        self._post(transaction)
        return transaction

    def book(self, fill: Fill) -> tuple[Position, Position, Transaction]:
        """Book an execution; return the position before and after it, and what the ledger got."""
        i = self.index[fill.symbol]
        before = self.positions[i]
        after = before.apply(fill)
        transaction = fill_booked(fill, before, after)
        self._post(transaction)
        self.positions[i] = after
        self._open = [n for n, p in enumerate(self.positions) if p.lots]
        self._gross = None
        return before, after, transaction

    def fund(self, event: Funded) -> Transaction:
        """Book a funding payment."""
        transaction = funding_paid(event.reference, event.amount, self.asset, event.at_ms)
        self._post(transaction)
        return transaction

    def own(self, i: int, strategy: str) -> None:
        """Note whose position symbol `i` is; only its owner's signals close it."""
        position = self.positions[i]
        if position.strategy != strategy:
            self.positions[i] = replace(position, strategy=strategy)

    def mark(self, bars: Sequence[Bar | None]) -> None:
        """Take the latest closes as prices."""
        last = self.last
        self._gross = None
        for i, bar in enumerate(bars):
            if bar is not None:
                last[i] = bar.close

    def equity(self) -> int:
        """Return cash plus all positions at their last price, money units."""
        equity = self.cash
        for i in self._open:
            equity += self.positions[i].value(self.last[i])
        return equity

    def gross(self) -> int:
        """Return the sum of absolute position values at their last price, money units."""
        if self._gross is None:  # asked for every symbol of a cycle, changed by none of them
            self._gross = sum(abs(self.positions[i].value(self.last[i])) for i in self._open)
        return self._gross

    def unrealized(self) -> int:
        return sum(self.positions[i].unrealized(self.last[i]) for i in self._open)

    def realized(self) -> int:
        """Return the profit that fills and funding have realized, after fees, money units."""
        return sum(p.realized for p in self.positions) + self.funding()

    def fees(self) -> int:
        return self.ledger.balance(FEES, self.asset)

    def funding(self) -> int:
        """Return what funding brought in all, > 0 received, money units."""
        return -self.ledger.balance(FUNDING, self.asset)

    @property
    def open_count(self) -> int:
        return len(self._open)

    @property
    def open_indexes(self) -> Sequence[int]:
        return self._open

    def verify(self) -> None:
        """Compare the ledger with the positions, account by account.

        Raises:
            StateMismatch: they differ; trading must not go on.
        """
        ledger, quote = self.ledger, self.asset
        for p in self.positions:
            held = holding_asset(p.instrument)
            _same(f"cost of {p.symbol}", ledger.balance(f"position:{p.symbol}", quote), p.cost)
            _same(f"holding of {p.symbol}", ledger.balance(HOLDING, held), p.lots)
        fees = ledger.balance(FEES, quote)
        _same("fees", fees, sum(p.fees for p in self.positions))
        _same(
            "profit",
            -ledger.balance(REALIZED, quote) - fees,
            sum(p.realized for p in self.positions),
        )
        _same(
            "sum of all accounts",
            sum(n for (_, a), n in ledger.balances().items() if a == quote),
            0,
        )

    def _post(self, transaction: Transaction) -> None:
        self.ledger.post(transaction)
        self.cash = self.ledger.balance(CASH, self.asset)

    def state(self) -> dict[str, Any]:
        return {
            "positions": [
                [p.lots, p.cost, p.realized, p.fees, p.opened_ms, p.strategy, p.realized_before]
                for p in self.positions
            ],
            "last": list(self.last),
            "ledger": [[a, s, n] for (a, s), n in self.ledger.balances().items()],
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        self.positions = [
            Position(i, *row) for i, row in zip(self.instruments, state["positions"], strict=True)
        ]
        self.last = list(state["last"])
        self.ledger.restore([(a, s, n) for a, s, n in state["ledger"]])
        self.cash = self.ledger.balance(CASH, self.asset)
        self._open = [n for n, p in enumerate(self.positions) if p.lots]
        self._gross = None
        self.verify()


def _same(what: str, booked: int, held: int) -> None:
    if booked != held:
        raise StateMismatch(f"{what}: the ledger says {booked}, the positions say {held}")
