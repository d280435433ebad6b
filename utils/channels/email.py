"""Mail over SMTP, with STARTTLS, TLS from the start, or none; text, HTML and pictures in it.

Source: RFC 5321 (answers: 4xx for now, 5xx for good), RFC 5322 (Message-ID), RFC 3834
(Auto-Submitted). A connection is made for each mail: they are rare, and servers end idle ones.
"""

import asyncio
import base64
import ssl
from collections.abc import Iterable
from contextlib import suppress
from email.headerregistry import Address
from email.message import EmailMessage, MIMEPart
from email.policy import SMTP
from email.utils import format_datetime
from typing import Final

import aiosmtplib

from config.notifications import Channel, EmailChannel
from utils.channels import Message, NeverDelivered, Undelivered
from utils.channels.formatting import PRODUCT, Origin, fit, shown
from utils.channels.mail_body import html_of, text_of
from utils.channels.trouble import (
    LIMIT_SECONDS,
    OwnWords,
    Reached,
    Verdict,
    deliver,
    reason,
    worst,
)

SUBJECT: Final = 200
_FAREWELL_SECONDS: Final = 1.0
_NAME: Final = "email"
_POLICY: Final = SMTP.clone(cte_type="7bit")  # no server has to know 8BITMIME


class EmailNotification:
    """One mail for each message, to all recipients.

    Args:
        password: of the account; None where no account is configured.
        secrets: what may not be repeated of an answer.
    """

    name: Final = Channel.EMAIL
    is_display: Final = False

    def __init__(
        self, section: EmailChannel, password: str | None, origin: Origin, tls: ssl.SSLContext,
        secrets: Iterable[str] = (),
    ) -> None:  # fmt: skip
        self._section = section
        self._password = password
        self._origin = origin
        self._tls = tls
        self._reached = Reached()
        self._words = OwnWords(
            [*secrets, *(_forms(section.username, password) if password else ())]
        )

    async def send(self, message: Message) -> None:
        """As `SendingChannel.send`; who has got it already is left out."""
        section = self._section
        todo = [to for to in section.recipients if not self._reached.steps(message, to)]
        client = aiosmtplib.SMTP(
            hostname=section.host, port=section.port, timeout=LIMIT_SECONDS,
            use_tls=section.security == "tls", start_tls=section.security == "starttls",
            tls_context=None if section.security == "none" else self._tls,
            username=section.username or None, password=self._password,
        )  # fmt: skip
        try:
            verdict = await self._transaction(client, message, todo)
            with suppress(aiosmtplib.SMTPException, OSError, TimeoutError):  # it is delivered
                async with asyncio.timeout(_FAREWELL_SECONDS):
                    await client.quit()
        finally:
            client.close()
        if not isinstance(verdict, Undelivered):
            self._reached.forget(message)
        if verdict is not None:
            raise verdict

    async def close(self) -> None:
        """As `SendingChannel.close`: no connection outlives its mail."""

    async def _transaction(
        self, client: aiosmtplib.SMTP, message: Message, todo: list[str]
    ) -> Verdict | None:
        """Hand the mail over; return what those who were refused mean for it."""
        refused: dict[str, aiosmtplib.SMTPResponse] = {}

        async def work() -> None:
            content = mail_of(message, self._section, self._origin).as_bytes(policy=_POLICY)
            await client.connect()
            found, _ = await client.sendmail(str(self._section.sender), todo, content)
            refused.update(found)

        await deliver(
            _NAME, work(), spared=_FAREWELL_SECONDS,
            library=aiosmtplib.SMTPException, judge=self._judgement,
        )  # fmt: skip
        for to in todo:
            if to not in refused:
                self._reached.has(message, to)
        return worst(self._answered(a.code, a.message, to) for to, a in refused.items())

    def _judgement(self, error: Exception) -> Verdict:
        if isinstance(error, aiosmtplib.SMTPRecipientsRefused):
            found = [self._answered(r.code, r.message, r.recipient) for r in error.recipients]
            return worst(found) or NeverDelivered(f"{_NAME}: every recipient was refused")
        if isinstance(error, aiosmtplib.SMTPResponseException):
            whom = "the account" if isinstance(error, aiosmtplib.SMTPAuthenticationError) else ""
            return self._answered(error.code, error.message, whom)
        if isinstance(error, aiosmtplib.SMTPException) and not isinstance(error, OSError):
            # the server lacks what our settings ask of it; mails wait for who puts that right
            return Undelivered(f"{_NAME}: {self._words(error.message) or 'no answer of a server'}")
        return Undelivered(f"{_NAME}: {reason(error)}")

    def _answered(self, code: int, said: str, whom: str = "") -> Verdict:
        words = "; ".join(filter(None, (whom, self._words(said))))
        text = f"{_NAME}: answered {code}" + (f" ({words})" if words else "")
        return NeverDelivered(text) if 500 <= code < 600 else Undelivered(text)


def mail_of(message: Message, section: EmailChannel, origin: Origin) -> EmailMessage:
    """Return the mail of a message: text, and HTML with its pictures."""
    seen = shown(message, origin)
    domain = str(section.sender).rpartition("@")[2]
    names = [(f"{k}.{message.key}@{domain}", i.name) for k, i in enumerate(message.images, 1)]
    mail = EmailMessage(policy=_POLICY)
    mail["Subject"] = fit(seen.subject, SUBJECT)  # one line: it can carry no further header
    mail["From"] = _address(str(section.sender), PRODUCT)
    mail["To"] = [_address(to) for to in section.recipients]
    mail["Date"] = format_datetime(message.at)
    # `at` tells two databases apart that count from 1 and mail to the same person
    mail["Message-ID"] = f"<{message.key}@{domain}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Auto-Response-Suppress"] = "All"
    mail["X-CTP-Type"] = message.kind
    if message.severity == "critical":
        mail["Importance"] = "high"
    mail.set_content(text_of(seen, message.language))
    mail.add_alternative(html_of(seen, message.language, names), subtype="html")
    _attach(mail, message, (cid for cid, _ in names))
    return mail


def _attach(mail: EmailMessage, message: Message, ids: Iterable[str]) -> None:
    html = mail.get_body(("html",))
    for image, cid in zip(message.images, ids, strict=True):
        if isinstance(html, MIMEPart):  # it was added above
            html.add_related(
                image.png, "image", "png", cid=f"<{cid}>", disposition="inline",
                filename=fit(image.name, 60),
            )  # fmt: skip


def _address(mailbox: str, shown_as: str = "") -> Address:
    username, _, domain = mailbox.rpartition("@")
    return Address(shown_as, username, domain)


def _forms(username: str, password: str) -> list[str]:
    """Return the password as it goes over the wire too: a server may quote the command."""
    plain = base64.b64encode(f"\0{username}\0{password}".encode()).decode()
    return [password, plain]
