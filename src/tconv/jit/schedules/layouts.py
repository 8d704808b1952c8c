"""Where the elements of a problem lie: its axes (`axes.py`), the batch first, then the grids', and channels."""

from __future__ import annotations

from dataclasses import replace
from math import prod
from typing import NamedTuple

from tconv.jit.schedules.axes import LoopAxis
from tconv.problem import Problem


class GroupChannels(NamedTuple):
    """The channels of a group, and elements of its weights from one to the next."""

    read: int
    written: int
    w_read: int
    w_written: int


def channels_of(problem: Problem) -> GroupChannels:
    """Weights are (Cin, Cout / groups, *kernel): `conv_transpose` reads along the first of them, `conv` writes."""
    p = problem
    of_first, of_second = p.cout * p.taps, p.taps
    if p.operation != "conv_transpose":
        return GroupChannels(p.cout, p.cin, of_second, of_first)
    return GroupChannels(p.cin, p.cout, of_first, of_second)


def as_one_group(problem: Problem) -> Problem:
    """A depthwise problem as one group, of one channel that is read: each of those that are written has its own."""
    if problem.operation != "conv_transpose":
        return replace(problem, in_channels=problem.groups, out_channels=1, groups=1)
    return replace(problem, in_channels=1, out_channels=problem.groups, groups=1)


class MemoryLayout(NamedTuple):
    """Where the elements of a problem lie in its arrays."""

    axes: tuple[LoopAxis, ...]  #: the batch, then the axes of the grids
    x_channel: int  #: bytes from one channel to the next
    y_channel: int
    x_group: int  #: bytes from one group to the next
    y_group: int
    channels_last: bool  #: channels are the innermost axis
    joined: bool = False  #: single cells: the images are the cells of one axis, the whole kernel its phases or its x


def innermost(problem: Problem, channels_last: bool) -> bool:
    """Whether the engine takes channels as the innermost axis, for a call that says whether they are last.

    Where both grids have one channel or one cell, the two layouts are the same memory: channels first is taken then.
    Every schedule is made, and remembered, by what is said here, so that callers need not ask.
    """
    x = problem.in_channels > 1 and problem.coarse_cells > 1
    return channels_last and (x or (problem.out_channels > 1 and problem.fine_cells > 1))


def layout_of(problem: Problem, channels_last: bool) -> MemoryLayout:
    """Where the elements of a problem lie in one of the layouts."""
    spread = spread_out(problem, channels_last)
    return _joined(problem, spread) if _single_cells(problem) and problem.within is None else spread


def _single_cells(problem: Problem) -> bool:
    """Whether each image is one coarse cell, whose taps are the fine positions: a matrix product."""
    return all(
        axis.coarse == 1 and axis.padding[0] == 0 and axis.dilation == 1 and axis.fine == axis.kernel
        for axis in problem.geometry.axes
    )


def _joined(problem: Problem, spread: MemoryLayout) -> MemoryLayout:
    """Images as the cells of one axis, and the whole kernel as its stride: positions lie side by side in an image."""
    batch, taps, last = spread.axes[0], problem.taps, spread.axes[-1]
    images = batch.read
    if problem.operation != "conv_transpose":
        line = LoopAxis(images * taps, images, taps, 1, -1, 0, last.x_step, batch.y_step, 0, taps, batch.x_step)
    else:
        line = LoopAxis(images, images * taps, taps, taps, 1, 0, batch.x_step, last.y_step, batch.y_step)
    return spread._replace(axes=(LoopAxis(1, 1, 1, 1, 1, 0, 0, 0), line), joined=True)


def spread_out(problem: Problem, channels_last: bool) -> MemoryLayout:
    """Every axis by itself, but for those along which nothing is to be done."""
    channels_last = innermost(problem, channels_last)
    g, size, conv = problem.geometry, problem.itemsize, problem.operation != "conv_transpose"
    x, y = steps_of(problem, channels_last)
    lines = [LoopAxis(problem.batch, problem.batch, 1, 1, 1, 0, size * x.image, size * y.image)]
    for axis, of_x, of_y in zip(g.axes, x.cells, y.cells, strict=True):
        steps = {"x_step": size * of_x, "y_step": size * of_y}
        if conv:
            window = (axis.kernel, 1, -axis.dilation, -axis.padding[0])
            lines.append(LoopAxis(axis.fine, axis.coarse, *window, **steps, read_stride=axis.stride))
        else:
            window = (axis.kernel, axis.stride, axis.dilation, axis.padding[0])
            lines.append(LoopAxis(axis.coarse, axis.fine, *window, **steps))
    x_channel, y_channel = size * x.channel, size * y.channel
    channels = channels_of(problem)
    groups = (channels.read * x_channel, channels.written * y_channel)
    return MemoryLayout((lines[0], *_merged(lines[1:])), x_channel, y_channel, *groups, channels_last)


def _merged(lines: list[LoopAxis]) -> list[LoopAxis]:
    """Neighbouring axes along which every cell stays where it is as one: a row that is longer, for the same cells.

    Rows of a box of a larger array do not follow each other: they stay apart.
    """
    found: list[LoopAxis] = []
    for line in lines:
        if line.read == 1:
            alone = line._replace(stride=1, read_stride=1)  # as a single cell is, whatever would follow it
            line = alone if alone.stays else line
        if found and found[-1].stays and line.stays and _follow(found[-1], line):
            cells = found.pop().read * line.read
            line = line._replace(read=cells, written=cells)
        found.append(line)
    return found


def _follow(outer: LoopAxis, inner: LoopAxis) -> bool:
    """Whether what lies behind the inner axis is the next cell of the outer one, in both arrays."""
    return outer.x_step == inner.read * inner.x_step and outer.y_step == inner.written * inner.y_step


class Steps(NamedTuple):
    """Elements of a grid from one image, channel or cell to the next."""

    image: int
    channel: int
    cells: tuple[int, ...]  #: along each axis


def steps_of(problem: Problem, channels_last: bool) -> tuple[Steps, Steps]:
    """Those of what is read, and of what is written; of a weight gradient those of y and x."""
    p, g = problem, problem.geometry
    coarse, fine = (p.in_channels, g.coarse), (p.out_channels, g.fine)
    x, y = (coarse, fine) if p.operation == "conv_transpose" else (fine, coarse)
    of_x, of_y = p.within[:2] if p.within is not None else (None, None)
    return _steps(*x, channels_last, of_x), _steps(*y, channels_last, of_y)


def _steps(channels: int, cells: tuple[int, ...], channels_last: bool, within: tuple[int, ...] | None) -> Steps:
    """Those of a grid, which may be a box of a larger array."""
    alone = _dense(channels, cells, channels_last)
    if within is None:
        return alone
    image, channel, *along = within
    # A single cell has none beside it. The distance that is given may be that of another layout (see `innermost`).
    return Steps(image, channel, tuple(along) if prod(cells) > 1 else alone.cells)


def _dense(channels: int, cells: tuple[int, ...], channels_last: bool) -> Steps:
    """Those of an array of its own."""
    inner = channels if channels_last else 1
    along = tuple(inner * prod(cells[axis + 1 :]) for axis in range(len(cells)))
    return Steps(channels * prod(cells), 1 if channels_last else prod(cells), along)
