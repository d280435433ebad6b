"""What a body should become, said a second time in another way: the oracle of the webhook fuzz.

Shares no code with the product: regular expressions over the text of numbers, the standard JSON
reader with every hook off the beaten path, and plain conditions.
"""

import json
import re
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any

SYMBOLS = ("BTC/USDT", "ETH/USDT")
MAX_AGE = 60
_TICKERS = {
    form.format(base=base): f"{base}/USDT"
    for base in ("BTC", "ETH")
    for form in (
        "{base}/USDT", "{base}USDT", "{base}-USDT", "{base}_USDT", "{base}USDT.P", "{base}USDTPERP",
        "{base}-USDT-SWAP", "{base}_USDT_PERP", "{base}/USDT:USDT", "{base}USDT-PERP",
        "{base}-USDT-PERP",
    )
}  # fmt: skip
_DIGITS = re.compile(r"(-?)([0-9]{1,20})(\.([0-9]{1,18}))?")
_LIMITS = {"price": 10**12, "quantity": 10**12, "size_pct": 100, "stop_pct": 99, "target_pct": 1000}
_ALL = {
    "action", "symbol", "order_type", "price", "quantity", "size_pct", "stop_pct", "target_pct",
    "valid_seconds", "alert_id", "timestamp",
}  # fmt: skip
_TV_SILENT = {
    "form", "ticker", "close", "contracts", "market_position", "exchange", "interval", "order_id",
    "comment",
}  # fmt: skip


class No(Exception):  # noqa: N818
    """The body is no valid signal."""


class Number(str):
    """The text of a JSON number."""


def expected(body: bytes, at: datetime) -> dict[str, Any] | None:
    """Return the payload without its alert id if a body is a valid signal, else None."""
    try:
        return _expected(body, at)
    except No:
        return None


def _need(condition: object) -> None:
    if not condition:
        raise No


def _expected(body: bytes, at: datetime) -> dict[str, Any]:
    _need(len(body) <= 8192)
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        raise No from None
    text = text[1:] if text.startswith("\ufeff") else text
    _need(not any((ord(c) < 32 and c not in "\t\n\r") or ord(c) == 127 for c in text))
    _need(text.strip())
    fields = _json(text) if text.lstrip()[0] in '{["' else _line(text)
    return _payload(fields, at)


def _json(text: str) -> dict[str, Any]:
    def pairs(found: list[tuple[str, Any]]) -> dict[str, Any]:
        _need(len({name for name, _ in found}) == len(found))
        return dict(found)

    def number(written: str) -> Number:
        _need(_DIGITS.fullmatch(written))
        return Number(written)

    try:
        value = json.loads(
            text, object_pairs_hook=pairs, parse_int=number, parse_float=number,
            parse_constant=number,
        )  # fmt: skip
    except (ValueError, RecursionError):
        raise No from None
    _need(isinstance(value, dict))
    if {"form", "ticker", "market_position", "contracts"} & set(value):
        return _tradingview(value)
    return dict(value)


def _tradingview(given: dict[str, Any]) -> dict[str, Any]:
    _need(set(given) <= (_ALL - {"symbol", "quantity"}) | _TV_SILENT)
    _need(given.get("form", "tradingview") == "tradingview")
    for value in given.values():
        _need(not (type(value) is str and re.search(r"\{\{.*?\}\}", value)))
    action, position = given.get("action"), given.get("market_position", "")
    _need(isinstance(action, str) and type(action) is str)
    action = str(action).lower()
    _need(type(position) is str and position in ("", "long", "short", "flat"))
    if position and action in ("buy", "sell"):
        if position == "flat":
            action = "close"
        else:
            _need((position, action) in (("long", "buy"), ("short", "sell")))
    fields = {n: v for n, v in given.items() if n not in _TV_SILENT and not _is_empty(v)}
    fields["action"] = action
    if "ticker" in given:
        fields["symbol"] = given["ticker"]
    opens = action in ("buy", "sell")
    if not opens:
        for name in (*_LIMITS, "order_type", "valid_seconds"):
            fields.pop(name, None)
    elif "contracts" in given and not _is_empty(given["contracts"]):
        fields["quantity"] = given["contracts"]
    return fields


def _is_empty(value: Any) -> bool:
    return type(value) is str and value == ""


def _line(text: str) -> dict[str, Any]:
    words = text.split()
    fields: dict[str, Any] = {"action": words.pop(0).lower()}
    names = {
        "limit": "price", "qty": "quantity", "size": "size_pct", "stop": "stop_pct",
        "target": "target_pct", "valid": "valid_seconds", "id": "alert_id", "time": "timestamp",
    }  # fmt: skip
    if words and "=" not in words[0]:
        fields["symbol"] = words.pop(0)
    for word in words:
        _need("=" in word)
        name, value = word.split("=", 1)
        name = name.lower()
        _need(name in names and names[name] not in fields)
        if name in ("size", "stop", "target") and value.endswith("%"):
            value = value[:-1]
        fields[names[name]] = value
        if name == "limit":
            fields["order_type"] = "limit"
    return fields


def _payload(fields: dict[str, Any], at: datetime) -> dict[str, Any]:
    _need(set(fields) <= _ALL)
    fields = {name: value for name, value in fields.items() if value is not None or name in (
        "action", "order_type", "timestamp")}  # fmt: skip
    action = fields.get("action")
    _need(type(action) is str and action in ("buy", "sell", "close", "close_all", "cancel"))
    _check_time(fields.get("timestamp"), at)
    payload: dict[str, Any] = {"action": action}
    if "alert_id" in fields:
        _check_alert_id(fields["alert_id"])
    if "symbol" in fields:
        payload["symbol"] = _symbol(fields["symbol"])
    else:
        _need(action in ("close_all", "cancel"))
    if action not in ("buy", "sell"):
        _need(not set(fields) & {*_LIMITS, "order_type", "valid_seconds"})
        return payload
    kind = fields.get("order_type", "market")
    _need(type(kind) is str and kind in ("market", "limit"))
    _need(("price" in fields) == (kind == "limit"))
    payload["order_type"] = kind
    for name, most in _LIMITS.items():
        if name in fields:
            payload[name] = _amount(fields[name], most)
    if "valid_seconds" in fields:
        _need(kind == "limit")
        payload["valid_seconds"] = _whole(fields["valid_seconds"])
    return payload


def _amount(value: Any, most: int) -> str:
    _need(isinstance(value, str))
    found = _DIGITS.fullmatch(value)
    _need(found)
    number = Fraction(str(value))
    _need(0 < number <= most and (number * 10**12).denominator == 1)
    whole, _, places = str(value).partition(".")
    places = places.rstrip("0")
    return (whole.lstrip("0") or "0") + (f".{places}" if places else "")


def _whole(value: Any) -> int:
    if isinstance(value, Number):
        _need(Fraction(str(value)).denominator == 1)
        number = int(Fraction(str(value)))
    else:
        _need(isinstance(value, str) and re.fullmatch("[1-9][0-9]{0,6}", value))
        number = int(value)
    _need(1 <= number <= 2_592_000)
    return number


def _check_alert_id(value: Any) -> None:
    if isinstance(value, Number):
        return  # its digits are visible and few
    _need(isinstance(value, str) and 1 <= len(value) <= 64)
    _need(all(33 <= ord(c) <= 126 for c in value))


def _symbol(value: Any) -> str:
    _need(type(value) is str and 1 <= len(value) <= 48)
    name = value.strip().upper()
    named = re.fullmatch("[A-Z0-9_]+:(.*)", name)
    if named and name not in _TICKERS and "/" not in name.split(":")[0]:
        name = named.group(1)
    _need(name in _TICKERS)
    return _TICKERS[name]


def _check_time(value: Any, at: datetime) -> None:
    if type(value) is str and re.fullmatch(
        r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?"
        r"(Z|[+-][0-9]{2}:[0-9]{2})", value,
    ):  # fmt: skip
        try:
            then = datetime.fromisoformat(value).astimezone(UTC)
        except (ValueError, OverflowError):
            raise No from None
    else:
        _need(isinstance(value, str) and _DIGITS.fullmatch(value))
        number = Fraction(str(value))
        number = number / 1000 if number >= 10**11 else number
        _need(0 <= number <= 253_402_300_799)
        seconds = number.numerator // number.denominator
        rest = (number - seconds) * 1_000_000
        then = datetime.fromtimestamp(seconds, UTC)
        then += timedelta(microseconds=rest.numerator // rest.denominator)
    _need(timedelta(seconds=-5) <= at - then <= timedelta(seconds=MAX_AGE))
