"""What kernels with channels in lanes read x from: x where it is, or a panel of its rows with zeros around."""

from __future__ import annotations

from dataclasses import replace
from math import prod

from tconv.cached import cached_property
from tconv.jit.programs.packing import LINE
from tconv.jit.schedules.axes import shifts
from tconv.jit.schedules.base import Schedule
from tconv.problem import Problem


class BroadcastSchedule(Schedule):
    """A chunked problem that reads its x that way."""

    in_place: bool
    depthwise: bool
    cut_rows: bool = False  #: no tile has a tap that reads beside a row of x

    @property
    def posed(self) -> Problem:
        """The problem as it was posed: depthwise layers are treated as one group, whose channels are their groups."""
        if not self.depthwise:
            return self.problem
        groups = self.written
        return replace(self.problem, in_channels=groups, out_channels=groups, groups=groups)

    @cached_property
    def transposed(self) -> bool:
        """Whether channels are transposed innermost on their way into the panel, and back on their way into y."""
        return self.depthwise and not self.layout.channels_last

    @cached_property
    def before(self) -> int:
        """Cells of a row of the panel before what its first q reads; zeros, where they lie beside x."""
        reach = max(0, -shifts(self.last, self.origin).start)
        return min(reach, max(0, self.spans[-1].start * self.last.read_stride)) if self._without_zeros else reach

    @cached_property
    def behind(self) -> int:
        """Cells that the last q of a row reads beyond it."""
        reach = max(0, shifts(self.last, self.origin).stop - 1)
        end = (self.spans[-1].stop - 1) * self.last.read_stride + 1
        return min(reach, max(0, self.last.read - end)) if self._without_zeros else reach

    @property
    def _without_zeros(self) -> bool:
        """Whether a row of the panel is one of x, whole, and nothing beside it is read."""
        return self.cut_rows and self.cache_block[-1] == len(self.spans[-1])

    @cached_property
    def pitch(self) -> int:
        """Cells of a row of the panel; for channels first an odd number of them keeps channels in different sets."""
        cells = self.before + (self.cache_block[-1] - 1) * self.last.read_stride + 1 + self.behind
        if self.layout.channels_last or self.transposed:
            return cells
        return cells + (cells + 1) % 2 if cells * self.problem.itemsize >= LINE else cells

    @cached_property
    def innermost(self) -> int:
        """Channels of a pixel of the panel, where they are transposed: whole vectors."""
        return -(-self.written // self.lanes) * self.lanes

    @cached_property
    def channel_subset(self) -> bool:
        """Whether the panel holds some channels of each pixel, not all: channels last they lie side by side."""
        some = self.copied < self.read or self.problem.groups > 1
        return some and self.layout.channels_last and not (self.depthwise or self.in_place)

    @cached_property
    def cell(self) -> int:
        """Bytes from a cell to the next in what kernels read; where it is picked an odd number of cache lines."""
        if self.transposed:
            return self.innermost * self.problem.itemsize
        if not self.channel_subset:
            return self.last.x_step if self.in_place or self.layout.channels_last else self.problem.itemsize
        size = self.copied * self.problem.itemsize
        return size if size < LINE else (-(-size // LINE) // 2 * 2 + 1) * LINE

    @cached_property
    def source_pixel(self) -> int:
        """Bytes from what kernels read for one q of a row to what they read for the next."""
        return self.last.read_step if self.in_place else self.last.read_stride * self.cell

    @cached_property
    def source_channel(self) -> int:
        """Bytes from a channel to the next in what kernels read."""
        if self.in_place or self.layout.channels_last:
            return self.layout.x_channel
        return self.pitch * self.problem.itemsize

    @cached_property
    def copied(self) -> int:
        """Channels of x that the panel holds."""
        return self.read

    @cached_property
    def row(self) -> int:
        """Bytes from a row of the panel to the next."""
        return self.pitch * self.cell * (1 if self.layout.channels_last or self.transposed else self.copied)

    @cached_property
    def panel(self) -> int:
        """Bytes of the panel."""
        return 0 if self.in_place else prod(self.slots) * self.row + LINE
