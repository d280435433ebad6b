"""The report of a week, as people read it."""

from datetime import date

from sqlmodel import Session

from auto_trading.reports.report import Report
from auto_trading.reports.week_figures import FEW, Closed, WeekFigures, week
from auto_trading.reports.wording import (
    NOTHING,
    amount,
    fall,
    percent,
    share,
    signed,
    table,
    weekday,
)
from config.settings import Settings
from utils.texts import Language, say


def weekly_report(
    session: Session, settings: Settings, language: Language, day: date | None = None,
    mode: str | None = None,
) -> Report:  # fmt: skip
    """Return the report of the week that a day is in.

    Args:
        day: None: the newest day that was summed up.
        mode: tag of the daily books, "paper-demo"; None: that of the newest session.

    Raises:
        InputError: no day of it was summed up.
    """
    return report_of(week(session, settings, day, mode).figures, language)


def report_of(figures: WeekFigures, language: Language) -> Report:
    """Return the words of a week's figures."""
    title = say(language, "report.weekly_title", week=name_of(figures), mode=figures.mode)
    lines = [say(language, "report.simulated")] if figures.is_simulated else []
    lines += [
        say(language, "report.span", first=figures.first.isoformat(),
            last=figures.last.isoformat(), days=len(figures.days)),
        "", *_days(figures, language), "", *_money(figures, language),
        *_closed(figures.closed, language),
    ]  # fmt: skip
    if figures.closed.symbols:
        lines += ["", *_symbols(figures, language)]
    if figures.others:
        lines += ["", *_others(figures, language)]
    return Report(title, "\n".join(lines), figures)


def name_of(figures: WeekFigures) -> str:
    """Return the week's ISO name, or its last day where weeks do not end on Sunday."""
    if figures.last.isoweekday() == 7:
        year, number, _ = figures.last.isocalendar()
        return f"{year}-W{number:02d}"
    return figures.last.isoformat()


def _days(figures: WeekFigures, language: Language) -> list[str]:
    columns = ("day", "net", "percent", "drawdown", "trades")
    rows = [[say(language, f"report.column_{name}") for name in columns]]
    for day in figures.days:
        named = f"{day.date:%m-%d} {weekday(day.date, language)}"
        wins = f"{day.wins}/{day.losses}"
        rows.append(
            [named, signed(day.net), percent(day.fraction), fall(day.max_drawdown), wins]
        )  # fmt: skip
    return table(rows)


def _money(figures: WeekFigures, language: Language) -> list[str]:
    return [
        say(
            language, "report.week_net", net=signed(figures.net), currency=figures.currency,
            percent=percent(figures.growth), drawdown=fall(figures.max_drawdown),
        ),
        _costs(figures, language),
    ]  # fmt: skip


def _costs(figures: WeekFigures, language: Language) -> str:
    values = {
        "fees": amount(figures.fees), "funding": signed(figures.funding),
        "gross": signed(figures.gross), "bp": figures.fee_bp if figures.fee_bp else NOTHING,
    }  # fmt: skip
    if figures.gross > 0:
        values["share"] = share(figures.fees / figures.gross)
        return say(language, "report.costs", **values)
    return say(language, "report.costs_of_nothing", **values)


def _closed(closed: Closed, language: Language) -> list[str]:
    if closed.expectancy is None or closed.hit_low is None or closed.hit_high is None:
        return [say(language, "report.none_closed")]
    factor = closed.profit_factor
    lines = [
        say(
            language, "report.hit_rate", wins=closed.wins, count=closed.count,
            share=share(closed.wins / closed.count), low=share(closed.hit_low),
            high=share(closed.hit_high),
        ),
        say(
            language, "report.profit_factor",
            factor=say(language, "report.no_loss") if factor is None else f"{factor:.2f}",
        ),
        say(
            language, "report.expectancy", mean=signed(closed.expectancy), count=closed.count,
            error=NOTHING if closed.error is None else amount(closed.error),
        ),
    ]  # fmt: skip
    if closed.is_few:
        lines.append(say(language, "report.few", count=closed.count, enough=FEW))
    return lines


def _symbols(figures: WeekFigures, language: Language) -> list[str]:
    columns = ("symbol", "closed", "wins", "net")
    rows = [[say(language, f"report.column_{name}") for name in columns]]
    rows += [[s.symbol, str(s.closed), str(s.wins), signed(s.net)] for s in figures.closed.symbols]
    return table(rows)


def _others(figures: WeekFigures, language: Language) -> list[str]:
    columns = ("mode", "days", "net", "percent")
    rows = [[say(language, f"report.column_{name}") for name in columns]]
    rows += [[m.mode, str(m.days), signed(m.net), percent(m.growth)] for m in figures.others]
    return [say(language, "report.compared"), *table(rows)]
