"""What is to be computed: an operation on a geometry with channels, groups, batch and dtype, as integers and words."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tconv.cached import cached_property
from tconv.geometry import Geometry, Work

Operation: TypeAlias = Literal["conv_transpose", "conv", "weight_gradient"]
OPERATIONS: tuple[Operation, ...] = ("conv_transpose", "conv", "weight_gradient")
#: The arrays that each of them takes, in the order of its arguments.
OPERANDS: dict[Operation, tuple[str, str]] = {
    "conv_transpose": ("x", "w"),
    "conv": ("y", "w"),
    "weight_gradient": ("x", "y"),
}
_WRITTEN: dict[Operation, Literal["x", "w", "y"]] = {"conv_transpose": "y", "conv": "x", "weight_gradient": "w"}
Array: TypeAlias = NDArray[Any]


class Within(NamedTuple):
    """Grids that are boxes of larger arrays: only the cells of a row, and channels where they are last, lie together.

    Elements from one image to the next, from one channel, then from one cell along each axis of size.
    """

    read: tuple[int, ...]  #: of the array that is read
    written: tuple[int, ...]
    whole: int  #: elements of the array that the result is a part of


@dataclass(frozen=True)
class Problem:
    """What is to be computed, as integers and words: no arrays. What follows from it is kept: a plan asks often."""

    operation: Operation
    geometry: Geometry
    batch: int
    in_channels: int  #: of x, on the coarse grid
    out_channels: int  #: of y, on the fine grid
    groups: int
    dtype: str  #: in which it is computed; float16 arrays are computed in float32
    within: Within | None = None  #: None: the grids are arrays of their own. Nothing else is of a weight gradient

    @property
    def written(self) -> Literal["x", "w", "y"]:
        """Which of the three arrays the operation computes from the other two."""
        return _WRITTEN[self.operation]

    @cached_property
    def written_shape(self) -> tuple[int, ...]:
        """The shape of that array, as a method sees it."""
        return {"x": self.x_shape, "w": self.w_shape, "y": self.y_shape}[self.written]

    @cached_property
    def cin(self) -> int:
        """Channels of x in a group."""
        return self.in_channels // self.groups

    @cached_property
    def cout(self) -> int:
        """Channels of y in a group."""
        return self.out_channels // self.groups

    @cached_property
    def taps(self) -> int:
        """Taps of the kernel over all axes."""
        return prod(self.geometry.kernel)

    @cached_property
    def coarse_cells(self) -> int:
        """Cells of the coarse grid."""
        return prod(self.geometry.coarse)

    @cached_property
    def fine_cells(self) -> int:
        """Cells of the fine grid."""
        return prod(self.geometry.fine)

    @cached_property
    def itemsize(self) -> int:
        """Bytes of an element."""
        return np.dtype(self.dtype).itemsize

    @cached_property
    def bytes_written(self) -> int:
        """Bytes of the array that is written, or of the one that it is a part of."""
        return self.itemsize * (self.within.whole if self.within else prod(self.written_shape))

    @cached_property
    def pairs(self) -> int:
        """Pairs of a coarse cell and a tap that land inside the fine grid, over all axes."""
        return prod(axis.pairs for axis in self.geometry.axes)

    @cached_property
    def multiplications(self) -> int:
        """The multiplications of use, of all images, channels and groups."""
        return self.batch * self.in_channels * self.cout * self.pairs

    @property
    def work(self) -> Work:
        """The multiplications of use, those that zero insertion wastes, and bytes, each array moved once."""
        return self.geometry.work(
            self.in_channels, self.out_channels, batch=self.batch, groups=self.groups, itemsize=self.itemsize
        )

    @cached_property
    def x_shape(self) -> tuple[int, ...]:
        """(N, groups, Cin / groups, *coarse), as a method sees x."""
        return (self.batch, self.groups, self.cin, *self.geometry.coarse)

    @cached_property
    def w_shape(self) -> tuple[int, ...]:
        """(groups, Cin / groups, Cout / groups, *kernel), as a method sees the weights."""
        return (self.groups, self.cin, self.cout, *self.geometry.kernel)

    @cached_property
    def y_shape(self) -> tuple[int, ...]:
        """(N, groups, Cout / groups, *fine), as a method sees y."""
        return (self.batch, self.groups, self.cout, *self.geometry.fine)
