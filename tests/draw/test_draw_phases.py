"""The view phases: values, taps and counts are those of the operations, and the phases weave the whole grid."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import GEOMETRIES, geometries

import tconv
from tconv.draw import VIEWS, figure
from tconv.draw.cells import Board
from tconv.draw.pieces import Piece, letter, phase_at
from tconv.phases import phases

pytestmark = pytest.mark.quick


def numbers(grid):
    """The text of each cell, as rows."""
    return np.array([cell.text for cell in grid.cells], object).reshape(grid.rows, grid.columns)


def covered(grid):
    """The cells within frames of ink."""
    frames = [frame for frame in grid.frames if frame.role == "ink"]
    cells = [(f.row + i, f.column + j) for f in frames for i in range(f.rows) for j in range(f.columns)]
    assert len(set(cells)) == len(cells)
    return set(cells)


def result(geometry):
    """What the transposed convolution gives for the values that a picture has."""
    board = Board(geometry)
    x = np.array([board.x(c) for c in np.ndindex(geometry.coarse)], float).reshape(1, 1, *geometry.coarse)
    w = np.array([board.weight(t) for t in np.ndindex(geometry.kernel)], float).reshape(1, 1, *geometry.kernel)
    return tconv.conv_transpose(x, w, **geometry.keywords)[0, 0].astype(int)


@settings(max_examples=40)
@given(geometries(max_ndim=3), st.data())
def test_phases_are_those_of_the_library(geometry, data):
    everyone = phases(geometry)
    step = data.draw(st.integers(0, len(everyone) - 1))
    assert VIEWS["phases"].steps(geometry) == len(everyone)
    piece = Piece(geometry, step)
    assert piece.phase == everyone[step]
    assert sum(Piece(geometry, n).multiplications for n in range(len(everyone))) == geometry.work().multiplications
    assert phase_at(geometry, piece.looked_at) == step


@settings(max_examples=40)
@given(geometries(max_ndim=2, small=True), st.data())
def test_values(geometry, data):
    step = data.draw(st.integers(0, len(phases(geometry)) - 1))
    scene, y = figure(geometry, "phases", step=step).scene, result(geometry)
    framed = covered(scene.grid("y"))
    piece, grid = Piece(geometry, step), scene.grid("y")
    at = next(frame for frame in grid.frames if frame.role == "fine")
    row, column = (piece.looked_at[-2] if geometry.ndim > 1 else 0), piece.looked_at[-1]
    for i, texts in enumerate(numbers(grid)):
        for j, text in enumerate(texts):
            if text != "…":
                o = (row + i - at.row, column + j - at.column)[-geometry.ndim :]
                phase = phase_at(geometry, o)
                assert text == (str(y[o]) if phase == step else letter(phase))
                assert ((i, j) in framed) == (phase == step)
    assert scene.facts[0].args[0].endswith(f" = {y[piece.looked_at]}")
    assert scene.facts[1].args[1] == geometry.work().multiplications


@settings(max_examples=40)
@given(geometries(max_ndim=2, small=True), st.data())
def test_a_small_kernel_on_the_coarse_grid_gives_the_fine_cells_of_its_phase(geometry, data):
    everyone = phases(geometry)
    step = data.draw(st.integers(0, len(everyone) - 1))
    piece, y, board = Piece(geometry, step), result(geometry), Board(geometry)
    grid = figure(geometry, "phases", step=step).scene.grid(letter(step))
    if "…" in numbers(grid) or not everyone[step].taps:
        return
    columns = [shift(text) for text, _ in grid.column_labels]
    rows = [shift(text) for text, _ in grid.row_labels] or [0]
    o = piece.looked_at
    m = tuple(i // s for i, s in zip(o, geometry.stride, strict=True))
    total = 0
    for i, texts in zip(rows, numbers(grid), strict=True):
        for j, text in zip(columns, texts, strict=True):
            c = tuple(a + b for a, b in zip(m, (i, j)[-geometry.ndim :], strict=True))
            if all(0 <= a < n for a, n in zip(c, geometry.coarse, strict=True)):
                total += board.x(c) * int(text)
    assert total == y[o]


def shift(label):
    """What is added to m."""
    return int(label.replace("m", "").replace("−", "-") or 0)


@settings(max_examples=40)
@given(geometries(max_ndim=2, small=True))
def test_each_tap_has_the_letter_of_the_phase_that_it_reaches(geometry):
    grid = figure(geometry, "phases", step=0).scene.grid("w")
    letters = {cell.corner for cell in grid.cells if cell.corner}
    assert letters <= {letter(n) for n, phase in enumerate(phases(geometry)) if phase.taps}
    framed = covered(grid)
    for number, cell in enumerate(grid.cells):
        assert (divmod(number, grid.columns) in framed) == (cell.corner == "a")


@pytest.mark.parametrize("geometry", GEOMETRIES)
@pytest.mark.parametrize("language", ["en", "zh"])
def test_everything_lies_on_the_sheet(geometry, language):
    sheet = figure(geometry, "phases", lang=language).sheet
    for item in sheet.items:
        if hasattr(item, "w"):
            assert item.x >= 0
            assert item.y >= 0
            assert item.x + item.w <= sheet.width
            assert item.y + item.h <= sheet.height


def test_more_phases_than_letters():
    assert [letter(n) for n in (0, 25, 26, 27, 701, 702)] == ["a", "z", "aa", "ab", "zz", "aaa"]
    scene = figure(tconv.Geometry.conv_transpose((4, 4), 8, stride=8), "phases", step=40).scene
    assert scene.grid("ao").frames
    assert scene.facts[1].args[0] == "a 16 + b 16 + c 16 + … + ao 16 + …"


def test_large_geometries_take_no_time():
    huge = tconv.Geometry.conv_transpose((10**9, 10**9), 7, stride=10**6, padding=3)
    assert figure(huge, "phases", step=10**11).svg().startswith("<svg")
