"""Gather: the stretched x, the window, the sum and the counts are those of the library."""

from math import prod

import numpy as np
import pytest
from drawn import NAMED, arrays, random_geometry

import tconv
from tconv.draw import VIEWS, figure
from tconv.draw.cells import Board, flat, unflat
from tconv.draw.lettered import letter, residue
from tconv.draw.scene import Stack, Words
from tconv.draw.stretched import padded, slice_through
from tconv.draw.words import say
from tconv.geometry import Geometry

pytestmark = pytest.mark.quick

GEOMETRIES = [*NAMED.values(), *map(random_geometry, range(100, 140))]
every = pytest.mark.parametrize("number", range(len(GEOMETRIES)))


def stretched(geometry, x):
    """x with its zeros, padded and cropped as `ZeroInserted` says, by NumPy alone."""
    for axis, z in enumerate(geometry.zero_inserted):
        x = np.moveaxis(x, axis, 0)
        zeros = np.zeros((z.stretched, *x.shape[1:]), x.dtype)
        zeros[:: z.inserted_zeros + 1] = x
        low, high = z.padding[0], z.padding[1] + z.extra
        zeros = zeros[max(0, -low) : z.stretched - max(0, -high)]
        x = np.moveaxis(np.pad(zeros, [(max(0, low), max(0, high)), *[(0, 0)] * (x.ndim - 1)]), 0, axis)
    return x


def complete(grid):
    """Whether all of a grid is drawn."""
    return all(cell.kind != "more" for cell in grid.cells)


def sentences(scene):
    for row in scene.rows:
        for panel in row:
            for each in panel.panels if isinstance(panel, Stack) else (panel,):
                if isinstance(each, Words):
                    return [said for said, _ in each.lines]
    raise AssertionError


@every
def test_the_plain_convolution_gives_what_the_transposed_one_does(number):
    geometry = GEOMETRIES[number]
    x, w = arrays(geometry)
    wide = stretched(geometry, x)
    assert wide.shape == tuple(len(padded(axis)) for axis in geometry.axes)
    flipped = np.flip(w)
    plain = tconv.conv(wide[None], flipped[None, None], dilation=geometry.dilation)[0]
    assert np.array_equal(plain, tconv.conv_transpose(x[None], w[None, None], **geometry.keywords)[0])


@every
def test_cells_of_the_stretched_x_are_those_of_the_plain_convolution(number):
    geometry = GEOMETRIES[number]
    x, _ = arrays(geometry)
    scene = figure(geometry, "gather").scene
    grid, board = scene.grid("x"), Board(geometry)
    read = [cell for cell in grid.cells if cell.kind not in ("left", "more")]
    if complete(grid):
        at = unflat(scene.step, geometry.fine)
        outer, _ = slice_through(board, at)
        places = [c * a.stride - padded(a).start for a, c in zip(geometry.axes, outer, strict=False)]
        wide = stretched(geometry, x)
        if all(0 <= p < n for p, n in zip(places, wide.shape, strict=False)):
            assert [int(cell.text) for cell in read] == wide[tuple(places)].reshape(-1).tolist()


@every
def test_the_window_adds_up_to_the_fine_cell(number):
    geometry = GEOMETRIES[number]
    x, w = arrays(geometry)
    y = tconv.conv_transpose(x[None], w[None, None], **geometry.keywords)[0]
    steps = VIEWS["gather"].steps(geometry)
    assert steps == y.size
    for step in sorted({0, steps // 3, VIEWS["gather"].first(geometry), steps - 1}):
        scene = figure(geometry, "gather", step=step).scene
        at = unflat(step, geometry.fine)
        x_grid, w_grid = scene.grid("x"), scene.grid("w")
        if geometry.ndim <= 2 and complete(x_grid) and complete(w_grid):
            products = [int(cell.text) * int(cell.small[2:]) for cell in x_grid.cells if cell.small]
            assert len(products) == prod(geometry.kernel)
            assert sum(products) == y[at]
            lit = sum(cell.kind == "coarse-on" for cell in x_grid.cells)
            assert lit == sum(cell.kind == "kernel-on" for cell in w_grid.cells) == geometry.coverage()[at]
            assert [int(cell.text) for cell in w_grid.cells] == np.flip(w).reshape(-1).tolist()
        said = sentences(scene)
        assert say(said[-2]) == f"= {y[at]}"
        assert said[-1].args in ((geometry.coverage()[at], prod(geometry.kernel)), ())
        if not said[-1].args:
            assert geometry.coverage()[at] == prod(geometry.kernel)


@every
def test_fine_cells_are_computed_up_to_the_step_and_lettered_by_phase(number):
    geometry = GEOMETRIES[number]
    x, w = arrays(geometry)
    y = tconv.conv_transpose(x[None], w[None, None], **geometry.keywords)[0]
    scene = figure(geometry, "gather").scene
    grid, at = scene.grid("y"), unflat(scene.step, geometry.fine)
    (frame,) = grid.frames
    assert grid.cells[frame.row * grid.columns + frame.column].text == str(y[at])
    if complete(grid):
        outer = at[:-2]
        cells = [(*outer, *index) for index in np.ndindex(y.shape[len(outer) :])]
        for index, cell in zip(cells, grid.cells, strict=True):
            assert cell.text == (str(y[index]) if flat(index, geometry.fine) <= scene.step else "")
            assert cell.corner == letter(geometry, residue(geometry, index))


@every
def test_taps_of_phases_are_those_of_the_library(number):
    geometry = GEOMETRIES[number]
    taps = {letter(geometry, phase.residue): phase.taps for phase in tconv.phases(geometry)}
    assert len(taps) == len(tconv.phases(geometry))  # every phase has a letter of its own
    scene = figure(geometry, "gather").scene
    told = [entry.text.args for entry in scene.legend if entry.kind.startswith("phase")]
    assert told
    for name, count, of in told:
        assert (count, of) == (taps[name], prod(geometry.kernel))


@every
def test_counts_are_those_of_the_geometry(number):
    geometry = GEOMETRIES[number]
    work, (said, *recipes) = geometry.work(), figure(geometry, "gather").scene.facts
    share = round(100 * work.wasted / work.zero_insertion_multiplications)
    assert said.args == (work.zero_insertion_multiplications, work.multiplications, work.wasted, share)
    assert work.multiplications == geometry.coverage().sum()
    for axis, recipe in zip(dict.fromkeys(geometry.axes), recipes, strict=True):
        z = axis.zero_inserted
        high = z.padding[1] + z.extra
        sizes = z.stretched, z.padding[0], high, z.stretched + z.padding[0] + high
        assert recipe.args[1:] == (axis.coarse, z.inserted_zeros, *sizes, axis.effective_kernel, axis.fine)


def test_the_sum_is_written_out():
    geometry = Geometry.conv_transpose((3, 3), 3, stride=2, padding=1)
    x = [[1, 3, 0], [2, 2, 1], [0, 1, 3]]
    said = sentences(figure(geometry, "gather", step=11, x=x).scene)
    assert [say(line) for line in said] == [
        "y[2,1]",
        "= 2·6 + 2·4",
        "= 20",
        "2 of 9 products meet a value of x, the others a zero",
    ]
    negative = sentences(figure(geometry, "gather", step=11, x=np.negative(x)).scene)
    assert say(negative[1]) == "= (-2)·6 + (-2)·4"


def test_a_long_sum_is_shortened():
    said = sentences(figure(Geometry.conv_transpose((9, 9), 3, padding=1), "gather").scene)
    assert say(said[1]).count("·") == 3
    assert "…" in say(said[1])


def test_letters_go_on_after_z():
    geometry = Geometry.conv_transpose((2, 2), 6, stride=6)
    assert [letter(geometry, at) for at in ((0, 0), (4, 1), (4, 2), (5, 5))] == ["a", "z", "aa", "aj"]
