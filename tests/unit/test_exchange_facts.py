"""Funding and open interest: only figures, and only fresh ones."""

import asyncio
import time
from typing import Any

import pytest

from auto_trading.gateways.exchange_facts import FactBook
from crypto_trader_pro.domain.errors import GatewayUnavailable
from crypto_trader_pro.domain.messages import MarketFacts
from tests.builders import PERPETUAL, SPOT, an_instrument


class Rest:
    """Answers as a venue might."""

    def __init__(self, rates: dict[str, Any], interest: Any) -> None:
        self.rates = rates
        self.interest = interest

    async def funding_rates(self, symbols: list[str]) -> dict[str, Any]:
        assert symbols == [PERPETUAL]
        return self.rates

    async def open_interest(self, symbol: str) -> Any:
        if isinstance(self.interest, Exception):
            raise self.interest
        return self.interest


def a_book() -> FactBook:
    book = FactBook((an_instrument(SPOT), an_instrument()))
    book.price(1, 421_000, 7)
    return book


def refresh(book: FactBook, rates: dict[str, Any], interest: Any) -> None:
    asyncio.run(book.refresh(Rest(rates, interest)))  # type: ignore[arg-type]


def test_rates_are_rounded_to_parts_of_1e8() -> None:
    book = a_book()
    refresh(book, {PERPETUAL: -0.000123456789, "X/Y": 0.1}, 12.5)
    assert book.facts() == [MarketFacts(PERPETUAL, 7, 421_000, -12_346, 12.5)]


@pytest.mark.parametrize("rate", [None, "abc", float("nan"), float("inf"), 1.5])
@pytest.mark.parametrize("interest", [None, float("nan"), -1.0, 1e15])
def test_what_is_no_figure_is_none(rate: Any, interest: Any) -> None:
    book = a_book()
    refresh(book, {PERPETUAL: rate}, interest)
    assert book.facts() == [MarketFacts(PERPETUAL, 7, 421_000, None, None)]


def test_what_cannot_be_had_stays_as_it_was_until_it_is_stale(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    book = a_book()
    refresh(book, {PERPETUAL: 0.0001}, 12.5)
    refresh(book, {}, GatewayUnavailable("no"))
    assert book.facts()[0][3:] == (10_000, 12.5)
    later = time.monotonic() + 901
    monkeypatch.setattr("time.monotonic", lambda: later)
    assert book.facts()[0][3:] == (None, None)


def test_spot_is_not_asked_for() -> None:
    book = FactBook((an_instrument(SPOT),))
    asyncio.run(book.refresh(None))  # type: ignore[arg-type]
    assert book.facts() == []
