"""The two ends of each axis: what is cut off the full result, and how two layers differ in it.

A transposed convolution first has a full result of (coarse - 1) * stride + dilation * (kernel - 1) + 1 cells, and then
loses (low, high) cells of it; a negative number adds cells that no tap reaches. Padding and output padding say no more
than this: low, and high - output_padding. So a geometry and its cuts are the same map, however it is spelt.
"""

from __future__ import annotations

from dataclasses import replace

from tconv.geometry import Geometry

Pairs = tuple[tuple[int, int], ...]


def cuts(geometry: Geometry) -> Pairs:
    """What each axis of the full result loses at its (low, high) end; negative where it gains cells."""
    return tuple((axis.padding[0], axis.padding[1] - axis.output_padding) for axis in geometry.axes)


def canonical(geometry: Geometry) -> Geometry:
    """The same map in one spelling: symmetric padding and an output padding where that can say it, else a pair.

    >>> import tconv
    >>> from tconv.conventions import canonical
    >>> print(canonical(tconv.Geometry.conv_transpose(8, 3, stride=2, padding=((1, 0),))))
    fine 16 <-> coarse 8: kernel 3, stride 2, padding 1, output padding 1
    """
    axes = []
    for axis, (low, high) in zip(geometry.axes, cuts(geometry), strict=True):
        symmetric = 0 <= low - high < max(axis.stride, axis.dilation)
        padding, a = ((low, low), low - high) if symmetric else ((low, high), 0)
        axes.append(replace(axis, padding=padding, output_padding=a))
    return Geometry(tuple(axes))


def difference(said: Pairs, wanted: Pairs) -> tuple[Pairs, Pairs]:
    """What to crop and what to pad where a layer that cuts `said` is to give what one that cuts `wanted` does.

    Zeros may stand in for the missing cells only where the layer has not cut off cells that a tap reaches.
    """
    ends = list(zip(said, wanted, strict=True))
    crop = tuple((max(w[0] - s[0], 0), max(w[1] - s[1], 0)) for s, w in ends)
    pad = tuple((max(s[0] - w[0], 0), max(s[1] - w[1], 0)) for s, w in ends)
    assert all(s[end] <= 0 for (s, _), p in zip(ends, pad, strict=True) for end in (0, 1) if p[end])
    return crop, pad


def symmetric_padding(
    geometry: Geometry, most_output_padding: tuple[int, ...], most_padding: tuple[int, ...] | None = None
) -> list[tuple[int, int]]:
    """For each axis the padding p of both ends and the output padding a with which a layer comes closest from above.

    That is the axis itself where p >= 0 and a <= most_output_padding can say it. Elsewhere it is the smaller of the
    two cuts on both ends: the largest symmetric cut that loses nothing we keep, and is no more than `most_padding`.
    """
    found = []
    largest = most_padding or tuple(max(low, 0) for low, _ in cuts(geometry))
    for (low, high), most, limit in zip(cuts(geometry), most_output_padding, largest, strict=True):
        exact = 0 <= low <= limit and 0 <= low - high <= most
        found.append((low, low - high) if exact else (max(0, min(low, high, limit)), 0))
    return found


def nearest_ends(
    geometry: Geometry, most_output_padding: tuple[int, ...], *, negative: bool = False
) -> list[tuple[int, int, int]]:
    """For each axis the (low, high, output padding) closest to its cuts, for layers whose two ends may differ.

    Both ends are alike where an output padding makes them so. Unless paddings may be negative, the end grows by an
    output padding, up to `most_output_padding`; an axis that has to be padded even so is not cut at its other end
    before, as that could leave nothing to pad.
    """
    found = []
    for (low, high), most in zip(cuts(geometry), most_output_padding, strict=True):
        if low >= 0 and 0 <= low - high <= most:
            found.append((low, low, low - high))
        elif negative or (low >= 0 and high >= 0):
            found.append((low, high, 0))
        elif low >= 0 and -high <= most:
            found.append((low, 0, -high))
        else:
            found.append((0, 0, min(max(-high, 0), most)))
    return found


def look_alike(geometry: Geometry, most_output_padding: tuple[int, ...]) -> list[tuple[int, int]] | None:
    """For each axis the (padding, output padding) that has the right size and the wrong place.

    It is how unlike cuts are often "cured": Keras's "same" with kernel 5 and stride 2 cuts (1, 2), and a padding of 2
    with an output padding of 1 has its size, but cuts (2, 1). None where no axis is so, or one has no such pair.
    """
    pairs = []
    for (low, high), most in zip(cuts(geometry), most_output_padding, strict=True):
        exact = low >= 0 and 0 <= low - high <= most
        padding = low if exact else -(-(low + high) // 2)
        added = 2 * padding - low - high
        if padding < 0 or not 0 <= added <= most or (not exact and min(low, high) < 0):
            return None
        pairs.append((padding, added))
    same = all((p, p - a) == cut for (p, a), cut in zip(pairs, cuts(geometry), strict=True))
    return None if same else pairs
