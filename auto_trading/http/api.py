"""The JSON API, version 1: it only reads. Numbers are plain strings, times ISO in UTC."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, HTTPException, Query
from fastapi.responses import JSONResponse
from pydantic import AfterValidator, AwareDatetime
from sqlmodel import Session

from auto_trading.http.api_models import Problem, Status, one_of, page_of
from auto_trading.http.bench import Bench
from auto_trading.http.tokens import Tokens
from auto_trading.reach.tools import ReachTools
from auto_trading.status import process_is_gone, status_view
from crypto_trader_pro.domain.errors import InputError, RetryableError
from database.auto_trading_db import unit_of_work
from database.types import MAX_BIG_ID, MAX_ID
from database.views import alerts as alert_views
from database.views.alerts import Alert
from database.views.balance import Balance, balance
from database.views.decisions import DecisionMade, recent_decisions
from database.views.equity import EquityPoint, equity_curve
from database.views.json_values import View, json_value
from database.views.orders import WorkingOrder, working_orders
from database.views.positions import OpenPosition, open_positions
from database.views.runs import RunRef, current_run
from database.views.signals import SignalSaid, recent_signals
from database.views.trades import ClosedTrade, Execution, closed_trades, executions

ASK_SECONDS: Final = 5.0
_AT_ONCE: Final = 8


def _sensible(value: datetime) -> datetime:
    if not 2000 <= value.year <= 9000:
        raise ValueError("a year from 2000 to 9000")
    return value.astimezone(UTC)


Limit = Annotated[int, Query(ge=1, le=500, description="Entries of a page.")]
_MORE: Final = "Continue after the entry with this id."
Before = Annotated[int | None, Query(ge=1, le=MAX_ID, description=_MORE)]
BeforeBig = Annotated[int | None, Query(ge=1, le=MAX_BIG_ID, description=_MORE)]
Symbol = Annotated[str | None, Query(max_length=32, pattern=r"^[A-Z0-9]+/[A-Z0-9:]+$")]
Instant = Annotated[
    AwareDatetime | None, AfterValidator(lambda v: None if v is None else _sensible(v)),
    Query(description="ISO 8601 with its zone, trading time."),
]  # fmt: skip
Ask = Callable[[Session, int], Sequence[View]]


class Api:
    """The routes under `/api/v1`; each asks the database in a thread, for so long."""

    def __init__(self, tools: ReachTools, tokens: Tokens) -> None:
        self._tools = tools
        self._tokens = tokens
        self._bench = Bench("api", _AT_ONCE)

    def router(self) -> APIRouter:
        """Return the routes."""
        router = APIRouter(
            prefix="/api/v1", tags=["reading"], dependencies=[Depends(self._tokens.required)],
            responses={
                400: {"model": Problem}, 401: {"model": Problem}, 429: {"model": Problem},
                503: {"model": Problem},
            },
        )  # fmt: skip
        routes: tuple[tuple[str, Any, Any], ...] = (
            ("status", self.status, Status), ("balance", self.balance, one_of(Balance)),
            ("positions", self.positions, page_of(OpenPosition)),
            ("orders", self.orders, page_of(WorkingOrder)),
            ("executions", self.executions, page_of(Execution)),
            ("trades", self.trades, page_of(ClosedTrade)),
            ("equity", self.equity, page_of(EquityPoint)),
            ("decisions", self.decisions, page_of(DecisionMade)),
            ("signals", self.signals, page_of(SignalSaid)),
            ("alerts", self.alerts, page_of(Alert)),
        )  # fmt: skip
        for name, call, model in routes:
            router.add_api_route(f"/{name}", call, methods=["GET"], response_model=model)
        return router

    async def status(self) -> JSONResponse:
        """What the platform is doing."""
        tools = self._tools
        folder = tools.environment.var_dir
        return JSONResponse(
            await self._answer(lambda: status_view(tools.reader, tools.now(), folder))
        )

    async def balance(self) -> JSONResponse:
        """The account at its newest figure."""

        def read(session: Session, run: RunRef | None) -> dict[str, Any]:
            found = None if run is None else balance(session, run.id, self._tools.now())
            return {"run": _public(run), "item": json_value(found)}

        return JSONResponse(await self._of_run(read))

    async def positions(self) -> JSONResponse:
        """Open positions, oldest first."""
        return await self._page(open_positions)

    async def orders(self) -> JSONResponse:
        """Orders that have not ended, oldest first."""
        return await self._page(working_orders)

    async def executions(
        self, since: Instant = None, until: Instant = None, symbol: Symbol = None,
        limit: Limit = 100, before_id: Before = None,
    ) -> JSONResponse:  # fmt: skip
        """Orders that were executed, newest first."""
        return await self._page(
            lambda s, run: executions(s, run, since, until, symbol, limit, before_id), limit
        )

    async def trades(
        self, since: Instant = None, until: Instant = None, symbol: Symbol = None,
        limit: Limit = 100, before_id: Before = None,
    ) -> JSONResponse:  # fmt: skip
        """Positions that were closed, newest first."""
        return await self._page(
            lambda s, run: closed_trades(s, run, since, until, symbol, limit, before_id), limit
        )

    async def equity(
        self, points: Annotated[int, Query(ge=10, le=2000)] = 500, since: Instant = None
    ) -> JSONResponse:
        """The equity curve, oldest first, thinned to about `points`."""
        return await self._page(lambda s, run: equity_curve(s, run, points, since))

    async def decisions(
        self, limit: Limit = 50, before_id: BeforeBig = None, symbol: Symbol = None,
        outcome: Annotated[str | None, Query(max_length=10, pattern="^[a-z]+$")] = None,
        with_holds: bool = False,
    ) -> JSONResponse:  # fmt: skip
        """What was decided, newest first."""

        def read(session: Session, run: int) -> Sequence[View]:
            return recent_decisions(
                session, run, limit, symbol=symbol, outcome=outcome, with_holds=with_holds,
                before_id=before_id,
            )  # fmt: skip

        return await self._page(read, limit)

    async def signals(
        self, limit: Limit = 50, before_id: BeforeBig = None, with_holds: bool = False
    ) -> JSONResponse:
        """What the strategies said, newest first."""

        def read(session: Session, run: int) -> Sequence[View]:
            return recent_signals(session, run, limit, with_holds=with_holds, before_id=before_id)

        return await self._page(read, limit)

    async def alerts(self, limit: Limit = 50, before_id: Before = None) -> JSONResponse:
        """Alerts that nobody has acknowledged, of any run, newest first."""
        after = None if before_id is None else alert_views.Place(True, before_id)

        def read(session: Session, run: RunRef | None) -> dict[str, Any]:
            found = alert_views.page(session, alert_views.Wanted(), after, limit)
            return {
                "run": _public(run), "items": [row.as_json() for row in found.alerts],
                "next_before_id": None if found.older is None else found.older.id,
            }  # fmt: skip

        return JSONResponse(await self._of_run(read))

    # --- asking -----------------------------------------------------------------------------

    async def _page(self, ask: Ask, limit: int | None = None) -> JSONResponse:
        """Answer with a page of the present run; empty before the first run."""

        def read(session: Session, run: RunRef | None) -> dict[str, Any]:
            found = [] if run is None else ask(session, run.id)
            items = [row.as_json() for row in found]
            is_full = limit is not None and len(items) == limit
            return {
                "run": _public(run), "items": items,
                "next_before_id": items[-1]["id"] if is_full else None,
            }  # fmt: skip

        return JSONResponse(await self._of_run(read))

    async def _of_run(self, read: Callable[[Session, RunRef | None], dict[str, Any]]) -> Any:
        def call() -> dict[str, Any]:
            with unit_of_work(self._tools.reader, "the API") as session:
                return read(session, current_run(session, self._tools.now(), process_is_gone))

        return await self._answer(call)

    async def _answer(self, call: Callable[[], dict[str, Any]]) -> Any:
        try:
            return await self._bench.ask(ASK_SECONDS, call)
        except InputError as e:
            raise HTTPException(400, str(e)) from e
        except RetryableError:
            raise HTTPException(503, "unavailable", {"Retry-After": "5"}) from None


def _public(run: RunRef | None) -> str | None:
    return None if run is None else run.public_id
