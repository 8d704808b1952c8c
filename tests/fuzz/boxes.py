"""Grids as boxes of larger arrays: how far apart their elements lie, and that nothing between them is written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided
from running import is_gradient, shapes

from tconv.problem import Problem, Within

#: What lies behind an axis of a box, in elements or channels: nothing, a little, whole lines.
BEHIND = (0, 0, 1, 3, 16)


def posed(problem: Problem, channels_last: bool, pick: Callable[[Sequence[Any]], Any]) -> Problem:
    """The problem, of anything but weights, with grids that are boxes, in an array of a few elements or very many."""
    if is_gradient(problem) or not problem.batch:
        return problem
    read, written = (_steps(shape, channels_last, pick) for shape in shapes(problem))
    return replace(problem, within=Within(read, written, pick((prod(shapes(problem)[1]), 1 << 40))))


def _steps(shape: tuple[int, ...], channels_last: bool, pick: Callable[[Sequence[Any]], Any]) -> tuple[int, ...]:
    """Elements from an image, a channel and a cell along each axis to the next."""
    _, channels, *size = shape
    room = channels if channels_last else 1
    cells = [room]
    for n in reversed(size[1:]):
        cells.append(n * cells[-1] + room * pick(BEHIND))
    behind = size[0] * cells[-1] + room * pick(BEHIND)
    channel, image = (1, behind) if channels_last else (behind, channels * behind * pick((1, 1, 2)))
    return (image, channel, *reversed(cells))


def boxed(a: np.ndarray, pick: Callable[[Sequence[Any]], Any]) -> np.ndarray:
    """An equal array that is a box of a larger one, beside which all is NaN."""
    before = [pick((0, 1)) for _ in a.shape]
    larger = np.full([n + 2 * at for n, at in zip(a.shape, before, strict=True)], np.nan, a.dtype)
    box = larger[tuple(slice(at, at + n) for n, at in zip(a.shape, before, strict=True))]
    box[...] = a
    return box


def in_order(steps: tuple[int, ...], channels_last: bool) -> tuple[int, ...]:
    """Steps in the order of the axes of an array."""
    image, channel, *cells = steps
    return (image, *cells, channel) if channels_last else steps


def room(shape: tuple[int, ...], steps: tuple[int, ...] | None) -> int:
    """Elements from the first of a box to its last."""
    if steps is None or not prod(shape):
        return prod(shape)
    return 1 + sum((n - 1) * step for n, step in zip(shape, steps, strict=True))


def view(flat: np.ndarray, shape: tuple[int, ...], steps: tuple[int, ...] | None) -> np.ndarray:
    """The box in memory that has room for it."""
    if steps is None:
        return flat.reshape(shape)
    return as_strided(flat, shape, [step * flat.itemsize for step in steps])


def untouched(flat: np.ndarray, shape: tuple[int, ...], steps: tuple[int, ...] | None) -> bool:
    """Whether all between the elements of a box is NaN, as it was."""
    between = np.ones(flat.shape, bool)
    view(between, shape, steps)[...] = False
    return bool(np.isnan(flat[between]).all())
