"""The report of a trading day, as people read it."""

from datetime import date
from zoneinfo import ZoneInfo

from sqlmodel import Session

from auto_trading.reports.day_figures import DayFigures, day_figures
from auto_trading.reports.report import Report
from auto_trading.reports.wording import amount, fall, hours, percent, signed
from config.settings import Settings
from database.views.trades import ClosedTrade
from utils.texts import Language, say


def daily_report(
    session: Session, settings: Settings, language: Language, day: date | None = None,
    mode: str | None = None,
) -> Report:  # fmt: skip
    """Return the report of a trading day.

    Args:
        day: None: the day of the newest figure, which may go on.
        mode: tag of the daily books, "paper-demo"; None: that of the newest session.

    Raises:
        InputError: there are no figures of that day.
    """
    return report_of(day_figures(session, settings, day, mode), settings, language)


def report_of(figures: DayFigures, settings: Settings, language: Language) -> Report:
    """Return the words of a day's figures."""
    title = say(language, "report.daily_title", day=figures.date.isoformat(), mode=figures.mode)
    zone = ZoneInfo(settings.engine.trading_day_timezone)
    return Report(title, "\n".join(_lines(figures, language, zone)), figures)


def daily_text(
    session: Session, day: date | None, settings: Settings, language: Language,
    mode: str | None = None,
) -> str:  # fmt: skip
    """Return title and text of `daily_report`.

    Raises:
        InputError: as `daily_report`.
    """
    report = daily_report(session, settings, language, day, mode)
    return f"{report.title}\n{report.text}"


def _lines(figures: DayFigures, language: Language, zone: ZoneInfo) -> list[str]:
    lines = []
    if figures.is_simulated:
        lines.append(say(language, "report.simulated"))
    if not figures.is_over:
        until = figures.until.astimezone(zone)
        lines.append(say(language, "report.so_far", time=f"{until:%H:%M %Z}"))
    return [
        *lines, *_money(figures, language), *_trades(figures, language), *_open(figures, language),
        *_happened(figures, language), *_before(figures, language),
    ]  # fmt: skip


def _money(figures: DayFigures, language: Language) -> list[str]:
    money = figures.money
    return [
        say(
            language, "report.equity", start=amount(money.starting), end=amount(money.ending),
            currency=figures.currency, change=signed(money.change),
            percent=percent(money.change_fraction),
        ),
        say(
            language, "report.results", realized=signed(money.realized),
            unrealized=signed(money.unrealized), fees=amount(money.fees),
            funding=signed(money.funding),
        ),
        say(language, "report.day_drawdown", drawdown=fall(money.max_drawdown)),
    ]  # fmt: skip


def _trades(figures: DayFigures, language: Language) -> list[str]:
    money = figures.money
    if not money.trades:
        return [say(language, "report.no_trades")]
    lines = [
        say(language, "report.trades", trades=money.trades, wins=money.wins, losses=money.losses)
    ]
    if figures.best is not None and figures.worst is not None:
        lines.append(say(language, "report.best", trade=_trade(figures.best, language)))
        if figures.worst is not figures.best:
            lines.append(say(language, "report.worst", trade=_trade(figures.worst, language)))
    return lines


def _trade(trade: ClosedTrade, language: Language) -> str:
    side = say(language, f"report.side_{trade.side}")
    return f"{trade.symbol} {side} {signed(trade.realized_pnl)} ({percent(trade.share)})"


def _open(figures: DayFigures, language: Language) -> list[str]:
    if not figures.open_positions:
        return [say(language, "report.none_open")]
    held = [
        f"{p.symbol} {say(language, f'report.side_{p.side}')}"
        + ("" if p.unrealized is None else f" {signed(p.unrealized)}")
        for p in figures.open_positions
    ]
    return [say(language, "report.open", count=len(held), held=", ".join(held))]


def _happened(figures: DayFigures, language: Language) -> list[str]:
    lines = []
    if figures.refused:
        named = [f"{say(language, f'rule_name.{r.rule}')} {r.decisions}" for r in figures.refused]
        lines.append(say(language, "report.refused", rules=", ".join(named)))
    spent = [
        f"{say(language, f'state.{state}')} {hours(seconds, language)}"
        for state, seconds in figures.seconds.items()
        if seconds
    ]
    if spent:
        lines.append(say(language, "report.states", states=", ".join(spent)))
    alerts = [
        f"{say(language, f'report.severity_{severity}')} {count}"
        for severity, count in figures.alerts.items()
    ]
    if alerts:
        lines.append(say(language, "report.alerts", alerts=", ".join(alerts)))
    else:
        lines.append(say(language, "report.no_alerts"))
    return lines


def _before(figures: DayFigures, language: Language) -> list[str]:
    before = figures.before
    if before is None:
        return []
    return [
        say(
            language, "report.before", days=before.days, mean=percent(before.mean),
            best=percent(before.best), worst=percent(before.worst),
        )
    ]  # fmt: skip
