"""What tasks compute: a block, where it belongs or as an array of its own; the weight gradient of one; their sum."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from tconv import numpy_ops
from tconv.arguments import Layout
from tconv.dask import threads
from tconv.dask.along import Part
from tconv.dask.gathering import Rim, gathered, inside, seamless
from tconv.dask.target import Place, Target
from tconv.dask.weights import Padding, Weights
from tconv.jit.machine import launch
from tconv.problem import Array


class Gradient(NamedTuple):
    """What a weight gradient is, but for its arrays."""

    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    groups: int
    layout: Layout
    method: str
    dtype: str  #: of the sums; that of the result may be narrower


def computed(weights: Weights, residual: Array | None, parts: tuple[Part, ...], *sources: Array | Rim) -> Array:
    """A block of conv_transpose or conv."""
    grid, padding = _read(weights, parts, sources)
    with launch.at_most(threads.of_a_task()):
        return weights(grid, padding, tuple(part.size for part in parts), residual)


def stored(
    target: Target, place: Place, weights: Weights, residual: Array | None, parts: tuple[Part, ...],
    *sources: Array | Rim,
) -> None:  # fmt: skip
    """Compute a block of conv_transpose or conv where it belongs; what it reads stays where it lies, if it can."""
    grid = seamless(parts, weights.layout, sources)
    if grid is None:
        grid, padding = _read(weights, parts, sources)
    else:
        padding = _padding_inside(weights, parts)
    with launch.at_most(threads.of_a_task()):
        weights.into(grid, padding, target.out[place], target.out.size, residual)


def _read(weights: Weights, parts: tuple[Part, ...], sources: Sequence[Array | Rim]) -> tuple[Array, Padding]:
    """What a block reads, and the padding of the layer that maps it to the block."""
    if not all(part.pieces for part in parts):
        raise AssertionError("blocks that read nothing are made by blank")
    grid = gathered(parts, weights.layout, sources)
    if weights.finite:
        return grid, tuple(part.padding for part in parts)
    return inside(grid, parts, weights.layout), _padding_inside(weights, parts)


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


def blank(weights: Weights, residual: Array | None, shape: tuple[int, ...]) -> Array:
    """A block of conv_transpose or conv that reads nothing."""
    return weights.blank(shape, residual)


def stored_blank(target: Target, place: Place, weights: Weights, residual: Array | None) -> None:
    """Write a block that reads nothing where it belongs."""
    out = target.out[place]
    out[...] = weights.blank(out.shape, residual)


def partial_gradient(task: Gradient, parts: tuple[Part, ...], x: Array, *sources: Array | Rim) -> Array:
    """The weight gradient of a block of x, and of y as far as it reads; added up they are the whole."""
    x, y = np.asarray(x, task.dtype), gathered(parts, task.layout, sources)
    y = np.asarray(y, task.dtype)
    found = _gradient(task, x, y, 0)
    if not np.isfinite(found).all():  # a NaN or an Inf in x meets zeros beyond the ends, where no tap lands
        padding = tuple((part.inside[0], part.read - part.inside[1]) for part in parts)
        found = _gradient(task, x, inside(y, parts, task.layout), padding)
    return found


def _gradient(task: Gradient, x: Array, y: Array, padding: Any) -> Array:
    window = (task.stride, padding, None, None, task.groups, task.dilation)
    with launch.at_most(threads.of_a_task()), np.errstate(all="ignore"):
        return numpy_ops.compute(
            "weight_gradient", {"x": x, "y": y}, task.kernel, None, window, task.layout, task.method, None
        )


def total(dtype: str, *parts: Array) -> Array:
    """The sum of weight gradients, in their order."""
    with np.errstate(all="ignore"):
        return sum(parts[1:], start=parts[0]).astype(dtype, copy=False)
