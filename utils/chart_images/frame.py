"""What every picture has around its data: background, heading, zone, the mark of simulated data."""

from collections.abc import Sequence
from datetime import datetime
from io import BytesIO
from typing import Any, Final

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.dates import date2num
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from utils.chart_images import Look, ticks
from utils.chart_images.fonts import FAMILY, drawable
from utils.texts import Language, say

PAPER: Final = "#ffffff"
INK: Final = "#16202c"
MUTED: Final = "#5a6675"
RULE: Final = "#d5dbe3"
AMBER: Final = "#ad5200"
AMBER_PAPER: Final = "#fff3e0"
# gain and loss as on the console: red and blue in Korea, green and red elsewhere
_UP_DOWN: Final = {
    Language.KOREAN: ("#e5484d", "#3b82f6"),
    Language.ENGLISH: ("#17a06b", "#e5484d"),
}
_DPI: Final = 100
_POINT: Final = 72 / _DPI  # of a pixel
_TITLE, _TEXT, _SMALL = 34, 24, 22  # heights of letters in pixels: read on a phone, too
_EDGE: Final = 22  # pixels around everything
_HEAD: Final = 144  # pixels above the panels: title, subtitle, unit
_FOOT: Final = 112  # pixels below them: words of the time axis, the zone
_RIGHT: Final = 26  # pixels beside them: half of the last word below
_GAP: Final = 10
# pixels between two panels: half of the last word of the upper, unit and half word of the lower
_BETWEEN: Final = 54


class Frame:
    """One picture with one or two panels, one above the other, that share the time axis."""

    def __init__(self, look: Look, shares: Sequence[float] = (1.0,)) -> None:
        self.look = look
        self.up, self.down = _UP_DOWN[look.language]
        self._width, self._height = look.size
        self._figure = Figure((self._width / _DPI, self._height / _DPI), dpi=_DPI, facecolor=PAPER)
        self._canvas = FigureCanvasAgg(self._figure)
        self._shares = shares
        self.panels = [self._panel() for _ in shares]
        self._foot = ""
        self._border()
        self._heading()

    # --- what is drawn by the panels' owner ----------------------------------------------------

    def value_axis(self, panel: Axes, low: float, high: float, unit: str, count: int = 5) -> None:
        """Set the height of a panel, its marks and the unit that stands above its words."""
        panel.set_ylim(low, high)
        places, words = ticks.of_values(low, high, count)
        panel.set_yticks(places, words, **self._font(_TEXT, MUTED))
        panel.annotate(
            drawable(unit), (0, 1), (-8, 12), xycoords="axes fraction", textcoords="offset pixels",
            ha="right", va="bottom", parse_math=False, **self._font(_SMALL, MUTED),
        )  # fmt: skip

    def time_axis(self, first: datetime, last: datetime, margin: float) -> None:
        """Set the width of all panels: from `first` to `last` with `margin` days on both sides."""
        zone = self.look.zone
        places, words = ticks.of_times(first, last, zone)
        for panel in self.panels:
            panel.set_xlim(date2num(first) - margin, date2num(last) + margin)
        self.words_below(places, words)
        self._foot = f"{last.astimezone(zone):%Z} ({zone.key})"

    def words_below(self, places: Sequence[float], words: Sequence[str]) -> None:
        """Set the marks of the horizontal axis; their words stand below the lowest panel."""
        for panel in self.panels[:-1]:
            panel.set_xticks(places, [""] * len(places))
        self.panels[-1].set_xticks(places, words, **self._font(_TEXT, MUTED))

    def name_zone(self) -> None:
        """Name the zone where no time stands on the axis."""
        self._foot = self.look.zone.key

    def note(self, panel: Axes, text: str, at: tuple[float, float], **how: Any) -> None:
        """Write a small word at a place of the data."""
        panel.annotate(
            drawable(text), at, textcoords="offset pixels", parse_math=False,
            annotation_clip=False, **self._font(_SMALL, INK, bold=True), **how,
        )  # fmt: skip

    def name(self, panel: Axes, text: str, colour: str = MUTED) -> None:
        """Write a word at the right above a panel."""
        panel.annotate(
            drawable(text), (1, 1), (0, 6), xycoords="axes fraction",
            textcoords="offset pixels", ha="right", va="bottom", parse_math=False,
            **self._font(_SMALL, colour, bold=colour != MUTED),
        )  # fmt: skip

    def corner(self, parts: Sequence[tuple[str, str]]) -> None:
        """Write words and their colours at the left below."""
        left = float(_EDGE)
        for text, colour in parts:
            shown = self._figure.text(
                left / self._width, _EDGE * 0.7 / self._height, drawable(text), ha="left",
                va="bottom", parse_math=False, **self._font(_SMALL, colour),
            )  # fmt: skip
            left += shown.get_window_extent(self._canvas.get_renderer()).width + 2 * _GAP

    def nothing(self) -> bytes:
        """Return the picture without data, which says so."""
        for panel in self.panels:
            panel.set_axis_off()
        self._figure.text(
            0.5, 0.45, say(self.look.language, "chart.no_data"), ha="center", va="center",
            **self._font(_TITLE, MUTED),
        )  # fmt: skip
        self.name_zone()
        return self.png()

    def png(self) -> bytes:
        """Place the panels beside their words and return the picture."""
        self._figure.text(
            1 - _EDGE / self._width, _EDGE * 0.7 / self._height,
            drawable(say(self.look.language, "chart.zone", zone=self._foot)), ha="right",
            va="bottom", **self._font(_SMALL, MUTED),
        )  # fmt: skip
        self._place()
        stream = BytesIO()
        self._canvas.print_png(stream, metadata={"Software": None})
        self._figure.clear()
        return stream.getvalue()

    # --- the parts -----------------------------------------------------------------------------

    def _panel(self) -> Axes:
        panel = self._figure.add_axes((0.1, 0.1, 0.8, 0.8), facecolor=PAPER)
        panel.grid(visible=True, color=RULE, linewidth=1, alpha=0.7)
        panel.set_axisbelow(True)
        panel.tick_params(length=0, pad=8)
        for side in ("top", "right", "left"):
            panel.spines[side].set_visible(False)
        panel.spines["bottom"].set_color(RULE)
        return panel

    def _place(self) -> None:
        """Give the panels the room that the words on their left leave."""
        renderer = self._canvas.get_renderer()
        words = max(_width_of_words(panel, renderer) for panel in self.panels)
        left, right = _EDGE + words, self._width - _EDGE - _RIGHT
        top, bottom = float(self._height - _HEAD), _FOOT
        room = top - bottom - (len(self._shares) - 1) * _BETWEEN
        for panel, share in zip(self.panels, self._shares, strict=True):
            height = room * share
            panel.set_position(
                (
                    left / self._width, (top - height) / self._height,
                    (right - left) / self._width, height / self._height,
                )
            )  # fmt: skip
            top -= height + _BETWEEN

    def _border(self) -> None:
        self._figure.add_artist(
            Rectangle(
                (0, 0), 1, 1, transform=self._figure.transFigure, fill=False, edgecolor=RULE,
                linewidth=3,
            )
        )  # fmt: skip

    def _heading(self) -> None:
        room = float(self._width - 2 * _EDGE)
        if self.look.simulated:
            room -= self._mark() + 2 * _GAP
        top = 1 - _EDGE / self._height
        self._line(self.look.title, top, _TITLE, INK, room, bold=True)
        lower = top - 1.5 * _TITLE / self._height
        self._line(self.look.subtitle, lower, _TEXT, MUTED, self._width - 2 * _EDGE)

    def _line(
        self, text: str, top: float, size: int, colour: str, room: float, *, bold: bool = False
    ) -> None:
        """Write one line at the left, in smaller letters where it is too long for `room` pixels."""
        shown = self._figure.text(
            _EDGE / self._width, top, drawable(" ".join(text.split())), ha="left", va="top",
            parse_math=False, **self._font(size, colour, bold=bold),
        )  # fmt: skip
        width = shown.get_window_extent(self._canvas.get_renderer()).width
        if width > room:
            shown.set_fontsize(size * _POINT * room / width)

    def _mark(self) -> float:
        """Draw the mark of simulated data at the right and return its width in pixels."""
        shown = self._figure.text(
            1 - (_EDGE + _GAP) / self._width, 1 - (_EDGE + 8) / self._height,
            say(self.look.language, "chart.simulated"), ha="right", va="top",
            bbox={"facecolor": AMBER_PAPER, "edgecolor": AMBER, "linewidth": 1.5,
                  "boxstyle": "round,pad=0.35"},
            **self._font(_TEXT, AMBER, bold=True),
        )  # fmt: skip
        return float(shown.get_window_extent(self._canvas.get_renderer()).width) + 2 * _GAP

    def _font(self, size: int, colour: str, *, bold: bool = False) -> dict[str, Any]:
        return {
            "family": list(FAMILY), "size": size * _POINT, "color": colour,
            "weight": "bold" if bold else "normal",
        }  # fmt: skip


def _width_of_words(panel: Axes, renderer: Any) -> float:
    box = panel.yaxis.get_tightbbox(renderer)
    return 0.0 if box is None else float(box.width) + 8
