"""The way of a call on Dask arrays: its arguments checked as everywhere in tconv, then a graph that computes it."""

from __future__ import annotations

from typing import Any

import dask.array as da
import numpy as np
from dask._task_spec import DataNode, Task, TaskRef
from dask.base import tokenize
from dask.highlevelgraph import HighLevelGraph, MaterializedLayer

from tconv import arguments, arrays, checks
from tconv.activations import Activation
from tconv.activations import activation as activation_of
from tconv.arguments import Layout
from tconv.dask import chunks as chunking
from tconv.dask.along import Along, Chunks, blocks
from tconv.dask.blocks import Gradient, total
from tconv.dask.layers import Blocks, Gradients, Rims, sums
from tconv.dask.reading import Grid, Reading
from tconv.dask.weights import Weights
from tconv.hints import words
from tconv.plan import check_words, make_plan
from tconv.problem import Operation, Problem


def compute(
    operation: Operation, operands: dict[str, Any], kernel_size: Any, bias: Any, window: tuple[Any, ...],
    layout: Layout, method: str, out: Any, chunks: Any = None, *, activation: Any = None, residual: Any = None,
) -> da.Array:  # fmt: skip
    """The result of an operation, a Dask array; `window` holds the geometry arguments in the order of `Window`."""
    shown = operands, kernel_size, bias, window, layout, method, out
    with checks.explained(operation, lambda: arguments.called_with(*shown)):
        check_words(layout, method)
        if out is not None:
            must = "out must be None for Dask arrays, never written into"
            checks.wrong_type(f"{must}; tconv.dask.store(y, out) computes into one")
        dtype = _dtype(operands, bias, residual)
        first, second = operands.values()
        kernel, settled = arguments.freeze("kernel_size", kernel_size), arguments.window(*window)
        problem, batched = arguments.problem(operation, first.shape, second.shape, kernel, dtype, settled, layout)
        if bias is not None:
            arrays.exact_shape("bias", bias, (_channels(problem),))
        if operation == "weight_gradient":
            return _weight_gradient(problem, batched, dtype, layout, method, first, second)
        function = activation_of(activation)
        if function is not None:
            function.check(dtype)
            function.check_channels(_channels(problem))
        return _blocks(problem, batched, layout, method, first, second, bias, chunks, function, residual)


def _channels(problem: Problem) -> int:
    """Those of the result."""
    return problem.out_channels if problem.operation == "conv_transpose" else problem.in_channels


def _blocks(
    problem: Problem, batched: bool, layout: Layout, method: str, given: Any, w: Any, bias: Any, chunks: Any,
    activation: Activation | None, residual: Any,
) -> da.Array:  # fmt: skip
    array = _whole_channels(given, layout, batched, chunking.batch_unit(chunks, batched, problem.geometry.ndim))
    grid = _grid(array, layout, batched)
    w, bias = (one.rechunk(-1) if isinstance(one, da.Array) else one for one in (w, bias))
    written = chunking.chosen(problem, chunks, grid.batches or (1,), grid.chunks, array.dtype.itemsize)
    axes = _axes(problem, grid.chunks, written)
    _check_method(problem, grid, axes, w.shape, array.dtype.name, layout, method)
    channels = _channels(problem)
    inner = (*written, (channels,)) if layout == "channels_last" else ((channels,), *written)
    result = inner if grid.batches is None else (grid.batches, *inner)
    after = _in_chunks("residual", residual, result)
    geometry = problem.geometry
    form = (problem.operation, geometry.stride, geometry.dilation, problem.groups, layout, method, activation)
    token = tokenize(array.name, w, bias, geometry, form, written, None if after is None else after.name)
    name, rims, weights = (f"{kind}-{token}" for kind in (_names[problem.operation], "tconv-rims", "tconv-weights"))
    reading = Reading(grid, rims, axes)
    graph = _graph(
        [array, *(one for one in (w, bias, after) if isinstance(one, da.Array))],
        {
            weights: (_weights(weights, form, w, bias), _layers(w, bias)),
            rims: (Rims(rims, reading), _layers(array)),
            name: (
                Blocks(name, reading, weights, channels, after.name if after is not None else ""),
                {weights, rims, *_layers(array, after)},
            ),
        },
    )
    return da.Array(graph, name, result, meta=np.empty((0,) * array.ndim, _native(array)))


def _weight_gradient(
    problem: Problem, batched: bool, dtype: str, layout: Layout, method: str, x: Any, y: Any
) -> da.Array:
    x, y = (_whole_channels(array, layout, batched, None) for array in (x, y))
    if batched and x.chunks[0] != y.chunks[0]:
        y = y.rechunk({0: x.chunks[0]})
    of_x, of_y = _grid(x, layout, batched), _grid(y, layout, batched)
    axes = _axes(problem, of_y.chunks, of_x.chunks)
    geometry = problem.geometry
    wide = arrays.DTYPES[dtype]
    task = Gradient(geometry.kernel, geometry.stride, geometry.dilation, problem.groups, layout, method, wide)
    _check_gradient(problem, of_x, of_y, axes, dtype, layout, method)
    token = tokenize(x.name, y.name, geometry, task)
    name, rims, parts = (f"{kind}-{token}" for kind in (_names["weight_gradient"], "tconv-rims", "tconv-gradients"))
    reading = Reading(of_y, rims, axes)
    gradients = Gradients(parts, reading, x.name, task)
    shape = (problem.in_channels, problem.cout, *geometry.kernel)
    if not len(gradients):  # no images, or padding alone
        return da.zeros(shape, dtype=_native(x), chunks=shape)
    last = (name, *(0 for _ in shape))
    graph = _graph(
        [x, y],
        {
            rims: (Rims(rims, reading), _layers(y)),
            parts: (gradients, {rims, *_layers(x, y)}),
            name: (sums(name, list(gradients.get_output_keys()), last, total, (wide, dtype)), {parts}),
        },
    )
    return da.Array(graph, name, tuple((n,) for n in shape), meta=np.empty((0,) * len(shape), _native(x)))


def _native(array: da.Array) -> np.dtype[Any]:
    """The dtype of a result: whatever the byte order of what is read, blocks are computed in that of the processor."""
    found: np.dtype[Any] = array.dtype.newbyteorder("=")
    return found


_names: dict[Operation, str] = {
    "conv_transpose": "conv-transpose", "conv": "conv", "weight_gradient": "weight-gradient"
}  # fmt: skip


# ---- graphs


def _axes(problem: Problem, read: tuple[Chunks, ...], written: tuple[Chunks, ...]) -> tuple[tuple[Along, ...], ...]:
    ends = zip(problem.geometry.axes, read, written, strict=True)
    return tuple(blocks(problem.operation, axis, *chunks) for axis, *chunks in ends)


def _weights(name: str, form: tuple[Any, ...], w: Any, bias: Any) -> MaterializedLayer:
    """The node of the weights, which a task makes where they are Dask arrays themselves."""
    operation, *layer = form
    if not any(isinstance(array, da.Array) for array in (w, bias)):
        return MaterializedLayer({name: DataNode(name, Weights(operation, w, bias, *layer))})
    taken = [_one_block(array) for array in (w, bias)]
    return MaterializedLayer({name: Task(name, Weights, operation, *taken, *layer)})


def _one_block(array: Any) -> Any:
    return TaskRef((array.name, *[0] * array.ndim)) if isinstance(array, da.Array) else array


def _layers(*some: Any) -> set[str]:
    """The layers that Dask arrays end in."""
    return {layer for array in some if isinstance(array, da.Array) for layer in array.__dask_layers__()}


def _graph(some: list[da.Array], ours: dict[str, tuple[Any, set[str]]]) -> HighLevelGraph:
    """Layers on top of the graphs of arrays, each with those that it needs."""
    layers, needed = {}, {}
    for array in some:
        layers.update(array.dask.layers)
        needed.update(array.dask.dependencies)
    for name, (layer, under) in ours.items():
        layers[name], needed[name] = layer, under
    return HighLevelGraph(layers, needed)


def _grid(array: da.Array, layout: Layout, batched: bool) -> Grid:
    sizes = array.chunks[batched:]
    sizes = sizes[:-1] if layout == "channels_last" else sizes[1:]
    channels = array.shape[-1] if layout == "channels_last" else array.shape[batched]
    return Grid(array.name, array.chunks[0] if batched else None, sizes, channels, layout)


def _in_chunks(name: str, array: Any, chunks: tuple[Chunks, ...]) -> da.Array | None:
    """An array of the shape of the result, in its chunks; None stays None."""
    if array is None:
        return None
    arrays.exact_shape(name, array, tuple(map(sum, chunks)))
    return array.rechunk(chunks) if isinstance(array, da.Array) else da.from_array(array, chunks=chunks)


def _whole_channels(array: Any, layout: Layout, batched: bool, batch: int | None) -> da.Array:
    """The array in chunks of all channels, and of a multiple of so many images."""
    if not isinstance(array, da.Array):
        return da.from_array(array, chunks=array.shape)
    wanted: dict[int, Any] = {array.ndim - 1 if layout == "channels_last" else int(batched): -1}
    if batch is not None and any(images % batch for images in array.chunks[0][:-1]):
        wanted[0] = max(batch, max(array.chunks[0]) // batch * batch)
    return array.rechunk(wanted)


# ---- what is wrong with arguments


def _dtype(operands: dict[str, Any], bias: Any, residual: Any) -> str:
    """The one that all have."""
    further = {name: value for name, value in (("bias", bias), ("residual", residual)) if value is not None}
    (name, first), *others = operands.items()
    _check_array(name, first)
    dtype = arrays.dtype_name(f"the dtype of {name}", first.dtype)
    for other, value in (*others, *further.items()):
        _check_array(other, value)
        if arrays.name_of(value.dtype) != dtype:
            hint = words.cast(other, str(value.dtype), name, dtype)
            checks.wrong_type(f"{other} must have the dtype of {name}, {dtype}; got {value.dtype}{hint}")
    return dtype


def _check_array(name: str, value: Any) -> None:
    """A Dask array of NumPy blocks whose sizes are known, or an array of NumPy."""
    if not isinstance(value, da.Array):
        arrays.array(name, value)
        return
    if not hasattr(value, "__dask_layers__"):
        setting = 'dask.config.set({"array.query-planning": False})'
        checks.wrong_type(f"{name} must be an array with a graph of layers: {setting} before dask.array is imported")
    if np.isnan(value.shape).any():
        must = f"{name} must have chunks of known sizes; got shape {value.shape}"
        checks.wrong(f"{must}: call {name}.compute_chunk_sizes() first")
    blocks = value._meta
    if not isinstance(blocks, np.ndarray) or isinstance(blocks, np.ma.MaskedArray | np.matrix):
        kind = f"{type(blocks).__module__}.{type(blocks).__name__}"
        checks.wrong_type(f"{name} must have blocks of numpy.ndarray; got blocks of {kind}")


def _largest(axes: tuple[tuple[Along, ...], ...]) -> list[Any] | None:
    """Of each axis, what the largest block does; None where none reads anything."""
    found = [max((one.part for one in axis if one.part.pieces), key=lambda p: p.read, default=None) for axis in axes]
    return None if None in found else found


def _check_method(
    problem: Problem, grid: Grid, axes: tuple[tuple[Along, ...], ...], w: tuple[int, ...], dtype: str, layout: Layout,
    method: str,
) -> None:  # fmt: skip
    """A block can be computed by the method, in the memory of this machine."""
    parts = _largest(axes)
    if parts is None:
        return
    batch = () if grid.batches is None else (max(range(len(grid.batches)), key=grid.batches.__getitem__),)
    block = grid.shape(batch, grid.channels, tuple(part.read for part in parts))
    padding = tuple(part.padding for part in parts)
    window = arguments.Window(problem.geometry.stride, padding, None, None, problem.groups, problem.geometry.dilation)
    make_plan(problem.operation, block, w, None, dtype, window, layout, method)


def _check_gradient(
    problem: Problem, x: Grid, y: Grid, axes: tuple[tuple[Along, ...], ...], dtype: str, layout: Layout, method: str
) -> None:
    parts = _largest(axes)
    if parts is None or x.batches == ():
        return
    batch = () if x.batches is None else (max(range(len(x.batches)), key=x.batches.__getitem__),)
    geometry = problem.geometry
    window = arguments.Window(geometry.stride, 0, None, None, problem.groups, geometry.dilation)
    shapes = (
        x.shape(batch, x.channels, tuple(part.size for part in parts)),
        y.shape(batch, y.channels, tuple(part.read for part in parts)),
    )
    make_plan("weight_gradient", *shapes, geometry.kernel, dtype, window, layout, method)
