"""Weights as one node of a graph, with the operators that are prepared from them where tasks run."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from dask.base import tokenize

from tconv import arrays, boxed
from tconv.activations import Activation
from tconv.arguments import Layout
from tconv.dask.lending import lender
from tconv.finishing import Finishing
from tconv.forks import uninterrupted
from tconv.prepared import Conv, ConvTranspose
from tconv.problem import Array, Operation

Padding: TypeAlias = tuple[tuple[int, int], ...]
#: Operators that are kept, one for each way in which blocks begin and end: between strides, at the ends of the grid.
MOST = 64


class Weights:
    """The weights and the bias of a layer, and the layer but for its padding, which blocks have of their own.

    A process has one object of it for a graph, and with it the operators that were prepared: they are not sent.
    """

    def __init__(
        self, operation: Operation, w: Array, bias: Array | None, stride: tuple[int, ...], dilation: tuple[int, ...],
        groups: int, layout: Layout, method: str, activation: Activation | None = None,
    ) -> None:  # fmt: skip
        # Copies: the graph is of the values that its keys are made of, whatever becomes of the arrays.
        self.operation, self.w = operation, np.array(w, w.dtype.newbyteorder("="), order="C")
        self.bias = None if bias is None else np.array(bias)
        self.stride, self.dilation, self.groups, self.layout, self.method = stride, dilation, groups, layout, method
        self.activation = activation
        #: Zeros beyond the ends meet weights: where one of these is not finite, blocks are cut off at the ends instead.
        self.finite = bool(np.isfinite(self.w).all())
        self._operators: dict[Padding, ConvTranspose | Conv] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_operators": {}}

    def __dask_tokenize__(self) -> str:
        return tokenize(self.__getstate__())

    def __call__(self, grid: Array, padding: Padding, size: tuple[int, ...], residual: Array | None = None) -> Array:
        """The result on a block of the grid with the padding of that block: so many cells, in memory that is lent."""
        up, images = self.operation == "conv_transpose", grid.shape[: grid.ndim - 1 - len(size)]
        channels = self.w.shape[1] * self.groups if up else self.w.shape[0]
        inner = (*size, channels) if self.layout == "channels_last" else (channels, *size)
        out = lender.empty((*images, *inner), self.w.dtype)
        return self._operator(padding)(grid, out, residual=residual)

    def into(self, grid: Array, padding: Padding, out: Array, whole: int, residual: Array | None = None) -> None:
        """The result written into `out`, a part of an array of `whole` elements: computed there, or copied."""
        operator = self._operator(padding)
        # Kernels write while they read; a residual would have to lie as the part does.
        apart = residual is None and not np.may_share_memory(grid, out)
        if not (apart and boxed.into(operator, grid, out, whole)):
            out[...] = operator(grid, lender.empty(out.shape, out.dtype), residual=residual)

    def blank(self, shape: tuple[int, ...], residual: Array | None = None) -> Array:
        """A block that no tap reaches: the bias alone, and what follows."""
        result = np.zeros(shape, arrays.DTYPES[self.w.dtype.name])
        last, ndim = self.layout == "channels_last", self.w.ndim - 2
        if self.bias is not None:
            result += self.bias if last else self.bias.reshape(-1, *[1] * ndim)
        if self.activation is not None or residual is not None:
            added = None if residual is None else self._grouped(residual)
            Finishing(self.activation, added).apply(self._grouped(result))
        return result.astype(self.w.dtype, copy=False)

    def _grouped(self, array: Array) -> Array:
        """A view (N, 1, channels, *size) of an array of the shape of a block."""
        ndim = self.w.ndim - 2
        batch = array if array.ndim == ndim + 2 else array[None]
        return (np.moveaxis(batch, -1, 1) if self.layout == "channels_last" else batch)[:, None]

    def _operator(self, padding: Padding) -> ConvTranspose | Conv:
        with uninterrupted:
            made = self._operators.get(padding)
            if made is None:
                known = next(iter(self._operators), None)
                made = self._made(padding) if known is None else boxed.padded(self._operators[known], padding)
                if known is not None and len(self._operators) >= MOST:
                    del self._operators[known]
                self._operators[padding] = made
            return made

    def _made(self, padding: Padding) -> ConvTranspose | Conv:
        prepared = ConvTranspose if self.operation == "conv_transpose" else Conv
        return prepared(
            self.w, self.bias, stride=self.stride, padding=padding, dilation=self.dilation, groups=self.groups,
            layout=self.layout, method=self.method, activation=self.activation,
        )  # fmt: skip
