"""Sessions for tests of what comes from outside: pauses, gradual closes, signals of a webhook.

10,000 USDT; one lot at 100 is 100 USDT, so an entry of a tenth is 10 lots. No slippage, taker
0.1 %, maker 0.05 %.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Engine as Database
from sqlalchemy import text

from auto_trading.operations import Answer
from crypto_trader_pro.domain.enums import CommandKind, EmergencyTrigger, OrderRole
from crypto_trader_pro.domain.messages import MarketSlice
from crypto_trader_pro.explain.answers import answer_text
from crypto_trader_pro.risk.config import RiskLimits
from database.auto_trading_db import open_database, prepare
from tests.builders import USDT, a_round_instrument, finished
from tests.engines import WIDE, Plan, Script, wish
from tests.sessions import Life, a_life, closed, repeated, tick
from utils.texts import Language, catalogue

BTC, ETH = "BTC/USDT:USDT", "ETH/USDT:USDT"
BTC_SPOT = "BTC/USDT"
TENTH: Final = WIDE._replace(size_rate=10_000_000)


@contextmanager
def a_database(folder: Path) -> Iterator[Database]:
    made = open_database(f"sqlite:///{folder / 'database.db'}", durable=False)
    prepare(made)
    yield made
    made.dispose()


def a_session(
    database: Database, limits: RiskLimits = TENTH, *, symbols: tuple[str, ...] = (BTC, ETH),
    buys: bool = False, stop: int = 20, starts: bool = True, least: str = "5",
    flatten_on: tuple[EmergencyTrigger, ...] = (EmergencyTrigger.MANUAL_STOP,), **options: Any,
) -> Life:  # fmt: skip
    """Return a session with two closed candles at 100.

    Args:
        least: the venue's smallest order, USDT.
        buys: its script buys the first symbol at the close of candle 1: 10 lots fill in candle 2.
    """
    says = {(symbols[0], 1): wish(1, stop=stop), (symbols[-1], 5): wish(1, stop=stop)}
    items = tuple(
        replace(a_round_instrument(symbol), min_notional=Decimal(least)) for symbol in symbols
    )
    plan = Plan([Script(says)] if buys else [], items, limits, cash=10_000 * USDT,
                flatten_on=flatten_on)  # fmt: skip
    life = a_life(plan, database, **options)
    if starts:
        life.ask(CommandKind.START)
    life.take(*(closed(k, *(100 for _ in symbols)) for k in (0, 1)))
    return life


def with_a_long(database: Database, limits: RiskLimits = TENTH, **options: Any) -> Life:
    """Return a session that bought 10 lots of its first symbol at 100 in candle 2."""
    life = a_session(database, limits, buys=True, **options)
    at(life, 2, 5, 100)
    assert life.lots[0] == 10
    return life


def at(life: Life, k: int, second: int, price: int) -> None:
    """Let every symbol trade at `price` in a second of candle `k`."""
    life.take(tick(k, second, *(price for _ in life.lots)))


def close(life: Life, k: int, price: int, **more: Any) -> None:
    """Let candle `k` of every symbol close, flat at `price`."""
    life.take(closed(k, *(price for _ in life.lots), **more))


def rows(life: Life, query: str) -> list[tuple[Any, ...]]:
    with life.database.connect() as c:
        return [tuple(row) for row in c.execute(text(query), {"run": life.run_id})]


def orders(life: Life, role: OrderRole) -> list[tuple[Any, ...]]:
    query = "SELECT symbol, status, reason FROM orders WHERE run_id = :run AND role = '{}'"
    return rows(life, query.format(role.value))


def code(answer: Answer) -> str:
    return str(answer.data["code"])


def the_books_agree(life: Life) -> None:
    """Compare our books with the venue's; no order may close more than is held."""
    finished(life.session.engine.compare_books())
    held = {p.symbol: abs(p.lots) for p in life.parts.positions.positions}
    leaving = dict.fromkeys(held, 0)
    for order in life.parts.executor.orders.values():
        if order.role in (OrderRole.EXIT, OrderRole.FLATTEN):
            leaving[order.symbol] += order.open_lots
    for symbol, lots in leaving.items():
        assert lots <= held[symbol]


def it_repeats(life: Life) -> None:
    """Play the record once more: the same to the last unit."""
    outcome = life.outcome()
    assert repeated(life).outcome() == outcome


def signal(life: Life, action: str = "buy", symbol: str | None = BTC, **more: Any) -> Answer:
    """Let an outside strategy, alice if no other is named, wish something; check the answer."""
    strategy = more.pop("strategy", "alice")
    payload = {"strategy": strategy, "action": action, "symbol": symbol, **more}
    answer = life.ask(CommandKind.SIGNAL, payload)
    the_books_agree(life)
    for language in Language:  # every answer has its words
        said = answer_text(answer.data, language)
        assert code(answer) in catalogue(language)
        assert "{" not in said
        assert str(answer.data["code"]) not in said
    return answer


def decided_outside(life: Life) -> list[tuple[Any, ...]]:
    """Return what was decided about outside wishes, times in ms after the second candle."""
    return rows(
        life, "SELECT at_ms - 1704067320000, symbol, outcome, first_refusal, lots, strategy"
        " FROM decisions WHERE run_id = :run AND strategy LIKE 'webhook:%' ORDER BY id",
    )  # fmt: skip


def no_candle(life: Life) -> MarketSlice:
    """Return the third candle, which came for no symbol."""
    return closed(2, *(None for _ in life.lots))
