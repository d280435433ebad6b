"""Mail, against a real SMTP server on loopback."""

import asyncio
from email.message import EmailMessage
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, Final, Literal

import pytest

from config.notifications import Channel
from tests.channel_peers import Authority, a_stranger, an_authority
from tests.channels import AT, PASSWORD, PNG, a_message, closing, images, one
from tests.mail_peer import Mail, MailPeer
from utils.channels import Message, NeverDelivered, Undelivered, email
from utils.texts import Language

Security = Literal["starttls", "tls", "none"]
EMAIL: Final = Channel.EMAIL
TWO: Final[dict[str, Any]] = {"channels__email__recipients": ["a@example.com", "b@example.com"]}


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return an_authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(autouse=True)
def few_authorities(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Trust one stranger only: to load all that a machine trusts takes 20 ms each time."""
    monkeypatch.setenv("SSL_CERT_FILE", str(a_stranger(tmp_path_factory)))


def send(peer: MailPeer, *messages: Message, **settings: Any) -> None:
    asyncio.run(closing(one(EMAIL, str(peer.port), **settings), *messages))


def mailed(message: Message, **settings: Any) -> Mail:
    with MailPeer(password=PASSWORD) as peer:
        send(peer, message, **settings)
        (mail,) = peer.mails
    return mail


# --- the way ----------------------------------------------------------------------------------


@pytest.mark.parametrize("security", ["starttls", "tls", "none"])
def test_the_way_is_encrypted_as_configured_and_signed_in(
    security: Security, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    with MailPeer(security=security, tls=authority.server, password=PASSWORD) as peer:
        send(peer, a_message(), channels__email__security=security)
        (mail,) = peer.mails
    assert mail.was_encrypted is (security != "none")
    assert mail.was_signed_in


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_certificate_of_unknown_authority_is_not_accepted(
    security: Security, authority: Authority
) -> None:
    with MailPeer(security=security, tls=authority.server, password=PASSWORD) as peer:
        with pytest.raises(Undelivered, match=r"^email: its certificate is not trusted"):
            send(peer, a_message(), channels__email__security=security)
        assert peer.mails == []


def test_a_certificate_that_has_expired_is_not_accepted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expired = an_authority(tmp_path, days=-1)
    monkeypatch.setenv("SSL_CERT_FILE", str(expired.file))
    with (
        MailPeer(security="tls", tls=expired.server, password=PASSWORD) as peer,
        pytest.raises(Undelivered, match=r"not trusted.*expired"),
    ):
        send(peer, a_message(), channels__email__security="tls")


def test_a_server_without_starttls_gets_no_password_and_no_mail() -> None:
    with MailPeer(password=PASSWORD) as peer:
        with pytest.raises(Undelivered, match="STARTTLS"):
            send(peer, a_message(), channels__email__security="starttls")
        assert peer.mails == []


def test_without_an_account_nobody_signs_in() -> None:
    with MailPeer() as peer:
        send(peer, a_message(), channels__email__username="")
        assert [mail.was_signed_in for mail in peer.mails] == [False]


# --- answers ----------------------------------------------------------------------------------


def test_a_wrong_password_never_delivers() -> None:
    with MailPeer(password="another") as peer:  # noqa: S106
        with pytest.raises(NeverDelivered, match=r"^email: answered 535 .the account; 5.7.8 not"):
            send(peer, a_message())
        assert peer.mails == []


def test_a_sign_in_that_is_busy_is_tried_again() -> None:
    with MailPeer(password="another") as peer:  # noqa: S106
        peer.on_auth = "454 4.7.0 later"
        with pytest.raises(Undelivered, match="answered 454"):
            send(peer, a_message())


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [("550 5.1.1 no such user", NeverDelivered), ("450 4.2.0 greylisted", Undelivered)],
)
def test_a_refused_recipient(answer: str, verdict: type[Exception]) -> None:
    with MailPeer(password=PASSWORD) as peer:
        peer.refused["a@example.com"] = answer
        with pytest.raises(verdict, match=f"a@example.com; {answer[4:]}"):
            send(peer, a_message())
        assert peer.mails == []


@pytest.mark.parametrize(
    ("answer", "verdict"), [("554 spam", NeverDelivered), ("452 full", Undelivered)]
)
def test_a_refused_mail(answer: str, verdict: type[Exception]) -> None:
    with MailPeer(password=PASSWORD) as peer:
        peer.after_data = answer
        with pytest.raises(verdict, match=f"^email: answered {answer[:3]}"):
            send(peer, a_message())


def test_who_has_a_mail_does_not_get_it_again() -> None:
    async def scenario(peer: MailPeer) -> None:
        channel = one(EMAIL, str(peer.port), **TWO)
        with pytest.raises(Undelivered, match=r"b@example\.com"):
            await channel.send(a_message())
        await channel.send(a_message())
        await channel.send(a_message(number=13))
        await channel.close()

    with MailPeer(password=PASSWORD) as peer:
        peer.refused["b@example.com"] = "450 4.2.0 greylisted"
        peer.refused = _Once(peer.refused)
        asyncio.run(scenario(peer))
        both = ("a@example.com", "b@example.com")
        assert [mail.recipients for mail in peer.mails] == [both[:1], both[1:], both]


class _Once(dict[str, str]):
    """Refuses each recipient once."""

    def __contains__(self, key: object) -> bool:
        return super().__contains__(key)

    def __getitem__(self, key: str) -> str:
        return self.pop(key)


def test_a_server_that_hangs_up_badly_has_the_mail_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(email, "_FAREWELL_SECONDS", 0.1)
    with MailPeer(password=PASSWORD) as peer:
        peer.quits = "hang"
        send(peer, a_message())
        assert len(peer.mails) == 1


# --- the mail ---------------------------------------------------------------------------------


def test_the_heads_of_a_mail() -> None:
    message = mailed(a_message(severity="critical"), **TWO).message
    assert message["Subject"] == "[critical] Trade executed"
    assert message["From"] == "Crypto Trader Pro <bot@example.com>"
    assert message["To"] == "a@example.com, b@example.com"
    assert parsedate_to_datetime(message["Date"]) == AT
    assert message["Message-ID"] == "<ctp-12-20261121215243000000@example.com>"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Importance"] == "high"
    assert message["X-CTP-Type"] == "TRADE_EXECUTED"


@pytest.mark.parametrize(
    "title",
    ["x\r\nBcc: thief@example.com", "x\nBcc: thief@example.com\n\nbody", "x\rBcc: t@example.com",
     "x\u2028Bcc: t@example.com", "x\x00\x0b\x0cBcc: t@example.com", "제목\r\n Bcc: t@example.com"],
)  # fmt: skip
def test_no_title_adds_a_head(title: str) -> None:
    mail = mailed(a_message(title=title))
    assert mail.message["Bcc"] is None
    assert mail.recipients == ("a@example.com",)
    assert "Bcc: t" in mail.message["Subject"]  # it is still read, as part of the title


def test_a_long_korean_subject_arrives_and_lines_are_short() -> None:
    mail = mailed(a_message("체결되었습니다. " * 300, title="체결 " * 90, language=Language.KOREAN))
    subject = str(mail.message["Subject"])
    assert subject.startswith("[안내] 체결 체결")
    assert subject.endswith("…")
    assert len(subject) <= 200
    assert max(map(len, mail.raw.split(b"\r\n"))) <= 998  # RFC 5322, 2.1.1
    assert mail.raw.isascii()
    assert ("체결되었습니다. " * 300).strip() in mail.body("plain")


def test_text_and_html_say_the_same() -> None:
    mail = mailed(
        a_message(
            "가격 < 60,000 & <b>굵게</b>\n  둘째 줄", title="제목 <i>", language=Language.KOREAN
        )
    )
    plain, html = mail.body("plain"), mail.body("html")
    assert "가격 < 60,000 & <b>굵게</b>\n  둘째 줄" in plain
    assert "가격 &lt; 60,000 &amp; &lt;b&gt;굵게&lt;/b&gt;<br>\n&nbsp;&nbsp;둘째 줄" in html
    for said in ("모의 매매: 가상 자금", "2026-11-22 06:52:43 KST", "안내"):
        assert said in plain
        assert said in html
    assert '<html lang="ko">' in html
    assert "제목 &lt;i&gt;</h1>" in html
    assert "http" not in html  # nothing is loaded from anywhere
    assert "$" not in html


def test_pictures_are_in_the_mail_and_shown_in_its_text() -> None:
    mail = mailed(a_message(images=images(2)))
    html = mail.message.get_body(("html",))
    related = [part for part in mail.message.walk() if part.get_content_type() == "image/png"]
    assert [part.get_content() for part in related] == [PNG + b"\x00", PNG + b"\x01"]
    assert isinstance(html, EmailMessage)
    for part in related:
        cid = str(part["Content-ID"]).strip("<>")
        assert f'src="cid:{cid}"' in html.get_content()
        assert part.get_content_disposition() == "inline"
    assert mail.message.get_content_type() == "multipart/alternative"
