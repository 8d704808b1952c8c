"""The figure of `tconv demo`: a photograph on its way down and up, cell by cell where it is small, and the methods."""

from __future__ import annotations

from pathlib import Path as File

import numpy as np
from numpy.typing import NDArray

from tconv.demo import RUNS, Demo, Picture, milliseconds
from tconv.draw.panels import place_panel
from tconv.draw.raster import encoded
from tconv.draw.scene import Cell, Grid, plain
from tconv.draw.sheet import Item, Path, Photo, Rect, Sheet, Text
from tconv.draw.text import wrapped
from tconv.draw.themes import THEMES
from tconv.draw.views.coverage import heat
from tconv.geometry import Geometry
from tconv.placing import write

#: Of the sheet and its four columns; a photograph is as wide as a column, a pixel of it as wide as one of the sheet.
MARGIN, COLUMN, GAP, HIGH = 60, 448, 56, 300
WIDTH = 2 * MARGIN + 4 * COLUMN + 3 * GAP
TITLE, HEAD, NOTE, ROW = 54, 34, 25, 42
#: Where the parts begin.
PASSAGE, WINDOWS, CHECKERBOARD, METHODS = 210, 640, 1090, 1560
#: From the top of a part to its pictures.
BELOW = 92
#: Where the caption of an arrow stands beside it: the gap between two columns.
ARROW = 22

#: What is enlarged, on the fine grid: the light in an eye, so few cells of it that each is seen.
LIGHT = (slice(94, 110), slice(150, 174))
#: The coarse cell in it whose window is framed.
CELL = (51, 80)
#: A piece for the checkerboard, and a part of its coverage, away from the border: it repeats over the whole grid.
IRIS = (slice(96, 128), slice(138, 186))
INNER = (slice(100, 104), slice(100, 106))
#: How much stronger than it is what is lost is drawn.
STRONGER = 4


def save(demo: Demo, path: File, theme: str = "light") -> None:
    """Write the figure as a PNG, as wide as the sheet."""
    write(path, encoded(sheet(demo), THEMES[theme], "png"))


def sheet(demo: Demo) -> Sheet:
    """The figure, placed."""
    shape = f"{demo.matrix.rows:,} × {demo.matrix.columns:,} with {demo.matrix.stored:,} elements"
    title = "Transposed convolution on a photograph"
    said = (
        f"C is a convolution with kernel 4, stride 2 and padding 1, from the fine grid down to the coarse one: a "
        f"sparse matrix of {shape}. The transposed convolution is Cᵀ, from the coarse grid up to the fine one."
    )
    items: list[Item] = [Text(MARGIN, 88, title, TITLE, bold=True)]
    items += [
        Text(MARGIN, 132 + 34 * number, line, NOTE, "grey")
        for number, line in enumerate(wrapped(said, NOTE, WIDTH - 2 * MARGIN))
    ]
    items.append(Text(WIDTH - MARGIN, 88, "Chelsea, photographed by Stéfan van der Walt, CC0", 22, "grey", "end"))
    items += [*_passage(demo, PASSAGE), *_windows(demo, WINDOWS)]
    items += [*_checkerboard(demo, CHECKERBOARD), *_methods(demo, METHODS)]
    height = METHODS + 172 + ROW * len(demo.methods)
    return Sheet(WIDTH, height, title, said, (Rect(0, 0, WIDTH, height, "sheet", 0), *items))


def column(index: int) -> int:
    """The left edge of one of the four columns."""
    return MARGIN + index * (COLUMN + GAP)


def _head(index: int, top: float, title: str, note: str, role: str = "text") -> list[Item]:
    """What stands above a column: a title, and a line below it."""
    return [
        Text(column(index), top + 34, title, HEAD, role, bold=True),
        Text(column(index), top + 70, note, NOTE, "grey"),
    ]


def _lines(index: int, top: float, text: str, role: str = "grey", room: float = COLUMN) -> list[Item]:
    """Sentences in a column, their first line below the top."""
    lines = wrapped(text, NOTE, room)
    return [Text(column(index), top + 24 + 33 * n, line, NOTE, role) for n, line in enumerate(lines)]


def pixels(picture: Picture) -> NDArray[np.uint8]:
    """Channels, rows and columns from 0 to 1, as they are painted."""
    return np.asarray((np.moveaxis(picture, 0, -1).clip(0, 1) * 255).round(), np.uint8)


def _passage(demo: Demo, top: float) -> list[Item]:
    """Down and up again, all at one scale, and what does not come back."""
    y = top + BELOW
    up = 4 * demo.back
    half = up.shape[-1] // 2
    up[..., :half] = demo.back[..., :half]
    lost = 0.5 + STRONGER * demo.lost
    rows, columns = demo.coarse.shape[1:]
    coarse, fine = demo.inner_products
    piece, lying = _piece(LIGHT, 1), _piece(LIGHT, 2)
    line = Path((("M", column(2) + half, y), ("L", column(2) + half, y + HIGH)), "mesh")
    return [
        *_head(0, top, "y, fine", f"a photograph, {_size(demo.photo)} cells", "fine"),
        Photo(column(0), y, COLUMN, HIGH, pixels(demo.photo)),
        Rect(column(0) + piece[0], y + piece[1], *piece[2:], "frame-fine", 4),
        *_head(1, top, "x = C y, coarse", f"down: {_size(demo.coarse)}, a quarter of them", "coarse"),
        Photo(column(1), y, columns, rows, pixels(demo.coarse)),
        Rect(column(1) + lying[0], y + lying[1], *lying[2:], "frame-coarse", 4),
        *_lines(1, y + rows + 14, f"⟨C y, x⟩ = {coarse:,.2f}", "text"),
        *_lines(1, y + rows + 47, f"⟨y, Cᵀ x⟩ = {fine:,.2f}", "text"),
        *_lines(1, y + rows + 80, "the same, as for any y and x: this is what makes Cᵀ the transpose"),
        *_head(2, top, "Cᵀ x and 4 Cᵀ x, fine", f"{_size(demo.back)} again, ¼ as bright", "fine"),
        Photo(column(2), y, COLUMN, HIGH, pixels(up)),
        line,
        *_head(3, top, f"y − {demo.best_factor:.2f} Cᵀ x", f"lost: {demo.left_over:.1%} of y, drawn × {STRONGER}"),
        Photo(column(3), y, COLUMN, HIGH, pixels(lost)),
    ]


def _piece(where: tuple[slice, slice], ratio: int) -> tuple[float, float, float, float]:
    """Left, top, width and height of a piece of the fine grid, on a grid so many times as coarse."""
    rows, columns = where
    size = (columns.stop - columns.start) / ratio, (rows.stop - rows.start) / ratio
    return columns.start / ratio, rows.start / ratio, *size


def _windows(demo: Demo, top: float) -> list[Item]:
    """Few cells of each picture, the kernel, and the window that C reads and Cᵀ writes."""
    y, (row, at) = top + BELOW, CELL
    coarse = tuple(slice(side.start // 2, side.stop // 2) for side in LIGHT)
    rows, columns = LIGHT
    edge = COLUMN / (columns.stop - columns.start)
    places = [
        (edge * (axis.projective_field(c)[0] - side.start), edge * axis.kernel)
        for axis, c, side in zip(demo.geometry.axes, (row, at), LIGHT, strict=True)
    ]
    (down, high), (right, wide) = places
    cell = 2 * edge * (row - coarse[0].start), 2 * edge * (at - coarse[1].start)
    kernel = tuple(Cell("kernel", f"{64 * weight:.0f}") for weight in demo.kernel.ravel())
    high_of_w, wide_of_w = demo.kernel.shape
    grid = Grid("w", "kernel", plain(""), plain(""), high_of_w, wide_of_w, kernel)
    size = edge * (rows.stop - rows.start) / grid.rows
    return [
        *_head(0, top, "C reads a window", "of y: 16 cells times w, added up", "fine"),
        *_cells(demo.photo[:, *LIGHT], column(0), y, edge),
        Rect(column(0) + right, y + down, wide, high, "frame-fine", 6),
        *_head(1, top, "for a cell", "of x", "coarse"),
        *_cells(demo.coarse[:, *coarse], column(1), y, 2 * edge),
        Rect(column(1) + cell[1], y + cell[0], 2 * edge, 2 * edge, "frame-coarse", 6),
        *_head(2, top, "Cᵀ writes the window", "4 Cᵀ x: the cell times w, added", "fine"),
        *_cells(4 * demo.back[:, *LIGHT], column(2), y, edge),
        Rect(column(2) + right, y + down, wide, high, "frame-fine", 6),
        *_head(3, top, "w, kernel", "in 64ths; together 1", "kernel"),
        *place_panel(grid, size, column(3), y, "en", 0).items,
        *_arrow(0, y, "C"),
        *_arrow(1, y, "Cᵀ"),
    ]


def _cells(picture: Picture, left: float, top: float, edge: float) -> list[Item]:
    """A piece of a picture so large that its cells are seen, with a mesh between them."""
    rows, columns = picture.shape[1:]
    wide, high = columns * edge, rows * edge
    across = [("M", left + edge * n, top, "L", left + edge * n, top + high) for n in range(1, columns)]
    down = [("M", left, top + edge * n, "L", left + wide, top + edge * n) for n in range(1, rows)]
    lines = tuple(command for line in (*across, *down) for command in (line[:3], line[3:]))
    return [Photo(left, top, wide, high, pixels(picture)), Path(lines, "mesh")]


def _arrow(index: int, top: float, name: str) -> list[Item]:
    """From a column to the next one, in the gap between them."""
    x, end, y = column(index) + COLUMN + 8, column(index + 1) - 8, top + HIGH / 2
    head = (("M", end - 14, y - 11), ("L", end, y), ("L", end - 14, y + 11))
    return [
        Path((("M", x, y), ("L", end, y), *head), "arrow-kernel"),
        Text((x + end) / 2, y - ARROW, name, 28, "kernel", "middle", bold=True),
    ]


def _checkerboard(demo: Demo, top: float) -> list[Item]:
    """A piece of x brought up with equal weights by two kernels, each beside its coverage."""
    kinds = (
        (0, "Kernel 3, stride 2: a checkerboard", demo.checkerboard, demo.uneven),
        (2, "Kernel 4, stride 2: even", demo.smooth, demo.even),
    )
    items: list[Item] = []
    for index, title, picture, geometry in kinds:
        items += _head(index, top, title, "the pupil of x by equal weights")
        items.append(Photo(column(index), top + BELOW, COLUMN, HIGH, pixels(picture[:, *IRIS])))
        items.append(Text(column(index + 1), top + 70, "how many taps reach each fine cell", NOTE, "grey"))
        items += _coverage(geometry, column(index + 1), top + BELOW)
    return items


def _coverage(geometry: Geometry, left: float, top: float) -> list[Item]:
    """How often cells are reached, in the colours of the view coverage."""
    counts = geometry.coverage()[INNER]
    cells = tuple(heat(int(taps), [1, 2, 4]) for taps in counts.ravel())
    rows, columns = counts.shape
    grid = Grid("coverage", "fine", plain(""), plain(""), rows, columns, cells)
    return list(place_panel(grid, COLUMN / grid.columns, left, top, "en", 0).items)


def _methods(demo: Demo, top: float) -> list[Item]:
    """A row for each method: its times as bars, its differences as numbers."""
    title = f"{_in_words(len(demo.methods))} methods, one result"
    items: list[Item] = [Path((("M", MARGIN, top - 26), ("L", WIDTH - MARGIN, top - 26)), "rule")]
    items += _head(0, top, title, f"float32, the best of {RUNS} runs on this machine")
    heads = ("method", "conv: y to x", "conv_transpose: x to Cᵀ x", "largest difference from float64")
    items += [Text(column(index), top + 122, head, NOTE, "grey") for index, head in enumerate(heads)]
    longest = max(ms for run in demo.methods for ms in (run.conv_ms, run.conv_transpose_ms) if ms is not None)
    for number, run in enumerate(demo.methods, 1):
        line = top + 122 + ROW * number
        items.append(Text(column(0), line, run.name, NOTE))
        items += _bar(1, line, run.conv_ms, longest, "coarse-on")
        items += _bar(2, line, run.conv_transpose_ms, longest, "fine-on")
        down = "" if run.conv_difference is None else f"{run.conv_difference:.1e} down, "
        items.append(Text(column(3), line, f"{down}{run.conv_transpose_difference:.1e} up", NOTE))
    return items


def _bar(index: int, line: float, ms: float | None, longest: float, role: str) -> list[Item]:
    """A time as a bar, its number at the end; or what there is to say where nothing was computed."""
    if ms is None:
        return [Text(column(index), line, "computes conv_transpose only", NOTE, "grey")]
    length = max((COLUMN - 140) * ms / longest, 3)
    bar = Rect(column(index), line - 20, length, 24, role, 2)
    return [bar, Text(column(index) + length + 12, line, milliseconds(ms), NOTE)]


def _in_words(number: int) -> str:
    return {2: "Two", 3: "Three", 4: "Four", 5: "Five", 6: "Six"}.get(number, str(number))


def _size(picture: Picture) -> str:
    return f"{picture.shape[-1]} × {picture.shape[-2]}"
