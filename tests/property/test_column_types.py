"""Money and time come back from both databases as they were stored, or are refused."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from decimal import Context, Decimal, localcontext
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Column, Connection, Engine, Integer, MetaData, Table, select, text
from sqlalchemy.exc import StatementError

from crypto_trader_pro.domain.instruments import plain
from crypto_trader_pro.domain.timeframes import to_datetime
from database.auto_trading_db import open_database
from database.statements import Grid, Statement, Values, insert, scaled
from database.types import ExactDecimal, UtcDateTime, canonical, exact, json_text
from tests.builders import an_instrument
from tests.databases import Server

SAMPLES = Table(
    "samples",
    MetaData(),
    Column("id", Integer, primary_key=True),
    Column("amount", ExactDecimal),
    Column("at", UtcDateTime),
)
WIDE = Context(prec=60)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def samples(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Engine]:
    """A database with the table SAMPLES, shared by the examples of a property."""
    name = ""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path_factory.mktemp('samples') / 'samples.db'}"
    else:
        server: Server = request.getfixturevalue("postgresql")
        name = server.create()
        url = server.url_of(name)
    engine = open_database(url, durable=False)
    SAMPLES.create(engine)
    yield engine
    engine.dispose()
    if name:
        server.drop(name)


def through(engine: Engine, column: str, values: list[Any]) -> list[Any]:
    """Store `values` and return them as read back; nothing is kept."""
    with engine.connect() as connection:
        rows = [{"id": k, column: value} for k, value in enumerate(values)]
        connection.execute(SAMPLES.insert(), rows)
        found = connection.execute(select(SAMPLES.c[column]).order_by(SAMPLES.c.id)).scalars()
        result = list(found)
        connection.rollback()
    return result


@st.composite
def storable(draw: st.DrawFn) -> Decimal:
    """A Decimal of at most 20 digits before the point and 18 after, in any notation."""
    places = draw(st.integers(-19, 18))
    digits = draw(st.integers(1, 20 + places))
    coefficient = draw(st.integers(-(10**digits) + 1, 10**digits - 1))
    number = Decimal(coefficient).scaleb(-places, context=WIDE)
    # in the wide context: the default one would round 38 digits to 28
    return WIDE.multiply(
        number, draw(st.sampled_from([Decimal(1), Decimal("1.0"), Decimal("1.000")]))
    )


EXTREMES = ["12345678901234567890.123456789012345678", "-99999999999999999999.999999999999999999"]


# --- money ----------------------------------------------------------------------------------


@given(amounts=st.lists(storable(), min_size=1, max_size=20))
def test_an_amount_comes_back_exactly_and_in_one_form(
    samples: Engine, amounts: list[Decimal]
) -> None:
    found = through(samples, "amount", amounts)
    assert found == amounts
    for number in found:
        _, digits, exponent = number.as_tuple()
        assert isinstance(exponent, int)
        assert exponent <= 0  # 100 and not 1E+2
        assert exponent == 0 or digits[-1] != 0  # 1.5 and not 1.50, though PostgreSQL pads


@pytest.mark.parametrize("written", EXTREMES)
def test_an_amount_of_38_digits_comes_back_digit_by_digit(samples: Engine, written: str) -> None:
    (found,) = through(samples, "amount", [Decimal(written)])
    assert str(found) == written


def test_no_amount_is_null(samples: Engine) -> None:
    assert through(samples, "amount", [None]) == [None]


def test_zero_has_one_form(samples: Engine) -> None:
    zeros = [Decimal(text_) for text_ in ("0", "-0", "0E+40", "0.000", "0E-30")]
    assert [str(number) for number in through(samples, "amount", zeros)] == ["0"] * 5


@pytest.mark.parametrize(
    ("written", "line"),
    [
        ("0.0000000000000000001", "more than 18 decimal places"),
        ("1234567890123456789.1234567890123456789", "more than 18 decimal places"),
        ("100000000000000000000", "more than 20 digits before the point"),
        ("1E+40", "more than 20 digits before the point"),
        ("-1E+20", "more than 20 digits before the point"),
        ("NaN", "not a finite number"),
        ("sNaN", "not a finite number"),
        ("Infinity", "not a finite number"),
        ("-Infinity", "not a finite number"),
    ],
)
def test_an_amount_that_the_column_cannot_hold_is_refused(
    samples: Engine, written: str, line: str
) -> None:
    with pytest.raises(StatementError, match=line):
        through(samples, "amount", [Decimal(written)])


@given(number=storable(), finer=st.integers(1, 9))
def test_19_places_are_refused_unless_the_rest_is_zero(number: Decimal, finer: int) -> None:
    tail = Decimal(finer).scaleb(-19)
    with localcontext(WIDE):
        assert exact(number + tail - tail) == number
        with pytest.raises(ValueError, match="decimal places"):
            exact(number + tail if number >= 0 else number - tail)


@given(number=storable())
def test_the_canonical_form_is_that_of_the_domain(number: Decimal) -> None:
    with localcontext(WIDE):
        assert str(canonical(number)) == str(plain(number))


# --- time -----------------------------------------------------------------------------------

ZONES = st.integers(-14 * 60, 14 * 60).map(lambda m: timezone(timedelta(minutes=m)))
MOMENTS = st.datetimes(datetime(1000, 1, 3), datetime(9999, 12, 29), timezones=ZONES)  # noqa: DTZ001


@given(moments=st.lists(MOMENTS, min_size=1, max_size=20))
def test_a_moment_comes_back_as_the_same_instant_in_utc(
    samples: Engine, moments: list[datetime]
) -> None:
    found = through(samples, "at", moments)
    assert found == moments
    assert all(moment.tzinfo is UTC for moment in found)


def test_a_naive_moment_is_refused(samples: Engine) -> None:
    with pytest.raises(StatementError, match="naive datetime"):
        through(samples, "at", [datetime(2024, 1, 1)])  # noqa: DTZ001


def test_moments_are_ordered_and_compared_as_time(samples: Engine) -> None:
    """Text on SQLite sorts as time because every part has its full width."""
    moments = [datetime(2024, 1, 1, tzinfo=UTC) + timedelta(microseconds=k) for k in (5, 0, 10**6)]
    with samples.connect() as connection:
        rows = [{"id": k, "at": moment} for k, moment in enumerate(moments)]
        connection.execute(SAMPLES.insert(), rows)
        at = SAMPLES.c.at
        ordered = connection.execute(select(at).order_by(at)).scalars().all()
        late = connection.execute(select(at).where(at > moments[0])).scalars().all()
        connection.rollback()
    assert ordered == sorted(moments)
    assert late == [moments[2]]


# --- the values that go to the driver directly ------------------------------------------------


def stored_form(connection: Connection, number: int) -> list[Any]:
    """Return a row as the driver gives it, without our column types."""
    query = text("SELECT amount, at FROM samples WHERE id = :id")
    return list(connection.execute(query, {"id": number}).one())


@given(amount=storable(), ms=st.integers(-(10**13), 10**14))
def test_ready_made_values_are_what_the_column_types_store(
    samples: Engine, amount: Decimal, ms: int
) -> None:
    dialect = samples.dialect.name
    values = Values(dialect)
    ready: Statement = insert("samples", ("id", "amount", "at"), dialect)
    with samples.connect() as connection:
        connection.execute(SAMPLES.insert(), [{"id": 1, "amount": amount, "at": to_datetime(ms)}])
        ready.run(connection, [(2, values.decimal(amount), values.time(ms))])
        ready.run(connection, [(3, values.decimal(amount), values.moment(to_datetime(ms)))])
        forms = [stored_form(connection, k) for k in (1, 2, 3)]
        read = connection.execute(select(SAMPLES.c.amount, SAMPLES.c.at)).all()
        connection.rollback()
    assert forms[0] == forms[1] == forms[2]
    assert read == [(amount, to_datetime(ms))] * 3


@pytest.mark.parametrize("amount", [Decimal("NaN"), Decimal("1E-19"), Decimal("1E+20")])
@pytest.mark.parametrize("dialect", ["sqlite", "postgresql"])
def test_ready_made_amounts_are_refused_as_well(dialect: str, amount: Decimal) -> None:
    with pytest.raises(ValueError, match=r"finite|places|digits"):
        Values(dialect).decimal(amount)


@given(units=st.integers(-(2**63), 2**63), places=st.integers(0, 18))
def test_whole_numbers_are_written_as_the_column_type_writes_them(units: int, places: int) -> None:
    number = Decimal(units).scaleb(-places, context=WIDE)
    assert scaled(units, places) == format(canonical(number), "f")


@given(
    lots=st.integers(0, 2**46),
    tick=st.sampled_from(["0.00001", "0.01", "0.5", "1", "10"]),
    lot=st.sampled_from(["0.001", "0.25", "1", "100"]),
)
def test_a_grid_writes_what_the_column_type_writes(lots: int, tick: str, lot: str) -> None:
    instrument = an_instrument(tick=tick, lot=lot)
    grid = Grid(instrument)
    assert grid.price(lots) == format(canonical(instrument.price(lots)), "f")
    assert grid.quantity(lots) == format(canonical(instrument.quantity(lots)), "f")


# --- JSON -----------------------------------------------------------------------------------


def test_json_holds_decimals_as_plain_strings() -> None:
    assert (
        json_text({"a": Decimal("1.50"), "b": [1, None, "서울"]})
        == '{"a":"1.5","b":[1,null,"서울"]}'
    )


@pytest.mark.parametrize("value", [float("nan"), float("inf"), Decimal("NaN")])
def test_json_refuses_what_is_no_number(value: object) -> None:
    with pytest.raises(ValueError, match=r"JSON compliant|finite"):
        json_text({"a": value})


def test_json_refuses_what_it_cannot_hold() -> None:
    with pytest.raises(TypeError, match="cannot hold datetime"):
        json_text({"a": datetime(2024, 1, 1, tzinfo=UTC)})
