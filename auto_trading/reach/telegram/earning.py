"""/profit /daily /performance: what was earned, by period, by day, by symbol."""

from decimal import Decimal
from typing import Final

from auto_trading.reach.telegram.answers import Answer, block, escaped, gain, money, percent, table
from auto_trading.reach.telegram.desk import Desk
from crypto_trader_pro.domain.errors import InputError
from database.views import profit as views
from database.views.profit import Period

_DAYS: Final = 7
_MOST_DAYS: Final = 31
_SYMBOLS: Final = 20


def profit(desk: Desk) -> Answer:
    """Return the gain of today, of 7 and 30 days and of all."""
    title = desk.say("telegram.title_profit")
    found = views.profit(desk.session, desk.run.id, desk.now)
    if found is None:
        return desk.framed(title, escaped(desk.say("telegram.no_figures")))
    periods = {"today": found.today, "days7": found.days7, "days30": found.days30, "all": found.all}
    lines = [line for name, period in periods.items() for line in _period(desk, name, period)]
    equity = f"{desk.say('telegram.equity')}  {money(found.equity, found.currency)}"
    return desk.framed(title, block([*lines, equity]))


def daily(desk: Desk) -> Answer:
    """Return the last trading days, newest first; a number says how many."""
    days = _whole(desk, _DAYS, _MOST_DAYS)
    title = desk.say("telegram.title_daily")
    found = views.daily(desk.session, desk.run.tag, days)
    if not found:
        return desk.framed(title, escaped(desk.say("telegram.no_days")))
    head = [desk.say(f"telegram.{name}") for name in ("day", "profit", "percent", "trades")]
    rows = [
        [d.date.strftime("%m-%d"), gain(d.profit), _signed(d.percent), str(d.trades)] for d in found
    ]
    total = sum((d.profit for d in found), Decimal(0))
    fees = sum((d.fees for d in found), Decimal(0))
    foot = desk.say(
        "telegram.days_total", amount=gain(total, desk.asset), fees=money(fees, desk.asset)
    )
    return desk.framed(title, table([head, *rows]), escaped(foot))


def performance(desk: Desk) -> Answer:
    """Return the closed trades by symbol, best first, and over all."""
    title = desk.say("telegram.title_performance")
    found = views.performance(desk.session, desk.run.id)
    if not found:
        return desk.framed(title, escaped(desk.say("telegram.no_trades")))
    head = [desk.say(f"telegram.{name}") for name in ("symbol", "profit", "trades", "wins")]
    rows = [
        [s.symbol.partition(":")[0], gain(s.net), str(s.trades), percent_of(s.wins, s.trades)]
        for s in found[:_SYMBOLS]
    ]
    trades, wins = sum(s.trades for s in found), sum(s.wins for s in found)
    net = sum((s.net for s in found), Decimal(0))
    foot = desk.say(
        "telegram.trades_total", amount=gain(net, desk.asset), trades=trades,
        wins=percent_of(wins, trades),
    )  # fmt: skip
    return desk.framed(title, table([head, *rows]), escaped(foot))


def percent_of(part: int, whole: int) -> str:
    """Return a share in whole percent."""
    return f"{Decimal(100 * part) / whole:.0f} %" if whole else "–"


def _period(desk: Desk, name: str, period: Period) -> list[str]:
    trades = desk.say("telegram.count_trades", count=period.trades)
    return [
        desk.say(f"telegram.{name}"),
        f"  {gain(period.profit, desk.asset)} ({_signed(period.percent)}) · {trades}",
    ]


def _signed(value: Decimal | None) -> str:
    """Return a number that is percent already."""
    return percent(None if value is None else value / 100, signed=True)


def _whole(desk: Desk, usual: int, most: int) -> int:
    if not desk.words:
        return usual
    word = desk.words[0]
    if not (word.isascii() and word.isdecimal() and len(word) < 5 and 0 < int(word) <= most):
        allowed = desk.say("telegram.allowed_number", most=most)
        raise InputError(desk.say("telegram.bad_argument", given=word[:32], allowed=allowed))
    return int(word)
