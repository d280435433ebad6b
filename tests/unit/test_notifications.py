"""Which message goes to whom, when, and that nobody waits for it."""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from config import Settings
from config.notifications import Channel, Severity
from crypto_trader_pro.domain.enums import NotificationType
from crypto_trader_pro.domain.errors import InputError, JournalBusy
from crypto_trader_pro.domain.ports import Delivery, Notice
from crypto_trader_pro.domain.timeframes import to_datetime
from tests.builders import HOUR, START_MS
from tests.unit.test_config_support import folder, load
from utils.clocks import SimulatedClock
from utils.notifications import ERRORS, NOTIFICATION_TYPES, TRADES, NotificationManager, title_of
from utils.texts import Language

ALL_ON: dict[str, Any] = {
    "notifications.channels": ["dashboard", "email", "discord", "telegram"],
    "channels.email.enabled": True, "channels.email.host": "smtp.example.com",
    "channels.email.sender": "a@example.com", "channels.email.recipients": ["b@example.com"],
    "channels.discord.enabled": True,
    "channels.telegram.enabled": True, "channels.telegram.chat_ids": [1],
}  # fmt: skip
DASHBOARD, EMAIL, DISCORD, TELEGRAM, SLACK, WEBHOOK = Channel


class MemoryOutbox:
    """Keeps notices; raises what is in `errors` first, and waits while `gate` is shut."""

    def __init__(self) -> None:
        self.notices: list[Notice] = []
        self.errors: list[Exception] = []
        self.gate = threading.Event()
        self.gate.set()

    def add(self, notices: Sequence[Notice]) -> None:
        self.gate.wait()
        if self.errors:
            raise self.errors.pop(0)
        self.notices += notices


@pytest.fixture
def outbox() -> MemoryOutbox:
    return MemoryOutbox()


@pytest.fixture
def settings_of(tmp_path: Path) -> Callable[..., Settings]:
    return lambda **changes: load(folder(tmp_path, ALL_ON | changes))


Maker = Callable[..., NotificationManager]


@pytest.fixture
def manager_of(outbox: MemoryOutbox, settings_of: Callable[..., Settings]) -> Iterator[Maker]:
    made: list[NotificationManager] = []

    def make(
        changes: Mapping[str, Any] | None = None, *, at_ms: int = START_MS, **options: Any
    ) -> NotificationManager:
        settings = settings_of(**(changes or {}))
        made.append(NotificationManager(settings, outbox, SimulatedClock(at_ms), **options))
        return made[-1]

    yield make
    outbox.gate.set()
    for manager in made:
        manager.close(1)


# --- routing --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("severity", "changes", "expected"),
    [
        ("info", {}, (DASHBOARD,)),
        ("warning", {}, (DASHBOARD, EMAIL)),
        ("error", {}, (DASHBOARD, EMAIL, DISCORD, TELEGRAM)),
        ("critical", {}, (DASHBOARD, EMAIL, DISCORD, TELEGRAM)),
        ("critical", {"channels.discord.enabled": False}, (DASHBOARD, EMAIL, TELEGRAM)),
        ("critical", {"notifications.channels": ["telegram"]}, (TELEGRAM,)),
        ("critical", {"notifications.enabled": False}, ()),
        ("warning", {"channels.dashboard.enabled": False}, (EMAIL,)),
        ("info", {"routing.by_severity.info": []}, ()),
        ("info", {"routing.by_type.MODEL_TRAINED": ["discord"]}, (DISCORD,)),
        ("critical", {"routing.by_type.MODEL_TRAINED": []}, ()),
        (
            "critical",
            {"routing.by_type.DAILY_SUMMARY": []},
            (DASHBOARD, EMAIL, DISCORD, TELEGRAM),
        ),  # another type's
    ],
)
def test_severity_and_type_route_to_channels_that_are_on(
    severity: str, changes: dict[str, Any], expected: tuple[Channel, ...], manager_of: Maker,
    outbox: MemoryOutbox,
) -> None:  # fmt: skip
    manager = manager_of(changes)
    kind = NotificationType.MODEL_TRAINED
    assert manager.send_notification(kind, "new model", severity=severity) == expected
    assert manager.flush()
    stored = [d.channel for notice in outbox.notices for d in notice.deliveries]
    assert stored == [channel.value for channel in expected]


@pytest.mark.parametrize(
    ("channels", "expected"),
    [
        (["telegram"], (TELEGRAM,)),
        ([Channel.EMAIL, "dashboard", "email"], (EMAIL, DASHBOARD)),
        (["discord"], ()),  # switched off
        ([], ()),
    ],
)
def test_named_channels_go_before_the_routing_but_not_before_the_switches(
    channels: list[Channel | str], expected: tuple[Channel, ...], manager_of: Maker
) -> None:
    manager = manager_of({"channels.discord.enabled": False})
    assert manager.send_notification("SYSTEM_ERROR", "x", channels) == expected


@pytest.mark.parametrize("kind", NotificationType)
@pytest.mark.parametrize("trades", [True, False])
@pytest.mark.parametrize("errors", [True, False])
def test_trades_and_errors_have_their_own_switches(
    kind: NotificationType, trades: bool, errors: bool, outbox: MemoryOutbox,
    shared: dict[tuple[bool, bool], Settings], tmp_path: Path,
) -> None:  # fmt: skip
    key = (trades, errors)
    if key not in shared:
        changes = {
            "notifications.trade_notifications": trades, "notifications.error_notifications": errors
        }  # fmt: skip
        shared[key] = load(folder(tmp_path, changes))
    manager = NotificationManager(shared[key], outbox, SimulatedClock(START_MS))
    is_off = (kind in TRADES and not trades) or (kind in ERRORS and not errors)
    assert bool(manager.send_notification(kind, "x")) is not is_off
    assert bool(manager.send_notification(kind, "x", ["dashboard"])) is not is_off
    manager.close()


@pytest.fixture(scope="module")
def shared() -> dict[tuple[bool, bool], Settings]:
    return {}


def test_trades_and_errors_are_the_documents() -> None:
    assert {k.value for k in TRADES} == {"TRADE_EXECUTED", "PROFIT_TARGET_HIT", "STOP_LOSS_HIT"}
    assert {k.value for k in ERRORS} == {"SYSTEM_ERROR", "API_CONNECTION_LOST"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"type": "NEWS"}, "notification type was 'NEWS', allowed: TRADE_EXECUTED, PROFIT_"),
        ({"severity": "bad"}, "severity was 'bad', allowed: info, warning, error, critical"),
        ({"channels": ["fax"]}, "channel was 'fax', allowed: dashboard, email, discord, telegram"),
    ],
)
def test_unknown_words_are_named(
    arguments: dict[str, Any], message: str, manager_of: Maker
) -> None:
    with pytest.raises(InputError) as refused:
        manager_of().send_notification(**({"type": "SYSTEM_ERROR", "message": "x"} | arguments))
    assert str(refused.value).startswith(message)


def test_new_settings_hold_from_the_next_message_on(
    manager_of: Maker, settings_of: Callable[..., Settings]
) -> None:
    manager = manager_of()
    assert manager.send_notification("CONFIG_CHANGED", "x")
    manager.apply(settings_of(**{"notifications.enabled": False}))
    assert manager.send_notification("CONFIG_CHANGED", "x") == ()


# --- what is stored -------------------------------------------------------------------------------


def test_a_notice_says_all_there_is(manager_of: Maker, outbox: MemoryOutbox) -> None:
    manager = manager_of()
    manager.run_id = 12
    manager.send_notification(
        NotificationType.STOP_LOSS_HIT, "stop at 59,000", severity=Severity.WARNING,
        data={"price": Decimal("59000.5")}, alert_id=7,
    )  # fmt: skip
    assert manager.flush()
    at = to_datetime(START_MS)
    (notice,) = outbox.notices
    assert notice == Notice(
        NotificationType.STOP_LOSS_HIT, "warning", "stop at 59,000", {"price": "59000.5"}, 7,
        12, at, (Delivery("dashboard", at, True), Delivery("email", at, False)), notice.key,
    )  # fmt: skip
    assert notice.key is not None
    assert len(notice.key) == 32


def test_quiet_hours_hold_all_but_the_display(manager_of: Maker, outbox: MemoryOutbox) -> None:
    changes = {
        "quiet_hours.enabled": True, "quiet_hours.start": "08:00", "quiet_hours.end": "10:00",
        "engine.trading_day_timezone": "Asia/Seoul", "quiet_hours.min_severity": "error",
    }  # fmt: skip
    manager = manager_of(changes)  # 00:00 UTC is 09:00 in Seoul
    manager.send_notification("DAILY_LOSS_WARNING", "x", severity="warning")
    manager.send_notification("EMERGENCY_STOP", "x", severity="critical")
    assert manager.flush()
    now, end = to_datetime(START_MS), to_datetime(START_MS + HOUR)
    held, urgent = ({d.channel: d.not_before for d in n.deliveries} for n in outbox.notices)
    assert held == {"dashboard": now, "email": end}
    assert set(urgent.values()) == {now}


def test_no_secret_leaves_in_a_message(manager_of: Maker, outbox: MemoryOutbox) -> None:
    manager = manager_of(secrets=["c4n4ry"])
    manager.send_notification(
        "SYSTEM_ERROR", "GET /x?signature=abc failed: c4n4ry\x00", data={"token": 1, "b": "c4n4ry"}
    )
    assert manager.flush()
    (notice,) = outbox.notices
    assert notice.message == "GET /x?signature=*** failed: ***\\x00"
    assert notice.data == {"token": "***", "b": "***"}


@pytest.mark.parametrize("enabled", [True, False])
def test_every_message_is_logged_even_where_nobody_is_told(
    enabled: bool, manager_of: Maker, caplog: pytest.LogCaptureFixture
) -> None:
    manager = manager_of({"notifications.enabled": enabled})
    with caplog.at_level(logging.INFO):
        for severity in Severity:
            manager.send_notification("SYSTEM_ERROR", "x", severity=severity, data={"n": 1})
    said = [(r.levelname, r.getMessage(), r.__dict__["data"]) for r in caplog.records]
    levels = ("INFO", "WARNING", "ERROR", "CRITICAL")
    assert said == [(level, "SYSTEM_ERROR: x", {"n": 1}) for level in levels]


# --- trouble --------------------------------------------------------------------------------------


def test_nobody_waits_for_an_outbox_that_hangs_and_nothing_is_lost(
    manager_of: Maker, outbox: MemoryOutbox
) -> None:
    outbox.gate.clear()
    manager = manager_of()
    seconds: list[float] = []
    for k in range(200):
        before = time.monotonic()
        manager.send_notification("TRADE_EXECUTED", str(k))
        seconds.append(time.monotonic() - before)
    assert sorted(seconds)[-3] < 0.05  # a shared machine may pause now and then
    assert max(seconds) < 0.5
    outbox.gate.set()
    assert manager.flush()
    assert [n.message for n in outbox.notices] == [str(k) for k in range(200)]


def test_an_outbox_that_is_locked_is_asked_again(
    manager_of: Maker, outbox: MemoryOutbox, caplog: pytest.LogCaptureFixture
) -> None:
    outbox.errors = [JournalBusy("the outbox: x.db is locked")] * 2
    manager = manager_of()
    manager.send_notification("TRADE_EXECUTED", "x")
    assert manager.flush()
    assert [n.message for n in outbox.notices] == ["x"]
    said = [r.getMessage() for r in caplog.records]
    assert said[0] == "outbox cannot be written: the outbox: x.db is locked"
    assert said[1].startswith("outbox works again; failed 2 times")
    assert len(said) == 2


def test_too_many_messages_are_dropped_counted_and_said_once(
    manager_of: Maker, outbox: MemoryOutbox, caplog: pytest.LogCaptureFixture
) -> None:
    outbox.gate.clear()
    manager = manager_of(capacity=3)
    sent = [manager.send_notification("TRADE_EXECUTED", str(k)) for k in range(6)]
    assert sent == [(DASHBOARD,)] * 3 + [()] * 3
    assert manager.dropped == 3
    assert [r.getMessage() for r in caplog.records] == [
        "outbox buffer is full: what comes now is dropped and counted"
    ]


def test_closing_says_what_is_lost(
    manager_of: Maker, outbox: MemoryOutbox, caplog: pytest.LogCaptureFixture
) -> None:
    outbox.gate.clear()
    manager = manager_of()
    manager.send_notification("TRADE_EXECUTED", "x")
    assert manager.close(0.05) == 1
    assert "1 messages could not be put into the outbox and are lost" in caplog.text
    outbox.gate.set()


# --- titles ---------------------------------------------------------------------------------------


def test_the_titles_are_the_documents_and_every_type_has_one() -> None:
    korean = {kind.value: title_of(kind, Language.KOREAN) for kind in NOTIFICATION_TYPES}
    assert (
        korean.items()
        >= {
            "TRADE_EXECUTED": "거래 실행 알림",
            "PROFIT_TARGET_HIT": "수익 목표 달성",
            "STOP_LOSS_HIT": "손절 실행",
            "DAILY_LOSS_WARNING": "일일 손실 경고",
            "SYSTEM_ERROR": "시스템 오류",
            "API_CONNECTION_LOST": "API 연결 끊김",
            "EMERGENCY_STOP": "긴급 중단",
        }.items()
    )
    assert set(NOTIFICATION_TYPES) == set(NotificationType)
    assert title_of(NotificationType.EMERGENCY_STOP, Language.ENGLISH) == "Emergency stop"
