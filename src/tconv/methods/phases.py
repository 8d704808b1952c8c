"""Phases: the transposed convolution as dense stride-1 pieces, one matrix product a block, interleaved on write.

A block (`tconv.phases`) holds the fine positions whose phases read the same shifts of the coarse grid. With

    X  the shifted coarse cells,      (taps * Cin, positions)
    W  the weights of the block,      (taps * Cin, Cout * residues)
    Y  the fine cells of the block,   (Cout * residues, positions)

the three operations are Y = W^T X (interleaved into y), X = W Y (shifted and added to x) and W = X Y^T. Nothing is
multiplied by an inserted zero and no fine cell is added to twice.

W. Shi et al., "Is the deconvolution layer the same as a convolutional layer?", 2016 (arXiv:1609.07009).
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from math import prod
from types import MappingProxyType

import numpy as np
from numpy.lib.stride_tricks import as_strided

from tconv.geometry import Geometry
from tconv.methods import cost
from tconv.methods.base import Cost, Index, Method, last_axes
from tconv.methods.blocks import Split, number_of_pieces, pieces, split
from tconv.methods.matmul import accumulate, matmul
from tconv.phases import AxisBlock, axis_blocks, blocks
from tconv.problem import Array, Problem

Block = tuple[AxisBlock, ...]

#: From so many residues along the last axis on, a block is interleaved in one pass; below, in one for each residue.
MANY_RESIDUES = 8
#: The shifts of positions that each read the coarse cell of their own number.
_IN_PLACE = range(1)


class Phases(Method):
    """Dense pieces, interleaved."""

    name = "phases"
    summary = "a dense stride-1 matrix product for each block of phases, interleaved on write"
    padded = MappingProxyType({"conv_transpose": "w", "weight_gradient": "y"})

    def cost(self, problem: Problem) -> Cost:
        """Each block copies its shifted coarse cells and its weights, multiplies, and moves its fine cells once."""
        seconds, scratch = 0.0, 0
        for block, alike in _alike(problem.geometry):
            of_block = _cost(problem, block)
            seconds += alike * of_block.seconds
            scratch = max(scratch, of_block.scratch)
        if problem.operation == "conv":
            seconds += cost.copy(problem, prod(problem.x_shape), prod(problem.x_shape))
        return Cost(seconds, scratch * problem.itemsize)

    def run(self, problem: Problem, x: Array, w: Array, y: Array) -> None:
        """Compute the operation, a block of phases after the other."""
        if problem.operation == "conv":
            x[...] = 0
        elif problem.operation == "weight_gradient":
            w[...] = 0
        elif _has_gaps(problem.geometry):
            y[...] = 0
        for block in blocks(problem.geometry):
            fine = _fine_view(y, block, problem.geometry.stride)
            _run_block(problem, block, x, _weight_view(w, block), fine)


def _alike(geometry: Geometry) -> Iterator[tuple[Block, int]]:
    """For each cost that blocks have one block of it, and how many have it."""
    of_axes = []
    for axis in geometry.axes:
        found: dict[tuple[object, ...], list[AxisBlock]] = {}
        for block in axis_blocks(axis):
            counts = block.count, len(block.shifts), len(block.residues), block.shifts == _IN_PLACE
            found.setdefault(counts, []).append(block)
        of_axes.append([(alike[0], len(alike)) for alike in found.values()])
    for combination in product(*of_axes):
        yield tuple(block for block, _ in combination), prod(number for _, number in combination)


def _cost(problem: Problem, block: Block) -> Cost:
    """The seconds of one block, and the elements of its scratch memory."""
    taps, residues, cells = _sizes(block)
    counts, positions = _counts(block), problem.batch * cells
    how = _split(problem, counts, taps, residues)
    number = number_of_pieces(problem.batch, counts, how)
    seconds = cost.matmul(problem, problem.cout * residues, problem.cin * taps, positions, number)
    shifted, run = problem.in_channels * taps * positions, block[-1].count
    if problem.operation == "conv":
        seconds += cost.add(problem, shifted, run)
    elif not _in_place(problem, block, how.images, number):
        seconds += cost.copy(problem, shifted, run)
    fine = problem.out_channels * residues * positions
    last, stride = len(block[-1].residues), problem.geometry.axes[-1].stride
    # As `_interleave` does it: many residues are written as runs of their own.
    run, stride = (last, 1) if last >= MANY_RESIDUES else (run, stride)
    seconds += cost.copy(problem, fine, run, stride)
    weights = problem.out_channels * residues * taps * problem.cin
    if problem.operation == "weight_gradient":
        seconds += cost.add(problem, (number - 1) * weights, weights)
    if (taps, residues) != (1, problem.taps):  # else W is a view of w: the block holds every tap, in order
        seconds += cost.gather(problem, weights)
    seconds += cost.calls(10 + number * (taps + 5 + min(last, MANY_RESIDUES)))
    per_position = problem.in_channels * taps + problem.out_channels * residues
    piece = per_position * how.images * how.rows * (cells // counts[how.along])
    return Cost(seconds, piece + weights * (2 if number > 1 else 1))


def _run_block(problem: Problem, block: Block, x: Array, weights: Array, fine: Array) -> None:
    """One block of phases, in pieces of some images or some rows; `weights` and `fine` are its views of w and y."""
    writes_w = problem.operation == "weight_gradient"
    taps, residues, _ = _sizes(block)
    matrix_shape = (problem.groups, taps * problem.cin, problem.cout * residues)
    matrix = np.empty(matrix_shape, x.dtype) if writes_w else weights.reshape(matrix_shape)
    counts = _counts(block)
    how = _split(problem, counts, taps, residues)
    rest = [slice(None)] * (len(block) - 1 - how.along)
    for number, (of_batch, of_rows) in enumerate(pieces(problem.batch, counts, how)):
        xb = x[of_batch].transpose(1, 2, 0, *range(3, x.ndim))
        yb = fine[of_batch][last_axes([of_rows, *rest])]
        yb = yb.transpose(1, 2, *range(3, 3 + len(block)), 0, *range(3 + len(block), yb.ndim))
        _run_piece(problem, block, xb, matrix, yb, of_rows, how.along, first=number == 0)
    if writes_w:
        weights[...] = matrix.reshape(weights.shape)


def _run_piece(
    problem: Problem, block: Block, x: Array, matrix: Array, y: Array, rows: slice, along: int, *, first: bool
) -> None:
    """One piece: x (groups, Cin, N, *coarse), W as a matrix, and Y as (groups, Cout, *residues, N, *counts)."""
    taps, residues, _ = _sizes(block)
    positions = y.shape[2 + len(block) :]
    shape_of_y = (problem.groups, problem.cout * residues, prod(positions))
    if problem.operation == "conv":
        shifted = matmul(matrix, y.reshape(shape_of_y)).reshape(_shifted_shape(problem, block, positions))
        _add_shifted(x, shifted, block, rows, along)
        return
    shifted = _shifted(problem, x, block, rows, along, positions)
    shifted = shifted.reshape(problem.groups, taps * problem.cin, prod(positions))
    if problem.operation == "weight_gradient":
        accumulate(matrix, shifted, y.reshape(shape_of_y).transpose(0, 2, 1), first=first)
    else:
        _interleave(y, matmul(matrix.transpose(0, 2, 1), shifted).reshape(y.shape), 1 + len(block))


def _interleave(fine: Array, values: Array, last_residues: int) -> None:
    """Write a piece of Y into its cells; axis `last_residues` counts the residues along the last axis of the grid.

    NumPy writes in the order of the cells, so its inner loop runs over the residues. Where these are few, a pass for
    each of them is up to five times faster, because its inner loop then runs along the grid.
    """
    if fine.shape[last_residues] >= MANY_RESIDUES:
        fine[...] = values
        return
    for cells, of_residue in zip(
        np.moveaxis(fine, last_residues, 0), np.moveaxis(values, last_residues, 0), strict=True
    ):
        cells[...] = of_residue


def _has_gaps(geometry: Geometry) -> bool:
    """Whether some fine positions are in no block, because no tap reaches their phase."""
    reached = (sum(len(block.residues) for block in axis_blocks(axis)) for axis in geometry.axes)
    return any(n < min(axis.stride, axis.fine) for n, axis in zip(reached, geometry.axes, strict=True))


def _weight_view(w: Array, block: Block) -> Array:
    """The weights of a block as a view of shape (groups, *shifts, Cin, Cout, *residues)."""
    start = w[last_axes(slice(axis.first_tap, None) for axis in block)]
    strides = start.strides[3:]
    shifts, residues = [len(axis.shifts) for axis in block], [len(axis.residues) for axis in block]
    per_shift = [axis.tap_per_shift * tap for axis, tap in zip(block, strides, strict=True)]
    per_residue = [axis.tap_per_residue * tap for axis, tap in zip(block, strides, strict=True)]
    (groups, *channels), (of_group, *of_channels) = start.shape[:3], start.strides[:3]
    shape, steps = (groups, *shifts, *channels, *residues), (of_group, *per_shift, *of_channels, *per_residue)
    return as_strided(start, shape, steps)


def _fine_view(y: Array, block: Block, stride: tuple[int, ...]) -> Array:
    """The fine cells of a block as a view of shape (N, groups, Cout, *residues, *counts)."""
    start = y[last_axes(slice(axis.residues.start, None) for axis in block)]
    strides = start.strides[3:]
    shape = [len(axis.residues) for axis in block] + [axis.count for axis in block]
    steps = [axis.residues.step * cell for axis, cell in zip(block, strides, strict=True)]
    steps += [s * cell for s, cell in zip(stride, strides, strict=True)]
    return as_strided(start, (*start.shape[:3], *shape), (*start.strides[:3], *steps))


def _shifted(problem: Problem, x: Array, block: Block, rows: slice, along: int, positions: tuple[int, ...]) -> Array:
    """X of a piece: for every tap the coarse cells it reads, zero where they lie outside; x itself where it is that."""
    if positions == x.shape[2:] and _reads_in_place(block, x.shape[3:]):
        return x
    shifted = np.empty(_shifted_shape(problem, block, positions), x.dtype)
    if any(
        axis.count + max(axis.shifts) > n or min(axis.shifts) < 0 for axis, n in zip(block, x.shape[3:], strict=True)
    ):
        shifted[...] = 0
    for which, inside, cells in _shifts(block, rows, along, x.shape[3:]):
        shifted[which][inside] = x[cells]
    return shifted


def _add_shifted(x: Array, shifted: Array, block: Block, rows: slice, along: int) -> None:
    """Add X of a piece back to the coarse cells its taps read: the transpose of `_shifted`."""
    for which, inside, cells in _shifts(block, rows, along, x.shape[3:]):
        x[cells] += shifted[which][inside]


def _shifted_shape(problem: Problem, block: Block, positions: tuple[int, ...]) -> tuple[int, ...]:
    return (problem.groups, *(len(axis.shifts) for axis in block), problem.cin, *positions)


def _shifts(block: Block, rows: slice, along: int, coarse: tuple[int, ...]) -> Iterator[tuple[Index, Index, Index]]:
    """For each combination of shifts: its index in X, the positions it stays inside at, the coarse cells they read."""
    of_axes = []
    for i, (axis, n) in enumerate(zip(block, coarse, strict=True)):
        first, beyond = (rows.start, rows.stop) if i == along else (0, axis.count)
        entries = []
        for j, shift in enumerate(axis.shifts):
            start, stop = max(first, -shift), min(beyond, n - shift)
            if start < stop:
                entries.append((j, slice(start - first, stop - first), slice(start + shift, stop + shift)))
        of_axes.append(entries)
    for combination in product(*of_axes):
        which, inside, cells = zip(*combination, strict=True)
        yield (slice(None), *which), last_axes(inside), last_axes(cells)


def _sizes(block: Block) -> tuple[int, int, int]:
    """Taps that reach a position, residues, and positions of a residue."""
    taps = residues = cells = 1
    for axis in block:
        taps, residues, cells = taps * len(axis.shifts), residues * len(axis.residues), cells * axis.count
    return taps, residues, cells


def _counts(block: Block) -> tuple[int, ...]:
    return tuple(axis.count for axis in block)


def _split(problem: Problem, counts: tuple[int, ...], taps: int, residues: int) -> Split:
    per_position = problem.in_channels * taps + problem.out_channels * residues
    at_least = problem.out_channels * residues * taps * problem.cin if problem.operation == "weight_gradient" else 0
    return split(problem.batch, counts, per_position, at_least)


def _in_place(problem: Problem, block: Block, images: int, number: int) -> bool:
    """Whether X is x itself."""
    return images == number == 1 and _reads_in_place(block, problem.geometry.coarse)


def _reads_in_place(block: Block, coarse: tuple[int, ...]) -> bool:
    """Whether position m of a block reads coarse cell m, for all cells there are and no more."""
    return all(axis.shifts == _IN_PLACE and axis.count == n for axis, n in zip(block, coarse, strict=True))
