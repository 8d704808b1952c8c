"""What all schedules have in common: their axes, the rows of x that a chunk needs, what others ask them."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import fields, replace
from typing import Any, Self

from numpy.typing import NDArray

from tconv.cached import cached_property
from tconv.jit.kernels import Code
from tconv.jit.schedules.axes import LoopAxis, residues, strand_shifts
from tconv.jit.schedules.layouts import GroupChannels, MemoryLayout, channels_of
from tconv.problem import Problem

#: Results of depthwise layers larger than this are written past the caches. Measured on AMD Zen 5, 1 MB of second-level
#: and 32 MB of third-level cache shared with others: 4.5 and 8 MB take 0.7 to 0.9 of the time through the caches, 12 MB
#: and more 1.7 to 2 times as long. Two threads write twice as fast through the caches, but hardly faster past them:
#: channels first 16 MB take 0.6 of the time through the caches, 24 MB the same, 48 MB 1.2 times as long.
STREAM_FROM = 10 << 20

#: Bytes of scratch a thread at most: what plans state (`methods/jit.py`).
MOST_SCRATCH = 4 << 20

#: Terms of a sum, at most: longer ones are sums of sums, which lose less to rounding. Measured on AMD Zen 5: 512 cost
#: 1 % of the time of layers with thousands of terms, 256 2 %, 128 4 %.
TERMS = 512


class Schedule:
    """A problem cut into chunks: cache blocks of q over all axes, the batch first. Each kind is a dataclass."""

    problem: Problem
    layout: MemoryLayout
    lanes: int
    cache_block: tuple[int, ...]
    on_the_fly: bool = False  #: weights are packed on the fly: for one call, whose chunk is one

    @property
    def kind(self) -> str:
        """The name of its kind (`registry.py`)."""
        raise NotImplementedError

    @cached_property
    def code(self) -> Code:
        """The kernels that ops call, in the order of their numbers."""
        raise NotImplementedError

    @cached_property
    def panel(self) -> int:
        """Bytes of the panel, into which x is copied."""
        raise NotImplementedError

    @cached_property
    def block(self) -> int:
        """Bytes of the block, by way of which results go into y."""
        raise NotImplementedError

    @cached_property
    def cells(self) -> int:
        """Bytes of cells of the coarse grid in scratch, as a weight gradient has them."""
        return 0

    @property
    def streaming(self) -> bool:
        """Whether results go past the caches."""
        return False

    @property
    def completes(self) -> bool:
        """Whether kernels write sums that are complete, each once, so that they can apply an activation themselves."""
        return False

    def transformed(self, w: int) -> NDArray[Any] | None:
        """Weights, given their address, as they are packed; None where they are so as they are."""
        return None

    @property
    def spreads(self) -> bool:
        """Of a weight gradient, whether cells of x meet zeros beside y: a NaN or an Inf would reach untied weights."""
        return False

    @property
    def posed(self) -> Problem:
        """The problem as it was posed, where the schedule treats it as another one."""
        return self.problem

    @property
    def posed_layout(self) -> MemoryLayout:
        """The layout as it was posed, with every axis of the grids, where the schedule joins them."""
        return self.layout

    @property
    def parts_of_read(self) -> int:
        """Into how many parts the channels that are read are cut."""
        return 1

    def with_(self, **values: Any) -> Self:
        """The schedule with other values in some of its fields."""
        return replace(self, **values)  # type: ignore[type-var]  # every kind is a dataclass

    @cached_property
    def channels_of_group(self) -> GroupChannels:
        """How many channels of a group are read and written, and elements of its weights from one to the next."""
        return channels_of(self.problem)

    @property
    def read(self) -> int:
        """Channels of x in a group."""
        return self.channels_of_group.read

    @property
    def written(self) -> int:
        """Channels of y in a group."""
        return self.channels_of_group.written

    @cached_property
    def last(self) -> LoopAxis:
        """The innermost axis of the grids."""
        return self.layout.axes[-1]

    @cached_property
    def outer(self) -> tuple[LoopAxis, ...]:
        """All axes but the innermost, the batch first."""
        return self.layout.axes[:-1]

    @property
    def layer(self) -> tuple[Hashable, ...]:
        """All that tiles and packed weights depend on: equal for a layer at different sizes, if it is cut alike."""
        p, layout = self.problem, self.layout
        windows = tuple((n.kernel, n.stride, n.dilation, n.low, n.read_stride) for n in layout.axes)
        channels = p.operation, p.dtype, p.in_channels, p.out_channels, p.groups, p.geometry.kernel
        # Of the axes sizes do not matter, of arrays only whether channels are innermost.
        ways = layout.channels_last, layout.joined, layout.y_channel == p.itemsize
        sizes = ("problem", "layout", "lines", "spread", "cache_block")
        free = tuple(getattr(self, f.name) for f in fields(self) if f.name not in sizes)  # type: ignore[arg-type]
        return (type(self), channels, windows, ways, *free)

    @cached_property
    def origin(self) -> int:
        """The origin of the last axis (see `axes.py`)."""
        return 0

    @cached_property
    def origins(self) -> tuple[int, ...]:
        """The origin of every axis (see `axes.py`)."""
        return (*(0 for _ in self.outer), self.origin)

    @cached_property
    def spans(self) -> tuple[range, ...]:
        """The q along each axis."""
        return (*(line.span() for line in self.outer), self.last.span(self.origin))

    @cached_property
    def slots(self) -> tuple[int, ...]:
        """Rows of x that a chunk needs along each outer axis."""
        return tuple(
            min(needed, -(-line.read // line.read_stride)) if only else needed
            for needed, line, only in zip(self._reached, self.outer, self.existing, strict=True)
        )

    @property
    def _reached(self) -> list[int]:
        """Rows that taps reach along each outer axis, those beside x among them."""
        each = zip(self.cache_block, self.outer, strict=False)
        return [len(residues(line)) * (n + len(strand_shifts(line)) - 1) for n, line in each]

    @property
    def existing(self) -> tuple[bool, ...]:
        """Of each outer axis, whether the panel has room for rows that exist only: nothing is read beside x there."""
        return (False,) * len(self.outer)
