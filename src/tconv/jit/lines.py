"""The axes of a problem as the engine sees them: the batch first, then the axes of the grids, with their addresses.

The batch is an axis like the others, with one tap and stride 1, so that images, planes and rows are cut into chunks
alike. Fine position o of an axis is written as q * stride + b - origin: b names the phase, q counts along it, and tap t
reads coarse cell

    q + shift,    shift = (b - origin + low - t * dilation) / stride,

for the taps that make it whole. With origin 0 every phase has about the same range of q; with origin = low mod stride,
at dilation 1, phase b has the taps b, b + stride, ... and all phases have the same shifts.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from math import prod

from tconv.problem import Problem


@dataclass(frozen=True, slots=True)
class Line:
    """One axis."""

    coarse: int
    fine: int
    kernel: int
    stride: int
    dilation: int
    low: int
    x_step: int  #: bytes from one coarse cell to the next
    y_step: int  #: bytes from one fine position to the next
    y_pixel: int = 0  #: bytes from the phases of one q to those of the next, where not stride * y_step

    @property
    def pixel_step(self) -> int:
        """Bytes of y from one q to the next."""
        return self.y_pixel or self.stride * self.y_step

    def first(self, b: int, origin: int = 0) -> int:
        """The first q of phase b."""
        return -((b - origin) // self.stride)

    def end(self, b: int, origin: int = 0) -> int:
        """The q behind the last of phase b."""
        return -((b - origin - self.fine) // self.stride)

    def of_phase(self, b: int, span: range, origin: int = 0) -> range:
        """The q of phase b within a range of them."""
        return range(max(span.start, self.first(b, origin)), min(span.stop, self.end(b, origin)))

    def reads(self, span: range) -> range:
        """The coarse cells that taps of a range of q read, those beside the grid among them."""
        moved = shifts(self)
        return range(span.start + moved.start, span.stop + moved.stop - 1)

    def span(self, origin: int = 0) -> range:
        """The q of all phases together."""
        return range(origin // self.stride, (self.fine - 1 + origin) // self.stride + 1)


@lru_cache(maxsize=4096)
def phase_taps(line: Line, origin: int = 0) -> tuple[tuple[tuple[int, int], ...], ...]:
    """For each phase b its (tap, shift)."""
    of_phase: list[list[tuple[int, int]]] = [[] for _ in range(line.stride)]
    for tap in range(line.kernel):
        reached = tap * line.dilation - line.low + origin
        b = reached % line.stride
        of_phase[b].append((tap, (b - reached) // line.stride))
    return tuple(map(tuple, of_phase))


@lru_cache(maxsize=4096)
def shifts(line: Line, origin: int = 0) -> range:
    """The least to the greatest shift of all phases."""
    found = [shift for taps in phase_taps(line, origin) for _, shift in taps]
    return range(min(found), max(found) + 1)


@lru_cache(maxsize=4096)
def by_shift(line: Line, origin: int = 0) -> dict[int, dict[int, int]]:
    """For each shift, in ascending order, which tap it is of each phase that has one: shift -> phase -> tap."""
    found: dict[int, dict[int, int]] = {}
    for b, taps in enumerate(phase_taps(line, origin)):
        for tap, shift in taps:
            found.setdefault(shift, {})[b] = tap
    return dict(sorted(found.items()))


def inside(line: Line, origin: int = 0) -> bool:
    """Whether every tap of every fine position reads a coarse cell that exists: no zeros are needed around x."""
    return all(
        line.first(b, origin) + shift >= 0 and line.end(b, origin) + shift <= line.coarse
        for b, taps in enumerate(phase_taps(line, origin))
        for _, shift in taps
        if line.first(b, origin) < line.end(b, origin)
    )


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the elements of a problem lie in contiguous arrays."""

    lines: tuple[Line, ...]  #: the batch, then the axes of the grids
    x_channel: int  #: bytes from one channel to the next
    y_channel: int
    x_group: int  #: bytes from one group to the next
    y_group: int
    last: bool  #: channels are the innermost axis
    joined: bool = False  #: single cells: the images are the cells of one axis, the whole kernel its phases


def layout_of(problem: Problem, channels_last: bool) -> Layout:
    """The lines of a problem in one of the layouts."""
    spread = spread_out(problem, channels_last)
    return _joined(problem, spread) if _single_cells(problem) else spread


def _single_cells(problem: Problem) -> bool:
    """Whether each image is one coarse cell, whose taps are the fine positions: a matrix product."""
    return all(
        axis.coarse == 1 and axis.padding[0] == 0 and axis.dilation == 1 and axis.fine == axis.kernel
        for axis in problem.geometry.axes
    )


def _joined(problem: Problem, spread: Layout) -> Layout:
    """Images as the cells of one axis, and the whole kernel as its stride: positions lie side by side in y."""
    batch, taps = spread.lines[0], problem.taps
    line = Line(
        batch.coarse, batch.coarse * taps, taps, taps, 1, 0, batch.x_step, spread.lines[-1].y_step, batch.y_step
    )
    return replace(spread, lines=(Line(1, 1, 1, 1, 1, 0, 0, 0), line), joined=True)


def spread_out(problem: Problem, channels_last: bool) -> Layout:
    """Every axis a line of its own."""
    g, size = problem.geometry, problem.itemsize
    inner_x = problem.in_channels if channels_last else 1
    inner_y = problem.out_channels if channels_last else 1
    lines = [Line(problem.batch, problem.batch, 1, 1, 1, 0, *(size * n for n in _images(problem)))]
    for number, axis in enumerate(g.axes):
        x_step = size * inner_x * prod(g.coarse[number + 1 :])
        y_step = size * inner_y * prod(g.fine[number + 1 :])
        line = Line(axis.coarse, axis.fine, axis.kernel, axis.stride, axis.dilation, axis.padding[0], x_step, y_step)
        lines.append(line)
    x_channel, y_channel = (size, size) if channels_last else (size * problem.coarse_cells, size * problem.fine_cells)
    groups = (problem.cin * x_channel, problem.cout * y_channel)
    return Layout(tuple(lines), x_channel, y_channel, *groups, channels_last)


def _images(problem: Problem) -> tuple[int, int]:
    """Elements of an image of x and of y."""
    return problem.in_channels * problem.coarse_cells, problem.out_channels * problem.fine_cells
