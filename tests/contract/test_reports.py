"""Reports of a day and a week over a real database, with the numbers worked out by hand."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Engine
from sqlmodel import Session, SQLModel, select

from auto_trading.reports.chart_data import equity_data
from auto_trading.reports.charts import image_of
from auto_trading.reports.daily import daily_report, daily_text
from auto_trading.reports.messages import text_of
from auto_trading.reports.week_figures import WeekFigures
from auto_trading.reports.weekly import weekly_report
from auto_trading.reports.weekly_sending import weekly_report_due
from config.loading import load
from config.settings import Settings
from crypto_trader_pro.domain.errors import InputError
from database import reach_state, report_rows
from database.auto_trading_db import unit_of_work
from database.models import AlertRow, DailyAccountSummaryRow, OutboxRow
from tests.performance_rows import a_round_trip
from tests.rows import (
    T0,
    a_day,
    a_decision,
    a_position,
    after,
    an_alert,
    an_entry,
    an_equity,
    stored,
    stored_run,
)
from utils.texts import Language

# T0 is Monday 2024-01-01 00:00 UTC, 09:00 in Seoul: the trading day began 9 hours before
HOUR, DAY = 60, 1440
MODE = "paper-exchange"
MONDAY = date(2024, 1, 1)
ENGLISH, KOREAN = Language.ENGLISH, Language.KOREAN
WEEK_OVER = T0 + timedelta(days=6, hours=15)  # midnight after Sunday, in Seoul


def the_settings(**overrides: Any) -> Settings:
    changed = {
        "notifications.channels": ["dashboard", "telegram"], "notifications.enabled": True,
        "channels.telegram.enabled": True, "channels.telegram.chat_ids": [7],
        "routing.by_type.WEEKLY_REPORT": ["dashboard", "telegram"],
        "engine.language": "en", "quiet_hours.enabled": False, **overrides,
    }  # fmt: skip
    return load(environ={}, dotenv={}, overrides=changed)


SETTINGS = the_settings()


def a_summary(run_id: int, day: int, start: str, end: str, **changes: Any) -> SQLModel:
    values: dict[str, Any] = {
        "date": date(2024, 1, day), "mode": MODE, "run_id": run_id,
        "starting_equity": Decimal(start), "ending_equity": Decimal(end),
        "realized_pnl": Decimal(end) - Decimal(start), "unrealized_pnl": Decimal(0),
        "fees": Decimal(4), "funding": Decimal(0), "max_drawdown": Decimal("0.01"),
        "trade_count": 2, "win_count": 1, "loss_count": 1, "created_at": T0, "updated_at": T0,
    }  # fmt: skip
    return DailyAccountSummaryRow(**(values | changes))


def final(day: int) -> SQLModel:
    return a_day(date=date(2024, 1, day), mode=MODE)


@pytest.fixture
def run_id(database: Engine) -> int:
    return stored_run(database, kind="paper", source="exchange")


@pytest.fixture
def monday(database: Engine, run_id: int) -> int:
    """Monday, which goes on: 10,000 at its beginning, 10,060 at noon in London."""
    stored(
        database, an_entry(run_id, "capital", "-10000", reference="capital", kind="capital"),
        an_entry(run_id, "fees", "3.5", reference="f1", at=after(HOUR)),
        an_entry(run_id, "funding", "-0.5", reference="f2", at=after(HOUR)),
        *a_round_trip(run_id, 1, 10, "80"), *a_round_trip(run_id, 2, 60, "-20", symbol="ETH/USDT"),
        a_position(run_id, 200, symbol="ETH/USDT", side="SHORT", unrealized_pnl=Decimal("-1.5")),
        an_equity(run_id, HOUR, "10100", realized_pnl=Decimal(80)),
        an_equity(run_id, 3 * HOUR, "9999", trading_state="reducing"),
        an_equity(run_id, 12 * HOUR, "10060", realized_pnl=Decimal(60), unrealized_pnl=Decimal(-2)),
        a_decision(run_id, 20, outcome="refused", first_refusal="cooldown"),
        a_decision(run_id, 25, outcome="refused", first_refusal="cooldown"),
        a_decision(run_id, 30, outcome="refused", first_refusal="daily_loss"),
        an_alert(run_id=run_id, at=after(30)), an_alert(run_id=run_id, at=after(40)),
        an_alert(run_id=run_id, at=after(30), severity="info"),
        an_alert(run_id=run_id, at=after(-DAY)),
    )  # fmt: skip
    return run_id


def reported(
    database: Engine, day: date | None = None, language: Language = ENGLISH, *, weekly: bool = False
) -> Any:
    make = weekly_report if weekly else daily_report
    with Session(database) as session:
        return make(session, SETTINGS, language, day)


# --- a day ----------------------------------------------------------------------------------


def test_the_figures_of_a_day_that_goes_on(database: Engine, monday: int) -> None:
    json = reported(database).as_json()
    money = json["money"]
    assert (money["starting"], money["ending"]) == ("10000", "10060")
    assert (json["change"], json["change_percent"]) == ("60", "0.6000")  # 60 / 10,000
    assert (money["realized"], money["unrealized"]) == ("60", "-2")
    assert (money["fees"], money["funding"]) == ("3.5", "0.5")
    assert money["max_drawdown"] == "0.01"  # from 10,100 to 9,999: 101 of 10,100
    assert (json["run"], json["mode"], json["is_over"]) == (f"r{monday}", MODE, False)
    assert json["seconds"] == {
        "active": 2 * 3600, "reducing": 9 * 3600, "halted": 0,  # 1 h to 3 h, 3 h to 12 h
    }  # fmt: skip
    assert json["refused"] == [
        {"rule": "cooldown", "decisions": 2}, {"rule": "daily_loss", "decisions": 1}
    ]  # fmt: skip
    assert json["alerts"] == {"warning": 2}  # not what only informs, not yesterday's
    assert (json["best"]["realized_pnl"], json["worst"]["realized_pnl"]) == ("80", "-20")
    assert [p["symbol"] for p in json["open_positions"]] == ["ETH/USDT"]
    assert json["before"] is None


def test_the_text_of_a_day(database: Engine, monday: int) -> None:
    stored(
        database, a_summary(monday, 1, "1", "1"),
        a_summary(monday, 2, "1", "1", mode="live-exchange"),
        a_summary(monday, 31, "100", "103", date=date(2023, 12, 31)),
        a_summary(monday, 30, "100", "99", date=date(2023, 12, 30)),
    )  # fmt: skip
    report = reported(database)
    assert report.title == "Trading day 2024-01-01 (paper-exchange)"
    assert report.text.split("\n") == [
        "SIMULATED: no real money was at stake.",
        "The day so far, until 21:00 KST.",
        "Equity: 10,000.00 -> 10,060.00 USDT, +60.00 (+0.60 %).",
        "Realised +60.00 (after fees 3.50, funding +0.50), unrealised -2.00.",
        "Largest drawdown of the day: 1.00 %.",
        "Nothing was closed.",  # these orders carry no result of their own
        "Open positions: 1 (ETH/USDT short -1.50).",
        "Refused most often by: waiting after an exit 2, daily loss 1.",
        "Trading: active 2 h 00 min, reducing 9 h 00 min.",
        "Alerts: warnings 2.",
        "Days before (2): +1.00 % a day on average, best +3.00 %, worst -1.00 %.",
    ]
    korean = reported(database, language=KOREAN)
    assert korean.title == "2024-01-01 거래일 (paper-exchange)"
    assert "평가 자산: 10,000.00 -> 10,060.00 USDT, +60.00 (+0.60 %)." in korean.text
    with Session(database) as session:
        assert daily_text(session, MONDAY, SETTINGS, ENGLISH) == f"{report.title}\n{report.text}"


def test_a_day_that_is_over_is_told_by_its_row(database: Engine, monday: int) -> None:
    stored(database, a_summary(monday, 1, "10000", "10400", trade_count=3, win_count=2), final(1))
    report = reported(database, MONDAY)
    assert "Equity: 10,000.00 -> 10,400.00 USDT, +400.00 (+4.00 %)." in report.text
    assert "Orders that closed something: 3, 2 won, 1 lost." in report.text
    assert "Best: BTC/USDT:USDT long +80.00" in report.text
    assert "Worst: ETH/USDT long -20.00" in report.text
    assert "so far" not in report.text


def test_a_day_without_figures_is_refused_in_one_line(database: Engine) -> None:
    with pytest.raises(InputError, match="no session of an engine yet"):
        reported(database)
    run = stored_run(database, kind="live", source="exchange")
    with pytest.raises(InputError, match="no figures yet"):
        reported(database)
    stored(database, a_summary(run, 1, "1", "1", mode="live-exchange"))
    stored(database, an_equity(run, 1))
    with pytest.raises(InputError) as refused:
        reported(database, date(2025, 1, 1))
    assert str(refused.value) == (
        "day was 2025-01-01, days with figures of live-exchange: 2024-01-01 to 2024-01-01"
    )
    assert "SIMULATED" not in reported(database, MONDAY).text


# --- a week ---------------------------------------------------------------------------------


@pytest.fixture
def the_week(database: Engine, run_id: int) -> int:
    """Three days: +100, -50 and +30 of 1,000; three positions closed: +120, -40 and 0."""
    stored(
        database, a_summary(run_id, 1, "1000", "1100"), a_summary(run_id, 2, "1100", "1050"),
        a_summary(run_id, 7, "1050", "1080", fees=Decimal(2), funding=Decimal(-1)),
        a_summary(run_id, 8, "1080", "5000"), final(1), final(2), final(7),
        a_summary(run_id, 2, "500", "510", mode="live-exchange"),
        a_summary(run_id, 2, "1", "9", mode="paper-demo"),
        *a_round_trip(run_id, 1, 10, "120"),
        *a_round_trip(run_id, 2, DAY, "-40", symbol="ETH/USDT"),
        *a_round_trip(run_id, 3, 6 * DAY, "0", symbol="ETH/USDT"),
        *a_round_trip(run_id, 4, 7 * DAY, "900"),
        an_equity(run_id, HOUR, "1100"), an_equity(run_id, DAY, "990"),
        an_equity(run_id, 6 * DAY, "1080"),
    )  # fmt: skip
    return run_id


def test_the_figures_of_a_week(database: Engine, the_week: int) -> None:
    figures = reported(database, MONDAY, weekly=True).figures
    assert isinstance(figures, WeekFigures)
    assert (figures.first, figures.last) == (MONDAY, date(2024, 1, 7))
    assert [day.date.day for day in figures.days] == [1, 2, 7]
    assert figures.net == 80  # 100 - 50 + 30
    assert figures.growth == Decimal("0.08")  # 1,080 / 1,000
    assert figures.max_drawdown == Decimal("0.1")  # 110 of 1,100
    assert figures.fees == 10  # 4 + 4 + 2
    assert figures.funding == -1
    assert figures.gross == 91  # 80 + 10 + 1
    # three round trips of one coin: bought at 100, sold at 222 (120 + 2 fees), 62 and 102
    assert figures.fee_bp == Decimal("145.77")  # 10 / (300 + 222 + 62 + 102) = 10 / 686
    closed = figures.closed
    assert (closed.count, closed.wins, closed.losses) == (3, 1, 1)
    assert closed.net == 80
    assert closed.profit_factor == 3  # 120 / 40
    assert closed.expectancy is not None
    assert round(closed.expectancy, 4) == Decimal("26.6667")  # 80 / 3
    # deviations 93.33, -66.67, -26.67: squares 13,866.67 / 2 = 6,933.33; / 3, root of 2,311.11
    assert closed.error == Decimal("48.074017")
    # Wilson, 1 of 3, z 1.959964: (1/3 + 0.640243) / 2.280486 +- 0.365387 (see the formula's source)
    assert (round(closed.hit_low or 0, 3), round(closed.hit_high or 0, 3)) == (
        Decimal("0.061"), Decimal("0.792")
    )  # fmt: skip
    assert [(s.symbol, str(s.net)) for s in closed.symbols] == [
        ("BTC/USDT:USDT", "120"), ("ETH/USDT", "-40")
    ]  # fmt: skip
    assert [(m.mode, str(m.net), str(m.growth)) for m in figures.others] == [
        ("live-exchange", "10", "0.020000"), (MODE, "80", "0.080000"),  # the demo is none
    ]  # fmt: skip


def test_the_text_of_a_week(database: Engine, the_week: int) -> None:
    report = reported(database, MONDAY, weekly=True)
    assert report.title == "Week 2024-W01 (paper-exchange)"
    assert (
        report.text
        == """\
SIMULATED: no real money was at stake.
2024-01-01 to 2024-01-07, 3 trading days with figures.

day            net    change  drawdown  won/lost
01-01 Mon  +100.00  +10.00 %    1.00 %       1/1
01-02 Tue   -50.00   -4.55 %    1.00 %       1/1
01-07 Sun   +30.00   +2.86 %    1.00 %       1/1

Net: +80.00 USDT (+8.00 %), largest drawdown 10.00 %.
Costs: fees 10.00, funding -1.00; fees are 145.77 bp of the traded value and take 11.0 % of the \
gross result of +91.00.
Hit rate: 1 of 3 positions, 33.3 % (95 % interval 6.1 % to 79.2 %).
Profit factor: 3.00.
A closed position brings +26.67 on average (standard error 48.07, 3 positions).
3 closed positions are a small sample: below 30, chance explains as much as skill. Change nothing \
because of this week alone.

symbol         closed  won      net
BTC/USDT:USDT       1    1  +120.00
ETH/USDT            2    0   -40.00

Paper and live trading in the same week:
mode            days     net   change
live-exchange      1  +10.00  +2.00 %
paper-exchange     3  +80.00  +8.00 %"""
    )
    korean = reported(database, MONDAY, KOREAN, weekly=True)
    assert korean.title == "2024-W01 주간 보고 (paper-exchange)"
    assert "승률: 3건 중 1건, 33.3 % (95 % 구간 6.1 % ~ 79.2 %)." in korean.text
    assert korean.as_json()["days"][0]["net"] == "100"


def test_a_new_session_with_other_money_is_no_fall(database: Engine, run_id: int) -> None:
    other = stored_run(database, kind="paper", source="exchange")
    stored(
        database, a_summary(run_id, 1, "1000", "990", trade_count=0),
        a_summary(other, 2, "100", "100", fees=Decimal(0)), an_equity(run_id, HOUR, "990"),
        an_equity(other, DAY, "100"),
    )  # fmt: skip
    report = reported(database, MONDAY, weekly=True)
    assert report.figures.max_drawdown == Decimal("0.01")  # 10 of 1,000, not 890 of 990
    assert "does not pay for them" in report.text  # -10 + 4 fees is below zero
    assert "No position was closed" in report.text


def test_a_week_without_figures_is_refused_in_one_line(database: Engine, the_week: int) -> None:
    with pytest.raises(InputError) as refused:
        reported(database, date(2025, 1, 1), weekly=True)
    assert str(refused.value) == (
        "week was 2024-12-30 to 2025-01-05, days with figures of paper-exchange: "
        "2024-01-01 to 2024-01-08"
    )


# --- sending it -----------------------------------------------------------------------------


def due(database: Engine, now: datetime, settings: Settings = SETTINGS) -> bool:
    return weekly_report_due(database, database, settings, now)


def outbox_rows(database: Engine) -> list[OutboxRow]:
    with unit_of_work(database) as session:
        return list(session.exec(select(OutboxRow).order_by(OutboxRow.channel)))


def test_the_report_is_queued_once_when_the_week_has_ended(database: Engine, the_week: int) -> None:
    assert due(database, WEEK_OVER + timedelta(seconds=1))
    assert not due(database, WEEK_OVER + timedelta(days=1))
    shown, sent = outbox_rows(database)
    assert (shown.channel, shown.status, sent.channel, sent.status) == (
        "dashboard", "sent", "telegram", "waiting"
    )  # fmt: skip
    assert (sent.kind, sent.severity, sent.key) == (
        "WEEKLY_REPORT", "info", f"weekly:{MODE}:2024-01-07"
    )  # fmt: skip
    assert sent.message.startswith("Week 2024-W01 (paper-exchange)\nSIMULATED")
    assert sent.image is not None
    assert sent.image.startswith(b"\x89PNG")
    with unit_of_work(database) as session:
        assert reach_state.get(session, f"weekly_report:{MODE}") == {"last": "2024-01-07"}
        (alert,) = session.exec(select(AlertRow))
    assert alert.acknowledged_by == "engine"  # nobody has to answer a report


def test_a_week_is_not_told_before_its_last_day_is_summed_up(database: Engine, run_id: int) -> None:
    stored(database, a_summary(run_id, 7, "1000", "1100"), an_equity(run_id, 6 * DAY, "1100"))
    assert not due(database, WEEK_OVER + timedelta(hours=5))
    assert due(database, WEEK_OVER + timedelta(hours=6))  # no engine will do it any more


def test_a_demo_week_ends_by_its_own_time(database: Engine) -> None:
    run = stored_run(database, kind="paper", source="demo")
    stored(
        database, a_summary(run, 7, "1", "1", mode="paper-demo"), an_equity(run, 6 * DAY),
        a_day(date=date(2024, 1, 7), mode="paper-demo"),
    )  # fmt: skip
    assert not due(database, WEEK_OVER + timedelta(days=99))
    stored(database, an_equity(run, 6 * DAY + 15 * HOUR))
    assert not due(database, T0)  # the candle that closes at its end belongs to it
    stored(database, an_equity(run, 7 * DAY))
    assert due(database, T0)


@pytest.mark.parametrize(
    "overrides",
    [
        {"weekly_report_day": "never"},
        {"routing.by_type.WEEKLY_REPORT": []},
        {"notifications.enabled": False},
    ],
)
def test_a_report_that_goes_nowhere_is_not_made(
    database: Engine, the_week: int, overrides: Mapping[str, Any]
) -> None:
    assert not due(database, WEEK_OVER + timedelta(days=1), the_settings(**overrides))
    assert outbox_rows(database) == []


def test_weeks_may_end_on_another_day(database: Engine, the_week: int) -> None:
    settings = the_settings(weekly_report_day="tuesday")
    with Session(database) as session:
        report = weekly_report(session, settings, ENGLISH, date(2024, 1, 1))
    assert report.title == "Week 2024-01-02 (paper-exchange)"
    assert report.text.split("\n")[1].startswith("2023-12-27 to 2024-01-02, 2 trading days")


# --- what the sending process adds to a daily summary -----------------------------------------


def test_the_picture_and_the_full_text_of_a_daily_summary(
    database: Engine, monday: int, caplog: pytest.LogCaptureFixture
) -> None:
    chart = equity_data(monday, after(-9 * HOUR), after(12 * HOUR))
    data = {"date": "2024-01-01", "mode": MODE, "chart": chart}
    png = image_of(database, data, KOREAN, SETTINGS)
    assert png is not None
    assert png.startswith(b"\x89PNG")
    full = text_of(database, "DAILY_SUMMARY", data, ENGLISH, SETTINGS)
    assert full is not None
    assert full.startswith("Trading day 2024-01-01 (paper-exchange)\nSIMULATED")
    assert "-> 10,060.00 USDT" in full
    stored(database, a_summary(monday, 1, "10000", "10400"), final(1))  # the day went on
    late = {**data, "chart": equity_data(monday, after(-9 * HOUR), after(4 * HOUR))}
    told = text_of(database, "DAILY_SUMMARY", late, ENGLISH, SETTINGS)
    assert told is not None
    assert "until 12:00 KST.\nEquity: 10,000.00 -> 9,999.00 USDT" in told  # as of 03:00 UTC
    assert caplog.records == []


def test_a_message_without_a_picture_or_a_text_goes_as_it_is(
    database: Engine, monday: int, caplog: pytest.LogCaptureFixture
) -> None:
    assert image_of(database, {"date": "x"}, ENGLISH, SETTINGS) is None
    nobody = equity_data(monday + 9, T0, after(DAY))
    empty = equity_data(monday, after(DAY), after(2 * DAY))
    for chart in (nobody, empty):
        assert image_of(database, {"chart": chart}, ENGLISH, SETTINGS) is None
    assert text_of(database, "SYSTEM_ERROR", {"date": "2024-01-01"}, ENGLISH, SETTINGS) is None
    assert caplog.records == []
    for broken in ({}, {"kind": "pie"}, "x", {**nobody, "from": "soon"}):
        assert image_of(database, {"chart": broken}, ENGLISH, SETTINGS) is None
    assert text_of(database, "DAILY_SUMMARY", {"date": "soon"}, ENGLISH, SETTINGS) is None
    assert [r.levelname for r in caplog.records] == ["WARNING"] * 5
    assert all("\n" not in r.getMessage() for r in caplog.records)


def test_reads_keep_to_their_span(database: Engine, monday: int) -> None:
    with Session(database) as session:
        points = report_rows.curve(session, monday, after(HOUR), after(12 * HOUR))
        assert [point.equity for point in points] == [9999, 10060]  # (from, to]
        nets = report_rows.results(session, monday, after(40), after(90))
        assert [r.net for r in nets] == [80]  # [40, 90): closed at 40, and at 90
        held = report_rows.held_at(session, monday, datetime(2024, 1, 1, 1, 15, tzinfo=UTC))
        assert [h.symbol for h in held] == ["ETH/USDT"]  # that of 60 to 90, not that of 200
