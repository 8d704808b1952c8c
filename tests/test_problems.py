"""Problems that are drawn lean on edges, stay small, and are the same from the same seed."""

from collections import Counter
from math import prod
from random import Random

import pytest
from problems import LANES, MOST_CELLS, SMALL, geometry, problem

from tconv.problem import OPERATIONS

COUNT = 600
DRAWN = [problem(Random(seed).choice) for seed in range(COUNT)]


def edges(one):
    """What may go wrong about a problem, in words."""
    axes, last = one.geometry.axes, one.geometry.axes[-1]
    yield one.operation
    yield one.dtype
    yield f"{len(axes)}-D"
    if one.batch > 1:
        yield "several images"
    if one.in_channels == one.out_channels == 1:
        yield "one channel"
    if one.groups > 1:
        yield "depthwise" if one.cin == one.cout == 1 else "groups"
    if all(axis.coarse == 1 and axis.fine == axis.kernel for axis in axes):
        yield "single cells"
    for axis in axes:
        yield from of_axis(axis)
    for lanes in LANES[1:]:
        for name, size in (("row", last.coarse), ("channels", one.cout), ("channels", one.cin), ("groups", one.groups)):
            if size % lanes in (0, 1, lanes - 1) and size >= lanes - 1:
                yield f"{name} around {lanes}"
    if len(axes) > 1 and last == type(last)(last.coarse, 1) and axes[-2].kernel == 1 < axes[-2].stride:
        yield "strided rows of one tap beside a last axis along which nothing is done"


def of_axis(axis):
    low, high = axis.padding
    found = {
        "one cell": axis.coarse == 1,
        "kernel 1, strided": axis.kernel == 1 < axis.stride,
        "gaps": 1 < axis.kernel < axis.stride,
        "asymmetric padding": low != high,
        "cropped": min(low, high) < 0,
        "output padding": axis.output_padding > 0,
        "dilation beyond the grid": axis.dilation > axis.fine,
        "dilation": axis.dilation > 1 < axis.kernel,
        "nothing is done": (axis.kernel, axis.stride, low, high, axis.output_padding) == (1, 1, 0, 0, 0),
    }
    return [name for name, holds in found.items() if holds]


EXPECTED = {
    *OPERATIONS, "float32", "float64", "1-D", "2-D", "3-D", "4-D",
    "several images", "one channel", "depthwise", "groups", "single cells",
    "one cell", "kernel 1, strided", "gaps", "asymmetric padding", "cropped", "output padding",
    "dilation beyond the grid", "dilation", "nothing is done",
    *(f"{what} around {lanes}" for what in ("row", "channels", "groups") for lanes in LANES[1:]),
    "strided rows of one tap beside a last axis along which nothing is done",
}  # fmt: skip


def test_they_lean_on_edges():
    met = Counter(edge for one in DRAWN for edge in set(edges(one)))
    assert met.keys() == EXPECTED
    assert {edge: count for edge, count in met.items() if count < COUNT / 100} == {}


def test_they_stay_small():
    """Nothing is drawn again because it was too large, so this is what it comes to."""
    assert max(one.work.multiplications for one in DRAWN) < 500_000
    assert max(one.batch * one.in_channels * one.coarse_cells for one in DRAWN) <= 3 * MOST_CELLS
    assert max(one.batch * one.out_channels * one.fine_cells for one in DRAWN) <= 3 * MOST_CELLS


def test_the_same_from_the_same_seed():
    assert [problem(Random(seed).choice) for seed in range(20)] == DRAWN[:20]
    assert len(set(DRAWN)) > COUNT * 0.95


@pytest.mark.parametrize("ndim", [1, 2, 3, 4])
def test_small_geometries_have_few_cells(ndim):
    drawn = [geometry(Random(seed).choice, [ndim], small=True) for seed in range(100)]
    assert {one.ndim for one in drawn} == {ndim}
    assert max(prod(one.fine) for one in drawn) <= SMALL
