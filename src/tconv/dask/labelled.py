"""The operations on arrays of xarray: by whatever computes their data, with dims and coordinates brought along.

Coordinates along an axis of size are scaled where that is exact: where they are evenly spaced, so that a place between
two of them, or beyond the last, is known. Cell o of the fine grid lies where the middle of the kernel meets the coarse
one,

    c = (o + low - dilation * (kernel - 1) / 2) / stride

as pixels of two and more do whose centres are kept apart by half a pixel.
"""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from typing import Any

import dask.array as da
import numpy as np
import xarray

from tconv import arguments, arrays, checks, numpy_ops
from tconv.arguments import Layout
from tconv.axis import Axis
from tconv.dask import calls
from tconv.problem import Operation


def compute(
    operation: Operation, operands: dict[str, Any], kernel_size: Any, bias: Any, window: tuple[Any, ...],
    layout: Layout, method: str, out: Any, chunks: Any = None, **finishing: Any,
) -> Any:  # fmt: skip
    """The result of an operation: a DataArray, or for a weight gradient what its data is an array of."""
    shown = operands, kernel_size, bias, window, layout, method, out
    data = {name: _data(value) for name, value in operands.items()}
    finishing = {name: _data(value) for name, value in finishing.items()}
    lazy = any(isinstance(value, da.Array) for value in (*data.values(), bias, *finishing.values()))
    given = (operation, data, kernel_size, _data(bias), window, layout, method, out)
    if not lazy and chunks is not None:
        with checks.explained(operation, lambda: arguments.called_with(*shown)):
            checks.wrong("chunks must be None for arrays that are in memory; x.chunk() makes a lazy one")
    result = calls.compute(*given, chunks, **finishing) if lazy else numpy_ops.compute(*given, **finishing)
    first, second = operands.values()
    if operation == "weight_gradient" or not isinstance(first, xarray.DataArray):
        return result
    posed, batched = arguments.problem(
        operation, first.shape, second.shape, None, arrays.name_of(first.dtype), arguments.window(*window), layout
    )
    coords = _coordinates(operation, first, posed.geometry.axes, batched, layout)
    return xarray.DataArray(result, coords, first.dims, first.name, first.attrs)


def _data(value: Any) -> Any:
    return value.data if isinstance(value, xarray.DataArray) else value


def _coordinates(
    operation: Operation, given: xarray.DataArray, axes: tuple[Axis, ...], batched: bool, layout: Layout
) -> dict[Any, Any]:
    """Those that the result has: without an axis, along the batch, and along axes of size where they can be scaled."""
    first = batched + (layout == "channels_first")
    along = dict(zip(given.dims[first : first + len(axes)], axes, strict=True))
    kept = {given.dims[0]} if batched else set()
    found = {name: held for name, held in given.coords.items() if set(held.dims) <= kept}
    for name, held in given.coords.items():
        if len(held.dims) == 1 and held.dims[0] in along:
            scaled = _scaled(operation, held.values, along[held.dims[0]])
            if scaled is not None:
                found[name] = held.dims, scaled, held.attrs
    return found


def _scaled(operation: Operation, values: Any, axis: Axis) -> Any:
    """Where the cells of the other grid lie; None where it cannot be said."""
    if len(values) < 2 or values.dtype.kind not in "iufmM":
        return None
    up = operation == "conv_transpose"
    middle = axis.padding[0] - Fraction(axis.dilation * (axis.kernel - 1), 2)
    step = Fraction(1, axis.stride) if up else Fraction(axis.stride)
    start = middle * step if up else -middle
    cells = axis.fine if up else axis.coarse
    return _floats(values, start, step, cells) if values.dtype.kind == "f" else _whole(values, start, step, cells)


def _floats(values: Any, start: Fraction, step: Fraction, cells: int) -> Any:
    """Places of floats, which are evenly spaced up to their rounding."""
    wide = values.astype(np.float64)
    spacing = (wide[-1] - wide[0]) / (len(wide) - 1)
    rounding = 4 * float(np.finfo(values.dtype).eps) * np.abs(wide).max()
    if not np.abs(wide - (wide[0] + spacing * np.arange(len(wide)))).max() <= rounding:
        return None
    return (wide[0] + spacing * (float(start) + float(step) * np.arange(cells))).astype(values.dtype)


def _whole(values: Any, start: Fraction, step: Fraction, cells: int) -> Any:
    """Places of integers and times: floats for integers where they lie between two, none for times that do."""
    whole = values.view(np.int64) if values.dtype.kind in "mM" else values
    numbers = [int(value) for value in whole[:2]]
    spacing = numbers[1] - numbers[0]
    if any(int(b) - int(a) != spacing for a, b in pairwise(whole)):
        return None
    first, by = numbers[0] + spacing * start, spacing * step
    if first.denominator == 1 and by.denominator == 1:
        found = int(first) + int(by) * np.arange(cells, dtype=np.int64)
        return found.view(values.dtype) if values.dtype.kind in "mM" else found
    return None if values.dtype.kind in "mM" else float(first) + float(by) * np.arange(cells)
