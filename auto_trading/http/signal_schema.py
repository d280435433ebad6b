"""A signal from outside: its fields, their bounds, and what each action needs."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, Final, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

from auto_trading.http.strict_json import plain_number, shown
from auto_trading.http.symbols import configured
from crypto_trader_pro.domain.errors import InputError
from crypto_trader_pro.domain.instruments import plain_text

ACTIONS: Final = ("buy", "sell", "close", "close_all", "cancel")
FUTURE: Final = timedelta(seconds=5)  # that a sender's clock may be ahead
_OPENING: Final = ("buy", "sell")
_ONLY_OPENING: Final = (
    "order_type", "price", "quantity", "size_pct", "stop_pct", "target_pct", "valid_seconds",
)  # fmt: skip
_PLACES: Final = 12
_MOST: Final = 10**12
_LONGEST_SECONDS: Final = 30 * 86_400
_MILLISECONDS: Final = 10**11  # a unix time above it is in ms
_LATEST: Final = 253_402_300_799  # end of the year 9999
_ALERT_ID: Final = re.compile(r"[\x21-\x7e]{1,64}")
_ISO: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?(?:Z|[+-]\d\d:\d\d)")


def _number(most: int) -> Any:
    allowed = f"a number above 0 and at most {most}, with up to {_PLACES} decimals"

    def read(value: Any) -> Decimal:
        try:
            number = plain_number(value) if isinstance(value, str) else value
        except InputError:
            number = None
        if not isinstance(number, Decimal) or not 0 < number <= most:
            raise PydanticCustomError("number", "{allowed}", {"allowed": allowed})
        if number != number.quantize(Decimal(1).scaleb(-_PLACES)):
            raise PydanticCustomError("number", "{allowed}", {"allowed": allowed})
        return number

    described = {"exclusiveMinimum": 0, "maximum": most}
    forms = {"anyOf": [{"type": "number", **described}, {"type": "string", "format": "decimal"}]}
    return Annotated[Decimal, BeforeValidator(read), WithJsonSchema(forms)]


def _seconds(value: Any) -> int:
    text = plain_text(value) if isinstance(value, Decimal) else value
    if not isinstance(text, str) or not re.fullmatch(r"[1-9]\d{0,6}", text, re.ASCII):
        number = 0
    else:
        number = int(text)
    if not 1 <= number <= _LONGEST_SECONDS:
        allowed = f"whole seconds from 1 to {_LONGEST_SECONDS}"
        raise PydanticCustomError("seconds", "{allowed}", {"allowed": allowed})
    return number


def _alert_id(value: Any) -> str:
    text = plain_text(value) if isinstance(value, Decimal) else value
    if not isinstance(text, str) or not _ALERT_ID.fullmatch(text):
        allowed = "1 to 64 visible ASCII characters without blanks"
        raise PydanticCustomError("alert_id", "{allowed}", {"allowed": allowed})
    return text


def instant(value: Any) -> datetime:
    """Return a time given as ISO 8601 with its zone, or as unix seconds or milliseconds.

    Raises:
        PydanticCustomError: anything else.
    """
    try:
        if isinstance(value, str) and _ISO.fullmatch(value):
            return datetime.fromisoformat(value).astimezone(UTC)
        number = plain_number(value) if isinstance(value, str) else value
        if isinstance(number, Decimal):
            seconds = number / 1000 if number >= _MILLISECONDS else number
            if 0 <= seconds <= _LATEST:
                return datetime.fromtimestamp(int(seconds), UTC) + timedelta(
                    microseconds=int(seconds % 1 * 1_000_000)
                )
    except (ValueError, OverflowError, InputError):
        pass
    allowed = "a time as 2026-01-31T09:30:00Z, or unix seconds or milliseconds"
    raise PydanticCustomError("time", "{allowed}", {"allowed": allowed})


_Seconds = Annotated[
    int, BeforeValidator(_seconds),
    WithJsonSchema({"type": "integer", "minimum": 1, "maximum": _LONGEST_SECONDS}),
]  # fmt: skip
_AlertId = Annotated[
    str, BeforeValidator(_alert_id),
    WithJsonSchema({"type": "string", "minLength": 1, "maxLength": 64}),
]  # fmt: skip
_Instant = Annotated[
    datetime, BeforeValidator(instant),
    WithJsonSchema({"anyOf": [{"type": "string", "format": "date-time"}, {"type": "number"}]}),
]  # fmt: skip


class SignalBody(BaseModel):
    """The JSON body of a webhook. Numbers may also be texts; percent are as people write them."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    action: Literal["buy", "sell", "close", "close_all", "cancel"] = Field(
        description="What is wished; the engine decides."
    )
    symbol: Annotated[str, Field(min_length=1, max_length=48)] | None = Field(
        default=None,
        description="As BTC/USDT or BTCUSDT; close_all and cancel mean all symbols without it.",
    )
    order_type: Literal["market", "limit"] = Field(default="market", description="How to enter.")
    price: _number(_MOST) | None = Field(  # type: ignore[valid-type]
        default=None, description="Limit price, quote per base."
    )
    quantity: _number(_MOST) | None = Field(  # type: ignore[valid-type]
        default=None, description="The most that is wished, base."
    )
    size_pct: _number(100) | None = Field(  # type: ignore[valid-type]
        default=None, description="The most that is wished, percent of the strategy's capital."
    )
    stop_pct: _number(99) | None = Field(  # type: ignore[valid-type]
        default=None, description="Distance of the stop from the entry, percent."
    )
    target_pct: _number(1000) | None = Field(  # type: ignore[valid-type]
        default=None, description="Distance of the target from the entry, percent."
    )
    valid_seconds: _Seconds | None = Field(
        default=None, description="How long a limit order may wait."
    )
    alert_id: _AlertId | None = Field(
        default=None, description="Unique per strategy; a copy is not taken twice."
    )
    timestamp: _Instant = Field(
        description="When it was sent: ISO 8601 with a zone, or unix seconds or milliseconds."
    )

    def checked(self, symbols: Sequence[str]) -> "SignalBody":
        """Return the signal with the configured name of its symbol.

        Raises:
            InputError: something is missing or does not go together.
        """
        given = self.model_fields_set
        if self.action not in _OPENING:
            for name in _ONLY_OPENING:
                if name in given and getattr(self, name) is not None:
                    told = shown(getattr(self, name))
                    raise InputError(f"{name} was {told}, allowed: only with action buy or sell")
        if self.order_type == "limit" and self.price is None:
            raise InputError("price is missing, allowed: a number above 0 for a limit order")
        if self.order_type == "market" and self.price is not None:
            raise InputError(f"price was {self.price}, allowed: only with order_type limit")
        if self.valid_seconds is not None and self.order_type == "market":
            raise InputError(f"valid_seconds was {self.valid_seconds}, allowed: only with a limit")
        if self.symbol is None:
            if self.action in (*_OPENING, "close"):
                raise InputError(f"symbol is missing, allowed: {', '.join(symbols)}")
            return self
        return self.model_copy(update={"symbol": configured(self.symbol, symbols)})

    def check_age(self, now: datetime, max_age: timedelta) -> None:
        """Refuse what is too old, or from a clock that is ahead.

        Raises:
            InputError: one of both.
        """
        age = now - self.timestamp
        if not -FUTURE <= age <= max_age:
            seconds = round(age.total_seconds(), 1)
            allowed = f"-{FUTURE.seconds} to {max_age.seconds}"
            raise InputError(f"timestamp is {seconds} s old, allowed: {allowed} s")

    def payload(self, strategy: str, alert_id: str) -> dict[str, Any]:
        """Return the payload of the command of kind SIGNAL; Decimals are plain strings."""
        fields: dict[str, Any] = {"strategy": strategy, "action": self.action}
        if self.symbol is not None:
            fields["symbol"] = self.symbol
        if self.action in _OPENING:
            fields["order_type"] = self.order_type
            for name in ("price", "quantity", "size_pct", "stop_pct", "target_pct"):
                value = getattr(self, name)
                if value is not None:
                    fields[name] = plain_text(value)
            if self.valid_seconds is not None:
                fields["valid_seconds"] = self.valid_seconds
        return {**fields, "alert_id": alert_id}


def read_signal(fields: Mapping[str, Any]) -> SignalBody:
    """Return the signal that these fields are.

    Raises:
        InputError: one line about the first field that cannot be used.
    """
    try:
        return SignalBody.model_validate(dict(fields))
    except ValidationError as e:
        raise InputError(_line(e, fields)) from e


def _line(error: ValidationError, fields: Mapping[str, Any]) -> str:
    first = error.errors(include_url=False)[0]
    name = str(first["loc"][0]) if first["loc"] else "body"
    value = fields.get(name)
    match first["type"]:
        case "missing":
            return f"{name} is missing"
        case "extra_forbidden":
            return f"field was {shown(name)}, allowed: {', '.join(SignalBody.model_fields)}"
        case "literal_error":
            allowed = str(first["ctx"]["expected"]).replace("'", "")
        case "number" | "seconds" | "alert_id" | "time":
            allowed = str(first["ctx"]["allowed"])
        case _:
            allowed = "a text of 1 to 48 characters" if name == "symbol" else first["msg"]
    return f"{name} was {shown(value)}, allowed: {allowed}"
