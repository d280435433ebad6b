"""HTTP to the services: verified certificates, no redirects, no answer that fills the memory."""

import json
import os
import ssl
from collections.abc import AsyncIterator
from typing import Any, Final

import certifi
import httpx

from crypto_trader_pro.domain.errors import InputError

MAX_ANSWER: Final = 256 * 1024  # bytes; services answer with less than one


def verified_tls() -> ssl.SSLContext:
    """Return what a server's certificate is held against; takes some 20 ms, of the disk.

    The file or folder of `SSL_CERT_FILE` or `SSL_CERT_DIR`, as OpenSSL has it; else the machine's
    own authorities; where it has none in one file, those of Mozilla's list too.

    Raises:
        InputError: the file or folder cannot be used.
    """
    file, folder = os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR")
    try:
        context = ssl.create_default_context(cafile=file or None, capath=folder or None)
    except OSError:  # ssl.SSLError too: a file without certificates
        name, value = ("SSL_CERT_FILE", file) if file else ("SSL_CERT_DIR", folder)
        raise InputError(f"{name} was {value!r}, allowed: readable certificates (PEM)") from None
    if not file and not folder and not context.get_ca_certs():
        context.load_verify_locations(certifi.where())
    return context


def options(tls: ssl.SSLContext) -> dict[str, Any]:
    """Return the arguments of an `httpx.AsyncClient`; the time limit is the caller's."""
    return {
        "verify": tls, "follow_redirects": False, "timeout": None,
        "headers": {"Accept-Encoding": "identity", "User-Agent": "crypto-trader-pro"},
        "event_hooks": {"response": [_bound]}, "limits": httpx.Limits(max_connections=8),
    }  # fmt: skip


def is_local(host: str) -> bool:
    """True for an address of this machine, where nobody listens in between."""
    return host in ("127.0.0.1", "::1", "localhost")


def json_object(body: bytes) -> dict[str, Any]:
    """Return the JSON object that an answer holds, an empty one where it holds something else."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):  # no JSON, or a hundred thousand brackets
        return {}
    return found if isinstance(found, dict) else {}


async def _bound(response: httpx.Response) -> None:
    if response.headers.get("Content-Encoding", "identity") != "identity":  # it was not asked for
        raise httpx.RemoteProtocolError("compressed", request=response.request)
    response.stream = _Bounded(response)


class _Bounded(httpx.AsyncByteStream):
    """Ends the reading of an answer that does not end."""

    def __init__(self, response: httpx.Response) -> None:
        self._response = response
        self._stream = response.stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        if not isinstance(self._stream, httpx.AsyncByteStream):
            raise httpx.StreamError("no stream")
        async for piece in self._stream:
            size += len(piece)
            if size > MAX_ANSWER:
                raise httpx.RemoteProtocolError("too long", request=self._response.request)
            yield piece

    async def aclose(self) -> None:
        if isinstance(self._stream, httpx.AsyncByteStream):
            await self._stream.aclose()
