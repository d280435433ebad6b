"""What a record carries: component, correlation id, plain data; and how the files show it."""

import asyncio
import json
import logging
import sys
from decimal import Decimal
from typing import Any

import pytest

from crypto_trader_pro.domain.enums import Component
from crypto_trader_pro.domain.ports import LogEntry
from crypto_trader_pro.domain.timeframes import to_datetime
from tests.builders import START_MS
from utils.correlation import correlation, current_correlation, decision_key
from utils.log_records import JsonFormatter, TextFormatter, component_of, entry_of, frozen, redact
from utils.redaction import Redactor

AT_MS = START_MS + 123


def a_record(message: str = "hello", *args: Any, **own: Any) -> logging.LogRecord:
    values: dict[str, Any] = {
        "name": "auto_trading.engine",
        "level": logging.INFO,
        "exc_info": None,
    }
    values |= {k: own.pop(k) for k in tuple(own) if k in values}
    record = logging.LogRecord(
        values["name"], values["level"], "f.py", 1, message, args, values["exc_info"]
    )
    record.__dict__.update(own)
    return record


def ready(record: logging.LogRecord, *secrets: str, run_id: int | None = None) -> logging.LogRecord:
    found = frozen(record, AT_MS, run_id)
    redact(found, Redactor(secrets))
    return found


@pytest.mark.parametrize(
    ("logger", "component"),
    [
        ("auto_trading.engine", "ENGINE"),
        ("auto_trading.inbox", "ENGINE"),
        ("database.journal", "ENGINE"),
        ("root", "ENGINE"),
        ("auto_trading.market_monitor", "MONITOR"),
        ("auto_trading.gateways.exchange_source", "MONITOR"),
        ("auto_trading.data_gate", "MONITOR"),
        ("auto_trading.signal_generator", "SIGNAL"),
        ("auto_trading.model_signals", "SIGNAL"),
        ("crypto_trader_pro.strategies.trend_following", "SIGNAL"),
        ("auto_trading.risk_manager", "RISK"),
        ("auto_trading.trade_executor", "EXECUTOR"),
        ("auto_trading.position_manager", "POSITION"),
        ("auto_trading.config_manager", "CONFIG"),
        ("config.loading", "CONFIG"),
        ("auto_trading_dashboard.control_panel", "CONSOLE"),
        ("crypto_trader_pro.cli.app", "CONSOLE"),
        ("utils.notifications", "NOTIFIER"),
        ("utils.channels.dashboard", "NOTIFIER"),
        ("database.outbox", "NOTIFIER"),
        ("auto_trading.jobs", "JOB"),
        ("apscheduler.executors.default", "JOB"),
    ],
)
def test_the_component_follows_from_the_loggers_name(logger: str, component: str) -> None:
    assert component_of(logger).value == component


def test_a_record_may_name_its_component() -> None:
    assert ready(a_record(component=Component.RISK)).__dict__["component"] is Component.RISK
    assert ready(a_record(component="x")).__dict__["component"] is Component.ENGINE


# --- correlation ----------------------------------------------------------------------------------


def test_the_id_of_a_decision_is_run_symbol_and_close() -> None:
    assert decision_key(12, "BTC/USDT", 1717236000000) == "r12:BTC/USDT:1717236000000"


def test_the_context_gives_the_id_and_takes_it_back() -> None:
    assert current_correlation() is None
    with correlation("outer"):
        with correlation("inner"):
            assert ready(a_record()).__dict__["correlation_id"] == "inner"
        assert ready(a_record()).__dict__["correlation_id"] == "outer"
        named = a_record(correlation_id="own")
        assert ready(named).__dict__["correlation_id"] == "own"
    assert ready(a_record()).__dict__["correlation_id"] is None


def test_an_id_is_as_long_as_its_column() -> None:
    with correlation("x" * 100):
        assert current_correlation() == "x" * 64
    assert ready(a_record(correlation_id="y" * 100)).__dict__["correlation_id"] == "y" * 64


def test_a_task_carries_the_id_of_the_block_that_started_it() -> None:
    async def later() -> str | None:
        await asyncio.sleep(0)
        return current_correlation()

    async def both() -> tuple[str | None, str | None]:
        with correlation("one"):
            first = asyncio.create_task(later())
        with correlation("two"):
            second = asyncio.create_task(later())
        return await first, await second

    assert asyncio.run(both()) == ("one", "two")


# --- freezing -------------------------------------------------------------------------------------


def test_a_frozen_record_does_not_follow_later_changes() -> None:
    numbers, data = [1], {"a": [1]}
    found = ready(a_record("now %s", numbers, data=data))
    numbers.append(2)
    data["a"].append(2)
    assert (found.getMessage(), found.__dict__["data"]) == ("now [1]", {"a": [1]})


def test_a_message_that_cannot_be_worded_is_kept() -> None:
    text = ready(a_record("%d of %d", "one", 2)).getMessage()
    assert text.startswith("'%d of %d' with ('one', 2) cannot be worded: TypeError: ")


def test_data_is_an_object_whatever_was_given() -> None:
    assert ready(a_record(data=Decimal("1.5"))).__dict__["data"] == {"value": "1.5"}
    assert ready(a_record(data={})).__dict__["data"] == {}


def test_the_run_is_the_records_own_or_that_of_the_process() -> None:
    assert ready(a_record(), run_id=3).__dict__["run_id"] == 3
    assert ready(a_record(run_id=5), run_id=3).__dict__["run_id"] == 5


def failed(message: str) -> Any:
    try:
        try:
            raise KeyError("inner password=K3Y")
        except KeyError as e:
            raise RuntimeError(message) from e
    except RuntimeError:
        return sys.exc_info()


def test_tracebacks_are_kept_whole_without_their_secrets() -> None:
    record = a_record("it broke: s3cret-value", exc_info=failed("s3cret-value was refused"))
    found = ready(record, "s3cret-value")
    text = str(found.exc_text)
    assert text.startswith("Traceback (most recent call last)")
    assert 'KeyError: "inner password=***' in text.replace("'inner", '"inner')
    assert text.endswith("RuntimeError: *** was refused")
    assert found.getMessage() == "it broke: ***"
    assert found.exc_info is None
    assert record.exc_info is not None  # that of the caller stays as it is


def test_a_stack_is_kept_too() -> None:
    record = a_record(exc_info=failed("x"))
    record.stack_info = "Stack: token=K3Y"
    assert str(ready(record).exc_text).endswith("RuntimeError: x\nStack: token=***")
    alone = a_record()
    alone.stack_info = "Stack: here"
    assert ready(alone).exc_text == "Stack: here"
    assert ready(a_record(exc_info=(None, None, None))).exc_text is None


# --- the files' forms -----------------------------------------------------------------------------


def test_a_text_line_is_time_name_level_message() -> None:
    found = ready(a_record("filled", data={"price": Decimal("60000.5")}, correlation_id="r1:X:2"))
    assert TextFormatter().format(found) == (
        "2024-01-01T00:00:00.123Z - auto_trading.engine - INFO - filled"
        ' {"price":"60000.5"} [r1:X:2]'
    )
    assert TextFormatter().format(ready(a_record())).endswith(" - INFO - hello")


def test_nothing_in_a_message_can_begin_a_line_or_move_a_cursor() -> None:
    evil = "a\nb\r\x1b[2Jc\td\x85e\u2028f"
    line = TextFormatter().format(ready(a_record("%s", evil)))
    assert line.endswith(" - a\\nb\\r\\x1b[2Jc\td\\x85e\\u2028f")
    assert len(line.splitlines()) == 1


def test_a_traceback_stands_below_its_line() -> None:
    lines = TextFormatter().format(ready(a_record(exc_info=failed("x")))).splitlines()
    assert lines[1].startswith("Traceback")


def test_a_json_line_holds_what_is_known() -> None:
    found = ready(
        a_record("체결", data={"q": 1}, correlation_id="c", exc_info=failed("x")), run_id=12
    )
    line = JsonFormatter().format(found)
    assert "\n" not in line
    values = json.loads(line)
    assert values.pop("exception").endswith("RuntimeError: x")
    assert values.pop("process") > 0
    assert values == {
        "at": "2024-01-01T00:00:00.123+00:00", "level": "INFO", "component": "ENGINE",
        "logger": "auto_trading.engine", "message": "체결", "correlation_id": "c", "run_id": 12,
        "data": {"q": 1}, "thread": "MainThread",
    }  # fmt: skip
    assert set(json.loads(JsonFormatter().format(ready(a_record())))) == {
        "at", "level", "component", "logger", "message", "process", "thread",
    }  # fmt: skip


def test_the_tables_line_has_the_exception_in_its_data() -> None:
    at = to_datetime(AT_MS)
    plain_entry = entry_of(ready(a_record("hi", name="auto_trading.jobs"), run_id=3))
    assert plain_entry == LogEntry(at, "INFO", Component.JOB, "hi", None, None, 3)
    found = entry_of(ready(a_record(data={"a": 1}, exc_info=failed("x"))))
    assert found.data is not None
    assert found.data["a"] == 1
    assert found.data["exception"].endswith("RuntimeError: x")
