"""What is decided about a signal before anything is stored: who sent it, what it says, how old."""

import hmac
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from starlette.datastructures import Headers

from auto_trading.http.addresses import is_within
from auto_trading.http.signal_forms import Read, read_body
from auto_trading.http.strict_json import shown
from crypto_trader_pro.domain.errors import InputError
from database.models import StrategyRow
from database.strategies import number, signing_secret
from database.webhooks import Arrival
from utils.signal_messages import signature_of

SIGNED_AT: Final = "x-ctp-timestamp"
SIGNATURE: Final = "x-ctp-signature"
TYPES: Final = ("application/json", "text/plain")
_STAMP: Final = re.compile(r"\d{1,11}", re.ASCII)
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


class UnauthorizedError(InputError):
    """The signature is missing or wrong."""


class ElsewhereError(InputError):
    """It comes from an address that the strategy does not allow; the sender is not told."""


class WrongTypeError(InputError):
    """A content type or encoding that is not taken."""


@dataclass(frozen=True, slots=True)
class Incoming:
    """One request, as it came."""

    headers: Headers
    body: bytes
    remote: str
    at: datetime
    hidden: Callable[[bytes], bytes] = bytes  # takes keys and secrets out of a body


@dataclass(frozen=True, slots=True)
class Rules:
    """What holds for every strategy now.

    Args:
        symbols: all configured ones.
        master: CTP_WEBHOOK_HMAC_SECRET; None where it is not set.
    """

    symbols: Sequence[str]
    max_age: timedelta
    master: str | None


@dataclass(frozen=True, slots=True)
class Judged:
    """A request of a known strategy: its signal, or why there is none.

    Args:
        payload: of the command; None where it is refused.
        refusal: why it is refused; its class says how to answer.
    """

    strategy: StrategyRow
    arrival: Arrival
    payload: dict[str, Any] | None
    refusal: InputError | None


def judge(strategy: StrategyRow, incoming: Incoming, rules: Rules) -> Judged:
    """Decide about a request; never raises for what somebody sent."""
    read: Read | None = None
    payload: dict[str, Any] | None = None
    refusal: InputError | None = None
    body = incoming.hidden(incoming.body)  # the signature is that of what came
    try:
        _check_address(strategy, incoming.remote)
        _check_signature(strategy, incoming, rules)
        _check_type(incoming.headers)
        read = read_body(_text(body), number(strategy))
        signal = read.signal.checked(_symbols(strategy, rules.symbols))
        signal.check_age(incoming.at, rules.max_age)
        payload = signal.payload(strategy.name, read.alert_id)
    except InputError as e:
        refusal = e
    arrival = Arrival(
        strategy_id=number(strategy), strategy=strategy.name, received_at=incoming.at,
        remote=incoming.remote, form="" if read is None else read.form,
        alert_id="" if read is None else read.alert_id, body=_printable(body),
    )  # fmt: skip
    return Judged(strategy, arrival, payload, refusal)


def _check_address(strategy: StrategyRow, remote: str) -> None:
    if strategy.allowed_ips and not is_within(remote, strategy.allowed_ips):
        raise ElsewhereError(f"address was {remote}, allowed: {', '.join(strategy.allowed_ips)}")


def _check_signature(strategy: StrategyRow, incoming: Incoming, rules: Rules) -> None:
    """A signature that is there must be right, also where none is required."""
    given = incoming.headers.get(SIGNATURE)
    if given is None:
        if strategy.hmac_required:
            raise UnauthorizedError("X-CTP-Signature is missing, and this strategy requires it")
        return
    if rules.master is None:
        raise UnauthorizedError(
            "the signature cannot be checked: CTP_WEBHOOK_HMAC_SECRET is not set"
        )
    stamp = incoming.headers.get(SIGNED_AT, "")
    if not _STAMP.fullmatch(stamp):
        raise UnauthorizedError(f"X-CTP-Timestamp was {shown(stamp)}, allowed: unix seconds")
    age = incoming.at - datetime.fromtimestamp(int(stamp), UTC)
    if abs(age) > rules.max_age:
        raise UnauthorizedError(f"the signature is {int(age.total_seconds())} s old")
    wanted = signature_of(signing_secret(rules.master, strategy), stamp, incoming.body)
    if not hmac.compare_digest(wanted.encode(), given.encode("utf-8", "surrogateescape")):
        raise UnauthorizedError("X-CTP-Signature is wrong")


def _check_type(headers: Headers) -> None:
    encoding = headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("", "identity"):  # nothing is unpacked, so nothing can swell
        raise WrongTypeError(f"content-encoding was {shown(encoding)}, allowed: identity")
    kind = headers.get("content-type", TYPES[1]).partition(";")[0].strip().lower()
    if kind not in TYPES:
        raise WrongTypeError(f"content-type was {shown(kind)}, allowed: {', '.join(TYPES)}")


def _text(body: bytes) -> str:
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as e:
        raise InputError(f"the body is no UTF-8 at byte {e.start}") from e
    found = _CONTROL.search(text)
    if found:
        raise InputError(f"the body has the control character {shown(found.group())}")
    if not text.strip():
        raise InputError("the body is empty, allowed: a signal")
    return text


def _printable(body: bytes) -> str:
    """Return a body for the journal: what is no text becomes \\xNN."""
    text = body.decode("utf-8", "backslashreplace")
    return _CONTROL.sub(lambda found: f"\\x{ord(found.group()):02x}", text)


def _symbols(strategy: StrategyRow, all_symbols: Sequence[str]) -> list[str]:
    own = strategy.symbols
    return [symbol for symbol in all_symbols if not own or symbol in own]
