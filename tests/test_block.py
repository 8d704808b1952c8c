"""Blocks: every range of small axes, computed as a layer of its own, against the definition of the whole."""

from __future__ import annotations

import re
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from definition import links
from hypothesis import given
from hypothesis import strategies as st
from oracle import oracle
from strategies import GEOMETRIES, axes, geometries

import tconv
from examples import blocks
from tconv import Axis, Geometry

pytestmark = pytest.mark.quick

HUGE = 10**30
PICTURE = Path(__file__).parent.parent / "docs" / "images" / "blocks.svg"


def matrix(axis):
    """C of one axis with kernels of different whole numbers: from fine to coarse."""
    c = np.zeros((axis.coarse, axis.fine))
    for coarse, tap, fine in links(axis):
        c[coarse, fine] += 2.0**tap
    return c


def check_every_range(axis):
    whole = matrix(axis)
    sides = (axis.coarse_range, axis.fine, whole.T), (axis.fine_range, axis.coarse, whole)
    for (needed, size, rows), down in zip(sides, (False, True), strict=True):
        for start, stop in ((a, b) for a in range(size) for b in range(a + 1, size + 1)):
            block = needed(start, stop)
            assert 0 <= block.start <= block.stop <= rows.shape[1]
            outside = [i for i in range(rows.shape[1]) if not block.start <= i < block.stop]
            assert not rows[start:stop, outside].any(), "a cell outside the block is needed"
            local = axis.local(block)
            assert (local is None) == block.is_empty
            if local is None:
                continue
            assert local == Axis(local.coarse, axis.kernel, axis.stride, block.padding, 0, axis.dilation)
            small = matrix(local) if down else matrix(local).T
            np.testing.assert_array_equal(small, rows[start:stop, block.start : block.stop])
            if axis.dilation == 1 and not down:
                used = rows[start:stop, block.start : block.stop].any(axis=0)
                assert used[[0, -1]].all(), "a cell that is not needed"


@pytest.mark.parametrize(("kernel", "stride", "dilation"), list(product((1, 2, 3, 5), (1, 2, 3, 5), (1, 2, 3))))
def test_every_range_of_small_axes(kernel, stride, dilation):
    for coarse, low, high, a in product((1, 2, 4), (-2, 0, 1, 3), (-1, 0, 2), (0, 1, 2)):
        try:
            axis = Axis(coarse, kernel, stride, (low, high), a, dilation)
        except ValueError:
            continue  # nothing left, or an output padding too large
        if axis.fine <= 14:
            check_every_range(axis)


@given(axes())
def test_every_range_of_random_axes(axis):
    check_every_range(axis)


def test_blocks_that_need_nothing():
    gaps = Axis.conv_transpose(3, 1, stride=4, output_padding=3)
    assert [gaps.coarse_range(o, o + 1).is_empty for o in range(9)] == [False, True, True, True] * 2 + [False]
    assert gaps.local(gaps.coarse_range(1, 4)) is None
    padded = Axis.conv(2, 2, padding=3)
    assert [padded.fine_range(c, c + 1).is_empty for c in range(padded.coarse)] == [True] * 2 + [False] * 3 + [True] * 2
    geometry = Geometry((gaps, padded))
    assert geometry.coarse_box([(1, 4), (0, 1)]) == (((0, 0), (2, 4)), None)
    assert geometry.fine_box([(1, 2), (0, 2)]) == (((4, 5), (0, 0)), None)


def test_sizes_beyond_memory():
    axis = Axis.conv_transpose(HUGE, 4, stride=2, padding=1)
    block = axis.coarse_range(HUGE, HUGE + 10)
    assert (block.cells, block.padding) == ((HUGE // 2 - 1, HUGE // 2 + 6), (3, 3))
    assert axis.local(block).fine == 10
    assert axis.fine_range(HUGE // 2, HUGE // 2 + 5).cells == (HUGE - 1, HUGE + 11)


def test_blocks_that_start_at_the_same_place_between_strides_are_of_one_geometry():
    axis = Axis.conv_transpose(1000, 7, stride=3, padding=2, dilation=2)
    inner = {axis.local(axis.coarse_range(o, o + 12)) for o in range(30, 2900, 3)}
    assert len(inner) == 1
    assert len({axis.local(axis.fine_range(c, c + 12)) for c in range(30, 900)}) == 1


def boxes(size, draw):
    starts = [draw(st.integers(0, n - 1)) for n in size]
    return [(a, draw(st.integers(a + 1, n))) for a, n in zip(starts, size, strict=True)]


def check_boxes(geometry, fine, coarse):
    rng = np.random.default_rng(0)
    w = rng.integers(-3, 4, (2, 3, *geometry.kernel)).astype(np.float64)
    x = rng.integers(-3, 4, (1, 2, *geometry.coarse)).astype(np.float64)
    y = rng.integers(-3, 4, (1, 3, *geometry.fine)).astype(np.float64)
    up, down, _ = oracle(geometry, x, w, y)
    for grid, whole, needed, run in (
        (x, up, geometry.coarse_box(fine), tconv.conv_transpose),
        (y, down, geometry.fine_box(coarse), tconv.conv),
    ):
        ranges = fine if run is tconv.conv_transpose else coarse
        block = whole[(..., *(slice(*ends) for ends in ranges))]
        if needed.geometry is None:
            assert not block.any()
            continue
        part = np.ascontiguousarray(grid[(..., *needed.slices)])
        np.testing.assert_array_equal(run(part, w, method="phases", **needed.geometry.keywords), block)


@given(st.data())
def test_boxes_of_random_geometries(data):
    geometry = data.draw(geometries(small=True))
    check_boxes(geometry, boxes(geometry.fine, data.draw), boxes(geometry.coarse, data.draw))


@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_boxes_of_chosen_geometries(geometry):
    for part in (lambda n: (0, n), lambda n: (n // 3, n), lambda n: (0, -(-n // 2)), lambda n: (n - 1, n)):
        check_boxes(geometry, [part(n) for n in geometry.fine], [part(n) for n in geometry.coarse])


AXIS = Axis.conv_transpose(8, 4, stride=2, padding=1)
PLANE = Geometry((AXIS, AXIS))


@pytest.mark.parametrize(
    ("call", "kind", "text"),
    [
        (lambda: AXIS.coarse_range(-1, 3), ValueError,
         "Axis.coarse_range: start must be an integer of at least 0; got -1"),
        (lambda: AXIS.coarse_range(16, 17), ValueError, "Axis.coarse_range: start must be less than 16; got 16"),
        (lambda: AXIS.coarse_range(3, 3), ValueError,
         "Axis.coarse_range: stop must be more than start = 3 and at most 16; got 3"),
        (lambda: AXIS.fine_range(0, 9), ValueError,
         "Axis.fine_range: stop must be more than start = 0 and at most 8; got 9"),
        (lambda: AXIS.fine_range(0, 2.0), TypeError,
         "Axis.fine_range: stop must be an integer; got 2.0 of type float"),
        (lambda: PLANE.coarse_box(3), TypeError,
         "Geometry.coarse_box: box must be a sequence of (start, stop) pairs, one an axis; got 3"),
        (lambda: PLANE.coarse_box([(0, 3)]), ValueError,
         "Geometry.coarse_box: box must have 2 pairs (start, stop), one an axis; got [(0, 3)]"),
        (lambda: PLANE.coarse_box([(0, 3), 4]), ValueError,
         "Geometry.coarse_box: box[1] must be a pair (start, stop); got 4"),
        (lambda: PLANE.fine_box([(0, 3), (2, 9)]), ValueError,
         "Geometry.fine_box: box[1][1] must be more than box[1][0] = 2 and at most 8; got 9"),
    ],
)  # fmt: skip
def test_messages(call, kind, text):
    with pytest.raises(kind, match=f"^{re.escape(text)}$"):
        call()


def test_the_picture_in_the_docs_is_what_the_command_draws(tmp_path, monkeypatch):
    path = tmp_path / "drawn.svg"
    monkeypatch.setattr("sys.argv", ["blocks", "--out", str(path)])
    blocks.main()
    assert path.read_text("utf-8") == PICTURE.read_text("utf-8")
    assert "y[6:12] needs x[2:7], padding (3, 3)" in PICTURE.read_text("utf-8")
