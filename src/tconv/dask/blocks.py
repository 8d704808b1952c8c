"""What tasks do: cut off what neighbours need, gather what a block reads, compute it on one thread."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import product
from math import prod
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.lib.stride_tricks import as_strided

from tconv import numpy_ops
from tconv.arguments import Layout
from tconv.dask.along import Part, Range
from tconv.dask.target import Place, Target
from tconv.dask.weights import Padding, Weights
from tconv.jit.machine import launch
from tconv.jit.machine.address import address
from tconv.problem import Array

#: A box of a chunk.
Box: TypeAlias = tuple[Range, ...]
#: What a chunk sends to the blocks around it: copies of boxes near its faces.
Rim: TypeAlias = dict[Box, Array]


class Gradient(NamedTuple):
    """What a weight gradient is, but for its arrays."""

    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    groups: int
    layout: Layout
    method: str
    dtype: str  #: of the sums; that of the result may be narrower


def rim(chunk: Array, boxes: tuple[Box, ...], layout: Layout) -> Rim:
    """Copies of boxes of a chunk, which can be forgotten then."""
    return {box: chunk[index].copy() for box, index in zip(boxes, _indices(boxes, layout), strict=True)}


def computed(weights: Weights, residual: Array | None, parts: tuple[Part, ...], *sources: Array | Rim) -> Array:
    """A block of conv_transpose or conv."""
    grid, padding = _read(weights, parts, sources)
    with launch.at_most(threads()):
        return weights(grid, padding, tuple(part.size for part in parts), residual)


def stored(
    target: Target, place: Place, weights: Weights, residual: Array | None, parts: tuple[Part, ...],
    *sources: Array | Rim,
) -> None:  # fmt: skip
    """Likewise, computed where it belongs, from where x lies."""
    grid = seamless(parts, weights.layout, sources)
    if grid is None:
        grid, padding = _read(weights, parts, sources)
    else:
        padding = _padding_inside(weights, parts)
    with launch.at_most(threads()):
        weights.into(grid, padding, target.out[place], target.out.size, residual)


def _read(weights: Weights, parts: tuple[Part, ...], sources: Sequence[Array | Rim]) -> tuple[Array, Padding]:
    """What a block reads, and the padding of the layer that maps it to the block."""
    if not all(part.pieces for part in parts):
        raise AssertionError("blocks that read nothing are made by blank")
    grid = gathered(parts, weights.layout, sources)
    if weights.finite:
        return grid, tuple(part.padding for part in parts)
    inside = _index((slice(*part.inside) for part in parts), weights.layout)
    return grid[inside], _padding_inside(weights, parts)


def blank(weights: Weights, residual: Array | None, shape: tuple[int, ...]) -> Array:
    """A block of conv_transpose or conv that reads nothing."""
    return weights.blank(shape, residual)


def stored_blank(target: Target, place: Place, weights: Weights, residual: Array | None) -> None:
    """Likewise, where it belongs."""
    out = target.out[place]
    out[...] = weights.blank(out.shape, residual)


def partial_gradient(task: Gradient, parts: tuple[Part, ...], x: Array, *sources: Array | Rim) -> Array:
    """The weight gradient of a block of x, and of y as far as it reads; added up they are the whole."""
    x, y = np.asarray(x, task.dtype), gathered(parts, task.layout, sources)
    y = np.asarray(y, task.dtype)
    found = _gradient(task, x, y, 0)
    if not np.isfinite(found).all():  # a NaN or an Inf in x meets zeros beyond the ends, where no tap lands
        inside = _index((slice(*part.inside) for part in parts), task.layout)
        padding = tuple((part.inside[0], part.read - part.inside[1]) for part in parts)
        found = _gradient(task, x, y[inside], padding)
    return found


def _gradient(task: Gradient, x: Array, y: Array, padding: Any) -> Array:
    window = (task.stride, padding, None, None, task.groups, task.dilation)
    with launch.at_most(threads()), np.errstate(all="ignore"):
        return numpy_ops.compute(
            "weight_gradient", {"x": x, "y": y}, task.kernel, None, window, task.layout, task.method, None
        )


def total(dtype: str, *parts: Array) -> Array:
    """The sum of weight gradients, in their order."""
    with np.errstate(all="ignore"):
        return sum(parts[1:], start=parts[0]).astype(dtype, copy=False)


def gathered(parts: tuple[Part, ...], layout: Layout, sources: Sequence[Array | Rim]) -> Array:
    """All that a block reads as one array, zero beyond the ends; a source an element of the product of the pieces.

    A chunk that is all there is to read is not copied. Else the array is memory of the thread: it serves one task.
    """
    steps = _steps(parts, layout)
    cut = [
        source[box] if isinstance(source, dict) else source[index]
        for source, box, index in zip(sources, steps.boxes, steps.read, strict=True)
    ]
    if len(cut) == 1 and cut[0].shape[_index_of_sizes(layout, len(parts))] == steps.size:
        return cut[0]
    grid = _memory.of(_with_sizes(cut[0].shape, steps.size, layout), cut[0].dtype)
    for index in steps.beyond:
        grid[index] = 0
    for index, cells in zip(steps.written, cut, strict=True):
        grid[index] = cells
    return grid


def seamless(parts: tuple[Part, ...], layout: Layout, sources: Sequence[Array | Rim]) -> Array | None:
    """All that a block reads of the grid as a view of the array that the chunks are views of; None if they are not.

    It is good as long as the chunks are.
    """
    steps = _steps(parts, layout)
    if any(isinstance(source, dict) for source in sources):
        return None
    cut = [source[index] for source, index in zip(sources, steps.read, strict=True)]
    corner, of_sizes = cut[0], _index_of_sizes(layout, len(parts))
    start, strides, dtype = address(corner), corner.strides, corner.dtype
    along = strides[of_sizes]
    for piece, cells, at in zip(cut, steps.cells, steps.further, strict=True):
        if piece.strides != strides or piece.dtype != dtype or piece.shape != _with_sizes(corner.shape, cells, layout):
            return None  # chunks that are smaller than is said end before the view would
        if address(piece) - start != sum(n * step for n, step in zip(at, along, strict=True)):
            return None
    size = tuple(part.inside[1] - part.inside[0] for part in parts)
    return as_strided(corner, _with_sizes(corner.shape, size, layout), strides)


class _Steps(NamedTuple):
    """How the pieces that blocks read come together; the same for all blocks inside of a grid."""

    size: tuple[int, ...]  #: cells of each axis
    boxes: tuple[Box, ...]  #: of the chunks, a piece each
    read: tuple[Any, ...]  #: what takes these from chunks
    written: tuple[Any, ...]  #: where they come
    beyond: tuple[Any, ...]  #: what lies beyond the ends
    cells: tuple[tuple[int, ...], ...]  #: of each piece
    further: tuple[tuple[int, ...], ...]  #: cells from the first piece to each one


@lru_cache(maxsize=512)
def _steps(parts: tuple[Part, ...], layout: Layout) -> _Steps:
    pieces = list(product(*(part.pieces for part in parts)))
    boxes = tuple(tuple(p.cells for p in piece) for piece in pieces)
    into = tuple(tuple((p.at, p.at + p.cells[1] - p.cells[0]) for p in piece) for piece in pieces)
    beyond = [
        _index((slice(*cells) if i == j else slice(None) for j in range(len(parts))), layout)
        for i, part in enumerate(parts)
        for cells in ((0, part.inside[0]), (part.inside[1], part.read))
        if cells[0] < cells[1]
    ]
    size = tuple(part.read for part in parts)
    cells = tuple(tuple(stop - start for start, stop in box) for box in boxes)
    further = tuple(tuple(p.at - q.at for p, q in zip(piece, pieces[0], strict=True)) for piece in pieces)
    return _Steps(size, boxes, _indices(boxes, layout), _indices(into, layout), tuple(beyond), cells, further)


@lru_cache(maxsize=512)
def _indices(boxes: tuple[Box, ...], layout: Layout) -> tuple[Any, ...]:
    return tuple(_index((slice(*cells) for cells in box), layout) for box in boxes)


def _index(slices: Iterator[slice], layout: Layout) -> tuple[Any, ...]:
    """What takes slices of the axes of size."""
    return (..., *slices, slice(None)) if layout == "channels_last" else (..., *slices)


def _index_of_sizes(layout: Layout, ndim: int) -> slice:
    return slice(-1 - ndim, -1) if layout == "channels_last" else slice(-ndim, None)


def _with_sizes(shape: tuple[int, ...], size: tuple[int, ...], layout: Layout) -> tuple[int, ...]:
    if layout == "channels_last":
        return (*shape[: -1 - len(size)], *size, shape[-1])
    return (*shape[: -len(size)], *size)


def _padding_inside(weights: Weights, parts: tuple[Part, ...]) -> Padding:
    """The padding of the layer that maps what is on the grid alone to the block."""
    padding = []
    for part, stride in zip(parts, weights.stride, strict=True):
        low, high = part.inside[0], part.read - part.inside[1]
        if weights.operation == "conv_transpose":
            padding.append((part.padding[0] - low * stride, part.padding[1] - high * stride))
        else:
            padding.append((low, high))
    return tuple(padding)


# ---- what a task may take of the machine


class _Memory(threading.local):
    """Memory for what blocks read, kept by each thread: new memory costs as much as copying into it twice."""

    def __init__(self) -> None:
        self.kept = np.empty(0, np.uint8)

    def of(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
        size = prod(shape) * dtype.itemsize
        if len(self.kept) < size:
            self.kept = np.empty(size, np.uint8)
        return self.kept[:size].view(dtype).reshape(shape)


_memory = _Memory()


def threads() -> int:
    """How many threads a task computes with: tasks run side by side already, a thread of Dask's each.

    One; in a worker of a cluster as many as its nanny has set for libraries (OMP_NUM_THREADS, 1 unless configured);
    the setting of tconv where tasks run one after the other in the main thread.
    """
    if threading.current_thread() is threading.main_thread():
        return launch.MOST_THREADS
    text = os.environ.get("OMP_NUM_THREADS", "")
    return int(text) if text.isdecimal() and int(text) and _in_a_cluster() else 1


def _in_a_cluster() -> bool:
    """Whether a worker of a cluster runs this task."""
    distributed = sys.modules.get("distributed")
    if distributed is None:
        return False
    try:
        distributed.get_worker()
    except ValueError:
        return False
    return True
