"""`report`: a day or a week in words, shown here or sent to people."""

from collections.abc import Callable, Mapping
from datetime import date
from typing import Annotated, Any, NamedTuple

import typer
from sqlmodel import Session

from auto_trading.reports import daily as day_words
from auto_trading.reports import weekly as week_words
from auto_trading.reports.chart_data import CHART, equity_data
from auto_trading.reports.day_figures import day_figures
from auto_trading.reports.report import Report
from auto_trading.reports.week_figures import week
from auto_trading.reports.weekly_sending import week_image
from config.loading import load
from config.notifications import Channel
from config.settings import Settings
from crypto_trader_pro.cli.context import environment, language
from crypto_trader_pro.cli.exits import Exit
from crypto_trader_pro.cli.output import AsJson, print_json
from crypto_trader_pro.cli.which_run import reading
from crypto_trader_pro.domain.enums import NotificationType
from crypto_trader_pro.domain.errors import InputError, JournalUnavailable
from database import runs
from database.outbox import DatabaseOutbox
from database.views.runs import ref
from utils.clocks import SystemClock
from utils.notifications import NotificationManager
from utils.redaction import secrets_of
from utils.texts import Language, say

report = typer.Typer(help="A day or a week in words.", no_args_is_help=True)


class _Made(NamedTuple):
    """A report, and its picture: as data that asks for it, or drawn once it is sent."""

    report: Report
    data: Mapping[str, Any] | None = None
    draw: Callable[[], bytes | None] | None = None


Make = Callable[[Session, Settings, Language, date | None, str | None], _Made]
Day = Annotated[
    str | None, typer.Option("--date", help="As 2026-03-01; by default the newest there is.")
]
Mode = Annotated[
    str | None, typer.Option(help="As paper-demo; by default that of the newest session.")
]
Send = Annotated[
    bool, typer.Option("--send", help="Put it into the outbox for the channels of its kind too.")
]


@report.command("daily")
def daily(
    day: Day = None, mode: Mode = None, send: Send = False, as_json: AsJson = False
) -> None:  # fmt: skip
    """Tell of a trading day: profit, trades, what is open, what happened.

    Example: python -m crypto_trader_pro report daily --date 2026-03-01
    """
    _tell(_of_day, NotificationType.DAILY_SUMMARY, day, mode, send=send, as_json=as_json)


@report.command("weekly")
def weekly(
    day: Day = None, mode: Mode = None, send: Send = False, as_json: AsJson = False
) -> None:  # fmt: skip
    """Tell of the week that a day is in.

    Example: python -m crypto_trader_pro report weekly
    """
    _tell(_of_week, NotificationType.WEEKLY_REPORT, day, mode, send=send, as_json=as_json)


def _of_day(
    session: Session, settings: Settings, spoken: Language, day: date | None, mode: str | None
) -> _Made:
    figures = day_figures(session, settings, day, mode)
    number = runs.number(runs.find(session, figures.run))
    data = {
        "date": figures.date.isoformat(), "mode": figures.mode,
        CHART: equity_data(number, figures.since, figures.until),
    }  # fmt: skip
    return _Made(day_words.report_of(figures, settings, spoken), data)


def _of_week(
    session: Session, settings: Settings, spoken: Language, day: date | None, mode: str | None
) -> _Made:
    found = week(session, settings, day, mode)
    run = ref(runs.find(session, f"r{found.run_id}"))
    return _Made(
        week_words.report_of(found.figures, spoken),
        draw=lambda: week_image(found, run, spoken, settings),
    )


def _tell(
    make: Make, kind: NotificationType, day: str | None, mode: str | None, *, send: bool,
    as_json: bool,
) -> None:  # fmt: skip
    settings, wanted = load(), _date(day)
    with reading("the report") as session:
        made = make(session, settings, language(), wanted, mode)
    found = made.report
    channels = _send(settings, kind, made) if send else ()
    if as_json:
        print_json({**found.as_json(), "channels": list(channels)})
        return
    typer.echo(found.title)
    typer.echo(found.text)
    if send:
        code = "command.report_queued" if channels else "command.report_nowhere"
        typer.echo(say(language(), code, channels=", ".join(channels)), err=True)
        if not channels:
            raise typer.Exit(Exit.NEGATIVE)


def _send(settings: Settings, kind: NotificationType, made: _Made) -> tuple[Channel, ...]:
    """Put the report into the outbox; the process beside the engine sends it."""
    places, found = environment(), made.report
    image = None if made.draw is None else made.draw()
    outbox = DatabaseOutbox.open(places.database_url)
    manager = NotificationManager(settings, outbox, SystemClock(), secrets=secrets_of(places))
    try:
        channels = manager.send_notification(
            kind, f"{found.title}\n{found.text}", data=made.data, image=image
        )
        lost = manager.close()
    finally:
        outbox.close()
    if lost:
        raise JournalUnavailable("the outbox did not take the report")
    return channels


def _date(text: str | None) -> date | None:
    try:
        return None if text is None else date.fromisoformat(text)
    except ValueError:
        raise InputError(f"--date was {text!r}, allowed: one as 2026-03-01") from None
