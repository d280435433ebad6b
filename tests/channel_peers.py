"""Peers of the outgoing channels on loopback: an HTTP server that answers by script, and SMTP.

with HttpPeer() as peer:
    peer.script(Answer(429, b"", {"Retry-After": "7"}), RESET)  # then `peer.usual` again
    ...
    assert peer.asked[0].json()["text"] == "..."
"""

import asyncio
import json
import socket
import ssl
import threading
from collections import deque
from collections.abc import Callable, Coroutine, Mapping
from datetime import timedelta
from email import message_from_bytes
from ipaddress import ip_address
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, NamedTuple, Self, TypeVar

import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from utils.clocks import SystemClock

_T = TypeVar("_T")
_WAIT_SECONDS: Final = 30.0
_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})


class Answer(NamedTuple):
    """What the server does with one request."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = _NOTHING
    fault: str = ""  # "hang": no answer until the peer is closed; "reset": the connection is cut


HANG: Final = Answer(fault="hang")
RESET: Final = Answer(fault="reset")
GARBAGE: Final = Answer(200, b"\x00\xff<html>\x1b[31mno JSON", {"Content-Type": "text/html"})


class Asked(NamedTuple):
    """One request that reached the server."""

    method: str
    path: str  # with its query
    headers: Mapping[str, str]  # names in lower case
    body: bytes

    def json(self) -> Any:
        """Return the body of a JSON request."""
        return json.loads(self.body)

    def parts(self) -> dict[str, bytes]:
        """Return the parts of a multipart/form-data body by their names."""
        head = f"Content-Type: {self.headers['content-type']}\r\n\r\n".encode()
        message = message_from_bytes(head + self.body)
        found: dict[str, bytes] = {}
        for part in message.walk():
            name = part.get_param("name", header="content-disposition")
            payload = part.get_payload(decode=True)
            if isinstance(name, str) and isinstance(payload, bytes):
                found[name] = payload
        return found


class HttpPeer:
    """An HTTP(S) server on a free port of loopback, in a thread of its own; a context manager.

    Attributes:
        asked: every request, in the order of arrival.
        usual: the answer where none is scripted.
    """

    def __init__(self, usual: Answer | None = None, *, context: ssl.SSLContext | None = None):
        self.usual = usual or Answer()
        self.asked: list[Asked] = []
        self._scripted: deque[Answer] = deque()
        self._context = context
        self._news = threading.Condition()
        self._loop = asyncio.new_event_loop()
        self._closing = asyncio.Event()
        self._thread = threading.Thread(target=self._loop.run_forever, name="peer", daemon=True)
        self._runner: web.AppRunner | None = None
        self._port = 0

    def __enter__(self) -> Self:
        self._thread.start()
        self._do(self._open())
        return self

    def __exit__(self, *_: object) -> None:
        self._do(self._shut())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_WAIT_SECONDS)
        self._loop.close()

    @property
    def url(self) -> str:
        scheme = "https" if self._context else "http"
        return f"{scheme}://127.0.0.1:{self._port}"

    def script(self, *answers: Answer) -> None:
        """Answer the next requests so, one each."""
        self._scripted.extend(answers)

    def wait(self, is_there: Callable[[], bool], what: str, timeout: float = _WAIT_SECONDS) -> None:
        """Wait until `is_there()`, looked at after each request.

        Raises:
            AssertionError: not within `timeout` seconds.
        """
        with self._news:
            assert self._news.wait_for(is_there, timeout), f"{what} did not come"

    # --- the server's thread ------------------------------------------------------------------

    async def _open(self) -> None:
        app = web.Application(client_max_size=32 * 1024 * 1024)
        app.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=self._context)
        await site.start()
        self._port = self._runner.addresses[0][1]

    async def _shut(self) -> None:
        self._closing.set()
        if self._runner is not None:
            await self._runner.cleanup()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        headers = {name.lower(): value for name, value in request.headers.items()}
        asked = Asked(request.method, request.path_qs, headers, await request.read())
        with self._news:
            self.asked.append(asked)
            answer = self._chosen(asked)
            self._news.notify_all()
        return await self._done(request, answer)

    def _chosen(self, asked: Asked) -> Answer:
        return self._scripted.popleft() if self._scripted else self.usual

    async def _done(self, request: web.Request, answer: Answer) -> web.StreamResponse:
        if answer.fault == "hang":
            await self._closing.wait()
        if answer.fault and request.transport is not None:
            request.transport.abort()
        return web.Response(status=answer.status, body=answer.body, headers=answer.headers)

    def _do(self, work: Coroutine[Any, Any, _T]) -> _T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(_WAIT_SECONDS)


class RawPeer:
    """Sends `greeting` to whoever connects and says no more; a context manager.

    Args:
        closes: cut the connection after that, instead of leaving it open.
    """

    def __init__(self, greeting: bytes = b"", *, closes: bool = False) -> None:
        self._greeting = greeting
        self._closes = closes
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._talks: list[socket.socket] = []
        self._thread = threading.Thread(target=self._serve, name="raw peer", daemon=True)
        self.port: int = self._listening.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join(_WAIT_SECONDS)
        for talk in self._talks:
            talk.close()

    def _serve(self) -> None:
        while True:
            try:
                talk, _ = self._listening.accept()
                talk.sendall(self._greeting)
            except OSError:  # the end, or somebody who is gone already
                return
            if self._closes:
                talk.close()
            else:
                self._talks.append(talk)


class Authority(NamedTuple):
    """A certificate authority of a test, and a server of it."""

    file: Path  # what SSL_CERT_FILE may name
    server: ssl.SSLContext  # certified for 127.0.0.1


def an_authority(folder: Path, *, days: int = 1) -> Authority:
    """Make an authority and a certificate of 127.0.0.1; with fewer than 0 days it has expired."""
    key, name = ec.generate_private_key(ec.SECP256R1()), _name("authority")
    root = _signed(name, key.public_key(), name, key, 1, x509.BasicConstraints(True, 0))
    own = ec.generate_private_key(ec.SECP256R1())
    address = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    leaf = _signed(_name("peer"), own.public_key(), name, key, days, address)
    file, both = folder / "authority.pem", folder / "server.pem"
    file.write_bytes(root.public_bytes(Encoding.PEM))
    private = own.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    both.write_bytes(private + leaf.public_bytes(Encoding.PEM))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(both)
    return Authority(file, context)


def a_stranger(places: pytest.TempPathFactory) -> Path:
    """Return the file of an authority that certified nobody; made once in a run."""
    file = places.getbasetemp() / "stranger" / "authority.pem"
    return file if file.exists() else an_authority(places.mktemp("stranger", numbered=False)).file


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _signed(
    subject: x509.Name, key: ec.EllipticCurvePublicKey, issuer: x509.Name,
    by: ec.EllipticCurvePrivateKey, days: int, extension: x509.ExtensionType,
) -> x509.Certificate:  # fmt: skip
    now = SystemClock().now()
    builder = (
        x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=10)).not_valid_after(now + timedelta(days=days))
        .add_extension(extension, critical=False)
    )  # fmt: skip
    return builder.sign(by, hashes.SHA256())
