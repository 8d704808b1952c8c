"""The view of C: what it shows is what `sparse_matrix` stores, and its sums are rows and columns of it."""

import re
from itertools import product
from math import prod

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import GEOMETRIES, geometries

import tconv
from tconv.draw import figure
from tconv.draw.cells import unflat
from tconv.draw.layout import WIDE
from tconv.draw.sheet import Rect, Text
from tconv.draw.text import width
from tconv.draw.views.matrix import column_of, label
from tconv.draw.words import LANGUAGES

pytestmark = pytest.mark.quick


def labels(letter, sizes):
    """Cells of a grid, or taps, by what they are called."""
    return {label(letter, index, sizes): index for index in product(*map(range, sizes))}


def matrix(geometry):
    """C with the number of each tap, from 1, as its weight."""
    taps = np.arange(1.0, 1 + prod(geometry.kernel)).reshape(1, 1, *geometry.kernel)
    return tconv.sparse_matrix(geometry, taps).toarray().astype(int)


def some_step(data, geometry):
    return data.draw(st.integers(0, prod(geometry.coarse) - 1))


def of_grid(scene, name):
    """(row, column, cell) of a panel."""
    grid = scene.grid(name)
    return [(*divmod(number, grid.columns), cell) for number, cell in enumerate(grid.cells)]


@given(geometries(small=True), st.data())
def test_elements_are_those_of_the_matrix(geometry, data):
    step = some_step(data, geometry)
    scene, c = figure(geometry, "matrix", step=step).scene, matrix(geometry)
    grid = scene.grid("C")
    coarse, fine = (list(labels(letter, sizes)) for letter, sizes in (("c", geometry.coarse), ("f", geometry.fine)))
    taps = ["0", *labels("w", geometry.kernel)]
    for row, column, cell in of_grid(scene, "C"):
        names = grid.row_labels[row][0], grid.column_labels[column][0]
        if "…" in names:
            assert cell.kind == "more"
            continue
        element = c[coarse.index(names[0]), fine.index(names[1])]
        assert cell.text == taps[element]
        assert (cell.kind == "gap") == (element == 0)
    assert scene.grid("C").note.args == (*c.shape, np.count_nonzero(c), c.size)


@given(geometries(small=True), st.data())
def test_lit_are_the_row_of_the_step_and_a_column_with_most_ties(geometry, data):
    step = some_step(data, geometry)
    scene, c = figure(geometry, "matrix", step=step).scene, matrix(geometry)
    fine = np.ravel_multi_index(column_of(geometry, unflat(step, geometry.coarse)), geometry.fine)
    grid = scene.grid("C")
    row, column = grid.frames
    assert grid.row_labels[row.row][0] == label("c", unflat(step, geometry.coarse), geometry.coarse)
    assert grid.column_labels[column.column][0] == label("f", unflat(int(fine), geometry.fine), geometry.fine)
    for r, q, cell in of_grid(scene, "C"):
        assert cell.kind in (("kernel-on", "gap", "more") if r == row.row or q == column.column else
                             ("kernel", "gap", "more"))  # fmt: skip
    if c[step].any():
        reached = np.count_nonzero(c, axis=0)
        assert c[step, fine]
        assert reached[fine] == reached[c[step] > 0].max()


@given(geometries(small=True), st.data())
def test_grids_show_the_row_and_the_column(geometry, data):
    step = some_step(data, geometry)
    scene, c = figure(geometry, "matrix", step=step).scene, matrix(geometry)
    at = unflat(step, geometry.coarse)
    fine = np.ravel_multi_index(column_of(geometry, at), geometry.fine)
    coarse, cells = list(labels("c", geometry.coarse)), list(labels("f", geometry.fine))
    for name, names, lit in (
        ("window", cells, np.flatnonzero(c[step])),
        ("gathers", coarse, [step]),
        ("taps", coarse, np.flatnonzero(c[:, fine])),
        ("collects", cells, [fine]),
    ):
        for _, _, cell in of_grid(scene, name):
            if cell.kind != "more":
                assert cell.kind.endswith("-on") == (names.index(cell.text) in lit)
    for name, number in (("window", np.count_nonzero(c[step])), ("taps", np.count_nonzero(c[:, fine]))):
        assert scene.grid(name).note.args == (() if number == 1 else (number,))


@given(geometries(small=True), st.data())
def test_sums_are_those_of_the_operations(geometry, data):
    step = some_step(data, geometry)
    scene = figure(geometry, "matrix", step=step).scene
    rng = np.random.default_rng(step)
    w, y, x = (rng.integers(-4, 5, size).astype(float) for size in (geometry.kernel, geometry.fine, geometry.coarse))
    values = {
        **{name: w[index] for name, index in labels("w", geometry.kernel).items()},
        **{name: y[index] for name, index in labels("f", geometry.fine).items()},
        **{name: x[index] for name, index in labels("c", geometry.coarse).items()},
    }
    at = unflat(step, geometry.coarse)
    down = tconv.conv(y[None, None], w[None, None], **geometry.keywords)[0, 0][at]
    up = tconv.conv_transpose(x[None, None], w[None, None], **geometry.keywords)[0, 0][column_of(geometry, at)]
    for fact, expected in zip(scene.facts, (down, up), strict=True):
        sum_ = fact.args[0].split(" = ")[1]
        if "…" not in sum_:
            terms = re.findall(r"(w[\d,]+)·([cf][\d,]+)", sum_)
            assert sum(values[tap] * values[cell] for tap, cell in terms) == expected


@pytest.mark.parametrize("geometry", GEOMETRIES[::2])
@pytest.mark.parametrize("language", LANGUAGES)
def test_text_is_legible_and_on_the_sheet(geometry, language):
    check_text(figure(geometry, "matrix", lang=language).sheet)


def check_text(sheet, least=15.5):
    for item in sheet.items:
        if isinstance(item, Text):
            wide = width(item.text, item.size, bold=item.bold, mono=item.mono)
            left = item.x - {"start": 0, "middle": wide / 2, "end": wide}[item.anchor]
            assert item.size >= least, item
            assert 0 <= left <= left + wide <= WIDE.width, item
            assert item.y <= sheet.height, item
        elif isinstance(item, Rect) and item.role != "sheet":
            assert WIDE.margin - 10 <= item.x <= item.x + item.w <= WIDE.width - WIDE.margin + 10, item


def test_labels_of_large_grids_have_commas():
    assert label("f", (1, 2), (10, 10)) == "f12"
    assert label("f", (1, 2), (10, 11)) == "f1,2"


def test_a_large_matrix_is_a_window_around_the_row_and_the_column():
    geometry = tconv.Geometry.conv_transpose((20, 30), (5, 7), stride=3, dilation=2, padding=2)
    scene = figure(geometry, "matrix", step=0).scene
    grid = scene.grid("C")
    assert [grid.row_labels[0][0], grid.row_labels[-1][0]] == ["c0,0", "…"]
    assert grid.note.args == (600, 62 * 96, geometry.work().multiplications, 600 * 62 * 96)


def test_a_row_that_the_padding_crops_has_no_window():
    geometry = tconv.Geometry.conv_transpose(4, 2, stride=2, padding=((2, 2),))
    scene = figure(geometry, "matrix", step=0).scene
    assert "fine-on" not in {cell.kind for cell in scene.grid("window").cells}
    assert scene.facts[0].args[0].endswith("c0 = 0")
