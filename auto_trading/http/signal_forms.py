"""The three forms a signal may come in: our JSON, TradingView's template, one line of text."""

import hashlib
import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from auto_trading.http.signal_schema import ACTIONS, SignalBody, read_signal
from auto_trading.http.strict_json import parse_object, shown
from crypto_trader_pro.domain.errors import InputError

JSON_FORM: Final = "json"
TRADINGVIEW: Final = "tradingview"
TEXT: Final = "text"

_KEYS: Final = {  # of the text form, by the field that they are
    "limit": "price", "qty": "quantity", "size": "size_pct", "stop": "stop_pct",
    "target": "target_pct", "valid": "valid_seconds", "id": "alert_id", "time": "timestamp",
}  # fmt: skip
_PERCENT: Final = ("size", "stop", "target")
_TV_NAMES: Final = frozenset({
    "form", "action", "ticker", "close", "contracts", "market_position", "exchange", "interval",
    "order_id", "comment", "order_type", "price", "size_pct", "stop_pct", "target_pct",
    "valid_seconds", "alert_id", "timestamp",
})  # fmt: skip
_TV_TOLD: Final = ("form", "ticker", "close", "contracts", "market_position", "exchange",
                   "interval", "order_id", "comment")  # fmt: skip
_TV_MARKS: Final = frozenset({"form", "ticker", "market_position", "contracts"})
_PLACEHOLDER: Final = re.compile(r"\{\{.*?\}\}")
_FLAT: Final = "flat"
_HOLDS: Final = {"long": "buy", "short": "sell"}


class Read(NamedTuple):
    """A signal as it was read; `alert_id` is the sender's, or one derived from what it sent."""

    form: str
    signal: SignalBody
    alert_id: str


def form_of(text: str) -> str:
    """Return which form a body has, as far as its beginning tells."""
    return JSON_FORM if text.lstrip().startswith(("{", "[", '"')) else TEXT


def read_body(text: str, strategy_id: int) -> Read:
    """Read a body of any of the forms.

    Raises:
        InputError: one line about what cannot be used.
    """
    if form_of(text) == TEXT:
        return _read(TEXT, _of_text(text), text, strategy_id)
    fields = parse_object(text)
    if _TV_MARKS & fields.keys():
        return _read(TRADINGVIEW, _of_tradingview(fields), text, strategy_id)
    return _read(JSON_FORM, fields, text, strategy_id)


def _read(form: str, fields: Mapping[str, Any], text: str, strategy_id: int) -> Read:
    signal = read_signal(fields)
    return Read(form, signal, signal.alert_id or _derived(text, strategy_id))


def _derived(text: str, strategy_id: int) -> str:
    """Return an alert id for a body without one: copies of it are recognised.

    The time that it was sent at is part of every body, so a new alert has a new id.
    """
    named = f"{strategy_id}\n{text}"
    return f"auto-{hashlib.sha256(named.encode('utf-8', 'surrogatepass')).hexdigest()[:40]}"


def _of_text(text: str) -> dict[str, Any]:
    """Read `ACTION [SYMBOL] [NAME=VALUE ...]`, parted by blanks."""
    words = text.split()
    if not words or words[0].lower() not in ACTIONS:
        said = words[0] if words else text
        raise InputError(f"the first word was {shown(said)}, allowed: {', '.join(ACTIONS)}")
    fields: dict[str, Any] = {"action": words[0].lower()}
    rest = words[1:]
    if rest and "=" not in rest[0]:
        fields["symbol"] = rest.pop(0)
    for word in rest:
        name, is_pair, value = word.partition("=")
        key = name.lower()
        if not is_pair or key not in _KEYS:
            allowed = ", ".join(f"{known}=" for known in _KEYS)
            raise InputError(f"word was {shown(word)}, allowed: {allowed}")
        if _KEYS[key] in fields:
            raise InputError(f"{key}= is there twice, allowed: each once")
        fields[_KEYS[key]] = value.removesuffix("%") if key in _PERCENT else value
        if key == "limit":
            fields["order_type"] = "limit"
    return fields


def _of_tradingview(given: Mapping[str, Any]) -> dict[str, Any]:
    """Turn TradingView's template, its placeholders filled in, into our fields."""
    for name, value in given.items():
        if name not in _TV_NAMES:
            allowed = ", ".join(sorted(_TV_NAMES))
            raise InputError(f"field was {shown(name)}, allowed: {allowed}")
        if isinstance(value, str) and _PLACEHOLDER.search(value):
            raise InputError(f"{name} was {shown(value)}: TradingView has not filled it in")
    if given.get("form", TRADINGVIEW) != TRADINGVIEW:
        raise InputError(f"form was {shown(given['form'])}, allowed: {TRADINGVIEW}")
    fields = {name: value for name, value in given.items() if name not in _TV_TOLD}
    # a strategy may leave a field of the template empty
    fields = {name: value for name, value in fields.items() if value != ""}
    fields["action"] = _action(given)
    if "ticker" in given:
        fields["symbol"] = given["ticker"]
    if fields["action"] not in ("buy", "sell"):  # the template is one for entries and exits
        for name in ("order_type", "price", "size_pct", "stop_pct", "target_pct", "valid_seconds"):
            fields.pop(name, None)
    elif given.get("contracts", "") != "":
        fields["quantity"] = given["contracts"]
    return fields


def _action(given: Mapping[str, Any]) -> Any:
    """Return what an order of a TradingView strategy means: into a position, or out of it."""
    action, position = given.get("action"), given.get("market_position", "")
    if position not in ("", _FLAT, *_HOLDS):
        raise InputError(f"market_position was {shown(position)}, allowed: long, short, flat")
    if not isinstance(action, str):
        return action
    action = action.lower()
    if position == "" or action not in ("buy", "sell"):
        return action
    if position == _FLAT:
        return "close"
    if _HOLDS[position] != action:
        raise InputError(
            f"action was {action} and the position stays {position}: a part of a position cannot"
            " be closed, allowed: close all of it"
        )
    return action
