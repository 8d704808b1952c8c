"""Which filters F(outputs, taps) the last two axes of a problem get: those that take the fewest cycles.

What is counted are multiply-adds of vectors, and what the transforms take in their place. The constants were fitted to
layers of 32 to 512 channels along one, two and three axes on an AMD Zen 4, one thread.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import product
from math import prod
from typing import NamedTuple

from tconv.jit.machine.isa import Isa
from tconv.jit.schedules.axes import LoopAxis, phase_taps
from tconv.jit.schedules.layouts import MemoryLayout, channels_of
from tconv.jit.schedules.shares import inside
from tconv.jit.schedules.winograd.axis import filtered
from tconv.jit.schedules.winograd.sizes import MANY, PANEL, most_points, transposes
from tconv.problem import Problem

Pair = tuple[int, int]
#: An axis that is not filtered.
NONE: Pair = (1, 1)
#: Points of a tile along an axis, at most: rounding grows with them.
MOST, MOST_OF_TWO = 7, 6
#: And points of a tile of both axes together, those of all filters of a bank: what a kernel of transforms has in a row.
MOST_OF_BANKS = 121
#: Multiply-adds that a point costs on its way from x and to a result, and a result on its way from the block into y, or
#: into a y of so many bytes that it is far.
INTO, OUT, MOVED, LARGE = 7.0, 7.0, 30.0, 4 << 20
#: Multiply-adds of a result beside its sum, by the exact kernels that write y at once.
STORED = 8.0
#: Bytes of weights that come from the outer caches in the time of a multiply-add, and from memory, if there are many.
NEAR, FAR = 12.0, 6.0
#: How many times as fast as the exact kernels it should be to be worth its rounding.
WORTH = 1.3


class Choice(NamedTuple):
    """Filters along the axis before the last and along the last."""

    gain: float  #: how many times as fast as the exact kernels
    outputs: Pair
    taps: Pair


@lru_cache(maxsize=1024)
def best(problem: Problem, layout: MemoryLayout, isa: Isa) -> Choice:
    """The filters that are expected to be the fastest; no gain where none is."""
    found = Choice(0.0, NONE, NONE)
    before, last = layout.axes[-2:]
    exact = _exact(problem, layout, isa)
    for pairs in product(candidates(before), candidates(last)):
        points = [m + r - 1 for m, r in pairs]
        if pairs == (NONE, NONE) or (min(points) > 1 and max(points) > MOST_OF_TWO):
            continue
        if filtered(before, *pairs[0]).points * filtered(last, *pairs[1]).points > MOST_OF_BANKS:
            continue
        gain = exact / _cycles(problem, layout, isa, pairs)
        if gain > found.gain:
            found = Choice(gain, (pairs[0][0], pairs[1][0]), (pairs[0][1], pairs[1][1]))
    return found


def candidates(line: LoopAxis) -> list[Pair]:
    """What an axis may be filtered by; longer kernels are cut into segments of as many taps as a tile has results."""
    if line.read_stride != 1 or (line.stride > 1 and abs(line.dilation) > 1):
        return [NONE]
    taps = max(map(len, phase_taps(line)))
    if taps == 1:
        return [NONE]
    whole = [(m, taps) for m in (2, 3, 4) if taps <= 4 and m + taps - 1 <= MOST]
    cut = [(m, m) for m in (2, 3, 4) if taps > m]
    return [NONE, *whole, *cut]


def _exact(problem: Problem, layout: MemoryLayout, isa: Isa) -> float:
    """Multiply-adds of the exact kernels, whose lanes are what fits: channels, phases or pixels."""
    channels, results = channels_of(problem), prod(line.written for line in layout.axes)
    taps = prod(line.kernel / line.stride * inside(line) for line in layout.axes)
    stored = STORED if layout.channels_last else MOVED
    products = results * channels.written / isa.lanes(problem.itemsize) * (channels.read * taps + stored)
    return max(products, _streamed(prod(problem.w_shape[1:]) * problem.itemsize))


def _cycles(problem: Problem, layout: MemoryLayout, isa: Isa, pairs: tuple[Pair, Pair]) -> float:
    """Those of minimal filtering, and all else in multiply-adds."""
    every = [NONE] * (len(layout.axes) - 2) + list(pairs)
    axes = [filtered(line, *pair) for line, pair in zip(layout.axes, every, strict=True)]
    tiles = [-(-line.written // axis.written) for line, axis in zip(layout.axes, axes, strict=True)]
    slots = [axis.slots(n) for axis, n in zip(axes, tiles, strict=True)]
    (read, written, *_), lanes, size = channels_of(problem), isa.lanes(problem.itemsize), problem.itemsize
    vectors = -(-written // lanes)
    points, phases = prod(axis.points for axis in axes), prod(len(axis.phases) for axis in axes)
    segments = prod(sum(phase.segments for phase in axis.phases) for axis in axes)
    products = prod(tiles) * segments * points * vectors * (read + 2)
    of_x = prod(slots) * prod(len(axis.areas) for axis in axes) * points
    innermost = layout.channels_last or transposes(axes[-1], tiles[-1], read, lanes)
    wide = slots[-1] if innermost else -(-slots[-1] // lanes) * lanes
    weights = prod(len(axis.kernels) * axis.segments for axis in axes) * points * read * vectors * lanes * size
    bytes_of_x = of_x * read * size
    chunks = max(1.0, bytes_of_x / most_points(weights), bytes_of_x * wide / slots[-1] / PANEL)
    of_channels = -(-read // lanes) if innermost else wide / slots[-1] * read / lanes
    out = prod(tiles) * phases * points * vectors * OUT
    results = prod(line.written for line in layout.axes)
    far = not layout.channels_last or results * written * size > LARGE
    moved = results * vectors * MOVED if far else 0.0
    return max(products, _streamed(weights) * chunks) + of_x * of_channels * INTO + out + moved


def _streamed(weights: int) -> float:
    """Multiply-adds in the time in which so many bytes of weights are read."""
    return weights / (NEAR if weights < MANY else FAR)
