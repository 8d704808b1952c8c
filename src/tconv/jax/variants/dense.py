"""Variants `stacked`, `blocks` and `phases`: dense stride-1 convolutions, interleaved.

Each axis is split into blocks of residues that read the same coarse cells (`tconv.phases.AxisBlock`). A block for every
axis is one convolution, with the residues stacked into its output channels. The variants differ in how they split:

    stacked   all residues of the uncropped axis at once, with zeros for taps that some of them lack
    blocks    residues of the uncropped axis with equal shifts: nothing is multiplied by zero
    phases    each residue by itself, on the cropped axis: nothing is computed that is cropped
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import jax.numpy as jnp
from jax import Array, lax

from tconv.axis import Axis
from tconv.checks import length
from tconv.jax.grids import cropped, interleaved, most_shifts, padded, uncropped
from tconv.jax.task import Task
from tconv.jax.variants.base import Variant, convolution
from tconv.phases import AxisBlock, axis_blocks, axis_phases

Split = Callable[[Axis], tuple[AxisBlock, ...]]


def split_stacked(axis: Axis) -> tuple[AxisBlock, ...]:
    """One block of all residues; where the kernel is dilated, the blocks that leave its zeros out."""
    if axis.dilation > 1:
        return split_blocks(axis)
    shifts, residues = range(0, -most_shifts(axis), -1), range(axis.stride)
    return (AxisBlock(axis.coarse + len(shifts) - 1, shifts, residues, 0, 1, axis.stride),)


def split_blocks(axis: Axis) -> tuple[AxisBlock, ...]:
    """Residues of equal shifts on the uncropped axis: at most two blocks, unless the kernel is dilated."""
    return axis_blocks(uncropped(axis))


def split_phases(axis: Axis) -> tuple[AxisBlock, ...]:
    """Every residue of the cropped axis that some tap reaches."""
    reached = [phase for phase in axis_phases(axis) if phase.taps]
    return tuple(
        AxisBlock(phase.count, phase.shifts, range(phase.residue, phase.residue + 1), phase.taps[0], 1, phase.taps.step)
        for phase in reached
    )


def _on_uncropped(split: Split) -> Callable[[Task, Array, Array], Array]:
    def compute(task: Task, x: Array, w: Array) -> Array:
        return cropped(task, _gathered(task, x, w, split, [uncropped(axis) for axis in task.problem.geometry.axes]))

    return compute


def _phases(task: Task, x: Array, w: Array) -> Array:
    y = _gathered(task, x, w, split_phases, list(task.problem.geometry.axes))
    return lax.slice(y, [0] * y.ndim, [y.shape[0], *task.problem.geometry.fine, y.shape[-1]])


def _gathered(task: Task, x: Array, w: Array, split: Split, axes: list[Axis]) -> Array:
    """All blocks computed and interleaved; the result begins with the first cell of `axes`."""
    splits = [split(axis) for axis in axes]
    positions = [-(-axis.fine // axis.stride) for axis in axes]
    parts = [_convolved(task, x, w, block, positions) for block in product(*splits)]
    # The last axis of blocks varies fastest: join along it first.
    for i, (axis, blocks) in reversed(list(enumerate(zip(axes, splits, strict=True)))):
        dimension = 2 + len(axes) + i
        number = max(1, len(blocks))
        parts = [_joined(parts[at : at + number], blocks, axis, dimension) for at in range(0, len(parts), number)]
    if not parts:  # some axis has no residue that a tap reaches: all of its taps are cropped away
        residues = [min(axis.stride, axis.fine) for axis in axes]
        p = task.problem
        parts = [jnp.zeros((p.batch, *positions, p.groups, *residues, p.cout), x.dtype)]
    return interleaved(task, parts[0])


def _convolved(task: Task, x: Array, w: Array, block: tuple[AxisBlock, ...], positions: list[int]) -> Array:
    """One block: (N, *positions, groups, *residues, Cout / groups)."""
    p = task.problem
    residues = [len(axis.residues) for axis in block]
    ends = [
        (-axis.shifts[-1], count - 1 + axis.shifts[0] - (coarse - 1))
        for axis, count, coarse in zip(block, positions, p.geometry.coarse, strict=True)
    ]
    y = convolution(task, x, _kernel(task, w, block), ends, dilation=[-axis.shifts.step for axis in block])
    return y.reshape(x.shape[0], *positions, p.groups, *residues, p.cout)


def _kernel(task: Task, w: Array, block: tuple[AxisBlock, ...]) -> Array:
    """The weights of a block as a kernel of (*shifts, Cin / groups, groups * residues * Cout / groups)."""
    p, nd = task.problem, task.ndim
    for i, axis in enumerate(block):
        w = _taps(w, 2 * i, axis)  # each axis of taps becomes two: shifts, residues
    shifts, residues = range(0, 2 * nd, 2), range(1, 2 * nd, 2)
    w = w.reshape(*w.shape[: 2 * nd + 1], p.groups, p.cout)
    w = jnp.transpose(w, (*shifts, 2 * nd, 2 * nd + 1, *residues, 2 * nd + 2))
    return lax.rev(w.reshape(*w.shape[: nd + 1], -1), tuple(range(nd)))


def _taps(w: Array, dimension: int, axis: AxisBlock) -> Array:
    """One dimension of taps as two, of shifts and residues; taps beyond the kernel are zero."""
    number, residues = length(axis.shifts), len(axis.residues)
    if residues > 1 and axis.tap_per_residue == 1:
        wanted = axis.first_tap + number * axis.tap_per_shift
        ends = [(0, 0)] * w.ndim
        ends[dimension] = (-axis.first_tap, wanted - w.shape[dimension])
        w = padded(w, ends)
        w = w.reshape(*w.shape[:dimension], number, axis.tap_per_shift, *w.shape[dimension + 1 :])
        return lax.slice_in_dim(w, 0, residues, axis=dimension + 1)
    columns = []
    for which in range(residues):
        taps = axis.taps(which)
        columns.append(lax.slice_in_dim(w, taps[0], taps[-1] + 1, taps.step, axis=dimension))
    return jnp.stack(columns, dimension + 1)


def _joined(parts: list[Array], blocks: tuple[AxisBlock, ...], axis: Axis, dimension: int) -> Array:
    """The blocks of one axis side by side in the order of their residues, zeros where no tap reaches."""
    residues = [residue for block in blocks for residue in block.residues]
    missing = sorted(set(range(min(axis.stride, axis.fine))) - set(residues))
    if missing:
        shape = list(parts[0].shape)
        shape[dimension] = len(missing)
        parts = [*parts, jnp.zeros(shape, parts[0].dtype)]
    together = lax.concatenate(parts, dimension) if len(parts) > 1 else parts[0]
    order = residues + missing
    if order == sorted(order):
        return together
    places = [order.index(residue) for residue in range(len(order))]  # slices: a gather is slow on a CPU
    return lax.concatenate([lax.slice_in_dim(together, at, at + 1, axis=dimension) for at in places], dimension)


STACKED = Variant(
    "stacked", "one convolution for all phases, stacked into its channels", "taps_first", _on_uncropped(split_stacked)
)
BLOCKS = Variant(
    "blocks", "one convolution for each group of phases with equal shifts", "taps_first", _on_uncropped(split_blocks)
)
PHASES = Variant("phases", "one convolution for each phase", "taps_first", _phases)
