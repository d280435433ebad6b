"""/chart: the account's value, or a symbol's candles with what was traded, as a picture."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final, Literal
from zoneinfo import ZoneInfo

from sqlmodel import col, select

from auto_trading.reach.telegram.answers import Answer, escaped
from auto_trading.reach.telegram.desk import Desk
from auto_trading.reach.telegram.symbols import known_symbol
from crypto_trader_pro.domain.enums import Side
from database.models import MarketDataRow, RunRow
from database.views.equity import equity_curve
from database.views.executions import Execution, executions
from database.views.runs import origin_of
from utils.chart_images import Fill, candle_chart, equity_chart

_CANDLES: Final = 96
_FILLS: Final = 200
_POINTS: Final = 600


@dataclass(frozen=True, slots=True)
class _Candle:
    opened_at: datetime
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal


def chart(desk: Desk) -> Answer:
    """Return a picture: of the account, or of the symbol that is named.

    Raises:
        InputError: the word is neither "equity" nor a symbol of the run.
    """
    word = desk.words[0] if desk.words else "equity"
    return _equity(desk) if word.lower() == "equity" else _symbol(desk, known_symbol(desk, word))


def _equity(desk: Desk) -> Answer:
    run, title = desk.run, desk.say("telegram.title_equity")
    found = equity_curve(desk.session, run.id, _POINTS)
    if not found:
        return desk.framed(title, escaped(desk.say("telegram.no_figures")))
    png = equity_chart(
        [p.at for p in found], [p.equity for p in found], drawdown=[p.drawdown for p in found],
        title=title, subtitle=run.public_id, unit=run.asset, language=desk.language,
        zone=ZoneInfo(desk.zone), simulated=run.is_simulated,
    )  # fmt: skip
    return Answer(desk.framed(title).text, image=png)


def _symbol(desk: Desk, symbol: str) -> Answer:
    run = desk.run
    title = f"{symbol} {run.timeframe}"
    found = _candles(desk, symbol)
    if not found:
        return desk.framed(title, escaped(desk.say("telegram.no_candles")))
    done = executions(desk.session, run.id, since=found[0].opened_at, symbol=symbol, limit=_FILLS)
    png = candle_chart(
        found, fills=[_fill(e) for e in done], title=title, subtitle=run.public_id,
        unit=run.asset, language=desk.language, zone=ZoneInfo(desk.zone),
        simulated=run.is_simulated,
    )  # fmt: skip
    return Answer(desk.framed(title).text, image=png)


def _candles(desk: Desk, symbol: str) -> list[_Candle]:
    """Return the newest stored candles of the run's own source, oldest first."""
    row, run = MarketDataRow, desk.session.get_one(RunRow, desk.run.id)
    origin = origin_of(run)
    query = select(row).where(
        col(row.venue) == origin.venue, col(row.source) == origin.source,
        col(row.symbol) == symbol, col(row.timeframe) == run.timeframe,
    )  # fmt: skip
    rows = desk.session.exec(query.order_by(col(row.timestamp).desc()).limit(_CANDLES)).all()
    return [candle for m in reversed(rows) if (candle := _candle(m)) is not None]


def _candle(row: MarketDataRow) -> _Candle | None:
    values = (row.open, row.high, row.low, row.close, row.volume)
    known = [value for value in values if value is not None]
    return _Candle(row.timestamp, *known) if len(known) == len(values) else None


def _fill(execution: Execution) -> Fill:
    side: Literal["BUY", "SELL"] = "BUY" if execution.side == Side.BUY else "SELL"
    return Fill(execution.executed_at, execution.price, side)
