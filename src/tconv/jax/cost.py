"""The expected time of each variant: what it multiplies and moves, in seconds each as measured on a CPU.

The coefficients were fitted on one thread of one machine, to the public layers of `tconv bench` and 60 random ones, so
that the variants come out in the right order; their sum is no promise of a time.
"""

from __future__ import annotations

from math import prod

from tconv.checks import length
from tconv.geometry import Geometry
from tconv.jax.grids import most_shifts
from tconv.jax.task import Task
from tconv.jax.variants import VARIANTS
from tconv.jax.variants.dense import Split, split_blocks, split_phases, split_stacked
from tconv.problem import Problem

#: Seconds for one: a multiplication of a matrix product or a convolution, of a convolution in plain loops, and of a
#: plain product; an element of the stretched input that lax convolves, and of its patches; an element of the patches
#: of a dense convolution, of columns, of the result of a tap, of a grid; a weight brought into another order, into
#: the pieces of a dense convolution, or sliced out by taps; an operation.
MULTIPLIED, LOOPED, PLAIN = 8e-12, 5e-9, 2.5e-10
STRETCHED, STRETCHED_PATCH = 1e-9, 2e-10
PATCH, COLUMN, TAP, MOVED = 3e-10, 1e-9, 3e-9, 1e-10
REORDERED, IN_PIECES, SLICED, OPERATION = 3.5e-9, 4e-9, 1.5e-9, 4e-6

#: So many output channels are few.
FEW_CHANNELS = 4

_SPLITS: dict[str, Split] = {"stacked": split_stacked, "blocks": split_blocks, "phases": split_phases}


def seconds(name: str, task: Task) -> float:
    """What a variant is expected to take for the result."""
    p = task.problem
    if name == "native":
        expected = _native(p)
    elif name == "columns":
        expected = _columns(p)
    elif name == "taps":
        expected = _taps(p)
    else:
        expected = _dense(p, _SPLITS[name])
    return expected + _weights(name, task) + operations(name, p.geometry) * OPERATION


def operations(name: str, geometry: Geometry) -> int:
    """How many convolutions, matrix products or shifted sums."""
    if name == "native":
        return 1
    if name == "columns":
        return prod(map(most_shifts, geometry.axes))
    if name == "taps":
        return prod(geometry.kernel)
    return prod(len(_SPLITS[name](axis)) for axis in geometry.axes)


def _weights(name: str, task: Task) -> float:
    """What it takes to bring the weights into the form that a variant multiplies by."""
    p = task.problem
    number = p.in_channels * p.cout * p.taps
    if VARIANTS[name].order != task.order:
        return number * REORDERED
    if name in ("native", "columns"):
        return 0.0
    return number * (SLICED if name == "taps" else IN_PIECES)


def _native(p: Problem) -> float:
    dense = prod(p.geometry.fine) * p.batch * p.taps * p.in_channels
    multiplied = p.work.zero_insertion_multiplications
    strided = max(p.geometry.stride) > 1
    if _in_loops(p) or (p.geometry.ndim > 2 and strided):
        return multiplied * LOOPED
    if not strided:
        return multiplied * MULTIPLIED + dense * PATCH
    if p.out_channels <= FEW_CHANNELS and max(p.geometry.stride) == 2:  # XLA has good code for this
        return _products(p) * MULTIPLIED
    # Of a grouped one the groups follow each other, each too small to be quick.
    products = _products(p) * MULTIPLIED * (10 if p.groups > 1 else 1.5)
    stretched = p.batch * p.in_channels * prod(z.stretched for z in p.geometry.zero_inserted)
    return products + stretched * STRETCHED + dense * STRETCHED_PATCH + _result(p) * MOVED


def _columns(p: Problem) -> float:
    shifts, s = prod(map(most_shifts, p.geometry.axes)), prod(p.geometry.stride)
    if p.cin == 1:
        positions = prod(axis.coarse + most_shifts(axis) - 1 for axis in p.geometry.axes)
        return p.batch * positions * p.out_channels * s * shifts * PLAIN + _result(p) * MOVED
    columns = p.batch * p.coarse_cells * p.out_channels * shifts * s
    # Nothing is added where the kernel is no longer than the stride: the columns are the result.
    return _products(p) * MULTIPLIED + columns * (COLUMN if shifts > 1 else MOVED) + _result(p) * MOVED


def _taps(p: Problem) -> float:
    if p.cin == 1:
        return 2 * _result(p) * max(1.0, p.taps / prod(p.geometry.stride)) * PLAIN + _result(p) * MOVED
    landed = p.batch * p.coarse_cells * p.out_channels * p.taps
    return _products(p) * MULTIPLIED + landed * TAP + _result(p) * MOVED


def _dense(p: Problem, split: Split) -> float:
    blocks = [split(axis) for axis in p.geometry.axes]
    positions = p.batch * prod(max((block.count for block in axis), default=0) for axis in blocks)
    taps = prod(sum(length(block.shifts) * len(block.residues) for block in axis) for axis in blocks)
    patches = prod(sum(length(block.shifts) for block in axis) for axis in blocks)
    moved = 2 * positions * prod(p.geometry.stride) * p.out_channels
    products = positions * taps * p.in_channels * p.cout
    if _in_loops(p):
        return products * LOOPED + moved * MOVED
    return products * MULTIPLIED + positions * patches * p.in_channels * PATCH + moved * MOVED


def _in_loops(p: Problem) -> bool:
    """Whether XLA has nothing better than plain loops: depthwise, and grouped in three axes."""
    return p.groups > 1 and (p.cin == 1 or p.geometry.ndim > 2)


def _products(p: Problem) -> int:
    """Multiplications of every coarse value by every tap."""
    return p.batch * p.coarse_cells * p.in_channels * p.cout * p.taps


def _result(p: Problem) -> int:
    return p.batch * p.fine_cells * p.out_channels
