"""A picture of a geometry: its scene, and the formats it can be had in."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tconv import checks
from tconv.draw.cells import CHANNELS, LARGEST, Board, Channels, channels_of
from tconv.draw.layout import place
from tconv.draw.scene import Scene
from tconv.draw.sheet import Sheet
from tconv.draw.svg import svg
from tconv.draw.themes import THEMES
from tconv.draw.views import VIEWS
from tconv.draw.words import LANGUAGES
from tconv.extras import need
from tconv.geometry import Geometry, check_geometry
from tconv.placing import check_place, write

#: What a picture can be saved as.
FORMATS = ("svg", "png", "pdf")
#: What an animation can be saved as.
ANIMATED = ("gif", "apng", "png", "mp4")
#: Pixels across, at least and at most.
NARROWEST, WIDEST = 160, 10_000
#: Seconds of a frame, at least and at most: a GIF counts hundredths, up to 655 seconds.
SHORTEST, LONGEST = 0.02, 60


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

    def save(self, path: str | Path, *, width: int | None = None) -> None:
        """Write the picture in the format of the file's extension: svg, or with matplotlib png and pdf.

        A PNG is `width` pixels wide; as wide as the sheet, 1600, where that is left out. The file appears whole or not
        at all.

        Raises:
            ValueError, TypeError: the text names the argument, its value, and what is allowed.
            OSError: the file cannot be written.
        """
        with checks.explained("Figure.save"):
            path, form = _file(path, FORMATS)
            if width is not None:
                if form != "png":
                    checks.wrong(f"width must be left out where the file is no .png; got {checks.shorten(width)}")
                width = _width(width)
            write(path, self._content(form, width))

    def _content(self, form: str, width: int | None) -> bytes:
        if form == "svg":
            return self.svg().encode()
        need("matplotlib", "Matplotlib", "draw")
        from tconv.draw.raster import encoded

        return encoded(self.sheet, THEMES[self.theme], form, width)

    def _repr_svg_(self) -> str:
        return self.svg()


def figure(
    geometry: Geometry, view: str = "scatter", *, step: int | None = None, x: Any = None, w: Any = None,
    in_channels: int | None = None, out_channels: int | None = None, groups: int | None = None, lang: str = "en",
    theme: str = "light",
) -> Figure:  # fmt: skip
    """A picture of a geometry.

    Args:
        geometry: what is drawn; all numbers in the picture come from it.
        view: a name in `tconv.draw.VIEWS`.
        step: from 0; views with steps show one in their midst where it is left out.
        x: values of the coarse grid, an array of its shape; small whole numbers where they are left out.
        w: values of the kernel, an array of its shape; 1, 2, 3, ... where they are left out.
        in_channels, out_channels, groups: channels of the coarse grid, of the fine one, and the groups that they form,
            for the view "channels"; others show one channel, and refuse them. Groups that are left out are 1, and
            channels that are left out one a group; 4, 4 and 2 where all are left out, so that there is something to
            see.
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
        board = _board(geometry, view, x, w, (in_channels, out_channels, groups), lang, theme)
        number = VIEWS[view].single(board) if step is None else checks.integer("step", step, 0)
        if number >= (steps := VIEWS[view].count(board)):
            checks.wrong(f"step must be below {steps}, the steps of this view; got {number}")
    return Figure(VIEWS[view].scene(board, number), lang, theme)


def animate(
    geometry: Geometry, view: str, path: str | Path, *, x: Any = None, w: Any = None, in_channels: int | None = None,
    out_channels: int | None = None, groups: int | None = None, lang: str = "en", theme: str = "light",
    width: int = 640, seconds: float = 0.8, progress: Callable[[int, int], None] | None = None,
) -> None:  # fmt: skip
    """Write the steps of a view to a file, one after the other; needs matplotlib and Pillow.

    Args:
        geometry, view, x, w, in_channels, out_channels, groups, lang, theme: as in `figure`.
        path: ends in .gif, in .apng or .png, or in .mp4, which is written by the program ffmpeg. The file appears
            whole or not at all.
        width: pixels of a frame across.
        seconds: how long a frame is shown; the last one three times as long.
        progress: called after each frame with how many are done, and how many there are.

    Of more than 60 steps 60 are taken, evenly.

    Raises:
        ValueError, TypeError: the text names the argument, its value, and what is allowed.
        OSError: the file cannot be written, or ffmpeg is not there.
    """
    with checks.explained("animate"):
        board = _board(geometry, view, x, w, (in_channels, out_channels, groups), lang, theme)
        path, form = _file(path, ANIMATED)
        width, seconds = _width(width), checks.seconds("seconds", seconds)
        if not SHORTEST <= seconds <= LONGEST:
            checks.wrong(f"seconds must be from {SHORTEST} to {LONGEST}; got {seconds}")
        need("PIL", "Pillow", "draw")  # first: matplotlib asks for it too
        need("matplotlib", "Matplotlib", "draw")
        from tconv.draw.animation import encoded, taken

        steps = taken(VIEWS[view].count(board))
        sheets = [place(VIEWS[view].scene(board, step), lang) for step in steps]
        write(path, encoded(sheets, THEMES[theme], form, width, seconds, progress))


def _file(path: Any, forms: tuple[str, ...]) -> tuple[Path, str]:
    """Where a file can be, and its form, which its extension says."""
    if not isinstance(path, (str, os.PathLike)):
        checks.wrong_type(f"path must be a path; got {checks.shorten(path)} of type {type(path).__name__}")
    path = Path(path)
    form = path.suffix.lower().removeprefix(".")
    if form not in forms:
        checks.wrong(f"path must end in .{', .'.join(forms)}; got {checks.shorten(str(path))}")
    check_place(path)
    return path, form


def _width(width: Any) -> int:
    """Of a picture in pixels; matplotlib paints no more than 65,535 a side, and pictures may be higher than wide."""
    number = checks.integer("width", width, NARROWEST)
    if number > WIDEST:
        checks.wrong(f"width must be an integer of at most {WIDEST}; got {checks.shorten(number)}")
    return number


def _board(
    geometry: Geometry, view: str, x: Any, w: Any, channels: tuple[Any, Any, Any], lang: str, theme: str
) -> Board:
    """The geometry with its values, once all words are known to be right."""
    check_geometry(geometry)
    if (cells := max(*geometry.coarse, *geometry.fine)) > LARGEST:
        checks.wrong(f"geometry must have at most 2**62 cells an axis to be drawn; got {checks.shorten(cells)}")
    for name, value, allowed in (("view", view, VIEWS), ("lang", lang, LANGUAGES), ("theme", theme, THEMES)):
        checks.choice(name, value, tuple(allowed))
    return Board(geometry, channels=_channels(view, *channels), **dict(_values(geometry, x, w)))


def _channels(view: str, in_channels: Any, out_channels: Any, groups: Any) -> Channels:
    """The channels of a view that shows them. What is said and would not be seen is refused."""
    given = {"in_channels": in_channels, "out_channels": out_channels, "groups": groups}
    said = {name: value for name, value in given.items() if value is not None}
    if not said:
        return CHANNELS
    if not VIEWS[view].channels:
        name, value = next(iter(said.items()))
        takes = checks.words([view.name for view in VIEWS.values() if view.channels])
        checks.wrong(
            f"{name} must be left out for view {checks.words([view])}, which shows one channel: view {takes} takes it; "
            f"got {checks.shorten(value)}"
        )
    return channels_of(in_channels, out_channels, groups)


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
