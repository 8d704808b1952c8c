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
    """Where the elements of a problem lie in contiguous arrays."""

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
    return _joined(problem, spread) if _single_cells(problem) else spread


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
    x, y = _Grid(problem.in_channels, g.coarse), _Grid(problem.out_channels, g.fine)
    x, y = (y, x) if conv else (x, y)
    lines = [LoopAxis(problem.batch, problem.batch, 1, 1, 1, 0, size * x.image, size * y.image)]
    for number, axis in enumerate(g.axes):
        steps = {"x_step": size * x.step(number, channels_last), "y_step": size * y.step(number, channels_last)}
        if conv:
            window = (axis.kernel, 1, -axis.dilation, -axis.padding[0])
            lines.append(LoopAxis(axis.fine, axis.coarse, *window, **steps, read_stride=axis.stride))
        else:
            window = (axis.kernel, axis.stride, axis.dilation, axis.padding[0])
            lines.append(LoopAxis(axis.coarse, axis.fine, *window, **steps))
    x_channel, y_channel = (size * (1 if channels_last else prod(grid.cells)) for grid in (x, y))
    channels = channels_of(problem)
    groups = (channels.read * x_channel, channels.written * y_channel)
    return MemoryLayout((lines[0], *_merged(lines[1:])), x_channel, y_channel, *groups, channels_last)


def _merged(lines: list[LoopAxis]) -> list[LoopAxis]:
    """Neighbouring axes along which every cell stays where it is as one: a row that is longer, for the same cells."""
    found: list[LoopAxis] = []
    for line in lines:
        if line.read == 1:
            alone = line._replace(stride=1, read_stride=1)  # as a single cell is, whatever would follow it
            line = alone if alone.stays else line
        if found and found[-1].stays and line.stays:
            cells = found.pop().read * line.read
            line = line._replace(read=cells, written=cells)
        found.append(line)
    return found


class _Grid(NamedTuple):
    channels: int
    cells: tuple[int, ...]

    @property
    def image(self) -> int:
        """Elements of an image."""
        return self.channels * prod(self.cells)

    def step(self, axis: int, channels_last: bool) -> int:
        """Elements from one cell to the next along an axis."""
        return prod(self.cells[axis + 1 :]) * (self.channels if channels_last else 1)
