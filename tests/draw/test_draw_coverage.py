"""The view coverage: counts are those of the matrix, fans the projective fields, sentences those of `Axis`."""

import numpy as np
import pytest
from hypothesis import given, settings
from strategies import GEOMETRIES, axes, geometries

import tconv
from tconv.draw import figure
from tconv.draw.evenness import contrast, reason
from tconv.draw.views.coverage import Block
from tconv.draw.words import say

pytestmark = pytest.mark.quick


def blocks(geometry):
    """The geometry and its contrast as they are drawn."""
    other = contrast(geometry)
    return [Block(geometry, ""), *([Block(other, "contrast ")] if other else [])]


def numbers(grid):
    """The text of each cell, as rows."""
    texts = np.array([cell.text for cell in grid.cells], object)
    return texts.reshape(grid.rows, grid.columns)


@settings(max_examples=40)
@given(geometries(max_ndim=3))
def test_counts(geometry):
    scene = figure(geometry, "coverage").scene
    for block in blocks(geometry):
        along = tconv.Geometry((block.axis,)).coverage()
        row = numbers(scene.grid(f"{block.name}taps"))[0]
        for text, o in zip(row, block.columns, strict=True):
            assert text == ("…" if o is None else str(along[o]) if 0 <= o < len(along) else "")
        if geometry.ndim > 1:
            full = block.geometry.coverage()[block.before]
            table = scene.grid(f"{block.name}table")
            for r, texts in zip(block.rows, numbers(table), strict=True):
                for o, text in zip(block.columns, texts, strict=True):
                    if r is not None and o is not None:
                        assert text == (str(full[r, o]) if 0 <= o < full.shape[1] else "")
            rows = tconv.Geometry((block.geometry.axes[-2],)).coverage()
            assert [text for text, _ in table.row_labels] == ["" if r is None else str(rows[r]) for r in block.rows]
            labels = [text for text, _ in table.column_labels]
            assert labels == ["" if text == "…" else text for text in row]
    assert scene.facts[-1].args == (int(geometry.coverage().sum()),)


@given(geometries(max_ndim=2))
def test_fans(geometry):
    scene = figure(geometry, "coverage").scene
    for block in blocks(geometry):
        for number, c in block.coarse.items():
            ties = [tie for tie in scene.ties if (tie.start, tie.column) == (f"{block.name}x", number)]
            below = [block.columns[tie.first + i] for tie in ties for i in range(tie.columns)]
            inside = [o for o in below if 0 <= o < block.axis.fine]
            assert inside == [o for o in block.axis.projective_field(c) if o in block.columns]


@given(axes())
def test_reasons(axis):
    said = say(reason(axis))
    if axis.is_even:
        assert axis.taps_per_phase == (reason(axis).args[-1],) * axis.stride
    else:
        assert said == axis.unevenness


@given(geometries(max_ndim=2))
def test_contrasts(geometry):
    other = contrast(geometry)
    if other is not None:
        assert other.is_even != geometry.is_even
        assert other.coarse == geometry.coarse
        assert other.padding == geometry.padding


def test_the_nearest_kernel_is_taken():
    up = tconv.Geometry.conv_transpose
    assert contrast(up((4, 4), 3, stride=2)).kernel == (4, 4)
    assert contrast(up(4, 5, stride=4)).kernel == (4,)
    assert contrast(up(4, 4, stride=2)).kernel == (5,)
    assert contrast(up(4, 3, stride=2, dilation=2)) == up(4, 4, stride=2)
    assert contrast(up(4, 3)).stride == (2,)
    assert contrast(up(1, 1)) is None


@pytest.mark.parametrize("geometry", GEOMETRIES)
@pytest.mark.parametrize("language", ["en", "zh"])
def test_everything_lies_on_the_sheet(geometry, language):
    sheet = figure(geometry, "coverage", lang=language).sheet
    for item in sheet.items:
        if hasattr(item, "w"):
            assert item.x >= 0
            assert item.y >= 0
            assert item.x + item.w <= sheet.width
            assert item.y + item.h <= sheet.height


def test_large_geometries_take_no_time():
    huge = tconv.Geometry.conv_transpose((10**9, 10**9), 7, stride=10**6, padding=3)
    assert figure(huge, "coverage").svg().startswith("<svg")


def test_counts_that_differ_by_one_have_colours_of_their_own():
    cells = figure(tconv.Geometry.conv_transpose(8, 25, stride=4, padding=11), "coverage").scene.grid("taps").cells
    colours = {cell.text: cell.kind for cell in cells if cell.kind.startswith("heat")}
    assert len(set(colours.values())) == len(colours) > 2
