"""What a log record carries, and how it looks in the files and in the log table."""

import json
import logging
import traceback
from collections.abc import Callable
from copy import copy
from datetime import UTC
from typing import Any, Final

from crypto_trader_pro.domain.enums import Component
from crypto_trader_pro.domain.ports import LogEntry
from crypto_trader_pro.domain.timeframes import to_datetime
from utils.correlation import MAX_LENGTH, current_correlation
from utils.redaction import Redactor, clean, plain

# a module belongs to the longest of these that its name begins with; all others are the engine's
_PREFIXES: Final = {
    "auto_trading.aggregation": Component.MONITOR,
    "auto_trading.config": Component.CONFIG,
    "auto_trading.data": Component.MONITOR,
    "auto_trading.gateways": Component.MONITOR,
    "auto_trading.job": Component.JOB,
    "auto_trading.market": Component.MONITOR,
    "auto_trading.model": Component.SIGNAL,
    "auto_trading.order_making": Component.EXECUTOR,
    "auto_trading.position": Component.POSITION,
    "auto_trading.reach": Component.NOTIFIER,
    "auto_trading.reconciliation": Component.EXECUTOR,
    "auto_trading.risk": Component.RISK,
    "auto_trading.safety": Component.RISK,
    "auto_trading.signal": Component.SIGNAL,
    "auto_trading.trade_executor": Component.EXECUTOR,
    "auto_trading.train": Component.SIGNAL,
    "auto_trading_dashboard": Component.CONSOLE,
    "apscheduler": Component.JOB,
    "ccxt": Component.MONITOR,
    "config": Component.CONFIG,
    "crypto_trader_pro.ai": Component.SIGNAL,
    "crypto_trader_pro.cli": Component.CONSOLE,
    "crypto_trader_pro.strategies": Component.SIGNAL,
    "database.config": Component.CONFIG,
    "database.outbox": Component.NOTIFIER,
    "main_platform": Component.CONSOLE,
    "streamlit": Component.CONSOLE,
    "utils.channels": Component.NOTIFIER,
    "utils.notifications": Component.NOTIFIER,
}
_BY_LENGTH: Final = sorted(_PREFIXES, key=len, reverse=True)
# what could begin a line or move a cursor; the tab stays
_CONTROL: Final = {c: f"\\x{c:02x}" for c in (*range(9), *range(11, 32), *range(127, 160))} | {
    0x0A: "\\n", 0x0D: "\\r", 0x2028: "\\u2028", 0x2029: "\\u2029",
}  # fmt: skip


def component_of(logger_name: str) -> Component:
    """Return the component that a logger's name stands for.

    >>> component_of("auto_trading.market_monitor").value
    'MONITOR'
    """
    for prefix in _BY_LENGTH:
        if logger_name.startswith(prefix):
            return _PREFIXES[prefix]
    return Component.ENGINE


def frozen(record: logging.LogRecord, at_ms: int, run_id: int | None) -> logging.LogRecord:
    """Return a copy that no longer depends on anything that its maker may change afterwards.

    The message is formatted, an exception is text, `data` holds JSON values, and the correlation
    id of this context is in it.
    """
    found = copy(record)
    found.created, found.msecs = at_ms / 1000, at_ms % 1000
    found.msg, found.args = clean(_message(record)), None
    found.exc_text = _exception(record)
    found.exc_info = found.stack_info = None
    data = getattr(record, "data", None)
    if data is not None:
        data = plain(data)
        data = data if isinstance(data, dict) else {"value": data}
    correlation_id = getattr(record, "correlation_id", None) or current_correlation()
    found.__dict__.update(
        at_ms=at_ms,
        component=_component(record),
        data=data,
        correlation_id=None if correlation_id is None else clean(str(correlation_id)),
        run_id=getattr(record, "run_id", None) or run_id,
    )
    return found


def redact(record: logging.LogRecord, redactor: Redactor) -> None:
    """Take the secrets out of a frozen record, and then what is too long of its correlation id."""
    record.msg = redactor.text(str(record.msg))
    if record.exc_text:
        record.exc_text = redactor.text(record.exc_text)
    own = record.__dict__
    if own["correlation_id"]:  # it may come from outside; cut last, or half a secret would stay
        own["correlation_id"] = redactor.text(own["correlation_id"])[:MAX_LENGTH]
    data = own["data"]
    if data is not None:
        record.__dict__["data"] = redactor.data(data)


def entry_of(record: logging.LogRecord) -> LogEntry:
    """Return the log table's line of a frozen record; an exception is part of its data."""
    own = record.__dict__
    data: dict[str, Any] | None = own["data"]
    if record.exc_text:
        data = {**(data or {}), "exception": record.exc_text}
    return LogEntry(
        to_datetime(own["at_ms"]), record.levelname, own["component"], record.getMessage(), data,
        own["correlation_id"], own["run_id"],
    )  # fmt: skip


class TextFormatter(logging.Formatter):
    """`time - name - LEVEL - message`, in UTC, one line and the traceback below it."""

    def format(self, record: logging.LogRecord) -> str:
        own = record.__dict__
        at = to_datetime(own["at_ms"]).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        # a line break in a venue's answer must not look like a line of ours
        text = record.getMessage().translate(_CONTROL)
        line = f"{at} - {record.name} - {record.levelname} - {text}"
        if own["data"]:
            line += f" {_json(own['data'])}"
        if own["correlation_id"]:
            line += f" [{own['correlation_id']}]"
        return f"{line}\n{record.exc_text}" if record.exc_text else line


class JsonFormatter(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        own = record.__dict__
        values = {
            "at": to_datetime(own["at_ms"]).astimezone(UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "component": own["component"].value,
            "logger": record.name,
            "message": record.getMessage(),
            "correlation_id": own["correlation_id"],
            "run_id": own["run_id"],
            "data": own["data"],
            "exception": record.exc_text,
            "process": record.process,
            "thread": record.threadName,
        }
        return _json({name: value for name, value in values.items() if value is not None})


_json: Callable[[Any], str] = json.JSONEncoder(
    separators=(",", ":"), ensure_ascii=False, allow_nan=False
).encode


def _component(record: logging.LogRecord) -> Component:
    given = getattr(record, "component", None)
    return given if isinstance(given, Component) else component_of(record.name)


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception as e:  # noqa: BLE001  a wrong placeholder must not lose the line
        return f"{record.msg!r} with {record.args!r} cannot be worded: {type(e).__name__}: {e}"


def _exception(record: logging.LogRecord) -> str | None:
    if isinstance(record.exc_info, tuple) and record.exc_info[1] is not None:
        text = "".join(traceback.format_exception(record.exc_info[1])).rstrip("\n")
    else:
        text = record.exc_text or ""
    if record.stack_info:
        text = f"{text}\n{record.stack_info}" if text else record.stack_info
    return clean(text) if text else None
