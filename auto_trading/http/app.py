"""The application: its routes behind the gate, and what runs beside them."""

from collections.abc import Mapping
from typing import Any, Final, TypeAlias

from fastapi import APIRouter, Depends, FastAPI, Request, Response
from fastapi.responses import JSONResponse
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from starlette.types import ASGIApp

from auto_trading.http.api import Api
from auto_trading.http.bench import Bench
from auto_trading.http.events import Events
from auto_trading.http.gate import Gate
from auto_trading.http.health import Health, HealthCheck, http_status, public
from auto_trading.http.metric_reader import MetricReader
from auto_trading.http.metrics import Collector, Exposition, Here
from auto_trading.http.readiness import Ready, ReadyCheck
from auto_trading.http.tokens import Tokens, bearer
from auto_trading.http.webhook_routes import Webhooks
from auto_trading.reach.tools import ReachTools
from crypto_trader_pro.domain.errors import RetryableError
from database import runs

_Responses: TypeAlias = dict[int | str, dict[str, Any]]
_SCRAPE_SECONDS: Final = 4.0
_CLOSE_SECONDS: Final = 1.0
_DESCRIPTION: Final = (
    "Signals in, health, metrics, and a JSON API that only reads. Nothing here acts by itself: a"
    " signal becomes a wish that the engine decides about."
)


class Application:
    """Everything that the server serves."""

    def __init__(self, tools: ReachTools) -> None:
        self._tools = tools
        self.tokens = Tokens(tools)
        self.health_check = HealthCheck(tools)
        self._ready = ReadyCheck(tools)
        self._scrape = Bench("metrics", 1)
        self.webhooks = Webhooks(tools)
        here = Here(self.webhooks.tally.counts, self._queues)
        self._exposition = Exposition(Collector(MetricReader(tools.reader), tools.now, here))
        # no pages of documentation: they would load scripts of strangers
        app = FastAPI(
            title="Crypto Trader Pro", version=runs.installed_version(), description=_DESCRIPTION,
            docs_url=None, redoc_url=None, openapi_url="/openapi.json",
        )  # fmt: skip
        app.include_router(self.webhooks.router())
        app.include_router(self._operation())
        app.include_router(Api(tools, self.tokens).router())
        app.include_router(Events(tools, self.tokens).router())
        self.asgi: ASGIApp = Gate(app)

    def start(self) -> None:
        """Start what stores signals."""
        self.webhooks.writer.start()

    def close(self) -> None:
        """Store what was taken and end."""
        self.webhooks.writer.close(_CLOSE_SECONDS)

    def _queues(self) -> Mapping[str, int]:
        return {"webhooks": self.webhooks.writer.waiting}

    def _operation(self) -> APIRouter:
        router = APIRouter(tags=["operation"])
        down: _Responses = {
            503: {"model": Health, "description": "The engine hangs, has failed or is gone."}
        }
        router.add_api_route(
            "/health", self.health, methods=["GET"], response_model=Health, responses=down
        )
        not_ready: _Responses = {
            503: {"model": Ready, "description": "Something required is missing."}
        }
        router.add_api_route(
            "/ready", self.ready, methods=["GET"], response_model=Ready, responses=not_ready
        )
        router.add_api_route(
            "/metrics", self.metrics, methods=["GET"], response_class=Response,
            dependencies=[Depends(self.tokens.required_from_outside)],
            responses={
                200: {"content": {"text/plain": {"schema": {"type": "string"}}}},
                401: {"description": "Not on loopback, and no token."},
                503: {"description": "The metrics of the last scrape are still being read."},
            },
        )  # fmt: skip
        return router

    async def health(self, request: Request) -> JSONResponse:
        """Whether this process and the engine live; within five seconds whatever hangs."""
        found = await self.health_check.look()
        status = http_status(found)
        if not await self._may_see(request):
            return JSONResponse(dict(public(found)), status)
        return JSONResponse(found.model_dump(mode="json"), status)

    async def ready(self, request: Request) -> JSONResponse:
        """What trading needs, each with whether it is there."""
        found = await self._ready.look()
        status = 200 if found.ready else 503
        if not await self._may_see(request):
            return JSONResponse({"ready": found.ready}, status)
        return JSONResponse(found.model_dump(mode="json"), status)

    async def metrics(self) -> Response:
        """Figures for Prometheus."""
        try:
            text = await self._scrape.ask(_SCRAPE_SECONDS, self._exposition.text)
        except RetryableError as e:
            return Response(f"{e}\n", 503, media_type="text/plain")
        return Response(text, media_type=CONTENT_TYPE_LATEST)

    async def _may_see(self, request: Request) -> bool:
        """True for details: on loopback for everybody, else with a token."""
        if self._tools.settings().reach.is_local:
            return True
        token = bearer(request.headers)
        try:
            return token is not None and await self.tokens.holds(token)
        except RetryableError:
            return False
