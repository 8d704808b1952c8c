"""Both: what the windows show is a row of the matrix C, and the sizes are those of both operations."""

from math import prod

import numpy as np
import pytest
from drawn import NAMED, random_geometry

import tconv
from tconv.draw import VIEWS, figure
from tconv.draw.cells import unflat
from tconv.explain import conv_formula, conv_transpose_formula

pytestmark = pytest.mark.quick

GEOMETRIES = [*NAMED.values(), *map(random_geometry, range(200, 240))]
every = pytest.mark.parametrize("number", range(len(GEOMETRIES)))


def rows(geometry):
    """C, its rows in the shape of the fine grid; a weight is the number of its tap, from 1."""
    w = np.arange(1.0, 1 + prod(geometry.kernel)).reshape(1, 1, *geometry.kernel)
    return tconv.sparse_matrix(geometry, w).toarray().reshape(-1, *geometry.fine)


def tap(text, geometry):
    """The number of a tap by its name: w21, w2,11."""
    digits = text[1:].split(",") if "," in text or geometry.ndim == 1 else list(text[1:])
    return 1 + int(np.ravel_multi_index(tuple(map(int, digits)), geometry.kernel))


def inside(geometry, grid):
    """The cells of the fine grid, of a picture that shows all of it, in its shape; and all others."""
    starts = [max(0, low) for low, _ in geometry.padding]
    sizes = [max(0, low) + n + max(0, high) for n, (low, high) in zip(geometry.fine, geometry.padding, strict=True)]
    cells = np.empty(len(grid.cells), object)
    cells[:] = grid.cells
    cells = cells.reshape(sizes)
    part = tuple(slice(s, s + n) for s, n in zip(starts, geometry.fine, strict=True))
    mask = np.ones(cells.shape, bool)
    mask[part] = False
    return cells[part], cells[mask]


@every
def test_a_window_is_a_row_of_the_matrix(number):
    geometry = GEOMETRIES[number]
    steps, matrix = VIEWS["both"].steps(geometry), rows(geometry)
    assert steps == len(matrix)
    for step in sorted({0, steps // 2, VIEWS["both"].first(geometry), steps - 1}):
        scene = figure(geometry, "both", step=step).scene
        assert scene.facts[0].args == (np.count_nonzero(matrix[step]), prod(geometry.kernel))
        read, written = scene.grid("read"), scene.grid("written")
        texts = [[cell.text for cell in grid.cells if cell.text.startswith("w")] for grid in (read, written)]
        assert texts[0] == texts[1]
        if geometry.ndim > 2 or "more" in {cell.kind for cell in read.cells}:
            continue
        for grid, idle in ((read, "fine"), (written, "empty")):
            cells, others = inside(geometry, grid)
            for at in np.ndindex(geometry.fine):
                cell, weight = cells[at], matrix[step][at]
                assert (tap(cell.text, geometry) if cell.text else 0) == weight
                assert cell.kind == ("fine-on" if weight else idle if matrix[:, *at].any() else "left")
            assert {cell.kind for cell in others} <= {"padding" if grid is read else "cropped", "left"}
            named = sum(cell.text.startswith("w") for cell in grid.cells)
            assert named == prod(geometry.kernel)  # what is not on the grid is in its padding


@every
def test_the_lit_cell_is_that_of_the_step(number):
    geometry = GEOMETRIES[number]
    for step in {0, VIEWS["both"].steps(geometry) - 1}:
        scene = figure(geometry, "both", step=step).scene
        for name in ("sum", "stamp"):
            (lit,) = [cell.text for cell in scene.grid(name).cells if cell.kind == "coarse-on"]
            assert lit == ",".join(map(str, unflat(step, geometry.coarse)[-2:]))


@every
def test_formulas_are_those_of_the_sizes(number):
    geometry = GEOMETRIES[number]
    said = [fact.args[0].split(None, 1) for fact in figure(geometry, "both").scene.facts[1:]]
    axes = dict.fromkeys(geometry.axes)
    assert said == [
        pair
        for axis in axes
        for pair in (["conv", conv_formula(axis)[1]], ["conv_transpose", conv_transpose_formula(axis)[1]])
    ]
    for axis, (coarse, fine) in zip(axes, zip(said[::2], said[1::2], strict=True), strict=True):
        size, sum_ = coarse[1].split(" = ")
        assert int(size) == axis.coarse == eval(sum_.replace("floor", "").replace("/", "//"))
        size, sum_ = fine[1].split(" = ")
        assert int(size) == axis.fine == eval(sum_)
