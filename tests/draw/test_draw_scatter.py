"""Scatter: what is drawn is what the transposed convolution computes, after every step and at the end."""

import numpy as np
import pytest
from drawn import NAMED, arrays, random_geometry

import tconv
from tconv.draw import VIEWS, figure
from tconv.draw.cells import Board, flat, reach

pytestmark = pytest.mark.quick

GEOMETRIES = [*NAMED.values(), *map(random_geometry, range(40))]


def whole(geometry, x, w, until):
    """What the cells up to a number give, at every position that a stamp reaches: by the library, without the crop."""
    part = np.where(np.arange(x.size).reshape(x.shape) <= until, x, 0)
    padding = [(min(0, low), min(0, high)) for low, high in geometry.padding]
    y = tconv.conv_transpose(
        part[None], w[None, None], stride=geometry.stride, dilation=geometry.dilation, padding=padding
    )
    return y[0]


@pytest.mark.parametrize("number", range(len(GEOMETRIES)))
def test_every_number_is_that_of_the_transposed_convolution(number):
    geometry = GEOMETRIES[number]
    x, w = arrays(geometry)
    steps = VIEWS["scatter"].steps(geometry)
    board = Board(geometry)
    for step in sorted({0, steps // 2, steps - 1}):
        y = whole(geometry, x, w, step)
        for fine in np.ndindex(*(len(reach(axis)) for axis in geometry.axes)):
            at = tuple(f + reach(axis).start for f, axis in zip(fine, geometry.axes, strict=True))
            inside = tuple(o + max(0, low) for o, (low, _) in zip(at, geometry.padding, strict=True))
            expected = y[inside] if all(0 <= i < n for i, n in zip(inside, y.shape, strict=True)) else 0
            assert board.sum(at, step) == expected
    result = tconv.conv_transpose(x[None], w[None, None], **geometry.keywords)[0]
    for fine in np.ndindex(geometry.fine):
        assert board.sum(fine) == result[fine]


@pytest.mark.parametrize("name", ["padding crops", "one axis", "zeros inserted", "dilation"])
def test_the_last_step_shows_the_result(name):
    geometry = NAMED[name]
    x, w = arrays(geometry)
    result = tconv.conv_transpose(x[None], w[None, None], **geometry.keywords)[0]
    grid = figure(geometry, "scatter", step=x.size - 1).scene.grid("y")
    kept = [cell.text for cell in grid.cells if cell.kind in ("fine", "empty")]
    if "more" not in {cell.kind for cell in grid.cells}:
        assert [int(text or 0) for text in kept] == result.reshape(-1).tolist()


@pytest.mark.parametrize("number", range(len(GEOMETRIES)))
def test_cells_that_are_cropped_are_those_beside_the_grid(number):
    geometry = GEOMETRIES[number]
    scene = figure(geometry, "scatter").scene
    if geometry.ndim == 2 and "more" not in {cell.kind for cell in scene.grid("y").cells}:
        cropped = sum(cell.kind == "cropped" for cell in scene.grid("y").cells)
        assert cropped == np.prod([len(reach(axis)) for axis in geometry.axes]) - np.prod(geometry.fine)
    lit = [cell.text for cell in scene.grid("x").cells if cell.kind == "coarse-on"]
    assert lit == [str(Board(geometry).x(Board(geometry).coarse(scene.step)))]
    assert flat(Board(geometry).coarse(scene.step), geometry.coarse) == scene.step
