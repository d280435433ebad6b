"""What a service's answer, or its silence, means for a message.

Whatever a library raises ends here: its texts may hold the address, and a Discord or Slack address
is itself a secret. What is said instead is made of our own words and the number of the answer.
"""

import asyncio
import math
import socket
import ssl
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable
from datetime import timedelta
from email.utils import parsedate_to_datetime
from typing import Final

import httpx

from utils.channels import Message, NeverDelivered, Undelivered
from utils.channels.formatting import fit, one_line
from utils.redaction import Redactor, clean

LIMIT_SECONDS: Final = 10.0  # for one delivery, whatever hangs
LONGEST_PAUSE: Final = timedelta(hours=1)  # that a service may ask for
_DETAIL: Final = 200  # characters of a service's own words
_LATER: Final = frozenset({302, 303, 307, 408, 425, 429})  # RFC 9110, RFC 6585
_REFUSED: Final = {
    401: "the key or address is not accepted", 403: "not allowed",
    404: "there is nothing at this address", 410: "the address is no longer in use",
}  # fmt: skip
_NETWORK: Final = (httpx.HTTPError, httpx.StreamError, OSError, EOFError)

_REASONS: Final[tuple[tuple[tuple[type[BaseException], ...], str], ...]] = (
    ((socket.gaierror,), "its name is not known"),
    ((ConnectionRefusedError,), "refuses connections"),
    ((ssl.SSLError,), "no encrypted connection came about"),
    ((TimeoutError, httpx.TimeoutException), "no answer in time"),
    ((httpx.RemoteProtocolError,), "the answer is none, or unreadable"),
)

Verdict = Undelivered | NeverDelivered


async def deliver(
    name: str, work: Awaitable[None], *, spared: float = 0.0,
    library: type[Exception] = httpx.HTTPError,
    judge: Callable[[Exception], Verdict | None] = lambda error: None,
) -> None:  # fmt: skip
    """Await `work`, at most `LIMIT_SECONDS`, and let no other error out.

    Args:
        name: of the service, as texts begin with it.
        spared: seconds of the limit that the caller needs afterwards.
        library: what the service's own library raises.
        judge: says what one of these means; None leaves it to the network's part in it.

    Raises:
        Undelivered, NeverDelivered: without the error that they come from: neither text nor
            traceback leads to what a library holds.
    """
    verdict = await _verdict(name, work, LIMIT_SECONDS - spared, library, judge)
    if verdict is not None:
        raise verdict.with_traceback(None)  # outside of any `except`: no error hangs on it


async def _verdict(
    name: str, work: Awaitable[None], seconds: float, library: type[Exception],
    judge: Callable[[Exception], Verdict | None],
) -> Verdict | None:  # fmt: skip
    try:
        async with asyncio.timeout(seconds):
            await work
    except (Undelivered, NeverDelivered) as verdict:
        return verdict
    except (library, *_NETWORK) as error:
        return judge(error) or Undelivered(f"{name}: {reason(error)}")
    except (httpx.InvalidURL, ValueError) as error:  # a text, or an address, without an encoding
        return NeverDelivered(f"{name}: cannot be sent as it is ({type(error).__name__})")
    return None


def reason(error: BaseException) -> str:
    """Return why nothing came back, in words that are ours."""
    chain = list(_chain(error))
    untrusted = next((e for e in chain if isinstance(e, ssl.SSLCertVerificationError)), None)
    if untrusted is not None:
        return f"its certificate is not trusted ({one_line(untrusted.verify_message)})"
    for kinds, words in _REASONS:
        if any(isinstance(link, kinds) for link in chain):
            return words
    return f"the connection broke ({type(error).__name__})"


def answer(
    name: str, status: int, *, retry_after: timedelta | None = None, detail: str = ""
) -> Verdict | None:
    """Return what an HTTP status means; None when the message was taken.

    Permanent redirects are refusals: none is followed, or a message would go to a stranger.
    """
    if 200 <= status < 300:
        return None
    words = "; ".join(filter(None, (_REFUSED.get(status, ""), detail)))
    text = f"{name}: answered {status}" + (f" ({words})" if words else "")
    if status < 200 or status in _LATER or status >= 500:
        return Undelivered(text, retry_after)
    return NeverDelivered(text)


def pause_of(response: httpx.Response) -> timedelta | None:
    """Return the pause of the header Retry-After: seconds, or an instant by the sender's clock."""
    value = response.headers.get("Retry-After", "").strip()
    try:
        return pause(float(value))
    except ValueError:
        pass
    try:
        until = parsedate_to_datetime(value)
        return pause((until - parsedate_to_datetime(response.headers["Date"])).total_seconds())
    except (ValueError, TypeError, KeyError):  # no date, or one without a zone, or no other date
        return None


def pause(seconds: object) -> timedelta | None:
    """Return the pause that a service asked for, None where it is no positive number."""
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        return None
    if not math.isfinite(seconds) or seconds <= 0:
        return None
    return min(timedelta(seconds=min(seconds, 1e6)), LONGEST_PAUSE)


class OwnWords:
    """Shortens what a service says itself, and takes secrets out of it."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self._redactor = Redactor(secrets)

    def __call__(self, words: object) -> str:
        """Return one line; nothing where the service said nothing in words."""
        if not isinstance(words, str):
            return ""
        # cut last: half a secret at the cut would be known to nobody
        return fit(one_line(self._redactor.text(clean(words))), _DETAIL)


class Reached:
    """Remembers which addressees have a message that did not reach all of them.

    A restart forgets it: then some get the message twice rather than one never.
    """

    def __init__(self, capacity: int = 1000) -> None:
        self._capacity = capacity
        self._steps: OrderedDict[str, dict[str, int]] = OrderedDict()

    def steps(self, message: Message, addressee: str) -> int:
        """Return how many parts of `message` an addressee has."""
        return self._steps.get(message.key, {}).get(addressee, 0)

    def has(self, message: Message, addressee: str, steps: int = 1) -> None:
        """Note that an addressee has so many parts."""
        self._steps.setdefault(message.key, {})[addressee] = steps
        while len(self._steps) > self._capacity:
            self._steps.popitem(last=False)

    def forget(self, message: Message) -> None:
        """Note that there is nothing more to do for `message`."""
        self._steps.pop(message.key, None)


def worst(verdicts: Iterable[Verdict]) -> Verdict | None:
    """Return one verdict on several addressees: to be tried again where that helps any of them."""
    found = list(verdicts)
    again = [v for v in found if isinstance(v, Undelivered)]
    if again:
        pauses = [v.retry_after for v in again if v.retry_after is not None]
        return Undelivered(_joined(again), max(pauses, default=None))
    return NeverDelivered(_joined(found)) if found else None


def _joined(verdicts: Iterable[Verdict]) -> str:
    return "; ".join(dict.fromkeys(str(verdict) for verdict in verdicts))


def _chain(error: BaseException | None) -> Iterable[BaseException]:
    seen: list[BaseException] = []
    while error is not None and error not in seen:
        seen.append(error)
        yield error
        if isinstance(error, BaseExceptionGroup):  # of all addresses of a name, each refused
            yield from error.exceptions
        error = error.__cause__ or error.__context__
