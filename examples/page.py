"""A page measured in inches from its upper left corner, for figures whose parts must line up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.text import Text

PAPER = "#fcfbf8"
INK = "#1d2126"
GREY = "#666e78"
RULE = "#d9d6cf"
BLUE = "#2f6690"
ORANGE = "#d9622b"


@dataclass(frozen=True, slots=True)
class Page:
    """A figure of this size, drawn by Agg: no display is asked for and no global state of pyplot is touched."""

    figure: Figure
    width: float
    height: float

    @classmethod
    def blank(cls, width: float, height: float, dpi: int) -> Page:
        """An empty page."""
        figure = Figure(figsize=(width, height), dpi=dpi, facecolor=PAPER)
        FigureCanvasAgg(figure)
        return cls(figure, width, height)

    def axes(self, left: float, top: float, width: float, height: float) -> Axes:
        """A bare frame: no ticks, no spines."""
        where = (left / self.width, 1 - (top + height) / self.height, width / self.width, height / self.height)
        frame = self.figure.add_axes(where)
        frame.set_axis_off()
        return frame

    def text(self, left: float, top: float, text: str, size: float = 9, **style: Any) -> Text:
        """Text whose first line begins at this place and stands on it."""
        usual: dict[str, Any] = {"color": INK, "ha": "left", "va": "baseline", "family": "DejaVu Sans"}
        place = (left / self.width, 1 - top / self.height)
        return self.figure.text(*place, text, fontsize=size, linespacing=1.35, **(usual | style))

    def bar(self, left: float, top: float, width: float, height: float, color: str = BLUE) -> None:
        """A filled rectangle."""
        corner = (left / self.width, 1 - (top + height) / self.height)
        size = (width / self.width, height / self.height)
        self.figure.add_artist(Rectangle(corner, *size, color=color, linewidth=0, transform=self.figure.transFigure))

    def rule(self, left: float, top: float, width: float) -> None:
        """A thin horizontal line."""
        self.bar(left, top, width, 0.01, RULE)
