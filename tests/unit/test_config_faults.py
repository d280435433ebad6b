"""How a fault is written."""

import os
import unicodedata
from decimal import Decimal
from typing import Any

import pytest

from config import Fault, FaultCode, SettingsError
from config.catalogue import allowed_text, keys, nearest_key
from config.documents import exact_number
from config.faults import Unusable, dotted, printable, shown
from crypto_trader_pro.domain.errors import ConfigError, InputError


def a_fault(key: str = "a.b", code: FaultCode = FaultCode.VALUE) -> Fault:
    return Fault("f.json", key, code, "7", "1 to 5")


@pytest.mark.parametrize(
    ("code", "line"),
    [
        (FaultCode.VALUE, "f.json: a.b was 7, allowed: 1 to 5"),
        (FaultCode.CONTRADICTION, "f.json: a.b was 7, allowed: 1 to 5"),
        (FaultCode.UNKNOWN, "f.json: a.b is not a known key, was 7, allowed: 1 to 5"),
        (FaultCode.MISSING, "f.json: a.b is missing, allowed: 1 to 5"),
        (FaultCode.TWICE, "f.json: a.b is there twice, was 7, allowed: 1 to 5"),
        (FaultCode.MISPLACED, "f.json: a.b is in the wrong file, was 7, allowed: 1 to 5"),
        (FaultCode.TWO_FILES, "f.json: a.b is in two files, was 7, allowed: 1 to 5"),
        (FaultCode.UNREADABLE, "f.json: a.b 7, allowed: 1 to 5"),
    ],
)
def test_a_fault_is_one_line(code: FaultCode, line: str) -> None:
    assert a_fault(code=code).line == line


def test_a_long_key_is_cut() -> None:
    assert a_fault("k" * 500).line == f"f.json: {'k' * 80}... was 7, allowed: 1 to 5"


def test_an_error_has_each_line_once_and_is_a_config_error() -> None:
    error = SettingsError([a_fault(), a_fault("c"), a_fault()])
    assert error.lines == [a_fault().line, a_fault("c").line]
    assert len(error.faults) == 2
    assert str(error) == "\n".join(error.lines)
    assert isinstance(error, ConfigError)
    assert isinstance(error, InputError)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a", '"a"'),
        ("", '""'),
        (None, "null"),
        (True, "true"),
        (5, "5"),
        (Decimal("1.50"), "1.50"),
        (Unusable("NaN"), "NaN"),
        ({"api_secret": "x"}, "an object of 1"),
        (["x"], "a list of 1"),
        (1.5, "1.5 (float)"),
        ("x" * 100, '"' + "x" * 79 + "... (102 long)"),
    ],
)
def test_a_value_is_short_and_shows_no_content_of_objects(value: Any, text: str) -> None:
    assert shown(value, "some.key") == text


@pytest.mark.parametrize(
    "key",
    ["api_key", "exchange.apiKey", "API_SECRET", "smtp.password", "bot_token", "database_url"],
)
def test_a_value_under_a_secret_name_is_hidden(key: str) -> None:
    assert shown("hunter2", key) == "(hidden)"
    assert shown("", key) == '""'


def test_text_that_is_not_printable_is_escaped() -> None:
    assert printable("a\n\x1b\x9b\u202e\ud800\u3000") == "a\\n\\x1b\\x9b\\u202e\\ud800\\u3000"
    assert printable("자동매매") == "자동매매"
    assert unicodedata.category("\x9b") == "Cc"  # a terminal takes it for ESC [


def test_a_path_is_dotted_with_indexes() -> None:
    assert dotted(("symbols", 1)) == "symbols[1]"
    assert dotted(("a", "b", 0, "c")) == "a.b[0].c"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3", 3),
        ("-3", -3),
        ("3.10", Decimal("3.10")),
        ("1e3", Decimal(1000)),
        ("1e31", Unusable("1e31")),
        ("1e-31", Unusable("1e-31")),
        ("1e30", Decimal("1e30")),
        ("1" * 40, Unusable("1" * 40)),
        ("1" * 31, int("1" * 31)),
        ("0." + "1" * 39, Unusable("0." + "1" * 39)),
        ("1e999999999999999999999", Unusable("1e999999999999999999999")),
    ],
)
def test_a_number_is_exact_or_unusable(text: str, value: Any) -> None:
    number = exact_number(text)
    assert number == value
    assert type(number) is type(value)


def test_what_is_allowed_is_told_in_words() -> None:
    told = {".".join(path): key.allowed for path, key in keys().items()}
    assert told["engine.trading_interval"] == "a whole number from 60 to 86400"
    assert told["risk_management.stop_loss_pct"] == (
        "a number above 0 and below 100, of at most 6 decimals"
    )
    assert told["limits.max_order_notional"] == (
        "a number above 0 and at most 1000000000, of at most 8 decimals, or null"
    )
    assert (
        told["notifications.channels"]
        == "a list, each dashboard, email, discord, telegram, slack, webhook"
    )
    assert told["routing.by_type.EMERGENCY_STOP"] == (
        "a list, each dashboard, email, discord, telegram, slack, webhook, or null"
    )
    assert told["channels.email.sender"] == "a mail address, as name@example.com, or null"
    assert allowed_text(bool) == "true or false"


def test_the_nearest_key_is_sought_beside_then_anywhere_then_beside_again() -> None:
    auto = "auto_trading_config.json"
    assert nearest_key(("engine", "mod"), auto) == "engine.mode"
    assert nearest_key(("engine", "fast"), auto) == "strategies.ema_cross.fast"
    assert nearest_key(("limits", "fast"), "risk_config.json") == (
        f"strategies.ema_cross.fast in {auto}"
    )
    assert nearest_key(("xyzzy",), auto) in {"symbols", "engine", "paper"}


def test_lines_are_plain_text_on_any_terminal() -> None:
    fault = Fault(f"a{os.linesep}b", "k", FaultCode.VALUE, "x\ty", "z")
    assert fault.line == "a\\nb: k was x\\ty, allowed: z"
