"""Looking before leaping: what a start would meet, each check with its numbers.

ok      as it should be
warn    it will run, and a person should know this
fail    it must not be started so
"""

import shutil
import socket
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from auto_trading.modes import refusal
from auto_trading.replay_market import IMPORTED
from auto_trading.sources import WARM_CANDLES as WARM
from auto_trading.status import process_is_gone
from config.environment import Environment
from config.faults import SettingsError
from config.notifications import Channel
from config.settings import Settings
from crypto_trader_pro.domain.enums import Mode
from crypto_trader_pro.domain.errors import InputError, TradingError
from crypto_trader_pro.domain.instruments import plain, plain_text
from crypto_trader_pro.simulation.instruments import instrument
from database import candles
from database.auto_trading_db import file_of, open_database, schema_state, unit_of_work
from database.engine_state import EngineState, engine_state
from utils import consoles, reach_file
from utils.clocks import SystemClock

_MB: Final = 2**20
DISK_FAIL_MB: Final = 200
DISK_WARN_MB: Final = 2_000
MEMORY_FAIL_MB: Final = 300
MEMORY_WARN_MB: Final = 1_000
_BUILT: Final = datetime(2026, 1, 1, tzinfo=UTC)  # this version is no older
_AHEAD: Final = timedelta(seconds=5)
_HOST: Final = "127.0.0.1"
_MEMORY: Final = Path("/proc/meminfo")

Probe = Callable[[str, float], str]


class Level(StrEnum):
    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Check:
    """One finding; `code` and `numbers` are worded by the catalogue as `preflight.CODE`."""

    code: str
    level: Level
    numbers: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Return what was checked: the first part of the code."""
        return self.code.partition(".")[0]


def preflight(
    environment: Environment, settings: Settings | SettingsError, *, probe: Probe | None = None
) -> list[Check]:
    """Return every check, in the order in which a start would meet them.

    Args:
        settings: or what was wrong with them; the other checks are made all the same.
        probe: asks a venue for a sign of life: "" or what is wrong. By default the real one.
    """
    found = [*_configuration(settings), *_folder(environment), *_database(environment)]
    found += [*_disk(environment), *_memory(_MEMORY), *_ports(environment)]
    if isinstance(settings, Settings):
        found += [_mode(settings), *_source(environment, settings, probe or _probe)]
        found += [*_capital(settings), *_notifications(environment, settings)]
    return found


def _configuration(settings: Settings | SettingsError) -> Iterator[Check]:
    if isinstance(settings, Settings):
        yield Check("configuration.ok", Level.OK, {"hash": settings.hash()[:16]})
        return
    for line in settings.lines:
        yield Check("configuration.fault", Level.FAIL, {"line": line})


def _mode(settings: Settings) -> Check:
    wanted = settings.engine.mode
    code = refusal(wanted)
    return Check(code or "mode.ok", Level.FAIL if code else Level.OK, {"mode": wanted.value})


def _folder(environment: Environment) -> Iterator[Check]:
    numbers = {"folder": str(environment.var_dir)}
    try:
        environment.var_dir.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=environment.var_dir) as file:
            file.write(b"preflight")
    except OSError as e:
        yield Check("folder.unwritable", Level.FAIL, {**numbers, "why": e.strerror})
    else:
        yield Check("folder.ok", Level.OK, numbers)


def _database(environment: Environment) -> Iterator[Check]:
    numbers: dict[str, Any] = {"database": environment.database_label}
    engine: EngineState | None = None
    try:
        reader = open_database(environment.database_url, read_only=True, busy_seconds=2.0)
        try:
            schema = schema_state(reader)
            if schema == "current":
                with unit_of_work(reader, "the engine's state") as session:
                    engine = engine_state(session, SystemClock().now(), process_is_gone)
        finally:
            reader.dispose()
    except TradingError as e:
        yield Check("database.unavailable", Level.FAIL, {**numbers, "why": str(e)})
    else:
        levels = {"current": Level.OK, "missing": Level.OK, "behind": Level.WARN}
        yield Check(f"database.{schema}", levels.get(schema, Level.FAIL), numbers)
    yield from _clock(SystemClock().now(), engine)


def _clock(now: datetime, engine: EngineState | None) -> Iterator[Check]:
    numbers = {"now": now.isoformat(timespec="seconds")}
    # judged with the lease: an engine of another host writes its own time
    beat = None if engine is None or not engine.epoch else engine.heartbeat_at
    if now < _BUILT:
        yield Check("clock.past", Level.FAIL, numbers)
    elif beat is not None and beat - now > _AHEAD:
        seconds = round((beat - now).total_seconds())
        yield Check("clock.behind", Level.FAIL, {**numbers, "seconds": seconds})
    else:
        yield Check("clock.ok", Level.OK, numbers)


def _disk(environment: Environment) -> Iterator[Check]:
    folders = [environment.var_dir]
    if (file := file_of(environment.database_url)) is not None:
        folders.append(file.parent)
    for folder in dict.fromkeys(folders):
        if not folder.is_dir():
            continue  # told by the checks of folder and database
        free = shutil.disk_usage(folder).free // _MB
        level = _graded(free, DISK_FAIL_MB, DISK_WARN_MB)
        numbers = {"folder": str(folder), "free": free, "wanted": DISK_WARN_MB}
        yield Check("disk.ok" if level is Level.OK else "disk.short", level, numbers)


def _memory(file: Path) -> Iterator[Check]:
    """Look at the memory that can be had without swapping, as the kernel tells it."""
    try:
        lines = file.read_text(encoding="ascii").splitlines()
    except OSError as e:
        yield Check("memory.unknown", Level.WARN, {"why": str(e.strerror)})
        return
    found = {name: rest.split()[0] for name, _, rest in (line.partition(":") for line in lines)}
    free = int(found["MemAvailable"]) // 1024
    level = _graded(free, MEMORY_FAIL_MB, MEMORY_WARN_MB)
    numbers = {"free": free, "wanted": MEMORY_WARN_MB}
    yield Check("memory.ok" if level is Level.OK else "memory.short", level, numbers)


def _ports(environment: Environment) -> Iterator[Check]:
    ours = {port for _, port in consoles.running(environment.var_dir)}
    if reach_file.living(environment.var_dir) is not None:
        ours.add(environment.http_port)
    for name, port in (
        ("CTP_CONSOLE_PORT", environment.console_port), ("CTP_HTTP_PORT", environment.http_port),
    ):  # fmt: skip
        numbers = {"name": name, "port": port}
        if port in ours:
            yield Check("port.ours", Level.OK, numbers)
        elif why := _taken(port):
            yield Check("port.taken", Level.FAIL, {**numbers, "why": why})
        else:
            yield Check("port.ok", Level.OK, numbers)


def _taken(port: int) -> str:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_HOST, port))
        except OSError as e:
            return e.strerror or str(e)
    return ""


def _source(environment: Environment, settings: Settings, probe: Probe) -> Iterator[Check]:
    data = settings.market_data
    numbers: dict[str, Any] = {"source": data.source, "venue": data.venue}
    if data.source == "demo":
        yield Check("source.demo", Level.WARN, numbers)
    elif data.source == "replay":
        yield _recorded(environment, settings)
    elif not (wrong := probe(data.venue, float(data.connect_seconds))):
        yield Check("source.ok", Level.OK, numbers)
    elif data.source == "auto" and settings.engine.mode is not Mode.LIVE:
        yield Check("source.falls_back", Level.WARN, {**numbers, "why": wrong})
    else:
        yield Check("source.unreachable", Level.FAIL, {**numbers, "why": wrong})


def _recorded(environment: Environment, settings: Settings) -> Check:
    """Count the imported candles that a replay at market speed would need."""
    stored: dict[str, int] = {}
    reader = open_database(environment.database_url, read_only=True, busy_seconds=2.0)
    try:
        if schema_state(reader) == "current":
            with unit_of_work(reader, "the candles") as session:
                stored = {
                    c.symbol: c.rows
                    for c in candles.coverage(session)
                    if (c.venue, c.source) == (settings.market_data.venue, IMPORTED)
                    and c.timeframe == settings.engine.timeframe
                }
    except TradingError:
        pass  # the check of the database says what is wrong; nothing is there to be played
    finally:
        reader.dispose()
    lacking = [f"{s} {stored.get(s, 0)}" for s in settings.symbols if stored.get(s, 0) <= WARM]
    numbers = {"timeframe": settings.engine.timeframe, "needed": WARM}
    if lacking:
        return Check("source.replay_short", Level.FAIL, {**numbers, "symbols": ", ".join(lacking)})
    return Check("source.replay", Level.OK, numbers)


def _probe(venue: str, seconds: float) -> str:
    from auto_trading.gateways.venue_clients import probe  # noqa: PLC0415  only where it is asked

    return probe(venue, seconds)


def _capital(settings: Settings) -> Iterator[Check]:
    """Compare the largest plain order with each venue's smallest one."""
    share = settings.risk_management.position_size_pct * settings.preset.size_factor_pct / 100
    order = plain(settings.paper_equity * share / 100)
    short, largest = [], Decimal(0)
    for symbol in settings.symbols:
        try:
            smallest = instrument(symbol).min_notional
        except InputError as e:
            yield Check("symbol.unknown", Level.FAIL, {"why": str(e)})
            continue
        largest = max(largest, smallest)
        if order < smallest:
            short.append(f"{symbol} {plain_text(smallest)}")
    numbers = {
        "profile": settings.engine.profile, "equity": plain_text(settings.paper_equity),
        "share": plain_text(plain(share)), "order": plain_text(order),
    }  # fmt: skip
    if short:
        needed = plain_text((largest * 100 / share).quantize(Decimal(1), rounding="ROUND_CEILING"))
        more = {"symbols": ", ".join(short), "needed": needed}
        yield Check("capital.short", Level.WARN, {**numbers, **more})
    else:
        yield Check("capital.ok", Level.OK, {**numbers, "smallest": plain_text(largest)})


def _notifications(environment: Environment, settings: Settings) -> Iterator[Check]:
    secrets = {
        Channel.DISCORD: ("CTP_DISCORD_WEBHOOK_URL", environment.discord_webhook_url),
        Channel.TELEGRAM: ("CTP_TELEGRAM_BOT_TOKEN", environment.telegram_bot_token),
        Channel.SLACK: ("CTP_SLACK_WEBHOOK_URL", environment.slack_webhook_url),
        Channel.WEBHOOK: ("CTP_WEBHOOK_OUT_URL", environment.webhook_out_url),
    }
    if settings.channels.email.username:
        secrets[Channel.EMAIL] = ("CTP_SMTP_PASSWORD", environment.smtp_password)
    active = settings.active_channels
    for channel in active:
        name, value = secrets.get(channel, ("", None))
        if name and value is None:
            numbers = {"channel": channel.value, "name": name}
            yield Check("notifications.no_secret", Level.FAIL, numbers)
    switched_on = [c for c in Channel if settings.channels.is_enabled(c) and c not in active]
    unused = [c.value for c in switched_on if c is not Channel.DASHBOARD]
    if unused and settings.notifications.enabled:
        yield Check("notifications.unused", Level.WARN, {"channels": ", ".join(unused)})
    away = [channel.value for channel in active if channel is not Channel.DASHBOARD]
    if away:
        yield Check("notifications.ok", Level.OK, {"channels": ", ".join(away)})
    else:
        yield Check("notifications.none", Level.WARN)


def _graded(value: int, fail: int, warn: int) -> Level:
    if value < fail:
        return Level.FAIL
    return Level.WARN if value < warn else Level.OK
