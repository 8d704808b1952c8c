"""What the transforms of minimal filtering do, in NumPy (`kernels/winograd.py` says what their ops are)."""

from __future__ import annotations

from math import prod

import numpy as np

from tconv.jit.kernels.abi import Context, Tile
from tconv.jit.kernels.banks import matrices
from tconv.jit.kernels.filtering import Matrix
from tconv.jit.kernels.winograd import WinogradInput, WinogradOutput
from tconv.jit.machine.ir import BYTES
from tconv.jit.reference.thread import Thread, Words, iterations
from tconv.problem import Array


def winograd_input(kernel: WinogradInput, thread: Thread, op: Words, tile: Words) -> None:
    """points[i, j] = sum over rows and columns of data[i, row] * x[row, column] * data[j, column]."""
    _, _, source, target, tiles, channels, row, step, point, further = op
    x, to, size = thread.to(Context.PANEL, source), thread.to(Context.PANEL, target), BYTES[kernel.element]
    (rows, columns), apart = kernel.cells, kernel.along
    whole = len(iterations(channels if kernel.innermost else tiles, kernel.lanes)) * kernel.lanes
    if kernel.innermost:
        grid = (rows, row), (len(iterations(tiles)), step * apart), (columns, step * kernel.apart), (whole, size)
        cells = x.read(*grid).transpose(0, 2, 1, 3)
    else:
        grid = (rows, row), (len(iterations(channels)), step), (whole, apart * size), (columns, kernel.apart * size)
        cells = x.read(*grid).transpose(0, 3, 1, 2)
    down, across = (_array(matrices(bank).data) for bank in kernel.banks)
    with np.errstate(invalid="ignore"):  # lanes that are in vain hold anything
        points = np.einsum("ir,jc,rctv->ijtv", down, across, cells)
    to.write(
        points.reshape(-1, *points.shape[2:]), (prod(kernel.points), point), (points.shape[2], further), (whole, size)
    )


def winograd_output(kernel: WinogradOutput, thread: Thread, op: Words, tile: Words) -> None:
    """results[i, j] = bias + sum over points of results[row, i] * points[row, column] * results[column, j]."""
    _, _, source, target, tiles, rows, columns, point, row, column = op
    size, lanes, pixel = BYTES[kernel.element], kernel.vectors * kernel.lanes, kernel.widest * kernel.lanes
    read = thread.to(Context.BLOCK, source).read(
        (prod(kernel.points), point), (len(iterations(tiles)), pixel * size), (lanes, size)
    )
    down, across = (_array(matrices(bank).results) for bank in kernel.banks)
    points = read.reshape(*kernel.points, tiles, lanes)
    results = np.einsum("ri,cj,rctv->itjv", down, across, points)
    results = results + thread.to(Context.WEIGHTS, tile[Tile.BIAS]).read((lanes, size))
    results = results.reshape(kernel.results[0], -1, lanes)
    if not kernel.direct:
        to, written = thread.to(Context.BLOCK, target), lanes
    else:
        results, written = results[: max(0, rows), : max(0, columns)], kernel.lanes * (kernel.vectors - 1) + kernel.tail
        to = thread.to(Context.Y, tile[Tile.Y], target)
        results = results[..., [_lane(kernel, element) for element in range(written)]]
    to.write(results, (len(results), row), (results.shape[1], column), (written, size))


def _lane(kernel: WinogradOutput, element: int) -> int:
    """The lane that holds an element of a pixel: the last vector ends where the pixel does."""
    lane_of = {start + i: n * kernel.lanes + i for n, start in enumerate(kernel.starts) for i in range(kernel.lanes)}
    return lane_of[element]


def _array(matrix: Matrix) -> Array:
    return np.array([[float(number) for number in row] for row in matrix])
