"""An SMTP server on loopback (aiosmtpd), with STARTTLS or TLS, sign-in, and answers by script.

with MailPeer(tls=peer_tls(folder), security="starttls", password="...") as peer:
    peer.refused["b@example.com"] = "550 5.1.1 no such user"
    ...
    assert peer.mails[0].message["Subject"] == "..."
"""

import asyncio
import ssl
import threading
from collections.abc import Coroutine
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any, Final, Literal, NamedTuple, Self

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

ACCOUNT: Final = "trader"
_WAIT_SECONDS: Final = 30.0


class Mail(NamedTuple):
    """One mail that the server has taken."""

    sender: str
    recipients: tuple[str, ...]
    raw: bytes
    was_encrypted: bool
    was_signed_in: bool

    @property
    def message(self) -> EmailMessage:
        return message_from_bytes(self.raw, policy=default)

    def body(self, kind: Literal["plain", "html"]) -> str:
        """Return the text of the plain or of the HTML part."""
        part = self.message.get_body((kind,))
        assert part is not None
        content = part.get_content()
        assert isinstance(content, str)
        return content.replace("\r\n", "\n")


class MailPeer:
    """A context manager.

    Attributes:
        mails: what was taken, in order.
        refused: answer to RCPT, by recipient.
        after_data: answer to the mail itself, instead of taking it; "hang" is none at all.
        quits: how it ends the talk; "hang" is not at all.
    """

    def __init__(
        self, *, security: Literal["starttls", "tls", "none"] = "none",
        tls: ssl.SSLContext | None = None, password: str | None = None,
    ) -> None:  # fmt: skip
        self.mails: list[Mail] = []
        self.refused: dict[str, str] = {}
        self.after_data = ""
        self.quits = ""
        self.on_auth = "535 5.7.8 not that password"
        self._password = password
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="mail", daemon=True)
        self._released = asyncio.Event()
        self._tls = tls if security == "tls" else None
        self._options: dict[str, Any] = {
            "hostname": "peer", "tls_context": tls if security == "starttls" else None,
            "require_starttls": security == "starttls",
            "auth_require_tls": security == "starttls", "authenticator": self._sign_in,
        }  # fmt: skip
        self._server: asyncio.Server | None = None
        self.port = 0

    def __enter__(self) -> Self:
        self._thread.start()
        self._do(self._begin())
        return self

    def __exit__(self, *_: object) -> None:
        self._do(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_WAIT_SECONDS)
        self._loop.close()

    async def _begin(self) -> None:
        self._server = await self._loop.create_server(
            lambda: SMTP(self, loop=self._loop, **self._options), "127.0.0.1", 0, ssl=self._tls
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def _end(self) -> None:
        self._released.set()
        if self._server is not None:
            self._server.close()
        own = asyncio.current_task()
        others = [task for task in asyncio.all_tasks() if task is not own]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(_WAIT_SECONDS)

    # --- what aiosmtpd asks -------------------------------------------------------------------

    def _sign_in(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, auth: Any
    ) -> AuthResult:
        given = auth.password if isinstance(auth, LoginPassword) else b""
        if given == (self._password or "").encode():
            return AuthResult(success=True)
        return AuthResult(success=False, handled=False, message=self.on_auth)

    async def handle_MAIL(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        # aiosmtpd's own `auth_required` warns of tests that do without encryption
        if self._password is not None and not session.authenticated:
            return "530 5.7.0 sign in first"
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 OK"

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address in self.refused:
            return self.refused[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        if self.after_data == "hang":
            await self._released.wait()
        if self.after_data:
            return self.after_data
        content = envelope.content
        assert isinstance(content, bytes)
        transport = server.transport
        is_encrypted = session.ssl is not None or (
            transport is not None and transport.get_extra_info("sslcontext") is not None
        )
        to = tuple(envelope.rcpt_tos)
        signed_in = bool(session.authenticated)
        self.mails.append(Mail(str(envelope.mail_from), to, content, is_encrypted, signed_in))
        return "250 OK"

    async def handle_QUIT(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        if self.quits == "hang":
            await self._released.wait()
        return "221 Bye"
