"""Circular padding of a transposed convolution: what to do instead, as no geometry wraps around.

A result that wraps around its borders, n s cells long, is that of a layer whose x is wrapped around before: as many
coarse cells at each end as reach across the border, and a crop that cuts what they add.
"""

from __future__ import annotations

from typing import NamedTuple


class Wrapped(NamedTuple):
    """One axis of a circular layer as a plain one."""

    cells: tuple[int, int]  #: of x, put at its (low, high) end by wrapping around
    cut: tuple[int, int]  #: of the plain layer


def wrapped(effective: int, stride: int, low: int) -> Wrapped:
    """The plain layer for one that wraps, where `low` cells of the full result lie before its first one."""
    before = max(-(-(effective - 1 - low) // stride), 0)
    after = max(-(-low // stride), 0)
    return Wrapped((before, after), (low + before * stride, effective - stride - low + after * stride))


def advice(name: str, axes: list[Wrapped], padding: object, channels: str) -> str:
    """What to do, for an error about the parameter `name`; `padding` is the parameter that says the cuts."""
    ends = [axis.cells for axis in axes]
    around = [(0, 0), *ends, (0, 0)] if channels == "channels_last" else [(0, 0), (0, 0), *ends]
    return (
        f'{name}="CIRCULAR" wraps around, which no layer of tconv does: put x = numpy.pad(x, {around}, mode="wrap") '
        f"before the layer, and say padding={padding} in its place"
    )
