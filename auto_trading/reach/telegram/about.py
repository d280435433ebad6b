"""/start /help /config /health /version: the bot, the settings and the processes."""

import platform
import time
from typing import Final

from sqlmodel import Session, text

from auto_trading import engine_file
from auto_trading.reach.telegram.answers import Answer, Button, bold, escaped, pairs
from auto_trading.reach.telegram.desk import Desk
from auto_trading.reach.telegram.seeing import menu, trading
from auto_trading.reach.tools import ReachTools
from config.settings import Settings
from database import runs
from database.migrations import REVISIONS
from database.outbox import OutboxStatus
from database.views.outbox import outbox_counts
from utils.texts import say

WITHOUT_DATABASE: Final = ("status", "health")
_LIST: Final = 6  # names of one list


def start(desk: Desk) -> Answer:
    """Return the greeting, with the menu below it."""
    return desk.framed(
        desk.say("telegram.title_start"), escaped(desk.say("telegram.greeting")),
        buttons=menu(desk),
    )  # fmt: skip


def help_text(desk: Desk, names: tuple[tuple[str, str], ...]) -> Answer:
    """Return what each command does.

    Args:
        names: each command with its arguments.
    """
    lines = [
        f"/{name}{f' {arguments}' if arguments else ''} – {desk.say(f'telegram.command_{name}')}"
        for name, arguments in names
    ]
    return desk.framed(
        desk.say("telegram.title_help"), escaped("\n".join(lines)),
        escaped(desk.say("telegram.help_foot")),
    )  # fmt: skip


def configuration(desk: Desk) -> Answer:
    """Return the settings that count most; no secret is among settings."""
    shown = [(desk.say(f"telegram.{name}"), value) for name, value in _summary(desk.settings)]
    return desk.framed(desk.say("telegram.title_config"), pairs(shown))


def health(desk: Desk) -> Answer:
    """Return how engine, database, messages and bot do."""
    rows = [
        (desk.say("telegram.engine"), _heartbeat(desk)),
        (desk.say("telegram.trading"), trading(desk)),
        (desk.say("telegram.database"), _database(desk.session)),
        (desk.say("telegram.outbox"), _outbox(desk)),
        (desk.say("telegram.bot"), _bot(desk)),
    ]
    button = Button(desk.say("telegram.button_refresh"), "v:health")
    return desk.framed(desk.say("telegram.title_health"), pairs(rows), buttons=((button,),))


def without_database(tools: ReachTools, trouble: str) -> Answer:
    """Return what the engine's own file tells, for when the database does not answer.

    Args:
        trouble: what the database said.
    """
    language = tools.language()
    found = engine_file.read(tools.environment.var_dir)
    alive = found is not None and found.is_alive
    rows = [(say(language, "telegram.database"), tools.redactor.text(trouble)[:200])]
    if found is None or not alive:
        rows.append((say(language, "telegram.engine"), say(language, "telegram.gone")))
    else:
        observed = say(language, f"telegram.observed_{found.observed_state}")
        trading = say(language, f"state.{found.trading_state}")
        rows += [
            (say(language, "telegram.engine"), observed),
            (say(language, "telegram.trading"), trading),
            (say(language, "telegram.entries"), found.entries),
        ]
    foot = escaped(say(language, "telegram.without_database"))
    return Answer(f"{bold(say(language, 'telegram.title_status'))}\n{pairs(rows)}\n{foot}")


def version(desk: Desk) -> Answer:
    """Return which versions run."""
    run = desk.found_run
    rows = [
        (desk.say("telegram.program"), runs.installed_version()),
        (desk.say("telegram.schema"), REVISIONS[-1]),
        ("Python", platform.python_version()),
        (desk.say("telegram.settings_version"), desk.settings.hash()[:12]),
        (desk.say("telegram.session"), desk.say("telegram.none") if run is None else run.public_id),
    ]
    return desk.framed(desk.say("telegram.title_version"), pairs(rows))


def _summary(settings: Settings) -> list[tuple[str, str]]:
    engine, day = settings.engine, settings.risk_management
    names = [s.partition(":")[0] for s in settings.symbols]
    more = f" +{len(names) - _LIST}" if len(names) > _LIST else ""
    return [
        ("mode", f"{engine.mode.value} / {settings.market_data.source}"),
        ("profile", engine.profile),
        ("preset", engine.trading_mode.value),
        ("symbols", f"{len(names)}: {', '.join(names[:_LIST])}{more}"),
        ("interval", f"{engine.trading_interval} s"),
        ("most_positions", str(engine.max_concurrent_positions)),
        ("size", f"{day.position_size_pct} %"),
        ("leverage", f"{settings.max_leverage}x"),
        ("daily_limit", f"{day.daily_loss_limit_pct} %"),
        ("kill", f"{settings.limits.drawdown_kill_pct} %"),
        ("channels", ", ".join(c.value for c in settings.active_channels) or "–"),
    ]


def _heartbeat(desk: Desk) -> str:
    engine = desk.engine
    if engine is None:
        return desk.say("telegram.never")
    code = "alive" if engine.alive else "gone"
    return desk.say(f"telegram.heartbeat_{code}", age=desk.age(engine.heartbeat_age_seconds))


def _database(session: Session) -> str:
    began = time.monotonic()
    session.connection().execute(text("SELECT 1"))
    return f"{session.get_bind().dialect.name}, {1000 * (time.monotonic() - began):.0f} ms"


def _outbox(desk: Desk) -> str:
    found = outbox_counts(desk.session)
    failed = sum(c.messages for c in found if c.status == OutboxStatus.FAILED)
    open_ones = (OutboxStatus.WAITING, OutboxStatus.HELD)
    waiting = sum(c.messages for c in found if c.status in open_ones)
    return desk.say("telegram.outbox_counts", waiting=waiting, failed=failed)


def _bot(desk: Desk) -> str:
    if desk.serving_since is None:
        return desk.say("telegram.none")
    return desk.say(
        "telegram.serving", age=desk.age((desk.now - desk.serving_since).total_seconds())
    )
