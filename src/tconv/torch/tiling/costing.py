"""What tiles cost: the work of all, and the memory of one. Along each axis alone, as boxes are products of ranges."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeAlias

from tconv.torch.tiling.gathering import Interpolated
from tconv.torch.tiling.maps import Down, Up
from tconv.torch.tiling.network import Line, Network, work

Ints: TypeAlias = tuple[int, ...]

#: Tiles at each border that are counted one by one.
_AT_BORDER = 12


def ranges(size: int, tile: int) -> list[tuple[int, int]]:
    """The tiles along one axis; the last may be smaller."""
    return [(start, min(start + tile, size)) for start in range(0, size, tile)]


def count(size: Ints, tile: Ints) -> Ints:
    """How many tiles there are along each axis."""
    return tuple(-(-n // t) for n, t in zip(size, tile, strict=True))


def for_step(network: Network, target: int, tile: Ints) -> Ints:
    """Tiles for the results of another step than the last: as many along each axis."""
    parts = count(network.size(network.output), tile)
    return tuple(-(-n // m) for n, m in zip(network.size(target), parts, strict=True))


def passes(network: Network, tile: Ints) -> list[tuple[int, Ints]]:
    """The steps whose results are computed box by box, each with its tiles: before normalizations, and the last."""
    before = [network.steps[i].inputs[0] for i in network.norms(network.output)]
    return [*((target, for_step(network, target, tile)) for target in before), (network.output, tile)]


@dataclass(frozen=True)
class AxisCost:
    """Cells of each step along one axis, over all tiles."""

    sums: dict[int, int]
    most: dict[int, int]
    shapes: int  #: tiles that differ in what they read
    reads: int  #: cells of x that one reads, at most


def along(network: Network, axis: int, target: int, tile: int) -> AxisCost:
    """The cells along one axis."""
    sums, most, shapes, reads = dict[int, int](), dict[int, int](), set[tuple[int, ...]](), 0
    for ends, times in _counted(network.size(target)[axis], tile):
        line = network.line(axis, target, *ends)
        lengths = {i: _computed(network, i, axis, line) for i in line}
        for i, length in lengths.items():
            sums[i], most[i] = sums.get(i, 0) + length * times, max(most.get(i, 0), length)
        shapes.add(tuple(lengths.values()))
        part = line.get(network.input)
        reads = max(reads, part.stop - part.start if part else 0)
    return AxisCost(sums, most, len(shapes), reads)


def _counted(size: int, tile: int) -> list[tuple[tuple[int, int], int]]:
    """Tiles along an axis with how many are like it: of many, those far from both borders count as the middle one."""
    (number,) = count((size,), (tile,))
    inner = number - 2 * _AT_BORDER
    if inner < 2:
        return [(ends, 1) for ends in ranges(size, tile)]
    near = [*range(_AT_BORDER), *range(number - _AT_BORDER, number)]
    times = [*((i, 1) for i in near), (number // 2, inner)]
    return [((i * tile, min(i * tile + tile, size)), n) for i, n in times]


def _computed(network: Network, i: int, axis: int, line: Line) -> int:
    rule, (start, stop, read) = network.steps[i].rule, line[i]
    return (rule and rule.maps[axis].computed(read.stop - read.start)) or stop - start


def total(network: Network, axes: Sequence[AxisCost]) -> float:
    """The work of all tiles."""
    return sum(work(network.steps[i], math.prod(axis.sums[i] for axis in axes)) for i in axes[0].sums)


def peak(network: Network, axes: Sequence[AxisCost]) -> int:
    """Bytes of arrays that are there at once as one tile is computed, at most."""
    order = sorted(axes[0].most)
    last = {j: i for i in order for j in network.steps[i].inputs}
    size = {i: _bytes(network, i, [axis.most[i] for axis in axes]) for i in order}
    now = most = 0
    for i in order:
        now += size[i]
        most = max(most, now)
        now -= sum(size[j] for j in set(network.steps[i].inputs) if last[j] == i)
    return most


def _bytes(network: Network, i: int, cells: Sequence[int]) -> int:
    tensors = network.steps[i].tensors
    if len(tensors[0].shape) < network.ndim + 2:
        return 0
    return sum(math.prod(t.shape[:2]) * t.dtype.itemsize for t in tensors) * math.prod(cells)


def factor(network: Network, tile: Ints) -> float:
    """How many times the work of the whole, with all passes."""
    spent = 0.0
    for target, size in passes(network, tile):
        spent += total(network, [along(network, axis, target, t) for axis, t in enumerate(size)])
    whole = network.size(network.output)
    least = total(network, [along(network, axis, network.output, n) for axis, n in enumerate(whole)])
    return spent / max(least, 1)


def grain(network: Network) -> Ints:
    """Tiles of a multiple of this are alike, away from the border."""
    return tuple(_grain(network, axis) for axis in range(network.ndim))


def _grain(network: Network, axis: int) -> int:
    rates: dict[int, Fraction] = {}
    for i, step in enumerate(network.steps):
        if step.rule is None:
            rates[i] = Fraction(1)
            continue
        rate, along = rates[step.inputs[0]], step.rule.maps[axis]
        if isinstance(along, Down | Up):
            rates[i] = rate / along.stride if isinstance(along, Down) else rate * along.stride
        elif isinstance(along, Interpolated):
            rates[i] = rate * Fraction(along.size, along.n)
        else:
            rates[i] = rate
    return math.lcm(*((rate / rates[network.output]).denominator for rate in rates.values()))


def least_tile(network: Network, below: float) -> Ints | None:
    """The least tile, equal along all axes, for less than so many times the work; None where there is none."""
    size = network.size(network.output)
    step = math.lcm(*grain(network))
    step = step if step <= max(size) // 4 else 1

    def tile(count: int) -> Ints:
        return tuple(min(count * step, n) for n in size)

    good = -(-max(size) // step)
    if factor(network, tile(good)) >= below:
        return None
    bad = good // 2
    while bad and factor(network, tile(bad)) < below:
        good, bad = bad, bad // 2
    while good - bad > 1:
        middle = (good + bad) // 2
        good, bad = (middle, bad) if factor(network, tile(middle)) < below else (good, middle)
    return tile(good)
