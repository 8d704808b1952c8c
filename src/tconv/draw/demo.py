"""The figure of `tconv demo`: the photograph on its way down and up, enlarged crops, the checkerboard, the methods."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.patches import Rectangle

from tconv.demo import RUNS, Demo, Picture
from tconv.draw.page import BLUE, GREY, INK, ORANGE, PAPER, Page
from tconv.geometry import Geometry

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WIDTH, HEIGHT, DPI = 13.0, 10.36, 150
LINE = 0.26
MARGIN, GAP = 0.45, 0.24
COLUMN = (WIDTH - 2 * MARGIN - 3 * GAP) / 4
ROW = COLUMN * 300 / 448

#: What is enlarged, on the fine grid: an eye. Rows and columns start and end on a coarse cell.
EYE = (slice(84, 148), slice(124, 220))
#: A smaller piece of it for the checkerboard, whose single cells must be seen.
IRIS = (slice(96, 128), slice(138, 186))
#: Where coverage is shown, away from the border: what it shows repeats over the whole grid.
INNER = (slice(100, 104), slice(100, 106))


def save(demo: Demo, path: Path) -> None:
    """Write the figure as a PNG, 1950 pixels wide."""
    draw(demo).figure.savefig(path, format="png", dpi=DPI, facecolor=PAPER)


def draw(demo: Demo) -> Page:
    """The figure on a page."""
    page = Page.blank(WIDTH, HEIGHT + LINE * len(demo.methods), DPI)
    page.text(MARGIN, 0.66, "Transposed convolution on a photograph", 21, weight="bold")
    shape = f"{demo.matrix.rows:,} x {demo.matrix.columns:,} with {demo.matrix.stored:,} elements"
    subtitle = f"C is a convolution with kernel 4, stride 2, padding 1: a sparse matrix of {shape}. "
    subtitle += "Its transpose goes up again."
    page.text(MARGIN, 0.97, subtitle, 10.5, color=GREY)
    credit = "Chelsea, photographed by Stéfan van der Walt, CC0"
    page.text(WIDTH - MARGIN, 0.66, credit, 9, color=GREY, ha="right")
    _draw_passage(page, demo, 1.52)
    _draw_checkerboard(page, demo, 6.33)
    _draw_methods(page, demo, 9.28)
    return page


def column(index: int) -> float:
    """The left edge of one of the four columns."""
    return MARGIN + index * (COLUMN + GAP)


def _draw_passage(page: Page, demo: Demo, top: float) -> None:
    """Four pictures at one scale, and an eye out of each, enlarged."""
    steps = (
        ("x", f"the photograph, {_size(demo.photo)}", demo.photo),
        ("C x", f"down: {_size(demo.coarse)}, a quarter of the cells", demo.coarse),
        ("Cᵀ C x", "up: the shape is back, the values are not", demo.back),
        (
            "4 Cᵀ C x, edges replicated",
            f"bilinear upsampling, {demo.decibels['bilinear']:.1f} dB from x",
            demo.upsampled,
        ),
    )
    for index, (name, note, picture) in enumerate(steps):
        _title(page, index, top, name, note)
        ratio = picture.shape[-1] / demo.photo.shape[-1]
        whole = page.axes(column(index), top + 0.4, COLUMN * ratio, ROW * ratio)
        _show(whole, picture)
        window = _on_grid(EYE, demo.photo, picture)
        _outline(whole, window)
        _show(page.axes(column(index), top + 0.4 + ROW + 0.1, COLUMN, ROW), picture[:, *window])
    _draw_numbers(page, demo, column(1), top + 0.4)


def _draw_numbers(page: Page, demo: Demo, left: float, top: float) -> None:
    """Around the coarse picture, which leaves room: what the pictures come to in numbers."""
    page.text(left + COLUMN / 2 + 0.12, top, "drawn to scale:\nhalf as wide,\nhalf as high", 9, color=GREY, va="top")
    coarse, fine = demo.inner_products
    below = top + ROW / 2 + 0.1
    page.text(left, below, f"⟨C x, C x⟩ = {coarse:,.2f}\n⟨x, Cᵀ C x⟩ = {fine:,.2f}", 9, va="top")
    far = f"{demo.brightness:.3f} of the brightness came back, and\n"
    far += f"the nearest multiple, {demo.best_factor:.2f} Cᵀ C x, is {demo.left_over:.1%} off"
    page.text(left, below + 0.45, far, 9, color=GREY, va="top")


def _draw_checkerboard(page: Page, demo: Demo, top: float) -> None:
    """A piece of C x brought up with equal weights by two kernels, each beside its coverage."""
    kinds = (
        (0, "Kernel 3, stride 2: a checkerboard", "the pupil of C x", demo.checkerboard, demo.uneven),
        (2, "Kernel 4, stride 2: even", "the same piece", demo.smooth, demo.even),
    )
    for index, title, piece, picture, geometry in kinds:
        note = f"{piece}, through equal weights"
        _title(page, index, top, title, note)
        _show(page.axes(column(index), top + 0.4, COLUMN, ROW), picture[:, *IRIS])
        page.text(column(index + 1), top + 0.25, "how many taps reach each cell", 9, color=GREY)
        _tiles(page.axes(column(index + 1), top + 0.4, COLUMN, ROW), geometry)


def _tiles(axes: Axes, geometry: Geometry) -> None:
    """Coverage as numbers on a grid, the more taps the darker."""
    coverage = geometry.coverage()[INNER]
    axes.imshow(coverage, cmap=_blues(), vmin=0, vmax=6, aspect="auto")
    for (row, col), taps in np.ndenumerate(coverage):
        axes.text(col, row, str(taps), ha="center", va="center", color="white" if taps > 2 else INK, fontsize=13)
    for edge in range(1, coverage.shape[1]):
        axes.axvline(edge - 0.5, color=PAPER, linewidth=1.5)
    for edge in range(1, coverage.shape[0]):
        axes.axhline(edge - 0.5, color=PAPER, linewidth=1.5)


def _blues() -> Any:
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("blues", ["#eef3f6", BLUE])


def _draw_methods(page: Page, demo: Demo, top: float) -> None:
    """A row for each method: its times as bars, its differences as numbers."""
    page.rule(MARGIN, top - 0.3, WIDTH - 2 * MARGIN)
    _title(
        page,
        0,
        top,
        f"{_in_words(len(demo.methods))} methods, one result",
        f"float32, best of {RUNS} runs on this machine",
    )
    longest = max(ms for run in demo.methods for ms in (run.conv_ms, run.conv_transpose_ms) if ms is not None)
    heads = ("method", "conv: x to C x", "conv_transpose: C x to Cᵀ C x", "largest difference from the float64 matrix")
    for index, head in enumerate(heads):
        page.text(column(index), top + 0.66, head, 9, color=GREY)
    for row, run in enumerate(demo.methods):
        line = top + 0.66 + (row + 1) * LINE
        page.text(column(0), line, run.name, 10.5)
        _bar(page, column(1), line, run.conv_ms, longest)
        _bar(page, column(2), line, run.conv_transpose_ms, longest)
        down = "" if run.conv_difference is None else f"conv {run.conv_difference:.1e}    "
        page.text(column(3), line, f"{down}conv_transpose {run.conv_transpose_difference:.1e}", 9.5)


def _bar(page: Page, left: float, line: float, milliseconds: float | None, longest: float) -> None:
    """A time as a bar, its number at the end; or what there is to say where nothing was computed."""
    if milliseconds is None:
        page.text(left, line, "computes conv_transpose only", 9, color=GREY)
        return
    room = COLUMN - 0.75
    length = max(room * milliseconds / longest, 0.015)
    page.bar(left, line - 0.13, length, 0.16)
    page.text(left + length + 0.07, line, f"{milliseconds:.1f} ms", 9.5)


def _in_words(number: int) -> str:
    return {2: "Two", 3: "Three", 4: "Four", 5: "Five", 6: "Six"}.get(number, str(number))


def _title(page: Page, index: int, top: float, title: str, note: str) -> None:
    """What stands above a column: a title, and a line below it."""
    page.text(column(index), top, title, 13, weight="bold")
    page.text(column(index), top + 0.25, note, 9, color=GREY)


def _show(axes: Axes, picture: Picture) -> None:
    axes.imshow(np.moveaxis(picture, 0, -1).clip(0, 1), interpolation="nearest", aspect="auto")


def _outline(axes: Axes, window: tuple[slice, slice]) -> None:
    rows, columns = window
    box = Rectangle(
        (columns.start - 0.5, rows.start - 0.5),
        columns.stop - columns.start,
        rows.stop - rows.start,
        fill=False,
        edgecolor=ORANGE,
        linewidth=1.4,
    )
    axes.add_patch(box)


def _on_grid(window: tuple[slice, slice], fine: Picture, picture: Picture) -> tuple[slice, slice]:
    """A piece of one picture on the grid of another."""
    ratio = fine.shape[-1] // picture.shape[-1]
    rows, columns = (slice(side.start // ratio, side.stop // ratio) for side in window)
    return rows, columns


def _size(picture: Picture) -> str:
    return f"{picture.shape[-1]} x {picture.shape[-2]}"
