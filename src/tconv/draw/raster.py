"""A sheet painted by matplotlib: PNG and PDF, and the pixels of frames for animations.

All of the sheet is one artist, which paints with the renderer's own calls. As artists of their own, patches and texts
take three times as long: each looks for its limits, its clipping and its layout.
"""

from __future__ import annotations

from functools import cache, lru_cache
from io import BytesIO
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, fontManager
from matplotlib.path import Path as Outline
from matplotlib.transforms import Affine2D
from numpy.typing import NDArray

from tconv import checks
from tconv.draw.sheet import Path, Photo, Rect, Sheet, Text
from tconv.draw.themes import Look, Theme, ink, look

#: Pixels of the sheet for an inch of matplotlib's page, and points for a pixel.
DPI = 100
POINTS = 72 / DPI
#: Fonts with Chinese letters, as systems and distributions name them.
CHINESE = (
    *("Noto Sans CJK SC", "Noto Sans CJK JP", "Noto Sans SC", "Source Han Sans SC", "WenQuanYi Micro Hei"),
    *("WenQuanYi Zen Hei", "Droid Sans Fallback", "PingFang SC", "Hiragino Sans GB", "Microsoft YaHei", "SimHei"),
)
_CODES = {"M": Outline.MOVETO, "L": Outline.LINETO, "C": Outline.CURVE4, "Z": Outline.CLOSEPOLY}
#: How far the control points of a quarter of a circle lie from its corner, in radii.
_CORNER = 0.4477


def encoded(sheet: Sheet, theme: Theme, form: str, width: int | None = None) -> bytes:
    """A file of the form png or pdf; a PNG so many pixels wide, or as the sheet is."""
    scale = 1.0 if width is None else width / sheet.width
    # The same picture gives the same file.
    undated = {"CreationDate": None} if form == "pdf" else {"Software": None}
    file = BytesIO()
    _painted(sheet, theme).savefig(file, format=form, dpi=DPI * scale, metadata=undated)
    return file.getvalue()


def pixels(sheet: Sheet, theme: Theme, width: int) -> NDArray[np.uint8]:
    """(height, width, 3): the picture so many pixels wide."""
    canvas: Any = FigureCanvasAgg(_painted(sheet, theme))
    canvas.figure.set_dpi(DPI * width / sheet.width)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def _painted(sheet: Sheet, theme: Theme) -> Figure:
    figure = Figure(figsize=(sheet.width / DPI, sheet.height / DPI), dpi=DPI, facecolor=theme.paper)
    figure.add_artist(_Painter(sheet, theme))
    return figure


class _Painter(Artist):
    """A sheet as an artist."""

    def __init__(self, sheet: Sheet, theme: Theme) -> None:
        super().__init__()
        self.sheet, self.theme = sheet, theme

    def draw(self, renderer: Any) -> None:
        """Paint one item after the other, as matplotlib asks it to."""
        scale = renderer.points_to_pixels(POINTS)
        place = Affine2D().scale(scale, -scale).translate(0, self.sheet.height * scale)

        @cache  # the same numbers come again and again
        def wide(text: str, font: FontProperties) -> float:
            return float(renderer.get_text_width_height_descent(text, font, False)[0])

        gc = renderer.new_gc()
        gc.set_capstyle("round")
        for item in self.sheet.items:
            if isinstance(item, Photo):
                _show(renderer, gc, item, place)
                continue
            if not isinstance(item, Text):
                _paint(renderer, gc, item, self.theme, place)
                continue
            font = _font(_families(item.text, item.mono), item.size, item.bold)
            x, y = place.transform((item.x, item.y))
            if item.anchor != "start":
                x -= wide(item.text, font) / (2 if item.anchor == "middle" else 1)
            gc.set_foreground(ink(item.role, self.theme))
            renderer.draw_text(gc, x, renderer.height - y if renderer.flipy() else y, item.text, font, 0)
        gc.restore()


def _show(renderer: Any, gc: Any, item: Photo, place: Any) -> None:
    """The pixels of a photograph, each as many of the page as it covers."""
    (x, low), (end, y) = place.transform([(item.x, item.y + item.h), (item.x + item.w, item.y)]).round().astype(int)
    rows, columns = (
        (np.arange(most) + 0.5) * n // most for most, n in zip((y - low, end - x), item.pixels.shape, strict=False)
    )
    taken = item.pixels[rows.astype(int)[:, None], columns.astype(int)]
    opaque = np.concatenate([taken, np.full((*taken.shape[:2], 1), 255, np.uint8)], axis=-1)
    renderer.draw_image(gc, x, low, opaque[::-1])


def _paint(renderer: Any, gc: Any, item: Rect | Path, theme: Theme, place: Any) -> None:
    how, outline = look(item.role, theme), _outline(item)
    if how.hatched:
        # A shape is hatched in the colour of its edge; here hatching has another, so that it takes a shape of its own.
        gc.set_hatch("//")
        gc.set_hatch_color(theme.rule)
        gc.set_linewidth(0)
        renderer.draw_path(gc, outline, place, to_rgba(theme.paper))
        gc.set_hatch(None)
    gc.set_linewidth(how.width * POINTS if how.line else 0)
    gc.set_foreground(how.line or theme.paper)
    gc.set_dashes(0, (5 * POINTS, 5 * POINTS) if how.dashed else None)
    renderer.draw_path(gc, outline, place, _fill(how))


def _fill(how: Look) -> Any:
    return to_rgba(how.fill, how.opacity) if how.fill and not how.hatched else None


def _outline(item: Rect | Path) -> Outline:
    points: list[tuple[float, float]] = []
    codes: list[Any] = []
    for name, *numbers in item.commands if isinstance(item, Path) else _box(item):
        pairs = list(zip(numbers[::2], numbers[1::2], strict=True)) or [(0.0, 0.0)]
        points += pairs
        codes += [_CODES[name]] * len(pairs)
    return Outline(points, codes)


def _box(item: Rect) -> list[tuple[Any, ...]]:
    """The commands of a rectangle, its corners rounded."""
    x, y, end, low = item.x, item.y, item.x + item.w, item.y + item.h
    r = min(item.round, item.w / 2, item.h / 2)
    if r <= 0:
        return [("M", x, y), ("L", end, y), ("L", end, low), ("L", x, low), ("Z",)]
    k = r * _CORNER
    return [
        ("M", x + r, y), ("L", end - r, y), ("C", end - k, y, end, y + k, end, y + r),
        ("L", end, low - r), ("C", end, low - k, end - k, low, end - r, low),
        ("L", x + r, low), ("C", x + k, low, x, low - k, x, low - r),
        ("L", x, y + r), ("C", x, y + k, x + k, y, x + r, y), ("Z",),
    ]  # fmt: skip


@lru_cache(maxsize=256)
def _font(families: tuple[str, ...], size: float, bold: bool) -> FontProperties:
    return FontProperties(family=list(families), size=size * POINTS, weight="bold" if bold else "normal")


def _families(text: str, mono: bool) -> tuple[str, ...]:
    first = "DejaVu Sans Mono" if mono else "DejaVu Sans"
    return (first,) if all(ord(letter) < 0x2E80 for letter in text) else (first, _chinese())


@lru_cache(maxsize=1)
def _chinese() -> str:
    """A font of this system with Chinese letters."""
    there = {font.name for font in fontManager.ttflist}
    found = next((name for name in CHINESE if name in there), None)
    if found is None:
        checks.wrong(
            f'lang must be "en" where no font has Chinese letters: install one, such as {CHINESE[0]} '
            "(fonts-noto-cjk on Debian and Ubuntu), or write .svg, which needs none"
        )
    return found
