"""A prepared operator as a layer of a stream: cut along one axis, its other axes as they are."""

from __future__ import annotations

from copy import copy
from typing import Any, TypeAlias

import numpy as np

from tconv import arrays, checks, sizes
from tconv.arguments import Window
from tconv.prepared import Conv, ConvTranspose
from tconv.problem import Array
from tconv.streaming.pace import Down, Pace, Up
from tconv.streaming.stage import Layer

Operator: TypeAlias = ConvTranspose | Conv


class ArrayLayer(Layer):
    """`tconv.ConvTranspose` or `tconv.Conv` on NumPy arrays; raises `Rejected` where pieces cannot be computed."""

    def __init__(self, name: str, op: Operator, axis: int) -> None:
        self.op = op
        self._ends = _Ends(name, op)
        self.number = axis % self.ndim
        # Counted from the end, it is the same with and without a batch.
        self.axis = self.number - self.ndim - (op.layout == "channels_last")
        self.pace = self._ends.pace(self.number)
        self.finite = bool(np.isfinite(op._w).all())
        self._units = self._padded(self.pace.padding)
        self._known: tuple[int, ...] | None = None  # the other sizes of cells that were right

    @property
    def ndim(self) -> int:
        """Axes of size."""
        return self.op._w.ndim - 2

    @property
    def channels(self) -> tuple[int, int]:
        """Channels of what is read, and of what is given."""
        cin, cout = self.op._w.shape[0], self.op._w.shape[1] * self.op._window.groups
        return (cin, cout) if self.pace.is_up else (cout, cin)

    def check(self, cells: Any) -> None:
        """These are cells that the operator reads, any number of them; raises `Rejected`."""
        if type(cells) is np.ndarray and cells.dtype == self.op.dtype and self.others(cells) == self._known:
            return
        arrays.array("x", cells)
        arrays.same_dtype("x", cells, "w", self.op.dtype.name)
        if cells.ndim not in (self.ndim + 1, self.ndim + 2):
            order = "C, *size" if self.op.layout == "channels_first" else "*size, C"
            axes = checks.count(self.ndim, "axis", "axes")
            checks.wrong(f"x must have shape (N, {order}) or ({order}) with {axes} of size; got {cells.shape}")
        got = cells.shape[-1 if self.op.layout == "channels_last" else -1 - self.ndim]
        if got != self.channels[0]:
            checks.wrong(f"x must have {checks.count(self.channels[0], 'channel')}; got {got} in {cells.shape}")
        self._shape(cells, 0)
        self._known = self.others(cells)

    def run(self, cells: Array) -> Array:
        """The units that these cells give."""
        return self._units(cells)

    def exact(self, cells: Array, start: int, stop: int, first: int, read: int) -> Array:
        """The results [start, stop), from the cells [first, read), with no zero beside the grid."""
        block = self.pace.block(start, stop, read)
        if not block.is_empty:
            return self._padded(block.padding)(self.cut(cells, block.start - first, block.stop - first))
        result = np.zeros(self._shape(cells, stop - start), self.op.dtype)
        if self.op._bias is not None:
            inner = 0 if self.op.layout == "channels_last" else self.ndim
            result += self.op._bias.reshape(-1, *[1] * inner)
        if self.op.activation is not None:
            result = self.op.activation(result, -1 if self.op.layout == "channels_last" else -1 - self.ndim)
        return result

    def none(self, cells: Array) -> Array:
        """No results, in the shape that those of such cells have."""
        return np.empty(self._shape(cells, 0), self.op.dtype)

    def kept(self, cells: Array) -> Array:
        """A copy that keeps no other cells alive."""
        return cells.copy()

    def zeros(self, like: Array, count: int) -> Array:
        """So many cells of zeros beside others."""
        shape = list(like.shape)
        shape[self.axis] = count
        return np.zeros(shape, like.dtype)

    def joined(self, parts: list[Array]) -> Array:
        """Cells after others, in a new array."""
        return np.concatenate(parts, self.axis)

    def _shape(self, cells: Array, results: int) -> tuple[int, ...]:
        """The shape of so many results; raises `Rejected` where the other axes do not fit."""
        shape = list(cells.shape)
        shape[self.axis] = self.pace.cells(1)
        given = list(self._units._plan(tuple(shape)).result_shape)
        given[self.axis] = results
        return tuple(given)

    def _padded(self, padding: tuple[int, int]) -> Operator:
        """The operator with another padding along the axis, and nothing left over there; its weights are shared."""
        other = copy(self.op)
        other._window = self._ends.window(self.number, padding)
        return other

    def __str__(self) -> str:
        return repr(self.op)


class _Ends:
    """The window of an operator with numbers for words: what happens at the ends of each axis, whatever its size."""

    def __init__(self, name: str, op: Operator) -> None:
        given, ndim, is_up = op._window, op._w.ndim - 2, isinstance(op, ConvTranspose)
        if given.output_size is not None:
            must = "must have no output_size, which is that of the whole"
            checks.wrong(f"{name} {must}: a stream does not know it; got {given.output_size}")
        self.name, self.is_up, self.groups, self.kernel = name, is_up, given.groups, op._w.shape[2:]
        self.stride = checks.per_axis("stride", given.stride, ndim, 1)
        self.dilation = checks.per_axis("dilation", given.dilation, ndim, 1)
        #: What is left over on each axis; None where the size of a fine grid decides it.
        self.left: tuple[int, ...] | None = None
        if given.output_padding is not None:
            self.left = checks.per_axis("output_padding", given.output_padding, ndim, 0)
        elif is_up:
            self.left = (0,) * ndim
        if isinstance(given.padding, str):
            self.padding: tuple[tuple[int, int], ...] = self._from_word(given.padding)
        else:
            self.padding = checks.padding_per_axis(given.padding, ndim)  # type: ignore[assignment]  # no words in it

    def _from_word(self, word: str) -> tuple[tuple[int, int], ...]:
        axes = list(zip(self.kernel, self.stride, self.dilation, strict=True))
        if self.is_up:  # it stands for the same at every size
            ends = [sizes.of_conv_transpose(1, k, s, word, 0, None, d) for k, s, d in axes]
            self.left = tuple(a for _, _, a in ends)
            return tuple(pair for _, pair, _ in ends)
        if word == "valid":
            return ((0, 0),) * len(axes)
        if max(self.stride) > 1:
            must = f"{self.name} must have padding as (low, high) pairs"
            checks.wrong(f'{must}: what "same" of a conv with a stride stands for depends on the size of the whole')
        total = [d * (k - 1) for k, _, d in axes]
        return tuple((cells // 2, cells - cells // 2) for cells in total)

    def pace(self, axis: int) -> Pace:
        """That axis in a stream."""
        k, s, d, (low, high) = self.kernel[axis], self.stride[axis], self.dilation[axis], self.padding[axis]
        left = 0 if self.left is None else self.left[axis]
        if self.is_up:
            return Up(k, s, d, low, high, left)
        if left >= s:  # dilation > stride allows it, and it takes coarse cells off the end of the whole
            must = f"{self.name} must have an output_padding of less than the stride, {s}, along the axis of the stream"
            checks.wrong(f"{must}; got {left}")
        return Down(k, s, d, low, high)

    def window(self, axis: int, padding: tuple[int, int]) -> Window:
        """With another padding along an axis, and nothing left over there."""
        pads = tuple(padding if i == axis else pair for i, pair in enumerate(self.padding))
        left = None if self.left is None else tuple(0 if i == axis else a for i, a in enumerate(self.left))
        return Window(self.stride, pads, left, None, self.groups, self.dilation)
