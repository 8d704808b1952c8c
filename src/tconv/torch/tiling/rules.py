"""How one operation of a network is computed for a box of its results."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

import torch
from torch import Tensor

from tconv.torch.tiling.gathering import Copied, Interpolated, gathered
from tconv.torch.tiling.maps import AxisMap, Down, Read, Same, Shifted, Up


class Part(NamedTuple):
    """The results [start, stop) along one axis, and what is read for them."""

    start: int
    stop: int
    read: Read


#: Runs the operation itself on what was read of its inputs; keyword arguments take the place of some.
Call: TypeAlias = Callable[..., Any]


@dataclass(frozen=True)
class Rule:
    """What an operation reads along each axis, and how it is run on that."""

    maps: tuple[AxisMap, ...]
    grids: int | None = 1  #: how many of its tensors, the first ones, are arrays over the grid; None: all
    terms: int = 1  #: multiplications for one result of one channel, for the cost

    def result(self, first: Tensor, call: Call, parts: Sequence[Part]) -> Any:
        """The box of the results that `parts` name; `first` is what was read of the first input."""
        raise NotImplementedError


@dataclass(frozen=True)
class Called(Rule):
    """The operation itself runs on what was read, and its results are cropped."""

    sized: bool = False  #: whether it is told the size of its results

    def result(self, first: Tensor, call: Call, parts: Sequence[Part]) -> Any:
        """Run, and crop."""
        if not self.sized:
            return _cropped(call(), parts)
        sizes = zip(self.maps, parts, strict=True)
        return _cropped(call(output_size=[along.computed(p.read.stop - p.read.start) for along, p in sizes]), parts)


@dataclass(frozen=True)
class Moved(Rule):
    """Cells are moved, copied or interpolated along each axis, by indices of the whole."""

    value: float = 0.0  #: of what is neither
    channels: Any = ()  #: an index of batch and channels, taken first

    def result(self, first: Tensor, call: Call, parts: Sequence[Part]) -> Tensor:
        """Axis by axis, those that crop first."""
        y = first[self.channels] if self.channels else first
        axes = list(zip(self.maps, range(-len(parts), 0), parts, strict=True))
        for along, axis, part in sorted(axes, key=lambda entry: entry[2].stop - entry[2].start):
            y = self._along(y, along, axis, part)
        return y

    def _along(self, y: Tensor, along: AxisMap, axis: int, part: Part) -> Tensor:
        start, stop, read = part
        if isinstance(along, Copied | Interpolated):
            return gathered(y, axis, along, read.start, start, stop)
        if not isinstance(along, Shifted):
            return y
        inner = range(max(start, read.start + along.low), min(stop, read.stop + along.low))
        if len(inner) == stop - start:
            return y.narrow(axis, inner.start - along.low - read.start, len(inner))
        shape = list(y.shape)
        shape[axis] = stop - start
        padded = y.new_full(shape, self.value)
        if inner:
            kept = y.narrow(axis, inner.start - along.low - read.start, len(inner))
            padded.narrow(axis, inner.start - start, len(inner)).copy_(kept)
        return padded


@dataclass(frozen=True)
class Normed(Rule):
    """Normalization by mean and variance of the whole array, of each group of channels, known from passes before."""

    groups: int = 1
    eps: float = 1e-5
    scale: Any = field(default=None, compare=False)  #: of each channel: a tensor, a node of the graph, or None
    shift: Any = field(default=None, compare=False)


def same(ndim: int, grids: int | None = 1) -> Called:
    """Each result is computed from what lies at its own place."""
    return Called((Same(),) * ndim, grids)


def windows(maps: Sequence[Down | Up], terms: int, *, sized: bool = False) -> Called:
    """A convolution of either kind, or pooling."""
    return Called(tuple(maps), 1, terms, sized)


def moved(maps: Sequence[Shifted | Copied | Interpolated | Same], value: float = 0.0, channels: Any = ()) -> Moved:
    """Cells at other places."""
    return Moved(tuple(maps), value=value, channels=channels)


def _cropped(y: Any, parts: Sequence[Part]) -> Any:
    if not isinstance(y, Tensor):
        return y
    for axis, (start, stop, read) in enumerate(parts, -len(parts)):
        if y.shape[axis] != stop - start:
            y = y.narrow(axis, read.skip, stop - start)
    return y


def in_place(call: Call) -> Call:
    """The operation on a copy of what it would write into: that may be the input of others."""

    def on_copy(first: Any, *args: Any, **kwargs: Any) -> Any:
        return call(first.clone() if isinstance(first, torch.Tensor) else first, *args, **kwargs)

    return on_copy
