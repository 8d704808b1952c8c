"""A picture of a geometry: its scene, and the formats it can be had in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tconv import checks
from tconv.draw.cells import Board
from tconv.draw.layout import place
from tconv.draw.scene import Scene
from tconv.draw.sheet import Sheet
from tconv.draw.svg import svg
from tconv.draw.themes import THEMES
from tconv.draw.views import VIEWS
from tconv.draw.words import LANGUAGES
from tconv.geometry import Geometry, check_geometry

#: What a picture can be saved as.
FORMATS = ("svg", "png", "pdf")
#: What an animation can be saved as.
ANIMATED = ("gif", "apng", "mp4")


@dataclass(frozen=True)
class Figure:
    """One step of a view, in a language and a theme."""

    scene: Scene
    language: str
    theme: str

    @property
    def sheet(self) -> Sheet:
        """Where everything lies."""
        return place(self.scene, self.language)

    def svg(self) -> str:
        """The picture as the text of an SVG file, without anything from elsewhere."""
        return svg(self.sheet, THEMES[self.theme])

    def save(self, path: str | Path) -> None:
        """Write the picture in the format of the file's extension: svg, or with matplotlib png and pdf.

        Raises:
            ValueError: the extension is another one.
        """
        form = Path(path).suffix.lower().removeprefix(".")
        with checks.explained("Figure.save"):
            if form not in FORMATS:
                checks.wrong(f"path must end in .{', .'.join(FORMATS)}; got {checks.shorten(str(path))}")
        if form == "svg":
            Path(path).write_text(self.svg(), encoding="utf-8")
        else:
            from tconv.draw.raster import save

            save(self.sheet, THEMES[self.theme], Path(path))

    def _repr_svg_(self) -> str:
        return self.svg()


def figure(
    geometry: Geometry, view: str = "scatter", *, step: int | None = None, x: Any = None, w: Any = None,
    lang: str = "en", theme: str = "light",
) -> Figure:  # fmt: skip
    """A picture of a geometry.

    Args:
        geometry: what is drawn; all numbers in the picture come from it.
        view: a name in `tconv.draw.VIEWS`.
        step: from 0; views with steps show one in their midst where it is left out.
        x: values of the coarse grid, an array of its shape; small whole numbers where they are left out.
        w: values of the kernel, an array of its shape; 1, 2, 3, ... where they are left out.
        lang: "en" or "zh".
        theme: "light" or "dark".

    Raises:
        ValueError, TypeError: the text names the argument, its value, and what is allowed.

    >>> import tconv
    >>> from tconv.draw import figure
    >>> picture = figure(tconv.Geometry.conv_transpose((3, 3), 3, stride=2, padding=1), "scatter", step=4)
    >>> picture.scene.grid("y").rows, picture.svg()[:4]
    (7, '<svg')
    """
    with checks.explained("figure"):
        board = _board(geometry, view, x, w, lang, theme)
        number = VIEWS[view].first(geometry) if step is None else checks.integer("step", step, 0)
        if number >= (steps := VIEWS[view].steps(geometry)):
            checks.wrong(f"step must be below {steps}, the steps of this view; got {number}")
    return Figure(VIEWS[view].scene(board, number), lang, theme)


def animate(
    geometry: Geometry, view: str, path: str | Path, *, x: Any = None, w: Any = None, lang: str = "en",
    theme: str = "light", width: int = 640, seconds: float = 0.8, progress: Callable[[int, int], None] | None = None,
) -> None:  # fmt: skip
    """Write the steps of a view to a file, one after the other; needs matplotlib and Pillow.

    Args:
        geometry, view, x, w, lang, theme: as in `figure`.
        path: ends in .gif, .apng or .mp4; MP4 is written by the program ffmpeg.
        width: pixels of a frame across.
        seconds: how long a frame is shown; the last one three times as long.
        progress: called after each frame with how many are done, and how many there are.

    Of more than 60 steps 60 are taken, evenly.

    Raises:
        ValueError, TypeError: the text names the argument, its value, and what is allowed.
    """
    with checks.explained("animate"):
        board = _board(geometry, view, x, w, lang, theme)
        form = Path(path).suffix.lower().removeprefix(".")
        if form not in ANIMATED:
            checks.wrong(f"path must end in .{', .'.join(ANIMATED)}; got {checks.shorten(str(path))}")
        checks.integer("width", width, 160)
        seconds = checks.seconds("seconds", seconds)
        from tconv.draw.animation import taken, write

        steps = taken(VIEWS[view].steps(geometry))
        scenes = [VIEWS[view].scene(board, step) for step in steps]
        write(scenes, Path(path), language=lang, theme=theme, width=width, seconds=seconds, progress=progress)


def _board(geometry: Geometry, view: str, x: Any, w: Any, lang: str, theme: str) -> Board:
    """The geometry with its values, once all words are known to be right."""
    check_geometry(geometry)
    for name, value, allowed in (("view", view, VIEWS), ("lang", lang, LANGUAGES), ("theme", theme, THEMES)):
        checks.choice(name, value, tuple(allowed))
    return Board(geometry, **dict(_values(geometry, x, w)))


def _values(geometry: Geometry, x: Any, w: Any) -> list[tuple[str, Any]]:
    """Functions from an index to a value, of the arrays that were given."""
    found = []
    for name, array, shape in (("x", x, geometry.coarse), ("w", w, geometry.kernel)):
        if array is None:
            continue
        found.append((name, _reader(name, array, shape)))
    return found


def _reader(name: str, array: Any, shape: tuple[int, ...]) -> Any:
    import numpy as np

    try:
        values = np.asarray(array)
    except ValueError:
        checks.wrong(f"{name} must be an array of shape {shape}; got {checks.shorten(array)}")
    if values.shape != shape or values.dtype.kind not in "biuf":
        checks.wrong(f"{name} must be an array of numbers of shape {shape}; got {values.dtype} of shape {values.shape}")
    return lambda index: values[index].item()
