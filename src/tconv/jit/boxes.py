"""Boxes of larger arrays, which kernels read and write where they lie."""

from __future__ import annotations

from dataclasses import replace

from tconv.jit.schedules.layouts import steps_of
from tconv.problem import Array, Problem, Within


def posed(problem: Problem, channels_last: bool, read: Array, written: Array, whole: int) -> Problem | None:
    """The problem with its grids where they lie; None where kernels cannot go through one of them as it is.

    `whole`: elements of the array that the result is a part of. Arrays are of the dtype and the shapes of the problem,
    with a batch or without.
    """
    x, y = steps(problem, channels_last, read), steps(problem, channels_last, written)
    if x is None or y is None or not _whole_channels(problem, channels_last, y):
        return None
    alone = [(grid.image, grid.channel, *grid.cells) for grid in steps_of(problem, channels_last)]
    if [x, y] == alone and whole == written.size:
        return problem
    return replace(problem, within=Within(x, y, whole))


def steps(problem: Problem, channels_last: bool, array: Array) -> tuple[int, ...] | None:
    """Elements from an image, a channel and a cell along each axis to the next.

    None where cells of a row, or channels that are last, do not follow each other, or axes are not in the order of the
    layout. Where an axis has one cell, the next one would follow what it holds.
    """
    size, batched = array.itemsize, array.ndim == problem.geometry.ndim + 2
    if not array.flags.aligned or not array.size:
        return None
    found, room = list[int](), 1
    for number, (n, step) in enumerate(zip(reversed(array.shape), reversed(array.strides), strict=True)):
        together = number <= channels_last
        if n > 1 and (step % size or step < room * size or (together and step != room * size)):
            return None
        found.append(step // size if n > 1 else room)
        room = found[-1] * n
    if not batched:
        found.append(room)
    image, *others = reversed(found)
    return (image, others[-1], *others[:-1]) if channels_last else (image, *others)


def _whole_channels(problem: Problem, channels_last: bool, written: tuple[int, ...]) -> bool:
    """Whether the place of an element says of which channel it is, as epilogues want (`kernels/finish.py`)."""
    image, channel, *cells = written
    channels = problem.out_channels if problem.operation == "conv_transpose" else problem.in_channels
    return all(step % channels == 0 for step in (image, *cells)) if channels_last else image % (channels * channel) == 0
