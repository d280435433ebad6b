"""Bytes that are no configuration are refused; numbers are what they were written as."""

import json
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import config
from config import SettingsError, as_rate
from config.documents import read_document
from crypto_trader_pro.domain.errors import InputError
from tests.unit.test_config_support import AUTO, RISK, replaced

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


def refused(content: bytes) -> list[str]:
    """Return the lines for a file of this content, which is no configuration by chance."""
    with TemporaryDirectory() as name:
        file = Path(name) / RISK
        file.write_bytes(content)
        told = config.validate(file)
        with pytest.raises(SettingsError) as caught:
            config.load_file(file)
    assert caught.value.lines == told
    assert all(line.isprintable() for line in told)
    assert all(line.startswith(f"{file}: ") for line in told)
    return told


@given(st.binary(max_size=200))
@example(b"\xff\xfe{}")
@example(b"[" * 5000)
@example(b'{"a":' * 5000)
@example(b'{"limits": ' + b"[" * 500 + b"]" * 500 + b"}")
@example(b'{"limits": {"max_leverage": ' + b"9" * 5000 + b"}}")
@example(b'{"limits": {"max_leverage": 1e-' + b"9" * 30 + b"}}")
@example(b'{"\\ud800": "\\udfff"}')
@settings(max_examples=300, deadline=None)
def test_any_bytes_are_refused_in_lines(content: bytes) -> None:
    assert refused(content)


@given(JSON)
@settings(max_examples=300, deadline=None)
def test_any_json_is_refused_in_lines(value: object) -> None:
    assert refused(json.dumps(value).encode())


@given(JSON)
@settings(max_examples=200, deadline=None)
def test_any_json_in_place_of_a_section_is_refused_there(value: object) -> None:
    with TemporaryDirectory() as name:
        text = json.dumps({"kill_switch": value})
        where = replaced(Path(name), RISK, "{", text[:-1] + ', "_": 0, ')
        told = config.validate(where)
        assert any(f"{RISK}: kill_switch" in line for line in told)


@given(st.decimals(min_value="0.000001", max_value=50, places=6), st.integers(0, 12))
@settings(max_examples=200, deadline=None)
def test_a_percentage_is_exactly_what_is_written(percent: Decimal, zeros: int) -> None:
    text = f"{percent:f}" + "0" * zeros
    with TemporaryDirectory() as name:
        where = replaced(Path(name), AUTO, "3.0", text)
        replaced_risk = (where / RISK).read_text().replace("0.02", "0.000001")
        (where / RISK).write_text(replaced_risk)
        found = config.load(where, environ={}).risk_management.daily_loss_limit_pct
    assert found == Decimal(text)
    assert as_rate(found) == int(percent * 1_000_000)


def finer_than_a_part(percent: Decimal) -> bool:
    digits = percent.as_tuple()
    assert isinstance(digits.exponent, int)
    dropped = -digits.exponent - 6
    return dropped > 0 and any(digits.digits[-dropped:])


@given(st.decimals(allow_nan=True, allow_infinity=True))
@example(Decimal("1E-999999999"))
@example(Decimal("1E+999999999"))
def test_a_rate_is_exact_or_refused(percent: Decimal) -> None:
    try:
        rate = as_rate(percent)
    except InputError:
        # refused: not finite, too large, or not a whole number of parts
        assert not percent.is_finite() or percent.adjusted() > 12 or finer_than_a_part(percent)
    else:
        assert Fraction(rate, 1_000_000) == Fraction(percent)


@given(st.dictionaries(st.sampled_from("abc"), st.integers(0, 3), min_size=1), st.integers(0, 2))
def test_a_key_is_told_twice_exactly_when_it_is(pairs: dict[str, int], again: int) -> None:
    written = [*pairs.items(), *list(pairs.items())[:again]]
    body = ", ".join(f'"{name}": {value}' for name, value in written)
    with TemporaryDirectory() as folder:
        file = Path(folder) / RISK
        file.write_text('{"x": [{' + body + "}]}", encoding="utf-8")
        faults = read_document(file).faults
    assert {fault.key for fault in faults} == {f"x[0].{name}" for name in list(pairs)[:again]}
