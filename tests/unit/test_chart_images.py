"""Pictures of charts: they are drawn, in Korean too, and say what they show."""

import gc
import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from numpy.typing import NDArray

from auto_trading_dashboard.components.figures import up_down_hex
from tests.market_data import ROOT
from utils.chart_images import Fill, candle_chart, daily_bars, equity_chart, fonts
from utils.chart_images.joining import Bar, joined
from utils.texts import Language, catalogue

T = datetime(2026, 11, 20, 15, tzinfo=UTC)  # midnight in Seoul
SEOUL = ZoneInfo("Asia/Seoul")
KOREAN, ENGLISH = Language.KOREAN, Language.ENGLISH
Picture = NDArray[np.uint8]


def picture(png: bytes) -> Picture:
    from matplotlib.image import imread

    return (imread(BytesIO(png)) * 255).round().astype(np.uint8)[:, :, :3]


def curve(
    values: list[int], title: str = "Equity", language: Language = ENGLISH, *,
    simulated: bool = False, drawdown: list[Decimal] | None = None,
) -> bytes:  # fmt: skip
    times = [T + timedelta(hours=k) for k in range(len(values))]
    return equity_chart(
        times, [Decimal(v) for v in values], drawdown=drawdown, title=title, language=language,
        zone=SEOUL, simulated=simulated,
    )  # fmt: skip


def candles(count: int, step: int = 1) -> list[Bar]:
    at = [T + timedelta(minutes=5 * k) for k in range(count)]
    d = Decimal
    return [
        Bar(at[k], d(100 + k), d(103 + k), d(99 + k), d(100 + k + step), d(2)) for k in range(count)
    ]


def has(shown: Picture, colour: str) -> bool:
    wanted = np.array([int(colour[k : k + 2], 16) for k in (1, 3, 5)])
    return bool((shown == wanted).all(axis=2).any())


def test_size_and_an_opaque_background_of_its_own() -> None:
    from matplotlib.image import imread

    shown = imread(BytesIO(curve([100, 101])))
    assert shown.shape == (560, 1000, 4)
    assert (shown[:, :, 3] == 1).all()
    assert (shown[40, 500] == 1).all()  # white between title and mark


@pytest.mark.parametrize("language", list(Language))
def test_gain_and_loss_have_the_colours_of_the_console(language: Language) -> None:
    up, down = up_down_hex("kr" if language is KOREAN else "intl")
    gained, lost = (
        picture(curve([100, 120], "x", language)),
        picture(curve([120, 100], "x", language)),
    )
    assert has(gained, up)
    assert not has(gained, down)
    assert has(lost, down)
    assert not has(lost, up)
    bars = picture(
        candle_chart(candles(9), title="x", language=language, zone=SEOUL, simulated=False)
    )
    assert has(bars, up)
    assert not has(bars, down)
    days = [date(2026, 11, 20), date(2026, 11, 21)]
    net = [Decimal(5), Decimal(-3)]
    both = picture(daily_bars(days, net, title="x", language=language, zone=SEOUL, simulated=False))
    assert has(both, up)
    assert has(both, down)


def test_no_word_beside_the_axes_lies_over_another(monkeypatch: pytest.MonkeyPatch) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.text import Text

    found: list[tuple[str, float, float]] = []

    def measure(canvas: FigureCanvasAgg, *_: object, **__: object) -> None:
        canvas.draw()
        for text in canvas.figure.findobj(Text):
            box = text.get_window_extent(canvas.get_renderer())
            if isinstance(text, Text) and text.get_text() and box.y0 > 120 and box.x1 < 120:
                found.append((text.get_text(), box.y0, box.y1))

    monkeypatch.setattr(FigureCanvasAgg, "print_png", measure)
    # the upper axis is marked down to its very end: 9,920
    curve([10_000, 9_990, 9_925], drawdown=[Decimal(0), Decimal("0.001"), Decimal("0.0075")])
    beside = sorted({one for one in found if one[1] < 420}, key=lambda one: one[1])
    assert {"%", "9,920"} <= {word for word, _, _ in beside}
    for lower, upper in pairwise(beside):
        assert lower[2] <= upper[1], (lower, upper)


@pytest.mark.parametrize("language", list(Language))
def test_simulated_data_is_marked(language: Language) -> None:
    real = picture(curve([1, 2], "x", language))
    marked = picture(curve([1, 2], "x", language, simulated=True))
    corner = (slice(10, 70), slice(700, 990))
    assert has(marked[corner], "#ad5200")  # the amber of the word
    assert len(np.unique(real[corner].reshape(-1, 3), axis=0)) == 1  # else nothing stands there


# --- Korean ---------------------------------------------------------------------------------


def test_every_letter_of_the_korean_catalogue_has_a_glyph() -> None:
    from matplotlib.ft2font import FT2Font

    wanted = {c for text in catalogue(KOREAN).values() for c in text if "가" <= c <= "힣"}
    assert len(wanted) > 300  # the catalogue was really read
    for path in fonts.files():
        font = FT2Font(str(path))
        assert {c for c in wanted if not font.get_char_index(ord(c))} == set(), path.name


def test_hangul_is_drawn_and_no_boxes(monkeypatch: pytest.MonkeyPatch) -> None:
    def title(text: str) -> Picture:
        return picture(curve([1, 2], text))[15:60, 15:300]

    hangul, other = title("한글"), title("글한")
    assert not np.array_equal(hangul, other)
    monkeypatch.setattr("utils.chart_images.frame.drawable", str)
    with pytest.warns(UserWarning, match="missing from font"):  # an error where it is not expected
        boxes = title("\ue000\ue001")  # in no font
    with pytest.warns(UserWarning, match="missing from font"):
        same = title("\ue001\ue000")
    assert np.array_equal(boxes, same)  # what a missing letter looks like
    assert not np.array_equal(hangul, boxes)


def test_what_no_font_has_becomes_a_question_mark_and_nothing_is_a_formula() -> None:
    fonts.prepare()
    assert fonts.drawable("수익 −1 ₩ \ue000\n\U0001fae0") == "수익 −1 ₩ ?\n?"
    assert np.array_equal(picture(curve([1, 2], "a \ue000")), picture(curve([1, 2], "a ?")))
    assert curve([1, 2], "$x_1$ 50$ \\frac{")  # would not be drawn as a formula


# --- any data -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "draw",
    [
        lambda: curve([]),
        lambda: curve([100]),
        lambda: curve([0, 0, 0]),
        lambda: curve([-5, -5], drawdown=[Decimal(0), Decimal("0.3")]),
        lambda: candle_chart([], title="x", language=KOREAN, zone=SEOUL, simulated=True),
        lambda: candle_chart(candles(1, 0), title="x", language=KOREAN, zone=SEOUL, simulated=True),
        lambda: daily_bars([], [], title="x", language=KOREAN, zone=SEOUL, simulated=True),
        lambda: daily_bars([date(2026, 1, 1)], [Decimal(0)], title="x" * 300, language=KOREAN,
                           zone=SEOUL, simulated=True, size=(500, 400)),
    ],
)  # fmt: skip
def test_little_data_is_a_picture_too(draw: Callable[[], bytes]) -> None:
    assert len(np.unique(picture(draw()).reshape(-1, 3), axis=0)) > 20  # something is on it


def test_lengths_must_agree() -> None:
    with pytest.raises(ValueError, match="one length"):
        curve([1, 2], drawdown=[Decimal(0)])
    with pytest.raises(ValueError, match="one length"):
        daily_bars([], [Decimal(1)], title="x", language=KOREAN, zone=SEOUL, simulated=True)


def test_many_points_keep_their_extremes() -> None:
    flat = [100] * 100_000
    spike = [*flat]
    spike[77_777] = 200
    assert has(picture(curve(spike))[100:250], "#17a06b")  # high above all others


def test_neighbouring_candles_become_one() -> None:
    bars, size = joined(candles(5), 3)  # 5 in 3: two in each, the last one alone
    d = Decimal
    assert size == 2
    assert bars[0] == Bar(T, d(100), d(104), d(99), d(102), d(4))  # 103+1, 99, 101+1, 2+2
    assert [bar.opened_at for bar in bars] == [
        T,
        T + timedelta(minutes=10),
        T + timedelta(minutes=20),
    ]
    assert joined(candles(3), 3) == (candles(3), 1)


def test_executions_are_marked_and_those_of_another_time_are_not() -> None:
    def drawn(fills: list[Fill]) -> Picture:
        look = {"title": "x", "language": ENGLISH, "zone": SEOUL, "simulated": False}
        return picture(candle_chart(candles(30), fills=fills, **look))  # type: ignore[arg-type]

    sold = Fill(T + timedelta(minutes=50), Decimal(110), "SELL")
    assert has(drawn([sold]), "#e5484d")  # nothing else is red here
    assert np.array_equal(drawn([sold._replace(at=T - timedelta(days=1))]), drawn([]))


def test_words_of_the_axes() -> None:
    fonts.prepare()
    from utils.chart_images import ticks

    words = ticks.of_times(T, T + timedelta(hours=24), SEOUL)[1]
    assert words == ["00:00\n11-21", "04:00", "08:00", "12:00", "16:00", "20:00", "00:00\n11-22"]
    utc = ticks.of_times(T, T + timedelta(days=30), ZoneInfo("UTC"))[1]
    assert utc == ["11-22\n2026", "12-01", "12-08", "12-15"]
    assert ticks.of_values(9_930, 10_470)[1] == ["10,000", "10,200", "10,400"]
    assert ticks.of_values(-0.05, 0.07)[1] == ["−0.050", "−0.025", "0.000", "0.025", "0.050"]


# --- the process it runs in -----------------------------------------------------------------


def test_threads_draw_what_one_draws() -> None:
    alone = curve([1, 3, 2], "스레드", KOREAN)
    with ThreadPoolExecutor(4) as pool:
        drawn = list(pool.map(lambda _: curve([1, 3, 2], "스레드", KOREAN), range(4)))
    assert set(drawn) == {alone}


def test_nothing_of_a_picture_stays() -> None:
    from matplotlib.figure import Figure

    curve([1, 2])
    gc.collect()
    # by `type`: asking a dead weak proxy of another test for its class raises
    assert not [thing for thing in gc.get_objects() if issubclass(type(thing), Figure)]


_GROWTH = """
import gc, os
from pathlib import Path
from tests.unit.test_chart_images import curve

def held() -> int:
    gc.collect()  # figures are circles; what is left is what counts
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

for _ in range(20):
    curve(list(range(500)))
before = held()
for _ in range(200):
    curve(list(range(500)))
print(held() - before)
"""


@pytest.mark.slow
def test_memory_stays_flat_over_200_pictures() -> None:
    """In a process of its own: what other tests have left in this one is not the pictures'."""
    found = subprocess.run(
        [sys.executable, "-c", _GROWTH], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert int(found.stdout) < 16 * 2**20


def test_the_library_is_loaded_late_and_writes_into_var_only(tmp_path: Path) -> None:
    program = """if True:
        import sys
        from utils.chart_images import Language, ZoneInfo, equity_chart
        loaded = [name for name in sys.modules if name.startswith("matplotlib")]
        assert not loaded, loaded
        assert equity_chart([], [], title="x", language=Language.KOREAN, zone=ZoneInfo("UTC"),
                            simulated=True)
        assert "matplotlib.pyplot" not in sys.modules
    """
    home = tmp_path / "home"
    home.mkdir()
    environ = {name: value for name, value in os.environ.items() if name != "MPLCONFIGDIR"}
    environ |= {
        "HOME": str(home),
        "CTP_VAR_DIR": str(tmp_path / "var"),
        "CTP_REACH__ENABLED": "false",
    }
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], env=environ, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert list(home.rglob("*")) == []
    assert [path.name[:9] for path in (tmp_path / "var" / "matplotlib").iterdir()] == ["fontlist-"]
