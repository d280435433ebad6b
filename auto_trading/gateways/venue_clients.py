"""The library's clients of the three venues: made cheap to load, hard to break, easy to redirect.

Importing the library takes seconds of CPU, so it is imported by the thread that first needs a
client, never by importing this module.
"""

import logging
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Collection, Mapping
from functools import cache
from threading import Thread
from typing import Any, Final
from urllib.parse import urlsplit

from crypto_trader_pro.domain.enums import MarketKind
from crypto_trader_pro.domain.errors import InputError

VENUES: Final = ("binance", "bybit", "okx")

# what each venue calls the two kinds when its markets are loaded
_TYPES: Final = {
    "binance": {MarketKind.SPOT: "spot", MarketKind.LINEAR: "linear"},
    "bybit": {MarketKind.SPOT: "spot", MarketKind.LINEAR: "linear"},
    "okx": {MarketKind.SPOT: "spot", MarketKind.LINEAR: "swap"},
}
_EXIT_MS: Final = 50  # for TLS connections to say goodbye
_TIME: Final = {
    "binance": "https://api.binance.com/api/v3/time",
    "bybit": "https://api.bybit.com/v5/market/time",
    "okx": "https://www.okx.com/api/v5/public/time",
}


class Tap:
    """What a client tells about everything that reaches it. Called on the client's loop."""

    def before_request(self) -> None:
        """Raise to keep a request from being sent."""

    def response(self, status: int, headers: Mapping[str, str]) -> None:
        """Take note of the answer to a request, before it is judged."""

    def took(self, seconds: float) -> None:
        """Take note of how long a request took, whether it was answered or not."""

    def message(self, message: Any) -> None:
        """Take a decoded message of a stream."""

    def garbage(self, error: Exception) -> None:
        """Take note of a message that could not be read."""

    def dropped(self, reason: str) -> None:
        """Take note that a connection of a stream has ended."""


class VenueClients:
    """Makes clients of the public interfaces.

    Args:
        base_url: where to reach every venue instead of its own hosts, such as a recording proxy or
            a local server: `https://api.binance.com/api/v3` becomes
            `{base_url}/api.binance.com/api/v3`, for REST and for streams.
        timeout_seconds: the longest that one request may take.

    Raises:
        InputError: a venue that is not one of `VENUES`.
    """

    def __init__(self, base_url: str | None = None, *, timeout_seconds: float = 10.0) -> None:
        self._base_url = base_url
        self._timeout_ms = int(timeout_seconds * 1000)

    def client(self, venue: str, kinds: Collection[MarketKind], tap: Tap) -> Any:
        """Return a new client; the caller closes it on the loop that it was used on.

        It loads only the markets of `kinds`, with one request for each, and nothing private.
        """
        _known(venue)
        types = [_TYPES[venue][kind] for kind in MarketKind if kind in kinds]
        client = _guarded(venue)(
            {
                "enableRateLimit": True,
                "timeout": self._timeout_ms,
                "maxRetriesOnFailure": 0,
                "timeout_on_exit": _EXIT_MS,
                "options": {
                    "fetchMarkets": {"types": types},
                    "fetchCurrencies": False,
                    "fetchMargins": False,
                },
            }
        )
        client.has["fetchCurrencies"] = False
        client.tap = tap
        if self._base_url is not None:
            client.urls["api"] = _redirected(client.urls["api"], self._base_url)
        return client

    def time_url(self, venue: str) -> str:
        """Return the address of the cheapest public call of `venue`."""
        _known(venue)
        url = _TIME[venue]
        return url if self._base_url is None else _moved(url, self._base_url)


def probe(venue: str, seconds: float, clients: VenueClients | None = None) -> str:
    """Return "" if `venue` answers a public call within `seconds`, else one line why not.

    Does not load the exchange library, so that a machine without a network learns it at once.
    """
    url = (clients or VenueClients()).time_url(venue)
    found: list[str] = []
    # a name that does not resolve may block far longer than any timeout of a socket
    thread = Thread(target=lambda: found.append(_asked(url, seconds)), daemon=True)
    thread.start()
    thread.join(seconds)
    why = found[0] if found else f"no answer within {seconds:g} s"
    return f"{venue}: {why}" if why else ""


def _asked(url: str, seconds: float) -> str:
    try:
        with urllib.request.urlopen(url, timeout=seconds) as answer:  # noqa: S310  our own table
            answer.read(1)
    except urllib.error.HTTPError as error:
        error.close()
        return f"answered {error.code} {error.reason}"
    except OSError as error:  # URLError and timeouts are OSErrors
        return str(getattr(error, "reason", error)) or type(error).__name__
    return ""


def _known(venue: str) -> None:
    if venue not in VENUES:
        raise InputError(f"venue was {venue!r}, allowed: {', '.join(VENUES)}")


def _moved(url: str, base_url: str) -> str:
    parts = urlsplit(url)
    scheme, _, rest = base_url.partition("://")
    if parts.scheme in ("ws", "wss"):
        scheme = scheme.replace("http", "ws")
    host = parts.netloc.partition(":")[0]
    return f"{scheme}://{rest}/{host}{parts.path}"


def _redirected(urls: Any, base_url: str) -> Any:
    """Redirect every address in a tree, so that nothing can leak to the real hosts."""
    if isinstance(urls, Mapping):
        return {name: _redirected(part, base_url) for name, part in urls.items()}
    return _moved(urls, base_url)


@cache
def _guarded(venue: str) -> Callable[..., Any]:
    """Return the library's class of `venue` with a tap on everything that comes in.

    The library ends its receive loop in silence when one message cannot be parsed: the stream then
    looks alive and says nothing. Here such a message is counted, and the loop goes on.
    """
    import ccxt.pro  # type: ignore[import-untyped]  # noqa: PLC0415  takes seconds

    logging.getLogger("ccxt").setLevel(logging.WARNING)  # at DEBUG it formats every answer
    plain: Any = getattr(ccxt.pro, venue)

    class Guarded(plain):  # type: ignore[misc]
        tap: Tap

        def client(self, url: str) -> Any:
            stream = super().client(url)
            if "handle_message" not in vars(stream):
                stream.handle_message = _surviving(stream.handle_message, self.tap)
            return stream

        def handle_message(self, client: Any, message: Any) -> None:
            super().handle_message(client, message)
            self.tap.message(message)

        def on_error(self, client: Any, error: Any) -> None:
            super().on_error(client, error)
            self.tap.dropped(one_line(error))

        def on_close(self, client: Any, error: Any) -> None:
            super().on_close(client, error)
            self.tap.dropped(f"the venue closed the stream ({error})")

        async def fetch(self, *args: Any, **options: Any) -> Any:
            self.tap.before_request()  # again: it may have waited its turn for long
            began = time.monotonic()
            try:
                answer = await super().fetch(*args, **options)
            finally:
                self.tap.took(time.monotonic() - began)
            if not isinstance(answer, dict | list):  # the parsers make an empty market of a page
                raise ccxt.pro.ExchangeNotAvailable("the answer was no JSON")
            return answer

        def on_rest_response(
            self, code: int, reason: str, url: str, method: str, headers: Any, body: str,
            *request: Any,
        ) -> Any:  # fmt: skip
            self.tap.response(code, headers)
            return super().on_rest_response(code, reason, url, method, headers, body, *request)

    return Guarded


def _surviving(handle: Callable[[Any], None], tap: Tap) -> Callable[[Any], None]:
    def handle_message(message: Any) -> None:
        try:
            handle(message)
        except Exception as error:  # noqa: BLE001  whatever the parsers of the library raise
            tap.garbage(error)

    return handle_message


def one_line(error: object) -> str:
    """Return an error's text on one line, short enough for a log."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 160 else f"{text[:157]}..."
