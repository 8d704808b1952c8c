"""All that a block reads as one array: gathered from chunks, or a view of the array that these are views of."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import product
from math import prod
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.lib.stride_tricks import as_strided

from tconv.arguments import Layout
from tconv.dask.along import Part, Range
from tconv.jit.machine.address import address
from tconv.problem import Array

#: A box of a chunk.
Box: TypeAlias = tuple[Range, ...]
#: What a chunk sends to the blocks around it: copies of boxes near its faces.
Rim: TypeAlias = dict[Box, Array]


def rim(chunk: Array, boxes: tuple[Box, ...], layout: Layout) -> Rim:
    """Copies of boxes of a chunk, which can be forgotten then."""
    return {box: chunk[index].copy() for box, index in zip(boxes, _indices(boxes, layout), strict=True)}


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


def inside(grid: Array, parts: tuple[Part, ...], layout: Layout) -> Array:
    """What is on the grid of all that a block reads."""
    return grid[_index((slice(*part.inside) for part in parts), layout)]


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
