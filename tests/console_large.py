"""The large data set: twenty runs, the newest with a year of trading on ten symbols."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

import numpy as np
from sqlalchemy import Engine as Database
from sqlmodel import Session

from config.loading import load
from crypto_trader_pro.domain.timeframes import to_datetime, to_ms
from crypto_trader_pro.simulation.instruments import instrument
from database import rollups, runs
from database.auto_trading_db import unit_of_work
from database.candles import CANDLE_COLUMNS
from database.statements import Grid
from tests import console_years
from tests.console_bulk import Bulk, bulk
from tests.console_history import History
from tests.console_lease import add_jobs
from tests.console_market import FIVE_MINUTES, Market, market
from tests.console_models import model_id
from tests.console_plan import STILL_OPEN

BASES: Final = ("BTC", "ETH", "SOL", "XRP", "BNB", "ADA", "DOGE", "LTC", "AVAX", "LINK")
SYMBOLS: Final = tuple(f"{base}/USDT:USDT" for base in BASES)
RUNS: Final = 20
_OLDER_SHARE: Final = 0.01  # of decisions and trades that belong to the nineteen older runs
_ROLLED: Final = 50_000  # decisions of a transaction: nobody else writes
_PAUSE_MS: Final = 36 * 3_600_000  # so that no two runs share a trading day


@dataclass(frozen=True, slots=True)
class Sizes:
    """How many rows of each kind; `trades` are executed orders."""

    logs: int = 1_000_000
    trades: int = 100_000
    decisions: int = 1_000_000
    candles: int = 500_000

    def scaled(self, share: float) -> "Sizes":
        return Sizes(
            *(round(n * share) for n in (self.logs, self.trades, self.decisions, self.candles))
        )


@dataclass(frozen=True, slots=True)
class Large:
    """What was stored: the newest run, its market's ends, and the account at its end."""

    run_id: int
    first: datetime
    ends: datetime
    positions: int
    open_positions: int

    @classmethod
    def write(cls, database: Database, sizes: Sizes, seed: int, now: datetime) -> "Large":
        """Write all of it in one transaction, then what is small through the product's own code."""
        return _Writing(database, sizes, seed, now).write()


class _Writing:
    def __init__(self, database: Database, sizes: Sizes, seed: int, now: datetime) -> None:
        self._database, self._sizes, self._now = database, sizes, now
        self._rng = np.random.default_rng(seed)
        self._settings = load(
            overrides={"symbols": list(SYMBOLS), "engine.max_concurrent_positions": 10}, environ={}
        )
        self._end_ms = to_ms(now) // FIVE_MINUTES * FIVE_MINUTES
        self._replays: set[int] = set()
        self._played: list[History] = []
        self._model = model_id(0)

    def write(self) -> Large:
        sizes = self._sizes
        older = max(2 * RUNS, int(sizes.decisions * _OLDER_SHARE) // RUNS)
        decisions = (sizes.decisions - older * (RUNS - 1)) // len(SYMBOLS)
        trades = max(2, int(sizes.trades * _OLDER_SHARE) // RUNS) // 2 * 2
        run_ids, firsts = self._runs(older, decisions)
        with bulk(self._database) as to:
            for run_id, first_ms in zip(run_ids[:-1], firsts, strict=False):
                self._older(to, run_id, first_ms, older, trades // 2)
            newest = self._newest(to, run_ids[-1], firsts[-1], decisions, trades)
            console_years.add_logs(
                to, sizes.logs, run_ids[-1], self._now, self._rng, list(SYMBOLS)
            )  # fmt: skip
        book = newest.book
        for history in self._played:
            if history.run_id not in self._replays:
                console_years.add_days(self._database, history, "paper-exchange", self._now)
        console_years.add_rest(self._database, self._settings, newest, self._now, self._rng)
        add_jobs(self._database, self._now)
        for run_id in run_ids:
            rollups.catch_up(
                self._database, run_id, lambda: False, limit=_ROLLED, whole=run_id != run_ids[-1]
            )
        return Large(
            run_ids[-1], to_datetime(newest.market.first_ms), to_datetime(self._end_ms),
            book.closed + book.open_count, book.open_count,
        )  # fmt: skip

    def _runs(self, older: int, decisions: int) -> tuple[list[int], list[int]]:
        """Store the runs, the oldest first; return their numbers and where their markets begin."""
        spans = [older * FIVE_MINUTES] * (RUNS - 1) + [decisions * FIVE_MINUTES]
        firsts, at_ms = [], self._end_ms
        for span in reversed(spans):
            at_ms -= span
            firsts.append(at_ms)
            at_ms -= _PAUSE_MS
        firsts.reverse()
        with unit_of_work(self._database) as session:
            made = [
                self._run(session, place, first, span)
                for place, (first, span) in enumerate(zip(firsts, spans, strict=True))
            ]
        return made, firsts

    def _run(self, session: Session, place: int, first_ms: int, span: int) -> int:
        is_newest, settings = place == RUNS - 1, self._settings
        kind = "paper" if is_newest or place % 4 else "replay"
        symbols = list(SYMBOLS) if is_newest else [SYMBOLS[place % len(SYMBOLS)]]
        began = to_datetime(first_ms)
        run_id = runs.create(
            session, kind=kind, source="replay" if kind == "replay" else "exchange",
            timeframe="5m", symbols=symbols, strategies=["ema_cross", "ai_signal"],
            inputs={"venue": "binance", "opening_cash": 0, "carried": None},
            config_hash=settings.hash(), config=settings.canonical_json(), now=began,
        )  # fmt: skip
        if kind == "replay":
            self._replays.add(run_id)
        if not is_newest:
            ended = to_datetime(first_ms + span)
            runs.finish(session, run_id, "finished", None, ended)
        return run_id

    def _older(self, to: Bulk, run_id: int, first_ms: int, count: int, positions: int) -> None:
        own = market([instrument(SYMBOLS[(run_id - 1) % len(SYMBOLS)])], first_ms, count, self._rng)
        history = self._history(to, run_id, own, positions, still_open=0)
        history.play()
        self._played.append(history)

    def _newest(
        self, to: Bulk, run_id: int, first_ms: int, count: int, older_trades: int
    ) -> History:
        items = [instrument(symbol) for symbol in SYMBOLS]
        whole = market(items, first_ms, count, self._rng)
        trades = self._sizes.trades - older_trades * (RUNS - 1)
        positions = (trades + STILL_OPEN) // 2
        history = self._history(to, run_id, whole, positions, still_open=STILL_OPEN)
        history.play()
        self._played.append(history)
        self._candles(to, whole)
        return history

    def _history(
        self, to: Bulk, run_id: int, own: Market, positions: int, *, still_open: int
    ) -> History:
        return History(
            run_id, own, positions, self._rng, to, self._settings.hash(), self._model, still_open
        )

    def _candles(self, to: Bulk, whole: Market) -> None:
        """Store the newest candles of each symbol, as a venue's."""
        share = min(len(whole), self._sizes.candles // len(SYMBOLS))
        for i, grid in enumerate(map(Grid, whole.instruments)):
            columns = [
                a[-share:, i].tolist() for a in (whole.open, whole.high, whole.low, whole.close)
            ]
            volume = whole.volume[-share:, i].tolist()
            first = whole.first_ms + (len(whole) - share) * FIVE_MINUTES
            symbol, price = SYMBOLS[i], grid.price
            rows = (
                ("binance", symbol, "5m", "exchange", to.values.time(first + n * FIVE_MINUTES),
                 price(o), price(h), price(low), price(c), grid.quantity(lots))
                for n, (o, h, low, c, lots) in enumerate(zip(*columns, volume, strict=True))
            )  # fmt: skip
            to.add("market_data", CANDLE_COLUMNS, rows)
