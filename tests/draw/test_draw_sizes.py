"""The view of sizes: every size, remainder, window and output padding is what `Axis` gives."""

import re

import pytest
from hypothesis import given
from strategies import GEOMETRIES, axes, geometries
from test_draw_matrix import check_text

import tconv
from tconv import Axis, Geometry
from tconv.draw import figure
from tconv.draw.scene import Grid, Words
from tconv.draw.words import LANGUAGES

pytestmark = pytest.mark.quick


def rows(scene):
    """For each row the fine size, the coarse size, the grid and the words."""
    for grid, words in scene.rows:
        assert (type(grid), type(words)) == (Grid, Words)
        fine = int(grid.row_labels[0][0].split("= ")[1])
        yield fine, words.lines[0][0].args[0], grid, words


def positions(grid):
    """By column the fine position of a cell that has one."""
    return {column: int(cell.text) for column, cell in enumerate(grid.cells) if cell.text not in ("", "…")}


def again(axis, fine, **keywords):
    return Axis.conv(fine, axis.kernel, stride=axis.stride, padding=axis.padding, dilation=axis.dilation, **keywords)


@given(axes())
def test_sizes_are_those_that_share_the_coarse_size_and_one_that_does_not(axis):
    found = [(fine, coarse) for fine, coarse, _, _ in rows(figure(Geometry((axis,)), "sizes").scene)]
    assert (axis.fine, axis.coarse) in found
    shared = [fine for fine, coarse in found if coarse == axis.coarse and fine in axis.fine_sizes]
    assert [*shared[:1], *shared[-1:]] == [*axis.fine_sizes[:1], *axis.fine_sizes[-1:]]
    after = again(axis, axis.fine_sizes.stop)
    assert after.coarse > axis.coarse
    assert (after.fine, after.coarse) in found
    assert len(found) == len(shared) + (1 if axis.fine in axis.fine_sizes else 2)
    if axis.stride <= 3:
        assert shared == list(axis.fine_sizes)


@given(axes())
def test_remainders_and_output_paddings(axis):
    for fine, coarse, _, words in rows(figure(Geometry((axis,)), "sizes").scene):
        numbers, back = words.lines[1][0].args[0], words.lines[2][0]
        a = back.args[0]
        brought = Axis.conv_transpose(
            coarse, axis.kernel, stride=axis.stride, padding=axis.padding, dilation=axis.dilation, output_padding=a
        )
        assert brought.fine == back.args[-1] == fine
        if " mod " in numbers:
            assert again(axis, fine).coarse == coarse
            divided, stride, left = re.fullmatch(r"\((.*)\) mod (\d+) = (\d+)", numbers).groups()
            assert eval(divided) % int(stride) == int(left) == a
            assert eval(divided) // int(stride) + 1 == coarse
        else:
            assert a >= axis.stride
            left, right = numbers.split(" = ")
            assert int(left) == eval(right) == coarse == again(axis, fine, output_padding=a).coarse


@given(axes())
def test_cells_say_which_of_them_a_window_reads(axis):
    for fine, coarse, grid, words in rows(figure(Geometry((axis,)), "sizes").scene):
        of_row = again(axis, fine, output_padding=words.lines[2][0].args[0])
        assert of_row.coarse == coarse
        for column, position in positions(grid).items():
            assert 0 <= position < fine
            assert grid.cells[column].kind == ("fine" if of_row.coverage_at(position) else "left")
        kinds = [cell.kind for cell in grid.cells]
        if "more" not in kinds:
            low, high = (max(0, p) for p in axis.padding)
            around = kinds.count("padding") + kinds.count("padding-left")
            assert (len(positions(grid)), around) == (fine, low + high)
            # All taps of all windows are there, on cells or around them.
            if len(grid.brackets) == coarse:
                assert sum(len(bracket.teeth) for bracket in grid.brackets) == coarse * axis.kernel


@given(axes())
def test_brackets_are_the_windows(axis):
    for fine, coarse, grid, words in rows(figure(Geometry((axis,)), "sizes").scene):
        of_row = again(axis, fine, output_padding=words.lines[2][0].args[0])
        at = positions(grid)
        for bracket in grid.brackets:
            assert 0 <= int(bracket.text) < coarse
            field = of_row.projective_field(int(bracket.text))
            assert {at[c] for c in bracket.teeth if c in at} == {p for p in at.values() if p in field}
            inside = range(bracket.column, bracket.column + bracket.columns)
            assert all(column in inside for column in bracket.teeth)
            for other in grid.brackets:
                if other is not bracket and other.level == bracket.level:
                    assert not set(inside) & set(range(other.column, other.column + other.columns))


@given(geometries(min_ndim=2))
def test_one_axis_is_shown_and_said_to_be(geometry):
    scene = figure(geometry, "sizes").scene
    assert scene.note.key == ("sizes alike" if len(set(geometry.axes)) == 1 else "sizes last")
    assert scene.rows == figure(Geometry(geometry.axes[-1:]), "sizes").scene.rows


@pytest.mark.parametrize("geometry", GEOMETRIES[::2])
@pytest.mark.parametrize("language", LANGUAGES)
def test_text_is_legible_and_on_the_sheet(geometry, language):
    check_text(figure(geometry, "sizes", lang=language).sheet)


def test_a_size_that_only_output_padding_makes():
    axis = Axis(8, 3, padding=(13, 13), output_padding=1, dilation=9)
    assert not axis.fine_sizes
    scene = figure(Geometry((axis,)), "sizes").scene
    assert scene.title.args == (1, 8, 1)
    assert [(fine, coarse) for fine, coarse, _, _ in rows(scene)] == [(1, 8), (1, 9)]


def test_fine_5_and_6_both_give_coarse_3():
    scene = figure(tconv.Geometry.conv_transpose(3, 3, stride=2, padding=1), "sizes").scene
    assert scene.title.args == (5, 6, 3)
    assert [(fine, coarse) for fine, coarse, _, _ in rows(scene)] == [(5, 3), (6, 3), (7, 4)]
    assert [cell.kind for cell in scene.grid("fine6-coarse3").cells] == [
        "padding", *["fine"] * 6, "padding-left", "gap",
    ]  # fmt: skip
