"""The definition of a convolution, spelled out with loops: what everything else is compared with.

Cell c of the coarse grid and cell o of the fine grid are tied through tap t when o = c * stride - low + t * dilation.
"""

from __future__ import annotations

from itertools import product

from tconv import Axis, Geometry


def links(axis: Axis) -> list[tuple[int, int, int]]:
    """Every (coarse cell, tap, fine cell) that are tied on this axis."""
    low, _ = axis.padding
    found = []
    for c in range(axis.coarse):
        for t in range(axis.kernel):
            o = c * axis.stride - low + t * axis.dilation
            if 0 <= o < axis.fine:
                found.append((c, t, o))
    return found


def links_of(geometry: Geometry) -> list[tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]]:
    """The same for all axes together: every (coarse position, tap, fine position)."""
    return [tuple(zip(*combination, strict=True)) for combination in product(*map(links, geometry.axes))]


def windows(fine: int, kernel: int, stride: int, padding: tuple[int, int], dilation: int) -> int:
    """How many times a kernel fits on the padded grid: lay it down, move it by a stride, count."""
    low, high = padding
    first, count = -low, 0
    while first + dilation * (kernel - 1) < fine + high:
        first, count = first + stride, count + 1
    return count
