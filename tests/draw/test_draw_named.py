"""What a cell says that it is: an index of the geometry, and for elements of C and windows a tie that is there."""

import re

import pytest
from drawn import NAMED, arrays, random_geometry

from tconv.draw import VIEWS, figure
from tconv.draw.cells import Board

pytestmark = pytest.mark.quick

GEOMETRIES = [*NAMED.values(), *map(random_geometry, range(24))]
#: Views whose cells are those of one geometry; the others show several beside each other.
NAMING = {"scatter", "gather", "both", "matrix", "phases"}


def named(cell):
    """Letters and indices of what a cell says that it is."""
    return {name[0]: tuple(map(int, re.findall(r"-?\d+", name))) for name in cell.of.split()}


@pytest.mark.parametrize("view", VIEWS)
def test_a_cell_says_which_one_of_the_geometry_it_is(view):
    found = set()
    for geometry in GEOMETRIES:
        x, w = arrays(geometry)
        for grid in figure(geometry, view).scene.grids():
            for cell in grid.cells:
                indices = named(cell)
                found |= indices.keys()
                assert all(len(index) == geometry.ndim for index in indices.values())
                for letter, values in (("x", x), ("w", w)):
                    index = indices.get(letter, (0,) * geometry.ndim)
                    assert min(index) >= 0
                    assert values[index]
    assert found >= {"x", "y"} or view not in NAMING


def test_elements_of_the_matrix_and_cells_of_windows_are_tied_by_their_tap():
    for geometry in GEOMETRIES:
        board = Board(geometry)
        for view, grid in (("matrix", "C"), ("both", "read")):
            picture = figure(geometry, view).scene
            at = board.coarse(picture.step)
            for cell in picture.grid(grid).cells:
                indices = named(cell)
                if "w" in indices:
                    assert (indices.get("x", at), indices["w"]) in board.ties(indices["y"]), (geometry, cell)


def test_values_are_those_of_the_cells_that_are_named():
    for geometry in GEOMETRIES:
        x, w = arrays(geometry)
        for view in ("scatter", "gather", "phases"):
            for grid in figure(geometry, view).scene.grids():
                for cell in grid.cells:
                    for letter, values in (("x", x), ("w", w)):
                        if letter in named(cell) and grid.name != "stamp":
                            assert cell.text == str(values[named(cell)[letter]]), (geometry, view, grid.name, cell)
