"""Bodies of requests: so long, within so many seconds, and not a byte more."""

import asyncio
from typing import Final

from starlette.requests import ClientDisconnect, Request

MAX_BODY: Final = 8 * 1024
BODY_SECONDS: Final = 5.0


class BodyRefused(Exception):  # noqa: N818  it carries the answer
    """A body that is too long, too slow, or broken off."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


async def read_bounded(request: Request) -> bytes:
    """Return the body as it came; whatever length a header claims, what counts is what comes.

    Raises:
        BodyRefused: longer than `MAX_BODY`, slower than `BODY_SECONDS`, or broken off.
    """
    claimed = request.headers.get("content-length", "0")
    if not claimed.isdecimal() or int(claimed[:20]) > MAX_BODY:
        raise BodyRefused(413, f"the body is longer than {MAX_BODY} bytes")
    try:
        async with asyncio.timeout(BODY_SECONDS):
            return await _gathered(request)
    except TimeoutError:
        raise BodyRefused(408, f"the body took longer than {BODY_SECONDS:g} s") from None
    except ClientDisconnect:
        raise BodyRefused(400, "the body is not whole") from None


async def _gathered(request: Request) -> bytes:
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > MAX_BODY:
            raise BodyRefused(413, f"the body is longer than {MAX_BODY} bytes")
    return bytes(body)
