"""A sheet painted by matplotlib: PNG and PDF, and the pixels of frames for animations."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path as File
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.font_manager import fontManager
from matplotlib.patches import FancyBboxPatch, PathPatch, Rectangle
from matplotlib.path import Path as Outline
from numpy.typing import NDArray

from tconv import checks
from tconv.draw.sheet import Item, Path, Rect, Sheet, Text
from tconv.draw.themes import Look, Theme, ink, look

#: Pixels of the sheet for an inch of matplotlib's page, and points for a pixel.
DPI = 100
POINTS = 72 / DPI
#: Fonts with Chinese letters, as systems and distributions name them.
CHINESE = ("Noto Sans CJK SC", "Noto Sans SC", "Source Han Sans SC", "PingFang SC", "Microsoft YaHei")
_CODES = {"M": Outline.MOVETO, "L": Outline.LINETO, "C": Outline.CURVE4, "Z": Outline.CLOSEPOLY}


def save(sheet: Sheet, theme: Theme, path: File, *, width: int | None = None) -> None:
    """Write a PNG or a PDF, as the extension says; a PNG so many pixels wide, or as the sheet is."""
    form = path.suffix.lower().removeprefix(".")
    scale = 1.0 if width is None else width / sheet.width
    # The same picture gives the same file.
    undated = {"CreationDate": None} if form == "pdf" else {"Software": None}
    _painted(sheet, theme).savefig(path, format=form, dpi=DPI * scale, metadata=undated)


def pixels(sheet: Sheet, theme: Theme, width: int) -> NDArray[np.uint8]:
    """(height, width, 3): the picture so many pixels wide."""
    canvas: Any = FigureCanvasAgg(_painted(sheet, theme))
    canvas.figure.set_dpi(DPI * width / sheet.width)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def _painted(sheet: Sheet, theme: Theme) -> Figure:
    figure = Figure(figsize=(sheet.width / DPI, sheet.height / DPI), dpi=DPI)
    axes: Any = figure.add_axes((0, 0, 1, 1))
    axes.set_xlim(0, sheet.width)
    axes.set_ylim(sheet.height, 0)
    axes.set_axis_off()
    for number, item in enumerate(sheet.items):
        _paint(axes, item, theme, number)
    return figure


def _paint(axes: Any, item: Item, theme: Theme, order: int) -> None:
    if isinstance(item, Text):
        _write(axes, item, theme, order)
        return
    how = look(item.role, theme)
    for style in _styles(how, theme):
        shape = _box(item, style) if isinstance(item, Rect) else PathPatch(_outline(item), **style)
        axes.add_artist(shape)  # unlike add_patch it asks for no limits, which takes half of the time
        shape.set_zorder(order)


def _styles(how: Look, theme: Theme) -> list[dict[str, Any]]:
    """What a shape is painted with: hatching has the colour of its edge, so that it takes a shape of its own."""
    style: dict[str, Any] = {
        "facecolor": to_rgba(how.fill, how.opacity) if how.fill else "none",
        "edgecolor": how.line or "none",
        "linewidth": how.width * POINTS if how.line else 0,
        "linestyle": (0, (3, 3)) if how.dashed else "solid",
        "capstyle": "round",
    }
    if not how.hatched:
        return [style]
    hatch = {"facecolor": theme.paper, "edgecolor": theme.rule, "linewidth": 0, "hatch": "//", "capstyle": "round"}
    return [hatch, {**style, "facecolor": "none"}]


def _box(item: Rect, style: dict[str, Any]) -> Any:
    if item.round <= 0 or "hatch" in style:
        return Rectangle((item.x, item.y), item.w, item.h, **style)
    rounded = f"round,pad=0,rounding_size={min(item.round, item.w / 2, item.h / 2)}"
    return FancyBboxPatch((item.x, item.y), item.w, item.h, boxstyle=rounded, **style)


def _outline(item: Path) -> Outline:
    points: list[tuple[float, float]] = []
    codes: list[Any] = []
    for name, *numbers in item.commands:
        pairs = list(zip(numbers[::2], numbers[1::2], strict=True)) or [(0.0, 0.0)]
        points += pairs
        codes += [_CODES[name]] * len(pairs)
    return Outline(points, codes)


def _write(axes: Any, item: Text, theme: Theme, order: int) -> None:
    across = {"start": "left", "middle": "center", "end": "right"}[item.anchor]
    text = axes.text(
        item.x, item.y, item.text, fontsize=item.size * POINTS, color=ink(item.role, theme),
        ha=across, va="baseline", weight="bold" if item.bold else "normal", family=_fonts(item), zorder=order,
    )  # fmt: skip
    text.set_parse_math(False)


def _fonts(item: Text) -> list[str]:
    first = "DejaVu Sans Mono" if item.mono else "DejaVu Sans"
    if all(ord(letter) < 0x2E80 for letter in item.text):
        return [first]
    return [first, _chinese()]


@lru_cache(maxsize=1)
def _chinese() -> str:
    """A font of this system with Chinese letters."""
    there = {font.name for font in fontManager.ttflist}
    found = next((name for name in CHINESE if name in there), None)
    if found is None:
        checks.wrong(f"Chinese letters need one of the fonts {', '.join(CHINESE)}; SVG leaves them to who shows it")
    return found
