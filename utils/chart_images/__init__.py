"""Still pictures of charts, PNG, for mails, chats and reports: nothing on them needs a browser.

    png = equity_chart(times, equity, title="Equity", subtitle="paper-demo, run 7", unit="USDT",
                       language=Language.ENGLISH, zone=ZoneInfo("Asia/Seoul"), simulated=True)

Every picture has its own light background with a border, so that it reads the same in light and
dark clients, names its unit and its time zone, and says where the data is simulated. Colours of
gain and loss are those of the console: red and blue in Korean, green and red in English. May be
called from any thread; pictures are drawn one after the other.

The drawing library takes most of a second to load and is loaded with the first picture.
"""

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, Protocol
from zoneinfo import ZoneInfo

from utils.texts import Language

if TYPE_CHECKING:
    from utils.chart_images import drawing

SIZE: Final = (1000, 560)  # width and height in pixels


class Candle(Protocol):
    """One candle; prices in quote, volume in base currency."""

    @property
    def opened_at(self) -> datetime: ...
    @property
    def open(self) -> Decimal: ...
    @property
    def high(self) -> Decimal: ...
    @property
    def low(self) -> Decimal: ...
    @property
    def close(self) -> Decimal: ...
    @property
    def volume(self) -> Decimal: ...


class Fill(NamedTuple):
    """An execution, to be marked on its price."""

    at: datetime
    price: Decimal
    side: Literal["BUY", "SELL"]


class Look(NamedTuple):
    """What every picture has around its data.

    Args:
        unit: what the values are counted in, "USDT".
        zone: of the times on the axis; it is named on the picture.
        simulated: no real money was at stake, or the market itself is made up.
        size: width and height in pixels.
    """

    title: str
    subtitle: str
    unit: str
    language: Language
    zone: ZoneInfo
    simulated: bool
    size: tuple[int, int]


def equity_chart(
    times: Sequence[datetime], equity: Sequence[Decimal], *,
    drawdown: Sequence[Decimal] | None = None, title: str, subtitle: str = "", unit: str = "USDT",
    language: Language, zone: ZoneInfo, simulated: bool, size: tuple[int, int] = SIZE,
) -> bytes:  # fmt: skip
    """Return the PNG of an account's value over time; no points give a picture that says so.

    Of a long curve as many points are drawn as the picture can show, its extremes among them.

    Args:
        times: aware, oldest first.
        drawdown: fractions of the peak before, > 0 below it; drawn below in percent.

    Raises:
        ValueError: the sequences differ in length.
    """
    look = Look(title, subtitle, unit, language, zone, simulated, size)
    return _drawing().equity(times, equity, drawdown, look)


def candle_chart(
    candles: Sequence[Candle], *, fills: Sequence[Fill] = (), title: str, subtitle: str = "",
    unit: str = "USDT", language: Language, zone: ZoneInfo, simulated: bool,
    size: tuple[int, int] = SIZE,
) -> bytes:  # fmt: skip
    """Return the PNG of candles with their volume and the executions among them.

    More candles than the picture can show are joined, and the picture says how many are in one.

    Args:
        candles: oldest first.
        fills: those outside the candles' time are left out.
    """
    look = Look(title, subtitle, unit, language, zone, simulated, size)
    return _drawing().candles(candles, fills, look)


def daily_bars(
    days: Sequence[date], net: Sequence[Decimal], *, title: str, subtitle: str = "",
    unit: str = "USDT", language: Language, zone: ZoneInfo, simulated: bool,
    size: tuple[int, int] = SIZE,
) -> bytes:  # fmt: skip
    """Return the PNG of gains and losses by day, with their amounts where there is room.

    Args:
        days: trading days, oldest first.
        zone: that the trading days follow.

    Raises:
        ValueError: the sequences differ in length.
    """
    look = Look(title, subtitle, unit, language, zone, simulated, size)
    return _drawing().bars(days, net, look)


def _drawing() -> "type[drawing.Drawing]":
    # matplotlib: most of a second and 40 MB, for processes that draw only
    from utils.chart_images import fonts  # noqa: PLC0415

    fonts.prepare()
    from utils.chart_images.drawing import Drawing  # noqa: PLC0415

    return Drawing
